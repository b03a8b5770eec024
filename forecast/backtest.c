#include "forecast/backtest.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/program.h"
#include "forecast/forecaster.h"
#include "forecast/trace.h"

static const char *threshold = "80", *horizon = "6", *step = "300", *model, *long_horizon;

static const struct program_option options[] = {
	{ "threshold", "PERCENT", "the limit (80)", &threshold },
	{ "horizon", "STEPS", "how far ahead to look (6)", &horizon },
	{ "step", "SECONDS", "how long a step is, a row of the trace each (300)", &step },
	{ "long-horizon", "STEPS", "how far ahead to look for days; adds a column full_in", &long_horizon },
	{ "model", "FILE", "what to begin with, as train writes it; without it what is built in", &model },
	{ NULL, NULL, NULL, NULL },
};

static struct program program = {
	.name = "vigie-forecast backtest",
	.summary = "reads timestamp,value[,mean] and prints timestamp,probability,forecast, each from the rows up to it",
	.ends = true,
	.options = options,
};

static bool read_number(const char *name, const char *text, double minimum, double maximum, double *ret_number)
{
	char *end;
	*ret_number = strtod(text, &end);
	if (end > text && !*end && *ret_number >= minimum && *ret_number <= maximum)
		return true;
	log_error("--%s: '%s' is not a number from %.15g to %.15g", name, text, minimum, maximum);
	return false;
}

static void print_row(struct forecaster *forecaster, const struct trace_row *row, int64_t step_s)
{
	const struct step none = { .mean = NAN, .max = NAN };
	struct prediction prediction = { .probability = 0, .forecast = (double)row->step.max, .full_steps = NAN };
	forecaster_add(forecaster, row->index, row->step);
	/* Of the first row nothing can be said. */
	(void)!forecaster_predict(forecaster, none, 0, &prediction);
	printf("%s,%.6f,%.6g", row->time, prediction.probability, prediction.forecast);
	if (long_horizon && isnan(prediction.full_steps))
		putchar(',');
	else if (long_horizon)
		printf(",%.0f", prediction.full_steps * (double)step_s);
	putchar('\n');
}

/* 0 or a negative errno with a sentence. */
static int read_model(struct prior **ret_prior, struct text *ret_error)
{
	struct text wrong = TEXT_EMPTY;
	int result = prior_read(model, ret_prior, &wrong);
	if (result)
		text_printf(ret_error, "the model in %s: %s", model, text_or(&wrong, strerror(-result)));
	text_free(&wrong);
	return result;
}

static bool backtest(void)
{
	double limit, steps, seconds, far = 0;
	if (!read_number("threshold", threshold, 1e-6, 1e9, &limit) ||
	    !read_number("horizon", horizon, 1, FORECASTER_HORIZON_MAX, &steps) ||
	    !read_number("step", step, 1, 86400, &seconds) ||
	    (long_horizon && !read_number("long-horizon", long_horizon, 1, 1e6, &far)))
		return false;
	struct text error = TEXT_EMPTY;
	struct prior *prior = NULL;
	struct forecaster *forecaster = NULL;
	struct trace trace = { 0 };
	int result = model ? read_model(&prior, &error) : 0;
	if (!result)
		result = trace_read(stdin, (int64_t)seconds, &trace, &error);
	if (!result) {
		forecaster = forecaster_open(prior ? prior : prior_builtin(), (unsigned)steps, limit);
		result = forecaster ? forecaster_set_step(forecaster, (int64_t)seconds) : -ENOMEM;
	}
	if (result) {
		log_error("%s", text_or(&error, strerror(-result)));
	} else {
		forecaster_set_long_horizon(forecaster, far);
		puts(long_horizon ? "timestamp,probability,forecast,full_in" : "timestamp,probability,forecast");
		for (size_t i = 0; i < trace.count; i++)
			print_row(forecaster, &trace.rows[i], (int64_t)seconds);
	}
	forecaster_close(forecaster);
	trace_free(&trace);
	prior_free(prior);
	text_free(&error);
	return result == 0;
}

int backtest_main(int argc, char *argv[])
{
	int exit_status;
	if (program_start(&program, argc, argv, &exit_status))
		exit_status = backtest() ? EXIT_SUCCESS : EXIT_FAILURE;
	return program_end(&program, exit_status);
}
