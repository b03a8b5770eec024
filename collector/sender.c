#include "collector/sender.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collector/batch.h"
#include "collector/uplink.h"
#include "common/clock.h"
#include "common/log.h"

/* A server that asks for more patience than this is asked again all the same. */
enum { RETRY_AFTER_MAX_S = 600 };

struct sender {
	struct uplink *uplink;
	struct batch **waiting; /* oldest first */
	size_t waiting_count;
	size_t waiting_max;

	size_t names_max; /* in one body, since a 413; 0: no limit known */
	int64_t not_before_ns;
	bool away;      /* the last request was not taken, and that was logged */
	bool rejecting; /* likewise, of rejections */
	bool replaying; /* what fails now is one old batch, not the server */
	int64_t dropped_before; /* when it went away */
	struct sender_counters counters;
};

enum outcome {
	DONE,   /* the server has it, has rejected it for good, or wants it smaller */
	KEPT,   /* it answered, but does not take it now */
	SILENT, /* no answer, or a Retry-After: no further request now */
};

int sender_open(const struct config *config, struct sender **ret_sender)
{
	struct sender *sender = calloc(1, sizeof(*sender));
	if (!sender)
		return -ENOMEM;
	int result = sender_configure(sender, config);
	if (result)
		sender_close(sender);
	else
		*ret_sender = sender;
	return result;
}

void sender_close(struct sender *sender)
{
	if (!sender)
		return;
	for (size_t i = 0; i < sender->waiting_count; i++)
		free(sender->waiting[i]);
	free(sender->waiting);
	uplink_close(sender->uplink);
	free(sender);
}

/* Takes a batch out of the queue without freeing it. */
static struct batch *take_waiting(struct sender *sender, size_t place)
{
	struct batch *batch = sender->waiting[place];
	sender->waiting_count--;
	memmove(&sender->waiting[place], &sender->waiting[place + 1],
	        (sender->waiting_count - place) * sizeof(struct batch *));
	return batch;
}

static void drop_oldest(struct sender *sender)
{
	struct batch *batch = take_waiting(sender, 0);
	sender->counters.dropped += (int64_t)batch_samples(batch, batch->done, batch->count - batch->done);
	free(batch);
}

int sender_configure(struct sender *sender, const struct config *config)
{
	struct uplink *uplink;
	int result = uplink_open(config, &uplink);
	if (result)
		return result;
	size_t waiting_max = (size_t)config->collector.buffer_ticks;
	while (sender->waiting_count > waiting_max)
		drop_oldest(sender);
	struct batch **waiting = realloc(sender->waiting, waiting_max * sizeof(struct batch *));
	if (!waiting) {
		uplink_close(uplink);
		return -ENOMEM;
	}

	uplink_close(sender->uplink);
	sender->uplink = uplink;
	sender->waiting = waiting;
	sender->waiting_max = waiting_max;
	sender->names_max = 0;
	sender->not_before_ns = 0;
	return 0;
}

void sender_add(struct sender *sender, int64_t time_ms, const struct rate *values, size_t count)
{
	struct batch *batch = batch_pack(time_ms, values, count);
	if (!batch) {
		sender->counters.dropped += (int64_t)(count * RESOURCE_COUNT);
		return;
	}
	if (sender->waiting_count == sender->waiting_max)
		drop_oldest(sender);
	sender->waiting[sender->waiting_count++] = batch;
}

static void note_away(struct sender *sender)
{
	if (sender->away || sender->replaying) {
		log_debug("%s", uplink_describe(sender->uplink));
		return;
	}
	sender->away = true;
	sender->dropped_before = sender->counters.dropped;
	log_warning("%s; the samples wait, up to %zu intervals of them", uplink_describe(sender->uplink),
	            sender->waiting_max);
}

static void note_back(struct sender *sender)
{
	if (!sender->away)
		return;
	sender->away = false;
	log_info("%s answers again; %zu intervals were kept, %lld samples dropped", uplink_url(sender->uplink),
	         sender->waiting_count, (long long)(sender->counters.dropped - sender->dropped_before));
}

