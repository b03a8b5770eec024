#include "tests/unit/support/cmocka.h"

#include "collector/backoff.h"

#define MS 1000000LL

static void test_backoff_failed_limits_double_up_to_a_minute(void **state)
{
	(void)state;
	static const int64_t limits_ms[] = { 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000 };
	struct backoff least = { 0 }, most = { 0 };
	assert_true(backoff_is_over(&least, 0));
	for (size_t i = 0; i < sizeof(limits_ms) / sizeof(limits_ms[0]); i++) {
		backoff_failed(&least, 5000 * MS, -1, 0);
		assert_int_equal(least.until_ns, 5000 * MS);
		assert_true(backoff_is_over(&least, 5000 * MS));
		backoff_failed(&most, 5000 * MS, -1, (uint32_t)limits_ms[i]);
		assert_int_equal(most.until_ns, (5000 + limits_ms[i]) * MS);
		assert_false(backoff_is_over(&most, most.until_ns - 1));
		assert_true(backoff_is_over(&most, most.until_ns));
		/* One more than the limit begins at 0 again: all of it is used, and no more. */
		struct backoff copy = { .failures = (unsigned)i };
		backoff_failed(&copy, 0, -1, (uint32_t)limits_ms[i] + 1);
		assert_int_equal(copy.until_ns, 0);
	}
	for (uint32_t i = 0; i < 1000; i++) {
		backoff_failed(&most, 0, -1, UINT32_MAX - i * 7919);
		assert_in_range(most.until_ns, 0, 60000 * MS);
	}
}

static void test_backoff_succeeded_begins_anew(void **state)
{
	(void)state;
	struct backoff backoff = { 0 };
	for (int i = 0; i < 10; i++)
		backoff_failed(&backoff, 0, -1, 60000);
	assert_false(backoff_is_over(&backoff, 1));
	backoff_succeeded(&backoff);
	assert_true(backoff_is_over(&backoff, 1));
	backoff_failed(&backoff, 0, -1, 1000);
	assert_int_equal(backoff.until_ns, 1000 * MS);
}

static void test_backoff_failed_retry_after_comes_before_the_jitter(void **state)
{
	(void)state;
	static const struct {
		int64_t retry_after_s;
		uint32_t random;
		int64_t expected_ms;
	} cases[] = {
		{ -1, 500, 500 }, { 0, 500, 500 }, { 1, 0, 1000 }, { 5, 500, 5500 }, { 600, 0, 600000 },
		{ 601, 0, 600000 }, { INT64_MAX, 1000, 601000 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct backoff backoff = { 0 };
		backoff_failed(&backoff, 0, cases[i].retry_after_s, cases[i].random);
		assert_int_equal(backoff.until_ns, cases[i].expected_ms * MS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_backoff_failed_limits_double_up_to_a_minute),
		cmocka_unit_test(test_backoff_succeeded_begins_anew),
		cmocka_unit_test(test_backoff_failed_retry_after_comes_before_the_jitter),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
