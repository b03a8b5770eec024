#include "fcgi/sqlite/database.h"

#include <assert.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/lock_file.h"
#include "common/log.h"
#include "fcgi/sqlite/packing.h"
#include "fcgi/sqlite/schema.h"

#define CALM_NS INT64_C(10000000000) /* without a failure, until it is said to be over */

enum {
	TAKEOVER_MS = 15000, /* how long a database in use is waited for */
	BUSY_MS = 5000,      /* … and another connection that opens, which holds a lock for a moment */
	PATH_SIZE = 4096,
	GROWTH = 4096, /* bytes of the file that are taken at a time: a usual page */
};

static void fail(struct database *database, enum database_use use, const char *format, va_list arguments, bool damaged)
	__attribute__((format(printf, 3, 0)));

static void fail(struct database *database, enum database_use use, const char *format, va_list arguments, bool damaged)
{
	char words[1024];
	const char *path = database->path;
	atomic_store(&database->failing[use], true);
	atomic_store(&database->failed_ns[use], clock_monotonic_ns());
	if (atomic_exchange(&database->said[use], true))
		return;
	vsnprintf(words, sizeof(words), format, arguments);
	if (damaged)
		log_error("store %s: %s; move %s, %s-wal and %s-shm away and start again: a new database is made", path, words,
		          path, path, path);
	else
		log_error("store %s: %s", path, words);
}

void database_fail(struct database *database, enum database_use use, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	fail(database, use, format, arguments, false);
	va_end(arguments);
}

int database_damaged(struct database *database, enum database_use use, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	fail(database, use, format, arguments, true);
	va_end(arguments);
	return -EIO;
}

int database_finish(struct database *database, enum database_use use, int result)
{
	if (result)
		return result;
	atomic_store(&database->failing[use], false);
	if (atomic_load(&database->said[use]) && clock_monotonic_ns() - atomic_load(&database->failed_ns[use]) >= CALM_NS &&
	    atomic_exchange(&database->said[use], false))
		log_info("store %s: %s works again", database->path, use == DATABASE_APPENDING ? "writing" : "reading");
	return 0;
}

int database_health(const struct database *database)
{
	for (int i = 0; i < DATABASE_USES; i++) {
		if (atomic_load(&database->failing[i]))
			return -EIO;
	}
	return 0;
}

static enum database_use use_of(const struct database *database, const struct sqlite3 *connection)
{
	return connection == database->appending ? DATABASE_APPENDING : DATABASE_READING;
}

void database_reason(struct sqlite3 *connection, char ret_words[static DATABASE_REASON_SIZE])
{
	int code = sqlite3_errcode(connection) & 0xff; /* of others, the system's is an older one */
	int number = code == SQLITE_CANTOPEN || code == SQLITE_IOERR ? sqlite3_system_errno(connection) : 0;
	snprintf(ret_words, DATABASE_REASON_SIZE, "%s%s%s", sqlite3_errmsg(connection), number ? ": " : "",
	         number ? strerror(number) : "");
}

int database_result(struct database *database, int code, struct sqlite3 *connection, const char *operation)
{
	if (code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW)
		return 0;
	enum database_use use = use_of(database, connection);
	int number = errno; /* before another call has its own */
	char reason[DATABASE_REASON_SIZE];
	database_reason(connection, reason);
	switch (code & 0xff) {
	case SQLITE_NOMEM:
		database_fail(database, use, "%s: out of memory", operation);
		return -ENOMEM;
	case SQLITE_FULL:
		database_fail(database, use, "%s: %s", operation, reason);
		return -ENOSPC;
	case SQLITE_CORRUPT:
		/* So it also calls a file that could not be read just now (os_unix.c, SQLITE_IOERR_CORRUPTFS), which is not to be
		 * moved away for that. */
		if (number == EIO || number == ENXIO) {
			database_fail(database, use, "%s: its disk cannot be read: %s", operation, strerror(number));
			return -EIO;
		}
		return database_damaged(database, use, "%s: %s", operation, reason);
	case SQLITE_NOTADB:
		return database_damaged(database, use, "%s: %s", operation, reason);
	default:
		if (database_is_in_place(database, use))
			database_fail(database, use, "%s: %s", operation, reason);
		return -EIO;
	}
}

