/* forecast/train.h, with a few rows only, so that they become too many, and a few trees */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/forecast/dice.h"

#define TRAIN_ROWS_MAX TRAIN_ROWS_MAX_OF_THE_PROGRAM
#define TRAIN_TREES TRAIN_TREES_OF_THE_PROGRAM
#include "forecast/train.h"
#undef TRAIN_ROWS_MAX
#undef TRAIN_TREES
enum { TRAIN_ROWS_MAX = 8192, TRAIN_TREES = 8 };
#include "forecast/train.c"

enum { START = 5937024, HORIZON = 6, SERIES_MAX = 12, LENGTH_MAX = 4800, SKIPPED = 24 };

#define LIMIT 80.0

static const struct step none = { .mean = NAN, .max = NAN };

struct series {
	struct step steps[LENGTH_MAX];
	size_t count;
	int64_t first;
	unsigned horizon;
	double limit;
};

static struct series all[SERIES_MAX];

static struct step percent(double max)
{
	return (struct step){ .mean = (float)(0.9 * max), .max = (float)max };
}

/*
 * Around a level, now and then a sign: a step at 60 % of the limit. `passing` of them are
 * followed by the limit passed, four steps later; without a sign it never is.
 */
static void roll_signs(uint64_t *dice, double passing, size_t count, struct series *series)
{
	double level = 0.15 + 0.1 * dice_uniform(dice);
	*series = (struct series){ .count = count, .first = START + dice_below(dice, 500), .horizon = HORIZON, .limit = LIMIT };
	for (size_t i = 0; i < count; i++)
		series->steps[i] = percent(series->limit * (level + 0.05 * dice_uniform(dice)));
	for (size_t i = 10 + dice_below(dice, 20); i + 10 < count; i += 15 + dice_below(dice, 30)) {
		series->steps[i] = percent(0.6 * series->limit);
		if (dice_uniform(dice) < passing)
			series->steps[i + 4] = percent(1.2 * series->limit);
	}
}

/* Anything: gaps, values over the limit, other limits and horizons. */
static void roll_anything(uint64_t *dice, size_t count, struct series *series)
{
	*series = (struct series){ .count = count, .first = START, .horizon = 1 + dice_below(dice, 24), .limit = 20 + dice_below(dice, 80) };
	double value = 0.5;
	for (size_t i = 0; i < count; i++) {
		value = fabs(0.9 * value + 0.05 + 0.12 * dice_normal(dice));
		series->steps[i] = percent(series->limit * (dice_below(dice, 50) ? value : 1 + 2 * dice_uniform(dice)));
	}
	for (size_t i = 0, constant = dice_below(dice, 2) ? 70 : 0; i < constant && i < count; i++)
		series->steps[i] = percent(series->limit / 2);
	for (size_t i = 70; i < count; i += 20 + dice_below(dice, 60)) {
		for (size_t j = i, gaps = dice_below(dice, 12); j < i + gaps && j < count; j++)
			series->steps[j] = none;
	}
}

static struct trainer *train_all(const struct series series[], size_t count)
{
	struct trainer *trainer = train_open();
	assert_non_null(trainer);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(train_add(trainer, series[i].steps, series[i].count, series[i].first, series[i].horizon, series[i].limit), 0);
	return trainer;
}

static struct prior *fit_all(const struct series series[], size_t count)
{
	struct trainer *trainer = train_all(series, count);
	struct prior *prior = NULL;
	assert_int_equal(train_finish(trainer, &prior), 0);
	train_close(trainer);
	return prior;
}

/* A row as it should be. */
struct truth {
	struct features features;
	unsigned horizon;
	size_t series;
	double rise, lead; /* lead: NAN where the limit is not passed */
	double weight;
};

