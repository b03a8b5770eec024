#include "alert/service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alert/service_internal.h"
#include "alert/state_file.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/watcher.h"

/* Asking for the forecasts, and for health, may each take this part of an interval: the next
 * round is not to be late for them. */
enum { FORECASTS_PART = 3 };

static int64_t forecasts_timeout_ms(const struct config *config)
{
	int64_t part_ms = config->alert.interval_ms / FORECASTS_PART;
	return config->alert.timeout_ms < part_ms ? config->alert.timeout_ms : part_ms;
}

/* Both or none. */
static int open_rules_and_uplink(const struct config *config, const char *source, struct rules **ret_rules,
                                 struct uplink **ret_uplink, struct text *ret_error)
{
	const struct watcher_section section = {
		.name = "alert", .url = config->alert.url, .token_file = config->alert.token_file,
		.proxy = config->alert.proxy,
	};
	struct rules *rules;
	struct text token;
	int result = watcher_read(config, source, &section, &rules, &token, ret_error);
	if (result)
		return result;
	struct uplink *uplink = uplink_open(config->alert.url, token.data, config->alert.proxy,
	                                    config->alert.timeout_ms, forecasts_timeout_ms(config));
	text_free(&token);
	if (!uplink || !uplink_trust(uplink, config->alert.ca_file)) {
		uplink_close(uplink);
		rules_free(rules);
		text_append_string(ret_error, strerror(ENOMEM));
		return -ENOMEM;
	}
	*ret_rules = rules;
	*ret_uplink = uplink;
	return 0;
}

int service_check(const struct config *config, const char *source, bool strictly, struct text *ret_error)
{
	struct rules *rules;
	struct uplink *uplink;
	int result = open_rules_and_uplink(config, source, &rules, &uplink, ret_error);
	if (result)
		return result;
	result = alertmanager_check(config, ret_error);
	if (strictly && !result)
		result = watcher_check_horizon(config, rules, ret_error);
	rules_free(rules);
	uplink_close(uplink);
	return result;
}

/* From now on the state is at `path`, for this process alone. 0; or a negative errno with a sentence, and it
 * stays where it is. */
static int use_state_path(struct service *service, const char *path, struct text *ret_error)
{
	int fd;
	if (service->state_path && strcmp(service->state_path, path) == 0)
		return 0;
	int result = watcher_lock_state(path, &fd, ret_error);
	if (result)
		return result;
	char *copy = strdup(path);
	if (!copy) {
		if (fd >= 0)
			close(fd);
		text_append_string(ret_error, strerror(ENOMEM));
		return -ENOMEM;
	}
	free(service->state_path);
	if (service->lock_fd >= 0)
		close(service->lock_fd);
	service->state_path = copy;
	service->lock_fd = fd;
	return 0;
}

/* What waits for the log goes with the state: whoever has read that a line was said is to find it said. */
int service_save_states(struct service *service)
{
	struct alert_log *log = &service->log;
	int result = states_set_unwritten(service->states, &log->waiting, log->dropped);
	if (!result)
		result = state_file_write(service->state_path, service->states);
	if (result)
		return result;
	states_saved(service->states);
	log->changed = false;
	return 0;
}

/* Goes on from the lines of the log that the state is too old for. */
static int replay(struct states *states, const struct text *tail)
{
	size_t length;
	int result = 0;
	for (size_t at = 0; at < tail->length && !result; at += length + 1) {
		struct transition transition;
		int64_t said_ms;
		length = (size_t)((const char *)memchr(tail->data + at, '\n', tail->length - at) - (tail->data + at));
		if (alert_log_parse(tail->data + at, length, &transition, &said_ms))
			result = states_replay(states, &transition, said_ms);
	}
	return result;
}

/* Brings the state and the log together: the one may have been written without the other. 0 or -ENOMEM. */
static int reconcile(struct service *service)
{
	const struct states_unwritten *unwritten = states_unwritten(service->states);
	struct text tail = TEXT_EMPTY;
	int result = alert_log_read_tail(&service->log, &tail);
	if (result)
		log_error("cannot read the end of %s: %s; a line may come twice", service->log.path, strerror(-result));
	result = replay(service->states, &tail);
	if (!result)
		alert_log_restore(&service->log, &unwritten->lines, unwritten->lost, &tail);
	text_free(&tail);
	return result;
}

static int open_states(struct service *service, const struct config *config, struct text *ret_error)
{
	struct text wrong = TEXT_EMPTY;
	const char *path = config->alert.state;
	int result = use_state_path(service, path, ret_error);
	if (result)
		return result;
	result = state_file_read(path, config->alert.interval_ms, &service->states, &wrong);
	if (result == -EBADMSG) {
		log_error("%s is not a state of vigie-alert: %s; moved to %s.broken, starting without", path,
		          text_or(&wrong, strerror(ENOMEM)), path);
		result = 0;
	}
	text_free(&wrong);
	if (result) {
		text_printf(ret_error, "cannot read the state in %s: %s", path, strerror(-result));
		return result;
	}
	result = reconcile(service);
	if (result) {
		text_append_string(ret_error, strerror(-result));
		return result;
	}
	/* What is said from now on is known to be, by its lines, also before a first evaluation was saved. */
	if (!states_time(service->states))
		states_restore_time(service->states, clock_wall_ms());
	service_flush_log(service);
	result = service_save_states(service);
	if (result == -ENOSPC) {
		/* A disk that is full now is no reason to watch nothing. */
		log_error("cannot write the state to %s: %s", path, strerror(-result));
		return 0;
	}
	if (result)
		text_printf(ret_error, "cannot write the state to %s: %s", path, strerror(-result));
	return result;
}

