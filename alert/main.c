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
	return service_check(config, program.config_path, program.checks, ret_error);
}

enum { AGAIN_PARTS = 10, DEADLINE_FIFTHS = 4 }; /* of an interval */

/* The round that is under way. */
struct round {
	int64_t boundary_ms;
	int64_t until_boot_ms; /* hosts are waited for until then, on a clock that is never set */
};

static struct round begin_round(const struct config *config, int64_t boundary_ms, struct moment now)
{
	int64_t latest_ms = config->alert.interval_ms * DEADLINE_FIFTHS / 5;
	int64_t deadline_ms = config->alert.deadline_ms < latest_ms ? config->alert.deadline_ms : latest_ms;
	return (struct round){ boundary_ms, now.boot_ms + boundary_ms + deadline_ms - now.wall_ms };
}

/* Has the round evaluated. Returns how long to wait before that is tried again; -1: it is done. */
static int64_t evaluate(struct service *service, const struct round *round)
{
	struct moment now = clock_moment();
	if (service_evaluate(service, round->boundary_ms, now.wall_ms, now.boot_ms < round->until_boot_ms))
		return -1;
	/* The server gives an answer again for a tenth of an interval, and one that costs it much is not asked for all the
	 * time. */
	int64_t ended_ms = clock_moment().boot_ms, pause_ms = program.config->alert.interval_ms / AGAIN_PARTS;
	int64_t left_ms = round->until_boot_ms > ended_ms ? round->until_boot_ms - ended_ms : 0;
	if (pause_ms < 2 * (ended_ms - now.boot_ms))
		pause_ms = 2 * (ended_ms - now.boot_ms);
	return pause_ms < left_ms ? pause_ms : left_ms;
}

static bool open_tick(struct tick *tick, const struct config *config)
{
	/* analyzer: program_open() has read it */
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
	struct round round = { 0 };
	int64_t wait_ms = -1;
	for (;;) {
		int64_t boundary_ms;
		struct moment now;
		switch (program_wait_for(&program, tick->timer_fd, wait_ms)) {
		case PROGRAM_TIMER:
			now = clock_moment();
			if (!tick_take(tick, now, &boundary_ms))
				break;
			round = begin_round(program.config, boundary_ms, now);
			wait_ms = evaluate(service, &round);
			break;
		case PROGRAM_RELOAD:
			reload(service, tick);
			break;
		case PROGRAM_DUMP:
			service_log_counts(service);
			break;
		case PROGRAM_TIMEOUT:
			wait_ms = evaluate(service, &round);
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
		log_error("%s", text_or(&error, "out of memory"));
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
	return program_end(&program, exit_status);
}
