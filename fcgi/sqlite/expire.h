/*
 * How the SQLite store deletes what is too old: a few rows and sealed hours with each write, so that it costs no write
 * much.
 *
 * Of the thread that appends, within its transactions.
 */
#ifndef VIGIE_FCGI_SQLITE_EXPIRE_H
#define VIGIE_FCGI_SQLITE_EXPIRE_H

#include "fcgi/sqlite/database.h"

struct expirer;

/* `database` is borrowed until expire_close(). 0 or what database_result() gives. */
int expire_open(struct database *database, int64_t retention_ms, struct expirer **ret_expirer)
	__attribute__((warn_unused_result));

/* Accepts NULL. */
void expire_close(struct expirer *expirer);

/* Deletes some of what is too old when `reached_ms` has come: of rows at most `most`, of each of two metrics; the rest
 * with the next writes. 0 or what database_result() gives. */
int expire_some(struct expirer *expirer, int64_t reached_ms, size_t most) __attribute__((warn_unused_result));

#endif
