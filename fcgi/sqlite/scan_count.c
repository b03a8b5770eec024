#include "fcgi/sqlite/scan.h"

#include <errno.h>
#include <sqlite3.h>

#include "fcgi/sqlite/placement.h"

static int result_of(const struct snapshot *snapshot, int code)
{
	return database_result(snapshot->readers->database, code, snapshot->reader->connection, "read");
}

/* Adds the series that a row, which may be missing, has at a time. */
static int find_late(const struct snapshot *snapshot, uint32_t host, int64_t time_ms, struct late *late)
{
	sqlite3_stmt *row = snapshot->reader->row;
	int64_t key = placement_key(METRIC_USAGE, time_ms, host);
	sqlite3_bind_int64(row, 1, key);
	int code = sqlite3_step(row), result = result_of(snapshot, code), more = 0;
	if (code == SQLITE_ROW) {
		struct packing_reader reader = packing_read(sqlite3_column_blob(row, 1), (size_t)sqlite3_column_bytes(row, 1));
		for (more = packing_next(&reader); more == 1 && result == 0; more = packing_next(&reader)) {
			const struct late_sample sample = { .series = reader.entry.series };
			if (placement_start_ms(key) + reader.entry.offset_ms == time_ms)
				result = late_add(late, &sample);
		}
	}
	sqlite3_reset(row);
	if (result == 0 && more < 0)
		result = database_damaged(snapshot->readers->database, DATABASE_READING, "row %lld of its samples is damaged",
		                          (long long)key);
	return result;
}

/* Counts the series of the samples that `late` has not. 0, -ENOMEM or -EBADMSG. */
static int count_samples(struct block_reader *reader, const void *data, size_t length, uint32_t offset_ms,
                         const struct late *late, size_t *count)
{
	const struct late_sample *found;
	uint32_t series;
	int result = block_read(reader, data, length), more = 1;
	while (result == 0 && more == 1) {
		struct block_samples samples[HALF_COUNT];
		more = block_next_series(reader, &series);
		for (int i = 0; i < HALF_COUNT && more == 1 && result == 0; i++)
			result = block_find_samples(reader, (enum half)i, offset_ms, offset_ms + 1, &samples[i]);
		_Static_assert(HALF_COUNT == 2, "a series has one of them");
		if (more == 1 && result == 0 && samples[HALF_FIRST].count + samples[HALF_SECOND].count > 0)
			*count += late_find(late, series, &found) == 0;
	}
	return result ? result : more;
}

/* The same of the step, where there are summaries alone. */
static int count_steps(struct block_reader *reader, const void *data, size_t length, uint32_t offset_ms,
                       const struct late *late, size_t *count)
{
	const struct late_sample *found;
	uint32_t series;
	int result = block_read_summaries(reader, data, length), more = 1;
	while (result == 0 && more == 1) {
		struct block_summary hour[HALF_COUNT], steps[HALF_COUNT][BLOCK_STEPS];
		more = block_next_summary(reader, &series, hour);
		for (int i = 0; i < HALF_COUNT && more == 1 && result == 0; i++)
			result = block_find_steps(reader, (enum half)i, steps[i]);
		size_t step = offset_ms / BLOCK_STEP_MS;
		if (more == 1 && result == 0 && steps[HALF_FIRST][step].count + steps[HALF_SECOND][step].count > 0)
			*count += late_find(late, series, &found) == 0;
	}
	return result ? result : more;
}

/* Counts in the sealed hour whose row next_summary stands on. */
static int count_hour(const struct snapshot *snapshot, int64_t key, uint32_t offset_ms, const struct late *late, size_t *count)
{
	struct reader *reader = snapshot->reader;
	sqlite3_bind_int64(reader->hour, 1, key);
	int code = sqlite3_step(reader->hour), result = result_of(snapshot, code);
	if (code == SQLITE_ROW)
		result = count_samples(reader->samples, sqlite3_column_blob(reader->hour, 0),
		                       (size_t)sqlite3_column_bytes(reader->hour, 0), offset_ms, late, count);
	else if (code == SQLITE_DONE)
		result = count_steps(reader->sums, sqlite3_column_blob(reader->next_summary, 2),
		                     (size_t)sqlite3_column_bytes(reader->next_summary, 2), offset_ms, late, count);
	sqlite3_reset(reader->hour);
	return result;
}

int scan_count_series(const struct snapshot *snapshot, uint32_t host, int64_t time_ms, size_t *ret_count)
{
	sqlite3_stmt *summary = snapshot->reader->next_summary;
	int64_t key = placement_hour_key(METRIC_USAGE, time_ms, host);
	struct late late = { 0 };
	int result = find_late(snapshot, host, time_ms, &late);
	size_t count = late.count;
	if (result == 0) {
		sqlite3_bind_int64(summary, 1, key);
		sqlite3_bind_int64(summary, 2, key);
		int code = sqlite3_step(summary);
		result = result_of(snapshot, code);
		if (code == SQLITE_ROW)
			result = count_hour(snapshot, key, (uint32_t)(time_ms % BLOCK_MS), &late, &count);
		sqlite3_reset(summary);
	}
	late_free(&late);
	if (result == -EBADMSG) {
		scan_note_damage(snapshot, key);
		result = 0;
	}
	if (result == 0)
		*ret_count = count;
	return result;
}
