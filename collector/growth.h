/*
 * What processes have used of the further resources (common/resource.h) since the last reading: the growth of what is a
 * counter, as it stands of what is none. Pure.
 *
 * Of a process that was in the last reading it is what the counter has more, of one that began since all of it. A PID that
 * is used again is another process. Where a counter was not read, this time or the last, it is not known: what two intervals
 * have is no rate of one. A counter that has gone back has not grown.
 *
 * The kernel adds what a process has done to its parent's counters when that waits for it (wait_task_zombie() of
 * kernel/exit.c: so a shell has, at once, all that its commands have written). What of it was counted already is taken
 * from the growth of the nearest ancestor that lives, what that has not grown by from those above it, and what they lack too
 * for one more reading: the parent was read before it waited. What was not counted, of children that began and ended between
 * two readings, stays with the parent. So nothing counts twice, and nothing is negative; who ignores SIGCHLD may have too
 * little for an interval or two. (Of CPU it is collector/waited.h, where the counters of children stand apart.)
 *
 * All zeros: before the first reading. The owner releases the memory, which is used again, with growth_free().
 */
#ifndef VIGIE_COLLECTOR_GROWTH_H
#define VIGIE_COLLECTOR_GROWTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/reading.h"

struct growth {
	struct counted *before, *now; /* by PID */
	size_t before_count, count, capacity;
	int64_t (*values)[RESOURCE_FURTHER]; /* by place in the reading; READING_UNKNOWN */
	uint64_t boot_ticks; /* of the last reading */
	bool begun;          /* there was one, with further resources in it */
};

/* Makes room for a reading of so many processes. 0 or -ENOMEM. */
int growth_reserve(struct growth *growth, size_t count) __attribute__((warn_unused_result));

/* Takes the next reading, for which there is room: `values` is then of it. One without further resources has none, and
 * needs none. */
void growth_take(struct growth *growth, const struct reading *reading);

void growth_free(struct growth *growth);

#endif
