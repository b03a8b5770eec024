/*
 * Group commit: batches that arrive while as many writes are under way as the store
 * takes are written together by the next one. No timer, no thread of its own: a thread
 * that finds a write free, or is passed the turn of one that ends, writes for all that wait.
 *
 * What waits is bounded in bytes. Any thread may append. One lock; it is not held
 * during the store's append().
 */
#ifndef VIGIE_FCGI_WRITER_H
#define VIGIE_FCGI_WRITER_H

#include "fcgi/store.h"

struct writer;

/* Borrows the store until writer_close(). Batches that wait hold `max_bytes` at most,
 * but for one. NULL: out of memory. */
struct writer *writer_open(const struct store_ops *ops, struct store *store, size_t max_bytes);
void writer_close(struct writer *writer);

/*
 * Returns once the batch is stored durably: 0, or the store's negative errno for
 * this batch; at once with -EBUSY when too much waits. A write of several batches
 * that the store refuses for what is in them (-EINVAL, -EDQUOT, -EBADMSG) is repeated
 * batch by batch, so that only the guilty one fails. `ret_refusal`: of -EINVAL.
 */
int writer_append(struct writer *writer, const struct batch *batch, char ret_refusal[static STORE_REFUSAL_SIZE])
	__attribute__((warn_unused_result));

/* How many batches wait for a write that has not begun. */
size_t writer_waiting(struct writer *writer);

#endif
