/* forecast/timeline.h */
#include "tests/unit/support/cmocka.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/forecast/dice.h"
#include "forecast/timeline.h"

enum { PAST = 4000, START = 5937024 };

static const struct step gap = { .mean = NAN, .max = NAN };

/* All that a timeline was ever told, and straightforward answers from it. */
struct past {
	float max[PAST], mean[PAST]; /* of step START + i */
	int count;
};

static void past_add(struct past *past, struct step step)
{
	assert_true(past->count < PAST);
	past->max[past->count] = step.max;
	past->mean[past->count++] = step.mean;
}

static float past_max(const struct past *past, int at)
{
	return at < 0 || at >= past->count ? NAN : past->max[at];
}

static bool past_passes(const struct past *past, int at, float level)
{
	return past_max(past, at) > level && !(past_max(past, at - 1) > level) && !(past_max(past, at - 2) > level) &&
	       !(past_max(past, at - 3) > level);
}

static int compare(const void *left, const void *right)
{
	float a = *(const float *)left, b = *(const float *)right;
	return (a > b) - (a < b);
}

static bool past_onset(const struct past *past, int at)
{
	float day[TIMELINE_DAY];
	unsigned count = 0;
	for (int i = at; i > at - TIMELINE_DAY; i--) {
		if (!isnan(past_max(past, i)))
			day[count++] = past_max(past, i);
	}
	if (count == 0 || at < 12)
		return false;
	qsort(day, count, sizeof(day[0]), compare);
	float quiet = day[(unsigned)floor(0.1 * (count - 1) + 0.5)];
	float level = fmaxf(0.5f, quiet + 0.5f * (1 - quiet));
	return past_passes(past, at, level);
}

/* The last crossings and onsets must be those of the past. */
static void assert_events(const struct timeline *timeline, const struct past *past)
{
	int crossings[PAST], onsets[PAST], crossing_count = 0, onset_count = 0;
	for (int i = 0; i < past->count; i++) {
		if (past_passes(past, i, 1))
			crossings[crossing_count++] = i;
		if (past_onset(past, i))
			onsets[onset_count++] = i;
	}
	int kept = crossing_count < TIMELINE_CROSSINGS ? crossing_count : TIMELINE_CROSSINGS;
	assert_int_equal(timeline->crossing_count, kept);
	for (int i = 0; i < kept; i++)
		assert_int_equal(timeline->crossings[i], START + crossings[crossing_count - kept + i]);
	kept = onset_count < TIMELINE_ONSETS ? onset_count : TIMELINE_ONSETS;
	assert_int_equal(timeline->onset_count, kept);
	for (int i = 0; i < kept; i++) {
		int at = onsets[onset_count - kept + i];
		bool crossed = false;
		for (int j = at; j <= at + 4; j++)
			crossed = crossed || past_max(past, j) > 1;
		assert_int_equal(timeline->onsets[i].index, START + at);
		assert_int_equal(timeline->onsets[i].crossed, crossed);
	}
}

static void assert_same(float seen, float expected)
{
	assert_true(isnan(expected) ? isnan(seen) : seen == expected);
}

static void assert_steps(const struct timeline *timeline, const struct past *past)
{
	int newest = past->count - 1;
	assert_int_equal(timeline->newest, START + newest);
	for (int i = newest - 2 * TIMELINE_STEPS; i <= newest + 2 * TIMELINE_STEPS; i++)
		assert_same(timeline_max(timeline, START + i), i > newest - TIMELINE_STEPS ? past_max(past, i) : NAN);
}

static void assert_unrolled(const struct timeline *timeline, const struct past *past)
{
	float max[TIMELINE_STEPS], mean[TIMELINE_MEANS];
	unsigned count = timeline_unroll(timeline, max, mean), expected = 0;
	for (int i = past->count - TIMELINE_STEPS < 0 ? 0 : past->count - TIMELINE_STEPS; i < past->count; i++) {
		if (expected == 0 && isnan(past->max[i]))
			continue;
		assert_true(expected < count);
		assert_same(max[expected], isnan(past->max[i]) ? max[expected - 1] : past->max[i]);
		expected++;
	}
	assert_int_equal(count, expected);
	unsigned means = count < TIMELINE_MEANS ? count : TIMELINE_MEANS;
	for (unsigned i = 0; i < means; i++) {
		float known = past->mean[past->count - (int)means + (int)i];
		assert_same(mean[i], !isnan(known) ? known : i > 0 ? mean[i - 1] : max[count - means]);
	}
}

