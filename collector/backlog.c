#include "collector/backlog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collector/spool.h"
#include "common/clock.h"
#include "common/log.h"

struct backlog {
	struct counters *counters;
	struct spool *spool; /* NULL: none, or it cannot be opened */
	char *folder;        /* "": none is wanted */
	int64_t bytes_max, age_ms;
	uint64_t boot_id;      /* the present start of the machine */
	struct batch **memory; /* oldest first, all of them younger than the spool's */
	size_t memory_count, memory_max;

	/* The present round. */
	uint64_t next_number; /* in the spool, then … */
	size_t next_place;    /* … in memory */
	struct batch *current;
	struct batch_file current_file;
	bool current_in_memory;

	bool failing;  /* the spool, and that was logged */
	bool dropping; /* likewise, of want of room */
	bool damaged;  /* likewise, of files */
};

/* The spool fails or works, as it turned out just now. */
static void note_spool(struct backlog *backlog, int result)
{
	if (result && !backlog->failing)
		log_error("the spool %s: %s; at most %zu intervals wait in memory", backlog->folder,
		          result == -EBUSY ? "another collector uses it" : strerror(-result), backlog->memory_max);
	else if (result == 0 && backlog->failing)
		log_info("the spool %s works again", backlog->folder);
	backlog->failing = result != 0;
}

static void note_dropped(struct backlog *backlog, size_t samples, const char *why)
{
	if (samples == 0)
		return;
	backlog->counters->dropped += (int64_t)samples;
	if (!backlog->dropping)
		log_error("%s: the oldest samples are dropped from now on, %zu so far; the counters tell how many", why, samples);
	backlog->dropping = true;
}

/* Opens the spool where it is not open. False: there is none now. */
static bool reach_spool(struct backlog *backlog)
{
	if (backlog->spool || !backlog->folder[0])
		return backlog->spool != NULL;
	int result = spool_open(backlog->folder, backlog->bytes_max, &backlog->spool);
	if (result)
		note_spool(backlog, result);
	return result == 0;
}

int backlog_open(const struct config *config, struct counters *counters, struct backlog **ret_backlog)
{
	struct backlog *backlog = calloc(1, sizeof(*backlog));
	if (!backlog)
		return -ENOMEM;
	backlog->counters = counters;
	backlog->boot_id = clock_boot();
	int result = backlog_configure(backlog, config);
	if (result) {
		backlog_close(backlog);
		return result;
	}
	if (backlog->spool && spool_count(backlog->spool))
		log_info("%zu intervals wait in the spool %s", spool_count(backlog->spool), backlog->folder);
	*ret_backlog = backlog;
	return 0;
}

void backlog_close(struct backlog *backlog)
{
	if (!backlog)
		return;
	for (size_t i = 0; i < backlog->memory_count; i++)
		free(backlog->memory[i]);
	free(backlog->memory);
	free(backlog->folder);
	spool_close(backlog->spool);
	free(backlog);
}

static size_t samples_of(const struct batch *batch)
{
	return batch_samples(batch, 0, batch->count);
}

/* Takes a batch out of memory without freeing it. */
static struct batch *take_from_memory(struct backlog *backlog, size_t place)
{
	struct batch *batch = backlog->memory[place];
	backlog->memory_count--;
	memmove(&backlog->memory[place], &backlog->memory[place + 1],
	        (backlog->memory_count - place) * sizeof(struct batch *));
	if (backlog->next_place > place)
		backlog->next_place--;
	return batch;
}

static void drop_from_memory(struct backlog *backlog)
{
	struct batch *oldest = take_from_memory(backlog, 0);
	note_dropped(backlog, samples_of(oldest), "the buffer is full");
	free(oldest);
}

int backlog_configure(struct backlog *backlog, const struct config *config)
{
	size_t memory_max = (size_t)config->collector.buffer_ticks;
	char *folder = strdup(config->collector.spool);
	while (folder && backlog->memory_count > memory_max)
		drop_from_memory(backlog);
	struct batch **memory = folder ? realloc(backlog->memory, memory_max * sizeof(struct batch *)) : NULL;
	if (!memory) {
		free(folder);
		return -ENOMEM;
	}
	backlog->memory = memory;
	backlog->memory_max = memory_max;
	backlog->bytes_max = config->collector.spool_bytes;
	backlog->age_ms = config->collector.spool_age_ms;
	if (backlog->folder && strcmp(backlog->folder, folder) != 0) {
		spool_close(backlog->spool);
		backlog->spool = NULL;
		backlog->next_number = 0;
		backlog->failing = false;
	}
	free(backlog->folder);
	backlog->folder = folder;
	if (backlog->spool)
		spool_set_bytes_max(backlog->spool, backlog->bytes_max);
	(void)reach_spool(backlog);
	return 0;
}

/* False: the spool did not take it. */
static bool put_in_spool(struct backlog *backlog, const struct batch *batch)
{
	size_t dropped;
	if (!reach_spool(backlog))
		return false;
	int result = spool_put(backlog->spool, batch, &dropped);
	note_dropped(backlog, dropped, "the spool is full");
	note_spool(backlog, result);
	if (result == -ENOENT) { /* the folder was removed: it is made again for the next */
		spool_close(backlog->spool);
		backlog->spool = NULL;
	}
	return result == 0;
}

