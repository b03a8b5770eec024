/*
 * VictoriaMetrics, single or cluster: InfluxDB's line protocol to /write, MetricsQL
 * over /api/v1, raw samples from /api/v1/export.
 *
 * docs.victoriametrics.com. Its names for what line protocol brings are
 * <measurement>_<field>. What decides the queries:
 *   - m[w] at t takes the samples of (t − w, t];
 *   - its answers are held back and cached unless `nocache` and `latency_offset` say
 *     otherwise, and which series a filter finds is remembered for ten seconds, however
 *     new a process is: each second's filters are different ones, see append_selector();
 *   - over the last 30 seconds of a range whose step is under a minute it repeats older
 *     points (adjustLastPoints, -search.latencyOffset), unless the range goes on after now;
 *   - samples of one series and time are all kept, unless -dedup.minScrapeInterval is set;
 *   - a query finds at most -search.maxUniqueTimeseries series.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "fcgi/remote/assembly.h"
#include "fcgi/remote/line_protocol.h"
#include "fcgi/remote/pieces.h"
#include "fcgi/remote/remote.h"

enum {
	RESULT_DEPTH = 4,   /* of a series in the answer to a query */
	EXPORT_DEPTH = 1,   /* of one in an export, a document a line */
	ONLY_MAX = 500,     /* series that are named in a query; beyond it all are read, and most dropped here */
	STEPS_A_QUERY = 10000, /* buckets; the engine gives at most 30,000 */
	MINUTE_MS = 60000,
	RECENT_MS = 300000, /* where hosts are looked for first */
	DAY_MS = 86400000,
};

struct store {
	struct remote *remote;
	char *write_url, *ping_url, *query_url, *range_url, *export_url, *labels_url, *flags_url;
	int64_t retention_ms;
	double warned_days;  /* of the engine's retention; 0: not yet */
	bool warned_doubles; /* of the lack of -dedup.minScrapeInterval */
};

/* ---- set-up ---- */

/* The value of a flag in the text of /flags, "-name="value"" a line; "" where it is not set. */
static void find_flag(const char *flags, const char *name, char ret_value[static 64])
{
	char start[64];
	snprintf(start, sizeof(start), "-%s=\"", name);
	const char *at = strstr(flags, start);
	ret_value[0] = '\0';
	if (at)
		sscanf(at + strlen(start), "%63[^\"]", ret_value);
}

/* A duration as VictoriaMetrics writes it, in days: a bare number means months. */
static double parse_days(const char *text)
{
	static const struct {
		char unit;
		double days;
	} units[] = { { 'h', 1 / 24.0 }, { 'd', 1 }, { 'w', 7 }, { 'y', 365 } };
	char *end;
	double number = strtod(text, &end);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (*end == units[i].unit)
			return number * units[i].days;
	}
	return number * 31;
}

static void check_flags(struct store *store, const char *flags)
{
	char retention[64], dedup[64];
	find_flag(flags, "retentionPeriod", retention);
	find_flag(flags, "dedup.minScrapeInterval", dedup);
	double days = parse_days(retention[0] ? retention : "1"), wanted = (double)store->retention_ms / DAY_MS;
	if (days != wanted && days != store->warned_days) {
		store->warned_days = days;
		log_warning("store victoriametrics: it keeps samples for %g days, not %g as server.retention says: start it "
		            "with -retentionPeriod=%gd", days, wanted, wanted);
	}
	if ((!dedup[0] || strtod(dedup, NULL) == 0) && !store->warned_doubles) {
		store->warned_doubles = true;
		log_warning("store victoriametrics: it counts a sample that is written again twice: start it with "
		            "-dedup.minScrapeInterval=1ms");
	}
}