static void test_timeline_init_nothing_is_known(void **state)
{
	(void)state;
	struct timeline timeline;
	float max[TIMELINE_STEPS], mean[TIMELINE_MEANS];
	memset(&timeline, 0xff, sizeof(timeline));
	timeline_init(&timeline);
	for (int64_t i = -2; i <= 2; i++)
		assert_true(isnan(timeline_max(&timeline, i)));
	assert_true(isnan(timeline_max(&timeline, START)));
	assert_int_equal(timeline_unroll(&timeline, max, mean), 0);
	assert_int_equal(timeline.crossing_count, 0);
	assert_int_equal(timeline.onset_count, 0);
	assert_true(timeline.period == 0 && timeline.period_strength == 0);
}

static void test_timeline_size_is_under_4_kib(void **state)
{
	(void)state;
	print_message("a timeline is %zu bytes\n", sizeof(struct timeline));
	assert_true(sizeof(struct timeline) < 4 * 1024);
}

/* Runs of steps, of gaps told and of gaps passed over, some longer than the ring; levels
 * from quiet to over the limit. */
static void test_timeline_add_random_series_as_a_straightforward_past(void **state)
{
	(void)state;
	uint64_t dice = dice_take(1);
	static struct past past;
	for (int series = 0; series < 60; series++) {
		struct timeline timeline;
		timeline_init(&timeline);
		past.count = 0;
		double quiet = 0.9 * dice_uniform(&dice), burst = 0.02 + 0.2 * dice_uniform(&dice);
		int left = 0, length = 1 + (int)dice_below(&dice, 1500);
		float level = 0;
		while (past.count < length) {
			if (past.count > 0 && dice_below(&dice, 60) == 0) {
				unsigned gaps = dice_below(&dice, dice_below(&dice, 8) ? 6 : 2 * TIMELINE_STEPS);
				bool told = dice_below(&dice, 2);
				for (unsigned i = 0; i < gaps; i++) {
					past_add(&past, gap);
					if (told)
						timeline_add(&timeline, START + past.count - 1, gap);
				}
			}
			if (left-- <= 0) {
				left = (int)dice_below(&dice, 6);
				level = (float)(dice_uniform(&dice) < burst ? 0.5 + dice_uniform(&dice) : quiet);
			}
			struct step step = { .max = fabsf(level + 0.02f * (float)dice_normal(&dice)) };
			step.mean = dice_below(&dice, 30) ? 0.9f * step.max : NAN;
			past_add(&past, step);
			timeline_add(&timeline, START + past.count - 1, step);
			if (dice_below(&dice, 40) == 0) {
				assert_steps(&timeline, &past);
				assert_unrolled(&timeline, &past);
			}
		}
		assert_steps(&timeline, &past);
		assert_unrolled(&timeline, &past);
		assert_events(&timeline, &past);
	}
}

