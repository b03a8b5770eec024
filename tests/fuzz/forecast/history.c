/* What the server answers to GET get-all-detailed: the maxima in the first line, the means behind it. */
#include "tests/fuzz/forecast/predicted.h"

#include <errno.h>

#include "forecast/history.h"

enum { STEPS = 24 };

static int take(void *user, const struct history_series *series)
{
	char ip[WIRE_IP_SIZE];
	size_t *count = user;
	++*count;
	assert(wire_ip_parse(series->ip, ip) && strcmp(series->ip, ip) == 0);
	size_t length = strlen(series->process);
	assert(length > 0 && length <= WIRE_NAME_MAX && wire_utf8_check(series->process, length) == length);
	struct forecaster *forecaster = forecaster_open(prior_builtin(), PREDICTED_HORIZON, PREDICTED_LIMIT);
	for (size_t i = 0; i < series->count; i++) {
		if (!isnan(series->steps[i].max))
			forecaster_add(forecaster, series->first + (int64_t)i, series->steps[i]);
	}
	predicted_check(forecaster);
	forecaster_close(forecaster);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const struct history_query query = {
		.resource = RESOURCE_MEM, .step_ms = 300000, .first = PREDICTED_FIRST, .count = STEPS, .above = -1,
	};
	size_t count = 0;
	const struct history_reader reader = { .user = &count, .read = take };
	struct step steps[STEPS];
	struct text error = TEXT_EMPTY;
	char *maxima = fuzz_line(&bytes, &size), *means = fuzz_string(bytes, size);
	int result = history_merge(&query, maxima, means, steps, &reader, &error);
	assert(result == 0 || (result == -EBADMSG && error.length > 0));
	assert(count <= strlen(maxima));
	free(maxima);
	free(means);
	text_free(&error);
	return 0;
}
