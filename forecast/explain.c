#include "forecast/explain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/comm.h"
#include "common/log.h"
#include "common/program.h"
#include "common/text.h"
#include "common/wire.h"
#include "forecast/service.h"

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
	else if (!wire_limited_parse(resource, &ret_subject->resource))
		log_error("--resource: '%s' is neither cpu nor mem", resource);
	else
		return true;
	return false;
}

/* Nothing may have been measured under the name that is asked for. */
static void warn_of_length(void)
{
	char comm[COMM_SIZE];
	if (comm_holds(program.config) && comm_cut(process, comm))
		log_warning("--process: the kernel keeps %d bytes of a name: %s", COMM_MAX, comm);
}


static int explain(const struct subject *subject)
{
	struct text text = TEXT_EMPTY, error = TEXT_EMPTY;
	struct service *service = NULL;
	int64_t now_ms = clock_wall_ms();
	int result = service_open(program.config, program.config_path, now_ms, &service, &error);
	if (!result) {
		service_read_model(service, program.config->forecast.model);
		result = service_explain(service, subject->ip, subject->process, subject->resource, now_ms, &text, &error);
	}
	if (!result && text_failed(&text))
		result = -ENOMEM;
	if (result)
		log_error("%s", text_or(&error, strerror(-result)));
	else
		fputs(text.data, stdout);
	service_close(service);
	text_free(&text);
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
			warn_of_length();
			exit_status = explain(&subject);
		}
	}
	return program_end(&program, exit_status);
}