static void test_timeline_add_gaps_as_long_as_the_ring_leave_nothing(void **state)
{
	(void)state;
	for (int skipped = TIMELINE_STEPS - 3; skipped <= TIMELINE_STEPS + 3; skipped++) {
		for (int told = 0; told < 2; told++) {
			struct timeline timeline;
			float max[TIMELINE_STEPS], mean[TIMELINE_MEANS];
			timeline_init(&timeline);
			timeline_add(&timeline, START, (struct step){ 0.25f, 0.5f });
			for (int i = 1; i <= skipped && told; i++)
				timeline_add(&timeline, START + i, gap);
			timeline_add(&timeline, START + skipped + 1, (struct step){ 0.125f, 0.25f });
			assert_same(timeline_max(&timeline, START), skipped + 1 < TIMELINE_STEPS ? 0.5f : NAN);
			assert_same(timeline_max(&timeline, START + 1), NAN);
			assert_same(timeline_max(&timeline, START + skipped), NAN);
			assert_same(timeline_max(&timeline, START + skipped + 1), 0.25f);
			unsigned count = timeline_unroll(&timeline, max, mean);
			assert_int_equal(count, skipped + 1 < TIMELINE_STEPS ? skipped + 2 : 1);
			assert_true(max[count - 1] == 0.25f);
		}
	}
	/* A leap of centuries takes no longer than one of two days. */
	struct timeline timeline;
	timeline_init(&timeline);
	timeline_add(&timeline, 0, (struct step){ 1, 1 });
	timeline_add(&timeline, UINT32_MAX - 5, (struct step){ 2, 2 });
	assert_same(timeline_max(&timeline, 0), NAN);
	assert_same(timeline_max(&timeline, (int64_t)UINT32_MAX - 5), 2);
}

static void test_timeline_unroll_nothing_but_gaps_is_nothing(void **state)
{
	(void)state;
	struct timeline timeline;
	float max[TIMELINE_STEPS], mean[TIMELINE_MEANS];
	timeline_init(&timeline);
	for (int i = 0; i < 2 * TIMELINE_STEPS; i++) {
		timeline_add(&timeline, START + i, gap);
		assert_int_equal(timeline_unroll(&timeline, max, mean), 0);
	}
	timeline_add(&timeline, START + 2 * TIMELINE_STEPS, (struct step){ 0.5f, 1 });
	assert_int_equal(timeline_unroll(&timeline, max, mean), 1);
	assert_true(max[0] == 1 && mean[0] == 0.5f);
}

/* Each letter is a step: - under the limit, = at it, + over it, . a gap, ! over it and a crossing. */
static void test_timeline_add_crossing_table(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"!", "-!", "---!", "=!", "==!+++", "!-+", "!--+", "!---!", "!-+-+-+--+", "!===!", "!...!", "!-.-!", "!.+", "!..+",
		"-.!", "---.!", "!---.!", "=====-----", "!--+---!+-+---!",
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct timeline timeline;
		unsigned crossings = 0;
		timeline_init(&timeline);
		for (int at = 0; cases[i][at]; at++) {
			float value = cases[i][at] == '-' ? 0.5f : cases[i][at] == '=' ? 1.0f : cases[i][at] == '.' ? NAN : 1.0001f;
			timeline_add(&timeline, START + at, (struct step){ value, value });
			crossings += cases[i][at] == '!';
			if (timeline.crossing_count != crossings ||
			    (cases[i][at] == '!' && timeline.crossings[crossings - 1] != (uint32_t)(START + at)))
				fail_msg("\"%s\" step %d: %u crossings, not %u", cases[i], at, timeline.crossing_count, crossings);
		}
	}
}

/* A job that runs at `onsets`, over a quiet level. */
static void run_job(struct timeline *timeline, const bool onsets[], int length)
{
	timeline_init(timeline);
	for (int i = 0; i < length; i++) {
		float value = onsets[i] ? 0.9f : 0.2f;
		timeline_add(timeline, START + i, (struct step){ value, value });
	}
}

/* Every `period` steps and up to `jitter` more or less; a share of the runs is left out, as many come unasked. */
static void roll_job(uint64_t *dice, bool onsets[], int length, int period, int jitter, double disturbed)
{
	memset(onsets, 0, (size_t)length * sizeof(onsets[0]));
	for (int at = 20; at + jitter < length; at += period) {
		if (dice_uniform(dice) >= disturbed)
			onsets[at + (jitter ? (int)dice_below(dice, 2 * (unsigned)jitter + 1) - jitter : 0)] = true;
		if (dice_uniform(dice) < disturbed)
			onsets[dice_below(dice, (unsigned)length)] = true;
	}
}

