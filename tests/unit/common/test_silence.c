#include "tests/unit/support/cmocka.h"

#include <string.h>

#include "common/silence.h"

static void test_silence_covers_table(void **state)
{
	(void)state;
	static const struct {
		const char *process, *ip, *resource;
		const char *of_process, *of_ip;
		enum resource of;
		bool covered;
	} cases[] = {
		{ "java", "*", "*", "java", "10.0.0.5", RESOURCE_MEM, true },
		{ "java", "*", "*", "java2", "10.0.0.5", RESOURCE_MEM, false },
		{ "java*", "10.0.0.*", "cpu", "java2", "10.0.0.5", RESOURCE_CPU, true },
		{ "java*", "10.0.0.*", "cpu", "java2", "10.0.0.5", RESOURCE_MEM, false },
		{ "java*", "10.0.0.*", "cpu", "java2", "10.0.1.5", RESOURCE_CPU, false },
		{ "*", "10.0.0.5", "*", WIRE_HOST_ITSELF, "10.0.0.5", RESOURCE_COUNT, true },
		{ "*", "10.0.0.5", "mem", WIRE_HOST_ITSELF, "10.0.0.5", RESOURCE_COUNT, false },
		{ "java", "10.0.0.5", "*", WIRE_HOST_ITSELF, "10.0.0.5", RESOURCE_COUNT, false },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct silence silence = { .until_ms = 1000 };
		strcpy(silence.process, cases[i].process);
		strcpy(silence.ip, cases[i].ip);
		strcpy(silence.resource, cases[i].resource);
		if (silence_covers(&silence, cases[i].of_ip, cases[i].of_process, cases[i].of) != cases[i].covered)
			fail_msg("case %zu", i);
	}
}

static void test_silence_until_is_that_which_ends_last(void **state)
{
	(void)state;
	const struct silence silences[] = {
		{ .process = "java", .ip = "*", .resource = "*", .until_ms = 1000 },
		{ .process = "*", .ip = "10.0.0.5", .resource = "*", .until_ms = 3000 },
		{ .process = "java", .ip = "10.0.0.*", .resource = "*", .until_ms = 2000 },
	};
	assert_int_equal(silence_until(silences, 3, "10.0.0.5", "java", RESOURCE_MEM), 3000);
	assert_int_equal(silence_until(silences, 3, "10.0.0.6", "java", RESOURCE_MEM), 2000);
	assert_int_equal(silence_until(silences, 3, "10.0.1.6", "java", RESOURCE_MEM), 1000);
	assert_int_equal(silence_until(silences, 3, "10.0.1.6", "bash", RESOURCE_MEM), 0);
	assert_int_equal(silence_until(NULL, 0, "10.0.1.6", "bash", RESOURCE_MEM), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_silence_covers_table),
		cmocka_unit_test(test_silence_until_is_that_which_ends_last),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
