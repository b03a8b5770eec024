/*
 * InfluxDB 1.x: /write, and InfluxQL (influxql.h) over /query with its answers in JSON,
 * chunked, so that a long series comes in pieces.
 *
 * docs.influxdata.com/influxdb/v1/tools/api. An answer is
 *   {"results": [{"series": [{"name": measurement, "tags": {…}, "columns": […],
 *   "values": [[time, value, …], …]}], "error": …}]}
 * a document a chunk, one after the other; an error of a statement comes with status 200.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/url.h"
#include "fcgi/remote/assembly.h"
#include "fcgi/remote/influxql.h"
#include "fcgi/remote/pieces.h"
#include "fcgi/remote/remote.h"
#include "fcgi/remote/retention.h"

enum {
	SERIES_DEPTH = 5,      /* of a series in an answer */
	ONLY_A_STATEMENT = 50, /* series that one statement names */
	ONLY_MAX = 1000,       /* beyond it all are read, and most dropped here */
};

struct store {
	struct remote *remote;
	char *write_url, *query_url;
	char *database; /* escaped for use in double quotes */
	struct retention retention;
};

/* ---- asking ---- */

/* Who takes what an answer holds. */
struct reader {
	pieces_take *take_series;
	void *user;
	char error[REMOTE_WORDS_SIZE]; /* of a statement */
};

static int take_series(void *user, const cJSON *object)
{
	struct reader *reader = user;
	bool is_series = cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(object, "values")); /* a message has none */
	return is_series ? reader->take_series(reader->user, object) : 0;
}

static int take_frame(void *user, const cJSON *frame)
{
	struct reader *reader = user;
	const cJSON *error = cJSON_GetObjectItemCaseSensitive(frame, "error");
	const cJSON *result;
	cJSON_ArrayForEach(result, cJSON_GetObjectItemCaseSensitive(frame, "results")) {
		if (!error)
			error = cJSON_GetObjectItemCaseSensitive(result, "error");
	}
	if (!cJSON_IsString(error))
		return 0;
	snprintf(reader->error, sizeof(reader->error), "%s", error->valuestring);
	return -EREMOTEIO;
}

/* Runs statements. 0, a failure of remote_send() or of take_series, -EBADMSG, which of a read is the caller's to tell,
 * or, with the engine's words in `ret_error`, -EREMOTEIO and of a read what remote_query_failed() says. */
static int ask(struct store *store, enum remote_purpose purpose, const struct text *statements, pieces_take *take,
               void *user, char ret_error[static REMOTE_WORDS_SIZE])
{
	struct reader reader = { .take_series = take, .user = user };
	struct pieces pieces = {
		.depth = SERIES_DEPTH, .take_piece = take_series, .take_frame = take_frame, .user = &reader,
	};
	struct text form = TEXT_EMPTY;
	text_append_string(&form, "chunked=true&epoch=ms&q=");
	http_append_escaped(&form, text_failed(statements) ? "" : statements->data);
	struct http_message message = remote_form(store->query_url, &form);
	message.accept = "application/json";
	message.sink = pieces_feed;
	message.sink_user = &pieces;
	int result = text_failed(&form) || text_failed(statements) ? -ENOMEM : 0;
	if (result == 0)
		result = remote_send(store->remote, purpose, &message, NULL, ret_error);
	if (result == 0)
		result = pieces_end(&pieces);
	if (result == -EREMOTEIO || result == -EBADMSG) {
		snprintf(ret_error, REMOTE_WORDS_SIZE, "%s", reader.error);
		if (result == -EREMOTEIO && purpose == REMOTE_READ)
			result = remote_query_failed(store->remote, reader.error);
		else if (purpose != REMOTE_READ)
			(void)remote_answer_failed(store->remote, purpose, reader.error);
	}
	pieces_free(&pieces);
	text_free(&form);
	return result;
}

/* ---- set-up ---- */

struct policy {
	bool found;
	char name[128];
	int64_t duration_s; /* 0: for ever */
};

/* Reads Go's "48h0m0s". */
static int64_t parse_duration_s(const char *text)
{
	double hours = 0, minutes = 0, seconds = 0;
	if (sscanf(text, "%lfh%lfm%lfs", &hours, &minutes, &seconds) < 1 || !strchr(text, 'h'))
		return 0;
	double all = hours * 3600 + minutes * 60 + seconds;
	return all >= 0 && all <= (double)STORE_LATEST_MS / 1000 ? (int64_t)all : 0;
}

/* A row of SHOW RETENTION POLICIES: name, duration, …, and last whether it is the default. */
static int take_policies(void *user, const cJSON *series)
{
	struct policy *policy = user;
	const cJSON *row;
	cJSON_ArrayForEach(row, cJSON_GetObjectItemCaseSensitive(series, "values")) {
		const char *name = cJSON_GetStringValue(cJSON_GetArrayItem(row, 0));
		const char *duration = cJSON_GetStringValue(cJSON_GetArrayItem(row, 1));
		if (!name || !duration || !cJSON_IsTrue(cJSON_GetArrayItem(row, cJSON_GetArraySize(row) - 1)))
			continue;
		policy->found = true;
		snprintf(policy->name, sizeof(policy->name), "%s", name);
		policy->duration_s = parse_duration_s(duration);
	}
	return 0;
}

