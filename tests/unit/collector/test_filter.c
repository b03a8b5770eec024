#include "tests/unit/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/filter.h"

enum { NAME_MAX_COUNT = 3000 };

static struct config *config_of(const char *const *overrides)
{
	struct config *config;
	struct text error = TEXT_EMPTY;
	size_t count = 0;
	while (count < 4 && overrides[count])
		count++;
	if (config_load(NULL, (char *const *)(uintptr_t)overrides, count, &config, &error) != 0)
		fail_msg("%s", error.data);
	return config;
}

/* Reads "name cpu mem; name cpu mem": whole percents, by name; '-' is missing. */
static size_t parse(const char *text, char names[][READING_NAME_SIZE], struct rate *values)
{
	size_t count = 0;
	char copy[512];
	snprintf(copy, sizeof(copy), "%s", text);
	char *rest = NULL;
	for (char *item = strtok_r(copy, ";", &rest); item; item = strtok_r(NULL, ";", &rest)) {
		char cpu[16], mem[16];
		assert_int_equal(sscanf(item, " %63s %15s %15s", names[count], cpu, mem), 3);
		values[count] = (struct rate){ .name = names[count] };
		values[count].thousandths[RESOURCE_CPU] = cpu[0] == '-' ? RATE_MISSING : atoi(cpu) * 1000;
		values[count].thousandths[RESOURCE_MEM] = mem[0] == '-' ? RATE_MISSING : atoi(mem) * 1000;
		count++;
	}
	return count;
}

static void describe(const struct rate *values, size_t count, char *text, size_t size)
{
	size_t used = 0;
	text[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		used += (size_t)snprintf(text + used, size - used, "%s%s", i ? "; " : "", values[i].name);
		for (int resource = RESOURCE_CPU; resource >= RESOURCE_MEM; resource--) {
			int32_t value = values[i].thousandths[resource];
			if (value == RATE_MISSING)
				used += (size_t)snprintf(text + used, size - used, " -");
			else
				used += (size_t)snprintf(text + used, size - used, " %d", value / 1000);
		}
	}
}

/* Of further resources "other" has the sum of what is known. */
static void test_filter_apply_further_resources_are_summed_under_other(void **state)
{
	(void)state;
	static const char *const overrides[4] = { "collector.max_processes=1" };
	struct config *config = config_of(overrides);
	struct filter filter = { 0 };
	struct rate values[] = {
		{ "a", { 9000, 9000 }, true, { 5, 5 } },
		{ "b", { 1, 1 }, true, { 7, RATE_MISSING } },
		{ .name = "c", .thousandths = { 1, 1 } },
		{ "d", { 1, 1 }, true, { 2000000, RATE_MISSING } },
	};
	size_t count = 4, folded;
	assert_int_equal(filter_apply(&filter, config, values, &count, &folded), 0);
	assert_int_equal(count, 2);
	assert_true(values[0].has_further && values[0].further[1] == 5);
	assert_string_equal(values[1].name, FILTER_OTHER);
	assert_true(values[1].has_further && values[1].further[0] == 2000007);
	assert_true(values[1].further[1] == RATE_MISSING);
	filter_free(&filter);
	config_free(config);
}

static void check(struct filter *filter, const struct config *config, const char *given, const char *expected,
                  size_t expected_folded)
{
	char names[16][READING_NAME_SIZE];
	struct rate values[16];
	char text[512];
	size_t count = parse(given, names, values), folded = 99;
	assert_int_equal(filter_apply(filter, config, values, &count, &folded), 0);
	describe(values, count, text, sizeof(text));
	if (strcmp(text, expected) != 0)
		fail_msg("of '%s': '%s' instead of '%s'", given, text, expected);
	assert_int_equal(folded, expected_folded);
}

static const struct {
	const char *overrides[4];
	const char *given, *expected;
	size_t folded;
} cases[] = {
	{ { NULL }, "a 1 2; b 0 0; c - 3", "a 1 2; b 0 0; c - 3", 0 },
	{ { NULL }, "", "", 0 },
	{ { "collector.include=b*" }, "a 1 2; b 0 0; bash 3 3", "b 0 0; bash 3 3", 0 },
	{ { "collector.include=a", "collector.include=c?" }, "a 1 2; b 0 0; c 1 1; cc 2 2", "a 1 2; cc 2 2", 0 },
	{ { "collector.exclude=b*" }, "a 1 2; b 0 0; bash 3 3", "a 1 2", 0 },
	{ { "collector.include=b*", "collector.exclude=bash" }, "a 1 2; b 0 0; bash 3 3", "b 0 0", 0 },
	{ { "collector.top=1" }, "a 9 1; b 5 5; c 1 9", "a 9 1; c 1 9", 0 },
	{ { "collector.top=1" }, "a 9 9; b 5 5; c 1 1", "a 9 9", 0 },
	{ { "collector.top=1" }, "a 5 5; b 5 5", "a 5 5", 0 },
	{ { "collector.top=9" }, "a 9 1; b 5 5", "a 9 1; b 5 5", 0 },
	{ { "collector.min_cpu=5" }, "a 4 90; b 5 0; c 6 0; d - 3", "b 5 0; c 6 0", 0 },
	{ { "collector.min_mem=5" }, "a 4 90; b 5 0; c 6 5", "a 4 90; c 6 5", 0 },
	{ { "collector.min_cpu=5", "collector.min_mem=5" }, "a 4 90; b 5 0; c 4 4", "a 4 90; b 5 0", 0 },
	{ { "collector.min_cpu=5", "collector.top=1" }, "a 4 90; b 5 0; c 6 0", "b 5 0; c 6 0", 0 },
	{ { "collector.max_processes=2" }, "a 9 1; b 5 5", "a 9 1; b 5 5", 0 },
	{ { "collector.max_processes=2" }, "a 9 1; b 1 2; c 0 8; d 3 1", "a 9 1; c 0 8; other 4 3", 2 },
	{ { "collector.max_processes=1" }, "a 9 1; b - 2; c - 3", "a 9 1; other - 5", 2 },
	{ { "collector.max_processes=1" }, "a 9 4; b 3 2; c - 2", "a 9 4; other 3 4", 2 },
	{ { "collector.max_processes=1" }, "a 90 1; b 2 80; c 2 70", "a 90 1; other 4 100", 2 },
	{ { "collector.max_processes=1" }, "a 1 1; b 2 2; other 9 3", "other 12 6", 2 },
	{ { "collector.max_processes=1", "collector.exclude=a" }, "a 90 1; b 2 80", "b 2 80", 0 },
};

