/* What the service's own files share. */
#ifndef VIGIE_ALERT_SERVICE_INTERNAL_H
#define VIGIE_ALERT_SERVICE_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "alert/alert_log.h"
#include "alert/alertmanager.h"
#include "alert/hook.h"
#include "alert/service.h"
#include "alert/states.h"
#include "alert/uplink.h"
#include "common/rules.h"
#include "common/trouble.h"

struct service {
	struct rules *rules;
	struct uplink *uplink;
	struct states *states;
	char *state_path;
	int lock_fd; /* of the state; -1: the disk had no room for its lock */
	struct alert_log log;
	struct hook *hook;
	struct alertmanager *alertmanager; /* NULL: there is none */
	int64_t reminder_ms; /* 0: none */
	struct transitions transitions;
	struct silences silences; /* as they were last heard of */
	bool knows_silences; /* since the start */
	struct partial partial; /* as it was last heard of */
	bool without_forecasts; /* has been said */
	bool had_forecasts;     /* since the start */
	bool without_kills;     /* the server is too old to tell of them, and that was logged */
	bool stopped;           /* by the server, and that was logged */
	struct trouble asking, naming, silencing, seeing, evaluating, skipping, logging, saving, reporting, asking_kills;
};

/* 0 or a negative errno, as state_file_write(). */
int service_save_states(struct service *service) __attribute__((warn_unused_result));

/* Writes the lines that wait, and says when that fails. */
void service_flush_log(struct service *service);

/* Takes what a configuration has of the hook. */
void service_configure_hook(struct service *service, const struct config *config);

/* 0 or an error of alertmanager_open(): there is none then. */
int service_open_alertmanager(struct service *service, const struct config *config) __attribute__((warn_unused_result));

/* The same in the place of the one there is. */
void service_reload_alertmanager(struct service *service, const struct config *config);

/* Has it told what stands now. */
void service_tell_alertmanager(struct service *service, int64_t now_ms);

#endif
