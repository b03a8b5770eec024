/*
 * GET metrics/processes: the newest values of all processes, for Prometheus.
 *
 * They come without their times: a series that has them gets no stale mark, and outlives its end there by five minutes. So
 * what is not the latest any more is left out.
 */
#include "fcgi/service_internal.h"

#include <string.h>

#include "common/clock.h"
#include "common/json.h"
#include "fcgi/exposition.h"
#include "fcgi/transitions.h"

enum column { COLUMN_USAGE, COLUMN_PROBABILITY, COLUMN_COLOR, COLUMN_COUNT };

static const enum metric column_metrics[COLUMN_COUNT] = {
	[COLUMN_USAGE] = METRIC_USAGE,
	[COLUMN_PROBABILITY] = METRIC_FORECAST_PROBABILITY,
	[COLUMN_COLOR] = METRIC_ALARM,
};

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
	double value = row->value[resource];
	if (column == COLUMN_COLOR && transitions_color(value) == COLOR_GREEN)
		return;
	text_append(body, host->start.data ? host->start.data : "", host->start.length);
	exposition_append_value(body, row->key.process);
	if (column != COLUMN_USAGE)
		text_printf(body, "\",resource=\"%s", wire_resource_name(resource));
	if (column == COLUMN_COLOR)
		text_printf(body, "\",color=\"%s", wire_color_name(transitions_color(value)));
	text_append(body, "\"} ", 3);
	json_append_number(body, column == COLUMN_COLOR ? 1 : value);
	text_append_char(body, '\n');
}

/* What is said of all series. */
static const struct exposed {
	const char *name, *help;
	enum column column;
	int only; /* one resource, -1: all, which a label tells */
} all_exposed[] = {
	{ "vigie_process_cpu_percent", "CPU that each process of a host uses, in percent of one core; all PIDs of a name together.",
	  COLUMN_USAGE, RESOURCE_CPU },
	{ "vigie_process_memory_percent", "Memory that each process of a host uses, in percent of the machine's.", COLUMN_USAGE,
	  RESOURCE_MEM },
	{ "vigie_process_forecast_probability", "Probability that a process goes over its limit within the forecast's horizon.",
	  COLUMN_PROBABILITY, -1 },
	{ "vigie_alarm", "1 for each alarm that stands, with its color: orange, red or unknown.", COLUMN_COLOR, -1 },
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
		for (int j = 0; j < RESOURCE_LIMITED; j++) {
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
	bool wanted = exposed->only < 0 || service_wants(parameters, (enum resource)exposed->only);
	exposition_append_help(&response->body, exposed->name, "gauge", exposed->help);
	for (size_t i = 0; wanted && i < rows->count && service_has_room(response); i++) {
		const struct store_row *row = &rows->items[i];
		if (!begin_host(service, exposed->name, row->key.ip, now_ms, &host))
			continue;
		for (int j = 0; j < RESOURCE_LIMITED; j++) {
			if (row->present[j] && (exposed->only < 0 || exposed->only == j) && service_wants(parameters, (enum resource)j))
				append_line(&response->body, exposed->column, &host, row, (enum resource)j);
		}
	}
	response->body.failed = response->body.failed || text_failed(&host.start);
	text_free(&host.start);
}

void service_processes(struct service *service, const struct parameters *parameters, struct request *request,
                       struct response *response)
{
	(void)request;
	struct store_rows columns[COLUMN_COUNT] = { 0 };
	int64_t now_ms = clock_wall_ms();
	bool read = true;
	for (int i = 0; i < COLUMN_COUNT && read; i++)
		read = service_read_latest(service, parameters, column_metrics[i], now_ms, &columns[i], response);
	if (read) {
		response->content_type = EXPOSITION_TYPE;
		drop_ended(&columns[COLUMN_USAGE], &columns[COLUMN_PROBABILITY]);
	}
	for (size_t i = 0; i < sizeof(all_exposed) / sizeof(all_exposed[0]) && read && response->status == 200; i++)
		append_exposed(service, parameters, &all_exposed[i], &columns[all_exposed[i].column], now_ms, response);
	for (int i = 0; i < COLUMN_COUNT; i++)
		store_rows_free(&columns[i]);
}
