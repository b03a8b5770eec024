/*
 * The time that the SQLite store deletes by, and tells its hosts' newest samples by: that of a sure clock (see
 * common/sure_clock.h), whose mark is kept in the table `state`, so that neither a clock that is wrong for a while nor a
 * start with a wrong one deletes anything. What it makes of the clock is said in the log.
 *
 * Of the thread that appends.
 */
#ifndef VIGIE_FCGI_SQLITE_TIMEKEEPER_H
#define VIGIE_FCGI_SQLITE_TIMEKEEPER_H

#include "common/clock.h"
#include "fcgi/sqlite/database.h"

struct timekeeper;

/* `database` is borrowed until timekeeper_close(). 0 or what database_result() gives. */
int timekeeper_open(struct database *database, struct moment now, struct timekeeper **ret_timekeeper)
	__attribute__((warn_unused_result));

/* Accepts NULL. */
void timekeeper_close(struct timekeeper *timekeeper);

/* What a moment's readings are worth. */
struct certain_time {
	int64_t reached_ms; /* it has certainly come: what is deleted is judged by it */
	int64_t latest_ms;  /* a sample that is later is of a clock that is wrong */
};
struct certain_time timekeeper_read(struct timekeeper *timekeeper, struct moment now);

/* Within the transaction: keeps the mark, from time to time. Its rollback is told with timekeeper_rolled_back(). */
int timekeeper_write(struct timekeeper *timekeeper, struct moment now) __attribute__((warn_unused_result));
void timekeeper_rolled_back(struct timekeeper *timekeeper);

#endif
