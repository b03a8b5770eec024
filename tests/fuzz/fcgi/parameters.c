/* Query strings, by a route that takes all parameters and by one that takes none. */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <math.h>

#include "fcgi/parameters.h"

enum { ALL = (PARAMETER_EXPLAIN << 1) - 1, MAX_WINDOW_MS = 172800000 };
#define NOW_MS INT64_C(1795356015000)

static void check(const char *query, unsigned allowed)
{
	struct parameters parameters;
	struct parameter_error error = { 0 };
	char ip[WIRE_IP_SIZE];
	int result = parameters_parse(query, allowed, MAX_WINDOW_MS, &parameters, &error);
	if (result) {
		assert(result == -EINVAL && error.sentence[0]);
		return;
	}
	assert((parameters.given & ~allowed) == 0);
	assert(parameters.window_ms >= 10000 && parameters.window_ms <= MAX_WINDOW_MS);
	assert(parameters.step_ms >= 0 && parameters.step_ms <= MAX_WINDOW_MS);
	if (parameters.given & PARAMETER_IP)
		assert(wire_ip_parse(parameters.ip, ip) && strcmp(parameters.ip, ip) == 0);
	if (parameters.given & PARAMETER_PROCESS) {
		size_t length = strlen(parameters.process);
		assert(length > 0 && wire_utf8_check(parameters.process, length) == length);
	}
	assert(parameters.process_count <= PARAMETERS_PROCESSES_MAX && parameters.only_count <= parameters.process_count);
	if (parameters_set_span(&parameters, NOW_MS, MAX_WINDOW_MS, &error) == 0)
		assert(parameters.from_ms < parameters.to_ms && parameters.to_ms <= NOW_MS &&
		       parameters.from_ms >= NOW_MS - MAX_WINDOW_MS);
	else
		assert(error.sentence[0] && error.name[0]);
	if (parameters.given & PARAMETER_LIMIT)
		assert(parameters.limit >= 1 && parameters.limit <= 1000000);
	assert(isfinite(parameters.above) && parameters.above >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char *query = fuzz_string(bytes, size);
	check(query, ALL);
	check(query, 0);
	free(query);
	return 0;
}
