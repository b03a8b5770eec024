/* forecast/series_table.h */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "forecast/series_table.h"
#include "tests/unit/forecast/fake_forecaster.h"

static void test_series_table_find_tells_host_process_and_resource(void **state)
{
	(void)state;
	static const struct {
		const char *ip, *process;
		enum resource resource;
	} names[] = {
		{ "10.0.0.5", "bash", RESOURCE_CPU }, { "10.0.0.5", "bash", RESOURCE_MEM }, { "10.0.0.5", "bas", RESOURCE_CPU },
		{ "10.0.0.51", "bash", RESOURCE_CPU }, { "::1", "a\nb\"", RESOURCE_CPU }, { "10.0.0.5", "1bash", RESOURCE_CPU },
	};
	enum { COUNT = sizeof(names) / sizeof(names[0]) };
	struct series_table table = { .per_step = 5 };
	struct series *added[COUNT];
	for (size_t i = 0; i < COUNT; i++) {
		assert_null(series_table_find(&table, names[i].ip, names[i].process, names[i].resource));
		added[i] = series_table_add(&table, names[i].ip, names[i].process, names[i].resource);
		assert_non_null(added[i]);
		assert_true(added[i]->behind);
		assert_string_equal(series_ip(added[i]), names[i].ip);
		assert_string_equal(added[i]->process, names[i].process);
		assert_int_equal(added[i]->resource, names[i].resource);
		recent_set(added[i]->recent, 7, (struct step){ (float)i, (float)i });
	}
	assert_int_equal(series_table_count(&table), COUNT);
	for (size_t i = 0; i < COUNT; i++) {
		assert_ptr_equal(series_table_find(&table, names[i].ip, names[i].process, names[i].resource), added[i]);
		assert_true((double)recent_combine(added[i]->recent, 7, 1).max == (double)i);
	}
	series_table_drop(&table, added[0]);
	assert_null(series_table_find(&table, names[0].ip, names[0].process, names[0].resource));
	assert_ptr_equal(series_table_find(&table, names[1].ip, names[1].process, names[1].resource), added[1]);
	series_table_clear(&table);
	assert_int_equal(series_table_count(&table), 0);
	assert_null(series_table_next(&table, NULL));
}

static void test_series_table_add_each_failing_allocation_adds_nothing(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	bool failed = true;
	for (long number = 1; failed; number++) {
		struct series_table table = { .per_step = 5 };
		long before = failing_unfreed();
		failing_start(number);
		struct series *series = series_table_add(&table, "10.0.0.5", "bash", RESOURCE_CPU);
		failed = failing_stop();
		assert_int_equal(series != NULL, !failed);
		assert_ptr_equal(series_table_find(&table, "10.0.0.5", "bash", RESOURCE_CPU), series);
		assert_int_equal(series_table_count(&table), !failed);
		series_table_clear(&table);
		assert_int_equal(failing_unfreed(), before);
	}
}

static void test_series_table_add_longest_names_fit(void **state)
{
	(void)state;
	struct series_table table = { .per_step = 60 };
	char process[WIRE_NAME_SIZE];
	memset(process, 'x', WIRE_NAME_MAX);
	process[WIRE_NAME_MAX] = '\0';
	static const char ip[] = "1111:2222:3333:4444:5555:6666:7777:8888";
	struct series *series = series_table_add(&table, ip, process, RESOURCE_CPU);
	for (int i = 0; i < 121; i++)
		recent_set(series->recent, i, (struct step){ 1, 1 });
	assert_string_equal(series->process, process);
	assert_ptr_equal(series_table_find(&table, ip, process, RESOURCE_CPU), series);
	series_table_clear(&table);
}

static void test_series_table_drop_closes_the_forecaster(void **state)
{
	(void)state;
	struct series_table table = { .per_step = 5 };
	for (int i = 0; i < 10; i++) {
		char process[16];
		snprintf(process, sizeof(process), "p%d", i);
		series_table_add(&table, "10.0.0.5", process, RESOURCE_CPU)->forecaster = forecaster_open(prior_builtin(), 1, 80);
	}
	assert_int_equal(forecasters_open, 10);
	series_table_drop(&table, series_table_next(&table, NULL));
	assert_int_equal(forecasters_open, 9);
	size_t seen = 0;
	for (struct series *series = series_table_next(&table, NULL); series; series = series_table_next(&table, series))
		seen++;
	assert_int_equal(seen, 9);
	series_table_clear(&table);
	assert_int_equal(forecasters_open, 0);
}

/* What is around a forecaster. Not under a sanitizer, whose allocator has other sizes. */
static void test_series_table_add_memory_is_under_400_bytes(void **state)
{
	(void)state;
	struct series_table table = { .per_step = 5 };
	enum { COUNT = 20000 };
	size_t before = mallinfo2().uordblks;
	for (int i = 0; i < COUNT; i++) {
		char ip[WIRE_IP_SIZE], process[32];
		snprintf(ip, sizeof(ip), "10.100.100.%d", i % 200);
		snprintf(process, sizeof(process), "some-process-%d", i);
		assert_non_null(series_table_add(&table, ip, process, RESOURCE_CPU));
	}
	size_t each = (mallinfo2().uordblks - before) / COUNT;
	series_table_clear(&table);
	assert_in_range(each, 0, 399);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_series_table_find_tells_host_process_and_resource),
		cmocka_unit_test(test_series_table_add_each_failing_allocation_adds_nothing),
		cmocka_unit_test(test_series_table_add_longest_names_fit),
		cmocka_unit_test(test_series_table_drop_closes_the_forecaster),
		cmocka_unit_test(test_series_table_add_memory_is_under_400_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
