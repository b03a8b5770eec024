#include "alert/state_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct states *states_open(int64_t interval_ms)
{
	struct states *states = calloc(1, sizeof(*states));
	if (states)
		states->interval_ms = interval_ms;
	return states;
}

static void drop_series(struct series *series)
{
	HASH_DEL(series->host->series, series);
	free(series);
}

void state_table_drop_host(struct states *states, struct host *host)
{
	struct series *series, *next;
	HASH_ITER(hh, host->series, series, next)
		drop_series(series);
	HASH_DEL(states->hosts, host);
	free(host);
}

void states_close(struct states *states)
{
	if (!states)
		return;
	struct host *host, *next;
	HASH_ITER(hh, states->hosts, host, next)
		state_table_drop_host(states, host);
	state_table_drop_killed(states, INT64_MAX);
	text_free(&states->unwritten.lines);
	free(states);
}

struct host *state_table_find_host(const struct states *states, const char *ip)
{
	struct host *host;
	HASH_FIND_STR(states->hosts, ip, host);
	return host;
}

struct host *state_table_add_host(struct states *states, const char *ip)
{
	struct host *host = calloc(1, sizeof(*host));
	if (!host)
		return NULL;
	strncpy(host->state.alarm.ip, ip, WIRE_IP_SIZE - 1);
	strcpy(host->state.alarm.process, WIRE_HOST_ITSELF);
	host->state.alarm.resource = RESOURCE_COUNT;
	host->absent_allowed = STATES_ABSENT;
	HASH_ADD_STR(states->hosts, state.alarm.ip, host);
	if (!host->hh.tbl) {
		free(host);
		return NULL;
	}
	states->changed = true;
	return host;
}

static size_t make_key(char key[static 1 + WIRE_NAME_SIZE], const char *process, enum resource resource)
{
	size_t length = strlen(process);
	key[0] = (char)resource;
	memcpy(key + 1, process, length + 1);
	return 1 + length;
}

struct series *state_table_find_series(const struct host *host, const char *process, enum resource resource)
{
	if (!host->series)
		return NULL;
	char key[1 + WIRE_NAME_SIZE];
	size_t length = make_key(key, process, resource);
	struct series *series;
	HASH_FIND(hh, host->series, key, length, series);
	return series;
}

struct series *state_table_add_series(struct host *host, const char *process, enum resource resource)
{
	struct series *series = calloc(1, sizeof(*series));
	if (!series)
		return NULL;
	series->host = host;
	memcpy(series->state.alarm.ip, host->state.alarm.ip, WIRE_IP_SIZE);
	strncpy(series->state.alarm.process, process, WIRE_NAME_SIZE - 1);
	series->state.alarm.resource = resource;
	series->state.sample_ms = INT64_MIN;
	size_t length = make_key(series->key, process, resource);
	HASH_ADD_KEYPTR(hh, host->series, series->key, length, series);
	if (!series->hh.tbl) {
		free(series);
		return NULL;
	}
	return series;
}

void state_table_drop_if_green(struct series *series)
{
	const struct series_state *state = &series->state;
	if (state->alarm.color == COLOR_GREEN && state->samples == 0 && state->forecasts == 0 && state->fulls == 0 &&
	    !state->ended)
		drop_series(series);
}

int64_t state_table_silence(const struct states *states, const struct alarm *alarm)
{
	const struct silences *silences = states->silences;
	if (!silences)
		return alarm->silenced_ms > states->evaluated_ms ? alarm->silenced_ms : 0;
	return silence_until(silences->items, silences->count, alarm->ip, alarm->process, alarm->resource);
}

int state_table_turn(struct states *states, struct transitions *transitions, struct alarm *alarm,
                     enum transition_word word, enum color color)
{
	const struct alarm before = *alarm;
	alarm->color = color;
	alarm->said_ms = states->evaluated_ms;
	alarm->silenced_ms = state_table_silence(states, alarm);
	int result = transitions_add(transitions, word, before.color, alarm);
	if (result)
		*alarm = before;
	else
		states->changed = true;
	return result;
}

int state_table_end_series(struct states *states, struct transitions *transitions, struct series *series,
                           enum transition_word word)
{
	int result = state_table_turn(states, transitions, &series->state.alarm, word, COLOR_GREEN);
	if (result)
		return result;
	series->state.samples = 0;
	series->state.forecasts = series->state.fulls = 0;
	series->state.alarm.horizon_ms = 0;
	series->state.ended = true;
	return 0;
}

int state_table_mute_series(struct states *states, struct transitions *transitions, struct series *series)
{
	struct series_state *state = &series->state;
	int result = state->alarm.color != COLOR_GREEN ?
	                     state_table_end_series(states, transitions, series, TRANSITION_CLEAR) : 0;
	if (result)
		return result;
	states->changed |= state->samples > 0 || state->forecasts > 0 || state->fulls > 0;
	state->samples = 0;
	state->forecasts = state->fulls = 0;
	state_table_drop_if_green(series);
	return 0;
}

const struct host_state *states_next_host(const struct states *states, const struct host_state *previous)
{
	const struct host *host = previous ? ((const struct host *)previous)->hh.next : states->hosts;
	return host ? &host->state : NULL;
}

const struct series_state *states_next_series(const struct states *states, const struct series_state *previous)
{
	const struct series *series = (const struct series *)previous;
	if (series && series->hh.next)
		return &((const struct series *)series->hh.next)->state;
	const struct host *host = series ? series->host->hh.next : states->hosts;
	while (host && !host->series)
		host = host->hh.next;
	return host ? &host->series->state : NULL;
}

int states_restore_host(struct states *states, const struct host_state *host)
{
	if (state_table_find_host(states, host->alarm.ip))
		return -EEXIST;
	struct host *added = state_table_add_host(states, host->alarm.ip);
	if (!added)
		return -ENOMEM;
	added->state = *host;
	return 0;
}

int states_restore_series(struct states *states, const struct series_state *series)
{
	struct host *host = state_table_find_host(states, series->alarm.ip);
	if (!host)
		return -ENOENT;
	if (state_table_find_series(host, series->alarm.process, series->alarm.resource))
		return -EEXIST;
	struct series *added = state_table_add_series(host, series->alarm.process, series->alarm.resource);
	if (!added)
		return -ENOMEM;
	added->state = *series;
	return 0;
}

void states_restore_time(struct states *states, int64_t saved_ms)
{
	states->saved_ms = saved_ms;
}

int64_t states_time(const struct states *states)
{
	return states->evaluated_ms ? states->evaluated_ms : states->saved_ms;
}

const struct states_unwritten *states_unwritten(const struct states *states)
{
	return &states->unwritten;
}

int states_set_unwritten(struct states *states, const struct text *lines, uint64_t lost)
{
	struct states_unwritten *unwritten = &states->unwritten;
	text_reset(&unwritten->lines);
	text_append(&unwritten->lines, lines->data, lines->length);
	unwritten->lost = lost;
	return text_failed(&unwritten->lines) ? -ENOMEM : 0;
}
