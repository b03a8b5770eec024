/* What the service does at each refresh. */
#include "forecast/service_internal.h"

#include <errno.h>
#include <math.h>
#include <time.h>

#include "common/log.h"

enum {
	SAVE_MS = 600000, /* between two writes of the state: 52 MB for 20,000 series */
	PARTS_TOLD = 6,   /* the strongest: 150 bytes each */
};

#define WHY_FROM 0.1 /* the probability from which on what moved it is told */

struct looking {
	struct service *service;
	struct series *found;
};

static double above(void *user, const char *ip, const char *process, enum resource resource)
{
	struct looking *looking = user;
	struct service *service = looking->service;
	looking->found = series_table_find(&service->table, ip, process, resource);
	return looking->found ? -INFINITY : setup_above(&service->setup, ip, process, resource);
}

static int read_buckets(void *user, const struct history_series *buckets)
{
	struct looking *looking = user;
	struct service *service = looking->service;
	struct series *series = looking->found;
	if (!series)
		series = service_add_series(service, buckets->ip, buckets->process, buckets->resource);
	if (!series)
		return -ENOMEM;
	int64_t newest = buckets->first + (int64_t)buckets->count - 1; /* the present one */
	for (size_t i = 0; i < buckets->count; i++) {
		struct step values = buckets->steps[i];
		int64_t bucket = buckets->first + (int64_t)i, end_ms = (bucket + 1) * service->setup.refresh_ms;
		if (isnan(values.max))
			continue;
		recent_set(series->recent, bucket, values);
		if (end_ms > series->seen_ms)
			series->seen_ms = end_ms;
		if ((double)values.max > series->above && newest - bucket < series->quiet)
			series->quiet = newest - bucket;
	}
	return 0;
}

/* From the bucket before the last refresh's on: some of its samples may have been late. At
 * the start and after a gap a whole step back, so that the one that goes on is known. */
static int64_t first_bucket(const struct service *service, int64_t bucket)
{
	int64_t per_step = service->table.per_step, back = per_step;
	if (service->last_bucket != INT64_MIN)
		back = bucket - service->last_bucket + 1;
	return bucket - (back < 1 || back > per_step + 1 ? per_step : back);
}

int service_look(struct service *service, const char *ip, const char *process, int64_t boundary_ms, int64_t now_ms,
                 struct text *ret_error)
{
	struct looking looking = { .service = service };
	const struct history_reader reader = { .user = &looking, .above = above, .read = read_buckets };
	int64_t refresh_ms = service->setup.refresh_ms, bucket = boundary_ms / refresh_ms;
	struct history_query query = {
		.ip = ip, .process = process, .step_ms = refresh_ms, .first = first_bucket(service, bucket), .above = -1,
	};
	query.count = (size_t)(bucket - query.first + 1);
	int result = 0;
	for (int i = 0; i < RESOURCE_LIMITED && !result; i++) {
		query.resource = (enum resource)i;
		result = uplink_history(service->setup.uplink, &query, now_ms, &reader, ret_error);
	}
	return result;
}

/* The time since the last refresh is longer than what is kept of it: back to the histories. */
static void leave_gap(struct service *service, int64_t complete)
{
	log_info("reading the histories again: no values for %lld steps", (long long)(complete - service->complete));
	service->complete = complete;
	service->hosts_wanted = true;
	for (struct series *series = series_table_next(&service->table, NULL); series;
	     series = series_table_next(&service->table, series))
		series->behind = true;
}

/* Adds the steps that have come to their end, of what is not there as gaps. */
static void complete_steps(struct service *service, int64_t bucket)
{
	unsigned per_step = service->table.per_step;
	int64_t complete = bucket / per_step;
	bool gap = service->last_bucket == INT64_MIN ? complete > service->complete + 1
	                                             : bucket - service->last_bucket > per_step;
	if (gap && complete > service->complete) {
		leave_gap(service, complete);
		return;
	}
	for (; service->complete < complete; service->complete++) {
		for (struct series *series = series_table_next(&service->table, NULL); series;
		     series = series_table_next(&service->table, series)) {
			if (!series->behind)
				forecaster_add(series->forecaster, service->complete,
				               recent_combine(series->recent, service->complete * per_step, per_step));
		}
		service->dirty = true;
	}
}

/* Drops what has not been over `above` for the length of the history, gone or not. That is counted in refreshes: a
 * clock that was set ends nothing. */
static void forget(struct service *service)
{
	int64_t longest = service->setup.history_ms / service->setup.refresh_ms;
	for (struct series *series = series_table_next(&service->table, NULL), *next; series; series = next) {
		next = series_table_next(&service->table, series);
		if (series->quiet > longest) {
			series_table_drop(&service->table, series);
			service->dirty = true;
		} else {
			series->quiet++;
		}
	}
	/* What nobody asks for, though all histories have been read, is of series that are gone. */
	if (!service->hosts_wanted && service->next_host == service->hosts.count && learnt_age(&service->learnt, longest))
		service->dirty = true;
}

