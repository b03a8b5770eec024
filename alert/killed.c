/* The part of alert/states.h that says whom the kernel has killed for want of memory. */
#include "alert/state_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Makes the key, too. NULL: it has not been said. */
static struct killed *find(const struct states *states, const char *ip, const char *process, int64_t time_ms,
                           char key[static KILLED_KEY_SIZE])
{
	struct killed *killed;
	snprintf(key, KILLED_KEY_SIZE, "%s %lld %s", ip, (long long)time_ms, process);
	HASH_FIND_STR(states->killed, key, killed);
	return killed;
}

int states_restore_killed(struct states *states, const char *ip, const char *process, int64_t time_ms)
{
	char key[KILLED_KEY_SIZE];
	if (find(states, ip, process, time_ms, key))
		return -EEXIST;
	struct killed *killed = calloc(1, sizeof(*killed));
	if (!killed)
		return -ENOMEM;
	killed->state.time_ms = time_ms;
	strncpy(killed->state.ip, ip, sizeof(killed->state.ip) - 1);
	strncpy(killed->state.process, process, sizeof(killed->state.process) - 1);
	memcpy(killed->key, key, sizeof(key));
	HASH_ADD_STR(states->killed, key, killed);
	if (!killed->hh.tbl) {
		free(killed);
		return -ENOMEM;
	}
	states->changed = true;
	return 0; /* analyzer: the states have it */
}

const struct killed_state *states_next_killed(const struct states *states, const struct killed_state *previous)
{
	const struct killed *killed = previous ? ((const struct killed *)previous)->hh.next : states->killed;
	return killed ? &killed->state : NULL;
}

void state_table_drop_killed(struct states *states, int64_t before_ms)
{
	struct killed *killed, *next;
	HASH_ITER(hh, states->killed, killed, next) {
		if (killed->state.time_ms >= before_ms)
			continue;
		HASH_DEL(states->killed, killed);
		free(killed);
		states->changed = true;
	}
}

bool state_table_was_killed(const struct states *states, const struct series_state *series, int64_t pace_ms)
{
	const struct killed *killed;
	for (killed = states->killed; killed; killed = killed->hh.next) {
		if (strcmp(killed->state.ip, series->alarm.ip) == 0 && strcmp(killed->state.process, series->alarm.process) == 0 &&
		    killed->state.time_ms >= series->sample_ms - pace_ms)
			return true;
	}
	return false;
}

static int say(const struct states *states, const struct kill *kill, int64_t now_ms, struct transitions *transitions)
{
	struct alarm alarm = { .resource = RESOURCE_COUNT, .color = COLOR_GREEN, .value = kill->count, .since_ms = kill->time_ms,
		                   .said_ms = now_ms };
	memcpy(alarm.ip, kill->ip, sizeof(alarm.ip));
	strncpy(alarm.process, kill->process, sizeof(alarm.process) - 1);
	struct alarm of_memory = alarm;
	of_memory.resource = RESOURCE_MEM;
	alarm.silenced_ms = state_table_silence(states, &of_memory);
	return transitions_add(transitions, TRANSITION_OOM, COLOR_GREEN, &alarm);
}

int states_evaluate_kills(struct states *states, const struct rules *rules, const struct kills *kills, int64_t now_ms,
                          struct transitions *transitions)
{
	transitions->count = 0;
	state_table_drop_killed(states, now_ms - 2 * STATES_KILLS_MS);
	for (size_t i = kills->count; i-- > 0;) { /* the oldest first */
		const struct kill *kill = &kills->items[i];
		char key[KILLED_KEY_SIZE];
		size_t said = transitions->count;
		if (kill->time_ms < now_ms - 2 * STATES_KILLS_MS || find(states, kill->ip, kill->process, kill->time_ms, key))
			continue;
		int result = rules_find(rules, kill->ip, kill->process, RESOURCE_MEM)->mute ? 0 : say(states, kill, now_ms, transitions);
		if (!result)
			result = states_restore_killed(states, kill->ip, kill->process, kill->time_ms);
		if (result) {
			transitions->count = said; /* it is said when it can be remembered */
			return result;
		}
	}
	return 0;
}