/* The rows of all series; the caller frees them. */
static struct truth *rows_of(const struct series series[], size_t count, size_t *ret_rows)
{
	struct truth *rows = NULL;
	size_t row_count = 0, counts[SERIES_MAX] = { 0 };
	double sum = 0;
	for (size_t at = 0; at < 2 * count; at++) {
		const struct series *one = &series[at / 2];
		unsigned horizon = at % 2 ? 2 * one->horizon : one->horizon;
		struct timeline timeline;
		timeline_init(&timeline);
		for (size_t i = 0; i < one->count; i++) {
			struct truth row = { .horizon = horizon, .series = at / 2, .lead = NAN, .rise = -INFINITY };
			double now = (double)one->steps[i].max / one->limit;
			timeline_add(&timeline, one->first + (int64_t)i,
			             (struct step){ one->steps[i].mean / (float)one->limit, one->steps[i].max / (float)one->limit });
			if (i < SKIPPED || isnan(now) || now > 1 || i + horizon >= one->count)
				continue;
			unsigned known = 0;
			for (unsigned ahead = horizon; ahead > 0; ahead--) {
				double then = (double)one->steps[i + ahead].max / one->limit;
				known += isnan(then) ? 0 : 1;
				if (then > now + row.rise)
					row.rise = then - now;
				if (then > 1)
					row.lead = (double)ahead / horizon;
			}
			row.rise = fmin(row.rise, 1);
			if (2 * known <= horizon || !features_compute(&timeline, none, 0, horizon, &row.features) || row.features.constant)
				continue;
			/* Room is made at each power of two. */
			if ((row_count & (row_count - 1)) == 0)
				rows = realloc(rows, (row_count ? 2 * row_count : 1) * sizeof(*rows));
			assert_non_null(rows);
			rows[row_count++] = row;
			counts[row.series]++;
		}
	}
	for (size_t i = 0; i < row_count; i++)
		/* Each series the same, those of less than a day's rows by as much as they have. */
		sum += rows[i].weight = 1 / fmax((double)counts[rows[i].series], TIMELINE_DAY);
	for (size_t i = 0; i < row_count; i++)
		rows[i].weight /= sum;
	*ret_rows = row_count;
	return rows;
}

static void test_train_add_rows_are_as_they_should_be(void **state)
{
	(void)state;
	uint64_t dice = dice_take(1);
	for (int round = 0; round < 20; round++) {
		size_t count;
		for (size_t i = 0; i < 4; i++)
			roll_anything(&dice, 20 + dice_below(&dice, 500), &all[i]);
		struct trainer *trainer = train_all(all, 4);
		struct truth *rows = rows_of(all, 4, &count);
		assert_int_equal(trainer->count, count);
		for (size_t i = 0; i < count; i++) {
			const struct row *row = &trainer->rows[i];
			assert_memory_equal(row->inputs, rows[i].features.values, sizeof(rows[i].features.values));
			assert_true(fabs((double)row->inputs[PRIOR_HORIZON] - log(rows[i].horizon / 6.0)) < 1e-6);
			assert_true(row->inputs[PRIOR_ONE] == 1);
			assert_int_equal(row->series, rows[i].series);
			assert_true(fabs((double)row->rise - rows[i].rise) < 1e-5);
			assert_true(isnan(rows[i].lead) ? isnan(row->lead) : fabs((double)row->lead - rows[i].lead) < 1e-6);
		}
		free(rows);
		train_close(trainer);
	}
}

/* The derivative of a sum's loss over all rows by each of its weights, without the penalty. */
static void gradient_of(const struct truth rows[], size_t count, const struct prior *prior, enum prior_sum kind,
                        double ret_gradient[PRIOR_INPUTS])
{
	memset(ret_gradient, 0, PRIOR_INPUTS * sizeof(ret_gradient[0]));
	for (size_t i = 0; i < count; i++) {
		float inputs[PRIOR_INPUTS];
		double sum = 0, error;
		prior_inputs(prior, &rows[i].features, rows[i].horizon, inputs);
		for (unsigned j = 0; j < PRIOR_INPUTS; j++)
			sum += (double)prior->weights[kind][j] * (double)inputs[j];
		bool passed = !isnan(rows[i].lead);
		if (kind == PRIOR_LOG_ODDS)
			error = 1 / (1 + exp(-sum)) - passed;
		else if (kind == PRIOR_RISE)
			error = fmax(-1, fmin(1, (sum - rows[i].rise) / 0.05));
		else
			error = passed ? sum - rows[i].lead : 0;
		for (unsigned j = 0; j < PRIOR_INPUTS; j++)
			ret_gradient[j] += rows[i].weight * error * (double)inputs[j];
	}
}

