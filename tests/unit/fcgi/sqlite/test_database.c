/* fcgi/sqlite/database.h, and damage.h: what the log says when the file fails, and files that are not as they were */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/captured_stderr.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/fcgi/helpers.h"
#include "tests/unit/fcgi/sqlite/sealing.h"

#include <errno.h>
#include <sys/stat.h>

#include "fcgi/sqlite/database.h"

static char folder[TEMPORARY_FOLDER_SIZE], path[TEMPORARY_FOLDER_SIZE + 16], log_path[TEMPORARY_FOLDER_SIZE + 32],
	away[TEMPORARY_FOLDER_SIZE + 32];

static int set_up(void **state)
{
	struct database *database;
	temporary_folder_make_in_memory(folder);
	snprintf(path, sizeof(path), "%s/vigie.db", folder);
	snprintf(log_path, sizeof(log_path), "%s-wal", path);
	snprintf(away, sizeof(away), "%s/away", folder);
	assert_int_equal(database_open(path, &database), 0);
	*state = database;
	return 0;
}

static int tear_down(void **state)
{
	captured_stderr_abandon();
	database_close(*state);
	temporary_folder_remove(folder);
	return 0;
}

static void reopen(void **state)
{
	struct database *database;
	database_close(*state);
	*state = NULL;
	assert_int_equal(database_open(path, &database), 0);
	*state = database;
}

static void put_row(struct database *database)
{
	sealing_run(database->appending, "INSERT INTO sample (key, data) VALUES (7, x'ff')");
}

/* How many rows a copy of the file has, without its log. */
static int count_in_file_alone(void)
{
	char command[3 * TEMPORARY_FOLDER_SIZE];
	snprintf(command, sizeof(command), "cp %s %s", path, away);
	assert_int_equal(system(command), 0);
	sqlite3 *connection = sealing_open(away);
	sqlite3_stmt *count = sealing_prepare(connection, "SELECT count(*) FROM sample", 0);
	assert_int_equal(sqlite3_step(count), SQLITE_ROW);
	int rows = sqlite3_column_int(count, 0);
	sqlite3_finalize(count);
	sqlite3_close(connection);
	return rows;
}

/* ---- what SQLite says ---- */

static void test_database_result_each_code_has_its_error_and_words(void **state)
{
	struct database *database = *state;
	static const struct {
		int code, error; /* errno: what the last system call said */
		int expected;
		const char *words;
	} cases[] = {
		{ SQLITE_OK, 0, 0, NULL },
		{ SQLITE_ROW, 0, 0, NULL },
		{ SQLITE_DONE, 0, 0, NULL },
		{ SQLITE_NOMEM, 0, -ENOMEM, ": read: out of memory" },
		{ SQLITE_FULL, 0, -ENOSPC, ": read: " },
		{ SQLITE_CORRUPT, EIO, -EIO, ": read: its disk cannot be read: Input/output error" },
		{ SQLITE_CORRUPT, ENXIO, -EIO, ": read: its disk cannot be read: No such device or address" },
		{ SQLITE_CORRUPT_INDEX, 0, -EIO, "-shm away and start again: a new database is made" },
		{ SQLITE_NOTADB, EIO, -EIO, "-shm away and start again: a new database is made" },
		{ SQLITE_IOERR, 0, -EIO, ": read: " },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		/* Reads of any other connection than the appending one are told apart. */
		for (int use = 0; use < DATABASE_USES; use++) {
			atomic_store(&database->said[use], false);
			captured_stderr_begin();
			errno = cases[i].error;
			int result = database_result(database, cases[i].code, use == DATABASE_APPENDING ? database->appending : NULL, "read");
			captured_stderr_end();
			assert_int_equal(result, cases[i].expected);
			assert_int_equal(captured_stderr_count(cases[i].words ? cases[i].words : "error"), cases[i].words ? 1 : 0);
			assert_int_equal(atomic_load(&database->said[use]), cases[i].words != NULL);
			assert_int_equal(database_health(database), cases[i].words ? -EIO : 0);
			assert_int_equal(database_finish(database, (enum database_use)use, 0), 0);
		}
	}
}

