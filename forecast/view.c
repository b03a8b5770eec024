#include "forecast/view.h"

#include <math.h>

/* Two points are no past to speak of. */
enum { KNOWN_STEPS = 3 };

/* Whether so many steps are known. */
static bool knows(const struct timeline *timeline, unsigned wanted)
{
	unsigned known = 0;
	for (unsigned i = 0; i < timeline->count && known < wanted; i++)
		known += isnan(timeline_max(timeline, timeline->newest - i)) ? 0 : 1;
	return known >= wanted;
}

/* A step that overlaps the newest one by more than a half takes its place. */
static void put_present(struct view *view, struct step present, bool added)
{
	if (added) {
		view->count++;
		view->means++;
		view->index++;
	}
	view->max_room[view->count - 1] = present.max;
	view->mean_room[view->means - 1] = isnan(present.mean) ? present.max : present.mean;
	if (view->count > TIMELINE_STEPS) {
		view->max++;
		view->count--;
	}
	if (view->means > TIMELINE_MEANS) {
		view->mean++;
		view->means--;
	}
}

bool view_make(const struct timeline *timeline, struct step present, double phase, struct view *ret_view)
{
	bool present_known = !isnan(present.max), added = present_known && phase >= 0.5;
	bool recent = present_known || !isnan(timeline_max(timeline, timeline->newest)) ||
	              !isnan(timeline_max(timeline, timeline->newest - 1));
	if (!recent || !knows(timeline, added ? KNOWN_STEPS - 1 : KNOWN_STEPS))
		return false;
	ret_view->max = ret_view->max_room;
	ret_view->mean = ret_view->mean_room;
	ret_view->index = timeline->newest;
	ret_view->count = timeline_unroll(timeline, ret_view->max_room, ret_view->mean_room);
	ret_view->means = view_length(ret_view, TIMELINE_MEANS);
	if (present_known)
		put_present(ret_view, present, added);
	return true;
}
