#include "fcgi/service_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "fcgi/counters.h"

enum {
	FREE_THREADS = 2,        /* never held by the store */
	STORE_PATIENCE_MS = 2000, /* how long requests wait for a store that does not answer */
};

int service_open(const struct config *config, unsigned threads, struct service **ret_service)
{
	const struct store_ops *ops = store_find(config->server.store);
	if (!ops) {
		log_error("server.store: '%s' is no engine", config->server.store);
		return -EINVAL;
	}
	struct service *service = calloc(1, sizeof(*service));
	if (!service)
		return -ENOMEM;
	service->ops = ops;
	service->started_ns = clock_monotonic_ns();
	pthread_mutex_init(&service->reports_lock, NULL);
	gate_init(&service->gate, threads > FREE_THREADS ? threads - FREE_THREADS : 1, STORE_PATIENCE_MS);
	service_reload(service, config);

	int result = ops->open(config, &service->store);
	if (result == 0) {
		service->writer = writer_open(ops, service->store);
		result = service->writer ? 0 : -ENOMEM;
	}
	if (result) {
		service_close(service);
		return result;
	}
	*ret_service = service;
	return 0;
}

void service_close(struct service *service)
{
	if (!service)
		return;
	writer_close(service->writer);
	service->ops->close(service->store);
	struct host_report *report, *next;
	HASH_ITER(hh, service->reports, report, next) {
		HASH_DEL(service->reports, report);
		free(report);
	}
	gate_destroy(&service->gate);
	pthread_mutex_destroy(&service->reports_lock);
	free(service);
}

void service_reload(struct service *service, const struct config *config)
{
	atomic_store(&service->interval_ms, config->server.interval_ms);
	atomic_store(&service->max_points, config->server.max_points);
}

int64_t service_max_window_ms(const struct service *service)
{
	return service->ops->retention(service->store);
}

bool service_enter_store(struct service *service, struct response *response)
{
	if (gate_enter(&service->gate) == 0)
		return true;
	counters_add(COUNTER_BUSY, 1);
	response_error(response, 503, NULL, "the store does not answer");
	return false;
}

bool service_leave_store(struct service *service, int result, int64_t start_ns, struct response *response)
{
	gate_leave(&service->gate);
	if (start_ns)
		counters_time(TIMER_READ, clock_monotonic_ns() - start_ns);
	if (result == -E2BIG) {
		response_error(response, 400, NULL,
		               "the answer would have over %lld points: ask for a shorter window, a longer step, "
		               "one ip or process, above= or limit=",
		               (long long)atomic_load(&service->max_points));
		return false;
	}
	if (result == -EDQUOT) {
		response_error(response, 503, NULL, "the server has as many series as server.max_series allows");
		return false;
	}
	atomic_store(start_ns ? &service->read_error : &service->write_error, result);
	if (result)
		response_error(response, 503, NULL, result == -ENOSPC ? "the store is full" : "the store failed");
	return result == 0;
}

bool service_alert_is_alive(struct service *service)
{
	int64_t reported_ns = atomic_load(&service->alarms_reported_ns);
	int64_t patience_ns = INTERVALS_FRESH * atomic_load(&service->interval_ms) * 1000000;
	return reported_ns && clock_monotonic_ns() - reported_ns <= patience_ns;
}

struct query service_query(const struct service *service, const struct parameters *parameters, enum metric metric,
                           int64_t now_ms, int64_t window_ms)
{
	return (struct query){
		.metric = metric,
		.from_ms = now_ms - window_ms,
		.to_ms = now_ms,
		.ip = parameters->given & PARAMETER_IP ? parameters->ip : NULL,
		.process = parameters->given & PARAMETER_PROCESS ? parameters->process : NULL,
		.by_host = parameters->by_host,
		.resource = parameters->resource,
		.step_ms = parameters->step_ms,
		.aggregate = parameters->aggregate,
		.max_points = (size_t)atomic_load(&service->max_points),
	};
}

bool service_wants(const struct parameters *parameters, enum resource resource)
{
	return !(parameters->given & PARAMETER_RESOURCE) || parameters->resource == resource;
}

bool service_read_latest(struct service *service, const struct parameters *parameters, enum metric metric,
                         int64_t now_ms, struct store_rows *ret_rows, struct response *response)
{
	struct query query =
		service_query(service, parameters, metric, now_ms, INTERVALS_FRESH * atomic_load(&service->interval_ms));
	/* A sample may be ahead of our clock by as much as save-all accepts. */
	query.to_ms += SERVICE_AHEAD_MS;
	if (!service_enter_store(service, response))
		return false;
	int64_t start_ns = clock_monotonic_ns();
	int result = service->ops->latest(service->store, &query, ret_rows);
	if (!service_leave_store(service, result, start_ns, response))
		return false;
	qsort(ret_rows->items, ret_rows->count, sizeof(*ret_rows->items), service_compare_keys);
	return true;
}

int service_compare_keys(const void *left, const void *right)
{
	const struct series_key *a = left, *b = right;
	int order = a->ip && b->ip ? strcmp(a->ip, b->ip) : 0;
	return order ? order : strcmp(a->process, b->process);
}
