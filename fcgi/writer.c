#include "fcgi/writer.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

#include "common/clock.h"
#include "fcgi/counters.h"

enum { GROUP_MAX = 64 }; /* batches in one write */

/* One waiting batch, on the stack of its thread. */
struct entry {
	const struct batch *batch;
	char *refusal; /* STORE_REFUSAL_SIZE */
	int result;
	bool done;   /* else it is the turn of its thread to write */
	sem_t woken; /* once: as `done` says */
	struct entry *next;
};

struct writer {
	const struct store_ops *ops;
	struct store *store;
	pthread_mutex_t lock;
	struct entry *first, **last;
	size_t bytes, max_bytes; /* of the batches in the queue */
	unsigned writes; /* under way */
	bool handed;     /* a thread has the turn to write all that waits, and has not begun */
};

struct writer *writer_open(const struct store_ops *ops, struct store *store, size_t max_bytes)
{
	struct writer *writer = calloc(1, sizeof(*writer));
	if (!writer)
		return NULL;
	writer->ops = ops;
	writer->store = store;
	writer->max_bytes = max_bytes;
	writer->last = &writer->first;
	pthread_mutex_init(&writer->lock, NULL);
	return writer;
}

void writer_close(struct writer *writer)
{
	if (!writer)
		return;
	pthread_mutex_destroy(&writer->lock);
	free(writer);
}

static int append(struct writer *writer, const struct batch *const batches[], size_t count, char *refusal)
{
	int64_t start_ns = clock_monotonic_ns();
	int result = writer->ops->append(writer->store, batches, count, clock_moment(), refusal);
	counters_time(TIMER_APPEND, clock_monotonic_ns() - start_ns);
	if (result) {
		counters_add(COUNTER_APPEND_FAILURES, 1);
		return result;
	}
	counters_add(COUNTER_COMMITS, 1);
	counters_add(COUNTER_BATCHES, count);
	for (size_t i = 0; i < count; i++)
		counters_add(COUNTER_POINTS, batches[i]->count);
	return 0;
}

static void write_group(struct writer *writer, struct entry *const entries[], size_t count)
{
	const struct batch *batches[GROUP_MAX];
	for (size_t i = 0; i < count; i++)
		batches[i] = entries[i]->batch;

	int result = append(writer, batches, count, entries[0]->refusal);
	bool one_by_one = (result == -EINVAL || result == -EDQUOT || result == -EBADMSG) && count > 1;
	for (size_t i = 0; i < count; i++)
		entries[i]->result = one_by_one ? append(writer, &batches[i], 1, entries[i]->refusal) : result;
}

/* The first that waits, taken off the queue; NULL: none does. The lock is held. */
static struct entry *take_entry(struct writer *writer)
{
	struct entry *entry = writer->first;
	if (!entry)
		return NULL;
	writer->bytes -= entry->batch->bytes;
	writer->first = entry->next;
	if (!writer->first)
		writer->last = &writer->first;
	return entry;
}

/* Gives the turn to the first that waits, which will write what waits then: one at a time, so that it is not torn into as
 * many writes as have ended meanwhile. NULL: none waits, or one has it. The lock is held; the caller wakes it. */
static struct entry *hand_over(struct writer *writer)
{
	struct entry *next = writer->handed ? NULL : take_entry(writer);
	if (next)
		writer->handed = true;
	return next;
}

static void wake(struct entry *entry)
{
	if (entry)
		sem_post(&entry->woken);
}

/* Writes the thread's own entry and what waits, and gives the turn on. */
static void take_turn(struct writer *writer, struct entry *own, bool was_handed)
{
	struct entry *entries[GROUP_MAX] = { own }, *next = NULL;
	size_t count = 1;
	pthread_mutex_lock(&writer->lock);
	if (was_handed)
		writer->handed = false;
	while (writer->first && count < GROUP_MAX)
		entries[count++] = take_entry(writer);
	/* More than one write takes, and another is free. */
	if (writer->writes < writer->ops->appends)
		next = hand_over(writer);
	writer->writes += next != NULL;
	pthread_mutex_unlock(&writer->lock);
	wake(next);

	write_group(writer, entries, count);

	pthread_mutex_lock(&writer->lock);
	next = hand_over(writer);
	writer->writes -= !next;
	pthread_mutex_unlock(&writer->lock);
	/* The next write first; entries are gone once their threads are woken. */
	wake(next);
	for (size_t i = 1; i < count; i++) {
		entries[i]->done = true;
		wake(entries[i]);
	}
}

/* Interrupted or not. */
static void wait_until_woken(struct entry *entry)
{
	while (sem_wait(&entry->woken) != 0)
		;
}

int writer_append(struct writer *writer, const struct batch *batch, char ret_refusal[static STORE_REFUSAL_SIZE])
{
	struct entry own = { .batch = batch, .refusal = ret_refusal };
	pthread_mutex_lock(&writer->lock);
	if (writer->first && writer->bytes + batch->bytes > writer->max_bytes) {
		pthread_mutex_unlock(&writer->lock);
		return -EBUSY;
	}
	/*
	 * Something waits only while as many writes are under way as may be, each of which passes its turn on, or while one has
	 * the turn that will write it. A thread is woken once, and needs no lock then: either its batch is written, or it has
	 * the turn to write it with what has come meanwhile.
	 */
	bool waits = writer->writes == writer->ops->appends;
	if (waits) {
		sem_init(&own.woken, 0, 0);
		*writer->last = &own;
		writer->last = &own.next;
		writer->bytes += batch->bytes;
	} else {
		writer->writes++;
	}
	pthread_mutex_unlock(&writer->lock);

	if (waits) {
		wait_until_woken(&own);
		sem_destroy(&own.woken);
	}
	if (!own.done)
		take_turn(writer, &own, waits);
	return own.result;
}

size_t writer_waiting(struct writer *writer)
{
	size_t count = 0;
	pthread_mutex_lock(&writer->lock);
	for (const struct entry *entry = writer->first; entry; entry = entry->next)
		count++;
	pthread_mutex_unlock(&writer->lock);
	return count;
}
