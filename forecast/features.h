/*
 * What the model sees of a series: numbers made of its past alone. The table in
 * features.c describes each, as vigie-forecast(8) and `explain` do.
 *
 * All in units of the limit, so that one model serves every limit. Pure.
 */
#ifndef VIGIE_FORECAST_FEATURES_H
#define VIGIE_FORECAST_FEATURES_H

#include <stdbool.h>

#include "forecast/timeline.h"

/* In the order of the inputs of the model, and so of what is in the files of models and states. */
enum feature {
	FEATURE_NOW,
	FEATURE_NOW_MEAN,
	FEATURE_CHANGE_1,
	FEATURE_CHANGE_1_BEFORE,
	FEATURE_CHANGE_3,
	FEATURE_MEAN_24,
	FEATURE_MEAN_72,
	FEATURE_MEAN_DAY,
	FEATURE_MAX_24,
	FEATURE_MAX_DAY,
	FEATURE_DEVIATION_6,
	FEATURE_DEVIATION_24,
	FEATURE_DEVIATION_DAY,
	FEATURE_LOW_DAY,
	FEATURE_HIGH_24,
	FEATURE_HIGH_DAY,
	FEATURE_SPREAD_24,
	FEATURE_RISE_6,
	FEATURE_RISE_12,
	FEATURE_RISE_24,
	FEATURE_RISE_48,
	FEATURE_RISE_MEANS,
	FEATURE_REACH_12,
	FEATURE_REACH_24,
	FEATURE_REACH_48,
	FEATURE_REACH_CLIMB,
	FEATURE_PASS_12,
	FEATURE_PASS_24,
	FEATURE_PASS_48,
	FEATURE_PASS_CLIMB,
	FEATURE_DISTANCE_24,
	FEATURE_DISTANCE_DAY,
	FEATURE_RANK,
	FEATURE_OVER_24,
	FEATURE_OVER_DAY,
	FEATURE_CROSSING_AGE,
	FEATURE_CROSSING_RATIO,
	FEATURE_CROSSING_DUE,
	FEATURE_ONSET_AGE,
	FEATURE_ONSET_DUE,
	FEATURE_CYCLE_CROSSED,
	FEATURE_CYCLE_ONSET,
	FEATURE_CYCLE_OVER,
	FEATURE_CYCLE_MAX,
	FEATURE_CYCLE_STRENGTH,
	FEATURE_CYCLE_CROSSED_CLEAR,
	FEATURE_CYCLE_OVER_CLEAR,
	FEATURE_YESTERDAY,
	FEATURE_YESTERDAY_MOVED,
	FEATURE_YESTERDAY_KNOWN,
	FEATURE_DAY_BEFORE,
	FEATURE_DAY_BEFORE_MOVED,
	FEATURE_DAY_BEFORE_KNOWN,
	FEATURE_DAY_SINE,
	FEATURE_DAY_COSINE,
	FEATURE_NEAR_70,
	FEATURE_NEAR_85,
	FEATURE_NEAR_93,
	FEATURE_HOLT,
	FEATURE_HOLT_SLOW,
	FEATURE_HOLT_NEAR_95,
	FEATURE_HOLT_OVER,
	FEATURE_HIGH_NEAR_90,
	FEATURE_HIGH_OVER,
	FEATURE_JUMP,
	FEATURE_DAYS_MEAN,
	FEATURE_DAYS_HIGH,
	FEATURE_DAYS_MOVED,
	FEATURE_DAYS_OVER,
	FEATURE_DAYS_OVER_WIDE,
	FEATURE_DAYS_KNOWN,
	FEATURE_PROFILE_LEVEL,
	FEATURE_PROFILE_DEVIATION,
	FEATURE_PROFILE_EXPECTED,
	FEATURE_PROFILE_PASS,
	FEATURE_PROFILE_OVER,
	FEATURE_WEEK_AGO,
	FEATURE_WEEK_AGO_MOVED,
	FEATURE_WEEK_HIGH,
	FEATURE_WEEK_LOW,
	FEATURE_WEEK_RANK,
	FEATURE_WEEK_OVER,
	FEATURE_COUNT
};

/* The name and the sentence of a feature, 0 to FEATURE_COUNT - 1. */
const char *feature_name(unsigned feature);
const char *feature_meaning(unsigned feature);

struct features {
	float values[FEATURE_COUNT]; /* finite */
	float now;    /* the maximum of the present step: what is predicted is more than it */
	bool constant; /* the same value for as long as is known */
};

/*
 * Looks at `timeline` for a horizon of 1 or more steps. `present`, unless its maximum is
 * NAN, is the last step's length of time up to now, `phase` (0 to 1) of a step after
 * the end of the newest step: it stands for that step, or after it, whichever is nearer.
 * False while three steps are not known, or none of the last two; the output is then
 * undefined.
 */
bool features_compute(const struct timeline *timeline, struct step present, double phase, unsigned horizon,
                      struct features *ret_features) __attribute__((warn_unused_result));

#endif
