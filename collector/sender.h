/*
 * Brings batches to the server: the newest first, then what waits, oldest first,
 * at most SENDER_REPLAY of those a tick, so that a server that comes back is
 * neither flooded nor kept from fresh values. What it cannot take now waits in
 * memory, at most collector.buffer batches; the oldest is dropped.
 *
 * By answer: 200 done; 400 and 409 rejected for good; 413 sent again in smaller
 * pieces; anything else, or none, kept. The same sample twice is one to the
 * server, so a batch of which a part has arrived may be sent again.
 *
 * It logs: one line when the server goes away, one when it is back, one when it
 * rejects. One thread uses a sender.
 */
#ifndef VIGIE_COLLECTOR_SENDER_H
#define VIGIE_COLLECTOR_SENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/rates.h"
#include "common/config.h"

enum { SENDER_REPLAY = 4 };

struct sender;

/* What the collector says of itself, beside the sender's own counters. */
struct sender_state {
	bool partial;          /* some processes are hidden from it */
	int64_t missed_ticks;
};

/* Since sender_open(), in samples. */
struct sender_counters {
	int64_t sent;
	int64_t dropped;  /* the buffer was full, or memory */
	int64_t rejected; /* by the server */
};

/* 0 or -ENOMEM. Sends nothing yet; `config` is not kept. */
int sender_open(const struct config *config, struct sender **ret_sender) __attribute__((warn_unused_result));

/* Takes a new configuration; what waits goes on waiting. -ENOMEM: the old one stays. */
int sender_configure(struct sender *sender, const struct config *config) __attribute__((warn_unused_result));

/* Makes a tick's values wait. The values are copied. */
void sender_add(struct sender *sender, int64_t time_ms, const struct rate *values, size_t count);

/* Sends as much as is due; begins no request after `budget_ms`. */
void sender_send(struct sender *sender, const struct sender_state *state, int64_t budget_ms);

/* One last attempt for all that waits, whatever the server asked for; ends at the
 * first failure and begins no request after `budget_ms`. */
void sender_flush(struct sender *sender, const struct sender_state *state, int64_t budget_ms);

size_t sender_waiting(const struct sender *sender); /* batches */
struct sender_counters sender_counters(const struct sender *sender);

/* What still waits is lost. */
void sender_close(struct sender *sender);

#endif
