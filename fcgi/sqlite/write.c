#include "fcgi/sqlite/write.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>

#include "common/log.h"
#include "fcgi/counters.h"
#include "fcgi/sqlite/expire.h"
#include "fcgi/sqlite/packing.h"
#include "fcgi/sqlite/placement.h"

enum {
	EXPIRE_ROWS_FACTOR = 4, /* rows deleted at most for each row written … */
	EXPIRE_ROWS_MORE = 16,  /* … and on top of that */
	ROOM_PIECES = 64,       /* deleted for a write that there is no space for */
};

struct appender {
	struct database *database;
	struct names *names;
	struct timekeeper *timekeeper;
	struct hours *hours;
	struct expirer *expirer;
	sqlite3_stmt *begin, *commit, *rollback, *insert, *find, *update, *find_sealed, *raise_late;
	struct text row;
	bool too_late; /* samples have come that are too late: said */
};

int write_open(struct database *database, struct names *names, struct timekeeper *timekeeper, struct hours *hours,
               int64_t retention_ms, struct appender **ret_appender)
{
	struct appender *appender = calloc(1, sizeof(*appender));
	if (!appender)
		return -ENOMEM;
	appender->database = database;
	appender->names = names;
	appender->timekeeper = timekeeper;
	appender->hours = hours;
	const struct database_statement statements[] = {
		{ &appender->begin, "BEGIN IMMEDIATE" },
		{ &appender->commit, "COMMIT" },
		{ &appender->rollback, "ROLLBACK" },
		{ &appender->insert, "INSERT OR IGNORE INTO sample (key, data) VALUES (?1, ?2)" },
		{ &appender->find, DATABASE_FIND },
		{ &appender->update, "UPDATE sample SET data = ?2 WHERE key = ?1" },
		{ &appender->find_sealed, "SELECT typeof(data) = 'blob' FROM hour WHERE key = ?1" },
		{ &appender->raise_late, "UPDATE hour SET late = 1 WHERE key = ?1 AND late = 0" },
	};
	int result = database_prepare(database, database->appending, statements, sizeof(statements) / sizeof(statements[0]));
	if (result == 0)
		result = expire_open(database, retention_ms, &appender->expirer);
	if (result)
		write_close(appender);
	else
		*ret_appender = appender;
	return result;
}

void write_close(struct appender *appender)
{
	if (!appender)
		return;
	expire_close(appender->expirer);
	text_free(&appender->row);
	free(appender);
}

/* When an append is made, and what that is worth. */
struct append_time {
	struct moment now;
	struct certain_time certain;
};

static int result_of(struct appender *appender, int code, const char *operation)
{
	return database_result(appender->database, code, appender->database->appending, operation);
}

/* Merges the new entries over the row that is there, into appender->row. */
static int merge_row(struct appender *appender, int64_t key, const struct packing_entry entries[], size_t count)
{
	sqlite3_bind_int64(appender->find, 1, key);
	int code = sqlite3_step(appender->find);
	int result = result_of(appender, code, "read a row to merge");
	text_reset(&appender->row);
	if (code == SQLITE_ROW)
		result = packing_merge(sqlite3_column_blob(appender->find, 1), (size_t)sqlite3_column_bytes(appender->find, 1),
		                       entries, count, &appender->row);
	else if (code == SQLITE_DONE)
		result = database_damaged(appender->database, DATABASE_APPENDING, "row %lld is there, and is not", (long long)key);
	sqlite3_reset(appender->find);
	if (result == -EBADMSG)
		database_damaged(appender->database, DATABASE_APPENDING,
		                       "row %lld of its samples is damaged, and takes no more", (long long)key);
	return result;
}

/* Writes a row, or merges it into the one that is there; whether it is a new one. */
static int write_row(struct appender *appender, int64_t key, const struct packing_entry entries[], size_t count,
                     bool *ret_new)
{
	text_reset(&appender->row);
	packing_encode(entries, count, &appender->row);
	if (text_failed(&appender->row))
		return -ENOMEM;
	sqlite3_bind_int64(appender->insert, 1, key);
	sqlite3_bind_blob(appender->insert, 2, appender->row.data, (int)appender->row.length, SQLITE_STATIC);
	int code = database_run(appender->insert);
	*ret_new = code == SQLITE_OK && sqlite3_changes(appender->database->appending) == 1;
	if (code != SQLITE_OK || *ret_new)
		return result_of(appender, code, "write");

	int result = merge_row(appender, key, entries, count);
	if (result)
		return result;
	if (text_failed(&appender->row))
		return -ENOMEM;
	sqlite3_bind_int64(appender->update, 1, key);
	sqlite3_bind_blob(appender->update, 2, appender->row.data, (int)appender->row.length, SQLITE_STATIC);
	return result_of(appender, database_run(appender->update), "write");
}

static void note_too_late(struct appender *appender, size_t samples)
{
	counters_add(COUNTER_TOO_LATE, samples);
	if (!appender->too_late)
		log_warning("store %s: samples came for an hour that is older than sqlite.detail, of which the summaries alone are "
		            "kept: they are not stored, and counted in vigie_too_late_samples_total", appender->database->path);
	appender->too_late = true;
}

/* What a row meets where it belongs. */
enum place {
	PLACE_OPEN,   /* nothing but rows */
	PLACE_SEALED, /* a sealed hour, over which it counts */
	PLACE_CLOSED, /* of its hour the summaries alone are kept: it cannot be added to them */
};

