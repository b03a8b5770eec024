#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/captured_stderr.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"

/* Of the standard error of this moment; from here on what is captured is written as for the journal. */
static void init_for_journal(void)
{
	struct stat stream;
	char text[64];
	captured_stderr_begin();
	assert_int_equal(fstat(STDERR_FILENO, &stream), 0);
	snprintf(text, sizeof(text), "%llu:%llu", (unsigned long long)stream.st_dev, (unsigned long long)stream.st_ino);
	setenv("JOURNAL_STREAM", text, 1);
	log_init("vigie-test");
	captured_stderr_end();
}

static void log_all(void)
{
	log_error("e %d", 1);
	log_warning("w %d", 2);
	log_info("i %d", 3);
	log_debug("d %d", 4);
}

static int setup(void **state)
{
	(void)state;
	unsetenv("JOURNAL_STREAM");
	return 0;
}

/* The name before log_init(), and the level nobody has set: runs first. */
static void test_log_before_init_is_info_and_has_a_name(void **state)
{
	(void)state;
	captured_stderr_begin();
	log_all();
	captured_stderr_end();
	const char *written = captured_stderr_text();
	assert_non_null(strstr(written, " vigie error: e 1\n"));
	assert_non_null(strstr(written, " vigie info: i 3\n"));
	assert_null(strstr(written, "debug"));
}

/* Inherited, and standard error is another stream by now. */
static void test_log_init_journal_of_another_stream_is_not_ours(void **state)
{
	(void)state;
	struct stat stream;
	captured_stderr_begin();
	assert_int_equal(fstat(STDERR_FILENO, &stream), 0);
	const unsigned long long device = stream.st_dev, inode = stream.st_ino;
	char texts[][64] = { "8:123", "", "journal", "", "", "" };
	snprintf(texts[3], sizeof(texts[3]), "%llu", device);
	snprintf(texts[4], sizeof(texts[4]), "%llu:%llu", device, inode + 1);
	snprintf(texts[5], sizeof(texts[5]), "%llu:%llu", device + 1, inode);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		setenv("JOURNAL_STREAM", texts[i], 1);
		log_init("vigie-test");
		log_error("e");
	}
	captured_stderr_end();
	assert_int_equal(captured_stderr_count(" vigie-test error: e\n"), sizeof(texts) / sizeof(texts[0]));
	assert_int_equal(captured_stderr_count("<"), 0);
	unsetenv("JOURNAL_STREAM");
	log_init("vigie-test");
}

/* Nor is it where there is no standard error. */
static void test_log_init_without_standard_error_is_no_journal(void **state)
{
	(void)state;
	setenv("JOURNAL_STREAM", "0:0", 1);
	int kept = dup(STDERR_FILENO);
	close(STDERR_FILENO);
	log_init("vigie-test");
	assert_int_equal(dup2(kept, STDERR_FILENO), STDERR_FILENO);
	close(kept);
	captured_stderr_begin();
	log_error("e");
	captured_stderr_end();
	assert_int_equal(captured_stderr_count(" vigie-test error: e\n"), 1);
	unsetenv("JOURNAL_STREAM");
	log_init("vigie-test");
}

static void test_log_set_level_filters_what_is_under_it(void **state)
{
	(void)state;
	static const struct {
		enum log_level level;
		const char *expected;
	} cases[] = {
		{ LOG_LEVEL_ERROR, "<3>e 1\n" },
		{ LOG_LEVEL_WARNING, "<3>e 1\n<4>w 2\n" },
		{ LOG_LEVEL_INFO, "<3>e 1\n<4>w 2\n<6>i 3\n" },
		{ LOG_LEVEL_DEBUG, "<3>e 1\n<4>w 2\n<6>i 3\n<7>d 4\n" },
	};
	init_for_journal();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		captured_stderr_begin();
		log_set_level(cases[i].level);
		log_all();
		captured_stderr_end();
		const char *written = captured_stderr_text();
		assert_string_equal(written, cases[i].expected);
	}
	unsetenv("JOURNAL_STREAM");
	log_init("vigie-test");
	log_set_level(LOG_LEVEL_INFO);
}

