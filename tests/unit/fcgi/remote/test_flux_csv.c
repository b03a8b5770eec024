/* fcgi/remote/flux_csv.h */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/fcgi/remote/recorded.h"

#include <errno.h>

#include "fcgi/remote/flux_csv.h"

static const char *const wanted_columns[] = { "result", "process", "_value", NULL };

/* What came of an answer: "value|value|value" a row. */
struct outcome {
	struct text told;
	size_t columns;
	int rows, fail_row; /* the number of the row that is refused, from 1; 0: none */
	char error[256];
};

static int take_row(void *user, const char *const values[])
{
	struct outcome *outcome = user;
	for (size_t i = 0; i < outcome->columns; i++) {
		text_append_string(&outcome->told, i ? "|" : "");
		text_append_string(&outcome->told, values[i]);
	}
	text_append_char(&outcome->told, '\n');
	return ++outcome->rows == outcome->fail_row ? -E2BIG : 0;
}

/* Feeds the bytes in parts that end at the cuts, each from memory of its own size, so that
 * ASan sees a read behind it. */
static int feed(const char *answer, size_t length, const size_t cuts[], size_t cut_count, const char *const columns[],
                struct outcome *outcome)
{
	struct flux_csv csv;
	int result = 0;
	for (outcome->columns = 0; columns[outcome->columns];)
		outcome->columns++;
	flux_csv_open(&csv, columns, take_row, outcome);
	for (size_t i = 0, start = 0; i <= cut_count && result == 0; i++) {
		size_t end = i < cut_count ? cuts[i] : length;
		char *exact = malloc(end - start ? end - start : 1);
		assert_non_null(exact);
		memcpy(exact, answer + start, end - start);
		result = flux_csv_feed(&csv, exact, end - start);
		free(exact);
		start = end;
	}
	if (result == 0)
		result = flux_csv_end(&csv);
	memcpy(outcome->error, csv.error, sizeof(outcome->error));
	flux_csv_close(&csv);
	return result;
}

/* Checks the outcome of the whole, of each cut in two, and byte by byte. NULL: any. */
static void check_columns(const char *answer, const char *const columns[], int wanted_result, const char *wanted,
                          const char *wanted_error)
{
	size_t length = strlen(answer), each[4096];
	assert_true(length <= COUNT_OF(each));
	for (size_t i = 0; i < length; i++)
		each[i] = i;
	for (size_t cut = 0; cut <= length + 1; cut++) {
		struct outcome outcome = { 0 };
		int result = cut <= length ? feed(answer, length, &cut, 1, columns, &outcome)
		                           : feed(answer, length, each, length, columns, &outcome);
		if (result != wanted_result)
			fail_msg("%s\ncut at %zu: %d", answer, cut, result);
		if (wanted)
			assert_string_equal(outcome.told.data ? outcome.told.data : "", wanted);
		if (wanted_error)
			assert_string_equal(outcome.error, wanted_error);
		text_free(&outcome.told);
	}
}

/* With line feeds as they are, and with carriage returns before them. */
static void check(const char *answer, int wanted_result, const char *wanted, const char *wanted_error)
{
	struct text crlf = TEXT_EMPTY;
	for (const char *at = answer; *at; at++) {
		text_append_string(&crlf, *at == '\n' ? "\r" : "");
		text_append_char(&crlf, *at);
	}
	check_columns(answer, wanted_columns, wanted_result, wanted, wanted_error);
	check_columns(crlf.data ? crlf.data : "", wanted_columns, wanted_result, wanted, wanted_error);
	text_free(&crlf);
}

#define ANNOTATIONS "#datatype,string,long,string,double\n#group,false,false,true,false\n"

