/*
 * From readings to values: what each name used of CPU and memory, in percent.
 *
 * Pure: no I/O, no clock, no global. The memory is used again from tick to tick;
 * the owner releases it with rates_free(). What the values mean:
 * docs/design.md#what-is-measured.
 */
#ifndef VIGIE_COLLECTOR_RATES_H
#define VIGIE_COLLECTOR_RATES_H

#include <stddef.h>
#include <stdint.h>

#include "collector/reading.h"
#include "common/config.h"
#include "common/wire.h"

/* Of a resource that could not be measured: no sample is sent. */
enum { RATE_MISSING = -1 };

/* One name. */
struct rate {
	const char *name;                      /* borrowed from the reading */
	int32_t thousandths[RESOURCE_COUNT]; /* of a percent: 12,500 is 12.5 % */
};

/* All zeros: before the first reading. */
struct rates {
	struct usage *before; /* of the last reading, by PID */
	struct usage *now;
	int64_t *used; /* ticks since then, by place in the reading */
	struct rate *values;
	size_t before_count;
	size_t capacity; /* of each of them */
	int64_t before_ns; /* monotonic; 0: no reading yet */
	uint64_t before_boot_ticks;
};

/*
 * Takes the next reading, sorted, and gives the values of each of its names, by
 * name, borrowed until the next call or the end of the reading. The first reading
 * gives none: CPU takes two. A name's CPU is RATE_MISSING when all of its PIDs
 * began before the last reading and were not in it.
 * 0, or -ENOMEM: the reading then counts as not taken.
 */
int rates_update(struct rates *rates, const struct reading *reading, enum config_cpu_scale scale,
                 struct rate **ret_values, size_t *ret_count) __attribute__((warn_unused_result));

void rates_free(struct rates *rates);

#endif
