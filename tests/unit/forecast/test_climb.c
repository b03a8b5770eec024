/* forecast/climb.h */
#include "tests/unit/support/cmocka.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "tests/unit/forecast/dice.h"
#include "forecast/climb.h"

enum { START = 5937024, DAY = TIMELINE_DAY, HORIZON = 6 };

static const struct step none = { .mean = NAN, .max = NAN };

/* What is said after values[count], steps of so many seconds. */
static struct climb say(const double values[], int count, unsigned horizon, int64_t step_s)
{
	struct timeline timeline;
	struct view view, room;
	struct climb climb = { .probability = 0 };
	timeline_init(&timeline);
	assert_int_equal(timeline_set_step(&timeline, step_s), 0);
	for (int i = 0; i < count; i++)
		timeline_add(&timeline, START + i, (struct step){ (float)values[i], (float)values[i] });
	if (view_make(&timeline, none, 0, &view))
		climb_compute(&timeline, &view, view_slots(&timeline, &view, &room), horizon, &climb);
	timeline_free(&timeline);
	return climb;
}

static int add_line(double values[], int count, double from, double slope, int steps)
{
	for (int i = 0; i < steps; i++)
		values[count++] = from + slope * i;
	return count;
}

static void test_climb_compute_line_says_when_and_how_high(void **state)
{
	(void)state;
	static const double slopes[] = { 0.0005, 0.002, 0.01, 0.04 };
	for (size_t i = 0; i < sizeof(slopes) / sizeof(slopes[0]); i++) {
		double values[2000], slope = slopes[i], before = 0;
		int steps = (int)(0.7 / slope);
		/* The last is two and a half steps before the limit. */
		int count = add_line(values, 0, 1 - slope * (steps + 1.5), slope, steps);
		struct climb climb = say(values, count, HORIZON, 300);
		assert_true(climb.probability > 0.8);
		assert_true(fabs(climb.highest - (1 + 3.5 * slope)) < 1e-4);
		assert_true(fabs(climb.lead - 2.5) < 0.01);
		/* The nearer the more, and nothing long before. */
		for (int at = 3; at <= count; at++) {
			double now = say(values, at, HORIZON, 300).probability;
			assert_true(now >= before - 1e-9);
			assert_true(at > count - 40 || now < 0.01);
			before = now;
		}
	}
}

/* Those that are no climb, or none of its own. */
static void test_climb_compute_nothing_climbs(void **state)
{
	(void)state;
	double values[1200];
	int count = add_line(values, 0, 0.5, 0, 400);
	assert_true(say(values, count, HORIZON, 300).probability == 0);
	count = add_line(values, 0, 0.99, -0.001, 400);
	assert_true(say(values, count, HORIZON, 300).probability == 0);
	/* Two values are no line, and one that is over is over. */
	count = add_line(values, 0, 0.5, 0.3, 2);
	assert_true(say(values, count, HORIZON, 300).probability == 0);
	count = add_line(values, 0, 0.2, 0.3, 4);
	assert_true(say(values, count, HORIZON, 300).probability == 0);
	/* A few steps up out of noise are none: before a calm they are. */
	for (int i = 0; i < 400; i++)
		values[i] = i % 3 ? 0.4 : 0.2;
	count = add_line(values, 400, 0.4, 0.12, 4);
	assert_true(say(values, count, HORIZON, 300).probability == 0);
	count = add_line(values, add_line(values, 0, 0.4, 0, 400), 0.4, 0.12, 4);
	assert_true(say(values, count, HORIZON, 300).probability > 0.8);
}

