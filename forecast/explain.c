#include "forecast/explain.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/program.h"
#include "forecast/service_internal.h"

struct subject {
	char ip[WIRE_IP_SIZE];
	const char *process;
	enum resource resource;
};

static const char *ip, *process, *resource;

static const struct program_option options[] = {
	{ "ip", "ADDRESS", "the series' host", &ip },
	{ "process", "NAME", "its process", &process },
	{ "resource", "cpu|mem", "its resource", &resource },
	{ NULL, NULL, NULL, NULL },
};

static struct program program = {
	.name = "vigie-forecast explain",
	.summary = "prints what is expected of one series, and why",
	.ends = true,
	.options = options,
};

static bool read_subject(struct subject *ret_subject)
{
	if (!ip || !process || !resource)
		log_error("--ip, --process and --resource are needed; see --help");
	else if (!wire_ip_parse(ip, ret_subject->ip))
		log_error("--ip: '%s' is no address", ip);
	else if (!process[0] || strlen(process) > WIRE_NAME_MAX || wire_utf8_check(process, strlen(process)) < strlen(process))
		log_error("--process: it is no process name");
	else if (!wire_resource_parse(resource, &ret_subject->resource))
		log_error("--resource: '%s' is neither cpu nor mem", resource);
	else
		return true;
	return false;
}

/* Makes the service know the series and nothing else. 0 or a negative errno. */
static int look(struct service *service, const struct subject *subject, int64_t boundary_ms, int64_t now_ms,
                struct series **ret_series, struct text *ret_error)
{
	const char *path = service->parts.settings.state;
	struct series *series = service_add_series(service, subject->ip, subject->process, subject->resource);
	if (!series)
		return -ENOMEM;
	int result = state_file_read(path, service->parts.settings.step_ms, &service->learnt, ret_error);
	if (result == -ENOMEM)
		return result;
	if (result)
		log_warning("without what is learnt: %s: %s", path, ret_error->data ? ret_error->data : strerror(-result));
	text_reset(ret_error);
	service->complete = boundary_ms / service->parts.settings.step_ms;
	result = service_catch_up(service, subject->ip, series, now_ms, ret_error);
	if (!result)
		result = service_look(service, subject->ip, subject->process, boundary_ms, now_ms, ret_error);
	*ret_series = series;
	return result;
}

static void print(const struct service *service, const struct series *series, int64_t boundary_ms, int64_t now_ms)
{
	struct prediction prediction;
	struct step present = service_present(service, series, boundary_ms);
	double phase = service_phase(service, boundary_ms);
	const struct limits *limits = service_limits(service, series_ip(series), series->process, series->resource);
	int64_t step_ms = service->parts.settings.step_ms;
	printf("limit %.15g, horizon %u steps of %.15g s\n", limits->threshold, service_horizon(service, limits),
	       (double)step_ms / 1000);
	if (!forecaster_predict(series->forecaster, present, phase, &prediction)) {
		printf("too little is known of it: no forecast\n");
		return;
	}
	printf("probability %.4f\nforecast %.2f\n", prediction.probability, prediction.forecast);
	if (isnan(prediction.lead_steps)) {
		printf("it is not expected to pass its limit\n");
	} else {
		char time[CLOCK_RFC3339_SIZE];
		clock_format_rfc3339(now_ms + llrint(prediction.lead_steps * (double)step_ms), time);
		printf("expected at %s, in %.0f s\n", time, prediction.lead_steps * (double)step_ms / 1000);
	}
	struct text text = TEXT_EMPTY;
	forecaster_explain(series->forecaster, present, phase, &text);
	fputs(text.data ? text.data : "", stdout);
	text_free(&text);
}

static int explain(const struct subject *subject)
{
	struct text error = TEXT_EMPTY;
	struct service *service = NULL;
	struct series *series;
	int64_t now_ms = clock_wall_ms();
	int result = service_open(program.config, program.config_path, now_ms, &service, &error);
	if (!result) {
		service_read_model(service, program.config->forecast.model);
		int64_t refresh_ms = service->parts.settings.refresh_ms, boundary_ms = now_ms / refresh_ms * refresh_ms;
		result = look(service, subject, boundary_ms, now_ms, &series, &error);
		if (!result)
			print(service, series, boundary_ms, now_ms);
	}
	if (result)
		log_error("%s", error.data ? error.data : strerror(-result));
	service_close(service);
	text_free(&error);
	return result ? EXIT_FAILURE : EXIT_SUCCESS;
}

int explain_main(int argc, char *argv[])
{
	int exit_status;
	struct subject subject;
	if (program_start(&program, argc, argv, &exit_status)) {
		exit_status = EXIT_FAILURE;
		if (read_subject(&subject)) {
			subject.process = process;
			exit_status = explain(&subject);
		}
	}
	program_end(&program);
	return exit_status;
}
