/*
 * Whether a series goes steadily to its limit for the first time: what a model that learns from what came before has no
 * example of. One that was over its limit within what is remembered is left to the model.
 *
 * Two things are steady. A climb: the line through its last steps explains nearly all of them, and no earlier rise that
 * came as high, or as far up, turned back. And a day that repeats the one before, but higher: the regression of the
 * last sixteen hours on the same hours of the day before explains nearly all of them, and more than a line does. Such a
 * day knows where its rise ends: no line is then drawn.
 *
 * In units of the limit. Pure.
 */
#ifndef VIGIE_FORECAST_CLIMB_H
#define VIGIE_FORECAST_CLIMB_H

#include "forecast/view.h"

struct climb {
	double probability; /* 0 to 1: that the limit is passed within the horizon; 0: nothing climbs so */
	double highest;     /* within the horizon, without noise; meaningless where nothing climbs, as is */
	double lead;        /* steps until the limit is passed, 0 to the horizon */
};

/* `view` is one of `timeline`, `slots` are view_slots(). */
void climb_compute(const struct timeline *timeline, const struct view *view, const struct view *slots, unsigned horizon,
                   struct climb *ret_climb);

#endif
