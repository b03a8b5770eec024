/* fcgi/sqlite/series_index.h */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/fcgi/helpers.h"

#include "fcgi/sqlite/series_index.h"

enum { NAMES = 300, STEPS = 20000 };

static void test_series_index_find_nothing_is_in_an_empty_one(void **state)
{
	(void)state;
	struct series_index index = { 0 };
	assert_int_equal(series_index_find(&index, 1), 0);
	assert_true(series_index_add(&index, 1, 5));
	series_index_remove(&index, 1, 5);
	assert_int_equal(series_index_find(&index, 1), 0);
	series_index_free(&index);
	assert_int_equal(series_index_find(&index, 1), 0);
}

/* Behind a place that a removal leaves empty all is found, wherever names have met. */
static void test_series_index_remove_what_stays_is_found(void **state)
{
	(void)state;
	struct series_index index = { 0 };
	uint32_t series_of[NAMES + 1] = { 0 };
	srand(seed_take());
	for (unsigned step = 1; step <= STEPS; step++) {
		uint32_t name = 1 + (uint32_t)rand() % NAMES;
		if (series_of[name]) {
			series_index_remove(&index, name, series_of[name]);
			series_of[name] = 0;
		} else {
			series_of[name] = step;
			assert_true(series_index_add(&index, name, step));
		}
		uint32_t used = 0;
		for (uint32_t i = 1; step % 16 == 0 && i <= NAMES; i++) {
			assert_int_equal(series_index_find(&index, i), series_of[i]);
			used += series_of[i] != 0;
		}
		assert_true(step % 16 || index.used == used);
	}
	series_index_free(&index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_series_index_find_nothing_is_in_an_empty_one),
		cmocka_unit_test(test_series_index_remove_what_stays_is_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