static int find_place(struct appender *appender, int64_t hour_key, enum place *ret_place)
{
	sqlite3_bind_int64(appender->find_sealed, 1, hour_key);
	int code = sqlite3_step(appender->find_sealed);
	*ret_place = code != SQLITE_ROW ? PLACE_OPEN : sqlite3_column_int(appender->find_sealed, 0) ? PLACE_SEALED : PLACE_CLOSED;
	sqlite3_reset(appender->find_sealed);
	return result_of(appender, code, "write");
}

/* Writes one row of usage, of placed[count], and notes in the summaries of its hour that it lies over them. */
static int write_usage(struct appender *appender, const struct append_time *time, const struct placed placed[], size_t count,
                       struct packing_entry entries[])
{
	int64_t key = placed->key, start_ms = placement_start_ms(key);
	uint32_t host = (uint32_t)(key & PLACEMENT_HOST_MAX);
	int64_t hour_key = placement_hour_key(METRIC_USAGE, start_ms, host);
	enum place place = PLACE_OPEN;
	bool new = false;
	int result = 0;
	if (start_ms < appender->hours->sealed_end_ms)
		result = find_place(appender, hour_key, &place);
	if (result == 0 && place == PLACE_CLOSED) {
		note_too_late(appender, count);
		return 0;
	}
	hours_note(appender->hours, placement_hour_ms(hour_key), host, time->now.boot_ms);
	if (result == 0)
		result = write_row(appender, key, entries, placement_entries(placed, count, entries), &new);
	if (result == 0 && new && place == PLACE_SEALED) {
		sqlite3_bind_int64(appender->raise_late, 1, hour_key);
		result = result_of(appender, database_run(appender->raise_late), "write");
	}
	return result;
}

/* Writes the rows of placed[count], sorted; tells how many. */
static int write_rows(struct appender *appender, const struct append_time *time, const struct placed placed[], size_t count,
                      size_t *ret_rows)
{
	struct packing_entry *entries = malloc(count * sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	int result = 0;
	bool new;
	*ret_rows = 0;
	for (size_t i = 0, end; i < count && result == 0; i = end) {
		for (end = i + 1; end < count && placed[end].key == placed[i].key;)
			end++;
		if (placement_metric(placed[i].key) == METRIC_USAGE)
			result = write_usage(appender, time, placed + i, end - i, entries);
		else
			result = write_row(appender, placed[i].key, entries, placement_entries(placed + i, end - i, entries), &new);
		++*ret_rows;
	}
	free(entries);
	return result;
}

static int begin(struct appender *appender)
{
	if (!database_is_in_place(appender->database, DATABASE_APPENDING))
		return -EIO;
	return result_of(appender, database_run(appender->begin), "begin");
}

/* Ends the transaction with placed[count], which `result` is of so far. */
static int end(struct appender *appender, const struct append_time *time, const struct placed placed[], size_t count,
               int result)
{
	if (result == 0)
		result = timekeeper_write(appender->timekeeper, time->now);
	if (result == 0)
		result = database_reserve(appender->database);
	if (result == 0)
		result = result_of(appender, database_run(appender->commit), "commit");
	if (result == 0) {
		names_committed(appender->names, placed, count, time->certain.latest_ms);
	} else {
		database_run(appender->rollback);
		names_rolled_back(appender->names, placed, count);
		timekeeper_rolled_back(appender->timekeeper);
	}
	return result;
}

/* One transaction with placed[count], sorted. */
static int write_placed(struct appender *appender, const struct append_time *time, const struct placed placed[], size_t count)
{
	size_t rows = 0;
	int result = begin(appender);
	if (result == 0)
		result = names_write(appender->names, placed, count, time->certain.latest_ms);
	if (result == 0)
		result = write_rows(appender, time, placed, count, &rows);
	if (result == 0)
		result = expire_some(appender->expirer, time->certain.reached_ms, rows * EXPIRE_ROWS_FACTOR + EXPIRE_ROWS_MORE);
	if (result == 0)
		result = names_expire(appender->names, time->certain.reached_ms);
	return end(appender, time, placed, count, result);
}

static int place_and_write(struct appender *appender, const struct append_time *time, const struct batch *const batches[],
                           size_t count, struct placed placed[], size_t samples)
{
	int result = names_place(appender->names, batches, count, placed);
	if (result)
		return result;
	placement_sort(placed, samples);
	return write_placed(appender, time, placed, samples);
}

/*
 * There is no space for a write: what is too old is deleted for it, in transactions of their own, since the write may
 * still fail. They are small, and what the log has is brought to the file first, so that it may begin again.
 */
static int make_room(struct appender *appender, const struct append_time *time)
{
	int result = 0;
	for (int i = 0; i < ROOM_PIECES && result == 0; i++) {
		database_checkpoint(appender->database);
		result = begin(appender);
		if (result == 0)
			result = expire_some(appender->expirer, time->certain.reached_ms, EXPIRE_ROWS_MORE);
		if (result == 0)
			result = names_expire(appender->names, time->certain.reached_ms);
		result = end(appender, time, NULL, 0, result);
	}
	return result;
}

int write_append(struct appender *appender, const struct batch *const batches[], size_t count, struct moment now)
{
	size_t samples = 0;
	for (size_t i = 0; i < count; i++)
		samples += batches[i]->count;
	if (samples == 0)
		return 0;
	struct placed *placed = malloc(samples * sizeof(*placed));
	if (!placed)
		return -ENOMEM;
	hours_lock(appender->hours);
	const struct append_time time = { .now = now, .certain = timekeeper_read(appender->timekeeper, now) };
	int result = place_and_write(appender, &time, batches, count, placed, samples);
	if (result == -ENOSPC && make_room(appender, &time) == 0)
		result = place_and_write(appender, &time, batches, count, placed, samples);
	hours_unlock(appender->hours);
	free(placed);
	return database_finish(appender->database, DATABASE_APPENDING, result);
}
