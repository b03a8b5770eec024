/* forecast/forecaster.h */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"

#include <inttypes.h>
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/unit/forecast/dice.h"
#include "forecast/forecaster.h"

enum { START = 5937024, LENGTH = 1200, HORIZON = 6 };

#define LIMIT 80.0

static const struct step none = { .mean = NAN, .max = NAN };

static struct step flat(double value)
{
	return (struct step){ .mean = (float)value, .max = (float)value };
}

/* Scales that fit the series below, and small weights. */
static void roll_prior(uint64_t *dice, double size, struct prior *prior)
{
	trees_init(&prior->trees);
	prior->trees.count = 5;
	for (unsigned i = 0; i < TREES_COLUMNS; i++) {
		for (unsigned j = 0; j < 7; j++)
			prior->trees.edges[i][j] = (float)j / 4;
	}
	for (unsigned i = 0; i < prior->trees.count; i++) {
		struct tree *tree = &prior->trees.trees[i];
		for (unsigned j = 0; j < TREES_DEPTH; j++) {
			tree->columns[j] = (uint8_t)dice_below(dice, TREES_COLUMNS);
			tree->edges[j] = (uint8_t)dice_below(dice, 8);
		}
		for (unsigned j = 0; j < TREES_LEAVES; j++)
			tree->leaves[j] = (int16_t)(TREES_UNIT * size * dice_normal(dice));
	}
	for (unsigned i = 0; i < PRIOR_INPUTS; i++) {
		prior->center[i] = 0.3f;
		prior->scale[i] = 1;
		for (unsigned sum = 0; sum < PRIOR_SUMS; sum++)
			prior->weights[sum][i] = (float)(size * dice_normal(dice));
	}
	prior->center[PRIOR_ONE] = 0;
}

/* In percent: noise around a level, or jobs, or a leak that is restarted; gaps, some of them long. */
static void roll_series(uint64_t *dice, struct step steps[], int length)
{
	unsigned kind = dice_below(dice, 3);
	double quiet = 10 + 60 * dice_uniform(dice), noise = 10 * dice_uniform(dice), value = quiet;
	int period = 10 + (int)dice_below(dice, 60);
	for (int i = 0; i < length; i++) {
		if (kind == 0)
			value = quiet + (dice_below(dice, 40) == 0 ? 60 * dice_uniform(dice) : 0);
		else if (kind == 1)
			value = i % period < 2 ? 95 : quiet;
		else
			value = value > 110 ? quiet : value + 100.0 / period;
		double max = fabs(value + noise * dice_normal(dice));
		steps[i] = (struct step){ .mean = (float)(0.9 * max), .max = (float)max };
	}
	for (int i = 0; i < length / 100; i++) {
		int at = (int)dice_below(dice, (unsigned)length), gaps = dice_below(dice, 4) ? 2 : 30;
		for (int j = at; j < at + gaps && j < length; j++)
			steps[j] = none;
	}
}

/* Steps from `first` on; gaps are told when `told`, or else left out. */
static void live(struct forecaster *forecaster, const struct step steps[], int first, int end, bool told)
{
	for (int i = first; i < end; i++) {
		if (told || !isnan(steps[i].max))
			forecaster_add(forecaster, START + i, steps[i]);
	}
}

static char *saved(const struct forecaster *forecaster)
{
	struct text text = TEXT_EMPTY;
	forecaster_save(forecaster, &text);
	assert_non_null(text.data);
	assert_null(strchr(text.data, '\n'));
	return text.data;
}

/* How the weights have moved and the squares of the gradients, of log-odds then rise. */
struct learnt {
	long long newest;
	double moved[2][PRIOR_INPUTS], squares[2][PRIOR_INPUTS];
};

static double number_of(const char *at, int count)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
	double number = 0;
	for (int i = 0; i < count; i++) {
		const char *digit = at[i] ? strchr(digits, at[i]) : NULL;
		assert_non_null(digit);
		number = 64 * number + (double)(digit - digits);
	}
	return number;
}

static struct learnt learnt_of(const struct forecaster *forecaster)
{
	struct learnt learnt;
	char *line = saved(forecaster), *at = line;
	int length = 0;
	assert_int_equal(sscanf(at, "3 %lld%n", &learnt.newest, &length), 1);
	at += length;
	for (int sum = 0; sum < 2; sum++) {
		assert_int_equal(*at++, ' ');
		for (unsigned i = 0; i < PRIOR_INPUTS; i++, at += 7) {
			learnt.moved[sum][i] = number_of(at, 4) / (1 << 21) - 4;
			learnt.squares[sum][i] = exp2(number_of(at + 4, 3) / (1 << 13));
		}
	}
	assert_int_equal(*at, ' '); /* the limit and the week follow */
	free(line);
	return learnt;
}

static bool has_learnt(const struct forecaster *forecaster)
{
	struct learnt learnt = learnt_of(forecaster);
	bool any = false;
	for (int sum = 0; sum < 2; sum++) {
		for (unsigned i = 0; i < PRIOR_INPUTS; i++)
			any = any || learnt.moved[sum][i] != 0 || learnt.squares[sum][i] != 1;
	}
	return any;
}

