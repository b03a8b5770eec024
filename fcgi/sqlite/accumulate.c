#include "fcgi/sqlite/accumulate.h"

#include <errno.h>
#include <stdlib.h>

void accumulate_cell_add(struct accumulate_cell *cell, const struct accumulate_cell *other)
{
	for (int i = 0; i < HALF_COUNT; i++) {
		struct accumulate_sum *sum = &cell->sum[i];
		accumulate_thousandths(sum, other->sum[i].thousandths, other->sum[i].samples);
		sum->carries += other->sum[i].carries;
		accumulate_rest(sum, other->sum[i].rest, 0);
		sum->rest_error += other->sum[i].rest_error;
		if (other->highest[i] > cell->highest[i])
			cell->highest[i] = other->highest[i];
		if (other->maximum[i] > cell->maximum[i])
			cell->maximum[i] = other->maximum[i];
	}
}

void accumulate_mean(struct accumulate_cell *cell, enum half half, const double values[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		accumulate_value(&cell->sum[half], values[i]);
		if (values[i] > cell->maximum[half])
			cell->maximum[half] = values[i];
	}
}

/* Makes the row of a group of what was accumulated. */
typedef void make_row(const void *accumulated, size_t group, struct store_row *row);

static int make_rows(const void *accumulated, make_row *make, struct grouping *grouping, struct store_rows *ret_rows)
{
	struct budget_share share = { 0 };
	int result = budget_hold(&share, grouping->count * sizeof(struct store_row));
	if (result)
		return result;
	struct store_row *rows = malloc((grouping->count + 1) * sizeof(*rows));
	size_t count = 0;
	if (!rows) {
		budget_give_back(&share);
		return -ENOMEM;
	}
	for (size_t i = 0; i < grouping->count; i++) {
		struct store_row row = { .key = grouping->keys[i] };
		make(accumulated, i, &row);
		_Static_assert(HALF_COUNT == 2, "a row has one of them at least");
		if (row.present[HALF_FIRST] || row.present[HALF_SECOND])
			rows[count++] = row;
	}
	*ret_rows = (struct store_rows){
		.items = rows, .count = count, .strings = grouping_take_strings(grouping), .share = share,
	};
	return 0;
}

static void make_mean_row(const void *accumulated, size_t group, struct store_row *row)
{
	const struct accumulate_cell *cell = (const struct accumulate_cell *)accumulated + group;
	for (int i = 0; i < HALF_COUNT; i++) {
		row->present[i] = cell->sum[i].samples > 0;
		if (!row->present[i])
			continue;
		double highest = (double)cell->highest[i] / 1000;
		row->value[i] = accumulate_find_mean(&cell->sum[i]);
		row->maximum[i] = highest > cell->maximum[i] ? highest : cell->maximum[i];
	}
}

int accumulate_rows(const struct accumulate_cell cells[], struct grouping *grouping, struct store_rows *ret_rows)
{
	return make_rows(cells, make_mean_row, grouping, ret_rows);
}

static void make_latest_row(const void *accumulated, size_t group, struct store_row *row)
{
	const struct accumulate_newest *newest = (const struct accumulate_newest *)accumulated + group;
	for (int i = 0; i < HALF_COUNT; i++) {
		row->present[i] = newest->present[i];
		row->value[i] = newest->value[i];
		row->time_ms[i] = newest->time_ms[i];
	}
}

int accumulate_latest_rows(const struct accumulate_newest newest[], struct grouping *grouping, struct store_rows *ret_rows)
{
	return make_rows(newest, make_latest_row, grouping, ret_rows);
}
