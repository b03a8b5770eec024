/* What the targets of forecast/ share: that a forecast is one. */
#ifndef VIGIE_TESTS_FUZZ_FORECAST_PREDICTED_H
#define VIGIE_TESTS_FUZZ_FORECAST_PREDICTED_H

#include "tests/fuzz/fuzz.h"

#include <math.h>

#include "forecast/forecaster.h"

enum { PREDICTED_HORIZON = 6, PREDICTED_FIRST = 5984522 };

#define PREDICTED_LIMIT 80.0

/* As it is sent to the server: no number is infinite, and none is missing. */
static inline void predicted_check(const struct forecaster *forecaster)
{
	const struct step none = { .mean = NAN, .max = NAN };
	struct prediction prediction;
	if (!forecaster_predict(forecaster, none, 0, &prediction))
		return;
	assert(prediction.probability >= 0 && prediction.probability <= 1);
	assert(isfinite(prediction.forecast));
	assert(isnan(prediction.lead_steps) || (prediction.lead_steps >= 0 && prediction.lead_steps <= PREDICTED_HORIZON));
}

static inline void predicted_explain(const struct forecaster *forecaster)
{
	const struct step none = { .mean = NAN, .max = NAN };
	struct text text = TEXT_EMPTY;
	forecaster_explain(forecaster, none, 0, &text);
	assert(!text_failed(&text));
	text_free(&text);
}

/* Gives it a past of some steps, in which it learns. */
static inline void predicted_add_past(struct forecaster *forecaster)
{
	for (int i = 0; i < 3 * PREDICTED_HORIZON; i++) {
		float value = (float)(i % 5 * 21);
		forecaster_add(forecaster, PREDICTED_FIRST + i, (struct step){ .mean = value / 2, .max = value });
	}
}

#endif
