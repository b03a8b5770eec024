#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/captured_stderr.h"
#include "tests/unit/support/temporary_folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/token.h"

static char folder[TEMPORARY_FOLDER_SIZE], path[TEMPORARY_FOLDER_SIZE + 16];

static void write_token(const char *content)
{
	unlink(path); /* as a rename would, it makes another file of it */
	temporary_file_write(path, content);
}

static int make_folder(void **state)
{
	(void)state;
	temporary_folder_make(folder);
	snprintf(path, sizeof(path), "%s/token", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	temporary_folder_remove(folder);
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
	captured_stderr_begin();
	assert_int_equal(token_open(&token, path), 0);
	for (int i = 0; i < 5; i++)
		assert_false(token_refresh(&token));
	assert_int_equal(captured_stderr_end(), 1);
	assert_non_null(strstr(captured_stderr_text(), ": No such file or directory\n"));
	assert_true(token.header.length == 0);

	write_token(" \n");
	captured_stderr_begin();
	for (int i = 0; i < 5; i++)
		assert_false(token_refresh(&token));
	assert_int_equal(captured_stderr_end(), 1);
	assert_non_null(strstr(captured_stderr_text(), ": it is empty\n"));

	write_token("now\n");
	assert_true(token_refresh(&token));
	assert_string_equal(token.header.data, "Bearer now");
	unlink(path);
	captured_stderr_begin();
	for (int i = 0; i < 5; i++)
		assert_false(token_refresh(&token));
	assert_int_equal(captured_stderr_end(), 1);
	token_free(&token);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

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
