/*
 * What the collectors last said of themselves, a host each. It is not in the store, since
 * every PUT says it again; a host that says nothing for the whole retention is dropped.
 *
 * Any thread may call. One lock, within which no other is taken.
 */
#ifndef VIGIE_FCGI_COLLECTORS_H
#define VIGIE_FCGI_COLLECTORS_H

#include <stdint.h>

#include "common/text.h"
#include "fcgi/collector_report.h"

enum {
	COLLECTORS_MAX = 100000,      /* hosts; what further ones say is not kept */
	COLLECTORS_SHOWN_MAX = 10000, /* hosts in metrics: those that are known longest, so that they stay the same */
};

struct collectors;

/* NULL: out of memory. */
struct collectors *collectors_open(void);

/* No other call may be under way. Accepts NULL. */
void collectors_close(struct collectors *collectors);

/* Keeps a host's report in the place of its last one. Without memory for it, it is not
 * kept. Now and then those from before `oldest_ms` are dropped. */
void collectors_keep(struct collectors *collectors, const char *ip, const struct collector_report *report, int64_t now_ms,
                  int64_t oldest_ms);

/* A host's report since `oldest_ms`; where there is none, one that says nothing. */
struct collector_report collectors_find(struct collectors *collectors, const char *ip, int64_t oldest_ms);

/* Appends those since `oldest_ms` as Prometheus text (exposition format 0.0.4). */
void collectors_append_metrics(struct collectors *collectors, int64_t oldest_ms, struct text *text);

#endif
