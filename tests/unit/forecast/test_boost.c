/* forecast/boost.h and the trees that it makes, forecast/trees.h; the trees' text is tested in test_prior.c */
#include "tests/unit/support/cmocka.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/forecast/dice.h"
#include "forecast/boost.h"

enum { COUNT = 3000, TREES = 40 };

static float columns[COUNT][TREES_COLUMNS], weights[COUNT], log_odds[COUNT];
static bool happened[COUNT];
static struct trees trees, others;

/* What no sum of the columns tells: whether two of them are on the same side of a half; another is noise. */
static void roll_rows(uint64_t *dice, double told)
{
	memset(columns, 0, sizeof(columns));
	for (int i = 0; i < COUNT; i++) {
		for (unsigned j = 0; j < 5; j++)
			columns[i][j] = (float)dice_uniform(dice);
		bool alike = (columns[i][1] > 0.5f) == (columns[i][3] > 0.5f);
		happened[i] = dice_uniform(dice) < told ? alike : dice_below(dice, 2);
		weights[i] = 1;
		log_odds[i] = 0;
	}
}

static void fit(unsigned count, struct trees *ret_trees)
{
	const struct boost_rows rows = { .count = COUNT, .columns = columns[0], .stride = TREES_COLUMNS,
	                                 .happened = happened, .weights = weights, .log_odds = log_odds };
	struct boost *boost = boost_open(COUNT);
	assert_non_null(boost);
	boost_fit(boost, &rows, count, ret_trees);
	boost_close(boost);
}

static double loss(const float odds[])
{
	double sum = 0;
	for (int i = 0; i < COUNT; i++)
		sum += (double)weights[i] * log1p(exp(happened[i] ? -(double)odds[i] : (double)odds[i]));
	return sum / COUNT;
}

static void test_trees_sum_is_that_of_the_leaves(void **state)
{
	(void)state;
	uint64_t dice = dice_take(1);
	for (int round = 0; round < 200; round++) {
		float row[TREES_COLUMNS];
		double expected = 0;
		trees_init(&trees);
		assert_true(trees_sum(&trees, row) == 0);
		for (unsigned i = 0; i < TREES_COLUMNS; i++) {
			row[i] = (float)dice_normal(&dice);
			unsigned edges = dice_below(&dice, TREES_EDGES);
			for (unsigned j = 0; j < edges; j++)
				trees.edges[i][j] = (float)j / 8 - 3;
		}
		trees.count = 1 + dice_below(&dice, TREES_MAX);
		for (unsigned i = 0; i < trees.count; i++) {
			struct tree *tree = &trees.trees[i];
			unsigned leaf = 0;
			for (unsigned j = 0; j < TREES_DEPTH; j++) {
				tree->columns[j] = (uint8_t)dice_below(&dice, TREES_COLUMNS);
				tree->edges[j] = (uint8_t)dice_below(&dice, TREES_EDGES);
				/* What a column has no edge for, it is not over. */
				leaf += row[tree->columns[j]] > trees.edges[tree->columns[j]][tree->edges[j]] ? 1u << j : 0;
			}
			for (unsigned j = 0; j < TREES_LEAVES; j++)
				tree->leaves[j] = (int16_t)((int)dice_below(&dice, 65536) - 32768);
			expected += tree->leaves[leaf] / TREES_UNIT;
		}
		assert_true(fabs(trees_sum(&trees, row) - expected) < 1e-9);
	}
}

static void test_boost_fit_learns_what_goes_together(void **state)
{
	(void)state;
	uint64_t dice = dice_take(2);
	roll_rows(&dice, 0.9);
	fit(TREES, &trees);
	assert_int_equal(trees.count, TREES);
	double learnt = loss(log_odds);
	/* Rows that it has not seen. */
	roll_rows(&dice, 0.9);
	for (int i = 0; i < COUNT; i++)
		log_odds[i] = (float)trees_sum(&trees, columns[i]);
	print_message("loss %.3f, of other rows %.3f, at random %.3f\n", learnt, loss(log_odds), log(2));
	assert_true(learnt < 0.40 && loss(log_odds) < 0.42);
}

