#include "fcgi/sqlite/seal_internal.h"

#include <errno.h>
#include <sqlite3.h>
#include <time.h>

#include "common/clock.h"
#include "common/log.h"
#include "fcgi/counters.h"
#include "fcgi/sqlite/packing.h"
#include "fcgi/sqlite/placement.h"
#include "fcgi/store.h"

enum {
	ROWS_AN_HOUR = BLOCK_MS / PLACEMENT_ROW_MS,
	LONG_NS = 7000000,  /* of work with the lock held: pieces become smaller … */
	SHORT_NS = 4000000, /* … and larger */
	CHECKPOINT_PAGES = 1000, /* SQLite's own default */
};

_Static_assert(BLOCK_MS % PLACEMENT_ROW_MS == 0, "no row is of two hours");

int seal_begin(struct sealer *sealer)
{
	struct database *database = sealer->database;
	hours_lock(sealer->hours);
	int result = database_is_in_place(database, DATABASE_APPENDING) ? 0 : -EIO;
	if (result == 0)
		result = database_result(database, database_run(sealer->begin), database->appending, "seal");
	if (result)
		hours_unlock(sealer->hours);
	return result;
}

int seal_commit(struct sealer *sealer, int result)
{
	struct database *database = sealer->database;
	sqlite3_wal_autocheckpoint(database->appending, 0);
	if (result == 0)
		result = database_reserve(database);
	if (result == 0)
		result = database_result(database, database_run(sealer->commit), database->appending, "seal");
	if (result)
		database_run(sealer->rollback);
	sqlite3_wal_autocheckpoint(database->appending, CHECKPOINT_PAGES);
	return result;
}

