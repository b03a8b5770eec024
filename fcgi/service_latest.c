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
	struct query query = service_query(service, &none, METRIC_INTERVAL, now_ms - TOLD_MS, now_ms + SERVICE_AHEAD_MS);
	query.by_host = true;
	int result = read_store(service, &query, &rows, response);
	if (result)
		return result;
	for (size_t i = 0; i < rows.count; i++) {
		const struct store_row *row = &rows.items[i];
		if (row->present[HALF_SECOND] && row->value[HALF_SECOND] >= 1)
			collectors_learn_interval(service->collectors, row->key.ip, (int64_t)(row->value[HALF_SECOND] * 1000),
			                          row->time_ms[HALF_SECOND]);
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

/* Appends a row, its strings to where `at` is; there is room for both. */
static void copy_row(struct store_rows *rows, const struct store_row *row, char **at)
{
	struct store_row *copy = &rows->items[rows->count++];
	*copy = *row;
	copy->key.ip = copy_string(at, row->key.ip);
	copy->key.process = copy_string(at, row->key.process);
}

/* Whether a row is of one of the hosts, of which `last` is the one that a row was found to be of last. */
static bool is_of(const struct store_row *row, char ips[][WIRE_IP_SIZE], size_t count, size_t *last)
{
	if (strcmp(row->key.ip, ips[*last]) == 0)
		return true;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(row->key.ip, ips[i]) == 0) {
			*last = i;
			return true;
		}
	}
	return false;
}

/* Puts the rows of hosts, of_host[count], in the place of those that `rows` has of them. 0, -ENOMEM or -ENOBUFS. */
static int replace_hosts(struct store_rows *rows, char ips[][WIRE_IP_SIZE], const struct store_rows of_host[], size_t count)
{
	size_t most = rows->count, size = strings_size(rows), last = 0;
	for (size_t i = 0; i < count; i++) {
		most += of_host[i].count;
		size += strings_size(&of_host[i]);
	}
	struct store_rows all = { .items = malloc((most + 1) * sizeof(*all.items)), .strings = malloc(size + 1) };
	int result = all.items && all.strings ? budget_hold(&all.share, most * sizeof(*all.items)) : -ENOMEM;
	if (result) {
		store_rows_free(&all);
		return result;
	}
	char *at = all.strings;
	for (size_t i = 0; i < rows->count; i++) {
		if (!is_of(&rows->items[i], ips, count, &last))
			copy_row(&all, &rows->items[i], &at);
	}
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < of_host[i].count; j++)
			copy_row(&all, &of_host[i].items[j], &at);
	}
	store_rows_free(rows);
	*rows = all;
	return 0;
}

/* Reads each of the slower hosts as far back as its own interval wants. On failure `rows` is freed. */
static int read_slower(struct service *service, struct query *query, int64_t now_ms, char ips[][WIRE_IP_SIZE],
                       size_t count, struct store_rows *rows, struct response *response)
{
	struct store_rows of_host[ONE_BY_ONE];
	size_t have = 0;
	int result = 0;
	for (; have < count && result == 0; have += result == 0) {
		query->ip = ips[have];
		query->from_ms = now_ms - INTERVALS_FRESH * collectors_find_interval(service->collectors, ips[have]);
		result = read_store(service, query, &of_host[have], response);
	}
	if (result == 0 && count) {
		result = replace_hosts(rows, ips, of_host, count);
		if (result)
			service_answer_failure(result, response);
	}
	while (have > 0)
		store_rows_free(&of_host[--have]);
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
		for (int j = 0; j < HALF_COUNT; j++) {
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
	int64_t usual_ms = atomic_load(&service->interval_ms), longest_ms = usual_ms;
	char slower[ONE_BY_ONE][WIRE_IP_SIZE];
	size_t count = 0;
	int result = learn_intervals(service, now_ms, response);
	if (result)
		return result;
	if (query->ip) {
		int64_t interval_ms = collectors_find_interval(service->collectors, query->ip);
		longest_ms = interval_ms > usual_ms ? interval_ms : usual_ms;
	} else {
		count = collectors_list_slower(service->collectors, usual_ms, slower, ONE_BY_ONE, &longest_ms);
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
	struct query query = service_query(service, parameters, metric, now_ms - INTERVALS_FRESH * interval_ms, now_ms);
	/* A sample may be ahead of our clock by as much as save-all accepts. */
	query.to_ms += SERVICE_AHEAD_MS;
	if (sample_is_usage(metric) ? read_usage(service, &query, now_ms, ret_rows, response) != 0 :
	                             read_store(service, &query, ret_rows, response) != 0)
		return false;
	qsort(ret_rows->items, ret_rows->count, sizeof(*ret_rows->items), store_compare_keys);
	if (sample_is_usage(metric))
		drop_stale(service, now_ms, ret_rows);
	return true;
}
