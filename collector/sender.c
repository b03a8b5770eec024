#include "collector/sender.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collector/backlog.h"
#include "collector/backoff.h"
#include "collector/delivery.h"
#include "collector/stagger.h"
#include "common/log.h"

enum { DELAY_MAX_MS = 3000 };

struct sender {
	struct uplink *uplink;
	struct backlog *backlog;
	struct server_clock clock;
	struct delivery delivery;
	struct backoff backoff;
	struct counters counters;
	struct batch *fresh; /* NULL: none; has not waited yet */

	int64_t interval_ms, delay_ms;
	bool away;              /* the last request was not taken, and that was logged */
	bool correcting;        /* likewise, of this machine's clock */
	bool replaying;         /* what fails now is one old batch, not the server */
	int64_t dropped_before; /* when it went away */
};

int sender_open(const struct config *config, struct sender **ret_sender)
{
	struct sender *sender = calloc(1, sizeof(*sender));
	if (!sender)
		return -ENOMEM;
	sender->delivery = (struct delivery){ .clock = &sender->clock, .boot_id = clock_boot() };
	int result = backlog_open(config, &sender->counters, &sender->backlog);
	if (result == 0)
		result = sender_configure(sender, config);
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
	free(sender->fresh);
	backlog_close(sender->backlog);
	uplink_close(sender->uplink);
	free(sender);
}

int sender_configure(struct sender *sender, const struct config *config)
{
	struct uplink *uplink;
	int result = uplink_open(config, &sender->clock, &uplink);
	if (result)
		return result;
	result = backlog_configure(sender->backlog, config);
	if (result) {
		uplink_close(uplink);
		return result;
	}
	if (sender->uplink)
		uplink_take_over(uplink, sender->uplink);
	uplink_close(sender->uplink);
	sender->uplink = uplink;
	int64_t delay_max_ms = config->collector.interval_ms * 3 / 10;
	sender->interval_ms = config->collector.interval_ms;
	sender->delay_ms = stagger_own_ms(delay_max_ms < DELAY_MAX_MS ? delay_max_ms : DELAY_MAX_MS);
	sender->delivery.uplink = uplink;
	sender->delivery.timeout_ms = config->collector.timeout_ms;
	sender->delivery.names_max = 0;
	sender->backoff = (struct backoff){ 0 };
	return 0;
}

struct moment sender_judge(struct sender *sender, struct moment now)
{
	struct moment judged = server_clock_judge(&sender->clock, now);
	if (sender->clock.correcting && !sender->correcting)
		log_warning("this machine's clock is %.1f s %s the server's: the samples are stamped by the server's",
		            (double)llabs(now.wall_ms - judged.wall_ms) / 1000,
		            now.wall_ms > judged.wall_ms ? "ahead of" : "behind");
	else if (!sender->clock.correcting && sender->correcting)
		log_info("this machine's clock agrees with the server's again");
	sender->correcting = sender->clock.correcting;
	return judged;
}

/* Whether a batch is a stopped collector's sign of life, which nobody needs later. */
static bool is_sign(const struct sender *sender, const struct batch *batch)
{
	return uplink_is_stopped(sender->uplink) && batch->count == 0;
}

static void keep_fresh(struct sender *sender)
{
	if (sender->fresh && is_sign(sender, sender->fresh))
		free(sender->fresh);
	else if (sender->fresh)
		backlog_add(sender->backlog, sender->fresh);
	sender->fresh = NULL;
}

void sender_add(struct sender *sender, int64_t time_ms, struct moment now, const struct rate *values, size_t count,
                const struct oom_list *killed)
{
	const struct stamp stamp = {
		.time_ms = time_ms,
		.boot_ms = now.boot_ms - (now.wall_ms - time_ms),
		.boot_id = sender->delivery.boot_id,
		.settled = server_clock_is_sure(&sender->clock, clock_moment()),
	};
	keep_fresh(sender);
	sender->fresh = batch_pack(&stamp, values, count, killed);
	if (!sender->fresh)
		sender->counters.dropped += (int64_t)(count * RESOURCE_LIMITED);
	else if (!backoff_is_over(&sender->backoff, clock_monotonic_ns()))
		keep_fresh(sender);
}

static void note_away(struct sender *sender)
{
	if (sender->away || sender->replaying) {
		log_debug("%s", uplink_describe(sender->uplink));
		return;
	}
	sender->away = true;
	sender->dropped_before = sender->counters.dropped;
	log_warning("%s; the samples wait %s", uplink_describe(sender->uplink),
	            backlog_has_spool(sender->backlog) ? "in the spool" : "in memory");
}

static void note_back(struct sender *sender)
{
	backoff_succeeded(&sender->backoff);
	if (!sender->away)
		return;
	sender->away = false;
	log_info("%s answers again; %zu intervals were kept, %lld samples dropped", uplink_server(sender->uplink),
	         backlog_count(sender->backlog), (long long)(sender->counters.dropped - sender->dropped_before));
}

/* Sends a batch and says whether the server is there. */
static enum delivery_outcome deliver(struct sender *sender, const struct sender_state *state, struct batch *batch,
                                     int64_t end_ns, struct delivery_tally *ret_tally)
{
	const struct uplink_report report = {
		.partial = state->partial,
		.by_exits = state->by_exits,
		.counters = &sender->counters,
	};
	enum delivery_outcome outcome = delivery_send(&sender->delivery, batch, &report, end_ns, ret_tally);
	if (outcome == DELIVERY_DONE || outcome == DELIVERY_REJECTED)
		note_back(sender);
	else
		note_away(sender);
	return outcome;
}

static void back_off(struct sender *sender)
{
	backoff_failed(&sender->backoff, clock_monotonic_ns(), uplink_retry_after_s(sender->uplink), arc4random());
}

