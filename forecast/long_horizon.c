#include "forecast/long_horizon.h"

#include <math.h>

#include "forecast/regression.h"

enum { HOURS_A_DAY = 24, HOURS_MAX = 48, HOURS_OF_HORIZON = 72 };

#define EXPLAINED 0.9

/* The highest of `length` steps or slots, the last of them `back` before the newest. */
static double highest_of(const struct view *view, unsigned back, unsigned length)
{
	double highest = 0;
	for (unsigned i = back; i < back + length; i++)
		highest = fmax(highest, view_max(view, i));
	return highest;
}

/* In how many hours by the line through the highest of these hours, the newest first; NAN: it is none, or leads away. */
static double hours_left(const double hours[], unsigned count)
{
	struct sums sums = { 0 };
	struct regression line;
	for (unsigned i = 0; i < count; i++)
		sums_add(&sums, -(double)i, hours[i] - hours[0]);
	if (!regression_compute(&sums, &line) || line.explained < EXPLAINED || !(line.slope > 0))
		return NAN;
	return fmax(0, (1 - hours[0] - line.level) / line.slope);
}

/* Whether it came as high as the middle of the last day's line in the hours before: a rise that turned back. */
static bool turned_back(const double hours[], unsigned count)
{
	for (unsigned i = HOURS_A_DAY; i < count; i++) {
		if (hours[i] > (hours[0] + hours[HOURS_A_DAY - 1]) / 2)
			return true;
	}
	return false;
}

double long_horizon_compute(const struct view *view, const struct view *slots, unsigned pool, double horizon)
{
	double hours[HOURS_MAX], hour = fmax(1, fmin(view->day / HOURS_A_DAY, horizon / HOURS_OF_HORIZON));
	if (view_max(view, 0) > 1)
		return NAN;
	if (lround(hour) * HOURS_MAX > TIMELINE_STEPS) {
		view = slots;
		hour /= pool;
		horizon /= pool;
	} else {
		pool = 1;
	}
	unsigned length = (unsigned)lround(fmax(1, hour)), known = view->count / length;
	for (unsigned i = 0; i < known && i < HOURS_MAX; i++)
		hours[i] = highest_of(view, i * length, length);
	double left = known >= HOURS_MAX ? hours_left(hours, HOURS_MAX) * length : NAN;
	unsigned looked_at = known < HOURS_MAX ? known : HOURS_MAX;
	if (!(left <= horizon))
		left = known >= HOURS_A_DAY && !turned_back(hours, looked_at) ? hours_left(hours, HOURS_A_DAY) * length : NAN;
	return left <= horizon ? left * pool : NAN;
}
