/*
 * What is remembered of a series' last seven days, and two hours more: the highest maximum of each quarter of an
 * hour, in a byte. The timeline has two days; the server, too, forgets sooner.
 *
 * Slots go by UTC: slot k is the k-th quarter of an hour since 1970, so that a day has 96 of them, whatever a step is
 * and whatever clocks on walls do. A slot without a step is unknown, never a zero. Values are in units of the limit,
 * told apart by 1/127 of it up to the limit, and by 1/32 over it, up to five limits; a value is over the limit
 * exactly when what is remembered of it is.
 *
 * Pure. One thread uses a week. 700 bytes.
 */
#ifndef VIGIE_FORECAST_WEEK_H
#define VIGIE_FORECAST_WEEK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/text.h"

enum {
	WEEK_DAYS = 7,
	WEEK_SLOT_S = 900,
	WEEK_DAY = 86400 / WEEK_SLOT_S, /* slots */
	WEEK_SLOTS = WEEK_DAYS * WEEK_DAY + 8,
};

struct week {
	int64_t step_s; /* length of a step */
	int64_t newest; /* slot; INT64_MIN: nothing is known */
	int64_t begun;  /* the slot of the newest step that was added; INT64_MIN: none was since the start */
	uint8_t highest[WEEK_SLOTS]; /* ring: of slot k at k % WEEK_SLOTS; 0: unknown */
};

/* Nothing is known yet; steps are so long. */
void week_init(struct week *week, int64_t step_s);

/*
 * Takes the maximum of a step, NAN for a gap. What an earlier life knew of a slot that begins now is replaced. What is
 * WEEK_SLOTS before the newest is unknown; a step that is so long before it, by a clock that was set back, begins
 * anew.
 */
void week_add(struct week *week, int64_t index, float max);

/* The slot that a step begins in. */
int64_t week_slot(const struct week *week, int64_t index);

/* A value as a byte, 1 to 255, over WEEK_LIMIT when it is over the limit; and what a byte stands for. */
enum { WEEK_LIMIT = 128 };
/* Bytes a limit: of values that are not over it, and of those that are. */
#define WEEK_BELOW (WEEK_LIMIT - 1.0f)
#define WEEK_OVER 32.0f
unsigned week_code(float value);
static inline float week_value(unsigned code)
{
	float step = (float)((int)code - WEEK_LIMIT);
	return step > 0 ? 1 + (step - 0.5f) * (1 / WEEK_OVER) : 1 + step * (1 / WEEK_BELOW);
}

/* The bytes of the slots up to and with `last`, oldest first; 0 for what is unknown, to come or forgotten. */
void week_unroll(const struct week *week, int64_t last, uint8_t ret_codes[static WEEK_SLOTS]);

/* Appends the week: the number of the newest slot, a space, and two hexadecimal digits a slot, from the oldest on. */
void week_save(const struct week *week, struct text *text);

/*
 * Reads that into a week that has no step yet and moves *at behind it; values are multiplied by `scale`: what the limit
 * was in units of the present one. False for what is no such text: the week and *at are then as they were.
 */
bool week_restore(struct week *week, const char **at, double scale) __attribute__((warn_unused_result));

#endif