/* Sends what is new; of a collector that is stopped a sign of life, and what is new only where the answer to that says
 * that it is not to be, any more: before its first PUT it knows no more than that some are. */
static enum delivery_outcome deliver_fresh(struct sender *sender, const struct sender_state *state, int64_t end_ns,
                                           struct delivery_tally *ret_tally)
{
	if (!uplink_is_stopped(sender->uplink))
		return deliver(sender, state, sender->fresh, end_ns, ret_tally);
	struct batch *sign = batch_pack(&sender->fresh->stamp, NULL, 0, NULL);
	if (!sign)
		return DELIVERY_KEPT;
	enum delivery_outcome outcome = deliver(sender, state, sign, end_ns, ret_tally);
	free(sign);
	if (outcome != DELIVERY_DONE || sender->fresh->count == 0)
		return outcome;
	if (!uplink_is_stopped(sender->uplink))
		return deliver(sender, state, sender->fresh, end_ns, ret_tally);
	sender->counters.dropped += (int64_t)batch_samples(sender->fresh, 0, sender->fresh->count);
	return outcome;
}

/* False: the server does not take what is new. */
static bool send_fresh(struct sender *sender, const struct sender_state *state, int64_t end_ns)
{
	struct delivery_tally tally = { 0 };
	enum delivery_outcome outcome = DELIVERY_SILENT;
	if (uplink_greet(sender->uplink, delivery_left_ms(&sender->delivery, end_ns)))
		outcome = deliver_fresh(sender, state, end_ns, &tally);
	else
		note_away(sender);
	sender->counters.sent += (int64_t)tally.sent;
	sender->counters.rejected += (int64_t)tally.rejected;
	sender->counters.dropped += (int64_t)tally.dropped;
	if (outcome == DELIVERY_KEPT || outcome == DELIVERY_SILENT) {
		back_off(sender);
		keep_fresh(sender);
		return false;
	}
	if (outcome == DELIVERY_REJECTED)
		backlog_put_aside(sender->backlog, sender->fresh);
	free(sender->fresh);
	sender->fresh = NULL;
	return true;
}

/* Sends at most `batches` of those that wait, and begins none after `last_ns`. */
static void replay(struct sender *sender, const struct sender_state *state, size_t batches, int64_t last_ns,
                   int64_t end_ns)
{
	static const enum backlog_fate fates[] = {
		[DELIVERY_DONE] = BACKLOG_SENT,
		[DELIVERY_REJECTED] = BACKLOG_REJECTED,
		[DELIVERY_KEPT] = BACKLOG_LATER,
		[DELIVERY_SILENT] = BACKLOG_AGAIN,
	};
	enum delivery_outcome outcome = DELIVERY_DONE;
	sender->replaying = true;
	for (size_t i = 0; i < batches && outcome != DELIVERY_SILENT && clock_monotonic_ns() < last_ns; i++) {
		struct delivery_tally tally;
		struct batch *batch = backlog_next(sender->backlog);
		if (!batch && i == 0)
			batch = backlog_next(sender->backlog); /* the last round ended with the last tick */
		if (!batch)
			break;
		outcome = deliver(sender, state, batch, end_ns, &tally);
		backlog_conclude(sender->backlog, fates[outcome]);
		if (outcome == DELIVERY_DONE || outcome == DELIVERY_REJECTED) {
			sender->counters.sent += (int64_t)tally.sent;
			sender->counters.replayed += (int64_t)tally.sent;
			sender->counters.rejected += (int64_t)tally.rejected;
			sender->counters.dropped += (int64_t)tally.dropped;
		}
	}
	sender->replaying = false;
	if (outcome == DELIVERY_SILENT)
		back_off(sender);
}

void sender_send(struct sender *sender, const struct sender_state *state, int64_t begun_ns)
{
	int64_t interval_ns = sender->interval_ms * 1000000;
	int64_t end_ns = begun_ns + interval_ns * 9 / 10;
	sender->counters.missed_ticks = state->missed_ticks;
	sender->counters.lost_exits = state->lost_exits;
	backlog_expire(sender->backlog, &sender->clock, clock_moment());
	if (sender->fresh && send_fresh(sender, state, end_ns) && !uplink_is_stopped(sender->uplink))
		replay(sender, state, SENDER_REPLAY, begun_ns + interval_ns / 2, end_ns);
}

void sender_flush(struct sender *sender, const struct sender_state *state, int64_t budget_ms)
{
	int64_t end_ns = clock_monotonic_ns() + budget_ms * 1000000;
	if (sender->fresh && !send_fresh(sender, state, end_ns))
		return;
	if (uplink_is_stopped(sender->uplink))
		return;
	if (backlog_count_in_memory(sender->backlog) && uplink_greet(sender->uplink, delivery_left_ms(&sender->delivery, end_ns)))
		replay(sender, state, SIZE_MAX, end_ns, end_ns);
}

bool sender_is_stopped(const struct sender *sender)
{
	return uplink_is_stopped(sender->uplink);
}

int64_t sender_delay_ms(const struct sender *sender)
{
	return uplink_is_local(sender->uplink) ? 0 : sender->delay_ms;
}

size_t sender_waiting(const struct sender *sender)
{
	return backlog_count(sender->backlog) + (sender->fresh ? 1 : 0);
}

size_t sender_in_memory(const struct sender *sender)
{
	return backlog_count_in_memory(sender->backlog) + (sender->fresh ? 1 : 0);
}

struct counters sender_counters(const struct sender *sender)
{
	return sender->counters;
}

void sender_describe(const struct sender *sender, struct text *text)
{
	counters_describe(&sender->counters, text);
	text_append_string(text, "; ");
	backlog_describe(sender->backlog, text);
}
