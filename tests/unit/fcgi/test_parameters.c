/* fcgi/parameters.h */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/fcgi/helpers.h"

#include <errno.h>

#include "fcgi/parameters.h"

enum { ALL = (1 << 14) - 1, WITHOUT_SPAN = (1 << 10) - 1, TWO_DAYS_MS = 2 * 86400000 };

static void test_parameters_parse_none_gives_the_defaults(void **state)
{
	(void)state;
	static const char *const queries[] = { NULL, "", "&", "&&" };
	for (size_t i = 0; i < COUNT_OF(queries); i++) {
		struct parameters parameters;
		struct parameter_error error;
		assert_int_equal(parameters_parse(queries[i], ALL, TWO_DAYS_MS, &parameters, &error), 0);
		assert_int_equal(parameters.given, 0);
		assert_int_equal(parameters.window_ms, 300000);
		assert_int_equal(parameters.step_ms, 0);
		assert_int_equal(parameters.resource, RESOURCE_MEM);
		assert_false(parameters.timestamps || parameters.by_host);
		/* A store that keeps less than the default window. */
		assert_int_equal(parameters_parse(queries[i], ALL, 60000, &parameters, &error), 0);
		assert_int_equal(parameters.window_ms, 60000);
	}
}

static void test_parameters_parse_all_are_taken(void **state)
{
	(void)state;
	struct parameters parameters;
	struct parameter_error error;
	const char *query = "window=2d&ip=10-0-0-5&process=a%20b%2B%e2%82%AC+c&resource=cpu&timestamps=1&step=7s&fn=max"
			    "&above=12.5&limit=1000000&by=host";
	assert_int_equal(parameters_parse(query, ALL, TWO_DAYS_MS, &parameters, &error), 0);
	assert_int_equal(parameters.given, WITHOUT_SPAN);
	assert_int_equal(parameters.window_ms, TWO_DAYS_MS);
	assert_string_equal(parameters.ip, "10.0.0.5");
	assert_string_equal(parameters.process, "a b+\xe2\x82\xac c");
	assert_int_equal(parameters.resource, RESOURCE_CPU);
	assert_true(parameters.timestamps && parameters.by_host);
	assert_int_equal(parameters.step_ms, 7000);
	assert_int_equal(parameters.aggregate, AGGREGATE_MAX);
	assert_true(parameters.above == 12.5);
	assert_int_equal(parameters.limit, 1000000);
	/* Escapes in names count as the name. */
	assert_int_equal(parameters_parse("%77indow=10s", ALL, TWO_DAYS_MS, &parameters, &error), 0);
	assert_int_equal(parameters.window_ms, 10000);
	assert_int_equal(parameters_parse("timestamps=0&step=1h&fn=mean", ALL, TWO_DAYS_MS, &parameters, &error), 0);
	assert_false(parameters.timestamps);
	assert_int_equal(parameters.aggregate, AGGREGATE_MEAN);
}

