/* GET query-alarm, GET alarms and GET oom-kills: what the alert service has reported, and whom the kernel has killed. */
#include "fcgi/service_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"
#include "fcgi/transitions.h"

/* The metrics that make up an alarm, as columns of rows that are looked up by key. */
enum column {
	COLUMN_COLOR,
	COLUMN_SINCE,
	COLUMN_THRESHOLD,
	COLUMN_VALUE,
	COLUMN_OWN_FORECAST, /* saved with the alarm */
	COLUMN_OWN_LEAD,
	COLUMN_MISSING,
	COLUMN_FORECAST, /* of the forecast service */
	COLUMN_LEAD,
	COLUMN_PROBABILITY, /* these two are read to explain */
	COLUMN_FULL,
	COLUMN_COUNT
};

static const enum metric column_metrics[COLUMN_COUNT] = {
	[COLUMN_COLOR] = METRIC_ALARM,
	[COLUMN_SINCE] = METRIC_ALARM_SINCE,
	[COLUMN_THRESHOLD] = METRIC_ALARM_THRESHOLD,
	[COLUMN_VALUE] = METRIC_USAGE,
	[COLUMN_OWN_FORECAST] = METRIC_ALARM_FORECAST,
	[COLUMN_OWN_LEAD] = METRIC_ALARM_LEAD,
	[COLUMN_MISSING] = METRIC_ALARM_MISSING,
	[COLUMN_FORECAST] = METRIC_FORECAST,
	[COLUMN_LEAD] = METRIC_FORECAST_LEAD,
	[COLUMN_PROBABILITY] = METRIC_FORECAST_PROBABILITY,
	[COLUMN_FULL] = METRIC_FORECAST_FULL,
};

/* Appends what a reader needs beside an alarm: its host's name and, of orange, what the forecast service says. */
static void append_more(struct text *body, struct service *service, const char *ip,
                        const struct service_sample samples[static COLUMN_COUNT], bool orange)
{
	const struct service_sample none = { 0 };
	const struct service_sample *probability = orange ? &samples[COLUMN_PROBABILITY] : &none;
	struct collector_report report = collectors_find(service->collectors, ip, clock_wall_ms() - service_max_window_ms(service));
	service_append_text(body, "hostname", report.hostname);
	service_append_member(body, "probability", probability->known, probability->value);
	service_append_time(body, "full_at", &samples[COLUMN_FORECAST], orange ? &samples[COLUMN_FULL] : &none);
}

/* The silences that hold now. */
struct silenced {
	struct silence *silences;
	size_t count;
};

/* What is said of an alarm that stands. */
struct alarm {
	const struct series_key *key;
	enum resource resource;
	enum color color;
	struct service_sample samples[COLUMN_COUNT];
	struct service_sample forecast, lead; /* what the alarm says itself, if it said so when it was last reported */
	bool missing;                         /* it is that what must run does not */
	int64_t silenced_ms;                  /* until when no channel tells of it; 0: each does */
};

static struct alarm make_alarm(const struct store_rows columns[], const struct silenced *silenced,
                               const struct series_key *key, enum resource resource, enum color color)
{
	bool of_host = strcmp(key->process, WIRE_HOST_ITSELF) == 0;
	struct alarm alarm = { .key = key, .resource = resource, .color = color };
	for (int i = 0; i < COLUMN_COUNT; i++)
		alarm.samples[i] = service_find(&columns[i], key, resource);
	const struct service_sample *own = &alarm.samples[COLUMN_OWN_FORECAST];
	bool has_own = own->known && own->time_ms == alarm.samples[COLUMN_COLOR].time_ms;
	alarm.forecast = has_own ? *own : alarm.samples[COLUMN_FORECAST];
	if (color == COLOR_ORANGE)
		alarm.lead = alarm.samples[has_own ? COLUMN_OWN_LEAD : COLUMN_LEAD];
	const struct service_sample *missing = &alarm.samples[COLUMN_MISSING];
	alarm.missing = missing->known && missing->value > 0 && missing->time_ms == alarm.samples[COLUMN_COLOR].time_ms;
	alarm.silenced_ms = silence_until(silenced->silences, silenced->count, key->ip, key->process,
	                                  alarm.missing || of_host ? RESOURCE_COUNT : resource);
	return alarm;
}

static void append_alarm(struct text *body, struct service *service, const struct parameters *parameters,
                         const struct alarm *alarm)
{
	const struct service_sample *samples = alarm->samples;
	text_append_string(body, "{\"process\": ");
	json_append_string(body, alarm->key->process);
	text_append_string(body, ", \"ip\": ");
	json_append_string(body, alarm->key->ip);
	text_printf(body, ", \"resource\": \"%s\", \"color\": \"%s\"", wire_resource_name(alarm->resource),
	            wire_color_name(alarm->color));
	service_append_member(body, "value", samples[COLUMN_VALUE].known, samples[COLUMN_VALUE].value);
	service_append_member(body, "forecast", alarm->forecast.known, alarm->forecast.value);
	service_append_time(body, "expected_at", &alarm->forecast, &alarm->lead);
	service_append_member(body, "threshold", samples[COLUMN_THRESHOLD].known, samples[COLUMN_THRESHOLD].value);
	service_append_member(body, "since", samples[COLUMN_SINCE].known, samples[COLUMN_SINCE].value);
	text_append_string(body, alarm->missing ? ", \"missing\": true" : "");
	if (alarm->silenced_ms) {
		text_append_string(body, ", \"silenced_until\": ");
		json_append_seconds(body, alarm->silenced_ms);
	}
	if (parameters->explain)
		append_more(body, service, alarm->key->ip, samples, alarm->color == COLOR_ORANGE);
	text_append_char(body, '}');
}

