/* forecast/learner.h */
#include "tests/unit/support/cmocka.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/forecast/dice.h"
#include "forecast/learner.h"

static void assert_near(long double seen, long double expected, long double tolerance, const char *what, unsigned input)
{
	if (!(fabsl(seen - expected) <= tolerance * (1 + fabsl(expected))))
		fail_msg("%s of input %u: %.9Lg, not %.9Lg", what, input, seen, expected);
}

static long double sum_of(const long double weights[], const float inputs[])
{
	long double sum = 0;
	for (unsigned i = 0; i < PRIOR_INPUTS; i++)
		sum += weights[i] * (long double)inputs[i];
	return sum;
}

/* -log of the probability that the weights give to what happened. */
static long double logistic_loss(const long double weights[], const float inputs[], long double happened)
{
	long double sum = sum_of(weights, inputs);
	return log1pl(expl(happened != 0 ? -sum : sum));
}

/* The absolute error, a parabola within 0.05 of zero. */
static long double absolute_loss(const long double weights[], const float inputs[], long double truth)
{
	long double error = fabsl(sum_of(weights, inputs) - truth);
	return error < 0.05L ? error * error / 0.1L : error - 0.025L;
}

typedef long double loss(const long double weights[], const float inputs[], long double truth);

static long double derivative(loss *loss_of, const float weights[], const float inputs[], long double truth, unsigned by)
{
	const long double step = 1e-6L;
	long double moved[PRIOR_INPUTS];
	for (unsigned i = 0; i < PRIOR_INPUTS; i++)
		moved[i] = (long double)weights[i];
	moved[by] += step;
	long double after = loss_of(moved, inputs, truth);
	moved[by] -= 2 * step;
	return (after - loss_of(moved, inputs, truth)) / (2 * step);
}

/* Weights and inputs as the model has them, the last input being 1. */
static void roll(uint64_t *dice, double size, float weights[PRIOR_INPUTS], float inputs[PRIOR_INPUTS])
{
	for (unsigned i = 0; i < PRIOR_INPUTS; i++) {
		weights[i] = (float)(size * dice_normal(dice));
		inputs[i] = (float)fmax(-4, fmin(4, dice_normal(dice)));
	}
	inputs[PRIOR_ONE] = 1;
}

/* What a first update of rate 1 did tells the gradient: it is the derivative of the loss. */
static void assert_gradient(loss *loss_of, const float weights[], const float inputs[], double slope, long double truth)
{
	struct learner learner;
	learner_init(&learner, weights);
	learner_update(&learner, inputs, slope, 1);
	for (unsigned i = 0; i < PRIOR_INPUTS; i++) {
		long double gradient = derivative(loss_of, weights, inputs, truth, i);
		assert_near((long double)learner.squares[i], 1 + gradient * gradient, 1e-5L, "square", i);
		assert_near((long double)(learner.weights[i] - weights[i]), -gradient / sqrtl(1 + gradient * gradient), 1e-5L,
		            "move", i);
	}
}

static void test_learner_update_logistic_gradient_is_the_numerical_derivative(void **state)
{
	(void)state;
	uint64_t dice = dice_take(2);
	for (int round = 0; round < 300; round++) {
		float weights[PRIOR_INPUTS], inputs[PRIOR_INPUTS];
		bool happened = dice_below(&dice, 2);
		roll(&dice, round % 2 ? 0.1 : 0.4, weights, inputs);
		assert_gradient(logistic_loss, weights, inputs, learner_probability(prior_sum(weights, inputs)) - happened,
		                happened);
	}
}

static void test_learner_update_absolute_gradient_is_the_numerical_derivative(void **state)
{
	(void)state;
	uint64_t dice = dice_take(3);
	for (int round = 0; round < 300; round++) {
		float weights[PRIOR_INPUTS], inputs[PRIOR_INPUTS];
		roll(&dice, 0.1, weights, inputs);
		double sum = prior_sum(weights, inputs);
		double error = round % 3 ? 0.098 * (dice_uniform(&dice) - 0.5) : (dice_below(&dice, 2) ? 0.06 : -0.06);
		assert_gradient(absolute_loss, weights, inputs, learner_absolute_slope(error), (long double)(sum - error));
	}
}

