#include "tests/unit/support/cmocka.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/token.h"
#include "tests/unit/collector/captured_log.h"

static char path[64];

static void write_token(const char *content)
{
	unlink(path); /* as a rename would, it makes another file of it */
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	close(fd);
}

static int make_path(void **state)
{
	(void)state;
	strcpy(path, "/tmp/vigie-token-XXXXXX");
	int fd = mkstemp(path);
	return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

static void test_token_open_first_line_is_the_token(void **state)
{
	(void)state;
	struct token token;
	write_token("secret-1 \nanother\n");
	assert_int_equal(token_open(&token, path), 0);
	assert_string_equal(token.header.data, "Bearer secret-1");
	assert_false(token_refresh(&token));
	token_free(&token);
}

static void test_token_open_none_is_none(void **state)
{
	(void)state;
	struct token token;
	assert_int_equal(token_open(&token, ""), 0);
	assert_null(token.header.data);
	assert_false(token_refresh(&token));
	token_free(&token);
}

static void test_token_refresh_file_that_changed_is_read_again(void **state)
{
	(void)state;
	struct token token;
	write_token("one\n");
	assert_int_equal(token_open(&token, path), 0);
	write_token("two\n");
	assert_true(token_refresh(&token));
	assert_string_equal(token.header.data, "Bearer two");
	assert_false(token_refresh(&token));
	/* Another file, the same token: no reason to try it again. */
	write_token("two");
	assert_false(token_refresh(&token));
	assert_string_equal(token.header.data, "Bearer two");
	token_free(&token);
}

static void test_token_refresh_file_that_is_missing_or_empty_is_said_once(void **state)
{
	(void)state;
	struct token token;
	unlink(path);
	begin_log();
	assert_int_equal(token_open(&token, path), 0);
	for (int i = 0; i < 5; i++)
		assert_false(token_refresh(&token));
	assert_int_equal(end_log(), 1);
	assert_non_null(strstr(logged, ": No such file or directory\n"));
	assert_true(token.header.length == 0);

	write_token(" \n");
	begin_log();
	for (int i = 0; i < 5; i++)
		assert_false(token_refresh(&token));
	assert_int_equal(end_log(), 1);
	assert_non_null(strstr(logged, ": it is empty\n"));

	write_token("now\n");
	assert_true(token_refresh(&token));
	assert_string_equal(token.header.data, "Bearer now");
	unlink(path);
	begin_log();
	for (int i = 0; i < 5; i++)
		assert_false(token_refresh(&token));
	assert_int_equal(end_log(), 1);
	token_free(&token);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_path, remove_path)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_token_open_first_line_is_the_token),
		TEST(test_token_open_none_is_none),
		TEST(test_token_refresh_file_that_changed_is_read_again),
		TEST(test_token_refresh_file_that_is_missing_or_empty_is_said_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
