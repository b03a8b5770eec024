#include "fcgi/sqlite/read.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "fcgi/sqlite/accumulate.h"
#include "fcgi/sqlite/placement.h"
#include "fcgi/sqlite/scan.h"

static int row_to_mean(void *state, struct scan_row *row)
{
	struct accumulate_cell *cells = state;
	struct scan_row own = *row;
	int32_t group;
	int more = scan_next_entry(&own, &group);
	for (; more == 1; more = scan_next_entry(&own, &group)) {
		_Static_assert(HALF_COUNT == 2, "an entry has the numbers of both halves");
		accumulate_number(&cells[group], HALF_FIRST, &own.reader.numbers[HALF_FIRST]);
		accumulate_number(&cells[group], HALF_SECOND, &own.reader.numbers[HALF_SECOND]);
	}
	row->unusable = own.unusable;
	return more;
}

static int samples_to_mean(void *state, int32_t group, uint32_t series, enum half half, int64_t hour_ms,
                           const struct block_samples *samples)
{
	(void)series;
	(void)hour_ms;
	accumulate_mean((struct accumulate_cell *)state + group, half, samples->value, samples->count);
	return 0;
}

static int summary_to_mean(void *state, int32_t group, uint32_t series, enum half half, int64_t time_ms,
                           const struct block_summary *summary)
{
	(void)series;
	(void)time_ms;
	accumulate_mean_summary((struct accumulate_cell *)state + group, half, summary);
	return 0;
}

static int row_to_latest(void *state, struct scan_row *row)
{
	struct accumulate_newest *newest = state;
	int32_t group;
	int more = scan_next_entry(row, &group);
	for (; more == 1; more = scan_next_entry(row, &group)) {
		for (int i = 0; i < HALF_COUNT; i++) {
			if (row->reader.numbers[i].code != PACKING_ABSENT)
				accumulate_latest(&newest[group], (enum half)i, row->time_ms,
				                  packing_number_value(&row->reader.numbers[i]));
		}
	}
	return more;
}

static int samples_to_latest(void *state, int32_t group, uint32_t series, enum half half, int64_t hour_ms,
                             const struct block_samples *samples)
{
	(void)series;
	size_t last = samples->count - 1;
	accumulate_latest((struct accumulate_newest *)state + group, half, hour_ms + samples->offset_ms[last],
	                  samples->value[last]);
	return 0;
}

static int summary_to_latest(void *state, int32_t group, uint32_t series, enum half half, int64_t time_ms,
                             const struct block_summary *summary)
{
	(void)series;
	accumulate_latest((struct accumulate_newest *)state + group, half, time_ms, summary->sum / 1000 / summary->count);
	return 0;
}

static const struct scan_sink sink_of_mean = {
	.summed_ms = BLOCK_MS, .row = row_to_mean, .samples = samples_to_mean, .summary = summary_to_mean,
};
static const struct scan_sink sink_of_latest = {
	.row = row_to_latest, .samples = samples_to_latest, .summary = summary_to_latest,
};

static void want(const struct query *query, struct scan_sink *sink)
{
	for (int i = 0; i < HALF_COUNT; i++)
		sink->wanted[i] = !query->unwanted[i];
}

/* Holds cells[groups], each of `size` bytes, all of them 0. NULL: there is no room. */
static void *hold_cells(size_t groups, size_t size, struct budget_share *share, int *ret_result)
{
	*ret_result = budget_hold(share, groups * size);
	void *cells = *ret_result ? NULL : calloc(groups + 1, size);
	if (!cells && *ret_result == 0)
		*ret_result = -ENOMEM;
	return cells;
}

/* The cells of a read's second thread. */
struct seconds {
	size_t groups;
	struct accumulate_cell *cells; /* cells[groups]; NULL: there is no second thread, or no room */
	struct budget_share share;
};

