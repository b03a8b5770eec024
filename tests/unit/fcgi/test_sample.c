/* fcgi/sample.h */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/fcgi/helpers.h"

#include <math.h>

#include "fcgi/sample.h"

static void test_sample_measurement_each_half_of_a_metric_has_a_name_of_its_own(void **state)
{
	(void)state;
	static const char *names[2 * METRIC_COUNT];
	size_t count = 0;
	for (int metric = 0; metric < METRIC_COUNT; metric++) {
		for (int half = 0; half < HALF_COUNT && sample_is_metric((enum metric)metric); half++) {
			const char *name = sample_measurement((enum metric)metric, (enum half)half);
			assert_true(name && name[0]);
			for (size_t i = 0; i < count; i++)
				assert_string_not_equal(names[i], name);
			names[count++] = name;
		}
	}
	assert_int_equal(count, HALF_COUNT * (METRIC_NAMED_COUNT + METRIC_COUNT - METRIC_FURTHER));
	/* Of stores that are there already. */
	assert_string_equal(sample_measurement(METRIC_USAGE, HALF_SECOND), "cpu_usage_percent");
	assert_string_equal(sample_measurement(METRIC_FORECAST, HALF_FIRST), "mem_forecast_percent");
	assert_string_equal(sample_measurement(METRIC_SILENCE, HALF_SECOND), "cpu_silence_until");
	assert_string_equal(sample_measurement(METRIC_FURTHER, HALF_FIRST), "read_bytes_per_second");
	/* Behind the last there is none. */
	assert_null(sample_measurement(METRIC_COUNT, HALF_FIRST));
	assert_null(sample_measurement(METRIC_COUNT, HALF_SECOND));
}

static void test_sample_usage_is_where_a_resource_is_found_again(void **state)
{
	(void)state;
	for (int resource = 0; resource < RESOURCE_COUNT; resource++) {
		enum metric metric = sample_usage((enum resource)resource);
		enum half half = sample_half((enum resource)resource);
		assert_true(sample_is_metric(metric) && sample_is_usage(metric));
		assert_int_equal(sample_resource(metric, half), resource);
		assert_string_equal(sample_measurement(metric, half), resource_rows[resource].measurement);
	}
	assert_int_equal(sample_usage(RESOURCE_CPU), METRIC_USAGE);
	assert_int_equal(sample_usage(RESOURCE_WRITE), METRIC_FURTHER);
	assert_int_equal(sample_resource(METRIC_ALARM, HALF_SECOND), RESOURCE_CPU);
	assert_int_equal(sample_resource(METRIC_COUNT, HALF_FIRST), RESOURCE_COUNT);
}

static void test_sample_kinds_of_metrics(void **state)
{
	(void)state;
	static const struct {
		enum metric metric;
		bool there, usage, forecast, kept;
	} cases[] = {
		{ METRIC_USAGE, true, true, false, false },
		{ METRIC_ALARM, true, false, false, false },
		{ METRIC_ALARM_FORECAST, true, false, false, false },
		{ METRIC_FORECAST, true, false, true, false },
		{ METRIC_FORECAST_PROBABILITY, true, false, true, false },
		{ METRIC_FORECAST_LEAD, true, false, true, false },
		{ METRIC_FORECAST_FULL, true, false, true, false },
		{ METRIC_WISH, true, false, false, true },
		{ METRIC_SILENCE, true, false, false, true },
		{ METRIC_NAMED_COUNT, false, false, false, false },
		{ METRIC_FURTHER, true, true, false, false },
		{ METRIC_COUNT, false, true, false, false },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		assert_int_equal(sample_is_metric(cases[i].metric), cases[i].there);
		assert_int_equal(sample_is_usage(cases[i].metric), cases[i].usage);
		assert_int_equal(sample_is_forecast(cases[i].metric), cases[i].forecast);
		assert_int_equal(sample_is_kept(cases[i].metric), cases[i].kept);
	}
}

static void test_sample_is_usable_finite_and_of_a_range(void **state)
{
	(void)state;
	static const struct {
		double value;
		bool usable;
	} cases[] = {
		{ 0, true }, { -0.0, true }, { 1e-300, true }, { WIRE_VALUE_MAX, true }, { -1e-300, false }, { 1.0001 * WIRE_VALUE_MAX, false },
		{ INFINITY, false }, { -INFINITY, false }, { NAN, false },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_int_equal(sample_is_usable(cases[i].value), cases[i].usable);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sample_measurement_each_half_of_a_metric_has_a_name_of_its_own),
		cmocka_unit_test(test_sample_usage_is_where_a_resource_is_found_again),
		cmocka_unit_test(test_sample_kinds_of_metrics),
		cmocka_unit_test(test_sample_is_usable_finite_and_of_a_range),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
