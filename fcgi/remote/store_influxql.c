/*
 * InfluxDB 1.x: /write, and InfluxQL over /query (influxql_reads.h).
 *
 * docs.influxdata.com/influxdb/v1/tools/api.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/url.h"
#include "fcgi/remote/influxdb_version.h"
#include "fcgi/remote/influxql_reads.h"
#include "fcgi/remote/remote.h"
#include "fcgi/remote/retention.h"

enum {
	ONLY_A_STATEMENT = 50, /* series that one statement names */
	ONLY_MAX = 1000,       /* beyond it all are read, and most dropped here */
	CHECK_MS = 60000,      /* how often it is looked whether a database of InfluxDB 3 is still there */
};

struct store {
	struct remote *remote;
	struct influxql_reads reads;
	char *write_url, *query_url;
	char *url;
	char *database; /* escaped for use in double quotes */
	struct retention retention;
	bool named; /* the log has told which store is for InfluxDB 3 */
};

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
	int result = influxql_ask(&store->reads, REMOTE_SET_UP, &statement, take_nothing, NULL, error);
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
	int result = influxql_ask(&store->reads, REMOTE_SET_UP, &statement, take_nothing, NULL, error);
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

/* InfluxDB 3 answers these reads, but knows no statement about databases: with one that is there it goes on. */
static int set_up_over_influxdb3(struct store *store, const char *version)
{
	char words[REMOTE_WORDS_SIZE];
	struct text statement = TEXT_EMPTY;
	text_append_string(&statement, "SHOW MEASUREMENTS");
	int result = influxql_ask(&store->reads, REMOTE_SET_UP, &statement, take_nothing, NULL, words);
	text_free(&statement);
	if (result == -ENOENT) {
		snprintf(words, sizeof(words), "this is InfluxDB %s without the database %s, which store = influxdb3 makes", version,
		         store->database);
		(void)remote_answer_failed(store->remote, REMOTE_SET_UP, words);
		return -EPROTONOSUPPORT; /* told also where writes fail already */
	}
	remote_expect_influxdb3(store->remote, CHECK_MS);
	if (result == 0 && !store->named) {
		store->named = true;
		log_warning("store influxql: this is InfluxDB %s: store = influxdb3 is for it, and looks after the retention", version);
	}
	return result;
}

static int influxql_set_up(struct store *store)
{
	char error[REMOTE_WORDS_SIZE] = "", version[INFLUXDB_VERSION_SIZE];
	struct policy policy = { 0 };
	struct text statement = TEXT_EMPTY;
	text_printf(&statement, "SHOW RETENTION POLICIES ON %s", store->database);
	int result = influxql_ask(&store->reads, REMOTE_SET_UP, &statement, take_policies, &policy, error);
	text_free(&statement);
	if (result == -EREMOTEIO && strstr(error, "database not found"))
		return create_database(store);
	/* Version 3 closes the connection, or says that there is no database. */
	if ((result == -EIO || result == -ENOENT) && influxdb_is_3(store->remote, store->url, version))
		return set_up_over_influxdb3(store, version);
	if (result == 0 && policy.found)
		result = check_retention(store, &policy);
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
	free(store->url);
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
	store->url = strdup(config->influxql.url);
	store->write_url = remote_url(config->influxql.url, "/write",
	                              (const char *const[]){ "db", config->influxql.database, "precision", "ms", NULL });
	store->query_url =
		remote_url(config->influxql.url, "/query", (const char *const[]){ "db", config->influxql.database, NULL });
	const struct remote_identity identity = {
		.user = config->influxql.user, .password_file = config->influxql.password_file,
	};
	int result = text_failed(&database) || !store->url || !store->write_url || !store->query_url ? -ENOMEM : 0;
	if (result == 0)
		result = remote_open("influxql", config, &identity, &store->remote);
	store->reads = (struct influxql_reads){
		.engine = "influxql", .remote = store->remote, .query_url = store->query_url,
		.names_a_statement = ONLY_A_STATEMENT, .names_max = ONLY_MAX,
	};
	const struct http_message probe = influxql_probe(store->query_url);
	if (result == 0)
		result = remote_start(store->remote, influxql_set_up, &probe, store);
	if (result)
		influxql_close(store);
	else
		*ret_store = store;
	return result;
}

static int influxql_mean(struct store *store, const struct query *query, struct store_rows *ret_rows)
{
	return influxql_read_mean(&store->reads, query, ret_rows);
}

static int influxql_history(struct store *store, const struct query *query, struct store_history *ret_history)
{
	return influxql_read_history(&store->reads, query, ret_history);
}

static int influxql_latest(struct store *store, const struct query *query, struct store_rows *ret_rows)
{
	return influxql_read_latest(&store->reads, query, ret_rows);
}

static int influxql_hosts(struct store *store, int64_t from_ms, int64_t to_ms, struct store_hosts *ret_hosts)
{
	return influxql_read_hosts(&store->reads, from_ms, to_ms, ret_hosts);
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
	.slow = true,
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
