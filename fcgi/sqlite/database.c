#include "fcgi/sqlite/database.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/lock_file.h"
#include "common/log.h"
#include "fcgi/sqlite/packing.h"

enum {
	SCHEMA_VERSION = 1,
	TAKEOVER_MS = 15000, /* how long a database in use is waited for */
};

static const char schema[] =
	"PRAGMA user_version = 1;"
	"CREATE TABLE host (id INTEGER PRIMARY KEY, ip TEXT NOT NULL, seen_ms INTEGER NOT NULL);"
	"CREATE TABLE series (id INTEGER PRIMARY KEY, host INTEGER NOT NULL, process TEXT NOT NULL, seen_ms INTEGER NOT NULL);"
	"CREATE TABLE sample (key INTEGER PRIMARY KEY, data BLOB NOT NULL);";

void database_fail(struct database *database, enum database_use use, const char *format, ...)
{
	char words[1024];
	if (atomic_exchange(&database->failing[use], true))
		return;
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(words, sizeof(words), format, arguments);
	va_end(arguments);
	log_error("store %s: %s", database->path, words);
}

int database_finish(struct database *database, enum database_use use, int result)
{
	if (result == 0 && atomic_exchange(&database->failing[use], false))
		log_info("store %s: %s works again", database->path, use == DATABASE_APPENDING ? "writing" : "reading");
	return result;
}

int database_health(const struct database *database)
{
	for (int i = 0; i < DATABASE_USES; i++) {
		if (atomic_load(&database->failing[i]))
			return -EIO;
	}
	return 0;
}

int database_result(struct database *database, int code, struct sqlite3 *connection, const char *operation)
{
	if (code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW)
		return 0;
	enum database_use use = connection == database->appending ? DATABASE_APPENDING : DATABASE_READING;
	database_fail(database, use, "%s: %s", operation, sqlite3_errmsg(connection));
	switch (code & 0xff) {
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_FULL:
		return -ENOSPC;
	default:
		return -EIO;
	}
}

int database_run(struct sqlite3_stmt *statement)
{
	int code = sqlite3_step(statement);
	sqlite3_reset(statement);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

int database_find_newest(struct sqlite3_stmt *find, int64_t key, uint32_t *ret_offset_ms, size_t *ret_entries)
{
	sqlite3_bind_int64(find, 1, key);
	int code = sqlite3_step(find);
	if (code == SQLITE_ROW && packing_newest(sqlite3_column_blob(find, 1), (size_t)sqlite3_column_bytes(find, 1),
	                                         ret_offset_ms, ret_entries))
		code = SQLITE_CORRUPT;
	sqlite3_reset(find);
	return code;
}

/* Without memory-mapped reads: a file that shrinks or cannot be read would be a
 * SIGBUS. `create` is SQLITE_OPEN_CREATE for the appending connection, 0 for readers. */
static int open_connection(const char *path, int create, sqlite3 **ret_connection)
{
	int code = sqlite3_open_v2(path, ret_connection, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | create, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_exec(*ret_connection,
		                    "PRAGMA busy_timeout = 5000;" /* another connection that opens holds a lock for a moment */
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
		log_error("%s", error.data ? error.data : strerror(ENOMEM));
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

static int prepare_schema(sqlite3 *connection, bool *ret_foreign)
{
	sqlite3_stmt *version = NULL;
	int code = sqlite3_prepare_v2(connection,
	                              "SELECT user_version, (SELECT count(*) FROM sqlite_schema) FROM pragma_user_version", -1,
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
		return sqlite3_exec(connection, schema, NULL, NULL, NULL);
	*ret_foreign = number != SCHEMA_VERSION;
	return SQLITE_OK;
}

/* Opens the appending connection, and makes sure that the file is ours. */
static int open_file(struct database *database)
{
	bool foreign = false, wal = false;
	int code = open_connection(database->path, SQLITE_OPEN_CREATE, &database->appending);
	if (code == SQLITE_OK)
		code = check_wal(database->appending, &wal);
	if (code == SQLITE_OK && !wal) {
		log_error("store %s: its file system cannot have a write-ahead log", database->path);
		return -EINVAL;
	}
	if (code == SQLITE_OK)
		code = prepare_schema(database->appending, &foreign);
	if (foreign) {
		log_error("store %s: is a database of another program or of another version of vigie", database->path);
		return -EINVAL;
	}
	int result = database_result(database, code, database->appending, "open");
	struct stat file;
	if (result == 0 && stat(database->path, &file) != 0)
		result = -errno;
	if (result == 0) {
		database->device = file.st_dev;
		database->inode = file.st_ino;
	}
	return result;
}

int database_open(const char *path, struct database **ret_database)
{
	struct database *database = calloc(1, sizeof(*database));
	if (!database)
		return -ENOMEM;
	database->lock_fd = -1;
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
	free(database->path);
	free(database);
}

bool database_is_in_place(struct database *database)
{
	struct stat named;
	if (stat(database->path, &named) == 0 && named.st_dev == database->device && named.st_ino == database->inode)
		return true;
	database_fail(database, DATABASE_APPENDING, "the file was moved or removed; put it back, or start again");
	return false;
}
