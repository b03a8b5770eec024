#include "forecast/boost.h"

#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "forecast/learner.h"

enum {
	SAMPLE_MAX = 16384, /* rows that the edges are chosen by */
	THREADS_MAX = 16,
	CELLS = TREES_LEAVES * TREES_EDGES,
};

/* Measured on groups of series that were left out. */
#define RATE 0.08
#define PENALTY 10.0     /* on the squares of a leaf's log-odds, in rows' second derivatives */
#define ROWS_SHARE 0.5   /* of the rows, for each tree */
#define COLUMNS_SHARE 0.5

struct slope {
	float first, second; /* derivatives of a row's loss by its log-odds */
};

struct boost {
	const struct boost_rows *rows;
	struct trees *trees;
	uint8_t *bins;      /* bins[column * count + row] */
	uint8_t *leaves;    /* of each row, by the questions so far */
	struct slope *slopes;
	uint32_t *drawn;    /* rows of the present tree */
	size_t drawn_count;
	bool columns[TREES_COLUMNS];
	uint64_t dice;
	unsigned threads;
	struct share *shares; /* shares[threads] */
	float sample[SAMPLE_MAX];
};

struct question {
	double gain;
	unsigned column, edge;
};

/* One thread's share of the columns, with what it is best asked. */
struct share {
	const struct boost *boost;
	unsigned first; /* column, then every threads-th */
	unsigned leaves;
	struct question best;
	struct slope cells[CELLS];
};

/* xorshift64*, as Vigna 2016, "An experimental exploration of Marsaglia's xorshift generators, scrambled". */
static bool draw(uint64_t *dice, double share)
{
	*dice ^= *dice >> 12;
	*dice ^= *dice << 25;
	*dice ^= *dice >> 27;
	return (double)(*dice * 0x2545f4914f6cdd1dULL >> 11) < share * 0x1p53;
}

static int compare_floats(const void *left, const void *right)
{
	float a = *(const float *)left, b = *(const float *)right;
	return (a > b) - (a < b);
}

/* Between the values of a column that cut it into equal parts, where they differ. */
static void choose_edges(const struct boost_rows *rows, unsigned column, float sample[static SAMPLE_MAX],
                         float ret_edges[static TREES_EDGES])
{
	size_t step = rows->count / SAMPLE_MAX + 1, count = 0;
	unsigned edges = 0;
	for (size_t i = 0; i < rows->count; i += step)
		sample[count++] = rows->columns[i * rows->stride + column];
	qsort(sample, count, sizeof(sample[0]), compare_floats);
	for (size_t part = 1; part < TREES_EDGES; part++) {
		size_t at = part * count / TREES_EDGES;
		float before = sample[at], next = before;
		while (at + 1 < count && !(next > before))
			next = sample[++at];
		float edge = before + (next - before) / 2;
		if (next > before && edge < next && (!edges || edge > ret_edges[edges - 1]))
			ret_edges[edges++] = edge;
	}
}

static void fill_bins(struct boost *boost)
{
	const struct boost_rows *rows = boost->rows;
	for (unsigned column = 0; column < TREES_COLUMNS; column++) {
		choose_edges(rows, column, boost->sample, boost->trees->edges[column]);
		for (size_t i = 0; i < rows->count; i++)
			boost->bins[column * rows->count + i] =
				(uint8_t)trees_bin(boost->trees, column, rows->columns[i * rows->stride + column]);
	}
}

static void draw_rows_and_columns(struct boost *boost)
{
	const struct boost_rows *rows = boost->rows;
	boost->drawn_count = 0;
	memset(boost->leaves, 0, rows->count);
	for (size_t i = 0; i < rows->count; i++) {
		if (!draw(&boost->dice, ROWS_SHARE))
			continue;
		double probability = learner_probability((double)rows->log_odds[i]), weight = (double)rows->weights[i];
		boost->slopes[boost->drawn_count] = (struct slope){
			.first = (float)(weight * (probability - rows->happened[i])),
			.second = (float)(weight * probability * (1 - probability)),
		};
		boost->drawn[boost->drawn_count++] = (uint32_t)i;
	}
	for (unsigned column = 0; column < TREES_COLUMNS; column++)
		boost->columns[column] = draw(&boost->dice, COLUMNS_SHARE);
}

static double gain(struct slope sum)
{
	double first = (double)sum.first;
	return first * first / ((double)sum.second + PENALTY);
}

static void sum_cells(struct share *share, unsigned column)
{
	const struct boost *boost = share->boost;
	const uint8_t *bins = boost->bins + column * boost->rows->count;
	memset(share->cells, 0, share->leaves * TREES_EDGES * sizeof(share->cells[0]));
	for (size_t i = 0; i < boost->drawn_count; i++) {
		uint32_t row = boost->drawn[i];
		struct slope *cell = &share->cells[boost->leaves[row] * TREES_EDGES + bins[row]];
		cell->first += boost->slopes[i].first;
		cell->second += boost->slopes[i].second;
	}
}

