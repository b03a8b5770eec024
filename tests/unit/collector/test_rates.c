#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/rates.h"

enum { SECOND_TICKS = 100, PROCESS_MAX = 8 };

/* A process as the cases write it down; a PID of 0 ends a list. */
struct seen {
	int pid;
	const char *name;
	uint64_t start_ticks, cpu_ticks, resident_kib, shared_kib;
};

static void fill(struct reading *reading, const struct seen *seen, double at_s)
{
	reading->count = 0;
	for (; seen->pid; seen++) {
		struct process *process = reading_add(reading);
		*process = (struct process){
			.pid = seen->pid,
			.start_ticks = seen->start_ticks,
			.cpu_ticks = seen->cpu_ticks,
			.resident_kib = seen->resident_kib,
			.shared_kib = seen->shared_kib,
		};
		snprintf(process->name, sizeof(process->name), "%s", seen->name);
	}
	reading_sort(reading);
	reading->monotonic_ns = (int64_t)(at_s * 1e9);
	reading->boot_ticks = (uint64_t)(at_s * SECOND_TICKS);
	reading->ticks_per_s = SECOND_TICKS;
	reading->cores = 2;
	reading->memory_kib = 100000;
}

/* The readings are taken 1,000 and 1,010 seconds after boot, on two cores and
 * 100,000 KiB of memory. */
static const struct {
	const char *what;
	struct seen before[PROCESS_MAX], now[PROCESS_MAX];
	enum config_cpu_scale scale;
	const char *expected; /* "name cpu mem" in thousandths, one after the other */
} cases[] = {
	{ "busy for half of the time", { { 7, "a", 50, 300, 0, 0 } }, { { 7, "a", 50, 800, 0, 0 } }, 0, "a 50000 0;" },
	{ "idle", { { 7, "a", 50, 300, 0, 0 } }, { { 7, "a", 50, 300, 0, 0 } }, 0, "a 0 0;" },
	{ "one tick", { { 7, "a", 50, 300, 0, 0 } }, { { 7, "a", 50, 301, 0, 0 } }, 0, "a 100 0;" },
	{ "of all cores", { { 7, "a", 50, 300, 0, 0 } }, { { 7, "a", 50, 800, 0, 0 } }, CPU_SCALE_MACHINE, "a 25000 0;" },
	{ "the sum over the PIDs",
	  { { 7, "a", 50, 300, 0, 0 }, { 9, "a", 50, 0, 0, 0 } },
	  { { 9, "a", 50, 100, 0, 0 }, { 7, "a", 50, 800, 0, 0 } }, 0, "a 60000 0;" },
	{ "more than the cores can give",
	  { { 7, "a", 50, 300, 0, 0 } }, { { 7, "a", 50, 3000, 0, 0 } }, 0, "a 200000 0;" },
	{ "more than the cores can give, of all cores",
	  { { 7, "a", 50, 300, 0, 0 } }, { { 7, "a", 50, 3000, 0, 0 } }, CPU_SCALE_MACHINE, "a 100000 0;" },
	{ "ticks that go backwards", { { 7, "a", 50, 300, 0, 0 } }, { { 7, "a", 50, 200, 0, 0 } }, 0, "a 0 0;" },
	{ "born in the interval", { { 0 } }, { { 7, "a", 100900, 90, 0, 0 } }, 0, "a 9000 0;" },
	{ "born in the tick of the last reading", { { 0 } }, { { 7, "a", 100000, 90, 0, 0 } }, 0, "a 9000 0;" },
	{ "a PID used again",
	  { { 7, "a", 50, 5000, 0, 0 } }, { { 7, "b", 100500, 20, 0, 0 } }, 0, "b 2000 0;" },
	{ "a PID used again by the same name",
	  { { 7, "a", 50, 10, 0, 0 } }, { { 7, "a", 100500, 20, 0, 0 } }, 0, "a 2000 0;" },
	{ "old, but not seen before", { { 0 } }, { { 7, "a", 50, 90000, 1000, 0 } }, 0, "a -1 1000;" },
	{ "old, but not seen before, beside a known one",
	  { { 6, "a", 50, 100, 0, 0 } }, { { 6, "a", 50, 200, 0, 0 }, { 7, "a", 50, 90000, 0, 0 } }, 0, "a 10000 0;" },
	{ "gone", { { 7, "a", 50, 300, 0, 0 }, { 8, "b", 50, 0, 0, 0 } }, { { 8, "b", 50, 0, 0, 0 } }, 0, "b 0 0;" },
	{ "renamed by exec", { { 7, "sh", 50, 300, 0, 0 } }, { { 7, "make", 50, 400, 0, 0 } }, 0, "make 10000 0;" },
	{ "several names, by name",
	  { { 1, "c", 50, 0, 0, 0 }, { 2, "a", 50, 0, 0, 0 }, { 3, "b", 50, 0, 0, 0 } },
	  { { 1, "c", 50, 100, 0, 0 }, { 2, "a", 50, 200, 0, 0 }, { 3, "b", 50, 300, 0, 0 } }, 0,
	  "a 20000 0;b 30000 0;c 10000 0;" },
	{ "memory of one PID is its resident set",
	  { { 0 } }, { { 7, "a", 100500, 0, 12345, 12000 } }, 0, "a 0 12345;" },
	{ "memory of several: what is private, and the largest shared part once",
	  { { 0 } },
	  { { 7, "a", 100500, 0, 5000, 4000 }, { 8, "a", 100500, 0, 6000, 4500 }, { 9, "a", 100500, 0, 100, 0 } }, 0,
	  "a 0 7100;" },
	{ "one of several has ended meanwhile",
	  { { 0 } }, { { 7, "a", 100500, 0, 5000, 4000 }, { 8, "a", 100500, 0, 0, 0 } }, 0, "a 0 5000;" },
	{ "more shared than resident",
	  { { 0 } }, { { 7, "a", 100500, 0, 5000, 6000 }, { 8, "a", 100500, 0, 9000, 8000 } }, 0, "a 0 9000;" },
	{ "more memory than there is",
	  { { 0 } }, { { 7, "a", 100500, 0, 80000, 0 }, { 8, "a", 100500, 0, 80000, 0 } }, 0, "a 0 100000;" },
	{ "three decimals", { { 0 } }, { { 7, "a", 100500, 0, 33, 0 } }, 0, "a 0 33;" },
};

