#include "collector/delivery.h"

#include <stdlib.h>

#include "common/log.h"

enum { AGAIN_MS = 1000 }; /* a time that differs by less is no other */

/* What the answer to one request means. */
enum step {
	ONWARD,  /* those names are done, or are to be sent again otherwise */
	REFUSED, /* those names, for good */
	LATER,   /* the batch, some other time */
};

int64_t delivery_left_ms(const struct delivery *delivery, int64_t end_ns)
{
	int64_t left = (end_ns - clock_monotonic_ns()) / 1000000;
	return left < 1 ? 1 : left < delivery->timeout_ms ? left : delivery->timeout_ms;
}

/* Puts a batch at its time by the server's clock, where it was not stamped by that. */
static void settle_stamp(const struct delivery *delivery, struct batch *batch)
{
	struct moment now = clock_moment();
	if (batch->stamp.settled || !server_clock_is_sure(delivery->clock, now))
		return;
	batch->stamp.time_ms = server_clock_settle(delivery->clock, &batch->stamp, now, delivery->boot_id);
	batch->stamp.settled = true;
}

/* After a 409: whether the batch has another time, now that the server has told its own. */
static bool is_moved(const struct delivery *delivery, struct batch *batch)
{
	int64_t time_ms = server_clock_settle(delivery->clock, &batch->stamp, clock_moment(), delivery->boot_id);
	if (llabs(time_ms - batch->stamp.time_ms) < AGAIN_MS)
		return false;
	batch->stamp.time_ms = time_ms;
	return true;
}

/* `moved`: the batch has had another time given already. */
static enum step next_step(struct delivery *delivery, long status, struct batch *batch, size_t count, bool *moved)
{
	switch (status) {
	case 200:
		return ONWARD;
	case 400:
		return REFUSED;
	case 409:
		if (*moved || !is_moved(delivery, batch))
			return REFUSED;
		*moved = true;
		return ONWARD;
	case 413:
		if (count <= 1)
			return REFUSED;
		delivery->names_max = (count + 1) / 2;
		log_info("%s; bodies hold at most %zu processes from now on", uplink_describe(delivery->uplink),
		         delivery->names_max);
		return ONWARD;
	default:
		return LATER;
	}
}

static void note_refused(struct delivery *delivery, size_t samples)
{
	if (!delivery->rejecting)
		log_error("%s; %zu samples are lost, and so are further ones until it takes them",
		          uplink_describe(delivery->uplink), samples);
	delivery->rejecting = true;
}

enum delivery_outcome delivery_send(struct delivery *delivery, struct batch *batch, const struct uplink_report *report,
                                    int64_t end_ns, struct delivery_tally *ret_tally)
{
	bool moved = false;
	*ret_tally = (struct delivery_tally){ 0 };
	settle_stamp(delivery, batch);
	do {
		size_t count = batch->count - batch->done;
		if (delivery->names_max && count > delivery->names_max)
			count = delivery->names_max;
		size_t samples = batch_samples(batch, batch->done, count);
		long status = uplink_put(delivery->uplink, batch, count, report, delivery_left_ms(delivery, end_ns));
		enum step step = next_step(delivery, status, batch, count, &moved);
		if (step == LATER)
			return status == 0 || uplink_retry_after_s(delivery->uplink) > 0 ? DELIVERY_SILENT : DELIVERY_KEPT;
		if (step == REFUSED) {
			note_refused(delivery, samples);
			ret_tally->rejected += samples;
			batch->done += count;
		} else if (status == 200) {
			delivery->rejecting = false;
			ret_tally->sent += uplink_samples(delivery->uplink);
			ret_tally->dropped += samples - uplink_samples(delivery->uplink);
			batch->done += count;
		}
	} while (batch->done < batch->count);
	return ret_tally->rejected ? DELIVERY_REJECTED : DELIVERY_DONE;
}
