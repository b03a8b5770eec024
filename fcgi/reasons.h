/*
 * Why the newest forecasts are what they are: a series' limit and horizon, and what moved its forecast, as the forecast
 * service says with each. They are words, which no store holds: here they are until the next start, or until nothing
 * has come for a series for three refreshes.
 *
 * Any thread may call. One lock, within which no other is taken.
 */
#ifndef VIGIE_FCGI_REASONS_H
#define VIGIE_FCGI_REASONS_H

#include <stdint.h>

#include "common/text.h"
#include "fcgi/body.h"
#include "fcgi/sample.h"
#include "fcgi/store.h"

enum {
	REASONS_MAX = 100000,                /* series; what is said of further ones is not kept */
	REASONS_WORDS_MAX = 32 * 1024 * 1024, /* bytes of what moved all of them */
};

struct reasons;

/* What moved them is kept up to `words_max` bytes in all. NULL: out of memory. */
struct reasons *reasons_open(size_t words_max);

/* No other call may be under way. Accepts NULL. */
void reasons_close(struct reasons *reasons);

/* Keeps what a body says of its forecasts, each in the place of an older one; drops those that came before `oldest_ms`,
 * by the same clock as `now_ms`. */
void reasons_keep(struct reasons *reasons, const struct body *body, int64_t now_ms, int64_t oldest_ms);

/* Appends the members limit, horizon_s and why, null where they are not known, to the object of a series' forecast. */
void reasons_append(struct reasons *reasons, const struct series_key *key, enum resource resource, struct text *text);

#endif
