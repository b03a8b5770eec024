/*
 * In the place of the model within the tests of what is around it: it keeps the steps that
 * it is given and predicts what they were last.
 */
#ifndef VIGIE_TESTS_FAKE_FORECASTER_H
#define VIGIE_TESTS_FAKE_FORECASTER_H

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forecast/forecaster.h"

enum { FAKE_STEPS = 4096 };

struct forecaster {
	const struct prior *prior;
	int64_t first, newest;
	unsigned horizon, added;
	double limit;
	char learnt[64]; /* "" or what it was restored from */
	struct step steps[FAKE_STEPS]; /* of index at index - first */
};

static unsigned forecasters_open;
static double fake_full_steps = NAN, fake_climb; /* of all predictions from now on */

struct forecaster *forecaster_open(const struct prior *prior, unsigned horizon, double limit)
{
	struct forecaster *forecaster = calloc(1, sizeof(*forecaster));
	if (!prior || horizon < 1 || horizon > FORECASTER_HORIZON_MAX)
		abort();
	if (!forecaster)
		return NULL;
	forecasters_open++;
	forecaster->prior = prior;
	forecaster->newest = INT64_MIN;
	forecaster->horizon = horizon;
	forecaster->limit = limit;
	return forecaster;
}

void forecaster_close(struct forecaster *forecaster)
{
	forecasters_open -= forecaster != NULL;
	free(forecaster);
}

int forecaster_set_step(struct forecaster *forecaster, int64_t step_s)
{
	(void)forecaster;
	return step_s > 0 ? 0 : -EINVAL;
}

void forecaster_set_long_horizon(struct forecaster *forecaster, double steps)
{
	(void)forecaster;
	if (steps < 0)
		abort();
}

int64_t forecaster_newest(const struct forecaster *forecaster)
{
	return forecaster->newest;
}

void forecaster_add(struct forecaster *forecaster, int64_t index, struct step step)
{
	if (forecaster->newest == INT64_MIN) {
		forecaster->first = index;
		forecaster->newest = index - 1;
	}
	if (index <= forecaster->newest)
		return;
	if (index - forecaster->first >= FAKE_STEPS)
		abort();
	while (++forecaster->newest < index)
		forecaster->steps[forecaster->newest - forecaster->first] = (struct step){ NAN, NAN };
	forecaster->steps[index - forecaster->first] = step;
	forecaster->added++;
}

/* The probability tells the phase, the forecast the present; the limit is passed in a step. */
bool forecaster_predict(const struct forecaster *forecaster, struct step present, double phase,
                        struct prediction *ret_prediction)
{
	if (forecaster->added < 2)
		return false;
	*ret_prediction = (struct prediction){ .probability = phase, .full_steps = fake_full_steps, .climb = fake_climb };
	ret_prediction->forecast = isnan(present.max) ? 0 : (double)present.max;
	ret_prediction->lead_steps = ret_prediction->forecast > forecaster->limit ? 1 : (double)NAN;
	return true;
}

/* One part, of the present. */
int forecaster_parts(const struct forecaster *forecaster, struct step present, double phase,
                     struct forecaster_part ret_parts[static FORECASTER_PARTS])
{
	(void)forecaster;
	ret_parts[0] = (struct forecaster_part){ .name = "present", .meaning = "fake", .log_odds = phase, .value = (double)present.max };
	return 1;
}

void forecaster_explain(const struct forecaster *forecaster, struct step present, double phase, struct text *text)
{
	(void)forecaster;
	text_printf(text, "present %g phase %g\n", (double)present.max, phase);
}

void forecaster_save(const struct forecaster *forecaster, struct text *text)
{
	text_printf(text, "fake %lld after %s", (long long)forecaster->newest, forecaster->learnt[0] ? "restart" : "start");
}

bool forecaster_restore(struct forecaster *forecaster, const char *line)
{
	if (strncmp(line, "fake ", 5) != 0)
		return false;
	snprintf(forecaster->learnt, sizeof(forecaster->learnt), "%s", line);
	return true;
}

static unsigned priors_open;

const struct prior *prior_builtin(void)
{
	static const struct prior builtin;
	return &builtin;
}

/* Any file whose first byte is an 'm' is a model. */
int prior_read(const char *path, struct prior **ret_prior, struct text *ret_error)
{
	FILE *file = fopen(path, "re");
	if (!file)
		return -errno;
	int byte = fgetc(file);
	fclose(file);
	if (byte != 'm') {
		text_append_string(ret_error, "it is no model");
		return -EBADMSG;
	}
	*ret_prior = calloc(1, sizeof(**ret_prior));
	priors_open += *ret_prior != NULL;
	return *ret_prior ? 0 : -ENOMEM;
}

void prior_free(struct prior *prior)
{
	priors_open -= prior != NULL;
	free(prior);
}

#endif
