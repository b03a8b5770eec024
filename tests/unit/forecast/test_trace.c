/* forecast/trace.h */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forecast/trace.h"

enum { STEP_S = 300, ROWS = 8 };

static int read_bytes(const char *bytes, size_t length, int64_t step_s, struct trace *ret_trace, struct text *ret_error)
{
	FILE *file = fmemopen((void *)(uintptr_t)bytes, length ? length : 1, "r");
	assert_non_null(file);
	if (length == 0)
		assert_int_not_equal(fgetc(file), EOF);
	int result = trace_read(file, step_s, ret_trace, ret_error);
	fclose(file);
	return result;
}

static int read_string(const char *content, struct trace *ret_trace, struct text *ret_error)
{
	return read_bytes(content, strlen(content), STEP_S, ret_trace, ret_error);
}

static void test_trace_read_table(void **state)
{
	(void)state;
	static const struct {
		const char *content;
		size_t count;
		struct {
			const char *time;
			int64_t index;
			float max, mean;
		} rows[ROWS];
	} cases[] = {
		{ "", 0, { { 0 } } },
		{ "\n\n", 0, { { 0 } } },
		{ "timestamp,value\n", 0, { { 0 } } },
		{ "timestamp,value,mean", 0, { { 0 } } },
		{ "600,5\n", 1, { { "600", 2, 5, 5 } } },
		{ "600,5", 1, { { "600", 2, 5, 5 } } },
		{ "timestamp,value\n600,5\n900,6.5\n", 2, { { "600", 2, 5, 5 }, { "900", 3, 6.5f, 6.5f } } },
		{ "timestamp,value,mean\r\n600,5,4\r\n900,6,0\r\n", 2, { { "600", 2, 5, 4 }, { "900", 3, 6, 0 } } },
		{ "600,5,4\n900,6\n", 2, { { "600", 2, 5, 4 }, { "900", 3, 6, 6 } } },
		{ "600,5\n\n\r\n900,6\n\n", 2, { { "600", 2, 5, 5 }, { "900", 3, 6, 6 } } },
		/* Irregular: within a step, left out, and on the boundary. */
		{ "599.9,1\n601,2\n1499,3\n1500,4\n", 4,
		  { { "599.9", 1, 1, 1 }, { "601", 2, 2, 2 }, { "1499", 4, 3, 3 }, { "1500", 5, 4, 4 } } },
		/* Twice, and backwards: each a step after the one before. */
		{ "600,1\n600,2\n601,3\n0,4\n1200,5\n2100,6\n", 6,
		  { { "600", 2, 1, 1 }, { "600", 3, 2, 2 }, { "601", 4, 3, 3 }, { "0", 5, 4, 4 }, { "1200", 6, 5, 5 },
		    { "2100", 7, 6, 6 } } },
		{ "1.7691696e9,1e2,0.5e2\n", 1, { { "1.7691696e9", 5897232, 100, 50 } } },
		{ "0,0\n", 1, { { "0", 0, 0, 0 } } },
		{ "600,-1,-2\n", 1, { { "600", 2, -1, -2 } } },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct trace trace;
		struct text error = TEXT_EMPTY;
		long before = failing_unfreed();
		int result = read_string(cases[i].content, &trace, &error);
		if (result || trace.count != cases[i].count)
			fail_msg("case %zu: %d '%s' %zu rows", i, result, error.data, trace.count);
		for (size_t row = 0; row < trace.count; row++) {
			const struct trace_row *seen = &trace.rows[row];
			if (strcmp(seen->time, cases[i].rows[row].time) != 0 || seen->index != cases[i].rows[row].index ||
			    seen->step.max != cases[i].rows[row].max || seen->step.mean != cases[i].rows[row].mean)
				fail_msg("case %zu row %zu: %s at %lld %g %g", i, row, seen->time, (long long)seen->index,
				         (double)seen->step.max, (double)seen->step.mean);
		}
		assert_null(error.data);
		trace_free(&trace);
		trace_free(&trace);
		assert_int_equal(failing_unfreed(), before);
	}
}

/* The first line may be anything, the third is not right. */
static void test_trace_read_bad_lines_are_named(void **state)
{
	(void)state;
	static const char *const lines[] = {
		"timestamp,value", "x,5", "600", "600,", ",5", "600,x", "600,5x", "600,5,", "600,5,x", "600,5,4,", "600,5,4,3", "600;5",
		"600,nan", "600,inf", "600,5,nan", "nan,5", "inf,5", "1e13,5", "-1e13,5", "600 ,5", "600,5 ", "600,5,4 ",
		"000000000000000000000000000000000000000600,5", "600,1e400", "600,1e39", "600,5,1e39", "-300,5", "-0.5,5",
	};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		for (int with_end = 0; with_end < 2; with_end++) {
			struct trace trace = { .count = 7 };
			long before = failing_unfreed();
			struct text error = TEXT_EMPTY, content = TEXT_EMPTY;
			text_printf(&content, "timestamp,value\r\n300,5\n%s%s", lines[i], with_end ? "\r\n900,5\n" : "");
			int result = read_string(content.data, &trace, &error);
			if (result != -EBADMSG || strcmp(error.data, "line 3 is not timestamp,value or timestamp,value,mean") != 0)
				fail_msg("'%s': %d '%s'", lines[i], result, error.data);
			assert_int_equal(trace.count, 7);
			text_free(&error);
			text_free(&content);
			assert_int_equal(failing_unfreed(), before);
		}
	}
}

