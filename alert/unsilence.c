/* The part of alert/states.h that ends silences. */
#include "alert/state_table.h"

void states_set_silences(struct states *states, const struct silences *silences)
{
	states->silences = silences;
}

static int review(struct states *states, struct alarm *alarm, struct transitions *transitions)
{
	if (alarm->color == COLOR_GREEN)
		return 0;
	int64_t until_ms = state_table_silence(states, alarm);
	if (!until_ms && alarm->silenced_ms)
		return state_table_turn(states, transitions, alarm, alarm_word(alarm), alarm->color);
	states->changed |= until_ms != alarm->silenced_ms;
	alarm->silenced_ms = until_ms;
	return 0;
}

int states_unsilence(struct states *states, struct transitions *transitions)
{
	transitions->count = 0;
	int result = 0;
	for (struct host *host = states->hosts; host && !result; host = host->hh.next) {
		for (struct series *series = host->series; series && !result; series = series->hh.next)
			result = review(states, &series->state.alarm, transitions);
		if (!result)
			result = review(states, &host->state.alarm, transitions);
	}
	return result;
}
