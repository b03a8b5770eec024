/*
 * How the SQLite store is read: each read sees one snapshot of the database, and the names
 * that belong to it.
 *
 * Any thread may read; each read takes a connection from a list, which has a lock of its
 * own that is held for that alone.
 */
#ifndef VIGIE_FCGI_SQLITE_READ_H
#define VIGIE_FCGI_SQLITE_READ_H

#include "fcgi/sqlite/database.h"
#include "fcgi/sqlite/names.h"
#include "fcgi/store.h"

struct readers;

/* `database` and `names` are borrowed until read_close(). NULL: out of memory. */
struct readers *read_open(struct database *database, struct names *names);

/* No read may be under way. Accepts NULL. */
void read_close(struct readers *readers);

/* Those of store_ops. */
int read_mean(struct readers *readers, const struct query *query, struct store_rows *ret_rows)
	__attribute__((warn_unused_result));
int read_latest(struct readers *readers, const struct query *query, struct store_rows *ret_rows)
	__attribute__((warn_unused_result));
int read_history(struct readers *readers, const struct query *query, struct store_history *ret_history)
	__attribute__((warn_unused_result));
int read_hosts(struct readers *readers, int64_t from_ms, struct store_hosts *ret_hosts)
	__attribute__((warn_unused_result));

#endif
