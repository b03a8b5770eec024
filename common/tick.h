/*
 * The beat of the periodic programs: one tick an interval, on the wall clock's
 * boundary (:00, :10, :20 …) or at a fixed phase after it, for ever, without
 * drift.
 *
 * Each wait is planned anew from the wall clock and slept on a clock that is never
 * set and goes on while the machine sleeps, so a wall clock that is set moves the
 * next tick back to the boundary, and a machine that wakes up ticks at once. Only
 * a wall clock that is set back by more than an interval makes a boundary come
 * again. One thread uses a tick.
 */
#ifndef VIGIE_COMMON_TICK_H
#define VIGIE_COMMON_TICK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"

struct tick {
	int64_t interval_ms;
	int64_t phase_ms;    /* after the boundary; less than the interval */
	int64_t boundary_ms; /* of the tick that is waited for, wall clock */
	int64_t due_boot_ms; /* when it comes, if the wall clock is not set meanwhile */
	int64_t missed;      /* ticks that could not be kept, since tick_open() */
	int timer_fd;        /* readable when it is time to call tick_take() */
};

/* The first boundary whose tick (boundary + phase) is at least `at_least_ms` after
 * `now_ms`. Pure. */
int64_t tick_next_boundary(int64_t now_ms, int64_t interval_ms, int64_t phase_ms, int64_t at_least_ms);

/* Plans the first tick, at least `at_least_ms` from now. 0 or a negative errno. */
int tick_open(struct tick *tick, int64_t interval_ms, int64_t phase_ms, int64_t at_least_ms, struct moment now)
	__attribute__((warn_unused_result));

/*
 * After a reload, or in the place of tick_open() for a tick that begins as { .timer_fd = -1 }. It is
 * planned anew where the interval or the phase is another one; otherwise one that is due is not
 * lost. 0 or a negative errno: it is then as it was.
 */
int tick_reopen(struct tick *tick, int64_t interval_ms, int64_t phase_ms, struct moment now)
	__attribute__((warn_unused_result));

/* tick_reopen() as the loop of a program has it: at this moment, and a failure is logged. False
 * then: there is no timer, or the one that was goes on. */
bool tick_renew(struct tick *tick, int64_t interval_ms, int64_t phase_ms);

/*
 * To be called when timer_fd is readable: plans the next tick and says which
 * boundary the present one has. False when it is no time yet (the wall clock was
 * set back, or the timer came early): wait on. The present tick is the newest
 * boundary; those for which time went by, and not those that a wall clock that
 * was set leapt over, are counted in `missed`.
 */
bool tick_take(struct tick *tick, struct moment now, int64_t *ret_boundary_ms);

void tick_close(struct tick *tick);

#endif
