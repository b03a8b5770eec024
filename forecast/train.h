/*
 * Learns what every series' model starts from: a prior, fitted to many series at once.
 *
 * Each series of half a day or more counts the same, however long it is. Of the steps that are not over the limit
 * themselves the features are taken, for the series' horizon and for twice it, so that one
 * prior serves several horizons; the three sums of forecast/prior.h are fitted to what
 * came after, by Nesterov's accelerated gradient method over all rows (Beck and Teboulle
 * 2009, FISTA without a proximal step), with a penalty on the squares of the weights. Trees
 * are then fitted to what is left (forecast/boost.h).
 *
 * Pure. One thread uses a trainer, which fits with several. At most TRAIN_ROWS_MAX rows are
 * kept, with what fitting needs about 230 MiB; when they are full every second one is dropped.
 */
#ifndef VIGIE_FORECAST_TRAIN_H
#define VIGIE_FORECAST_TRAIN_H

#include <stddef.h>
#include <stdint.h>

#include "forecast/prior.h"
#include "forecast/timeline.h"

enum {
	TRAIN_ROWS_MAX = 1 << 19,
	TRAIN_TREES = TREES_MAX,
	TRAIN_SKIPPED_STEPS = 24, /* the first ones of each series, which tell little */
};

struct trainer;

/* NULL: out of memory. */
struct trainer *train_open(void); /* for steps of five minutes */
void train_close(struct trainer *trainer);

/* Before the first series: steps are so long, from a second to a day. */
void train_set_step(struct trainer *trainer, int64_t step_s);

/* Adds a series: steps[count] in percent, gaps as NAN, of which the first is step
 * `first_index`; `horizon` in steps, `limit` in percent. 0 or -ENOMEM. */
int train_add(struct trainer *trainer, const struct step *steps, size_t count, int64_t first_index,
              unsigned horizon, double limit) __attribute__((warn_unused_result));

/* Fits. 0 with a prior to be freed with prior_free(); -ENODATA when there is nothing to
 * learn from: no row, or none that the limit was passed after, or all; -ENOMEM. */
int train_finish(struct trainer *trainer, struct prior **ret_prior) __attribute__((warn_unused_result));

#endif