static void note_rejected(struct sender *sender, size_t samples)
{
	sender->counters.rejected += (int64_t)samples;
	if (sender->rejecting)
		return;
	sender->rejecting = true;
	log_error("%s; %zu samples are lost, and so are further ones until it takes them",
	          uplink_describe(sender->uplink), samples);
}

/* What an answer means for the `count` names that were in its request. */
static enum outcome settle(struct sender *sender, long status, struct batch *batch, size_t count)
{
	size_t samples = batch_samples(batch, batch->done, count);
	switch (status) {
	case 200:
		note_back(sender);
		sender->rejecting = false;
		sender->counters.sent += (int64_t)samples;
		batch->done += count;
		return DONE;
	case 413:
		if (count > 1) {
			sender->names_max = (count + 1) / 2;
			log_info("%s; bodies hold at most %zu processes from now on", uplink_describe(sender->uplink),
			         sender->names_max);
			return DONE;
		}
		/* fall through */
	case 400:
	case 409:
		note_back(sender);
		note_rejected(sender, samples);
		batch->done += count;
		return DONE;
	case 0:
		note_away(sender);
		return SILENT;
	default:
		note_away(sender);
	}
	int64_t wait_s = uplink_retry_after_s(sender->uplink);
	if (wait_s <= 0)
		return KEPT;
	if (wait_s > RETRY_AFTER_MAX_S)
		wait_s = RETRY_AFTER_MAX_S;
	sender->not_before_ns = clock_monotonic_ns() + wait_s * 1000000000;
	return SILENT;
}

/* Sends the batch that waits at `place`, and frees it when it is done with. */
static enum outcome send_waiting(struct sender *sender, const struct sender_state *state, size_t place)
{
	struct batch *batch = sender->waiting[place];
	do {
		size_t count = batch->count - batch->done;
		if (sender->names_max && count > sender->names_max)
			count = sender->names_max;
		struct uplink_report report = {
			.partial = state->partial,
			.missed_ticks = state->missed_ticks,
			.sent = sender->counters.sent,
			.dropped = sender->counters.dropped,
			.rejected = sender->counters.rejected,
		};
		long status = uplink_put(sender->uplink, batch, count, &report);
		enum outcome outcome = settle(sender, status, batch, count);
		if (outcome != DONE)
			return outcome;
	} while (batch->done < batch->count);
	free(take_waiting(sender, place));
	return DONE;
}

/* `patient`: one of the old ones that the server does not take is no reason to end. */
static void send_some(struct sender *sender, const struct sender_state *state, size_t batches, bool patient,
                      int64_t deadline_ns)
{
	if (sender->waiting_count == 0)
		return;
	if (!uplink_learn_ip(sender->uplink)) {
		note_away(sender);
		return;
	}
	if (send_waiting(sender, state, sender->waiting_count - 1) != DONE)
		return;
	sender->replaying = true;
	size_t place = 0;
	for (size_t i = 0; i < batches && place < sender->waiting_count && clock_monotonic_ns() < deadline_ns; i++) {
		/* One that the server cannot take does not hold up the others. */
		enum outcome outcome = send_waiting(sender, state, place);
		if (outcome == SILENT || (outcome == KEPT && !patient))
			break;
		place += outcome == KEPT;
	}
	sender->replaying = false;
}

void sender_send(struct sender *sender, const struct sender_state *state, int64_t budget_ms)
{
	int64_t now_ns = clock_monotonic_ns();
	if (now_ns >= sender->not_before_ns)
		send_some(sender, state, SENDER_REPLAY, true, now_ns + budget_ms * 1000000);
}

void sender_flush(struct sender *sender, const struct sender_state *state, int64_t budget_ms)
{
	send_some(sender, state, SIZE_MAX, false, clock_monotonic_ns() + budget_ms * 1000000);
}

size_t sender_waiting(const struct sender *sender)
{
	return sender->waiting_count;
}

struct sender_counters sender_counters(const struct sender *sender)
{
	return sender->counters;
}
