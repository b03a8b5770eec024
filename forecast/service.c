#include "forecast/service.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/client.h"
#include "common/log.h"
#include "common/url.h"
#include "common/whole_file.h"
#include "forecast/service_internal.h"

enum { PER_STEP_MAX = 300 }; /* refreshes a step: 16 bytes each of every series */

static int check_times(const struct config *config, struct text *ret_error)
{
	int64_t refresh_ms = config->forecast.refresh_ms, step_ms = config->forecast.step_ms;
	if (refresh_ms % 1000)
		text_append_string(ret_error, "[forecast] refresh: it is no whole number of seconds");
	else if (step_ms % refresh_ms || step_ms / refresh_ms > PER_STEP_MAX)
		text_printf(ret_error, "[forecast] step: it is not 1 to %d times refresh", PER_STEP_MAX);
	else if (config->forecast.history_ms < 2 * step_ms)
		text_append_string(ret_error, "[forecast] history: it is less than two steps");
	else
		return 0;
	return -EINVAL;
}

static void close_parts(struct service_parts *parts)
{
	rules_free(parts->rules);
	uplink_close(parts->uplink);
	free(parts->settings.state);
	*parts = (struct service_parts){ 0 };
}

static int open_parts(const struct config *config, const char *source, struct service_parts *ret_parts,
                      struct text *ret_error)
{
	struct text token = TEXT_EMPTY;
	struct service_parts parts = { .settings = {
		.refresh_ms = config->forecast.refresh_ms, .step_ms = config->forecast.step_ms,
		.phase_ms = config->forecast.phase_ms, .history_ms = config->forecast.history_ms,
		.above = config->forecast.above / 100, .state = strdup(config->forecast.state),
	} };
	int result = check_times(config, ret_error);
	if (!result)
		result = url_check("[forecast] url", config->forecast.url, ret_error);
	if (!result)
		result = rules_open(config, source, &parts.rules, ret_error);
	if (!result)
		result = client_read_token("forecast", config->forecast.token_file, &token, ret_error);
	if (!result) {
		parts.uplink = uplink_open(config->forecast.url, token.data, config->forecast.timeout_ms);
		result = parts.uplink && parts.settings.state ? 0 : -ENOMEM;
	}
	text_free(&token);
	if (result)
		close_parts(&parts);
	else
		*ret_parts = parts;
	if (result == -ENOMEM)
		text_append_string(ret_error, strerror(ENOMEM));
	return result;
}

int service_check(const struct config *config, const char *source, struct text *ret_error)
{
	struct service_parts parts;
	int result = open_parts(config, source, &parts, ret_error);
	if (!result)
		close_parts(&parts);
	return result;
}

unsigned service_horizon(const struct service *service, const struct limits *limits)
{
	int64_t step_ms = service->parts.settings.step_ms, steps = (limits->horizon_ms + step_ms - 1) / step_ms;
	return steps > FORECASTER_HORIZON_MAX ? FORECASTER_HORIZON_MAX : (unsigned)steps;
}

const struct limits *service_limits(const struct service *service, const char *ip, const char *process,
                                    enum resource resource)
{
	return rules_find(service->parts.rules, ip, process, resource);
}

double service_above(const struct service *service, const char *ip, const char *process, enum resource resource)
{
	const struct limits *limits = service_limits(service, ip, process, resource);
	return limits->mute ? INFINITY : service->parts.settings.above * limits->threshold;
}

struct series *service_add_series(struct service *service, const char *ip, const char *process, enum resource resource)
{
	struct series *series = series_table_add(&service->table, ip, process, resource);
	if (series)
		series->above = service_above(service, ip, process, resource);
	return series;
}

/* All histories are to be read anew. */
static void restart(struct service *service, int64_t now_ms)
{
	int64_t step_ms = service->parts.settings.step_ms;
	series_table_clear(&service->table);
	uplink_hosts_free(&service->hosts);
	service->table.per_step = (unsigned)(step_ms / service->parts.settings.refresh_ms);
	service->complete = (now_ms - service->parts.settings.phase_ms) / step_ms;
	service->last_bucket = INT64_MIN;
	service->window_ms = service->parts.settings.history_ms;
	service->hosts_wanted = true;
	service->next_host = 0;
	service->paused = false;
}

