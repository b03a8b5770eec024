/*
 * How high a series is and was: what there is to say of its last values, whatever their order.
 *
 * In units of the limit. Pure.
 */
#ifndef VIGIE_FORECAST_LEVELS_H
#define VIGIE_FORECAST_LEVELS_H

#include "forecast/view.h"

/* The last 6, 24 and 72 steps and the slots of a day. */
enum { LEVELS_6, LEVELS_24, LEVELS_72, LEVELS_DAY, LEVELS_COUNT };

struct levels {
	double mean[LEVELS_COUNT], max[LEVELS_COUNT], deviation[LEVELS_COUNT]; /* of the maxima */
	double low_day, high_24, high_day; /* 10th and 90th percentiles of the maxima */
	double spread;            /* from the means to the maxima, on average over 24 steps */
	double rank;              /* share of the day's slots that are lower than the newest */
	double over_24, over_day; /* share of the steps, or slots, over the limit */
};

/* `slots` are view_slots(). */
void levels_compute(const struct view *view, const struct view *slots, struct levels *ret_levels);

#endif
