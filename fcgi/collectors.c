#include "fcgi/collectors.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/table.h"
#include "common/wire.h"

enum { SWEEP_MS = 60000 };

struct host_report {
	char ip[WIRE_IP_SIZE];
	int64_t received_ms;
	struct collector_report report;
};

struct item {
	struct host_report host;
	UT_hash_handle hh;
};

struct collectors {
	pthread_mutex_t lock;
	struct item *items; /* by host, in the order in which they became known */
	int64_t swept_ms;
};

struct collectors *collectors_open(void)
{
	struct collectors *collectors = calloc(1, sizeof(*collectors));
	if (collectors)
		pthread_mutex_init(&collectors->lock, NULL);
	return collectors;
}

/* Drops those from before `oldest_ms`. The lock is held. */
static void sweep(struct collectors *collectors, int64_t oldest_ms)
{
	struct item *item, *next;
	HASH_ITER(hh, collectors->items, item, next) {
		if (item->host.received_ms < oldest_ms) {
			HASH_DEL(collectors->items, item);
			free(item);
		}
	}
}

void collectors_close(struct collectors *collectors)
{
	if (!collectors)
		return;
	sweep(collectors, INT64_MAX);
	pthread_mutex_destroy(&collectors->lock);
	free(collectors);
}

/* NULL: there is no room. The lock is held. */
static struct item *add(struct collectors *collectors, const char *ip)
{
	struct item *item = HASH_COUNT(collectors->items) < COLLECTORS_MAX ? calloc(1, sizeof(*item)) : NULL;
	if (!item)
		return NULL;
	strcpy(item->host.ip, ip);
	HASH_ADD_STR(collectors->items, host.ip, item);
	if (!item->hh.tbl) {
		free(item);
		return NULL;
	}
	return item;
}

void collectors_keep(struct collectors *collectors, const char *ip, const struct collector_report *report, int64_t now_ms,
                  int64_t oldest_ms)
{
	struct item *item;
	pthread_mutex_lock(&collectors->lock);
	if (now_ms - collectors->swept_ms >= SWEEP_MS || now_ms < collectors->swept_ms) {
		sweep(collectors, oldest_ms);
		collectors->swept_ms = now_ms;
	}
	HASH_FIND_STR(collectors->items, ip, item);
	if (!item)
		item = add(collectors, ip);
	if (item) {
		item->host.received_ms = now_ms;
		item->host.report = *report;
	}
	pthread_mutex_unlock(&collectors->lock);
}

struct collector_report collectors_find(struct collectors *collectors, const char *ip, int64_t oldest_ms)
{
	struct collector_report report = collector_report_empty();
	struct item *item;
	pthread_mutex_lock(&collectors->lock);
	HASH_FIND_STR(collectors->items, ip, item);
	if (item && item->host.received_ms >= oldest_ms)
		report = item->host.report;
	pthread_mutex_unlock(&collectors->lock);
	return report;
}

/* Copies up to COLLECTORS_SHOWN_MAX hosts, so that nobody's PUT waits until all of them are
 * written, and counts them all. NULL: out of memory. */
static struct host_report *copy_hosts(struct collectors *collectors, int64_t oldest_ms, size_t *ret_shown, size_t *ret_known)
{
	pthread_mutex_lock(&collectors->lock);
	size_t count = HASH_COUNT(collectors->items), shown = 0, known = 0;
	if (count > COLLECTORS_SHOWN_MAX)
		count = COLLECTORS_SHOWN_MAX;
	struct host_report *hosts = malloc((count + 1) * sizeof(*hosts));
	for (const struct item *item = collectors->items; item && hosts; item = item->hh.next) {
		if (item->host.received_ms < oldest_ms)
			continue;
		if (shown < count)
			hosts[shown++] = item->host;
		known++;
	}
	pthread_mutex_unlock(&collectors->lock);
	*ret_shown = shown;
	*ret_known = known;
	return hosts;
}

