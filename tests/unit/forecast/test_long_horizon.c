/* forecast/long_horizon.h */
#include "tests/unit/support/cmocka.h"

#include <math.h>
#include <stdlib.h>

#include "tests/unit/forecast/dice.h"
#include "forecast/long_horizon.h"

enum { START = 5937024 };

/* In hours, after `hours` of values, steps of so many seconds and of so many hours ahead. */
static double say(double (*value)(double hour), double hours, int64_t step_s, double horizon)
{
	struct timeline timeline;
	struct view view, room;
	double left = NAN, hour = 3600.0 / (double)step_s;
	const struct step none = { .mean = NAN, .max = NAN };
	timeline_init(&timeline);
	assert_int_equal(timeline_set_step(&timeline, step_s), 0);
	for (int i = 0; i < (int)lround(hours * hour); i++) {
		float max = (float)value((i + 1) / hour - hours);
		timeline_add(&timeline, START + i, (struct step){ max, max });
	}
	if (view_make(&timeline, none, 0, &view))
		left = long_horizon_compute(&view, view_slots(&timeline, &view, &room), timeline.pool, horizon * hour) / hour;
	timeline_free(&timeline);
	return left;
}

/* By hours before the end. */
static double leak(double hour)
{
	return 0.6 + 0.01 * hour + 0.01 * sin(7 * hour);
}

static double young(double hour)
{
	return hour < -26 ? 0.34 : leak(hour);
}

static double slow(double hour)
{
	return 0.6 + 0.004 * hour;
}

static double falls(double hour)
{
	return 0.6 - 0.01 * hour;
}

static double wave(double hour)
{
	return 0.6 + 0.3 * sin(hour * M_PI / 12);
}

static double saw(double hour)
{
	return 0.6 + 0.02 * fmod(hour + 480, 8);
}

/* A day long, half an hour after it was collected: the last 24 highest values are one tooth. */
static double daily_saw(double hour)
{
	return 0.3 + 0.02 * fmod(hour + 480.5, 24);
}

static double flat(double hour)
{
	return 0.6 + 0 * hour;
}

static double over(double hour)
{
	return 1.01 + 0.01 * hour;
}

static void test_long_horizon_compute_table(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		double (*value)(double hour);
		double hours, horizon, expected; /* NAN: nothing */
	} cases[] = {
		{ "two days", leak, 50, 72, 40 },
		{ "a day", leak, 25, 72, 40 },
		{ "the last day alone", young, 48, 72, 40 },
		{ "half a day", leak, 12, 72, NAN },
		{ "out of sight", slow, 50, 72, NAN },
		{ "in sight of a week", slow, 50, 168, 100 },
		{ "not so far", leak, 50, 30, NAN },
		{ "falls", falls, 50, 72, NAN },
		{ "wave", wave, 49, 72, NAN },
		{ "saw", saw, 49, 72, NAN },
		{ "daily saw", daily_saw, 50, 72, NAN },
		{ "flat", flat, 50, 72, NAN },
		{ "over", over, 50, 72, NAN },
	};
	static const int64_t steps_s[] = { 60, 300, 600, 1800 };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t j = 0; j < sizeof(steps_s) / sizeof(steps_s[0]); j++) {
			double left = say(cases[i].value, cases[i].hours, steps_s[j], cases[i].horizon);
			if (isnan(cases[i].expected) ? !isnan(left) : !(fabs(left - cases[i].expected) < 2))
				fail_msg("%s, steps of %d s: %g hours, not %g", cases[i].what, (int)steps_s[j], left, cases[i].expected);
		}
	}
}

/* Where it looks less far ahead than three days, an hour is less: here two minutes. */
static double quick_leak(double hour)
{
	return leak(30 * hour);
}

static void test_long_horizon_compute_shorter_is_sooner(void **state)
{
	(void)state;
	assert_true(fabs(say(quick_leak, 50.0 / 30, 10, 72.0 / 30) - 40.0 / 30) < 0.1);
	assert_true(isnan(say(quick_leak, 12.0 / 30, 10, 72.0 / 30)));
}

static void test_long_horizon_compute_anything_keeps_its_bounds(void **state)
{
	(void)state;
	uint64_t dice = dice_take(1);
	static const int64_t steps_s[] = { 1, 2, 60, 300, 420, 7200, 86400 };
	for (int round = 0; round < 300; round++) {
		struct timeline timeline;
		struct view view, room;
		timeline_init(&timeline);
		assert_int_equal(timeline_set_step(&timeline, steps_s[dice_below(&dice, 7)]), 0);
		int count = (int)dice_below(&dice, 700);
		double slope = 0.002 * dice_uniform(&dice), horizon = 2000 * dice_uniform(&dice);
		for (int i = 0; i < count; i++) {
			float max = dice_below(&dice, 30) ? (float)fabs(0.1 + slope * i + 0.01 * dice_normal(&dice)) : NAN;
			timeline_add(&timeline, START + i, (struct step){ max, max });
		}
		if (view_make(&timeline, (struct step){ NAN, NAN }, 0, &view)) {
			double left = long_horizon_compute(&view, view_slots(&timeline, &view, &room), timeline.pool, horizon);
			assert_true(isnan(left) || (left >= 0 && left <= horizon + timeline.pool));
		}
		timeline_free(&timeline);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_long_horizon_compute_table),
		cmocka_unit_test(test_long_horizon_compute_shorter_is_sooner),
		cmocka_unit_test(test_long_horizon_compute_anything_keeps_its_bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