static double size_of(const double vector[PRIOR_ONE])
{
	double squares = 0;
	for (unsigned j = 0; j < PRIOR_ONE; j++)
		squares += vector[j] * vector[j];
	return sqrt(squares);
}

/* What the penalty must be, where the loss's derivative and that of weights' squares cancel out. */
static double penalty_of(const double gradient[PRIOR_INPUTS], const struct prior *prior)
{
	double product = 0, squares = 0;
	for (unsigned j = 0; j < PRIOR_ONE; j++) {
		double weight = (double)prior->weights[PRIOR_LOG_ODDS][j];
		product += gradient[j] * weight;
		squares += weight * weight;
	}
	return -product / squares / 2;
}

/* Little is left of the derivative that there is at no weights. */
static void assert_least(const struct truth rows[], size_t count, const struct prior *prior, enum prior_sum kind, double penalty)
{
	double gradient[PRIOR_INPUTS], start[PRIOR_INPUTS];
	struct prior nothing = *prior;
	memset(nothing.weights, 0, sizeof(nothing.weights));
	gradient_of(rows, count, &nothing, kind, start);
	gradient_of(rows, count, prior, kind, gradient);
	for (unsigned j = 0; j < PRIOR_ONE; j++)
		gradient[j] += 2 * penalty * (double)prior->weights[kind][j];
	print_message("sum %d: %.4f of the derivative is left, of the constant %.4f\n", (int)kind, size_of(gradient) / size_of(start),
	              gradient[PRIOR_ONE] / start[PRIOR_ONE]);
	/* Of the rise, which is nearly an absolute error, the iterations leave more. */
	double most = kind == PRIOR_RISE ? 0.12 : 0.02;
	assert_true(size_of(gradient) < most * size_of(start));
	assert_true(fabs(gradient[PRIOR_ONE]) < most * fabs(start[PRIOR_ONE]));
}

/* Series of very different lengths, each counting the same. */
static void test_train_finish_is_where_the_loss_is_least(void **state)
{
	(void)state;
	uint64_t dice = dice_take(2);
	size_t count;
	roll_signs(&dice, 0.9, 2500, &all[0]);
	roll_signs(&dice, 0.1, 300, &all[1]);
	roll_signs(&dice, 0.5, 150, &all[2]);
	roll_anything(&dice, 500, &all[3]);
	roll_anything(&dice, 10, &all[4]); /* too short for any row */
	struct prior *prior = fit_all(all, 5);
	struct truth *rows = rows_of(all, 5, &count);
	for (unsigned j = 0; j < FEATURE_COUNT; j++) {
		double mean = 0, square = 0;
		for (size_t i = 0; i < count; i++)
			mean += rows[i].weight * (double)rows[i].features.values[j];
		for (size_t i = 0; i < count; i++)
			square += rows[i].weight * pow((double)rows[i].features.values[j] - mean, 2);
		assert_true(fabs((double)prior->center[j] - mean) < 1e-4 * (1 + fabs(mean)));
		assert_true(fabs((double)prior->scale[j] - sqrt(square)) < 2e-3 + 1e-4 * sqrt(square));
		assert_true((double)prior->scale[j] > 5e-4);
	}
	assert_true(prior->center[PRIOR_ONE] == 0 && prior->scale[PRIOR_ONE] == 1);
	assert_int_equal(prior->trees.count, TRAIN_TREES);
	assert_true(prior->center[PRIOR_TREES] == 0 && prior->scale[PRIOR_TREES] == 1);
	assert_true(prior->weights[PRIOR_LOG_ODDS][PRIOR_TREES] == 1);
	/* The sums are fitted before there are trees. */
	trees_init(&prior->trees);
	prior->weights[PRIOR_LOG_ODDS][PRIOR_TREES] = 0;
	double gradient[PRIOR_INPUTS];
	gradient_of(rows, count, prior, PRIOR_LOG_ODDS, gradient);
	double penalty = penalty_of(gradient, prior);
	print_message("penalty %.5f\n", penalty);
	assert_true(penalty > 1e-3 && penalty < 0.1);
	for (int kind = 0; kind < PRIOR_SUMS; kind++)
		assert_least(rows, count, prior, (enum prior_sum)kind, penalty);
	free(rows);
	prior_free(prior);
}

