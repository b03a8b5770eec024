/* The part of alert/states.h that looks ahead. */
#include "alert/state_table.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* The sample of a series in the answer that its host was just seen in; NULL: there is none. */
static const struct latest_sample *find_sample(const struct latest *latest, const struct host *host,
                                               const struct forecast *forecast)
{
	for (size_t at = host->sample_at; at < latest->count; at++) {
		const struct latest_sample *sample = &latest->samples[at];
		if (strcmp(sample->ip, host->state.alarm.ip) != 0)
			return NULL;
		if (sample->resource == forecast->resource && strcmp(sample->process, forecast->process) == 0)
			return sample;
	}
	return NULL;
}

/* Whether what is said of days ahead makes an AMBER of it. */
static bool is_looked_at(const struct states *states, const struct limits *limits, const struct forecast *forecast)
{
	return states->long_horizon_ms && forecast->full_ms && limits->amber_probability < 1;
}

/* Puts what the newest forecast says into an alarm. What is expected of days ahead is the threshold at least. */
static void say_forecast(struct alarm *alarm, const struct forecast *forecast)
{
	bool far = alarm->horizon_ms;
	alarm->probability = forecast->probability;
	alarm->forecast = far ? fmax(forecast->value, alarm->threshold) : forecast->value;
	if (!far || forecast->full_ms)
		alarm->expected_ms = far ? forecast->full_ms : forecast->expected_ms;
}

/* A series that is plainly green and may become AMBER; *ret_series stays NULL when it is not in latest. */
static int add_series(struct host *host, const struct limits *limits, const struct latest *latest,
                      const struct forecast *forecast, struct series **ret_series)
{
	const struct latest_sample *sample = find_sample(latest, host, forecast);
	if (!sample)
		return 0;
	struct series *series = state_table_add_series(host, forecast->process, forecast->resource);
	if (!series)
		return -ENOMEM;
	series->state.sample_ms = sample->time_ms;
	series->state.alarm.value = sample->value;
	series->state.alarm.threshold = limits->threshold;
	*ret_series = series;
	return 0;
}

/* `horizon_ms`: 0, or the long one that it is raised upon. */
static int raise_amber(struct states *states, struct transitions *transitions, struct series *series,
                       const struct forecast *forecast, int64_t horizon_ms)
{
	struct alarm *alarm = &series->state.alarm;
	const struct alarm before = *alarm;
	alarm->since_ms = series->state.likely_ms;
	alarm->horizon_ms = horizon_ms;
	say_forecast(alarm, forecast);
	int result = state_table_turn(states, transitions, alarm, TRANSITION_AMBER, COLOR_ORANGE);
	if (result) {
		*alarm = before;
		return result;
	}
	series->state.ended = false;
	return 0;
}

/* An AMBER of days ahead ends by its own rule: it takes as long for a line to be none any more as for one of its points. */
static bool has_cleared(const struct states *states, const struct alarm *alarm, const struct limits *limits, int64_t without)
{
	return without >= limits->clear_after && without * states->interval_ms >= alarm->horizon_ms / STATES_POINTS;
}

/* Counts what is said of days ahead, of a series that is green or AMBER by that. */
static int count_full(struct states *states, struct transitions *transitions, struct series *series,
                      const struct limits *limits, const struct forecast *forecast)
{
	struct series_state *state = &series->state;
	bool full = is_looked_at(states, limits, forecast), orange = state->alarm.color == COLOR_ORANGE;
	int64_t count = full != orange ? state->fulls + 1 : 0;
	if (!orange && count == 1 && state->forecasts == 0)
		state->likely_ms = state->sample_ms;
	int result = 0;
	if (orange && has_cleared(states, &state->alarm, limits, count)) {
		result = state_table_end_series(states, transitions, series, TRANSITION_CLEAR);
		count = 0;
	} else if (!orange && count >= STATES_AMBER_AFTER) {
		result = raise_amber(states, transitions, series, forecast, states->long_horizon_ms);
		count = 0;
	}
	if (result)
		return result;
	states->changed |= count != state->fulls;
	state->fulls = count;
	return 0;
}

