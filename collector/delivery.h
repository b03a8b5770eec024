/*
 * One batch to the server, in as many requests as it takes, and what its answers mean:
 * a 413 makes smaller pieces, and the size that fits is kept; a 409 is worth another
 * try where the server's clock, which it tells, gives the batch another time; what is
 * refused then, or with a 400, is refused for good.
 *
 * Logs what is refused, once until something is taken. One thread uses a delivery.
 */
#ifndef VIGIE_COLLECTOR_DELIVERY_H
#define VIGIE_COLLECTOR_DELIVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/uplink.h"

/* Its owner sets the pointers and `boot_id`, and zeros the rest. */
struct delivery {
	struct uplink *uplink;      /* borrowed */
	struct server_clock *clock; /* borrowed */
	uint64_t boot_id;           /* the present start of the machine */
	int64_t timeout_ms;         /* of a request */
	size_t names_max;           /* in one body, since a 413; 0: no limit known */
	bool rejecting;             /* the last batch was refused, and that was logged */
};

enum delivery_outcome {
	DELIVERY_DONE,     /* the server has all of it */
	DELIVERY_REJECTED, /* it does not want it, or a part of it, for good */
	DELIVERY_KEPT,     /* it answered, but does not take it now */
	DELIVERY_SILENT,   /* no answer, or a Retry-After: no further request now */
};

/* What became of the samples, be it all of them or not. */
struct delivery_tally {
	size_t sent, rejected;
	size_t dropped; /* the server, an older one, has no place for them */
};

/* Sends what is not done of a batch, and ends by `end_ns` (monotonic). Its stamp is settled
 * where the server's clock is known. */
enum delivery_outcome delivery_send(struct delivery *delivery, struct batch *batch, const struct uplink_report *report,
                                    int64_t end_ns, struct delivery_tally *ret_tally);

/* What is left for a request that is to end by `end_ns`: at most timeout_ms, at least 1. */
int64_t delivery_left_ms(const struct delivery *delivery, int64_t end_ns);

#endif
