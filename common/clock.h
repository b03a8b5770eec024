/*
 * The clocks of this machine, and how a time is written for people.
 *
 * Code that decides anything takes `now` as an argument; only main functions and
 * loops read the clocks here. Thread-safe.
 */
#ifndef VIGIE_COMMON_CLOCK_H
#define VIGIE_COMMON_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Milliseconds since 1970-01-01 UTC. */
int64_t clock_wall_ms(void);

/* Nanoseconds of a clock that is never set and stands still while the machine sleeps
 * (CLOCK_MONOTONIC). */
int64_t clock_monotonic_ns(void);

/* A time of that clock, as pthread_cond_timedwait(3) takes it. */
struct timespec clock_timespec(int64_t time_ns);

/* How long poll(2) is to wait until `end_ns` on that clock; 0 when that is past. Rounded up: a wait that
 * ends early would only be begun again. */
int clock_poll_ms(int64_t end_ns);

/* One moment on two clocks: what the wall clock says can be judged by the other. */
struct moment {
	int64_t wall_ms; /* since 1970-01-01 UTC; may be set at any time */
	int64_t boot_ms; /* since the machine started, its sleep included; never set (CLOCK_BOOTTIME) */
};

struct moment clock_moment(void);

/* Tells the times since one start of the machine from those since another; 0 where the
 * kernel does not tell (/proc/sys/kernel/random/boot_id). */
uint64_t clock_boot(void);

enum { CLOCK_RFC3339_SIZE = 32 };
#define CLOCK_RFC3339_MAX_S 253402300799.0 /* 9999-12-31T23:59:59Z: its years have four digits */

/* Writes "2026-11-22T14:00:15.000Z" (RFC 3339, UTC, always three decimals). */
void clock_format_rfc3339(int64_t time_ms, char ret_text[static CLOCK_RFC3339_SIZE]);

/* Reads "2026-11-22T14:00:15Z", with a fraction, a small t or z, a space for the T or an offset like +01:00, as RFC 3339
 * has it; what is beyond milliseconds is cut off. False for what is no such time: *ret_time_ms is then untouched. */
bool clock_parse_rfc3339(const char *text, int64_t *ret_time_ms);

#endif
