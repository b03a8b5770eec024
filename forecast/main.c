/*
 * vigie-forecast: at each refresh, what every series is expected to do within its horizon,
 * to the server; and commands beside the service, named by the first argument.
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/program.h"
#include "common/tick.h"
#include "forecast/backtest.h"
#include "forecast/explain.h"
#include "forecast/service.h"
#include "forecast/train_command.h"

/* Each gets the command line from its own word on, and gives the exit status. */
static const struct command {
	const char *word;
	int (*main)(int argc, char *argv[]);
} commands[] = {
	{ "backtest", backtest_main },
	{ "explain", explain_main },
	{ "train", train_main },
};

static int check(const struct config *config, struct text *ret_error);

static struct program program = {
	.name = "vigie-forecast",
	.summary = "forecasts which processes will be over their limits; its commands, before any option: backtest, explain, train",
	.check = check,
	.dumps = true,
};

static int check(const struct config *config, struct text *ret_error)
{
	return service_check(config, program.config_path, program.checks, ret_error);
}

static void log_counts(const struct service *service)
{
	struct text text = TEXT_EMPTY;
	service_describe(service, &text);
	log_info("%s", text_or(&text, "out of memory"));
	text_free(&text);
}

static bool open_tick(struct tick *tick, const struct config *config)
{
	/* analyzer: program_open() has read it */
	return tick_renew(tick, config->forecast.refresh_ms, config->forecast.phase_ms);
}

/* Whatever of it fails, the program goes on. */
static void reload(struct service *service, struct tick *tick)
{
	if (!program_reload(&program))
		return;
	struct text error = TEXT_EMPTY;
	if (service_reload(service, program.config, program.config_path, clock_wall_ms(), &error) != 0)
		log_error("%s; going on as before", text_or(&error, "out of memory"));
	else
		(void)open_tick(tick, program.config);
	text_free(&error);
}

static void run(struct service *service, struct tick *tick)
{
	for (;;) {
		int64_t boundary_ms;
		struct moment now;
		switch (program_wait_for(&program, tick->timer_fd, service_reads(service) ? 0 : -1)) {
		case PROGRAM_TIMER:
			now = clock_moment();
			if (tick_take(tick, now, &boundary_ms) && service_trusts_clock(service, now))
				service_refresh(service, boundary_ms, now.wall_ms);
			break;
		case PROGRAM_TIMEOUT:
			now = clock_moment();
			if (service_trusts_clock(service, now))
				service_read_next(service, now.wall_ms);
			break;
		case PROGRAM_RELOAD:
			reload(service, tick);
			break;
		case PROGRAM_DUMP:
			log_counts(service);
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
	if (service_open(program.config, program.config_path, clock_wall_ms(), &service, &error) != 0)
		log_error("%s", text_or(&error, "out of memory"));
	else
		/* analyzer: program_open() has read it */
		service_read_model(service, program.config->forecast.model);
	bool opened = service && service_read_state(service) && open_tick(&tick, program.config);
	if (opened) {
		log_info("forecasting every %.15g s", (double)program.config->forecast.refresh_ms / 1000);
		run(service, &tick);
	}
	tick_close(&tick);
	service_close(service);
	text_free(&error);
	return opened;
}

int main(int argc, char *argv[])
{
	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[1], commands[i].word) == 0)
			return commands[i].main(argc - 1, argv + 1);
	}
	int exit_status;
	if (program_start(&program, argc, argv, &exit_status)) {
		/* A threshold that follows what was freed would keep memory that is used for a
		 * moment a refresh: the answers. */
		mallopt(M_MMAP_THRESHOLD, 128 * 1024);
		exit_status = serve() ? EXIT_SUCCESS : EXIT_FAILURE;
	}
	return program_end(&program, exit_status);
}
