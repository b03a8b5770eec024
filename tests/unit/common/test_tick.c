#include "tests/unit/support/cmocka.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/timerfd.h>

#include "common/clock.h"
#include "common/tick.h"

/* A boundary of 10 s: 2026-11-22T14:00:10Z. */
#define BASE 1795356010000
#define HOUR_MS 3600000

static void test_tick_next_boundary_times_give_the_boundary(void **state)
{
	(void)state;
	static const struct {
		int64_t now_ms, interval_ms, phase_ms, at_least_ms, expected;
	} cases[] = {
		{ BASE, 10000, 0, 0, BASE },
		{ BASE + 1, 10000, 0, 0, BASE + 10000 },
		{ BASE - 1, 10000, 0, 0, BASE },
		{ BASE + 9999, 10000, 0, 0, BASE + 10000 },
		{ BASE, 10000, 0, 1, BASE + 10000 },
		/* The collector's first tick: at least 2 s away. */
		{ BASE, 10000, 0, 2000, BASE + 10000 },
		{ BASE + 7999, 10000, 0, 2000, BASE + 10000 },
		{ BASE + 8000, 10000, 0, 2000, BASE + 10000 },
		{ BASE + 8001, 10000, 0, 2000, BASE + 20000 },
		{ BASE, 1000, 0, 2000, BASE + 2000 },
		{ BASE + 1, 1000, 0, 2000, BASE + 3000 },
		{ BASE, 10000, 0, 25000, BASE + 30000 },
		/* With a phase: the tick is the boundary plus 5 s. */
		{ BASE, 10000, 5000, 0, BASE },
		{ BASE + 5000, 10000, 5000, 0, BASE },
		{ BASE + 5001, 10000, 5000, 0, BASE + 10000 },
		{ BASE + 4000, 10000, 5000, 2000, BASE + 10000 },
		{ BASE + 3000, 10000, 5000, 2000, BASE },
		{ BASE, 10000, 9999, 0, BASE },
		{ BASE + 9999, 10000, 9999, 0, BASE },
		{ BASE + 10000, 10000, 9999, 0, BASE + 10000 },
		/* Odd intervals, and before 1970. */
		{ 22, 7, 0, 0, 28 },
		{ 21, 7, 0, 0, 21 },
		{ 0, 10000, 0, 0, 0 },
		{ -1, 10000, 0, 0, 0 },
		{ -10000, 10000, 0, 0, -10000 },
		{ -10001, 10000, 0, 0, -10000 },
		{ 0, 10000, 5000, 0, 0 },
		{ 0, 10000, 5000, 5001, 10000 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t got = tick_next_boundary(cases[i].now_ms, cases[i].interval_ms, cases[i].phase_ms,
		                                 cases[i].at_least_ms);
		if (got != cases[i].expected)
			fail_msg("case %zu: %lld", i, (long long)got);
	}
}

/* What the header says, over all small numbers: a boundary, late enough, and the first. */
static void test_tick_next_boundary_is_the_first_late_enough(void **state)
{
	(void)state;
	for (int64_t interval = 1; interval <= 12; interval++) {
		for (int64_t phase = 0; phase < interval; phase++) {
			for (int64_t at_least = 0; at_least <= 15; at_least++) {
				for (int64_t now = -40; now <= 40; now++) {
					int64_t got = tick_next_boundary(now, interval, phase, at_least);
					assert_true(got % interval == 0);
					assert_true(got + phase >= now + at_least);
					assert_true(got - interval + phase < now + at_least);
				}
			}
		}
	}
}

/* BASE on the wall clock is 500 s after the machine's start. */
static struct moment at(int64_t wall_ms, int64_t set_ms)
{
	return (struct moment){ .wall_ms = wall_ms, .boot_ms = wall_ms - set_ms - BASE + 500000 };
}

/* How long the timer still runs, rounded up. */
static int64_t armed_ms(const struct tick *tick)
{
	struct itimerspec timer;
	assert_int_equal(timerfd_gettime(tick->timer_fd, &timer), 0);
	return (int64_t)timer.it_value.tv_sec * 1000 + (timer.it_value.tv_nsec + 999999) / 1000000;
}

/* The timer was set just now; the machine may have been slow since. */
static void assert_armed(const struct tick *tick, int64_t expected_ms)
{
	int64_t armed = armed_ms(tick);
	assert_true(armed <= expected_ms);
	assert_true(armed > expected_ms - 1000);
}

static void test_tick_open_plans_the_first_tick(void **state)
{
	(void)state;
	struct tick tick;
	assert_int_equal(tick_open(&tick, 10000, 0, 2000, at(BASE + 3000, 0)), 0);
	assert_int_equal(tick.boundary_ms, BASE + 10000);
	assert_int_equal(tick.missed, 0);
	assert_armed(&tick, 7000);
	tick_close(&tick);

	assert_int_equal(tick_open(&tick, 10000, 5000, 0, at(BASE + 3000, 0)), 0);
	assert_int_equal(tick.boundary_ms, BASE);
	assert_armed(&tick, 2000);
	tick_close(&tick);

	/* A phase of more than an interval is taken within it. */
	assert_int_equal(tick_open(&tick, 10000, 25000, 0, at(BASE + 3000, 0)), 0);
	assert_int_equal(tick.phase_ms, 5000);
	assert_int_equal(tick.boundary_ms, BASE);
	tick_close(&tick);
}

/* A wait of nothing would turn a timerfd off. */
static void test_tick_open_on_the_boundary_fires_at_once(void **state)
{
	(void)state;
	struct tick tick;
	int64_t boundary;
	assert_int_equal(tick_open(&tick, 10000, 0, 0, at(BASE, 0)), 0);
	struct pollfd fd = { .fd = tick.timer_fd, .events = POLLIN };
	assert_int_equal(poll(&fd, 1, 5000), 1);
	assert_true(tick_take(&tick, at(BASE, 0), &boundary));
	assert_int_equal(boundary, BASE);
	tick_close(&tick);
}

static void test_tick_close_twice_is_harmless(void **state)
{
	(void)state;
	struct tick tick;
	assert_int_equal(tick_open(&tick, 10000, 0, 0, at(BASE, 0)), 0);
	tick_close(&tick);
	assert_int_equal(tick.timer_fd, -1);
	tick_close(&tick);
}

static void test_tick_reopen_same_beat_loses_no_tick(void **state)
{
	(void)state;
	struct tick tick = { .timer_fd = -1 };
	int64_t boundary;
	assert_int_equal(tick_reopen(&tick, 10000, 5000, at(BASE + 3000, 3000)), 0);
	assert_int_equal(tick.boundary_ms, BASE);
	/* It is due when the configuration is read again. */
	assert_int_equal(tick_reopen(&tick, 10000, 25000, at(BASE + 5001, 5001)), 0);
	assert_true(tick_take(&tick, at(BASE + 5002, 5002), &boundary));
	assert_int_equal(boundary, BASE);
	tick_close(&tick);
}

static void test_tick_reopen_other_beat_is_planned_anew(void **state)
{
	(void)state;
	struct tick tick;
	assert_int_equal(tick_open(&tick, 10000, 5000, 0, at(BASE + 3000, 3000)), 0);
	assert_int_equal(tick_reopen(&tick, 10000, 2000, at(BASE + 5001, 5001)), 0);
	assert_int_equal(tick.boundary_ms, BASE + 10000);
	assert_int_equal(tick_reopen(&tick, 1000, 2000, at(BASE + 5001, 5001)), 0);
	assert_int_equal(tick.boundary_ms, BASE + 6000);

	/* Without a descriptor it stays as it is. */
	struct rlimit limit, none;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	int result = tick_reopen(&tick, 10000, 0, at(BASE + 5001, 5001));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(result, -EMFILE);
	int64_t boundary;
	assert_true(tick_take(&tick, at(BASE + 6001, 6001), &boundary));
	assert_int_equal(boundary, BASE + 6000);
	tick_close(&tick);
}

struct take {
	int64_t now_ms;      /* on the wall clock, after BASE */
	int64_t boundary_ms; /* after BASE; -1: no time yet */
	int64_t missed;      /* in all */
	int64_t wait_ms;     /* what the timer is set to then */
	int64_t set_ms;      /* by how much the wall clock was set since tick_open() */
};

enum { TAKE_MAX = 8 };

/* Each opened at BASE + 1000 with an interval of 10 s: the first boundary is BASE +
 * 10000, with a phase of 5 s it is BASE. A wait of 0 ends a row. */
static const struct {
	const char *what;
	int64_t phase_ms;
	struct take takes[TAKE_MAX];
} rows[] = {
	{ "on time", 0,
	  { { 10000, 10000, 0, 10000, 0 }, { 20000, 20000, 0, 10000, 0 }, { 30000, 30000, 0, 10000, 0 } } },
	{ "always a little late, no drift", 0,
	  { { 10003, 10000, 0, 9997, 0 }, { 20007, 20000, 0, 9993, 0 }, { 30001, 30000, 0, 9999, 0 } } },
	{ "a phase", 5000,
	  { { 5000, 0, 0, 10000, 0 }, { 15002, 10000, 0, 9998, 0 }, { 25000, 20000, 0, 10000, 0 } } },
	{ "the timer comes early", 0,
	  { { 9999, -1, 0, 1, 0 },
	    { 10000, 10000, 0, 10000, 0 },
	    { 19990, -1, 0, 10, 0 },
	    { 20000, 20000, 0, 10000, 0 } } },
	{ "never twice", 0,
	  { { 10000, 10000, 0, 10000, 0 },
	    { 10000, -1, 0, 10000, 0 },
	    { 10001, -1, 0, 9999, 0 },
	    { 19999, -1, 0, 1, 0 } } },
	{ "late by nearly an interval", 0,
	  { { 19999, 10000, 0, 1, 0 }, { 20000, 20000, 0, 10000, 0 } } },
	{ "late by an interval", 0,
	  { { 20000, 20000, 1, 10000, 0 }, { 30000, 30000, 1, 10000, 0 } } },
	{ "late by three and a half", 0,
	  { { 45000, 40000, 3, 5000, 0 }, { 50000, 50000, 3, 10000, 0 }, { 75000, 70000, 4, 5000, 0 } } },
	{ "late with a phase", 5000,
	  { { 14999, 0, 0, 1, 0 }, { 34999, 20000, 1, 1, 0 }, { 35000, 30000, 1, 10000, 0 } } },
	/* The clock that the timer is of goes on meanwhile. */
	{ "an hour asleep", 0,
	  { { 10000, 10000, 0, 10000, 0 },
	    { 23456 + HOUR_MS, 20000 + HOUR_MS, 360, 6544, 0 },
	    { 30000 + HOUR_MS, 30000 + HOUR_MS, 360, 10000, 0 } } },
	/* Ticks that a clock leaps over are not missed: the time for them never was. */
	{ "set forward within the interval", 0,
	  { { 10000, 10000, 0, 10000, 0 }, { 23000, 20000, 0, 7000, 3000 }, { 30000, 30000, 0, 10000, 3000 } } },
	{ "set forward by an hour", 0,
	  { { 10000, 10000, 0, 10000, 0 },
	    { 20000 + HOUR_MS, 20000 + HOUR_MS, 0, 10000, HOUR_MS },
	    { 30000 + HOUR_MS, 30000 + HOUR_MS, 0, 10000, HOUR_MS } } },
	{ "set forward by an hour and something", 0,
	  { { 10000, 10000, 0, 10000, 0 },
	    { 23456 + HOUR_MS, 20000 + HOUR_MS, 0, 6544, 3456 + HOUR_MS },
	    { 30000 + HOUR_MS, 30000 + HOUR_MS, 0, 10000, 3456 + HOUR_MS } } },
	{ "set forward by an hour, and late by two ticks", 0,
	  { { 10000, 10000, 0, 10000, 0 },
	    { 45000 + HOUR_MS, 40000 + HOUR_MS, 2, 5000, HOUR_MS },
	    { 50000 + HOUR_MS, 50000 + HOUR_MS, 2, 10000, HOUR_MS } } },
	{ "set back within the interval", 0,
	  { { 10000, 10000, 0, 10000, 0 }, { 17000, -1, 0, 3000, -3000 }, { 20000, 20000, 0, 10000, -3000 } } },
	{ "set back within the interval, and late by two ticks", 0,
	  { { 10000, 10000, 0, 10000, 0 }, { 37000, 30000, 2, 3000, -3000 }, { 40000, 40000, 2, 10000, -3000 } } },
	{ "set back to what was taken already", 0,
	  { { 10000, 10000, 0, 10000, 0 }, { 10000, -1, 0, 10000, -10000 }, { 20000, 20000, 0, 10000, -10000 } } },
	{ "set back by an hour", 0,
	  { { 10000, 10000, 0, 10000, 0 },
	    { 20000 - HOUR_MS, -1, 0, 1, -HOUR_MS },
	    { 20001 - HOUR_MS, 20000 - HOUR_MS, 0, 9999, -HOUR_MS },
	    { 30000 - HOUR_MS, 30000 - HOUR_MS, 0, 10000, -HOUR_MS } } },
	{ "set back by an hour and something", 0,
	  { { 10000, 10000, 0, 10000, 0 },
	    { 13456 - HOUR_MS, -1, 0, 6544, -6544 - HOUR_MS },
	    { 20000 - HOUR_MS, 20000 - HOUR_MS, 0, 10000, -6544 - HOUR_MS } } },
	{ "set back by an hour, and late by two ticks", 0,
	  { { 10000, 10000, 0, 10000, 0 },
	    { 43000 - HOUR_MS, -1, 2, 7000, -HOUR_MS },
	    { 50000 - HOUR_MS, 50000 - HOUR_MS, 2, 10000, -HOUR_MS } } },
	{ "set back by an hour with a phase", 5000,
	  { { 5000, 0, 0, 10000, 0 },
	    { 16000 - HOUR_MS, -1, 0, 9000, 1000 - HOUR_MS },
	    { 25000 - HOUR_MS, 20000 - HOUR_MS, 0, 10000, 1000 - HOUR_MS } } },
	{ "set back by an hour, then forward again", 0,
	  { { 10000, 10000, 0, 10000, 0 },
	    { 13000 - HOUR_MS, -1, 0, 7000, -7000 - HOUR_MS },
	    { 20000 - HOUR_MS, 20000 - HOUR_MS, 0, 10000, -7000 - HOUR_MS },
	    { 30000, 30000, 0, 10000, -7000 } } },
	{ "set back before 1970", 0,
	  { { 10000, 10000, 0, 10000, 0 },
	    { -5000 - BASE, -1, 0, 5000, -25000 - BASE },
	    { 0 - BASE, 0 - BASE, 0, 10000, -25000 - BASE } } },
};

static void test_tick_take_simulated_times_give_each_boundary_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tick tick;
		assert_int_equal(tick_open(&tick, 10000, rows[i].phase_ms, 0, at(BASE + 1000, 0)), 0);
		for (size_t j = 0; j < TAKE_MAX && rows[i].takes[j].wait_ms; j++) {
			const struct take *take = &rows[i].takes[j];
			int64_t boundary = 42;
			bool taken = tick_take(&tick, at(BASE + take->now_ms, take->set_ms), &boundary);
			if (taken != (take->boundary_ms != -1))
				fail_msg("%s, %zu: taken %d", rows[i].what, j, taken);
			if (boundary != (taken ? BASE + take->boundary_ms : 42))
				fail_msg("%s, %zu: boundary %lld", rows[i].what, j, (long long)(boundary - BASE));
			if (tick.missed != take->missed)
				fail_msg("%s, %zu: missed %lld", rows[i].what, j, (long long)tick.missed);
			int64_t armed = armed_ms(&tick);
			/* 0: a short wait is over already, which is not the same as a timer that is off. */
			struct pollfd fd = { .fd = tick.timer_fd, .events = POLLIN };
			if (armed == 0)
				assert_int_equal(poll(&fd, 1, 0), 1);
			if (armed > take->wait_ms || (armed < take->wait_ms - 1000 && armed != 0))
				fail_msg("%s, %zu: the timer is at %lld ms", rows[i].what, j, (long long)armed);
		}
		tick_close(&tick);
	}
}

