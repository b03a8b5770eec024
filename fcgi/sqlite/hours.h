/*
 * What the thread that appends and the one that seals hours know of each other: who of them writes, which hours were
 * written to lately, and whether what is being sealed was written to meanwhile.
 *
 * The lock is held by whoever uses the appending connection, or changes the dictionary; no other lock is held when it is
 * taken. All that is below it is of the thread that holds it. Times are boot_ms of struct moment where they are called so.
 */
#ifndef VIGIE_FCGI_SQLITE_HOURS_H
#define VIGIE_FCGI_SQLITE_HOURS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { HOURS_NOTED = 64 }; /* hours written to lately that are known; of more, those that were longest ago are forgotten */

/* Neighbouring hosts in one hour: hosts [first_host, last_host]. */
struct hours_piece {
	int64_t hour_ms;
	uint32_t first_host, last_host;
};

struct hours {
	pthread_mutex_t lock;
	int64_t sealed_end_ms; /* no hour that begins here or later has been sealed, of any host */
	/* of hours.c: */
	struct hours_noted {
		int64_t hour_ms;
		int64_t first_boot_ms, last_boot_ms; /* of what was written to it; last_boot_ms is 0: nothing */
	} noted[HOURS_NOTED];
	struct hours_piece watched;
	bool written;
};

/* Nothing is sealed, and nothing was written. */
void hours_init(struct hours *hours);
void hours_destroy(struct hours *hours);

void hours_lock(struct hours *hours);
void hours_unlock(struct hours *hours);

/* A row of usage of this host in this hour is written. */
void hours_note(struct hours *hours, int64_t hour_ms, uint32_t host, int64_t boot_ms);

/* What is late for an hour comes together for a while: whether nothing has come for `quiet_ms`, or something for so long
 * (HOURS_LONGEST_MS) that it is not waited for. */
bool hours_is_quiet(const struct hours *hours, int64_t hour_ms, int64_t boot_ms, int64_t quiet_ms);

enum { HOURS_LONGEST_MS = 1800 * 1000 };

/* All hosts of the hour have been looked at: HOURS_LONGEST_MS begin anew. */
void hours_begin_anew(struct hours *hours, int64_t hour_ms, int64_t boot_ms);

/* From now on it is noted whether the piece is written to. */
void hours_watch(struct hours *hours, const struct hours_piece *piece);

/* Whether it was. */
bool hours_was_written(const struct hours *hours);

#endif