static void test_boost_fit_log_odds_are_afterwards_with_the_trees(void **state)
{
	(void)state;
	uint64_t dice = dice_take(3);
	float before[COUNT];
	roll_rows(&dice, 0.5);
	for (int i = 0; i < COUNT; i++)
		before[i] = log_odds[i] = (float)dice_normal(&dice);
	fit(TREES, &trees);
	for (int i = 0; i < COUNT; i++)
		assert_true(fabs((double)log_odds[i] - (double)before[i] - trees_sum(&trees, columns[i])) < 1e-3);
	assert_true(loss(log_odds) < loss(before));
}

/* What is known already is left alone, and so is what a few rows say. */
static void test_boost_fit_what_is_explained_leaves_little(void **state)
{
	(void)state;
	uint64_t dice = dice_take(4);
	roll_rows(&dice, 0.8);
	for (int i = 0; i < COUNT; i++)
		log_odds[i] = (columns[i][1] > 0.5f) == (columns[i][3] > 0.5f) ? logf(9) : -logf(9);
	double before = loss(log_odds), most = 0;
	fit(TREES, &trees);
	for (int i = 0; i < COUNT; i++)
		most = fmax(most, fabs(trees_sum(&trees, columns[i])));
	print_message("loss %.3f, before %.3f; at most %.2f\n", loss(log_odds), before, most);
	assert_true(most < 1.5);
}

static void test_boost_fit_twice_is_the_same(void **state)
{
	(void)state;
	uint64_t dice = dice_take(5);
	roll_rows(&dice, 0.7);
	fit(TREES, &trees);
	memset(log_odds, 0, sizeof(log_odds));
	fit(TREES, &others);
	assert_memory_equal(&trees, &others, sizeof(trees));
}

/* Columns that never change have no edge and are never asked. */
static void test_boost_fit_asks_what_has_an_answer(void **state)
{
	(void)state;
	uint64_t dice = dice_take(6);
	roll_rows(&dice, 0.9);
	fit(TREES, &trees);
	for (unsigned i = 0; i < TREES; i++) {
		for (unsigned j = 0; j < TREES_DEPTH; j++)
			assert_true(trees.trees[i].columns[j] < 5);
	}
	for (unsigned i = 5; i < TREES_COLUMNS; i++)
		assert_true(isinf(trees.edges[i][0]));
	memset(columns, 0, sizeof(columns));
	memset(log_odds, 0, sizeof(log_odds));
	fit(3, &trees);
	double sum = trees_sum(&trees, columns[0]);
	assert_true(isfinite(sum) && fabs(sum) < 1);
}

static void test_boost_fit_heavier_rows_count_more(void **state)
{
	(void)state;
	uint64_t dice = dice_take(7);
	roll_rows(&dice, 0);
	for (int i = 0; i < COUNT; i++) {
		happened[i] = i % 2;
		weights[i] = happened[i] ? 1.8f : 0.2f;
	}
	fit(TREES, &trees);
	double mean = 0;
	for (int i = 0; i < COUNT; i++)
		mean += (double)log_odds[i] / COUNT;
	print_message("mean log-odds %.2f, %.2f by the weights\n", mean, log(9));
	assert_true(mean > 1.5 && mean < 2.6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trees_sum_is_that_of_the_leaves),
		cmocka_unit_test(test_boost_fit_learns_what_goes_together),
		cmocka_unit_test(test_boost_fit_log_odds_are_afterwards_with_the_trees),
		cmocka_unit_test(test_boost_fit_what_is_explained_leaves_little),
		cmocka_unit_test(test_boost_fit_twice_is_the_same),
		cmocka_unit_test(test_boost_fit_asks_what_has_an_answer),
		cmocka_unit_test(test_boost_fit_heavier_rows_count_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
