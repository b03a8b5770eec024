/*
 * vigie-alert: asks for the latest samples, judges them by the rules, writes each
 * transition to alert.log and reports the alarms that stand.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "alert/alert_log.h"
#include "alert/latest.h"
#include "common/rules.h"
#include "alert/server.h"
#include "alert/state_file.h"
#include "alert/states.h"
#include "common/client.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/program.h"
#include "common/tick.h"
#include "common/trouble.h"

struct alert {
	struct server *server;
	struct rules *rules;
	struct states *states;
	struct transitions transitions;
	struct alert_log log;
	struct tick tick;
	struct trouble asking, evaluating, skipping, logging, saving, reporting;
};

static int check(const struct config *config, struct text *ret_error);

static struct program program = {
	.name = "vigie-alert",
	.summary = "writes alarms about processes over their limits to alert.log",
	.check = check,
};

static int check(const struct config *config, struct text *ret_error)
{
	struct rules *rules;
	int result = rules_open(config, program.config_path, &rules, ret_error);
	if (result)
		return result;
	rules_free(rules);
	result = client_check_url("alert", config->alert.url, ret_error);
	if (result)
		return result;
	struct text token = TEXT_EMPTY;
	result = client_read_token("alert", config->alert.token_file, &token, ret_error);
	text_free(&token);
	return result;
}

static void flush_log(struct alert *alert)
{
	trouble_watch(&alert->logging, alert_log_flush(&alert->log), NULL);
	if (alert->log.dropped && !alert->logging.present) {
		log_error("%llu lines of %s are lost: too many had to wait", (unsigned long long)alert->log.dropped,
		          alert->log.path);
		alert->log.dropped = 0;
	}
}

static int save_states(struct alert *alert)
{
	int result = state_file_write(program.config->alert.state, alert->states);
	if (!result)
		states_saved(alert->states);
	return result;
}

static bool ask(struct alert *alert, struct latest *ret_latest)
{
	struct text error = TEXT_EMPTY;
	int result = server_latest(alert->server, ret_latest, &error);
	trouble_watch(&alert->asking, result, error.data);
	if (!result) {
		text_reset(&error);
		text_printf(&error, "%zu items of the answer are not of its shape", ret_latest->skipped);
		trouble_watch(&alert->skipping, ret_latest->skipped ? -EBADMSG : 0, error.data);
	}
	text_free(&error);
	return result == 0;
}

static void report(struct alert *alert)
{
	struct text error = TEXT_EMPTY;
	int result = server_save_alarms(alert->server, alert->states, &error);
	if (!result)
		states_reported(alert->states);
	trouble_watch(&alert->reporting, result, error.data);
	text_free(&error);
}

/* One tick: the lines first, for whoever follows them. */
static void evaluate(struct alert *alert, int64_t now_ms)
{
	struct latest latest;
	if (!ask(alert, &latest)) {
		states_interrupted(alert->states);
		flush_log(alert);
		return;
	}
	trouble_watch(&alert->evaluating,
	      states_evaluate(alert->states, alert->rules, &latest, now_ms, &alert->transitions), NULL);
	for (size_t i = 0; i < alert->transitions.count; i++)
		alert_log_add(&alert->log, &alert->transitions.items[i], now_ms);
	log_debug("%zu samples, %zu transitions", latest.count, alert->transitions.count);
	latest_free(&latest);
	flush_log(alert);
	if (states_changed(alert->states))
		trouble_watch(&alert->saving, save_states(alert), NULL);
	report(alert);
}

static bool open_rules_and_server(struct alert *alert, const struct config *config)
{
	struct text error = TEXT_EMPTY, token = TEXT_EMPTY;
	struct rules *rules = NULL;
	struct server *server = NULL;
	int result = rules_open(config, program.config_path, &rules, &error);
	if (!result)
		result = client_read_token("alert", config->alert.token_file, &token, &error);
	if (!result)
		server = server_open(config->alert.url, token.data, config->alert.timeout_ms);
	text_free(&token);
	if (!server) {
		log_error("%s", error.data ? error.data : strerror(ENOMEM));
		rules_free(rules);
	} else {
		rules_free(alert->rules);
		server_close(alert->server);
		alert->rules = rules;
		alert->server = server;
	}
	text_free(&error);
	return server != NULL;
}

static bool open_states(struct alert *alert, const struct config *config)
{
	struct text error = TEXT_EMPTY;
	const char *path = config->alert.state;
	int result = state_file_read(path, config->alert.interval_ms, &alert->states, &error);
	if (result == -EBADMSG)
		log_error("%s is not a state of vigie-alert: %s; moved to %s.broken, starting without", path, error.data,
		          path);
	else if (result)
		log_error("cannot read the state in %s: %s", path, strerror(-result));
	text_free(&error);
	if (result && result != -EBADMSG)
		return false;

	result = save_states(alert);
	if (result)
		log_error("cannot write the state to %s: %s", path, strerror(-result));
	/* A disk that is full now is no reason to watch nothing. */
	return result == 0 || result == -ENOSPC;
}

static bool open_all(struct alert *alert, const struct config *config)
{
	alert->log.fd = -1;
	alert->tick.timer_fd = -1;
	if (!open_rules_and_server(alert, config))
		return false;
	int result = alert_log_open(&alert->log, config->alert.log);
	if (result) {
		log_error("cannot open the alert log %s: %s", config->alert.log, strerror(-result));
		return false;
	}
	if (!open_states(alert, config))
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
	trouble_watch(&alert->logging, alert_log_reopen(&alert->log, config->alert.log), NULL);
	(void)open_rules_and_server(alert, config);
	states_set_interval(alert->states, config->alert.interval_ms);
	trouble_watch(&alert->saving, save_states(alert), NULL);
	reopen_tick(alert, config);
}

static void close_all(struct alert *alert)
{
	tick_close(&alert->tick);
	alert_log_close(&alert->log);
	states_close(alert->states);
	transitions_free(&alert->transitions);
	rules_free(alert->rules);
	server_close(alert->server);
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
				evaluate(alert, now.wall_ms);
			break;
		case PROGRAM_RELOAD:
			reload(alert);
			break;
		case PROGRAM_TIMEOUT: /* never: it waits for ever */
		case PROGRAM_DUMP:    /* nor does it ask for this */
			break;
		case PROGRAM_STOP:
			trouble_watch(&alert->saving, save_states(alert), NULL);
			flush_log(alert);
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
	struct alert alert = {
		.asking = { .operation = "asking for the latest samples" },
		.evaluating = { .operation = "the evaluation" },
		.skipping = { .operation = "reading all of the latest samples" },
		.logging = { .operation = "writing the alert log" },
		.saving = { .operation = "writing the state" },
		.reporting = { .operation = "reporting the alarms" },
	};
	bool opened = open_all(&alert, program.config);
	if (opened) {
		log_info("evaluating every %.15g s", (double)program.config->alert.interval_ms / 1000);
		run(&alert);
	}
	close_all(&alert);
	program_end(&program);
	return opened ? EXIT_SUCCESS : EXIT_FAILURE;
}
