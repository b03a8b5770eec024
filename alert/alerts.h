/*
 * What an Alertmanager is to know: an alert for each alarm that stands, and for each that has ended the end, as bodies of
 * POST api/v2/alerts, and as the file that a restart goes on from.
 *
 *   [{"labels": {"alertname": "vigie", "colour": "red", "host": "10.0.0.5", "hostname": "db1", "process": "java",
 *                "resource": "mem"},
 *     "annotations": {"summary": "java on db1: mem 83.10 %, limit 80 %", "value": "83.10", "threshold": "80"},
 *     "startsAt": "2026-11-22T14:00:10.000Z", "endsAt": "2026-11-22T14:04:15.000Z", "generatorURL": "http://…"}]
 *
 * The labels are what Alertmanager knows an alert by. The colour is one of them, so that it can be routed by, and inhibited:
 * an AMBER that becomes a RED ends, and another alert begins. What may change meanwhile is in the annotations; a
 * host's name stays what it was when the alert began; what begins again under another name is another alert, and the end of
 * the first is told all the same. An alert about a host as a whole has neither process nor resource, one
 * about a process that must run and does not has no resource; a
 * host whose name is not known has no hostname. colour is red, amber or unknown.
 *
 * What a silence covers (alert/states.h) does not begin, before that has ended; what has begun before goes on, so that
 * nobody is told an end that is none, until it ends; an AMBER as well that becomes a RED meanwhile.
 *
 * How Alertmanager 0.25 takes them (tests/integration/test_41_channels.py):
 * - Both times are always sent. Without startsAt an alert starts at its own endsAt, if that is to come.
 * - An alert ends at the endsAt that was sent last: it is renewed well before.
 * - What is not posted after its restart, it does not know, and never says resolved; nor what was resolved while it was
 *   inhibited, unless that is posted again: an end is posted again and again for ALERTS_KEEP_MS, three times its usual
 *   group_interval, and until it has been taken, at most for ALERTS_KEEP_MAX_MS.
 * - An end that is to come raises it again until then: it is never sent, whatever the clock was set to.
 *
 * Pure: takes the time as an argument, does no I/O. One thread at a time uses an alerts.
 */
#ifndef VIGIE_ALERT_ALERTS_H
#define VIGIE_ALERT_ALERTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alert/hostnames.h"
#include "alert/states.h"
#include "common/text.h"

enum {
	ALERTS_BODY_MAX = 1000,                /* about a second of an Alertmanager that is busy */
	ALERTS_KEEP_MS = 15 * 60 * 1000,
	ALERTS_KEEP_MAX_MS = 2 * 86400 * 1000, /* then it has long ended by itself */
	ALERTS_ENDED_MAX = 10000,              /* ends that are kept; further alerts are forgotten at their end, and end by themselves */
};

struct alerts;

/* NULL: out of memory. */
struct alerts *alerts_open(void);
void alerts_close(struct alerts *alerts);

/* Whether an alarm stands that is none of them yet, and is to be. */
bool alerts_lack(const struct alerts *alerts, const struct states *states);

/* Takes over what stands at `now_ms`; what does not stand any more ends. `names` are for alerts that begin; NULL: none
 * begins. 0; or -ENOMEM: then none has ended, and some may have begun. */
int alerts_update(struct alerts *alerts, const struct states *states, const struct hostnames *names, int64_t now_ms)
	__attribute__((warn_unused_result));

/* Rises with each alert that begins or ends; 0: there was none. */
uint64_t alerts_version(const struct alerts *alerts);

/* Appends the bodies, of ALERTS_BODY_MAX alerts at most, that tell what has begun or ended since `version`; 0: all. Each ends
 * with a NUL but for the last, whose NUL is the text's own; there is one at least, which may be of no alerts. Those that
 * stand end at `end_ms`. `page` is the server's URL, with a slash at its end. */
void alerts_format(const struct alerts *alerts, uint64_t version, int64_t now_ms, int64_t end_ms, const char *page,
                   struct text *bodies);

/* Drops the ends that need not be told any more; those up to `version` have been taken by everybody. */
void alerts_forget(struct alerts *alerts, uint64_t version, int64_t now_ms);

/* The file's content. A failure is the text's. */
void alerts_save(const struct alerts *alerts, struct text *text);

/* Puts a file's content into `alerts`, which are empty. 0; -EBADMSG with a sentence for what is no such file, or -ENOMEM:
 * some of it may then have been put there. */
int alerts_restore(struct alerts *alerts, const char *content, size_t length, struct text *ret_error)
	__attribute__((warn_unused_result));

#endif