void seal_end(struct sealer *sealer)
{
	hours_unlock(sealer->hours);
	/* Who appends does not wait for it. Where it fails, the next write says why. */
	(void)sqlite3_wal_checkpoint_v2(sealer->reading, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

/* ---- making blocks ---- */

static bool is_unsealable(const struct sealer *sealer, int64_t hour_key)
{
	for (int i = 0; i < UNSEALABLE_KEPT; i++) {
		if (sealer->unsealable[i] == hour_key)
			return true;
	}
	return false;
}

static void note_unsealable(struct sealer *sealer, int64_t hour_key, int result)
{
	char time[CLOCK_RFC3339_SIZE], ip[WIRE_IP_SIZE] = "that is not known";
	clock_format_rfc3339(placement_hour_ms(hour_key), time);
	(void)names_find_ip(sealer->names, (uint32_t)(hour_key & PLACEMENT_HOST_MAX), ip);
	log_error("store %s: the hour from %s on of host %s cannot be sealed, and stays as it is: %s", sealer->database->path,
	          time, ip, result == -EBADMSG ? "it is damaged" : "it has too many samples");
	sealer->unsealable[sealer->unsealable_count++ % UNSEALABLE_KEPT] = hour_key;
}

/* Adds what a row has, which begins so far after the hour; not what nobody can have stored. */
static int add_row(struct block_builder *builder, const void *row, size_t length, uint32_t start_ms)
{
	struct packing_reader reader = packing_read(row, length);
	uint64_t unusable = 0;
	int more, result = 0;
	for (more = packing_next(&reader); more == 1 && result == 0; more = packing_next(&reader)) {
		struct packing_entry entry = reader.entry;
		bool some = false;
		for (int i = 0; i < HALF_COUNT; i++) {
			bool usable = entry.present[i] && sample_is_usable(entry.value[i]) && entry.offset_ms < PLACEMENT_ROW_MS;
			unusable += entry.present[i] && !usable;
			entry.present[i] = usable;
			some = some || usable;
		}
		entry.offset_ms += start_ms;
		if (some)
			result = block_builder_add(builder, &entry);
	}
	store_leave_out("sqlite", unusable);
	return result ? result : more < 0 ? -EBADMSG : 0;
}

/* Counts the rows of a host in an hour, and adds them where `builder` is not NULL. */
static int64_t read_rows(struct sealer *sealer, struct block_builder *builder, int64_t hour_ms, uint32_t host)
{
	int64_t rows = 0;
	for (int i = 0; i < ROWS_AN_HOUR; i++) {
		uint32_t start_ms = (uint32_t)i * PLACEMENT_ROW_MS;
		sqlite3_bind_int64(sealer->row, 1, placement_key(METRIC_USAGE, hour_ms + start_ms, host));
		int code = sqlite3_step(sealer->row);
		int result = database_result(sealer->database, code, sealer->reading, "seal");
		if (code == SQLITE_ROW && builder)
			result = add_row(builder, sqlite3_column_blob(sealer->row, 1), (size_t)sqlite3_column_bytes(sealer->row, 1), start_ms);
		sqlite3_reset(sealer->row);
		if (result)
			return result;
		rows += code == SQLITE_ROW;
	}
	return rows;
}

/* Adds the block that is there; whether there is one. */
static int add_block(struct sealer *sealer, int64_t hour_key, bool *ret_sealed)
{
	sqlite3_bind_int64(sealer->sealed, 1, hour_key);
	int code = sqlite3_step(sealer->sealed);
	int result = database_result(sealer->database, code, sealer->reading, "seal");
	*ret_sealed = code == SQLITE_ROW;
	if (code == SQLITE_ROW)
		result = block_builder_add_block(sealer->builder, sqlite3_column_blob(sealer->sealed, 0),
		                                 (size_t)sqlite3_column_bytes(sealer->sealed, 0));
	sqlite3_reset(sealer->sealed);
	return result;
}

/* Makes the block of a host, the next of sealer->hosts: 1; 0: it has rows that stay; 2: it has none. */
static int make_block(struct sealer *sealer, int64_t hour_ms, uint32_t host, int64_t least)
{
	int64_t hour_key = placement_hour_key(METRIC_USAGE, hour_ms, host);
	struct sealed_host *sealed = &sealer->hosts[sealer->host_count];
	if (is_unsealable(sealer, hour_key))
		return 0;
	int64_t rows = read_rows(sealer, NULL, hour_ms, host);
	if (rows < least)
		return rows < 0 ? (int)rows : rows == 0 ? 2 : 0;
	sealed->number = host;
	text_reset(&sealed->samples);
	text_reset(&sealed->summaries);
	int result = add_block(sealer, hour_key, &sealed->merged);
	if (result == -EBADMSG)
		damage_note(&sealer->database->damage, hour_key);
	if (result == 0) {
		rows = read_rows(sealer, sealer->builder, hour_ms, host);
		result = rows < 0 ? (int)rows : 0;
	}
	if (result == 0)
		result = block_builder_finish(sealer->builder, &sealed->samples, &sealed->summaries);
	if (result == 0) {
		sealer->host_count++;
		return 1;
	}
	block_builder_reset(sealer->builder);
	if (result != -EBADMSG && result != -E2BIG)
		return result;
	note_unsealable(sealer, hour_key, result);
	return 0;
}

/* Makes the blocks of the piece, of one snapshot. */
static int make_blocks(struct sealer *sealer, const struct hours_piece *piece, int64_t least)
{
	sealer->host_count = 0;
	int result = database_result(sealer->database, database_run(sealer->read_begin), sealer->reading, "seal");
	for (uint32_t host = piece->first_host; result == 0 && host <= piece->last_host; host++) {
		int made = make_block(sealer, piece->hour_ms, host, least);
		sealer->left[host - piece->first_host] = made == 0;
		result = made < 0 ? made : 0;
	}
	database_run(sealer->read_end);
	return result;
}

/* ---- putting them in the place of rows ---- */

static int put_hour(struct sealer *sealer, int64_t key, const struct sealed_host *host)
{
	sqlite3_bind_int64(sealer->put_hour, 1, key);
	sqlite3_bind_blob64(sealer->put_hour, 2, host->summaries.data, host->summaries.length, SQLITE_STATIC);
	sqlite3_bind_blob64(sealer->put_hour, 3, host->samples.data, host->samples.length, SQLITE_STATIC);
	return database_result(sealer->database, database_run(sealer->put_hour), sealer->database->appending, "seal");
}

static int put_blocks(struct sealer *sealer, const struct hours_piece *piece)
{
	int result = 0;
	for (size_t i = 0; i < sealer->host_count && result == 0; i++) {
		const struct sealed_host *host = &sealer->hosts[i];
		int64_t key = placement_hour_key(METRIC_USAGE, piece->hour_ms, host->number);
		result = put_hour(sealer, key, host);
		if (result == 0)
			result = names_seal(sealer->names, host->number, piece->hour_ms + BLOCK_MS);
	}
	return result;
}

/* Deletes the rows of the hosts from `first` on, up to the next that stays, which it returns. */
static int delete_run(struct sealer *sealer, const struct hours_piece *piece, uint32_t first, uint32_t *ret_end)
{
	uint32_t end = first;
	while (end <= piece->last_host && !sealer->left[end - piece->first_host])
		end++;
	*ret_end = end;
	for (int i = 0; i < ROWS_AN_HOUR && end > first; i++) {
		int64_t time_ms = piece->hour_ms + i * (int64_t)PLACEMENT_ROW_MS;
		sqlite3_bind_int64(sealer->delete_rows, 1, placement_key(METRIC_USAGE, time_ms, first));
		sqlite3_bind_int64(sealer->delete_rows, 2, placement_key(METRIC_USAGE, time_ms, end - 1));
		int code = database_run(sealer->delete_rows);
		if (code != SQLITE_OK)
			return database_result(sealer->database, code, sealer->database->appending, "seal");
	}
	return 0;
}

static int delete_rows(struct sealer *sealer, const struct hours_piece *piece)
{
	int result = 0;
	for (uint32_t host = piece->first_host, end; host <= piece->last_host && result == 0; host = end + 1)
		result = delete_run(sealer, piece, host, &end);
	return result;
}

/* What this thread has worked, whatever it has waited for: a disk that is busy is no reason for smaller pieces. */
static int64_t worked_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* So that the lock is held for no longer than an append may wait, and for as many hosts as that allows: half of the work is
 * that for the pages, of which one host touches nearly as many as several. */
static void adapt(struct sealer *sealer, const struct hours_piece *piece, int64_t held_ns)
{
	uint32_t width = piece->last_host - piece->first_host + 1;
	if (held_ns > LONG_NS)
		sealer->width = width - width / 4 - (width > 1);
	else if (held_ns < SHORT_NS && width == sealer->width)
		sealer->width = width + width / 4 + 1 < PIECE_HOSTS_MAX ? width + width / 4 + 1 : PIECE_HOSTS_MAX;
}

static int store_blocks(struct sealer *sealer, const struct hours_piece *piece)
{
	int result = seal_begin(sealer);
	if (result)
		return result;
	int64_t start_ns = worked_ns(), end_ms = piece->hour_ms + BLOCK_MS;
	result = hours_was_written(sealer->hours) ? -EAGAIN : put_blocks(sealer, piece);
	if (result == 0)
		result = delete_rows(sealer, piece);
	result = seal_commit(sealer, result);
	if (result == 0) {
		adapt(sealer, piece, worked_ns() - start_ns);
		for (size_t i = 0; i < sealer->host_count; i++)
			names_sealed(sealer->names, sealer->hosts[i].number, end_ms);
		if (sealer->hours->sealed_end_ms < end_ms)
			sealer->hours->sealed_end_ms = end_ms;
	}
	seal_end(sealer);
	return result;
}

int seal_piece(struct sealer *sealer, const struct hours_piece *piece, int64_t least)
{
	hours_lock(sealer->hours);
	hours_watch(sealer->hours, piece);
	hours_unlock(sealer->hours);
	int result = make_blocks(sealer, piece, least);
	if (result || sealer->host_count == 0)
		return result;
	result = store_blocks(sealer, piece);
	if (result)
		return result;
	for (size_t i = 0; i < sealer->host_count; i++)
		counters_add(COUNTER_MERGED_HOURS, sealer->hosts[i].merged);
	counters_add(COUNTER_SEALED_HOURS, sealer->host_count);
	return 0;
}
