/*
 * Fits boosted trees (forecast/trees.h) to rows: each one to what those before it leave of the gradient of the
 * logistic loss, its questions chosen one after the other, each for all of its leaves at once, by histograms over the
 * columns' bins (Friedman 2001, "Greedy function approximation: a gradient boosting machine"; second-order gains as in
 * Chen and Guestrin 2016, "XGBoost: a scalable tree boosting system", equation 7).
 *
 * The columns are shared out among threads, one a processor, each of which sums its columns alone: the result is the
 * same with any number of them. The rows that a tree is fitted to, and its columns, are drawn anew for each, by a
 * fixed seed.
 */
#ifndef VIGIE_FORECAST_BOOST_H
#define VIGIE_FORECAST_BOOST_H

#include <stdbool.h>
#include <stddef.h>

#include "forecast/trees.h"

struct boost;

/* Room for so many rows, TREES_COLUMNS + 12 bytes each; NULL: out of memory. */
struct boost *boost_open(size_t rows);
void boost_close(struct boost *boost);

/* All are borrowed for the call. */
struct boost_rows {
	size_t count;           /* not over those that there is room for */
	const float *columns;   /* the first column of the first row */
	size_t stride;          /* floats from a row to the next */
	const bool *happened;
	const float *weights;   /* over 0; their mean is 1 */
	float *log_odds;        /* what the trees are added to; afterwards with them */
};

/* Fits so many trees, at most TREES_MAX. */
void boost_fit(struct boost *boost, const struct boost_rows *rows, unsigned count, struct trees *ret_trees);

#endif
