#include "alert/state_table.h"

#include <errno.h>
#include <string.h>

enum { SAVE_ABSENCE_MS = 3600 * 1000 }; /* as often is saved how long a host is away */

void states_set_interval(struct states *states, int64_t interval_ms)
{
	states->interval_ms = interval_ms;
}

void states_set_long_horizon(struct states *states, int64_t long_horizon_ms)
{
	states->long_horizon_ms = long_horizon_ms;
}

void states_interrupted(struct states *states)
{
	int64_t recovery = (STATES_RECOVERY_MS + states->interval_ms - 1) / states->interval_ms;
	for (struct host *host = states->hosts; host; host = host->hh.next) {
		host->present = 0;
		host->absent_allowed = STATES_ABSENT + recovery;
	}
}

/* Counts one new sample of a series that is kept. */
static int count_sample(struct states *states, struct transitions *transitions, struct series *series,
                        const struct limits *limits, const struct latest_sample *sample)
{
	struct series_state *state = &series->state;
	struct alarm *alarm = &state->alarm;
	bool red = alarm->color == COLOR_RED;
	bool counts = red ? sample->value < limits->clear : sample->value > limits->threshold;
	int64_t samples = counts ? state->samples + 1 : 0;

	alarm->value = sample->value;
	alarm->threshold = limits->threshold;
	if (!red && samples == 1)
		state->over_ms = sample->time_ms;
	if (red && samples >= limits->clear_after) {
		int result = state_table_end_series(states, transitions, series, TRANSITION_CLEAR);
		if (result)
			return result;
		samples = 0;
	} else if (!red && samples > 0 && samples >= limits->raise_after) {
		int64_t since_ms = alarm->since_ms;
		alarm->since_ms = state->over_ms;
		int result = state_table_turn(states, transitions, alarm, TRANSITION_RED, COLOR_RED);
		if (result) {
			alarm->since_ms = since_ms;
			return result;
		}
		state->ended = false;
		alarm->horizon_ms = 0;
		samples = 0;
	}
	/* Only now: what failed comes again with the same sample. */
	states->changed |= samples != state->samples;
	state->samples = samples;
	state->sample_ms = sample->time_ms;
	return 0;
}

static int evaluate_sample(struct states *states, const struct rules *rules, struct host *host,
                           const struct latest_sample *sample, struct transitions *transitions)
{
	struct series *series = state_table_find_series(host, sample->process, sample->resource);
	if (!series && !(sample->value > rules_lowest_threshold(rules)))
		return 0;

	const struct limits *limits = rules_find(rules, sample->ip, sample->process, sample->resource);
	if (!series) {
		if (limits->mute || !(sample->value > limits->threshold))
			return 0;
		series = state_table_add_series(host, sample->process, sample->resource);
		if (!series)
			return -ENOMEM;
	}
	series->seen_in = states->evaluation;
	if (limits->mute)
		return state_table_mute_series(states, transitions, series);
	if (series->state.sample_ms == sample->time_ms)
		return 0;
	int result = count_sample(states, transitions, series, limits, sample);
	state_table_drop_if_green(series);
	return result;
}

/* Ends the UNKNOWN of a host. */
static int end_silence(struct states *states, struct transitions *transitions, struct host *host,
                       enum transition_word word)
{
	int result = state_table_turn(states, transitions, &host->state.alarm, word, COLOR_GREEN);
	if (!result)
		host->state.ended = true;
	return result;
}

/* A host is in latest: ends its silence. */
static int meet_host(struct states *states, struct host *host, struct transitions *transitions)
{
	if (host->state.alarm.color == COLOR_UNKNOWN) {
		int result = end_silence(states, transitions, host, TRANSITION_CLEAR);
		if (result)
			return result;
	}
	states->changed |= host->state.forgotten;
	host->state.forgotten = false;
	if (host->seen_in != states->evaluation && host->present < 2)
		host->present++;
	host->seen_in = states->evaluation;
	host->state.absent = 0;
	host->absent_allowed = STATES_ABSENT;
	return 0;
}

