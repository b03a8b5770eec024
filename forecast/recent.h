/*
 * The newest buckets of one series, a bucket a refresh, and the steps that are made of
 * them: while a step goes on its buckets may still change, and what was a step's length
 * of time up to now is put together anew at each refresh.
 *
 * Pure. The struct stands at the end of its owner's memory, of recent_size() bytes.
 */
#ifndef VIGIE_FORECAST_RECENT_H
#define VIGIE_FORECAST_RECENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "forecast/forecaster.h"

struct recent {
	int64_t newest;      /* bucket: [newest * refresh, (newest + 1) * refresh); INT64_MIN: none */
	uint32_t capacity;
	struct step buckets[]; /* of bucket k at k modulo capacity */
};

/* Room for two steps of `per_step` buckets and the bucket that goes on. */
size_t recent_size(unsigned per_step);

void recent_init(struct recent *recent, unsigned per_step);

/* Puts a bucket in the place of what was known of it; one that is too old is left out. */
void recent_set(struct recent *recent, int64_t bucket, struct step values);

/* The same where nothing is known of it yet. */
void recent_set_default(struct recent *recent, int64_t bucket, struct step values);

/*
 * Buckets first to first + count - 1 as one: the mean of their means, each counting the
 * same, and the highest maximum. NAN where nothing is known.
 */
struct step recent_combine(const struct recent *recent, int64_t first, unsigned count);

#endif
