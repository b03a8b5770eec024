/* GET get-all, get-all/<ip>, get-all-detailed and latest. */
#include "fcgi/service_internal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"

/* The highest of a row's values that the parameters ask for; -1 when it has none. */
static double highest(const struct parameters *parameters, const struct store_row *row, const double values[])
{
	double best = -1;
	for (int i = 0; i < HALF_COUNT; i++) {
		if (row->present[i] && service_wants(parameters, sample_resource(service_usage(parameters), (enum half)i)))
			best = fmax(best, values[i]);
	}
	return best;
}

/* A row with what it is ranked by. */
struct ranked {
	double mean;
	struct store_row row;
};

static int compare_ranked(const void *left, const void *right)
{
	const struct ranked *a = left, *b = right;
	if (a->mean != b->mean)
		return a->mean > b->mean ? -1 : 1;
	return store_compare_keys(&a->row.key, &b->row.key);
}

/* Keeps the rows that have what is asked for and pass above= and limit=, sorted by
 * host and process. 0 or -ENOMEM. */
static int select_rows(const struct parameters *parameters, struct store_rows *rows)
{
	size_t count = 0;
	for (size_t i = 0; i < rows->count; i++) {
		struct store_row *row = &rows->items[i];
		double maximum = highest(parameters, row, row->maximum);
		if (maximum >= 0 && (!(parameters->given & PARAMETER_ABOVE) || maximum > parameters->above))
			rows->items[count++] = *row;
	}
	rows->count = count;

	if ((parameters->given & PARAMETER_LIMIT) && count > parameters->limit) {
		struct ranked *ranked = malloc(count * sizeof(*ranked));
		if (!ranked)
			return -ENOMEM;
		for (size_t i = 0; i < count; i++)
			ranked[i] = (struct ranked){ highest(parameters, &rows->items[i], rows->items[i].value), rows->items[i] };
		qsort(ranked, count, sizeof(*ranked), compare_ranked);
		for (size_t i = 0; i < parameters->limit; i++)
			rows->items[i] = ranked[i].row;
		rows->count = parameters->limit;
		free(ranked);
	}
	qsort(rows->items, rows->count, sizeof(*rows->items), store_compare_keys);
	return 0;
}

/* A mean to a millionth of a percent: beyond it there is only the rounding of sums. */
static double tidy(double mean)
{
	return round(mean * 1e6) / 1e6;
}

static bool read_means(struct service *service, const struct parameters *parameters, const struct query *query,
                       struct store_rows *ret_rows, struct response *response)
{
	int64_t start_ns = clock_monotonic_ns();
	int result = service->ops->mean(service->store, query, ret_rows);
	if (result == 0) {
		result = select_rows(parameters, ret_rows);
		if (result)
			store_rows_free(ret_rows);
	}
	return service_check_read(service, result, start_ns, response);
}

/* An array by the resources' numbers, as far as those that all have or that one which is asked for. */
static void append_means(struct text *body, const struct parameters *parameters, const struct store_row *row)
{
	int last = RESOURCE_LIMITED - 1;
	if ((parameters->given & PARAMETER_RESOURCE) && (int)parameters->resource > last)
		last = (int)parameters->resource;
	for (int j = 0; j <= last; j++) {
		enum resource resource = (enum resource)j;
		text_append_string(body, j == 0 ? "[" : ", ");
		if (service_wants(parameters, resource) && row->present[sample_half(resource)])
			json_append_number(body, row->value[sample_half(resource)]);
		else
			text_append_string(body, "null");
	}
	text_append_char(body, ']');
}

void service_get_all(struct service *service, const struct parameters *parameters, struct request *request,
                     struct response *response)
{
	(void)request;
	struct query query = service_query(service, parameters, service_usage(parameters), parameters->from_ms, parameters->to_ms);
	struct store_rows rows;
	if (!read_means(service, parameters, &query, &rows, response))
		return;