static int victoriametrics_set_up(struct store *store)
{
	char words[REMOTE_WORDS_SIZE];
	struct text body = TEXT_EMPTY;
	const struct http_message write = { .method = "POST", .url = store->write_url, .body = "" };
	const struct http_message read = { .method = "GET", .url = store->ping_url };
	const struct http_message flags = { .method = "GET", .url = store->flags_url };
	int result = remote_send(store->remote, REMOTE_SET_UP, &write, NULL, words);
	if (result == 0)
		result = remote_send(store->remote, REMOTE_SET_UP, &read, NULL, words);
	/* A cluster's flags are on its storage nodes, which are not seen from here. */
	if (result == 0 && remote_send(store->remote, REMOTE_SET_UP, &flags, &body, words) == 0 && body.length)
		check_flags(store, body.data);
	text_free(&body);
	return result;
}

/* ---- asking ---- */

/* What takes the series of an answer. */
struct taker {
	struct assembly answer;
	enum resource resource;
	enum assembly_column column; /* where the series does not say it */
	int64_t end_ms; /* of a range: later points were not asked for; 0: of no range */
	int (*take)(struct taker *taker, const cJSON *series);
	struct text missing; /* hosts(): addresses, each with its NUL */
};

static int take_piece(void *user, const cJSON *object)
{
	struct taker *taker = user;
	return cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(object, "metric")) ? taker->take(taker, object) : 0;
}

static const char *label_of(const cJSON *series, const char *name)
{
	const cJSON *metric = cJSON_GetObjectItemCaseSensitive(series, "metric");
	const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(metric, name));
	return value ? value : "";
}

static struct http_message form_message(const char *url, const struct text *form)
{
	return (struct http_message){
		.method = "POST",
		.url = url,
		.body = form->data,
		.body_length = form->length,
		.content_type = "application/x-www-form-urlencoded",
	};
}

/* Asks, and gives the series of the answer to the taker. -E2BIG when the engine says that
 * it is more than it reads for one query. */
static int ask(struct store *store, const char *url, const struct text *form, struct taker *taker)
{
	char words[REMOTE_WORDS_SIZE];
	struct pieces pieces = {
		.depth = url == store->export_url ? EXPORT_DEPTH : RESULT_DEPTH, .take_piece = take_piece, .user = taker,
	};
	struct http_message message = form_message(url, form);
	message.sink = pieces_feed;
	message.sink_user = &pieces;
	int result = text_failed(form) ? -ENOMEM : remote_send(store->remote, REMOTE_READ, &message, NULL, words);
	if (result == -EINVAL && strstr(words, "exceed"))
		result = -E2BIG;
	if (result == 0)
		result = pieces_end(&pieces);
	if (result == -EBADMSG) {
		remote_note(store->remote, REMOTE_READ, -EIO, "the answer is not understood");
		result = -EIO;
	}
	pieces_free(&pieces);
	return result;
}

/* ---- selectors ---- */

/* A string in double quotes. */
static void append_string(struct text *text, const char *string)
{
	text_append_char(text, '"');
	for (const char *at = string; *at; at++) {
		if (*at == '"' || *at == '\\')
			text_append_char(text, '\\');
		text_append_char(text, *at);
	}
	text_append_char(text, '"');
}

