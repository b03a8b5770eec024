/*
 * The wall clock, as far as it may be believed by what cannot be undone.
 *
 * A wall clock is set by hand, by a protocol that was misled, by a battery that ran out: one
 * reading of it must not delete, end or forget anything. What judges it is CLOCK_BOOTTIME, which
 * is never set and goes on while the machine sleeps: from reading to reading both have to
 * advance alike. A reading that disagrees counts only after SURE_CLOCK_WAIT_MS of readings
 * that agree with it; until then time goes on from the last one that was believed.
 *
 * From one start of the machine to the next nothing tells how long it was off, and the first
 * readings may be wrong until the network has told the time. For SURE_CLOCK_WAIT_MS a reading
 * is then believed at once, if it is not before what was kept, for what can be mended; what is
 * deleted is judged by sure_clock_reached(), which until then knows only that time goes on.
 *
 * Pure: no I/O, no clock, no global. The caller owns the struct and serialises the calls.
 */
#ifndef VIGIE_COMMON_SURE_CLOCK_H
#define VIGIE_COMMON_SURE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"

enum {
	SURE_CLOCK_TOLERANCE_MS = 60 * 1000, /* clocks that differ by no more agree: one is being slewed */
	SURE_CLOCK_WAIT_MS = 10 * 60 * 1000, /* how long a reading that disagrees has to be borne out */
};

struct sure_clock {
	uint64_t boot;       /* the start of the machine that boot_ms counts from: clock_boot() */
	int64_t ahead_ms;    /* how far the believed wall clock is ahead of boot_ms */
	int64_t floor_ms;    /* how far it is at least, by what was kept; INT64_MIN: nothing was */
	int64_t firm_ms;     /* until this boot_ms a reading is believed at once */
	bool doubting;       /* readings disagree … */
	int64_t doubtful_ms; /* … that are so far ahead of boot_ms … */
	int64_t since_ms;    /* … since this boot_ms */
};

/* What the last reading has changed. */
enum sure_clock_news {
	SURE_CLOCK_SAME,
	SURE_CLOCK_JUMPED,  /* it disagrees, as the one before did not */
	SURE_CLOCK_BACK,    /* it agrees again */
	SURE_CLOCK_ADOPTED, /* it disagrees with what was believed, and is believed from now on */
};

/* What is to be kept over a restart of the program: the wall clock as it is believed. */
struct sure_clock_mark {
	uint64_t boot;
	struct moment moment;
};

/* Begins from what was kept; NULL: there is nothing yet that a wrong clock could harm. */
void sure_clock_open(struct sure_clock *clock, const struct sure_clock_mark *kept, uint64_t boot, struct moment now);

/* Takes a reading; returns the believed time of that moment. `ret_news` may be NULL. */
int64_t sure_clock_read(struct sure_clock *clock, struct moment now, enum sure_clock_news *ret_news);

/* A time that has certainly come at the moment of the last reading `now`: at most the believed one. */
int64_t sure_clock_reached(const struct sure_clock *clock, struct moment now);

/* What to keep: of a reading that is only believed at once not more than is certain. */
struct sure_clock_mark sure_clock_mark(const struct sure_clock *clock, struct moment now);

#endif
