/* common/whole_file.h */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/support/temporary_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>
#include <unistd.h>

#include "common/whole_file.h"

static char folder[TEMPORARY_FOLDER_SIZE];
static char path[TEMPORARY_FOLDER_SIZE + 16], broken[TEMPORARY_FOLDER_SIZE + 16], temporary[TEMPORARY_FOLDER_SIZE + 16];

static int make_folder(void **state)
{
	(void)state;
	temporary_folder_make(folder);
	snprintf(path, sizeof(path), "%s/state", folder);
	snprintf(broken, sizeof(broken), "%s/state.broken", folder);
	snprintf(temporary, sizeof(temporary), "%s/state.new", folder);
	return 0;
}

/* Fails when anything else was left there. */
static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

static int remove_files(void **state)
{
	(void)state;
	unlink(path);
	unlink(broken);
	return 0;
}

static void replace_with(const char *string, int expected)
{
	struct text content = TEXT_EMPTY;
	text_append_string(&content, string);
	assert_int_equal(whole_file_replace(path, &content), expected);
	text_free(&content);
}

static void assert_content(const char *file_path, const char *expected)
{
	struct text content = TEXT_EMPTY;
	assert_int_equal(whole_file_read(file_path, &content), 0);
	assert_string_equal(content.data, expected);
	text_free(&content);
}

static void test_whole_file_replace_gives_what_is_read(void **state)
{
	(void)state;
	struct text empty = TEXT_EMPTY, content = TEXT_EMPTY;
	replace_with("a long first content\n", 0);
	replace_with("second\n", 0);
	assert_content(path, "second\n");
	assert_int_equal(whole_file_replace(path, &empty), 0);
	assert_int_equal(whole_file_read(path, &content), 0);
	assert_int_equal(content.length, 0);
	assert_int_equal(access(temporary, F_OK), -1);
	struct stat status;
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0027, 0);
	text_free(&content);
}

static void test_whole_file_replace_content_that_failed_leaves_the_old(void **state)
{
	(void)state;
	replace_with("old", 0);
	struct text failed = { .failed = true };
	assert_int_equal(whole_file_replace(path, &failed), -ENOMEM);
	assert_content(path, "old");
}

static void test_whole_file_replace_full_disk_leaves_the_old(void **state)
{
	(void)state;
	replace_with("old", 0);
	struct rlimit before, small = { .rlim_cur = 4096 };
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small.rlim_max = before.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	struct text content = TEXT_EMPTY;
	while (content.length < 8192)
		text_append_string(&content, "new content ");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	int result = whole_file_replace(path, &content);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(result, -EFBIG);
	assert_content(path, "old");
	assert_int_equal(access(temporary, F_OK), -1);
	text_free(&content);
}

static void test_whole_file_replace_unwritable_place_says_why(void **state)
{
	(void)state;
	struct text content = TEXT_EMPTY;
	text_append_string(&content, "x");
	assert_int_equal(whole_file_replace("/nonexistent/state", &content), -ENOENT);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(whole_file_replace(path, &content), -EISDIR);
	assert_int_equal(access(temporary, F_OK), -1);
	assert_int_equal(rmdir(path), 0);
	text_free(&content);
}

/* A FIFO takes the bytes, and cannot be synced. */
static void test_whole_file_replace_content_that_is_not_synced_leaves_the_old(void **state)
{
	(void)state;
	replace_with("old", 0);
	assert_int_equal(mkfifo(temporary, 0600), 0);
	int reader = open(temporary, O_RDONLY | O_NONBLOCK);
	assert_true(reader >= 0);
	replace_with("new", -EINVAL);
	close(reader);
	assert_content(path, "old");
	assert_int_equal(access(temporary, F_OK), -1);
}

static void test_whole_file_sync_folder_says_why_it_cannot(void **state)
{
	(void)state;
	assert_int_equal(whole_file_sync_folder(path), 0);
	assert_int_equal(whole_file_sync_folder("/nonexistent/state"), -ENOENT);
	assert_int_equal(whole_file_sync_folder("/proc/state"), -EINVAL); /* which has no disk */
}

static void test_whole_file_read_what_is_no_file_says_so(void **state)
{
	(void)state;
	struct text content = TEXT_EMPTY;
	assert_int_equal(whole_file_read(folder, &content), -EISDIR);
	text_free(&content);
}

static void test_whole_file_any_allocation_fails_leaves_the_old(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	struct text content = TEXT_EMPTY, read = TEXT_EMPTY;
	text_append_string(&content, "new");
	replace_with("old", 0);
	failing_start(1);
	assert_int_equal(whole_file_replace(path, &content), -ENOMEM);
	assert_true(failing_stop());
	assert_content(path, "old");
	failing_start(1);
	assert_int_equal(whole_file_move_aside(path), -ENOMEM);
	assert_true(failing_stop());
	assert_content(path, "old");
	bool failed = true;
	for (long n = 1; failed; n++) {
		failing_start(n);
		int result = whole_file_read(path, &read);
		failed = failing_stop();
		/* stdio does without a buffer. */
		if (result || !failed)
			assert_int_equal(result, failed ? -ENOMEM : 0);
		else
			assert_string_equal(read.data, "old");
		text_free(&read);
	}
	failing_start(2); /* to sync the folder: the new one is there, maybe not for good */
	assert_int_equal(whole_file_replace(path, &content), -ENOMEM);
	assert_true(failing_stop());
	assert_content(path, "new");
	text_free(&content);
}

static void test_whole_file_move_aside_renames(void **state)
{
	(void)state;
	struct text content = TEXT_EMPTY;
	replace_with("nonsense", 0);
	assert_int_equal(whole_file_move_aside(path), 0);
	assert_content(broken, "nonsense");
	assert_int_equal(whole_file_read(path, &content), -ENOENT);
	assert_int_equal(whole_file_move_aside(path), -ENOENT);
	text_free(&content);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_whole_file_replace_gives_what_is_read, remove_files),
		cmocka_unit_test_teardown(test_whole_file_replace_content_that_failed_leaves_the_old, remove_files),
		cmocka_unit_test_teardown(test_whole_file_replace_full_disk_leaves_the_old, remove_files),
		cmocka_unit_test_teardown(test_whole_file_replace_unwritable_place_says_why, remove_files),
		cmocka_unit_test_teardown(test_whole_file_replace_content_that_is_not_synced_leaves_the_old, remove_files),
		cmocka_unit_test(test_whole_file_sync_folder_says_why_it_cannot),
		cmocka_unit_test(test_whole_file_read_what_is_no_file_says_so),
		cmocka_unit_test_teardown(test_whole_file_any_allocation_fails_leaves_the_old, remove_files),
		cmocka_unit_test_teardown(test_whole_file_move_aside_renames, remove_files),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