int database_run(struct sqlite3_stmt *statement)
{
	int code = sqlite3_step(statement);
	sqlite3_reset(statement);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

int database_find_newest(struct database *database, struct sqlite3_stmt *find, int64_t key, uint32_t *ret_offset_ms,
                         size_t *ret_entries)
{
	struct sqlite3 *connection = sqlite3_db_handle(find);
	sqlite3_bind_int64(find, 1, key);
	int code = sqlite3_step(find);
	int result = database_result(database, code, connection, "read");
	if (code == SQLITE_ROW && packing_newest(sqlite3_column_blob(find, 1), (size_t)sqlite3_column_bytes(find, 1),
	                                         ret_offset_ms, ret_entries))
		result = database_damaged(database, use_of(database, connection), "row %lld of its samples is damaged",
		                          (long long)key);
	sqlite3_reset(find);
	return result ? result : code == SQLITE_ROW;
}

int database_reserve(struct database *database)
{
	int code = sqlite3_step(database->size);
	sqlite3_int64 size = sqlite3_column_int64(database->size, 0);
	sqlite3_reset(database->size);
	if (code == SQLITE_ROW)
		code = sqlite3_file_control(database->appending, "main", SQLITE_FCNTL_SIZE_HINT, &size);
	else if (code == SQLITE_DONE)
		code = SQLITE_ERROR;
	/* It says no more than that it cannot be written. */
	if ((code & 0xff) == SQLITE_IOERR) {
		database_fail(database, DATABASE_APPENDING, "the file cannot grow: there is no space, or its disk fails");
		return -ENOSPC;
	}
	return database_result(database, code, database->appending, "write");
}

void database_checkpoint(struct database *database)
{
	/* Where it fails, the next write says why. */
	(void)sqlite3_wal_checkpoint_v2(database->appending, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

bool database_cut_log(struct sqlite3 *connection)
{
	sqlite3_busy_timeout(connection, 0);
	int code = sqlite3_wal_checkpoint_v2(connection, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	sqlite3_busy_timeout(connection, BUSY_MS);
	return code == SQLITE_OK;
}

/* Without memory-mapped reads: a file that shrinks or cannot be read would be a
 * SIGBUS. `create` is SQLITE_OPEN_CREATE for the appending connection, 0 for readers. A new file can give pages back that are
 * free; the log's mode makes its first page, and then it is too late. */
static int open_connection(const char *path, int create, sqlite3 **ret_connection)
{
	int code = sqlite3_open_v2(path, ret_connection, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | create, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_busy_timeout(*ret_connection, BUSY_MS);
	if (code == SQLITE_OK)
		code = sqlite3_exec(*ret_connection,
		                    "PRAGMA auto_vacuum = INCREMENTAL;"
		                    "PRAGMA journal_mode = WAL;"
		                    "PRAGMA synchronous = FULL;"
		                    "PRAGMA temp_store = MEMORY;"
		                    "PRAGMA cache_size = -4096;"
		                    "PRAGMA journal_size_limit = 67108864;", /* after readers that took long */
		                    NULL, NULL, NULL);
	return code;
}

int database_connect(struct database *database, struct sqlite3 **ret_connection)
{
	sqlite3 *connection = NULL;
	int code = open_connection(database->path, 0, &connection);
	int result = database_result(database, code, connection, "open for reading");
	if (result)
		database_disconnect(connection);
	else
		*ret_connection = connection;
	return result;
}

void database_disconnect(struct sqlite3 *connection)
{
	sqlite3_stmt *statement = NULL;
	while (connection) {
		statement = sqlite3_next_stmt(connection, NULL);
		if (!statement)
			break;
		sqlite3_finalize(statement);
	}
	sqlite3_close(connection);
}

int database_prepare(struct database *database, struct sqlite3 *connection,
                     const struct database_statement statements[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int code = sqlite3_prepare_v3(connection, statements[i].sql, -1, SQLITE_PREPARE_PERSISTENT, statements[i].place, NULL);
		if (code != SQLITE_OK)
			return database_result(database, code, connection, "open");
	}
	return 0;
}

/* One process a database: what is in its memory is the truth. A process that is about to
 * end (a new version takes over) is waited for. */
static int lock_file(struct database *database)
{
	struct text error = TEXT_EMPTY;
	int result = lock_file_wait(database->path, "store", TAKEOVER_MS, &database->lock_fd, &error);
	if (result)
		log_error("%s", text_or(&error, strerror(ENOMEM)));
	text_free(&error);
	return result;
}

/* A file system without shared memory refuses the write-ahead log, silently. */
static int check_wal(sqlite3 *connection, bool *ret_wal)
{
	sqlite3_stmt *mode = NULL;
	int code = sqlite3_prepare_v2(connection, "PRAGMA journal_mode", -1, &mode, NULL);
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

static bool is_same_file(const char *path, const struct stat *file)
{
	struct stat named;
	return stat(path, &named) == 0 && named.st_dev == file->st_dev && named.st_ino == file->st_ino;
}

/* The lock has a longer name, and there is one. */
static void log_path(const struct database *database, char ret_path[static PATH_SIZE])
{
	int length = snprintf(ret_path, PATH_SIZE, "%s-wal", database->path);
	assert(length < PATH_SIZE);
}

/* What a file that was there tells of samples that are elsewhere. */
static void warn_of_loss(const struct database *database, const struct schema_found *found, bool has_log)
{
	const char *path = database->path;
	if (found->made)
		log_warning("store %s: it had no tables, and is begun anew; if it was copied alone while it was in use, "
		            "its samples are still in %s-wal where it was copied from", path, path);
	else if (found->in_use && !has_log)
		log_warning("store %s: it was in use when it was copied or last written, and its log %s-wal is not there: "
		            "samples that were in that alone are lost (vigie-fcgi --backup makes whole copies)", path, path);
}

/* Opens the appending connection, and makes sure that the file is ours. */
static int open_file(struct database *database)
{
	char log[PATH_SIZE];
	struct stat file = { 0 };
	struct schema_found found = { 0 };
	bool wal = false;
	log_path(database, log);
	bool has_file = stat(database->path, &file) == 0 && file.st_size > 0;
	bool has_log = stat(log, &file) == 0; /* maybe an empty one: database_cut_log() */
	int code = open_connection(database->path, SQLITE_OPEN_CREATE, &database->appending);
	if (code == SQLITE_OK)
		code = check_wal(database->appending, &wal);
	if (code == SQLITE_OK && !wal) {
		log_error("store %s: its file system cannot have a write-ahead log", database->path);
		return -EINVAL;
	}
	if (code == SQLITE_OK)
		code = schema_open(database->appending, &found);
	if (found.foreign) {
		log_error("store %s: is a database %s", database->path,
		          found.newer ? "that a newer version of vigie has made" : "of another program");
		return -EINVAL;
	}
	if (code == SQLITE_OK && found.older)
		log_info("store %s: was made by an older version of vigie, and is taken over; that cannot use it any more",
		         database->path);
	int piece = GROWTH;
	if (code == SQLITE_OK)
		code = sqlite3_file_control(database->appending, "main", SQLITE_FCNTL_CHUNK_SIZE, &piece);
	if (code == SQLITE_OK)
		code = sqlite3_prepare_v3(database->appending, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
		                          -1, SQLITE_PREPARE_PERSISTENT, &database->size, NULL);
	/* The file itself is to tell that it is in use, not its log. */
	if (code == SQLITE_OK)
		database_checkpoint(database);
	int result = database_result(database, code, database->appending, "open");
	if (result == 0 && (stat(database->path, &database->file) != 0 || stat(log, &database->log) != 0))
		result = -errno;
	if (result == 0 && has_file)
		warn_of_loss(database, &found, has_log);
	database->closed_key = found.closed_key;
	return result;
}

int database_open(const char *path, struct database **ret_database)
{
	struct database *database = calloc(1, sizeof(*database));
	if (!database)
		return -ENOMEM;
	database->lock_fd = -1;
	damage_init(&database->damage);
	database->path = strdup(path);
	int result = database->path ? lock_file(database) : -ENOMEM;
	if (result == 0)
		result = open_file(database);
	if (result)
		database_close(database);
	else
		*ret_database = database;
	return result;
}

void database_close(struct database *database)
{
	if (!database)
		return;
	database_disconnect(database->appending);
	if (database->lock_fd >= 0)
		close(database->lock_fd);
	damage_destroy(&database->damage);
	free(database->path);
	free(database);
}

bool database_is_in_place(struct database *database, enum database_use use)
{
	char log[PATH_SIZE];
	if (database->file.st_ino == 0)
		return true;
	if (!is_same_file(database->path, &database->file)) {
		database_fail(database, use, "the file was moved or removed; put it back, or start again");
		return false;
	}
	log_path(database, log);
	if (is_same_file(log, &database->log))
		return true;
	/* What was acknowledged is brought to where it stays. */
	if (use == DATABASE_APPENDING)
		database_checkpoint(database);
	database_fail(database, use, "its log %s was moved or removed; put it back, or start again", log);
	return false;
}
