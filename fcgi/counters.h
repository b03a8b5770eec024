/*
 * What the application counts, for GET metrics. Counting is lock-free and may be
 * done in any thread; the counters live as long as the process.
 */
#ifndef VIGIE_FCGI_COUNTERS_H
#define VIGIE_FCGI_COUNTERS_H

#include <stdint.h>

#include "common/text.h"

enum counter {
	COUNTER_POINTS,          /* samples stored */
	COUNTER_BATCHES,         /* requests stored */
	COUNTER_COMMITS,         /* writes of the store; batches / commits: how many go together */
	COUNTER_APPEND_FAILURES, /* writes the store failed */
	COUNTER_REJECTED,        /* bodies answered 400, 409, 413 or 415 */
	COUNTER_BUSY,            /* requests answered 503 because the store did not answer */
	COUNTER_OVER_BUDGET,     /* requests answered 503 because all together held too much memory */
	COUNTER_SHARED,          /* reads answered with another's answer */
	COUNTER_SERIES_FOLDED,   /* samples that count as "other" because of a series limit */
	COUNTER_EXPIRED_ROWS,    /* rows deleted by the retention */
	COUNTER_SEALED_HOURS,    /* hours of hosts sealed, each host's by itself */
	COUNTER_MERGED_HOURS,    /* of those: that were sealed before, with what came late */
	COUNTER_TOO_LATE,        /* samples that came when their hour had its summaries alone */
	COUNTER_UNUSABLE_VALUES, /* values left out of answers: see store_leave_out() */
	COUNTER_COUNT
};

/* Durations are kept as a histogram (powers of two from 0.1 ms) a timer. */
enum timer { TIMER_APPEND, TIMER_READ, TIMER_COUNT };

void counters_add(enum counter counter, uint64_t number);
void counters_time(enum timer timer, int64_t duration_ns);

/* Counts a request by the name of its route and the status of its answer. `route`
 * is the index given to counters_append()'s names; below COUNTERS_ROUTES. */
enum { COUNTERS_ROUTES = 32 };
void counters_request(unsigned route, int status);

/* Appends all of it as Prometheus text (exposition format 0.0.4). */
void counters_append(struct text *text, const char *const route_names[], unsigned route_count);

#endif
