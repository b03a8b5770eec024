/*
 * What the model sees of a series: numbers made of its past alone. features.c describes
 * each, as vigie-forecast(8) and `explain` do.
 *
 * All in units of the limit, so that one model serves every limit. Pure.
 */
#ifndef VIGIE_FORECAST_FEATURES_H
#define VIGIE_FORECAST_FEATURES_H

#include <stdbool.h>

#include "forecast/timeline.h"

enum { FEATURE_COUNT = 65 };

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
