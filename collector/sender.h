/*
 * Brings batches to the server: the newest first, then what waits, oldest first,
 * at most SENDER_REPLAY of those a tick, so that a server that comes back is
 * neither flooded nor kept from fresh values. What it cannot take now waits in the
 * backlog, and while it is left alone (backoff) every fresh batch goes there at once.
 *
 * By answer: 200 done; 400 rejected for good; 409 sent once more with the time by the
 * server's clock, then rejected; 413 sent again in smaller pieces; anything else, or
 * none, kept. The same sample twice is one to the server, so a batch of which a part
 * has arrived may be sent again. None of it holds up the next reading: requests are
 * cut off before it is due.
 *
 * The server may have the collector stopped (common/wire.h). It then sends a sign of life at each tick, whose answer says
 * whether it still is to be, and what waits goes on waiting.
 *
 * It logs: one line when the server goes away, one when it is back, one when it
 * rejects, one when this machine's clock is found to be off. One thread uses a sender.
 */
#ifndef VIGIE_COLLECTOR_SENDER_H
#define VIGIE_COLLECTOR_SENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/counters.h"
#include "collector/oom_kills.h"
#include "collector/rates.h"
#include "common/clock.h"
#include "common/config.h"
#include "common/text.h"

enum { SENDER_REPLAY = 4 };

struct sender;

/* What the collector says of itself, beside the sender's own counters. */
struct sender_state {
	bool partial; /* some processes are hidden from it */
	bool by_exits; /* the CPU of ended processes is known by their records; otherwise by their parents */
	int64_t missed_ticks;
	int64_t lost_exits;
};

/* 0 or -ENOMEM. Sends nothing yet; `config` is not kept. */
int sender_open(const struct config *config, struct sender **ret_sender) __attribute__((warn_unused_result));

/* Takes a new configuration; what waits goes on waiting, and the server is tried again at
 * the next tick. -ENOMEM: the old one stays. */
int sender_configure(struct sender *sender, const struct config *config) __attribute__((warn_unused_result));

/* The moment with the time to stamp with in the place of the wall clock's. */
struct moment sender_judge(struct sender *sender, struct moment now);

/* Makes a tick's values wait to be sent. `now` is of sender_judge(), `time_ms` a little
 * before it. The values are copied, and so is whom the kernel has killed, NULL: nobody. */
void sender_add(struct sender *sender, int64_t time_ms, struct moment now, const struct rate *values, size_t count,
                const struct oom_list *killed);

/* Sends as much as is due, for the reading that began at `begun_ns` (monotonic); nothing
 * when there is no fresh batch, or when the server is left alone. */
void sender_send(struct sender *sender, const struct sender_state *state, int64_t begun_ns);

/* One last attempt, of at most `budget_ms`, for what is on no disk. */
void sender_flush(struct sender *sender, const struct sender_state *state, int64_t budget_ms);

/* Whether the server wants the collector to be stopped: nothing is to be measured then, and sender_add() is given no
 * values. */
bool sender_is_stopped(const struct sender *sender);

/* How long after a reading its values are to be sent: up to 3 s, and less than a third of
 * the interval, another and always the same for each host, so that those of a fleet do not
 * come at once; 0 where the server is on this machine. */
int64_t sender_delay_ms(const struct sender *sender);

size_t sender_waiting(const struct sender *sender);   /* batches */
size_t sender_in_memory(const struct sender *sender); /* of those: lost when the sender is closed */
struct counters sender_counters(const struct sender *sender);

/* Appends the counters and what waits, for the log. */
void sender_describe(const struct sender *sender, struct text *text);

void sender_close(struct sender *sender);

#endif
