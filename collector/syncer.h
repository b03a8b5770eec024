/*
 * Has files of a spool synced, each once, and then their folder: by a thread of its own, since a disk that is busy is to
 * hold up neither the next reading nor what is sent meanwhile. The thread begins with the first file.
 *
 * What has been taken out of the spool by then is left out. Of more than SYNCER_WAITING_MAX files that wait the oldest
 * are left to the kernel, which has had the most time for them.
 *
 * A sync that fails is logged once, until one works. One thread uses a syncer.
 */
#ifndef VIGIE_COLLECTOR_SYNCER_H
#define VIGIE_COLLECTOR_SYNCER_H

#include "collector/batch_file.h"

enum { SYNCER_WAITING_MAX = 64 };

struct syncer;

/* `folder_fd` is borrowed until it is closed. 0 or -ENOMEM. */
int syncer_open(int folder_fd, struct syncer **ret_syncer) __attribute__((warn_unused_result));

/* Has a file that was written whole synced, soon. Never waits for the disk. */
void syncer_add(struct syncer *syncer, const struct batch_file *file);

/* Waits until all is synced. Accepts NULL. */
void syncer_close(struct syncer *syncer);

#endif