/* The shorter of the two, since the longer may have a sample in it that was lost or came late. While it is not known, that
 * of the alert service itself. */
static int64_t pace_of(const struct states *states, const struct host *host)
{
	if (!host || !host->paces_ms[1])
		return states->interval_ms;
	return host->paces_ms[0] < host->paces_ms[1] ? host->paces_ms[0] : host->paces_ms[1];
}

/* Ends what is not in latest any more, of a host that is. (What is missing is not there: it is gone where the host's
 * collector is stopped.) */
static int end_gone_series(struct states *states, struct host *host, struct transitions *transitions)
{
	if (host->present < 2)
		return 0;
	struct series *series, *next;
	HASH_ITER(hh, host->series, series, next) {
		bool missing = series->state.alarm.resource == RESOURCE_COUNT;
		if (missing ? !host->stopped : series->seen_in == states->evaluation)
			continue;
		if (series->state.alarm.color != COLOR_GREEN) {
			bool killed = !missing && state_table_was_killed(states, &series->state, pace_of(states, host));
			int result = state_table_end_series(states, transitions, series, killed ? TRANSITION_KILLED : TRANSITION_GONE);
			if (result)
				return result;
		}
		states->changed |= series->state.samples > 0 || series->state.forecasts > 0 || series->state.fulls > 0;
		series->state.samples = 0;
		series->state.forecasts = series->state.fulls = 0;
		state_table_drop_if_green(series);
	}
	return 0;
}

/* Ends what is known of a host; its own alarm, if it stands. */
static int forget_host(struct states *states, struct host *host, struct transitions *transitions)
{
	for (struct series *series = host->series; series; series = series->hh.next) {
		series->state.samples = 0;
		series->state.forecasts = series->state.fulls = 0;
		int result = series->state.alarm.color != COLOR_GREEN ?
		                     state_table_end_series(states, transitions, series, TRANSITION_GONE) : 0;
		if (result)
			return result;
	}
	int result = host->state.alarm.color == COLOR_UNKNOWN ? end_silence(states, transitions, host, TRANSITION_GONE) : 0;
	if (result)
		return result;
	states->changed = true;
	host->state.forgotten = true;
	return 0;
}

/* The alarms of a silent host stay, but those that have been muted. */
static int mute_silent_series(struct states *states, const struct rules *rules, struct host *host,
                              struct transitions *transitions)
{
	int result = 0;
	struct series *series, *next;
	HASH_ITER(hh, host->series, series, next) {
		const struct alarm *alarm = &series->state.alarm;
		if (!result && rules_find(rules, alarm->ip, alarm->process, alarm->resource)->mute)
			result = state_table_mute_series(states, transitions, series);
	}
	return result;
}

/* A host that is muted is not in latest. */
static int miss_muted_host(struct states *states, struct host *host, struct transitions *transitions)
{
	return host->state.alarm.color == COLOR_UNKNOWN ? end_silence(states, transitions, host, TRANSITION_CLEAR) : 0;
}

/* A host is not in latest. */
static int miss_host(struct states *states, const struct rules *rules, struct host *host,
                     struct transitions *transitions)
{
	struct host_state *state = &host->state;
	host->present = 0;
	if (state->forgotten)
		return 0;
	state->absent++;
	if (state->absent % (SAVE_ABSENCE_MS / states->interval_ms + 1) == 0)
		states->changed = true;
	int result = mute_silent_series(states, rules, host, transitions);
	if (result)
		return result;
	if (state->absent > STATES_FORGET_MS / states->interval_ms)
		return forget_host(states, host, transitions);
	if (rules_find(rules, state->alarm.ip, WIRE_HOST_ITSELF, RESOURCE_COUNT)->mute)
		return miss_muted_host(states, host, transitions);
	if (state->alarm.color == COLOR_UNKNOWN || state->absent < host->absent_allowed)
		return 0;

	state->alarm.since_ms = state->last_seen_ms;
	result = state_table_turn(states, transitions, &state->alarm, TRANSITION_UNKNOWN, COLOR_UNKNOWN);
	if (result)
		return result;
	state->absent = 0;
	state->ended = false;
	return 0;
}