static void assert_same_learnt(const struct learnt *one, const struct learnt *other, double tolerance)
{
	for (int sum = 0; sum < 2; sum++) {
		for (unsigned i = 0; i < PRIOR_INPUTS; i++) {
			if (!(fabs(one->moved[sum][i] - other->moved[sum][i]) <= tolerance * (0.05 + fabs(other->moved[sum][i]))) ||
			    !(fabs(one->squares[sum][i] - other->squares[sum][i]) <= tolerance * other->squares[sum][i]))
				fail_msg("sum %d input %u: moved %g, not %g; squares %g, not %g", sum, i, one->moved[sum][i],
				         other->moved[sum][i], one->squares[sum][i], other->squares[sum][i]);
		}
	}
}

static void test_forecaster_predict_says_nothing_before_three_steps(void **state)
{
	(void)state;
	uint64_t dice = dice_take(1);
	struct prior prior;
	roll_prior(&dice, 0.1, &prior);
	static const struct {
		const char *steps; /* a digit is a value, . a gap */
		float present;
		double phase;
		bool expected;
	} cases[] = {
		{ "", NAN, 0, false },      { "", 5, 0.9, false },     { "1", NAN, 0, false },     { "1", 5, 0.5, false },
		{ "12", NAN, 0, false },    { "12", 5, 0.4, false },   { "12", 5, 0.5, true },     { "123", NAN, 0, true },
		{ "123", 5, 0, true },      { "...", NAN, 0, false },  { "...", 5, 0.9, false },   { "12.", NAN, 0, false },
		{ "12.", 5, 0.7, true },    { "12.3", NAN, 0, true },  { "123.", NAN, 0, true },   { "123..", NAN, 0, false },
		{ "123..", 5, 0, true },    { "123..", 5, 1, true },   { "123..4", NAN, 0, true }, { "123......", NAN, 0, false },
		{ "..12", NAN, 0, false },  { "..123", NAN, 0, true },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct forecaster *forecaster = forecaster_open(&prior, HORIZON, LIMIT);
		struct prediction prediction = { .probability = -7 };
		struct text text = TEXT_EMPTY;
		for (int at = 0; cases[i].steps[at]; at++)
			forecaster_add(forecaster, START + at, cases[i].steps[at] == '.' ? none : flat(cases[i].steps[at] - '0'));
		struct step present = { .mean = cases[i].present, .max = cases[i].present };
		bool predicted = forecaster_predict(forecaster, present, cases[i].phase, &prediction);
		if (predicted != cases[i].expected || predicted != (prediction.probability != -7))
			fail_msg("case %zu: %d %g", i, predicted, prediction.probability);
		forecaster_explain(forecaster, present, cases[i].phase, &text);
		assert_int_equal(text.length > 0, predicted);
		text_free(&text);
		forecaster_close(forecaster);
	}
}

static void test_forecaster_predict_a_constant_stays(void **state)
{
	(void)state;
	uint64_t dice = dice_take(2);
	struct prior prior;
	roll_prior(&dice, 1, &prior);
	static const struct {
		double value, probability, lead;
	} cases[] = { { 0, 0, NAN }, { 5, 0, NAN }, { 79.9, 0, NAN }, { 80, 0, NAN }, { 80.1, 1, 0 }, { 400, 1, 0 } };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct forecaster *forecaster = forecaster_open(&prior, HORIZON, LIMIT);
		struct prediction prediction;
		for (int at = 0; at < 700; at++) {
			forecaster_add(forecaster, START + at, at % 7 == 5 ? none : flat(cases[i].value));
			if (at < 2)
				continue;
			assert_true(forecaster_predict(forecaster, at % 2 ? none : flat(cases[i].value), 0.7, &prediction));
			assert_true(prediction.probability == cases[i].probability);
			assert_true(fabs(prediction.forecast - cases[i].value) < 1e-4);
			assert_true(isnan(cases[i].lead) ? isnan(prediction.lead_steps) : prediction.lead_steps == cases[i].lead);
		}
		struct text text = TEXT_EMPTY;
		forecaster_explain(forecaster, none, 0, &text);
		assert_string_equal(text.data, "it has never changed\n");
		text_free(&text);
		/* It has when the present is another. */
		assert_true(forecaster_predict(forecaster, flat(cases[i].value + 1), 0.7, &prediction));
		assert_true(prediction.probability > 0 && prediction.probability < 1);
		assert_false(has_learnt(forecaster));
		forecaster_close(forecaster);
	}
}

