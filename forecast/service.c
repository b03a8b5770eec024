#include "forecast/service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/watcher.h"
#include "common/whole_file.h"
#include "forecast/service_internal.h"

int service_check(const struct config *config, const char *source, bool strictly, struct text *ret_error)
{
	struct setup setup;
	int result = setup_open(config, source, &setup, ret_error);
	if (result)
		return result;
	if (strictly)
		result = watcher_check_horizon(config, setup.rules, ret_error);
	setup_close(&setup);
	return result;
}

/* What was installed before this was checked goes on with the longest horizon. */
static void warn_of_horizon(const struct config *config, const struct setup *setup)
{
	struct text wrong = TEXT_EMPTY;
	if (watcher_check_horizon(config, setup->rules, &wrong) != 0)
		log_warning("%s; that is as far as is looked ahead", text_or(&wrong, strerror(ENOMEM)));
	text_free(&wrong);
}

struct series *service_add_series(struct service *service, const char *ip, const char *process, enum resource resource)
{
	struct series *series = series_table_add(&service->table, ip, process, resource);
	if (series)
		series->above = setup_above(&service->setup, ip, process, resource);
	return series;
}

/* All histories are to be read anew. */
static void restart(struct service *service, int64_t now_ms)
{
	series_table_clear(&service->table);
	uplink_hosts_free(&service->hosts);
	histories_init(&service->histories, &service->setup);
	service->table.per_step = (unsigned)(service->setup.step_ms / service->setup.refresh_ms);
	service->complete = setup_complete(&service->setup, now_ms);
	service->last_bucket = INT64_MIN;
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
	service->lock_fd = -1;
	service->saved_ms = now_ms;
	service->asking.operation = "asking for the newest values";
	service->reading.operation = "reading the histories";
	service->reporting.operation = "reporting the forecasts";
	service->saving.operation = "writing the state";
	int result = setup_open(config, source, &service->setup, ret_error);
	if (result) {
		service_close(service);
		return result;
	}
	warn_of_horizon(config, &service->setup);
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
	setup_close(&service->setup);
	if (service->lock_fd >= 0)
		close(service->lock_fd);
	prior_free(service->prior);
	free(service);
}

void service_read_model(struct service *service, const char *path)
{
	struct text wrong = TEXT_EMPTY;
	struct prior *prior = NULL;
	int result = path[0] ? prior_read(path, &prior, &wrong) : 0;
	if (result) {
		log_error("cannot use the model in %s: %s; %s stays", path, text_or(&wrong, strerror(-result)),
		          service->prior ? "the present one" : "the one built in");
	} else {
		prior_free(service->prior);
		service->prior = prior;
	}
	text_free(&wrong);
}

bool service_read_state(struct service *service)
{
	const char *path = service->setup.state;
	struct text error = TEXT_EMPTY;
	if (service->lock_fd < 0 && watcher_lock_state(path, &service->lock_fd, &error) != 0) {
		log_error("%s", text_or(&error, strerror(ENOMEM)));
		text_free(&error);
		return false;
	}
	int result = state_file_read(path, service->setup.step_ms, &service->learnt, &service->mark, &error);
	if (result == -EBADMSG) {
		result = whole_file_move_aside(path);
		if (!result)
			log_error("%s is not a state of vigie-forecast: %s; moved to %s.broken, starting without", path,
			          text_or(&error, strerror(ENOMEM)), path);
	} else if (result == -ESTALE) {
		log_warning("the state in %s is not used: %s; starting without", path, text_or(&error, strerror(ENOMEM)));
		result = 0;
	}
	if (result)
		log_error("cannot read the state in %s: %s", path, strerror(-result));
	text_free(&error);
	return result == 0;
}

/* The series with a forecaster that comes after `series`, the first after NULL, and what it has learnt; NULL:
 * there is none. */
static struct series *next_saved(const struct service *service, const struct series *series, struct text *ret_line)
{
	struct series *next = series_table_next(&service->table, series);
	while (next && !next->forecaster)
		next = series_table_next(&service->table, next);
	text_reset(ret_line);
	if (next)
		forecaster_save(next->forecaster, ret_line);
	return next;
}

