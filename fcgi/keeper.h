/*
 * Keeps in the store what administrators have set: the wishes (fcgi/wishes.h) and the silences (fcgi/silences.h). Each is a
 * table of names and numbers, held in memory, and in the store the newest samples of a metric of its own, as RESOURCE_CPU of
 * KEEPER_IP, the names as processes.
 *
 * It reads them once the store answers, and writes them again, all at one time, long before the retention forgets them. A
 * thread of its own does both, so that a store that is away holds up no start. An engine may show what it was given some
 * seconds later: what was read is read once more.
 *
 * Any thread may call.
 */
#ifndef VIGIE_FCGI_KEEPER_H
#define VIGIE_FCGI_KEEPER_H

#include "fcgi/writer.h"

/* Their address in the store: no host can have it, so that no name of a process takes the place of theirs. */
#define KEEPER_IP "*"

enum {
	KEEPER_AGAIN_MS = 15000, /* between the two times that they are read */
	KEEPER_REPEAT_MS = 3600000, /* between two times that they are written, or a quarter of the retention */
};

struct kept {
	char name[WIRE_NAME_SIZE];
	double value;
};

/* A table that is kept. Its functions may be called by any thread; they take no lock of the keeper's. */
struct keeper_table {
	enum metric metric;
	void *user; /* borrowed until keeper_close() */

	/* Takes what the store has, or has been given, unless what is newer is there; a name that is none of its own is left
	 * alone. 0 or a negative errno. */
	int (*take)(void *user, const struct kept *kept, int64_t time_ms);

	/* Makes room for what is about to be stored, so that it is taken then. 0; or -ENOMEM or -EDQUOT: it is not stored. */
	int (*reserve)(void *user, const struct kept *kept);

	/* What is to be written again, ret_kept[ret_count], to be freed with free(). 0 or -ENOMEM. */
	int (*list)(void *user, struct kept **ret_kept, size_t *ret_count);
};

struct keeper;

/* Borrows all of it but the tables[count], of which it has a copy, until keeper_close(), and starts the thread. 0; -ENOMEM;
 * or -EAGAIN: no thread can be had. */
int keeper_open(const struct store_ops *ops, struct store *store, struct writer *writer, const struct keeper_table tables[],
                size_t count, struct keeper **ret_keeper) __attribute__((warn_unused_result));

/* No other call may be under way. Accepts NULL. */
void keeper_close(struct keeper *keeper);

/* Whether the store has told all of it: until then nobody knows. */
bool keeper_knows(const struct keeper *keeper);

/* Has something new stored, and then taken by the table of a metric, as of a time after all that there was. 0; or, and it is
 * neither, the errors of the table's reserve() and of writer_append(). */
int keeper_put(struct keeper *keeper, enum metric metric, const struct kept *kept,
               char ret_refusal[static STORE_REFUSAL_SIZE]) __attribute__((warn_unused_result));

/* The time of what is new at `now_ms`: after *newest_ms, whatever the clock was then, which it becomes. */
int64_t keeper_time(int64_t *newest_ms, int64_t now_ms);

#endif
