/* How the series of a service come by their histories. */
#include "forecast/service_internal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

struct catching_up {
	struct service *service;
	int64_t now_ms;
	struct series *found;
};

/* Only series that are behind or not known have a use for it. */
static double above(void *user, const char *ip, const char *process, enum resource resource)
{
	struct catching_up *catching_up = user;
	struct service *service = catching_up->service;
	catching_up->found = series_table_find(&service->table, ip, process, resource);
	if (catching_up->found)
		return catching_up->found->behind ? -INFINITY : INFINITY;
	return setup_above(&service->setup, ip, process, resource);
}

/* A forecaster with what it had learnt before. 0 or -ENOMEM. */
static int open_forecaster(struct service *service, struct series *series)
{
	if (series->forecaster)
		return 0;
	const char *ip = series_ip(series);
	const struct limits *limits = rules_find(service->setup.rules, ip, series->process, series->resource);
	series->forecaster = forecaster_open(service->prior ? service->prior : prior_builtin(),
	                                     setup_horizon(&service->setup, limits), limits->threshold);
	if (!series->forecaster || forecaster_set_step(series->forecaster, service->setup.step_ms / 1000) != 0) {
		forecaster_close(series->forecaster);
		series->forecaster = NULL;
		return -ENOMEM;
	}
	forecaster_set_long_horizon(series->forecaster, setup_long_horizon(&service->setup));
	char *line = learnt_take(&service->learnt, ip, series->process, series->resource);
	if (line && !forecaster_restore(series->forecaster, line))
		log_debug("what was learnt of %s on %s is of another model", series->process, ip);
	free(line);
	service->dirty = true;
	return 0;
}

/* The step that goes on: its buckets that were never seen are as the step is so far. */
static void fill_recent(const struct catching_up *catching_up, struct series *series, struct step step)
{
	const struct service *service = catching_up->service;
	int64_t per_step = service->table.per_step, first = service->complete * per_step;
	int64_t now = catching_up->now_ms / service->setup.refresh_ms;
	for (int64_t bucket = first; bucket < first + per_step && bucket <= now; bucket++)
		recent_set_default(series->recent, bucket, step);
}

static void take_history(const struct catching_up *catching_up, struct series *series,
                         const struct history_series *history)
{
	const struct service *service = catching_up->service;
	int64_t step_ms = service->setup.step_ms;
	bool begun = forecaster_newest(series->forecaster) != INT64_MIN;
	for (size_t i = 0; i < history->count; i++) {
		int64_t index = history->first + (int64_t)i;
		struct step step = history->steps[i];
		begun = begun || !isnan(step.max);
		if (begun && index < service->complete)
			forecaster_add(series->forecaster, index, step);
		if (isnan(step.max))
			continue;
		int64_t end_ms = (index + 1) * step_ms;
		if (end_ms > catching_up->now_ms)
			end_ms = catching_up->now_ms;
		if (end_ms > series->seen_ms)
			series->seen_ms = end_ms;
		/* As the next refresh will count. */
		int64_t refresh_ms = service->setup.refresh_ms;
		int64_t quiet = catching_up->now_ms / refresh_ms - end_ms / refresh_ms + 2;
		if ((double)step.max > series->above && quiet < series->quiet)
			series->quiet = quiet;
		if (index == service->complete)
			fill_recent(catching_up, series, step);
	}
}

static int read_series(void *user, const struct history_series *history)
{
	struct catching_up *catching_up = user;
	struct service *service = catching_up->service;
	struct series *series = catching_up->found;
	if (!series)
		series = service_add_series(catching_up->service, history->ip, history->process, history->resource);
	int result = series ? open_forecaster(service, series) : -ENOMEM;
	if (result)
		return result;
	take_history(catching_up, series, history);
	series->behind = false;
	return 0;
}

/* What the server has no history of is as far as the others. */
static int end_catching_up(struct service *service, const char *ip, struct series *only)
{
	for (struct series *series = series_table_next(&service->table, NULL); series;
	     series = series_table_next(&service->table, series)) {
		if (!series->behind || (only && series != only) || strcmp(series_ip(series), ip) != 0)
			continue;
		int result = open_forecaster(service, series);
		if (result)
			return result;
		series->behind = false;
	}
	return 0;
}

int service_catch_up(struct service *service, const char *ip, struct series *series, int64_t now_ms,
                     struct text *ret_error)
{
	struct catching_up catching_up = { .service = service, .now_ms = now_ms };
	const struct history_reader reader = { .user = &catching_up, .above = above, .read = read_series };
	int result = histories_read(&service->histories, ip, series ? series->process : NULL,
	                            series ? series->resource : RESOURCE_COUNT, service->complete, now_ms, &reader,
	                            ret_error);
	/* What is refused always will be: it does without, and holds nobody up. */
	int ended = !result || histories_refused(&service->histories, result) ? end_catching_up(service, ip, series) : 0;
	return result ? result : ended;
}

static struct series *next_behind(const struct service *service)
{
	struct series *series = series_table_next(&service->table, NULL);
	while (series && !series->behind)
		series = series_table_next(&service->table, series);
	return series;
}

static int read_hosts(struct service *service, struct text *ret_error)
{
	uplink_hosts_free(&service->hosts);
	service->next_host = 0;
	int result = uplink_hosts(service->setup.uplink, &service->hosts, ret_error);
	if (!result)
		service->hosts_wanted = false;
	return result;
}

static int read_next_host(struct service *service, int64_t now_ms, struct text *ret_error)
{
	int result = service_catch_up(service, service->hosts.ips[service->next_host], NULL, now_ms, ret_error);
	if (result && !histories_refused(&service->histories, result))
		return result;
	if (++service->next_host < service->hosts.count)
		return result;
	log_info("%zu series of %zu hosts have their history", series_table_count(&service->table), service->hosts.count);
	uplink_hosts_free(&service->hosts);
	service->next_host = 0;
	return result;
}

static int read_next_series(struct service *service, int64_t now_ms, struct text *ret_error)
{
	struct series *series = next_behind(service);
	if (!series || !service->reads_left)
		return 0;
	service->reads_left--;
	return service_catch_up(service, series_ip(series), series, now_ms, ret_error);
}

bool service_reads(const struct service *service)
{
	if (service->paused || service->clock.doubting || uplink_is_stopped(service->setup.uplink))
		return false;
	return service->hosts_wanted || service->next_host < service->hosts.count ||
	       (service->reads_left && next_behind(service));
}

void service_read_next(struct service *service, int64_t now_ms)
{
	struct text error = TEXT_EMPTY;
	int result = 0;
	if (service->hosts_wanted)
		result = read_hosts(service, &error);
	else if (service->next_host < service->hosts.count)
		result = read_next_host(service, now_ms, &error);
	else
		result = read_next_series(service, now_ms, &error);
	trouble_watch(&service->reading, result, error.data);
	service->paused = result != 0;
	text_free(&error);
}