static void describe(const struct rate *values, size_t count, char *text, size_t size)
{
	size_t used = 0;
	text[0] = '\0';
	for (size_t i = 0; i < count; i++)
		used += (size_t)snprintf(text + used, size - used, "%s %d %d;", values[i].name,
		                         values[i].thousandths[RESOURCE_CPU], values[i].thousandths[RESOURCE_MEM]);
}

static void test_rates_update_two_readings_gives_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rates rates = { 0 };
		struct reading reading = { 0 };
		struct rate *values;
		size_t count = 99;
		char text[256];

		fill(&reading, cases[i].before, 1000);
		assert_int_equal(rates_update(&rates, &reading, cases[i].scale, &values, &count), 0);
		assert_int_equal(count, 0);
		fill(&reading, cases[i].now, 1010);
		assert_int_equal(rates_update(&rates, &reading, cases[i].scale, &values, &count), 0);
		describe(values, count, text, sizeof(text));
		if (strcmp(text, cases[i].expected) != 0)
			fail_msg("%s: '%s' instead of '%s'", cases[i].what, text, cases[i].expected);
		rates_free(&rates);
		reading_free(&reading);
	}
}

static void test_rates_update_short_interval_uses_the_time_that_passed(void **state)
{
	(void)state;
	struct rates rates = { 0 };
	struct reading reading = { 0 };
	struct rate *values;
	size_t count;
	fill(&reading, (struct seen[]){ { 7, "a", 50, 300, 0, 0 }, { 0 } }, 1000);
	assert_int_equal(rates_update(&rates, &reading, CPU_SCALE_CORE, &values, &count), 0);
	fill(&reading, (struct seen[]){ { 7, "a", 50, 400, 0, 0 }, { 0 } }, 1002.5);
	assert_int_equal(rates_update(&rates, &reading, CPU_SCALE_CORE, &values, &count), 0);
	assert_int_equal(values[0].thousandths[RESOURCE_CPU], 40000);
	rates_free(&rates);
	reading_free(&reading);
}