static void *hold_seconds(void *user)
{
	struct seconds *seconds = user;
	int ignored; /* the read does without */
	seconds->cells = hold_cells(seconds->groups, sizeof(*seconds->cells), &seconds->share, &ignored);
	return seconds->cells;
}

static int mean_of(struct snapshot *snapshot, struct store_rows *ret_rows)
{
	struct budget_share share = { 0 };
	struct seconds seconds = { .groups = snapshot->grouping.count };
	struct scan_sink sink = sink_of_mean;
	int result;
	want(snapshot->query, &sink);
	struct accumulate_cell *cells = sink.state = hold_cells(seconds.groups, sizeof(*cells), &share, &result);
	sink.hold_second = hold_seconds;
	sink.user = &seconds;
	if (result == 0)
		result = scan_run(snapshot, &sink);
	for (size_t i = 0; i < seconds.groups && seconds.cells && result == 0; i++)
		accumulate_cell_add(&cells[i], &seconds.cells[i]);
	if (result == 0)
		result = accumulate_rows(cells, &snapshot->grouping, ret_rows);
	free(cells);
	free(seconds.cells);
	budget_give_back(&share);
	budget_give_back(&seconds.share);
	return result;
}

static int latest_of(struct snapshot *snapshot, struct store_rows *ret_rows)
{
	struct budget_share share = { 0 };
	struct scan_sink sink = sink_of_latest;
	int result;
	want(snapshot->query, &sink);
	struct accumulate_newest *newest = sink.state = hold_cells(snapshot->grouping.count, sizeof(*newest), &share, &result);
	if (result == 0)
		result = scan_run(snapshot, &sink);
	if (result == 0)
		result = accumulate_latest_rows(newest, &snapshot->grouping, ret_rows);
	free(newest);
	budget_give_back(&share);
	return result;
}

int read_mean(struct readers *readers, const struct query *query, struct store_rows *ret_rows)
{
	struct snapshot snapshot;
	int result = snapshot_open(readers, query, false, &snapshot);
	if (result)
		return result;
	result = mean_of(&snapshot, ret_rows);
	snapshot_close(&snapshot);
	return database_finish(readers->database, DATABASE_READING, result);
}

int read_latest(struct readers *readers, const struct query *query, struct store_rows *ret_rows)
{
	struct query by_host = *query;
	struct snapshot snapshot;
	bool any = false;
	int result = snapshot_open(readers, NULL, false, &snapshot);
	if (result)
		return result;
	by_host.by_host = true;
	snapshot.query = &by_host;
	result = scan_find_any(&snapshot, &any);
	/* Of alarms there are none, as a rule, and of all series a grouping is most of the work. */
	if (result == 0 && any)
		result = names_group(readers->names, &by_host, false, &snapshot.grouping);
	if (result == 0)
		result = latest_of(&snapshot, ret_rows);
	snapshot_close(&snapshot);
	return database_finish(readers->database, DATABASE_READING, result);
}

struct history {
	struct accumulate_history points;
	const struct grouping *grouping;
};

static int row_to_history(void *state, struct scan_row *row)
{
	struct history *history = state;
	const struct packing_number *number = &row->reader.numbers[history->points.query->half];
	int32_t group;
	int more = scan_next_entry(row, &group), result = 0;
	for (; more == 1 && result == 0; more = scan_next_entry(row, &group)) {
		if (number->code != PACKING_ABSENT)
			result = accumulate_history_add(&history->points, group, row->time_ms, packing_number_value(number),
			                                grouping_find_order(history->grouping, row->reader.entry.series));
	}
	return result ? result : more;
}

static int samples_to_history(void *state, int32_t group, uint32_t series, enum half half, int64_t hour_ms,
                              const struct block_samples *samples)
{
	(void)half; /* the one that is wanted */
	struct history *history = state;
	uint32_t order = grouping_find_order(history->grouping, series);
	int result = 0;
	for (size_t i = 0; i < samples->count && result == 0; i++)
		result = accumulate_history_add(&history->points, group, hour_ms + samples->offset_ms[i], samples->value[i], order);
	return result;
}