/* Whatever the weights and the series are. */
static void test_forecaster_predict_random_series_keeps_its_bounds(void **state)
{
	(void)state;
	uint64_t dice = dice_take(3);
	unsigned likely = 0, unlikely = 0;
	for (int round = 0; round < 60; round++) {
		struct prior prior;
		struct step steps[LENGTH];
		unsigned horizon = round < 10 ? 1 + (unsigned)round : 1 + dice_below(&dice, FORECASTER_HORIZON_MAX);
		double limit = round % 9 == 8 ? 0 : round % 9 == 7 ? 1e-30 : LIMIT;
		double size = round % 5 == 4 ? 1e6 : round % 5 == 3 ? 3e38 : 1;
		roll_prior(&dice, 0.2, &prior);
		roll_series(&dice, steps, LENGTH / 3);
		struct forecaster *forecaster = forecaster_open(&prior, horizon, limit);
		for (int i = 0; i < LENGTH / 3; i++) {
			struct prediction prediction;
			struct step step = { steps[i].mean * (float)size, steps[i].max * (float)size };
			forecaster_add(forecaster, START + i, step);
			if (!forecaster_predict(forecaster, dice_below(&dice, 2) ? none : step, dice_uniform(&dice), &prediction))
				continue;
			assert_true(prediction.probability >= 0 && prediction.probability <= 1);
			assert_true(prediction.forecast >= 0 && isfinite(prediction.forecast));
			assert_true(prediction.probability <= 0.5 || prediction.forecast >= limit);
			assert_true(isnan(prediction.lead_steps) ?
			                    prediction.probability < 0.05 :
			                    prediction.probability >= 0.05 && prediction.lead_steps >= 0 && prediction.lead_steps <= horizon);
			likely += prediction.probability > 0.5;
			unlikely += prediction.probability < 0.05;
		}
		forecaster_close(forecaster);
	}
	assert_true(likely > 1000 && unlikely > 1000);
}

/* Before anything is learnt the prediction is the prior's, from the series' features, where no climb says more. */
static void test_forecaster_predict_unlearnt_is_the_prior(void **state)
{
	(void)state;
	uint64_t dice = dice_take(4);
	struct prior prior;
	roll_prior(&dice, 0.05, &prior);
	unsigned predicted = 0;
	for (int round = 0; round < 200; round++) {
		struct forecaster *forecaster = forecaster_open(&prior, FORECASTER_HORIZON_MAX, LIMIT);
		struct timeline timeline;
		struct step steps[FORECASTER_HORIZON_MAX];
		int length = 2 + (int)dice_below(&dice, FORECASTER_HORIZON_MAX - 2);
		roll_series(&dice, steps, length);
		timeline_init(&timeline);
		for (int i = 0; i < length; i++) {
			forecaster_add(forecaster, START + i, steps[i]);
			timeline_add(&timeline, START + i, (struct step){ steps[i].mean / 80, steps[i].max / 80 });
		}
		struct step present = round % 2 ? none : flat(100 * dice_uniform(&dice));
		double phase = dice_uniform(&dice);
		struct prediction prediction;
		struct features features;
		float inputs[PRIOR_INPUTS];
		bool expected = features_compute(&timeline, (struct step){ present.mean / 80, present.max / 80 }, phase,
		                                 FORECASTER_HORIZON_MAX, &features);
		assert_int_equal(forecaster_predict(forecaster, present, phase, &prediction), expected);
		if (expected && !features.constant) {
			predicted++;
			prior_inputs(&prior, &features, FORECASTER_HORIZON_MAX, inputs);
			double probability = 1 / (1 + exp(-prior_sum(prior.weights[PRIOR_LOG_ODDS], inputs)));
			double forecast = LIMIT * ((double)features.now + prior_sum(prior.weights[PRIOR_RISE], inputs));
			double lead = FORECASTER_HORIZON_MAX * prior_sum(prior.weights[PRIOR_LEAD], inputs);
			if (prediction.climb > probability) {
				assert_true(prediction.probability == prediction.climb);
				forecaster_close(forecaster);
				continue;
			}
			assert_true(fabs(prediction.probability - probability) < 1e-6);
			assert_true(fabs(prediction.forecast - fmax(forecast, probability > 0.5 ? LIMIT : 0)) < 1e-3);
			assert_true(probability < 0.05 || fabs(prediction.lead_steps - fmin(48, fmax(0, lead))) < 1e-3);
		}
		forecaster_close(forecaster);
	}
	assert_true(predicted > 150);
}

/* The third step is the first to predict from; its label is known a horizon later. */
static void test_forecaster_add_learns_once_the_horizon_has_passed(void **state)
{
	(void)state;
	uint64_t dice = dice_take(5);
	struct prior prior;
	roll_prior(&dice, 0.1, &prior);
	static const unsigned horizons[] = { 1, 2, 3, 6, 12, 47, FORECASTER_HORIZON_MAX };
	for (size_t i = 0; i < sizeof(horizons) / sizeof(horizons[0]); i++) {
		struct forecaster *forecaster = forecaster_open(&prior, horizons[i], LIMIT);
		for (unsigned at = 0; at <= horizons[i] + 2; at++) {
			assert_false(has_learnt(forecaster));
			forecaster_add(forecaster, START + at, flat(10 + at));
		}
		assert_true(has_learnt(forecaster));
		forecaster_close(forecaster);
	}
}

