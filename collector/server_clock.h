/*
 * The server's clock as this machine can tell it, and the time to stamp samples
 * with: this machine's own while the two agree, the server's when they differ by
 * more than SERVER_CLOCK_TRUST_MS. A machine whose clock is an hour off, or is set
 * while it runs, so shows at the server's present all the same.
 *
 * What is known is how far the server's clock is ahead of CLOCK_BOOTTIME, which is
 * never set and goes on while the machine sleeps. An answer bounds it: the server
 * wrote its time between the start of the request and the end of the answer, and a
 * Date header leaves out up to a second (RFC 9110, 6.6.1). Bounds that agree are
 * narrowed to what they have in common, and the estimate stays for as long as it
 * lies within; where they do not agree, a clock was set and the newest count. With
 * time the two clocks drift apart and the bounds with them.
 *
 * Pure: no I/O, no clock, no global.
 */
#ifndef VIGIE_COLLECTOR_SERVER_CLOCK_H
#define VIGIE_COLLECTOR_SERVER_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"

enum {
	SERVER_CLOCK_TRUST_MS = 5000, /* a difference up to this is left alone */
	SERVER_CLOCK_SURE_MS = 1000,  /* a wall clock that leaps by more was set */
};

/* All zeros: nothing is known yet. */
struct server_clock {
	bool known;
	bool correcting; /* this machine's clock is not what samples are stamped with */
	int64_t low_ms, high_ms; /* between these the server's clock was ahead of boot_ms … */
	struct moment measured;  /* … at this moment */
	int64_t ahead_ms;        /* the estimate in use, between them */
};

/* When a batch was taken. */
struct stamp {
	int64_t time_ms;  /* as it is, or is to be, sent */
	int64_t boot_ms;  /* the same moment on the clock that is never set, … */
	uint64_t boot_id; /* … which is of this start of the machine: clock_boot() */
	bool settled;     /* time_ms was judged by the server's clock; otherwise it is this machine's alone */
};

/* Takes that the server's clock stood between the two times, at a moment between
 * `begun` and `ended`. */
void server_clock_learn(struct server_clock *clock, int64_t low_ms, int64_t high_ms, struct moment begun,
                        struct moment ended);

/* Whether the server's clock is known, and this machine's not set since it was. */
bool server_clock_is_sure(const struct server_clock *clock, struct moment now);

/* The time to stamp with, as wall_ms of the moment; decides what `correcting` is. */
struct moment server_clock_judge(struct server_clock *clock, struct moment now);

/* How far this machine's wall clock is ahead of the server's, 0 where it may be right.
 * False when nothing is known. */
bool server_clock_offset_ms(const struct server_clock *clock, struct moment now, int64_t *ret_offset_ms);

/* The stamp's time by the server's clock: its own where that may be right. `boot_id` is
 * the present start of the machine. */
int64_t server_clock_settle(const struct server_clock *clock, const struct stamp *stamp, struct moment now,
                            uint64_t boot_id);

#endif
