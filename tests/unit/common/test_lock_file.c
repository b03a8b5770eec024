/* common/lock_file.h */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/captured_stderr.h"
#include "tests/unit/support/temporary_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/lock_file.h"
#include "common/log.h"

static char folder[TEMPORARY_FOLDER_SIZE], path[TEMPORARY_FOLDER_SIZE + 16], lock_path[TEMPORARY_FOLDER_SIZE + 32];

static int set_up(void **state)
{
	(void)state;
	temporary_folder_make(folder);
	snprintf(path, sizeof(path), "%s/state", folder);
	snprintf(lock_path, sizeof(lock_path), "%s.lock", path);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	temporary_folder_remove(folder);
	return 0;
}

/* A process that holds the lock, until it is ended or for `hold_ms`. */
static pid_t hold(int hold_ms)
{
	int up[2];
	char byte, holder[LOCK_FILE_HOLDER_SIZE];
	assert_int_equal(pipe(up), 0);
	pid_t child = fork();
	if (child == 0) {
		int fd;
		if (lock_file_take(AT_FDCWD, lock_path, &fd, holder) != 0 || write(up[1], "x", 1) != 1)
			_exit(1);
		if (hold_ms)
			usleep((unsigned)hold_ms * 1000);
		else
			pause();
		_exit(0);
	}
	close(up[1]);
	assert_int_equal(read(up[0], &byte, 1), 1);
	close(up[0]);
	return child;
}

static void test_lock_file_take_held_says_by_whom(void **state)
{
	(void)state;
	char holder[LOCK_FILE_HOLDER_SIZE], expected[LOCK_FILE_HOLDER_SIZE];
	int fd;
	pid_t child = hold(0);
	snprintf(expected, sizeof(expected), "process %d", (int)child);
	assert_int_equal(lock_file_take(AT_FDCWD, lock_path, &fd, holder), -EBUSY);
	assert_string_equal(holder, expected);
	/* It ends with its process, however that ends. */
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_int_equal(lock_file_take(AT_FDCWD, lock_path, &fd, holder), 0);
	/* The number is anew ours. */
	int other;
	snprintf(expected, sizeof(expected), "process %d", (int)getpid());
	assert_int_equal(lock_file_take(AT_FDCWD, lock_path, &other, holder), -EBUSY);
	assert_string_equal(holder, expected);
	/* What is no number is none. */
	temporary_file_write(lock_path, "nonsense");
	assert_int_equal(lock_file_take(AT_FDCWD, lock_path, &other, holder), -EBUSY);
	assert_string_equal(holder, "another process");
	temporary_file_write(lock_path, "");
	assert_int_equal(lock_file_take(AT_FDCWD, lock_path, &other, holder), -EBUSY);
	assert_string_equal(holder, "another process");
	close(fd);
}

/* As on a disk that is full: a FIFO holds no number. */
static void test_lock_file_take_where_nothing_can_be_written_is_taken_all_the_same(void **state)
{
	(void)state;
	char holder[LOCK_FILE_HOLDER_SIZE] = "";
	int fd, other;
	assert_int_equal(mkfifo(lock_path, 0600), 0);
	assert_int_equal(lock_file_take(AT_FDCWD, lock_path, &fd, holder), 0);
	assert_int_equal(lock_file_take(AT_FDCWD, lock_path, &other, holder), -EBUSY);
	assert_string_equal(holder, "another process");
	close(fd);
}

static void test_lock_file_take_is_relative_to_the_folder_and_follows_no_link(void **state)
{
	(void)state;
	char holder[LOCK_FILE_HOLDER_SIZE];
	int fd, folder_fd = open(folder, O_RDONLY | O_DIRECTORY);
	assert_int_equal(lock_file_take(folder_fd, "lock", &fd, holder), 0);
	assert_int_equal(faccessat(folder_fd, "lock", F_OK, 0), 0);
	close(fd);
	assert_int_equal(symlinkat("lock", folder_fd, "link"), 0);
	assert_int_equal(lock_file_take(folder_fd, "link", &fd, holder), -ELOOP);
	assert_int_equal(lock_file_take(folder_fd, "none/lock", &fd, holder), -ENOENT);
	close(folder_fd);
}

static void test_lock_file_wait_takes_over_and_says_whom_it_waits_for(void **state)
{
	(void)state;
	struct text error = TEXT_EMPTY;
	char expected[64];
	int fd, other;
	captured_stderr_begin();
	assert_int_equal(lock_file_wait(path, "the state in", 0, &fd, &error), 0);
	assert_int_equal(captured_stderr_end(), 0);
	close(fd);

	pid_t child = hold(300);
	captured_stderr_begin();
	assert_int_equal(lock_file_wait(path, "the state in", 60000, &fd, &error), 0);
	assert_int_equal(captured_stderr_end(), 1);
	snprintf(expected, sizeof(expected), "waiting for process %d, which uses it", (int)child);
	assert_int_equal(captured_stderr_count(expected), 1);
	waitpid(child, NULL, 0);

	captured_stderr_begin();
	assert_int_equal(lock_file_wait(path, "the state in", 100, &other, &error), -EBUSY);
	assert_int_equal(captured_stderr_end(), 1);
	snprintf(expected, sizeof(expected), "is in use by process %d", (int)getpid());
	assert_non_null(strstr(error.data, expected));
	close(fd);
	text_free(&error);
}

static void test_lock_file_wait_without_a_place_says_why(void **state)
{
	(void)state;
	struct text error = TEXT_EMPTY;
	int fd;
	assert_int_equal(lock_file_wait("/nonexistent/x", "store", 1000, &fd, &error), -ENOENT);
	assert_string_equal(error.data, "store /nonexistent/x: cannot lock /nonexistent/x.lock: No such file or directory");
	text_free(&error);
	/* The lock of a folder would be a file in it. */
	static const char *const folders[] = { "", "/tmp/" };
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		char expected[128];
		snprintf(expected, sizeof(expected), "store %s: cannot lock %s.lock: Is a directory", folders[i], folders[i]);
		assert_int_equal(lock_file_wait(folders[i], "store", 1000, &fd, &error), -EISDIR);
		assert_string_equal(error.data, expected);
		text_free(&error);
	}
	assert_int_equal(access("/tmp/.lock", F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lock_file_take_held_says_by_whom, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_lock_file_take_where_nothing_can_be_written_is_taken_all_the_same, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_lock_file_take_is_relative_to_the_folder_and_follows_no_link, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_lock_file_wait_takes_over_and_says_whom_it_waits_for, set_up, tear_down),
		cmocka_unit_test(test_lock_file_wait_without_a_place_says_why),
	};
	log_init("vigie-test");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
