/* fcgi/remote/influxql.h: the text of what is asked. (What a running engine makes of it is
 * the contract of test_store.c.) */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/fcgi/helpers.h"

#include "fcgi/remote/influxql.h"

#define BOTH " FROM mem_usage_percent, cpu_usage_percent WHERE time > 1000ms AND time <= 2000ms"
#define MEM " FROM mem_usage_percent WHERE time > 1000ms AND time <= 2000ms"

#define QUERY(...) { .from_ms = 1000, .to_ms = 2000, ##__VA_ARGS__ }

static void test_influxql_append_mean_table(void **state)
{
	(void)state;
	static const struct series_key listed[] = { { NULL, "a" }, { NULL, "b'" } };
	static const struct {
		struct query query;
		size_t first, end;
		const char *wanted;
	} cases[] = {
		{ QUERY(), 0, 0, "SELECT mean(value), max(value)" BOTH " GROUP BY process" },
		{ QUERY(.without_maximum = true), 0, 0, "SELECT mean(value)" BOTH " GROUP BY process" },
		{ QUERY(.by_host = true), 0, 0, "SELECT mean(value), max(value)" BOTH " GROUP BY process, ip" },
		{ QUERY(.unwanted[HALF_SECOND] = true), 0, 0, "SELECT mean(value), max(value)" MEM " GROUP BY process" },
		{ QUERY(.only = listed, .only_count = 2), 0, 2,
		  "SELECT mean(value), max(value)" BOTH " AND ((process='a') OR (process='b\\'')) GROUP BY process" },
		{ QUERY(.ip = "10.0.0.1", .process = "a'b\\%"), 0, 0,
		  "SELECT mean(value), max(value)" BOTH " AND ip='10.0.0.1' AND process='a\\'b%5C%25' GROUP BY process" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct text text = TEXT_EMPTY;
		influxql_append_mean(&text, &cases[i].query, cases[i].first, cases[i].end, false);
		assert_string_equal(text.data, cases[i].wanted);
		text_free(&text);
	}
}

static void test_influxql_append_newest_is_by_host(void **state)
{
	(void)state;
	static const struct query query = QUERY();
	struct text text = TEXT_EMPTY;
	influxql_append_newest(&text, &query, 0, 0, false);
	assert_string_equal(text.data, "SELECT last(value)" BOTH " GROUP BY process, ip");
	text_free(&text);
}

static void test_influxql_append_history_table(void **state)
{
	(void)state;
	static const struct series_key listed[] = { { NULL, "a" }, { "10.0.0.1", "b" }, { NULL, "c" } };
	static const struct {
		struct query query;
		size_t first, end;
		const char *wanted;
	} cases[] = {
		{ QUERY(), 0, 0, "SELECT value" MEM " GROUP BY process, ip" },
		{ QUERY(.step_ms = 60000), 0, 0, "SELECT mean(value)" MEM " GROUP BY process, time(60000ms) fill(none)" },
		{ QUERY(.step_ms = 60000, .aggregate = AGGREGATE_MAX, .by_host = true), 0, 0,
		  "SELECT max(value)" MEM " GROUP BY process, ip, time(60000ms) fill(none)" },
		{ QUERY(.only = listed, .only_count = 3), 2, 2, "SELECT value" MEM " GROUP BY process, ip" },
		{ QUERY(.only = listed, .only_count = 3), 0, 2,
		  "SELECT value" MEM " AND ((process='a') OR (process='b' AND ip='10.0.0.1')) GROUP BY process, ip" },
		{ QUERY(.only = listed, .only_count = 3), 2, 3, "SELECT value" MEM " AND ((process='c')) GROUP BY process, ip" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct text text = TEXT_EMPTY;
		influxql_append_history(&text, &cases[i].query, cases[i].first, cases[i].end, false);
		assert_string_equal(text.data, cases[i].wanted);
		text_free(&text);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_influxql_append_mean_table),
		cmocka_unit_test(test_influxql_append_newest_is_by_host),
		cmocka_unit_test(test_influxql_append_history_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
