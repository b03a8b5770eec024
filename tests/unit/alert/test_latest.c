/* alert/latest.h */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"

#include <errno.h>
#include <string.h>

#include "alert/latest.h"

static void assert_sample(const struct latest_sample *sample, const char *ip, const char *process,
                          enum resource resource, int64_t time_ms, double value)
{
	assert_string_equal(sample->ip, ip);
	assert_string_equal(sample->process, process);
	assert_int_equal(sample->resource, resource);
	assert_int_equal(sample->time_ms, time_ms);
	assert_true(sample->value == value);
}

static void test_latest_parse_answer_gives_samples(void **state)
{
	(void)state;
	static const char body[] =
		"{\"10.0.0.5\": {\"bash\": {\"mem\": [1795356010, 1.5], \"cpu\": [1795356010.123, 0]},"
		" \"a\\\"\\u00e9\": {\"cpu\": [1795356000.001, 1600]}}, \"10.0.0.6\": {},"
		/* However it is written, it is one host. */
		" \"0::1\": {\"sh\": {\"mem\": [1, 2]}}, \"::ffff:a00:1\": {\"sh\": {\"mem\": [1, 2]}}}";
	struct latest latest;
	struct text error = TEXT_EMPTY;
	assert_int_equal(latest_parse(body, strlen(body), &latest, &error), 0);
	assert_int_equal(latest.count, 5);
	assert_int_equal(latest.skipped, 0);
	assert_int_equal(latest.stopped_count, 1);
	assert_string_equal(latest.stopped[0], "10.0.0.6");
	assert_sample(&latest.samples[0], "10.0.0.5", "bash", RESOURCE_MEM, 1795356010000, 1.5);
	assert_sample(&latest.samples[1], "10.0.0.5", "bash", RESOURCE_CPU, 1795356010123, 0);
	assert_sample(&latest.samples[2], "10.0.0.5", "a\"\xc3\xa9", RESOURCE_CPU, 1795356000001, 1600);
	assert_sample(&latest.samples[3], "::1", "sh", RESOURCE_MEM, 1000, 2);
	assert_sample(&latest.samples[4], "10.0.0.1", "sh", RESOURCE_MEM, 1000, 2);
	latest_free(&latest);
}

static void test_latest_parse_bad_items_are_left_out_and_counted(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"\"here\": {\"sh\": {\"mem\": [1, 2]}}",
		"\"10.0.0.6\": 7",
		"\"10.0.0.6\": {\"sh\": 7}",
		"\"10.0.0.6\": {\"\": {\"mem\": [1, 2]}}",
		"\"10.0.0.6\": {\"\xff\": {\"mem\": [1, 2]}}",
		"\"10.0.0.6\": {\"sh\": {\"disk\": [1, 2]}}",
		"\"10.0.0.6\": {\"sh\": {\"mem\": 2}}",
		"\"10.0.0.6\": {\"sh\": {\"mem\": []}}",
		"\"10.0.0.6\": {\"sh\": {\"mem\": [1]}}",
		"\"10.0.0.6\": {\"sh\": {\"mem\": [1, 2, 3]}}",
		"\"10.0.0.6\": {\"sh\": {\"mem\": [1, \"2\"]}}",
		"\"10.0.0.6\": {\"sh\": {\"mem\": [1, null]}}",
		"\"10.0.0.6\": {\"sh\": {\"mem\": [-1, 2]}}",
		"\"10.0.0.6\": {\"sh\": {\"mem\": [1e15, 2]}}",
		"\"10.0.0.6\": {\"sh\": {\"mem\": [1, 1e999]}}",
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct text body = TEXT_EMPTY, error = TEXT_EMPTY;
		struct latest latest;
		text_printf(&body, "{%s, \"10.0.0.5\": {\"java\": {\"mem\": [1, 2]}}}", bad[i]);
		assert_int_equal(latest_parse(body.data, body.length, &latest, &error), 0);
		if (latest.count != 1 || latest.skipped != 1)
			fail_msg("%s: %zu samples, %zu skipped", bad[i], latest.count, latest.skipped);
		assert_sample(&latest.samples[0], "10.0.0.5", "java", RESOURCE_MEM, 1000, 2);
		latest_free(&latest);
		text_free(&body);
	}
}

static void test_latest_parse_no_object_is_refused(void **state)
{
	(void)state;
	static const char *const bodies[] = { "", "[]", "null", "<html>", "{\"10.0.0.5\": {\"java\"" };
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		struct latest latest;
		struct text error = TEXT_EMPTY;
		assert_int_equal(latest_parse(bodies[i], strlen(bodies[i]), &latest, &error), -EBADMSG);
		assert_string_equal(error.data, "the answer is no JSON object");
		text_free(&error);
	}
}

/* Only a host that is there by its address, with nothing. */
static void test_latest_parse_what_is_no_host_is_not_stopped(void **state)
{
	(void)state;
	static const char body[] = "{\"here\": {}, \"10.0.0.6\": 7, \"10.0.0.7\": {}, \"10.0.0.8\": {\"sh\": {}}}";
	struct latest latest;
	struct text error = TEXT_EMPTY;
	assert_int_equal(latest_parse(body, strlen(body), &latest, &error), 0);
	assert_int_equal(latest.stopped_count, 1);
	assert_string_equal(latest.stopped[0], "10.0.0.7");
	latest_free(&latest);
}

/* Of want of memory within cJSON nobody can tell that it is that. */
static void test_latest_parse_each_failing_allocation_is_refused_whole(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	static const char body[] = "{\"0::1\": {\"bash\": {\"mem\": [1, 2]}}, \"10.0.0.6\": {}}";
	bool failed = true, told = false;
	for (long number = 1; failed; number++) {
		struct latest latest = { 0 };
		struct text error = TEXT_EMPTY;
		long before = failing_unfreed();
		failing_start(number);
		int result = latest_parse(body, strlen(body), &latest, &error);
		failed = failing_stop();
		assert_true(failed ? result == -ENOMEM || result == -EBADMSG : result == 0);
		told = told || result == -ENOMEM;
		assert_int_equal(latest.count, !failed);
		assert_int_equal(latest.stopped_count, !failed);
		latest_free(&latest);
		text_free(&error);
		assert_int_equal(failing_unfreed(), before);
	}
	assert_true(told);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_latest_parse_answer_gives_samples),
		cmocka_unit_test(test_latest_parse_bad_items_are_left_out_and_counted),
		cmocka_unit_test(test_latest_parse_no_object_is_refused),
		cmocka_unit_test(test_latest_parse_what_is_no_host_is_not_stopped),
		cmocka_unit_test(test_latest_parse_each_failing_allocation_is_refused_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