int service_open(const struct config *config, const char *source, int64_t now_ms, struct service **ret_service,
                 struct text *ret_error)
{
	struct service *service = calloc(1, sizeof(*service));
	if (!service) {
		text_append_string(ret_error, strerror(ENOMEM));
		return -ENOMEM;
	}
	service->saved_ms = now_ms;
	service->asking.operation = "asking for the newest values";
	service->reading.operation = "reading the histories";
	service->reporting.operation = "reporting the forecasts";
	service->saving.operation = "writing the state";
	int result = open_parts(config, source, &service->parts, ret_error);
	if (result) {
		service_close(service);
		return result;
	}
	restart(service, now_ms);
	*ret_service = service;
	return 0;
}

void service_close(struct service *service)
{
	if (!service)
		return;
	series_table_clear(&service->table); /* which borrow the prior */
	learnt_free(&service->learnt);
	uplink_hosts_free(&service->hosts);
	close_parts(&service->parts);
	prior_free(service->prior);
	free(service);
}

void service_read_model(struct service *service, const char *path)
{
	struct text wrong = TEXT_EMPTY;
	struct prior *prior = NULL;
	int result = path[0] ? prior_read(path, &prior, &wrong) : 0;
	if (result) {
		log_error("cannot use the model in %s: %s; %s stays", path, wrong.data ? wrong.data : strerror(-result),
		          service->prior ? "the present one" : "the one built in");
	} else {
		prior_free(service->prior);
		service->prior = prior;
	}
	text_free(&wrong);
}

bool service_read_state(struct service *service)
{
	const char *path = service->parts.settings.state;
	struct text error = TEXT_EMPTY;
	int result = state_file_read(path, service->parts.settings.step_ms, &service->learnt, &error);
	if (result == -EBADMSG) {
		result = whole_file_move_aside(path);
		if (!result)
			log_error("%s is not a state of vigie-forecast: %s; moved to %s.broken, starting without", path,
			          error.data, path);
	} else if (result == -ESTALE) {
		log_warning("the state in %s is not used: %s; starting without", path, error.data);
		result = 0;
	}
	if (result)
		log_error("cannot read the state in %s: %s", path, strerror(-result));
	text_free(&error);
	return result == 0;
}

/* What the series have learnt goes where their next forecasters will look for it. */
static void keep_learnt(struct service *service)
{
	struct text line = TEXT_EMPTY;
	for (struct series *series = series_table_next(&service->table, NULL); series;
	     series = series_table_next(&service->table, series)) {
		if (!series->forecaster)
			continue;
		text_reset(&line);
		forecaster_save(series->forecaster, &line);
		if (text_failed(&line) || learnt_put(&service->learnt, series_ip(series), series->process, series->resource,
		                                     line.data) != 0)
			log_error("what was learnt of %s on %s is lost: %s", series->process, series_ip(series), strerror(ENOMEM));
	}
	text_free(&line);
}

int service_reload(struct service *service, const struct config *config, const char *source, int64_t now_ms,
                   struct text *ret_error)
{
	struct service_parts parts;
	int result = open_parts(config, source, &parts, ret_error);
	if (result)
		return result;
	keep_learnt(service);
	if (service->parts.settings.step_ms != parts.settings.step_ms)
		learnt_free(&service->learnt);
	series_table_clear(&service->table); /* which borrow the prior */
	close_parts(&service->parts);
	service->parts = parts;
	service_read_model(service, config->forecast.model);
	restart(service, now_ms);
	return 0;
}

/* The content of the state file. */
static void format_state(const struct service *service, struct text *content)
{
	struct text line = TEXT_EMPTY;
	state_file_begin(content, service->parts.settings.step_ms);
	size_t count = state_file_add_learnt(content, service->learnt);
	for (struct series *series = series_table_next(&service->table, NULL); series;
	     series = series_table_next(&service->table, series)) {
		if (!series->forecaster)
			continue;
		text_reset(&line);
		forecaster_save(series->forecaster, &line);
		content->failed = content->failed || text_failed(&line);
		if (line.length) {
			state_file_add(content, series_ip(series), series->process, series->resource, line.data);
			count++;
		}
	}
	state_file_end(content, count);
	text_free(&line);
}

void service_save(struct service *service)
{
	if (!service->dirty)
		return;
	struct text content = TEXT_EMPTY;
	format_state(service, &content);
	int result = whole_file_replace(service->parts.settings.state, &content);
	trouble_watch(&service->saving, result, NULL);
	service->dirty = result != 0;
	text_free(&content);
}

void service_describe(const struct service *service, struct text *text)
{
	text_printf(text, "%zu series, %zu of them with a forecast at the last refresh, %.1f us of CPU a series; "
	            "%llu refreshes, %llu forecasts", series_table_count(&service->table), service->counts.last_forecasts,
	            service->counts.us_per_series, (unsigned long long)service->counts.refreshes,
	            (unsigned long long)service->counts.forecasts);
}
