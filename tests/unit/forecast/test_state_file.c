/* forecast/state_file.h; how the file is replaced is tested in test_whole_file.c */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/support/temporary_folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "forecast/state_file.h"

enum { STEP = 300000 };

static const struct {
	const char *ip, *process;
	enum resource resource;
	const char *line;
} items[] = {
	{ "10.0.0.5", "java", RESOURCE_MEM, "1 0.5 -2e-05" },
	{ "10.0.0.5", "java", RESOURCE_CPU, "x" },
	{ "10.0.0.6", "Web Content", RESOURCE_CPU, "a  b\tc" },
	{ "::1", "a\"b\\c\\", RESOURCE_CPU, "1" },
	{ "::1", "end 3", RESOURCE_CPU, "\"quotes\" in it" },
	{ "::1", "\n10.0.0.7 cpu \"x\" 1\n", RESOURCE_CPU, "2" },
	{ "::1", "caf\xc3\xa9 %s%n %41", RESOURCE_CPU, "3" },
	{ "::1", "*", RESOURCE_CPU, "4" },
};

enum { COUNT = sizeof(items) / sizeof(items[0]) };

static void format(struct text *content)
{
	state_file_begin(content, STEP);
	for (size_t i = 0; i < COUNT; i++)
		state_file_add(content, items[i].ip, items[i].process, items[i].resource, items[i].line);
	state_file_end(content, COUNT);
}

/* Each line can be taken once. */
static void assert_items(struct learnt **learnt)
{
	for (size_t i = 0; i < COUNT; i++) {
		char *line = learnt_take(learnt, items[i].ip, items[i].process, items[i].resource);
		assert_non_null(line);
		assert_string_equal(line, items[i].line);
		free(line);
		assert_null(learnt_take(learnt, items[i].ip, items[i].process, items[i].resource));
	}
	assert_null(*learnt);
}

static void test_state_file_parse_hostile_names_survive(void **state)
{
	(void)state;
	struct text content = TEXT_EMPTY, error = TEXT_EMPTY, again = TEXT_EMPTY;
	struct learnt *learnt = NULL;
	format(&content);
	assert_int_equal(state_file_parse(&content, STEP, &learnt, &error), 0);

	/* What was not taken is written again. */
	state_file_begin(&again, STEP);
	assert_int_equal(state_file_add_learnt(&again, learnt), COUNT);
	state_file_end(&again, COUNT);
	assert_string_equal(again.data, content.data);
	assert_items(&learnt);
	text_free(&content);
	text_free(&again);
}

/* It says nothing of the file. */
static void test_state_file_parse_each_failing_allocation_is_no_fault_of_the_file(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	struct text content = TEXT_EMPTY;
	bool failed = true;
	format(&content);
	for (long number = 1; failed; number++) {
		struct text error = TEXT_EMPTY;
		struct learnt *learnt = NULL;
		long before = failing_unfreed();
		failing_start(number);
		int result = state_file_parse(&content, STEP, &learnt, &error);
		failed = failing_stop();
		assert_int_equal(result, failed ? -ENOMEM : 0);
		assert_null(error.data);
		if (failed)
			assert_int_equal(failing_unfreed(), before);
		else
			assert_items(&learnt);
	}
	text_free(&content);
}

static void test_state_file_parse_every_truncation_is_refused(void **state)
{
	(void)state;
	struct text content = TEXT_EMPTY;
	format(&content);
	for (size_t length = 0; length < content.length; length++) {
		struct text cut = TEXT_EMPTY, error = TEXT_EMPTY;
		struct learnt *learnt = NULL;
		text_append(&cut, content.data, length);
		assert_int_equal(state_file_parse(&cut, STEP, &learnt, &error), -EBADMSG);
		assert_non_null(error.data);
		assert_null(learnt);
		text_free(&cut);
		text_free(&error);
	}
	text_free(&content);
}

#define HEAD "vigie-forecast 1 300000\n"

static void test_state_file_parse_two_ways_to_write_an_address_are_one_host(void **state)
{
	(void)state;
	struct text content = TEXT_EMPTY, error = TEXT_EMPTY;
	struct learnt *learnt = NULL;
	text_append_string(&content, HEAD "10.0.0.5 cpu \"a\" 1\n::ffff:10.0.0.5 cpu \"a\" 2\nend 2\n");
	assert_int_equal(state_file_parse(&content, STEP, &learnt, &error), 0);
	char *line = learnt_take(&learnt, "10.0.0.5", "a", RESOURCE_CPU);
	assert_string_equal(line, "1");
	assert_null(learnt);
	free(line);
	text_free(&content);
}