	struct csv csv;
	const struct series_key *before = NULL;
	bool in_rows = service_begin_answer(parameters, '{', SERVICE_COLUMNS, &csv, response);
	for (size_t i = 0; i < rows.count && service_has_room(response); i++) {
		struct store_row *row = &rows.items[i];
		for (int j = 0; j < HALF_COUNT; j++) {
			row->value[j] = tidy(row->value[j]);
			row->time_ms[j] = query.to_ms;
		}
		if (in_rows) {
			service_append_rows(&csv, parameters, row);
			continue;
		}
		service_begin_series(&response->body, &row->key, before);
		append_means(&response->body, parameters, row);
		before = &row->key;
	}
	if (response->status == 200 && !in_rows)
		service_end_series(&response->body, before);
	store_rows_free(&rows);
}

/* With above= or limit=: the means say which series are wanted, before any of their
 * values are read. Sets query->only; the keys live as long as *ret_rows. */
static bool choose_series(struct service *service, const struct parameters *parameters, struct query *query,
                          struct store_rows *ret_rows, struct series_key **ret_keys, struct response *response)
{
	struct parameters one_resource = *parameters;
	one_resource.given |= PARAMETER_RESOURCE;
	for (int i = 0; i < HALF_COUNT; i++)
		query->unwanted[i] = i != (int)query->half;
	if (!read_means(service, &one_resource, query, ret_rows, response))
		return false;
	struct series_key *keys = malloc((ret_rows->count + 1) * sizeof(*keys));
	if (!keys) {
		store_rows_free(ret_rows);
		response_error(response, 503, NULL, "out of memory");
		return false;
	}
	for (size_t i = 0; i < ret_rows->count; i++)
		keys[i] = ret_rows->items[i].key;
	query->only = keys;
	query->only_count = ret_rows->count;
	*ret_keys = keys;
	return true;
}

static void append_points(struct response *response, const struct store_series *series, bool timestamps, bool means)
{
	struct text *body = &response->body;
	text_append_char(body, '[');
	for (size_t i = 0; i < series->count; i++) {
		if (!service_has_room(response))
			return;
		if (i)
			text_append_string(body, ", ");
		if (timestamps) {
			text_append_char(body, '[');
			json_append_seconds(body, series->points[i].time_ms);
			text_append_string(body, ", ");
		}
		json_append_number(body, means ? tidy(series->points[i].value) : series->points[i].value);
		if (timestamps)
			text_append_char(body, ']');
	}
	text_append_char(body, ']');
}

static void append_point_rows(struct csv *csv, const struct parameters *parameters, const struct store_series *series,
                              bool means, struct response *response)
{
	for (size_t i = 0; i < series->count && service_has_room(response); i++) {
		const struct store_point *point = &series->points[i];
		service_begin_row(csv, point->time_ms, parameters, &series->key, parameters->resource);
		csv_append_number(csv, true, means ? tidy(point->value) : point->value);
		csv_end_row(csv);
	}
}

void service_get_all_detailed(struct service *service, const struct parameters *parameters, struct request *request,
                              struct response *response)
{
	(void)request;
	struct query query = service_query(service, parameters, service_usage(parameters), parameters->from_ms, parameters->to_ms);
	struct store_rows chosen = { 0 };
	struct series_key *keys = NULL;
	if ((parameters->given & (PARAMETER_ABOVE | PARAMETER_LIMIT)) &&
	    !choose_series(service, parameters, &query, &chosen, &keys, response))
		return;

	struct store_history history;
	int64_t start_ns = clock_monotonic_ns();
	int result = service->ops->history(service->store, &query, &history);
	free(keys);
	store_rows_free(&chosen);
	if (!service_check_read(service, result, start_ns, response))
		return;

	struct csv csv;
	const struct series_key *before = NULL;
	bool means = parameters->step_ms && parameters->aggregate == AGGREGATE_MEAN;
	qsort(history.items, history.count, sizeof(*history.items), store_compare_keys);
	bool in_rows = service_begin_answer(parameters, '{', SERVICE_COLUMNS, &csv, response);
	for (size_t i = 0; i < history.count && response->status == 200; i++) {
		if (in_rows) {
			append_point_rows(&csv, parameters, &history.items[i], means, response);
			continue;
		}
		service_begin_series(&response->body, &history.items[i].key, before);
		append_points(response, &history.items[i], parameters->timestamps, means);
		before = &history.items[i].key;
	}
	if (response->status == 200 && !in_rows)
		service_end_series(&response->body, before);
	store_history_free(&history);
}

