#include "forecast/timeline.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "forecast/quantile.h"

enum {
	QUIET_BEFORE = 3,  /* steps not over a level before passing it counts as news */
	ONSET_AFTER = 12,  /* steps that are known before a quiet level is believed */
	CROSSED_WITHIN = 4,
	PERIOD_MIN = 6,
	PERIOD_MAX = 295,  /* a day and a little */
	LAG_MAX = 320,
};

void timeline_init(struct timeline *timeline)
{
	*timeline = (struct timeline){ .day = TIMELINE_DAY, .pool = 1 };
	week_init(&timeline->week, TIMELINE_STEP_S);
}

int timeline_set_step(struct timeline *timeline, int64_t step_s)
{
	double day = (double)TIMELINE_DAY_S / (double)step_s, pool = ceil(day / TIMELINE_DAY);
	struct timeline *slots = pool > 1 ? malloc(sizeof(*slots)) : NULL;
	if (pool > 1 && !slots)
		return -ENOMEM;
	if (slots) {
		timeline_init(slots);
		slots->day = day / pool;
	}
	timeline->day = day;
	timeline->pool = (uint32_t)pool;
	timeline->slots = slots;
	timeline->slot_max = NAN;
	week_init(&timeline->week, step_s);
	return 0;
}

void timeline_free(struct timeline *timeline)
{
	free(timeline->slots);
	timeline->slots = NULL;
}

static unsigned slot(int64_t index, unsigned size)
{
	return (unsigned)(index % size);
}

float timeline_max(const struct timeline *timeline, int64_t index)
{
	if (index > timeline->newest || timeline->newest - index >= timeline->count)
		return NAN;
	return timeline->max[slot(index, TIMELINE_STEPS)];
}

static void push(struct timeline *timeline, int64_t index, struct step step)
{
	timeline->max[slot(index, TIMELINE_STEPS)] = step.max;
	timeline->mean[slot(index, TIMELINE_MEANS)] = step.mean;
	timeline->newest = index;
	if (timeline->count < TIMELINE_STEPS)
		timeline->count++;
}

/* Whether the newest step is over `level` and the known ones of the three before are not. */
static bool passes(const struct timeline *timeline, float level)
{
	if (!(timeline_max(timeline, timeline->newest) > level))
		return false;
	for (int i = 1; i <= QUIET_BEFORE; i++) {
		if (timeline_max(timeline, timeline->newest - i) > level)
			return false;
	}
	return true;
}

static void add_crossing(struct timeline *timeline)
{
	if (timeline->crossing_count == TIMELINE_CROSSINGS) {
		memmove(timeline->crossings, timeline->crossings + 1,
		        (TIMELINE_CROSSINGS - 1) * sizeof(timeline->crossings[0]));
		timeline->crossing_count--;
	}
	timeline->crossings[timeline->crossing_count++] = (uint32_t)timeline->newest;
}

static void add_onset(struct timeline *timeline, bool crossed)
{
	if (timeline->onset_count == TIMELINE_ONSETS) {
		memmove(timeline->onsets, timeline->onsets + 1, (TIMELINE_ONSETS - 1) * sizeof(timeline->onsets[0]));
		timeline->onset_count--;
	}
	timeline->onsets[timeline->onset_count++] =
		(struct onset){ .index = (uint32_t)timeline->newest, .crossed = crossed };
}

/*
 * The period of what comes back: the lag at which more pairs of onsets lie than chance
 * would have it. Runs that are left out or come unasked disturb it little, unlike the gap
 * since the last one; a period's jitter is allowed for by a kernel that grows with the lag.
 */
static void find_period(struct timeline *timeline)
{
	float pairs[LAG_MAX] = { 0 };
	const struct onset *onsets = timeline->onsets;
	unsigned count = timeline->onset_count;
	timeline->period = timeline->period_strength = 0;
	if (count < 4)
		return;
	for (unsigned i = 0; i < count; i++) {
		for (unsigned j = i + 1; j < count; j++) {
			uint32_t lag = onsets[j].index - onsets[i].index;
			if (lag < LAG_MAX && lag >= PERIOD_MIN - 1)
				pairs[lag] += 1;
		}
	}
	double span = (double)(onsets[count - 1].index - onsets[0].index) + 1, rate = count / span, best = 0;
	int period = 0;
	for (int lag = PERIOD_MIN; lag <= PERIOD_MAX; lag++) {
		int width = 1 + lag / TIMELINE_MEANS;
		double seen = 0, weight = 0;
		for (int d = -width; d <= width; d++) {
			double kernel = 1 - fabs((double)d) / (width + 1);
			weight += kernel;
			if (lag + d >= PERIOD_MIN - 1 && lag + d < LAG_MAX)
				seen += kernel * (double)pairs[lag + d];
		}
		double expected = fmax(1, (span - lag) * rate) * rate * weight;
		double strength = (seen - expected) / sqrt(expected + 1);
		/* A multiple is only taken for clearly more: the shortest is the period. */
		if (strength > 1.15 * best) {
			best = strength;
			period = lag;
		}
	}
	if (period == 0)
		return;
	double weight = 0, sum = 0;
	int width = 1 + period / TIMELINE_MEANS;
	for (int lag = period - width; lag <= period + width; lag++) {
		if (lag < 0 || lag >= LAG_MAX)
			continue;
		weight += (double)pairs[lag];
		sum += (double)pairs[lag] * lag;
	}
	timeline->period = (float)(weight > 0 ? sum / weight : period);
	timeline->period_strength = (float)best;
}