/* Of steps over the limit, and where the label is not known, nothing is learnt. */
static void test_forecaster_add_what_is_learnt_table(void **state)
{
	(void)state;
	uint64_t dice = dice_take(6);
	struct prior prior;
	roll_prior(&dice, 0.1, &prior);
	static const struct {
		const char *steps; /* a digit is ten percent, + is over the limit, . a gap that is told, _ one that is left out */
		bool expected;
	} cases[] = {
		/* Within four steps of the third one, the first that has features. */
		{ "1122345", true },
		{ "112234", false },
		{ "112...5", false },
		{ "112..45", false }, /* half */
		{ "112.345", true },
		{ "112.+..", true },
		{ "112...+", true },
		{ "112__45", false },
		{ "112_345", true },
		{ "112345_", false },
		{ "112345_7", true },
		{ "112____", false },
		{ "112____7", false },
		{ "112____789", false },
		{ "112____7891", false },
		{ "112____78912", true },
		{ "112____________________78912", true },
		{ "112____________________7891", false },
		{ "11+2345", false },
		{ "+++2345", false },
		{ "+++++++++++++", false },
		{ "11+234512", true },
		{ "1111111", false },
		{ "11111112345", false },
		{ "111111123456", true },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct forecaster *forecaster = forecaster_open(&prior, 4, LIMIT);
		for (int at = 0; cases[i].steps[at]; at++) {
			char step = cases[i].steps[at];
			if (step != '_')
				forecaster_add(forecaster, START + at, step == '.' ? none : flat(step == '+' ? 85 : 10 * (step - '0')));
		}
		if (has_learnt(forecaster) != cases[i].expected)
			fail_msg("'%s'", cases[i].steps);
		forecaster_close(forecaster);
	}
}

/*
 * What a model has learnt of a series, in double, by the rates that the first update of the
 * one under test shows: they are measured, and none of a test's business.
 */
struct shadow {
	const struct prior *prior;
	unsigned horizon;
	struct timeline timeline;
	int learnt;
	double rates[2];
	double weights[2][PRIOR_INPUTS], squares[2][PRIOR_INPUTS];
	struct {
		bool valid;
		double now;
		float inputs[PRIOR_INPUTS];
	} rows[LENGTH];
};

static void shadow_learn(struct shadow *shadow, int sum, const float inputs[], double slope, const struct learnt *seen)
{
	if (shadow->learnt == 0) {
		double gradient = 0, moved = 0;
		for (unsigned i = 0; i < PRIOR_INPUTS; i++) {
			if (fabs(slope * (double)inputs[i]) > fabs(gradient)) {
				gradient = slope * (double)inputs[i];
				moved = seen->moved[sum][i];
			}
		}
		shadow->rates[sum] = -moved / (gradient / sqrt(1 + gradient * gradient));
		assert_true(shadow->rates[sum] > 1e-5 && shadow->rates[sum] < 0.2);
	}
	for (unsigned i = 0; i < PRIOR_INPUTS; i++) {
		double gradient = slope * (double)inputs[i];
		shadow->squares[sum][i] += gradient * gradient;
		shadow->weights[sum][i] -= shadow->rates[sum] * gradient / sqrt(shadow->squares[sum][i]);
	}
}

static double shadow_sum(const double weights[], const float inputs[])
{
	double sum = 0;
	for (unsigned i = 0; i < PRIOR_INPUTS; i++)
		sum += weights[i] * (double)inputs[i];
	return sum;
}

/* Step `at` of `steps` has just been added to the one under test, which is now as `seen`. */
static void shadow_add(struct shadow *shadow, const struct step steps[], int at, bool told, const struct learnt *seen)
{
	struct features features;
	shadow->rows[at].valid = false;
	if (!told && isnan(steps[at].max))
		return;
	timeline_add(&shadow->timeline, START + at, (struct step){ steps[at].mean / 80, steps[at].max / 80 });
	int row = at - (int)shadow->horizon;
	if (row >= 0 && shadow->rows[row].valid) {
		double highest = -INFINITY;
		int known = 0;
		for (int i = row + 1; i <= at; i++) {
			known += !isnan(steps[i].max);
			highest = fmax(highest, (double)steps[i].max / LIMIT);
		}
		if (highest > 1 || 2 * known > (int)shadow->horizon) {
			const float *inputs = shadow->rows[row].inputs;
			double slope = 1 / (1 + exp(-shadow_sum(shadow->weights[0], inputs))) - (highest > 1);
			double error = shadow_sum(shadow->weights[1], inputs) - (highest - shadow->rows[row].now);
			shadow_learn(shadow, 0, inputs, slope, seen);
			shadow_learn(shadow, 1, inputs, fmax(-1, fmin(1, error / 0.05)), seen);
			shadow->learnt++;
		}
	}
	if (features_compute(&shadow->timeline, none, 0, shadow->horizon, &features) && features.now <= 1 && !features.constant) {
		shadow->rows[at].valid = true;
		shadow->rows[at].now = (double)features.now;
		prior_inputs(shadow->prior, &features, shadow->horizon, shadow->rows[at].inputs);
	}
}

