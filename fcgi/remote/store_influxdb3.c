/*
 * InfluxDB 3 Core: line protocol to /api/v3/write_lp, InfluxQL over /query (influxql_reads.h), which does not mind tables
 * that are not there yet, and its own words for databases.
 *
 * docs.influxdata.com/influxdb3/core/api, and what 3.6.0 was seen to do: a body is stored whole or not at all
 * (accept_partial=false) and acknowledged at the next flush of its log, each second by default; a database has its
 * retention from its making on, in the answer of system.databases of the database _internal alone; a query that would
 * read over --query-file-limit Parquet files of a table is refused.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/log.h"
#include "common/url.h"
#include "fcgi/remote/influxql_reads.h"
#include "fcgi/remote/remote.h"
#include "fcgi/remote/retention.h"

enum {
	NAMES_A_STATEMENT = 250, /* series: what a list costs grows with its square, what a query costs otherwise does not */
	NAMES_MAX = 500,         /* beyond it all are read, and most dropped here */
	HOSTS_WINDOW_MS = 24 * 3600 * 1000, /* a third of the files that a query may read, by default */
	APPENDS = 12, /* each takes a second by default: 1.2 million samples a second */
	DATABASE_NAME_MAX = 64,
	CHECK_MS = 60000,        /* how often it is looked whether the database still has its retention */
};

#define DATABASES "{\"db\": \"_internal\", \"q\": \"SELECT * FROM system.databases\", \"format\": \"json\"}"

#define FILE_LIMIT_ADVICE \
	"the window has more Parquet files than InfluxDB reads for a query: ask for a shorter one, or raise " \
	"--query-file-limit or --wal-snapshot-size of the server"

struct store {
	struct remote *remote;
	struct influxql_reads reads;
	char *write_url, *query_url, *sql_url, *database_url;
	char *database;
	struct retention retention;
	bool ends; /* the database was seen with a retention, or made with one */
	atomic_flag file_limit_said;
};

/* ---- set-up ---- */

/* Sends JSON to an address of the API. */
static int call(struct store *store, const char *method, const char *url, const struct text *body, struct text *ret_answer)
{
	char words[REMOTE_WORDS_SIZE];
	const struct http_message message = {
		.method = method, .url = url, .body = body->data, .body_length = body->length, .accept = "application/json",
	};
	return text_failed(body) ? -ENOMEM : remote_send(store->remote, REMOTE_SET_UP, &message, ret_answer, words);
}

/* Makes the database (POST) or changes it (PUT), with our retention. */
static int configure(struct store *store, const char *method)
{
	struct text body = TEXT_EMPTY;
	text_append_string(&body, "{\"db\": ");
	json_append_string(&body, store->database);
	text_printf(&body, ", \"retention_period\": \"%llds\"}", (long long)store->retention.wanted_s);
	int result = call(store, method, store->database_url, &body, NULL);
	text_free(&body);
	return result;
}

/* What the engine tells of our database, in the array of all; NULL: it is not there. (One that was deleted has another
 * name.) */
static const cJSON *find_database(const struct store *store, const cJSON *databases)
{
	const cJSON *database;
	cJSON_ArrayForEach(database, databases) {
		const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(database, "database_name"));
		if (name && strcmp(name, store->database) == 0)
			return database;
	}
	return NULL;
}

/* How long it keeps samples, seconds; 0: for ever. */
static int64_t retention_s_of(const cJSON *database)
{
	const cJSON *period = cJSON_GetObjectItemCaseSensitive(database, "retention_period_ns");
	/* What no database keeps is for ever. */
	bool usable = cJSON_IsNumber(period) && period->valuedouble >= 0 && period->valuedouble <= (double)STORE_LATEST_MS * 1e6;
	return usable ? (int64_t)(period->valuedouble / 1e9) : 0;
}

static int create_database(struct store *store)
{
	int result = configure(store, "POST");
	if (result == 0) {
		store->ends = true;
		retention_set(&store->retention, store->retention.wanted_s);
		log_info("store influxdb3: database %s was created", store->database);
	}
	return result;
}

static int check_retention(struct store *store, const cJSON *database)
{
	char holder[256];
	int64_t engine_s = retention_s_of(database);
	int result = 0;
	snprintf(holder, sizeof(holder), "influxdb3: database %s", store->database);
	/* One that had a retention and keeps for ever was deleted, and made anew by a write. */
	bool made_anew = store->ends && engine_s == 0;
	if (made_anew || retention_is_to_change(&store->retention, holder, engine_s)) {
		result = configure(store, "PUT");
		if (result == 0)
			log_info("store influxdb3: the retention of database %s is now %lld s", store->database,
			         (long long)store->retention.wanted_s);
		engine_s = result ? engine_s : store->retention.wanted_s;
	}
	if (result == 0) /* else it is tried again */
		store->ends = engine_s > 0;
	retention_set(&store->retention, engine_s);
	return result;
}

static int influxdb3_set_up(struct store *store)
{
	const struct text question = { .data = (char *)(uintptr_t)DATABASES, .length = sizeof(DATABASES) - 1 };
	struct text answer = TEXT_EMPTY;
	int result = call(store, "POST", store->sql_url, &question, &answer);
	cJSON *databases = NULL;
	if (result == 0)
		result = json_parse(answer.data, answer.length, &databases);
	const cJSON *database = find_database(store, databases);
	if (result == -EBADMSG || (result == 0 && !cJSON_IsArray(databases)))
		result = remote_answer_failed(store->remote, REMOTE_SET_UP, "");
	else if (result == 0)
		result = database ? check_retention(store, database) : create_database(store);
	cJSON_Delete(databases);
	text_free(&answer);
	return result;
}

