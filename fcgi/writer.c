#include "fcgi/writer.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "fcgi/counters.h"
#include "fcgi/write_pace.h"

enum {
	GROUP_MAX = 64,        /* batches in one write */
	SLOW_GROUP_MAX = 512,  /* of a store that is slow, */
	SLOW_SAMPLES = 100000, /* with about so many samples: some 8 MB as engines have them */
	PATIENCE_MS = 10000,   /* how long batches wait while no write ends, beyond what the last one took */
	SLOW_PATIENCE_MS = 2000,
};

#define MS_NS INT64_C(1000000)

struct writer {
	const struct store_ops *ops;
	struct store *store;
	int64_t patience_ns;
	pthread_mutex_t lock;
	pthread_cond_t arrived; /* for the threads that wait for nothing else: something waits, or the writer closes */
	pthread_cond_t due;     /* for the one that has planned: it may be time */
	struct writing *first, **last;
	size_t waiting, samples, bytes, max_bytes; /* in the queue */
	unsigned writes; /* under way */
	int64_t begun_ns; /* when the last write began */
	int64_t moved_ns; /* when the last write ended that the store did not fail, or the queue was empty */
	struct write_pace pace;
	bool works;   /* the last write that ended was not failed by the store */
	bool stuck;   /* what waited was given back, and no write has ended since */
	bool planned; /* a thread waits for the time to write what waits */
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

static bool is_senders_fault(int result)
{
	return result == -EINVAL || result == -EDQUOT || result == -EBADMSG;
}

/* Sets the results. Where one batch is to blame it is found by halves, and the others are stored. Returns the last. */
static int write_group(struct writer *writer, struct writing *const group[], size_t count)
{
	const struct batch *batches[SLOW_GROUP_MAX];
	for (size_t i = 0; i < count; i++)
		batches[i] = group[i]->batch;
	int result = append(writer, batches, count, group[0]->refusal);
	if (is_senders_fault(result) && count > 1) {
		group[0]->refusal[0] = '\0';
		(void)write_group(writer, group, count / 2);
		return write_group(writer, group + count / 2, count - count / 2);
	}
	for (size_t i = 0; i < count; i++)
		group[i]->result = result;
	return result;
}

static size_t group_max(const struct writer *writer)
{
	return writer->ops->slow ? SLOW_GROUP_MAX : GROUP_MAX;
}

/* How many batches one write may have. While the store fails each waits for its own write alone: when it hangs then it has
 * few of them. */
static size_t most_of(const struct writer *writer)
{
	return writer->works ? group_max(writer) : 1;
}

/* Takes what waits off the queue, as much as one write has. The lock is held. */
static size_t take_group(struct writer *writer, struct writing *group[])
{
	size_t count = 0, most = most_of(writer), samples = 0;
	for (; writer->first && count < most && samples < SLOW_SAMPLES; count++) {
		group[count] = writer->first;
		samples += group[count]->batch->count;
		writer->bytes -= group[count]->batch->bytes;
		writer->first = group[count]->next;
	}
	writer->waiting -= count;
	writer->samples -= samples;
	if (!writer->first)
		writer->last = &writer->first;
	return count;
}

/* Whether as much waits as one write has. The lock is held. */
static bool is_whole(const struct writer *writer)
{
	return writer->waiting >= most_of(writer) || writer->samples >= SLOW_SAMPLES;
}

/*
 * When what waits is to be written, or else to be given up. At once where nothing is under way, or it is as much as a
 * write has. Else the writes that may be under way are spread over the time that one takes: were they all begun at once,
 * what comes after would wait for all of them. The lock is held.
 */
static int64_t due_ns(const struct writer *writer)
{
	if (writer->writes == writer->ops->appends)
		return writer->moved_ns + writer->patience_ns + writer->pace.longest_ns;
	bool at_once = !writer->writes || is_whole(writer) || writer->closing;
	return at_once ? writer->begun_ns : writer->begun_ns + write_pace_apart(&writer->pace, writer->ops->appends);
}

/* Wakes a thread for what waits. The lock is held. */
static void pass_on(struct writer *writer)
{
	if (writer->first)
		pthread_cond_signal(writer->planned ? &writer->due : &writer->arrived);
}

/* Tells the senders. The lock is not held. */
static void tell_all(struct writing *const group[], size_t count)
{
	for (size_t i = 0; i < count; i++)
		group[i]->done(group[i]);
}

/* Something waits, and a write is free. The lock is held, but for the time of the write. */
static void write_some(struct writer *writer)
{
	struct writing *group[SLOW_GROUP_MAX] = { writer->first };
	size_t count = take_group(writer, group);
	int64_t begun_ns = clock_monotonic_ns();
	writer->begun_ns = begun_ns;
	writer->writes++;
	pass_on(writer);
	pthread_mutex_unlock(&writer->lock);

	int result = write_group(writer, group, count);

	pthread_mutex_lock(&writer->lock);
	writer->writes--;
	writer->works = result == 0 || is_senders_fault(result);
	writer->stuck = false;
	/* Writes that time out one after the other are no reason for others to wait. */
	if (writer->works)
		writer->moved_ns = clock_monotonic_ns();
	if (result == 0)
		write_pace_note(&writer->pace, writer->moved_ns - begun_ns);
	pass_on(writer); /* the next write first */
	pthread_mutex_unlock(&writer->lock);
	tell_all(group, count);
	pthread_mutex_lock(&writer->lock);
}

/* The store hangs: gives back what waits. The lock is held, but while the senders are told. */
static void give_up(struct writer *writer)
{
	struct writing *group[SLOW_GROUP_MAX];
	writer->stuck = true;
	while (writer->first && writer->stuck) {
		size_t count = take_group(writer, group);
		for (size_t i = 0; i < count; i++)
			group[i]->result = -ENOTCONN;
		pthread_mutex_unlock(&writer->lock);
		tell_all(group, count);
		pthread_mutex_lock(&writer->lock);
	}
}

static void *run(void *user)
{
	struct writer *writer = user;
	pthread_mutex_lock(&writer->lock);
	while (writer->first || !writer->closing) {
		int64_t until_ns = due_ns(writer);
		if (!writer->first || writer->planned) {
			pthread_cond_wait(&writer->arrived, &writer->lock);
		} else if (until_ns > clock_monotonic_ns()) {
			struct timespec until = clock_timespec(until_ns);
			writer->planned = true;
			pthread_cond_timedwait(&writer->due, &writer->lock, &until);
			writer->planned = false;
		} else if (writer->writes < writer->ops->appends) {
			write_some(writer);
		} else {
			give_up(writer);
		}
	}
	pthread_cond_broadcast(&writer->arrived); /* others wait for the queue to be empty, too */
	pthread_mutex_unlock(&writer->lock);
	return NULL;
}

int writer_open(const struct store_ops *ops, struct store *store, size_t max_bytes, struct writer **ret_writer)
{
	unsigned threads = ops->appends + 1;
	pthread_condattr_t attributes;
	struct writer *writer = calloc(1, sizeof(*writer) + threads * sizeof(writer->threads[0]));
	if (!writer)
		return -ENOMEM;
	writer->ops = ops;
	writer->store = store;
	writer->max_bytes = max_bytes;
	writer->patience_ns = (ops->slow ? SLOW_PATIENCE_MS : PATIENCE_MS) * MS_NS;
	writer->last = &writer->first;
	pthread_mutex_init(&writer->lock, NULL);
	pthread_cond_init(&writer->arrived, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&writer->due, &attributes);
	pthread_condattr_destroy(&attributes);
	int result = 0;
	for (; result == 0 && writer->count < threads; writer->count += result == 0)
		result = -pthread_create(&writer->threads[writer->count], NULL, run, writer);
	if (result)
		writer_close(writer);
	else
		*ret_writer = writer;
	return result;
}

void writer_close(struct writer *writer)
{
	if (!writer)
		return;
	pthread_mutex_lock(&writer->lock);
	writer->closing = true;
	pthread_cond_broadcast(&writer->arrived);
	pthread_cond_signal(&writer->due);
	pthread_mutex_unlock(&writer->lock);
	while (writer->count > 0)
		pthread_join(writer->threads[--writer->count], NULL);
	pthread_cond_destroy(&writer->arrived);
	pthread_cond_destroy(&writer->due);
	pthread_mutex_destroy(&writer->lock);
	free(writer);
}

/* Whether the first that waits has done so for too long, or one more would. The lock is held. */
static bool is_late(const struct writer *writer, int64_t now_ns)
{
	if (!writer->first)
		return false;
	size_t writes = writer->waiting / group_max(writer), of_samples = writer->samples / SLOW_SAMPLES;
	int64_t wait_ns = write_pace_of(&writer->pace, writes > of_samples ? writes : of_samples, writer->ops->appends);
	return now_ns - writer->first->sent_ns >= WRITER_WAIT_MS * MS_NS || wait_ns >= WRITER_WAIT_MS * MS_NS;
}

int writer_send(struct writer *writer, struct writing *writing)
{
	int result = 0;
	writing->sent_ns = clock_monotonic_ns();
	writing->next = NULL;
	pthread_mutex_lock(&writer->lock);
	if (writer->stuck) {
		result = -ENOTCONN;
	} else if (is_late(writer, writing->sent_ns) ||
	           (writer->first && writer->bytes + writing->batch->bytes > writer->max_bytes)) {
		result = -EBUSY;
	} else {
		if (!writer->first)
			writer->moved_ns = writing->sent_ns;
		*writer->last = writing;
		writer->last = &writing->next;
		writer->waiting++;
		writer->samples += writing->batch->count;
		writer->bytes += writing->batch->bytes;
		if (!writer->planned || is_whole(writer))
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
	pthread_mutex_lock(&writer->lock);
	size_t waiting = writer->writes < writer->ops->appends ? 0 : writer->waiting;
	pthread_mutex_unlock(&writer->lock);
	return waiting;
}

bool writer_is_late(struct writer *writer)
{
	pthread_mutex_lock(&writer->lock);
	bool late = is_late(writer, clock_monotonic_ns());
	pthread_mutex_unlock(&writer->lock);
	return late;
}

bool writer_is_stuck(struct writer *writer)
{
	pthread_mutex_lock(&writer->lock);
	bool stuck = writer->stuck;
	pthread_mutex_unlock(&writer->lock);
	return stuck;
}