static void test_filter_apply_one_tick_leaves_what_is_wanted(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config *config = config_of(cases[i].overrides);
		struct filter filter = { 0 };
		check(&filter, config, cases[i].given, cases[i].expected, cases[i].folded);
		filter_free(&filter);
		config_free(config);
	}
}

static void test_filter_apply_name_once_sent_is_held_for_ten_ticks(void **state)
{
	(void)state;
	struct config *config = config_of((const char *const[4]){ "collector.min_cpu=50" });
	struct filter filter = { 0 };
	check(&filter, config, "a 1 1; b 90 1", "b 90 1", 0);
	for (int tick = 0; tick < FILTER_HOLD_TICKS; tick++)
		check(&filter, config, "a 1 1; b 2 1", "b 2 1", 0);
	check(&filter, config, "a 1 1; b 2 1", "", 0);
	check(&filter, config, "a 1 1; b 2 1", "", 0);
	filter_free(&filter);
	config_free(config);
}

static void test_filter_apply_held_name_back_over_the_minimum_starts_anew(void **state)
{
	(void)state;
	struct config *config = config_of((const char *const[4]){ "collector.min_cpu=50" });
	struct filter filter = { 0 };
	check(&filter, config, "b 90 1", "b 90 1", 0);
	for (int tick = 0; tick < FILTER_HOLD_TICKS; tick++)
		check(&filter, config, "b 2 1", "b 2 1", 0);
	check(&filter, config, "b 60 1", "b 60 1", 0);
	for (int tick = 0; tick < FILTER_HOLD_TICKS; tick++)
		check(&filter, config, "b 2 1", "b 2 1", 0);
	check(&filter, config, "b 2 1", "", 0);
	filter_free(&filter);
	config_free(config);
}

static void test_filter_apply_process_that_ended_is_not_held(void **state)
{
	(void)state;
	struct config *config = config_of((const char *const[4]){ "collector.min_cpu=50" });
	struct filter filter = { 0 };
	check(&filter, config, "a 60 1; b 90 1; c 80 1", "a 60 1; b 90 1; c 80 1", 0);
	check(&filter, config, "a 2 1; c 2 1", "a 2 1; c 2 1", 0);
	filter_free(&filter);
	config_free(config);
}

static void test_filter_apply_over_the_limit_former_rank_counts_for_a_while(void **state)
{
	(void)state;
	struct config *config = config_of((const char *const[4]){ "collector.max_processes=1" });
	struct filter filter = { 0 };
	check(&filter, config, "a 90 1; b 5 1", "a 90 1; other 5 1", 1);
	check(&filter, config, "a 0 1; b 5 1", "a 0 1; other 5 1", 1);
	check(&filter, config, "a 0 1; b 80 1", "b 80 1; other 0 1", 1);
	for (int tick = 0; tick < 12; tick++)
		check(&filter, config, "a 3 1; b 0 1", tick < 11 ? "b 0 1; other 3 1" : "a 3 1; other 0 1", 1);
	filter_free(&filter);
	config_free(config);
}

static void test_filter_apply_three_thousand_names_keeps_the_limit(void **state)
{
	(void)state;
	static char names[NAME_MAX_COUNT][READING_NAME_SIZE];
	static struct rate values[NAME_MAX_COUNT];
	struct config *config = config_of((const char *const[4]){ NULL });
	struct filter filter = { 0 };
	for (int tick = 0; tick < 20; tick++) {
		size_t count = NAME_MAX_COUNT, folded;
		for (size_t i = 0; i < count; i++) {
			snprintf(names[i], sizeof(names[i]), "p%04zu", i);
			values[i] = (struct rate){ .name = names[i], .thousandths = { 1, (int32_t)((i * 7919 + (size_t)tick * 31) % 1000) } };
		}
		assert_int_equal(filter_apply(&filter, config, values, &count, &folded), 0);
		assert_int_equal(count, 2001);
		assert_int_equal(folded, 1000);
		assert_string_equal(values[2000].name, FILTER_OTHER);
		assert_int_equal(values[2000].thousandths[RESOURCE_MEM], 1000);
	}
	filter_free(&filter);
	config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filter_apply_one_tick_leaves_what_is_wanted),
		cmocka_unit_test(test_filter_apply_name_once_sent_is_held_for_ten_ticks),
		cmocka_unit_test(test_filter_apply_held_name_back_over_the_minimum_starts_anew),
		cmocka_unit_test(test_filter_apply_process_that_ended_is_not_held),
		cmocka_unit_test(test_filter_apply_over_the_limit_former_rank_counts_for_a_while),
		cmocka_unit_test(test_filter_apply_three_thousand_names_keeps_the_limit),
		cmocka_unit_test(test_filter_apply_further_resources_are_summed_under_other),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
