/*
 * Each series' newest sample, for those who ask what is now.
 *
 * How old it may be is three intervals of its host, which its collector says with each PUT (`interval_s`); of a host that
 * does not say it, server.interval. The store is told an interval that is another (METRIC_INTERVAL), and asked once after
 * the start, before the hosts have reported again.
 */
#include "fcgi/service_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	ONE_BY_ONE = 16, /* slower hosts at most that are read each for itself, and not all hosts as far back as the slowest */
	TOLD_MS = 4 * COLLECTORS_TELL_MS, /* how far back the store is asked for intervals: further than the longest silence */
};

static int read_store(struct service *service, const struct query *query, struct store_rows *ret_rows,
                      struct response *response)
{
	int64_t start_ns = clock_monotonic_ns();
	int result = service->ops->latest(service->store, query, ret_rows);
	return service_check_read(service, result, start_ns, response) ? 0 : -EIO;
}

/* Asks the store once what intervals the hosts had. */
static int learn_intervals(struct service *service, int64_t now_ms, struct response *response)
{
	static const struct parameters none = { .given = 0 };
	if (atomic_load(&service->intervals_known))
		return 0;
	struct store_rows rows;
	struct query query = service_query(service, &none, METRIC_INTERVAL, now_ms, TOLD_MS);
	query.by_host = true;
	query.to_ms += SERVICE_AHEAD_MS;
	int result = read_store(service, &query, &rows, response);
	if (result)
		return result;
	for (size_t i = 0; i < rows.count; i++) {
		const struct store_row *row = &rows.items[i];
		if (row->present[RESOURCE_CPU] && row->value[RESOURCE_CPU] >= 1)
			collectors_learn_interval(service->collectors, row->key.ip, (int64_t)(row->value[RESOURCE_CPU] * 1000),
			                          row->time_ms[RESOURCE_CPU]);
	}
	store_rows_free(&rows);
	atomic_store(&service->intervals_known, true);
	return 0;
}

static size_t strings_size(const struct store_rows *rows)
{
	size_t size = 0;
	for (size_t i = 0; i < rows->count; i++)
		size += strlen(rows->items[i].key.ip) + strlen(rows->items[i].key.process) + 2;
	return size;
}

static const char *copy_string(char **at, const char *string)
{
	size_t size = strlen(string) + 1;
	char *copy = memcpy(*at, string, size);
	*at += size;
	return copy;
}

/* Puts the rows of one host, which are freed, in the place of those that `rows` has of it. 0, -ENOMEM or -ENOBUFS. */
static int replace_host(struct store_rows *rows, const char *ip, struct store_rows *of_host)
{
	size_t count = 0, most = rows->count + of_host->count;
	struct store_rows both = {
		.items = malloc((most + 1) * sizeof(*both.items)),
		.strings = malloc(strings_size(rows) + strings_size(of_host) + 1),
	};
	int result = both.items && both.strings ? budget_hold(&both.share, most * sizeof(*both.items)) : -ENOMEM;
	char *at = both.strings;
	for (size_t i = 0; result == 0 && i < most; i++) {
		const struct store_row *row = i < rows->count ? &rows->items[i] : &of_host->items[i - rows->count];
		if (i < rows->count && strcmp(row->key.ip, ip) == 0)
			continue;
		both.items[count] = *row;
		both.items[count].key.ip = copy_string(&at, row->key.ip);
		both.items[count++].key.process = copy_string(&at, row->key.process);
	}
	both.count = count;
	store_rows_free(of_host);
	store_rows_free(result ? &both : rows);
	if (result == 0)
		*rows = both;
	return result;
}

/* Reads each of the slower hosts as far back as its own interval wants. */
static int read_slower(struct service *service, struct query *query, int64_t now_ms, char ips[][WIRE_IP_SIZE],
                       size_t count, struct store_rows *rows, struct response *response)
{
	int result = 0;
	for (size_t i = 0; i < count && result == 0; i++) {
		struct store_rows of_host;
		query->ip = ips[i];
		query->from_ms = now_ms - INTERVALS_FRESH * collectors_find_interval(service->collectors, ips[i]);
		result = read_store(service, query, &of_host, response);
		if (result)
			break;
		result = replace_host(rows, ips[i], &of_host);
		if (result)
			service_answer_failure(result, response);
	}
	if (result)
		store_rows_free(rows);
	return result;
}

/* Takes out what is older than its host's interval allows. The rows are sorted. */
static void drop_stale(struct service *service, int64_t now_ms, struct store_rows *rows)
{
	int64_t usual_ms = atomic_load(&service->interval_ms), oldest_ms = 0;
	const char *ip = NULL;
	size_t count = 0;
	for (size_t i = 0; i < rows->count; i++) {
		struct store_row *row = &rows->items[i];
		if (!ip || strcmp(row->key.ip, ip) != 0) {
			ip = row->key.ip;
			int64_t interval_ms = collectors_find_interval(service->collectors, ip);
			oldest_ms = now_ms - INTERVALS_FRESH * (interval_ms ? interval_ms : usual_ms);
		}
		bool some = false;
		for (int j = 0; j < RESOURCE_COUNT; j++) {
			row->present[j] = row->present[j] && row->time_ms[j] > oldest_ms;
			some = some || row->present[j];
		}
		if (some)
			rows->items[count++] = *row;
	}
	rows->count = count;
}

static int read_usage(struct service *service, struct query *query, int64_t now_ms, struct store_rows *ret_rows,
                      struct response *response)
{
	int64_t usual_ms = atomic_load(&service->interval_ms), longest_ms;
	char slower[ONE_BY_ONE][WIRE_IP_SIZE];
	int result = learn_intervals(service, now_ms, response);
	if (result)
		return result;
	size_t count = collectors_list_slower(service->collectors, usual_ms, slower, ONE_BY_ONE, &longest_ms);
	if (query->ip) {
		int64_t interval_ms = collectors_find_interval(service->collectors, query->ip);
		longest_ms = interval_ms > usual_ms ? interval_ms : usual_ms;
	}
	bool one_by_one = !query->ip && count <= ONE_BY_ONE;
	query->from_ms = now_ms - INTERVALS_FRESH * (one_by_one ? usual_ms : longest_ms);
	result = read_store(service, query, ret_rows, response);
	return result || !one_by_one ? result :
	                               read_slower(service, query, now_ms, slower, count, ret_rows, response);
}

bool service_read_latest(struct service *service, const struct parameters *parameters, enum metric metric,
                         int64_t now_ms, struct store_rows *ret_rows, struct response *response)
{
	int64_t interval_ms = atomic_load(sample_is_forecast(metric) ? &service->refresh_ms : &service->interval_ms);
	struct query query = service_query(service, parameters, metric, now_ms, INTERVALS_FRESH * interval_ms);
	/* A sample may be ahead of our clock by as much as save-all accepts. */
	query.to_ms += SERVICE_AHEAD_MS;
	if (metric == METRIC_USAGE ? read_usage(service, &query, now_ms, ret_rows, response) != 0 :
	                             read_store(service, &query, ret_rows, response) != 0)
		return false;
	qsort(ret_rows->items, ret_rows->count, sizeof(*ret_rows->items), store_compare_keys);
	if (metric == METRIC_USAGE)
		drop_stale(service, now_ms, ret_rows);
	return true;
}
