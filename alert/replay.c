/* The part of alert/states.h that goes on from the lines of the log. */
#include "alert/state_table.h"

#include <errno.h>
#include <string.h>

static int replay_series(struct host *host, const struct alarm *alarm)
{
	struct series *series = state_table_find_series(host, alarm->process, alarm->resource);
	if (alarm->color == COLOR_GREEN) {
		if (series && series->state.alarm.color != COLOR_GREEN) {
			series->state = (struct series_state){ .alarm = series->state.alarm, .sample_ms = series->state.sample_ms };
			series->state.alarm.color = COLOR_GREEN;
			state_table_drop_if_green(series);
		}
		return 0;
	}
	if (!series)
		series = state_table_add_series(host, alarm->process, alarm->resource);
	if (!series)
		return -ENOMEM;
	struct series_state *state = &series->state;
	/* What is known already, the state knows better. */
	bool known = state->alarm.color == alarm->color && state->alarm.since_ms == alarm->since_ms;
	if (!known)
		*state = (struct series_state){ .alarm = *alarm, .sample_ms = alarm->since_ms, .over_ms = alarm->since_ms,
			                        .likely_ms = alarm->since_ms };
	state->alarm.said_ms = alarm->said_ms;
	state->alarm.silenced_ms = alarm->silenced_ms;
	return 0;
}

static void replay_silence(struct states *states, struct host *host, const struct transition *transition)
{
	struct host_state *state = &host->state;
	if (transition->word == TRANSITION_GONE) {
		state_table_drop_host(states, host);
		return;
	}
	state->alarm.color = transition->alarm.color;
	state->alarm.said_ms = transition->alarm.said_ms;
	state->alarm.silenced_ms = transition->alarm.silenced_ms;
	if (state->alarm.color != COLOR_UNKNOWN)
		return;
	state->alarm.since_ms = transition->alarm.since_ms;
	state->last_seen_ms = transition->alarm.since_ms;
}

int states_replay(struct states *states, const struct transition *transition, int64_t said_ms)
{
	if (!states->saved_ms || said_ms < states->saved_ms)
		return 0;
	if (transition->word == TRANSITION_OOM) {
		int result = states_restore_killed(states, transition->alarm.ip, transition->alarm.process, transition->alarm.since_ms);
		return result == -EEXIST ? 0 : result;
	}
	struct transition said = *transition;
	said.alarm.said_ms = said_ms;
	struct host *host = state_table_find_host(states, said.alarm.ip);
	if (!host && said.alarm.color == COLOR_GREEN)
		return 0;
	if (!host)
		host = state_table_add_host(states, said.alarm.ip);
	if (!host)
		return -ENOMEM;
	states->changed = true;
	bool of_host = said.alarm.resource == RESOURCE_COUNT && strcmp(said.alarm.process, WIRE_HOST_ITSELF) == 0;
	if (!of_host)
		return replay_series(host, &said.alarm);
	replay_silence(states, host, &said);
	return 0;
}
