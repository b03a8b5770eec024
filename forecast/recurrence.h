/*
 * What of a series' past may come back within the horizon: crossings of the limit, onsets, what
 * comes in a cycle (jobs), what was at this time of the days before, and rises of any kind.
 *
 * In units of the limit. Pure.
 */
#ifndef VIGIE_FORECAST_RECURRENCE_H
#define VIGIE_FORECAST_RECURRENCE_H

#include <stdbool.h>

#include "forecast/levels.h"
#include "forecast/view.h"

/* By the gaps between events of one kind. */
struct recurrence_gaps {
	double age;   /* steps since the last event */
	double ratio; /* of the age to the usual gap, 0 to 3; 0 where none is known */
	double due;   /* log-odds that the next one falls within the horizon */
};

/* By this time of earlier cycles. Log-odds but for `max` and `strength`. */
struct recurrence_cycle {
	double onset;    /* that there was an onset */
	double crossed;  /* that an onset passed the limit */
	double over;     /* that the limit was passed */
	double max;      /* highest within the horizon, on average; the day's mean where no cycle is known */
	double strength; /* how clearly onsets come in a cycle, 0 to 10 */
	double crossed_clear, over_clear; /* how far the two are above -2, the more the clearer the cycle is */
};

/* By this time of an earlier day. */
struct recurrence_day {
	bool known;
	double max;   /* highest within the horizon; the last day's mean where it is not known */
	double moved; /* that, moved by how the newest step differs from then; the newest where it is not known */
};

struct recurrence {
	struct recurrence_gaps crossing, onset;
	struct recurrence_cycle cycle;
	struct recurrence_day yesterday, day_before;
	double jump; /* log-odds of a rise as large as the distance to the limit, by those of two days */
};

/* `view` is one of `timeline`, `slots` are view_slots(), `levels` are theirs. */
void recurrence_compute(const struct timeline *timeline, const struct view *view, const struct view *slots,
                        const struct levels *levels, unsigned horizon, struct recurrence *ret_recurrence);

#endif
