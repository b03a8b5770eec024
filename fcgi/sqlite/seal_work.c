#include "fcgi/sqlite/seal_internal.h"

#include <errno.h>
#include <sqlite3.h>

#include "common/clock.h"
#include "fcgi/sqlite/placement.h"
#include "fcgi/store.h"

enum {
	QUIET_MS = 60 * 1000,       /* an hour to which nothing has come for so long … */
	QUIET_LONG_MS = 600 * 1000, /* … or for so long, where it is little: */
	ROWS_MANY = 36,             /* ten minutes of them */
	STRIP_HOSTS = 16,           /* which lose their samples of an hour in one step */
	FREE_PAGES = 16,            /* so many are not worth a write */
	GIVE_BACK_NS = 3000000,     /* of a step */
	GIVE_BACK_STEPS = 256,      /* before it is looked for what is to be sealed */
};

/* The number that a statement of the reading connection gives, for two keys; `fallback` where it gives none. */
static int ask(struct sealer *sealer, sqlite3_stmt *statement, int64_t first_key, int64_t last_key, int64_t fallback,
               int64_t *ret_number)
{
	sqlite3_bind_int64(statement, 1, first_key);
	sqlite3_bind_int64(statement, 2, last_key);
	int code = sqlite3_step(statement);
	bool some = code == SQLITE_ROW && sqlite3_column_type(statement, 0) != SQLITE_NULL;
	int64_t number = some ? sqlite3_column_int64(statement, 0) : fallback;
	sqlite3_reset(statement);
	int result = database_result(sealer->database, code, sealer->reading, "seal");
	if (result == 0)
		*ret_number = number;
	return result;
}

/* ---- what is to be sealed ---- */

/* The first host from sealer->host on that has rows in the hour; over PLACEMENT_HOST_MAX: none has. */
static int find_host(struct sealer *sealer, int64_t hour_ms, int64_t *ret_host)
{
	int64_t host = (int64_t)PLACEMENT_HOST_MAX + 1;
	for (int64_t time_ms = hour_ms; time_ms < hour_ms + BLOCK_MS && host > sealer->host; time_ms += PLACEMENT_ROW_MS) {
		int64_t first_key = placement_key(METRIC_USAGE, time_ms, sealer->host), key;
		int64_t last_key = placement_key(METRIC_USAGE, time_ms, PLACEMENT_HOST_MAX);
		int result = ask(sealer, sealer->first, first_key, last_key, -1, &key);
		if (result)
			return result;
		if (key >= 0 && (key & PLACEMENT_HOST_MAX) < host)
			host = key & PLACEMENT_HOST_MAX;
	}
	*ret_host = host;
	return 0;
}

/* How many rows a host must have for its hour to be sealed now; 0: nothing of the hour is. */
static int64_t find_least(struct sealer *sealer, int64_t hour_ms, int64_t boot_ms)
{
	hours_lock(sealer->hours);
	bool quiet = hours_is_quiet(sealer->hours, hour_ms, boot_ms, QUIET_MS);
	bool quiet_long = hours_is_quiet(sealer->hours, hour_ms, boot_ms, QUIET_LONG_MS);
	hours_unlock(sealer->hours);
	return quiet_long ? 1 : quiet ? ROWS_MANY : 0;
}

/* Finds the next piece from where the sealer is: 1; 0: there is none any more. */
static int find_piece(struct sealer *sealer, const struct seal_time *time, struct hours_piece *ret_piece, int64_t *ret_least)
{
	for (;;) {
		int64_t key, host = (int64_t)PLACEMENT_HOST_MAX + 1;
		int64_t from_ms = sealer->hour_ms > time->oldest_ms ? sealer->hour_ms : time->oldest_ms;
		if (from_ms >= time->past_ms)
			return 0;
		int result = ask(sealer, sealer->first, placement_key(METRIC_USAGE, from_ms, 0),
		                 placement_key(METRIC_USAGE, time->past_ms, 0) - 1, -1, &key);
		if (result || key < 0)
			return result;
		int64_t hour_ms = store_step_start(placement_start_ms(key), BLOCK_MS);
		if (hour_ms != sealer->hour_ms)
			sealer->host = 0;
		sealer->hour_ms = hour_ms;
		int64_t least = find_least(sealer, hour_ms, time->boot_ms);
		if (least)
			result = find_host(sealer, hour_ms, &host);
		if (result)
			return result;
		if (host <= PLACEMENT_HOST_MAX) {
			int64_t last = host + sealer->width - 1;
			*ret_piece = (struct hours_piece){
				.hour_ms = hour_ms, .first_host = (uint32_t)host,
				.last_host = (uint32_t)(last < PLACEMENT_HOST_MAX ? last : PLACEMENT_HOST_MAX),
			};
			*ret_least = least;
			return 1;
		}
		hours_lock(sealer->hours);
		hours_begin_anew(sealer->hours, hour_ms, time->boot_ms);
		hours_unlock(sealer->hours);
		sealer->hour_ms += BLOCK_MS;
		sealer->host = 0;
	}
}

