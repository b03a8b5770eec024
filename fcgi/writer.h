/*
 * Group commit: batches that arrive while as many writes are under way as the store
 * takes are written together by the next one. Threads of its own write what waits, one more than the
 * store takes writes at a time, so that the next write begins while those of the one before are told.
 *
 * Where the store takes several writes at a time they are begun one after the other, spread over the time that one takes:
 * a batch then waits for a small part of that before its write begins, however slow the store acknowledges it.
 *
 * What waits is bounded in bytes, and in time: nothing more is taken while the first has waited for WRITER_WAIT_MS, or the
 * last would by what writes take. Who is told so early comes back; else all would wait for longer than any of their senders
 * does, and be written for nobody.
 * When for some seconds no write ends but those that the store fails, it hangs, and what waits is given back; what is sent
 * after that is refused until a write has ended. Any thread may append.
 * One lock; it is not held during the store's append() nor while a batch's sender is told.
 */
#ifndef VIGIE_FCGI_WRITER_H
#define VIGIE_FCGI_WRITER_H

#include "fcgi/store.h"

/* So that the answer comes within [collector] timeout, with the time of a write. */
enum { WRITER_WAIT_MS = 2000 };

struct writer;

/* A batch on its way; the sender's until it is told. */
struct writing {
	const struct batch *batch;
	void (*done)(struct writing *writing); /* once, in a thread of the writer, which it should not hold up; it may free it */
	int result; /* 0 or the store's negative errno for this batch */
	char refusal[STORE_REFUSAL_SIZE]; /* of -EINVAL */
	int64_t sent_ns;      /* the writer's, as is the next */
	struct writing *next;
};

/* Borrows the store until writer_close(), and starts the threads. Batches that wait hold `max_bytes` at most,
 * but for one. 0; -ENOMEM; or -EAGAIN: no thread can be had. */
int writer_open(const struct store_ops *ops, struct store *store, size_t max_bytes, struct writer **ret_writer)
	__attribute__((warn_unused_result));

/* Writes what still waits; nobody may send any more. Accepts NULL. */
void writer_close(struct writer *writer);

/*
 * Has a batch written: 0, and its sender is told once it is stored durably, or is not (-ENOTCONN: the store hangs, and has
 * not been given it); -EBUSY when too much waits, and -ENOTCONN: it is not told then. A write of several batches that the
 * store refuses for what is in them (-EINVAL, -EDQUOT, -EBADMSG) is repeated in halves, so that only the guilty one fails.
 */
int writer_send(struct writer *writer, struct writing *writing) __attribute__((warn_unused_result));

/* The same, but returns once the batch is stored: 0, -EBUSY, -ENOTCONN, or the store's negative errno for this batch. Not for the
 * writer's own threads. */
int writer_append(struct writer *writer, const struct batch *batch, char ret_refusal[static STORE_REFUSAL_SIZE])
	__attribute__((warn_unused_result));

/* Whether what is sent now would be turned away, since it would wait too long. */
bool writer_is_late(struct writer *writer);

/* Whether the store hangs, as far as can be seen from here. */
bool writer_is_stuck(struct writer *writer);

/* How many batches wait for a write to end, so that their own can begin; others are about to be written. */
size_t writer_waiting(struct writer *writer);

#endif
