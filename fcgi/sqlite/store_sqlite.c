/*
 * The embedded store: SQLite in WAL mode, each commit synced.
 *
 * The samples of one host in ten seconds are one row, packed (see packing.h),
 * in a rowid table whose key is (metric, ten seconds, host) as one integer:
 *   - what comes in is appended at the end of the tree, in full pages;
 *   - a window over all hosts is one range of keys, a window of one host a key
 *     every ten seconds, and what is too old is the beginning of the tree;
 *   - samples that meet in one row (two PUTs for one tick, a repeated PUT) are
 *     merged there, the later one counts.
 * Hosts and series have numbers; the tables that say which are held in memory
 * (see dictionary.h). So one process alone may use a database: a lock file
 * beside it sees to that.
 *
 * append() is called by one thread at a time and has a connection of its own.
 * Readers take a connection each from a list. Lock order: dictionary_lock, then
 * readers_lock; neither is held during SQL, but for dictionary_lock while the
 * writer, alone, adds to it.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "fcgi/sqlite/accumulate.h"
#include "fcgi/counters.h"
#include "fcgi/sqlite/dictionary.h"
#include "fcgi/sqlite/grouping.h"
#include "fcgi/sqlite/packing.h"
#include "fcgi/sqlite/placement.h"
#include "fcgi/store.h"

enum {
	SCHEMA_VERSION = 1,
	SERIES_LAG_MS = 6 * 3600 * 1000, /* at most, and an eighth of the retention */
	HOST_LAG_MS = 600 * 1000,
	EXPIRE_ROWS_FACTOR = 4,   /* rows deleted at most for each row written … */
	EXPIRE_ROWS_MORE = 16,    /* … and on top of that */
	EXPIRE_SERIES = 64,       /* numbers looked at in each append */
	FORECASTS_KEPT_MS = 4 * 3600 * 1000, /* at most: over three of their refreshes, of an hour at most */
	TAKEOVER_MS = 15000,      /* how long a database in use is waited for */
};

/* One of the readers' connections, in the list of those not in use. */
struct reader {
	sqlite3 *db;
	sqlite3_stmt *begin, *end, *range, *row;
	struct reader *next;
};

struct store {
	char *path;
	int lock_fd;
	int64_t retention_ms;
	struct placement_limits limits;
	int64_t series_lag_ms, host_lag_ms; /* how far the tables' `seen` may lag */

	pthread_rwlock_t dictionary_lock;
	struct dictionary dictionary;

	pthread_mutex_t readers_lock;
	struct reader *readers;

	/* Of the one thread that appends: */
	sqlite3 *db;
	sqlite3_stmt *begin, *commit, *rollback, *insert, *select, *update, *expire, *put_host, *put_series,
		*delete_host, *delete_series;
	struct text row;
	int expire_metric;      /* the metric besides usage whose rows were last deleted */
	uint32_t expire_cursor; /* the series number that was last looked at */

	dev_t device; /* of the file that is open, for when another takes its place */
	ino_t inode;
	atomic_bool write_failing, read_failing; /* the last such call failed: said in the log once */
};

static const char schema[] =
	"PRAGMA user_version = 1;"
	"CREATE TABLE host (id INTEGER PRIMARY KEY, ip TEXT NOT NULL, seen_ms INTEGER NOT NULL);"
	"CREATE TABLE series (id INTEGER PRIMARY KEY, host INTEGER NOT NULL, process TEXT NOT NULL, seen_ms INTEGER NOT NULL);"
	"CREATE TABLE sample (key INTEGER PRIMARY KEY, data BLOB NOT NULL);";

