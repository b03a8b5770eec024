#include "alert/state_file.h"

#include <errno.h>

#include "common/whole_file.h"

int state_file_read(const char *path, int64_t interval_ms, struct states **ret_states, struct text *ret_error)
{
	struct text content = TEXT_EMPTY;
	struct states *states = states_open(interval_ms);
	int result = states ? whole_file_read(path, &content) : -ENOMEM;
	int broken = 0;
	if (result == -ENOENT)
		result = 0;
	else if (!result)
		result = broken = state_file_parse(text_or(&content, ""), content.length, states, ret_error);
	text_free(&content);

	if (broken == -EBADMSG) {
		states_close(states);
		states = states_open(interval_ms);
		result = states ? whole_file_move_aside(path) : -ENOMEM;
	}
	if (result) {
		states_close(states);
		return result;
	}
	*ret_states = states;
	return broken;
}

int state_file_write(const char *path, const struct states *states)
{
	struct text content = TEXT_EMPTY;
	state_file_format(states, &content);
	int result = whole_file_replace(path, &content);
	text_free(&content);
	return result;
}