static int take_nothing(void *user, const cJSON *series)
{
	(void)user;
	(void)series;
	return 0;
}

static int create_database(struct store *store)
{
	char error[REMOTE_WORDS_SIZE];
	struct text statement = TEXT_EMPTY;
	text_printf(&statement, "CREATE DATABASE %s WITH DURATION %llds", store->database,
	            (long long)store->retention.wanted_s);
	int result = ask(store, REMOTE_SET_UP, &statement, take_nothing, NULL, error);
	if (result == 0)
		log_info("store influxql: database %s was created", store->database);
	text_free(&statement);
	return result;
}

static int change_retention(struct store *store, const struct policy *policy)
{
	char error[REMOTE_WORDS_SIZE];
	struct text statement = TEXT_EMPTY;
	text_append_string(&statement, "ALTER RETENTION POLICY ");
	remote_append_quoted(&statement, policy->name, '"');
	text_printf(&statement, " ON %s DURATION %llds", store->database, (long long)store->retention.wanted_s);
	int result = ask(store, REMOTE_SET_UP, &statement, take_nothing, NULL, error);
	if (result == 0)
		log_info("store influxql: the retention of %s is now %lld s", store->database,
		         (long long)store->retention.wanted_s);
	text_free(&statement);
	return result;
}

static int check_retention(struct store *store, const struct policy *policy)
{
	char holder[256];
	int64_t engine_s = policy->duration_s;
	int result = 0;
	snprintf(holder, sizeof(holder), "influxql: database %s", store->database);
	if (retention_is_to_change(&store->retention, holder, engine_s)) {
		result = change_retention(store, policy);
		engine_s = result ? engine_s : store->retention.wanted_s;
	}
	retention_set(&store->retention, engine_s);
	return result;
}

static int influxql_set_up(struct store *store)
{
	char error[REMOTE_WORDS_SIZE] = "";
	struct policy policy = { 0 };
	struct text statement = TEXT_EMPTY;
	text_printf(&statement, "SHOW RETENTION POLICIES ON %s", store->database);
	int result = ask(store, REMOTE_SET_UP, &statement, take_policies, &policy, error);
	text_free(&statement);
	if (result == -EREMOTEIO && strstr(error, "database not found"))
		return create_database(store);
	if (result == 0 && policy.found)
		result = check_retention(store, &policy);
	return result;
}

#define PROBE "q=SHOW+MEASUREMENTS+LIMIT+1"

/* ---- reading ---- */

/* What takes the series of an answer. */
struct taker {
	struct assembly answer;
	enum assembly_column columns[2]; /* of the values behind the time */
};

static int take_values(void *user, const cJSON *series)
{
	struct taker *taker = user;
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(series, "name"));
	const cJSON *tags = cJSON_GetObjectItemCaseSensitive(series, "tags");
	const char *ip = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(tags, "ip"));
	const char *process = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(tags, "process"));
	enum resource resource;
	if (!process || !process[0] || !name || !assembly_find_resource(&taker->answer, name, strlen(name), &resource))
		return 0;
	int result = assembly_series(&taker->answer, ip ? ip : "", process);
	const cJSON *row;
	for (row = cJSON_GetObjectItemCaseSensitive(series, "values")->child; row && result == 0; row = row->next) {
		const cJSON *time = row->child;
		const cJSON *value = cJSON_IsNumber(time) ? time->next : NULL;
		for (int i = 0; value && i < 2 && result == 0; i++, value = value->next) {
			if (cJSON_IsNumber(value))
				result = assembly_fact(&taker->answer, resource, taker->columns[i], time->valuedouble,
				                     value->valuedouble);
		}
	}
	return result;
}

typedef void append_statements(struct text *text, const struct query *query, bool usable);

static void append_histories(struct text *text, const struct query *query, bool usable)
{
	bool named = query->only && query->only_count <= ONLY_MAX;
	size_t count = named ? query->only_count : 1;
	for (size_t first = 0; first < count; first += ONLY_A_STATEMENT) {
		size_t end = count - first < ONLY_A_STATEMENT ? count : first + ONLY_A_STATEMENT;
		text_append_string(text, first ? "; " : "");
		influxql_append_history(text, query, first, named ? end : first, usable);
	}
}

