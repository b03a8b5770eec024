/*
 * InfluxDB 2.x: /api/v2/write, and Flux over /api/v2/query with its answers in
 * annotated CSV.
 *
 * docs.influxdata.com/influxdb/v2/api and docs.influxdata.com/flux. What decides the
 * queries: an aggregate right behind range() and filter() is computed by the storage,
 * series by series; group() before it makes one table of all hosts, where each sample
 * weighs the same. A chain of `or` in a filter may be only so long, see ONLY_A_QUERY.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "fcgi/remote/assembly.h"
#include "fcgi/remote/flux_csv.h"
#include "fcgi/remote/line_protocol.h"
#include "fcgi/remote/remote.h"
#include "fcgi/remote/retention.h"

enum {
	ONLY_A_QUERY = 50, /* series that one filter names; 200 are "nested too deep" */
	ONLY_MAX = 500,    /* beyond it all are read, and most dropped here */
};

struct store {
	struct remote *remote;
	char *url, *org, *bucket;
	char *write_url, *query_url;
	struct retention retention;
};

/* ---- set-up ---- */

/* A request of the API with JSON on both sides; the answer is to be deleted. */
static int call(struct store *store, const char *method, const char *path, const char *const parameters[],
                const struct text *body, cJSON **ret_answer)
{
	char words[REMOTE_WORDS_SIZE];
	struct text answer = TEXT_EMPTY;
	char *url = remote_url(store->url, path, parameters);
	const struct http_message message = {
		.method = method, .url = url, .body = body ? body->data : NULL, .body_length = body ? body->length : 0,
	};
	int result = url && !(body && text_failed(body)) ? 0 : -ENOMEM;
	if (result == 0)
		result = remote_send(store->remote, REMOTE_SET_UP, &message, &answer, words);
	if (result == 0) {
		*ret_answer = cJSON_Parse(answer.length ? answer.data : "");
		result = *ret_answer ? 0 : -EBADMSG;
	}
	text_free(&answer);
	free(url);
	return result;
}

/* The first object of a list in an answer; NULL: it is empty. */
static const cJSON *first_of(const cJSON *answer, const char *list)
{
	return cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(answer, list), 0);
}

static const char *string_of(const cJSON *object, const char *name)
{
	const char *string = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
	return string ? string : "";
}

static void append_rules(struct text *body, const struct store *store)
{
	text_printf(body, "\"retentionRules\": [{\"type\": \"expire\", \"everySeconds\": %lld}]}",
	            (long long)store->retention.wanted_s);
}

static int create_bucket(struct store *store)
{
	struct text body = TEXT_EMPTY;
	cJSON *orgs = NULL, *bucket = NULL;
	int result = call(store, "GET", "/api/v2/orgs", (const char *const[]){ "org", store->org, NULL }, NULL, &orgs);
	if (result == 0 && !first_of(orgs, "orgs"))
		result = -ENOENT;
	if (result == 0) {
		text_append_string(&body, "{\"orgID\": ");
		json_append_string(&body, string_of(first_of(orgs, "orgs"), "id"));
		text_append_string(&body, ", \"name\": ");
		json_append_string(&body, store->bucket);
		text_append_string(&body, ", ");
		append_rules(&body, store);
		result = call(store, "POST", "/api/v2/buckets", (const char *const[]){ NULL }, &body, &bucket);
	}
	if (result == 0)
		log_info("store influxdb2: bucket %s was created", store->bucket);
	cJSON_Delete(orgs);
	cJSON_Delete(bucket);
	text_free(&body);
	return result;
}

/* How long a bucket keeps samples, seconds; 0: for ever. */
static int64_t retention_s_of(const cJSON *bucket)
{
	const cJSON *rule = first_of(bucket, "retentionRules");
	const cJSON *seconds = cJSON_GetObjectItemCaseSensitive(rule, "everySeconds");
	return cJSON_IsNumber(seconds) ? (int64_t)seconds->valuedouble : 0;
}

static int change_retention(struct store *store, const cJSON *bucket)
{
	char path[128];
	struct text body = TEXT_EMPTY;
	cJSON *changed = NULL;
	snprintf(path, sizeof(path), "/api/v2/buckets/%s", string_of(bucket, "id"));
	text_append_char(&body, '{');
	append_rules(&body, store);
	int result = call(store, "PATCH", path, (const char *const[]){ NULL }, &body, &changed);
	if (result == 0)
		log_info("store influxdb2: the retention of bucket %s is now %lld s", store->bucket,
		         (long long)store->retention.wanted_s);
	cJSON_Delete(changed);
	text_free(&body);
	return result;
}