static void put_in_memory(struct backlog *backlog, struct batch *batch)
{
	if (backlog->memory_count == backlog->memory_max)
		drop_from_memory(backlog);
	backlog->memory[backlog->memory_count++] = batch;
}

void backlog_add(struct backlog *backlog, struct batch *batch)
{
	batch_forget_done(batch);
	backlog->counters->spooled += (int64_t)samples_of(batch);
	while (backlog->memory_count && put_in_spool(backlog, backlog->memory[0]))
		free(take_from_memory(backlog, 0));
	if (backlog->memory_count == 0 && put_in_spool(backlog, batch))
		free(batch);
	else
		put_in_memory(backlog, batch);
}

/* Reads a batch of the spool. NULL: it was damaged and is gone, or cannot be read now. */
static struct batch *read_from_spool(struct backlog *backlog, const struct batch_file *file)
{
	struct batch *batch;
	int result = spool_read(backlog->spool, file, &batch);
	if (result == 0)
		return batch;
	if (result == -ENOMEM || result == -EMFILE || result == -ENFILE)
		return NULL;
	if (!backlog->damaged)
		log_error("a file of the spool %s is set aside, and so are further ones: %s; %u samples are lost",
		          backlog->folder, result == -EBADMSG ? "it is damaged" : strerror(-result), (unsigned)file->samples);
	backlog->damaged = true;
	backlog->counters->dropped += file->samples;
	spool_set_aside(backlog->spool, file);
	return NULL;
}

/* How old a batch is; 0 where no clock can tell. */
static int64_t age_of(const struct backlog *backlog, const struct batch *batch, const struct server_clock *clock,
                      struct moment now)
{
	if (backlog->boot_id && batch->stamp.boot_id == backlog->boot_id)
		return now.boot_ms - batch->stamp.boot_ms;
	return clock->known ? now.boot_ms + clock->ahead_ms - batch->stamp.time_ms : 0;
}

void backlog_expire(struct backlog *backlog, const struct server_clock *clock, struct moment now)
{
	struct batch_file oldest;
	while (backlog->spool && spool_find(backlog->spool, 0, &oldest)) {
		struct batch *batch = read_from_spool(backlog, &oldest);
		if (!batch)
			return; /* what is damaged is gone; the next tick looks at the next one */
		bool old = age_of(backlog, batch, clock, now) > backlog->age_ms;
		free(batch);
		if (!old)
			return;
		spool_remove(backlog->spool, &oldest);
		note_dropped(backlog, oldest.samples, "older than spool_age");
	}
}

struct batch *backlog_next(struct backlog *backlog)
{
	struct batch_file file;
	while (backlog->spool && spool_find(backlog->spool, backlog->next_number, &file)) {
		backlog->next_number = file.number + 1;
		backlog->current = read_from_spool(backlog, &file);
		backlog->current_file = file;
		backlog->current_in_memory = false;
		if (backlog->current)
			return backlog->current;
	}
	if (backlog->next_place < backlog->memory_count) {
		backlog->current = backlog->memory[backlog->next_place++];
		backlog->current_in_memory = true;
		return backlog->current;
	}
	backlog->next_number = 0;
	backlog->next_place = 0;
	return NULL;
}

void backlog_conclude(struct backlog *backlog, enum backlog_fate fate)
{
	bool waits = fate == BACKLOG_AGAIN || fate == BACKLOG_LATER;
	if (waits)
		backlog->current->done = 0; /* as on the disk: it is sent whole again */
	if (fate == BACKLOG_AGAIN && backlog->current_in_memory)
		backlog->next_place--;
	else if (fate == BACKLOG_AGAIN)
		backlog->next_number = backlog->current_file.number;
	if (!backlog->current_in_memory) {
		if (fate == BACKLOG_REJECTED)
			spool_set_aside(backlog->spool, &backlog->current_file);
		else if (fate == BACKLOG_SENT)
			spool_remove(backlog->spool, &backlog->current_file);
		free(backlog->current);
	} else if (!waits) {
		if (fate == BACKLOG_REJECTED)
			backlog_put_aside(backlog, backlog->current);
		free(take_from_memory(backlog, backlog->next_place - 1));
	}
	backlog->current = NULL;
	if (backlog_count(backlog) == 0)
		backlog->dropping = backlog->damaged = false;
}

void backlog_put_aside(struct backlog *backlog, const struct batch *batch)
{
	int result = reach_spool(backlog) ? spool_put_aside(backlog->spool, batch) : 0;
	if (result)
		log_debug("the spool %s: %s", backlog->folder, strerror(-result));
}

size_t backlog_count(const struct backlog *backlog)
{
	return (backlog->spool ? spool_count(backlog->spool) : 0) + backlog->memory_count;
}

size_t backlog_count_in_memory(const struct backlog *backlog)
{
	return backlog->memory_count;
}

bool backlog_has_spool(const struct backlog *backlog)
{
	return backlog->spool && !backlog->failing;
}

void backlog_describe(const struct backlog *backlog, struct text *text)
{
	text_printf(text, "%zu intervals wait (%lld KiB in the spool, %zu in memory)", backlog_count(backlog),
	            backlog->spool ? (long long)spool_bytes(backlog->spool) / 1024 : 0, backlog->memory_count);
}
