/*
 * What a read makes of the samples it goes over: means, newest values, histories.
 *
 * Each accumulator is opened for a number of groups, fed with samples in any
 * order, and turned into the answer, which takes the grouping's strings. Pure; one
 * thread uses an accumulator.
 *
 * Sums are those of block.h: whole thousandths are added up apart from what else there is, so that an answer does not
 * depend on the order in which samples come, nor on whether they come one by one or summed up already.
 */
#ifndef VIGIE_FCGI_SQLITE_ACCUMULATE_H
#define VIGIE_FCGI_SQLITE_ACCUMULATE_H

#include "fcgi/sqlite/block.h"
#include "fcgi/sqlite/grouping.h"
#include "fcgi/sqlite/packing.h"
#include "fcgi/store.h"

/* A sum of values. */
struct accumulate_sum {
	uint64_t thousandths;    /* of those that are whole thousandths, modulo 2^64 */
	double rest, rest_error; /* of the others, and what the rounding took from it */
	uint32_t carries;        /* how often the thousandths went over 2^64 */
	uint32_t samples;
};

static inline void accumulate_thousandths(struct accumulate_sum *sum, uint64_t thousandths, uint32_t samples)
{
	sum->samples += samples;
	sum->thousandths += thousandths;
	if (sum->thousandths < thousandths)
		sum->carries++;
}

/* The way of Neumaier (1974). */
static inline void accumulate_rest(struct accumulate_sum *sum, double value, uint32_t samples)
{
	double rest = sum->rest + value;
	sum->rest_error += sum->rest >= value ? sum->rest - rest + value : value - rest + sum->rest;
	sum->rest = rest;
	sum->samples += samples;
}

static inline void accumulate_value(struct accumulate_sum *sum, double value)
{
	uint64_t thousandths;
	if (packing_find_thousandths(value, &thousandths))
		accumulate_thousandths(sum, thousandths, 1);
	else
		accumulate_rest(sum, value, 1);
}

static inline void accumulate_summary(struct accumulate_sum *sum, const struct block_summary *summary)
{
	if (summary->exact)
		accumulate_thousandths(sum, (uint64_t)(int64_t)summary->sum, summary->count); /* below 2^53 */
	else
		accumulate_rest(sum, summary->sum / 1000, summary->count);
}

static inline double accumulate_find_mean(const struct accumulate_sum *sum)
{
	double thousandths = (double)sum->thousandths + sum->carries * 0x1p64;
	return (thousandths / 1000 + (sum->rest + sum->rest_error)) / sum->samples;
}

/* The accumulator of mean(): cells[count of groups]. */
struct accumulate_cell {
	struct accumulate_sum sum[HALF_COUNT];
	uint64_t highest[HALF_COUNT]; /* thousandths */
	double maximum[HALF_COUNT];   /* of what came as no thousandths */
};

/* Adds a number of an entry of a row. What is absent is added as 0 that counts for no sample: that is less than a branch
 * that nobody can foretell. */
static inline void accumulate_number(struct accumulate_cell *cell, enum half half, const struct packing_number *number)
{
	if (number->code == PACKING_DOUBLE) {
		double value = packing_number_value(number);
		accumulate_rest(&cell->sum[half], value, 1);
		if (value > cell->maximum[half])
			cell->maximum[half] = value;
		return;
	}
	accumulate_thousandths(&cell->sum[half], number->bits, number->code != PACKING_ABSENT);
	if (number->bits > cell->highest[half])
		cell->highest[half] = number->bits;
}

/* Adds what another cell has, of whose samples this one has none. */
void accumulate_cell_add(struct accumulate_cell *cell, const struct accumulate_cell *other);

/* Adds values[count] of a half. */
void accumulate_mean(struct accumulate_cell *cell, enum half half, const double values[], size_t count);

static inline void accumulate_mean_summary(struct accumulate_cell *cell, enum half half,
                                           const struct block_summary *summary)
{
	accumulate_summary(&cell->sum[half], summary);
	if (!summary->exact && summary->maximum > cell->maximum[half])
		cell->maximum[half] = summary->maximum;
	if (summary->exact && (uint64_t)(int64_t)summary->maximum > cell->highest[half])
		cell->highest[half] = (uint64_t)(int64_t)summary->maximum;
}

/* Makes the rows of all groups that have samples; takes grouping->strings. 0, -ENOMEM or -ENOBUFS. */
int accumulate_rows(const struct accumulate_cell cells[], struct grouping *grouping, struct store_rows *ret_rows)
	__attribute__((warn_unused_result));

/* The accumulator of latest(): newest[count of groups]. */
struct accumulate_newest {
	bool present[HALF_COUNT];
	double value[HALF_COUNT];
	int64_t time_ms[HALF_COUNT];
};

static inline void accumulate_latest(struct accumulate_newest *newest, enum half half, int64_t time_ms, double value)
{
	if (newest->present[half] && newest->time_ms[half] > time_ms)
		return;
	newest->present[half] = true;
	newest->value[half] = value;
	newest->time_ms[half] = time_ms;
}

/* As accumulate_rows(). */
int accumulate_latest_rows(const struct accumulate_newest newest[], struct grouping *grouping, struct store_rows *ret_rows)
	__attribute__((warn_unused_result));

/* The accumulator of history(): each group's points. */
struct accumulate_history {
	const struct query *query; /* borrowed until closed */
	uint32_t *last;            /* by group: index of the point that was added to last + 1; 0: none */
	uint32_t *counts;          /* by group: its points */
	/* one or the other: */
	struct accumulate_point *points; /* the samples */
	struct accumulate_step *steps;   /* with query->step_ms */
	uint32_t count, capacity;
	struct budget_share share; /* of the points */
};

int accumulate_history_open(struct accumulate_history *history, const struct query *query, size_t groups)
	__attribute__((warn_unused_result));
void accumulate_history_close(struct accumulate_history *history);

/* Adds one sample to a group, fastest by rising time; without steps those of one time come by their `order`. 0, -ENOMEM,
 * -ENOBUFS, or -E2BIG over query->max_points. */
int accumulate_history_add(struct accumulate_history *history, int32_t group, int64_t time_ms, double value,
                           uint32_t order)
	__attribute__((warn_unused_result));

/* The same of samples that are all of the step of `time_ms`; without steps they are one point of that time, their mean. */
int accumulate_history_add_summary(struct accumulate_history *history, int32_t group, int64_t time_ms,
                                   const struct block_summary *summary, uint32_t order)
	__attribute__((warn_unused_result));

/* Makes the series of all groups that have points; takes grouping->strings. 0, -ENOMEM or -ENOBUFS. */
int accumulate_history_finish(const struct accumulate_history *history, struct grouping *grouping,
                              struct store_history *ret_history) __attribute__((warn_unused_result));

#endif