static void test_database_fail_is_said_once_until_it_was_over_for_ten_seconds(void **state)
{
	struct database *database = *state;
	static const char *const uses[] = { "writing", "reading" };
	for (int use = 0; use < DATABASE_USES; use++) {
		captured_stderr_begin();
		database_fail(database, (enum database_use)use, "something %d", 1);
		database_fail(database, (enum database_use)use, "something %d", 2);
		assert_int_equal(database_health(database), -EIO);
		assert_int_equal(database_finish(database, (enum database_use)use, -EIO), -EIO);
		assert_int_equal(database_health(database), -EIO);
		assert_int_equal(database_finish(database, (enum database_use)use, 0), 0);
		assert_int_equal(database_health(database), 0);
		database_fail(database, (enum database_use)use, "something %d", 3);
		captured_stderr_end();
		assert_int_equal(captured_stderr_count("something"), 1);
		assert_int_equal(captured_stderr_count("something 1"), 1);
		assert_int_equal(captured_stderr_count("works again"), 0);
		/* Ten seconds later. */
		atomic_fetch_sub(&database->failed_ns[use], INT64_C(10000000000));
		captured_stderr_begin();
		log_set_level(LOG_LEVEL_INFO);
		for (int i = 0; i < 2; i++)
			assert_int_equal(database_finish(database, (enum database_use)use, 0), 0);
		log_set_level(LOG_LEVEL_ERROR);
		database_fail(database, (enum database_use)use, "something %d", 4);
		captured_stderr_end();
		char words[64];
		snprintf(words, sizeof(words), ": %s works again", uses[use]);
		assert_int_equal(captured_stderr_count(words), 1);
		assert_int_equal(captured_stderr_count("something 4"), 1);
		assert_int_equal(database_finish(database, (enum database_use)use, 0), 0);
	}
}

static void test_database_find_newest_damaged_row_is_told(void **state)
{
	struct database *database = *state;
	sqlite3_stmt *find = sealing_prepare(database->appending, DATABASE_FIND, 0);
	uint32_t offset_ms = 5;
	size_t entries = 6;
	put_row(database);
	assert_int_equal(database_find_newest(database, find, 8, &offset_ms, &entries), 0);
	captured_stderr_begin();
	assert_int_equal(database_find_newest(database, find, 7, &offset_ms, &entries), -EIO);
	captured_stderr_end();
	assert_int_equal(captured_stderr_count("row 7 of its samples is damaged"), 1);
	sqlite3_finalize(find);
}

/* ---- files that are not as they were ---- */

static void test_database_is_in_place_file_of_another_is_not_ours(void **state)
{
	struct database *database = *state;
	struct sqlite3 *connection = NULL;
	assert_true(database_is_in_place(database, DATABASE_READING));
	assert_int_equal(rename(path, away), 0);
	captured_stderr_begin();
	assert_false(database_is_in_place(database, DATABASE_READING));
	/* It is not made anew for who reads. */
	assert_int_equal(database_connect(database, &connection), -EIO);
	assert_null(connection);
	assert_int_equal(access(path, F_OK), -1);
	temporary_file_write(path, "");
	assert_false(database_is_in_place(database, DATABASE_APPENDING));
	captured_stderr_end();
	assert_int_equal(captured_stderr_count("the file was moved or removed; put it back, or start again"), 2); /* of each use */
	assert_int_equal(rename(away, path), 0);
	assert_true(database_is_in_place(database, DATABASE_APPENDING));
	assert_int_equal(database_connect(database, &connection), 0);
	database_disconnect(connection);
}

/* What is in it alone would be lost with it. */
static void test_database_is_in_place_log_that_is_gone_is_brought_to_the_file(void **state)
{
	struct database *database = *state;
	put_row(database);
	assert_int_equal(count_in_file_alone(), 0);
	assert_int_equal(unlink(log_path), 0);
	captured_stderr_begin();
	assert_false(database_is_in_place(database, DATABASE_READING));
	assert_int_equal(count_in_file_alone(), 0);
	assert_false(database_is_in_place(database, DATABASE_APPENDING));
	captured_stderr_end();
	assert_int_equal(captured_stderr_count("-wal was moved or removed; put it back, or start again"), 2);
	assert_int_equal(count_in_file_alone(), 1);
}