/* A day of ticks, each a random bit late and now and then lost: every boundary comes once
 * or is counted as missed, in order. */
static void test_tick_take_day_with_delays_accounts_for_every_boundary(void **state)
{
	(void)state;
	unsigned seed = 86400;
	print_message("seed %u\n", seed);
	struct tick tick;
	assert_int_equal(tick_open(&tick, 10000, 3000, 0, at(BASE, 0)), 0);
	int64_t now = BASE, last = BASE - 10000, taken = 0;
	while (now < BASE + 24 * HOUR_MS) {
		now = tick.boundary_ms + tick.phase_ms + rand_r(&seed) % (rand_r(&seed) % 50 ? 200 : 40000);
		int64_t boundary;
		assert_true(tick_take(&tick, at(now, 0), &boundary));
		assert_int_equal(boundary % 10000, 0);
		assert_true(boundary > last);
		assert_true(boundary + 3000 <= now && now < boundary + 13000);
		last = boundary;
		taken++;
		assert_int_equal((last - BASE) / 10000 + 1, taken + tick.missed);
	}
	assert_true(tick.missed > 0);
	tick_close(&tick);
}

/* A clock that is set all day: no tick is missed for it, none is far from the last one,
 * and each is on the boundary again. */
static void test_tick_take_clock_set_at_random_keeps_the_beat(void **state)
{
	(void)state;
	unsigned seed = 3600;
	print_message("seed %u\n", seed);
	struct tick tick;
	int64_t set_ms = 0, boot_ms = 500000, last_boot_ms = boot_ms;
	assert_int_equal(tick_open(&tick, 10000, 3000, 0, at(BASE, 0)), 0);
	for (int ticks = 0; ticks < 10000;) {
		boot_ms = tick.due_boot_ms;
		if (rand_r(&seed) % 10 == 0)
			set_ms += rand_r(&seed) % (2 * HOUR_MS) - HOUR_MS;
		int64_t wall_ms = BASE + boot_ms - 500000 + set_ms, boundary;
		if (!tick_take(&tick, at(wall_ms, set_ms), &boundary))
			continue;
		assert_int_equal(boundary % 10000, 0);
		assert_true(boundary + 3000 <= wall_ms && wall_ms < boundary + 13000);
		/* Set back again and again before it comes, it waits again. */
		assert_true(boot_ms - last_boot_ms <= 50000);
		last_boot_ms = boot_ms;
		ticks++;
	}
	assert_int_equal(tick.missed, 0);
	tick_close(&tick);
}