struct step service_present(const struct service *service, const struct series *series, int64_t boundary_ms)
{
	unsigned per_step = service->table.per_step;
	int64_t bucket = boundary_ms / service->setup.refresh_ms;
	struct step present = recent_combine(series->recent, bucket - per_step, per_step);
	/* The bucket that has just begun weighs as much as a whole one only in the maximum. */
	present.max = fmaxf(present.max, recent_combine(series->recent, bucket, 1).max);
	return present;
}

double service_phase(const struct service *service, int64_t boundary_ms)
{
	int64_t step_ms = service->setup.step_ms;
	double phase = (double)(boundary_ms - service->complete * step_ms) / (double)step_ms;
	return fmin(fmax(phase, 0), 1);
}

/* A time so many steps after now; -1: they are not known. */
static int64_t after(int64_t now_ms, double steps, int64_t step_ms)
{
	return isnan(steps) ? -1 : now_ms + llrint(steps * (double)step_ms);
}

/* 0, also where there is nothing to predict, or an error of uplink_forecasts_add(). */
static int predict(struct service *service, const struct series *series, int64_t boundary_ms, int64_t now_ms,
                   struct text *ret_error)
{
	int64_t step_ms = service->setup.step_ms;
	struct prediction prediction;
	struct forecaster_part parts[FORECASTER_PARTS];
	if (series->behind || series->seen_ms <= boundary_ms - step_ms)
		return 0;
	struct step present = service_present(service, series, boundary_ms);
	double phase = service_phase(service, boundary_ms);
	if (!forecaster_predict(series->forecaster, present, phase, &prediction))
		return 0;
	const struct limits *limits = rules_find(service->setup.rules, series_ip(series), series->process, series->resource);
	struct forecast forecast = {
		.ip = series_ip(series), .process = series->process, .resource = series->resource,
		.probability = prediction.probability, .value = prediction.forecast,
		.expected_ms = after(now_ms, prediction.lead_steps, step_ms),
		.full_ms = after(now_ms, prediction.full_steps, step_ms),
		.limit = limits->threshold, .horizon_ms = setup_horizon(&service->setup, limits) * step_ms,
		.explained = prediction.probability >= WHY_FROM || !isnan(prediction.full_steps),
		.climb = prediction.climb, .parts = parts,
	};
	int count = forecast.explained ? forecaster_parts(series->forecaster, present, phase, parts) : 0;
	forecast.part_count = count < 0 ? 0 : count > PARTS_TOLD ? PARTS_TOLD : (size_t)count;
	service->counts.last_forecasts++;
	return uplink_forecasts_add(service->setup.uplink, &forecast, ret_error);
}

static void report(struct service *service, int64_t boundary_ms, int64_t now_ms)
{
	struct text error = TEXT_EMPTY;
	int result = 0;
	service->counts.last_forecasts = 0;
	uplink_forecasts_begin(service->setup.uplink);
	for (struct series *series = series_table_next(&service->table, NULL); series && !result;
	     series = series_table_next(&service->table, series))
		result = predict(service, series, boundary_ms, now_ms, &error);
	if (!result)
		result = uplink_forecasts_end(service->setup.uplink, &error);
	trouble_watch(&service->reporting, result, error.data);
	service->counts.forecasts += service->counts.last_forecasts;
	text_free(&error);
}

/* Whether the server has it stopped, and says so when that changes. */
static bool is_stopped(struct service *service)
{
	bool stopped = uplink_is_stopped(service->setup.uplink);
	if (stopped != service->stopped)
		log_info(stopped ? "stopped by the server: nothing is forecast until it says otherwise" : "started by the server");
	service->stopped = stopped;
	return stopped;
}

/* A refresh of a service that is stopped: a sign of life, whose answer says whether it still is to be. */
static void rest(struct service *service)
{
	struct text error = TEXT_EMPTY;
	uplink_forecasts_begin(service->setup.uplink);
	int result = uplink_forecasts_end(service->setup.uplink, &error);
	trouble_watch(&service->reporting, result, error.data);
	service->counts.last_forecasts = 0;
	text_free(&error);
	(void)is_stopped(service);
}

static double cpu_us(void)
{
	struct timespec time;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

void service_refresh(struct service *service, int64_t boundary_ms, int64_t now_ms)
{
	struct text error = TEXT_EMPTY;
	double begun_us = cpu_us();
	if (is_stopped(service)) {
		rest(service);
		return;
	}
	service->reads_left = SERVICE_READS_MAX;
	service->paused = false;
	int result = service_look(service, NULL, NULL, boundary_ms, now_ms, &error);
	trouble_watch(&service->asking, result, error.data);
	text_free(&error);
	if (result)
		return; /* no forecast is better than one of old values */
	if (is_stopped(service)) {
		rest(service);
		return;
	}

	int64_t bucket = boundary_ms / service->setup.refresh_ms;
	complete_steps(service, bucket);
	service->last_bucket = bucket;
	forget(service);
	report(service, boundary_ms, now_ms);
	size_t count = series_table_count(&service->table);
	service->counts.refreshes++;
	service->counts.us_per_series = count ? (cpu_us() - begun_us) / (double)count : 0;
	if (now_ms < service->saved_ms || now_ms >= service->saved_ms + SAVE_MS) {
		service_save(service);
		service->saved_ms = now_ms;
	}
	log_debug("%zu series, %zu forecasts", count, service->counts.last_forecasts);
}
