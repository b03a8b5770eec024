/*
 * How long to leave a server alone that does not take what it is sent: a random
 * time of up to one second, then two, four … up to a minute ("full jitter": Brooker,
 * "Exponential Backoff And Jitter", 2015), so that a fleet does not come back as one.
 *
 * Pure: the caller reads the clock and draws the random number.
 */
#ifndef VIGIE_COLLECTOR_BACKOFF_H
#define VIGIE_COLLECTOR_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

enum {
	BACKOFF_FIRST_MS = 1000,
	BACKOFF_MAX_MS = 60000,
	BACKOFF_RETRY_AFTER_MAX_S = 600, /* a server that asks for more is asked again all the same */
};

/* All zeros: nothing has failed. */
struct backoff {
	unsigned failures; /* in a row */
	int64_t until_ns;  /* monotonic */
};

/* `retry_after_s` is what the server asked for, -1: nothing; the jitter comes on top. */
void backoff_failed(struct backoff *backoff, int64_t now_ns, int64_t retry_after_s, uint32_t random);

void backoff_succeeded(struct backoff *backoff);

bool backoff_is_over(const struct backoff *backoff, int64_t now_ns);

#endif
