/*
 * How the SQLite store is written: all batches that wait in one transaction, synced, which
 * also deletes some of what is too old.
 *
 * Of one thread at a time, with the database's appending connection, whose lock (see hours.h) each append holds. What comes
 * for an hour that is sealed is kept as rows, and the summaries of the hour are told how many they are.
 */
#ifndef VIGIE_FCGI_SQLITE_WRITE_H
#define VIGIE_FCGI_SQLITE_WRITE_H

#include "fcgi/sqlite/database.h"
#include "fcgi/sqlite/hours.h"
#include "fcgi/sqlite/names.h"
#include "fcgi/sqlite/timekeeper.h"
#include "fcgi/store.h"

struct appender;

/* The others are borrowed until write_close(). 0 or what database_result() gives. */
int write_open(struct database *database, struct names *names, struct timekeeper *timekeeper, struct hours *hours,
               int64_t retention_ms, struct appender **ret_appender) __attribute__((warn_unused_result));

/* Accepts NULL. */
void write_close(struct appender *appender);

/* store_ops.append(). */
int write_append(struct appender *appender, const struct batch *const batches[], size_t count, struct moment now)
	__attribute__((warn_unused_result));

#endif
