/*
 * The past of a series as the features look at it: without gaps, as of now.
 *
 * In units of the limit. Pure.
 */
#ifndef VIGIE_FORECAST_VIEW_H
#define VIGIE_FORECAST_VIEW_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "forecast/timeline.h"

/* Not to be copied: it points into itself. */
struct view {
	const float *max;      /* max[count], oldest first */
	const float *mean;     /* mean[means], of the last of them */
	unsigned count, means; /* 1 to TIMELINE_STEPS, 1 to TIMELINE_MEANS */
	int64_t index;         /* of the newest step */
	double day;            /* steps of a day */
	float max_room[TIMELINE_STEPS + 2], mean_room[TIMELINE_MEANS + 2]; /* of slots two may be put behind what is known */
};

/* As features_compute(), which says what `present` and `phase` are and when this is false. */
bool view_make(const struct timeline *timeline, struct step present, double phase, struct view *ret_view)
	__attribute__((warn_unused_result));

/* The same past by the slots of timeline.h, for what looks back for days: `view` itself where they are the steps,
 * otherwise made in `room`. */
const struct view *view_slots(const struct timeline *timeline, const struct view *view, struct view *room);

/* The maximum `back` steps before the newest; there are more than that. */
static inline double view_max(const struct view *view, unsigned back)
{
	assert(back < view->count);
	return (double)view->max[view->count - 1 - back];
}

/* The same; the oldest for what is before it. */
static inline double view_max_or_oldest(const struct view *view, unsigned back)
{
	return back < view->count ? view_max(view, back) : (double)view->max[0];
}

/* How many of the last `length` steps there are. */
static inline unsigned view_length(const struct view *view, unsigned length)
{
	return length < view->count ? length : view->count;
}

/* Of a view of slots: how many of the last day's there are. */
static inline unsigned view_day(const struct view *view)
{
	return view_length(view, (unsigned)(view->day + 0.5));
}

/* The maxima of the last `count` steps, no more than there are, oldest first. */
static inline const float *view_last(const struct view *view, unsigned count)
{
	return view->max + view->count - count;
}

#endif
