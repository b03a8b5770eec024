#include "tests/unit/support/cmocka.h"

#include <stdlib.h>

#include "collector/server_clock.h"

/* 2026-11-22T14:00:10Z */
#define BASE 1795356010000
#define HOUR_MS 3600000
#define DAY_MS (24 * (int64_t)HOUR_MS)
#define BOOT 0x1234567890

/* `true_ms` after BASE, when this machine's clock is set `off_ms` ahead of the server's; it started 1,000 s before. */
static struct moment at(int64_t true_ms, int64_t off_ms)
{
	return (struct moment){ .wall_ms = BASE + true_ms + off_ms, .boot_ms = 1000000 + true_ms };
}

/* An answer that took `taken_ms` and was dated in its middle. */
static void answer(struct server_clock *clock, int64_t true_ms, int64_t off_ms, int64_t taken_ms)
{
	int64_t date_ms = (BASE + true_ms + taken_ms / 2) / 1000 * 1000;
	server_clock_learn(clock, date_ms, date_ms + 1000, at(true_ms, off_ms), at(true_ms + taken_ms, off_ms));
}

/* How far what is stamped with is ahead of the server's clock. */
static int64_t error_ms(struct server_clock *clock, int64_t true_ms, int64_t off_ms)
{
	return server_clock_judge(clock, at(true_ms, off_ms)).wall_ms - BASE - true_ms;
}

static void test_server_clock_judge_unknown_server_leaves_the_time(void **state)
{
	(void)state;
	struct server_clock clock = { 0 };
	int64_t offset_ms = 42;
	struct moment now = server_clock_judge(&clock, at(0, HOUR_MS));
	assert_int_equal(now.wall_ms, BASE + HOUR_MS);
	assert_int_equal(now.boot_ms, 1000000);
	assert_false(clock.correcting);
	assert_false(server_clock_is_sure(&clock, at(0, HOUR_MS)));
	assert_false(server_clock_offset_ms(&clock, at(0, 0), &offset_ms));
	assert_int_equal(offset_ms, 42);
	const struct stamp stamp = { .time_ms = 7, .boot_ms = 8, .boot_id = BOOT };
	assert_int_equal(server_clock_settle(&clock, &stamp, at(0, 0), BOOT), 7);
}

static void test_server_clock_judge_any_offset_ends_near_the_server(void **state)
{
	(void)state;
	static const struct {
		int64_t off_ms;
		bool correcting;
	} cases[] = {
		{ 0, false },       { 300, false },     { -300, false },    { 4000, false },   { -4000, false },
		{ 7000, true },     { -7000, true },    { HOUR_MS, true },  { -HOUR_MS, true }, { 30 * DAY_MS, true },
		{ 50 - BASE, true },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int64_t phase = 0; phase < 1000; phase += 37) {
			struct server_clock clock = { 0 };
			answer(&clock, phase, cases[i].off_ms, 30);
			int64_t error = error_ms(&clock, phase + 5000, cases[i].off_ms), offset;
			if (clock.correcting != cases[i].correcting)
				fail_msg("%lld ms off at %lld: correcting %d", (long long)cases[i].off_ms, (long long)phase,
				         clock.correcting);
			if (llabs(error) > (cases[i].correcting ? 520 : llabs(cases[i].off_ms)))
				fail_msg("%lld ms off: error %lld", (long long)cases[i].off_ms, (long long)error);
			assert_true(server_clock_is_sure(&clock, at(phase + 5000, cases[i].off_ms)));
			assert_true(server_clock_offset_ms(&clock, at(phase + 5000, cases[i].off_ms), &offset));
			assert_true(llabs(offset - cases[i].off_ms) <= 520);
			if (cases[i].off_ms == 0)
				assert_int_equal(offset, 0); /* not the noise of whole seconds */
		}
	}
}

/* At the limit nothing flutters: it begins over 5 s and ends where the clocks agree. */
static void test_server_clock_judge_has_a_dead_band(void **state)
{
	(void)state;
	struct server_clock clock = { 0 };
	server_clock_learn(&clock, BASE, BASE, at(0, 0), at(0, 0));
	assert_int_equal(error_ms(&clock, 0, 5000), 5000);
	assert_int_equal(error_ms(&clock, 0, 5001), 0);
	assert_int_equal(error_ms(&clock, 0, 4000), 0);
	assert_int_equal(error_ms(&clock, 0, 1), 0);
	assert_true(clock.correcting);
	assert_int_equal(error_ms(&clock, 0, 0), 0);
	assert_false(clock.correcting);
	assert_int_equal(error_ms(&clock, 0, 4000), 4000);
	assert_int_equal(error_ms(&clock, 0, -5001), 0);
}

