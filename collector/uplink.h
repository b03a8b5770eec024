/*
 * The line to the server: one request at a time on one connection, the body of a PUT
 * made of a batch, and what the answers tell beside their status: the own address,
 * the server's clock, whether it is on this machine.
 *
 * The own address is collector.ip, or that of the connection which a body goes over, whenever the
 * body was measured: a host has one address at a time, and one that has no connection is nobody's. Through a proxy that is the
 * connection to the proxy. The hostname is the present one, too.
 *
 * Samples are sent by process (save-all's `processes`) once an answer to a body has offered that, and as `data`
 * otherwise, with as many of the further resources as that answer says: a server that has been put back to an older version
 * refuses the one, and is sent the other at once. What it does not take is lost, and that is logged once.
 * Bodies are compressed when the server is on another machine, or
 * as collector.gzip says; a server that refuses one is sent it plain, and from then
 * on all of them if that helps. The token is read again when the server refuses it
 * and its file has changed. One thread uses an uplink.
 */
#ifndef VIGIE_COLLECTOR_UPLINK_H
#define VIGIE_COLLECTOR_UPLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/batch.h"
#include "collector/counters.h"
#include "common/config.h"
#include "common/text.h"

struct uplink;

/* What the collector says of itself in each body. */
struct uplink_report {
	bool partial; /* some processes are hidden from it */
	bool by_exits; /* the CPU of ended processes is known by their records; otherwise by their parents */
	const struct counters *counters;
};

/* Whether url, proxy and ip can be used: 0 or -EINVAL with a sentence. */
int uplink_check(const struct config *config, struct text *ret_error) __attribute__((warn_unused_result));

/* Connects nothing yet; `config` is not kept, `clock` is borrowed and learns from every
 * answer. A token that cannot be read is logged. 0 or -ENOMEM. */
int uplink_open(const struct config *config, struct server_clock *clock, struct uplink **ret_uplink)
	__attribute__((warn_unused_result));
void uplink_close(struct uplink *uplink);

/* Asks the server for anything where that is to be known before a batch is sent: the own
 * address, the server's clock. False: it does not answer, or not as vigie does. */
bool uplink_greet(struct uplink *uplink, int64_t timeout_ms);

/* Sends the next `count` of the batch's names that are not done, in at most `timeout_ms`.
 * The HTTP status of the answer; 0 when there was none, or one that is not vigie's. */
long uplink_put(struct uplink *uplink, const struct batch *batch, size_t count, const struct uplink_report *report,
                int64_t timeout_ms);

/* How many samples the last body had: without those that the server does not take. */
size_t uplink_samples(const struct uplink *uplink);

/* Of the last answer; -1: it had none. */
int64_t uplink_retry_after_s(const struct uplink *uplink);

/* Whether the server wants the collector to be stopped, as its last answer to a PUT has it. Before the first one the answer
 * to uplink_greet() counts, which knows no address: it is so where any host's collector is to be stopped. Each request says
 * what is known here. */
bool uplink_is_stopped(const struct uplink *uplink);

/* Goes on from what the uplink `before` was told. */
void uplink_take_over(struct uplink *uplink, const struct uplink *before);

/* Whether the server is on this machine: as its last answer told or, before the first,
 * as its URL does. */
bool uplink_is_local(const struct uplink *uplink);

/* What the last request was and came to, with the server's own sentence: "PUT
 * http://…: HTTP 503 (the store is down)". Borrowed until the next call. */
const char *uplink_describe(struct uplink *uplink);

/* The URL of collector.url, with a slash at its end. */
const char *uplink_server(const struct uplink *uplink);

#endif