static int check_retention(struct store *store, const cJSON *bucket)
{
	char holder[256];
	int64_t engine_s = retention_s_of(bucket);
	int result = 0;
	snprintf(holder, sizeof(holder), "influxdb2: bucket %s", store->bucket);
	if (retention_is_to_change(&store->retention, holder, engine_s)) {
		result = change_retention(store, bucket);
		engine_s = result ? engine_s : store->retention.wanted_s;
	}
	retention_set(&store->retention, engine_s);
	return result;
}

static int influxdb2_set_up(struct store *store)
{
	cJSON *buckets = NULL;
	int result = call(store, "GET", "/api/v2/buckets",
	                  (const char *const[]){ "org", store->org, "name", store->bucket, NULL }, NULL, &buckets);
	const cJSON *bucket = result == 0 ? first_of(buckets, "buckets") : NULL;
	if (bucket)
		result = check_retention(store, bucket);
	else if (result == 0 || result == -ENOENT)
		result = create_bucket(store);
	cJSON_Delete(buckets);
	return result;
}

/* ---- asking ---- */

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

/* Begins `data`: the samples of the query, of the resources it wants. */
static void append_data(struct text *text, const struct store *store, const struct query *query)
{
	char start[CLOCK_RFC3339_SIZE], stop[CLOCK_RFC3339_SIZE];
	/* Flux has its start inside the range and its stop outside. */
	clock_format_rfc3339(query->from_ms < 0 ? 0 : query->from_ms + 1, start);
	clock_format_rfc3339(query->to_ms < 0 ? 1 : query->to_ms + 1, stop);
	text_append_string(text, "data = from(bucket: ");
	append_string(text, store->bucket);
	text_printf(text, ") |> range(start: %s, stop: %s) |> filter(fn: (r) => (", start, stop);
	const char *separator = "";
	for (int i = 0; i < RESOURCE_COUNT; i++) {
		if (query->unwanted[i])
			continue;
		text_append_string(text, separator);
		append_equal(text, "_measurement", sample_measurement(query->metric, (enum resource)i));
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
}

/* The series first … end of query->only, as one more filter. */
static void append_only(struct text *text, const struct query *query, size_t first, size_t end)
{
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

/* What takes the rows of an answer. */
struct taker {
	struct assembly answer;
	struct text query;
	enum resource resource; /* where the rows do not say it */
};

static const char *const wanted_columns[] = { "result", "_measurement", "ip", "process", "_time", "_value", NULL };
enum { COLUMN_RESULT, COLUMN_MEASUREMENT, COLUMN_IP, COLUMN_PROCESS, COLUMN_TIME, COLUMN_VALUE };

/* Reads digits; -1 where there are none. */
static int digits(const char *text, int count)
{
	int number = 0;
	for (int i = 0; i < count; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		number = number * 10 + (text[i] - '0');
	}
	return number;
}

/* "2026-11-22T14:22:03.702646366Z" to milliseconds; 0 for no time. */
static int64_t parse_time_ms(const char *text)
{
	if (strlen(text) < strlen("2026-11-22T14:22:03Z"))
		return 0;
	struct tm time = {
		.tm_year = digits(text, 4) - 1900,
		.tm_mon = digits(text + 5, 2) - 1,
		.tm_mday = digits(text + 8, 2),
		.tm_hour = digits(text + 11, 2),
		.tm_min = digits(text + 14, 2),
		.tm_sec = digits(text + 17, 2),
	};
	int64_t ms = 0;
	const char *at = text + 19;
	if (*at == '.') {
		int scale = 100;
		for (at++; *at >= '0' && *at <= '9'; at++, scale /= 10)
			ms += (*at - '0') * scale;
	}
	return (int64_t)timegm(&time) * 1000 + ms;
}

/* The results of a query are named for the columns they fill. */
static const struct {
	const char *result;
	enum assembly_column column;
} results[] = {
	{ "value", ASSEMBLY_VALUE }, { "maximum", ASSEMBLY_MAXIMUM },
};

static int take_row(void *user, const char *const values[])
{
	struct taker *taker = user;
	enum resource resource = taker->resource;
	for (int i = 0; i < RESOURCE_COUNT; i++) {
		if (strcmp(values[COLUMN_MEASUREMENT], sample_measurement(taker->answer.query->metric, (enum resource)i)) == 0)
			resource = (enum resource)i;
	}
	if (!values[COLUMN_PROCESS][0] || !values[COLUMN_VALUE][0])
		return 0;
	int result = assembly_series(&taker->answer, values[COLUMN_IP], values[COLUMN_PROCESS]);
	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]) && result == 0; i++) {
		if (strcmp(values[COLUMN_RESULT], results[i].result) == 0)
			result = assembly_fact(&taker->answer, resource, results[i].column, parse_time_ms(values[COLUMN_TIME]),
			                     strtod(values[COLUMN_VALUE], NULL));
	}
	return result;
}

