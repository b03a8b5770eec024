#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"

#include <string.h>

#include "collector/reading.h"

static struct reading reading;

static int free_reading(void **state)
{
	(void)state;
	reading_free(&reading);
	return 0;
}

static void test_reading_add_without_memory_is_null_and_the_rest_stays(void **state)
{
	(void)state;
	enum { MANY = 1000 };
	if (!FAILING_MALLOC)
		skip();
	int refused = 0;
	for (int pid = 1; pid <= MANY; pid++) {
		failing_start(1);
		struct process *process = reading_add(&reading);
		if (failing_stop()) {
			refused++;
			assert_null(process);
			assert_int_equal(reading.count, pid - 1);
			process = reading_add(&reading);
		}
		assert_non_null(process);
		*process = (struct process){ .pid = pid };
	}
	assert_in_range(refused, 2, 10); /* whenever it grows, the first time too */
	assert_int_equal(reading.count, MANY);
	for (int pid = 1; pid <= MANY; pid++)
		assert_int_equal(reading.processes[pid - 1].pid, pid);
}

static void test_reading_find_early_is_who_was_read_before_an_ancestor(void **state)
{
	(void)state;
	static const struct {
		int pid, parent;
		bool early;
	} cases[] = {
		{ 3, 500, true }, /* the first, and its parent is behind it */
		{ 4, 0, false }, { 5, 4, false }, { 6, 4, false },
		{ 7, 3, true },   /* its parent is */
		{ 8, 99, true },  /* its parent is hidden, or has ended */
		{ 500, 4, false }, { 501, 500, false },
	};
	enum { COUNT = sizeof(cases) / sizeof(cases[0]) };
	for (size_t i = 0; i < COUNT; i++) {
		struct process *process = reading_add(&reading);
		assert_non_null(process);
		*process = (struct process){ .pid = cases[i].pid, .parent = cases[i].parent };
	}
	reading_find_early(&reading);
	for (size_t i = 0; i < COUNT; i++) {
		if (reading.processes[i].early != cases[i].early)
			fail_msg("PID %d", cases[i].pid);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_reading_add_without_memory_is_null_and_the_rest_stays, free_reading),
		cmocka_unit_test_teardown(test_reading_find_early_is_who_was_read_before_an_ancestor, free_reading),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