static void test_tick_take_real_timer_keeps_the_boundary(void **state)
{
	(void)state;
	enum { INTERVAL_MS = 200, PHASE_MS = 50, TICKS = 4 };
	struct tick tick;
	int64_t last = 0;
	struct moment start = clock_moment();
	int64_t opened = start.wall_ms;
	assert_int_equal(tick_open(&tick, INTERVAL_MS, PHASE_MS, 100, start), 0);
	for (int ticks = 0; ticks < TICKS;) {
		struct pollfd fd = { .fd = tick.timer_fd, .events = POLLIN };
		assert_int_equal(poll(&fd, 1, 5000), 1);
		struct moment moment = clock_moment();
		int64_t now = moment.wall_ms, boundary;
		if (!tick_take(&tick, moment, &boundary))
			continue;
		assert_int_equal(boundary % INTERVAL_MS, 0);
		assert_true(now >= boundary + PHASE_MS);
		assert_true(now < boundary + PHASE_MS + INTERVAL_MS);
		if (ticks == 0)
			assert_true(now >= opened + 100);
		else
			assert_true(boundary > last);
		/* Taken: it is not readable before the next one. */
		assert_int_equal(poll(&fd, 1, 0), clock_wall_ms() >= boundary + PHASE_MS + INTERVAL_MS ? 1 : 0);
		last = boundary;
		ticks++;
	}
	assert_int_equal((last - tick_next_boundary(opened, INTERVAL_MS, PHASE_MS, 100)) / INTERVAL_MS,
	                 TICKS - 1 + tick.missed);
	tick_close(&tick);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tick_next_boundary_times_give_the_boundary),
		cmocka_unit_test(test_tick_next_boundary_is_the_first_late_enough),
		cmocka_unit_test(test_tick_open_plans_the_first_tick),
		cmocka_unit_test(test_tick_open_on_the_boundary_fires_at_once),
		cmocka_unit_test(test_tick_close_twice_is_harmless),
		cmocka_unit_test(test_tick_reopen_same_beat_loses_no_tick),
		cmocka_unit_test(test_tick_reopen_other_beat_is_planned_anew),
		cmocka_unit_test(test_tick_take_simulated_times_give_each_boundary_once),
		cmocka_unit_test(test_tick_take_day_with_delays_accounts_for_every_boundary),
		cmocka_unit_test(test_tick_take_clock_set_at_random_keeps_the_beat),
		cmocka_unit_test(test_tick_take_real_timer_keeps_the_boundary),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