/* Runs the taker's query, which it empties. Flux refuses an empty window. */
static int ask(struct store *store, struct taker *taker)
{
	const struct query *query = taker->answer.query;
	struct flux_csv csv;
	if (query->to_ms <= query->from_ms || query->to_ms < 0)
		return 0;
	struct text body = TEXT_EMPTY;
	char words[REMOTE_WORDS_SIZE] = "";
	flux_csv_open(&csv, wanted_columns, take_row, taker);
	text_append_string(&body, "{\"type\": \"flux\", \"dialect\": {\"header\": true, \"annotations\": "
	                          "[\"datatype\", \"group\", \"default\"]}, \"query\": ");
	json_append_string(&body, text_failed(&taker->query) ? "" : taker->query.data);
	text_append_char(&body, '}');
	const struct http_message message = {
		.method = "POST",
		.url = store->query_url,
		.body = body.data,
		.body_length = body.length,
		.accept = "application/csv",
		.sink = flux_csv_feed,
		.sink_user = &csv,
	};
	int result = text_failed(&body) || text_failed(&taker->query) ? -ENOMEM : 0;
	if (result == 0)
		result = remote_send(store->remote, REMOTE_READ, &message, NULL, words);
	if (result == 0)
		result = flux_csv_end(&csv);
	if (result == -EREMOTEIO || result == -EBADMSG) {
		remote_note(store->remote, REMOTE_READ, -EIO, csv.error[0] ? csv.error : "the answer is not understood");
		result = -EIO;
	}
	flux_csv_close(&csv);
	text_free(&body);
	text_reset(&taker->query);
	return result;
}

static void taker_close(struct taker *taker)
{
	assembly_close(&taker->answer);
	text_free(&taker->query);
}

/* ---- reading ---- */

static int influxdb2_mean(struct store *store, const struct query *query, struct store_rows *ret_rows)
{
	struct taker taker = { .query = TEXT_EMPTY };
	struct text *text = &taker.query;
	const char *group = query->by_host ? "" : " |> group(columns: [\"_measurement\", \"process\"])";
	const char *keep = query->by_host ? "[\"_measurement\", \"process\", \"ip\", \"_value\"]"
	                                  : "[\"_measurement\", \"process\", \"_value\"]";
	append_data(text, store, query);
	/* In the end one table: each costs the engine as much as many rows. */
	text_printf(text, "%s\ndata |> mean() |> group() |> keep(columns: %s) |> yield(name: \"value\")\n", group, keep);
	if (!query->without_maximum)
		text_printf(text, "data |> max() |> group() |> keep(columns: %s) |> yield(name: \"maximum\")\n", keep);
	int result = assembly_open(&taker.answer, query, ASSEMBLY_ROWS);
	if (result == 0)
		result = ask(store, &taker);
	if (result == 0)
		result = assembly_rows(&taker.answer, ret_rows);
	taker_close(&taker);
	return result;
}

static int read_newest(struct store *store, const struct query *query, struct taker *taker)
{
	append_data(&taker->query, store, query);
	text_append_string(&taker->query,
	                   "\ndata |> last() |> group() |> keep(columns: [\"_measurement\", \"process\", \"ip\", \"_time\", \"_value\"])"
	                   " |> yield(name: \"value\")\n");
	int result = assembly_open(&taker->answer, query, ASSEMBLY_NEWEST);
	return result ? result : ask(store, taker);
}

static int influxdb2_latest(struct store *store, const struct query *query, struct store_rows *ret_rows)
{
	struct taker taker = { .query = TEXT_EMPTY };
	int result = read_newest(store, query, &taker);
	if (result == 0)
		result = assembly_rows(&taker.answer, ret_rows);
	taker_close(&taker);
	return result;
}

static int influxdb2_hosts(struct store *store, int64_t from_ms, struct store_hosts *ret_hosts)
{
	const struct query query = { .metric = METRIC_USAGE, .from_ms = from_ms, .to_ms = STORE_LATEST_MS };
	struct taker taker = { .query = TEXT_EMPTY };
	int result = read_newest(store, &query, &taker);
	if (result == 0)
		result = assembly_hosts(&taker.answer, ret_hosts);
	taker_close(&taker);
	return result;
}

