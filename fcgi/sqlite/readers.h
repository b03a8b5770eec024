/*
 * The connections that read the SQLite store, and what one read sees: a snapshot of the database, and the names that
 * belong to it.
 *
 * Any thread may read; each read takes a connection from a list, which has a lock of its own that is held for that
 * alone.
 */
#ifndef VIGIE_FCGI_SQLITE_READERS_H
#define VIGIE_FCGI_SQLITE_READERS_H

#include <pthread.h>

#include "fcgi/sqlite/block.h"
#include "fcgi/sqlite/database.h"
#include "fcgi/sqlite/names.h"
#include "fcgi/store.h"

/* One connection, in the list of those not in use. */
struct reader {
	struct sqlite3 *connection;
	struct sqlite3_stmt *begin, *end;
	/* What they find: all between two keys, the first of these, the one of a key. */
	struct sqlite3_stmt *rows, *next_row, *row;
	struct sqlite3_stmt *summaries, *next_summary;
	struct sqlite3_stmt *hour;
	struct sqlite3_stmt *newest_hour; /* the last key of `hour`, -1: it has none */
	struct block_reader *samples, *sums; /* of hours */
	struct reader *next;
};

struct readers {
	struct database *database;
	struct names *names;
	pthread_mutex_t lock; /* of the list */
	struct reader *idle;
};

/* `database` and `names` are borrowed until readers_close(). NULL: out of memory. */
struct readers *readers_open(struct database *database, struct names *names);

/* No read may be under way. Accepts NULL. */
void readers_close(struct readers *readers);

/* One read: a reader that sees the store as it is now, and the grouping for its query. */
struct snapshot {
	struct readers *readers;
	const struct query *query; /* NULL: none, and no grouping */
	struct reader *reader;
	struct grouping grouping;
};

/* `query` is borrowed until snapshot_close(); ordered: see grouping_order(). 0, -ENOMEM, or what database_result()
 * gives. */
int snapshot_open(struct readers *readers, const struct query *query, bool ordered, struct snapshot *ret_snapshot)
	__attribute__((warn_unused_result));

void snapshot_close(struct snapshot *snapshot);

#endif
