/*
 * How hours are sealed: when an hour of a host is past, its rows become one block (see block.h), a row of the table `hour`;
 * and what else is tidied in the file while nobody waits for it.
 *
 * What always holds, in every snapshot of the database: a host's hour that is in `hour` with late = 0 has no rows of usage
 * in `sample`; with late = 1 it has some, and they count over the block as one row counts over another (see
 * packing_merge()). One that is not in `hour` has rows alone. `data`, the samples, is NULL for what is older than
 * sqlite.detail.
 *
 * Summaries and samples are one row, the summaries first: so both take a seventh less on the disk than in two tables, whose
 * pages the summaries of one hour fill by half.
 *
 * It is done in steps: a few neighbouring hosts of an hour (their rows share pages), some hours that lose their samples,
 * some free pages. What a step does is read and made by a connection of the sealer's own; for the one transaction that
 * writes it the sealer has the appending connection and its lock, some milliseconds long: as many hosts as that allows. A
 * piece that was written to meanwhile is made again.
 *
 * The hour is past when its end is SEAL_MARGIN_MS ago: longer than the window that is asked for most, which so is read
 * from rows. It is not certain then that nothing more comes: what does is kept as rows, which are merged into the block
 * once nothing has come for the hour for a minute, or, where it is little, for ten.
 */
#ifndef VIGIE_FCGI_SQLITE_SEAL_H
#define VIGIE_FCGI_SQLITE_SEAL_H

#include "fcgi/sqlite/database.h"
#include "fcgi/sqlite/hours.h"
#include "fcgi/sqlite/names.h"
#include "fcgi/sqlite/timekeeper.h"

enum { SEAL_MARGIN_MS = 360 * 1000 };

struct sealer;

struct seal_settings {
	int64_t retention_ms;
	int64_t detail_ms; /* 0: the retention */
};

/* Those that come as pointers are borrowed until seal_close(); of `hours` it sets what is sealed already. 0 or what
 * database_result() gives. */
int seal_open(struct database *database, struct names *names, struct timekeeper *timekeeper, struct hours *hours,
              const struct seal_settings *settings, struct sealer **ret_sealer) __attribute__((warn_unused_result));

/* Does one step, of one thread at a time. 1: there may be more to do; 0: it has gone over all of it and found nothing, since
 * it was last 0; or what database_result() gives: the log has said it. */
int seal_step(struct sealer *sealer, struct moment now) __attribute__((warn_unused_result));

/* Starts a thread that does it from now on, when there is something to do, and takes a quarter of a core at most. 0 or
 * -ENOMEM. */
int seal_start(struct sealer *sealer) __attribute__((warn_unused_result));

/* Ends the thread, once it has ended its step. Accepts NULL. */
void seal_close(struct sealer *sealer);

#endif
