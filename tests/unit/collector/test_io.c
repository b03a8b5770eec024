#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/temporary_folder.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collector/io.h"

static void test_io_parse_texts_are_read_or_refused(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool good;
		uint64_t read_bytes, write_bytes;
	} cases[] = {
		{ "rchar: 6976\nwchar: 9\nsyscr: 10\nsyscw: 0\nread_bytes: 4096\nwrite_bytes: 8192\ncancelled_write_bytes: 8192\n", true, 4096, 8192 },
		{ "read_bytes: 0\nwrite_bytes: 18446744073709551615\n", true, 0, UINT64_MAX },
		{ "read_bytes: 1\ncancelled_write_bytes: 2\n", false, 0, 0 },
		{ "write_bytes: 1\n", false, 0, 0 },
		{ "", false, 0, 0 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct io io = { 77, 77 };
		assert_int_equal(io_parse(cases[i].text, &io), cases[i].good);
		assert_int_equal(io.read_bytes, cases[i].good ? cases[i].read_bytes : 77);
		assert_int_equal(io.write_bytes, cases[i].good ? cases[i].write_bytes : 77);
	}
}

static void test_io_read_errors_tell_who_has_ended_from_who_is_hidden(void **state)
{
	(void)state;
	struct io io;
	if (io_check("/proc") == -ENOENT)
		skip(); /* a kernel that does not count */
	assert_int_equal(io_check("/proc"), 0);
	assert_int_equal(io_check("/nowhere"), -ENOENT);
	assert_int_equal(io_read("/proc", getpid(), &io), 0);
	pid_t child = fork();
	if (child == 0)
		_exit(0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(io_read("/proc", child, &io), -ESRCH);
	if (getuid() != 0)
		skip();
	child = fork();
	if (child == 0)
		_exit(setuid(65534) == 0 ? -io_read("/proc", getppid(), &io) : 0);
	int status = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), EACCES);
}

static void test_io_read_file_that_is_none_is_told(void **state)
{
	(void)state;
	char folder[TEMPORARY_FOLDER_SIZE], path[TEMPORARY_FOLDER_SIZE + 16];
	struct io io;
	temporary_folder_make(folder);
	snprintf(path, sizeof(path), "%s/7", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/7/io", folder);
	temporary_file_write(path, "read_bytes: 4096\n");
	assert_int_equal(io_read(folder, 7, &io), -EBADMSG);
	temporary_file_write(path, "read_bytes: 4096\nwrite_bytes: 1\n");
	assert_int_equal(io_read(folder, 7, &io), 0);
	assert_int_equal(io.read_bytes, 4096);
	assert_int_equal(io.write_bytes, 1);
	temporary_folder_remove(folder);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_io_parse_texts_are_read_or_refused),
		cmocka_unit_test(test_io_read_errors_tell_who_has_ended_from_who_is_hidden),
		cmocka_unit_test(test_io_read_file_that_is_none_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
