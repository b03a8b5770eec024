/*
 * The two clocks, in milliseconds, and how a time is written for people.
 *
 * Code that decides anything takes `now` as an argument; only main functions and
 * loops read the clocks here. Thread-safe.
 */
#ifndef VIGIE_COMMON_CLOCK_H
#define VIGIE_COMMON_CLOCK_H

#include <stdint.h>

/* Milliseconds since 1970-01-01 UTC. */
int64_t clock_wall_ms(void);

/* Nanoseconds of a clock that is never set (CLOCK_MONOTONIC). */
int64_t clock_monotonic_ns(void);

enum { CLOCK_RFC3339_SIZE = 32 };

/* Writes "2026-11-22T14:00:15.000Z" (RFC 3339, UTC, always three decimals). */
void clock_format_rfc3339(int64_t time_ms, char ret_text[static CLOCK_RFC3339_SIZE]);

#endif
