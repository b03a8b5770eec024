#include "fcgi/remote/metricsql.h"

#include <string.h>

#include "fcgi/remote/line_protocol.h"
#include "fcgi/remote/remote.h"

/* Begins a selector. No series has the label `vigie`: it is there for the engine not to
 * take the series it found a second ago for all there are. */
static void begin_selector(struct text *text, enum metric metric, enum half half, int64_t now_ms)
{
	text_printf(text, "%s" METRICSQL_SUFFIX "{vigie!=\"%lld\"", sample_measurement(metric, half),
	            (long long)(now_ms / 1000));
}

/* Appends a string to a regular expression that stands in double quotes. */
static void append_pattern(struct text *text, const char *string)
{
	for (const char *at = string; *at; at++) {
		if (*at == '"')
			text_append_char(text, '\\');
		else if (strchr("\\.+*?()|[]{}^$", *at))
			text_append_string(text, "\\\\");
		text_append_char(text, *at);
	}
}

void metricsql_append_selector(struct text *text, const struct query *query, enum half half,
                               const struct series_key *key, int64_t now_ms)
{
	char stored[LINE_PROTOCOL_NAME_SIZE];
	const char *ip = key && key->ip ? key->ip : query->ip;
	const char *process = key ? key->process : query->process;
	begin_selector(text, query->metric, half, now_ms);
	if (ip) {
		text_append_string(text, ",ip=");
		remote_append_quoted(text, ip, '"');
	}
	if (process) {
		text_append_string(text, ",process=");
		line_protocol_encode(process, stored);
		remote_append_quoted(text, stored, '"');
	} else if (query->only && query->only_count <= METRICSQL_ONLY_MAX) {
		text_append_string(text, ",process=~\"");
		for (size_t i = 0; i < query->only_count; i++) {
			line_protocol_encode(query->only[i].process, stored);
			text_append_string(text, i ? "|" : "");
			append_pattern(text, stored);
		}
		text_append_char(text, '"');
	}
	text_append_char(text, '}');
}

void metricsql_append_rollup(struct text *text, const struct query *query, enum half half, bool maximum,
                             int64_t window_ms, int64_t now_ms)
{
	const char *by = query->by_host ? "ip, process" : "process";
	if (maximum)
		text_printf(text, "max by (%s) (max_over_time(", by);
	else
		text_printf(text, "sum by (%s, rollup) (aggr_over_time((\"" METRICSQL_SUM "\", \"" METRICSQL_COUNT "\"), ", by);
	metricsql_append_selector(text, query, half, NULL, now_ms);
	text_printf(text, "[%lldms]))", (long long)window_ms);
}

void metricsql_append_newest(struct text *text, enum half half, const struct text *ips, int64_t window_ms,
                             int64_t now_ms)
{
	text_append_string(text, "tlast_over_time(");
	begin_selector(text, METRIC_USAGE, half, now_ms);
	for (size_t at = 0; at < ips->length; at += strlen(ips->data + at) + 1) {
		text_append_string(text, at ? "|" : ",ip=~\"");
		append_pattern(text, ips->data + at);
	}
	text_append_string(text, ips->length ? "\"" : "");
	text_printf(text, "}[%lldms])", (long long)window_ms);
}
