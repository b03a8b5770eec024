/*
 * How long an engine beyond the network keeps samples, and how long it should: a
 * bucket or database that is there already keeps its own retention unless we are told
 * to manage it. One thread checks; any thread may ask.
 */
#ifndef VIGIE_FCGI_REMOTE_RETENTION_H
#define VIGIE_FCGI_REMOTE_RETENTION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/config.h"

enum { RETENTION_MIN_S = 3600 }; /* InfluxDB's own limit, of both versions */

struct retention {
	int64_t wanted_ms;
	int64_t wanted_s; /* the engine's to be: at least RETENTION_MIN_S */
	bool manage;
	int64_t warned_s;   /* the engine's that was complained of; -1: none yet */
	atomic_llong in_force_ms;
};

void retention_init(struct retention *retention, const struct config *config);

/* Whether the engine's retention (0: for ever) is to be changed to `wanted_s`. Where it
 * differs and is not, a warning says so, once; `holder`: "influxql: database x". */
bool retention_is_to_change(struct retention *retention, const char *holder, int64_t engine_s);

/* Takes note of what the engine keeps from now on. */
void retention_set(struct retention *retention, int64_t engine_s);

/* The shorter of ours and the engine's, milliseconds. */
int64_t retention_ms(const struct retention *retention);

#endif