/* ---- reading ---- */

/* The limit on files is told in words that say what can be done: to the reader, and once in the log. */
static int tell_file_limit(struct store *store, const struct query *query, int result)
{
	if (result != -EINVAL || !query->ret_refusal || !strstr(query->ret_refusal, "file limit"))
		return result;
	snprintf(query->ret_refusal, STORE_REFUSAL_SIZE, "%s", FILE_LIMIT_ADVICE);
	if (!atomic_flag_test_and_set(&store->file_limit_said))
		log_warning("store influxdb3: a query is refused: %s", FILE_LIMIT_ADVICE);
	return result;
}

static int influxdb3_mean(struct store *store, const struct query *query, struct store_rows *ret_rows)
{
	return tell_file_limit(store, query, influxql_read_mean(&store->reads, query, ret_rows));
}

static int influxdb3_history(struct store *store, const struct query *query, struct store_history *ret_history)
{
	return tell_file_limit(store, query, influxql_read_history(&store->reads, query, ret_history));
}

static int influxdb3_latest(struct store *store, const struct query *query, struct store_rows *ret_rows)
{
	return tell_file_limit(store, query, influxql_read_latest(&store->reads, query, ret_rows));
}

static int influxdb3_hosts(struct store *store, int64_t from_ms, int64_t to_ms, struct store_hosts *ret_hosts)
{
	return influxql_read_hosts(&store->reads, from_ms, to_ms, ret_hosts);
}

/* ---- the table ---- */

/* Others the engine refuses: "must be ASCII, containing only letters, numbers, underscores, or hyphens". */
static bool is_database_name(const char *name)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	size_t length = strlen(name);
	return length > 0 && length <= DATABASE_NAME_MAX && strchr(letters, name[0]) &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == length;
}

static int influxdb3_check_config(const struct config *config, struct text *ret_error)
{
	int result = url_check("influxdb3.url", config->influxdb3.url, ret_error);
	if (result == 0 && !is_database_name(config->influxdb3.database)) {
		text_printf(ret_error, "influxdb3.database: '%s' is none: up to %d letters, digits, - and _, a letter or a digit first",
		            config->influxdb3.database, DATABASE_NAME_MAX);
		result = -EINVAL;
	}
	return result;
}

static void influxdb3_close(struct store *store)
{
	if (!store)
		return;
	remote_close(store->remote);
	free(store->write_url);
	free(store->query_url);
	free(store->sql_url);
	free(store->database_url);
	free(store->database);
	free(store);
}

static int influxdb3_open(const struct config *config, struct store **ret_store)
{
	struct store *store = calloc(1, sizeof(*store));
	if (!store)
		return -ENOMEM;
	const char *url = config->influxdb3.url, *database = config->influxdb3.database;
	static const char *const none[] = { NULL };
	atomic_flag_clear(&store->file_limit_said);
	retention_init(&store->retention, config);
	store->database = strdup(database);
	store->write_url = remote_url(url, "/api/v3/write_lp", (const char *const[]){
		"db", database, "precision", "millisecond", "accept_partial", "false", NULL });
	store->query_url = remote_url(url, "/query", (const char *const[]){ "db", database, NULL });
	store->sql_url = remote_url(url, "/api/v3/query_sql", none);
	store->database_url = remote_url(url, "/api/v3/configure/database", none);
	bool complete = store->database && store->write_url && store->query_url && store->sql_url && store->database_url;
	int result = complete ? 0 : -ENOMEM;
	const struct remote_identity identity = { .token_scheme = "Bearer", .token_file = config->influxdb3.token_file };
	if (result == 0)
		result = remote_open("influxdb3", config, &identity, &store->remote);
	if (result == 0) {
		remote_expect_influxdb3(store->remote, CHECK_MS);
		store->reads = (struct influxql_reads){
			.engine = "influxdb3", .remote = store->remote, .query_url = store->query_url,
			.names_a_statement = NAMES_A_STATEMENT, .names_max = NAMES_MAX, .hosts_window_ms = HOSTS_WINDOW_MS,
		};
		const struct http_message probe = influxql_probe(store->query_url);
		result = remote_start(store->remote, influxdb3_set_up, &probe, store);
	}
	if (result)
		influxdb3_close(store);
	else
		*ret_store = store;
	return result;
}

static int influxdb3_append(struct store *store, const struct batch *const batches[], size_t count, struct moment now,
                            char ret_refusal[static STORE_REFUSAL_SIZE])
{
	(void)now;
	return remote_append(store->remote, store->write_url, batches, count, ret_refusal);
}

static int64_t influxdb3_retention(struct store *store)
{
	return retention_ms(&store->retention);
}

static int influxdb3_health(struct store *store)
{
	return remote_health(store->remote);
}

const struct store_ops store_influxdb3 = {
	.name = "influxdb3",
	.appends = APPENDS,
	.slow = true,
	.check_config = influxdb3_check_config,
	.open = influxdb3_open,
	.close = influxdb3_close,
	.append = influxdb3_append,
	.mean = influxdb3_mean,
	.history = influxdb3_history,
	.latest = influxdb3_latest,
	.hosts = influxdb3_hosts,
	.retention = influxdb3_retention,
	.health = influxdb3_health,
};
