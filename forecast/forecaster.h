/*
 * The forecast of one series: its history in steps, and a model that learns from it.
 *
 * The model is three sums over the features of forecast/features.h, standardised by the
 * prior, and what its trees make of them: the log-odds that the limit is passed within the
 * horizon (a logistic regression), how far the highest maximum is expected over the present
 * one (its median, by an absolute error that is smooth near zero), and when. The first two
 * start from the prior and learn from each step whose horizon has passed
 * (forecast/learner.h); the last is the prior's. What climbs steadily (forecast/climb.h) is
 * forecast by that where it says more.
 *
 * Values are in percent. Steps are those of forecast/timeline.h.
 *
 * Pure: no clock, no I/O. One thread uses a forecaster.
 */
#ifndef VIGIE_FORECAST_FORECASTER_H
#define VIGIE_FORECAST_FORECASTER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/text.h"
#include "forecast/prior.h"
#include "forecast/timeline.h"

struct prediction {
	double probability; /* 0 to 1: that a step within the horizon has a maximum over the limit */
	double forecast;    /* percent: the highest maximum expected within the horizon */
	double lead_steps;  /* until the limit is expected to be passed, 0 to the horizon; NAN: it is not expected to */
	double climb;       /* 0 to 1: what a steady climb alone says of the probability, which is no less; forecast/climb.h */
	double full_steps;  /* until the limit is reached, within the long horizon; NAN: not that; forecast/long_horizon.h */
};

struct forecaster;

/* A series of which nothing is known yet. `prior` is borrowed until forecaster_close(),
 * `horizon` is in steps, 1 to FORECASTER_HORIZON_MAX, `limit` in percent. NULL: out of memory. */
enum { FORECASTER_HORIZON_MAX = 48 };
struct forecaster *forecaster_open(const struct prior *prior, unsigned horizon, double limit);
void forecaster_close(struct forecaster *forecaster);

/* Before the first step: steps are so long, from a second to a day, and not five minutes. 0 or -ENOMEM. */
int forecaster_set_step(struct forecaster *forecaster, int64_t step_s) __attribute__((warn_unused_result));

/* How far ahead prediction.full_steps looks, in steps; 0: not at all, as at first. */
void forecaster_set_long_horizon(struct forecaster *forecaster, double steps);

/* The newest step that forecaster_add() was given; INT64_MIN: none yet. */
int64_t forecaster_newest(const struct forecaster *forecaster);

/* Takes a complete step, later than every one before (others are ignored); steps left out
 * are gaps. The model learns from every step whose horizon has now passed. */
void forecaster_add(struct forecaster *forecaster, int64_t index, struct step step);

/*
 * Predicts from all complete steps. `present`, unless its values are NAN, is what the last
 * step's length of time up to now looks like, `phase` (0 to 1) of a step after the end
 * of the newest complete step. False while less than three steps are known,
 * or no value in the last two; the output is then untouched.
 */
bool forecaster_predict(const struct forecaster *forecaster, struct step present, double phase,
                        struct prediction *ret_prediction) __attribute__((warn_unused_result));

/* What a feature, or the trees, added to a prediction. */
struct forecaster_part {
	const char *name, *meaning; /* constants */
	double log_odds, value;     /* what it added, and what it is itself */
};

enum { FORECASTER_PARTS = FEATURE_COUNT + 1 };

/* What moved the last prediction, the strongest first. Returns how many parts there are: none of a series that has
 * never changed, -1 where nothing can be predicted. */
int forecaster_parts(const struct forecaster *forecaster, struct step present, double phase,
                     struct forecaster_part ret_parts[static FORECASTER_PARTS]);

/* Appends the same, a line each. */
void forecaster_explain(const struct forecaster *forecaster, struct step present, double phase, struct text *text);

/* Appends what the model has learnt and the week, a line of text without its newline: not the history,
 * which the store has. */
void forecaster_save(const struct forecaster *forecaster, struct text *text);

/* Puts a saved line into a forecaster that has no steps yet; with the same steps it is then
 * where the saved one was, what was learnt is not learnt again. False for what is no such line, or
 * of another version: the forecaster is then as it was. */
bool forecaster_restore(struct forecaster *forecaster, const char *line) __attribute__((warn_unused_result));

#endif
