#include "fcgi/sqlite/loading.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>

#include "fcgi/sqlite/packing.h"
#include "fcgi/sqlite/placement.h"
#include "fcgi/store.h"

enum {
	SCAN_ROWS = 3,        /* rows a host, from the newest back, among which those that are alive are found */
	SERIES_MAX = 1 << 28, /* a higher number is no number of ours, and would want much memory */
};

struct loading {
	struct database *database;
	struct dictionary *dictionary;
	int64_t host_lag_ms, latest_ms;
	sqlite3_stmt *hosts, *series, *births, *newest_key, *newest, *find, *sealed;
	bool *found; /* by host number */
};

/* A time that a damaged file has may be any. */
static int64_t time_of(sqlite3_stmt *row, int column)
{
	int64_t time_ms = sqlite3_column_int64(row, column);
	return time_ms < 0 ? 0 : time_ms > STORE_LATEST_MS ? STORE_LATEST_MS : time_ms;
}

static bool load_host(struct dictionary *dictionary, sqlite3_stmt *row)
{
	const char *ip = (const char *)sqlite3_column_text(row, 1);
	int64_t number = sqlite3_column_int64(row, 0);
	if (!ip || number <= 0 || number > PLACEMENT_HOST_MAX || dictionary_find_host(dictionary, ip))
		return false;
	struct dictionary_host *host = dictionary_add_host(dictionary, ip, (uint32_t)number);
	if (!host)
		return false;
	host->seen_ms = host->last_ms = time_of(row, 2);
	host->stored = true;
	return true;
}

static bool load_series(struct dictionary *dictionary, sqlite3_stmt *row)
{
	struct dictionary_host *host = dictionary_host_at(dictionary, (uint32_t)sqlite3_column_int64(row, 1));
	const char *process = (const char *)sqlite3_column_text(row, 2);
	int64_t number = sqlite3_column_int64(row, 0);
	if (!host || !process || number <= 0 || number > SERIES_MAX)
		return false;
	struct dictionary_series *series = dictionary_add_series(dictionary, host, process, (uint32_t)number);
	if (!series)
		return false;
	series->seen_ms = time_of(row, 3);
	series->stored = true;
	return true;
}

static bool load_birth(struct dictionary *dictionary, sqlite3_stmt *row)
{
	struct dictionary_series *series = dictionary_series_at(dictionary, (uint32_t)sqlite3_column_int64(row, 0));
	if (series) /* of one that is not there, nothing is left */
		series->born_ms = time_of(row, 1);
	return true;
}

/* When a series was last seen is in the table with a lag: until its host has reported again, it may be alive. */
static void date_series(struct dictionary *dictionary)
{
	for (uint32_t i = 0; i < dictionary->series.end; i++) {
		struct dictionary_series *series = dictionary_series_at(dictionary, i);
		if (!series)
			continue;
		int64_t host_ms = dictionary_host_of(dictionary, series)->last_ms;
		series->last_ms = series->seen_ms > host_ms ? series->seen_ms : host_ms;
	}
}

static int load_table(struct loading *loading, sqlite3_stmt *table, const char *name,
                      bool (*load)(struct dictionary *, sqlite3_stmt *))
{
	struct database *database = loading->database;
	int code;
	for (code = sqlite3_step(table); code == SQLITE_ROW; code = sqlite3_step(table)) {
		errno = 0;
		if (load(loading->dictionary, table))
			continue;
		if (errno == ENOMEM)
			return -ENOMEM;
		return database_damaged(database, DATABASE_APPENDING, "row %lld of its table %s is damaged",
		                        (long long)sqlite3_column_int64(table, 0), name);
	}
	return database_result(database, code, database->appending, "open");
}

/* Earlier versions took an IPv4 address that is mapped to IPv6 for another host: its samples are now that of the IPv4
 * address, unless there is one already. Then they stay what they are called, beside those of the other. */
static int rename_hosts(struct dictionary *dictionary)
{
	for (uint32_t i = 0; i < dictionary->hosts.end; i++) {
		struct dictionary_host *host = dictionary_host_at(dictionary, i);
		char ip[WIRE_IP_SIZE];
		if (!host || !wire_ip_parse(host->ip, ip) || dictionary_find_host(dictionary, ip))
			continue;
		if (!dictionary_rename_host(dictionary, host, ip))
			return -ENOMEM;
	}
	return 0;
}

/* Whether the tables are as they were when the store was closed well: they lag behind nothing then. */
static int check_exact(struct loading *loading, bool *ret_exact)
{
	int code = sqlite3_step(loading->newest_key);
	if (code == SQLITE_ROW)
		*ret_exact = loading->database->closed_key >= 0 &&
		             sqlite3_column_int64(loading->newest_key, 0) == loading->database->closed_key;
	return database_result(loading->database, code, loading->database->appending, "open");
}

static bool is_settled(const struct loading *loading, const struct dictionary_host *host, bool exact)
{
	return host->seen_ms == 0 || (exact && host->seen_ms <= loading->latest_ms);
}

/* The newest row of a host, of this time, is found. It may be one that came late for a sealed hour: of what is sealed the
 * table knows. */
static int note_row(struct loading *loading, struct dictionary_host *host, int64_t row_ms)
{
	int code = SQLITE_DONE;
	if (host->seen_ms > row_ms && host->seen_ms <= loading->latest_ms) {
		sqlite3_bind_int64(loading->sealed, 1, placement_hour_key(METRIC_USAGE, host->seen_ms, host->number));
		code = sqlite3_step(loading->sealed);
		sqlite3_reset(loading->sealed);
	}
	host->last_ms = code == SQLITE_ROW ? host->seen_ms : row_ms;
	return database_result(loading->database, code, loading->database->appending, "open");
}