/* Reads into the taker's answer, which is opened here. */
static int read_into(struct store *store, struct taker *taker, const struct query *query, enum assembly_kind kind,
                     append_statements *append)
{
	int result = -EBADMSG;
	/* Where the mean of what others have written is beyond all numbers, the answer ends there with words that
	 * are no JSON (1.6.7), whatever is behind it: the second time without such values. */
	for (int i = 0; i < 2 && result == -EBADMSG; i++) {
		char error[REMOTE_WORDS_SIZE] = "";
		struct text statements = TEXT_EMPTY;
		assembly_close(&taker->answer);
		append(&statements, query, i > 0);
		result = assembly_open(&taker->answer, "influxql", query, kind);
		if (result == 0 && statements.length && !assembly_is_of_nothing(&taker->answer))
			result = ask(store, REMOTE_READ, &statements, take_values, taker, error);
		if (result == -EINVAL)
			result = assembly_refused(&taker->answer, error);
		if (result == 0 && i > 0)
			taker->answer.left_out++;
		text_free(&statements);
	}
	return result == -EBADMSG ? remote_answer_failed(store->remote, REMOTE_READ, "") : result;
}

static int influxql_mean(struct store *store, const struct query *query, struct store_rows *ret_rows)
{
	struct taker taker = { .columns = { ASSEMBLY_VALUE, ASSEMBLY_MAXIMUM } };
	int result = read_into(store, &taker, query, ASSEMBLY_ROWS, influxql_append_mean);
	if (result == 0)
		result = assembly_rows(&taker.answer, ret_rows);
	assembly_close(&taker.answer);
	return result;
}

static int influxql_latest(struct store *store, const struct query *query, struct store_rows *ret_rows)
{
	struct taker taker = { 0 };
	int result = read_into(store, &taker, query, ASSEMBLY_NEWEST, influxql_append_newest);
	if (result == 0)
		result = assembly_rows(&taker.answer, ret_rows);
	assembly_close(&taker.answer);
	return result;
}

static int influxql_hosts(struct store *store, int64_t from_ms, int64_t to_ms, struct store_hosts *ret_hosts)
{
	const struct query query = { .metric = METRIC_USAGE, .from_ms = from_ms, .to_ms = to_ms };
	struct taker taker = { 0 };
	int result = read_into(store, &taker, &query, ASSEMBLY_NEWEST, influxql_append_newest);
	if (result == 0)
		result = assembly_hosts(&taker.answer, ret_hosts);
	assembly_close(&taker.answer);
	return result;
}

static int influxql_history(struct store *store, const struct query *query, struct store_history *ret_history)
{
	struct taker taker = { 0 };
	int result = read_into(store, &taker, query, ASSEMBLY_HISTORY, append_histories);
	if (result == 0)
		result = assembly_history(&taker.answer, ret_history);
	assembly_close(&taker.answer);
	return result;
}

/* ---- the table ---- */

static int influxql_check_config(const struct config *config, struct text *ret_error)
{
	return url_check("influxql.url", config->influxql.url, ret_error);
}

static void influxql_close(struct store *store)
{
	if (!store)
		return;
	remote_close(store->remote);
	free(store->write_url);
	free(store->query_url);
	free(store->database);
	free(store);
}

static int influxql_open(const struct config *config, struct store **ret_store)
{
	struct store *store = calloc(1, sizeof(*store));
	struct text database = TEXT_EMPTY;
	if (!store)
		return -ENOMEM;
	retention_init(&store->retention, config);
	remote_append_quoted(&database, config->influxql.database, '"');
	store->database = database.data;
	store->write_url = remote_url(config->influxql.url, "/write",
	                              (const char *const[]){ "db", config->influxql.database, "precision", "ms", NULL });
	store->query_url =
		remote_url(config->influxql.url, "/query", (const char *const[]){ "db", config->influxql.database, NULL });
	const struct remote_identity identity = {
		.user = config->influxql.user, .password_file = config->influxql.password_file,
	};
	int result = text_failed(&database) || !store->write_url || !store->query_url ? -ENOMEM : 0;
	if (result == 0)
		result = remote_open("influxql", config, &identity, &store->remote);
	const struct http_message probe = {
		.method = "POST", .url = store->query_url, .body = PROBE, .body_length = sizeof(PROBE) - 1,
		.content_type = "application/x-www-form-urlencoded",
	};
	if (result == 0)
		result = remote_start(store->remote, influxql_set_up, &probe, store);
	if (result)
		influxql_close(store);
	else
		*ret_store = store;
	return result;
}

static int influxql_append(struct store *store, const struct batch *const batches[], size_t count, struct moment now,
                           char ret_refusal[static STORE_REFUSAL_SIZE])
{
	(void)now;
	return remote_append(store->remote, store->write_url, batches, count, ret_refusal);
}

static int64_t influxql_retention(struct store *store)
{
	return retention_ms(&store->retention);
}

static int influxql_health(struct store *store)
{
	return remote_health(store->remote);
}

const struct store_ops store_influxql = {
	.name = "influxql",
	.appends = REMOTE_APPENDS,
	.check_config = influxql_check_config,
	.open = influxql_open,
	.close = influxql_close,
	.append = influxql_append,
	.mean = influxql_mean,
	.history = influxql_history,
	.latest = influxql_latest,
	.hosts = influxql_hosts,
	.retention = influxql_retention,
	.health = influxql_health,
};
