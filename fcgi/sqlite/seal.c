#include "fcgi/sqlite/seal.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "fcgi/sqlite/placement.h"
#include "fcgi/sqlite/seal_internal.h"

enum {
	WIDTH_FIRST = 4,      /* hosts of the first piece */
	FIRST_LOOK_MS = 3000, /* after the start: those who wait for it go first */
	LOOK_MS = 10000,
	FAILED_MS = 60000,    /* after a failure */
	PAUSE_FACTOR = 3,     /* times as long as a step it is waited after it … */
	PAUSE_MAX_MS = 1000,  /* … and no longer than this */
};

/* ---- opening ---- */

/* Connects for reading, with the first step: a start waits for less. */
static int open_reading(struct sealer *sealer)
{
	const struct database_statement statements[] = {
		{ &sealer->first, "SELECT min(key) FROM sample WHERE key BETWEEN ?1 AND ?2" },
		{ &sealer->strippable, "SELECT key FROM hour WHERE key BETWEEN ?1 AND ?2 "
		                       "AND typeof(data) = 'blob' ORDER BY key LIMIT 1" },
		{ &sealer->free_pages, "SELECT freelist_count FROM pragma_freelist_count, pragma_auto_vacuum WHERE auto_vacuum = 2" },
		{ &sealer->data_version, "PRAGMA data_version" },
		{ &sealer->read_begin, "BEGIN" },
		{ &sealer->read_end, "COMMIT" },
		{ &sealer->row, DATABASE_FIND },
		{ &sealer->sealed, "SELECT data FROM hour WHERE key = ?1" },
	};
	if (sealer->reading)
		return 0;
	struct sqlite3 *reading = NULL;
	int result = database_connect(sealer->database, &reading);
	if (result == 0)
		result = database_prepare(sealer->database, reading, statements, sizeof(statements) / sizeof(statements[0]));
	if (result)
		database_disconnect(reading);
	else
		sealer->reading = reading;
	return result;
}

static int open_writing(struct sealer *sealer, int64_t *ret_newest_key)
{
	struct database *database = sealer->database;
	sqlite3_stmt *newest = NULL;
	const struct database_statement statements[] = {
		{ &newest, "SELECT coalesce(max(key), -1) FROM hour" },
		{ &sealer->begin, "BEGIN IMMEDIATE" },
		{ &sealer->commit, "COMMIT" },
		{ &sealer->rollback, "ROLLBACK" },
		{ &sealer->put_hour, "INSERT OR REPLACE INTO hour (key, late, summary, data) VALUES (?1, 0, ?2, ?3)" },
		{ &sealer->delete_rows, "DELETE FROM sample WHERE key BETWEEN ?1 AND ?2" },
		{ &sealer->strip, "UPDATE hour SET data = NULL WHERE key BETWEEN ?1 AND ?2 AND late = 0" },
		{ &sealer->give_back, "PRAGMA incremental_vacuum" },
	};
	int result = database_prepare(database, database->appending, statements, sizeof(statements) / sizeof(statements[0]));
	if (result)
		return result;
	int code = sqlite3_step(newest);
	*ret_newest_key = code == SQLITE_ROW ? sqlite3_column_int64(newest, 0) : -1;
	sqlite3_finalize(newest);
	return database_result(database, code, database->appending, "open");
}

int seal_open(struct database *database, struct names *names, struct timekeeper *timekeeper, struct hours *hours,
              const struct seal_settings *settings, struct sealer **ret_sealer)
{
	struct sealer *sealer = calloc(1, sizeof(*sealer));
	if (!sealer)
		return -ENOMEM;
	sealer->database = database;
	sealer->names = names;
	sealer->timekeeper = timekeeper;
	sealer->hours = hours;
	sealer->settings = *settings;
	sealer->width = WIDTH_FIRST;
	sealer->log_grown = true; /* it may be whoever's that was killed */
	memset(sealer->unsealable, -1, sizeof(sealer->unsealable));
	sealer->builder = block_builder_open();
	int64_t newest_key = -1;
	int result = sealer->builder ? open_writing(sealer, &newest_key) : -ENOMEM;
	if (result) {
		seal_close(sealer);
		return result;
	}
	hours->sealed_end_ms = newest_key < 0 ? 0 : placement_hour_ms(newest_key) + BLOCK_MS;
	*ret_sealer = sealer;
	return 0;
}

/* ---- steps ---- */