static void test_forecaster_add_learns_as_an_independent_model(void **state)
{
	(void)state;
	uint64_t dice = dice_take(7);
	static struct shadow shadow;
	for (int round = 0; round < 24; round++) {
		struct prior prior;
		struct step steps[LENGTH];
		bool told = round % 2;
		unsigned horizon = round % 3 == 0 ? HORIZON : 1 + dice_below(&dice, FORECASTER_HORIZON_MAX);
		roll_prior(&dice, 0.05, &prior);
		roll_series(&dice, steps, LENGTH);
		struct forecaster *forecaster = forecaster_open(&prior, horizon, LIMIT);
		memset(&shadow, 0, sizeof(shadow));
		timeline_init(&shadow.timeline);
		shadow.prior = &prior;
		shadow.horizon = horizon;
		for (int sum = 0; sum < 2; sum++) {
			for (unsigned i = 0; i < PRIOR_INPUTS; i++) {
				shadow.weights[sum][i] = (double)prior.weights[sum][i];
				shadow.squares[sum][i] = 1;
			}
		}
		struct learnt seen = learnt_of(forecaster), expected;
		for (int i = 0; i < LENGTH; i++) {
			live(forecaster, steps, i, i + 1, told);
			if (shadow.learnt == 0)
				seen = learnt_of(forecaster);
			shadow_add(&shadow, steps, i, told, &seen);
		}
		seen = learnt_of(forecaster);
		double most[2] = { 0 };
		for (int sum = 0; sum < 2; sum++) {
			for (unsigned i = 0; i < PRIOR_INPUTS; i++) {
				expected.moved[sum][i] = shadow.weights[sum][i] - (double)prior.weights[sum][i];
				expected.squares[sum][i] = shadow.squares[sum][i];
				most[sum] = fmax(most[sum], fabs(expected.moved[sum][i]));
			}
			assert_true(most[sum] > 0.01);
		}
		assert_true(shadow.learnt > 20);
		assert_same_learnt(&seen, &expected, 0.02);
		forecaster_close(forecaster);
	}
}

/* A rise to 70 % comes before the limit is passed, and a fall to 10 % before nothing. */
static void test_forecaster_add_learns_what_the_prior_does_not_know(void **state)
{
	(void)state;
	uint64_t dice = dice_take(8);
	struct prior prior = { 0 };
	for (unsigned i = 0; i < PRIOR_INPUTS; i++)
		prior.scale[i] = 0.2f;
	prior.scale[PRIOR_ONE] = 1;
	struct forecaster *forecaster = forecaster_open(&prior, HORIZON, LIMIT);
	struct prediction prediction;
	double sums[2] = { 0 }, counts[2] = { 0 };
	for (int i = 0, at = 0; i < 250; i++) {
		bool passes = dice_below(&dice, 2);
		for (int step = 0, length = 10 + (int)dice_below(&dice, 15); step < length; step++, at++) {
			bool sign = step == 5;
			forecaster_add(forecaster, START + at, flat(sign ? (passes ? 70 : 10) : passes && step == 8 ? 95 : 40 + dice_normal(&dice)));
			if (sign && i > 150) {
				assert_true(forecaster_predict(forecaster, none, 0, &prediction));
				sums[passes] += prediction.probability;
				counts[passes]++;
			}
		}
	}
	print_message("probability after a rise %.3f, after a fall %.3f\n", sums[1] / counts[1], sums[0] / counts[0]);
	assert_true(sums[1] / counts[1] > 0.25);
	assert_true(sums[0] / counts[0] < 0.15);
	forecaster_close(forecaster);
}

static void assert_same_predictions(struct forecaster *one, struct forecaster *other, double tolerance)
{
	struct prediction a = { 0 }, b = { 0 };
	assert_int_equal(forecaster_predict(one, none, 0, &a), forecaster_predict(other, none, 0, &b));
	/* From a half on the forecast is not under the limit. */
	bool alike = (a.probability > 0.5) == (b.probability > 0.5);
	if (!(fabs(a.probability - b.probability) <= tolerance) ||
	    (alike && !(fabs(a.forecast - b.forecast) <= 100 * tolerance)))
		fail_msg("probability %g and %g, forecast %g and %g", a.probability, b.probability, a.forecast, b.forecast);
}

/* The restarted one has the line and sees the same history once more: it is then the other. */
static void test_forecaster_restore_then_the_same_history_is_as_if_never_ended(void **state)
{
	(void)state;
	uint64_t dice = dice_take(9);
	for (int round = 0; round < 20; round++) {
		struct prior prior;
		struct step steps[LENGTH];
		bool told = round % 2;
		unsigned horizon = round % 3 ? 1 + dice_below(&dice, FORECASTER_HORIZON_MAX) : HORIZON;
		int restarts = 1 + round % 4;
		roll_prior(&dice, 0.05, &prior);
		roll_series(&dice, steps, LENGTH);
		struct forecaster *lasting = forecaster_open(&prior, horizon, LIMIT), *restarted = NULL;
		char *line = NULL;
		for (int part = 0; part <= restarts; part++) {
			int first = part * LENGTH / (restarts + 1), end = (part + 1) * LENGTH / (restarts + 1);
			restarted = forecaster_open(&prior, horizon, LIMIT);
			assert_true(!line || forecaster_restore(restarted, line));
			live(restarted, steps, 0, first, told);
			if (line) {
				struct learnt a = learnt_of(restarted), b = learnt_of(lasting);
				assert_int_equal(a.newest, b.newest);
				assert_same_learnt(&a, &b, 3e-3);
			}
			for (int i = first; i < end; i++) {
				live(lasting, steps, i, i + 1, told);
				live(restarted, steps, i, i + 1, told);
				assert_same_predictions(restarted, lasting, 1e-3);
			}
			struct learnt a = learnt_of(restarted), b = learnt_of(lasting);
			assert_same_learnt(&a, &b, 5e-3);
			free(line);
			line = saved(restarted);
			forecaster_close(restarted);
		}
		/* Without the line it would be another. */
		restarted = forecaster_open(&prior, horizon, LIMIT);
		assert_true(has_learnt(lasting));
		forecaster_close(restarted);
		forecaster_close(lasting);
		free(line);
	}
}

