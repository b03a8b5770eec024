/*
 * One round of vigie-alert, at every tick: asks, judges, writes the lines, has the hook run and
 * reports what stands.
 *
 * What is RED now comes first: its lines are written, and the state is saved, before the
 * forecasts are asked for, so that a server that hangs on these delays no line of a RED.
 *
 * All of it belongs to the main thread.
 */
#ifndef VIGIE_ALERT_ROUND_H
#define VIGIE_ALERT_ROUND_H

#include <stdbool.h>
#include <stdint.h>

#include "alert/alert_log.h"
#include "alert/hook.h"
#include "alert/uplink.h"
#include "alert/states.h"
#include "common/trouble.h"
#include "common/rules.h"

struct round {
	struct uplink *uplink;
	struct rules *rules;
	struct states *states;
	struct alert_log log;
	struct hook *hook;
	const char *state_path; /* borrowed from the configuration in force */
	int64_t reminder_ms;    /* 0: none */
	struct transitions transitions;
	bool without_forecasts; /* has been said */
	struct trouble asking, evaluating, skipping, logging, saving, reporting;
};

/* Before anything else of it. The caller sets and closes what the struct holds but for the transitions. */
void round_init(struct round *round);
void round_free(struct round *round);

/* One round at the wall clock's `now_ms`. */
void round_evaluate(struct round *round, int64_t now_ms);

/* 0 or a negative errno, as state_file_write(). */
int round_save_states(struct round *round) __attribute__((warn_unused_result));

/* Writes the lines that wait, and says when that fails. */
void round_flush_log(struct round *round);

#endif