static int compare_scores(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;
	return (a > b) - (a < b);
}

/* How often a row that has seen the sign, and passed, has a higher log-odds than one that did not pass. */
static double area_of(const struct prior *prior, const struct series *series)
{
	size_t count, good = 0, bad = 0;
	struct truth *rows = rows_of(series, 1, &count);
	double *passed = malloc(count * sizeof(*passed)), *stayed = malloc(count * sizeof(*stayed)), higher = 0;
	for (size_t i = 0; i < count; i++) {
		float inputs[PRIOR_INPUTS];
		prior_inputs(prior, &rows[i].features, rows[i].horizon, inputs);
		double score = prior_sum(prior->weights[PRIOR_LOG_ODDS], inputs);
		if (isnan(rows[i].lead))
			stayed[bad++] = score;
		else if (rows[i].lead * rows[i].horizon <= 4)
			passed[good++] = score;
	}
	qsort(stayed, bad, sizeof(*stayed), compare_scores);
	for (size_t i = 0; i < good; i++) {
		size_t below = 0;
		while (below < bad && stayed[below] < passed[i])
			below++;
		higher += (double)below;
	}
	free(passed);
	free(stayed);
	free(rows);
	return higher / ((double)good * (double)bad);
}

/* The step of the sign itself, of a series that was left out. */
static void assert_sign(const struct prior *prior, const struct series *series, double least_at, double most_else)
{
	size_t count, signs = 0, others = 0;
	struct truth *rows = rows_of(series, 1, &count);
	double at_sign = 0, elsewhere = 0, lead = 0, rise = 0;
	for (size_t i = 0; i < count; i++) {
		float inputs[PRIOR_INPUTS];
		double now = (double)rows[i].features.now;
		prior_inputs(prior, &rows[i].features, rows[i].horizon, inputs);
		double probability = 1 / (1 + exp(-prior_sum(prior->weights[PRIOR_LOG_ODDS], inputs)));
		if (rows[i].horizon != HORIZON)
			continue;
		if (now > 0.55 && now < 0.65) {
			signs++;
			at_sign += probability;
			lead += prior_sum(prior->weights[PRIOR_LEAD], inputs);
			rise += now + prior_sum(prior->weights[PRIOR_RISE], inputs);
		} else if (isnan(rows[i].lead) && (double)rows[i].features.values[2] > -0.2) {
			others++;
			elsewhere += probability;
		}
	}
	print_message("at the sign: probability %.3f (else %.3f), lead %.3f, highest %.3f\n", at_sign / (double)signs,
	              elsewhere / (double)others, lead / (double)signs, rise / (double)signs);
	assert_true(at_sign / (double)signs > least_at);
	assert_true(elsewhere / (double)others < most_else);
	if (least_at > 0) {
		assert_true(fabs(lead / (double)signs - 4.0 / HORIZON) < 0.25);
		assert_true(fabs(rise / (double)signs - 1.2) < 0.25);
	}
	free(rows);
}

static void test_train_finish_a_sign_before_the_limit_is_found(void **state)
{
	(void)state;
	uint64_t dice = dice_take(3);
	for (size_t i = 0; i < 9; i++)
		roll_signs(&dice, 1, 450, &all[i]);
	struct prior *prior = fit_all(all, 8);
	double area = area_of(prior, &all[8]);
	print_message("area under the curve %.4f\n", area);
	assert_true(area > 0.95);
	assert_sign(prior, &all[8], 0.7, 0.2);
	prior_free(prior);

	/* Where the sign means nothing it is worth as little. */
	for (size_t i = 0; i < 9; i++)
		roll_signs(&dice, 0.02, 450, &all[i]);
	roll_signs(&dice, 0.2, 450, &all[0]);
	prior = fit_all(all, 8);
	assert_sign(prior, &all[8], 0, 0.2);
	prior_free(prior);
}

