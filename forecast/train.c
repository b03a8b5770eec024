#include "forecast/train.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "forecast/boost.h"
#include "forecast/learner.h"

enum {
	ITERATIONS = 200,
	POWER_ITERATIONS = 20,
};

/* Measured on series that were left out. */
#define PENALTY 0.0025
/* Rises are not told apart over this: a value ten times the limit is over it, and that is all. */
#define RISE_MAX 1.0
#define SCALE_MIN 1e-3

struct row {
	float inputs[PRIOR_INPUTS]; /* as they are, then standardised */
	float rise, lead;           /* lead: NAN where the limit was not passed */
	uint32_t series;
};

struct trainer {
	struct row *rows;
	size_t count, capacity;
	uint32_t series;
	uint64_t seen, stride; /* every stride-th row is kept */
	int64_t step_s;
};

struct trainer *train_open(void)
{
	struct trainer *trainer = calloc(1, sizeof(*trainer));
	if (!trainer)
		return NULL;
	trainer->stride = 1;
	trainer->step_s = TIMELINE_STEP_S;
	return trainer;
}

void train_set_step(struct trainer *trainer, int64_t step_s)
{
	trainer->step_s = step_s;
}

void train_close(struct trainer *trainer)
{
	if (!trainer)
		return;
	free(trainer->rows);
	free(trainer);
}

