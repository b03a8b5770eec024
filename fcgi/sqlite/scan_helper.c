#include "fcgi/sqlite/scan_helper.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "fcgi/sqlite/scan.h"

enum {
	BATCH_BYTES = 128 << 10, /* half a millisecond */
	BATCHES = 32,
};

/* How many there are, in the process. */
static atomic_int helpers;

struct scan_helper {
	struct scan *scan;
	/* What the helper goes over hours with: no SQL, so that columns which take some are left to the scan. */
	struct scan own;
	struct scan_sink sink;
	struct snapshot snapshot;
	struct reader reader;
	struct text others; /* the keys of hours with such columns */
	pthread_t thread;
	/* A ring of copies, each behind its head: [given] is the scan's, to be filled, those before it are of who takes them. */
	struct text batches[BATCHES];
	struct budget_share share; /* of all of them */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* under the lock: */
	size_t given, taken, helped; /* the last: of those that are taken, which the helper is done with */
	bool ending;
	int result; /* of what the helper has read */
};

struct head {
	enum scan_item item;
	int64_t key;
	size_t length;
};

static int read_batch(struct scan *scan, const struct text *batch, struct text *others)
{
	struct head head;
	int result = text_failed(batch) ? -ENOMEM : 0;
	for (size_t at = 0; at < batch->length && result == 0; at += head.length) {
		memcpy(&head, batch->data + at, sizeof(head));
		at += sizeof(head);
		scan->left_out = false;
		result = head.item == SCAN_ROW ? scan_read_row(scan, head.key, batch->data + at, head.length)
		                               : scan_read_hour(scan, head.key, batch->data + at, head.length);
		if (scan->left_out && others)
			text_append(others, (const char *)&head.key, sizeof(head.key));
	}
	return result;
}

static void *run(void *user)
{
	struct scan_helper *helper = user;
	pthread_mutex_lock(&helper->lock);
	for (;;) {
		while (helper->taken == helper->given && !helper->ending)
			pthread_cond_wait(&helper->changed, &helper->lock);
		if (helper->taken == helper->given)
			break;
		const struct text *batch = &helper->batches[helper->taken++ % BATCHES];
		pthread_mutex_unlock(&helper->lock);
		int result = read_batch(&helper->own, batch, &helper->others);
		pthread_mutex_lock(&helper->lock);
		helper->helped++;
		if (helper->result == 0)
			helper->result = result;
	}
	pthread_mutex_unlock(&helper->lock);
	return NULL;
}

static void destroy(struct scan_helper *helper)
{
	pthread_cond_destroy(&helper->changed);
	pthread_mutex_destroy(&helper->lock);
	block_reader_close(helper->reader.sums);
	text_free(&helper->others);
	for (size_t i = 0; i < BATCHES; i++)
		text_free(&helper->batches[i]);
	budget_give_back(&helper->share);
	free(helper);
	atomic_fetch_sub(&helpers, 1);
}

static int count_cores(void)
{
	cpu_set_t cores;
	return sched_getaffinity(0, sizeof(cores), &cores) == 0 ? CPU_COUNT(&cores) : 1;
}

struct scan_helper *scan_helper_open(struct scan *scan)
{
	/* Those that have no core of their own only take it from others. */
	struct scan_helper *helper = NULL;
	if (atomic_fetch_add(&helpers, 1) < count_cores() - 1)
		helper = calloc(1, sizeof(*helper));
	if (!helper) {
		atomic_fetch_sub(&helpers, 1);
		return NULL;
	}
	helper->scan = scan;
	helper->reader.sums = block_reader_open();
	helper->snapshot = *scan->snapshot;
	helper->snapshot.reader = &helper->reader;
	helper->sink = *scan->sink;
	helper->sink.state = scan->sink->hold_second(scan->sink->user);
	helper->own = (struct scan){
		.snapshot = &helper->snapshot, .sink = &helper->sink, .first_ms = scan->first_ms, .last_ms = scan->last_ms,
		.last_series = scan->last_series, .columns = SCAN_SUMMED,
	};
	pthread_mutex_init(&helper->lock, NULL);
	pthread_cond_init(&helper->changed, NULL);
	if (helper->reader.sums && helper->sink.state && budget_hold(&helper->share, (size_t)BATCHES * BATCH_BYTES) == 0 &&
	    pthread_create(&helper->thread, NULL, run, helper) == 0)
		return helper;
	destroy(helper);
	return NULL;
}

/* Gives the batch that was filled to the helper, if there is another one to be filled. */
static bool give(struct scan_helper *helper, int *ret_result)
{
	pthread_mutex_lock(&helper->lock);
	bool room = helper->given + 1 - helper->helped < BATCHES;
	if (room) {
		helper->given++;
		pthread_cond_signal(&helper->changed);
	}
	*ret_result = helper->result;
	pthread_mutex_unlock(&helper->lock);
	return room;
}

int scan_helper_add(struct scan_helper *helper, enum scan_item item, int64_t key, const void *data, size_t length)
{
	struct text *batch = &helper->batches[helper->given % BATCHES];
	const struct head head = { item, key, length };
	int result = 0;
	text_append(batch, (const char *)&head, sizeof(head));
	text_append(batch, data, length);
	if (batch->length < BATCH_BYTES && !text_failed(batch))
		return 0;
	if (!give(helper, &result))
		result = read_batch(helper->scan, batch, NULL);
	text_reset(&helper->batches[helper->given % BATCHES]);
	return result;
}

int scan_helper_close(struct scan_helper *helper)
{
	if (!helper)
		return 0;
	int result = 0;
	pthread_mutex_lock(&helper->lock);
	helper->given++;
	helper->ending = true;
	pthread_cond_signal(&helper->changed);
	while (helper->taken < helper->given) {
		const struct text *batch = &helper->batches[helper->taken++ % BATCHES];
		pthread_mutex_unlock(&helper->lock);
		if (result == 0)
			result = read_batch(helper->scan, batch, NULL);
		pthread_mutex_lock(&helper->lock);
	}
	pthread_mutex_unlock(&helper->lock);
	pthread_join(helper->thread, NULL);
	if (result == 0)
		result = text_failed(&helper->others) ? -ENOMEM : helper->result;
	for (size_t at = 0; at < helper->others.length && result == 0; at += sizeof(int64_t)) {
		int64_t key;
		memcpy(&key, helper->others.data + at, sizeof(key));
		result = scan_visit_others(helper->scan, key);
	}
	destroy(helper);
	return result;
}
