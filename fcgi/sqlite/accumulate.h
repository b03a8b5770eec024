/*
 * What a read makes of the samples it goes over: means, newest values, histories.
 *
 * Each accumulator is opened for a number of groups, fed with samples in any
 * order, and turned into the answer, which takes the grouping's strings. Pure; one
 * thread uses an accumulator.
 */
#ifndef VIGIE_FCGI_SQLITE_ACCUMULATE_H
#define VIGIE_FCGI_SQLITE_ACCUMULATE_H

#include "fcgi/sqlite/grouping.h"
#include "fcgi/sqlite/packing.h"
#include "fcgi/store.h"

/* The accumulator of mean() and latest(): cells[count of groups]. */
struct accumulate_cell {
	uint32_t samples[RESOURCE_COUNT];
	double sum[RESOURCE_COUNT]; /* latest(): the newest value */
	double maximum[RESOURCE_COUNT];
	int64_t time_ms[RESOURCE_COUNT]; /* of the newest sample */
};

static inline void accumulate_mean(struct accumulate_cell *cell, const struct packing_entry *entry)
{
	for (int i = 0; i < RESOURCE_COUNT; i++) {
		if (!entry->present[i])
			continue;
		cell->samples[i]++;
		cell->sum[i] += entry->value[i];
		if (entry->value[i] > cell->maximum[i])
			cell->maximum[i] = entry->value[i];
	}
}

static inline void accumulate_latest(struct accumulate_cell *cell, int64_t time_ms, const struct packing_entry *entry)
{
	for (int i = 0; i < RESOURCE_COUNT; i++) {
		if (!entry->present[i] || (cell->samples[i] && cell->time_ms[i] > time_ms))
			continue;
		cell->samples[i] = 1;
		cell->sum[i] = entry->value[i];
		cell->time_ms[i] = time_ms;
	}
}

/* Makes the rows of all groups that have samples; takes grouping->strings. 0, -ENOMEM or -ENOBUFS. */
int accumulate_rows(const struct accumulate_cell cells[], struct grouping *grouping, struct store_rows *ret_rows)
	__attribute__((warn_unused_result));

/* The accumulator of history(): each group's points, linked from the newest back. */
struct accumulate_history {
	const struct query *query; /* borrowed until closed */
	uint32_t *newest;          /* by group: index of its newest point + 1; 0: none */
	uint32_t *counts;          /* by group: its points */
	struct accumulate_point *points;
	uint32_t count, capacity;
	struct budget_share share; /* of the points */
};

int accumulate_history_open(struct accumulate_history *history, const struct query *query, size_t groups)
	__attribute__((warn_unused_result));
void accumulate_history_close(struct accumulate_history *history);

/* Adds one sample to a group; without steps those of one time come by their `order`. 0, -ENOMEM, -ENOBUFS, or -E2BIG over
 * query->max_points. */
int accumulate_history_add(struct accumulate_history *history, int32_t group, int64_t time_ms, double value,
                           uint32_t order)
	__attribute__((warn_unused_result));

/* Makes the series of all groups that have points; takes grouping->strings. 0, -ENOMEM or -ENOBUFS. */
int accumulate_history_finish(const struct accumulate_history *history, struct grouping *grouping,
                              struct store_history *ret_history) __attribute__((warn_unused_result));

#endif
