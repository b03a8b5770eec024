/*
 * What a series' model starts from: scales, weights and boosted trees learnt over many series, either
 * those that are built in or those of a file that `vigie-forecast train` has written.
 *
 * The log-odds are a weighted sum of the inputs, of which one is what the trees add to the others: the sum sees where
 * things lead, beyond all that was learnt from, the trees what goes together. All of its weights, that of the
 * trees, too, are where a series' own learner begins.
 *
 * Read-only once made. Pure but for prior_read() and prior_write().
 */
#ifndef VIGIE_FORECAST_PRIOR_H
#define VIGIE_FORECAST_PRIOR_H

#include "common/text.h"
#include "forecast/features.h"
#include "forecast/trees.h"

/* What goes into the sums: the features, the log of the horizon in half hours, what the trees make of those before
 * them, in log-odds, and 1. */
enum { PRIOR_HORIZON = FEATURE_COUNT, PRIOR_TREES, PRIOR_ONE, PRIOR_INPUTS };

/* What the sums are. All in units of the limit. */
enum prior_sum {
	PRIOR_LOG_ODDS, /* that a step within the horizon has a maximum over the limit */
	PRIOR_RISE,     /* from the present maximum to the highest within the horizon, the median */
	PRIOR_LEAD,     /* until the limit is passed, if it is, in horizons */
	PRIOR_SUMS
};

struct prior {
	float center[PRIOR_INPUTS], scale[PRIOR_INPUTS]; /* of each input; 0 and 1 of the last two */
	float weights[PRIOR_SUMS][PRIOR_INPUTS];
	struct trees trees; /* their columns are the inputs before them, standardised */
};

enum { PRIOR_CLIP = 4 }; /* standardised inputs lie within -4 to 4 */

/* One input, standardised and clipped. */
float prior_standard(const struct prior *prior, unsigned input, float value);

/* Standardises what a series shows for a horizon of so many steps. */
void prior_inputs(const struct prior *prior, const struct features *features, unsigned horizon,
                  float ret_inputs[static PRIOR_INPUTS]);

/* The sum of weights[PRIOR_INPUTS] times inputs[PRIOR_INPUTS]. */
double prior_sum(const float weights[static PRIOR_INPUTS], const float inputs[static PRIOR_INPUTS]);

/* The one that comes with the program; never freed. */
const struct prior *prior_builtin(void);

/*
 * Reads a model file. 0 with a prior to be freed with prior_free(); -EBADMSG with a
 * sentence in `ret_error` for a file that is broken or of another version; other negative
 * errnos when it cannot be read.
 *
 * The file is text: a line with format and version, a line for each input with its name,
 * center, scale and weights, the trees as trees_format() has them, and the CRC-32 of all that.
 */
int prior_read(const char *path, struct prior **ret_prior, struct text *ret_error)
	__attribute__((warn_unused_result));

/* Replaces the file as a whole. 0 or a negative errno. */
int prior_write(const char *path, const struct prior *prior) __attribute__((warn_unused_result));

void prior_free(struct prior *prior);

/* The file's content, and its reverse: 0, -EBADMSG with a sentence, or -ENOMEM. Pure. */
void prior_format(const struct prior *prior, struct text *text);
int prior_parse(const char *content, struct prior *ret_prior, struct text *ret_error)
	__attribute__((warn_unused_result));

#endif
