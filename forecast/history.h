/*
 * What series did: the means and the maxima of their buckets, which the server computes,
 * asked for in two requests (get-all-detailed with fn=max and with fn=mean) and put
 * together.
 *
 * Pure: what asks is in forecast/uplink.h.
 */
#ifndef VIGIE_FORECAST_HISTORY_H
#define VIGIE_FORECAST_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include "common/text.h"
#include "common/wire.h"
#include "forecast/forecaster.h"

enum { HISTORY_MARGIN_MS = 9000 }; /* the server's clock may be so far before ours */

struct history_query {
	const char *ip, *process; /* NULL: all */
	enum resource resource;
	int64_t step_ms; /* of a bucket: whole seconds */
	int64_t first;   /* buckets: [k * step_ms, (k + 1) * step_ms) */
	size_t count;
	double above;    /* only series with a sample over this percentage in the window; negative: all */
};

struct history_series {
	const char *ip, *process;
	enum resource resource;
	int64_t first;
	const struct step *steps; /* steps[count], oldest first */
	size_t count;
};

/* Who gets the series. */
struct history_reader {
	void *user;
	/* Only a series with a bucket over what this gives is read further: -INFINITY for
	 * all, INFINITY for none. NULL: all. */
	double (*above)(void *user, const char *ip, const char *process, enum resource resource);
	/* 0, or a negative errno that ends the reading. All of it is borrowed for the call. */
	int (*read)(void *user, const struct history_series *series);
};

/* The first bucket that begins within a window of `window_ms` up to `now_ms`, by a server
 * whose clock may differ a little. */
int64_t history_first(int64_t now_ms, int64_t window_ms, int64_t step_ms);

/* Appends the request's path; `fn` is "mean" or "max". */
void history_path(const struct history_query *query, const char *fn, int64_t now_ms, struct text *path);

/*
 * Reads two answers, each ending with a NUL, and gives each series to the reader.
 * `steps` has room for query->count. Returns 0; -EBADMSG with a sentence in `ret_error`; -ENOMEM;
 * or what the reader returned.
 */
int history_merge(const struct history_query *query, const char *max_body, const char *mean_body,
                  struct step steps[], const struct history_reader *reader, struct text *ret_error)
	__attribute__((warn_unused_result));

#endif
