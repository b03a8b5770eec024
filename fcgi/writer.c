#include "fcgi/writer.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "fcgi/counters.h"

enum { GROUP_MAX = 64 }; /* batches in one write */

struct writer {
	const struct store_ops *ops;
	struct store *store;
	pthread_mutex_t lock;
	pthread_cond_t arrived; /* something may be written, or the writer closes */
	struct writing *first, **last;
	size_t bytes, max_bytes; /* of the batches in the queue */
	unsigned writes; /* under way */
	bool closing;
	unsigned count;
	pthread_t threads[];
};

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

static void write_group(struct writer *writer, struct writing *const group[], size_t count)
{
	const struct batch *batches[GROUP_MAX];
	for (size_t i = 0; i < count; i++)
		batches[i] = group[i]->batch;

	int result = append(writer, batches, count, group[0]->refusal);
	bool one_by_one = (result == -EINVAL || result == -EDQUOT || result == -EBADMSG) && count > 1;
	for (size_t i = 0; i < count; i++)
		group[i]->result = one_by_one ? append(writer, &batches[i], 1, group[i]->refusal) : result;
}

/* Takes what waits off the queue, as much as one write has. The lock is held. */
static size_t take_group(struct writer *writer, struct writing *group[])
{
	size_t count = 0;
	for (; writer->first && count < GROUP_MAX; count++) {
		group[count] = writer->first;
		writer->bytes -= group[count]->batch->bytes;
		writer->first = group[count]->next;
	}
	if (!writer->first)
		writer->last = &writer->first;
	return count;
}

/* Wakes a thread where there is a write for it. The lock is held. */
static void pass_on(struct writer *writer)
{
	if (writer->first && writer->writes < writer->ops->appends)
		pthread_cond_signal(&writer->arrived);
}

/* Something waits. The lock is held, but for the time of the write. */
static void write_some(struct writer *writer)
{
	struct writing *group[GROUP_MAX] = { writer->first };
	size_t count = take_group(writer, group);
	writer->writes++;
	pass_on(writer);
	pthread_mutex_unlock(&writer->lock);

	write_group(writer, group, count);

	pthread_mutex_lock(&writer->lock);
	writer->writes--;
	pass_on(writer); /* the next write first */
	pthread_mutex_unlock(&writer->lock);
	for (size_t i = 0; i < count; i++)
		group[i]->done(group[i]);
	pthread_mutex_lock(&writer->lock);
}

static void *run(void *user)
{
	struct writer *writer = user;
	pthread_mutex_lock(&writer->lock);
	while (writer->first || !writer->closing) {
		if (writer->first && writer->writes < writer->ops->appends)
			write_some(writer);
		else
			pthread_cond_wait(&writer->arrived, &writer->lock);
	}
	pthread_cond_broadcast(&writer->arrived); /* others wait for the queue to be empty, too */
	pthread_mutex_unlock(&writer->lock);
	return NULL;
}

struct writer *writer_open(const struct store_ops *ops, struct store *store, size_t max_bytes)
{
	unsigned threads = ops->appends + 1;
	struct writer *writer = calloc(1, sizeof(*writer) + threads * sizeof(writer->threads[0]));
	if (!writer)
		return NULL;
	writer->ops = ops;
	writer->store = store;
	writer->max_bytes = max_bytes;
	writer->last = &writer->first;
	pthread_mutex_init(&writer->lock, NULL);
	pthread_cond_init(&writer->arrived, NULL);
	for (; writer->count < threads; writer->count++) {
		if (pthread_create(&writer->threads[writer->count], NULL, run, writer) != 0) {
			writer_close(writer);
			return NULL;
		}
	}
	return writer;
}

void writer_close(struct writer *writer)
{
	if (!writer)
		return;
	pthread_mutex_lock(&writer->lock);
	writer->closing = true;
	pthread_cond_broadcast(&writer->arrived);
	pthread_mutex_unlock(&writer->lock);
	for (unsigned i = 0; i < writer->count; i++)
		pthread_join(writer->threads[i], NULL);
	pthread_cond_destroy(&writer->arrived);
	pthread_mutex_destroy(&writer->lock);
	free(writer);
}

int writer_send(struct writer *writer, struct writing *writing)
{
	int result = 0;
	writing->next = NULL;
	pthread_mutex_lock(&writer->lock);
	if (writer->first && writer->bytes + writing->batch->bytes > writer->max_bytes) {
		result = -EBUSY;
	} else {
		*writer->last = writing;
		writer->last = &writing->next;
		writer->bytes += writing->batch->bytes;
		pass_on(writer);
	}
	pthread_mutex_unlock(&writer->lock);
	return result;
}

/* One whose sender waits. */
struct awaited {
	struct writing writing;
	sem_t told;
};

static void tell(struct writing *writing)
{
	sem_post(&((struct awaited *)writing)->told);
}

int writer_append(struct writer *writer, const struct batch *batch, char ret_refusal[static STORE_REFUSAL_SIZE])
{
	struct awaited own = { .writing = { .batch = batch, .done = tell } };
	sem_init(&own.told, 0, 0);
	int result = writer_send(writer, &own.writing);
	if (result == 0) {
		while (sem_wait(&own.told) != 0)
			; /* interrupted */
		result = own.writing.result;
		memcpy(ret_refusal, own.writing.refusal, STORE_REFUSAL_SIZE);
	}
	sem_destroy(&own.told);
	return result;
}

size_t writer_waiting(struct writer *writer)
{
	size_t count = 0;
	pthread_mutex_lock(&writer->lock);
	if (writer->writes >= writer->ops->appends) {
		for (const struct writing *writing = writer->first; writing; writing = writing->next)
			count++;
	}
	pthread_mutex_unlock(&writer->lock);
	return count;
}
