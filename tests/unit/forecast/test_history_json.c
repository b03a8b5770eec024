/* forecast/history_json.h */
#include "tests/unit/support/cmocka.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "forecast/history_json.h"

/* All that is read of a body: "ip/process: time=value ...; ", then how it ends. */
static void describe(const char *body, struct text *text)
{
	struct history_json answer;
	int result, point = 0;
	history_json_open(&answer, body);
	while (result = history_json_next(&answer), result == 1) {
		int64_t time_ms;
		double value;
		text_printf(text, "%s/%s:", answer.ip, answer.process);
		while (point = history_json_point(&answer, &time_ms, &value), point == 1)
			text_printf(text, " %lld=%.9g", (long long)time_ms, value);
		text_append_string(text, "; ");
		if (point < 0)
			break;
	}
	if (answer.wrong) {
		assert_true(result == -EBADMSG || point == -EBADMSG);
		text_append_string(text, answer.wrong);
	} else {
		assert_int_equal(result, 0);
		text_append_string(text, "end");
	}
	if (answer.skipped)
		text_printf(text, ", %zu skipped", answer.skipped);
}

static const struct {
	const char *body, *expected;
} cases[] = {
	{ "{}\n", "end" },
	{ " { } ", "end" },
	{ "{\"10.0.0.5\": {\"bash\": [[1795356010, 1.5], [1795356020.25, 0]]}}\n",
	  "10.0.0.5/bash: 1795356010000=1.5 1795356020250=0; end" },
	{ "{\"10.0.0.5\":{\"a\":[[1,2]],\"b\":[]},\"10.0.0.6\":{\"a\":[[ 3 , 4e-1 ] , [5,6] ]}}",
	  "10.0.0.5/a: 1000=2; 10.0.0.5/b:; 10.0.0.6/a: 3000=0.4 5000=6; end" },
	{ "{\"10.0.0.5\": {}, \"10.0.0.6\": {\"a\": []}}", "10.0.0.6/a:; end" },
	/* Names */
	{ "{\"::1\": {\"a\\\"b\\\\c\": [], \"a]}\": [], \"caf\\u00e9\": [], \"cag\xc3\xa9\": []}}",
	  "::1/a\"b\\c:; ::1/a]}:; ::1/caf\xc3\xa9:; ::1/cag\xc3\xa9:; end" },
	{ "{\"10.0.0.5\": {\"\": [[1, 1]], \"\xff\": [], \"a\": [[2, 2]], \"a\\ud800\": []}}", "10.0.0.5/a: 2000=2; end, 3 skipped" },
	{ "{\"nowhere\": {\"a\": [[1, 1]]}, \"10.0.0.5\": {\"a\": []}}", "10.0.0.5/a:; end, 1 skipped" },
	/* Not of its shape */
	{ "", "it is no JSON object" },
	{ "<html>", "it is no JSON object" },
	{ "[]", "it is no JSON object" },
	{ "{\"10.0.0.5\": {\"a\": []}} x", "10.0.0.5/a:; there is more behind its end" },
	{ "{\"10.0.0.5\": {\"a\": []}", "10.0.0.5/a:; a comma is missing" },
	{ "{\"10.0.0.5\": {\"a\": []", "10.0.0.5/a:; a comma is missing" },
	{ "{\"10.0.0.5\": {\"a\": [[1, 2]", "a series is no list of points" },
	{ "{\"10.0.0.5\": {\"a\": [[1, 2", "a series is no list of points" },
	{ "{\"10.0.0.5\": {\"a\": 7}}", "a series is no list of points" },
	{ "{\"10.0.0.5\": {\"a\": {}}}", "a series is no list of points" },
	{ "{\"10.0.0.5\": {\"a", "it ends in a name" },
	{ "{\"10.0.0.5\": {\"a\\", "it ends in a name" },
	{ "{\"10.0.0.5\": {a: []}}", "a name is missing" },
	{ "{\"10.0.0.5\": {\"a\" []}}", "a colon is missing" },
	{ "{\"10.0.0.5\": [1]}", "a host is no object" },
	{ "{\"10.0.0.5\": {\"a\": []} \"10.0.0.6\": {}}", "10.0.0.5/a:; a comma is missing" },
	{ "{\"10.0.0.5\": {\"a\": [],}}", "10.0.0.5/a:; a name is missing" },
	{ "{\"10.0.0.5\": {\"b\": [], \"a\": []}}", "10.0.0.5/b:; its processes are not sorted" },
	{ "{\"10.0.0.5\": {\"a\": [], \"a\": []}}", "10.0.0.5/a:; its processes are not sorted" },
	{ "{\"10.0.0.6\": {}, \"10.0.0.5\": {}}", "its hosts are not sorted" },
	/* Points */
	{ "{\"10.0.0.5\": {\"a\": [[1]]}}", "10.0.0.5/a:; a point is no pair of numbers" },
	{ "{\"10.0.0.5\": {\"a\": [[1, 2, 3]]}}", "10.0.0.5/a:; a point is no pair of numbers" },
	{ "{\"10.0.0.5\": {\"a\": [[1, null]]}}", "10.0.0.5/a:; a point is no pair of numbers" },
	{ "{\"10.0.0.5\": {\"a\": [[1, nan]]}}", "10.0.0.5/a:; a point is no pair of numbers" },
	{ "{\"10.0.0.5\": {\"a\": [[1, 1e999]]}}", "10.0.0.5/a:; a point is no pair of numbers" },
	{ "{\"10.0.0.5\": {\"a\": [[1, 0x10]]}}", "10.0.0.5/a:; a point is no pair of numbers" },
	{ "{\"10.0.0.5\": {\"a\": [[1, 1-2]]}}", "10.0.0.5/a:; a point is no pair of numbers" },
	{ "{\"10.0.0.5\": {\"a\": [[1e30, 1]]}}", "10.0.0.5/a:; a point's time is none" },
	{ "{\"10.0.0.5\": {\"a\": [1, 2]}}", "10.0.0.5/a:; a point is no pair" },
	{ "{\"10.0.0.5\": {\"a\": [[1, 2] [3, 4]]}}", "10.0.0.5/a:; a comma is missing" },
	{ "{\"10.0.0.5\": {\"a\": [[1, 2],]}}", "10.0.0.5/a:; a comma is missing" },
};

