#include "fcgi/sqlite/accumulate.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

struct accumulate_point {
	int64_t time_ms;
	double value;
	uint32_t order;
	uint32_t before; /* index of the point that came before it + 1; 0: none */
};

struct accumulate_step {
	int64_t time_ms; /* its start */
	union {
		struct accumulate_sum sum;
		double maximum; /* with AGGREGATE_MAX */
	};
	uint32_t older, newer; /* indices of the group's points beside it + 1; 0: none */
};

int accumulate_history_open(struct accumulate_history *history, const struct query *query, size_t groups)
{
	*history = (struct accumulate_history){
		.query = query,
		.last = calloc(groups + 1, sizeof(uint32_t)),
		.counts = calloc(groups + 1, sizeof(uint32_t)),
	};
	if (history->last && history->counts)
		return 0;
	accumulate_history_close(history);
	return -ENOMEM;
}

void accumulate_history_close(struct accumulate_history *history)
{
	free(history->last);
	free(history->counts);
	free(history->points);
	free(history->steps);
	budget_give_back(&history->share);
	*history = (struct accumulate_history){ 0 };
}

/* Makes room for one more of *points[capacity], each of `size` bytes. */
static int grow(struct accumulate_history *history, void **points, size_t size)
{
	if (history->count >= history->query->max_points)
		return -E2BIG;
	int result = budget_grow(&history->share, (history->count + 1) * size);
	if (result)
		return result;
	if (history->count < history->capacity)
		return 0;
	uint32_t capacity = history->capacity ? history->capacity : 1024;
	if (history->capacity > UINT32_MAX / 2)
		return -E2BIG;
	if (history->capacity)
		capacity *= 2;
	void *larger = realloc(*points, capacity * size);
	if (!larger)
		return -ENOMEM;
	*points = larger;
	history->capacity = capacity;
	return 0;
}

/* Samples stay in the order they come, and are sorted in the end. */
static int add_point(struct accumulate_history *history, int32_t group, int64_t time_ms, double value, uint32_t order)
{
	void *points = history->points;
	int result = grow(history, &points, sizeof(*history->points));
	history->points = points;
	if (result)
		return result;
	uint32_t *last = &history->last[group];
	history->points[history->count] =
		(struct accumulate_point){ .time_ms = time_ms, .value = value, .order = order, .before = *last };
	*last = ++history->count;
	history->counts[group]++;
	return 0;
}

/*
 * Makes the step of a time the last one of its group. Of one host they come by rising time, to within a row, and then so
 * of the next host: the step is near the last one, but for one way back from host to host.
 */
static int find_step(struct accumulate_history *history, int32_t group, int64_t time_ms)
{
	struct accumulate_step *steps = history->steps;
	uint32_t *last = &history->last[group], older = *last, newer = 0;
	time_ms = store_step_start(time_ms, history->query->step_ms);
	while (older && steps[older - 1].time_ms > time_ms) {
		newer = older;
		older = steps[older - 1].older;
	}
	for (newer = older ? steps[older - 1].newer : newer; newer && steps[newer - 1].time_ms <= time_ms;) {
		older = newer;
		newer = steps[newer - 1].newer;
	}
	if (older && steps[older - 1].time_ms == time_ms) {
		*last = older;
		return 0;
	}

	void *larger = steps;
	int result = grow(history, &larger, sizeof(*steps));
	history->steps = steps = larger;
	if (result)
		return result;
	steps[history->count] = (struct accumulate_step){ .time_ms = time_ms, .older = older, .newer = newer };
	*last = ++history->count;
	if (older)
		steps[older - 1].newer = *last;
	if (newer)
		steps[newer - 1].older = *last;
	history->counts[group]++;
	return 0;
}

int accumulate_history_add(struct accumulate_history *history, int32_t group, int64_t time_ms, double value,
                           uint32_t order)
{
	if (!history->query->step_ms)
		return add_point(history, group, time_ms, value, order);
	int result = find_step(history, group, time_ms);
	if (result)
		return result;
	struct accumulate_step *step = &history->steps[history->last[group] - 1];
	if (history->query->aggregate == AGGREGATE_MEAN)
		accumulate_value(&step->sum, value);
	else if (value > step->maximum)
		step->maximum = value;
	return 0;
}

int accumulate_history_add_summary(struct accumulate_history *history, int32_t group, int64_t time_ms,
                                   const struct block_summary *summary, uint32_t order)
{
	if (!history->query->step_ms)
		return add_point(history, group, time_ms, summary->sum / 1000 / summary->count, order);
	int result = find_step(history, group, time_ms);
	if (result)
		return result;
	struct accumulate_step *step = &history->steps[history->last[group] - 1];
	if (history->query->aggregate == AGGREGATE_MEAN)
		accumulate_summary(&step->sum, summary);
	else
		step->maximum = fmax(step->maximum, block_summary_maximum(summary));
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

/* Takes the points of a group, which has some, by their time; `room` is for those of any group. */
static void take_points(const struct accumulate_history *history, size_t group, struct accumulate_point room[],
                        struct store_point ret_points[])
{
	size_t count = history->counts[group];
	uint32_t link = history->last[group];
	for (size_t i = count; i > 0; i--) {
		room[i - 1] = history->points[link - 1];
		link = room[i - 1].before;
	}
	sort_points(room, count);
	for (size_t i = 0; i < count; i++)
		ret_points[i] = (struct store_point){ .time_ms = room[i].time_ms, .value = room[i].value };
}

static void take_steps(const struct accumulate_history *history, size_t group, struct store_point ret_points[])
{
	const struct accumulate_step *steps = history->steps;
	uint32_t link = history->last[group];
	while (steps[link - 1].newer)
		link = steps[link - 1].newer;
	for (size_t i = history->counts[group]; i > 0; i--) {
		const struct accumulate_step *step = &steps[link - 1];
		bool mean = history->query->aggregate == AGGREGATE_MEAN;
		ret_points[i - 1].time_ms = step->time_ms;
		ret_points[i - 1].value = mean ? accumulate_find_mean(&step->sum) : step->maximum;
		link = step->older;
	}
}

/* The points of the largest group, where there must be room for them. */
static size_t longest(const struct accumulate_history *history, size_t groups)
{
	size_t count = 0;
	for (size_t i = 0; i < groups && history->points; i++)
		count = history->counts[i] > count ? history->counts[i] : count;
	return count;
}

int accumulate_history_finish(const struct accumulate_history *history, struct grouping *grouping,
                              struct store_history *ret_history)
{
	struct budget_share share = { 0 };
	int result = budget_hold(&share, history->count * sizeof(struct store_point));
	if (result)
		return result;
	struct store_series *series = malloc((grouping->count + 1) * sizeof(*series));
	struct store_point *points = malloc((history->count + 1) * sizeof(*points));
	struct accumulate_point *room = malloc((longest(history, grouping->count) + 1) * sizeof(*room));
	if (!series || !points || !room) {
		free(series);
		free(points);
		budget_give_back(&share);
		free(room);
		return -ENOMEM;
	}

	size_t series_count = 0, used = 0;
	for (size_t i = 0; i < grouping->count; i++) {
		size_t count = history->counts[i];
		if (count == 0)
			continue;
		series[series_count++] =
			(struct store_series){ .key = grouping->keys[i], .points = points + used, .count = count };
		if (history->query->step_ms)
			take_steps(history, i, points + used);
		else
			take_points(history, i, room, points + used);
		used += count;
	}
	free(room);
	*ret_history = (struct store_history){
		.items = series,
		.count = series_count,
		.points = points,
		.strings = grouping_take_strings(grouping),
		.share = share,
	};
	return 0;
}
