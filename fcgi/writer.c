#include "fcgi/writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "common/clock.h"
#include "fcgi/counters.h"

enum { GROUP_MAX = 64 }; /* batches in one write */

/* One waiting batch, on the stack of its thread. */
struct entry {
	const struct batch *batch;
	char *refusal; /* STORE_REFUSAL_SIZE */
	int result;
	bool taken; /* it is being written, or done */
	bool done;
	pthread_cond_t changed; /* it is done, or its thread is to write */
	struct entry *next;
};

struct writer {
	const struct store_ops *ops;
	struct store *store;
	pthread_mutex_t lock;
	struct entry *first, **last;
	size_t bytes, max_bytes; /* of the batches in the queue */
	unsigned writes; /* under way */
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

/* Takes up to GROUP_MAX entries off the queue. The lock is held. */
static size_t take_entries(struct writer *writer, struct entry *entries[])
{
	size_t count = 0;
	while (writer->first && count < GROUP_MAX) {
		entries[count++] = writer->first;
		writer->first->taken = true;
		writer->bytes -= writer->first->batch->bytes;
		writer->first = writer->first->next;
	}
	if (!writer->first)
		writer->last = &writer->first;
	return count;
}

int writer_append(struct writer *writer, const struct batch *batch, char ret_refusal[static STORE_REFUSAL_SIZE])
{
	struct entry own = { .batch = batch, .refusal = ret_refusal, .changed = PTHREAD_COND_INITIALIZER };
	pthread_mutex_lock(&writer->lock);
	if (writer->first && writer->bytes + batch->bytes > writer->max_bytes) {
		pthread_mutex_unlock(&writer->lock);
		return -EBUSY;
	}
	*writer->last = &own;
	writer->last = &own.next;
	writer->bytes += batch->bytes;

	/*
	 * The queue is in the order of arrival, and an entry that is not done is in it or
	 * being written. Whoever writes wakes the threads of what was written, and the
	 * first of those that wait still: it writes next, and its own entry is in that
	 * write. Each thread waits on a condition of its own, so that none is woken for
	 * nothing.
	 */
	while (!own.done) {
		if (own.taken || writer->writes >= writer->ops->appends) {
			pthread_cond_wait(&own.changed, &writer->lock);
			continue;
		}
		struct entry *entries[GROUP_MAX] = { NULL };
		size_t count = take_entries(writer, entries);
		writer->writes++;
		pthread_mutex_unlock(&writer->lock);
		write_group(writer, entries, count);
		pthread_mutex_lock(&writer->lock);
		writer->writes--;
		for (size_t i = 0; i < count; i++) {
			entries[i]->done = true;
			pthread_cond_signal(&entries[i]->changed);
		}
		if (writer->first)
			pthread_cond_signal(&writer->first->changed);
	}
	pthread_mutex_unlock(&writer->lock);
	pthread_cond_destroy(&own.changed);
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
