/*
 * The least-squares line of y by x, from sums that are added up pair by pair. For numbers near 0: the sums are of their
 * squares.
 *
 * Pure.
 */
#ifndef VIGIE_FORECAST_REGRESSION_H
#define VIGIE_FORECAST_REGRESSION_H

#include <stdbool.h>

struct sums {
	double count, x, y, xx, xy, yy;
};

struct regression {
	double slope, level; /* level: y where x is 0 */
	double noise;        /* standard deviation of y from it */
	double explained;    /* share of y's variance, less what chance explains */
};

static inline void sums_add(struct sums *sums, double x, double y)
{
	sums->count += 1;
	sums->x += x;
	sums->y += y;
	sums->xx += x * x;
	sums->xy += x * y;
	sums->yy += y * y;
}

/* Of three pairs or more. False: x or y does not change. */
bool regression_compute(const struct sums *sums, struct regression *ret_regression);

#endif
