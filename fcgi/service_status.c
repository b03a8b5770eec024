/* GET hosts and GET health. */
#include "fcgi/service_internal.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"

enum { SHARED_SHOWN = 20 }; /* addresses in `health` */

static int compare_hosts(const void *left, const void *right)
{
	const struct store_host *a = left, *b = right;
	return strcmp(a->ip, b->ip);
}

/* Those that it has said, null when it has said none. */
static void append_counters(struct text *body, const struct collector_report *report)
{
	bool some = false;
	text_append_string(body, ", \"counters\": ");
	for (int i = 0; i < COLLECTOR_COUNTERS; i++) {
		if (report->counters[i] < 0)
			continue;
		text_printf(body, "%s\"%s\": ", some ? ", " : "{", collector_report_counter_name((enum collector_report_counter)i));
		json_append_number(body, report->counters[i]);
		some = true;
	}
	text_append_string(body, some ? "}" : "null");
}

/* The hostnames that are heard from one address, null where it is one host's. */
static void append_sharers(struct text *body, struct service *service, const char *ip)
{
	char hostnames[COLLECTORS_SHARERS][COLLECTORS_HOSTNAME_SIZE];
	size_t count = collectors_find_sharers(service->collectors, ip, clock_wall_ms(), hostnames);
	text_append_string(body, ", \"shared_by\": ");
	for (size_t i = 0; i < count; i++) {
		text_append_string(body, i ? ", " : "[");
		json_append_string(body, hostnames[i]);
	}
	text_append_string(body, count ? "]" : "null");
}

static void append_host(struct text *body, struct service *service, const struct store_host *host,
                        const struct collector_report *report)
{
	json_append_string(body, host->ip);
	text_append_string(body, ": {\"last_seen\": ");
	json_append_seconds(body, host->last_seen_ms);
	text_printf(body, ", \"processes\": %zu", host->processes);
	service_append_text(body, "hostname", report->hostname);
	append_sharers(body, service, host->ip);
	service_append_text(body, "version", report->version);
	service_append_text(body, "state", report->state);
	service_append_text(body, "ended_cpu", report->ended_cpu);
	text_append_string(body, ", \"interval_s\": ");
	if (report->interval_s > 0)
		json_append_number(body, report->interval_s);
	else
		text_append_string(body, "null");
	text_printf(body, ", \"at_series_limit\": %s", host->at_series_limit ? "true" : "false");
	text_append_string(body, ", \"clock_offset_s\": ");
	if (report->clock_offset_known)
		json_append_number(body, report->clock_offset_s);
	else
		text_append_string(body, "null");
	text_printf(body, ", \"partial\": %s", report->partial < 0 ? "null" : report->partial ? "true" : "false");
	append_counters(body, report);
	text_append_char(body, '}');
}

/* The same as a row; of what is a list or an object, a word or a column each. */
static void append_host_row(struct csv *csv, struct service *service, const struct store_host *host,
                            const struct collector_report *report)
{
	char hostnames[COLLECTORS_SHARERS][COLLECTORS_HOSTNAME_SIZE];
	struct text sharers = TEXT_EMPTY;
	size_t count = collectors_find_sharers(service->collectors, host->ip, clock_wall_ms(), hostnames);
	for (size_t i = 0; i < count; i++)
		text_printf(&sharers, "%s%s", i ? " " : "", hostnames[i]);
	csv_append_time(csv, true, host->last_seen_ms);
	csv_append_words(csv, host->ip);
	csv_append_number(csv, true, (double)host->processes);
	csv_append_name(csv, report->hostname);
	csv_append_name(csv, sharers.data);
	csv_append_name(csv, report->version);
	csv_append_name(csv, report->state);
	csv_append_name(csv, report->ended_cpu);
	csv_append_number(csv, report->interval_s > 0, report->interval_s);
	csv_append_words(csv, host->at_series_limit ? "true" : "false");
	csv_append_number(csv, report->clock_offset_known, report->clock_offset_s);
	csv_append_words(csv, report->partial < 0 ? "" : report->partial ? "true" : "false");
	for (int i = 0; i < COLLECTOR_COUNTERS; i++)
		csv_append_number(csv, report->counters[i] >= 0, report->counters[i]);
	csv_end_row(csv);
	csv->text->failed |= text_failed(&sharers);
	text_free(&sharers);
}

/* The names of its columns. */
static void append_host_columns(struct text *columns)
{
	text_append_string(columns, "time,ip,processes,hostname,shared_by,version,state,ended_cpu,interval_s,at_series_limit,"
	                            "clock_offset_s,partial");
	for (int i = 0; i < COLLECTOR_COUNTERS; i++)
		text_printf(columns, ",%s", collector_report_counter_name((enum collector_report_counter)i));
}

void service_hosts(struct service *service, const struct parameters *parameters, struct request *request,
                   struct response *response)
{
	(void)request;
	struct store_hosts hosts;
	int64_t start_ns = clock_monotonic_ns(), oldest_ms = clock_wall_ms() - service_max_window_ms(service);
	int result = service->ops->hosts(service->store, oldest_ms, service_certain_ms(service) + SERVICE_AHEAD_MS, &hosts);
	if (!service_check_read(service, result, start_ns, response))
		return;
	qsort(hosts.items, hosts.count, sizeof(*hosts.items), compare_hosts);