/* A wall clock that is set while the machine runs changes nothing that is stamped. */
static void test_server_clock_judge_clock_that_is_set_goes_on_where_it_was(void **state)
{
	(void)state;
	static const int64_t sets[] = { HOUR_MS, -HOUR_MS, 10000, -10000, 2 * DAY_MS };
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		struct server_clock clock = { 0 };
		for (int64_t true_ms = 0; true_ms < 60000; true_ms += 10000)
			answer(&clock, true_ms, 0, 20);
		assert_int_equal(error_ms(&clock, 60000, 0), 0);
		assert_true(server_clock_is_sure(&clock, at(60000, 0)));
		int64_t error = error_ms(&clock, 70000, sets[i]);
		assert_true(llabs(error) <= 520);
		assert_true(clock.correcting);
		/* Which of the two clocks is to be believed, the next answer tells. */
		assert_false(server_clock_is_sure(&clock, at(70000, sets[i])));
		answer(&clock, 70010, sets[i], 20);
		assert_true(server_clock_is_sure(&clock, at(80000, sets[i])));
		assert_int_equal(error_ms(&clock, 80000, sets[i]), error);
		/* And set right again. */
		assert_int_equal(error_ms(&clock, 90000, 0), 0);
		assert_false(clock.correcting);
	}
}

/* A virtual machine that was stopped: its clocks stood still, then its wall clock was set. */
static void test_server_clock_learn_machine_that_stood_still_believes_the_answer(void **state)
{
	(void)state;
	struct server_clock clock = { 0 };
	answer(&clock, 0, 0, 20);
	struct moment now = { .wall_ms = BASE + HOUR_MS, .boot_ms = 1000000 + 10000 };
	assert_false(server_clock_is_sure(&clock, now));
	struct stamp stamp = { .time_ms = server_clock_judge(&clock, now).wall_ms, .boot_ms = now.boot_ms, .boot_id = BOOT };
	server_clock_learn(&clock, now.wall_ms, now.wall_ms + 1000, now, now);
	assert_true(server_clock_is_sure(&clock, now));
	assert_int_equal(server_clock_judge(&clock, now).wall_ms, now.wall_ms);
	assert_false(clock.correcting);
	assert_true(llabs(server_clock_settle(&clock, &stamp, now, BOOT) - now.wall_ms) <= 500);
}

static void test_server_clock_learn_answers_narrow_the_bounds_and_slow_ones_do_not_widen_them(void **state)
{
	(void)state;
	struct server_clock clock = { 0 };
	unsigned seed = 9110;
	print_message("seed %u\n", seed);
	for (int i = 0; i < 50; i++)
		answer(&clock, i * 10000 + rand_r(&seed) % 1000, -HOUR_MS, 20);
	assert_true(clock.high_ms - clock.low_ms < 200);
	int64_t error = error_ms(&clock, 500000, -HOUR_MS);
	assert_true(llabs(error) < 200);
	/* A request that took 20 s, its answer dated anywhere within. */
	int64_t date_ms = BASE + 501000;
	server_clock_learn(&clock, date_ms, date_ms + 1000, at(500000, -HOUR_MS), at(520000, -HOUR_MS));
	assert_true(clock.high_ms - clock.low_ms < 300);
	assert_true(llabs(error_ms(&clock, 520000, -HOUR_MS) - error) < 100);
}

/* While the estimate is in use it hardly moves: what is sent again keeps its time. */
static void test_server_clock_learn_estimate_stays_while_it_may_be_right(void **state)
{
	(void)state;
	struct server_clock clock = { 0 };
	unsigned seed = 5;
	print_message("seed %u\n", seed);
	answer(&clock, 0, HOUR_MS, 20);
	int64_t ahead_ms = clock.ahead_ms, moves = 0;
	for (int i = 1; i < 1000; i++) {
		answer(&clock, i * 10000 + rand_r(&seed) % 1000, HOUR_MS, 20 + rand_r(&seed) % 500);
		moves += clock.ahead_ms != ahead_ms;
		ahead_ms = clock.ahead_ms;
	}
	print_message("%lld moves\n", (long long)moves);
	assert_true(moves < 15);
}

