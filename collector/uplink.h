/*
 * The line to the server: one PUT of save-all at a time, its body made of a
 * batch, and the own address that the body tells.
 *
 * The own address is collector.ip, or that of the connection of the last request
 * that was answered. One thread uses an uplink.
 */
#ifndef VIGIE_COLLECTOR_UPLINK_H
#define VIGIE_COLLECTOR_UPLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/batch.h"
#include "common/config.h"
#include "common/text.h"

struct uplink;

/* What the collector says of itself in each body. */
struct uplink_report {
	bool partial; /* some processes are hidden from it */
	int64_t sent, dropped, rejected; /* samples, since its start */
	int64_t missed_ticks;
};

/* Whether url and ip can be used: 0 or -EINVAL with a sentence. */
int uplink_check(const struct config *config, struct text *ret_error) __attribute__((warn_unused_result));

/* Connects nothing yet; `config` is not kept. 0 or -ENOMEM. */
int uplink_open(const struct config *config, struct uplink **ret_uplink) __attribute__((warn_unused_result));
void uplink_close(struct uplink *uplink);

/* Asks the server for anything when the own address is not known yet. False when
 * it is unknown still. */
bool uplink_learn_ip(struct uplink *uplink);

/* Sends the next `count` of the batch's names that are not done. The HTTP status
 * of the answer, or 0 when there was none. */
long uplink_put(struct uplink *uplink, const struct batch *batch, size_t count, const struct uplink_report *report);

/* Of the last answer; -1: it had none. */
int64_t uplink_retry_after_s(const struct uplink *uplink);

/* What the last request was and came to, with the server's own sentence: "PUT
 * http://…: HTTP 503 (the store is down)". Borrowed until the next call. */
const char *uplink_describe(struct uplink *uplink);

const char *uplink_url(const struct uplink *uplink);

#endif
