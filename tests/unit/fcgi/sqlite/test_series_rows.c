/* fcgi/sqlite/series_rows.h */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/fcgi/helpers.h"

#include <sqlite3.h>

#include "fcgi/sqlite/series_rows.h"

enum { ROWS_MAX = 3 * SERIES_ROWS_TOGETHER };

static void name_row(unsigned number, char ret_name[static 32])
{
	snprintf(ret_name, 32, "process-%u", number);
}

/* The table has the numbers 1 to `count`, as they were put. */
static void check_table(struct database *database, unsigned count)
{
	sqlite3_stmt *select = NULL;
	const struct database_statement statement = { &select, "SELECT id, host, process, seen_ms FROM series ORDER BY id" };
	assert_int_equal(database_prepare(database, database->appending, &statement, 1), 0);
	for (unsigned number = 1; number <= count; number++) {
		char name[32];
		name_row(number, name);
		assert_int_equal(sqlite3_step(select), SQLITE_ROW);
		assert_int_equal(sqlite3_column_int64(select, 0), number);
		assert_int_equal(sqlite3_column_int64(select, 1), number % 7);
		assert_string_equal((const char *)sqlite3_column_text(select, 2), name);
		assert_int_equal(sqlite3_column_int64(select, 3), number * INT64_C(1000000000000));
	}
	assert_int_equal(sqlite3_step(select), SQLITE_DONE);
	sqlite3_finalize(select);
}

static void test_series_rows_finish_any_number_of_rows_is_written(void **state)
{
	(void)state;
	char folder[TEMPORARY_FOLDER_SIZE];
	temporary_folder_make(folder);
	struct config *config = config_in(folder, NULL);
	struct database *database = NULL;
	assert_int_equal(database_open(config->sqlite.path, &database), 0);
	struct series_rows rows = { 0 };
	assert_int_equal(series_rows_open(&rows, database), 0);
	for (unsigned count = 0; count <= ROWS_MAX; count++) {
		static char names[ROWS_MAX + 1][32];
		assert_int_equal(sqlite3_exec(database->appending, "BEGIN; DELETE FROM series", NULL, NULL, NULL), SQLITE_OK);
		series_rows_begin(&rows);
		for (unsigned number = 1; number <= count; number++) {
			name_row(number, names[number]);
			const struct series_row row = { number, number % 7, names[number], number * INT64_C(1000000000000) };
			assert_int_equal(series_rows_put(&rows, &row), SQLITE_OK);
		}
		assert_int_equal(series_rows_finish(&rows), SQLITE_OK);
		check_table(database, count);
		assert_int_equal(sqlite3_exec(database->appending, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	}
	database_close(database);
	config_free(config);
	temporary_folder_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_series_rows_finish_any_number_of_rows_is_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
