#include "fcgi/sqlite/schema.h"

#include <sqlite3.h>
#include <stddef.h>

#define VERSION 2
#define TEXT_OF(number) #number
#define PRAGMA_VERSION(number) "PRAGMA user_version = " TEXT_OF(number) ";"

/* `state` is not known to all programs of version 1, which made the others one by one. */
#define TABLE_STATE "CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"

static const char tables[] =
	PRAGMA_VERSION(VERSION)
	"CREATE TABLE IF NOT EXISTS host (id INTEGER PRIMARY KEY, ip TEXT NOT NULL, seen_ms INTEGER NOT NULL);"
	"CREATE TABLE IF NOT EXISTS series "
	"(id INTEGER PRIMARY KEY, host INTEGER NOT NULL, process TEXT NOT NULL, seen_ms INTEGER NOT NULL);"
	"CREATE TABLE IF NOT EXISTS sample (key INTEGER PRIMARY KEY, data BLOB NOT NULL);"
	"CREATE TABLE IF NOT EXISTS hour "
	"(key INTEGER PRIMARY KEY, late INTEGER NOT NULL, summary BLOB NOT NULL, data BLOB);"
	TABLE_STATE;

/* The number that a statement gives; -1 where it gives none. */
static int ask(sqlite3 *connection, const char *sql, int64_t *ret_number)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(connection, sql, -1, &statement, NULL);
	if (code != SQLITE_OK)
		return code;
	code = sqlite3_step(statement);
	if (code == SQLITE_ROW || code == SQLITE_DONE)
		*ret_number = code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : -1;
	int end = sqlite3_finalize(statement);
	return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : end;
}

/* What is there before anything is made, and whether nothing is to be made. */
static int look(sqlite3 *connection, struct schema_found *ret_found, bool *ret_complete)
{
	static const char *const questions[] = {
		"SELECT user_version FROM pragma_user_version",
		"SELECT count(*) FROM sqlite_schema",
		"SELECT count(*) FROM sqlite_schema WHERE name = 'sample'",
		"SELECT count(*) FROM sqlite_schema WHERE name = 'state'",
		"SELECT count(*) FROM sqlite_schema WHERE name NOT IN ('host', 'series')",
	};
	enum { ASKED_VERSION, ASKED_TABLES, ASKED_SAMPLE, ASKED_STATE, ASKED_OTHERS, ASKED };
	int64_t answers[ASKED] = { 0 }, closed_key = -1;
	int code = SQLITE_OK;
	for (int i = 0; i < ASKED && code == SQLITE_OK; i++)
		code = ask(connection, questions[i], &answers[i]);
	bool has_all = answers[ASKED_SAMPLE] && answers[ASKED_STATE];
	if (code == SQLITE_OK && has_all)
		code = ask(connection, "SELECT value FROM state WHERE name = 'closed'", &closed_key);
	if (code != SQLITE_OK)
		return code;
	int64_t version = answers[ASKED_VERSION];
	bool known = version > 0 && version <= VERSION;
	bool empty = version == 0 && answers[ASKED_TABLES] == 0;
	bool half_made = version == 1 && answers[ASKED_OTHERS] == 0;
	bool ours = known && answers[ASKED_SAMPLE];
	*ret_found = (struct schema_found){
		.foreign = !empty && !half_made && !ours,
		.newer = version > VERSION && has_all,
		.older = ours && version < VERSION,
		.made = empty || half_made,
		.in_use = has_all && closed_key == -1,
		.closed_key = closed_key,
	};
	*ret_complete = has_all && version == VERSION;
	return SQLITE_OK;
}

int schema_open(struct sqlite3 *connection, struct schema_found *ret_found)
{
	struct schema_found found = { .foreign = true };
	bool complete = false;
	int code = sqlite3_exec(connection, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	if (code != SQLITE_OK)
		return code;
	code = look(connection, &found, &complete);
	if (code == SQLITE_OK && !found.foreign && !complete)
		code = sqlite3_exec(connection, tables, NULL, NULL, NULL);
	if (code == SQLITE_OK && !found.foreign)
		code = sqlite3_exec(connection, "DELETE FROM state WHERE name = 'closed'; COMMIT", NULL, NULL, NULL);
	if (code != SQLITE_OK || found.foreign)
		sqlite3_exec(connection, "ROLLBACK", NULL, NULL, NULL);
	/* A full disk is no reason not to read what is there, nor not to delete what is too old. */
	if (complete && code == SQLITE_FULL)
		code = SQLITE_OK;
	if (code == SQLITE_OK)
		*ret_found = found;
	return code;
}

int schema_close(struct sqlite3 *connection)
{
	return sqlite3_exec(connection, "INSERT OR REPLACE INTO state (name, value) "
	                    "VALUES ('closed', (SELECT coalesce(max(key), 0) FROM sample))", NULL, NULL, NULL);
}

int schema_close_copy(struct sqlite3 *connection)
{
	int code = sqlite3_exec(connection, TABLE_STATE, NULL, NULL, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_exec(connection, "INSERT OR REPLACE INTO state (name, value) VALUES ('closed', -2)", NULL, NULL, NULL);
	return code;
}
