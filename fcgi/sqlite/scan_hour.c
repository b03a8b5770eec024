#include "fcgi/sqlite/scan.h"

#include <errno.h>
#include <sqlite3.h>

#include "fcgi/sqlite/placement.h"

/* One sealed hour, as a scan goes over it. */
struct hour {
	struct scan *scan;
	int64_t key, start_ms;
	uint32_t first_ms, end_ms; /* offsets of what the window has of it */
	int first_step, end_step;  /* its steps that are taken from the summaries */
	bool whole;                /* the summary of the hour does */
	enum { UNKNOWN, KEPT, DROPPED } samples; /* whether it has them still: looked for when they are needed */
	int more;                  /* 1: … and are read up to `series` */
	uint32_t series;
};

/* Finds the samples of the hour. */
static int find_samples(struct hour *hour)
{
	const struct snapshot *snapshot = hour->scan->snapshot;
	struct reader *reader = snapshot->reader;
	if (hour->samples != UNKNOWN)
		return 0;
	sqlite3_bind_int64(reader->hour, 1, hour->key);
	int code = sqlite3_step(reader->hour);
	int result = database_result(snapshot->readers->database, code, reader->connection, "read");
	if (code == SQLITE_ROW)
		result = block_read(reader->samples, sqlite3_column_blob(reader->hour, 0), (size_t)sqlite3_column_bytes(reader->hour, 0));
	sqlite3_reset(reader->hour);
	if (result)
		return result;
	hour->samples = code == SQLITE_ROW ? KEPT : DROPPED;
	hour->more = code == SQLITE_ROW ? block_next_series(reader->samples, &hour->series) : 0;
	return hour->more < 0 ? hour->more : 0;
}

/* Where samples[first] and what follows it has one that cannot be, or that something late takes the place of. */
static size_t find_gap(const struct block_samples *samples, size_t first, enum half half,
                       const struct late_sample late[], size_t *late_at, size_t late_count)
{
	size_t i = first;
	for (; i < samples->count && sample_is_usable(samples->value[i]); i++) {
		while (*late_at < late_count && (late[*late_at].offset_ms < samples->offset_ms[i] || !late[*late_at].present[half]))
			++*late_at;
		if (*late_at < late_count && late[*late_at].offset_ms == samples->offset_ms[i])
			break;
	}
	return i;
}

/* Gives the samples [first_ms, end_ms) of a series to the sink, without those that something late takes the place of. */
static int visit_samples(struct hour *hour, uint32_t series, int32_t group, enum half half, uint32_t first_ms,
                         uint32_t end_ms)
{
	const struct scan *scan = hour->scan;
	struct block_reader *reader = scan->snapshot->reader->samples;
	int64_t born_ms = grouping_find_birth(&scan->snapshot->grouping, series) - hour->start_ms;
	if (born_ms > first_ms)
		first_ms = born_ms < end_ms ? (uint32_t)born_ms : end_ms;
	if (first_ms >= end_ms)
		return 0;
	while (hour->more == 1 && hour->series < series)
		hour->more = block_next_series(reader, &hour->series);
	if (hour->more != 1 || hour->series != series)
		return hour->more < 0 ? hour->more : 0;

	struct block_samples samples;
	const struct late_sample *late;
	size_t late_count = late_find(&scan->late, series, &late), late_at = 0;
	uint64_t unusable = 0;
	int result = block_find_samples(reader, half, first_ms, end_ms, &samples);
	for (size_t i = 0, end; result == 0 && i < samples.count; i = end + 1) {
		end = find_gap(&samples, i, half, late, &late_at, late_count);
		const struct block_samples run = { samples.offset_ms + i, samples.value + i, end - i };
		if (run.count)
			result = scan->sink->samples(scan->sink->state, group, series, half, hour->start_ms, &run);
		unusable += end < samples.count && !sample_is_usable(samples.value[end]);
	}
	store_leave_out("sqlite", unusable);
	return result;
}

static int visit_summary(const struct hour *hour, uint32_t series, int32_t group, enum half half, int64_t time_ms,
                         const struct block_summary *summary)
{
	const struct scan_sink *sink = hour->scan->sink;
	if (!(summary->maximum >= 0 && summary->maximum <= WIRE_VALUE_MAX * (summary->exact ? 1000 : 1)) ||
	    !(summary->sum >= 0 && summary->sum <= WIRE_VALUE_MAX * 1000 * summary->count))
		return -EBADMSG;
	return sink->summary(sink->state, group, series, half, time_ms, summary);
}

/* Gives the summaries of the hour's steps to the sink. */
static int visit_steps(const struct hour *hour, uint32_t series, int32_t group, enum half half)
{
	const struct snapshot *snapshot = hour->scan->snapshot;
	int64_t born_ms = grouping_find_birth(&snapshot->grouping, series);
	struct block_summary steps[BLOCK_STEPS];
	int result = block_find_steps(snapshot->reader->sums, half, steps);
	for (int i = hour->first_step; i < hour->end_step && result == 0; i++) {
		int64_t step_ms = hour->start_ms + i * (int64_t)BLOCK_STEP_MS;
		if (steps[i].count && step_ms >= born_ms)
			result = visit_summary(hour, series, group, half, step_ms, &steps[i]);
	}
	return result;
}

