/*
 * Seals hours of a database while a store uses it, the short way: by a connection of its own, in one transaction.
 */
#ifndef VIGIE_TESTS_FCGI_SQLITE_SEALING_H
#define VIGIE_TESTS_FCGI_SQLITE_SEALING_H

#include "tests/unit/fcgi/helpers.h"

#include <sqlite3.h>

#include "fcgi/sqlite/block.h"
#include "fcgi/sqlite/placement.h"

static inline sqlite3 *sealing_open(const char *path)
{
	sqlite3 *connection;
	assert_int_equal(sqlite3_open_v2(path, &connection, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_busy_timeout(connection, 5000), SQLITE_OK);
	return connection;
}

static inline void sealing_run(sqlite3 *connection, const char *sql)
{
	char *error = NULL;
	if (sqlite3_exec(connection, sql, NULL, NULL, &error) != SQLITE_OK)
		fail_msg("%s: %s", sql, error);
}

static inline sqlite3_stmt *sealing_prepare(sqlite3 *connection, const char *sql, int64_t key)
{
	sqlite3_stmt *statement;
	if (sqlite3_prepare_v2(connection, sql, -1, &statement, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(connection));
	if (sqlite3_bind_parameter_count(statement))
		sqlite3_bind_int64(statement, 1, key);
	return statement;
}

static inline void sealing_put(sqlite3 *connection, const char *sql, int64_t key, const struct text *blob)
{
	sqlite3_stmt *statement = sealing_prepare(connection, sql, key);
	assert_false(text_failed(blob));
	sqlite3_bind_blob(statement, 2, blob->data, (int)blob->length, SQLITE_STATIC);
	assert_int_equal(sqlite3_step(statement), SQLITE_DONE);
	sqlite3_finalize(statement);
}

static inline void sealing_add_row(struct block_builder *builder, int64_t hour_ms, sqlite3_stmt *row)
{
	int64_t start_ms = placement_start_ms(sqlite3_column_int64(row, 0));
	struct packing_reader reader = packing_read(sqlite3_column_blob(row, 1), (size_t)sqlite3_column_bytes(row, 1));
	while (packing_next(&reader) == 1) {
		struct packing_entry entry = reader.entry;
		entry.offset_ms += (uint32_t)(start_ms - hour_ms);
		assert_int_equal(block_builder_add(builder, &entry), 0);
	}
}

/* Makes one block of what a host has in the hour of this key: a block that is there, and rows. */
static inline void sealing_seal(sqlite3 *connection, int64_t key)
{
	static const char find_rows[] = "SELECT key, data FROM sample WHERE key & 0xffffff = ?1 & 0xffffff "
	                                "AND key >> 56 = 0 AND (key >> 24) / 360 = ?1 >> 24 ORDER BY key";
	static const char delete_rows[] = "DELETE FROM sample WHERE key & 0xffffff = ?1 & 0xffffff "
	                                  "AND key >> 56 = 0 AND (key >> 24) / 360 = ?1 >> 24";
	struct block_builder *builder = block_builder_open();
	struct text samples = TEXT_EMPTY, summaries = TEXT_EMPTY;
	assert_non_null(builder);
	sqlite3_stmt *hour = sealing_prepare(connection, "SELECT data FROM hour WHERE key = ?1", key);
	if (sqlite3_step(hour) == SQLITE_ROW)
		assert_int_equal(block_builder_add_block(builder, sqlite3_column_blob(hour, 0), (size_t)sqlite3_column_bytes(hour, 0)), 0);
	sqlite3_finalize(hour);
	sqlite3_stmt *rows = sealing_prepare(connection, find_rows, key);
	while (sqlite3_step(rows) == SQLITE_ROW)
		sealing_add_row(builder, placement_hour_ms(key), rows);
	sqlite3_finalize(rows);
	assert_int_equal(block_builder_finish(builder, &samples, &summaries), 0);
	sealing_put(connection, "INSERT OR REPLACE INTO hour (key, late, summary) VALUES (?1, 0, ?2)", key, &summaries);
	sealing_put(connection, "UPDATE hour SET data = ?2 WHERE key = ?1", key, &samples);
	sqlite3_stmt *delete = sealing_prepare(connection, delete_rows, key);
	assert_int_equal(sqlite3_step(delete), SQLITE_DONE);
	sqlite3_finalize(delete);
	text_free(&samples);
	text_free(&summaries);
	block_builder_close(builder);
}

/* What sealing_seal_chosen() may be given: each hour, and none. */
static inline bool sealing_all(int64_t key)
{
	(void)key;
	return true;
}

static inline bool sealing_none(int64_t key)
{
	(void)key;
	return false;
}

/*
 * Seals, merges, or leaves as it is what each host has in each hour, as `choose` says of its key. What is sealed already
 * and has rows is noted as having them.
 */
static inline void sealing_seal_chosen(const char *path, bool (*choose)(int64_t key))
{
	static const char find_hours[] = "SELECT DISTINCT ((key >> 24) / 360 << 24) | (key & 0xffffff) FROM sample WHERE key >> 56 = 0";
	sqlite3 *connection = sealing_open(path);
	int64_t keys[4096];
	size_t count = 0;
	sealing_run(connection, "BEGIN IMMEDIATE");
	sqlite3_stmt *hours = sealing_prepare(connection, find_hours, 0);
	for (; sqlite3_step(hours) == SQLITE_ROW; count++) {
		assert_true(count < COUNT_OF(keys));
		keys[count] = sqlite3_column_int64(hours, 0);
	}
	sqlite3_finalize(hours);
	for (size_t i = 0; i < count; i++) {
		if (choose(keys[i]))
			sealing_seal(connection, keys[i]);
	}
	sealing_run(connection, "UPDATE hour SET late = EXISTS (SELECT 1 FROM sample WHERE sample.key >> 56 = 0 "
	                        "AND ((sample.key >> 24) / 360 << 24) | (sample.key & 0xffffff) = hour.key)");
	sealing_run(connection, "COMMIT");
	sqlite3_close(connection);
}

#endif
