#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/captured_stderr.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/support/temporary_folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

/* Its owner has been told that it may not be read, and has done something about it. */
static void test_token_refresh_file_that_may_be_read_now_is_read(void **state)
{
	(void)state;
	if (getuid() != 0)
		skip(); /* not to be read by its owner is for root to try, as somebody else */
	write_token("now\n");
	assert_int_equal(chmod(folder, 0711), 0);
	int asked[2], done[2];
	captured_stderr_begin();
	assert_int_equal(pipe(asked), 0);
	assert_int_equal(pipe(done), 0);
	pid_t child = fork();
	if (child == 0) {
		struct token token;
		char byte = 0;
		close(asked[0]); /* so that neither waits for ever for the other */
		close(done[1]);
		bool right = setuid(65534) == 0 && token_open(&token, path) == 0 && token.header.length == 0 &&
		             !token_refresh(&token) && write(asked[1], &byte, 1) == 1 && read(done[0], &byte, 1) == 1 &&
		             token_refresh(&token) && strcmp(token.header.data, "Bearer now") == 0;
		_exit(right ? 0 : 1);
	}
	close(asked[1]);
	char byte = 0;
	int status = -1;
	assert_int_equal(read(asked[0], &byte, 1), 1);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(write(done[1], &byte, 1), 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(captured_stderr_end(), 2); /* and that others may read it */
	assert_int_equal(captured_stderr_count("Permission denied"), 1);
	assert_int_equal(status, 0);
	close(asked[0]);
	close(done[0]);
	close(done[1]);
}

/* Neither for ever, nor said of the file. */
static void test_token_without_descriptors_is_read_at_the_next_look(void **state)
{
	(void)state;
	struct token token;
	struct rlimit before, none;
	write_token("secret\n");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ 0, before.rlim_max };
	captured_stderr_begin();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	int result = token_open(&token, path);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(result, 0);
	assert_int_equal(captured_stderr_end(), 1);
	assert_non_null(strstr(captured_stderr_text(), ": Too many open files\n"));
	assert_int_equal(token.header.length, 0);
	assert_true(token_refresh(&token));
	assert_string_equal(token.header.data, "Bearer secret");
	assert_false(token_refresh(&token));
	token_free(&token);
}

static void test_token_any_allocation_fails_is_read_at_the_next_look(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	bool failed = true;
	long number, unread = 0;
	captured_stderr_begin();
	for (number = 1; failed; number++) {
		struct token token;
		long live = failing_unfreed();
		write_token("one\n");
		failing_start(number);
		int result = token_open(&token, path);
		failed = failing_stop();
		assert_int_equal(result, number == 1 ? -ENOMEM : 0); /* of the path */
		if (result == 0 && !token.header.length) {
			unread++;
			assert_true(token_refresh(&token));
		}
		if (result == 0)
			assert_string_equal(token.header.data, "Bearer one");
		token_free(&token);
		assert_int_equal(failing_unfreed(), live);
	}
	assert_in_range(unread, 3, number); /* the stream, the secret, the header */
	assert_int_equal(captured_stderr_count("the token file "), unread);
	failed = true;
	for (number = 1; failed; number++) {
		struct token token;
		long live = failing_unfreed();
		write_token("one\n");
		assert_int_equal(token_open(&token, path), 0);
		write_token("twelve\n"); /* of another size, where its time has no other yet */
		failing_start(number);
		bool changed = token_refresh(&token);
		failed = failing_stop();
		assert_true(changed || (failed && !token.header.length));
		assert_true(changed || token_refresh(&token));
		assert_string_equal(token.header.data, "Bearer twelve");
		token_free(&token);
		assert_int_equal(failing_unfreed(), live);
	}
	captured_stderr_end();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_token_open_first_line_is_the_token),
		TEST(test_token_open_none_is_none),
		TEST(test_token_refresh_file_that_changed_is_read_again),
		TEST(test_token_refresh_file_that_is_missing_or_empty_is_said_once),
		TEST(test_token_refresh_file_that_may_be_read_now_is_read),
		TEST(test_token_without_descriptors_is_read_at_the_next_look),
		TEST(test_token_any_allocation_fails_is_read_at_the_next_look),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