static void append_stored_string(struct text *text, const char *process)
{
	char stored[LINE_PROTOCOL_NAME_SIZE];
	line_protocol_encode(process, stored);
	append_string(text, stored);
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

/*
 * The series of one resource that a query wants, "name{…}"; with `key` one of them. No
 * series has the label `vigie`: it is there for the engine not to take the series it
 * found a second ago for all there are.
 */
static void append_selector(struct text *text, const struct query *query, enum resource resource,
                            const struct series_key *key)
{
	text_printf(text, "%s_value{vigie!=\"%lld\"", sample_measurement(query->metric, resource),
	            (long long)(clock_wall_ms() / 1000));
	const char *ip = key && key->ip ? key->ip : query->ip;
	const char *process = key ? key->process : query->process;
	if (ip) {
		text_append_string(text, ",ip=");
		append_string(text, ip);
	}
	if (process) {
		text_append_string(text, ",process=");
		append_stored_string(text, process);
	} else if (query->only && query->only_count <= ONLY_MAX) {
		/* The names alone: the answer drops what is of another host. */
		text_append_string(text, ",process=~\"");
		for (size_t i = 0; i < query->only_count; i++) {
			char stored[LINE_PROTOCOL_NAME_SIZE];
			line_protocol_encode(query->only[i].process, stored);
			text_append_string(text, i ? "|" : "");
			append_pattern(text, stored);
		}
		text_append_char(text, '"');
	}
	text_append_char(text, '}');
}

static void begin_form(struct text *form)
{
	text_reset(form);
	text_append_string(form, "nocache=1&latency_offset=1ms");
}

static void append_parameter(struct text *form, const char *name, const struct text *value)
{
	text_printf(form, "&%s=", name);
	http_append_escaped(form, text_failed(value) ? "" : value->data);
	form->failed = form->failed || text_failed(value);
}

static void append_time(struct text *form, const char *name, int64_t time_ms)
{
	text_printf(form, "&%s=", name);
	json_append_seconds(form, time_ms);
}

/* ---- means ---- */

/* Of two rollups that are had in one go the engine says which is which in the label `rollup`. */
static const char sums_and_counts[] = "(\"sum_over_time\", \"count_over_time\"), ";

static void append_expression(struct text *text, const struct query *query, enum resource resource, bool maximum,
                              int64_t window_ms)
{
	const char *by = query->by_host ? "ip, process" : "process";
	if (maximum)
		text_printf(text, "max by (%s) (max_over_time(", by);
	else
		text_printf(text, "sum by (%s, rollup) (aggr_over_time(%s", by, sums_and_counts);
	append_selector(text, query, resource, NULL);
	text_printf(text, "[%lldms]))", (long long)window_ms);
}

/* Takes [time in seconds, "value"]. */
static int take_pair(struct taker *taker, enum assembly_column column, const cJSON *pair)
{
	const cJSON *time = cJSON_GetArrayItem(pair, 0);
	const char *value = cJSON_GetStringValue(cJSON_GetArrayItem(pair, 1));
	if (!cJSON_IsNumber(time) || !value)
		return 0;
	return assembly_fact(&taker->answer, taker->resource, column, (int64_t)(time->valuedouble * 1000 + 0.5),
	                   strtod(value, NULL));
}

/* A series of an instant query, or of a range. */
static int take_result(struct taker *taker, const cJSON *series)
{
	const char *rollup = label_of(series, "rollup");
	enum assembly_column column = strcmp(rollup, "sum_over_time") == 0 ? ASSEMBLY_SUM :
	                            strcmp(rollup, "count_over_time") == 0 ? ASSEMBLY_COUNT : taker->column;
	if (!label_of(series, "process")[0])
		return 0;
	int result = assembly_series(&taker->answer, label_of(series, "ip"), label_of(series, "process"));
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(series, "value"), *pair;
	if (value && result == 0)
		result = take_pair(taker, column, value);
	const cJSON *values = cJSON_GetObjectItemCaseSensitive(series, "values");
	for (pair = values ? values->child : NULL; pair && result == 0; pair = pair->next) {
		const cJSON *time = pair->child;
		if (!taker->end_ms || (cJSON_IsNumber(time) && time->valuedouble * 1000 < (double)taker->end_ms))
			result = take_pair(taker, column, pair);
	}
	return result;
}

/* One number for each series: over (end − window, end]. */
static int ask_instant(struct store *store, struct taker *taker, bool maximum, int64_t end_ms, int64_t window_ms)
{
	struct text form = TEXT_EMPTY, expression = TEXT_EMPTY;
	int result = 0;
	if (window_ms > 0) {
		begin_form(&form);
		append_expression(&expression, taker->answer.query, taker->resource, maximum, window_ms);
		append_parameter(&form, "query", &expression);
		append_time(&form, "time", end_ms);
		result = ask(store, store->query_url, &form, taker);
	}
	text_free(&form);
	text_free(&expression);
	return result;
}

static int victoriametrics_mean(struct store *store, const struct query *query, struct store_rows *ret_rows)
{
	struct taker taker = { .take = take_result, .column = ASSEMBLY_MAXIMUM };
	int result = assembly_open(&taker.answer, query, ASSEMBLY_ROWS);
	for (int i = 0; i < RESOURCE_COUNT && result == 0; i++) {
		if (query->unwanted[i])
			continue;
		taker.resource = (enum resource)i;
		result = ask_instant(store, &taker, false, query->to_ms, query->to_ms - query->from_ms);
		if (result == 0 && !query->without_maximum)
			result = ask_instant(store, &taker, true, query->to_ms, query->to_ms - query->from_ms);
	}
	if (result == 0)
		result = assembly_rows(&taker.answer, ret_rows);
	assembly_close(&taker.answer);
	return result;
}

/* ---- raw samples ---- */

/* {"metric": {…}, "values": [v, …], "timestamps": [ms, …]} */
static int take_export(struct taker *taker, const cJSON *series)
{
	const struct query *query = taker->answer.query;
	const char *name = label_of(series, "__name__");
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(series, "values");
	const cJSON *time = cJSON_GetObjectItemCaseSensitive(series, "timestamps");
	for (int i = 0; i < RESOURCE_COUNT; i++) {
		const char *measurement = sample_measurement(query->metric, (enum resource)i);
		if (strncmp(name, measurement, strlen(measurement)) == 0)
			taker->resource = (enum resource)i;
	}
	if (!label_of(series, "process")[0] || !value || !time)
		return 0;
	int result = assembly_series(&taker->answer, label_of(series, "ip"), label_of(series, "process"));
	time = time->child;
	for (value = value->child; value && time && result == 0; value = value->next, time = time->next) {
		if (cJSON_IsNumber(value) && cJSON_IsNumber(time))
			result = assembly_fact(&taker->answer, taker->resource, ASSEMBLY_VALUE, (int64_t)time->valuedouble,
			                     value->valuedouble);
	}
	return result;
}

/* All samples of the query's window. */
static int ask_export(struct store *store, struct taker *taker)
{
	const struct query *query = taker->answer.query;
	struct text form = TEXT_EMPTY, selector = TEXT_EMPTY;
	int64_t first_ms = query->from_ms < 0 ? 0 : query->from_ms + 1;
	if (first_ms > query->to_ms)
		return 0;
	begin_form(&form);
	bool named = query->only && query->only_count <= ONLY_MAX && !query->process;
	for (int i = 0; i < RESOURCE_COUNT; i++) {
		size_t count = named ? query->only_count : 1;
		for (size_t j = 0; j < count && !query->unwanted[i]; j++) {
			text_reset(&selector);
			append_selector(&selector, query, (enum resource)i, named ? &query->only[j] : NULL);
			append_parameter(&form, "match[]", &selector);
		}
	}
	append_time(&form, "start", first_ms);
	append_time(&form, "end", query->to_ms);
	taker->take = take_export;
	int result = ask(store, store->export_url, &form, taker);
	text_free(&form);
	text_free(&selector);
	return result;
}

/* The newest samples are few, over three intervals: of them the answer keeps the last. */
static int victoriametrics_latest(struct store *store, const struct query *query, struct store_rows *ret_rows)
{
	struct taker taker = { 0 };
	int result = assembly_open(&taker.answer, query, ASSEMBLY_NEWEST);
	if (result == 0)
		result = ask_export(store, &taker);
	if (result == 0)
		result = assembly_rows(&taker.answer, ret_rows);
	assembly_close(&taker.answer);
	return result;
}

/* ---- histories ---- */

/* Buckets that lie in the window as a whole: the one that begins at first_ms and the
 * steps − 1 after it, each asked for at its last millisecond. */
static int ask_range(struct store *store, struct taker *taker, bool maximum, int64_t first_ms, int64_t steps)
{
	const struct query *query = taker->answer.query;
	struct text form = TEXT_EMPTY, expression = TEXT_EMPTY;
	taker->end_ms = first_ms + steps * query->step_ms;
	if (query->step_ms < MINUTE_MS && taker->end_ms > clock_wall_ms() - MINUTE_MS)
		steps += MINUTE_MS / query->step_ms + 3; /* it goes on until after now, by its clock as well */
	append_expression(&expression, query, taker->resource, maximum, query->step_ms);
	begin_form(&form);
	append_parameter(&form, "query", &expression);
	append_time(&form, "start", first_ms + query->step_ms - 1);
	append_time(&form, "end", first_ms + steps * query->step_ms - 1);
	append_time(&form, "step", query->step_ms);
	int result = ask(store, store->range_url, &form, taker);
	text_free(&form);
	text_free(&expression);
	return result;
}

/* The window in steps: what is left of its first bucket, whole ones, and what is left of
 * its last. */
static int ask_steps(struct store *store, struct taker *taker)
{
	const struct query *query = taker->answer.query;
	bool maximum = query->aggregate == AGGREGATE_MAX;
	int64_t step_ms = query->step_ms, from_ms = query->from_ms < -1 ? -1 : query->from_ms;
	int64_t first_ms = (from_ms + 1 + step_ms - 1) / step_ms * step_ms; /* of the whole buckets */
	int64_t end_ms = (query->to_ms + 1) / step_ms * step_ms;
	taker->take = take_result;
	taker->column = ASSEMBLY_VALUE;
	if (first_ms > end_ms) /* all of it in one bucket */
		return ask_instant(store, taker, maximum, query->to_ms, query->to_ms - from_ms);

	int result = ask_instant(store, taker, maximum, first_ms - 1, first_ms - 1 - from_ms);
	for (int64_t at_ms = first_ms; at_ms < end_ms && result == 0; at_ms += STEPS_A_QUERY * step_ms) {
		int64_t steps = (end_ms - at_ms) / step_ms;
		result = ask_range(store, taker, maximum, at_ms, steps < STEPS_A_QUERY ? steps : STEPS_A_QUERY);
	}
	if (result == 0)
		result = ask_instant(store, taker, maximum, query->to_ms, query->to_ms - (end_ms - 1));
	return result;
}

static int victoriametrics_history(struct store *store, const struct query *query, struct store_history *ret_history)
{
	struct query one = *query;
	for (int i = 0; i < RESOURCE_COUNT; i++)
		one.unwanted[i] = i != (int)query->resource;
	struct taker taker = { .resource = query->resource };
	bool empty = query->only && query->only_count == 0;
	int result = assembly_open(&taker.answer, &one, ASSEMBLY_HISTORY);
	if (result == 0 && !empty)
		result = query->step_ms ? ask_steps(store, &taker) : ask_export(store, &taker);
	if (result == 0)
		result = assembly_history(&taker.answer, ret_history);
	assembly_close(&taker.answer);
	return result;
}

/* ---- hosts ---- */

/* The value is the time of the newest sample, seconds. */
static int take_newest(struct taker *taker, const cJSON *series)
{
	const char *value = cJSON_GetStringValue(cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(series, "value"), 1));
	if (!value || !label_of(series, "ip")[0] || !label_of(series, "process")[0])
		return 0;
	int result = assembly_series(&taker->answer, label_of(series, "ip"), label_of(series, "process"));
	return result ? result : assembly_fact(&taker->answer, RESOURCE_MEM, ASSEMBLY_VALUE,
	                                     (int64_t)(strtod(value, NULL) * 1000 + 0.5), 0);
}