static void test_parameters_parse_bad_ones_are_named(void **state)
{
	(void)state;
	static const struct {
		const char *query, *name, *words;
	} cases[] = {
		{ "window=9s", "window", "10s" },
		{ "window=0s", "window", "" },
		{ "window=172801s", "window", "" },
		{ "window=3d", "window", "" },
		{ "window=", "window", "" },
		{ "window", "window", "" },
		{ "window=10", "window", "" },
		{ "window=s", "window", "" },
		{ "window=-10s", "window", "" },
		{ "window=10ss", "window", "" },
		{ "window=1.5m", "window", "" },
		{ "window=9999999999s", "window", "" },
		{ "window=+10s", "window", "" },
		{ "ip=10.0.0", "ip", "address" },
		{ "ip=", "ip", "" },
		{ "ip=10.0.0.5x", "ip", "" },
		{ "process=", "process", "255" },
		{ "process=%ff", "process", "" },
		{ "resource=disk", "resource", "mem or cpu" },
		{ "resource=CPU", "resource", "" },
		{ "timestamps=yes", "timestamps", "1 or 0" },
		{ "timestamps=", "timestamps", "" },
		{ "step=0s", "step", "" },
		{ "step=49h", "step", "" },
		{ "step=500ms", "step", "" },
		{ "fn=mean", "fn", "needs step" },
		{ "fn=min&step=10s", "fn", "mean or max" },
		{ "above=-1", "above", "0 or more" },
		{ "above=nan", "above", "" },
		{ "above=1e999", "above", "" },
		{ "above=1x", "above", "" },
		{ "above=0x10", "above", "" },
		{ "above=", "above", "" },
		{ "limit=0", "limit", "" },
		{ "limit=1000001", "limit", "" },
		{ "limit=-1", "limit", "" },
		{ "limit=1e3", "limit", "" },
		{ "limit=99999999999", "limit", "" },
		{ "by=process", "by", "host" },
		{ "from=", "from", "seconds or milliseconds" },
		{ "from=yesterday", "from", "" },
		{ "from=-1", "from", "" },
		{ "from=1.", "from", "" },
		{ "from=1.5.5", "from", "" },
		{ "from=.5", "from", "" },
		{ "from=1e9", "from", "" },
		{ "from=1795356015s", "from", "" },
		{ "from=1234567890123456", "from", "" },
		{ "from=2026-11-22", "from", "" },
		{ "from=2026-11-22T14:00:15", "from", "" },
		{ "from=2026-11-22T14:00:15 0100", "from", "" },
		{ "from=2026-11-22T14:00:15Z0000000000000000000000000000000000000000000000", "from", "" },
		{ "to=never", "to", "" },
		{ "to=2026-02-30T14:00:15Z", "to", "" },
		{ "to=1795356015&to=1795356015", "to", "twice" },
		{ "window=10s&from=1795356015", "window", "go together" },
		{ "to=1795356015&window=10s", "window", "go together" },
		{ "standing=yes", "standing", "1 or 0" },
		{ "explain=2", "explain", "1 or 0" },
		{ "color=red", "color", "unknown" },
		{ "Window=10s", "Window", "unknown" },
		{ "=5", "", "unknown" },
		{ "window=10s&window=10s", "window", "twice" },
		{ "window=10s&&bad=1&", "bad", "unknown" },
		{ "process=%", "", "escape" },
		{ "process=%4", "", "escape" },
		{ "process=%4g", "", "escape" },
		{ "process=%00", "", "escape" },
		{ "%00=1", "", "escape" },
		{ "b%22%0a=1", "b\"?", "unknown" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct parameters parameters, before;
		struct parameter_error error = { "", "" };
		memset(&parameters, 0x5a, sizeof(parameters));
		before = parameters;
		if (parameters_parse(cases[i].query, ALL, TWO_DAYS_MS, &parameters, &error) != -EINVAL)
			fail_msg("'%s' was taken", cases[i].query);
		assert_string_equal(error.name, cases[i].name);
		if (!strstr(error.sentence, cases[i].words) || !error.sentence[0])
			fail_msg("'%s': %s", cases[i].query, error.sentence);
		assert_memory_equal(&parameters, &before, sizeof(before));
	}
}

static void test_parameters_parse_times_are_written_in_several_ways(void **state)
{
	(void)state;
	static const struct {
		const char *value;
		int64_t time_ms;
	} cases[] = {
		{ "1795356015", 1795356015000 },
		{ "1795356015.25", 1795356015250 },
		{ "1795356015.1234", 1795356015123 },
		{ "0", 0 },
		{ "99999999999", 99999999999000 },
		{ "100000000000", 100000000000 },
		{ "1795356015250", 1795356015250 },
		{ "1795356015250.7", 1795356015251 },
		{ "2026-11-22T14:00:15Z", 1795356015000 },
		{ "2026-11-22T14:00:15.250Z", 1795356015250 },
		{ "2026-11-22T15:00:15%2B01:00", 1795356015000 },
		{ "2026-11-22T15:00:15+01:00", 1795356015000 },
		{ "2026-11-22T15:00:15%2001:00", 1795356015000 },
		{ "2026-11-22+15:00:15+01:00", 1795356015000 },
		{ "2026-11-22+14:00:15Z", 1795356015000 },
		{ "2026-11-22T13:00:15-01:00", 1795356015000 },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char query[128];
		struct parameters parameters;
		struct parameter_error error;
		snprintf(query, sizeof(query), "to=%s&from=%s", cases[i].value, cases[i].value);
		if (parameters_parse(query, ALL, TWO_DAYS_MS, &parameters, &error) != 0)
			fail_msg("%s: %s", query, error.sentence);
		assert_true(parameters.from_ms == cases[i].time_ms);
		assert_true(parameters.to_ms == cases[i].time_ms);
	}
}

static void test_parameters_set_span_table(void **state)
{
	(void)state;
	const int64_t now_ms = 1795356015500;
	static const struct {
		const char *query;
		int64_t from_ms, to_ms; /* after now_ms */
	} cases[] = {
		{ "", -300000, 0 },
		{ "window=10s", -10000, 0 },
		{ "window=2d", -TWO_DAYS_MS, 0 },
		{ "from=1795356015", -500, 0 },
		{ "from=1795356000&to=1795356015.499", -15500, -1 },
		{ "from=1795356000&to=1795356015.500", -15500, 0 },
		{ "from=1795356000&to=1795356016", -15500, 0 },
		{ "from=1795356000&to=9999-12-31T23:59:59Z", -15500, 0 },
		{ "to=1795355715.5", -600000, -300000 },
		{ "to=1795356100", -300000, 0 },
		{ "from=1795183215.5", -TWO_DAYS_MS, 0 },
		{ "from=1795183215.5&to=1795183215.501", -TWO_DAYS_MS, 1 - TWO_DAYS_MS },
		{ "to=1795183315.5", -TWO_DAYS_MS, 100000 - TWO_DAYS_MS },
	};
	static const struct {
		const char *query, *name, *words;
	} wrong[] = {
		{ "from=1795356015.5", "from", "not in the past" },
		{ "from=1795356016&to=1795356020", "from", "not in the past" },
		{ "from=1795356000&to=1795356000", "from", "not before to" },
		{ "from=1795356010&to=1795356000", "from", "not before to" },
		{ "from=1795183215.499", "from", "172800 s" },
		{ "from=0&to=1795356000", "from", "172800 s" },
		{ "to=1795183215.5", "to", "172800 s" },
		{ "to=0", "to", "172800 s" },
	};
	struct parameters parameters;
	struct parameter_error error;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		assert_int_equal(parameters_parse(cases[i].query, ALL, TWO_DAYS_MS, &parameters, &error), 0);
		if (parameters_set_span(&parameters, now_ms, TWO_DAYS_MS, &error))
			fail_msg("%s: %s", cases[i].query, error.sentence);
		assert_int_equal(parameters.from_ms - now_ms, cases[i].from_ms);
		assert_int_equal(parameters.to_ms - now_ms, cases[i].to_ms);
	}
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		assert_int_equal(parameters_parse(wrong[i].query, ALL, TWO_DAYS_MS, &parameters, &error), 0);
		if (parameters_set_span(&parameters, now_ms, TWO_DAYS_MS, &error) != -EINVAL)
			fail_msg("'%s' was taken", wrong[i].query);
		assert_string_equal(error.name, wrong[i].name);
		if (!strstr(error.sentence, wrong[i].words))
			fail_msg("'%s': %s", wrong[i].query, error.sentence);
	}
}