static void test_flux_csv_feed_any_cut_gives_the_same_rows(void **state)
{
	(void)state;
	static const struct {
		const char *answer, *wanted;
	} cases[] = {
		{ ",result,table,process,_value\n,_result,0,bash,1.5\n,_result,1,x,2\n\n", "_result|bash|1.5\n_result|x|2\n" },
		/* Columns stand anywhere, and among others. */
		{ ",_value,_start,process,result\n,1.5,2026,bash,value\n\n", "value|bash|1.5\n" },
		/* Names that only look like ours. */
		{ ",Result,process2,value,_value,process\n,a,b,c,4,d\n\n", "|d|4\n" },
		/* Some are missing, in the table, */
		{ ",result,table,_value\n,value,0,1\n\n", "value||1\n" },
		{ ",a,b\n,1,2\n\n", "||\n" },
		/* and in a row. */
		{ ",result,table,process,_value\n,value,0,bash\n\n", "value|bash|\n" },
		{ ",result,table,process,_value\n,value,0,bash,1,2,3\n\n", "value|bash|1\n" },
		/* Quotes. */
		{ ",result,process,_value\n,\"value\",\"a b,c=d\"\"\xc3\xa9\",\"1\"\n\n", "value|a b,c=d\"\xc3\xa9|1\n" },
		{ ",result,process,_value\n,value,\"\"\"\",1\n,value,\"\"\"\"\"\",2\n,value,\"\",3\n,value,\",\",4\n\n",
		  "value|\"|1\nvalue|\"\"|2\nvalue||3\nvalue|,|4\n" },
		{ ",result,process,_value\n,value,\"\"\"a\"\"\",1\n,value,\"#default\",2\n\n", "value|\"a\"|1\nvalue|#default|2\n" },
		/* One that is not at the start is a byte like others. */
		{ ",result,process,_value\n,value,a\"b\"c,1\n,value,a\"\"b,2\n\n", "value|a\"b\"c|1\nvalue|a\"\"b|2\n" },
		{ ",result,process,_value\n,value,\"a\"b\"c,1\n\n", "value|ab\"c|1\n" },
		/* The header as well. */
		{ ",\"result\",\"process\",\"_value\"\n,value,a,1\n\n", "value|a|1\n" },
		/* Nothing, with and without the empty line. */
		{ "", "" },
		{ "\n", "" },
		{ "\n\n\n", "" },
		{ ",result,table,process,_value\n", "" },
		{ ANNOTATIONS "#default,_result,,,\n,result,table,process,_value\n\n", "" },
		/* Tables behind an empty line have a header of their own, */
		{ ",result,process,_value\n,value,a,1\n\n,_value,result,process\n,2,maximum,b\n\n",
		  "value|a|1\nmaximum|b|2\n" },
		{ ",result,process,_value\n,value,a,1\n\n\n,result,other\n,sum,x\n\n,result,process,_value\n,count,c,3\n\n",
		  "value|a|1\nsum||\ncount|c|3\n" },
		/* and behind annotations, with and without an empty line. */
		{ ANNOTATIONS "#default,_result,,,\n,result,table,process,_value\n,,0,a,1\n,,1,b,2\n\n", "_result|a|1\n_result|b|2\n" },
		{ ANNOTATIONS "#default,value,,,\n,result,table,process,_value\n,,0,a,1\n\n"
		  ANNOTATIONS "#default,maximum,,,\n,result,table,_value,process\n,,0,2,b\n\n",
		  "value|a|1\nmaximum|b|2\n" },
		{ ANNOTATIONS "#default,value,,,\n,result,table,process,_value\n,,0,a,1\n"
		  ANNOTATIONS "#default,maximum,,,\n,result,table,_value,process\n,,0,2,b\n",
		  "value|a|1\nmaximum|b|2\n" },
		/* Defaults are of any column, in any order with the other annotations, */
		{ "#default,value,,\"a,\"\"b\",7\n" ANNOTATIONS ",result,table,process,_value\n,,0,,\n,sum,1,c,8\n\n",
		  "value|a,\"b|7\nsum|c|8\n" },
		/* of their own tables alone, */
		{ ANNOTATIONS "#default,value,,a,7\n,result,table,process,_value\n,,0,,\n\n,result,table,process,_value\n,,0,,\n\n",
		  "value|a|7\n||\n" },
		{ ANNOTATIONS "#default,value,,a,7\n,result,table,process,_value\n,,0,,\n" "#default,,,,8\n"
		  ",result,table,process,_value\n,,0,,\n\n", "value|a|7\n||8\n" },
		/* and may be fewer than the columns. The annotation's name is none. */
		{ "#default,value\n,result,table,process,_value\n,,0,,\n\n", "value||\n" },
		{ "#default,\nerror,reference\n,897\n\n", "||\n" },
		/* A word that begins like the annotation is none. */
		{ "#defaults,value,,,\n,result,table,process,_value\n,,0,a,1\n\n", "|a|1\n" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		check(cases[i].answer, 0, cases[i].wanted, "");
}

static void test_flux_csv_feed_quoted_line_breaks_are_of_the_field(void **state)
{
	(void)state;
	check_columns(",result,process,_value\n,value,\"a\nb\n\",1\n,value,\"\n\",2\n\n", wanted_columns, 0,
	              "value|a\nb\n|1\nvalue|\n|2\n", "");
	check_columns(",result,process,_value\r\n,value,\"a\r\n\r\nb\",1\r\n\r\n", wanted_columns, 0, "value|a\r\n\r\nb|1\n", "");
}

/* The three shapes that InfluxDB 2 has had, before and behind rows. */
static void test_flux_csv_feed_error_in_the_body_is_told(void **state)
{
	(void)state;
	static const char *const errors[] = {
		"#datatype,string,string\n#group,true,true\n#default,,\n,error,reference\n,Failed to parse query,897\n",
		",error,reference\n,Failed to parse query,897\n",
		"error,reference\nFailed to parse query,\n",
	};
	for (size_t i = 0; i < COUNT_OF(errors); i++) {
		char answer[512];
		check(errors[i], -EREMOTEIO, "", "Failed to parse query");
		snprintf(answer, sizeof(answer), ",result,process,_value\n,value,a,1\n\n%s", errors[i]);
		check(answer, -EREMOTEIO, "value|a|1\n", "Failed to parse query");
		snprintf(answer, sizeof(answer), ANNOTATIONS "#default,value,,,\n,result,table,process,_value\n,,0,a,1\n\n%s", errors[i]);
		check(answer, -EREMOTEIO, "value|a|1\n", "Failed to parse query");
	}
	check(",error,reference\n,\"a \"\"b\"\", c\nd\",\n", -EREMOTEIO, "", NULL);
	/* The table alone is no error, nor is an empty cell of a column of this name. */
	check(",error,reference\n", 0, "", "");
	check(",error,result,process,_value\n,,value,a,1\n\n", 0, "value|a|1\n", "");
}

static void test_flux_csv_feed_long_error_is_cut(void **state)
{
	(void)state;
	struct outcome outcome = { 0 };
	struct text answer = TEXT_EMPTY;
	text_append_string(&answer, ",error,reference\n,");
	for (int i = 0; i < 1000; i++)
		text_append_char(&answer, 'e');
	text_append_string(&answer, ",897\n");
	assert_int_equal(feed(answer.data, answer.length, NULL, 0, wanted_columns, &outcome), -EREMOTEIO);
	assert_int_equal(strlen(outcome.error), sizeof(outcome.error) - 1);
	text_free(&answer);
}

static void test_flux_csv_feed_columns_have_a_bound(void **state)
{
	(void)state;
	static const char *const last[] = { "c31", "c1", NULL };
	struct text answer = TEXT_EMPTY;
	/* The first, of the annotations, counts. */
	for (int line = 0; line < 2; line++) {
		for (int i = 1; i < FLUX_CSV_COLUMNS; i++)
			text_printf(&answer, line ? ",%d" : ",c%d", i);
		text_append_char(&answer, '\n');
	}
	check_columns(answer.data, last, 0, "31|1\n", "");
	/* One more, in a row, in a header, in an annotation. */
	answer.length--;
	text_append_string(&answer, ",32\n");
	check_columns(answer.data, last, -EBADMSG, "", "");
	static const char *const starts[] = { "", "#default", "#group" };
	for (size_t i = 0; i < COUNT_OF(starts); i++) {
		text_reset(&answer);
		text_append_string(&answer, starts[i]);
		for (int j = 0; j < FLUX_CSV_COLUMNS; j++)
			text_append_string(&answer, ",");
		text_append_char(&answer, '\n');
		check_columns(answer.data, last, -EBADMSG, "", "");
	}
	text_free(&answer);
}

/* A page of a proxy is not an empty answer. */
static void test_flux_csv_feed_no_table_is_told(void **state)
{
	(void)state;
	static const char *const answers[] = {
		"hello\n", "<html>\n<body>,error,</body></html>\n", "{\"a\": 1}\n", "result,process,_value\nvalue,a,1\n",
		",result,process,_value\n,value,a,1\n\nhello\n",
	};
	for (size_t i = 0; i < COUNT_OF(answers); i++)
		check(answers[i], -EBADMSG, NULL, "");
}

static void test_flux_csv_open_columns_that_are_wanted_have_a_bound(void **state)
{
	(void)state;
	static const char *const most[FLUX_CSV_WANTED + 1] = { "a", "b", "c", "d", "e", "f", "g", "h", NULL };
	check_columns(",h,g,f,e,d,c,b,a\n,8,7,6,5,4,3,2,1\n\n", most, 0, "1|2|3|4|5|6|7|8\n", "");
}

static void test_flux_csv_end_in_a_record_is_told(void **state)
{
	(void)state;
	static const char answer[] = "#default,value,,\n,result,process,_value\n,,\"a\"\"\n\",1\n\n,error,x\n,,2\n";
	for (size_t length = 0; length < strlen(answer); length++) {
		char cut[128];
		snprintf(cut, sizeof(cut), "%.*s", (int)length, answer);
		/* The line break in quotes is no end. */
		bool whole = length == 0 || (cut[length - 1] == '\n' && strcmp(strrchr(cut, ',') + 1, "\"a\"\"\n") != 0);
		check_columns(cut, wanted_columns, whole ? 0 : -EBADMSG, NULL, "");
	}
}

static void test_flux_csv_feed_what_the_taker_returns_ends_it(void **state)
{
	(void)state;
	static const char answer[] = ",result,process,_value\n,value,a,1\n,value,b,2\n,value,c,3\n\n";
	for (size_t cut = 0; cut <= strlen(answer); cut++) {
		struct outcome outcome = { .fail_row = 2 };
		assert_int_equal(feed(answer, strlen(answer), &cut, 1, wanted_columns, &outcome), -E2BIG);
		assert_string_equal(outcome.told.data, "value|a|1\nvalue|b|2\n");
		text_free(&outcome.told);
	}
}

static int count_rows(void *user, const char *const values[])
{
	(void)values;
	++*(size_t *)user;
	return 0;
}

static void test_flux_csv_feed_any_allocation_fails_is_out_of_memory(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	/* Long enough for its texts to grow, and again. */
	struct text answer = TEXT_EMPTY;
	for (int i = 0; i < 4; i++) {
		text_append_string(&answer, "#default,");
		for (int j = 0; j < 300 * (i + 1); j++)
			text_append_char(&answer, 'd');
		text_append_string(&answer, ",,\n,result,process,_value\n,value,");
		for (int j = 0; j < 500 * (i + 1); j++)
			text_append_char(&answer, 'x');
		text_append_string(&answer, ",1\n\n");
	}
	bool failed = true;
	long n = 0;
	while (failed) {
		struct flux_csv csv;
		size_t count = 0;
		long live = failing_live;
		int result = 0;
		flux_csv_open(&csv, wanted_columns, count_rows, &count);
		failing_start(++n);
		for (size_t at = 0; at < answer.length && result == 0; at += 100)
			result = flux_csv_feed(&csv, answer.data + at, answer.length - at < 100 ? answer.length - at : 100);
		failed = failing_stop();
		assert_int_equal(result, failed ? -ENOMEM : 0);
		if (!failed) {
			assert_int_equal(flux_csv_end(&csv), 0);
			assert_int_equal(count, 4);
		}
		flux_csv_close(&csv);
		assert_int_equal(failing_live, live);
	}
	assert_true(n > 6);
	text_free(&answer);
}

/* ---- what a real one answers ---- */

static const char *const recorded_columns[] = { "result", "_measurement", "ip", "process", "_time", "_value", NULL };

static void test_flux_csv_feed_recorded_answers_are_read(void **state)
{
	(void)state;
#define NAME "a b,c=d\"\xc3\xa9"
	static const struct {
		const char *path, *wanted;
	} cases[] = {
		{ INFLUXDB2_WIRE "query-empty.response", "" },
		{ INFLUXDB2_WIRE "query-mean.response", "_result|cpu_usage_percent||" NAME "||100\n"
		                                        "_result|cpu_usage_percent||bash||6.125\n"
		                                        "_result|mem_usage_percent||" NAME "||3.25\n"
		                                        "_result|mem_usage_percent||bash||2\n"
		                                        "_result|mem_usage_percent||x||4\n" },
		{ INFLUXDB2_WIRE "query-history.response",
		  "_result|cpu_usage_percent|10.0.0.1|bash|2026-11-22T14:21:53Z|0\n"
		  "_result|cpu_usage_percent|10.0.0.1|bash|2026-11-22T14:22:03Z|12.25\n"
		  "_result|cpu_usage_percent|10.0.0.2|" NAME "|2026-11-22T14:22:03Z|100\n"
		  "_result|mem_usage_percent|10.0.0.1|bash|2026-11-22T14:21:53Z|2.5\n"
		  "_result|mem_usage_percent|10.0.0.1|bash|2026-11-22T14:22:03Z|1.5\n"
		  "_result|mem_usage_percent|10.0.0.2|" NAME "|2026-11-22T14:22:03Z|3.25\n"
		  "_result|mem_usage_percent|fe80::1|x|2026-11-22T14:22:03Z|4\n" },
		/* Its result is a default. */
		{ INFLUXDB2_WIRE "query-annotated.response",
		  "_result|cpu_usage_percent|10.0.0.1|bash|2026-11-22T14:22:03Z|12.25\n"
		  "_result|cpu_usage_percent|10.0.0.2|" NAME "|2026-11-22T14:22:03Z|100\n"
		  "_result|mem_usage_percent|10.0.0.1|bash|2026-11-22T14:22:03Z|1.5\n"
		  "_result|mem_usage_percent|10.0.0.2|" NAME "|2026-11-22T14:22:03Z|3.25\n"
		  "_result|mem_usage_percent|fe80::1|x|2026-11-22T14:22:03Z|4\n" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct text answer = recorded(cases[i].path);
		check_columns(recorded_body(&answer), recorded_columns, 0, cases[i].wanted, "");
		text_free(&answer);
	}
}

/* One after the other, as of a query with several results. */
static void test_flux_csv_feed_recorded_answers_in_a_row_are_read(void **state)
{
	(void)state;
	struct text annotated = recorded(INFLUXDB2_WIRE "query-annotated.response");
	struct text mean = recorded(INFLUXDB2_WIRE "query-mean.response");
	struct text all = TEXT_EMPTY;
	struct outcome outcome = { 0 };
	recorded_replace(&annotated, "#default,_result", "#default,maximum");
	text_printf(&all, "%s%s%s", recorded_body(&annotated), recorded_body(&mean), recorded_body(&annotated));
	assert_int_equal(feed(all.data, all.length, NULL, 0, recorded_columns, &outcome), 0);
	assert_int_equal(outcome.rows, 15);
	assert_memory_equal(outcome.told.data, "maximum|", 8);
	assert_non_null(strstr(outcome.told.data, "\n_result|cpu_usage_percent||bash||6.125\n"));
	text_free(&outcome.told);
	text_free(&annotated);
	text_free(&mean);
	text_free(&all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flux_csv_feed_any_cut_gives_the_same_rows),
		cmocka_unit_test(test_flux_csv_feed_quoted_line_breaks_are_of_the_field),
		cmocka_unit_test(test_flux_csv_feed_error_in_the_body_is_told),
		cmocka_unit_test(test_flux_csv_feed_long_error_is_cut),
		cmocka_unit_test(test_flux_csv_feed_columns_have_a_bound),
		cmocka_unit_test(test_flux_csv_feed_no_table_is_told),
		cmocka_unit_test(test_flux_csv_open_columns_that_are_wanted_have_a_bound),
		cmocka_unit_test(test_flux_csv_end_in_a_record_is_told),
		cmocka_unit_test(test_flux_csv_feed_what_the_taker_returns_ends_it),
		cmocka_unit_test(test_flux_csv_feed_any_allocation_fails_is_out_of_memory),
		cmocka_unit_test(test_flux_csv_feed_recorded_answers_are_read),
		cmocka_unit_test(test_flux_csv_feed_recorded_answers_in_a_row_are_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
