/*
 * Which hosts and series the numbers in the rows of the SQLite store mean: the dictionary
 * in memory, its lock, and the tables `host` and `series` that it is read from at the start.
 *
 * The tables are written in the transactions of the appending connection: what is new, and
 * when each was last seen, to within a lag, so that it is known when all samples of a name
 * have expired and its number may be used anew.
 *
 * Any thread may read the dictionary, with the lock, which is held for that alone: neither
 * during SQL nor with another lock. The one thread that appends changes it.
 */
#ifndef VIGIE_FCGI_SQLITE_NAMES_H
#define VIGIE_FCGI_SQLITE_NAMES_H

#include "fcgi/sqlite/database.h"
#include "fcgi/sqlite/grouping.h"
#include "fcgi/sqlite/placement.h"

struct names;

/*
 * `database` is borrowed until names_close(). No sample that is later than `latest_ms` counts as a host's newest, here
 * and below: it is of a clock that was wrong. 0 or what database_result() gives.
 */
int names_open(struct database *database, const struct config *config, int64_t latest_ms, struct names **ret_names)
	__attribute__((warn_unused_result));

/* No other call may be under way. Accepts NULL. */
void names_close(struct names *names);

/* ---- of any thread ---- */

/* The grouping of a query, see grouping_build(), and where it is wanted grouping_order(). */
int names_group(struct names *names, const struct query *query, bool ordered, struct grouping *ret_grouping)
	__attribute__((warn_unused_result));

/* The hosts seen after `from_ms`, without their process counts, and the number of each:
 * ret_numbers[ret_hosts->count], the caller's to free. 0 or -ENOMEM. */
int names_hosts(struct names *names, int64_t from_ms, struct store_hosts *ret_hosts, uint32_t **ret_numbers)
	__attribute__((warn_unused_result));

/* The address of a host. False when no host has the number. */
bool names_find_ip(struct names *names, uint32_t number, char ret_ip[static WIRE_IP_SIZE]);

/* ---- of the thread that has the appending connection and its lock ---- */

/* Gives every sample its numbers, new ones to names that are new, see placement_place(). */
int names_place(struct names *names, const struct batch *const batches[], size_t count, struct placed placed[])
	__attribute__((warn_unused_result));

/* The last call but names_close(): the tables have what is in memory, so that the next start need not look for it. */
void names_keep(struct names *names);

/* Within the transaction: writes what the samples use and the tables do not know yet, … */
int names_write(struct names *names, const struct placed placed[], size_t count, int64_t latest_ms)
	__attribute__((warn_unused_result));

/* … and looks at the next few series, and deletes from the tables those whose samples have
 * all expired at `reached_ms`, and their host with its last one. Rows that the deletions have not reached
 * yet may still have their numbers; they are older than any window. */
int names_expire(struct names *names, int64_t reached_ms) __attribute__((warn_unused_result));

/* Within a transaction, for a host whose rows before `end_ms` are being sealed: the table is told its newest sample where that
 * is one of them, since no start looks for it there. 0 or what database_result() gives. */
int names_seal(struct names *names, uint32_t host, int64_t end_ms) __attribute__((warn_unused_result));

/* That transaction is committed. */
void names_sealed(struct names *names, uint32_t host, int64_t end_ms);

/* The transaction is committed, or rolled back: what the dictionary makes of it. */
void names_committed(struct names *names, const struct placed placed[], size_t count, int64_t latest_ms);
void names_rolled_back(struct names *names, const struct placed placed[], size_t count);

#endif
