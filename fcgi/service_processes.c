/*
 * GET metrics/processes: the newest values of all processes, for Prometheus.
 *
 * They come without their times: a series that has them gets no stale mark, and outlives its end there by five minutes. So
 * what is not the latest any more is left out.
 */
#include "fcgi/service_internal.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"
#include "fcgi/exposition.h"
#include "fcgi/transitions.h"

/* From COLUMN_FURTHER on the usage of further resources, two by two. */
enum column {
	COLUMN_USAGE, COLUMN_PROBABILITY, COLUMN_COLOR, COLUMN_FURTHER,
	COLUMN_COUNT = COLUMN_FURTHER + (int)METRIC_COUNT - (int)METRIC_FURTHER,
};

static enum metric metric_of(enum column column)
{
	static const enum metric metrics[COLUMN_FURTHER] = {
		[COLUMN_USAGE] = METRIC_USAGE, [COLUMN_PROBABILITY] = METRIC_FORECAST_PROBABILITY, [COLUMN_COLOR] = METRIC_ALARM,
	};
	return column < COLUMN_FURTHER ? metrics[column] : (enum metric)((int)METRIC_FURTHER + (int)column - (int)COLUMN_FURTHER);
}

/* Whether the parameters ask for any of it: for all, unless one resource is given. */
static bool wants(const struct parameters *parameters, enum column column, enum resource resource)
{
	bool is_its = sample_resource(metric_of(column), sample_half(resource)) == resource;
	return is_its && (!(parameters->given & PARAMETER_RESOURCE) || parameters->resource == resource);
}

static bool wants_some(const struct parameters *parameters, enum column column)
{
	return !(parameters->given & PARAMETER_RESOURCE) || wants(parameters, column, parameters->resource);
}

/* How the lines of a host begin, up to the name of the process in its quotes. Rows come sorted, so that it is made once a host. */
struct host_lines {
	const char *ip; /* NULL: of none yet */
	bool known;     /* false: it has no lines now */
	struct text start;
};

static bool begin_host(struct service *service, const char *metric, const char *ip, int64_t now_ms, struct host_lines *host)
{
	if (host->ip && (host->ip == ip || strcmp(host->ip, ip) == 0))
		return host->known;
	struct collector_report report =
		collectors_find(service->collectors, ip, now_ms - service_max_window_ms(service));
	int64_t up_ms = (clock_monotonic_ns() - service->started_ns) / 1000000;
	int64_t patience_ms = service_patience_ms(service, collectors_find_interval(service->collectors, ip));
	/* Just after our start its samples may be known before its name is: the same lines without it would be other series. */
	host->known = collectors_have_heard(service->collectors, ip) || up_ms >= patience_ms;
	host->ip = ip;
	text_reset(&host->start);
	text_printf(&host->start, "%s{", metric);
	exposition_append_label(&host->start, "ip", ip);
	text_append_char(&host->start, ',');
	exposition_append_label(&host->start, "hostname", report.hostname);
	text_append_string(&host->start, ",process=\"");
	return host->known;
}

/* The line of a row's sample of one resource; colours are labels. */
static void append_line(struct text *body, enum column column, const struct host_lines *host, const struct store_row *row,
                        enum resource resource)
{
	double value = row->value[sample_half(resource)];
	if (column == COLUMN_COLOR && transitions_color(value) == COLOR_GREEN)
		return;
	body->failed = body->failed || text_failed(&host->start);
	text_append(body, host->start.data, host->start.length);
	exposition_append_value(body, row->key.process);
	if (column == COLUMN_PROBABILITY || column == COLUMN_COLOR)
		text_printf(body, "\",resource=\"%s", wire_resource_name(resource));
	if (column == COLUMN_COLOR)
		text_printf(body, "\",color=\"%s", wire_color_name(transitions_color(value)));
	text_append(body, "\"} ", 3);
	json_append_number(body, column == COLUMN_COLOR ? 1 : value);
	text_append_char(body, '\n');
}

/* What is said of all series. */
struct exposed {
	const char *name, *help;
	enum column column;
	enum resource only; /* RESOURCE_COUNT: all with limits, which a label tells */
};

static const struct exposed said_exposed[] = {
	{ "vigie_process_forecast_probability", "Probability that a process goes over its limit within the forecast's horizon.",
	  COLUMN_PROBABILITY, RESOURCE_COUNT },
	{ "vigie_alarm", "1 for each alarm that stands, with its color: orange, red or unknown.", COLUMN_COLOR, RESOURCE_COUNT },
};

