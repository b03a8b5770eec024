#include "forecast/forecaster.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "forecast/climb.h"
#include "forecast/learner.h"
#include "forecast/long_horizon.h"

/* Inputs that wait for their label, in a 16-bit fixed point: they lie within the clip. */
#define FIXED (32000.0f / PRIOR_CLIP)

/* Measured: a slower one loses what is a series' own, a faster one forgets what all have in common. */
#define LOG_ODDS_RATE 0.006
#define RISE_RATE 0.002

/* Under this probability no time is given for what is not expected. */
#define LEAD_FROM 0.05

/* The line that forecaster_save() writes: how far was learnt, what was learnt (learner_save()), the limit, and the week in
 * its units. */
#define SAVED "3 "

/* In limits: what is more than that is over it, and that is all. */
#define VALUE_MAX 1e6f

struct waiting {
	bool valid; /* the limit was not passed already, and enough was known */
	float now;
	int16_t inputs[PRIOR_INPUTS];
};

struct forecaster {
	const struct prior *prior;
	unsigned horizon;
	double long_horizon;
	double limit;
	int64_t learnt_to; /* what steps up to this one looked like was learnt in an earlier life */
	struct timeline timeline;
	struct learner log_odds, rise;
	struct waiting waiting[]; /* horizon, ring: of step k at k % horizon */
};

struct forecaster *forecaster_open(const struct prior *prior, unsigned horizon, double limit)
{
	struct forecaster *forecaster = calloc(1, sizeof(*forecaster) + horizon * sizeof(forecaster->waiting[0]));
	if (!forecaster)
		return NULL;
	forecaster->prior = prior;
	forecaster->horizon = horizon;
	forecaster->limit = limit > 0 ? limit : 1e-6;
	forecaster->learnt_to = INT64_MIN;
	timeline_init(&forecaster->timeline);
	learner_init(&forecaster->log_odds, prior->weights[PRIOR_LOG_ODDS]);
	learner_init(&forecaster->rise, prior->weights[PRIOR_RISE]);
	return forecaster;
}

void forecaster_close(struct forecaster *forecaster)
{
	if (forecaster)
		timeline_free(&forecaster->timeline);
	free(forecaster);
}

int forecaster_set_step(struct forecaster *forecaster, int64_t step_s)
{
	return timeline_set_step(&forecaster->timeline, step_s);
}

void forecaster_set_long_horizon(struct forecaster *forecaster, double steps)
{
	forecaster->long_horizon = steps;
}

int64_t forecaster_newest(const struct forecaster *forecaster)
{
	return forecaster->timeline.count ? forecaster->timeline.newest : INT64_MIN;
}

static struct waiting *waiting_of(struct forecaster *forecaster, int64_t index)
{
	return &forecaster->waiting[index % forecaster->horizon];
}

/* The highest of the `horizon` steps up to the newest. False when half of them are not known
 * and no other is over the limit. */
static bool label(const struct forecaster *forecaster, float *ret_highest)
{
	const struct timeline *timeline = &forecaster->timeline;
	unsigned known = 0;
	*ret_highest = 0;
	for (unsigned i = 0; i < forecaster->horizon; i++) {
		float max = timeline_max(timeline, timeline->newest - i);
		known += isnan(max) ? 0 : 1;
		*ret_highest = max > *ret_highest ? max : *ret_highest;
	}
	return *ret_highest > 1 || 2 * known > forecaster->horizon;
}

/* The newest step is the last one within the horizon of the inputs that wait in its place. */
static void learn(struct forecaster *forecaster)
{
	struct waiting *waiting = waiting_of(forecaster, forecaster->timeline.newest);
	float highest;
	if (!waiting->valid || !label(forecaster, &highest))
		return;
	float inputs[PRIOR_INPUTS];
	for (unsigned i = 0; i < PRIOR_INPUTS; i++)
		inputs[i] = waiting->inputs[i] / FIXED;
	double probability = learner_probability(prior_sum(forecaster->log_odds.weights, inputs));
	learner_update(&forecaster->log_odds, inputs, probability - (highest > 1), LOG_ODDS_RATE);
	double error = prior_sum(forecaster->rise.weights, inputs) - (double)(highest - waiting->now);
	learner_update(&forecaster->rise, inputs, learner_absolute_slope(error), RISE_RATE);
}

