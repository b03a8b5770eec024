/*
 * InfluxDB 2.x: /api/v2/write, and Flux (flux.h) over /api/v2/query with its answers in
 * annotated CSV (flux_csv.h).
 *
 * docs.influxdata.com/influxdb/v2/api.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/url.h"
#include "fcgi/remote/assembly.h"
#include "fcgi/remote/flux.h"
#include "fcgi/remote/flux_csv.h"
#include "fcgi/remote/influxdb2_bucket.h"
#include "fcgi/remote/influxdb_version.h"
#include "fcgi/remote/remote.h"
#include "fcgi/remote/retention.h"

enum { ONLY_MAX = 500 }; /* series that are named; beyond it all are read, and most dropped here */

struct store {
	struct remote *remote;
	char *write_url, *query_url;
	struct influxdb2_bucket bucket;
};

/* ---- answers ---- */

/* What takes the rows of an answer. */
struct taker {
	struct assembly answer;
	struct text query;
	enum half half; /* where the rows do not say it */
};

static const char *const wanted_columns[] = { "result", "_measurement", "ip", "process", "_time", "_value", NULL };
enum { COLUMN_RESULT, COLUMN_MEASUREMENT, COLUMN_IP, COLUMN_PROCESS, COLUMN_TIME, COLUMN_VALUE };

/* "2026-11-22T14:22:03.702646366Z" to milliseconds; 0 for no time. */
static int64_t parse_time_ms(const char *text)
{
	int64_t time_ms = 0;
	(void)clock_parse_rfc3339(text, &time_ms);
	return time_ms;
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
	enum half half = taker->half;
	const char *measurement = values[COLUMN_MEASUREMENT];
	(void)assembly_find_half(&taker->answer, measurement, strlen(measurement), &half);
	if (!values[COLUMN_PROCESS][0] || !values[COLUMN_VALUE][0])
		return 0;
	int result = assembly_series(&taker->answer, values[COLUMN_IP], values[COLUMN_PROCESS]);
	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]) && result == 0; i++) {
		if (strcmp(values[COLUMN_RESULT], results[i].result) == 0)
			result = assembly_fact(&taker->answer, half, results[i].column, (double)parse_time_ms(values[COLUMN_TIME]),
			                     strtod(values[COLUMN_VALUE], NULL));
	}
	return result;
}

/* Of no bucket, for a token that may see none, too. */
#define PROBE "{\"type\": \"flux\", \"query\": \"buckets() |> limit(n: 1)\"}"

/* ---- reading ---- */

/* Runs the taker's query, which it empties. Flux refuses an empty window. */
static int ask(struct store *store, struct taker *taker)
{
	const struct query *query = taker->answer.query;
	struct flux_csv csv;
	if (query->to_ms <= query->from_ms || query->to_ms < 0 || assembly_is_of_nothing(&taker->answer))
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
		.sink_end = flux_csv_end,
		.sink_user = &csv,
	};
	int result = text_failed(&body) || text_failed(&taker->query) ? -ENOMEM : 0;
	if (result == 0)
		result = remote_send(store->remote, REMOTE_READ, &message, NULL, words);
	if (result == -EREMOTEIO || result == -EBADMSG)
		result = remote_answer_failed(store->remote, REMOTE_READ, csv.error);
	else if (result == -EINVAL)
		result = assembly_refused(&taker->answer, words);
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

/* Asks for all of an answer, part by part where it is of series that are named. */
static int ask_all(struct store *store, const struct query *query, enum assembly_kind kind, struct taker *ret_taker)
{
	static void (*const append[])(struct text *, const char *, const struct query *, size_t, size_t) = {
		[ASSEMBLY_ROWS] = flux_append_mean, [ASSEMBLY_NEWEST] = flux_append_newest, [ASSEMBLY_HISTORY] = flux_append_history,
	};
	bool named = query->only && query->only_count <= ONLY_MAX;
	size_t count = named ? query->only_count : 1;
	*ret_taker = (struct taker){ .query = TEXT_EMPTY, .half = query->half };
	int result = assembly_open(&ret_taker->answer, "influxdb2", query, kind);
	for (size_t first = 0; first < count && result == 0; first += FLUX_ONLY_A_QUERY) {
		size_t end = count - first < FLUX_ONLY_A_QUERY ? count : first + FLUX_ONLY_A_QUERY;
		append[kind](&ret_taker->query, store->bucket.name, query, first, named ? end : first);
		result = ask(store, ret_taker);
	}
	return result;
}

