/* GET forecasts: what the forecast service has reported. */
#include "fcgi/service_internal.h"

#include "common/clock.h"
#include "common/json.h"

/* The metrics that make up a forecast, as columns of rows that are looked up by key. */
enum column { COLUMN_PROBABILITY, COLUMN_FORECAST, COLUMN_LEAD, COLUMN_FULL, COLUMN_COUNT };

static const enum metric column_metrics[COLUMN_COUNT] = {
	[COLUMN_PROBABILITY] = METRIC_FORECAST_PROBABILITY,
	[COLUMN_FORECAST] = METRIC_FORECAST,
	[COLUMN_LEAD] = METRIC_FORECAST_LEAD,
	[COLUMN_FULL] = METRIC_FORECAST_FULL,
};

static void free_columns(struct store_rows columns[static COLUMN_COUNT])
{
	for (int i = 0; i < COLUMN_COUNT; i++) {
		store_rows_free(&columns[i]);
		columns[i] = (struct store_rows){ 0 };
	}
}

/* False: the response says what went wrong, and nothing is to be freed. */
static bool read_columns(struct service *service, const struct parameters *parameters,
                         struct store_rows ret_columns[static COLUMN_COUNT], struct response *response)
{
	int64_t now_ms = clock_wall_ms();
	for (int i = 0; i < COLUMN_COUNT; i++) {
		if (!service_read_latest(service, parameters, column_metrics[i], now_ms, &ret_columns[i], response)) {
			free_columns(ret_columns);
			return false;
		}
	}
	return true;
}

/* Forecasts that are saved between the reads of two columns would be half old, half
 * new: they are read once more. (The next ones come a refresh later.) */
static bool read_forecasts(struct service *service, const struct parameters *parameters,
                           struct store_rows ret_columns[static COLUMN_COUNT], struct response *response)
{
	int64_t before_ns = atomic_load(&service->forecast.monotonic_ns);
	if (!read_columns(service, parameters, ret_columns, response))
		return false;
	if (atomic_load(&service->forecast.monotonic_ns) == before_ns)
		return true;
	free_columns(ret_columns);
	return read_columns(service, parameters, ret_columns, response);
}

/* Appends what is forecast of one resource of a series, with the reasons unless they are NULL. */
static void append_forecast(struct text *body, struct reasons *reasons, const struct store_rows columns[static COLUMN_COUNT],
                            const struct store_row *row, enum resource resource)
{
	struct service_sample forecast = service_find(&columns[COLUMN_FORECAST], &row->key, resource);
	struct service_sample lead = service_find(&columns[COLUMN_LEAD], &row->key, resource);
	struct service_sample full = service_find(&columns[COLUMN_FULL], &row->key, resource);
	int64_t full_ms;
	text_printf(body, "\"%s\": {\"probability\": ", wire_resource_name(resource));
	json_append_number(body, row->value[resource]);
	service_append_member(body, "forecast", true, forecast.value);
	service_append_time(body, "expected_at", &forecast, &lead);
	if (service_find_time(&forecast, &full, &full_ms))
		service_append_time(body, "full_at", &forecast, &full);
	if (reasons)
		reasons_append(reasons, &row->key, resource, body);
	text_append_char(body, '}');
}

static void append_forecast_row(struct csv *csv, const struct parameters *parameters,
                                const struct store_rows columns[static COLUMN_COUNT], const struct store_row *row,
                                enum resource resource)
{
	struct service_sample forecast = service_find(&columns[COLUMN_FORECAST], &row->key, resource);
	struct service_sample lead = service_find(&columns[COLUMN_LEAD], &row->key, resource);
	struct service_sample full = service_find(&columns[COLUMN_FULL], &row->key, resource);
	int64_t expected_ms = 0, full_ms = 0;
	bool expected = service_find_time(&forecast, &lead, &expected_ms);
	bool fills = service_find_time(&forecast, &full, &full_ms);
	service_begin_row(csv, row->time_ms[resource], parameters, &row->key, resource);
	csv_append_number(csv, true, row->value[resource]);
	csv_append_number(csv, true, forecast.value);
	csv_append_time(csv, expected, expected_ms);
	csv_append_time(csv, fills, full_ms);
	csv_end_row(csv);
}

void service_forecasts(struct service *service, const struct parameters *parameters, struct request *request,
                       struct response *response)
{
	(void)request;
	struct store_rows columns[COLUMN_COUNT] = { 0 };
	if (!read_forecasts(service, parameters, columns, response))
		return;

	struct text *body = &response->body;
	struct csv csv;
	const struct series_key *before = NULL;
	bool in_rows = service_begin_answer(parameters, '{', "time,ip,process,resource,probability,forecast,expected_at,full_at",
	                                    &csv, response);
	for (size_t i = 0; i < columns[COLUMN_PROBABILITY].count; i++) {
		const struct store_row *row = &columns[COLUMN_PROBABILITY].items[i];
		bool first = true;
		for (int j = 0; j < RESOURCE_LIMITED; j++) {
			/* An engine may show a part of what was saved before the rest. */
			if (!row->present[j] || !service_wants(parameters, (enum resource)j) ||
			    !service_find(&columns[COLUMN_FORECAST], &row->key, (enum resource)j).known)
				continue;
			if (in_rows) {
				append_forecast_row(&csv, parameters, columns, row, (enum resource)j);
				continue;
			}
			if (first) {
				service_begin_series(body, &row->key, before);
				before = &row->key;
			}
			text_append_string(body, first ? "{" : ", ");
			append_forecast(body, parameters->explain ? service->reasons : NULL, columns, row, (enum resource)j);
			first = false;
		}
		if (!first)
			text_append_char(body, '}');
	}
	if (!in_rows)
		service_end_series(body, before);
	free_columns(columns);
}
