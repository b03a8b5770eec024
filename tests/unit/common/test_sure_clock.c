/* common/sure_clock.h */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/sure_clock.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define DAY (24 * 60 * MINUTE)
#define NOW INT64_C(1795356000000)
#define UP (5 * MINUTE) /* since the machine started */

static struct moment at(int64_t passed_ms, int64_t wrong_ms)
{
	return (struct moment){ .wall_ms = NOW + passed_ms + wrong_ms, .boot_ms = UP + passed_ms };
}

/* A clock that has been believed for an hour, now at passed_ms 0. */
static struct sure_clock firm_clock(void)
{
	struct sure_clock clock;
	struct sure_clock_mark kept = { .boot = 7, .moment = at(-2 * MINUTE, 0) };
	sure_clock_open(&clock, &kept, 7, at(0, 0));
	assert_int_equal(sure_clock_read(&clock, at(0, 0), NULL), NOW);
	return clock;
}

static void test_sure_clock_read_follows_a_clock_that_goes_on(void **state)
{
	(void)state;
	struct sure_clock clock = firm_clock();
	enum sure_clock_news news;
	/* Slewed by half a second a minute for hours; the machine sleeps for three days. */
	for (int64_t i = 1; i < 1000; i++) {
		assert_int_equal(sure_clock_read(&clock, at(i * MINUTE, i * 500), &news), NOW + i * MINUTE + i * 500);
		assert_int_equal(news, SURE_CLOCK_SAME);
	}
	struct moment slept = at(1000 * MINUTE + 3 * DAY, 1000 * 500);
	assert_int_equal(sure_clock_read(&clock, slept, &news), slept.wall_ms);
	assert_int_equal(news, SURE_CLOCK_SAME);
	assert_int_equal(sure_clock_reached(&clock, slept), slept.wall_ms);
}

static void test_sure_clock_read_a_jump_and_back_is_never_believed(void **state)
{
	(void)state;
	static const int64_t jumps_ms[] = { 30 * DAY, -30 * DAY, 61 * SECOND, -61 * SECOND };
	for (size_t i = 0; i < sizeof(jumps_ms) / sizeof(jumps_ms[0]); i++) {
		struct sure_clock clock = firm_clock();
		enum sure_clock_news news;
		for (int64_t minute = 1; minute <= 10; minute++) {
			struct moment now = at(minute * MINUTE, jumps_ms[i]);
			assert_int_equal(sure_clock_read(&clock, now, &news), NOW + minute * MINUTE);
			assert_int_equal(news, minute == 1 ? SURE_CLOCK_JUMPED : SURE_CLOCK_SAME);
			assert_int_equal(sure_clock_reached(&clock, now), NOW + minute * MINUTE);
		}
		assert_int_equal(sure_clock_read(&clock, at(11 * MINUTE - 1, 0), &news), NOW + 11 * MINUTE - 1);
		assert_int_equal(news, SURE_CLOCK_BACK);
	}
}

static void test_sure_clock_read_ten_minutes_of_agreement_are_believed(void **state)
{
	(void)state;
	struct sure_clock clock = firm_clock();
	enum sure_clock_news news;
	int64_t wrong_ms = 30 * DAY;
	assert_int_equal(sure_clock_read(&clock, at(MINUTE, wrong_ms), NULL), NOW + MINUTE);
	assert_int_equal(sure_clock_read(&clock, at(11 * MINUTE - 1, wrong_ms), NULL), NOW + 11 * MINUTE - 1);
	assert_int_equal(sure_clock_read(&clock, at(11 * MINUTE, wrong_ms), &news), NOW + 11 * MINUTE + wrong_ms);
	assert_int_equal(news, SURE_CLOCK_ADOPTED);
	assert_int_equal(sure_clock_reached(&clock, at(11 * MINUTE, wrong_ms)), NOW + 11 * MINUTE + wrong_ms);
}

static void test_sure_clock_read_readings_that_differ_bear_nothing_out(void **state)
{
	(void)state;
	struct sure_clock clock = firm_clock();
	enum sure_clock_news news;
	int jumps = 0;
	for (int64_t minute = 1; minute < 100; minute++) {
		/* Each nine minutes the clock says another wrong time. */
		struct moment now = at(minute * MINUTE, (1 + minute / 9) * DAY);
		assert_int_equal(sure_clock_read(&clock, now, &news), NOW + minute * MINUTE);
		jumps += news == SURE_CLOCK_JUMPED;
	}
	assert_int_equal(jumps, 1);
}

static void test_sure_clock_open_in_the_same_start_goes_on_from_what_was_kept(void **state)
{
	(void)state;
	struct sure_clock before = firm_clock(), clock;
	struct sure_clock_mark kept = sure_clock_mark(&before, at(MINUTE, 0));
	enum sure_clock_news news;
	/* The program was restarted while the clock was wrong. */
	sure_clock_open(&clock, &kept, 7, at(2 * MINUTE, 30 * DAY));
	assert_int_equal(sure_clock_read(&clock, at(2 * MINUTE, 30 * DAY), &news), NOW + 2 * MINUTE);
	assert_int_equal(news, SURE_CLOCK_JUMPED);
	assert_int_equal(sure_clock_reached(&clock, at(2 * MINUTE, 30 * DAY)), NOW + 2 * MINUTE);
}

