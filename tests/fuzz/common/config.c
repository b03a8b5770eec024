/* vigie.conf: what is read of any file is printed so that it is read again the same. */
#include "tests/fuzz/fuzz.h"

#include <errno.h>

#include "common/config.h"
#include "common/rules.h"

/* NULL: the file is not right. */
static struct config *load(const void *bytes, size_t size, struct text *error)
{
	struct config *config = NULL;
	int result = config_load(fuzz_file(bytes, size), NULL, 0, &config, error);
	assert(result == 0 || result == -EINVAL);
	assert((result == 0) == (error->length == 0));
	return config;
}

/* A digit that is lost in print is not seen in what is printed. */
static void assert_same_numbers(const struct config *one, const struct config *other)
{
	assert(one->collector.min_cpu == other->collector.min_cpu);
	assert(one->collector.min_mem == other->collector.min_mem);
	assert(one->alert.threshold == other->alert.threshold);
	assert(one->alert.clear == other->alert.clear);
	assert(one->alert.amber_probability == other->alert.amber_probability);
	assert(one->alert.amber_clear == other->alert.amber_clear);
	assert(one->forecast.above == other->forecast.above);
}

static void check(const struct config *config)
{
	struct text error = TEXT_EMPTY, printed = TEXT_EMPTY, again = TEXT_EMPTY;
	config_print(config, &printed);
	struct config *second = load(printed.data, printed.length, &error);
	if (!second)
		fuzz_fail("what is printed is not read: %s", error.data);
	config_print(second, &again);
	fuzz_assert_same(&printed, &again);
	assert_same_numbers(config, second);
	text_free(&printed);
	text_free(&again);
	text_free(&error);
	config_free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct text error = TEXT_EMPTY;
	struct config *config = load(bytes, size, &error);
	if (config) {
		struct rules *rules = NULL;
		int result = rules_open(config, "vigie.conf", &rules, &error);
		assert(result == 0 ? error.length == 0 : result == -EINVAL && error.length > 0);
		rules_free(rules);
		check(config);
	}
	config_free(config);
	text_free(&error);
	return 0;
}
