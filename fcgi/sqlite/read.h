/*
 * What the SQLite store answers: each answer is of one snapshot of the database, and the names
 * that belong to it. Rows and sealed hours give the same answers, see scan.h.
 *
 * Any thread may read, see readers.h.
 */
#ifndef VIGIE_FCGI_SQLITE_READ_H
#define VIGIE_FCGI_SQLITE_READ_H

#include "fcgi/sqlite/readers.h"
#include "fcgi/store.h"

/* Those of store_ops. */
int read_mean(struct readers *readers, const struct query *query, struct store_rows *ret_rows)
	__attribute__((warn_unused_result));
int read_latest(struct readers *readers, const struct query *query, struct store_rows *ret_rows)
	__attribute__((warn_unused_result));
int read_history(struct readers *readers, const struct query *query, struct store_history *ret_history)
	__attribute__((warn_unused_result));
int read_hosts(struct readers *readers, int64_t from_ms, struct store_hosts *ret_hosts)
	__attribute__((warn_unused_result));

/* Those of the sealed hours that were found damaged which are newer than `oldest_ms`. */
size_t read_damaged(struct readers *readers, int64_t oldest_ms, struct store_damaged ret_damaged[static STORE_DAMAGED_MAX]);

#endif
