/* vigie-alert's state file: what is read of any is saved so that it is read again the same. */
#include "tests/fuzz/alert/evaluated.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct text error = TEXT_EMPTY;
	struct latest nothing = { 0 };
	struct states *states = states_open(INTERVAL_MS);
	int result = state_file_parse((const char *)bytes, size, states, &error);
	assert(result == 0 ? error.length == 0 : result == -EBADMSG && error.length > 0);
	if (result == 0) {
		evaluated_check_saved(states);
		for (int i = 0; i < 12; i++)
			evaluated_tick(states, &nothing, NULL, NOW_MS + i * INTERVAL_MS);
		evaluated_tick(states, &nothing, NULL, NOW_MS + STATES_FORGET_MS + 12 * INTERVAL_MS);
		evaluated_check_saved(states);
	}
	states_close(states);
	text_free(&error);
	return 0;
}
