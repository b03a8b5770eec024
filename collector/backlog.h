/*
 * What waits for the server, oldest first: in the spool and, where that cannot take
 * it, in memory, at most collector.buffer batches. What waits in memory goes to the
 * spool as soon as it works again.
 *
 * The oldest is dropped where there is no room, and in the spool what is older than
 * collector.spool_age. Spool, room and what was lost are logged here: one line when
 * it begins and one when it is over. One thread uses a backlog.
 */
#ifndef VIGIE_COLLECTOR_BACKLOG_H
#define VIGIE_COLLECTOR_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/batch.h"
#include "collector/counters.h"
#include "common/config.h"

struct backlog;

/* Takes up what an earlier run has left in the spool. `counters` is borrowed for as long
 * as the backlog lives; `config` is not kept. 0 or -ENOMEM; a spool that does not work is
 * no error. */
int backlog_open(const struct config *config, struct counters *counters, struct backlog **ret_backlog)
	__attribute__((warn_unused_result));

/* Takes a new configuration. -ENOMEM: the old one stays. */
int backlog_configure(struct backlog *backlog, const struct config *config) __attribute__((warn_unused_result));

/* Makes a batch wait behind all others; what is done of it is left out. It is taken. */
void backlog_add(struct backlog *backlog, struct batch *batch);

/* Drops what is too old. */
void backlog_expire(struct backlog *backlog, const struct server_clock *clock, struct moment now);

/* The next one in the present round, borrowed until backlog_conclude(), which follows;
 * nothing of it is done. NULL: the round is over, and the next call begins one with the oldest. */
struct batch *backlog_next(struct backlog *backlog);

enum backlog_fate {
	BACKLOG_SENT,
	BACKLOG_REJECTED, /* it is set aside in the spool's folder `rejected` */
	BACKLOG_AGAIN,    /* waits, and is the next */
	BACKLOG_LATER,    /* waits for the next round: one that cannot be sent does not hold up the others */
};

void backlog_conclude(struct backlog *backlog, enum backlog_fate fate);

/* Sets aside a batch that never waited. It stays the caller's. */
void backlog_put_aside(struct backlog *backlog, const struct batch *batch);

/* How many wait, and how many of them not on a disk. */
size_t backlog_count(const struct backlog *backlog);
size_t backlog_count_in_memory(const struct backlog *backlog);

/* Whether what is added now goes to a disk. */
bool backlog_has_spool(const struct backlog *backlog);

/* Appends "12 intervals wait (48 KiB in spool)". */
void backlog_describe(const struct backlog *backlog, struct text *text);

/* What waits in memory is lost, and not counted. */
void backlog_close(struct backlog *backlog);

#endif
