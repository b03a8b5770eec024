/* GET query-alarm and GET alarms: what the alert service has reported. */
#include "fcgi/service_internal.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/json.h"

/* The metrics that make up an alarm, as columns of rows that are looked up by key. */
enum column {
	COLUMN_COLOR,
	COLUMN_SINCE,
	COLUMN_THRESHOLD,
	COLUMN_VALUE,
	COLUMN_OWN_FORECAST, /* saved with the alarm */
	COLUMN_OWN_LEAD,
	COLUMN_FORECAST, /* of the forecast service */
	COLUMN_LEAD,
	COLUMN_COUNT
};

static const enum metric column_metrics[COLUMN_COUNT] = {
	[COLUMN_COLOR] = METRIC_ALARM,
	[COLUMN_SINCE] = METRIC_ALARM_SINCE,
	[COLUMN_THRESHOLD] = METRIC_ALARM_THRESHOLD,
	[COLUMN_VALUE] = METRIC_USAGE,
	[COLUMN_OWN_FORECAST] = METRIC_ALARM_FORECAST,
	[COLUMN_OWN_LEAD] = METRIC_ALARM_LEAD,
	[COLUMN_FORECAST] = METRIC_FORECAST,
	[COLUMN_LEAD] = METRIC_FORECAST_LEAD,
};

/* red, orange, unknown, green: the worst first. */
static int severity(enum color color)
{
	static const int order[COLOR_COUNT] = {
		[COLOR_GREEN] = 0, [COLOR_UNKNOWN] = 1, [COLOR_ORANGE] = 2, [COLOR_RED] = 3,
	};
	return order[color];
}

static enum color color_of(double value)
{
	return value >= 0 && value < COLOR_COUNT ? (enum color)value : COLOR_UNKNOWN;
}

static void append_alarm(struct text *body, const struct store_rows columns[], const struct series_key *key,
                         enum resource resource, enum color color)
{
	struct service_sample samples[COLUMN_COUNT];
	for (int i = 0; i < COLUMN_COUNT; i++)
		samples[i] = service_find(&columns[i], key, resource);
	/* What the alarm says itself, if it said so when it was last reported. */
	const struct service_sample *own = &samples[COLUMN_OWN_FORECAST];
	bool has_own = own->known && own->time_ms == samples[COLUMN_COLOR].time_ms;
	const struct service_sample *forecast = has_own ? own : &samples[COLUMN_FORECAST];
	const struct service_sample *lead = &samples[has_own ? COLUMN_OWN_LEAD : COLUMN_LEAD];
	const struct service_sample none = { 0 };

	text_append_string(body, "{\"process\": ");
	json_append_string(body, key->process);
	text_append_string(body, ", \"ip\": ");
	json_append_string(body, key->ip);
	text_printf(body, ", \"resource\": \"%s\", \"color\": \"%s\"", wire_resource_name(resource), wire_color_name(color));
	service_append_member(body, "value", samples[COLUMN_VALUE].known, samples[COLUMN_VALUE].value);
	service_append_member(body, "forecast", forecast->known, forecast->value);
	service_append_expected_at(body, forecast, color == COLOR_ORANGE ? lead : &none);
	service_append_member(body, "threshold", samples[COLUMN_THRESHOLD].known, samples[COLUMN_THRESHOLD].value);
	service_append_member(body, "since", samples[COLUMN_SINCE].known, samples[COLUMN_SINCE].value);
	text_append_char(body, '}');
}

void service_query_alarm(struct service *service, const struct parameters *parameters, struct request *request,
                         struct response *response)
{
	(void)request;
	struct store_rows columns[COLUMN_COUNT] = { 0 };
	struct text alarms = TEXT_EMPTY;
	int64_t now_ms = clock_wall_ms();
	for (int i = 0; i < COLUMN_COUNT; i++) {
		if (!service_read_latest(service, parameters, column_metrics[i], now_ms, &columns[i], response))
			goto out;
		if (i == COLUMN_COLOR && columns[i].count == 0)
			break; /* the usual case */
	}

