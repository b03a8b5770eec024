/* The rules of [alert], a line each, and the limits of the process that the first line names. */
#include "tests/fuzz/fuzz.h"

#include <errno.h>

#include "common/comm.h"
#include "common/config.h"
#include "common/rules.h"

enum { LINES = 16 };

static void check(const struct rules *rules, const char *process)
{
	static const char *const ips[] = { "10.0.0.5", "2001:db8::1" };
	for (size_t i = 0; i < 2; i++) {
		for (int resource = 0; resource <= RESOURCE_COUNT; resource++) {
			const struct limits *limits = rules_find(rules, ips[i], process, (enum resource)resource);
			assert(limits->threshold >= 0 && limits->threshold <= 1e6 && limits->clear >= 0);
			assert(limits->clear <= limits->threshold && limits->threshold >= rules_lowest_threshold(rules));
			assert(limits->raise_after >= 1 && limits->clear_after >= 1);
			assert(limits->horizon_ms >= 1000 && limits->horizon_ms <= 86400000);
			assert(limits->amber_probability >= rules_lowest_amber_probability(rules));
			assert(limits->amber_probability <= 1 && limits->amber_clear >= 0);
			assert(limits->amber_clear <= limits->amber_probability);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char *process = fuzz_line(&bytes, &size), *overrides[LINES];
	size_t count = 0;
	while (size && count < LINES) {
		char *line = fuzz_line(&bytes, &size);
		if (line[0] && asprintf(&overrides[count++], "alert.rule=%s", line) < 0)
			abort();
		free(line);
	}

	struct text error = TEXT_EMPTY;
	struct config *config;
	struct rules *rules;
	int result = config_load(NULL, overrides, count, &config, &error);
	assert(result == 0 || result == -EINVAL);
	if (result) /* no command line can say it */
		goto out;
	result = rules_open(config, NULL, &rules, &error);
	assert(result == 0 ? error.length == 0 : result == -EINVAL && error.length > 0);
	if (result == 0) {
		int warned = comm_warn(config, NULL);
		assert(warned == 0 && config->warnings.count <= count);
		check(rules, process);
		rules_free(rules);
	}
	config_free(config);
out:
	text_free(&error);
	while (count > 0)
		free(overrides[--count]);
	free(process);
	return 0;
}