/* One query of a history, behind its data. A step's start is cut where the range begins:
 * it lies in the right step in any case. */
static void append_history(struct text *text, const struct query *query)
{
	if (!query->by_host)
		text_append_string(text, " |> group(columns: [\"process\"])");
	if (query->step_ms)
		text_printf(text, " |> aggregateWindow(every: %lldms, fn: %s, createEmpty: false, timeSrc: \"_start\")",
		            (long long)query->step_ms, query->aggregate == AGGREGATE_MAX ? "max" : "mean");
	text_printf(text, "\ndata |> keep(columns: [\"process\", %s\"_time\", \"_value\"]) |> yield(name: \"value\")\n",
	            query->by_host ? "\"ip\", " : "");
}

static int influxdb2_history(struct store *store, const struct query *query, struct store_history *ret_history)
{
	struct query one = *query;
	for (int i = 0; i < RESOURCE_COUNT; i++)
		one.unwanted[i] = i != (int)query->resource;
	struct taker taker = { .query = TEXT_EMPTY, .resource = query->resource };
	bool named = query->only && query->only_count <= ONLY_MAX;
	size_t end = named ? query->only_count : 1;
	int result = assembly_open(&taker.answer, query, ASSEMBLY_HISTORY);
	for (size_t first = 0; first < end && result == 0; first += ONLY_A_QUERY) {
		append_data(&taker.query, store, &one);
		if (named)
			append_only(&taker.query, query, first, end - first < ONLY_A_QUERY ? end : first + ONLY_A_QUERY);
		append_history(&taker.query, query);
		result = ask(store, &taker);
	}
	if (result == 0)
		result = assembly_history(&taker.answer, ret_history);
	taker_close(&taker);
	return result;
}

/* ---- the table ---- */

static int influxdb2_check_config(const struct config *config, struct text *ret_error)
{
	return remote_check_url("influxdb2.url", config->influxdb2.url, ret_error);
}

static void influxdb2_close(struct store *store)
{
	if (!store)
		return;
	remote_close(store->remote);
	free(store->url);
	free(store->org);
	free(store->bucket);
	free(store->write_url);
	free(store->query_url);
	free(store);
}

static int influxdb2_open(const struct config *config, struct store **ret_store)
{
	struct store *store = calloc(1, sizeof(*store));
	if (!store)
		return -ENOMEM;
	const char *org = config->influxdb2.org, *bucket = config->influxdb2.bucket;
	retention_init(&store->retention, config);
	store->url = strdup(config->influxdb2.url);
	store->org = strdup(org);
	store->bucket = strdup(bucket);
	store->write_url = remote_url(config->influxdb2.url, "/api/v2/write",
	                              (const char *const[]){ "org", org, "bucket", bucket, "precision", "ms", NULL });
	store->query_url = remote_url(config->influxdb2.url, "/api/v2/query", (const char *const[]){ "org", org, NULL });
	const struct remote_identity identity = { .token_scheme = "Token", .token_file = config->influxdb2.token_file };
	bool complete = store->url && store->org && store->bucket && store->write_url && store->query_url;
	int result = complete ? remote_open("influxdb2", config, &identity, &store->remote) : -ENOMEM;
	if (result == 0)
		result = remote_start(store->remote, influxdb2_set_up, store);
	if (result)
		influxdb2_close(store);
	else
		*ret_store = store;
	return result;
}

static int influxdb2_append(struct store *store, const struct batch *const batches[], size_t count, int64_t now_ms,
                            char ret_refusal[static STORE_REFUSAL_SIZE])
{
	(void)now_ms;
	return remote_append(store->remote, store->write_url, batches, count, ret_refusal);
}

static int64_t influxdb2_retention(struct store *store)
{
	return retention_ms(&store->retention);
}

static int influxdb2_health(struct store *store)
{
	return remote_health(store->remote);
}

const struct store_ops store_influxdb2 = {
	.name = "influxdb2",
	.appends = REMOTE_APPENDS,
	.check_config = influxdb2_check_config,
	.open = influxdb2_open,
	.close = influxdb2_close,
	.append = influxdb2_append,
	.mean = influxdb2_mean,
	.history = influxdb2_history,
	.latest = influxdb2_latest,
	.hosts = influxdb2_hosts,
	.retention = influxdb2_retention,
	.health = influxdb2_health,
};