/* Half the way from the quiet level, a tenth of the last day's slots is under it, to the limit. */
static float onset_level(const struct timeline *timeline)
{
	float day[TIMELINE_DAY];
	unsigned count = 0;
	const struct timeline *slots = timeline->slots ? timeline->slots : timeline;
	if (timeline->slots)
		day[count++] = timeline->slot_max;
	for (int64_t i = 0; count < TIMELINE_DAY && i < lround(slots->day) && i < slots->count; i++) {
		float max = timeline_max(slots, slots->newest - i);
		if (!isnan(max))
			day[count++] = max;
	}
	float quiet = quantile(day, count, 0.1);
	return quiet + 0.5f * (1 - quiet);
}

/* Adds a step to the slot that it is in; the one before has come to its end. */
static void add_to_slot(struct timeline *timeline, int64_t index, float max)
{
	int64_t slot = index / timeline->pool;
	if (timeline->count > 0 && slot > timeline->slot) {
		timeline_add(timeline->slots, timeline->slot, (struct step){ timeline->slot_max, timeline->slot_max });
		timeline->slot_max = NAN;
		if (slot - timeline->slot > 1)
			timeline_add(timeline->slots, slot - 1, (struct step){ NAN, NAN });
	}
	timeline->slot = slot;
	timeline->slot_max = fmaxf(timeline->slot_max, max);
}

void timeline_add(struct timeline *timeline, int64_t index, struct step step)
{
	if (timeline->slots)
		add_to_slot(timeline, index, step.max);
	const struct step gap = { .mean = NAN, .max = NAN };
	if (timeline->count > 0 && index - timeline->newest > TIMELINE_STEPS)
		timeline->newest = index - TIMELINE_STEPS - 1;
	while (timeline->count > 0 && timeline->newest + 1 < index)
		push(timeline, timeline->newest + 1, gap);
	push(timeline, index, step);
	week_add(&timeline->week, index, step.max);
	if (isnan(step.max))
		return;

	if (passes(timeline, 1))
		add_crossing(timeline);
	struct onset *last = timeline->onset_count ? &timeline->onsets[timeline->onset_count - 1] : NULL;
	if (last && step.max > 1 && (uint32_t)index - last->index <= CROSSED_WITHIN)
		last->crossed = true;
	/* The level is never under half the limit. */
	if (timeline->count > ONSET_AFTER && step.max > 0.5f && passes(timeline, onset_level(timeline))) {
		add_onset(timeline, step.max > 1);
		find_period(timeline);
	}
}

unsigned timeline_unroll(const struct timeline *timeline, float ret_max[static TIMELINE_STEPS],
                         float ret_mean[static TIMELINE_MEANS])
{
	int64_t first = timeline->newest - timeline->count + 1;
	while (first <= timeline->newest && timeline->count > 0 && isnan(timeline_max(timeline, first)))
		first++;
	if (timeline->count == 0 || first > timeline->newest)
		return 0;
	unsigned count = (unsigned)(timeline->newest - first) + 1;
	float before = 0;
	for (unsigned i = 0, at = slot(first, TIMELINE_STEPS); i < count; i++) {
		if (!isnan(timeline->max[at]))
			before = timeline->max[at];
		ret_max[i] = before;
		at = at + 1 == TIMELINE_STEPS ? 0 : at + 1;
	}
	unsigned means = count < TIMELINE_MEANS ? count : TIMELINE_MEANS;
	for (unsigned i = 0; i < means; i++) {
		float mean = timeline->mean[slot(timeline->newest - means + 1 + i, TIMELINE_MEANS)];
		/* Before the first known one the maximum has to do. */
		ret_mean[i] = !isnan(mean) ? mean : i > 0 ? ret_mean[i - 1] : ret_max[count - means];
	}
	return count;
}