/* What the question at each of the column's edges gains, over all leaves. */
static void ask(struct share *share, unsigned column)
{
	double gains[TREES_EDGES] = { 0 };
	for (unsigned leaf = 0; leaf < share->leaves; leaf++) {
		const struct slope *cells = share->cells + leaf * TREES_EDGES;
		struct slope all = { 0 }, below = { 0 };
		for (unsigned i = 0; i < TREES_EDGES; i++)
			all = (struct slope){ all.first + cells[i].first, all.second + cells[i].second };
		for (unsigned i = 0; i < TREES_EDGES; i++) {
			below = (struct slope){ below.first + cells[i].first, below.second + cells[i].second };
			gains[i] += gain(below) + gain((struct slope){ all.first - below.first, all.second - below.second });
		}
	}
	const float *edges = share->boost->trees->edges[column];
	for (unsigned edge = 0; edge < TREES_EDGES && edges[edge] < INFINITY; edge++) {
		if (gains[edge] > share->best.gain)
			share->best = (struct question){ gains[edge], column, edge };
	}
}

static void *ask_share(void *user)
{
	struct share *share = user;
	share->best = (struct question){ 0 };
	for (unsigned column = share->first; column < TREES_COLUMNS; column += share->boost->threads) {
		if (!share->boost->columns[column])
			continue;
		sum_cells(share, column);
		ask(share, column);
	}
	return NULL;
}

/* The best question for leaves of so many, the first of equals; by its gain 0 where there is none. */
static struct question choose_question(const struct boost *boost, unsigned leaves)
{
	struct share *shares = boost->shares;
	pthread_t threads[THREADS_MAX];
	bool started[THREADS_MAX] = { false };
	struct question best = { 0 };
	for (unsigned i = 0; i < boost->threads; i++) {
		shares[i].boost = boost;
		shares[i].first = i;
		shares[i].leaves = leaves;
		started[i] = i > 0 && pthread_create(&threads[i], NULL, ask_share, &shares[i]) == 0;
	}
	for (unsigned i = 0; i < boost->threads; i++) {
		if (started[i])
			pthread_join(threads[i], NULL);
		else
			ask_share(&shares[i]);
		const struct question *own = &shares[i].best;
		if (own->gain > best.gain || (own->gain == best.gain && own->gain > 0 && own->column < best.column))
			best = *own;
	}
	return best;
}

static void set_leaves(const struct boost *boost, struct tree *tree)
{
	struct {
		double first, second;
	} sums[TREES_LEAVES] = { 0 };
	for (size_t i = 0; i < boost->drawn_count; i++) {
		unsigned leaf = boost->leaves[boost->drawn[i]];
		sums[leaf].first += (double)boost->slopes[i].first;
		sums[leaf].second += (double)boost->slopes[i].second;
	}
	for (unsigned leaf = 0; leaf < TREES_LEAVES; leaf++) {
		double value = -RATE * sums[leaf].first / (sums[leaf].second + PENALTY) * TREES_UNIT;
		tree->leaves[leaf] = (int16_t)lrint(fmin(fmax(value, INT16_MIN), INT16_MAX));
	}
	for (size_t i = 0; i < boost->rows->count; i++)
		boost->rows->log_odds[i] += (float)(tree->leaves[boost->leaves[i]] / TREES_UNIT);
}

static void add_tree(struct boost *boost)
{
	size_t count = boost->rows->count;
	struct tree *tree = &boost->trees->trees[boost->trees->count++];
	draw_rows_and_columns(boost);
	for (unsigned depth = 0; depth < TREES_DEPTH; depth++) {
		struct question best = choose_question(boost, 1u << depth);
		/* With no gain the question is one that all rows answer alike. */
		tree->columns[depth] = (uint8_t)best.column;
		tree->edges[depth] = best.gain > 0 ? (uint8_t)best.edge : TREES_EDGES - 1;
		const uint8_t *bins = boost->bins + best.column * count;
		for (size_t i = 0; i < count; i++)
			boost->leaves[i] |= (uint8_t)((bins[i] > tree->edges[depth]) << depth);
	}
	set_leaves(boost, tree);
}

struct boost *boost_open(size_t rows)
{
	struct boost *boost = calloc(1, sizeof(*boost));
	if (!boost)
		return NULL;
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	boost->threads = processors < 1 ? 1 : processors > THREADS_MAX ? THREADS_MAX : (unsigned)processors;
	boost->bins = malloc(TREES_COLUMNS * rows);
	boost->leaves = malloc(rows);
	boost->slopes = malloc(rows * sizeof(boost->slopes[0]));
	boost->drawn = malloc(rows * sizeof(boost->drawn[0]));
	boost->shares = malloc(boost->threads * sizeof(boost->shares[0]));
	if (boost->bins && boost->leaves && boost->slopes && boost->drawn && boost->shares)
		return boost;
	boost_close(boost);
	return NULL;
}

void boost_close(struct boost *boost)
{
	if (!boost)
		return;
	free(boost->bins);
	free(boost->leaves);
	free(boost->slopes);
	free(boost->drawn);
	free(boost->shares);
	free(boost);
}

void boost_fit(struct boost *boost, const struct boost_rows *rows, unsigned count, struct trees *ret_trees)
{
	boost->rows = rows;
	boost->trees = ret_trees;
	boost->dice = 1;
	trees_init(ret_trees);
	fill_bins(boost);
	while (ret_trees->count < count)
		add_tree(boost);
}
