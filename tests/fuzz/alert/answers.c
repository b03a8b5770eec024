/* What the server answers to GET latest, in the first line, and to GET forecasts, oom-kills or silences, and the alarms that
 * come of it. */
#include "tests/fuzz/alert/evaluated.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct text error = TEXT_EMPTY;
	struct latest latest = { 0 }, nothing = { 0 };
	struct forecasts forecasts = { 0 };
	char *line = fuzz_line(&bytes, &size);
	int result = latest_parse(line, strlen(line), &latest, &error);
	assert(result == 0 ? error.length == 0 : result == -EBADMSG && error.length > 0);
	text_reset(&error);
	result = forecasts_parse((const char *)bytes, size, &forecasts, &error);
	assert(result == 0 ? error.length == 0 : result == -EBADMSG && error.length > 0);
	struct kills kills = { 0 };
	text_reset(&error);
	int killed = kills_parse((const char *)bytes, size, &kills, &error);
	assert(killed == 0 ? error.length == 0 : killed == -EBADMSG && error.length > 0);
	kills_free(&kills);

	text_reset(&error);
	struct silences silences = { 0 };
	int silenced = silences_parse((const char *)bytes, size, &silences, &error);
	assert(silenced == 0 ? error.length == 0 : silenced == -EBADMSG && error.length > 0);

	struct states *states = states_open(INTERVAL_MS);
	states_set_silences(states, silenced == 0 ? &silences : NULL);
	int64_t now_ms = NOW_MS;
	for (int i = 0; i < 3; i++, now_ms += INTERVAL_MS) {
		evaluated_tick(states, &latest, result == 0 ? &forecasts : NULL, now_ms);
		for (size_t j = 0; j < latest.count; j++)
			latest.samples[j].time_ms += INTERVAL_MS;
	}
	evaluated_check_saved(states);
	evaluated_tick(states, &nothing, NULL, now_ms);
	states_set_silences(states, NULL);
	evaluated_tick(states, &nothing, NULL, now_ms + STATES_FORGET_MS);
	evaluated_tick(states, &latest, NULL, now_ms + STATES_FORGET_MS + INTERVAL_MS);
	evaluated_check_saved(states);
	states_close(states);
	latest_free(&latest);
	forecasts_free(&forecasts);
	silences_free(&silences);
	text_free(&error);
	free(line);
	return 0;
}