static int open_all(struct service *service, const struct config *config, const char *source, struct text *ret_error)
{
	int result = open_rules_and_uplink(config, source, &service->rules, &service->uplink, ret_error);
	if (result)
		return result;
	result = alert_log_open(&service->log, config->alert.log);
	if (result) {
		text_printf(ret_error, "cannot open the alert log %s: %s", config->alert.log, strerror(-result));
		return result;
	}
	result = open_states(service, config, ret_error);
	if (result)
		return result;
	service->hook = hook_open();
	if (!service->hook) {
		text_append_string(ret_error, strerror(ENOMEM));
		return -ENOMEM;
	}
	service_configure_hook(service, config);
	result = service_open_alertmanager(service, config);
	if (result) {
		text_printf(ret_error, "cannot tell an Alertmanager anything: %s", strerror(-result));
		return result;
	}
	service->reminder_ms = config->alert.reminder_ms;
	states_set_long_horizon(service->states, config->forecast.long_horizon_ms);
	return 0;
}

int service_open(const struct config *config, const char *source, struct service **ret_service, struct text *ret_error)
{
	struct service *service = calloc(1, sizeof(*service));
	if (!service) {
		text_append_string(ret_error, strerror(ENOMEM));
		return -ENOMEM;
	}
	service->log.fd = -1;
	service->lock_fd = -1;
	service->asking.operation = "asking for the latest samples";
	service->naming.operation = "asking for the names of hosts";
	service->asking_kills.operation = "asking for the OOM kills";
	service->silencing.operation = "asking for the silences";
	service->seeing.operation = "asking for the hosts";
	service->evaluating.operation = "the evaluation";
	service->skipping.operation = "reading all of the answers";
	service->logging.operation = "writing the alert log";
	service->saving.operation = "writing the state";
	service->reporting.operation = "reporting the alarms";
	int result = open_all(service, config, source, ret_error);
	if (result)
		service_close(service);
	else
		*ret_service = service;
	return result;
}

void service_close(struct service *service)
{
	if (!service)
		return;
	hook_close(service->hook);
	alertmanager_close(service->alertmanager);
	alert_log_close(&service->log);
	states_close(service->states);
	free(service->state_path);
	if (service->lock_fd >= 0)
		close(service->lock_fd);
	uplink_close(service->uplink);
	rules_free(service->rules);
	transitions_free(&service->transitions);
	silences_free(&service->silences);
	partial_free(&service->partial);
	free(service);
}

static void reload_rules_and_uplink(struct service *service, const struct config *config, const char *source)
{
	struct text error = TEXT_EMPTY;
	struct rules *rules;
	struct uplink *uplink;
	if (open_rules_and_uplink(config, source, &rules, &uplink, &error) != 0) {
		log_error("%s", text_or(&error, strerror(ENOMEM)));
	} else {
		rules_free(service->rules);
		uplink_close(service->uplink);
		service->rules = rules;
		service->uplink = uplink;
	}
	text_free(&error);
}

static void reload_state_path(struct service *service, const char *path)
{
	struct text error = TEXT_EMPTY;
	if (use_state_path(service, path, &error) != 0)
		log_error("%s; going on with that in %s", text_or(&error, strerror(ENOMEM)), service->state_path);
	text_free(&error);
}

void service_reload(struct service *service, const struct config *config, const char *source)
{
	trouble_watch(&service->logging, alert_log_reopen(&service->log, config->alert.log), NULL);
	reload_rules_and_uplink(service, config, source);
	service_configure_hook(service, config);
	service->reminder_ms = config->alert.reminder_ms;
	states_set_interval(service->states, config->alert.interval_ms);
	states_set_long_horizon(service->states, config->forecast.long_horizon_ms);
	reload_state_path(service, config->alert.state);
	service_reload_alertmanager(service, config);
	trouble_watch(&service->saving, service_save_states(service), NULL);
}

void service_flush_log(struct service *service)
{
	struct alert_log *log = &service->log;
	trouble_watch(&service->logging, alert_log_flush(log), NULL);
	if (log->dropped && !service->logging.present) {
		log_error("%llu lines of %s are lost: too many had to wait", (unsigned long long)log->dropped, log->path);
		log->dropped = 0;
		log->changed = true;
	}
}

void service_save(struct service *service)
{
	service_flush_log(service);
	trouble_watch(&service->saving, service_save_states(service), NULL);
}
