/*
 * vigie-forecast's state file: what is read of any is written so that it is read again the same; and a line of it,
 * what one series' model has learnt.
 */
#include "tests/fuzz/forecast/predicted.h"

#include <errno.h>

#include "forecast/state_file.h"

enum { STEP_MS = 300000 };

static void check_line(const char *line)
{
	struct forecaster *forecaster = forecaster_open(prior_builtin(), PREDICTED_HORIZON, PREDICTED_LIMIT);
	if (forecaster_restore(forecaster, line)) {
		predicted_add_past(forecaster);
		predicted_check(forecaster);
		struct text saved = TEXT_EMPTY;
		struct forecaster *other = forecaster_open(prior_builtin(), PREDICTED_HORIZON, PREDICTED_LIMIT);
		forecaster_save(forecaster, &saved);
		bool restored = forecaster_restore(other, saved.data);
		assert(restored);
		forecaster_close(other);
		text_free(&saved);
	}
	forecaster_close(forecaster);
}

static void write_all(const struct learnt *learnt, struct text *content)
{
	state_file_begin(content, STEP_MS);
	state_file_end(content, state_file_add_learnt(content, learnt));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct text content = TEXT_EMPTY, written = TEXT_EMPTY, again = TEXT_EMPTY, error = TEXT_EMPTY;
	struct learnt *learnt = NULL, *second = NULL;
	text_append(&content, (const char *)bytes, size);
	int result = state_file_parse(&content, STEP_MS, &learnt, &error);
	assert(result == 0 ? error.length == 0 : (result == -EBADMSG || result == -ESTALE) && error.length > 0 && !learnt);
	if (result == 0) {
		write_all(learnt, &written);
		result = state_file_parse(&written, STEP_MS, &second, &error);
		assert(result == 0);
		write_all(second, &again);
		fuzz_assert_same(&written, &again);
		char *line = learnt_take(&learnt, "10.0.0.5", "bash", RESOURCE_CPU);
		if (line)
			check_line(line);
		free(line);
	}
	check_line(content.data);
	learnt_free(&learnt);
	learnt_free(&second);
	text_free(&content);
	text_free(&written);
	text_free(&again);
	text_free(&error);
	return 0;
}