static double distance_of(const struct prior *one, const struct prior *other)
{
	double apart = 0, size = 0;
	for (unsigned j = 0; j < PRIOR_INPUTS; j++) {
		double weight = (double)one->weights[PRIOR_LOG_ODDS][j];
		apart += pow((double)other->weights[PRIOR_LOG_ODDS][j] - weight, 2);
		size += weight * weight;
	}
	return sqrt(apart / size);
}

static void test_train_finish_the_order_of_series_does_not_matter(void **state)
{
	(void)state;
	uint64_t dice = dice_take(4);
	for (size_t i = 0; i < 4; i++)
		roll_signs(&dice, 0.3 * (double)i, 200 + 150 * i, &all[i]);
	for (size_t i = 0; i < 4; i++)
		all[4 + i] = all[3 - i];
	struct prior *one = fit_all(all, 4), *other = fit_all(all + 4, 4);
	double distance = distance_of(one, other);
	print_message("weights differ by %.2e\n", distance);
	assert_true(distance < 1e-3);
	prior_free(one);
	prior_free(other);
}

/* The same two kinds of series: of one ten times as much is known. Were rows counted, it would drown the other. */
static void test_train_finish_each_series_counts_the_same(void **state)
{
	(void)state;
	uint64_t dice = dice_take(5);
	double at[2];
	for (int turned = 0; turned < 2; turned++) {
		roll_signs(&dice, 1, turned ? 3000 : 300, &all[0]);
		roll_signs(&dice, 0, turned ? 300 : 3000, &all[1]);
		/* Their levels tell them apart, were they not the same. */
		for (size_t i = 0; i < 2; i++) {
			for (size_t step = 0; step < all[i].count; step++) {
				if ((double)all[i].steps[step].max < 0.5 * LIMIT)
					all[i].steps[step] = percent(LIMIT * (0.2 + 0.05 * dice_uniform(&dice)));
			}
		}
		struct prior *prior = fit_all(all, 2);
		size_t count;
		struct truth *rows = rows_of(all, 2, &count);
		double base[2] = { 0 };
		at[turned] = 0;
		for (size_t i = 0; i < count; i++) {
			float inputs[PRIOR_INPUTS];
			prior_inputs(prior, &rows[i].features, rows[i].horizon, inputs);
			double probability = 1 / (1 + exp(-prior_sum(prior->weights[PRIOR_LOG_ODDS], inputs)));
			base[0] += rows[i].weight * probability;
			base[1] += rows[i].weight * !isnan(rows[i].lead);
		}
		at[turned] = base[0];
		print_message("mean probability %.3f, of %.3f that passed\n", base[0], base[1]);
		assert_true(fabs(base[0] - base[1]) < 0.01);
		free(rows);
		prior_free(prior);
	}
	assert_true(fabs(at[0] - at[1]) < 0.05);
}

/* Every second row is dropped, and every second one kept, again and again. */
static void test_train_add_too_many_rows_are_thinned(void **state)
{
	(void)state;
	uint64_t dice = dice_take(6);
	for (size_t series = 1; series <= 5; series += 2) {
		size_t count;
		for (size_t i = 0; i < series; i++)
			roll_signs(&dice, 0.8, LENGTH_MAX, &all[i]);
		struct trainer *trainer = train_all(all, series);
		struct truth *rows = rows_of(all, series, &count);
		size_t stride = 1;
		while (count / stride > TRAIN_ROWS_MAX)
			stride *= 2;
		assert_int_equal(trainer->stride, stride);
		assert_int_equal(trainer->count, (count + stride - 1) / stride);
		for (size_t i = 0; i < trainer->count; i++) {
			assert_int_equal(trainer->rows[i].series, rows[i * stride].series);
			assert_memory_equal(trainer->rows[i].inputs, rows[i * stride].features.values,
			                    sizeof(rows[i].features.values));
		}
		if (series == 1) {
			struct prior *prior = NULL;
			assert_int_equal(train_finish(trainer, &prior), 0);
			assert_true(area_of(prior, &all[0]) > 0.9);
			prior_free(prior);
		}
		free(rows);
		train_close(trainer);
	}
}