/* Teeth that rose as high, or as far, and fell: the next one is no climb until it is higher than they were. */
static void test_climb_compute_what_turned_back_may_again(void **state)
{
	(void)state;
	double values[1200];
	int count = 0;
	for (int tooth = 0; tooth < 5; tooth++)
		count = add_line(values, count, 0.3, 0.01, 66);
	int last = add_line(values, count, 0.3, 0.01, 70);
	assert_true(say(values, count + 60, HORIZON, 300).probability == 0);
	assert_true(say(values, count + 66, HORIZON, 300).probability == 0);
	assert_true(say(values, last, HORIZON, 300).probability > 0.8);
	/* A floor that rises alone makes no tooth a climb. */
	for (count = 0; count < 600;)
		count = add_line(values, count, 0.3 + count * 0.0002, 0.05, 10);
	assert_true(values[count - 1] > 0.85 && values[count - 1] < 1);
	assert_true(say(values, count, HORIZON, 300).probability == 0);
	/* What was over the limit within two days is the model's. */
	count = add_line(values, 0, 0.4, 0, 400);
	values[100] = 1.1;
	count = add_line(values, count, 0.4, 0.02, 28);
	assert_true(say(values, count, HORIZON, 300).probability == 0);
	values[100] = 0.4;
	assert_true(say(values, count, HORIZON, 300).probability > 0.8);
}

/* A wave that grows by a tenth each day, up to so many steps before its third top, which is `top`. */
static int make_wave(double values[], double top, int back, int day)
{
	int count = 0;
	for (; count < 2 * day + day / 4 - back; count++) {
		double time = (double)count / day, height = 0.35 * (0.8 + 0.1 * time) / 1.025;
		values[count] = top - 0.35 + height * sin(2 * M_PI * time) + 0.002 * sin(count);
	}
	return count;
}

static void test_climb_compute_day_that_repeats_knows_its_top(void **state)
{
	(void)state;
	static double values[3000];
	static const struct {
		int64_t step_s;
		int day, horizon;
	} cases[] = { { 300, 288, 6 }, { 100, 864, 18 }, { 600, 144, 3 } };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int horizon = cases[i].horizon, day = cases[i].day;
		int count = make_wave(values, 1.003, 10 * horizon / 6, day);
		struct climb climb = say(values, count, (unsigned)horizon, cases[i].step_s);
		assert_true(values[count - 1] < 1);
		assert_true(climb.probability > 0.5);
		assert_true(fabs(climb.highest - 1.003) < 0.01);
		/* A line would lead over the limit here: the day before says that it does not. */
		for (int back = 3 * horizon; back > 0; back -= horizon) {
			count = make_wave(values, 0.97, back, day);
			assert_true(say(values, count, (unsigned)horizon, cases[i].step_s).probability < 0.05);
		}
	}
}

static void test_climb_compute_anything_keeps_its_bounds(void **state)
{
	(void)state;
	uint64_t dice = dice_take(1);
	static const int64_t steps_s[] = { 1, 60, 300, 3600, 86400 };
	static double values[1400];
	for (int round = 0; round < 300; round++) {
		int count = 1 + (int)dice_below(&dice, 1400);
		double walk = 0.5, noise = round % 3 ? 0.001 : 0.1, drift = 0.001 * dice_normal(&dice);
		for (int i = 0; i < count; i++) {
			walk = fmin(0.99, fabs(walk + drift));
			values[i] = dice_below(&dice, 50) == 0 ? NAN : fabs(walk + noise * dice_normal(&dice));
			values[i] = dice_below(&dice, 400) == 0 ? 1e6 * dice_uniform(&dice) : values[i];
		}
		unsigned horizon = 1 + dice_below(&dice, 48);
		struct climb climb = say(values, count, horizon, steps_s[dice_below(&dice, 5)]);
		assert_true(climb.probability >= 0 && climb.probability <= 0.9);
		if (climb.probability > 0)
			assert_true(isfinite(climb.highest) && climb.lead >= 0 && climb.lead <= horizon);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_climb_compute_line_says_when_and_how_high),
		cmocka_unit_test(test_climb_compute_nothing_climbs),
		cmocka_unit_test(test_climb_compute_what_turned_back_may_again),
		cmocka_unit_test(test_climb_compute_day_that_repeats_knows_its_top),
		cmocka_unit_test(test_climb_compute_anything_keeps_its_bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