/* The newest samples of each series after from_ms; of the hosts of taker->missing alone
 * where there are some. */
static int ask_newest(struct store *store, struct taker *taker, int64_t from_ms, int64_t now_ms)
{
	struct text form = TEXT_EMPTY, expression = TEXT_EMPTY;
	int result = 0;
	for (int i = 0; i < RESOURCE_COUNT && result == 0; i++) {
		text_reset(&expression);
		text_printf(&expression, "tlast_over_time(%s_value{vigie!=\"%lld\"",
		            sample_measurement(METRIC_USAGE, (enum resource)i), (long long)(now_ms / 1000));
		const char *missing = taker->missing.data;
		for (size_t at = 0; at < taker->missing.length; at += strlen(missing + at) + 1) {
			text_append_string(&expression, at ? "|" : ",ip=~\"");
			append_pattern(&expression, missing + at);
		}
		text_append_string(&expression, taker->missing.length ? "\"" : "");
		/* The clock of a host may be ahead of ours. */
		text_printf(&expression, "}[%lldms])", (long long)(now_ms + DAY_MS - from_ms));
		begin_form(&form);
		append_parameter(&form, "query", &expression);
		append_time(&form, "time", now_ms + DAY_MS);
		result = ask(store, store->query_url, &form, taker);
	}
	text_free(&form);
	text_free(&expression);
	return result;
}