/* The hosts whose collectors are stopped, and say so, as far as they are asked for: they have no sample, and are not
 * silent. */
static int list_stopped(struct service *service, const struct parameters *parameters, int64_t now_ms,
                        struct collectors_sight **ret_stopped, size_t *ret_count)
{
	struct collectors_sight *stopped;
	size_t count, used = 0;
	int result = collectors_list(service->collectors, now_ms - service_max_window_ms(service), true, &stopped, &count);
	if (result)
		return result;
	for (size_t i = 0; i < count; i++) {
		bool wanted = !(parameters->given & PARAMETER_IP) || strcmp(stopped[i].ip, parameters->ip) == 0;
		if (wanted && now_ms - stopped[i].received_ms < service_patience_ms(service, stopped[i].interval_ms))
			stopped[used++] = stopped[i];
	}
	*ret_stopped = stopped;
	*ret_count = used;
	return 0;
}

/* Puts hosts that are stopped, stopped[*at] and those behind it, where they belong before the host `ip` (NULL: the end). */
static void append_stopped(struct text *body, const struct collectors_sight stopped[], size_t count, const char *ip,
                           size_t *at, struct series_key *before)
{
	for (; *at < count; ++*at) {
		int order = ip ? strcmp(stopped[*at].ip, ip) : -1;
		if (order > 0)
			return;
		if (order == 0 || (before->ip && strcmp(before->ip, stopped[*at].ip) == 0))
			continue; /* it has samples still */
		service_begin_host(body, stopped[*at].ip, before->ip ? before : NULL);
		*before = (struct series_key){ .ip = stopped[*at].ip, .process = "" };
	}
}

void service_latest(struct service *service, const struct parameters *parameters, struct request *request,
                    struct response *response)
{
	(void)request;
	struct store_rows rows;
	struct collectors_sight *stopped;
	size_t stopped_count, stopped_at = 0;
	int64_t now_ms = clock_wall_ms();
	if (!service_read_latest(service, parameters, service_usage(parameters), now_ms, &rows, response))
		return;
	if (list_stopped(service, parameters, now_ms, &stopped, &stopped_count)) {
		store_rows_free(&rows);
		response_no_memory(response, -ENOMEM);
		return;
	}

	struct text *body = &response->body;
	struct csv csv;
	struct series_key before = { .ip = NULL };
	bool in_rows = service_begin_answer(parameters, '{', SERVICE_COLUMNS, &csv, response);
	for (size_t i = 0; i < rows.count && service_has_room(response); i++) {
		const struct store_row *row = &rows.items[i];
		bool first = true;
		if (in_rows) {
			service_append_rows(&csv, parameters, row);
			continue;
		}
		append_stopped(body, stopped, stopped_count, row->key.ip, &stopped_at, &before);
		for (int j = 0; j < HALF_COUNT; j++) {
			enum resource resource = sample_resource(service_usage(parameters), (enum half)j);
			if (!row->present[j] || !service_wants(parameters, resource))
				continue;
			if (first) {
				service_begin_series(body, &row->key, before.ip ? &before : NULL);
				before = row->key;
			}
			/* Thousands of them: printf would take a third of the answer's time. */
			text_append_string(body, first ? "{\"" : ", \"");
			text_append_string(body, wire_resource_name(resource));
			text_append_string(body, "\": [");
			json_append_seconds(body, row->time_ms[j]);
			text_append_string(body, ", ");
			json_append_number(body, row->value[j]);
			text_append_char(body, ']');
			first = false;
		}
		if (!first)
			text_append_char(body, '}');
	}
	if (!in_rows)
		append_stopped(body, stopped, stopped_count, NULL, &stopped_at, &before);
	if (response->status == 200 && !in_rows)
		service_end_series(body, before.ip ? &before : NULL);
	free(stopped);
	store_rows_free(&rows);
}