static void append_alarm_row(struct csv *csv, const struct parameters *parameters, const struct alarm *alarm)
{
	const struct service_sample *samples = alarm->samples;
	int64_t expected_ms = 0;
	bool expected = service_find_time(&alarm->forecast, &alarm->lead, &expected_ms);
	service_begin_row(csv, samples[COLUMN_COLOR].time_ms, parameters, alarm->key, alarm->resource);
	csv_append_number(csv, samples[COLUMN_VALUE].known, samples[COLUMN_VALUE].value);
	csv_append_words(csv, wire_color_name(alarm->color));
	csv_append_number(csv, alarm->forecast.known, alarm->forecast.value);
	csv_append_time(csv, expected, expected_ms);
	csv_append_number(csv, samples[COLUMN_THRESHOLD].known, samples[COLUMN_THRESHOLD].value);
	service_append_seconds_cell(csv, samples[COLUMN_SINCE].known, samples[COLUMN_SINCE].value);
	csv_append_words(csv, alarm->missing ? "true" : "");
	csv_append_time(csv, alarm->silenced_ms != 0, alarm->silenced_ms);
	csv_end_row(csv);
}

void service_query_alarm(struct service *service, const struct parameters *parameters, struct request *request,
                         struct response *response)
{
	(void)request;
	struct store_rows columns[COLUMN_COUNT] = { 0 };
	struct text alarms = TEXT_EMPTY;
	struct silenced silenced = { 0 };
	struct csv csv;
	int64_t now_ms = clock_wall_ms();
	for (int i = 0; i < (parameters->explain ? COLUMN_COUNT : COLUMN_PROBABILITY); i++) {
		if (!service_read_latest(service, parameters, column_metrics[i], now_ms, &columns[i], response))
			goto out;
		if (i == COLUMN_COLOR && columns[i].count == 0)
			break; /* the usual case */
	}

	int result = columns[COLUMN_COLOR].count ? silences_list(service->silences, now_ms, &silenced.silences, &silenced.count) : 0;
	if (result) {
		response_no_memory(response, result);
		goto out;
	}
	bool in_rows = parameters->media == MEDIA_CSV;
	if (in_rows)
		csv_begin(&csv, &response->body, SERVICE_COLUMNS ",color,forecast,expected_at,threshold,since,missing,silenced_until");
	enum color worst = service_state_works(service_alert_state(service)) ? COLOR_GREEN : COLOR_UNKNOWN;
	for (size_t i = 0; i < columns[COLUMN_COLOR].count; i++) {
		const struct store_row *row = &columns[COLUMN_COLOR].items[i];
		for (int j = 0; j < RESOURCE_LIMITED; j++) {
			enum color color = transitions_color(row->value[j]);
			if (!row->present[j] || !service_wants(parameters, (enum resource)j) || color == COLOR_GREEN)
				continue;
			if (wire_color_severity(color) > wire_color_severity(worst))
				worst = color;
			struct alarm alarm = make_alarm(columns, &silenced, &row->key, (enum resource)j, color);
			if (in_rows) {
				append_alarm_row(&csv, parameters, &alarm);
				continue;
			}
			text_append_string(&alarms, alarms.length ? ", " : "");
			append_alarm(&alarms, service, parameters, &alarm);
		}
	}
	if (in_rows)
		goto out;
	text_printf(&response->body, "{\"color\": \"%s\", \"alarms\": [", wire_color_name(worst));
	text_append(&response->body, alarms.data, alarms.length);
	text_append_string(&response->body, "]}\n");
	if (text_failed(&alarms))
		response_error(response, 503, NULL, "out of memory");
out:
	text_free(&alarms);
	free(silenced.silences);
	for (int i = 0; i < COLUMN_COUNT; i++)
		store_rows_free(&columns[i]);
}

static size_t count_points(const struct store_history *history)
{
	size_t count = 0;
	for (size_t i = 0; i < history->count; i++)
		count += history->items[i].count;
	return count;
}

/* Of one read: the points that are read are not the items that are answered. */
enum { PIECE_POINTS = 250000, PIECE_MIN_MS = 1000 };

/*
 * Goes over the colours of one resource, or over what was killed, piece by piece, each as long as has not too many points.
 * It begins some ticks before the window, at `from_ms`, so that an alarm that stands at its start is no transition.
 */