/* A host that has samples, and whether they were among the recent ones. */
struct known {
	const char *ip;
	bool recent;
};

static int compare_known(const void *left, const void *right)
{
	return strcmp(((const struct known *)left)->ip, ((const struct known *)right)->ip);
}

/* Appends to taker->missing the addresses of `data`, strings, of which the answer has no series. */
static int find_missing(struct taker *taker, const cJSON *data)
{
	size_t count = 0;
	struct known *hosts = malloc(((size_t)cJSON_GetArraySize(data) + 1) * sizeof(*hosts));
	const cJSON *ip;
	if (!hosts)
		return -ENOMEM;
	cJSON_ArrayForEach(ip, data) {
		if (cJSON_IsString(ip) && ip->valuestring[0])
			hosts[count++].ip = ip->valuestring;
	}
	qsort(hosts, count, sizeof(*hosts), compare_known);
	for (size_t i = 0; i < count; i++)
		hosts[i].recent = false;
	for (size_t i = 0; i < taker->answer.series_count; i++) {
		const struct known key = { .ip = assembly_ip(&taker->answer, i) };
		struct known *host = bsearch(&key, hosts, count, sizeof(*hosts), compare_known);
		if (host)
			host->recent = true;
	}
	for (size_t i = 0; i < count; i++) {
		if (!hosts[i].recent)
			text_append(&taker->missing, hosts[i].ip, strlen(hosts[i].ip) + 1);
	}
	free(hosts);
	return text_failed(&taker->missing) ? -ENOMEM : 0;
}

