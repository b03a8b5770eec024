/*
 * What the collectors last said of themselves, a host each. It is not in the store, since
 * every PUT says it again; a host that says nothing for the whole retention is dropped.
 *
 * Any thread may call. One lock, within which no other is taken.
 */
#ifndef VIGIE_FCGI_REPORTS_H
#define VIGIE_FCGI_REPORTS_H

#include <stdint.h>

#include "common/text.h"
#include "fcgi/report.h"

enum {
	REPORTS_MAX = 100000,      /* hosts; what further ones say is not kept */
	REPORTS_SHOWN_MAX = 10000, /* hosts in metrics: those that are known longest, so that they stay the same */
};

struct reports;

/* NULL: out of memory. */
struct reports *reports_open(void);

/* No other call may be under way. Accepts NULL. */
void reports_close(struct reports *reports);

/* Keeps a host's report in the place of its last one. Without memory for it, it is not
 * kept. Now and then those from before `oldest_ms` are dropped. */
void reports_keep(struct reports *reports, const char *ip, const struct report *report, int64_t now_ms,
                  int64_t oldest_ms);

/* A host's report since `oldest_ms`; where there is none, one that says nothing. */
struct report reports_find(struct reports *reports, const char *ip, int64_t oldest_ms);

/* Appends those since `oldest_ms` as Prometheus text (exposition format 0.0.4). */
void reports_append_metrics(struct reports *reports, int64_t oldest_ms, struct text *text);

#endif