static int influxdb2_mean(struct store *store, const struct query *query, struct store_rows *ret_rows)
{
	struct taker taker;
	int result = ask_all(store, query, ASSEMBLY_ROWS, &taker);
	if (result == 0)
		result = assembly_rows(&taker.answer, ret_rows);
	taker_close(&taker);
	return result;
}

static int influxdb2_latest(struct store *store, const struct query *query, struct store_rows *ret_rows)
{
	struct taker taker;
	int result = ask_all(store, query, ASSEMBLY_NEWEST, &taker);
	if (result == 0)
		result = assembly_rows(&taker.answer, ret_rows);
	taker_close(&taker);
	return result;
}

static int influxdb2_hosts(struct store *store, int64_t from_ms, int64_t to_ms, struct store_hosts *ret_hosts)
{
	const struct query query = { .metric = METRIC_USAGE, .from_ms = from_ms, .to_ms = to_ms };
	struct taker taker;
	int result = ask_all(store, &query, ASSEMBLY_NEWEST, &taker);
	if (result == 0)
		result = assembly_hosts(&taker.answer, ret_hosts);
	taker_close(&taker);
	return result;
}

static int influxdb2_history(struct store *store, const struct query *query, struct store_history *ret_history)
{
	struct taker taker;
	int result = ask_all(store, query, ASSEMBLY_HISTORY, &taker);
	if (result == 0)
		result = assembly_history(&taker.answer, ret_history);
	taker_close(&taker);
	return result;
}

/* ---- the table ---- */

static int influxdb2_check_config(const struct config *config, struct text *ret_error)
{
	return url_check("influxdb2.url", config->influxdb2.url, ret_error);
}

static int influxdb2_set_up(struct store *store)
{
	char version[INFLUXDB_VERSION_SIZE], words[REMOTE_WORDS_SIZE];
	int result = influxdb2_bucket_set_up(&store->bucket, store->remote);
	if (result != -ENOENT || !influxdb_is_3(store->remote, store->bucket.url, version))
		return result;
	snprintf(words, sizeof(words), "this is InfluxDB %s, which takes the writes of version 2 and answers none of its reads: "
	         "store = influxdb3 is for it", version);
	(void)remote_answer_failed(store->remote, REMOTE_SET_UP, words);
	return -EPROTONOSUPPORT; /* told also where writes fail already */
}

static void influxdb2_close(struct store *store)
{
	if (!store)
		return;
	remote_close(store->remote);
	free(store->write_url);
	free(store->query_url);
	influxdb2_bucket_free(&store->bucket);
	free(store);
}

static int influxdb2_open(const struct config *config, struct store **ret_store)
{
	struct store *store = calloc(1, sizeof(*store));
	if (!store)
		return -ENOMEM;
	const char *org = config->influxdb2.org, *bucket = config->influxdb2.bucket;
	int result = influxdb2_bucket_init(&store->bucket, config);
	store->write_url = remote_url(config->influxdb2.url, "/api/v2/write",
	                              (const char *const[]){ "org", org, "bucket", bucket, "precision", "ms", NULL });
	store->query_url = remote_url(config->influxdb2.url, "/api/v2/query", (const char *const[]){ "org", org, NULL });
	if (!store->write_url || !store->query_url)
		result = -ENOMEM;
	const struct remote_identity identity = { .token_scheme = "Token", .token_file = config->influxdb2.token_file };
	if (result == 0)
		result = remote_open("influxdb2", config, &identity, &store->remote);
	const struct http_message probe = {
		.method = "POST", .url = store->query_url, .body = PROBE, .body_length = sizeof(PROBE) - 1, .accept = "application/csv",
	};
	if (result == 0)
		result = remote_start(store->remote, influxdb2_set_up, &probe, store);
	if (result)
		influxdb2_close(store);
	else
		*ret_store = store;
	return result;
}

static int influxdb2_append(struct store *store, const struct batch *const batches[], size_t count, struct moment now,
                            char ret_refusal[static STORE_REFUSAL_SIZE])
{
	(void)now;
	return remote_append(store->remote, store->write_url, batches, count, ret_refusal);
}

static int64_t influxdb2_retention(struct store *store)
{
	return retention_ms(&store->bucket.retention);
}

static int influxdb2_health(struct store *store)
{
	return remote_health(store->remote);
}

const struct store_ops store_influxdb2 = {
	.name = "influxdb2",
	.appends = REMOTE_APPENDS,
	.slow = true,
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
