#include "fcgi/sqlite/readers.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>

struct readers *readers_open(struct database *database, struct names *names)
{
	struct readers *readers = calloc(1, sizeof(*readers));
	if (!readers)
		return NULL;
	readers->database = database;
	readers->names = names;
	pthread_mutex_init(&readers->lock, NULL);
	return readers;
}

static void reader_close(struct reader *reader)
{
	block_reader_close(reader->samples);
	block_reader_close(reader->sums);
	database_disconnect(reader->connection);
	free(reader);
}

void readers_close(struct readers *readers)
{
	if (!readers)
		return;
	for (struct reader *reader = readers->idle, *next; reader; reader = next) {
		next = reader->next;
		reader_close(reader);
	}
	pthread_mutex_destroy(&readers->lock);
	free(readers);
}

static int reader_open(struct database *database, struct reader **ret_reader)
{
	struct reader *reader = calloc(1, sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	const struct database_statement statements[] = {
		{ &reader->begin, "BEGIN" },
		{ &reader->end, "COMMIT" },
		{ &reader->rows, "SELECT key, data FROM sample WHERE key BETWEEN ?1 AND ?2" },
		{ &reader->next_row, "SELECT key, data FROM sample WHERE key BETWEEN ?1 AND ?2 ORDER BY key LIMIT 1" },
		{ &reader->row, DATABASE_FIND },
		{ &reader->summaries, "SELECT key, late, summary FROM hour WHERE key BETWEEN ?1 AND ?2" },
		{ &reader->next_summary, "SELECT key, late, summary FROM hour WHERE key BETWEEN ?1 AND ?2 ORDER BY key LIMIT 1" },
		{ &reader->hour, "SELECT data FROM hour WHERE key = ?1 AND typeof(data) = 'blob'" },
		{ &reader->newest_hour, "SELECT coalesce(max(key), -1) FROM hour" },
	};
	int result = database_connect(database, &reader->connection);
	/* There may be as many as threads, and a window is read once from end to end. */
	if (result == 0)
		result = database_result(database, sqlite3_exec(reader->connection, "PRAGMA cache_size = -1024", NULL, NULL, NULL),
		                         reader->connection, "open");
	if (result == 0)
		result = database_prepare(database, reader->connection, statements, sizeof(statements) / sizeof(statements[0]));
	if (result == 0) {
		reader->samples = block_reader_open();
		reader->sums = block_reader_open();
		result = reader->samples && reader->sums ? 0 : -ENOMEM;
	}
	if (result)
		reader_close(reader);
	else
		*ret_reader = reader;
	return result;
}

static int reader_take(struct readers *readers, struct reader **ret_reader)
{
	pthread_mutex_lock(&readers->lock);
	struct reader *reader = readers->idle;
	if (reader)
		readers->idle = reader->next;
	pthread_mutex_unlock(&readers->lock);
	if (!reader)
		return reader_open(readers->database, ret_reader);
	*ret_reader = reader;
	return 0;
}

static void reader_give_back(struct readers *readers, struct reader *reader)
{
	pthread_mutex_lock(&readers->lock);
	reader->next = readers->idle;
	readers->idle = reader;
	pthread_mutex_unlock(&readers->lock);
}

void snapshot_close(struct snapshot *snapshot)
{
	grouping_free(&snapshot->grouping);
	database_run(snapshot->reader->end);
	reader_give_back(snapshot->readers, snapshot->reader);
}

/*
 * In this order: the dictionary then has every name of the snapshot, so that a batch is
 * seen whole, and a number that is used anew after this is not in the snapshot's windows.
 */
int snapshot_open(struct readers *readers, const struct query *query, bool ordered, struct snapshot *ret_snapshot)
{
	struct snapshot snapshot = { .readers = readers, .query = query };
	int result = reader_take(readers, &snapshot.reader);
	if (result)
		return result;
	struct reader *reader = snapshot.reader;
	int code = database_run(reader->begin);
	if (code == SQLITE_OK) {
		/* The first read begins the snapshot. */
		sqlite3_bind_int64(reader->row, 1, 0);
		code = sqlite3_step(reader->row);
		sqlite3_reset(reader->row);
	}
	result = database_result(readers->database, code, reader->connection, "read");
	if (result == 0 && query)
		result = names_group(readers->names, query, ordered, &snapshot.grouping);
	if (result)
		snapshot_close(&snapshot);
	else
		*ret_snapshot = snapshot;
	return result;
}