/* Counts one forecast of a series that is kept and in latest. */
static int count_forecast(struct states *states, struct transitions *transitions, struct series *series,
                          const struct limits *limits, const struct forecast *forecast)
{
	struct series_state *state = &series->state;
	bool orange = state->alarm.color == COLOR_ORANGE && !state->alarm.horizon_ms;
	bool counts = orange ? forecast->probability < limits->amber_clear :
	                       forecast->probability > limits->amber_probability;
	int64_t count = counts ? state->forecasts + 1 : 0;

	series->forecast_in = states->evaluation;
	series->unforecast = 0;
	say_forecast(&state->alarm, forecast);
	if (!orange && count == 1)
		state->likely_ms = state->sample_ms;
	int result = 0;
	if (orange && count >= limits->clear_after) {
		result = state_table_end_series(states, transitions, series, TRANSITION_CLEAR);
		count = 0;
	} else if (!orange && count >= STATES_AMBER_AFTER) {
		result = raise_amber(states, transitions, series, forecast, 0);
		count = 0;
	} else if (!orange) {
		result = count_full(states, transitions, series, limits, forecast);
	}
	if (result)
		return result;
	states->changed |= count != state->forecasts;
	state->forecasts = count;
	return 0;
}

static int evaluate_forecast(struct states *states, const struct rules *rules, const struct latest *latest,
                             const struct forecast *forecast, struct transitions *transitions)
{
	struct host *host = state_table_find_host(states, forecast->ip);
	if (!host || host->seen_in != states->evaluation)
		return 0;
	struct series *series = state_table_find_series(host, forecast->process, forecast->resource);
	if (series ? series->seen_in != states->evaluation || series->state.alarm.color == COLOR_RED :
	             !(forecast->probability > rules_lowest_amber_probability(rules)) && !forecast->full_ms)
		return 0;

	const struct limits *limits = rules_find(rules, forecast->ip, forecast->process, forecast->resource);
	if (limits->mute)
		return 0;
	if (!series && (forecast->probability > limits->amber_probability || is_looked_at(states, limits, forecast))) {
		int result = add_series(host, limits, latest, forecast, &series);
		if (result)
			return result;
	}
	if (!series)
		return 0;
	int result = count_forecast(states, transitions, series, limits, forecast);
	state_table_drop_if_green(series);
	return result;
}

/* A series that is kept and in latest has no forecast, though others have. */
static int miss_forecast(struct states *states, const struct rules *rules, struct series *series,
                         struct transitions *transitions)
{
	struct series_state *state = &series->state;
	if (state->alarm.color == COLOR_ORANGE) {
		const struct limits *limits =
			rules_find(rules, state->alarm.ip, state->alarm.process, state->alarm.resource);
		if (++series->unforecast * states->interval_ms < limits->horizon_ms)
			return 0;
		return state_table_end_series(states, transitions, series, TRANSITION_CLEAR);
	}
	states->changed |= state->forecasts > 0 || state->fulls > 0;
	state->forecasts = state->fulls = 0;
	state_table_drop_if_green(series);
	return 0;
}

int states_evaluate_forecasts(struct states *states, const struct rules *rules, const struct latest *latest,
                              const struct forecasts *forecasts, struct transitions *transitions)
{
	transitions->count = 0;
	int result = 0;
	for (size_t i = 0; i < forecasts->count && !result; i++)
		result = evaluate_forecast(states, rules, latest, &forecasts->items[i], transitions);
	for (struct host *host = states->hosts; host && !result; host = host->hh.next) {
		struct series *series, *next;
		HASH_ITER(hh, host->series, series, next) {
			if (series->seen_in == states->evaluation && series->forecast_in != states->evaluation && !result)
				result = miss_forecast(states, rules, series, transitions);
		}
	}
	return result;
}
