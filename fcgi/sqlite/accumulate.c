#include "fcgi/sqlite/accumulate.h"

#include <errno.h>
#include <stdlib.h>

/* Moves what the keys point into from the grouping to the answer. */
static char *take_strings(struct grouping *grouping)
{
	char *strings = grouping->strings;
	grouping->strings = NULL;
	return strings;
}

int accumulate_rows(const struct accumulate_cell cells[], struct grouping *grouping, struct store_rows *ret_rows)
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
		const struct accumulate_cell *cell = &cells[i];
		struct store_row row = { .key = grouping->keys[i] };
		for (int j = 0; j < RESOURCE_COUNT; j++) {
			row.present[j] = cell->samples[j] > 0;
			if (!row.present[j])
				continue;
			row.value[j] = cell->sum[j] / cell->samples[j];
			row.maximum[j] = cell->maximum[j];
			row.time_ms[j] = cell->time_ms[j];
		}
		_Static_assert(RESOURCE_COUNT == 2, "a row has one of them at least");
		if (row.present[RESOURCE_MEM] || row.present[RESOURCE_CPU])
			rows[count++] = row;
	}
	*ret_rows = (struct store_rows){ .items = rows, .count = count, .strings = take_strings(grouping), .share = share };
	return 0;
}

struct accumulate_point {
	int64_t time_ms; /* of the sample, or the start of its step */
	double value;    /* the sum or the maximum of the samples */
	union {
		uint32_t samples; /* in its step */
		uint32_t order;   /* without steps */
	};
	uint32_t older; /* index of the group's next older point + 1; 0: none */
};

int accumulate_history_open(struct accumulate_history *history, const struct query *query, size_t groups)
{
	*history = (struct accumulate_history){
		.query = query,
		.newest = calloc(groups + 1, sizeof(uint32_t)),
		.counts = calloc(groups + 1, sizeof(uint32_t)),
	};
	if (history->newest && history->counts)
		return 0;
	accumulate_history_close(history);
	return -ENOMEM;
}

void accumulate_history_close(struct accumulate_history *history)
{
	free(history->newest);
	free(history->counts);
	free(history->points);
	budget_give_back(&history->share);
	*history = (struct accumulate_history){ 0 };
}

static int grow(struct accumulate_history *history)
{
	if (history->count >= history->query->max_points)
		return -E2BIG;
	int result = budget_grow(&history->share, (history->count + 1) * sizeof(struct accumulate_point));
	if (result)
		return result;
	if (history->count < history->capacity)
		return 0;
	uint32_t capacity = history->capacity ? history->capacity : 1024;
	if (history->capacity > UINT32_MAX / 2)
		return -E2BIG;
	if (history->capacity)
		capacity *= 2;
	struct accumulate_point *points = realloc(history->points, capacity * sizeof(*points));
	if (!points)
		return -ENOMEM;
	history->points = points;
	history->capacity = capacity;
	return 0;
}

int accumulate_history_add(struct accumulate_history *history, int32_t group, int64_t time_ms, double value,
                           uint32_t order)
{
	const struct query *query = history->query;
	if (query->step_ms)
		time_ms = store_step_start(time_ms, query->step_ms);

	/* Rows come by rising time, to within ten seconds: a step's place is at most a few
	 * points back. Samples stay in the order they come, and are sorted in the end. */
	uint32_t *link = &history->newest[group];
	while (query->step_ms && *link && history->points[*link - 1].time_ms > time_ms)
		link = &history->points[*link - 1].older;

	if (query->step_ms && *link && history->points[*link - 1].time_ms == time_ms) {
		struct accumulate_point *point = &history->points[*link - 1];
		point->samples++;
		if (query->aggregate == AGGREGATE_MEAN)
			point->value += value;
		else if (value > point->value)
			point->value = value;
		return 0;
	}

	/* The array may move: find the link again by its place. */
	bool first = link == &history->newest[group];
	size_t holder = first ? 0 : (size_t)((char *)link - (char *)history->points) / sizeof(*history->points);
	int result = grow(history);
	if (result)
		return result;
	if (!first)
		link = &history->points[holder].older;
	history->points[history->count] =
		(struct accumulate_point){ .time_ms = time_ms, .value = value, .older = *link };
	if (query->step_ms)
		history->points[history->count].samples = 1;
	else
		history->points[history->count].order = order;
	*link = ++history->count;
	history->counts[group]++;
	return 0;
}

static int compare_points(const void *left, const void *right)
{
	const struct accumulate_point *a = left, *b = right;
	if (a->time_ms != b->time_ms)
		return a->time_ms < b->time_ms ? -1 : 1;
	return (a->order > b->order) - (a->order < b->order);
}

/* Most series are of one host, and in order. */
static void sort_points(struct accumulate_point points[], size_t count)
{
	for (size_t i = 1; i < count; i++) {
		if (compare_points(&points[i - 1], &points[i]) > 0) {
			qsort(points, count, sizeof(*points), compare_points);
			return;
		}
	}
}

static size_t longest(const struct accumulate_history *history, size_t groups)
{
	size_t count = 0;
	for (size_t i = 0; i < groups; i++)
		count = history->counts[i] > count ? history->counts[i] : count;
	return count;
}

int accumulate_history_finish(const struct accumulate_history *history, struct grouping *grouping,
                              struct store_history *ret_history)
{
	bool mean = history->query->step_ms && history->query->aggregate == AGGREGATE_MEAN;
	struct budget_share share = { 0 };
	int result = budget_hold(&share, history->count * sizeof(struct store_point));
	if (result)
		return result;
	struct store_series *series = malloc((grouping->count + 1) * sizeof(*series));
	struct store_point *points = malloc((history->count + 1) * sizeof(*points));
	struct accumulate_point *group = malloc((longest(history, grouping->count) + 1) * sizeof(*group));
	if (!series || !points || !group) {
		free(series);
		free(points);
		budget_give_back(&share);
		free(group);
		return -ENOMEM;
	}

	size_t series_count = 0, used = 0;
	for (size_t i = 0; i < grouping->count; i++) {
		size_t count = history->counts[i];
		if (count == 0)
			continue;
		series[series_count++] =
			(struct store_series){ .key = grouping->keys[i], .points = points + used, .count = count };
		uint32_t link = history->newest[i];
		for (size_t j = count; j > 0; j--) {
			group[j - 1] = history->points[link - 1];
			link = group[j - 1].older;
		}
		if (!history->query->step_ms)
			sort_points(group, count);
		for (size_t j = 0; j < count; j++)
			points[used++] = (struct store_point){
				.time_ms = group[j].time_ms,
				.value = mean ? group[j].value / group[j].samples : group[j].value,
			};
	}
	free(group);
	*ret_history = (struct store_history){
		.items = series,
		.count = series_count,
		.points = points,
		.strings = take_strings(grouping),
		.share = share,
	};
	return 0;
}
