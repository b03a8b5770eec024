#include "fcgi/sqlite/names.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "fcgi/sqlite/dictionary.h"
#include "fcgi/sqlite/loading.h"
#include "fcgi/sqlite/schema.h"
#include "fcgi/sqlite/series_rows.h"

enum {
	SERIES_LAG_MS = 6 * 3600 * 1000, /* at most, and an eighth of the retention */
	HOST_LAG_MS = 600 * 1000,
	EXPIRE_SERIES = 64, /* numbers looked at in each append */
};

struct names {
	struct database *database;
	struct placement_limits limits;
	int64_t retention_ms;
	int64_t series_lag_ms, host_lag_ms; /* how far the tables' `seen` may lag */

	pthread_rwlock_t lock;
	struct dictionary dictionary;

	/* Of the thread that has the lock of hours.h: */
	struct series_rows put_series;
	sqlite3_stmt *put_host, *put_birth, *delete_host, *delete_series, *delete_birth;
	bool host_limited; /* a host was at its limit: said */
	bool full; /* it has as many series as it may: said */
	uint32_t expire_cursor; /* the series number that was last looked at */
	struct dictionary_series *expired[EXPIRE_SERIES]; /* in this transaction */
	size_t expired_count;
};

static int64_t minimum(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t maximum(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

int names_open(struct database *database, const struct config *config, int64_t latest_ms, struct names **ret_names)
{
	struct names *names = calloc(1, sizeof(*names));
	if (!names)
		return -ENOMEM;
	names->database = database;
	names->limits.series = config->server.max_series;
	names->limits.series_per_host = config->server.max_series_per_host;
	names->retention_ms = config->server.retention_ms;
	names->series_lag_ms = minimum(SERIES_LAG_MS, names->retention_ms / 8);
	names->host_lag_ms = minimum(HOST_LAG_MS, names->retention_ms / 8);
	/* Else readers that overlap keep the writer out. */
	pthread_rwlockattr_t attributes;
	pthread_rwlockattr_init(&attributes);
	pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&names->lock, &attributes);
	pthread_rwlockattr_destroy(&attributes);

	const struct database_statement statements[] = {
		{ &names->put_host, "INSERT OR REPLACE INTO host (id, ip, seen_ms) VALUES (?1, ?2, ?3)" },
		{ &names->delete_host, "DELETE FROM host WHERE id = ?1" },
		{ &names->delete_series, "DELETE FROM series WHERE id = ?1" },
		{ &names->put_birth, "INSERT OR REPLACE INTO state (name, value) VALUES ('born ' || ?1, ?2)" },
		{ &names->delete_birth, "DELETE FROM state WHERE name = 'born ' || ?1" },
	};
	int result = database_prepare(database, database->appending, statements, sizeof(statements) / sizeof(statements[0]));
	if (result == 0)
		result = series_rows_open(&names->put_series, database);
	if (result == 0)
		result = loading_run(database, &names->dictionary, names->host_lag_ms, latest_ms);
	if (result)
		names_close(names);
	else
		*ret_names = names;
	return result;
}

void names_close(struct names *names)
{
	if (!names)
		return;
	dictionary_free(&names->dictionary);
	pthread_rwlock_destroy(&names->lock);
	free(names);
}

/* ---- of any thread ---- */

int names_group(struct names *names, const struct query *query, bool ordered, struct grouping *ret_grouping)
{
	struct grouping grouping;
	pthread_rwlock_rdlock(&names->lock);
	int result = grouping_build(&names->dictionary, query, &grouping);
	if (result == 0 && ordered) {
		result = grouping_order(&names->dictionary, query, &grouping);
		if (result)
			grouping_free(&grouping);
	}
	pthread_rwlock_unlock(&names->lock);
	if (result == 0)
		*ret_grouping = grouping;
	return result;
}

/* Room for `count` hosts. */
static int open_hosts(size_t count, struct store_hosts *ret_hosts, uint32_t **ret_numbers)
{
	struct store_hosts hosts = {
		.items = calloc(count + 1, sizeof(*hosts.items)),
		.strings = malloc(count * WIRE_IP_SIZE + 1),
	};
	uint32_t *numbers = malloc((count + 1) * sizeof(*numbers));
	if (!hosts.items || !hosts.strings || !numbers) {
		store_hosts_free(&hosts);
		free(numbers);
		return -ENOMEM;
	}
	*ret_hosts = hosts;
	*ret_numbers = numbers;
	return 0;
}

int names_hosts(struct names *names, int64_t from_ms, struct store_hosts *ret_hosts, uint32_t **ret_numbers)
{
	const struct dictionary *dictionary = &names->dictionary;
	pthread_rwlock_rdlock(&names->lock);
	int result = open_hosts(dictionary->hosts.used, ret_hosts, ret_numbers);
	for (uint32_t i = 0; result == 0 && i < dictionary->hosts.end; i++) {
		const struct dictionary_host *host = dictionary_host_at(dictionary, i);
		if (!host || host->last_ms <= from_ms)
			continue;
		char *ip = ret_hosts->strings + ret_hosts->count * WIRE_IP_SIZE;
		memcpy(ip, host->ip, WIRE_IP_SIZE);
		(*ret_numbers)[ret_hosts->count] = host->number;
		ret_hosts->items[ret_hosts->count++] = (struct store_host){
			.ip = ip, .last_seen_ms = host->last_ms, .at_series_limit = host->at_limit,
		};
	}
	pthread_rwlock_unlock(&names->lock);
	return result;
}

bool names_find_ip(struct names *names, uint32_t number, char ret_ip[static WIRE_IP_SIZE])
{
	pthread_rwlock_rdlock(&names->lock);
	const struct dictionary_host *host = dictionary_host_at(&names->dictionary, number);
	if (host)
		memcpy(ret_ip, host->ip, WIRE_IP_SIZE);
	pthread_rwlock_unlock(&names->lock);
	return host;
}

/* ---- of the thread that has the appending connection and its lock ---- */

int names_place(struct names *names, const struct batch *const batches[], size_t count, struct placed placed[])
{
	pthread_rwlock_wrlock(&names->lock);
	int result = placement_place(&names->dictionary, &names->limits, batches, count, placed);
	bool full = names->dictionary.series.used >= names->limits.series;
	const struct dictionary_host *limited = dictionary_host_at(&names->dictionary, names->dictionary.limited);
	pthread_rwlock_unlock(&names->lock);
	if (limited && !names->host_limited)
		log_warning("store %s: host %s has as many process names as server.max_series_per_host (%lld) allows; a new one takes "
		            "the place of one that is gone, and counts as \"other\" where none is; \"hosts\" shows which hosts have",
		            names->database->path, limited->ip, (long long)names->limits.series_per_host);
	names->host_limited = names->host_limited || limited;
	if (full && !names->full)
		log_warning("store %s: it has as many series as server.max_series (%lld) allows; further process names count as "
		            "\"other\" of their hosts", names->database->path, (long long)names->limits.series);
	names->full = full;
	return result;
}

static int put_series(struct names *names, struct dictionary_series *series, int64_t time_ms)
{
	series->seen_ms = maximum(series->seen_ms, time_ms);
	series->stored = true;
	const struct series_row row = {
		.number = series->number, .host = series->key.host, .seen_ms = series->seen_ms,
		.process = dictionary_name_of(&names->dictionary, series)->text,
	};
	int code = series_rows_put(&names->put_series, &row);
	if (code != SQLITE_OK || series->born_ms == 0)
		return code;
	sqlite3_bind_int64(names->put_birth, 1, series->number);
	sqlite3_bind_int64(names->put_birth, 2, series->born_ms);
	return database_run(names->put_birth);
}

static int run_put_host(struct names *names, const struct dictionary_host *host, int64_t seen_ms)
{
	sqlite3_bind_int64(names->put_host, 1, host->number);
	sqlite3_bind_text(names->put_host, 2, host->ip, -1, SQLITE_STATIC);
	sqlite3_bind_int64(names->put_host, 3, seen_ms);
	return database_run(names->put_host);
}

static int put_host(struct names *names, struct dictionary_host *host, int64_t seen_ms)
{
	host->seen_ms = seen_ms;
	host->stored = true;
	return run_put_host(names, host, seen_ms);
}

/* The later of a host's newest sample and another one, of those that do not count as of a clock that is wrong. */
static int64_t later_of(int64_t last_ms, int64_t time_ms, int64_t latest_ms)
{
	return last_ms > latest_ms ? time_ms : maximum(last_ms, time_ms);
}

void names_keep(struct names *names)
{
	struct sqlite3 *connection = names->database->appending;
	if (!database_is_in_place(names->database, DATABASE_APPENDING))
		return;
	int code = sqlite3_exec(connection, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	for (uint32_t i = 0; code == SQLITE_OK && i < names->dictionary.hosts.end; i++) {
		struct dictionary_host *host = dictionary_host_at(&names->dictionary, i);
		if (host && host->stored && host->last_ms && host->seen_ms != host->last_ms)
			code = put_host(names, host, host->last_ms);
	}
	if (code == SQLITE_OK)
		code = schema_close(connection);
	if (code == SQLITE_OK)
		code = sqlite3_exec(connection, "COMMIT", NULL, NULL, NULL);
	if (code != SQLITE_OK) /* the next start looks for what is missing */
		sqlite3_exec(connection, "ROLLBACK", NULL, NULL, NULL);
}

/* Whether two samples are of one host, metric and time. */
static bool is_same_tick(const struct placed *before, const struct placed *placed)
{
	return before->key == placed->key && before->offset_ms == placed->offset_ms;
}

int names_write(struct names *names, const struct placed placed[], size_t count, int64_t latest_ms)
{
	int code = SQLITE_OK;
	series_rows_begin(&names->put_series);
	for (size_t i = 0; i < count && code == SQLITE_OK; i++) {
		struct dictionary_series *series = placed[i].series;
		if (i && series == placed[i - 1].series && is_same_tick(&placed[i - 1], &placed[i]))
			continue; /* its other half */
		struct dictionary_host *host = dictionary_host_of(&names->dictionary, series);
		int64_t time_ms = placed_time_ms(&placed[i]);
		if (!series->stored || time_ms > series->seen_ms + names->series_lag_ms)
			code = put_series(names, series, time_ms);
		bool counts = placement_metric(placed[i].key) == METRIC_USAGE && time_ms <= latest_ms;
		int64_t last_ms = counts ? later_of(host->last_ms, time_ms, latest_ms) : host->last_ms;
		bool lags = counts && (last_ms > host->seen_ms + names->host_lag_ms || host->seen_ms > latest_ms);
		if (code == SQLITE_OK && (!host->stored || lags))
			code = put_host(names, host, last_ms);
	}
	if (code == SQLITE_OK)
		code = series_rows_finish(&names->put_series);
	return database_result(names->database, code, names->database->appending, "write a name");
}

/* Whether the table lacks a host's newest sample, which is before `end_ms`. */
static bool lacks_newest(const struct dictionary_host *host, int64_t end_ms)
{
	return host && host->stored && host->last_ms && host->last_ms < end_ms && host->seen_ms != host->last_ms;
}

int names_seal(struct names *names, uint32_t number, int64_t end_ms)
{
	const struct dictionary_host *host = dictionary_host_at(&names->dictionary, number);
	if (!lacks_newest(host, end_ms))
		return 0;
	return database_result(names->database, run_put_host(names, host, host->last_ms), names->database->appending,
	                       "write a name");
}

void names_sealed(struct names *names, uint32_t number, int64_t end_ms)
{
	struct dictionary_host *host = dictionary_host_at(&names->dictionary, number);
	if (lacks_newest(host, end_ms))
		host->seen_ms = host->last_ms;
}

/* Whether no row within the retention can have the series' number any more. */
static bool is_expired(const struct names *names, const struct dictionary_series *series, int64_t reached_ms)
{
	return series->seen_ms + names->series_lag_ms + names->retention_ms + 2 * PLACEMENT_ROW_MS < reached_ms;
}

/* How many of a host's series have expired in this transaction. */
static uint32_t count_expired(const struct names *names, uint32_t host)
{
	uint32_t found = 0;
	for (size_t i = 0; i < names->expired_count; i++)
		found += names->expired[i]->key.host == host;
	return found;
}

int names_expire(struct names *names, int64_t reached_ms)
{
	const struct dictionary *dictionary = &names->dictionary;
	names->expired_count = 0;
	for (uint32_t i = 0; i < EXPIRE_SERIES && i < dictionary->series.end; i++) {
		names->expire_cursor = (names->expire_cursor + 1) % dictionary->series.end;
		struct dictionary_series *series = dictionary_series_at(dictionary, names->expire_cursor);
		if (!series || !is_expired(names, series, reached_ms))
			continue;
		names->expired[names->expired_count++] = series;
		const struct dictionary_host *host = dictionary_host_of(dictionary, series);
		sqlite3_bind_int64(names->delete_series, 1, series->number);
		int code = database_run(names->delete_series);
		if (code == SQLITE_OK && series->born_ms) {
			sqlite3_bind_int64(names->delete_birth, 1, series->number);
			code = database_run(names->delete_birth);
		}
		if (code == SQLITE_OK && host->series_count == count_expired(names, host->number)) {
			sqlite3_bind_int64(names->delete_host, 1, host->number);
			code = database_run(names->delete_host);
		}
		if (code != SQLITE_OK)
			return database_result(names->database, code, names->database->appending, "delete a name");
	}
	return 0;
}

static void note_last_times(struct dictionary *dictionary, const struct placed placed[], size_t count, int64_t latest_ms)
{
	for (size_t i = 0; i < count; i++) {
		if (i && is_same_tick(&placed[i - 1], &placed[i]))
			continue;
		struct dictionary_host *host = dictionary_host_of(dictionary, placed[i].series);
		int64_t time_ms = placed_time_ms(&placed[i]);
		if (placement_metric(placed[i].key) != METRIC_USAGE || time_ms > latest_ms)
			continue;
		if (host->last_ms && time_ms > host->last_ms)
			host->gap_ms = time_ms - host->last_ms;
		host->last_ms = later_of(host->last_ms, time_ms, latest_ms);
	}
}

static void drop_expired(struct dictionary *dictionary, struct dictionary_series *const expired[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct dictionary_host *host = dictionary_host_of(dictionary, expired[i]);
		dictionary_remove_series(dictionary, expired[i]);
		host->at_limit = false;
		if (host->series_count == 0)
			dictionary_remove_host(dictionary, host);
	}
}

void names_committed(struct names *names, const struct placed placed[], size_t count, int64_t latest_ms)
{
	pthread_rwlock_wrlock(&names->lock);
	note_last_times(&names->dictionary, placed, count, latest_ms);
	drop_expired(&names->dictionary, names->expired, names->expired_count);
	pthread_rwlock_unlock(&names->lock);
	names->expired_count = 0;
}

/* The tables may lack what names_write() put there. */
void names_rolled_back(struct names *names, const struct placed placed[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		placed[i].series->stored = false;
		dictionary_host_of(&names->dictionary, placed[i].series)->stored = false;
	}
}