	enum color worst = service_alert_is_alive(service) ? COLOR_GREEN : COLOR_UNKNOWN;
	for (size_t i = 0; i < columns[COLUMN_COLOR].count; i++) {
		const struct store_row *row = &columns[COLUMN_COLOR].items[i];
		for (int j = 0; j < RESOURCE_COUNT; j++) {
			enum color color = color_of(row->value[j]);
			if (!row->present[j] || !service_wants(parameters, (enum resource)j) || color == COLOR_GREEN)
				continue;
			if (severity(color) > severity(worst))
				worst = color;
			text_append_string(&alarms, alarms.length ? ", " : "");
			append_alarm(&alarms, columns, &row->key, (enum resource)j, color);
		}
	}
	text_printf(&response->body, "{\"color\": \"%s\", \"alarms\": [", wire_color_name(worst));
	text_append(&response->body, alarms.data ? alarms.data : "", alarms.length);
	text_append_string(&response->body, "]}\n");
	if (text_failed(&alarms))
		response_error(response, 503, NULL, "out of memory");
out:
	text_free(&alarms);
	for (int i = 0; i < COLUMN_COUNT; i++)
		store_rows_free(&columns[i]);
}

struct transition {
	int64_t time_ms;
	struct series_key key;
	enum resource resource;
	enum color color;
};

static int compare_transitions(const void *left, const void *right)
{
	const struct transition *a = left, *b = right;
	if (a->time_ms != b->time_ms)
		return a->time_ms < b->time_ms ? -1 : 1;
	int order = store_compare_keys(&a->key, &b->key);
	return order ? order : (int)a->resource - (int)b->resource;
}

/*
 * Standing alarms are reported at every tick: a transition is a colour that differs
 * from the one before, or has none before it. The histories begin some ticks before
 * the window, at `from_ms`, so that an alarm that stands at its start is none.
 * Returns how many were written to transitions[].
 */
static size_t find_transitions(const struct store_history *colors, enum resource resource, int64_t from_ms,
                               struct transition transitions[])
{
	size_t count = 0;
	for (size_t i = 0; i < colors->count; i++) {
		const struct store_series *series = &colors->items[i];
		for (size_t j = 0; j < series->count; j++) {
			const struct store_point *point = &series->points[j];
			if (point->time_ms <= from_ms || (j > 0 && point->value == series->points[j - 1].value))
				continue;
			transitions[count++] = (struct transition){
				.time_ms = point->time_ms,
				.key = series->key,
				.resource = resource,
				.color = color_of(point->value),
			};
		}
	}
	return count;
}

static size_t count_points(const struct store_history *history)
{
	size_t count = 0;
	for (size_t i = 0; i < history->count; i++)
		count += history->items[i].count;
	return count;
}

void service_alarms(struct service *service, const struct parameters *parameters, struct request *request,
                    struct response *response)
{
	(void)request;
	struct store_history colors[RESOURCE_COUNT] = { 0 };
	struct transition *transitions = NULL;
	int64_t now_ms = clock_wall_ms();
	int64_t before_ms = INTERVALS_FRESH * atomic_load(&service->interval_ms);
	struct query query =
		service_query(service, parameters, METRIC_ALARM, now_ms, parameters->window_ms + before_ms);
	query.by_host = true;

	int64_t start_ns = clock_monotonic_ns();
	int result = 0;
	size_t points = 0;
	for (int i = 0; i < RESOURCE_COUNT && result == 0; i++) {
		if (!service_wants(parameters, (enum resource)i))
			continue;
		query.resource = (enum resource)i;
		result = service->ops->history(service->store, &query, &colors[i]);
		points += count_points(&colors[i]);
	}
	if (!service_check_read(service, result, start_ns, response))
		goto out;

	transitions = malloc((points + 1) * sizeof(*transitions));
	if (!transitions) {
		response_error(response, 503, NULL, "out of memory");
		goto out;
	}
	size_t count = 0;
	for (int i = 0; i < RESOURCE_COUNT; i++)
		count += find_transitions(&colors[i], (enum resource)i, now_ms - parameters->window_ms, transitions + count);
	qsort(transitions, count, sizeof(*transitions), compare_transitions);

	struct text *body = &response->body;
	text_append_char(body, '[');
	for (size_t i = 0; i < count; i++) {
		text_append_string(body, i ? ", {\"time\": " : "{\"time\": ");
		json_append_seconds(body, transitions[i].time_ms);
		text_append_string(body, ", \"ip\": ");
		json_append_string(body, transitions[i].key.ip);
		text_append_string(body, ", \"process\": ");
		json_append_string(body, transitions[i].key.process);
		text_printf(body, ", \"resource\": \"%s\", \"color\": \"%s\"}", wire_resource_name(transitions[i].resource),
		            wire_color_name(transitions[i].color));
	}
	text_append_string(body, "]\n");
out:
	free(transitions);
	for (int i = 0; i < RESOURCE_COUNT; i++)
		store_history_free(&colors[i]);
}