/* One half of a series, by summaries as far as they are as good as the samples. */
static int visit_column(struct hour *hour, uint32_t series, int32_t group, enum half half,
                        const struct block_summary *summary)
{
	const struct scan *scan = hour->scan;
	const struct late_sample *late;
	bool summed = summary->exact && grouping_find_birth(&scan->snapshot->grouping, series) <= hour->start_ms &&
	              (scan->late.count == 0 || late_find(&scan->late, series, &late) == 0);
	if (summed ? scan->columns == SCAN_OTHERS : scan->columns == SCAN_SUMMED) {
		hour->scan->left_out = true;
		return 0;
	}
	if (!summed) {
		int result = find_samples(hour);
		if (result)
			return result;
		if (hour->samples == KEPT)
			return visit_samples(hour, series, group, half, hour->first_ms, hour->end_ms);
	}
	if (summed && hour->whole)
		return visit_summary(hour, series, group, half, hour->start_ms, summary);
	int result = visit_steps(hour, series, group, half);
	if (hour->samples != KEPT || !summed || result)
		return result;
	result = visit_samples(hour, series, group, half, hour->first_ms, (uint32_t)hour->first_step * BLOCK_STEP_MS);
	if (result)
		return result;
	return visit_samples(hour, series, group, half, (uint32_t)hour->end_step * BLOCK_STEP_MS, hour->end_ms);
}

/* The group of a series, some of whose samples in the hour may be of one that had its number before. */
static int32_t find_group(const struct hour *hour, uint32_t series)
{
	return grouping_find(&hour->scan->snapshot->grouping, series, hour->start_ms + BLOCK_MS - 1);
}

/* Goes over the hour series by series, by the summaries. */
static int visit_by_summaries(struct hour *hour, const void *summaries, size_t length)
{
	const struct scan *scan = hour->scan;
	struct block_reader *reader = scan->snapshot->reader->sums;
	struct block_summary columns[HALF_COUNT];
	uint32_t series;
	int result = block_read_summaries(reader, summaries, length), more = 1;
	while (result == 0 && more == 1) {
		more = block_next_summary(reader, &series, columns);
		if (more != 1 || series > scan->last_series)
			return more < 0 ? more : 0;
		int32_t group = find_group(hour, series);
		for (int i = 0; i < HALF_COUNT && group != GROUPING_NONE && result == 0; i++) {
			if (columns[i].count && scan->sink->wanted[i])
				result = visit_column(hour, series, group, (enum half)i, &columns[i]);
		}
	}
	return result;
}

static int visit_by_samples(struct hour *hour)
{
	const struct scan *scan = hour->scan;
	struct block_reader *reader = scan->snapshot->reader->samples;
	int result = 0;
	for (; result == 0 && hour->more == 1 && hour->series <= scan->last_series;
	     hour->more = block_next_series(reader, &hour->series)) {
		int32_t group = find_group(hour, hour->series);
		for (int i = 0; i < HALF_COUNT && group != GROUPING_NONE && result == 0; i++) {
			if (scan->sink->wanted[i])
				result = visit_samples(hour, hour->series, group, (enum half)i, hour->first_ms, hour->end_ms);
		}
	}
	return result ? result : hour->more < 0 ? hour->more : 0;
}

/* The steps that begin in the window: those that stand for their samples. */
static void choose_steps(struct hour *hour)
{
	hour->whole = false;
	hour->first_step = (int)((hour->first_ms + BLOCK_STEP_MS - 1) / BLOCK_STEP_MS);
	hour->end_step = (int)((hour->end_ms + BLOCK_STEP_MS - 1) / BLOCK_STEP_MS);
}

int scan_hour(struct scan *scan, int64_t key, const void *summaries, size_t length)
{
	struct hour hour = { .scan = scan, .key = key, .start_ms = placement_hour_ms(key) };
	int64_t first_ms = scan->first_ms - hour.start_ms, end_ms = scan->last_ms + 1 - hour.start_ms;
	if (placement_host(key) == 0)
		return -EBADMSG;
	hour.first_ms = first_ms > 0 ? (uint32_t)first_ms : 0;
	hour.end_ms = end_ms < BLOCK_MS ? (uint32_t)end_ms : BLOCK_MS;
	if (scan->sink->summed_ms)
		block_whole_steps(hour.start_ms, scan->first_ms - 1, scan->last_ms, &hour.first_step, &hour.end_step);
	hour.whole = scan->sink->summed_ms == BLOCK_MS && hour.end_step - hour.first_step == BLOCK_STEPS;
	bool summed = hour.first_step < hour.end_step;
	bool edges = !summed || hour.first_ms < (uint32_t)hour.first_step * BLOCK_STEP_MS ||
	             hour.end_ms > (uint32_t)hour.end_step * BLOCK_STEP_MS;
	int result = edges ? find_samples(&hour) : 0;
	if (result)
		return result;
	if (hour.samples == DROPPED)
		choose_steps(&hour);
	return summed || hour.samples == DROPPED ? visit_by_summaries(&hour, summaries, length) : visit_by_samples(&hour);
}