/* A label's value: backslashes, quotes and line ends are escaped. */
static void append_label(struct text *text, const char *name, const char *value)
{
	text_append_string(text, name);
	text_append_string(text, "=\"");
	for (const char *at = value; *at; at++) {
		if (strchr("\\\"\n", *at))
			text_append_char(text, '\\');
		text_append_char(text, *at == '\n' ? 'n' : *at);
	}
	text_append_char(text, '"');
}

static void append_help(struct text *text, const char *name, const char *type, const char *help)
{
	text_printf(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* One line; `what` may be NULL. */
static void append_line(struct text *text, const char *name, const struct host_report *host, const char *what,
                        double value)
{
	text_append_string(text, name);
	text_append_char(text, '{');
	append_label(text, "ip", host->ip);
	text_append_char(text, ',');
	append_label(text, "hostname", host->report.hostname);
	if (what) {
		text_append_char(text, ',');
		append_label(text, "what", what);
	}
	text_append_string(text, "} ");
	json_append_number(text, value);
	text_append_char(text, '\n');
}

static void append_counters(struct text *text, const struct host_report *hosts, size_t count)
{
	static const char samples[] = "vigie_collector_samples_total", ticks[] = "vigie_collector_missed_ticks_total",
			  exits[] = "vigie_collector_lost_exits_total";
	append_help(text, samples, "counter", "Samples by what became of them, as each host's collector says.");
	for (size_t i = 0; i < count; i++) {
		for (int j = 0; j < COLLECTOR_MISSED_TICKS; j++) {
			if (hosts[i].report.counters[j] >= 0)
				append_line(text, samples, &hosts[i], collector_report_counter_name((enum collector_report_counter)j),
				            hosts[i].report.counters[j]);
		}
	}
	append_help(text, ticks, "counter", "Intervals that each host's collector has missed.");
	for (size_t i = 0; i < count; i++) {
		if (hosts[i].report.counters[COLLECTOR_MISSED_TICKS] >= 0)
			append_line(text, ticks, &hosts[i], NULL, hosts[i].report.counters[COLLECTOR_MISSED_TICKS]);
	}
	append_help(text, exits, "counter", "Threads whose end each host's collector was not told of.");
	for (size_t i = 0; i < count; i++) {
		if (hosts[i].report.counters[COLLECTOR_LOST_EXITS] >= 0)
			append_line(text, exits, &hosts[i], NULL, hosts[i].report.counters[COLLECTOR_LOST_EXITS]);
	}
}

static void append_states(struct text *text, const struct host_report *hosts, size_t count)
{
	static const char offset[] = "vigie_collector_clock_offset_seconds", partial[] = "vigie_collector_partial",
			  last[] = "vigie_collector_last_report_seconds";
	append_help(text, offset, "gauge", "How far each host's clock is from the server's, as its collector says.");
	for (size_t i = 0; i < count; i++) {
		if (hosts[i].report.clock_offset_known)
			append_line(text, offset, &hosts[i], NULL, hosts[i].report.clock_offset_s);
	}
	append_help(text, partial, "gauge", "Whether some processes are hidden from each host's collector.");
	for (size_t i = 0; i < count; i++) {
		if (hosts[i].report.partial >= 0)
			append_line(text, partial, &hosts[i], NULL, hosts[i].report.partial);
	}
	append_help(text, last, "gauge", "When each host's collector last reported, in seconds since 1970.");
	for (size_t i = 0; i < count; i++)
		append_line(text, last, &hosts[i], NULL, (double)hosts[i].received_ms / 1000);
}

void collectors_append_metrics(struct collectors *collectors, int64_t oldest_ms, struct text *text)
{
	size_t shown, known;
	struct host_report *hosts = copy_hosts(collectors, oldest_ms, &shown, &known);
	if (!hosts) {
		text->failed = true;
		return;
	}
	text_printf(text,
	            "# HELP vigie_collectors Hosts whose collectors have reported within the retention; what follows "
	            "is of at most %d, those known longest.\n"
	            "# TYPE vigie_collectors gauge\nvigie_collectors %zu\n",
	            COLLECTORS_SHOWN_MAX, known);
	append_counters(text, hosts, shown);
	append_states(text, hosts, shown);
	free(hosts);
}