static int summary_to_history(void *state, int32_t group, uint32_t series, enum half half, int64_t time_ms,
                              const struct block_summary *summary)
{
	(void)half;
	struct history *history = state;
	return accumulate_history_add_summary(&history->points, group, time_ms, summary,
	                                      grouping_find_order(history->grouping, series));
}

/* The longest summaries that are in one step each. */
static int64_t find_summed(int64_t step_ms)
{
	if (step_ms == 0 || step_ms % BLOCK_STEP_MS)
		return 0;
	return step_ms % BLOCK_MS ? BLOCK_STEP_MS : BLOCK_MS;
}

int read_history(struct readers *readers, const struct query *query, struct store_history *ret_history)
{
	struct snapshot snapshot;
	int result = snapshot_open(readers, query, !query->step_ms, &snapshot);
	if (result)
		return result;
	struct history history = { .grouping = &snapshot.grouping };
	struct scan_sink sink = {
		.state = &history,
		.summed_ms = find_summed(query->step_ms),
		.row = row_to_history,
		.samples = samples_to_history,
		.summary = summary_to_history,
	};
	sink.wanted[query->half] = true;
	result = accumulate_history_open(&history.points, query, snapshot.grouping.count);
	if (result == 0) {
		result = scan_run(&snapshot, &sink);
		if (result == 0)
			result = accumulate_history_finish(&history.points, &snapshot.grouping, ret_history);
		accumulate_history_close(&history.points);
	}
	snapshot_close(&snapshot);
	return database_finish(readers->database, DATABASE_READING, result);
}

/* The process counts of hosts that have the numbers[hosts->count]: the names in each one's newest sample. */
static int count_processes(struct readers *readers, const uint32_t numbers[], struct store_hosts *hosts)
{
	struct snapshot snapshot;
	int64_t sealed_ms;
	int result = snapshot_open(readers, NULL, false, &snapshot);
	if (result)
		return result;
	result = scan_find_newest_sealed(&snapshot, &sealed_ms);
	for (size_t i = 0; i < hosts->count && result == 0; i++) {
		struct store_host *host = &hosts->items[i];
		uint32_t offset_ms;
		if (host->last_seen_ms < sealed_ms + BLOCK_MS) {
			result = scan_count_series(&snapshot, numbers[i], host->last_seen_ms, &host->processes);
			continue;
		}
		int found = database_find_newest(readers->database, snapshot.reader->row,
		                                 placement_key(METRIC_USAGE, host->last_seen_ms, numbers[i]), &offset_ms,
		                                 &host->processes);
		result = found < 0 ? found : 0;
	}
	snapshot_close(&snapshot);
	return result;
}

int read_hosts(struct readers *readers, int64_t from_ms, struct store_hosts *ret_hosts)
{
	struct store_hosts hosts;
	uint32_t *numbers;
	int result = names_hosts(readers->names, from_ms, &hosts, &numbers);
	if (result)
		return result;
	result = count_processes(readers, numbers, &hosts);
	free(numbers);
	if (result)
		store_hosts_free(&hosts);
	else
		*ret_hosts = hosts;
	return database_finish(readers->database, DATABASE_READING, result);
}

size_t read_damaged(struct readers *readers, int64_t oldest_ms, struct store_damaged ret_damaged[static STORE_DAMAGED_MAX])
{
	int64_t keys[STORE_DAMAGED_MAX];
	size_t found = damage_list(&readers->database->damage, oldest_ms, keys), count = 0;
	for (size_t i = 0; i < found; i++) {
		/* One whose host is not known tells nobody anything. */
		if (!names_find_ip(readers->names, placement_host(keys[i]), ret_damaged[count].ip))
			continue;
		ret_damaged[count++].hour_ms = placement_hour_ms(keys[i]);
	}
	return count;
}
