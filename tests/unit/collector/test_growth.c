#include "tests/unit/support/cmocka.h"

#include <stdio.h>
#include <string.h>

#include "collector/growth.h"

enum { READINGS_MAX = 4, PROCESSES_MAX = 6, GONE = -2 };

/* A process of a reading; a PID of 0 ends a list. What it has written is READING_UNKNOWN where it may not be read, and GONE
 * where it has ended meanwhile. Readings are taken at 1,000, 1,010, … ticks after boot. */
struct seen {
	int pid, parent;
	uint64_t start_ticks;
	int64_t wrote;
};

static const struct {
	const char *what;
	struct seen readings[READINGS_MAX][PROCESSES_MAX];
	const char *expected; /* "pid growth;" of the last one, "-" where it is not known */
} cases[] = {
	{ "the first reading", { { { 7, 1, 50, 100 }, { 8, 1, 999, 5 } } }, "7 -;8 -;" },
	{ "what it has more", { { { 7, 1, 50, 100 } }, { { 7, 1, 50, 350 } } }, "7 250;" },
	{ "a counter that goes back", { { { 7, 1, 50, 100 } }, { { 7, 1, 50, 40 } } }, "7 0;" },
	{ "and on from there", { { { 7, 1, 50, 100 } }, { { 7, 1, 50, 40 } }, { { 7, 1, 50, 45 } } }, "7 5;" },
	{ "born since", { { { 1, 0, 1, 0 } }, { { 1, 0, 1, 0 }, { 9, 1, 1005, 70 } } }, "1 0;9 70;" },
	{ "old, and not seen before", { { { 1, 0, 1, 0 } }, { { 1, 0, 1, 0 }, { 9, 1, 500, 70 } } }, "1 0;9 -;" },
	{ "a PID that is used again", { { { 7, 1, 50, 1000 } }, { { 7, 1, 1005, 20 } } }, "7 20;" },
	{ "not to be read", { { { 7, 1, 50, READING_UNKNOWN } }, { { 7, 1, 50, READING_UNKNOWN } } }, "7 -;" },
	{ "after a reading that had none: two intervals' is no rate",
	  { { { 7, 1, 50, 100 } }, { { 7, 1, 50, READING_UNKNOWN } }, { { 7, 1, 50, 160 } } }, "7 -;" },
	{ "and on from there",
	  { { { 7, 1, 50, 100 } }, { { 7, 1, 50, READING_UNKNOWN } }, { { 7, 1, 50, 160 } }, { { 7, 1, 50, 163 } } }, "7 3;" },
	{ "ended, and last not to be read: what was counted of it",
	  { { { 5, 1, 50, 10 }, { 6, 5, 60, 0 } }, { { 5, 1, 50, 10 }, { 6, 5, 60, 4000 } },
	    { { 5, 1, 50, 10 }, { 6, 5, 60, READING_UNKNOWN } }, { { 5, 1, 50, 4110 } } }, "5 100;" },
	{ "a shell has its command's, which were counted",
	  { { { 5, 1, 50, 10 }, { 6, 5, 60, 0 } }, { { 5, 1, 50, 10 }, { 6, 5, 60, 4000 } }, { { 5, 1, 50, 4110 } } }, "5 100;" },
	{ "one of which it was seen that it has gone",
	  { { { 5, 1, 50, 0 }, { 6, 5, 60, 4000 } }, { { 5, 1, 50, 4100 }, { 6, 5, 60, GONE } } }, "5 100;6 -;" },
	{ "a child that no reading saw is its parent's", { { { 5, 1, 50, 0 } }, { { 5, 1, 50, 300 } } }, "5 300;" },
	{ "a zombie is not waited for yet",
	  { { { 5, 1, 50, 0 }, { 6, 5, 60, 400 } }, { { 5, 1, 50, 0 }, { 6, 5, 60, 400 } }, { { 5, 1, 50, 400 } } }, "5 0;" },
	{ "the parent was read before it waited",
	  { { { 5, 1, 50, 0 }, { 6, 5, 60, 400 } }, { { 5, 1, 50, 0 } }, { { 5, 1, 50, 430 } } }, "5 30;" },
	{ "a debt is for one more reading",
	  { { { 5, 1, 50, 0 }, { 6, 5, 60, 400 } }, { { 5, 1, 50, 0 } }, { { 5, 1, 50, 0 } }, { { 5, 1, 50, 500 } } }, "5 500;" },
	{ "a family ends together",
	  { { { 1, 0, 1, 0 }, { 5, 1, 50, 30 }, { 6, 5, 60, 400 } }, { { 1, 0, 1, 435 } } }, "1 5;" },
	{ "a child that was never to be read is its parent's",
	  { { { 5, 1, 50, 10 }, { 6, 5, 60, READING_UNKNOWN }, { 7, 5, 70, 400 } }, { { 5, 1, 50, 510 } } }, "5 100;" },
	{ "who waited is not to be read: it comes from who is above, where that has it",
	  { { { 1, 0, 1, 0 }, { 4, 1, 40, READING_UNKNOWN }, { 6, 4, 60, 400 } }, { { 1, 0, 1, 407 }, { 4, 1, 40, READING_UNKNOWN } } },
	  "1 7;4 -;" },
	{ "parents in a circle, as numbers that are used again may look",
	  { { { 5, 6, 50, 0 }, { 6, 5, 60, 0 }, { 7, 5, 70, 400 }, { 8, 9, 80, 1 }, { 9, 8, 90, 1 } }, { { 5, 6, 50, 10 }, { 6, 5, 60, 20 } } },
	  "5 0;6 0;" },
	{ "an orphan is waited for by who is above: in the sum nothing is counted twice",
	  { { { 1, 0, 1, 0 }, { 4, 1, 40, 0 }, { 5, 4, 50, 30 }, { 6, 5, 60, 400 } },
	    { { 1, 0, 1, 400 }, { 4, 1, 40, 37 } } }, "1 7;4 0;" },
};

