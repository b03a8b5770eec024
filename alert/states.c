#include "alert/state_table.h"

#include <errno.h>
#include <string.h>

void states_set_interval(struct states *states, int64_t interval_ms)
{
	states->interval_ms = interval_ms;
}

void states_interrupted(struct states *states)
{
	int64_t recovery = (STATES_RECOVERY_MS + states->interval_ms - 1) / states->interval_ms;
	for (struct host *host = states->hosts; host; host = host->hh.next) {
		host->present = 0;
		host->absent_allowed = STATES_ABSENT + recovery;
	}
}

/* Gives `alarm` its new colour and tells so. On failure it has its old one. */
static int turn(struct states *states, struct transitions *transitions, struct alarm *alarm,
                enum transition_word word, enum color color)
{
	enum color before = alarm->color;
	alarm->color = color;
	int result = transitions_add(transitions, word, alarm);
	if (result)
		alarm->color = before;
	else
		states->changed = true;
	return result;
}

static int end_series(struct states *states, struct transitions *transitions, struct series *series,
                      enum transition_word word)
{
	int result = turn(states, transitions, &series->state.alarm, word, COLOR_GREEN);
	if (result)
		return result;
	series->state.samples = 0;
	series->state.ended = true;
	return 0;
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
		alarm->since_ms = sample->time_ms;
	if (red && samples >= limits->clear_after) {
		int result = end_series(states, transitions, series, TRANSITION_CLEAR);
		if (result)
			return result;
		samples = 0;
	} else if (!red && samples > 0 && samples >= limits->raise_after) {
		int result = turn(states, transitions, alarm, TRANSITION_RED, COLOR_RED);
		if (result)
			return result;
		state->ended = false;
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
		if (!(sample->value > limits->threshold))
			return 0;
		series = state_table_add_series(host, sample->process, sample->resource);
		if (!series)
			return -ENOMEM;
	}
	series->seen_in = states->evaluation;
	if (series->state.sample_ms == sample->time_ms)
		return 0;
	int result = count_sample(states, transitions, series, limits, sample);
	state_table_drop_if_green(series);
	return result;
}

/* A host is in latest: ends its silence. */
static int meet_host(struct states *states, struct host *host, struct transitions *transitions)
{
	if (host->state.alarm.color == COLOR_UNKNOWN) {
		int result = turn(states, transitions, &host->state.alarm, TRANSITION_CLEAR, COLOR_GREEN);
		if (result)
			return result;
		host->state.ended = true;
	}
	states->changed |= host->state.forgotten;
	host->state.forgotten = false;
	if (host->seen_in != states->evaluation && host->present < 2)
		host->present++;
	host->seen_in = states->evaluation;
	host->absent = 0;
	host->absent_allowed = STATES_ABSENT;
	return 0;
}

/* Ends what is not in latest any more, of a host that is. */
static int end_gone_series(struct states *states, struct host *host, struct transitions *transitions)
{
	if (host->present < 2)
		return 0;
	struct series *series, *next;
	HASH_ITER(hh, host->series, series, next) {
		if (series->seen_in == states->evaluation)
			continue;
		if (series->state.alarm.color == COLOR_RED) {
			int result = end_series(states, transitions, series, TRANSITION_GONE);
			if (result)
				return result;
		}
		states->changed |= series->state.samples > 0;
		series->state.samples = 0;
		state_table_drop_if_green(series);
	}
	return 0;
}

static int forget_host(struct states *states, struct host *host, struct transitions *transitions)
{
	for (struct series *series = host->series; series; series = series->hh.next) {
		series->state.samples = 0;
		int result = series->state.alarm.color == COLOR_RED ?
		                     end_series(states, transitions, series, TRANSITION_GONE) : 0;
		if (result)
			return result;
	}
	int result = turn(states, transitions, &host->state.alarm, TRANSITION_GONE, COLOR_GREEN);
	if (result)
		return result;
	host->state.ended = true;
	host->state.forgotten = true;
	return 0;
}

/* A host is not in latest. */
static int miss_host(struct states *states, struct host *host, int64_t now_ms, struct transitions *transitions)
{
	struct host_state *state = &host->state;
	host->present = 0;
	if (state->forgotten)
		return 0;
	if (state->alarm.color == COLOR_UNKNOWN)
		return now_ms - state->unknown_ms > STATES_FORGET_MS ? forget_host(states, host, transitions) : 0;
	if (++host->absent < host->absent_allowed)
		return 0;

	state->alarm.since_ms = state->last_seen_ms;
	int result = turn(states, transitions, &state->alarm, TRANSITION_UNKNOWN, COLOR_UNKNOWN);
	if (result)
		return result;
	state->unknown_ms = now_ms;
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
	int result = meet_host(states, host, transitions);
	int64_t newest_ms = INT64_MIN;
	size_t at = start;
	for (; !result && at < latest->count && strcmp(latest->samples[at].ip, ip) == 0; at++) {
		const struct latest_sample *sample = &latest->samples[at];
		if (sample->time_ms > newest_ms)
			newest_ms = sample->time_ms;
		result = evaluate_sample(states, rules, host, sample, transitions);
	}
	host->state.last_seen_ms = newest_ms;
	*ret_end = at;
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
	for (struct host *host = states->hosts; host && !result; host = host->hh.next)
		result = host->seen_in == states->evaluation ? end_gone_series(states, host, transitions) :
		                                               miss_host(states, host, now_ms, transitions);
	return result;
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
