/*
 * What came for an hour after it was sealed, and counts over it: which samples of the block it takes the place of.
 *
 * Pure but for memory; one thread at a time.
 */
#ifndef VIGIE_FCGI_SQLITE_LATE_H
#define VIGIE_FCGI_SQLITE_LATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fcgi/sample.h"

/* A series has something of these halves at that time. */
struct late_sample {
	uint32_t series;
	uint32_t offset_ms; /* from the hour's start */
	bool present[HALF_COUNT];
};

struct late {
	struct late_sample *samples; /* samples[count] */
	size_t count, capacity;
};

/* 0 or -ENOMEM. */
int late_add(struct late *late, const struct late_sample *sample) __attribute__((warn_unused_result));

/* Sorts them by series and time, once all are added. */
void late_sort(struct late *late);

/* Those of one series. Returns how many. */
size_t late_find(const struct late *late, uint32_t series, const struct late_sample **ret_samples);

/* Empties it; keeps the memory. */
void late_reset(struct late *late);
void late_free(struct late *late);

#endif