static void wait_for_label(struct forecaster *forecaster)
{
	struct waiting *waiting = waiting_of(forecaster, forecaster->timeline.newest);
	const struct step none = { .mean = NAN, .max = NAN };
	struct features features;
	/* Of those whose label was not known yet when an earlier life ended is still to be learnt. */
	waiting->valid = forecaster->timeline.newest + forecaster->horizon > forecaster->learnt_to &&
	                 features_compute(&forecaster->timeline, none, 0, forecaster->horizon, &features) &&
	                 features.now <= 1 && !features.constant;
	if (!waiting->valid)
		return;
	waiting->now = features.now;
	float inputs[PRIOR_INPUTS];
	prior_inputs(forecaster->prior, &features, forecaster->horizon, inputs);
	for (unsigned i = 0; i < PRIOR_INPUTS; i++)
		waiting->inputs[i] = (int16_t)lrintf(inputs[i] * FIXED);
}

static float in_limits(const struct forecaster *forecaster, float percent)
{
	float value = percent / (float)forecaster->limit;
	return value > VALUE_MAX ? VALUE_MAX : value;
}

static struct step step_in_limits(const struct forecaster *forecaster, struct step step)
{
	return (struct step){ .mean = in_limits(forecaster, step.mean), .max = in_limits(forecaster, step.max) };
}

void forecaster_add(struct forecaster *forecaster, int64_t index, struct step step)
{
	struct timeline *timeline = &forecaster->timeline;
	if (timeline->count > 0 && index <= timeline->newest)
		return;
	/* What waits for a step that was passed over has lost its label. */
	int64_t passed_over = timeline->count > 0 ? index - timeline->newest - 1 : 0;
	for (int64_t i = 1; i <= passed_over && i <= forecaster->horizon; i++)
		waiting_of(forecaster, timeline->newest + i)->valid = false;
	timeline_add(timeline, index, step_in_limits(forecaster, step));
	learn(forecaster);
	wait_for_label(forecaster);
}

/* The median of what passes the limit more often than not is over it. */
static double over_if_likely(double probability, double highest)
{
	return probability > 0.5 ? fmax(highest, 1) : highest;
}

/* What is no matter of learning: where a steady climb says more than was learnt it is believed. */
static void predict_from_lines(const struct forecaster *forecaster, struct step present, double phase,
                               struct prediction *prediction)
{
	struct view view, room;
	struct climb climb;
	const struct timeline *timeline = &forecaster->timeline;
	if (!view_make(timeline, step_in_limits(forecaster, present), phase, &view))
		return;
	const struct view *slots = view_slots(timeline, &view, &room);
	if (forecaster->long_horizon > 0)
		prediction->full_steps = long_horizon_compute(&view, slots, timeline->pool, forecaster->long_horizon);
	climb_compute(timeline, &view, slots, forecaster->horizon, &climb);
	prediction->climb = climb.probability;
	if (!(climb.probability > prediction->probability))
		return;
	prediction->probability = climb.probability;
	prediction->forecast = fmax(prediction->forecast, over_if_likely(climb.probability, climb.highest) * forecaster->limit);
	prediction->lead_steps = climb.probability < LEAD_FROM ? NAN : climb.lead;
}

bool forecaster_predict(const struct forecaster *forecaster, struct step present, double phase,
                        struct prediction *ret_prediction)
{
	struct features features;
	float inputs[PRIOR_INPUTS];
	if (!features_compute(&forecaster->timeline, step_in_limits(forecaster, present), phase, forecaster->horizon,
	                      &features))
		return false;
	if (features.constant) {
		*ret_prediction = (struct prediction){ .probability = features.now > 1,
		                                       .forecast = (double)features.now * forecaster->limit,
		                                       .lead_steps = features.now > 1 ? 0 : NAN,
		                                       .full_steps = NAN };
		return true;
	}
	prior_inputs(forecaster->prior, &features, forecaster->horizon, inputs);
	double probability = learner_probability(prior_sum(forecaster->log_odds.weights, inputs));
	double highest = fmax(0, (double)features.now + prior_sum(forecaster->rise.weights, inputs));
	double lead = prior_sum(forecaster->prior->weights[PRIOR_LEAD], inputs);
	*ret_prediction = (struct prediction){
		.probability = probability,
		.forecast = over_if_likely(probability, highest) * forecaster->limit,
		.lead_steps = probability < LEAD_FROM ? NAN : fmin(fmax(lead, 0), 1) * forecaster->horizon,
		.full_steps = NAN,
	};
	predict_from_lines(forecaster, present, phase, ret_prediction);
	return true;
}

