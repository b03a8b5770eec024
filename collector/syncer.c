#include "collector/syncer.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/trouble.h"

struct syncer {
	int folder_fd;
	pthread_t thread;
	bool started;
	struct trouble trouble; /* the thread's own, once it is started */

	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t changed;
	bool closing;
	size_t first, count;
	struct batch_file files[SYNCER_WAITING_MAX]; /* a ring */
};

int syncer_open(int folder_fd, struct syncer **ret_syncer)
{
	struct syncer *syncer = calloc(1, sizeof(*syncer));
	if (!syncer)
		return -ENOMEM;
	syncer->folder_fd = folder_fd;
	syncer->trouble.operation = "syncing the spool";
	pthread_mutex_init(&syncer->mutex, NULL);
	pthread_cond_init(&syncer->changed, NULL);
	*ret_syncer = syncer;
	return 0;
}

static struct batch_file take_first(struct syncer *syncer)
{
	struct batch_file file = syncer->files[syncer->first];
	syncer->first = (syncer->first + 1) % SYNCER_WAITING_MAX;
	syncer->count--;
	return file;
}

/* Waits for a file. False: there is none any more, and it is closed. */
static bool next_file(struct syncer *syncer, struct batch_file *ret_file)
{
	pthread_mutex_lock(&syncer->mutex);
	while (syncer->count == 0 && !syncer->closing)
		pthread_cond_wait(&syncer->changed, &syncer->mutex);
	bool found = syncer->count > 0;
	if (found)
		*ret_file = take_first(syncer);
	pthread_mutex_unlock(&syncer->mutex);
	return found;
}

static void *run(void *user)
{
	struct syncer *syncer = user;
	struct batch_file file;
	while (next_file(syncer, &file)) {
		int result = batch_file_sync(syncer->folder_fd, &file);
		if (result == 0 && fsync(syncer->folder_fd) != 0)
			result = -errno;
		trouble_watch(&syncer->trouble, result, NULL);
	}
	return NULL;
}

void syncer_add(struct syncer *syncer, const struct batch_file *file)
{
	pthread_mutex_lock(&syncer->mutex);
	if (syncer->count == SYNCER_WAITING_MAX)
		(void)take_first(syncer);
	syncer->files[(syncer->first + syncer->count++) % SYNCER_WAITING_MAX] = *file;
	pthread_cond_signal(&syncer->changed);
	pthread_mutex_unlock(&syncer->mutex);
	if (syncer->started)
		return;
	int result = -pthread_create(&syncer->thread, NULL, run, syncer);
	syncer->started = result == 0;
	if (result)
		trouble_watch(&syncer->trouble, result, NULL);
}

void syncer_close(struct syncer *syncer)
{
	if (!syncer)
		return;
	pthread_mutex_lock(&syncer->mutex);
	syncer->closing = true;
	pthread_cond_signal(&syncer->changed);
	pthread_mutex_unlock(&syncer->mutex);
	if (syncer->started)
		pthread_join(syncer->thread, NULL);
	pthread_cond_destroy(&syncer->changed);
	pthread_mutex_destroy(&syncer->mutex);
	free(syncer);
}
