/* The part of alert/states.h that watches what must run. */
#include "alert/state_table.h"

#include <errno.h>
#include <string.h>

/* Whether a host's samples, which stand together, have one of a process. */
static bool has_process(const struct latest *latest, const struct host *host, const char *process)
{
	for (size_t at = host->sample_at; at < latest->count; at++) {
		const struct latest_sample *sample = &latest->samples[at];
		if (strcmp(sample->ip, host->state.alarm.ip) != 0)
			return false;
		if (strcmp(sample->process, process) == 0)
			return true;
	}
	return false;
}

/* Whether what a host was last seen with tells what it has: the first answer after it was away may hold only a part. */
static bool is_judged(const struct states *states, const struct host *host)
{
	return host->seen_in == states->evaluation && host->present >= 2 && !host->stopped;
}

static bool is_missing(const struct host *host, const char *process)
{
	const struct series *series = state_table_find_series(host, process, RESOURCE_COUNT);
	return series && series->state.alarm.color == COLOR_RED;
}

bool states_lack(const struct states *states, const struct rules *rules, const struct latest *latest)
{
	size_t at = 0;
	for (const char *process = rules_next_must_run(rules, &at); process; process = rules_next_must_run(rules, &at)) {
		for (const struct host *host = states->hosts; host; host = host->hh.next) {
			if (is_judged(states, host) && host->ticked && !is_missing(host, process) &&
			    rules_must_run(rules, host->state.alarm.ip, process) && !has_process(latest, host, process))
				return true;
		}
	}
	return false;
}

/* Counts a new sample of a host without a process. */
static int count_missing(struct states *states, struct transitions *transitions, struct host *host, const char *process,
                         const struct limits *limits)
{
	struct series *series = state_table_find_series(host, process, RESOURCE_COUNT);
	if (!series)
		series = state_table_add_series(host, process, RESOURCE_COUNT);
	if (!series)
		return -ENOMEM;
	struct series_state *state = &series->state;
	struct alarm *alarm = &state->alarm;
	int64_t since_ms = alarm->since_ms;
	states->changed = true;
	state->sample_ms = host->state.last_seen_ms;
	if (state->samples++ == 0)
		state->over_ms = host->state.last_seen_ms;
	if (state->samples < limits->raise_after)
		return 0;
	alarm->since_ms = state->over_ms;
	int result = state_table_turn(states, transitions, alarm, TRANSITION_MISSING, COLOR_RED);
	if (result) {
		alarm->since_ms = since_ms;
		return result;
	}
	state->ended = false;
	state->samples = 0;
	return 0;
}

/* One process on a host which tells what it has. */
static int judge(struct states *states, struct transitions *transitions, const struct rules *rules,
                 const struct latest *latest, const struct partial *partial, struct host *host, const char *process)
{
	const struct limits *limits = rules_must_run(rules, host->state.alarm.ip, process);
	if (!limits)
		return 0;
	if (has_process(latest, host, process)) {
		struct series *series = state_table_find_series(host, process, RESOURCE_COUNT);
		/* As one that is muted, it ends what stands and what was counted. */
		return series ? state_table_mute_series(states, transitions, series) : 0;
	}
	if (!host->ticked || is_missing(host, process) || !partial || partial_has(partial, host->state.alarm.ip))
		return 0;
	return count_missing(states, transitions, host, process, limits);
}

/* Ends what need not run any more. */
static int end_unneeded(struct states *states, const struct rules *rules, struct host *host, struct transitions *transitions)
{
	int result = 0;
	struct series *series, *next;
	HASH_ITER(hh, host->series, series, next) {
		const struct alarm *alarm = &series->state.alarm;
		if (!result && alarm->resource == RESOURCE_COUNT && !rules_must_run(rules, alarm->ip, alarm->process))
			result = state_table_mute_series(states, transitions, series);
	}
	return result;
}

int states_evaluate_missing(struct states *states, const struct rules *rules, const struct latest *latest,
                            const struct partial *partial, struct transitions *transitions)
{
	int result = 0;
	transitions->count = 0;
	for (struct host *host = states->hosts; host && !result; host = host->hh.next) {
		size_t at = 0;
		const char *process = is_judged(states, host) ? rules_next_must_run(rules, &at) : NULL;
		result = end_unneeded(states, rules, host, transitions);
		for (; process && !result; process = rules_next_must_run(rules, &at))
			result = judge(states, transitions, rules, latest, partial, host, process);
	}
	return result;
}