/* A history that ends before what was learnt, or is looked at with another horizon, teaches nothing twice. */
static void test_forecaster_restore_nothing_is_learnt_twice(void **state)
{
	(void)state;
	uint64_t dice = dice_take(10);
	struct prior prior;
	struct step steps[LENGTH];
	roll_prior(&dice, 0.05, &prior);
	roll_series(&dice, steps, LENGTH);
	static const unsigned horizons[] = { HORIZON, 1, 12, FORECASTER_HORIZON_MAX };
	struct forecaster *lasting = forecaster_open(&prior, HORIZON, LIMIT);
	live(lasting, steps, 0, LENGTH, true);
	char *line = saved(lasting);
	const struct learnt learnt = learnt_of(lasting);
	for (size_t i = 0; i < sizeof(horizons) / sizeof(horizons[0]); i++) {
		struct forecaster *restarted = forecaster_open(&prior, horizons[i], LIMIT);
		assert_true(forecaster_restore(restarted, line));
		for (int at = 0; at < LENGTH; at++) {
			live(restarted, steps, at, at + 1, true);
			if (at % 100 == 0 || at == LENGTH - 1) {
				struct learnt again = learnt_of(restarted);
				assert_int_equal(again.newest, learnt.newest);
				assert_same_learnt(&again, &learnt, 1e-3);
			}
		}
		for (int at = LENGTH; at < LENGTH + 60; at++)
			forecaster_add(restarted, START + at, flat(20 + at % 2));
		char *again = saved(restarted);
		assert_string_not_equal(again + 10, line + 10);
		free(again);
		forecaster_close(restarted);
	}
	free(line);
	forecaster_close(lasting);
}

static void test_forecaster_save_of_nothing_is_restored(void **state)
{
	(void)state;
	uint64_t dice = dice_take(11);
	struct prior prior;
	roll_prior(&dice, 0.05, &prior);
	struct forecaster *forecaster = forecaster_open(&prior, 2, LIMIT);
	assert_true(forecaster_newest(forecaster) == INT64_MIN);
	char *line = saved(forecaster);
	assert_true(learnt_of(forecaster).newest == INT64_MIN);
	assert_true(forecaster_restore(forecaster, line));
	free(line);
	for (int i = 0; i < 5; i++)
		forecaster_add(forecaster, START + i, flat(i));
	assert_true(has_learnt(forecaster));
	assert_true(forecaster_newest(forecaster) == START + 4);
	forecaster_close(forecaster);
}

/* The week is in units of the limit, and goes on in those of another. */
static void test_forecaster_restore_with_another_limit_keeps_the_week(void **state)
{
	(void)state;
	uint64_t dice = dice_take(18);
	struct prior prior;
	roll_prior(&dice, 0.05, &prior);
	struct forecaster *forecaster = forecaster_open(&prior, HORIZON, 80), *other = forecaster_open(&prior, HORIZON, 40);
	for (int i = 0; i < 9 * TIMELINE_DAY; i++)
		forecaster_add(forecaster, START + i, flat(20));
	char *line = saved(forecaster);
	assert_string_equal(line + strlen(line) - 6, "212121");
	assert_true(forecaster_restore(other, line));
	free(line);
	line = saved(other);
	assert_non_null(strstr(line, " 40 "));
	assert_string_equal(line + strlen(line) - 6, "414141");
	free(line);
	forecaster_close(forecaster);
	forecaster_close(other);
}

static void assert_not_restored(struct forecaster *forecaster, const char *line, const char *before)
{
	if (forecaster_restore(forecaster, line))
		fail_msg("'%.40s' (%zu bytes) was taken", line, strlen(line));
	char *after = saved(forecaster);
	assert_string_equal(after, before);
	free(after);
}

