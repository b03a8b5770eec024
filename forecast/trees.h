/*
 * Boosted trees: what many series have taught, as a sum of small tables.
 *
 * Each tree asks DEPTH questions of a row, "is this column over that edge?", the same at each of its nodes; the
 * answers are the bits of the number of its leaf (oblivious trees: Prokhorenkova et al. 2018, "CatBoost: unbiased
 * boosting with categorical features"). The sum of the leaves is the answer. A row's columns are looked up among their
 * edges once for all trees, so that a tree costs a few bytes' comparisons without a branch.
 *
 * Here they are evaluated and written down; forecast/boost.h makes them. Pure; read-only once made.
 */
#ifndef VIGIE_FORECAST_TREES_H
#define VIGIE_FORECAST_TREES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/text.h"
#include "forecast/features.h"

enum {
	TREES_COLUMNS = FEATURE_COUNT + 1, /* the features and the horizon, as forecast/prior.h standardises them */
	TREES_EDGES = 64,
	TREES_DEPTH = 6,
	TREES_LEAVES = 1 << TREES_DEPTH,
	TREES_MAX = 256,
};

struct tree {
	uint8_t columns[TREES_DEPTH], edges[TREES_DEPTH]; /* of question i, whose answer is bit i */
	int16_t leaves[TREES_LEAVES]; /* in 1/TREES_UNIT */
};

#define TREES_UNIT 4096.0

struct trees {
	float edges[TREES_COLUMNS][TREES_EDGES]; /* rising; INFINITY in the place of those that a column has not */
	unsigned count; /* 0: the sum is 0 */
	struct tree trees[TREES_MAX];
};

/* None: neither edges nor trees. */
void trees_init(struct trees *trees);

/* How many edges of a column the value is over. */
unsigned trees_bin(const struct trees *trees, unsigned column, float value);

/* The leaf of a row, of which the bins of its columns are given. */
double trees_leaf(const struct tree *tree, const uint8_t bins[static TREES_COLUMNS]);

/* The sum of the leaves. */
double trees_sum(const struct trees *trees, const float columns[static TREES_COLUMNS]);

/*
 * Appends, a line each: `edges` with their number and they, for each column; `trees` with their number; of each tree
 * its questions as COLUMN>EDGE by their numbers, and its leaves. trees_parse() reads that at *at, which it moves
 * behind it; false where something is wrong: the line at *at then is.
 */
void trees_format(const struct trees *trees, struct text *text);
bool trees_parse(const char **at, struct trees *ret_trees) __attribute__((warn_unused_result));

#endif
