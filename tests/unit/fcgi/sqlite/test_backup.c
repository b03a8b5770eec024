/* fcgi/sqlite/backup.h: a copy is there whole or not at all */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/fcgi/helpers.h"
#include "tests/unit/fcgi/sqlite/failing_statement.h"
#include "tests/unit/fcgi/sqlite/sealing.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "fcgi/sqlite/backup.h"
#include "fcgi/sqlite/database.h"

enum { ROWS = 2000 };

static char folder[TEMPORARY_FOLDER_SIZE], path[TEMPORARY_FOLDER_SIZE + 16], target[TEMPORARY_FOLDER_SIZE + 16],
	beside[TEMPORARY_FOLDER_SIZE + 32];
static struct database *database;

/* ---- a file system that is not asked for what it has not, and another who takes the place meanwhile ---- */

static enum { AS_IT_IS, CANNOT_TELL, TAKEN_MEANWHILE } place;

int renameat2(int old_folder, const char *old_name, int new_folder, const char *new_name, unsigned flags)
{
	if (place == TAKEN_MEANWHILE)
		temporary_file_write(new_name, "another's");
	if (place == CANNOT_TELL) {
		errno = EINVAL;
		return -1;
	}
	return (int)syscall(SYS_renameat2, old_folder, old_name, new_folder, new_name, flags);
}

/* A database that is in use: half of its rows are in its log alone. */
static int set_up(void **state)
{
	(void)state;
	place = AS_IT_IS;
	temporary_folder_make_in_memory(folder);
	snprintf(path, sizeof(path), "%s/vigie.db", folder);
	snprintf(target, sizeof(target), "%s/copy", folder);
	snprintf(beside, sizeof(beside), "%s.new", target);
	assert_int_equal(database_open(path, &database), 0);
	for (int i = 0; i < ROWS; i++) {
		char sql[96];
		snprintf(sql, sizeof(sql), "INSERT INTO sample (key, data) VALUES (%d, randomblob(50))", i);
		sealing_run(database->appending, sql);
		if (i == ROWS / 2)
			database_checkpoint(database);
	}
	assert_int_equal(chmod(path, 0640), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	database_close(database);
	temporary_folder_remove(folder);
	return 0;
}

static int64_t ask(const char *sql)
{
	sqlite3 *connection = sealing_open(target);
	sqlite3_stmt *statement = sealing_prepare(connection, sql, 0);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	int64_t number = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(connection);
	return number;
}

static void assert_whole(void)
{
	struct stat status;
	assert_int_equal(stat(target, &status), 0);
	assert_int_equal(status.st_mode & ACCESSPERMS, 0640);
	assert_int_equal(access(beside, F_OK), -1);
	assert_int_equal(ask("SELECT count(*) FROM sample"), ROWS);
	assert_int_equal(ask("SELECT value FROM state WHERE name = 'closed'"), -2);
	assert_int_equal(ask("SELECT auto_vacuum FROM pragma_auto_vacuum"), 2);
}

static void assert_nothing(void)
{
	assert_int_equal(access(target, F_OK), -1);
	assert_int_equal(access(beside, F_OK), -1);
}

static void assert_fails(const char *from, const char *to, int expected, const char *words)
{
	struct text error = TEXT_EMPTY;
	assert_int_equal(backup_write(from, to, &error), expected);
	if (!strstr(error.data, words))
		fail_msg("'%s' is not in '%s'", words, error.data);
	text_free(&error);
}

static void test_backup_write_database_in_use_is_copied_whole(void **state)
{
	(void)state;
	struct text error = TEXT_EMPTY;
	temporary_file_write(beside, "of a copy that was broken off");
	assert_int_equal(backup_write(path, target, &error), 0);
	assert_null(error.data);
	assert_whole();
	/* It is used on. */
	sealing_run(database->appending, "DELETE FROM sample");
	assert_true(database_is_in_place(database, DATABASE_APPENDING));
	assert_whole();
}

static void test_backup_write_what_is_there_is_not_written_over(void **state)
{
	(void)state;
	char content[16] = "";
	temporary_file_write(target, "another's");
	assert_fails(path, target, -EEXIST, "copy: File exists");
	assert_int_equal(unlink(target), 0);
	place = TAKEN_MEANWHILE;
	assert_fails(path, target, -EEXIST, "copy: File exists");
	FILE *file = fopen(target, "r");
	assert_non_null(fgets(content, sizeof(content), file));
	fclose(file);
	assert_string_equal(content, "another's");
	assert_int_equal(access(beside, F_OK), -1);
}

static void test_backup_write_file_system_that_cannot_tell_has_it_renamed(void **state)
{
	(void)state;
	struct text error = TEXT_EMPTY;
	place = CANNOT_TELL;
	assert_int_equal(backup_write(path, target, &error), 0);
	assert_whole();
}

static void test_backup_write_no_database_or_no_place_says_which(void **state)
{
	(void)state;
	char other[TEMPORARY_FOLDER_SIZE + 16];
	assert_fails("/nonexistent/vigie.db", target, -ENOENT, "no database /nonexistent/vigie.db: No such file");
	assert_fails(path, "/nonexistent/copy", -ENOENT, "cannot write /nonexistent/copy.new: No such file");
	assert_fails(folder, target, -EIO, "cannot copy ");
	assert_nothing();
	snprintf(other, sizeof(other), "%s/other", folder);
	temporary_file_write(other, "");
	assert_fails(other, target, -EIO, "no such table: sample");
	assert_nothing();
	temporary_file_write(other, "no database, and long enough for the header of one: ................................................");
	assert_fails(other, target, -EIO, "file is not a database");
	assert_nothing();
}

/* A file system of this process alone that has room for half of it. */
static void test_backup_write_full_disk_says_so_and_leaves_nothing(void **state)
{
	(void)state;
	char place_path[TEMPORARY_FOLDER_SIZE + 16], copy[TEMPORARY_FOLDER_SIZE + 32];
	snprintf(place_path, sizeof(place_path), "%s/small", folder);
	snprintf(copy, sizeof(copy), "%s/copy", place_path);
	assert_int_equal(mkdir(place_path, 0700), 0);
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("vigie-test", place_path, "tmpfs", 0, "size=64k") != 0) {
		print_message("no file system may be mounted here\n");
		skip();
	}
	struct text error = TEXT_EMPTY;
	int result = backup_write(path, copy, &error);
	int left = rmdir(copy) == 0 || errno != ENOENT;
	/* Not empty where anything of the copy is left. */
	strcat(copy, ".new");
	left = left || access(copy, F_OK) == 0;
	umount2(place_path, MNT_DETACH);
	assert_int_equal(result, -ENOSPC);
	assert_non_null(strstr(error.data, "database or disk is full"));
	assert_false(left);
	text_free(&error);
}

