/*
 * A weighted sum that learns online by AdaGrad, the diagonal form (Duchi, Hazan, Singer
 * 2011, "Adaptive subgradient methods for online learning and stochastic optimization",
 * figure 1): each weight moves against its gradient, divided by the root of the squares of
 * its gradients so far.
 *
 * Pure. One thread uses a learner.
 */
#ifndef VIGIE_FORECAST_LEARNER_H
#define VIGIE_FORECAST_LEARNER_H

#include "common/text.h"
#include "forecast/prior.h"

struct learner {
	float weights[PRIOR_INPUTS];
	float squares[PRIOR_INPUTS]; /* of the gradients so far, begun at 1 */
};

/* Begins with weights[PRIOR_INPUTS]. */
void learner_init(struct learner *learner, const float weights[static PRIOR_INPUTS]);

/* 1 / (1 + exp(-log_odds)), for any number. */
double learner_probability(double log_odds);

/*
 * One step against a loss whose derivative by the sum is `slope` at these inputs; by weight
 * i it is slope * inputs[i]. Of logistic regression, with the loss -log of the probability
 * given to what happened, the slope is probability - happened.
 */
void learner_update(struct learner *learner, const float inputs[static PRIOR_INPUTS], double slope, double rate);

/* The slope of the absolute error of a sum, which is squared, and so smooth, near zero. */
double learner_absolute_slope(double error);

/* Appends a space and what was learnt: how far the weights have moved `from` those that it began with, and the squares. */
void learner_save(const struct learner *learner, const float from[static PRIOR_INPUTS], struct text *text);

/* Adds that to a learner as it began, and moves *at behind it. False for what is no such text: the learner is then to be
 * thrown away. */
bool learner_restore(struct learner *learner, const char **at) __attribute__((warn_unused_result));

#endif
