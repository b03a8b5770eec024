/*
 * What a series' last seven days say of the horizon: the same time of each of them, and how high it gets at all.
 *
 * In units of the limit. Where nothing is known the last day's mean stands for what it does, and the newest value
 * for where it goes. Pure.
 */
#ifndef VIGIE_FORECAST_HABITS_H
#define VIGIE_FORECAST_HABITS_H

#include "forecast/levels.h"
#include "forecast/view.h"

/* By the quarters of an hour that the horizon touches, on each day that they are known of. */
struct habits_days {
	double mean, high; /* of the days' highest */
	double moved;      /* the mean, moved by how the newest step differs from then */
	double over;       /* log-odds that the limit was passed */
	double over_wide;  /* the same, an hour earlier to an hour later */
	double known;      /* share of the days that are known */
};

/*
 * By the profile: of each quarter of an hour of the day the mean over the days before. How far the last two hours were
 * over it is carried on: a day that is higher than others stays so for a while.
 */
struct habits_profile {
	double level;     /* how far the last two hours were over it; 0 where none is known */
	double deviation; /* of the last twelve hours from it */
	double expected;  /* the highest of it within the horizon, with the level; the newest value where none is known */
	double pass;      /* log-odds that this, with such deviations, passes the limit */
	double over;      /* log-odds that one of its quarters of an hour within the horizon was over the limit */
};

/* By the whole week. */
struct habits_extremes {
	double high, low;  /* of the quarters of an hour */
	double rank;       /* share of them that are lower than the newest step */
	double over;       /* share of them over the limit */
};

struct habits {
	struct habits_days days;
	struct habits_profile profile;
	struct habits_extremes extremes;
	double week_ago;       /* highest within the horizon at this time a week ago */
	double week_ago_moved; /* that, moved by how the newest step differs from then */
};

/* `view` is one of `timeline`, `levels` are its. */
void habits_compute(const struct timeline *timeline, const struct view *view, const struct levels *levels,
                    unsigned horizon, struct habits *ret_habits);

#endif