static void test_forecaster_restore_broken_lines_are_refused(void **state)
{
	(void)state;
	uint64_t dice = dice_take(12);
	struct prior prior;
	struct step steps[LENGTH];
	roll_prior(&dice, 0.05, &prior);
	roll_series(&dice, steps, LENGTH);
	struct forecaster *forecaster = forecaster_open(&prior, HORIZON, LIMIT), *fresh = forecaster_open(&prior, HORIZON, LIMIT);
	live(forecaster, steps, 0, LENGTH, true);
	char *line = saved(forecaster), *before = saved(fresh);
	for (size_t length = 0; length < strlen(line); length++) {
		char *cut = strndup(line, length);
		assert_not_restored(fresh, cut, before);
		free(cut);
	}
	static const struct {
		const char *old, *instead;
	} cases[] = {
		{ "3 ", "2 " },  { "3 ", "33 " }, { "3 ", "" },      { "3 ", " 3 " }, { "3 ", "3  " }, { "3 ", "3" },
		{ "3 ", "3 x" }, { "3 ", "3 99999999999999" }, { "3 ", "3 1 " },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct text other = TEXT_EMPTY;
		const char *at = strstr(line, cases[i].old);
		text_append(&other, line, (size_t)(at - line));
		text_append_string(&other, cases[i].instead);
		text_append_string(&other, at + strlen(cases[i].old));
		assert_not_restored(fresh, other.data, before);
		text_free(&other);
	}
	for (const char *no_digit = " :\n.+=\x7f\xe9"; *no_digit; no_digit++) {
		size_t places[] = { strlen(line) - 1, strlen(line) - 6, strlen(line) - 1 - (size_t)PRIOR_INPUTS * 7 - 1 };
		for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
			char *other = strdup(line);
			other[places[i]] = *no_digit;
			assert_not_restored(fresh, other, before);
			free(other);
		}
	}
	struct text other = TEXT_EMPTY;
	text_printf(&other, "%s ", line);
	assert_not_restored(fresh, other.data, before);
	text_reset(&other);
	text_printf(&other, "%s0000000", line);
	assert_not_restored(fresh, other.data, before);
	text_free(&other);
	assert_true(forecaster_restore(fresh, line));
	free(line);
	free(before);
	forecaster_close(fresh);
	forecaster_close(forecaster);
}

static void test_forecaster_add_steps_that_are_not_later_are_ignored(void **state)
{
	(void)state;
	uint64_t dice = dice_take(13);
	struct prior prior;
	struct step steps[LENGTH];
	roll_prior(&dice, 0.05, &prior);
	roll_series(&dice, steps, LENGTH);
	struct forecaster *plain = forecaster_open(&prior, HORIZON, LIMIT), *disturbed = forecaster_open(&prior, HORIZON, LIMIT);
	for (int i = 0; i < 300; i++) {
		live(plain, steps, i, i + 1, true);
		live(disturbed, steps, i, i + 1, true);
		forecaster_add(disturbed, START + i, flat(99));
		forecaster_add(disturbed, START + i - (int)dice_below(&dice, 20), flat(1));
		forecaster_add(disturbed, INT64_MIN, flat(1));
		assert_true(forecaster_newest(disturbed) == START + i);
		assert_same_predictions(disturbed, plain, 0);
	}
	char *one = saved(plain), *other = saved(disturbed);
	assert_string_equal(one, other);
	free(one);
	free(other);
	forecaster_close(plain);
	forecaster_close(disturbed);
}

/* What is predicted of a step depends on nothing after it, nor on having been asked. */
static void test_forecaster_predict_sees_nothing_of_the_future(void **state)
{
	(void)state;
	uint64_t dice = dice_take(14);
	for (int round = 0; round < 10; round++) {
		struct prior prior;
		struct step steps[LENGTH], others[LENGTH];
		roll_prior(&dice, 0.05, &prior);
		roll_series(&dice, steps, LENGTH / 2);
		roll_series(&dice, others, LENGTH / 2);
		int parts = 2 + (int)dice_below(&dice, LENGTH / 2 - 2);
		memcpy(others, steps, (size_t)parts * sizeof(steps[0]));
		struct forecaster *one = forecaster_open(&prior, HORIZON, LIMIT), *other = forecaster_open(&prior, HORIZON, LIMIT);
		struct forecaster *prefix = forecaster_open(&prior, HORIZON, LIMIT);
		for (int i = 0; i < LENGTH / 2; i++) {
			struct prediction prediction;
			live(one, steps, i, i + 1, true);
			live(other, others, i, i + 1, true);
			(void)!forecaster_predict(other, flat(95), dice_uniform(&dice), &prediction);
			if (i < parts)
				assert_same_predictions(one, other, 0);
		}
		live(prefix, steps, 0, parts, true);
		forecaster_close(one);
		one = forecaster_open(&prior, HORIZON, LIMIT);
		live(one, others, 0, parts, true);
		assert_same_predictions(prefix, one, 0);
		forecaster_close(prefix);
		forecaster_close(one);
		forecaster_close(other);
	}
}