	struct text *body = &response->body, columns = TEXT_EMPTY;
	struct csv csv;
	bool first = true;
	append_host_columns(&columns);
	bool in_rows = service_begin_answer(parameters, '{', text_or(&columns, ""), &csv, response);
	for (size_t i = 0; i < hosts.count; i++) {
		const char *ip = hosts.items[i].ip;
		if ((parameters->given & PARAMETER_IP) && strcmp(ip, parameters->ip) != 0)
			continue;
		struct collector_report report = collectors_find(service->collectors, ip, oldest_ms);
		if (in_rows) {
			append_host_row(&csv, service, &hosts.items[i], &report);
			continue;
		}
		text_append_string(body, first ? "" : ", ");
		append_host(body, service, &hosts.items[i], &report);
		first = false;
	}
	if (!in_rows)
		text_append_string(body, "}\n");
	body->failed = body->failed || text_failed(&columns);
	text_free(&columns);
	store_hosts_free(&hosts);
}

void service_append_gauges(struct service *service, struct text *text)
{
	text_printf(text,
	            "# HELP vigie_store_calls Requests that call the store or wait for another's answer.\n"
	            "# TYPE vigie_store_calls gauge\n"
	            "vigie_store_calls %u\n"
	            "# HELP vigie_reads_waiting Reads that wait for another's answer.\n# TYPE vigie_reads_waiting gauge\n"
	            "vigie_reads_waiting %u\n"
	            "# HELP vigie_memory_held_bytes What requests hold of server.memory.\n"
	            "# TYPE vigie_memory_held_bytes gauge\nvigie_memory_held_bytes %zu\n"
	            "# HELP vigie_queue_batches Batches that wait for the next write.\n# TYPE vigie_queue_batches gauge\n"
	            "vigie_queue_batches %zu\n",
	            gate_inside(&service->gate), shared_reads_waiting(service->reads),
	            budget_held(BUDGET_BODIES) + budget_held(BUDGET_ANSWERS), writer_waiting(service->writer));
	collectors_append_metrics(service->collectors, clock_wall_ms() - service_max_window_ms(service), text);
}

/* The time here, and what times the server's are measured by, in seconds. */
static void append_clock(struct text *body, const struct service *service)
{
	text_append_string(body, ", \"time\": ");
	json_append_seconds(body, clock_wall_ms());
	text_append_string(body, ", \"interval_s\": ");
	json_append_seconds(body, atomic_load(&service->interval_ms));
	text_append_string(body, ", \"refresh_s\": ");
	json_append_seconds(body, atomic_load(&service->refresh_ms));
	text_append_string(body, ", \"retention_s\": ");
	json_append_seconds(body, service_max_window_ms(service));
}

/* Ours is well without it: it is told, and counts for nothing. */
static void append_sign_of_life(struct text *body, const char *name, const struct sign_of_life *sign, const char *state)
{
	int64_t reported_ms = atomic_load(&sign->wall_ms);
	const char *status = service_state_works(state) ? "ok" : strcmp(state, WIRE_STOP) == 0 ? "stopped" : state;
	text_printf(body, ", \"%s\": {\"status\": \"%s\", \"last_report\": ", name, status);
	if (reported_ms)
		json_append_seconds(body, reported_ms);
	else
		text_append_string(body, "null");
	text_append_char(body, '}');
}

/* The addresses that several hosts are heard from: for people, and no reason to take the server for failing. */
static void append_shared(struct text *body, struct service *service)
{
	char ips[SHARED_SHOWN][WIRE_IP_SIZE];
	size_t count = collectors_list_shared(service->collectors, clock_wall_ms(), ips, SHARED_SHOWN);
	text_append_string(body, ", \"shared_addresses\": [");
	for (size_t i = 0; i < count && i < SHARED_SHOWN; i++) {
		text_append_string(body, i ? ", " : "");
		json_append_string(body, ips[i]);
	}
	text_append_char(body, ']');
}

/* The hours that answers are made without: for people as well. */
static void append_damaged(struct text *body, struct service *service)
{
	struct store_damaged damaged[STORE_DAMAGED_MAX];
	size_t count = service->ops->damaged ? service->ops->damaged(service->store, clock_wall_ms(), damaged) : 0;
	text_append_string(body, ", \"damaged_hours\": [");
	for (size_t i = 0; i < count; i++) {
		text_append_string(body, i ? ", {\"ip\": " : "{\"ip\": ");
		json_append_string(body, damaged[i].ip);
		text_append_string(body, ", \"hour\": ");
		json_append_seconds(body, damaged[i].hour_ms);
		text_append_char(body, '}');
	}
	text_append_char(body, ']');
}

void service_health(struct service *service, const struct parameters *parameters, struct request *request,
                    struct response *response)
{
	(void)parameters;
	(void)request;
	bool stuck = gate_is_stuck(&service->gate) || writer_is_stuck(service->writer);
	bool store = service->ops->health(service->store) == 0 && !stuck;

	struct text *body = &response->body;
	response->status = store ? 200 : 503;
	text_printf(body, "{\"status\": \"%s\", \"version\": \"%s\", \"uptime_s\": %lld", store ? "ok" : "failing",
	            VIGIE_VERSION, (long long)((clock_monotonic_ns() - service->started_ns) / 1000000000));
	append_clock(body, service);
	text_printf(body, ", \"store\": {\"engine\": \"%s\", \"status\": \"%s\"", service->ops->name,
	            store ? "ok" : "failing");
	append_damaged(body, service);
	text_append_char(body, '}');
	append_sign_of_life(body, "alert", &service->alert, service_alert_state(service));
	append_sign_of_life(body, "forecast", &service->forecast, service_forecast_state(service));
	append_shared(body, service);
	text_append_string(body, "}\n");
}
