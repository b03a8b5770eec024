/* The part of alert/states.h that reminds. */
#include "alert/state_table.h"

static int remind(struct states *states, int64_t reminder_ms, struct alarm *alarm, struct transitions *transitions)
{
	if (alarm->color == COLOR_GREEN)
		return 0;
	int64_t now_ms = states->evaluated_ms;
	if (alarm->said_ms == 0 || alarm->said_ms > now_ms) { /* an older state file; a clock that was set back */
		alarm->said_ms = now_ms;
		states->changed = true;
	}
	/* Evaluations come some milliseconds early or late: which one is nearest? */
	if (now_ms - alarm->said_ms + states->interval_ms / 2 < reminder_ms)
		return 0;
	return state_table_turn(states, transitions, alarm, TRANSITION_REMINDER, alarm->color);
}

int states_remind(struct states *states, int64_t reminder_ms, struct transitions *transitions)
{
	transitions->count = 0;
	if (reminder_ms == 0)
		return 0;
	int result = 0;
	for (struct host *host = states->hosts; host && !result; host = host->hh.next) {
		for (struct series *series = host->series; series && !result; series = series->hh.next)
			result = remind(states, reminder_ms, &series->state.alarm, transitions);
		if (!result)
			result = remind(states, reminder_ms, &host->state.alarm, transitions);
	}
	return result;
}