static void fill(struct reading *reading, const struct seen *seen, int number)
{
	reading->count = 0;
	reading->further = true;
	reading->boot_ticks = (uint64_t)(1000 + 10 * number);
	for (; seen->pid; seen++) {
		struct process *process = reading_add(reading);
		assert_non_null(process);
		*process = (struct process){ .pid = seen->pid, .parent = seen->parent, .start_ticks = seen->start_ticks };
		process->gone = seen->wrote == GONE;
		for (int i = 0; i < RESOURCE_FURTHER; i++)
			process->further[i] = process->gone ? READING_UNKNOWN : seen->wrote;
	}
}

static void take(struct growth *growth, const struct reading *reading)
{
	assert_int_equal(growth_reserve(growth, reading->count), 0);
	growth_take(growth, reading);
}

static void test_growth_take_readings_give_what_was_used(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct growth growth = { 0 };
		struct reading reading = { 0 };
		for (int j = 0; j < READINGS_MAX && cases[i].readings[j][0].pid; j++) {
			fill(&reading, cases[i].readings[j], j);
			take(&growth, &reading);
		}
		char text[256] = "";
		size_t used = 0;
		for (size_t j = 0; j < reading.count; j++) {
			int64_t value = growth.values[j][RESOURCE_WRITE - RESOURCE_LIMITED];
			assert_int_equal(growth.values[j][RESOURCE_READ - RESOURCE_LIMITED], value);
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%d ", reading.processes[j].pid);
			used += (size_t)(value == READING_UNKNOWN ? snprintf(text + used, sizeof(text) - used, "-;") :
			                 snprintf(text + used, sizeof(text) - used, "%lld;", (long long)value));
		}
		if (strcmp(text, cases[i].expected) != 0)
			fail_msg("%s: '%s', not '%s'", cases[i].what, text, cases[i].expected);
		growth_free(&growth);
		reading_free(&reading);
	}
}

/* What was counted while nobody looked is no growth. */
static void test_growth_take_after_a_pause_begins_anew(void **state)
{
	(void)state;
	static const struct seen first[] = { { 7, 1, 50, 100 }, { 0 } }, later[] = { { 7, 1, 50, 900 }, { 9, 1, 1015, 80 }, { 0 } };
	struct growth growth = { 0 };
	struct reading reading = { 0 };
	fill(&reading, first, 0);
	take(&growth, &reading);
	reading.further = false;
	take(&growth, &reading);
	fill(&reading, later, 2);
	take(&growth, &reading);
	for (int i = 0; i < 2; i++)
		assert_int_equal(growth.values[i][0], READING_UNKNOWN);
	growth_free(&growth);
	reading_free(&reading);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_growth_take_readings_give_what_was_used),
		cmocka_unit_test(test_growth_take_after_a_pause_begins_anew),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