/* Of 100,000 KiB of the machine. */
static void test_rates_update_limited_memory_is_percent_of_the_smaller(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		struct seen seen[3];
		uint64_t limits_kib[2];
		int expected;
	} groups[] = {
		{ "limited", { { 7, "a", 100500, 0, 20000, 0 } }, { 25000 }, 80000 },
		{ "to more than there is", { { 7, "a", 100500, 0, 20000, 0 } }, { UINT64_MAX }, 20000 },
		{ "over its limit, by pages of another group", { { 7, "a", 100500, 0, 30000, 0 } }, { 25000 }, 100000 },
		{ "several, each of its own",
		  { { 7, "a", 100500, 0, 5000, 0 }, { 8, "a", 100500, 0, 5000, 0 } }, { 25000, 50000 }, 30000 },
		{ "several, and one has none",
		  { { 7, "a", 100500, 0, 5000, 0 }, { 8, "a", 100500, 0, 5000, 0 } }, { 25000, 0 }, 25000 },
		{ "several, the largest shared part once",
		  { { 7, "a", 100500, 0, 5000, 4000 }, { 8, "a", 100500, 0, 5000, 4000 } }, { 25000, 50000 }, 22000 },
	};
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		struct rates rates = { 0 };
		struct reading reading = { 0 };
		struct rate *values;
		size_t count;
		fill(&reading, groups[i].seen, 1000);
		for (size_t j = 0; j < reading.count; j++)
			reading.processes[j].limit_kib = groups[i].limits_kib[j];
		assert_int_equal(rates_update(&rates, &reading, CPU_SCALE_CORE, &values, &count), 0);
		reading.monotonic_ns += 10000000000;
		assert_int_equal(rates_update(&rates, &reading, CPU_SCALE_CORE, &values, &count), 0);
		if (values[0].thousandths[RESOURCE_MEM] != groups[i].expected)
			fail_msg("%s: %d", groups[i].what, values[0].thousandths[RESOURCE_MEM]);
		rates_free(&rates);
		reading_free(&reading);
	}
}

/* No wall clock comes into it. Asleep, processes use nothing and the monotonic clock stands still; the clock that they
 * are born by goes on. Ticks that are missed make one long interval. */
static void test_rates_update_clocks_that_leap_leave_the_values_right(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		double awake_s, asleep_s;
		const char *expected;
	} leaps[] = {
		{ "an hour asleep", 10, 3600, "new 9000 0;old 50000 0;" },
		{ "two ticks missed", 30, 0, "new 3000 0;old 16667 0;" },
		{ "asleep, and late", 25, 100000, "new 3600 0;old 20000 0;" },
	};
	for (size_t i = 0; i < sizeof(leaps) / sizeof(leaps[0]); i++) {
		struct rates rates = { 0 };
		struct reading reading = { 0 };
		struct rate *values;
		size_t count;
		char text[256];
		fill(&reading, (struct seen[]){ { 7, "old", 50, 300, 0, 0 }, { 0 } }, 1000);
		assert_int_equal(rates_update(&rates, &reading, CPU_SCALE_CORE, &values, &count), 0);
		uint64_t woken_ticks = 100000 + (uint64_t)(leaps[i].asleep_s * SECOND_TICKS);
		fill(&reading, (struct seen[]){ { 7, "old", 50, 800, 0, 0 }, { 9, "new", woken_ticks + 100, 90, 0, 0 }, { 0 } },
		     1000 + leaps[i].awake_s);
		reading.boot_ticks += (uint64_t)(leaps[i].asleep_s * SECOND_TICKS);
		assert_int_equal(rates_update(&rates, &reading, CPU_SCALE_CORE, &values, &count), 0);
		describe(values, count, text, sizeof(text));
		if (strcmp(text, leaps[i].expected) != 0)
			fail_msg("%s: '%s' instead of '%s'", leaps[i].what, text, leaps[i].expected);
		rates_free(&rates);
		reading_free(&reading);
	}
}

