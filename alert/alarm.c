#include "alert/alarm.h"

#include <errno.h>
#include <stdlib.h>

enum transition_word alarm_word(const struct alarm *alarm)
{
	if (alarm->color == COLOR_UNKNOWN)
		return TRANSITION_UNKNOWN;
	if (alarm->color == COLOR_ORANGE)
		return TRANSITION_AMBER;
	return alarm->resource == RESOURCE_COUNT ? TRANSITION_MISSING : TRANSITION_RED;
}

int transitions_add(struct transitions *transitions, enum transition_word word, enum color before,
                    const struct alarm *alarm)
{
	if (transitions->count == transitions->capacity) {
		size_t capacity = transitions->capacity ? 2 * transitions->capacity : 16;
		struct transition *items = realloc(transitions->items, capacity * sizeof(*items));
		if (!items)
			return -ENOMEM;
		transitions->items = items;
		transitions->capacity = capacity;
	}
	transitions->items[transitions->count++] =
		(struct transition){ .word = word, .before = before, .alarm = *alarm };
	return 0;
}

void transitions_free(struct transitions *transitions)
{
	free(transitions->items);
	*transitions = (struct transitions){ 0 };
}