static void test_log_without_journal_has_time_program_and_level(void **state)
{
	(void)state;
	static const char *const expected[] = {
		"vigie-test error: e 1", "vigie-test warning: w 2", "vigie-test info: i 3", "vigie-test debug: d 4",
	};
	log_init("vigie-test");
	log_set_level(LOG_LEVEL_DEBUG);
	captured_stderr_begin();
	log_all();
	captured_stderr_end();
	const char *written = captured_stderr_text();
	log_set_level(LOG_LEVEL_INFO);
	const char *line = written;
	for (size_t i = 0; i < 4; i++) {
		int year, month, day, hour, minute, end = 0;
		double second;
		assert_int_equal(sscanf(line, "%4d-%2d-%2dT%2d:%2d:%lfZ %n", &year, &month, &day, &hour, &minute, &second, &end),
		                 6);
		assert_int_equal(end, 25);
		line += end;
		assert_memory_equal(line, expected[i], strlen(expected[i]));
		line += strlen(expected[i]);
		assert_int_equal(*line++, '\n');
	}
	assert_string_equal(line, "");
}

/* A line is cut at 1 KiB, but it is a line. */
static void check_long_lines(void)
{
	static char message[4000];
	for (size_t length = 900; length < sizeof(message); length += length < 1100 ? 1 : 500) {
		memset(message, 'x', length);
		message[length] = '\0';
		captured_stderr_begin();
		log_error("%s", message);
		log_error("next");
		captured_stderr_end();
		const char *written = captured_stderr_text();
		const char *newline = strchr(written, '\n');
		assert_non_null(newline);
		assert_int_equal(newline[-1], 'x');
		size_t line = (size_t)(newline + 1 - written);
		size_t prefix = strcspn(written, "x");
		if (line != (prefix + length < 1023 ? prefix + length + 1 : 1023))
			fail_msg("%zu bytes became a line of %zu", length, line);
		assert_non_null(strstr(newline + 1, "next\n"));
		assert_null(strchr(strchr(newline + 1, '\n') + 1, '\n'));
	}
}

static void test_log_error_long_line_ends_with_newline(void **state)
{
	(void)state;
	log_init("vigie-test");
	check_long_lines();
	init_for_journal();
	check_long_lines();
	unsetenv("JOURNAL_STREAM");
	log_init("vigie-test");
}

/* What comes from outside, a server's sentence or an option, must not begin a line. */
static void test_log_error_control_characters_stay_in_one_line(void **state)
{
	(void)state;
	init_for_journal();
	captured_stderr_begin();
	log_error("a%sb", "\n<3>forged\r\t\x1b[31m\x7f \xc3\xa9");
	captured_stderr_end();
	const char *written = captured_stderr_text();
	assert_string_equal(written, "<3>a?<3>forged???[31m? \xc3\xa9" "b\n");
	unsetenv("JOURNAL_STREAM");
	log_init("vigie-test");
}

enum { WRITERS = 4, LINES = 500 };

static void *write_lines(void *user)
{
	for (int i = 0; i < LINES; i++)
		log_info("%s", (const char *)user);
	return NULL;
}

static void test_log_info_lines_of_threads_stay_whole(void **state)
{
	(void)state;
	static char messages[WRITERS][600];
	pthread_t threads[WRITERS];
	init_for_journal();
	captured_stderr_begin();
	for (int i = 0; i < WRITERS; i++) {
		memset(messages[i], 'a' + i, sizeof(messages[i]) - 1);
		pthread_create(&threads[i], NULL, write_lines, messages[i]);
	}
	for (int i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	captured_stderr_end();
	const char *written = captured_stderr_text();
	unsetenv("JOURNAL_STREAM");
	log_init("vigie-test");
	unsigned lines = 0;
	for (const char *line = written; *line; lines++) {
		assert_memory_equal(line, "<6>", 3);
		char letter = line[3];
		assert_in_range(letter, 'a', 'a' + WRITERS - 1);
		assert_memory_equal(line + 3, messages[letter - 'a'], 599);
		assert_int_equal(line[602], '\n');
		line += 603;
	}
	assert_int_equal(lines, WRITERS * LINES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log_before_init_is_info_and_has_a_name),
		cmocka_unit_test(test_log_init_journal_of_another_stream_is_not_ours),
		cmocka_unit_test(test_log_init_without_standard_error_is_no_journal),
		cmocka_unit_test(test_log_set_level_filters_what_is_under_it),
		cmocka_unit_test(test_log_without_journal_has_time_program_and_level),
		cmocka_unit_test(test_log_error_long_line_ends_with_newline),
		cmocka_unit_test(test_log_error_control_characters_stay_in_one_line),
		cmocka_unit_test(test_log_info_lines_of_threads_stay_whole),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
