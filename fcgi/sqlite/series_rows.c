#include "fcgi/sqlite/series_rows.h"

#include <errno.h>
#include <sqlite3.h>

#include "common/text.h"

enum { COLUMNS = 4 };

int series_rows_open(struct series_rows *rows, struct database *database)
{
	static const char one[] = "INSERT OR REPLACE INTO series (id, host, process, seen_ms) VALUES (?, ?, ?, ?)";
	struct text many = TEXT_EMPTY;
	text_append_string(&many, one);
	for (int i = 1; i < SERIES_ROWS_TOGETHER; i++)
		text_append_string(&many, ", (?, ?, ?, ?)");
	int result = -ENOMEM;
	if (!text_failed(&many)) {
		const struct database_statement statements[] = { { &rows->one, one }, { &rows->many, many.data } };
		result = database_prepare(database, database->appending, statements, sizeof(statements) / sizeof(statements[0]));
	}
	text_free(&many);
	return result;
}

void series_rows_begin(struct series_rows *rows)
{
	rows->count = 0;
}

/* Writes waiting[count] from `first` on with a statement for as many. */
static int write(struct series_rows *rows, size_t first, size_t count, sqlite3_stmt *statement)
{
	int column = 1;
	for (size_t i = first; i < first + count; i++) {
		const struct series_row *row = &rows->waiting[i];
		sqlite3_bind_int64(statement, column, row->number);
		sqlite3_bind_int64(statement, column + 1, row->host);
		sqlite3_bind_text(statement, column + 2, row->process, -1, SQLITE_STATIC);
		sqlite3_bind_int64(statement, column + 3, row->seen_ms);
		column += COLUMNS;
	}
	return database_run(statement);
}

int series_rows_put(struct series_rows *rows, const struct series_row *row)
{
	rows->waiting[rows->count++] = *row;
	if (rows->count < SERIES_ROWS_TOGETHER)
		return SQLITE_OK;
	rows->count = 0;
	return write(rows, 0, SERIES_ROWS_TOGETHER, rows->many);
}

int series_rows_finish(struct series_rows *rows)
{
	int code = SQLITE_OK;
	for (size_t i = 0; i < rows->count && code == SQLITE_OK; i++)
		code = write(rows, i, 1, rows->one);
	rows->count = 0;
	return code;
}