/* Many updates, each from where the last one led, against AdaGrad in long double. */
static void test_learner_update_many_as_adagrad(void **state)
{
	(void)state;
	uint64_t dice = dice_take(4);
	const long double rate = 0.05L;
	float start[PRIOR_INPUTS], inputs[PRIOR_INPUTS];
	long double weights[PRIOR_INPUTS], squares[PRIOR_INPUTS];
	struct learner learner;
	roll(&dice, 0.2, start, inputs);
	learner_init(&learner, start);
	for (unsigned i = 0; i < PRIOR_INPUTS; i++) {
		weights[i] = (long double)start[i];
		squares[i] = 1;
	}
	for (int update = 0; update < 500; update++) {
		float unused[PRIOR_INPUTS];
		bool happened = dice_below(&dice, 4) == 0;
		roll(&dice, 1, unused, inputs);
		long double slope = 1 / (1 + expl(-sum_of(weights, inputs))) - happened;
		learner_update(&learner, inputs, learner_probability(prior_sum(learner.weights, inputs)) - happened, (double)rate);
		for (unsigned i = 0; i < PRIOR_INPUTS; i++) {
			long double gradient = slope * (long double)inputs[i];
			squares[i] += gradient * gradient;
			weights[i] -= rate * gradient / sqrtl(squares[i]);
			assert_near((long double)learner.weights[i], weights[i], 1e-4L, "weight", i);
			assert_near((long double)learner.squares[i], squares[i], 1e-4L, "square", i);
		}
	}
}

static void test_learner_init_starts_at_the_weights(void **state)
{
	(void)state;
	uint64_t dice = dice_take(5);
	float weights[PRIOR_INPUTS], inputs[PRIOR_INPUTS];
	struct learner learner;
	memset(&learner, 0xff, sizeof(learner));
	roll(&dice, 1, weights, inputs);
	learner_init(&learner, weights);
	assert_memory_equal(learner.weights, weights, sizeof(weights));
	for (unsigned i = 0; i < PRIOR_INPUTS; i++)
		assert_true(learner.squares[i] == 1);
}

static void test_learner_update_nothing_to_learn_changes_nothing(void **state)
{
	(void)state;
	uint64_t dice = dice_take(6);
	float weights[PRIOR_INPUTS], inputs[PRIOR_INPUTS], none[PRIOR_INPUTS] = { 0 };
	struct learner learner;
	roll(&dice, 1, weights, inputs);
	learner_init(&learner, weights);
	const struct learner before = learner;
	learner_update(&learner, inputs, 0, 1);
	learner_update(&learner, none, 1, 1);
	assert_memory_equal(&learner, &before, sizeof(learner));
}

static void test_learner_probability_table(void **state)
{
	(void)state;
	static const struct {
		double log_odds, expected;
	} cases[] = {
		{ 0, 0.5 },
		{ 1.0986122886681098, 0.75 },
		{ -1.0986122886681098, 0.25 },
		{ 4.59511985013459, 0.99 },
		{ -4.59511985013459, 0.01 },
		{ 1000, 1 },
		{ -1000, 0 },
		{ INFINITY, 1 },
		{ -INFINITY, 0 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		double seen = learner_probability(cases[i].log_odds);
		if (!(fabs(seen - cases[i].expected) < 1e-12))
			fail_msg("case %zu: %.15g", i, seen);
	}
}

static void test_learner_absolute_slope_table(void **state)
{
	(void)state;
	static const struct {
		double error, expected;
	} cases[] = {
		{ 0, 0 }, { 0.025, 0.5 }, { -0.025, -0.5 }, { 0.05, 1 },   { -0.05, -1 },          { 0.0501, 1 },
		{ -0.0501, -1 }, { 7, 1 }, { -7, -1 }, { 1e300, 1 }, { -INFINITY, -1 }, { INFINITY, 1 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		double seen = learner_absolute_slope(cases[i].error);
		if (!(fabs(seen - cases[i].expected) < 1e-12))
			fail_msg("case %zu: %.15g", i, seen);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_learner_init_starts_at_the_weights),
		cmocka_unit_test(test_learner_update_logistic_gradient_is_the_numerical_derivative),
		cmocka_unit_test(test_learner_update_absolute_gradient_is_the_numerical_derivative),
		cmocka_unit_test(test_learner_update_many_as_adagrad),
		cmocka_unit_test(test_learner_update_nothing_to_learn_changes_nothing),
		cmocka_unit_test(test_learner_probability_table),
		cmocka_unit_test(test_learner_absolute_slope_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
