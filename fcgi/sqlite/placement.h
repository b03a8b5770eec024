/*
 * Where the SQLite store puts samples: the row of each, and its place in the row.
 *
 * A row holds one metric of one host in ten seconds. Its key is (metric, ten
 * seconds, host) in one integer, so that rows are in the order of time, and a
 * host's row at a time is found by its key. Pure; the caller holds what locks the
 * dictionary needs.
 */
#ifndef VIGIE_FCGI_SQLITE_PLACEMENT_H
#define VIGIE_FCGI_SQLITE_PLACEMENT_H

#include <stddef.h>
#include <stdint.h>

#include "fcgi/sqlite/block.h"
#include "fcgi/sqlite/dictionary.h"
#include "fcgi/sqlite/packing.h"
#include "fcgi/sample.h"

enum {
	PLACEMENT_ROW_MS = PACKING_SPAN_MS,
	PLACEMENT_HOST_BITS = 24, /* of a key, below 32 bits of time and the metric */
	PLACEMENT_HOST_MAX = (1 << PLACEMENT_HOST_BITS) - 1,
	PLACEMENT_METRIC_SHIFT = 56,
};

static inline int64_t placement_key(enum metric metric, int64_t time_ms, uint32_t host)
{
	return (int64_t)metric << PLACEMENT_METRIC_SHIFT | time_ms / PLACEMENT_ROW_MS << PLACEMENT_HOST_BITS | host;
}

/* Of a sealed hour of a host. */
static inline int64_t placement_hour_key(enum metric metric, int64_t time_ms, uint32_t host)
{
	/* analyzer: no time that is kept or asked for is so far ahead */
	return (int64_t)metric << PLACEMENT_METRIC_SHIFT | time_ms / BLOCK_MS << PLACEMENT_HOST_BITS | host;
}

static inline int64_t placement_hour_ms(int64_t key)
{
	return (key >> PLACEMENT_HOST_BITS & UINT32_MAX) * BLOCK_MS;
}

static inline int64_t placement_start_ms(int64_t key)
{
	return (key >> PLACEMENT_HOST_BITS & UINT32_MAX) * PLACEMENT_ROW_MS;
}

static inline uint32_t placement_host(int64_t key)
{
	return (uint32_t)(key & PLACEMENT_HOST_MAX);
}

static inline enum metric placement_metric(int64_t key)
{
	return (enum metric)(key >> PLACEMENT_METRIC_SHIFT);
}

/* A sample with its numbers. */
struct placed {
	int64_t key;
	struct dictionary_series *series;
	double value;
	uint32_t offset_ms; /* from the row's start */
	uint32_t order;     /* in which it came */
	enum half half;
	uint16_t batch;     /* in which it came, of those of this write */
	bool folded;        /* one of several that count as "other": they are added up */
};

static inline int64_t placed_time_ms(const struct placed *placed)
{
	return placement_start_ms(placed->key) + placed->offset_ms;
}

/* How many series there may be; a name beyond that counts as "other" of its host, which each host has beyond that,
 * but of no more hosts than series. */
struct placement_limits {
	int64_t series, series_per_host;
};

/*
 * Gives every sample of the batches its host and series, adding to the dictionary
 * those that are new. placed[samples of all batches]: batch by batch as their rows
 * are sorted, so that of what hosts send for a tick the rows are in order. 0;
 * -ENOMEM; -EDQUOT for a new host when there is no room for that either. What was
 * added before a failure stays, not stored.
 */
int placement_place(struct dictionary *dictionary, const struct placement_limits *limits,
                    const struct batch *const batches[], size_t count, struct placed placed[])
	__attribute__((warn_unused_result));

/* Sorts by key, then as a row's entries are, then as they came; of rows in order only those that are not sorted. */
void placement_sort(struct placed placed[], size_t count);

/* Makes the entries of one row from placed[count], sorted and of one key; of several
 * samples of one series and time the last counts. Returns how many: at most count. */
size_t placement_entries(const struct placed placed[], size_t count, struct packing_entry entries[]);

#endif
