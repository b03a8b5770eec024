#include "fcgi/sqlite/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/whole_file.h"
#include "fcgi/sqlite/database.h"
#include "fcgi/sqlite/schema.h"

enum { PATIENCE_MS = 5000 }; /* another connection that opens holds a lock for a moment */

static int fail(struct text *error, const char *what, const char *path, const char *why, int result)
{
	text_printf(error, "%s %s: %s", what, path, why);
	return result;
}

static int fail_sqlite(struct text *error, const char *what, const char *path, sqlite3 *connection)
{
	int code = sqlite3_errcode(connection) & 0xff;
	char reason[DATABASE_REASON_SIZE];
	database_reason(connection, reason);
	return fail(error, what, path, reason,
	            code == SQLITE_FULL ? -ENOSPC : code == SQLITE_NOMEM ? -ENOMEM : -EIO);
}

/*
 * In one statement: a copy in steps begins anew whenever another process writes between two of them. The file is left
 * as it is at the end, with its log: who used it may have been killed, and finds all of it again.
 */
static int copy(const char *path, const char *target, struct text *error)
{
	sqlite3 *connection = NULL;
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_open_v2(path, &connection, SQLITE_OPEN_READWRITE, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_db_config(connection, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_busy_timeout(connection, PATIENCE_MS);
	if (code == SQLITE_OK) /* of the copy, see database.c */
		code = sqlite3_exec(connection, "PRAGMA auto_vacuum = INCREMENTAL", NULL, NULL, NULL);
	if (code == SQLITE_OK) /* what is no database of ours has no such table */
		code = sqlite3_exec(connection, "SELECT 1 FROM sample LIMIT 1", NULL, NULL, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_prepare_v2(connection, "VACUUM INTO ?1", -1, &statement, NULL);
	if (code == SQLITE_OK) {
		sqlite3_bind_text(statement, 1, target, -1, SQLITE_STATIC);
		code = sqlite3_step(statement);
	}
	int result = code == SQLITE_DONE ? 0 : fail_sqlite(error, "cannot copy", path, connection);
	sqlite3_finalize(statement);
	sqlite3_close(connection);
	return result;
}

/* Nobody uses the copy. What the copying has left to the kernel is synced with that. */
static int finish(const char *target, struct text *error)
{
	sqlite3 *connection = NULL;
	int code = sqlite3_open_v2(target, &connection, SQLITE_OPEN_READWRITE, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_exec(connection, "PRAGMA synchronous = FULL", NULL, NULL, NULL);
	if (code == SQLITE_OK)
		code = schema_close_copy(connection);
	int result = code == SQLITE_OK ? 0 : fail_sqlite(error, "cannot finish", target, connection);
	sqlite3_close(connection);
	return result;
}

/* Makes the file that is copied to, empty: who may not read the database may not read its copy either. */
static int make_file(const char *beside, mode_t mode)
{
	unlink(beside); /* of a copy that was broken off */
	int descriptor = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
	if (descriptor < 0)
		return -errno;
	int result = fchmod(descriptor, mode & ACCESSPERMS) == 0 ? 0 : -errno;
	close(descriptor);
	return result;
}

/* In its place, unless another has taken that meanwhile, and there for good. */
static int put_in_place(const char *beside, const char *target)
{
	int result = renameat2(AT_FDCWD, beside, AT_FDCWD, target, RENAME_NOREPLACE) == 0 ? 0 : -errno;
	if (result == -EINVAL) /* not every file system can tell */
		result = rename(beside, target) == 0 ? 0 : -errno;
	if (result)
		return result;
	result = whole_file_sync_folder(target);
	if (result)
		unlink(target);
	return result;
}

int backup_write(const char *path, const char *target, struct text *ret_error)
{
	char *beside = NULL;
	struct stat status;
	if (stat(path, &status) != 0)
		return fail(ret_error, "no database", path, strerror(errno), -errno);
	if (access(target, F_OK) == 0)
		return fail(ret_error, "cannot write", target, strerror(EEXIST), -EEXIST);
	if (asprintf(&beside, "%s.new", target) < 0)
		return fail(ret_error, "cannot write", target, strerror(ENOMEM), -ENOMEM);
	int result = make_file(beside, status.st_mode);
	if (result)
		fail(ret_error, "cannot write", beside, strerror(-result), result);
	else
		result = copy(path, beside, ret_error);
	if (result == 0)
		result = finish(beside, ret_error);
	if (result == 0) {
		result = put_in_place(beside, target);
		if (result)
			fail(ret_error, "cannot write", target, strerror(-result), result);
	}
	if (result)
		unlink(beside);
	free(beside);
	return result;
}
