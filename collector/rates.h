/*
 * From readings to values: what each name used of CPU and memory, in percent, and of the further resources.
 *
 * The CPU of processes that ended since the last reading is part of it: collector/accounts.h. In each interval
 * rates_take_exit() is called for what ends until the reading is taken, rates_begin() with it, rates_take_exit() for
 * what has ended while it was taken, rates_trust_exits() when that is all, and rates_update(); the last alone where
 * there are no records of what ends.
 *
 * Pure: no I/O, no clock, no global. The memory is used again from tick to tick;
 * the owner releases it with rates_free(). What the values mean:
 * docs/design.md#what-is-measured.
 */
#ifndef VIGIE_COLLECTOR_RATES_H
#define VIGIE_COLLECTOR_RATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/accounts.h"
#include "collector/growth.h"
#include "collector/reading.h"
#include "common/config.h"
#include "common/wire.h"

/* Of a resource that could not be measured: no sample is sent. */
enum { RATE_MISSING = -1 };

/* One name. */
struct rate {
	const char *name;                      /* borrowed from the reading or the rates */
	int32_t thousandths[RESOURCE_LIMITED]; /* of a percent: 12,500 is 12.5 % */
	bool has_further;                      /* what follows was measured */
	float further[RESOURCE_FURTHER];       /* whole numbers: those over 2^24 are near it */
};

/* All zeros: before the first reading. */
struct rates {
	struct accounts accounts;
	struct growth growth;
	struct rate *values;
	size_t capacity;
	int64_t before_ns; /* monotonic; 0: no reading yet */
	bool begun;        /* the present reading is in the accounts already */
	bool trusted;      /* the records of the interval are all there */
	bool by_exits;     /* the last values have what ended processes used by their records; otherwise by their parents */
};

/* Takes the next reading, sorted, which rates_update() must be given next. 0, or -ENOMEM: it counts as not taken. */
int rates_begin(struct rates *rates, const struct reading *reading) __attribute__((warn_unused_result));

/* Takes the record of a process that has ended, at `now_ns` (monotonic). */
void rates_take_exit(struct rates *rates, const struct exit_record *record, int64_t now_ns);

/* No record of the interval is missing. */
void rates_trust_exits(struct rates *rates);

/*
 * Takes the next reading, sorted, where rates_begin() has not, and gives the values of each name, by name, borrowed
 * until the next call or the end of the reading. The first reading gives none: CPU takes two. A name's CPU is
 * RATE_MISSING when all of its PIDs began before the last reading and were not in it, and so are the further resources; its
 * memory is when all of them have ended, and such a name is left out where it has used less than a tick of /proc's clock.
 * 0, or -ENOMEM: the reading then counts as not taken.
 */
int rates_update(struct rates *rates, const struct reading *reading, enum config_cpu_scale scale,
                 struct rate **ret_values, size_t *ret_count) __attribute__((warn_unused_result));

void rates_free(struct rates *rates);

#endif
