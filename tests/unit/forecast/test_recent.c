/* forecast/recent.h */
#include "tests/unit/support/cmocka.h"

#include <math.h>
#include <stdlib.h>

#include "forecast/recent.h"

enum { PER_STEP = 5, CAPACITY = 2 * PER_STEP + 1 };

static struct recent *recent;

static int open_recent(void **state)
{
	(void)state;
	recent = malloc(recent_size(PER_STEP));
	if (recent)
		recent_init(recent, PER_STEP);
	return recent ? 0 : -1;
}

static int close_recent(void **state)
{
	(void)state;
	free(recent);
	return 0;
}

static void assert_combined(int64_t first, unsigned count, double mean, double max)
{
	struct step step = recent_combine(recent, first, count);
	assert_true(isnan(mean) ? isnan(step.mean) : (double)step.mean == mean);
	assert_true(isnan(max) ? isnan(step.max) : (double)step.max == max);
}

static void test_recent_combine_nothing_known_is_nan(void **state)
{
	(void)state;
	assert_combined(0, PER_STEP, NAN, NAN);
	assert_combined(INT64_C(29922600), 1, NAN, NAN);
}

static void test_recent_combine_mean_of_means_and_highest_maximum(void **state)
{
	(void)state;
	for (int i = 0; i < PER_STEP; i++)
		recent_set(recent, 100 + i, (struct step){ (float)i, i == 1 ? 50 : 10 });
	assert_combined(100, PER_STEP, 2, 50);
	assert_combined(102, 3, 3, 10);
	assert_combined(99, 2, 0, 10);
	assert_combined(104, 4, 4, 10);
}

static void test_recent_combine_gaps_do_not_count(void **state)
{
	(void)state;
	recent_set(recent, 100, (struct step){ 10, 20 });
	recent_set(recent, 103, (struct step){ 40, 30 });
	assert_combined(100, PER_STEP, 25, 30);
	assert_combined(101, 2, NAN, NAN);
	/* Of a bucket may the maximum alone be known. */
	recent_set(recent, 104, (struct step){ NAN, 60 });
	assert_combined(100, PER_STEP, 25, 60);
}

static void test_recent_set_late_values_take_the_place_of_early_ones(void **state)
{
	(void)state;
	recent_set(recent, 100, (struct step){ 10, 20 });
	recent_set(recent, 101, (struct step){ 10, 20 });
	recent_set(recent, 100, (struct step){ 30, 90 });
	assert_combined(100, 2, 20, 90);
	assert_int_equal(recent->newest, 101);
	recent_set(recent, 99, (struct step){ 50, 50 });
	assert_combined(99, 3, 30, 90);
}

static void test_recent_set_keeps_two_steps_and_forgets_what_is_older(void **state)
{
	(void)state;
	for (int i = 0; i < 3 * CAPACITY; i++) {
		recent_set(recent, 1000 + i, (struct step){ (float)i, (float)i });
		for (int age = 0; age < CAPACITY && age <= i; age++)
			assert_combined(1000 + i - age, 1, i - age, i - age);
		assert_combined(1000 + i - CAPACITY, 1, NAN, NAN);
	}
	recent_set(recent, 1000, (struct step){ 7, 7 });
	assert_combined(1000, 1, NAN, NAN);
	assert_combined(1000 + 3 * CAPACITY - 1, 1, 3 * CAPACITY - 1, 3 * CAPACITY - 1);
}

static void test_recent_set_leap_leaves_gaps(void **state)
{
	(void)state;
	for (int leap = 1; leap < 3 * CAPACITY; leap++) {
		recent_init(recent, PER_STEP);
		for (int i = 0; i < CAPACITY; i++)
			recent_set(recent, i, (struct step){ 1, 1 });
		int64_t newest = CAPACITY - 1 + leap;
		recent_set(recent, newest, (struct step){ 2, 2 });
		for (int64_t bucket = newest - CAPACITY + 1; bucket < newest; bucket++)
			assert_combined(bucket, 1, bucket < CAPACITY ? 1 : NAN, bucket < CAPACITY ? 1 : NAN);
		assert_combined(newest, 1, 2, 2);
	}
}

static void test_recent_set_default_only_where_nothing_is_known(void **state)
{
	(void)state;
	recent_set(recent, 102, (struct step){ 1, 2 });
	for (int64_t bucket = 100; bucket < 105; bucket++)
		recent_set_default(recent, bucket, (struct step){ 7, 9 });
	assert_combined(102, 1, 1, 2);
	assert_combined(100, 2, 7, 9);
	assert_combined(103, 2, 7, 9);
	assert_combined(105, 1, NAN, NAN);
	recent_set_default(recent, 80, (struct step){ 7, 9 });
	assert_combined(80, 1, NAN, NAN);
}

static void test_recent_set_default_of_an_empty_one(void **state)
{
	(void)state;
	recent_set_default(recent, 100, (struct step){ 7, 9 });
	assert_combined(100, 1, 7, 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_recent_combine_nothing_known_is_nan, open_recent, close_recent),
		cmocka_unit_test_setup_teardown(test_recent_combine_mean_of_means_and_highest_maximum, open_recent, close_recent),
		cmocka_unit_test_setup_teardown(test_recent_combine_gaps_do_not_count, open_recent, close_recent),
		cmocka_unit_test_setup_teardown(test_recent_set_late_values_take_the_place_of_early_ones, open_recent, close_recent),
		cmocka_unit_test_setup_teardown(test_recent_set_keeps_two_steps_and_forgets_what_is_older, open_recent, close_recent),
		cmocka_unit_test_setup_teardown(test_recent_set_leap_leaves_gaps, open_recent, close_recent),
		cmocka_unit_test_setup_teardown(test_recent_set_default_only_where_nothing_is_known, open_recent, close_recent),
		cmocka_unit_test_setup_teardown(test_recent_set_default_of_an_empty_one, open_recent, close_recent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