/* Room for one more row. */
static int make_room(struct trainer *trainer)
{
	if (trainer->count == TRAIN_ROWS_MAX) {
		for (size_t i = 0; i < TRAIN_ROWS_MAX / 2; i++)
			trainer->rows[i] = trainer->rows[2 * i];
		trainer->count = TRAIN_ROWS_MAX / 2;
		trainer->stride *= 2;
	}
	if (trainer->count < trainer->capacity)
		return 0;
	size_t capacity = trainer->capacity ? 2 * trainer->capacity : 4096;
	struct row *rows = realloc(trainer->rows, capacity * sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	trainer->rows = rows;
	trainer->capacity = capacity;
	return 0;
}

/* What came within the horizon after step `at`: false when half of it is not known. */
static bool look_ahead(const struct step *steps, size_t count, size_t at, unsigned horizon, double limit, struct row *row)
{
	double highest = -INFINITY;
	unsigned known = 0;
	row->lead = NAN;
	for (unsigned i = 1; i <= horizon && at + i < count; i++) {
		double max = (double)steps[at + i].max / limit;
		if (isnan(max))
			continue;
		known++;
		highest = fmax(highest, max);
		if (isnan(row->lead) && max > 1)
			row->lead = (float)i / (float)horizon;
	}
	row->rise = (float)(highest - (double)steps[at].max / limit);
	row->rise = row->rise > (float)RISE_MAX ? (float)RISE_MAX : row->rise;
	return at + horizon < count && 2 * known > horizon;
}

static int add_rows(struct trainer *trainer, const struct step *steps, size_t count, int64_t first_index,
                    unsigned horizon, double limit)
{
	const struct step none = { .mean = NAN, .max = NAN };
	struct timeline *timeline = malloc(sizeof(*timeline));
	int result = timeline ? 0 : -ENOMEM;
	if (timeline) {
		timeline_init(timeline);
		result = timeline_set_step(timeline, trainer->step_s);
	}
	for (size_t i = 0; i < count && !result; i++) {
		struct features features;
		struct row row = { .series = trainer->series };
		timeline_add(timeline, first_index + (int64_t)i,
		             (struct step){ steps[i].mean / (float)limit, steps[i].max / (float)limit });
		if (i < TRAIN_SKIPPED_STEPS || isnan(steps[i].max) || (double)steps[i].max > limit ||
		    !look_ahead(steps, count, i, horizon, limit, &row) || trainer->seen++ % trainer->stride != 0 ||
		    !features_compute(timeline, none, 0, horizon, &features) || features.constant)
			continue;
		memcpy(row.inputs, features.values, sizeof(features.values));
		row.inputs[PRIOR_HORIZON] = logf((float)horizon / 6);
		row.inputs[PRIOR_ONE] = 1;
		result = make_room(trainer);
		if (!result)
			trainer->rows[trainer->count++] = row;
	}
	if (timeline)
		timeline_free(timeline);
	free(timeline);
	return result;
}

int train_add(struct trainer *trainer, const struct step *steps, size_t count, int64_t first_index,
              unsigned horizon, double limit)
{
	int result = add_rows(trainer, steps, count, first_index, horizon, limit);
	if (!result)
		result = add_rows(trainer, steps, count, first_index, 2 * horizon, limit);
	trainer->series++;
	return result;
}

/* A weight for each row, so that each series counts the same, but for those with fewer rows
 * than a day has steps: as little as they are. The weights' sum is 1. */
static int weigh(const struct trainer *trainer, float weights[])
{
	size_t *rows_of = calloc(trainer->series, sizeof(*rows_of));
	if (!rows_of)
		return -ENOMEM;
	for (size_t i = 0; i < trainer->count; i++)
		rows_of[trainer->rows[i].series]++;
	double least = (double)TIMELINE_DAY_S / (double)trainer->step_s / (double)trainer->stride, sum = 0;
	for (uint32_t i = 0; i < trainer->series; i++)
		sum += (double)rows_of[i] / fmax((double)rows_of[i], least);
	for (size_t i = 0; i < trainer->count; i++)
		weights[i] = (float)(1 / (fmax((double)rows_of[trainer->rows[i].series], least) * sum));
	free(rows_of);
	return 0;
}

static void standardise(struct trainer *trainer, const float weights[], struct prior *prior)
{
	for (unsigned input = 0; input < PRIOR_INPUTS; input++) {
		double sum = 0, squares = 0;
		for (size_t i = 0; i < trainer->count; i++)
			sum += (double)weights[i] * (double)trainer->rows[i].inputs[input];
		for (size_t i = 0; i < trainer->count; i++) {
			double difference = (double)trainer->rows[i].inputs[input] - sum;
			squares += (double)weights[i] * difference * difference;
		}
		bool as_it_is = input == PRIOR_TREES || input == PRIOR_ONE;
		prior->center[input] = as_it_is ? 0 : (float)sum;
		prior->scale[input] = as_it_is ? 1 : (float)(sqrt(squares) + SCALE_MIN);
	}
	for (size_t i = 0; i < trainer->count; i++) {
		float *inputs = trainer->rows[i].inputs;
		for (unsigned input = 0; input < PRIOR_INPUTS; input++)
			inputs[input] = prior_standard(prior, input, inputs[input]);
	}
}

/* The slope of a row's loss by its sum. */
static double slope(const struct row *row, enum prior_sum kind, double sum)
{
	switch (kind) {
	case PRIOR_LOG_ODDS:
		return learner_probability(sum) - !isnan(row->lead);
	case PRIOR_RISE:
		return learner_absolute_slope(sum - (double)row->rise);
	default:
		return isnan(row->lead) ? 0 : sum - (double)row->lead;
	}
}

/* An upper bound of the losses' second derivatives by a sum. */
static double curvature(enum prior_sum kind)
{
	return kind == PRIOR_LOG_ODDS ? 0.25 : kind == PRIOR_RISE ? learner_absolute_slope(1e-3) / 1e-3 : 1;
}

/* The largest eigenvalue of the rows' second moments, by power iteration. */
static double largest_moment(const struct trainer *trainer, const float weights[])
{
	float vector[PRIOR_INPUTS];
	double norm = 0;
	for (unsigned i = 0; i < PRIOR_INPUTS; i++)
		vector[i] = 1;
	for (int iteration = 0; iteration < POWER_ITERATIONS; iteration++) {
		double product[PRIOR_INPUTS] = { 0 };
		for (size_t i = 0; i < trainer->count; i++) {
			const float *inputs = trainer->rows[i].inputs;
			double factor = (double)weights[i] * prior_sum(vector, inputs);
			for (unsigned j = 0; j < PRIOR_INPUTS; j++)
				product[j] += factor * (double)inputs[j];
		}
		norm = 0;
		for (unsigned i = 0; i < PRIOR_INPUTS; i++)
			norm += product[i] * product[i];
		norm = sqrt(norm);
		for (unsigned i = 0; i < PRIOR_INPUTS; i++)
			vector[i] = (float)(product[i] / norm);
	}
	return norm;
}

static void fit(const struct trainer *trainer, const float row_weights[], enum prior_sum kind, double moment,
                float ret_weights[static PRIOR_INPUTS])
{
	float weights[PRIOR_INPUTS] = { 0 }, ahead[PRIOR_INPUTS] = { 0 };
	double rate = 1 / (1.05 * moment * curvature(kind) + 2 * PENALTY), momentum = 1;
	for (int iteration = 0; iteration < ITERATIONS; iteration++) {
		double gradient[PRIOR_INPUTS] = { 0 };
		for (size_t i = 0; i < trainer->count; i++) {
			const struct row *row = &trainer->rows[i];
			/* analyzer: weigh() has written one for each row */
			double factor = (double)row_weights[i] * slope(row, kind, prior_sum(ahead, row->inputs));
			for (unsigned j = 0; j < PRIOR_INPUTS && factor != 0; j++)
				gradient[j] += factor * (double)row->inputs[j];
		}
		double next = (1 + sqrt(1 + 4 * momentum * momentum)) / 2;
		for (unsigned j = 0; j < PRIOR_INPUTS; j++) {
			double penalty = j == PRIOR_ONE ? 0 : 2 * PENALTY * (double)ahead[j];
			float weight = (float)((double)ahead[j] - rate * (gradient[j] + penalty));
			ahead[j] = weight + (float)((momentum - 1) / next) * (weight - weights[j]);
			weights[j] = weight;
		}
		momentum = next;
	}
	memcpy(ret_weights, weights, sizeof(weights));
}

/* What fitting needs room for, of each row. */
struct room {
	float *weights, *mean_weights, *log_odds;
	bool *happened;
	struct boost *boost;
};

static void free_room(struct room *room)
{
	free(room->weights);
	free(room->mean_weights);
	free(room->log_odds);
	free(room->happened);
	boost_close(room->boost);
}

static int make_fitting_room(size_t rows, struct room *ret_room)
{
	*ret_room = (struct room){
		.weights = malloc(rows * sizeof(float)), .mean_weights = malloc(rows * sizeof(float)),
		.log_odds = malloc(rows * sizeof(float)), .happened = malloc(rows * sizeof(bool)),
		.boost = boost_open(rows),
	};
	return ret_room->weights && ret_room->mean_weights && ret_room->log_odds && ret_room->happened && ret_room->boost ?
	       0 : -ENOMEM;
}

/* The trees are fitted to what the sum of the log-odds leaves; it then takes them as they are. */
static void fit_trees(const struct trainer *trainer, const struct room *room, struct prior *prior)
{
	const struct boost_rows rows = {
		.count = trainer->count, .columns = trainer->rows[0].inputs, .stride = sizeof(struct row) / sizeof(float),
		.happened = room->happened, .weights = room->mean_weights, .log_odds = room->log_odds,
	};
	for (size_t i = 0; i < trainer->count; i++) {
		/* analyzer: weigh() has written one for each row */
		room->mean_weights[i] = room->weights[i] * (float)trainer->count;
		room->log_odds[i] = (float)prior_sum(prior->weights[PRIOR_LOG_ODDS], trainer->rows[i].inputs);
		room->happened[i] = !isnan(trainer->rows[i].lead);
	}
	boost_fit(room->boost, &rows, TRAIN_TREES, &prior->trees);
	prior->weights[PRIOR_LOG_ODDS][PRIOR_TREES] = 1;
}

int train_finish(struct trainer *trainer, struct prior **ret_prior)
{
	size_t passed = 0;
	for (size_t i = 0; i < trainer->count; i++)
		passed += isnan(trainer->rows[i].lead) ? 0 : 1;
	if (passed == 0 || passed == trainer->count)
		return -ENODATA;
	struct prior *prior = calloc(1, sizeof(*prior));
	struct room room;
	/* All at once: the rows are standardised where they stand, and what failed may be done again. */
	int result = make_fitting_room(trainer->count, &room);
	if (!prior)
		result = -ENOMEM;
	if (!result)
		result = weigh(trainer, room.weights);
	if (!result) {
		standardise(trainer, room.weights, prior);
		double moment = largest_moment(trainer, room.weights);
		for (int kind = 0; kind < PRIOR_SUMS; kind++)
			fit(trainer, room.weights, (enum prior_sum)kind, moment, prior->weights[kind]);
		fit_trees(trainer, &room, prior);
		*ret_prior = prior;
		prior = NULL;
	}
	prior_free(prior);
	free_room(&room);
	return result;
}