static void test_answer_next_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct text text = TEXT_EMPTY;
		/* On the heap, so that a sanitizer sees what is read behind the end. */
		char *body = strdup(cases[i].body);
		describe(body, &text);
		if (strcmp(text.data, cases[i].expected) != 0)
			fail_msg("case %zu: %s\n'%s' is not '%s'", i, body, text.data, cases[i].expected);
		free(body);
		text_free(&text);
	}
}

static void test_answer_next_every_truncation_is_refused(void **state)
{
	(void)state;
	static const char whole[] = "{\"10.0.0.5\": {\"a\\\"b\": [[1795356010, 1.5], [2, 3]], \"c\": []}, \"::1\": {\"d\": [[1, 2]]}}";
	for (size_t length = 0; length < strlen(whole); length++) {
		struct text text = TEXT_EMPTY;
		char *body = strndup(whole, length);
		describe(body, &text);
		if (strstr(text.data, "end") && !strstr(text.data, "it ends"))
			fail_msg("%s: %s", body, text.data);
		free(body);
		text_free(&text);
	}
}

static void test_answer_next_long_names_are_skipped(void **state)
{
	(void)state;
	for (size_t length = WIRE_NAME_MAX; length <= WIRE_NAME_MAX + 1; length++) {
		struct text body = TEXT_EMPTY, text = TEXT_EMPTY;
		text_append_string(&body, "{\"10.0.0.5\": {\"");
		for (size_t i = 0; i < length; i++)
			text_append_char(&body, 'x');
		text_append_string(&body, "\": []}}");
		describe(body.data, &text);
		assert_int_equal(strcmp(text.data, "end, 1 skipped") == 0, length > WIRE_NAME_MAX);
		text_free(&body);
		text_free(&text);
	}
}

static void test_answer_next_points_need_not_be_read(void **state)
{
	(void)state;
	struct history_json answer;
	history_json_open(&answer, "{\"10.0.0.5\": {\"a\": [[1, 2], [3, 4]], \"b\": [[5, 6]]}}");
	assert_int_equal(history_json_next(&answer), 1);
	int64_t time_ms;
	double value;
	assert_int_equal(history_json_point(&answer, &time_ms, &value), 1);
	assert_int_equal(history_json_next(&answer), 1);
	assert_string_equal(answer.process, "b");
	assert_int_equal(history_json_point(&answer, &time_ms, &value), 1);
	assert_int_equal(time_ms, 5000);
	assert_int_equal(history_json_point(&answer, &time_ms, &value), 0);
	assert_int_equal(history_json_point(&answer, &time_ms, &value), 0);
	assert_int_equal(history_json_next(&answer), 0);
}

static void test_answer_point_numbers_are_those_of_strtod(void **state)
{
	(void)state;
	static const char *const numbers[] = {
		"0", "0.0", "0.1", "0.001", "7", "80.10", "0.3333333333333333", "33.333333", "123456789012345", "1234567890.12345",
		"123456789.0123456", "1234567890123456789", "99999999999999.9", "1e-05", "1.5E+3", "-4.5", "0.000100", "1e12",
	};
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		char body[100];
		snprintf(body, sizeof(body), "{\"10.0.0.5\": {\"a\": [[1, %s]]}}", numbers[i]);
		struct history_json answer;
		int64_t time_ms;
		double value, expected = strtod(numbers[i], NULL);
		history_json_open(&answer, body);
		assert_int_equal(history_json_next(&answer), 1);
		assert_int_equal(history_json_point(&answer, &time_ms, &value), 1);
		assert_memory_equal(&value, &expected, sizeof(value));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answer_next_table),
		cmocka_unit_test(test_answer_next_every_truncation_is_refused),
		cmocka_unit_test(test_answer_next_long_names_are_skipped),
		cmocka_unit_test(test_answer_next_points_need_not_be_read),
		cmocka_unit_test(test_answer_point_numbers_are_those_of_strtod),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
