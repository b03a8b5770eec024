/*
 * When the limit will be reached, days ahead: "full in N hours". A forecast of its own beside that of the horizon, for what
 * fills slowly and steadily, with nothing to learn.
 *
 * A line through the highest values of the last 48 hours, or else of the last 24, if it explains nine tenths of their
 * variance; not of the last 24 where a rise as high turned back in the day before. Where so long a horizon is less than
 * three days an hour is a 72nd part of it.
 *
 * In units of the limit. Pure.
 */
#ifndef VIGIE_FORECAST_LONG_HORIZON_H
#define VIGIE_FORECAST_LONG_HORIZON_H

#include "forecast/view.h"

/* In how many steps, 0 to `horizon`; NAN: not within it, as far as is known. `slots` are view_slots() of `view`, of
 * `pool` steps each. */
double long_horizon_compute(const struct view *view, const struct view *slots, unsigned pool, double horizon);

#endif
