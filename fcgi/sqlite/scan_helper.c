#include "fcgi/sqlite/scan_helper.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fcgi/sqlite/scan.h"

enum {
	BATCH_BYTES = 128 << 10, /* half a millisecond */
	BATCHES = 32,            /* 4 MiB */
};

/* How many there are, in the process. */
static atomic_int helpers;

struct scan_helper {
	struct scan *scan;
	pthread_t thread;
	/* A ring of rows, each behind its head: [given] is the scan's, to be filled, those before it are of who takes them. */
	struct text batches[BATCHES];
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* under the lock: */
	size_t given, taken, helped; /* the last: of those that are taken, which the helper is done with */
	bool ending;
	int result; /* of what the helper has read */
};

struct row_head {
	int64_t key;
	size_t length;
};

static int read_batch(const struct scan *scan, void *state, const struct text *batch)
{
	struct row_head head;
	int result = text_failed(batch) ? -ENOMEM : 0;
	for (size_t at = 0; at < batch->length && result == 0; at += head.length) {
		memcpy(&head, batch->data + at, sizeof(head));
		at += sizeof(head);
		result = scan_read_row(scan, state, head.key, batch->data + at, head.length);
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
		int result = read_batch(helper->scan, helper->scan->sink->second, batch);
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
	for (size_t i = 0; i < BATCHES; i++)
		text_free(&helper->batches[i]);
	free(helper);
	atomic_fetch_sub(&helpers, 1);
}

struct scan_helper *scan_helper_open(struct scan *scan)
{
	/* One that has no core for it only takes it from others. */
	struct scan_helper *helper = NULL;
	if (atomic_fetch_add(&helpers, 1) < sysconf(_SC_NPROCESSORS_ONLN) - 1)
		helper = calloc(1, sizeof(*helper));
	if (!helper) {
		atomic_fetch_sub(&helpers, 1);
		return NULL;
	}
	helper->scan = scan;
	pthread_mutex_init(&helper->lock, NULL);
	pthread_cond_init(&helper->changed, NULL);
	if (pthread_create(&helper->thread, NULL, run, helper) == 0)
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

int scan_helper_add(struct scan_helper *helper, int64_t key, const void *data, size_t length)
{
	struct text *batch = &helper->batches[helper->given % BATCHES];
	const struct row_head head = { key, length };
	int result = 0;
	text_append(batch, (const char *)&head, sizeof(head));
	text_append(batch, data, length);
	if (batch->length < BATCH_BYTES && !text_failed(batch))
		return 0;
	if (!give(helper, &result))
		result = read_batch(helper->scan, helper->scan->sink->state, batch);
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
			result = read_batch(helper->scan, helper->scan->sink->state, batch);
		pthread_mutex_lock(&helper->lock);
	}
	pthread_mutex_unlock(&helper->lock);
	pthread_join(helper->thread, NULL);
	if (result == 0)
		result = helper->result;
	destroy(helper);
	return result;
}
