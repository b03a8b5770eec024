/*
 * Makes a statement of this thread fail as on a disk that fails or is full: its first step does nothing, and gives a code, as
 * does its end. To be included by one file of a test: it defines sqlite3_step(), sqlite3_finalize() and sqlite3_exec() for the
 * whole program, SQLite included.
 *
 * What ends a read and what undoes a write do not fail: SQLite does nothing for them that can.
 */
#ifndef VIGIE_TESTS_FCGI_SQLITE_FAILING_STATEMENT_H
#define VIGIE_TESTS_FCGI_SQLITE_FAILING_STATEMENT_H

#include "tests/unit/fcgi/helpers.h"

#include <dlfcn.h>
#include <sqlite3.h>

enum { FAILING_SQL_MAX = 128, FAILING_SQL_SIZE = 160 };

static _Thread_local struct {
	int number, code;
	bool done;
	sqlite3_stmt *failed; /* until its end */
	size_t count; /* statements that were met */
	char sql[FAILING_SQL_MAX][FAILING_SQL_SIZE]; /* how they begin */
} failing_statement;

/* The `number`th statement (from 1) from now that is another than those before fails, once. */
static inline void failing_statement_start(int number, int code)
{
	failing_statement.number = number;
	failing_statement.code = code;
	failing_statement.done = false;
	failing_statement.count = 0;
}

/* None fails any more. Whether one has failed. */
static inline bool failing_statement_stop(void)
{
	failing_statement.number = 0;
	return failing_statement.done;
}

static bool failing_statement_now(sqlite3_stmt *statement)
{
	const char *sql = sqlite3_sql(statement);
	if (failing_statement.number == 0 || !sql || strcmp(sql, "ROLLBACK") == 0 ||
	    (strcmp(sql, "COMMIT") == 0 && sqlite3_txn_state(sqlite3_db_handle(statement), NULL) != SQLITE_TXN_WRITE))
		return false;
	for (size_t i = 0; i < failing_statement.count; i++) {
		if (strncmp(failing_statement.sql[i], sql, FAILING_SQL_SIZE - 1) == 0)
			return false;
	}
	assert_true(failing_statement.count < FAILING_SQL_MAX);
	strncpy(failing_statement.sql[failing_statement.count++], sql, FAILING_SQL_SIZE - 1);
	if (failing_statement.count != (size_t)failing_statement.number)
		return false;
	failing_statement.number = 0;
	failing_statement.failed = statement;
	return failing_statement.done = true;
}

int sqlite3_step(sqlite3_stmt *statement)
{
	static int (*real)(sqlite3_stmt *);
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "sqlite3_step");
	return failing_statement_now(statement) ? failing_statement.code : real(statement);
}

int sqlite3_finalize(sqlite3_stmt *statement)
{
	static int (*real)(sqlite3_stmt *);
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "sqlite3_finalize");
	bool failed = statement && statement == failing_statement.failed;
	if (failed)
		failing_statement.failed = NULL;
	int code = real(statement);
	return failed ? failing_statement.code : code;
}

int sqlite3_exec(sqlite3 *connection, const char *sql, int (*callback)(void *, int, char **, char **), void *user, char **error)
{
	static int (*real)(sqlite3 *, const char *, int (*)(void *, int, char **, char **), void *, char **);
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "sqlite3_exec");
	if (callback || failing_statement.number == 0)
		return real(connection, sql, callback, user, error);
	int code = SQLITE_OK;
	while (code == SQLITE_OK && *sql) {
		sqlite3_stmt *statement = NULL;
		code = sqlite3_prepare_v2(connection, sql, -1, &statement, &sql);
		if (code == SQLITE_OK && statement) {
			do
				code = sqlite3_step(statement);
			while (code == SQLITE_ROW);
			code = code == SQLITE_DONE ? SQLITE_OK : code;
		}
		sqlite3_finalize(statement);
	}
	return code;
}

#endif