static void test_parameters_parse_several_processes_are_a_list(void **state)
{
	(void)state;
	struct parameters parameters;
	struct parameter_error error;
	assert_int_equal(parameters_parse("process=a&process=a", ALL, TWO_DAYS_MS, &parameters, &error), 0);
	assert_int_equal(parameters.process_count, 1);
	assert_string_equal(parameters.process, "a");
	assert_int_equal(parameters_parse("process=a&resource=cpu&process=b%0a&process=b+c&process=a", ALL, TWO_DAYS_MS, &parameters,
	                                  &error), 0);
	assert_int_equal(parameters.process_count, 3);
	assert_int_equal(parameters.only_count, 2); /* no process's name has a line break */
	assert_string_equal(parameters.only[0].process, "a");
	assert_string_equal(parameters.only[1].process, "b c");
	assert_null(parameters.only[1].ip);
	assert_int_equal(parameters_parse("process=a&process=", ALL, TWO_DAYS_MS, &parameters, &error), -EINVAL);

	char query[PARAMETERS_QUERY_SIZE] = "limit=1";
	for (int i = 0; i <= PARAMETERS_PROCESSES_MAX; i++) {
		int result = parameters_parse(query, ALL, TWO_DAYS_MS, &parameters, &error);
		assert_int_equal(result, 0);
		assert_int_equal(parameters.process_count, i);
		snprintf(query + strlen(query), 32, "&process=p%d", i);
	}
	assert_int_equal(parameters_parse(query, ALL, TWO_DAYS_MS, &parameters, &error), -EINVAL);
	assert_string_equal(error.name, "process");
	assert_non_null(strstr(error.sentence, "over 50"));
}

