/*
 * vigie-alert: asks for the latest samples and the forecasts, judges them by the rules, writes each
 * transition to alert.log, has the hook run and reports the alarms that stand.
 */
#include <stdlib.h>

#include "alert/service.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/program.h"
#include "common/tick.h"

static int check(const struct config *config, struct text *ret_error);

static struct program program = {
	.name = "vigie-alert",
	.summary = "writes alarms about processes that are over their limits, or will be, to alert.log",
	.check = check,
	.dumps = true,
};

static int check(const struct config *config, struct text *ret_error)
{
	return service_check(config, program.config_path, ret_error);
}

static bool open_tick(struct tick *tick, const struct config *config)
{
	return tick_renew(tick, config->alert.interval_ms, config->alert.phase_ms);
}

/* Whatever of it fails, the program goes on. A file that is broken leaves the configuration as it
 * was, and that is taken anew all the same: the log may have been moved. */
static void reload(struct service *service, struct tick *tick)
{
	(void)program_reload(&program);
	service_reload(service, program.config, program.config_path);
	(void)open_tick(tick, program.config);
}

static void run(struct service *service, struct tick *tick)
{
	for (;;) {
		int64_t boundary_ms;
		struct moment now;
		switch (program_wait(&program, tick->timer_fd)) {
		case PROGRAM_TIMER:
			now = clock_moment();
			if (tick_take(tick, now, &boundary_ms))
				service_evaluate(service, now.wall_ms);
			break;
		case PROGRAM_RELOAD:
			reload(service, tick);
			break;
		case PROGRAM_DUMP:
			service_log_counts(service);
			break;
		case PROGRAM_TIMEOUT: /* never: it waits for ever */
			break;
		case PROGRAM_STOP:
			service_save(service);
			return;
		}
	}
}

static bool serve(void)
{
	struct text error = TEXT_EMPTY;
	struct service *service = NULL;
	struct tick tick = { .timer_fd = -1 };
	if (service_open(program.config, program.config_path, &service, &error) != 0)
		log_error("%s", error.data ? error.data : "out of memory");
	bool opened = service && open_tick(&tick, program.config);
	if (opened) {
		log_info("evaluating every %.15g s", (double)program.config->alert.interval_ms / 1000);
		run(service, &tick);
	}
	tick_close(&tick);
	service_close(service);
	text_free(&error);
	return opened;
}

int main(int argc, char *argv[])
{
	int exit_status;
	if (program_start(&program, argc, argv, &exit_status))
		exit_status = serve() ? EXIT_SUCCESS : EXIT_FAILURE;
	program_end(&program);
	return exit_status;
}