/* Goes back over the newest rows until each of the `missing` hosts has been met, or too many that were met before.
 * Tells the time before which others may still be. */
static int scan_newest(struct loading *loading, uint32_t missing, int64_t *ret_before_ms)
{
	struct database *database = loading->database;
	*ret_before_ms = loading->latest_ms;
	sqlite3_bind_int64(loading->newest, 1, placement_key(METRIC_USAGE, 0, 0));
	sqlite3_bind_int64(loading->newest, 2, placement_key(METRIC_USAGE, loading->latest_ms, PLACEMENT_HOST_MAX));
	sqlite3_bind_int64(loading->newest, 3, SCAN_ROWS * (int64_t)loading->dictionary->hosts.used);
	int code = SQLITE_DONE;
	while (missing > 0 && (code = sqlite3_step(loading->newest)) == SQLITE_ROW) {
		int64_t key = sqlite3_column_int64(loading->newest, 0);
		struct dictionary_host *host = dictionary_host_at(loading->dictionary, (uint32_t)(key & PLACEMENT_HOST_MAX));
		uint32_t offset_ms;
		size_t entries;
		*ret_before_ms = placement_start_ms(key);
		if (!host || loading->found[host->number])
			continue;
		if (packing_newest(sqlite3_column_blob(loading->newest, 1), (size_t)sqlite3_column_bytes(loading->newest, 1),
		                   &offset_ms, &entries))
			return database_damaged(database, DATABASE_APPENDING, "row %lld of its samples is damaged", (long long)key);
		int result = note_row(loading, host, placement_start_ms(key) + offset_ms);
		if (result)
			return result;
		loading->found[host->number] = true;
		missing--;
	}
	return database_result(database, code, database->appending, "open");
}

static int64_t row_start(int64_t time_ms)
{
	return store_step_start(time_ms, PLACEMENT_ROW_MS);
}

/* Looks for the newest row of a host that is silent: not before what the table says, and within its lag. */
static int find_last(struct loading *loading, struct dictionary_host *host, int64_t before_ms)
{
	bool ahead = host->seen_ms > loading->latest_ms;
	int64_t first_ms = row_start(ahead ? before_ms - loading->host_lag_ms : host->seen_ms);
	int64_t time_ms = first_ms + row_start(loading->host_lag_ms) + 2 * PLACEMENT_ROW_MS;
	first_ms = first_ms > 0 ? first_ms : 0;
	host->last_ms = ahead ? 0 : host->seen_ms; /* 0: not known until its next sample */
	for (time_ms = time_ms < before_ms ? time_ms : row_start(before_ms); time_ms >= first_ms; time_ms -= PLACEMENT_ROW_MS) {
		uint32_t offset_ms;
		size_t entries;
		int found = database_find_newest(loading->database, loading->find,
		                                 placement_key(METRIC_USAGE, time_ms, host->number), &offset_ms, &entries);
		if (found < 0)
			return found;
		if (found)
			return note_row(loading, host, time_ms + offset_ms);
	}
	return 0;
}

static int find_last_times(struct loading *loading)
{
	const struct dictionary *dictionary = loading->dictionary;
	bool exact = false;
	uint32_t missing = 0;
	int64_t before_ms = loading->latest_ms;
	int result = check_exact(loading, &exact);
	loading->found = calloc(dictionary->hosts.end + 1, sizeof(bool));
	if (result == 0 && !loading->found)
		result = -ENOMEM;
	for (uint32_t i = 0; result == 0 && i < dictionary->hosts.end; i++) {
		const struct dictionary_host *host = dictionary_host_at(dictionary, i);
		loading->found[i] = !host || is_settled(loading, host, exact);
		missing += !loading->found[i];
	}
	if (result == 0 && missing > 0)
		result = scan_newest(loading, missing, &before_ms);
	for (uint32_t i = 0; result == 0 && i < dictionary->hosts.end; i++) {
		if (!loading->found[i])
			result = find_last(loading, dictionary_host_at(dictionary, i), before_ms);
	}
	free(loading->found);
	return result;
}

int loading_run(struct database *database, struct dictionary *dictionary, int64_t host_lag_ms, int64_t latest_ms)
{
	struct loading loading = {
		.database = database, .dictionary = dictionary, .host_lag_ms = host_lag_ms, .latest_ms = latest_ms,
	};
	const struct database_statement statements[] = {
		{ &loading.hosts, "SELECT id, ip, seen_ms FROM host" },
		{ &loading.series, "SELECT id, host, process, seen_ms FROM series" },
		{ &loading.births, "SELECT substr(name, 6), value FROM state WHERE name GLOB 'born *'" },
		{ &loading.newest_key, "SELECT coalesce(max(key), 0) FROM sample" },
		{ &loading.newest, "SELECT key, data FROM sample WHERE key BETWEEN ?1 AND ?2 ORDER BY key DESC LIMIT ?3" },
		{ &loading.find, DATABASE_FIND },
		{ &loading.sealed, "SELECT 1 FROM hour WHERE key = ?1" },
	};
	int result = database_prepare(database, database->appending, statements, sizeof(statements) / sizeof(statements[0]));
	if (result == 0)
		result = load_table(&loading, loading.hosts, "host", load_host);
	if (result == 0)
		result = rename_hosts(dictionary);
	if (result == 0)
		result = load_table(&loading, loading.series, "series", load_series);
	if (result == 0)
		result = load_table(&loading, loading.births, "state", load_birth);
	if (result == 0)
		result = find_last_times(&loading);
	if (result == 0)
		date_series(dictionary);
	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++)
		sqlite3_finalize(*statements[i].place);
	return result;
}
