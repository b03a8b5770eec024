/*
 * vigie-alert: asks for the latest samples and the forecasts, judges them by the rules, writes each
 * transition to alert.log, has the hook run and reports the alarms that stand.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "alert/round.h"
#include "alert/state_file.h"
#include "common/client.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/program.h"
#include "common/tick.h"
#include "common/url.h"

/* Asking for the forecasts, and for health, may each take this part of an interval: the next
 * round is not to be late for them. */
enum { FORECASTS_PART = 3 };

struct alert {
	struct round round;
	struct tick tick;
};

static int check(const struct config *config, struct text *ret_error);

static struct program program = {
	.name = "vigie-alert",
	.summary = "writes alarms about processes that are over their limits, or will be, to alert.log",
	.check = check,
};

static int check(const struct config *config, struct text *ret_error)
{
	struct rules *rules;
	int result = rules_open(config, program.config_path, &rules, ret_error);
	if (result)
		return result;
	rules_free(rules);
	result = url_check("[alert] url", config->alert.url, ret_error);
	if (result)
		return result;
	struct text token = TEXT_EMPTY;
	result = client_read_token("alert", config->alert.token_file, &token, ret_error);
	text_free(&token);
	return result;
}

static int64_t forecasts_timeout_ms(const struct config *config)
{
	int64_t part_ms = config->alert.interval_ms / FORECASTS_PART;
	return config->alert.timeout_ms < part_ms ? config->alert.timeout_ms : part_ms;
}

static bool open_rules_and_server(struct round *round, const struct config *config)
{
	struct text error = TEXT_EMPTY, token = TEXT_EMPTY;
	struct rules *rules = NULL;
	struct uplink *uplink = NULL;
	int result = rules_open(config, program.config_path, &rules, &error);
	if (!result)
		result = client_read_token("alert", config->alert.token_file, &token, &error);
	if (!result)
		uplink = uplink_open(config->alert.url, token.data, config->alert.timeout_ms,
		                     forecasts_timeout_ms(config));
	text_free(&token);
	if (!uplink) {
		log_error("%s", error.data ? error.data : strerror(ENOMEM));
		rules_free(rules);
	} else {
		rules_free(round->rules);
		uplink_close(round->uplink);
		round->rules = rules;
		round->uplink = uplink;
	}
	text_free(&error);
	return uplink != NULL;
}

/* That its program is missing is no reason to watch nothing. */
static bool configure_hook(struct hook *hook, const struct config *config)
{
	int result = hook ? hook_configure(hook, config->alert.hook, config->alert.hook_timeout_ms) : -ENOMEM;
	if (result)
		log_error("the hook %s cannot be run as things are: %s", config->alert.hook, strerror(-result));
	return hook != NULL;
}

static bool open_states(struct round *round, const struct config *config)
{
	struct text error = TEXT_EMPTY;
	const char *path = config->alert.state;
	int result = state_file_read(path, config->alert.interval_ms, &round->states, &error);
	if (result == -EBADMSG)
		log_error("%s is not a state of vigie-alert: %s; moved to %s.broken, starting without", path, error.data,
		          path);
	else if (result)
		log_error("cannot read the state in %s: %s", path, strerror(-result));
	text_free(&error);
	if (result && result != -EBADMSG)
		return false;

	round->state_path = path;
	result = round_save_states(round);
	if (result)
		log_error("cannot write the state to %s: %s", path, strerror(-result));
	/* A disk that is full now is no reason to watch nothing. */
	return result == 0 || result == -ENOSPC;
}

static bool open_all(struct alert *alert, const struct config *config)
{
	struct round *round = &alert->round;
	if (!open_rules_and_server(round, config))
		return false;
	int result = alert_log_open(&round->log, config->alert.log);
	if (result) {
		log_error("cannot open the alert log %s: %s", config->alert.log, strerror(-result));
		return false;
	}
	if (!open_states(round, config))
		return false;
	round->reminder_ms = config->alert.reminder_ms;
	round->hook = hook_open();
	if (!configure_hook(round->hook, config))
		return false;
	result = tick_open(&alert->tick, config->alert.interval_ms, config->alert.phase_ms, 0, clock_moment());
	if (result)
		log_error("cannot make a timer: %s", strerror(-result));
	return result == 0;
}

static void reopen_tick(struct alert *alert, const struct config *config)
{
	int64_t interval_ms = config->alert.interval_ms, phase_ms = config->alert.phase_ms;
	/* A tick that is due is not to be lost. */
	if (alert->tick.interval_ms == interval_ms && alert->tick.phase_ms == phase_ms % interval_ms)
		return;
	struct tick tick;
	int result = tick_open(&tick, interval_ms, phase_ms, 0, clock_moment());
	if (result) {
		log_error("cannot make a timer: %s", strerror(-result));
		return;
	}
	tick_close(&alert->tick);
	alert->tick = tick;
}

/* Whatever of it fails, the program goes on. */
static void reload(struct alert *alert)
{
	program_reload(&program);
	const struct config *config = program.config;
	struct round *round = &alert->round;
	trouble_watch(&round->logging, alert_log_reopen(&round->log, config->alert.log), NULL);
	(void)open_rules_and_server(round, config);
	(void)configure_hook(round->hook, config);
	round->reminder_ms = config->alert.reminder_ms;
	round->state_path = config->alert.state;
	states_set_interval(round->states, config->alert.interval_ms);
	trouble_watch(&round->saving, round_save_states(round), NULL);
	reopen_tick(alert, config);
}

static void close_all(struct alert *alert)
{
	struct round *round = &alert->round;
	tick_close(&alert->tick);
	hook_close(round->hook);
	alert_log_close(&round->log);
	states_close(round->states);
	rules_free(round->rules);
	uplink_close(round->uplink);
	round_free(round);
}

static void run(struct alert *alert)
{
	for (;;) {
		int64_t boundary_ms;
		struct moment now;
		switch (program_wait(&program, alert->tick.timer_fd)) {
		case PROGRAM_TIMER:
			now = clock_moment();
			if (tick_take(&alert->tick, now, &boundary_ms))
				round_evaluate(&alert->round, now.wall_ms);
			break;
		case PROGRAM_RELOAD:
			reload(alert);
			break;
		case PROGRAM_TIMEOUT: /* never: it waits for ever */
		case PROGRAM_DUMP:    /* nor does it ask for this */
			break;
		case PROGRAM_STOP:
			trouble_watch(&alert->round.saving, round_save_states(&alert->round), NULL);
			round_flush_log(&alert->round);
			return;
		}
	}
}

int main(int argc, char *argv[])
{
	int exit_status;
	if (!program_start(&program, argc, argv, &exit_status)) {
		program_end(&program);
		return exit_status;
	}
	struct alert alert = { .tick = { .timer_fd = -1 } };
	round_init(&alert.round);
	bool opened = open_all(&alert, program.config);
	if (opened) {
		log_info("evaluating every %.15g s", (double)program.config->alert.interval_ms / 1000);
		run(&alert);
	}
	close_all(&alert);
	program_end(&program);
	return opened ? EXIT_SUCCESS : EXIT_FAILURE;
}