/* Asks for all addresses since from_ms, to within a day, and finds the missing ones. */
static int ask_missing(struct store *store, struct taker *taker, int64_t from_ms, int64_t now_ms)
{
	char words[REMOTE_WORDS_SIZE];
	struct text form = TEXT_EMPTY, body = TEXT_EMPTY;
	begin_form(&form);
	for (int i = 0; i < RESOURCE_COUNT; i++)
		text_printf(&form, "&match[]=%s_value", sample_measurement(METRIC_USAGE, (enum resource)i));
	append_time(&form, "start", from_ms < 0 ? 0 : from_ms);
	append_time(&form, "end", now_ms + DAY_MS);
	const struct http_message message = form_message(store->labels_url, &form);
	int result = text_failed(&form) ? -ENOMEM : remote_send(store->remote, REMOTE_READ, &message, &body, words);
	if (result == 0) {
		cJSON *tree = cJSON_ParseWithLength(body.data, body.length);
		result = find_missing(taker, cJSON_GetObjectItemCaseSensitive(tree, "data"));
		cJSON_Delete(tree);
	}
	text_free(&form);
	text_free(&body);
	return result;
}

/* Nearly all hosts are alive: days of samples are only read for those that are not. */
static int victoriametrics_hosts(struct store *store, int64_t from_ms, struct store_hosts *ret_hosts)
{
	int64_t now_ms = clock_wall_ms();
	const struct query query = { .metric = METRIC_USAGE, .from_ms = from_ms };
	struct taker taker = { .take = take_newest };
	int64_t recent_ms = now_ms - RECENT_MS > from_ms ? now_ms - RECENT_MS : from_ms;
	int result = assembly_open(&taker.answer, &query, ASSEMBLY_NEWEST);
	if (result == 0)
		result = ask_newest(store, &taker, recent_ms, now_ms);
	if (result == 0 && recent_ms > from_ms)
		result = ask_missing(store, &taker, from_ms, now_ms);
	if (result == 0 && taker.missing.length)
		result = ask_newest(store, &taker, from_ms, now_ms);
	if (result == 0)
		result = assembly_hosts(&taker.answer, ret_hosts);
	assembly_close(&taker.answer);
	text_free(&taker.missing);
	return result;
}