static void test_parameters_parse_not_the_routes_own_is_unknown(void **state)
{
	(void)state;
	struct parameters parameters;
	struct parameter_error error;
	assert_int_equal(parameters_parse("window=10s", ALL & ~PARAMETER_WINDOW, TWO_DAYS_MS, &parameters, &error), -EINVAL);
	assert_string_equal(error.sentence, "unknown query parameter");
	assert_int_equal(parameters_parse("window=10s", PARAMETER_WINDOW, TWO_DAYS_MS, &parameters, &error), 0);
}

static void test_parameters_parse_lengths_are_bounded(void **state)
{
	(void)state;
	struct parameters parameters;
	struct parameter_error error;
	char query[5000] = "process=";
	memset(query + 8, 'x', 255);
	assert_int_equal(parameters_parse(query, ALL, TWO_DAYS_MS, &parameters, &error), 0);
	assert_int_equal(strlen(parameters.process), 255);
	query[8 + 255] = 'x';
	assert_int_equal(parameters_parse(query, ALL, TWO_DAYS_MS, &parameters, &error), -EINVAL);
	assert_string_equal(error.name, "process");
	/* An unknown name that is longer than the place for it. */
	memset(query, 'y', 200);
	assert_int_equal(parameters_parse(query, ALL, TWO_DAYS_MS, &parameters, &error), -EINVAL);
	assert_int_equal(strlen(error.name), sizeof(error.name) - 1);
	memset(query, '&', sizeof(query) - 1);
	assert_int_equal(parameters_parse(query, ALL, TWO_DAYS_MS, &parameters, &error), -EINVAL);
	query[4095] = '\0';
	assert_int_equal(parameters_parse(query, ALL, TWO_DAYS_MS, &parameters, &error), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parameters_parse_none_gives_the_defaults),
		cmocka_unit_test(test_parameters_parse_all_are_taken),
		cmocka_unit_test(test_parameters_parse_bad_ones_are_named),
		cmocka_unit_test(test_parameters_parse_times_are_written_in_several_ways),
		cmocka_unit_test(test_parameters_set_span_table),
		cmocka_unit_test(test_parameters_parse_several_processes_are_a_list),
		cmocka_unit_test(test_parameters_parse_not_the_routes_own_is_unknown),
		cmocka_unit_test(test_parameters_parse_lengths_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