static int read_transitions(struct service *service, const struct query *window, int64_t from_ms,
                            struct transitions *transitions)
{
	struct query query = *window;
	int64_t piece_ms = window->to_ms - window->from_ms;
	if (query.max_points > PIECE_POINTS)
		query.max_points = PIECE_POINTS;
	while (query.from_ms < window->to_ms) {
		struct store_history piece;
		query.to_ms = window->to_ms - query.from_ms > piece_ms ? query.from_ms + piece_ms : window->to_ms;
		int result = service->ops->history(service->store, &query, &piece);
		if (result == -E2BIG && piece_ms > PIECE_MIN_MS) {
			piece_ms /= 2;
			continue;
		}
		if (result)
			return result;
		result = query.metric == METRIC_OOM_KILLS ? transitions_add_kills(transitions, &piece, from_ms) :
		                                            transitions_add(transitions, &piece, sample_resource(query.metric, query.half),
		                                                            from_ms);
		if (count_points(&piece) < query.max_points / 4)
			piece_ms *= 2;
		store_history_free(&piece);
		if (result)
			return result;
		query.from_ms = query.to_ms;
	}
	return 0;
}

static void append_transition(struct text *body, const struct transition *transition)
{
	text_append_string(body, "{\"time\": ");
	json_append_seconds(body, transition->time_ms);
	text_append_string(body, ", \"ip\": ");
	json_append_string(body, transition->key.ip);
	text_append_string(body, ", \"process\": ");
	json_append_string(body, transition->key.process);
	text_printf(body, ", \"resource\": \"%s\", \"color\": ", wire_resource_name(transition->resource));
	if (transition->kills > 0) {
		text_append_string(body, "null");
		service_append_member(body, "oom_kills", true, transition->kills);
	} else {
		text_printf(body, "\"%s\"", wire_color_name(transition->color));
	}
	text_append_char(body, '}');
}

static void append_transitions(struct response *response, const struct parameters *parameters,
                               const struct transitions *transitions)
{
	struct csv csv;
	bool in_rows = service_begin_answer(parameters, '[', "time,ip,process,resource,color,oom_kills", &csv, response);
	for (size_t i = 0; i < transitions->count; i++) {
		const struct transition *transition = &transitions->items[i];
		if (in_rows) {
			service_begin_row(&csv, transition->time_ms, parameters, &transition->key, transition->resource);
			csv_append_words(&csv, transition->kills > 0 ? "" : wire_color_name(transition->color));
			csv_append_number(&csv, transition->kills > 0, transition->kills);
			csv_end_row(&csv);
			continue;
		}
		text_append_string(&response->body, i ? ", " : "");
		append_transition(&response->body, transition);
	}
	if (!in_rows)
		text_append_string(&response->body, "]\n");
}

/* Answers with what was killed in the window, and, with `colors`, with the transitions as well. */
static void answer_events(struct service *service, const struct parameters *parameters, bool colors,
                          struct response *response)
{
	struct transitions transitions;
	int64_t start_ns = clock_monotonic_ns(), before_ms = INTERVALS_FRESH * atomic_load(&service->interval_ms);
	struct query query =
		service_query(service, parameters, METRIC_ALARM, parameters->from_ms - before_ms, parameters->to_ms);
	bool limited = parameters->given & PARAMETER_LIMIT;
	query.by_host = true;
	/* One more than may be answered tells that there are too many. */
	transitions_init(&transitions, limited && parameters->limit <= query.max_points ? parameters->limit :
	                 query.max_points + 1, limited);

	int result = 0;
	for (int i = 0; i < RESOURCE_LIMITED && colors && result == 0; i++) {
		query.half = sample_half((enum resource)i);
		if (service_wants(parameters, (enum resource)i))
			result = read_transitions(service, &query, parameters->from_ms, &transitions);
	}
	if (parameters->standing && result == 0)
		result = transitions_add_standing(&transitions, parameters->from_ms);
	query.metric = METRIC_OOM_KILLS;
	query.half = sample_half(RESOURCE_MEM);
	query.from_ms = parameters->from_ms;
	if (!(parameters->given & PARAMETER_TO))
		query.to_ms += SERVICE_AHEAD_MS; /* a collector's clock may be ahead */
	if (result == 0 && service_wants(parameters, RESOURCE_MEM))
		result = read_transitions(service, &query, parameters->from_ms, &transitions);
	transitions_sort(&transitions);
	bool too_many = result == -E2BIG || transitions.count > query.max_points;
	if (!service_check_read(service, too_many ? 0 : result, start_ns, response))
		; /* the response says why */
	else if (too_many)
		response_error(response, 400, NULL,
		               "the answer would have over %zu items: ask for a shorter window, one ip, process or resource, "
		               "or a lower limit=", query.max_points);
	else
		append_transitions(response, parameters, &transitions);
	transitions_free(&transitions);
}

void service_alarms(struct service *service, const struct parameters *parameters, struct request *request,
                    struct response *response)
{
	(void)request;
	answer_events(service, parameters, true, response);
}

void service_oom_kills(struct service *service, const struct parameters *parameters, struct request *request,
                       struct response *response)
{
	(void)request;
	answer_events(service, parameters, false, response);
}
