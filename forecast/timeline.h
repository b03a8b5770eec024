/*
 * What is remembered of one series: the maxima of its last steps and of two days, the means of
 * its last 24 steps, when it rose: the onsets of what may come back, and a week of it (forecast/week.h).
 *
 * Time goes in steps of a fixed length (five minutes), numbered from 1970: step k is
 * [k * length, (k + 1) * length). A step without samples is a gap, never a zero. All
 * values are in units of the limit: 1 is the limit.
 *
 * Days are looked back at in slots, of as few steps each as it takes for a day to have no more than TIMELINE_DAY of
 * them. Steps of five minutes or longer are slots themselves; for shorter ones the slots are a timeline of their own.
 *
 * Pure. One thread uses a timeline. About 3.5 KiB, twice that with slots of their own.
 */
#ifndef VIGIE_FORECAST_TIMELINE_H
#define VIGIE_FORECAST_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "forecast/week.h"

enum {
	TIMELINE_STEP_S = 300,                 /* length of a step, unless it is said otherwise */
	TIMELINE_DAY_S = 86400,
	TIMELINE_DAY = 288,                    /* slots of a day, at most */
	TIMELINE_STEPS = 2 * TIMELINE_DAY + 1, /* the present one and two days before it */
	TIMELINE_MEANS = 24,
	TIMELINE_CROSSINGS = 17,
	TIMELINE_ONSETS = 40,
};

struct step {
	float mean, max; /* NAN: nothing is known of this step */
};

/* A rise from the quiet level at least half the way to the limit, after three steps without. */
struct onset {
	uint32_t index;
	bool crossed; /* it passed the limit, at once or in the four steps after */
};

struct timeline {
	int64_t newest;  /* index of the newest step; meaningless while count is 0 */
	uint32_t count;  /* steps known or passed over since the first, at most TIMELINE_STEPS */
	float max[TIMELINE_STEPS];   /* ring: step k is at k % TIMELINE_STEPS */
	float mean[TIMELINE_MEANS];  /* ring */
	uint32_t crossings[TIMELINE_CROSSINGS]; /* indexes, oldest first: over the limit after three steps not over it */
	uint32_t crossing_count;
	struct onset onsets[TIMELINE_ONSETS];   /* oldest first */
	uint32_t onset_count;
	float period;          /* steps between onsets that come back; 0: none is seen */
	float period_strength; /* how far the number of onsets so far apart is over chance, in deviations */
	struct week week;
	double day;            /* steps of a day */
	uint32_t pool;         /* steps of a slot: slot k begins with step k * pool */
	struct timeline *slots; /* those that have come to their end; NULL: the steps are the slots */
	int64_t slot;          /* the one that goes on; what follows is meaningless without slots */
	float slot_max;        /* its maximum so far; NAN: nothing is known of it */
};

/* Nothing is known yet; steps are five minutes long. */
void timeline_init(struct timeline *timeline);

/* Before the first step: steps are so long, from a second to a day. 0, with what timeline_free() frees; or -ENOMEM. */
int timeline_set_step(struct timeline *timeline, int64_t step_s) __attribute__((warn_unused_result));
void timeline_free(struct timeline *timeline);

/* Takes a step later than the newest; those between are gaps. */
void timeline_add(struct timeline *timeline, int64_t index, struct step step);

/* The maximum of a step; NAN for what is unknown, to come or forgotten. */
float timeline_max(const struct timeline *timeline, int64_t index);

/*
 * The last steps in a row, oldest first, gaps filled with what was before them: a gap is no
 * news. `ret_max` has room for TIMELINE_STEPS, `ret_mean` for TIMELINE_MEANS; the newest
 * are at the end of what was written. Returns how many maxima were written (0: nothing
 * is known); of means there are as many, at most TIMELINE_MEANS.
 */
unsigned timeline_unroll(const struct timeline *timeline, float ret_max[static TIMELINE_STEPS],
                         float ret_mean[static TIMELINE_MEANS]);

#endif