/* ---- the table ---- */

static int victoriametrics_check_config(const struct config *config, struct text *ret_error)
{
	int result = remote_check_url("victoriametrics.insert_url", config->victoriametrics.insert_url, ret_error);
	return result ? result : remote_check_url("victoriametrics.select_url", config->victoriametrics.select_url, ret_error);
}

static void victoriametrics_close(struct store *store)
{
	if (!store)
		return;
	remote_close(store->remote);
	free(store->write_url);
	free(store->ping_url);
	free(store->query_url);
	free(store->range_url);
	free(store->export_url);
	free(store->labels_url);
	free(store->flags_url);
	free(store);
}

static int victoriametrics_open(const struct config *config, struct store **ret_store)
{
	struct store *store = calloc(1, sizeof(*store));
	static const char *const no_parameters[] = { NULL };
	const char *select_url = config->victoriametrics.select_url;
	if (!store)
		return -ENOMEM;
	store->retention_ms = config->server.retention_ms;
	store->write_url = remote_url(config->victoriametrics.insert_url, "/write",
	                              (const char *const[]){ "precision", "ms", NULL });
	store->ping_url = remote_url(select_url, "/api/v1/query", (const char *const[]){ "query", "1", NULL });
	store->query_url = remote_url(select_url, "/api/v1/query", no_parameters);
	store->range_url = remote_url(select_url, "/api/v1/query_range", no_parameters);
	store->export_url = remote_url(select_url, "/api/v1/export", no_parameters);
	store->labels_url = remote_url(select_url, "/api/v1/label/ip/values", no_parameters);
	store->flags_url = remote_url(select_url, "/flags", no_parameters);
	bool complete = store->write_url && store->ping_url && store->query_url && store->range_url && store->export_url &&
	                store->labels_url && store->flags_url;
	const struct remote_identity identity = {
		.token_scheme = "Bearer",
		.token_file = config->victoriametrics.token_file,
		.user = config->victoriametrics.user,
		.password_file = config->victoriametrics.password_file,
	};
	int result = complete ? remote_open("victoriametrics", config, &identity, &store->remote) : -ENOMEM;
	if (result == 0)
		result = remote_start(store->remote, victoriametrics_set_up, store);
	if (result)
		victoriametrics_close(store);
	else
		*ret_store = store;
	return result;
}

static int victoriametrics_append(struct store *store, const struct batch *const batches[], size_t count,
                                  int64_t now_ms, char ret_refusal[static STORE_REFUSAL_SIZE])
{
	(void)now_ms;
	return remote_append(store->remote, store->write_url, batches, count, ret_refusal);
}

static int64_t victoriametrics_retention(struct store *store)
{
	return store->retention_ms;
}

static int victoriametrics_health(struct store *store)
{
	return remote_health(store->remote);
}

const struct store_ops store_victoriametrics = {
	.name = "victoriametrics",
	.appends = REMOTE_APPENDS,
	.check_config = victoriametrics_check_config,
	.open = victoriametrics_open,
	.close = victoriametrics_close,
	.append = victoriametrics_append,
	.mean = victoriametrics_mean,
	.history = victoriametrics_history,
	.latest = victoriametrics_latest,
	.hosts = victoriametrics_hosts,
	.retention = victoriametrics_retention,
	.health = victoriametrics_health,
};
