#include "fcgi/remote/influxql.h"

#include "fcgi/remote/line_protocol.h"
#include "fcgi/remote/remote.h"

static void append_condition(struct text *text, const char *tag, const char *value)
{
	text_printf(text, "%s=", tag);
	remote_append_quoted(text, value, '\'');
}

static void append_process(struct text *text, const char *process)
{
	char stored[LINE_PROTOCOL_NAME_SIZE];
	line_protocol_encode(process, stored);
	append_condition(text, "process", stored);
}

static void append_from(struct text *text, const struct query *query)
{
	const char *separator = " FROM ";
	for (int i = 0; i < HALF_COUNT; i++) {
		if (!store_wants(query, (enum half)i))
			continue;
		text_printf(text, "%s%s", separator, sample_measurement(query->metric, (enum half)i));
		separator = ", ";
	}
}

/* The series first … end of query->only, if there are any. */
static void append_only(struct text *text, const struct query *query, size_t first, size_t end)
{
	if (first == end)
		return;
	text_append_string(text, " AND (");
	for (size_t i = first; i < end; i++) {
		text_append_string(text, i == first ? "(" : " OR (");
		append_process(text, query->only[i].process);
		if (query->only[i].ip) {
			text_append_string(text, " AND ");
			append_condition(text, "ip", query->only[i].ip);
		}
		text_append_char(text, ')');
	}
	text_append_char(text, ')');
}

static void append_where(struct text *text, const struct query *query, size_t first, size_t end, bool usable)
{
	text_printf(text, " WHERE time > %lldms AND time <= %lldms", (long long)query->from_ms, (long long)query->to_ms);
	if (usable)
		text_printf(text, " AND value >= 0 AND value <= %.0f", WIRE_VALUE_MAX);
	if (query->ip) {
		text_append_string(text, " AND ");
		append_condition(text, "ip", query->ip);
	}
	if (query->process) {
		text_append_string(text, " AND ");
		append_process(text, query->process);
	}
	append_only(text, query, first, end);
}

static void append_group(struct text *text, bool by_host)
{
	text_append_string(text, by_host ? " GROUP BY process, ip" : " GROUP BY process");
}

void influxql_append_mean(struct text *text, const struct query *query, size_t first, size_t end, bool usable)
{
	text_append_string(text, query->without_maximum ? "SELECT mean(value)" : "SELECT mean(value), max(value)");
	append_from(text, query);
	append_where(text, query, first, end, usable);
	append_group(text, query->by_host);
}

void influxql_append_newest(struct text *text, const struct query *query, size_t first, size_t end, bool usable)
{
	text_append_string(text, "SELECT last(value)");
	append_from(text, query);
	append_where(text, query, first, end, usable);
	append_group(text, true);
}

void influxql_append_history(struct text *text, const struct query *query, size_t first, size_t end, bool usable)
{
	const char *value = !query->step_ms ? "value" : query->aggregate == AGGREGATE_MAX ? "max(value)" : "mean(value)";
	text_printf(text, "SELECT %s FROM %s", value, sample_measurement(query->metric, query->half));
	append_where(text, query, first, end, usable);
	/* Without steps the hosts stay apart: their order is to be known. */
	append_group(text, query->by_host || !query->step_ms);
	if (query->step_ms)
		text_printf(text, ", time(%lldms) fill(none)", (long long)query->step_ms);
}
