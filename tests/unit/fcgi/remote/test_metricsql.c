/* fcgi/remote/metricsql.h: the text of what is asked. (What a running engine makes of it is
 * the contract of test_store.c.) */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/fcgi/helpers.h"

#include "fcgi/remote/metricsql.h"

enum { NOW_MS = 1234567 };

#define MEM "mem_usage_percent_value{vigie!=\"1234\""

static void test_metricsql_append_selector_table(void **state)
{
	(void)state;
	static const struct series_key one = { "10.0.0.1", "a" }, of_any_host = { NULL, "a" };
	static const struct series_key listed[] = { { NULL, "a.b" }, { "10.0.0.1", "%\\|\"" } };
	static const struct {
		struct query query;
		const struct series_key *key;
		const char *wanted;
	} cases[] = {
		{ { .metric = METRIC_USAGE }, NULL, MEM "}" },
		{ { .metric = METRIC_ALARM_SINCE }, NULL, "mem_alarm_since_value{vigie!=\"1234\"}" },
		{ { .ip = "2001:db8::1" }, NULL, MEM ",ip=\"2001:db8::1\"}" },
		{ { .process = "a b" }, NULL, MEM ",process=\"a b\"}" },
		{ { .process = "\"} or up{\"" }, NULL, MEM ",process=\"\\\"} or up{\\\"\"}" },
		{ { .process = "50%\\" }, NULL, MEM ",process=\"50%25%5C\"}" },
		{ { .ip = "10.0.0.9" }, &one, MEM ",ip=\"10.0.0.1\",process=\"a\"}" },
		{ { .ip = "10.0.0.9" }, &of_any_host, MEM ",ip=\"10.0.0.9\",process=\"a\"}" },
		{ { .only = listed, .only_count = 2 }, NULL, MEM ",process=~\"a\\\\.b|%25%5C\\\\|\\\"\"}" },
		{ { .only = listed, .only_count = 2, .process = "c" }, NULL, MEM ",process=\"c\"}" },
		{ { .only = listed, .only_count = METRICSQL_ONLY_MAX + 1 }, NULL, MEM "}" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct text text = TEXT_EMPTY;
		metricsql_append_selector(&text, &cases[i].query, HALF_FIRST, cases[i].key, NOW_MS);
		assert_string_equal(text.data, cases[i].wanted);
		text_free(&text);
	}
}

static void test_metricsql_append_rollup_table(void **state)
{
	(void)state;
	static const struct {
		bool by_host, maximum;
		const char *wanted;
	} cases[] = {
		{ false, false, "sum by (process, rollup) (aggr_over_time((\"sum_over_time\", \"count_over_time\"), " MEM "}[300000ms]))" },
		{ true, false, "sum by (ip, process, rollup) (aggr_over_time((\"sum_over_time\", \"count_over_time\"), " MEM "}[300000ms]))" },
		{ false, true, "max by (process) (max_over_time(" MEM "}[300000ms]))" },
		{ true, true, "max by (ip, process) (max_over_time(" MEM "}[300000ms]))" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct text text = TEXT_EMPTY;
		const struct query query = { .by_host = cases[i].by_host };
		metricsql_append_rollup(&text, &query, HALF_FIRST, cases[i].maximum, 300000, NOW_MS);
		assert_string_equal(text.data, cases[i].wanted);
		text_free(&text);
	}
}

static void test_metricsql_append_newest_of_all_hosts_or_some(void **state)
{
	(void)state;
	struct text text = TEXT_EMPTY, ips = TEXT_EMPTY;
	metricsql_append_newest(&text, HALF_FIRST, &ips, 5000, NOW_MS);
	assert_string_equal(text.data, "tlast_over_time(" MEM "}[5000ms])");
	text_append(&ips, "10.0.0.1\0" "::1", 13);
	text_reset(&text);
	metricsql_append_newest(&text, HALF_FIRST, &ips, 5000, NOW_MS);
	assert_string_equal(text.data, "tlast_over_time(" MEM ",ip=~\"10\\\\.0\\\\.0\\\\.1|::1\"}[5000ms])");
	text_free(&text);
	text_free(&ips);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_metricsql_append_selector_table),
		cmocka_unit_test(test_metricsql_append_rollup_table),
		cmocka_unit_test(test_metricsql_append_newest_of_all_hosts_or_some),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