/* However long a line is, it is one line. */
static void test_trace_read_long_lines_are_one_line(void **state)
{
	(void)state;
	for (size_t digits = 200; digits < 600; digits++) {
		struct trace trace;
		struct text error = TEXT_EMPTY, content = TEXT_EMPTY;
		for (size_t i = 0; i < digits; i++)
			text_append_char(&content, 'n');
		text_append_string(&content, "\n600,5.");
		for (size_t i = 0; i < digits; i++)
			text_append_char(&content, '0');
		text_append_string(&content, ",4\n900,6\n");
		if (read_string(content.data, &trace, &error))
			fail_msg("%zu digits: %s", digits, error.data);
		assert_int_equal(trace.count, 2);
		assert_true(trace.rows[0].step.max == 5 && trace.rows[0].step.mean == 4);
		assert_int_equal(trace.rows[1].index, 3);
		trace_free(&trace);
		text_append_string(&content, "x\n");
		assert_int_equal(read_string(content.data, &trace, &error), -EBADMSG);
		assert_string_equal(error.data, "line 4 is not timestamp,value or timestamp,value,mean");
		text_free(&error);
		text_free(&content);
	}
}

static void test_trace_read_zero_bytes_are_refused(void **state)
{
	(void)state;
	static const char content[] = "300,5\n600,5\0,4\n";
	struct trace trace;
	struct text error = TEXT_EMPTY;
	assert_int_equal(read_bytes(content, sizeof(content) - 1, STEP_S, &trace, &error), -EBADMSG);
	assert_string_equal(error.data, "line 2 is not timestamp,value or timestamp,value,mean");
	text_free(&error);
}

static void test_trace_read_many_rows_are_all_there(void **state)
{
	(void)state;
	for (size_t count = 0; count < 70; count++) {
		struct trace trace;
		struct text error = TEXT_EMPTY, content = TEXT_EMPTY;
		text_append_string(&content, "t,v\n");
		for (size_t i = 0; i < count; i++)
			text_printf(&content, "%zu,%zu\n", 60 * i, i);
		assert_int_equal(read_bytes(content.data, content.length, 60, &trace, &error), 0);
		assert_int_equal(trace.count, count);
		for (size_t i = 0; i < count; i++)
			assert_true(trace.rows[i].index == (int64_t)i && trace.rows[i].step.max == (float)i);
		trace_free(&trace);
		text_free(&content);
	}
}

static void test_trace_read_a_file_that_cannot_be_read_is_an_error(void **state)
{
	(void)state;
	struct trace trace;
	struct text error = TEXT_EMPTY;
	FILE *folder = fopen("/", "re");
	assert_non_null(folder);
	assert_int_equal(trace_read(folder, STEP_S, &trace, &error), -EIO);
	fclose(folder);
	text_free(&error);
}

static void test_trace_read_each_failing_allocation_leaves_nothing(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	struct trace trace;
	struct text error = TEXT_EMPTY, content = TEXT_EMPTY;
	for (int i = 0; i < 100; i++)
		text_printf(&content, "%d,5\n", i * STEP_S);
	FILE *file = fmemopen(content.data, content.length, "r");
	char buffer[BUFSIZ];
	setvbuf(file, buffer, _IOFBF, sizeof(buffer));
	long before = failing_unfreed(), number = 0;
	for (int result = -ENOMEM; result;) {
		rewind(file);
		failing_start(++number);
		result = trace_read(file, STEP_S, &trace, &error);
		bool failed = failing_stop();
		assert_int_equal(result, failed ? -ENOMEM : 0);
		if (result)
			assert_int_equal(failing_unfreed(), before);
	}
	assert_true(number > 5);
	assert_int_equal(trace.count, 100);
	trace_free(&trace);
	fclose(file);
	text_free(&content);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trace_read_table),
		cmocka_unit_test(test_trace_read_bad_lines_are_named),
		cmocka_unit_test(test_trace_read_long_lines_are_one_line),
		cmocka_unit_test(test_trace_read_zero_bytes_are_refused),
		cmocka_unit_test(test_trace_read_many_rows_are_all_there),
		cmocka_unit_test(test_trace_read_a_file_that_cannot_be_read_is_an_error),
		cmocka_unit_test(test_trace_read_each_failing_allocation_leaves_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
