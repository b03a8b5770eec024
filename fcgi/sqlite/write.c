#include "fcgi/sqlite/write.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>

#include "fcgi/counters.h"
#include "fcgi/sqlite/packing.h"
#include "fcgi/sqlite/placement.h"

enum {
	EXPIRE_ROWS_FACTOR = 4, /* rows deleted at most for each row written … */
	EXPIRE_ROWS_MORE = 16,  /* … and on top of that */
	ROOM_PIECES = 64,       /* deleted for a write that there is no space for */
	FORECASTS_KEPT_MS = 4 * 3600 * 1000, /* at most: over three of their refreshes, of an hour at most */
};

struct appender {
	struct database *database;
	struct names *names;
	struct timekeeper *timekeeper;
	int64_t retention_ms;
	sqlite3_stmt *begin, *commit, *rollback, *insert, *find, *update, *expire;
	struct text row;
	int expire_metric; /* the metric besides usage whose rows were last deleted */
};

int write_open(struct database *database, struct names *names, struct timekeeper *timekeeper, int64_t retention_ms,
               struct appender **ret_appender)
{
	struct appender *appender = calloc(1, sizeof(*appender));
	if (!appender)
		return -ENOMEM;
	appender->database = database;
	appender->names = names;
	appender->timekeeper = timekeeper;
	appender->retention_ms = retention_ms;
	const struct database_statement statements[] = {
		{ &appender->begin, "BEGIN IMMEDIATE" },
		{ &appender->commit, "COMMIT" },
		{ &appender->rollback, "ROLLBACK" },
		{ &appender->insert, "INSERT OR IGNORE INTO sample (key, data) VALUES (?1, ?2)" },
		{ &appender->find, DATABASE_FIND },
		{ &appender->update, "UPDATE sample SET data = ?2 WHERE key = ?1" },
		{ &appender->expire, "DELETE FROM sample WHERE key IN "
		                     "(SELECT key FROM sample WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3)" },
	};
	int result = database_prepare(database, database->appending, statements, sizeof(statements) / sizeof(statements[0]));
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

static int write_row(struct appender *appender, int64_t key, const struct packing_entry entries[], size_t count)
{
	text_reset(&appender->row);
	packing_encode(entries, count, &appender->row);
	if (text_failed(&appender->row))
		return -ENOMEM;
	sqlite3_bind_int64(appender->insert, 1, key);
	sqlite3_bind_blob(appender->insert, 2, appender->row.data, (int)appender->row.length, SQLITE_STATIC);
	int code = database_run(appender->insert);
	if (code != SQLITE_OK || sqlite3_changes(appender->database->appending) == 1)
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

/* Writes the rows of placed[count], sorted; tells how many. */
static int write_rows(struct appender *appender, const struct placed placed[], size_t count, size_t *ret_rows)
{
	struct packing_entry *entries = malloc(count * sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	int result = 0;
	*ret_rows = 0;
	for (size_t i = 0, end; i < count && result == 0; i = end) {
		for (end = i + 1; end < count && placed[end].key == placed[i].key;)
			end++;
		size_t used = placement_entries(placed + i, end - i, entries);
		result = write_row(appender, placed[i].key, entries, used);
		++*ret_rows;
	}
	free(entries);
	return result;
}

/* Forecasts of all series each minute would take as much as the samples: they are kept
 * for as long as they can be asked for. */
static int64_t kept_ms(const struct appender *appender, enum metric metric)
{
	bool shorter = sample_is_forecast(metric) && FORECASTS_KEPT_MS < appender->retention_ms;
	return shorter ? FORECASTS_KEPT_MS : appender->retention_ms;
}

/* Deletes some of the rows that are too old; the rest with the next appends. */
static int expire_rows(struct appender *appender, int64_t reached_ms, size_t most)
{
	/* Usage each time; of the other metrics, which have few rows, one in turn. */
	appender->expire_metric = appender->expire_metric % (METRIC_COUNT - 1) + 1;
	const enum metric metrics[] = { METRIC_USAGE, (enum metric)appender->expire_metric };
	for (int i = 0; i < 2; i++) {
		int64_t oldest_ms = reached_ms - kept_ms(appender, metrics[i]);
		sqlite3_bind_int64(appender->expire, 1, placement_key(metrics[i], 0, 0));
		sqlite3_bind_int64(appender->expire, 2, placement_key(metrics[i], oldest_ms > 0 ? oldest_ms : 0, 0));
		sqlite3_bind_int64(appender->expire, 3, (int64_t)most);
		int code = database_run(appender->expire);
		if (code != SQLITE_OK)
			return result_of(appender, code, "delete what is too old");
		counters_add(COUNTER_EXPIRED_ROWS, (uint64_t)sqlite3_changes(appender->database->appending));
	}
	return 0;
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
		result = write_rows(appender, placed, count, &rows);
	if (result == 0)
		result = expire_rows(appender, time->certain.reached_ms, rows * EXPIRE_ROWS_FACTOR + EXPIRE_ROWS_MORE);
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
			result = expire_rows(appender, time->certain.reached_ms, EXPIRE_ROWS_MORE);
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
	const struct append_time time = { .now = now, .certain = timekeeper_read(appender->timekeeper, now) };
	int result = place_and_write(appender, &time, batches, count, placed, samples);
	if (result == -ENOSPC && make_room(appender, &time) == 0)
		result = place_and_write(appender, &time, batches, count, placed, samples);
	free(placed);
	return database_finish(appender->database, DATABASE_APPENDING, result);
}