/* 40 parts in a million for a day: the drift is followed, and never a reason to correct. */
static void test_server_clock_learn_clocks_that_drift_are_followed(void **state)
{
	(void)state;
	struct server_clock clock = { 0 };
	for (int64_t true_ms = 0; true_ms < DAY_MS; true_ms += 10000) {
		struct moment now = { .wall_ms = BASE + true_ms, .boot_ms = 1000000 + true_ms + true_ms / 25000 };
		int64_t date_ms = (BASE + true_ms) / 1000 * 1000;
		server_clock_learn(&clock, date_ms, date_ms + 1000, now, now);
		assert_int_equal(server_clock_judge(&clock, now).wall_ms, now.wall_ms);
		assert_true(llabs(now.boot_ms + clock.ahead_ms - now.wall_ms) <= 1000);
	}
	/* Then the server is away for a day: only a difference that drift cannot be is one. */
	struct moment later = { .wall_ms = BASE + 2 * DAY_MS + 12000, .boot_ms = 1000000 + 2 * DAY_MS + 2 * DAY_MS / 25000 };
	assert_int_equal(server_clock_judge(&clock, later).wall_ms, later.wall_ms);
	later.wall_ms += 10000;
	assert_true(server_clock_judge(&clock, later).wall_ms < later.wall_ms - 10000);
}

static void test_server_clock_learn_server_that_is_set_is_followed(void **state)
{
	(void)state;
	struct server_clock clock = { 0 };
	answer(&clock, 0, HOUR_MS, 20); /* as if the server were an hour slow */
	assert_true(llabs(error_ms(&clock, 100, HOUR_MS)) < 600);
	/* Its time as 409 tells it: to the millisecond. */
	server_clock_learn(&clock, BASE + HOUR_MS + 10000, BASE + HOUR_MS + 10000, at(9990, HOUR_MS), at(10010, HOUR_MS));
	assert_int_equal(server_clock_judge(&clock, at(10010, HOUR_MS)).wall_ms, BASE + HOUR_MS + 10010);
	assert_false(clock.correcting);
	server_clock_learn(&clock, BASE + 20000, BASE + 20000, at(19990, HOUR_MS), at(20010, HOUR_MS));
	assert_int_equal(error_ms(&clock, 20010, HOUR_MS), 0);
	assert_true(clock.correcting);
}

static void test_server_clock_settle_earlier_batches_are_put_where_they_belong(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		int64_t off_then_ms, off_now_ms, expected_ms; /* after its true time */
		uint64_t boot_id;
	} cases[] = {
		{ "right then and now", 0, 0, 0, BOOT },
		{ "a little off: its own time", 3000, 3000, 3000, BOOT },
		{ "an hour fast", HOUR_MS, HOUR_MS, 0, BOOT },
		{ "an hour slow", -HOUR_MS, -HOUR_MS, 0, BOOT },
		{ "an hour fast, set right meanwhile", HOUR_MS, 0, 0, BOOT },
		{ "1970, set right meanwhile", -BASE, 0, 0, BOOT },
		{ "right, set wrong meanwhile", 0, HOUR_MS, 0, BOOT },
		{ "an earlier start, right", 0, 0, 0, BOOT + 1 },
		{ "an earlier start, a little off then and now", 3000, 3000, 3000, BOOT + 1 },
		{ "an earlier start, as wrong as now", HOUR_MS, HOUR_MS, 0, BOOT + 1 },
		{ "an earlier start, right now: as it was written", HOUR_MS, 0, HOUR_MS, BOOT + 1 },
		{ "which start is not known", -HOUR_MS, -HOUR_MS, 0, 0 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct server_clock clock = { 0 };
		server_clock_learn(&clock, BASE, BASE, at(0, cases[i].off_now_ms), at(0, cases[i].off_now_ms));
		struct moment then = at(-50000, cases[i].off_then_ms);
		struct stamp stamp = { .time_ms = then.wall_ms, .boot_ms = then.boot_ms, .boot_id = cases[i].boot_id };
		if (!cases[i].boot_id)
			stamp.boot_ms = 42; /* of which start nobody knows */
		int64_t settled = server_clock_settle(&clock, &stamp, at(0, cases[i].off_now_ms), cases[i].boot_id ? BOOT : 0);
		if (settled != BASE - 50000 + cases[i].expected_ms)
			fail_msg("%s: %lld", cases[i].what, (long long)(settled - BASE + 50000));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_server_clock_judge_unknown_server_leaves_the_time),
		cmocka_unit_test(test_server_clock_judge_any_offset_ends_near_the_server),
		cmocka_unit_test(test_server_clock_judge_has_a_dead_band),
		cmocka_unit_test(test_server_clock_judge_clock_that_is_set_goes_on_where_it_was),
		cmocka_unit_test(test_server_clock_learn_machine_that_stood_still_believes_the_answer),
		cmocka_unit_test(test_server_clock_learn_answers_narrow_the_bounds_and_slow_ones_do_not_widen_them),
		cmocka_unit_test(test_server_clock_learn_estimate_stays_while_it_may_be_right),
		cmocka_unit_test(test_server_clock_learn_clocks_that_drift_are_followed),
		cmocka_unit_test(test_server_clock_learn_server_that_is_set_is_followed),
		cmocka_unit_test(test_server_clock_settle_earlier_batches_are_put_where_they_belong),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
