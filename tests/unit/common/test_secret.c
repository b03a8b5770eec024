#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/captured_stderr.h"
#include "tests/unit/support/temporary_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/secret.h"

static char folder[TEMPORARY_FOLDER_SIZE], path[TEMPORARY_FOLDER_SIZE + 16];

static int setup(void **state)
{
	(void)state;
	temporary_folder_make(folder);
	snprintf(path, sizeof(path), "%s/secret", folder);
	log_init("vigie-test");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	temporary_folder_remove(folder);
	return 0;
}

static void write_secret(const char *bytes, size_t length, mode_t mode)
{
	unlink(path);
	int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(file >= 0);
	assert_int_equal(write(file, bytes, length), (ssize_t)length);
	assert_int_equal(fchmod(file, mode), 0); /* whatever the umask */
	close(file);
}

/* Reads a file behind a ">"; whether a warning was logged meanwhile. */
static int read_logged(const char *from, struct text *secret, bool *ret_warned)
{
	text_reset(secret);
	text_append_char(secret, '>');
	captured_stderr_begin();
	int result = secret_read(from, secret);
	captured_stderr_end();
	const char *logged = captured_stderr_text();
	*ret_warned = logged[0] != '\0';
	if (*ret_warned) {
		assert_non_null(strstr(logged, " warning: "));
		assert_non_null(strstr(logged, from));
		assert_non_null(strstr(logged, "chmod 600"));
		assert_null(strstr(logged, "sesame")); /* the secret itself */
	}
	return result;
}

static void test_secret_read_first_line_is_the_secret(void **state)
{
	(void)state;
#define LINE(content) content, sizeof(content) - 1
	static const struct {
		const char *bytes;
		size_t length;
		int expected;
		const char *secret;
	} cases[] = {
		{ LINE("sesame"), 0, ">sesame" },
		{ LINE("sesame\n"), 0, ">sesame" },
		{ LINE("sesame\r\n"), 0, ">sesame" },
		{ LINE(" \t sesame \t\r\n"), 0, ">sesame" },
		{ LINE("open sesame\n"), 0, ">open sesame" },
		{ LINE("sesame\nnot this\n"), 0, ">sesame" },
		{ LINE("a==\n\n"), 0, ">a==" },
		{ LINE("\xc3\xa9%s%n\\\n"), 0, ">\xc3\xa9%s%n\\" },
		{ LINE(""), -EINVAL, ">" },
		{ LINE("\n"), -EINVAL, ">" },
		{ LINE("\r\n"), -EINVAL, ">" },
		{ LINE(" \t \n"), -EINVAL, ">" },
		{ LINE("   "), -EINVAL, ">" },
		{ LINE("\nsesame\n"), -EINVAL, ">" },
		{ LINE("\0sesame\n"), -EINVAL, ">" },
	};
	struct text secret = TEXT_EMPTY;
	bool warned;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_secret(cases[i].bytes, cases[i].length, 0600);
		int result = read_logged(path, &secret, &warned);
		if (result != cases[i].expected)
			fail_msg("%zu: %d", i, result);
		assert_string_equal(secret.data, cases[i].secret);
		assert_false(warned);
	}
	text_free(&secret);
}

/* A token that was cut would be refused with no hint why. */
static void test_secret_read_long_line_is_whole_or_refused(void **state)
{
	(void)state;
	static const struct {
		size_t length;
		const char *end;
		int expected;
	} cases[] = {
		{ 1000, "\n", 0 }, { 4094, "\n", 0 }, { 4094, "", 0 }, { 4095, "", -EFBIG },
		{ 4095, "\n", -EFBIG }, { 4096, "", -EFBIG }, { 4096, "\n", -EFBIG }, { 100000, "\n", -EFBIG },
	};
	struct text secret = TEXT_EMPTY;
	bool warned;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct text line = TEXT_EMPTY;
		for (size_t j = 0; j < cases[i].length; j++)
			text_append_char(&line, (char)('a' + j % 26));
		text_append_string(&line, cases[i].end);
		write_secret(line.data, line.length, 0600);
		int result = read_logged(path, &secret, &warned);
		if (result != cases[i].expected)
			fail_msg("%zu: %d", i, result);
		assert_int_equal(secret.length, result ? 1 : cases[i].length + 1);
		if (result == 0)
			assert_memory_equal(secret.data + 1, line.data, cases[i].length);
		text_free(&line);
	}
	text_free(&secret);
}

static void test_secret_read_others_may_read_it_is_warned_of(void **state)
{
	(void)state;
	static const struct {
		mode_t mode;
		bool warned;
	} cases[] = {
		{ 0600, false }, { 0400, false }, { 0700, false }, { 0620, false }, { 0611, false },
		{ 0640, true },  { 0440, true },  { 0604, true },  { 0644, true },  { 0666, true },
	};
	struct text secret = TEXT_EMPTY;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool warned;
		write_secret("sesame\n", 7, cases[i].mode);
		assert_int_equal(read_logged(path, &secret, &warned), 0);
		assert_string_equal(secret.data, ">sesame");
		if (warned != cases[i].warned)
			fail_msg("%03o", (unsigned)cases[i].mode);
	}
	text_free(&secret);
}

/* Of a pipe, as of a shell's <(…), the mode says nothing. */
static void test_secret_read_pipe_is_read_without_a_warning(void **state)
{
	(void)state;
	struct text secret = TEXT_EMPTY;
	bool warned;
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(chmod(path, 0644), 0);
	int end = open(path, O_RDWR | O_CLOEXEC);
	assert_true(end >= 0);
	assert_int_equal(write(end, "sesame\n", 7), 7);
	assert_int_equal(read_logged(path, &secret, &warned), 0);
	assert_string_equal(secret.data, ">sesame");
	assert_false(warned);
	close(end);
	text_free(&secret);
}

static void test_secret_read_file_that_cannot_be_read_says_why(void **state)
{
	(void)state;
	struct text secret = TEXT_EMPTY;
	bool warned;
	unlink(path);
	assert_int_equal(read_logged(path, &secret, &warned), -ENOENT);
	assert_int_equal(read_logged("", &secret, &warned), -ENOENT);
	assert_int_equal(read_logged("/dev/null/secret", &secret, &warned), -ENOTDIR);
	assert_int_equal(read_logged(folder, &secret, &warned), -EIO);
	assert_string_equal(secret.data, ">");
	if (geteuid() != 0) { /* root may read all */
		write_secret("sesame\n", 7, 0000);
		assert_int_equal(read_logged(path, &secret, &warned), -EACCES);
	}
	text_free(&secret);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_secret_read_first_line_is_the_secret),
		cmocka_unit_test(test_secret_read_long_line_is_whole_or_refused),
		cmocka_unit_test(test_secret_read_others_may_read_it_is_warned_of),
		cmocka_unit_test(test_secret_read_pipe_is_read_without_a_warning),
		cmocka_unit_test(test_secret_read_file_that_cannot_be_read_says_why),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