static void test_database_open_file_without_its_samples_says_where_they_may_be(void **state)
{
	static const struct {
		const char *sql; /* of a file that is there already; NULL: none is */
		const char *words;
	} cases[] = {
		{ NULL, "" },
		{ "", "" }, /* an empty file: nobody has used it */
		{ "PRAGMA user_version = 0; VACUUM", "it had no tables, and is begun anew" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		database_close(*state);
		*state = NULL;
		unlink(path);
		if (cases[i].sql) {
			temporary_file_write(path, "");
			sqlite3 *connection = sealing_open(path);
			sealing_run(connection, cases[i].sql);
			sqlite3_close(connection);
		}
		captured_stderr_begin();
		log_set_level(LOG_LEVEL_WARNING);
		reopen(state);
		log_set_level(LOG_LEVEL_ERROR);
		captured_stderr_end();
		assert_int_equal(captured_stderr_count("warning: "), cases[i].words[0] != '\0');
		if (cases[i].words[0])
			assert_int_equal(captured_stderr_count(cases[i].words), 1);
	}
	/* Copied alone while it was in use. */
	put_row(*state);
	assert_int_equal(count_in_file_alone(), 0);
	database_close(*state);
	*state = NULL;
	assert_int_equal(rename(away, path), 0);
	captured_stderr_begin();
	log_set_level(LOG_LEVEL_WARNING);
	reopen(state);
	log_set_level(LOG_LEVEL_ERROR);
	captured_stderr_end();
	assert_int_equal(captured_stderr_count("samples that were in that alone are lost"), 1);
}

/* SQLite's own word for a database that has no log. */
static void test_database_open_place_without_a_log_is_refused(void **state)
{
	struct database *database = NULL;
	char *before = getcwd(NULL, 0);
	(void)state;
	assert_int_equal(chdir(folder), 0);
	captured_stderr_begin();
	int result = database_open(":memory:", &database);
	captured_stderr_end();
	assert_int_equal(chdir(before), 0);
	free(before);
	assert_int_equal(result, -EINVAL);
	assert_null(database);
	assert_int_equal(captured_stderr_count("its file system cannot have a write-ahead log"), 1);
}

/* Any allocation fails: of a place that can be used, and of one whose lock is a link. */
static void test_database_open_any_allocation_fails_is_out_of_memory(void **state)
{
	if (!FAILING_MALLOC)
		skip();
	char link_path[TEMPORARY_FOLDER_SIZE + 32], lock[TEMPORARY_FOLDER_SIZE + 48];
	snprintf(link_path, sizeof(link_path), "%s/linked", folder);
	snprintf(lock, sizeof(lock), "%s.lock", link_path);
	assert_int_equal(symlink("elsewhere", lock), 0);
	database_close(*state);
	*state = NULL;
	for (int linked = 0; linked < 2; linked++) {
		bool failed = true;
		for (long n = 1; failed; n++) {
			struct database *database = NULL;
			captured_stderr_begin();
			failing_start(n);
			int result = database_open(linked ? link_path : path, &database);
			failed = failing_stop();
			captured_stderr_end();
			int expected = linked ? -ELOOP : 0;
			assert_true(result == expected || (failed && result == -ENOMEM));
			assert_int_equal(database != NULL, result == 0);
			if (result == -ELOOP) /* said in any case */
				assert_int_equal(captured_stderr_count(strerror(ELOOP)) + (failed ? captured_stderr_count(strerror(ENOMEM)) : 0), 1);
			database_close(database);
		}
	}
	reopen(state);
}

/* ---- hours that are damaged ---- */

static void test_damage_note_is_new_once_and_as_long_as_there_is_room(void **state)
{
	struct damage *damage = &((struct database *)*state)->damage;
	int64_t keys[STORE_DAMAGED_MAX], hour_ms = 1000 * (int64_t)BLOCK_MS;
	for (uint32_t i = 0; i < STORE_DAMAGED_MAX; i++) {
		int64_t key = placement_hour_key(METRIC_USAGE, hour_ms + i % 2 * BLOCK_MS, i + 1);
		assert_true(damage_note(damage, key));
		assert_false(damage_note(damage, key));
	}
	/* One too many is not told, until others are too old. */
	int64_t more = placement_hour_key(METRIC_USAGE, hour_ms + BLOCK_MS, STORE_DAMAGED_MAX + 1);
	assert_false(damage_note(damage, more));
	assert_int_equal(damage_list(damage, hour_ms + BLOCK_MS - 1, keys), STORE_DAMAGED_MAX);
	assert_int_equal(damage_list(damage, hour_ms + BLOCK_MS, keys), STORE_DAMAGED_MAX / 2);
	for (size_t i = 0; i < STORE_DAMAGED_MAX / 2; i++)
		assert_int_equal(placement_hour_ms(keys[i]), hour_ms + BLOCK_MS);
	assert_true(damage_note(damage, more));
	assert_int_equal(damage_list(damage, 0, keys), STORE_DAMAGED_MAX / 2 + 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_database_result_each_code_has_its_error_and_words),
		CASE(test_database_fail_is_said_once_until_it_was_over_for_ten_seconds),
		CASE(test_database_find_newest_damaged_row_is_told),
		CASE(test_database_is_in_place_file_of_another_is_not_ours),
		CASE(test_database_is_in_place_log_that_is_gone_is_brought_to_the_file),
		CASE(test_database_open_file_without_its_samples_says_where_they_may_be),
		CASE(test_database_open_place_without_a_log_is_refused),
		CASE(test_database_open_any_allocation_fails_is_out_of_memory),
		CASE(test_damage_note_is_new_once_and_as_long_as_there_is_room),
	};
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