/* What the series have learnt goes where their next forecasters will look for it. */
static void keep_learnt(struct service *service)
{
	struct text line = TEXT_EMPTY;
	for (struct series *series = next_saved(service, NULL, &line); series; series = next_saved(service, series, &line)) {
		if (text_failed(&line) || learnt_put(&service->learnt, series_ip(series), series->process, series->resource,
		                                     line.data) != 0)
			log_error("what was learnt of %s on %s is lost: %s", series->process, series_ip(series), strerror(ENOMEM));
	}
	text_free(&line);
}

/* Where the state is to be at another place: that is locked before this one is let go. 0 or a negative errno with a
 * sentence. */
static int relock(struct service *service, const struct setup *setup, struct text *ret_error)
{
	int fd;
	if (strcmp(service->setup.state, setup->state) == 0)
		return 0;
	int result = watcher_lock_state(setup->state, &fd, ret_error);
	if (result)
		return result;
	if (service->lock_fd >= 0)
		close(service->lock_fd);
	service->lock_fd = fd;
	return 0;
}

int service_reload(struct service *service, const struct config *config, const char *source, int64_t now_ms,
                   struct text *ret_error)
{
	struct setup setup;
	int result = setup_open(config, source, &setup, ret_error);
	if (result)
		return result;
	result = relock(service, &setup, ret_error);
	if (result) {
		setup_close(&setup);
		return result;
	}
	keep_learnt(service);
	if (service->setup.step_ms != setup.step_ms)
		learnt_free(&service->learnt);
	series_table_clear(&service->table); /* which borrow the prior */
	setup_close(&service->setup);
	service->setup = setup;
	warn_of_horizon(config, &setup);
	service_read_model(service, config->forecast.model);
	restart(service, now_ms);
	return 0;
}

bool service_trusts_clock(struct service *service, struct moment now)
{
	enum sure_clock_news news;
	char read[CLOCK_RFC3339_SIZE], believed[CLOCK_RFC3339_SIZE];
	bool first = !service->has_clock;
	if (first)
		sure_clock_open(&service->clock, service->mark.moment.wall_ms ? &service->mark : NULL, clock_boot(), now);
	service->has_clock = true;
	service->moment = now;
	int64_t believed_ms = sure_clock_read(&service->clock, now, &news);
	clock_format_rfc3339(believed_ms, believed);
	clock_format_rfc3339(now.wall_ms, read);
	switch (news) {
	case SURE_CLOCK_SAME:
		break;
	case SURE_CLOCK_JUMPED:
		log_warning("the clock has jumped to %s, where %s was expected: no forecasts until it is right again, or has "
		            "stayed so for %d minutes", read, believed, SURE_CLOCK_WAIT_MS / 60000);
		if (first)
			restart(service, believed_ms); /* it was opened at the wrong time */
		break;
	case SURE_CLOCK_BACK:
		log_info("the clock is right again: %s", read);
		if (service->complete > setup_complete(&service->setup, now.wall_ms))
			restart(service, now.wall_ms); /* it was reloaded meanwhile */
		break;
	case SURE_CLOCK_ADOPTED:
		log_warning("the clock was set to %s: reading all histories again", read);
		keep_learnt(service);
		restart(service, now.wall_ms);
		break;
	}
	return !service->clock.doubting;
}

/* The content of the state file. */
static void format_state(const struct service *service, struct text *content)
{
	struct text line = TEXT_EMPTY;
	state_file_begin(content, service->setup.step_ms);
	if (service->has_clock) {
		struct sure_clock_mark mark = sure_clock_mark(&service->clock, service->moment);
		state_file_add_mark(content, &mark);
	}
	size_t count = state_file_add_learnt(content, service->learnt);
	for (struct series *series = next_saved(service, NULL, &line); series; series = next_saved(service, series, &line)) {
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
	int result = whole_file_replace(service->setup.state, &content);
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
