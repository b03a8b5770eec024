/*
 * Which names are sent: include and exclude globs, the top ones, those over
 * min_cpu or min_mem, and at most max_processes, the rest summed under "other".
 *
 * A name once sent that top, min_cpu or min_mem would now leave out is sent for
 * FILTER_HOLD_TICKS more, so that no filter ends an alarm. max_processes is a
 * hard limit: there a name once sent keeps a share of its former rank instead.
 * min_cpu or min_mem alone leaves out what is under it; both, what is under both.
 *
 * Pure: no I/O, no clock, no global. Where nothing narrows it does nothing.
 */
#ifndef VIGIE_COLLECTOR_FILTER_H
#define VIGIE_COLLECTOR_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "collector/rates.h"
#include "common/config.h"

#define FILTER_OTHER "other"

enum { FILTER_HOLD_TICKS = 10 };

/* All zeros: nothing was sent yet. The owner releases it with filter_free(). */
struct filter {
	struct filter_name *sent; /* in the last tick, by name */
	struct filter_name *next;
	struct filter_choice *choices; /* one a name of the present tick */
	size_t *order;
	size_t sent_count;
	size_t capacity; /* of each of them */
};

/*
 * Takes values[*count], by name, and leaves those to be sent. `other`, at the end
 * or added to a process of that name, stands for *ret_folded names. 0 or -ENOMEM:
 * the values are then as they were.
 */
int filter_apply(struct filter *filter, const struct config *config, struct rate *values, size_t *count,
                 size_t *ret_folded) __attribute__((warn_unused_result));

/* Whether the globs have a name sent. */
bool filter_names(const struct config *config, const char *name);

void filter_free(struct filter *filter);

#endif