static void test_sure_clock_open_after_days_off_reaches_them_after_ten_minutes(void **state)
{
	(void)state;
	struct sure_clock clock;
	struct sure_clock_mark kept = { .boot = 6, .moment = { .wall_ms = NOW - 5 * DAY, .boot_ms = 90 * DAY } };
	sure_clock_open(&clock, &kept, 7, at(0, 0));
	assert_int_equal(sure_clock_read(&clock, at(0, 0), NULL), NOW);
	assert_int_equal(sure_clock_reached(&clock, at(0, 0)), NOW - 5 * DAY);
	assert_int_equal(sure_clock_reached(&clock, at(10 * MINUTE - 1, 0)), NOW - 5 * DAY + 10 * MINUTE - 1);
	assert_int_equal(sure_clock_reached(&clock, at(10 * MINUTE, 0)), NOW + 10 * MINUTE);
}

static void test_sure_clock_open_after_a_start_with_a_wrong_clock_deletes_nothing(void **state)
{
	(void)state;
	struct sure_clock clock;
	struct sure_clock_mark kept = { .boot = 6, .moment = { .wall_ms = NOW - MINUTE, .boot_ms = 90 * DAY } };
	enum sure_clock_news news;
	sure_clock_open(&clock, &kept, 7, at(0, 30 * DAY));
	sure_clock_read(&clock, at(0, 30 * DAY), NULL);
	/* The network tells the time after nine minutes: that is borne out first, too. */
	for (int64_t minute = 0; minute < 60; minute++) {
		struct moment now = at(minute * MINUTE, minute < 9 ? 30 * DAY : 0);
		sure_clock_read(&clock, now, &news);
		assert_int_equal(news, minute == 9 ? SURE_CLOCK_ADOPTED : SURE_CLOCK_SAME);
		assert_int_equal(sure_clock_reached(&clock, now), NOW + minute * MINUTE - (minute < 19 ? MINUTE : 0));
	}
}

static void test_sure_clock_mark_of_what_is_believed_at_once_is_not_certain(void **state)
{
	(void)state;
	struct sure_clock clock, again;
	struct sure_clock_mark kept = { .boot = 6, .moment = { .wall_ms = NOW - MINUTE, .boot_ms = 90 * DAY } };
	/* The machine starts with a wrong clock, and the program is restarted before the network tells the time. */
	sure_clock_open(&clock, &kept, 7, at(0, 30 * DAY));
	kept = sure_clock_mark(&clock, at(MINUTE, 30 * DAY));
	sure_clock_open(&again, &kept, 7, at(2 * MINUTE, 30 * DAY));
	assert_int_equal(sure_clock_reached(&again, at(2 * MINUTE, 30 * DAY)), NOW);
	assert_int_equal(sure_clock_read(&again, at(3 * MINUTE, 0), NULL), NOW + 3 * MINUTE);
}

static void test_sure_clock_open_with_a_clock_before_what_was_kept_goes_on_from_that(void **state)
{
	(void)state;
	struct sure_clock clock;
	struct sure_clock_mark kept = { .boot = 6, .moment = { .wall_ms = NOW, .boot_ms = 90 * DAY } };
	/* A machine without a battery begins in 1970. */
	struct moment first = { .wall_ms = UP, .boot_ms = UP };
	sure_clock_open(&clock, &kept, 7, first);
	assert_int_equal(sure_clock_read(&clock, first, NULL), NOW);
	assert_int_equal(sure_clock_read(&clock, at(MINUTE, DAY), NULL), NOW + MINUTE + DAY);
}

static void test_sure_clock_open_without_anything_kept_believes_the_clock(void **state)
{
	(void)state;
	struct sure_clock clock;
	sure_clock_open(&clock, NULL, 7, at(0, -DAY));
	assert_int_equal(sure_clock_reached(&clock, at(0, -DAY)), NOW - DAY);
	assert_int_equal(sure_clock_read(&clock, at(MINUTE, 0), NULL), NOW + MINUTE);
	/* A kernel that does not tell its starts apart is taken for one that was off. */
	struct sure_clock_mark kept = { .boot = 0, .moment = at(-MINUTE, 0) };
	sure_clock_open(&clock, &kept, 0, at(0, 30 * DAY));
	assert_int_equal(sure_clock_reached(&clock, at(0, 30 * DAY)), NOW - MINUTE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sure_clock_read_follows_a_clock_that_goes_on),
		cmocka_unit_test(test_sure_clock_read_a_jump_and_back_is_never_believed),
		cmocka_unit_test(test_sure_clock_read_ten_minutes_of_agreement_are_believed),
		cmocka_unit_test(test_sure_clock_read_readings_that_differ_bear_nothing_out),
		cmocka_unit_test(test_sure_clock_open_in_the_same_start_goes_on_from_what_was_kept),
		cmocka_unit_test(test_sure_clock_open_after_days_off_reaches_them_after_ten_minutes),
		cmocka_unit_test(test_sure_clock_open_after_a_start_with_a_wrong_clock_deletes_nothing),
		cmocka_unit_test(test_sure_clock_mark_of_what_is_believed_at_once_is_not_certain),
		cmocka_unit_test(test_sure_clock_open_with_a_clock_before_what_was_kept_goes_on_from_that),
		cmocka_unit_test(test_sure_clock_open_without_anything_kept_believes_the_clock),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
