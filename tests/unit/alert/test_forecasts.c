/* alert/forecasts.h */
#include "tests/unit/support/cmocka.h"

#include <errno.h>
#include <string.h>

#include "alert/forecasts.h"

static void assert_forecast(const struct forecast *forecast, const char *ip, const char *process, enum resource resource,
                            double probability, double value, int64_t expected_ms)
{
	assert_string_equal(forecast->ip, ip);
	assert_string_equal(forecast->process, process);
	assert_int_equal(forecast->resource, resource);
	assert_true(forecast->probability == probability);
	assert_true(forecast->value == value);
	assert_int_equal(forecast->expected_ms, expected_ms);
}

static void test_forecasts_parse_answer_gives_forecasts(void **state)
{
	(void)state;
	static const char body[] =
		"{\"10.0.0.5\": {\"bash\": {\"mem\": {\"probability\": 0.83, \"forecast\": 91.2, \"expected_at\": 1795356878.1, \"full_at\": 1795400000},"
		" \"cpu\": {\"probability\": 0, \"forecast\": 1600, \"expected_at\": null}}}, \"10.0.0.6\": {},"
		" \"::1\": {\"a\\\"\": {\"mem\": {\"forecast\": 0, \"later\": [], \"probability\": 1}}}}";
	struct forecasts forecasts;
	struct text error = TEXT_EMPTY;
	assert_int_equal(forecasts_parse(body, strlen(body), &forecasts, &error), 0);
	assert_int_equal(forecasts.count, 3);
	assert_int_equal(forecasts.skipped, 0);
	assert_forecast(&forecasts.items[0], "10.0.0.5", "bash", RESOURCE_MEM, 0.83, 91.2, 1795356878100);
	assert_int_equal(forecasts.items[0].full_ms, 1795400000000);
	assert_int_equal(forecasts.items[1].full_ms, 0);
	assert_forecast(&forecasts.items[1], "10.0.0.5", "bash", RESOURCE_CPU, 0, 1600, 0);
	assert_forecast(&forecasts.items[2], "::1", "a\"", RESOURCE_MEM, 1, 0, 0);
	forecasts_free(&forecasts);
}

static void test_forecasts_parse_bad_items_are_left_out_and_counted(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"7", "null", "[0.8, 91]", "{}", "{\"probability\": 0.8}", "{\"forecast\": 91}",
		"{\"probability\": null, \"forecast\": 91}", "{\"probability\": 0.8, \"forecast\": null}",
		"{\"probability\": \"0.8\", \"forecast\": 91}", "{\"probability\": 1.01, \"forecast\": 91}",
		"{\"probability\": -0.1, \"forecast\": 91}", "{\"probability\": 0.8, \"forecast\": 1e999}",
		"{\"probability\": 0.8, \"forecast\": -1}",
		"{\"probability\": 0.8, \"forecast\": 91, \"expected_at\": \"soon\"}",
		"{\"probability\": 0.8, \"forecast\": 91, \"expected_at\": -1}",
		"{\"probability\": 0.8, \"forecast\": 91, \"full_at\": -1}",
		"{\"probability\": 0.8, \"forecast\": 91, \"expected_at\": 1e15}",
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct text body = TEXT_EMPTY, error = TEXT_EMPTY;
		struct forecasts forecasts;
		text_printf(&body, "{\"10.0.0.6\": {\"sh\": {\"mem\": %s}}, \"10.0.0.5\": {\"java\": {\"mem\": "
		            "{\"probability\": 0.5, \"forecast\": 2}}}}", bad[i]);
		assert_int_equal(forecasts_parse(body.data, body.length, &forecasts, &error), 0);
		if (forecasts.count != 1 || forecasts.skipped != 1)
			fail_msg("%s: %zu forecasts, %zu skipped", bad[i], forecasts.count, forecasts.skipped);
		assert_forecast(&forecasts.items[0], "10.0.0.5", "java", RESOURCE_MEM, 0.5, 2, 0);
		forecasts_free(&forecasts);
		text_free(&body);
	}
}

static void test_forecasts_parse_no_object_is_refused(void **state)
{
	(void)state;
	static const char *const bodies[] = { "", "[]", "null", "<html>", "{\"10.0.0.5\": {\"java\"" };
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		struct forecasts forecasts;
		struct text error = TEXT_EMPTY;
		assert_int_equal(forecasts_parse(bodies[i], strlen(bodies[i]), &forecasts, &error), -EBADMSG);
		assert_string_equal(error.data, "the answer is no JSON object");
		text_free(&error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forecasts_parse_answer_gives_forecasts),
		cmocka_unit_test(test_forecasts_parse_bad_items_are_left_out_and_counted),
		cmocka_unit_test(test_forecasts_parse_no_object_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