/* An ended process has CPU under its name, among those of others, and no memory. */
static void test_rates_update_what_ended_has_its_name(void **state)
{
	(void)state;
	static const struct exit_record ended[] = {
		{ .pid = 20, .sampled_us = 500000, .run_us = 500000, .run_max_us = 500000, .name = "aaa" },
		{ .pid = 21, .sampled_us = 1000000, .run_us = 1000000, .run_max_us = 1000000, .name = "b\n" },
		{ .pid = 22, .sampled_us = 250000, .run_us = 250000, .run_max_us = 250000, .name = "b?" },
		{ .pid = 23, .sampled_us = 0, .run_us = 9999, .run_max_us = 9999, .name = "nothing" },
		{ .pid = 24, .sampled_us = 90000000, .run_us = 90000000, .run_max_us = 90000000, .name = "z" },
		{ .pid = 7, .sampled_us = 4000000, .run_us = 4000000, .run_max_us = 4000000, .name = "a", .lived_us = 999000000 },
	};
	struct rates rates = { 0 };
	struct reading reading = { 0 };
	struct rate *values;
	size_t count;
	char text[256];
	rates_take_exit(&rates, &ended[0], 0); /* before the first reading */
	fill(&reading, (struct seen[]){ { 7, "old", 50, 300, 0, 0 }, { 8, "a", 50, 0, 0, 0 }, { 9, "b?", 50, 0, 10, 0 }, { 0 } }, 1000);
	assert_int_equal(rates_update(&rates, &reading, CPU_SCALE_CORE, &values, &count), 0);
	assert_int_equal(count, 0);
	for (size_t i = 0; i < sizeof(ended) / sizeof(ended[0]); i++)
		rates_take_exit(&rates, &ended[i], (int64_t)1009e9);
	fill(&reading, (struct seen[]){ { 8, "a", 50, 100, 20, 0 }, { 9, "b?", 50, 0, 10, 0 }, { 0 } }, 1010);
	assert_int_equal(rates_begin(&rates, &reading), 0);
	rates_trust_exits(&rates);
	assert_int_equal(rates_update(&rates, &reading, CPU_SCALE_CORE, &values, &count), 0);
	describe(values, count, text, sizeof(text));
	assert_string_equal(text, "a 10000 20;aaa 5000 -1;b? 12500 10;old 10000 -1;z 200000 -1;");
	assert_true(rates.by_exits);

	/* Nothing of it is left. */
	fill(&reading, (struct seen[]){ { 8, "a", 50, 100, 20, 0 }, { 0 } }, 1020);
	assert_int_equal(rates_update(&rates, &reading, CPU_SCALE_CORE, &values, &count), 0);
	describe(values, count, text, sizeof(text));
	assert_string_equal(text, "a 0 20;");
	assert_false(rates.by_exits);
	rates_free(&rates);
	reading_free(&reading);
}

/* Processes of 50 ms come and go: no value is negative or over what the cores can
 * give, and the memory in use does not grow. */
static void test_rates_update_ten_thousand_ticks_stays_in_bounds(void **state)
{
	(void)state;
	struct rates rates = { 0 };
	struct reading reading = { 0 };
	struct rate *values;
	size_t count;
	uint32_t seed = 12345; /* of a linear congruential generator, the same in every run */
	size_t in_use = 0;

	for (int tick = 0; tick < 10000; tick++) {
		struct seen seen[41] = { 0 };
		uint64_t now = 100000 + (uint64_t)tick * 10;
		for (int i = 0; i < 40; i++) {
			seed = seed * 1664525u + 1013904223u;
			seen[i] = (struct seen){ 1 + (int)((seed >> 8) % 4000) * 40 + i, seed & 1 ? "x" : "y",
				                 i < 10 ? 1 : now - seed % 5, (seed >> 4) % 6, seed % 9000, seed % 5000 };
			if (i < 10)
				seen[i].cpu_ticks = (uint64_t)tick;
		}
		fill(&reading, seen, (double)now / SECOND_TICKS);
		assert_int_equal(rates_update(&rates, &reading, CPU_SCALE_CORE, &values, &count), 0);
		for (size_t i = 0; i < count; i++) {
			assert_in_range(values[i].thousandths[RESOURCE_CPU] + 1, 0, 200001);
			assert_in_range(values[i].thousandths[RESOURCE_MEM], 0, 100000);
		}
		if (tick == 100)
			in_use = mallinfo2().uordblks;
	}
	assert_true(mallinfo2().uordblks <= in_use);
	rates_free(&rates);
	reading_free(&reading);
}