static void test_timeline_add_period_table(void **state)
{
	(void)state;
	static const struct {
		int period, jitter;
		double disturbed;
		double strength; /* at least, in all rounds */
		int found;       /* in so many of 20 rounds; a multiple may be in the others */
	} cases[] = {
		{ 6, 0, 0, 4, 20 },      { 12, 0, 0, 7, 20 },     { 12, 0, 0.15, 2, 17 }, { 36, 1, 0, 5, 16 },   { 36, 1, 0.15, 2, 14 },
		{ 72, 2, 0.1, 3, 14 }, { 144, 3, 0.1, 3, 14 }, { 288, 5, 0, 3, 17 },    { 288, 0, 0, 7, 20 },
	};
	uint64_t dice = dice_take(2);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		double weakest = INFINITY;
		int found = 0;
		for (int round = 0; round < 20; round++) {
			struct timeline timeline;
			bool onsets[PAST];
			int length = cases[i].period * 24 < PAST ? cases[i].period * 24 : PAST;
			roll_job(&dice, onsets, length, cases[i].period, cases[i].jitter, cases[i].disturbed);
			run_job(&timeline, onsets, length);
			double off = fabs((double)timeline.period - cases[i].period);
			found += off <= cases[i].jitter / 2.0 + 0.35;
			weakest = fmin(weakest, (double)timeline.period_strength);
		}
		if (found < cases[i].found || weakest < cases[i].strength)
			fail_msg("case %zu: %d found, strength %.2f", i, found, weakest);
	}
}

/* What comes at random seems to have a period only weakly. */
static void test_timeline_add_random_onsets_have_a_weak_period(void **state)
{
	(void)state;
	uint64_t dice = dice_take(3);
	double random = 0, periodic = 0, worst = 0;
	enum { ROUNDS = 100 };
	for (int round = 0; round < ROUNDS; round++) {
		struct timeline timeline;
		bool onsets[PAST] = { false };
		for (int i = 20; i < 1440; i++)
			onsets[i] = dice_below(&dice, 36) == 0;
		run_job(&timeline, onsets, 1440);
		random += (double)timeline.period_strength / ROUNDS;
		worst = fmax(worst, (double)timeline.period_strength);
		roll_job(&dice, onsets, 1440, 36, 1, 0.1);
		run_job(&timeline, onsets, 1440);
		periodic += (double)timeline.period_strength / ROUNDS;
	}
	print_message("strength of random onsets %.2f (at most %.2f), of a job's %.2f\n", random, worst, periodic);
	assert_true(random < periodic / 2);
}

static void test_timeline_add_period_needs_four_onsets(void **state)
{
	(void)state;
	for (int runs = 0; runs <= 6; runs++) {
		struct timeline timeline;
		bool onsets[PAST] = { false };
		for (int i = 0; i < runs; i++)
			onsets[20 + 30 * i] = true;
		run_job(&timeline, onsets, 250);
		assert_int_equal(timeline.onset_count, runs);
		assert_true(runs < 4 ? timeline.period == 0 && timeline.period_strength == 0 :
		                       timeline.period == 30 && timeline.period_strength > 1);
	}
}

/* Whose runs are too far apart to be seen again, or whose period has been replaced by another. */
static void test_timeline_add_period_follows_the_newest_onsets(void **state)
{
	(void)state;
	struct timeline timeline;
	bool onsets[PAST] = { false };
	for (int i = 20; i < 1000; i += 20)
		onsets[i] = true;
	for (int i = 1000; i < PAST; i += 50)
		onsets[i] = true;
	run_job(&timeline, onsets, 1000);
	assert_true(timeline.period == 20);
	run_job(&timeline, onsets, PAST);
	assert_true(timeline.period == 50);

	memset(onsets, 0, sizeof(onsets));
	for (int i = 20; i < PAST; i += 400)
		onsets[i] = true;
	run_job(&timeline, onsets, PAST);
	assert_int_equal(timeline.onset_count, 10);
	assert_true(timeline.period == 0 && timeline.period_strength == 0);

	/* What was a period is none when all that is remembered is too far apart. */
	for (int i = 0; i < 2000; i += 20)
		onsets[i] = true;
	run_job(&timeline, onsets, 2000);
	assert_true(timeline.period == 20);
	for (int i = 10; i < 10 + TIMELINE_ONSETS; i++) {
		timeline_add(&timeline, START + 400 * i - 1, (struct step){ 0.2f, 0.2f });
		timeline_add(&timeline, START + 400 * i, (struct step){ 0.9f, 0.9f });
	}
	assert_true(timeline.period == 0 && timeline.period_strength == 0);
}