static struct seal_time read_time(struct sealer *sealer, struct moment now)
{
	const struct seal_settings *settings = &sealer->settings;
	hours_lock(sealer->hours);
	struct certain_time certain = timekeeper_read(sealer->timekeeper, now);
	hours_unlock(sealer->hours);
	/* What is sealed too early can be mended, what is deleted cannot. */
	struct seal_time time = {
		.past_ms = store_step_start(certain.latest_ms - STORE_AHEAD_MS - SEAL_MARGIN_MS, BLOCK_MS),
		.oldest_ms = certain.reached_ms - settings->retention_ms,
		.boot_ms = now.boot_ms,
	};
	if (settings->detail_ms && settings->detail_ms < settings->retention_ms)
		time.detail_ms = certain.reached_ms - settings->detail_ms;
	time.past_ms = time.past_ms > 0 ? time.past_ms : 0;
	time.oldest_ms = time.oldest_ms > 0 ? time.oldest_ms : 0;
	time.detail_ms = time.detail_ms > 0 ? time.detail_ms : 0;
	return time;
}

int seal_step(struct sealer *sealer, struct moment now)
{
	const struct seal_time time = read_time(sealer, now);
	int result = open_reading(sealer);
	if (result)
		return result;
	if (sealer->stage == STAGE_SEAL) {
		result = seal_next(sealer, &time);
		if (result)
			return result;
		sealer->stage = STAGE_STRIP;
	}
	if (sealer->stage == STAGE_STRIP) {
		result = seal_strip_next(sealer, &time);
		if (result)
			return result;
		sealer->stage = STAGE_GIVE_BACK;
	}
	result = seal_give_back(sealer);
	if (result)
		return result;
	bool more = sealer->changed;
	sealer->changed = false;
	if (more)
		sealer->log_grown = true;
	else if (sealer->log_grown)
		seal_cut_log(sealer);
	sealer->stage = STAGE_SEAL;
	sealer->hour_ms = 0;
	sealer->strip_key = sealer->strip_first_key;
	sealer->host = 0;
	sealer->given_back = 0;
	return more;
}

/* ---- the thread ---- */

struct seal_thread {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t ended;
	bool ending;
};

/* Waits, unless it is to end: false. */
static bool wait_for(struct seal_thread *thread, int64_t wait_ms)
{
	int64_t until_ns = clock_monotonic_ns() + wait_ms * 1000000;
	struct timespec until = clock_timespec(until_ns);
	pthread_mutex_lock(&thread->lock);
	while (!thread->ending && pthread_cond_timedwait(&thread->ended, &thread->lock, &until) != ETIMEDOUT)
		continue;
	bool ending = thread->ending;
	pthread_mutex_unlock(&thread->lock);
	return !ending;
}

static void *run(void *user)
{
	struct sealer *sealer = user;
	int64_t wait_ms = FIRST_LOOK_MS;
	while (wait_for(sealer->thread, wait_ms)) {
		int64_t start_ns = clock_monotonic_ns();
		int result = seal_step(sealer, clock_moment());
		int64_t pause_ms = (clock_monotonic_ns() - start_ns) * PAUSE_FACTOR / 1000000 + 1;
		wait_ms = result < 0 ? FAILED_MS : result == 0 ? LOOK_MS : pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS;
	}
	return NULL;
}

int seal_start(struct sealer *sealer)
{
	struct seal_thread *thread = calloc(1, sizeof(*thread));
	if (!thread)
		return -ENOMEM;
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&thread->ended, &attributes);
	pthread_condattr_destroy(&attributes);
	pthread_mutex_init(&thread->lock, NULL);
	sealer->thread = thread;
	int result = -pthread_create(&thread->thread, NULL, run, sealer);
	if (result == 0)
		return 0;
	sealer->thread = NULL;
	pthread_cond_destroy(&thread->ended);
	pthread_mutex_destroy(&thread->lock);
	free(thread);
	return -ENOMEM;
}

static void end_thread(struct seal_thread *thread)
{
	pthread_mutex_lock(&thread->lock);
	thread->ending = true;
	pthread_cond_signal(&thread->ended);
	pthread_mutex_unlock(&thread->lock);
	pthread_join(thread->thread, NULL);
	pthread_cond_destroy(&thread->ended);
	pthread_mutex_destroy(&thread->lock);
	free(thread);
}

void seal_close(struct sealer *sealer)
{
	if (!sealer)
		return;
	if (sealer->thread)
		end_thread(sealer->thread);
	database_disconnect(sealer->reading);
	for (size_t i = 0; i < PIECE_HOSTS_MAX; i++) {
		text_free(&sealer->hosts[i].samples);
		text_free(&sealer->hosts[i].summaries);
	}
	block_builder_close(sealer->builder);
	free(sealer);
}
