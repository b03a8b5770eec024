/*
 * Rows of the table `series`, for names.c: many in one statement. Where the names of a host are all new, most of a write's
 * time goes into these rows, and half of that into beginning and ending a statement for each.
 *
 * Of the thread that appends, within its transaction.
 */
#ifndef VIGIE_FCGI_SQLITE_SERIES_ROWS_H
#define VIGIE_FCGI_SQLITE_SERIES_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "fcgi/sqlite/database.h"

enum { SERIES_ROWS_TOGETHER = 30 };

struct series_row {
	uint32_t number, host;
	const char *process; /* borrowed until it is written */
	int64_t seen_ms;
};

/* All zero before series_rows_open(); its statements end with the connection. */
struct series_rows {
	struct sqlite3_stmt *one, *many;
	struct series_row waiting[SERIES_ROWS_TOGETHER];
	size_t count;
};

/* 0 or what database_result() gives. */
int series_rows_open(struct series_rows *rows, struct database *database) __attribute__((warn_unused_result));

/* Forgets what waits: of a transaction that was rolled back. */
void series_rows_begin(struct series_rows *rows);

/* Has a row written in the place of the one with its number. SQLite's result. */
int series_rows_put(struct series_rows *rows, const struct series_row *row) __attribute__((warn_unused_result));

/* Writes what waits. SQLite's result. */
int series_rows_finish(struct series_rows *rows) __attribute__((warn_unused_result));

#endif
