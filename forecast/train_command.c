#include "forecast/train_command.h"

#include <errno.h>
#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/program.h"
#include "forecast/histories.h"
#include "forecast/setup.h"
#include "forecast/trace.h"
#include "forecast/train.h"

enum { TRACES_STEP_S = 300, TRACES_HORIZON = 6 };

struct training {
	struct setup setup;
	struct histories histories;
	struct trainer *trainer;
	size_t series, steps;
};

static const char *output, *traces;

static const struct program_option options[] = {
	{ "output", "FILE", "write the model to FILE; without it to [forecast] model", &output },
	{ "traces", "FOLDER", "learn from the traces in FOLDER instead, steps of 300 s, as backtest reads them", &traces },
	{ NULL, NULL, NULL, NULL },
};

static struct program program = {
	.name = "vigie-forecast train",
	.summary = "learns from the server's history what every model starts from",
	.ends = true,
	.options = options,
};

static double above(void *user, const char *ip, const char *process, enum resource resource)
{
	struct training *training = user;
	return rules_find(training->setup.rules, ip, process, resource)->mute ? INFINITY : -INFINITY;
}

/* Gives the trainer a series without the gaps at its ends. */
static int read_series(void *user, const struct history_series *history)
{
	struct training *training = user;
	size_t from = 0, to = history->count;
	while (from < to && isnan(history->steps[from].max))
		from++;
	while (to > from && isnan(history->steps[to - 1].max))
		to--;
	if (from == to)
		return 0;
	const struct limits *limits = rules_find(training->setup.rules, history->ip, history->process, history->resource);
	training->series++;
	training->steps += to - from;
	return train_add(training->trainer, history->steps + from, to - from, history->first + (int64_t)from,
	                 setup_horizon(&training->setup, limits), limits->threshold);
}

/* 0 or a negative errno with a sentence. */
static int read_histories(struct training *training, int64_t now_ms, struct text *ret_error)
{
	const struct history_reader reader = { .user = training, .above = above, .read = read_series };
	int64_t last = setup_complete(&training->setup, now_ms) - 1;
	struct uplink_hosts hosts;
	int result = uplink_hosts(training->setup.uplink, &hosts, ret_error);
	if (result)
		return result;
	histories_init(&training->histories, &training->setup);
	for (size_t i = 0; i < hosts.count && !result; i++)
		result = histories_read(&training->histories, hosts.ips[i], NULL, RESOURCE_COUNT, last, now_ms, &reader,
		                        ret_error);
	uplink_hosts_free(&hosts);
	return result;
}

/* One series of which the steps stand in a row, gaps between them. */
static int add_trace(struct training *training, const struct trace *trace)
{
	const int64_t first = trace->rows[0].index, last = trace->rows[trace->count - 1].index;
	size_t count = (size_t)(last - first) + 1;
	struct step *steps = malloc(count * sizeof(*steps));
	if (!steps)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		steps[i] = (struct step){ .mean = NAN, .max = NAN };
	for (size_t i = 0; i < trace->count; i++)
		steps[trace->rows[i].index - first] = trace->rows[i].step;
	int result = train_add(training->trainer, steps, count, first, TRACES_HORIZON, program.config->alert.threshold);
	free(steps);
	training->series++;
	training->steps += trace->count;
	return result;
}

static int read_trace(struct training *training, const char *path, struct text *ret_error)
{
	struct trace trace = { 0 };
	struct text wrong = TEXT_EMPTY;
	FILE *file = fopen(path, "re");
	int result = file ? trace_read(file, TRACES_STEP_S, &trace, &wrong) : -errno;
	if (result)
		text_printf(ret_error, "%s: %s", path, text_or(&wrong, strerror(-result)));
	else if (trace.count)
		result = add_trace(training, &trace);
	if (file)
		fclose(file);
	trace_free(&trace);
	text_free(&wrong);
	return result;
}

/* 0 or a negative errno with a sentence. */
static int read_traces(struct training *training, const char *folder, struct text *ret_error)
{
	struct text pattern = TEXT_EMPTY;
	glob_t files = { 0 };
	text_printf(&pattern, "%s/*.csv", folder);
	int result = text_failed(&pattern) || glob(pattern.data, 0, NULL, &files) == GLOB_NOSPACE ? -ENOMEM : 0;
	for (size_t i = 0; i < files.gl_pathc && !result; i++)
		result = read_trace(training, files.gl_pathv[i], ret_error);
	globfree(&files);
	text_free(&pattern);
	return result;
}

/* 0 or a negative errno with a sentence. */
static int finish(struct training *training, const char *path, struct text *ret_error)
{
	struct prior *prior = NULL;
	int result = train_finish(training->trainer, &prior);
	if (result) {
		text_printf(ret_error, "cannot learn from %zu steps of %zu series: %s", training->steps, training->series,
		            result == -ENODATA ? "none of them passes its limit, or all do" : strerror(-result));
		if (result == -ENODATA)
			text_printf(ret_error,
			            "; it takes series that are longer than %d steps and the horizon (two and a half hours, where "
			            "[forecast] step and [alert] horizon are the defaults), some of which pass their limit behind "
			            "those steps: days of history are better", TRAIN_SKIPPED_STEPS);
		return result;
	}
	result = prior_write(path, prior);
	if (result)
		text_printf(ret_error, "cannot write the model to %s: %s", path, strerror(-result));
	else
		printf("%s: learnt from %zu steps of %zu series\n", path, training->steps, training->series);
	prior_free(prior);
	return result;
}

static int train(const char *path)
{
	struct text error = TEXT_EMPTY;
	struct training training = { .trainer = train_open() };
	int result = training.trainer ? 0 : -ENOMEM;
	if (!result && traces)
		result = read_traces(&training, traces, &error);
	if (!result && !traces)
		result = setup_open(program.config, program.config_path, &training.setup, &error);
	if (!result && !traces)
		train_set_step(training.trainer, training.setup.step_ms / 1000);
	if (!result && !traces)
		result = read_histories(&training, clock_wall_ms(), &error);
	if (!result)
		result = finish(&training, path, &error);
	if (result)
		log_error("%s", text_or(&error, strerror(-result)));
	setup_close(&training.setup);
	train_close(training.trainer);
	text_free(&error);
	return result ? EXIT_FAILURE : EXIT_SUCCESS;
}

int train_main(int argc, char *argv[])
{
	int exit_status;
	if (program_start(&program, argc, argv, &exit_status)) {
		const char *path = output ? output : program.config->forecast.model;
		exit_status = EXIT_FAILURE;
		if (path[0])
			exit_status = train(path);
		else
			log_error("--output is needed where [forecast] model is empty");
	}
	return program_end(&program, exit_status);
}