static void test_train_finish_nothing_to_learn_from_is_said(void **state)
{
	(void)state;
	uint64_t dice = dice_take(7);
	enum { EMPTY, SHORT, CONSTANT, NEVER, ALWAYS, OVER, GAPS, SOME, CASES };
	for (int kind = EMPTY; kind < CASES; kind++) {
		struct trainer *trainer = train_open();
		struct prior *prior = NULL;
		roll_signs(&dice, 1, 300, &all[0]);
		for (size_t i = 0; i < all[0].count; i++) {
			double value = kind == CONSTANT ? 50 : kind == NEVER ? 50 + dice_uniform(&dice) : kind == ALWAYS ? (i % 2 ? 50 : 95) :
			               kind == OVER     ? 90 + dice_uniform(&dice) :
			               kind == GAPS     ? NAN :
			                                  (double)all[0].steps[i].max;
			all[0].steps[i] = percent(value);
		}
		size_t count = kind == EMPTY ? 0 : kind == SHORT ? SKIPPED + HORIZON : all[0].count;
		for (int series = 0; series < 2; series++)
			assert_int_equal(train_add(trainer, all[0].steps, count, START, HORIZON, LIMIT), 0);
		int result = train_finish(trainer, &prior);
		if (result != (kind == SOME ? 0 : -ENODATA) || (prior != NULL) != (kind == SOME))
			fail_msg("kind %d: %d", kind, result);
		prior_free(prior);
		train_close(trainer);
	}
	struct trainer *trainer = train_open();
	struct prior *prior = NULL;
	assert_int_equal(train_finish(trainer, &prior), -ENODATA);
	assert_null(prior);
	train_close(trainer);
	train_close(NULL);
}

static void test_train_each_failing_allocation_leaves_nothing(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	uint64_t dice = dice_take(8);
	for (size_t i = 0; i < 2; i++)
		roll_signs(&dice, 1, 200, &all[i]);
	long before = failing_unfreed(), number = 0;
	for (bool failed = true; failed;) {
		struct prior *prior = NULL;
		failing_start(++number);
		struct trainer *trainer = train_open();
		int result = trainer ? 0 : -ENOMEM;
		for (size_t i = 0; i < 2 && !result; i++)
			result = train_add(trainer, all[i].steps, all[i].count, all[i].first, all[i].horizon, all[i].limit);
		if (!result)
			result = train_finish(trainer, &prior);
		failed = failing_stop();
		/* What a thread cannot have is done without it. */
		assert_true(result == (failed ? -ENOMEM : 0) || (failed && prior));
		assert_int_equal(prior != NULL, !result);
		/* What failed can be done again. */
		if (result && trainer && !prior) {
			assert_int_equal(train_add(trainer, all[0].steps, all[0].count, START, HORIZON, LIMIT), 0);
			assert_int_equal(train_finish(trainer, &prior), 0);
		}
		prior_free(prior);
		train_close(trainer);
		assert_int_equal(failing_unfreed(), before);
	}
	assert_true(number > 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_train_add_rows_are_as_they_should_be),
		cmocka_unit_test(test_train_add_too_many_rows_are_thinned),
		cmocka_unit_test(test_train_finish_is_where_the_loss_is_least),
		cmocka_unit_test(test_train_finish_a_sign_before_the_limit_is_found),
		cmocka_unit_test(test_train_finish_the_order_of_series_does_not_matter),
		cmocka_unit_test(test_train_finish_each_series_counts_the_same),
		cmocka_unit_test(test_train_finish_nothing_to_learn_from_is_said),
		cmocka_unit_test(test_train_each_failing_allocation_leaves_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
