/*
 * vigie-collector: every interval, on the boundary, what each process name uses
 * of CPU and memory, to the server.
 */
#include <malloc.h>
#include <stdlib.h>

#include "collector/service.h"
#include "common/log.h"
#include "common/program.h"

static struct program program = {
	.name = "vigie-collector",
	.summary = "sends what every process uses of CPU and memory to the server",
	.check = service_check,
	.dumps = true,
};

/* Until something is due; -1: nothing but the next tick. */
static int64_t wait_ms(const struct service *service)
{
	int64_t send_ms = service_wait_ms(service), listen_ms = service_listen_ms(service);
	return listen_ms < 0 || (send_ms >= 0 && send_ms < listen_ms) ? send_ms : listen_ms;
}

static void run(struct service *service)
{
	for (;;) {
		switch (program_wait_for(&program, service_timer_fd(service), wait_ms(service))) {
		case PROGRAM_STOP:
			return;
		case PROGRAM_RELOAD:
			if (program_reload(&program))
				service_reload(service, program.config);
			break;
		case PROGRAM_DUMP:
			service_log_counters(service);
			break;
		case PROGRAM_TIMER:
			service_take_tick(service);
			break;
		case PROGRAM_TIMEOUT:
			service_listen(service);
			if (service_wait_ms(service) == 0)
				service_send(service);
			break;
		}
	}
}

static bool serve(void)
{
	struct text error = TEXT_EMPTY;
	struct service *service = NULL;
	bool opened = service_open(program.config, &service, &error) == 0;
	if (!opened) {
		log_error("%s", text_or(&error, "out of memory"));
	} else {
		/* analyzer: program_open() has read it */
		log_info("started; every %lld ms to %s", (long long)program.config->collector.interval_ms,
		         program.config->collector.url);
		run(service);
		service_flush(service);
	}
	service_close(service);
	text_free(&error);
	return opened;
}

int main(int argc, char *argv[])
{
	int exit_status;
	if (program_start(&program, argc, argv, &exit_status)) {
		/* A second arena, for libcurl's resolver thread, and a threshold that follows
		 * what was freed would each keep memory that is used for a moment a tick. */
		mallopt(M_ARENA_MAX, 1);
		mallopt(M_MMAP_THRESHOLD, 128 * 1024);
		exit_status = serve() ? EXIT_SUCCESS : EXIT_FAILURE;
	}
	return program_end(&program, exit_status);
}