static int compare_parts(const void *left, const void *right)
{
	double a = fabs(((const struct forecaster_part *)left)->log_odds);
	double b = fabs(((const struct forecaster_part *)right)->log_odds);
	return (a < b) - (a > b);
}

int forecaster_parts(const struct forecaster *forecaster, struct step present, double phase,
                     struct forecaster_part ret_parts[static FORECASTER_PARTS])
{
	struct features features;
	float inputs[PRIOR_INPUTS];
	const float *weights = forecaster->log_odds.weights;
	if (!features_compute(&forecaster->timeline, step_in_limits(forecaster, present), phase, forecaster->horizon,
	                      &features))
		return -1;
	if (features.constant)
		return 0;
	prior_inputs(forecaster->prior, &features, forecaster->horizon, inputs);
	for (unsigned i = 0; i < FEATURE_COUNT; i++)
		ret_parts[i] = (struct forecaster_part){
			.name = feature_name(i), .meaning = feature_meaning(i),
			.log_odds = (double)(weights[i] * inputs[i]), .value = (double)features.values[i],
		};
	ret_parts[FEATURE_COUNT] = (struct forecaster_part){
		.name = "trees", .meaning = "log-odds that the trees add to what the features say",
		.log_odds = (double)(weights[PRIOR_TREES] * inputs[PRIOR_TREES]), .value = (double)inputs[PRIOR_TREES],
	};
	qsort(ret_parts, FORECASTER_PARTS, sizeof(ret_parts[0]), compare_parts);
	return FORECASTER_PARTS;
}

void forecaster_explain(const struct forecaster *forecaster, struct step present, double phase, struct text *text)
{
	struct forecaster_part parts[FORECASTER_PARTS];
	int count = forecaster_parts(forecaster, present, phase, parts);
	if (count == 0)
		text_append_string(text, "it has never changed\n");
	for (int i = 0; i < count; i++)
		text_printf(text, "%+.3f %s = %.4g (%s)\n", parts[i].log_odds, parts[i].name, parts[i].value, parts[i].meaning);
}

void forecaster_save(const struct forecaster *forecaster, struct text *text)
{
	int64_t newest = forecaster_newest(forecaster);
	text_printf(text, SAVED "%" PRId64, newest > forecaster->learnt_to ? newest : forecaster->learnt_to);
	learner_save(&forecaster->log_odds, forecaster->prior->weights[PRIOR_LOG_ODDS], text);
	learner_save(&forecaster->rise, forecaster->prior->weights[PRIOR_RISE], text);
	text_printf(text, " %.9g ", forecaster->limit);
	week_save(&forecaster->timeline.week, text);
}

/* The limit, and the week that is in its units. */
static bool restore_week(const struct forecaster *forecaster, struct week *week, const char **at)
{
	char *end;
	if (**at != ' ' || !isdigit((unsigned char)(*at)[1]))
		return false;
	double limit = strtod(*at + 1, &end);
	if (!(limit > 0) || !isfinite(limit) || *end != ' ')
		return false;
	*at = end + 1;
	double scale = limit / forecaster->limit;
	/* The limit was written with nine digits. */
	return week_restore(week, at, fabs(scale - 1) < 1e-6 ? 1 : scale);
}

bool forecaster_restore(struct forecaster *forecaster, const char *line)
{
	if (strncmp(line, SAVED, strlen(SAVED)) != 0 || isspace((unsigned char)line[strlen(SAVED)]))
		return false;
	struct learner log_odds = forecaster->log_odds, rise = forecaster->rise;
	struct week week = forecaster->timeline.week;
	char *end;
	errno = 0;
	long long learnt_to = strtoll(line + strlen(SAVED), &end, 10);
	const char *at = end;
	if (errno || !learner_restore(&log_odds, &at) || !learner_restore(&rise, &at) ||
	    !restore_week(forecaster, &week, &at) || *at != '\0')
		return false;
	forecaster->log_odds = log_odds;
	forecaster->rise = rise;
	forecaster->timeline.week = week;
	forecaster->learnt_to = learnt_to;
	return true;
}
