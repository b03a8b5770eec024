#include "fcgi/remote/flux.h"

#include "common/clock.h"
#include "fcgi/remote/line_protocol.h"

/* A string of Flux: quotes, backslashes and the dollar of ${…} are escaped. */
static void append_string(struct text *text, const char *string)
{
	text_append_char(text, '"');
	for (const char *at = string; *at; at++) {
		if (*at == '$') {
			text_append_string(text, "\\x24");
			continue;
		}
		if (*at == '"' || *at == '\\')
			text_append_char(text, '\\');
		text_append_char(text, *at);
	}
	text_append_char(text, '"');
}

static void append_equal(struct text *text, const char *column, const char *value)
{
	text_printf(text, "r.%s == ", column);
	append_string(text, value);
}

static void append_process(struct text *text, const char *process)
{
	char stored[LINE_PROTOCOL_NAME_SIZE];
	line_protocol_encode(process, stored);
	append_equal(text, "process", stored);
}

/* The series first … end of query->only, as one more filter, if there are any. */
static void append_only(struct text *text, const struct query *query, size_t first, size_t end)
{
	if (first == end)
		return;
	text_append_string(text, " |> filter(fn: (r) => ");
	for (size_t i = first; i < end; i++) {
		text_append_string(text, i == first ? "(" : " or (");
		append_process(text, query->only[i].process);
		if (query->only[i].ip) {
			text_append_string(text, " and ");
			append_equal(text, "ip", query->only[i].ip);
		}
		text_append_char(text, ')');
	}
	text_append_char(text, ')');
}

/* Begins `data`: the samples of the query, of the halves it wants. */
static void append_data(struct text *text, const char *bucket, const struct query *query, size_t first, size_t end)
{
	char start[CLOCK_RFC3339_SIZE], stop[CLOCK_RFC3339_SIZE];
	/* Flux has its start inside the range and its stop outside. */
	clock_format_rfc3339(query->from_ms < 0 ? 0 : query->from_ms + 1, start);
	clock_format_rfc3339(query->to_ms < 0 ? 1 : query->to_ms + 1, stop);
	text_append_string(text, "data = from(bucket: ");
	append_string(text, bucket);
	text_printf(text, ") |> range(start: %s, stop: %s) |> filter(fn: (r) => (", start, stop);
	const char *separator = "";
	for (int i = 0; i < HALF_COUNT; i++) {
		if (!store_wants(query, (enum half)i))
			continue;
		text_append_string(text, separator);
		append_equal(text, "_measurement", sample_measurement(query->metric, (enum half)i));
		separator = " or ";
	}
	text_append_string(text, ") and r._field == \"value\"");
	if (query->ip) {
		text_append_string(text, " and ");
		append_equal(text, "ip", query->ip);
	}
	if (query->process) {
		text_append_string(text, " and ");
		append_process(text, query->process);
	}
	text_append_string(text, ")");
	append_only(text, query, first, end);
}

void flux_append_mean(struct text *text, const char *bucket, const struct query *query, size_t first, size_t end)
{
	const char *group = query->by_host ? "" : " |> group(columns: [\"_measurement\", \"process\"])";
	const char *keep = query->by_host ? "[\"_measurement\", \"process\", \"ip\", \"_value\"]"
	                                  : "[\"_measurement\", \"process\", \"_value\"]";
	append_data(text, bucket, query, first, end);
	/* In the end one table: each costs the engine as much as many rows. */
	text_printf(text, "%s\ndata |> mean() |> group() |> keep(columns: %s) |> yield(name: \"value\")\n", group, keep);
	if (!query->without_maximum)
		text_printf(text, "data |> max() |> group() |> keep(columns: %s) |> yield(name: \"maximum\")\n", keep);
}

void flux_append_newest(struct text *text, const char *bucket, const struct query *query, size_t first, size_t end)
{
	append_data(text, bucket, query, first, end);
	text_append_string(text,
	                   "\ndata |> last() |> group() |> keep(columns: [\"_measurement\", \"process\", \"ip\", \"_time\", \"_value\"])"
	                   " |> yield(name: \"value\")\n");
}

void flux_append_history(struct text *text, const char *bucket, const struct query *query, size_t first, size_t end)
{
	struct query one = *query;
	for (int i = 0; i < HALF_COUNT; i++)
		one.unwanted[i] = i != (int)query->half;
	append_data(text, bucket, &one, first, end);
	/* Without steps the hosts stay apart: their order is to be known. */
	bool by_host = query->by_host || !query->step_ms;
	if (!by_host)
		text_append_string(text, " |> group(columns: [\"process\"])");
	/* A step's start is cut where the range begins: it lies in the right step in any case. */
	if (query->step_ms)
		text_printf(text, " |> aggregateWindow(every: %lldms, fn: %s, createEmpty: false, timeSrc: \"_start\")",
		            (long long)query->step_ms, query->aggregate == AGGREGATE_MAX ? "max" : "mean");
	text_printf(text, "\ndata |> keep(columns: [\"process\", %s\"_time\", \"_value\"]) |> yield(name: \"value\")\n",
	            by_host ? "\"ip\", " : "");
}
