/*
 * Where a series goes: lines through its last values, and what grows or falls at a damped rate.
 *
 * In units of the limit. Pure.
 */
#ifndef VIGIE_FORECAST_TRENDS_H
#define VIGIE_FORECAST_TRENDS_H

#include "forecast/levels.h"
#include "forecast/view.h"

/* What a line through some values says of the horizon. */
struct trend {
	double rise;  /* its slope, times the horizon */
	double reach; /* where it leads: over the limit, in deviations of the values from it */
	double pass;  /* log-odds that it, with noise as it has, passes the limit */
};

struct trends {
	struct trend last_12, last_24, last_48; /* through the maxima of so many steps */
	struct trend climb; /* through those since the last fall; level where they are too few */
	double rise_6;      /* of the line through 6 steps, which is too short for more */
	double rise_means;  /* of the line through the means */
	double holt, holt_slow; /* damped Holt forecasts: the higher of the next step and the horizon's end */
};

void trends_compute(const struct view *view, const struct levels *levels, unsigned horizon, struct trends *ret_trends);

#endif
