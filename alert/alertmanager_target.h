/*
 * One of the Alertmanagers that alert/alertmanager.h tells: the requests to it, and when the next one is due.
 *
 * One thread at a time uses a target. Times are on the clock of clock_monotonic_ns().
 */
#ifndef VIGIE_ALERT_ALERTMANAGER_TARGET_H
#define VIGIE_ALERT_ALERTMANAGER_TARGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/config.h"
#include "common/http.h"
#include "common/text.h"
#include "common/trouble.h"

struct alertmanager_target {
	/* The caller's: what it sets after a success. */
	uint64_t taken;   /* the version that it has taken; 0: nothing */
	int64_t renew_ns; /* when it is to be told all; 0, as after a failure: with the next request */

	struct http *http;
	struct http_answer answer;
	struct text url, operation, ca_file, proxy;
	struct trouble trouble;
	int64_t retry_ns; /* it has failed, and is not tried before */
	int64_t retry_ms; /* so long was the wait; 0: it has not failed */
};

/* Opens a target that is zero. False: out of memory, and it is to be closed all the same. */
bool alertmanager_target_open(struct alertmanager_target *target, const char *url, const struct config *config);
void alertmanager_target_close(struct alertmanager_target *target);

/* When it is to be told the version that there is now. */
int64_t alertmanager_target_due_ns(const struct alertmanager_target *target, uint64_t version);

/* Sends a body, and logs failure and its end; NULL: there was no memory for it. Whether it was taken. Once `closing` is true
 * a request that is under way ends within a second or so, and a new one takes ALERTMANAGER_TARGET_CLOSE_MS at most. */
enum { ALERTMANAGER_TARGET_CLOSE_MS = 1000 };
bool alertmanager_target_post(struct alertmanager_target *target, const char *body, const atomic_bool *closing);

#endif