int seal_next(struct sealer *sealer, const struct seal_time *time)
{
	struct hours_piece piece = { 0 };
	int64_t least = 1;
	int found = database_result(sealer->database, database_run(sealer->read_begin), sealer->reading, "seal");
	if (found == 0)
		found = find_piece(sealer, time, &piece, &least);
	database_run(sealer->read_end);
	if (found != 1)
		return found;
	int result = seal_piece(sealer, &piece, least);
	if (result == -EAGAIN) {
		sealer->changed = true;
		/* Once with fewer hosts each time; one alone that is written to all the time is for later. */
		sealer->host = sealer->width > 1 ? piece.first_host : piece.first_host + 1;
		sealer->width = sealer->width > 1 ? sealer->width / 2 : 1;
		return 1;
	}
	sealer->host = piece.last_host + 1;
	sealer->changed = sealer->changed || sealer->host_count;
	int64_t hour_key = placement_hour_key(METRIC_USAGE, piece.hour_ms, 0);
	if (hour_key < sealer->strip_first_key)
		sealer->strip_first_key = hour_key;
	return result ? result : 1;
}

/* ---- what is older than the detail ---- */

int seal_strip_next(struct sealer *sealer, const struct seal_time *time)
{
	int64_t end_key = placement_hour_key(METRIC_USAGE, time->detail_ms, 0);
	for (;;) {
		int64_t key = -1;
		int result = 0;
		if (sealer->strip_key < end_key)
			result = ask(sealer, sealer->strippable, sealer->strip_key, end_key - 1, -1, &key);
		if (result == 0 && key < 0 && sealer->strip_first_key < end_key)
			/* The first that has its samples still. */
			result = ask(sealer, sealer->strippable, sealer->strip_first_key, end_key - 1, end_key, &sealer->strip_first_key);
		if (result || key < 0)
			return result;
		int64_t hour_ms = placement_hour_ms(key);
		int64_t last_key = placement_hour_key(METRIC_USAGE, hour_ms, PLACEMENT_HOST_MAX);
		sealer->strip_key = last_key + 1;
		/* What comes late for it can be added still. */
		if (find_least(sealer, hour_ms, time->boot_ms) != 1)
			continue;
		sealer->strip_key = key + STRIP_HOSTS < sealer->strip_key ? key + STRIP_HOSTS : sealer->strip_key;
		result = seal_begin(sealer);
		if (result)
			return result;
		sqlite3_bind_int64(sealer->strip, 1, key);
		sqlite3_bind_int64(sealer->strip, 2, sealer->strip_key - 1);
		result = database_result(sealer->database, database_run(sealer->strip), sealer->database->appending, "seal");
		result = seal_commit(sealer, result);
		seal_end(sealer);
		sealer->changed = true;
		return result ? result : 1;
	}
}

/* ---- free pages ---- */

int seal_give_back(struct sealer *sealer)
{
	int64_t pages;
	int code = sqlite3_step(sealer->free_pages);
	pages = code == SQLITE_ROW ? sqlite3_column_int64(sealer->free_pages, 0) : 0;
	sqlite3_reset(sealer->free_pages);
	int result = database_result(sealer->database, code, sealer->reading, "seal");
	if (result || pages < FREE_PAGES || sealer->given_back++ == GIVE_BACK_STEPS)
		return result;
	result = seal_begin(sealer);
	if (result)
		return result;
	int64_t end_ns = clock_monotonic_ns() + GIVE_BACK_NS;
	do
		code = sqlite3_step(sealer->give_back); /* a page */
	while (code == SQLITE_ROW && clock_monotonic_ns() < end_ns);
	sqlite3_reset(sealer->give_back);
	result = seal_commit(sealer, database_result(sealer->database, code, sealer->database->appending, "seal"));
	seal_end(sealer);
	sealer->changed = true;
	return result ? result : 1;
}

/* ---- the log ---- */

/* A number that another connection's commit changes. */
static int64_t find_version(struct sealer *sealer)
{
	int64_t version = sqlite3_step(sealer->data_version) == SQLITE_ROW ? sqlite3_column_int64(sealer->data_version, 0) : -1;
	sqlite3_reset(sealer->data_version);
	return version;
}

void seal_cut_log(struct sealer *sealer)
{
	int frames = 0, brought = 0;
	/* What takes long is done before the lock is taken; what has come meanwhile would have to be synced with it. */
	int64_t version = find_version(sealer);
	int code = sqlite3_wal_checkpoint_v2(sealer->reading, NULL, SQLITE_CHECKPOINT_PASSIVE, &frames, &brought);
	if (code != SQLITE_OK || brought < frames)
		return;
	hours_lock(sealer->hours);
	if (find_version(sealer) == version)
		sealer->log_grown = !database_cut_log(sealer->reading);
	hours_unlock(sealer->hours);
}