/* Evaluates the samples of one host, which stand together from `start`; ret_end is
 * the next host's first. */
static int evaluate_host(struct states *states, const struct rules *rules, const struct latest *latest, size_t start,
                         struct transitions *transitions, size_t *ret_end)
{
	const char *ip = latest->samples[start].ip;
	struct host *host = state_table_find_host(states, ip);
	if (!host)
		host = state_table_add_host(states, ip);
	if (!host)
		return -ENOMEM;
	if (host->stopped)
		host->present = 0;
	host->stopped = false;
	int result = meet_host(states, host, transitions);
	host->sample_at = start;
	int64_t newest_ms = INT64_MIN;
	size_t at = start;
	for (; !result && at < latest->count && strcmp(latest->samples[at].ip, ip) == 0; at++) {
		const struct latest_sample *sample = &latest->samples[at];
		if (sample->time_ms > newest_ms)
			newest_ms = sample->time_ms;
		result = evaluate_sample(states, rules, host, sample, transitions);
	}
	if (host->state.last_seen_ms && newest_ms > host->state.last_seen_ms) {
		host->paces_ms[1] = host->paces_ms[0];
		host->paces_ms[0] = newest_ms - host->state.last_seen_ms;
	}
	host->ticked = newest_ms > host->state.last_seen_ms;
	host->state.last_seen_ms = newest_ms;
	*ret_end = at;
	return result;
}

/* Meets the hosts whose collectors are stopped: they are not silent, and what was known of their processes is gone. Of one
 * that was not known there is nothing to be known. */
static int meet_stopped(struct states *states, const struct latest *latest, struct transitions *transitions)
{
	int result = 0;
	for (size_t i = 0; i < latest->stopped_count && !result; i++) {
		struct host *host = state_table_find_host(states, latest->stopped[i]);
		if (host && !host->state.forgotten) {
			host->stopped = true;
			result = meet_host(states, host, transitions);
		}
	}
	return result;
}

int states_evaluate(struct states *states, const struct rules *rules, const struct latest *latest, int64_t now_ms,
                    struct transitions *transitions)
{
	int64_t gap_ms = now_ms - states->evaluated_ms;
	if (gap_ms < 0 || gap_ms > 2 * states->interval_ms)
		states_interrupted(states);
	states->evaluated_ms = now_ms;
	states->evaluation++;
	transitions->count = 0;

	int result = 0;
	for (size_t at = 0; at < latest->count && !result;)
		result = evaluate_host(states, rules, latest, at, transitions, &at);
	if (!result)
		result = meet_stopped(states, latest, transitions);
	for (struct host *host = states->hosts; host && !result; host = host->hh.next)
		result = host->seen_in == states->evaluation ? end_gone_series(states, host, transitions) :
		                                               miss_host(states, rules, host, transitions);
	return result;
}

bool states_await(const struct states *states, const struct latest *latest, int64_t boundary_ms)
{
	for (size_t at = 0; at < latest->count;) {
		const char *ip = latest->samples[at].ip;
		int64_t pace_ms = pace_of(states, state_table_find_host(states, ip));
		size_t there = 0, behind = 0;
		for (; at < latest->count && strcmp(latest->samples[at].ip, ip) == 0; at++) {
			int64_t age_ms = boundary_ms - latest->samples[at].time_ms;
			there += age_ms < pace_ms;
			behind += age_ms >= pace_ms && age_ms < 2 * pace_ms;
		}
		if (there == 0 || there < behind)
			return true;
	}
	return false;
}

void states_reported(struct states *states)
{
	struct host *host, *next_host;
	HASH_ITER(hh, states->hosts, host, next_host) {
		struct series *series, *next;
		HASH_ITER(hh, host->series, series, next) {
			series->state.ended = false;
			state_table_drop_if_green(series);
		}
		host->state.ended = false;
		if (host->state.forgotten)
			state_table_drop_host(states, host);
	}
}

bool states_changed(const struct states *states)
{
	return states->changed;
}

void states_saved(struct states *states)
{
	states->changed = false;
}
