/*
 * Keeps the wishes (fcgi/wishes.h) in the store: reads them once it answers, and writes them again, all at one time, long
 * before the retention forgets them. A thread of its own does both, so that a store that is away holds up no start.
 *
 * An engine may show what it was given some seconds later: what was read is read once more.
 *
 * Any thread may call.
 */
#ifndef VIGIE_FCGI_WISH_KEEPER_H
#define VIGIE_FCGI_WISH_KEEPER_H

#include "fcgi/wishes.h"
#include "fcgi/writer.h"

enum {
	WISH_KEEPER_AGAIN_MS = 15000, /* between the two times that they are read */
	WISH_KEEPER_REPEAT_MS = 3600000, /* between two times that they are written, or a quarter of the retention */
};

struct wish_keeper;

/* Borrows all of it until wish_keeper_close(), and starts the thread. NULL: out of memory or threads. */
struct wish_keeper *wish_keeper_open(const struct store_ops *ops, struct store *store, struct writer *writer,
                                     struct wishes *wishes);

/* No other call may be under way. Accepts NULL. */
void wish_keeper_close(struct wish_keeper *keeper);

/* Whether the store has told the wishes: until then nobody knows them. */
bool wish_keeper_knows(const struct wish_keeper *keeper);

/* Has a new wish stored, and then count; its time is set. 0; the errors of writer_append() and wishes_take(). */
int wish_keeper_express(struct wish_keeper *keeper, struct wish *wish, char ret_refusal[static STORE_REFUSAL_SIZE])
	__attribute__((warn_unused_result));

#endif