/* Of two runs a cycle the cycle is taken, which twice as many are apart; of more the shortest, by a little only. */
static void test_timeline_add_period_of_bundles_is_the_cycle(void **state)
{
	(void)state;
	for (int runs = 2; runs <= 5; runs++) {
		struct timeline timeline;
		bool onsets[PAST] = { false };
		for (int i = 20; i + 60 < 1500; i += 60) {
			for (int run = 0; run < runs; run++)
				onsets[i + 10 * run] = true;
		}
		run_job(&timeline, onsets, 1500);
		if (fabs((double)timeline.period - (runs == 2 ? 60 : 10)) > 0.01)
			fail_msg("%d runs: %.2f strength %.2f", runs, (double)timeline.period, (double)timeline.period_strength);
	}
}

/* Not before the thirteenth step, not up to half the limit, and half the way from a quiet level that is higher. */
static void test_timeline_add_onset_table(void **state)
{
	(void)state;
	static const struct {
		float quiet, value;
		int after; /* quiet steps */
		unsigned onsets;
	} cases[] = {
		{ 0, 0.9f, 11, 0 },       { 0, 0.9f, 12, 1 },     { 0, 0.5f, 20, 0 },      { 0, 0.501f, 20, 1 },
		{ 0.2f, 0.599f, 20, 0 }, { 0.2f, 0.601f, 20, 1 }, { 0.6f, 0.799f, 20, 0 }, { 0.6f, 0.801f, 20, 1 },
		{ 0.6f, 1.2f, 20, 1 },   { 1.2f, 1.3f, 20, 0 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct timeline timeline;
		timeline_init(&timeline);
		for (int at = 0; at <= cases[i].after; at++) {
			float value = at < cases[i].after ? cases[i].quiet : cases[i].value;
			timeline_add(&timeline, START + at, (struct step){ value, value });
		}
		if (timeline.onset_count != cases[i].onsets)
			fail_msg("case %zu: %u onsets", i, timeline.onset_count);
		if (timeline.onset_count)
			assert_int_equal(timeline.onsets[0].crossed, cases[i].value > 1);
	}
}

/* The limit may be passed up to four steps after the onset. */
static void test_timeline_add_onset_crosses_within_four_steps(void **state)
{
	(void)state;
	for (int after = 1; after <= 6; after++) {
		struct timeline timeline;
		timeline_init(&timeline);
		for (int at = 0; at <= 20 + after; at++) {
			float value = at < 20 ? 0.1f : at < 20 + after ? 0.8f : 1.1f;
			timeline_add(&timeline, START + at, (struct step){ value, value });
		}
		assert_int_equal(timeline.onset_count, 1);
		assert_int_equal(timeline.onsets[0].crossed, after <= 4);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timeline_init_nothing_is_known),
		cmocka_unit_test(test_timeline_size_is_under_4_kib),
		cmocka_unit_test(test_timeline_add_random_series_as_a_straightforward_past),
		cmocka_unit_test(test_timeline_add_gaps_as_long_as_the_ring_leave_nothing),
		cmocka_unit_test(test_timeline_unroll_nothing_but_gaps_is_nothing),
		cmocka_unit_test(test_timeline_add_crossing_table),
		cmocka_unit_test(test_timeline_add_onset_table),
		cmocka_unit_test(test_timeline_add_onset_crosses_within_four_steps),
		cmocka_unit_test(test_timeline_add_period_table),
		cmocka_unit_test(test_timeline_add_random_onsets_have_a_weak_period),
		cmocka_unit_test(test_timeline_add_period_needs_four_onsets),
		cmocka_unit_test(test_timeline_add_period_follows_the_newest_onsets),
		cmocka_unit_test(test_timeline_add_period_of_bundles_is_the_cycle),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