/* Takes out the forecasts of what has no usage any more: they count for some refreshes still, and would outlive it. Both
 * are sorted. */
static void drop_ended(const struct store_rows *usage, struct store_rows *forecasts)
{
	size_t count = 0, at = 0;
	for (size_t i = 0; i < forecasts->count; i++) {
		struct store_row *row = &forecasts->items[i];
		while (at < usage->count && store_compare_keys(&usage->items[at], row) < 0)
			at++;
		bool some = false, alive = at < usage->count && store_compare_keys(&usage->items[at], row) == 0;
		for (int j = 0; j < HALF_COUNT; j++) {
			row->present[j] = alive && row->present[j] && usage->items[at].present[j];
			some = some || row->present[j];
		}
		if (some)
			forecasts->items[count++] = *row;
	}
	forecasts->count = count;
}

static void append_exposed(struct service *service, const struct parameters *parameters, const struct exposed *exposed,
                           const struct store_rows *rows, int64_t now_ms, struct response *response)
{
	struct host_lines host = { .ip = NULL };
	bool wanted = exposed->only == RESOURCE_COUNT || wants(parameters, exposed->column, exposed->only);
	if (response->status != 200)
		return;
	exposition_append_help(&response->body, exposed->name, "gauge", exposed->help);
	for (size_t i = 0; wanted && i < rows->count && service_has_room(response); i++) {
		const struct store_row *row = &rows->items[i];
		if (!begin_host(service, exposed->name, row->key.ip, now_ms, &host))
			continue;
		for (int j = 0; j < HALF_COUNT; j++) {
			enum resource resource = sample_resource(metric_of(exposed->column), (enum half)j);
			if (row->present[j] && (exposed->only == RESOURCE_COUNT || exposed->only == resource) &&
			    wants(parameters, exposed->column, resource))
				append_line(&response->body, exposed->column, &host, row, resource);
		}
	}
	text_free(&host.start);
}

/* What a resource's row says, under its name; nothing of a further one that nobody measures. */
static void append_usage(struct service *service, const struct parameters *parameters, enum resource resource,
                         const struct store_rows columns[static COLUMN_COUNT], int64_t now_ms, struct response *response)
{
	const struct resource_row *row = &resource_rows[resource];
	enum metric metric = sample_usage(resource);
	enum column column = metric == METRIC_USAGE ? COLUMN_USAGE : (enum column)((int)COLUMN_FURTHER + (int)metric - (int)METRIC_FURTHER);
	char name[64];
	snprintf(name, sizeof(name), "vigie_process_%s", row->exposed);
	const struct exposed exposed = { name, row->help, column, resource };
	if (resource < RESOURCE_LIMITED || columns[column].count)
		append_exposed(service, parameters, &exposed, &columns[column], now_ms, response);
}

void service_processes(struct service *service, const struct parameters *parameters, struct request *request,
                       struct response *response)
{
	(void)request;
	struct store_rows columns[COLUMN_COUNT] = { 0 };
	int64_t now_ms = clock_wall_ms();
	bool read = true;
	for (int i = 0; i < (int)COLUMN_COUNT && read; i++)
		read = !wants_some(parameters, (enum column)i) ||
		       service_read_latest(service, parameters, metric_of((enum column)i), now_ms, &columns[i], response);
	if (read) {
		response->content_type = EXPOSITION_TYPE;
		drop_ended(&columns[COLUMN_USAGE], &columns[COLUMN_PROBABILITY]);
		append_usage(service, parameters, RESOURCE_CPU, columns, now_ms, response);
		append_usage(service, parameters, RESOURCE_MEM, columns, now_ms, response);
	}
	for (size_t i = 0; i < sizeof(said_exposed) / sizeof(said_exposed[0]) && read; i++)
		append_exposed(service, parameters, &said_exposed[i], &columns[said_exposed[i].column], now_ms, response);
	for (int i = RESOURCE_LIMITED; i < RESOURCE_COUNT && read; i++)
		append_usage(service, parameters, (enum resource)i, columns, now_ms, response);
	for (int i = 0; i < (int)COLUMN_COUNT; i++)
		store_rows_free(&columns[i]);
}
