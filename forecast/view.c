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
	view->max_room[view->max - view->max_room + view->count - 1] = present.max;
	view->mean_room[view->mean - view->mean_room + view->means - 1] = isnan(present.mean) ? present.max : present.mean;
	if (view->count > TIMELINE_STEPS) {
		view->max++;
		view->count--;
	}
	if (view->means > TIMELINE_MEANS) {
		view->mean++;
		view->means--;
	}
}

/* All that is known, without the present. */
static void unroll(const struct timeline *timeline, struct view *view)
{
	view->max = view->max_room;
	view->mean = view->mean_room;
	view->index = timeline->newest;
	view->day = timeline->day;
	view->count = timeline_unroll(timeline, view->max_room, view->mean_room);
	view->means = view_length(view, TIMELINE_MEANS);
}

bool view_make(const struct timeline *timeline, struct step present, double phase, struct view *ret_view)
{
	bool present_known = !isnan(present.max), added = present_known && phase >= 0.5;
	bool recent = present_known || !isnan(timeline_max(timeline, timeline->newest)) ||
	              !isnan(timeline_max(timeline, timeline->newest - 1));
	if (!recent || !knows(timeline, added ? KNOWN_STEPS - 1 : KNOWN_STEPS))
		return false;
	unroll(timeline, ret_view);
	if (present_known)
		put_present(ret_view, present, added);
	return true;
}

const struct view *view_slots(const struct timeline *timeline, const struct view *view, struct view *room)
{
	if (!timeline->slots)
		return view;
	unroll(timeline->slots, room);
	const float now = view->max[view->count - 1];
	bool begins = view->index / timeline->pool > timeline->slot; /* the present does, after the one that went on */
	if (!begins || !isnan(timeline->slot_max))
		put_present(room, (struct step){ NAN, begins ? timeline->slot_max : fmaxf(timeline->slot_max, now) }, true);
	if (begins)
		put_present(room, (struct step){ NAN, now }, true);
	return room;
}