static void test_state_file_parse_table(void **state)
{
	(void)state;
	static const struct {
		const char *content;
		int result;
		const char *sentence;
	} cases[] = {
		{ HEAD "end 0\n", 0, NULL },
		{ "vigie-forecast 1 600000\nend 0\n", -ESTALE, NULL },
		{ "", -EBADMSG, "it is empty" },
		{ "\n", -EBADMSG, "it does not begin with \"vigie-forecast\"" },
		{ "end 0\n", -EBADMSG, "it does not begin with \"vigie-forecast\"" },
		{ "vigie-alert 1 300000\nend 0\n", -EBADMSG, "it does not begin with \"vigie-forecast\"" },
		{ "vigie-forecast 3 300000\nend 0\n", -EBADMSG, "its version is none from 1 to 2" },
		{ "vigie-forecast 1 300000 x\nend 0\n", -EBADMSG, "its version is none from 1 to 2" },
		{ "vigie-forecast 2 300000\nclock 1 2 3\nend 0\n", 0, NULL },
		{ "vigie-forecast 2 300000\nclock 1 2 x\nend 0\n", -EBADMSG, "line 2 is not right" },
		{ "vigie-forecast 2 300000\nclock 1 2 3\nclock 1 2 3\nend 0\n", -EBADMSG, "line 3 is not right" },
		{ "vigie-forecast 2 300000\nclock 1 2 3\nend 1\n", -EBADMSG, "line 3 is not right" },
		{ "vigie-forecast 2 300000\n10.0.0.5 cpu \"a\" 1\nend 1\n", -EBADMSG, "line 2 is not right" },
		{ "vigie-forecast 2 300000\n-1 10.0.0.5 cpu \"a\" 1\nend 1\n", -EBADMSG, "line 2 is not right" },
		{ HEAD "clock 1 2 3\nend 0\n", -EBADMSG, "line 2 is not right" },
		{ HEAD "end 1\n", -EBADMSG, "line 2 is not right" },
		{ HEAD "end 0\nend 0\n", -EBADMSG, "line 2 is not right" },
		{ HEAD "10.0.0.5 cpu \"a\" 1\nend 0\n", -EBADMSG, "line 3 is not right" },
		{ HEAD "10.0.0.5 cpu \"a\" 1\n", -EBADMSG, "it is cut short" },
		{ HEAD "here cpu \"a\" 1\nend 1\n", -EBADMSG, "line 2 is not right" },
		{ HEAD "10.0.0.5 disk \"a\" 1\nend 1\n", -EBADMSG, "line 2 is not right" },
		{ HEAD "10.0.0.5 cpu a 1\nend 1\n", -EBADMSG, "line 2 is not right" },
		{ HEAD "10.0.0.5 cpu 7 1\nend 1\n", -EBADMSG, "line 2 is not right" },
		{ HEAD "10.0.0.5 cpu \"\" 1\nend 1\n", -EBADMSG, "line 2 is not right" },
		{ HEAD "10.0.0.5 cpu \"\xff\" 1\nend 1\n", -EBADMSG, "line 2 is not right" },
		{ HEAD "10.0.0.5 cpu \"a\" \nend 1\n", -EBADMSG, "line 2 is not right" },
		{ HEAD "10.0.0.5 cpu \"a\"12\nend 1\n", -EBADMSG, "line 2 is not right" },
		{ HEAD "10.0.0.5 cpu \"a\" 1\n10.0.0.5 cpu \"a\" 2\nend 2\n", -EBADMSG, "line 3 is not right" },
		{ HEAD "\nend 1\n", -EBADMSG, "line 2 is not right" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct text content = TEXT_EMPTY, error = TEXT_EMPTY;
		struct learnt *learnt = NULL;
		text_append_string(&content, cases[i].content);
		int result = state_file_parse(&content, STEP, &learnt, &error);
		if (result != cases[i].result || (cases[i].sentence && strcmp(error.data, cases[i].sentence) != 0))
			fail_msg("case %zu: %d '%s'", i, result, error.data);
		assert_null(learnt);
		text_free(&content);
		text_free(&error);
	}
}

static void test_state_file_parse_zero_bytes_and_long_names_are_refused(void **state)
{
	(void)state;
	struct learnt *learnt = NULL;
	struct text content = TEXT_EMPTY, error = TEXT_EMPTY;
	text_append_string(&content, HEAD "end 0\n");
	text_append(&content, "\0x", 2);
	assert_int_equal(state_file_parse(&content, STEP, &learnt, &error), -EBADMSG);
	assert_string_equal(error.data, "it has a zero byte");

	for (size_t length = WIRE_NAME_MAX; length <= WIRE_NAME_MAX + 1; length++) {
		text_reset(&content);
		text_append_string(&content, HEAD "10.0.0.5 cpu \"");
		for (size_t i = 0; i < length; i++)
			text_append_char(&content, 'x');
		text_append_string(&content, "\" 1\nend 1\n");
		assert_int_equal(state_file_parse(&content, STEP, &learnt, &error), length > WIRE_NAME_MAX ? -EBADMSG : 0);
		learnt_free(&learnt);
	}
	text_free(&content);
	text_free(&error);
}

static void test_learnt_put_the_later_one_counts(void **state)
{
	(void)state;
	struct learnt *learnt = NULL;
	assert_int_equal(learnt_put(&learnt, "10.0.0.5", "a", RESOURCE_CPU, "first"), 0);
	assert_int_equal(learnt_put(&learnt, "10.0.0.5", "a", RESOURCE_CPU, "second"), 0);
	assert_null(learnt_take(&learnt, "10.0.0.5", "a", RESOURCE_MEM));
	char *line = learnt_take(&learnt, "10.0.0.5", "a", RESOURCE_CPU);
	assert_string_equal(line, "second");
	free(line);
	assert_null(learnt);
}

static void test_state_file_read_mark_comes_back(void **state)
{
	(void)state;
	char folder[TEMPORARY_FOLDER_SIZE], path[TEMPORARY_FOLDER_SIZE + 16];
	static const struct sure_clock_mark written = { .boot = UINT64_MAX, .moment = { INT64_C(1795356000123), 4567 } };
	struct sure_clock_mark mark = { 0 };
	struct learnt *learnt = NULL;
	struct text content = TEXT_EMPTY, error = TEXT_EMPTY;
	temporary_folder_make(folder);
	snprintf(path, sizeof(path), "%s/state", folder);
	state_file_begin(&content, STEP);
	state_file_add_mark(&content, &written);
	state_file_add(&content, "10.0.0.5", "java", RESOURCE_CPU, "x");
	state_file_end(&content, 1);
	temporary_file_write(path, content.data);
	assert_int_equal(state_file_read(path, STEP, &learnt, &mark, &error), 0);
	assert_true(mark.boot == written.boot && mark.moment.wall_ms == written.moment.wall_ms &&
	            mark.moment.boot_ms == written.moment.boot_ms);
	learnt_free(&learnt);

	/* One of today. */
	temporary_file_write(path, HEAD "10.0.0.5 cpu \"java\" x\nend 1\n");
	mark.moment.wall_ms = 7;
	assert_int_equal(state_file_read(path, STEP, &learnt, &mark, &error), 0);
	assert_int_equal(mark.moment.wall_ms, 7);
	char *line = learnt_take(&learnt, "10.0.0.5", "java", RESOURCE_CPU);
	assert_string_equal(line, "x");
	free(line);
	text_free(&content);
	temporary_folder_remove(folder);
}

static void test_learnt_age_what_nobody_asks_for_is_dropped(void **state)
{
	(void)state;
	struct learnt *learnt = NULL;
	struct text content = TEXT_EMPTY, error = TEXT_EMPTY;
	assert_int_equal(learnt_put(&learnt, "10.0.0.5", "old", RESOURCE_CPU, "x"), 0);
	assert_int_equal(learnt_age(&learnt, 3), 0);
	assert_int_equal(learnt_age(&learnt, 3), 0);
	assert_int_equal(learnt_put(&learnt, "10.0.0.5", "new", RESOURCE_CPU, "x"), 0);
	/* Over a restart. */
	state_file_begin(&content, STEP);
	state_file_end(&content, state_file_add_learnt(&content, learnt));
	assert_non_null(strstr(content.data, "\n2 10.0.0.5 cpu \"old\" x\n0 10.0.0.5 cpu \"new\" x\n"));
	learnt_free(&learnt);
	assert_int_equal(state_file_parse(&content, STEP, &learnt, &error), 0);
	assert_int_equal(learnt_age(&learnt, 3), 0);
	assert_int_equal(learnt_age(&learnt, 3), 1);
	assert_null(learnt_take(&learnt, "10.0.0.5", "old", RESOURCE_CPU));
	free(learnt_take(&learnt, "10.0.0.5", "new", RESOURCE_CPU));
	assert_null(learnt);
	text_free(&content);
}

static void test_state_file_read_no_file_is_no_error(void **state)
{
	(void)state;
	struct learnt *learnt = NULL;
	struct text error = TEXT_EMPTY;
	assert_int_equal(state_file_read("/nonexistent/forecast.state", STEP, &learnt, NULL, &error), 0);
	assert_int_equal(state_file_read("/", STEP, &learnt, NULL, &error), -EISDIR);
	assert_null(learnt);
	text_free(&error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_state_file_parse_hostile_names_survive),
		cmocka_unit_test(test_state_file_parse_each_failing_allocation_is_no_fault_of_the_file),
		cmocka_unit_test(test_state_file_parse_every_truncation_is_refused),
		cmocka_unit_test(test_state_file_parse_table),
		cmocka_unit_test(test_state_file_parse_two_ways_to_write_an_address_are_one_host),
		cmocka_unit_test(test_state_file_parse_zero_bytes_and_long_names_are_refused),
		cmocka_unit_test(test_learnt_put_the_later_one_counts),
		cmocka_unit_test(test_state_file_read_mark_comes_back),
		cmocka_unit_test(test_learnt_age_what_nobody_asks_for_is_dropped),
		cmocka_unit_test(test_state_file_read_no_file_is_no_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