/* What has failed leaves nothing; what has not, since it could do without, is whole, and removed for the next. */
static void check_result(int result, int expected)
{
	if (result) {
		assert_int_equal(result, expected);
		assert_nothing();
	} else {
		assert_whole();
		assert_int_equal(unlink(target), 0);
	}
}

static void test_backup_write_any_statement_fails_leaves_nothing(void **state)
{
	(void)state;
	bool failed = true;
	int failures = 0;
	for (int number = 1; failed; number++) {
		struct text error = TEXT_EMPTY;
		failing_statement_start(number, SQLITE_IOERR);
		int result = backup_write(path, target, &error);
		failed = failing_statement_stop();
		check_result(result, failed ? -EIO : 0);
		failures += result != 0;
		text_free(&error);
	}
	assert_true(failures > 6);
}

static void test_backup_write_any_allocation_fails_leaves_nothing(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	bool failed = true;
	for (long n = 1; failed; n++) {
		struct text error = TEXT_EMPTY;
		failing_start(n);
		int result = backup_write(path, target, &error);
		failed = failing_stop();
		check_result(result, failed ? -ENOMEM : 0);
		text_free(&error);
	}
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_backup_write_database_in_use_is_copied_whole),
		CASE(test_backup_write_what_is_there_is_not_written_over),
		CASE(test_backup_write_file_system_that_cannot_tell_has_it_renamed),
		CASE(test_backup_write_no_database_or_no_place_says_which),
		CASE(test_backup_write_full_disk_says_so_and_leaves_nothing),
		CASE(test_backup_write_any_statement_fails_leaves_nothing),
		CASE(test_backup_write_any_allocation_fails_leaves_nothing),
	};
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