static int64_t minimum(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t maximum(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* The errno of a SQLite result. Its words go to the log when it is the first failure
 * to write (what the appending connection does) or to read. */
static int store_result(struct store *store, int code, sqlite3 *db, const char *operation)
{
	if (code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW)
		return 0;
	if (!atomic_exchange(db == store->db ? &store->write_failing : &store->read_failing, true))
		log_error("store %s: %s: %s", store->path, operation, sqlite3_errmsg(db));
	switch (code & 0xff) {
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_FULL:
		return -ENOSPC;
	default:
		return -EIO;
	}
}

/* A whole append or read has ended. */
static int finish(struct store *store, atomic_bool *failing, int result)
{
	if (result == 0 && atomic_exchange(failing, false))
		log_info("store %s: %s works again", store->path, failing == &store->write_failing ? "writing" : "reading");
	return result;
}

/* Runs a statement that gives no rows. */
static int run(sqlite3_stmt *statement)
{
	int code = sqlite3_step(statement);
	sqlite3_reset(statement);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* Without memory-mapped reads: a file that shrinks or cannot be read would be a
 * SIGBUS. `create` is SQLITE_OPEN_CREATE for the appending connection, 0 for readers. */
static int open_connection(const char *path, int create, sqlite3 **ret_db)
{
	int code = sqlite3_open_v2(path, ret_db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | create, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_exec(*ret_db,
		                    "PRAGMA busy_timeout = 5000;" /* another connection that opens holds a lock for a moment */
		                    "PRAGMA journal_mode = WAL;"
		                    "PRAGMA synchronous = FULL;"
		                    "PRAGMA temp_store = MEMORY;"
		                    "PRAGMA cache_size = -4096;"
		                    "PRAGMA journal_size_limit = 67108864;", /* after readers that took long */
		                    NULL, NULL, NULL);
	return code;
}

struct statement {
	sqlite3_stmt **place;
	const char *sql;
};

static int prepare(sqlite3 *db, const struct statement statements[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int code = sqlite3_prepare_v3(db, statements[i].sql, -1, SQLITE_PREPARE_PERSISTENT, statements[i].place, NULL);
		if (code != SQLITE_OK)
			return code;
	}
	return SQLITE_OK;
}

static void close_connection(sqlite3 *db)
{
	sqlite3_stmt *statement = NULL;
	while (db) {
		statement = sqlite3_next_stmt(db, NULL);
		if (!statement)
			break;
		sqlite3_finalize(statement);
	}
	sqlite3_close(db);
}

static void reader_close(struct reader *reader)
{
	close_connection(reader->db);
	free(reader);
}

static int reader_take(struct store *store, struct reader **ret_reader)
{
	pthread_mutex_lock(&store->readers_lock);
	struct reader *reader = store->readers;
	if (reader)
		store->readers = reader->next;
	pthread_mutex_unlock(&store->readers_lock);
	if (reader) {
		*ret_reader = reader;
		return 0;
	}

	reader = calloc(1, sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	int code = open_connection(store->path, 0, &reader->db);
	if (code == SQLITE_OK) {
		const struct statement statements[] = {
			{ &reader->begin, "BEGIN" },
			{ &reader->end, "COMMIT" },
			{ &reader->range, "SELECT key, data FROM sample WHERE key BETWEEN ?1 AND ?2" },
			{ &reader->row, "SELECT key, data FROM sample WHERE key = ?1" },
		};
		code = prepare(reader->db, statements, sizeof(statements) / sizeof(statements[0]));
	}
	if (code != SQLITE_OK) {
		int result = store_result(store, code, reader->db, "open for reading");
		reader_close(reader);
		return result;
	}
	*ret_reader = reader;
	return 0;
}

static void reader_give_back(struct store *store, struct reader *reader)
{
	pthread_mutex_lock(&store->readers_lock);
	reader->next = store->readers;
	store->readers = reader;
	pthread_mutex_unlock(&store->readers_lock);
}

/* One process a database: the dictionary in memory is the truth. A process that is
 * about to end (a new version takes over) is waited for. */
static int lock_database(struct store *store)
{
	char path[4096];
	if (snprintf(path, sizeof(path), "%s.lock", store->path) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (store->lock_fd < 0) {
		int error = errno;
		log_error("store %s: cannot create its lock file: %s", store->path, strerror(error));
		return -error;
	}
	for (int waited_ms = 0; flock(store->lock_fd, LOCK_EX | LOCK_NB) != 0; waited_ms += 50) {
		if (waited_ms == 0)
			log_info("store %s: waiting for the process that uses it", store->path);
		if (waited_ms >= TAKEOVER_MS) {
			log_error("store %s: is in use by another process", store->path);
			return -EBUSY;
		}
		usleep(50000);
	}
	return 0;
}

/* A file system without shared memory refuses the write-ahead log, silently. */
static int check_wal(sqlite3 *db, bool *ret_wal)
{
	sqlite3_stmt *mode = NULL;
	int code = sqlite3_prepare_v2(db, "PRAGMA journal_mode", -1, &mode, NULL);
	if (code != SQLITE_OK)
		return code;
	code = sqlite3_step(mode);
	const char *text = code == SQLITE_ROW ? (const char *)sqlite3_column_text(mode, 0) : NULL;
	*ret_wal = text && strcmp(text, "wal") == 0;
	if (code == SQLITE_ROW && !text)
		code = SQLITE_NOMEM;
	sqlite3_finalize(mode);
	return code == SQLITE_ROW ? SQLITE_OK : code;
}

/* Whether the file that is open is still the one of that name: what is written to a
 * file that was removed is gone with it. */
static bool is_in_place(struct store *store)
{
	struct stat named;
	if (stat(store->path, &named) == 0 && named.st_dev == store->device && named.st_ino == store->inode)
		return true;
	if (!atomic_exchange(&store->write_failing, true))
		log_error("store %s: the file was moved or removed; put it back, or start again", store->path);
	return false;
}

static int prepare_schema(sqlite3 *db, bool *ret_foreign)
{
	sqlite3_stmt *version = NULL;
	int code = sqlite3_prepare_v2(db, "SELECT user_version, (SELECT count(*) FROM sqlite_schema) FROM pragma_user_version", -1,
	                              &version, NULL);
	if (code != SQLITE_OK)
		return code;
	code = sqlite3_step(version);
	int number = sqlite3_column_int(version, 0);
	int tables = sqlite3_column_int(version, 1);
	sqlite3_finalize(version);
	if (code != SQLITE_ROW)
		return code;
	if (number == 0 && tables == 0)
		return sqlite3_exec(db, schema, NULL, NULL, NULL);
	*ret_foreign = number != SCHEMA_VERSION;
	return SQLITE_OK;
}

static bool load_host(struct store *store, sqlite3_stmt *row)
{
	const char *ip = (const char *)sqlite3_column_text(row, 1);
	uint32_t number = (uint32_t)sqlite3_column_int64(row, 0);
	struct dictionary_host *host = ip ? dictionary_add_host(&store->dictionary, ip, number) : NULL;
	if (!host)
		return false;
	host->seen_ms = host->last_ms = sqlite3_column_int64(row, 2);
	host->stored = true;
	return true;
}

static bool load_series(struct store *store, sqlite3_stmt *row)
{
	struct dictionary_host *host = dictionary_host_at(&store->dictionary, (uint32_t)sqlite3_column_int64(row, 1));
	const char *process = (const char *)sqlite3_column_text(row, 2);
	uint32_t number = (uint32_t)sqlite3_column_int64(row, 0);
	struct dictionary_series *series =
		host && process ? dictionary_add_series(&store->dictionary, host, process, number) : NULL;
	if (!series)
		return false;
	series->seen_ms = sqlite3_column_int64(row, 3);
	series->stored = true;
	return true;
}

static int load_table(struct store *store, const char *sql, bool (*load)(struct store *, sqlite3_stmt *))
{
	sqlite3_stmt *statement = NULL;
	int code = prepare(store->db, &(struct statement){ &statement, sql }, 1);
	if (code != SQLITE_OK)
		return code;
	for (code = sqlite3_step(statement); code == SQLITE_ROW; code = sqlite3_step(statement)) {
		errno = 0;
		if (!load(store, statement)) {
			code = errno == ENOMEM ? SQLITE_NOMEM : SQLITE_CORRUPT;
			break;
		}
	}
	sqlite3_finalize(statement);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* The table knows a host's newest sample to within host_lag_ms; its rows know it. */
static int find_last_times(struct store *store)
{
	for (uint32_t i = 0; i < store->dictionary.hosts.end; i++) {
		struct dictionary_host *host = dictionary_host_at(&store->dictionary, i);
		if (!host || host->seen_ms == 0)
			continue;
		for (int64_t time_ms = host->seen_ms + store->host_lag_ms + PLACEMENT_ROW_MS; time_ms >= host->seen_ms;
		     time_ms -= PLACEMENT_ROW_MS) {
			sqlite3_bind_int64(store->select, 1, placement_key(METRIC_USAGE, time_ms, host->number));
			int code = sqlite3_step(store->select);
			uint32_t offset_ms = 0;
			size_t entries;
			if (code == SQLITE_ROW &&
			    packing_newest(sqlite3_column_blob(store->select, 0),
			                   (size_t)sqlite3_column_bytes(store->select, 0), &offset_ms, &entries))
				code = SQLITE_CORRUPT;
			if (code == SQLITE_ROW)
				host->last_ms = time_ms / PLACEMENT_ROW_MS * PLACEMENT_ROW_MS + offset_ms;
			sqlite3_reset(store->select);
			if (code == SQLITE_ROW)
				break;
			if (code != SQLITE_DONE)
				return code;
		}
	}
	return SQLITE_OK;
}

static void sqlite_close(struct store *store)
{
	if (!store)
		return;
	for (struct reader *reader = store->readers, *next; reader; reader = next) {
		next = reader->next;
		reader_close(reader);
	}
	close_connection(store->db);
	dictionary_free(&store->dictionary);
	pthread_rwlock_destroy(&store->dictionary_lock);
	pthread_mutex_destroy(&store->readers_lock);
	text_free(&store->row);
	if (store->lock_fd >= 0)
		close(store->lock_fd);
	free(store->path);
	free(store);
}

static int sqlite_check_config(const struct config *config, struct text *ret_error)
{
	/* SQLite's own words for databases that are no files. */
	const char *path = config->sqlite.path;
	if (path[0] && path[0] != ':' && strncmp(path, "file:", 5) != 0)
		return 0;
	text_printf(ret_error, "sqlite.path: '%s' is no path of a file", path);
	return -EINVAL;
}

static int sqlite_open(const struct config *config, struct store **ret_store)
{
	struct store *store = calloc(1, sizeof(*store));
	if (!store)
		return -ENOMEM;
	/* Else readers that overlap keep the writer out. */
	pthread_rwlockattr_t attributes;
	pthread_rwlockattr_init(&attributes);
	pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&store->dictionary_lock, &attributes);
	pthread_rwlockattr_destroy(&attributes);
	pthread_mutex_init(&store->readers_lock, NULL);
	store->lock_fd = -1;
	store->retention_ms = config->server.retention_ms;
	store->series_lag_ms = minimum(SERIES_LAG_MS, store->retention_ms / 8);
	store->host_lag_ms = minimum(HOST_LAG_MS, store->retention_ms / 8);
	store->limits.series = config->server.max_series;
	store->limits.series_per_host = config->server.max_series_per_host;
	store->path = strdup(config->sqlite.path);

	int result = store->path ? lock_database(store) : -ENOMEM;
	if (result)
		goto fail;
	bool foreign = false, wal = false;
	int code = open_connection(store->path, SQLITE_OPEN_CREATE, &store->db);
	if (code == SQLITE_OK)
		code = check_wal(store->db, &wal);
	if (code == SQLITE_OK && !wal) {
		log_error("store %s: its file system cannot have a write-ahead log", store->path);
		result = -EINVAL;
		goto fail;
	}
	if (code == SQLITE_OK)
		code = prepare_schema(store->db, &foreign);
	if (foreign) {
		log_error("store %s: is a database of another program or of another version of vigie", store->path);
		result = -EINVAL;
		goto fail;
	}
	if (code == SQLITE_OK) {
		const struct statement statements[] = {
			{ &store->begin, "BEGIN IMMEDIATE" },
			{ &store->commit, "COMMIT" },
			{ &store->rollback, "ROLLBACK" },
			{ &store->insert, "INSERT OR IGNORE INTO sample (key, data) VALUES (?1, ?2)" },
			{ &store->select, "SELECT data FROM sample WHERE key = ?1" },
			{ &store->update, "UPDATE sample SET data = ?2 WHERE key = ?1" },
			{ &store->expire, "DELETE FROM sample WHERE key IN "
			                  "(SELECT key FROM sample WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3)" },
			{ &store->put_host, "INSERT OR REPLACE INTO host (id, ip, seen_ms) VALUES (?1, ?2, ?3)" },
			{ &store->put_series, "INSERT OR REPLACE INTO series (id, host, process, seen_ms) VALUES (?1, ?2, ?3, ?4)" },
			{ &store->delete_host, "DELETE FROM host WHERE id = ?1" },
			{ &store->delete_series, "DELETE FROM series WHERE id = ?1" },
		};
		code = prepare(store->db, statements, sizeof(statements) / sizeof(statements[0]));
	}
	if (code == SQLITE_OK)
		code = load_table(store, "SELECT id, ip, seen_ms FROM host", load_host);
	if (code == SQLITE_OK)
		code = load_table(store, "SELECT id, host, process, seen_ms FROM series", load_series);
	if (code == SQLITE_OK)
		code = find_last_times(store);
	result = store_result(store, code, store->db, "open");
	struct stat file;
	if (result == 0 && stat(store->path, &file) != 0)
		result = -errno;
	if (result)
		goto fail;
	store->device = file.st_dev;
	store->inode = file.st_ino;
	*ret_store = store;
	return 0;

fail:
	sqlite_close(store);
	return result;
}

/* Merges the new entries over the row that is there, into store->row. */
static int merge_row(struct store *store, int64_t key, const struct packing_entry entries[], size_t count)
{
	sqlite3_bind_int64(store->select, 1, key);
	int code = sqlite3_step(store->select);
	int result;
	text_reset(&store->row);
	if (code == SQLITE_ROW)
		result = packing_merge(sqlite3_column_blob(store->select, 0), (size_t)sqlite3_column_bytes(store->select, 0),
		                       entries, count, &store->row);
	else
		result = store_result(store, code == SQLITE_DONE ? SQLITE_CORRUPT : code, store->db, "read a row to merge");
	sqlite3_reset(store->select);
	if (result == -EBADMSG && !atomic_exchange(&store->write_failing, true))
		log_error("store %s: row %lld is damaged, it takes no more samples", store->path, (long long)key);
	return result;
}

static int write_row(struct store *store, int64_t key, const struct packing_entry entries[], size_t count)
{
	text_reset(&store->row);
	packing_encode(entries, count, &store->row);
	if (text_failed(&store->row))
		return -ENOMEM;
	sqlite3_bind_int64(store->insert, 1, key);
	sqlite3_bind_blob(store->insert, 2, store->row.data, (int)store->row.length, SQLITE_STATIC);
	int code = run(store->insert);
	if (code != SQLITE_OK || sqlite3_changes(store->db) == 1)
		return store_result(store, code, store->db, "write");

	int result = merge_row(store, key, entries, count);
	if (result)
		return result;
	if (text_failed(&store->row))
		return -ENOMEM;
	sqlite3_bind_int64(store->update, 1, key);
	sqlite3_bind_blob(store->update, 2, store->row.data, (int)store->row.length, SQLITE_STATIC);
	return store_result(store, run(store->update), store->db, "write");
}

/* Writes the rows of placed[count], sorted; tells how many. */
static int write_rows(struct store *store, const struct placed placed[], size_t count, size_t *ret_rows)
{
	struct packing_entry *entries = malloc(count * sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	int result = 0;
	*ret_rows = 0;
	for (size_t i = 0, end; i < count && result == 0; i = end) {
		for (end = i + 1; end < count && placed[end].key == placed[i].key;)
			end++;
		size_t used = placement_entries(placed + i, end - i, entries);
		result = write_row(store, placed[i].key, entries, used);
		++*ret_rows;
	}
	free(entries);
	return result;
}

/* Writes to the tables what the samples use and the tables do not know yet. */
static int write_dictionary(struct store *store, const struct placed placed[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct dictionary_series *series = placed[i].series;
		struct dictionary_host *host = dictionary_host_at(&store->dictionary, series->key.host);
		int64_t time_ms = placed_time_ms(&placed[i]);
		int code = SQLITE_OK;
		if (!series->stored || time_ms > series->seen_ms + store->series_lag_ms) {
			const char *process = dictionary_name_at(&store->dictionary, series->key.name)->text;
			series->seen_ms = maximum(series->seen_ms, time_ms);
			sqlite3_bind_int64(store->put_series, 1, series->number);
			sqlite3_bind_int64(store->put_series, 2, host->number);
			sqlite3_bind_text(store->put_series, 3, process, -1, SQLITE_STATIC);
			sqlite3_bind_int64(store->put_series, 4, series->seen_ms);
			code = run(store->put_series);
			series->stored = true;
		}
		bool usage = placement_metric(placed[i].key) == METRIC_USAGE;
		if (code == SQLITE_OK && (!host->stored || (usage && time_ms > host->seen_ms + store->host_lag_ms))) {
			host->seen_ms = usage ? maximum(host->last_ms, time_ms) : host->last_ms;
			sqlite3_bind_int64(store->put_host, 1, host->number);
			sqlite3_bind_text(store->put_host, 2, host->ip, -1, SQLITE_STATIC);
			sqlite3_bind_int64(store->put_host, 3, host->seen_ms);
			code = run(store->put_host);
			host->stored = true;
		}
		if (code != SQLITE_OK)
			return store_result(store, code, store->db, "write a name");
	}
	return 0;
}

/* After a rollback the tables may lack what write_dictionary() put there. */
static void forget_stored(struct store *store, const struct placed placed[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		placed[i].series->stored = false;
		dictionary_host_at(&store->dictionary, placed[i].series->key.host)->stored = false;
	}
}

/* Forecasts of all series each minute would take as much as the samples: they are kept
 * for as long as they can be asked for. */
static int64_t kept_ms(const struct store *store, enum metric metric)
{
	return sample_is_forecast(metric) ? minimum(store->retention_ms, FORECASTS_KEPT_MS) : store->retention_ms;
}

/* Deletes some of the rows that are too old; the rest with the next appends. */
static int expire_rows(struct store *store, int64_t now_ms, size_t most)
{
	/* Usage each time; of the other metrics, which have few rows, one in turn. */
	store->expire_metric = store->expire_metric % (METRIC_COUNT - 1) + 1;
	const enum metric metrics[] = { METRIC_USAGE, (enum metric)store->expire_metric };
	for (int i = 0; i < 2; i++) {
		sqlite3_bind_int64(store->expire, 1, placement_key(metrics[i], 0, 0));
		sqlite3_bind_int64(store->expire, 2, placement_key(metrics[i], now_ms - kept_ms(store, metrics[i]), 0));
		sqlite3_bind_int64(store->expire, 3, (int64_t)most);
		int code = run(store->expire);
		if (code != SQLITE_OK)
			return store_result(store, code, store->db, "delete what is too old");
		counters_add(COUNTER_EXPIRED_ROWS, (uint64_t)sqlite3_changes(store->db));
	}
	return 0;
}

/* Whether no row within the retention can have the series' number any more. */
static bool is_expired(const struct store *store, const struct dictionary_series *series, int64_t now_ms)
{
	return series->seen_ms + store->series_lag_ms + store->retention_ms + 2 * PLACEMENT_ROW_MS < now_ms;
}

/* How many of a host's series are among expired[count]. */
static uint32_t count_expired(struct dictionary_series *const expired[], size_t count, uint32_t host)
{
	uint32_t found = 0;
	for (size_t i = 0; i < count; i++)
		found += expired[i]->key.host == host;
	return found;
}

/*
 * Looks at the next few series and deletes those whose samples have all expired,
 * and their host with its last one, from the tables; drop_expired() takes them out
 * of the dictionary once that is committed. Rows that the deletions have not reached
 * yet may still have their numbers; they are older than any window.
 */
static int expire_series(struct store *store, int64_t now_ms, struct dictionary_series *expired[static EXPIRE_SERIES],
                         size_t *ret_count)
{
	struct dictionary *dictionary = &store->dictionary;
	size_t count = 0;
	for (uint32_t i = 0; i < EXPIRE_SERIES && i < dictionary->series.end; i++) {
		store->expire_cursor = (store->expire_cursor + 1) % dictionary->series.end;
		struct dictionary_series *series = dictionary_series_at(dictionary, store->expire_cursor);
		if (!series || !is_expired(store, series, now_ms))
			continue;
		expired[count++] = series;
		const struct dictionary_host *host = dictionary_host_at(dictionary, series->key.host);
		sqlite3_bind_int64(store->delete_series, 1, series->number);
		int code = run(store->delete_series);
		if (code == SQLITE_OK && host->series_count == count_expired(expired, count, host->number)) {
			sqlite3_bind_int64(store->delete_host, 1, host->number);
			code = run(store->delete_host);
		}
		if (code != SQLITE_OK)
			return store_result(store, code, store->db, "delete a name");
	}
	*ret_count = count;
	return 0;
}

static void drop_expired(struct store *store, struct dictionary_series *const expired[], size_t count)
{
	pthread_rwlock_wrlock(&store->dictionary_lock);
	for (size_t i = 0; i < count; i++) {
		struct dictionary_host *host = dictionary_host_at(&store->dictionary, expired[i]->key.host);
		dictionary_remove_series(&store->dictionary, expired[i]);
		if (host->series_count == 0)
			dictionary_remove_host(&store->dictionary, host);
	}
	pthread_rwlock_unlock(&store->dictionary_lock);
}

static void note_last_times(struct store *store, const struct placed placed[], size_t count)
{
	pthread_rwlock_wrlock(&store->dictionary_lock);
	for (size_t i = 0; i < count; i++) {
		struct dictionary_host *host = dictionary_host_at(&store->dictionary, placed[i].series->key.host);
		int64_t time_ms = placed_time_ms(&placed[i]);
		if (placement_metric(placed[i].key) == METRIC_USAGE && time_ms > host->last_ms)
			host->last_ms = time_ms;
	}
	pthread_rwlock_unlock(&store->dictionary_lock);
}

static int sqlite_append(struct store *store, const struct batch *const batches[], size_t count, int64_t now_ms,
                         char ret_refusal[static STORE_REFUSAL_SIZE])
{
	(void)ret_refusal;
	size_t samples = 0, rows = 0, expired_count = 0;
	struct dictionary_series *expired[EXPIRE_SERIES];
	for (size_t i = 0; i < count; i++)
		samples += batches[i]->count;
	if (samples == 0)
		return 0;
	struct placed *placed = malloc(samples * sizeof(*placed));
	if (!placed)
		return -ENOMEM;

	pthread_rwlock_wrlock(&store->dictionary_lock);
	int result = placement_place(&store->dictionary, &store->limits, batches, count, placed);
	pthread_rwlock_unlock(&store->dictionary_lock);
	if (result) {
		free(placed);
		return result;
	}
	placement_sort(placed, samples);

	result = is_in_place(store) ? store_result(store, run(store->begin), store->db, "begin") : -EIO;
	if (result == 0)
		result = write_dictionary(store, placed, samples);
	if (result == 0)
		result = write_rows(store, placed, samples, &rows);
	if (result == 0)
		result = expire_rows(store, now_ms, rows * EXPIRE_ROWS_FACTOR + EXPIRE_ROWS_MORE);
	if (result == 0)
		result = expire_series(store, now_ms, expired, &expired_count);
	if (result == 0)
		result = store_result(store, run(store->commit), store->db, "commit");
	if (result) {
		run(store->rollback);
		forget_stored(store, placed, samples);
	}
	if (result == 0) {
		note_last_times(store, placed, samples);
		drop_expired(store, expired, expired_count);
	}
	free(placed);
	return finish(store, &store->write_failing, result);
}

/* Takes one entry of a wanted series; another result than 0 ends the read with it. */
typedef int visitor(void *state, int32_t group, int64_t time_ms, const struct packing_entry *entry);

/* Gives the row that `statement` stands on to the visitor, entry by entry. */
static int visit_row(struct store *store, sqlite3_stmt *statement, const struct query *query,
                     const struct grouping *grouping, visitor *visit, void *state)
{
	int64_t key = sqlite3_column_int64(statement, 0);
	int64_t start_ms = placement_start_ms(key);
	const void *data = sqlite3_column_blob(statement, 1);
	struct packing_reader reader = packing_read(data, (size_t)sqlite3_column_bytes(statement, 1));
	int more;
	for (more = packing_next(&reader); more == 1; more = packing_next(&reader)) {
		int64_t time_ms = start_ms + reader.entry.offset_ms;
		int32_t group = grouping_find(grouping, reader.entry.series);
		if (group == GROUPING_NONE || time_ms <= query->from_ms || time_ms > query->to_ms)
			continue;
		int result = visit(state, group, time_ms, &reader.entry);
		if (result)
			return result;
	}
	if (more < 0 && !atomic_exchange(&store->read_failing, true))
		log_error("store %s: row %lld is damaged", store->path, (long long)key);
	return more < 0 ? -EIO : 0;
}

/* All rows of one statement's run. */
static int visit_rows(struct store *store, struct reader *reader, sqlite3_stmt *statement, const struct query *query,
                      const struct grouping *grouping, visitor *visit, void *state)
{
	int code = sqlite3_step(statement), result = 0;
	for (; code == SQLITE_ROW && result == 0; code = sqlite3_step(statement))
		result = visit_row(store, statement, query, grouping, visit, state);
	sqlite3_reset(statement);
	return result ? result : store_result(store, code, reader->db, "read");
}

/* Goes over the samples of the query's window, by rising time to within a row. */
static int scan(struct store *store, struct reader *reader, const struct query *query, const struct grouping *grouping,
                visitor *visit, void *state)
{
	if (grouping->count == 0)
		return 0;
	int64_t first_ms = query->from_ms + 1 > 0 ? query->from_ms + 1 : 0;
	if (grouping->host == 0) {
		sqlite3_bind_int64(reader->range, 1, placement_key(query->metric, first_ms, 0));
		sqlite3_bind_int64(reader->range, 2, placement_key(query->metric, query->to_ms, PLACEMENT_HOST_MAX));
		return visit_rows(store, reader, reader->range, query, grouping, visit, state);
	}
	int result = 0;
	for (int64_t time_ms = first_ms / PLACEMENT_ROW_MS * PLACEMENT_ROW_MS; result == 0 && time_ms <= query->to_ms;
	     time_ms += PLACEMENT_ROW_MS) {
		sqlite3_bind_int64(reader->row, 1, placement_key(query->metric, time_ms, grouping->host));
		result = visit_rows(store, reader, reader->row, query, grouping, visit, state);
	}
	return result;
}

static void snapshot_close(struct store *store, struct reader *reader)
{
	run(reader->end);
	reader_give_back(store, reader);
}

/*
 * A reader that sees the store as it is now, and the grouping for it. In this order:
 * the dictionary then has every name of the snapshot, so that a batch is seen whole,
 * and a number that is used anew after this is not in the snapshot's windows.
 */
static int snapshot_open(struct store *store, const struct query *query, struct reader **ret_reader,
                         struct grouping *ret_grouping)
{
	struct reader *reader;
	int result = reader_take(store, &reader);
	if (result)
		return result;
	int code = run(reader->begin);
	if (code == SQLITE_OK) {
		/* The first read begins the snapshot. */
		sqlite3_bind_int64(reader->row, 1, 0);
		code = sqlite3_step(reader->row);
		sqlite3_reset(reader->row);
	}
	result = store_result(store, code, reader->db, "read");
	if (result == 0) {
		pthread_rwlock_rdlock(&store->dictionary_lock);
		result = grouping_build(&store->dictionary, query, ret_grouping);
		pthread_rwlock_unlock(&store->dictionary_lock);
	}
	if (result)
		snapshot_close(store, reader);
	else
		*ret_reader = reader;
	return result;
}

static int visit_mean(void *state, int32_t group, int64_t time_ms, const struct packing_entry *entry)
{
	(void)time_ms;
	accumulate_mean((struct accumulate_cell *)state + group, entry);
	return 0;
}

static int visit_latest(void *state, int32_t group, int64_t time_ms, const struct packing_entry *entry)
{
	accumulate_latest((struct accumulate_cell *)state + group, time_ms, entry);
	return 0;
}

static int read_rows(struct store *store, const struct query *query, visitor *visit, struct store_rows *ret_rows)
{
	struct grouping grouping;
	struct reader *reader;
	int result = snapshot_open(store, query, &reader, &grouping);
	if (result)
		return result;
	struct accumulate_cell *cells = calloc(grouping.count + 1, sizeof(*cells));
	result = cells ? scan(store, reader, query, &grouping, visit, cells) : -ENOMEM;
	if (result == 0)
		result = accumulate_rows(cells, &grouping, ret_rows);
	free(cells);
	grouping_free(&grouping);
	snapshot_close(store, reader);
	return finish(store, &store->read_failing, result);
}

static int sqlite_mean(struct store *store, const struct query *query, struct store_rows *ret_rows)
{
	return read_rows(store, query, visit_mean, ret_rows);
}

static int sqlite_latest(struct store *store, const struct query *query, struct store_rows *ret_rows)
{
	struct query by_host = *query;
	by_host.by_host = true;
	return read_rows(store, &by_host, visit_latest, ret_rows);
}

static int visit_history(void *state, int32_t group, int64_t time_ms, const struct packing_entry *entry)
{
	struct accumulate_history *history = state;
	enum resource resource = history->query->resource;
	return entry->present[resource] ? accumulate_history_add(history, group, time_ms, entry->value[resource]) : 0;
}

static int sqlite_history(struct store *store, const struct query *query, struct store_history *ret_history)
{
	struct grouping grouping;
	struct reader *reader;
	int result = snapshot_open(store, query, &reader, &grouping);
	if (result)
		return result;
	struct accumulate_history history;
	result = accumulate_history_open(&history, query, grouping.count);
	if (result == 0) {
		result = scan(store, reader, query, &grouping, visit_history, &history);
		if (result == 0)
			result = accumulate_history_finish(&history, &grouping, ret_history);
		accumulate_history_close(&history);
	}
	grouping_free(&grouping);
	snapshot_close(store, reader);
	return finish(store, &store->read_failing, result);
}

/* Copies the hosts seen after `from_ms`; their process counts hold the numbers for now. */
static int copy_hosts(struct store *store, int64_t from_ms, struct store_hosts *hosts)
{
	const struct dictionary *dictionary = &store->dictionary;
	size_t count = dictionary->hosts.used;
	hosts->items = calloc(count + 1, sizeof(*hosts->items));
	hosts->strings = malloc(count * WIRE_IP_SIZE + 1);
	if (!hosts->items || !hosts->strings)
		return -ENOMEM;
	for (uint32_t i = 0; i < dictionary->hosts.end; i++) {
		const struct dictionary_host *host = dictionary_host_at(dictionary, i);
		if (!host || host->last_ms <= from_ms)
			continue;
		char *ip = hosts->strings + hosts->count * WIRE_IP_SIZE;
		memcpy(ip, host->ip, WIRE_IP_SIZE);
		hosts->items[hosts->count++] =
			(struct store_host){ .ip = ip, .last_seen_ms = host->last_ms, .processes = host->number };
	}
	return 0;
}

static int sqlite_hosts(struct store *store, int64_t from_ms, struct store_hosts *ret_hosts)
{
	struct store_hosts hosts = { 0 };
	pthread_rwlock_rdlock(&store->dictionary_lock);
	int result = copy_hosts(store, from_ms, &hosts);
	pthread_rwlock_unlock(&store->dictionary_lock);

	struct reader *reader = NULL;
	if (result == 0)
		result = reader_take(store, &reader);
	for (size_t i = 0; i < hosts.count && result == 0; i++) {
		struct store_host *host = &hosts.items[i];
		sqlite3_bind_int64(reader->row, 1, placement_key(METRIC_USAGE, host->last_seen_ms, (uint32_t)host->processes));
		host->processes = 0;
		int code = sqlite3_step(reader->row);
		uint32_t offset_ms;
		if (code == SQLITE_ROW &&
		    packing_newest(sqlite3_column_blob(reader->row, 1), (size_t)sqlite3_column_bytes(reader->row, 1),
		                   &offset_ms, &host->processes))
			code = SQLITE_CORRUPT;
		sqlite3_reset(reader->row);
		result = store_result(store, code, reader->db, "read");
	}
	if (reader)
		reader_give_back(store, reader);
	if (result)
		store_hosts_free(&hosts);
	else
		*ret_hosts = hosts;
	return finish(store, &store->read_failing, result);
}

static int64_t sqlite_retention(struct store *store)
{
	return store->retention_ms;
}

static int sqlite_health(struct store *store)
{
	return atomic_load(&store->write_failing) || atomic_load(&store->read_failing) ? -EIO : 0;
}

const struct store_ops store_sqlite = {
	.name = "sqlite",
	.appends = 1,
	.check_config = sqlite_check_config,
	.open = sqlite_open,
	.close = sqlite_close,
	.append = sqlite_append,
	.mean = sqlite_mean,
	.history = sqlite_history,
	.latest = sqlite_latest,
	.hosts = sqlite_hosts,
	.retention = sqlite_retention,
	.health = sqlite_health,
};
