/*
 * A folder of batches that wait for the server: one file a tick.
 *
 * A file is written whole under another name and then renamed, so a SIGKILL at any
 * moment leaves all of a tick or none of it. To take a tick out is to unlink its
 * file: no position is to be kept beside it, and damage to one file is damage to one
 * tick. Ten seconds' batch is a few KiB; segments of many would save inodes alone.
 *
 * What is written survives the death of the program at once, and a loss of power once
 * it is synced: that is done behind it (collector/syncer.h), since a disk that is busy
 * must not hold up the next reading. So what a loss of power costs is one interval, the
 * last, where a sync takes less than an interval. A file of which it has left a part
 * fails its checksum. That one was taken out need not be on the disk: it is sent once more.
 *
 * What is set aside goes to the folder `rejected` within, of at most
 * SPOOL_REJECTED_MAX files, none of them synced.
 *
 * One spool uses a folder at a time (flock on its file `lock`); one thread uses a
 * spool. Nothing is logged here but that it cannot be synced.
 */
#ifndef VIGIE_COLLECTOR_SPOOL_H
#define VIGIE_COLLECTOR_SPOOL_H

#include <stddef.h>
#include <stdint.h>

#include "collector/batch_file.h"

enum { SPOOL_REJECTED_MAX = 100 };

struct spool;

/*
 * Opens the folder, made where it is missing, and finds what an earlier run has left
 * in it. -EBUSY: another collector uses it; or why it cannot be used.
 */
int spool_open(const char *folder, int64_t bytes_max, struct spool **ret_spool) __attribute__((warn_unused_result));
void spool_close(struct spool *spool);

/* From the next spool_put() on. */
void spool_set_bytes_max(struct spool *spool, int64_t bytes_max);

/*
 * Writes a batch, of which nothing is done, behind all others. The oldest go where
 * there would be more than bytes_max: *ret_dropped samples of them, also when it
 * fails. 0; -EFBIG when the batch alone is more, -ENOSPC and whatever else a disk says.
 */
int spool_put(struct spool *spool, const struct batch *batch, size_t *ret_dropped) __attribute__((warn_unused_result));

/* The oldest one whose number is at least `number`; false when there is none. */
bool spool_find(const struct spool *spool, uint64_t number, struct batch_file *ret_file);

/* The batch, to be freed by the caller. -EBADMSG: the file is damaged; -ENOMEM, or why it
 * cannot be read. */
int spool_read(const struct spool *spool, const struct batch_file *file, struct batch **ret_batch)
	__attribute__((warn_unused_result));

/* Takes it out of the spool. Where the file cannot be unlinked it is forgotten until the
 * next spool_open(). */
void spool_remove(struct spool *spool, const struct batch_file *file);

/* Takes it out, to the rejected ones. */
void spool_set_aside(struct spool *spool, const struct batch_file *file);

/* Writes a batch that never was in the spool to the rejected ones. */
int spool_put_aside(struct spool *spool, const struct batch *batch) __attribute__((warn_unused_result));

size_t spool_count(const struct spool *spool);
int64_t spool_bytes(const struct spool *spool);

#endif
