#include "forecast/learner.h"

#include <math.h>
#include <string.h>

/* In limits. */
#define SMOOTH 0.05

void learner_init(struct learner *learner, const float weights[static PRIOR_INPUTS])
{
	memcpy(learner->weights, weights, sizeof(learner->weights));
	for (unsigned i = 0; i < PRIOR_INPUTS; i++)
		learner->squares[i] = 1;
}

double learner_probability(double log_odds)
{
	return 1 / (1 + exp(-log_odds));
}

void learner_update(struct learner *learner, const float inputs[static PRIOR_INPUTS], double slope, double rate)
{
	for (unsigned i = 0; i < PRIOR_INPUTS; i++) {
		float gradient = (float)slope * inputs[i];
		learner->squares[i] += gradient * gradient;
		learner->weights[i] -= (float)rate * gradient / sqrtf(learner->squares[i]);
	}
}

double learner_absolute_slope(double error)
{
	double slope = error / SMOOTH;
	return slope < -1 ? -1 : slope > 1 ? 1 : slope;
}