/* The parts and the two inputs that are no features make the log-odds. */
static void test_forecaster_explain_the_parts_make_the_log_odds(void **state)
{
	(void)state;
	uint64_t dice = dice_take(15);
	struct prior prior;
	struct step steps[LENGTH];
	struct text text = TEXT_EMPTY;
	struct prediction prediction;
	roll_prior(&dice, 0.05, &prior);
	prior.scale[PRIOR_HORIZON] = 2;
	roll_series(&dice, steps, LENGTH);
	struct forecaster *forecaster = forecaster_open(&prior, 12, LIMIT);
	live(forecaster, steps, 0, LENGTH, true);
	assert_true(forecaster_predict(forecaster, flat(60), 0.7, &prediction));
	forecaster_explain(forecaster, flat(60), 0.7, &text);
	struct learnt learnt = learnt_of(forecaster);
	double horizon = (double)prior.weights[PRIOR_LOG_ODDS][PRIOR_HORIZON] + learnt.moved[0][PRIOR_HORIZON];
	double sum = (double)prior.weights[PRIOR_LOG_ODDS][PRIOR_ONE] + learnt.moved[0][PRIOR_ONE] + horizon * (log(2) - (double)prior.center[PRIOR_HORIZON]) / 2;
	double before = INFINITY;
	bool seen[FEATURE_COUNT] = { false };
	char *rest = text.data;
	unsigned lines = 0;
	for (char *line = strsep(&rest, "\n"); line && *line; line = strsep(&rest, "\n"), lines++) {
		char name[32], start[200];
		double part, value;
		assert_int_equal(sscanf(line, "%lf %31s = %lf", &part, name, &value), 3);
		assert_true(fabs(part) <= before);
		before = fabs(part);
		sum += part;
		for (unsigned i = 0; i < FEATURE_COUNT; i++) {
			if (strcmp(feature_name(i), name) != 0)
				continue;
			assert_false(seen[i]);
			seen[i] = true;
			snprintf(start, sizeof(start), "(%s)", feature_meaning(i));
			assert_string_equal(strchr(line, '('), start);
			if (strcmp(name, "now") == 0)
				assert_true(fabs(value - 0.75) < 1e-3);
		}
	}
	assert_int_equal(lines, FEATURE_COUNT + 1);
	assert_true(fabs(sum - log(prediction.probability / (1 - prediction.probability))) < 0.05);
	text_free(&text);
	forecaster_close(forecaster);
}

static void test_forecaster_open_takes_one_piece_of_memory_under_8_kib(void **state)
{
	(void)state;
	struct prior prior;
	uint64_t dice = dice_take(16);
	roll_prior(&dice, 0.05, &prior);
	long before = failing_unfreed();
	struct forecaster *forecaster = forecaster_open(&prior, HORIZON, LIMIT);
	size_t size = malloc_usable_size(forecaster);
	print_message("a forecaster of horizon %d is %zu bytes\n", HORIZON, size);
	assert_true(size < 8 * 1024);
	assert_int_equal(failing_unfreed(), before + FAILING_MALLOC);
	for (int i = 0; i < 700; i++)
		forecaster_add(forecaster, START + i, flat(i % 50));
	assert_int_equal(failing_unfreed(), before + FAILING_MALLOC);
	forecaster_close(forecaster);
	forecaster_close(NULL);
	assert_int_equal(failing_unfreed(), before);
	if (FAILING_MALLOC) {
		failing_start(1);
		forecaster = forecaster_open(&prior, HORIZON, LIMIT);
		assert_true(failing_stop());
		assert_null(forecaster);
	}
}

/* Printed, not judged: what else runs on the machine is not known. */
static void test_forecaster_predict_takes_its_time(void **state)
{
	(void)state;
	enum { ROUNDS = 2000 };
	uint64_t dice = dice_take(17);
	struct prior prior;
	struct step steps[LENGTH];
	struct prediction prediction;
	struct timespec from, to;
	roll_prior(&dice, 0.05, &prior);
	roll_series(&dice, steps, LENGTH);
	struct forecaster *forecaster = forecaster_open(&prior, HORIZON, LIMIT);
	live(forecaster, steps, 0, LENGTH, true);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	for (int i = 0; i < ROUNDS; i++) {
		if (i % 5 == 0)
			forecaster_add(forecaster, START + LENGTH + i / 5, steps[i % LENGTH]);
		(void)!forecaster_predict(forecaster, flat(50), i % 5 / 5.0, &prediction);
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	double us = ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) / 1e3 / ROUNDS;
	print_message("a prediction and a fifth of a step take %.1f us\n", us);
	assert_true(us < 5000);
	forecaster_close(forecaster);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forecaster_predict_says_nothing_before_three_steps),
		cmocka_unit_test(test_forecaster_predict_a_constant_stays),
		cmocka_unit_test(test_forecaster_predict_random_series_keeps_its_bounds),
		cmocka_unit_test(test_forecaster_predict_unlearnt_is_the_prior),
		cmocka_unit_test(test_forecaster_add_learns_once_the_horizon_has_passed),
		cmocka_unit_test(test_forecaster_add_what_is_learnt_table),
		cmocka_unit_test(test_forecaster_add_learns_as_an_independent_model),
		cmocka_unit_test(test_forecaster_add_learns_what_the_prior_does_not_know),
		cmocka_unit_test(test_forecaster_restore_then_the_same_history_is_as_if_never_ended),
		cmocka_unit_test(test_forecaster_restore_nothing_is_learnt_twice),
		cmocka_unit_test(test_forecaster_save_of_nothing_is_restored),
		cmocka_unit_test(test_forecaster_restore_with_another_limit_keeps_the_week),
		cmocka_unit_test(test_forecaster_restore_broken_lines_are_refused),
		cmocka_unit_test(test_forecaster_add_steps_that_are_not_later_are_ignored),
		cmocka_unit_test(test_forecaster_predict_sees_nothing_of_the_future),
		cmocka_unit_test(test_forecaster_explain_the_parts_make_the_log_odds),
		cmocka_unit_test(test_forecaster_open_takes_one_piece_of_memory_under_8_kib),
		cmocka_unit_test(test_forecaster_predict_takes_its_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