/* Of two readings at once nothing can be told, and the next one counts from the second. */
static void test_rates_update_no_time_has_passed_gives_no_values(void **state)
{
	(void)state;
	struct rates rates = { 0 };
	struct reading reading = { 0 };
	struct rate *values;
	size_t count = 99;
	char text[256];
	static const uint64_t cpu_ticks[] = { 300, 400, 450 };
	static const double at_s[] = { 1000, 1000, 1010 };
	for (int i = 0; i < 3; i++) {
		fill(&reading, (struct seen[]){ { 7, "a", 50, cpu_ticks[i], 0, 0 }, { 0 } }, at_s[i]);
		assert_int_equal(rates_update(&rates, &reading, CPU_SCALE_CORE, &values, &count), 0);
		assert_int_equal(count, i == 2);
	}
	describe(values, count, text, sizeof(text));
	assert_string_equal(text, "a 5000 0;");
	rates_free(&rates);
	reading_free(&reading);
}

/* A reading of one process that has used 100 ticks and read 1,000 bytes each second, and of many others. */
static void fill_busy(struct reading *reading, int others, int64_t at_s)
{
	struct seen *seen = calloc((size_t)others + 2, sizeof(*seen));
	assert_non_null(seen);
	seen[0] = (struct seen){ 7, "a", 50, (uint64_t)at_s * SECOND_TICKS, 500, 0 };
	for (int i = 1; i <= others; i++)
		seen[i] = (struct seen){ 100 + i, "b", 50, 0, 0, 0 };
	fill(reading, seen, (double)at_s);
	free(seen);
	reading->further = true;
	reading->processes[0].further[RESOURCE_READ - RESOURCE_LIMITED] = 1000 * at_s;
}

/* The next one tells what was used since the last that was taken. */
static void test_rates_update_any_allocation_fails_counts_as_not_taken(void **state)
{
	(void)state;
	enum { OTHERS = 2 * ACCOUNTS_NAMES };
	if (!FAILING_MALLOC)
		skip();
	struct reading reading = { 0 };
	long number = 0, refused = 0;
	fill_busy(&reading, OTHERS, 1); /* what the loop uses again */
	for (bool failed = true; failed; number++) {
		struct rates rates = { 0 };
		struct rate *values;
		size_t count;
		long live = failing_unfreed();
		fill_busy(&reading, 0, 1000);
		assert_int_equal(rates_update(&rates, &reading, CPU_SCALE_CORE, &values, &count), 0);
		assert_int_equal(count, 0);
		fill_busy(&reading, OTHERS, 1010);
		failing_start(number + 1);
		int result = rates_update(&rates, &reading, CPU_SCALE_CORE, &values, &count);
		failed = failing_stop();
		assert_true(result == 0 || (failed && result == -ENOMEM)); /* qsort() can do without */
		refused += result != 0;
		fill_busy(&reading, OTHERS, 1020);
		assert_int_equal(rates_update(&rates, &reading, CPU_SCALE_CORE, &values, &count), 0);
		assert_int_equal(count, 2);
		assert_string_equal(values[0].name, "a");
		assert_int_equal(values[0].thousandths[RESOURCE_CPU], 100000);
		assert_int_equal(values[0].thousandths[RESOURCE_MEM], 500);
		assert_true(values[0].further[RESOURCE_READ - RESOURCE_LIMITED] == 1000);
		rates_free(&rates);
		assert_int_equal(failing_unfreed(), live);
	}
	assert_in_range(refused, 8, number - 1); /* the values, the names, and three arrays each for bytes and CPU */
	reading_free(&reading);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates_update_two_readings_gives_values),
		cmocka_unit_test(test_rates_update_short_interval_uses_the_time_that_passed),
		cmocka_unit_test(test_rates_update_limited_memory_is_percent_of_the_smaller),
		cmocka_unit_test(test_rates_update_clocks_that_leap_leave_the_values_right),
		cmocka_unit_test(test_rates_update_what_ended_has_its_name),
		cmocka_unit_test(test_rates_update_ten_thousand_ticks_stays_in_bounds),
		cmocka_unit_test(test_rates_update_no_time_has_passed_gives_no_values),
		cmocka_unit_test(test_rates_update_any_allocation_fails_counts_as_not_taken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
