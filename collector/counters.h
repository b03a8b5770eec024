/*
 * What has become of the samples, since the collector's start.
 *
 * Every one that was measured is sent, dropped or rejected, or waits still.
 */
#ifndef VIGIE_COLLECTOR_COUNTERS_H
#define VIGIE_COLLECTOR_COUNTERS_H

#include <stdint.h>

#include "common/text.h"

/* In samples, but for the last two. */
struct counters {
	int64_t sent;     /* the server has them */
	int64_t spooled;  /* had to wait, on the disk or in memory */
	int64_t replayed; /* of those sent, the ones that had waited, also for an earlier run */
	int64_t dropped;  /* for want of room, for their age, damaged on the disk, or of no place in an older server */
	int64_t rejected; /* by the server */
	int64_t missed_ticks;
	int64_t lost_exits; /* records of threads that ended */
};

/* Appends them for the log. */
void counters_describe(const struct counters *counters, struct text *text);

#endif
