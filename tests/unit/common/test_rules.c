/* common/rules.h */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/rules.h"

enum { LINES_MAX = 4 };

/* Of a process' name as long as any: "process=nnn…". */
#define N15 "nnnnnnnnnnnnnnn"
#define N85 N15 N15 N15 N15 N15 "nnnnnnnnnn"
#define LONGEST "process=" N85 N85 N85

struct setup {
	char *values[LINES_MAX];
	int lines[LINES_MAX];
	struct config config;
};

/* [alert] 80, 75, 1, 3 and the given rules, NULL at the end, on lines 10, 11 ... */
static const struct config *configure(struct setup *setup, const char *const rules[])
{
	*setup = (struct setup){ 0 };
	setup->config.alert.threshold = 80;
	setup->config.alert.clear = 75;
	setup->config.alert.raise_after = 1;
	setup->config.alert.clear_after = 3;
	setup->config.alert.horizon_ms = 1800000;
	setup->config.alert.amber_probability = 0.5;
	setup->config.alert.amber_clear = 0.3;
	setup->config.alert.rule.values = setup->values;
	setup->config.alert.rule.lines = setup->lines;
	size_t count = 0;
	for (; rules[count]; count++) {
		setup->values[count] = (char *)(uintptr_t)rules[count];
		setup->lines[count] = 10 + (int)count;
	}
	setup->config.alert.rule.count = count;
	return &setup->config;
}

static void test_rules_find_table_gives_first_that_fits(void **state)
{
	(void)state;
	static const struct {
		const char *rules[LINES_MAX];
		const char *ip, *process;
		enum resource resource;
		struct limits expected;
	} cases[] = {
		{ { NULL }, "10.0.0.5", "java", RESOURCE_MEM, { 80, 75, 1, 3, 1800000, false, 0.5, 0.3 } },
		{ { "process=java threshold=90" }, "10.0.0.5", "java", RESOURCE_MEM, { 90, 75, 1, 3, 1800000, false, 0.5, 0.3 } },
		{ { "process=java threshold=90" }, "10.0.0.5", "javac", RESOURCE_MEM, { 80, 75, 1, 3, 1800000, false, 0.5, 0.3 } },
		{ { "process=jav* threshold=90" }, "10.0.0.5", "javac", RESOURCE_CPU, { 90, 75, 1, 3, 1800000, false, 0.5, 0.3 } },
		{ { "  process=ja?a\tthreshold=90 clear=85 raise_after=6 clear_after=2 " }, "::1", "java",
		  RESOURCE_CPU, { 90, 85, 6, 2, 1800000, false, 0.5, 0.3 } },
		{ { "resource=cpu threshold=400" }, "10.0.0.5", "java", RESOURCE_CPU, { 400, 75, 1, 3, 1800000, false, 0.5, 0.3 } },
		{ { "resource=cpu threshold=400" }, "10.0.0.5", "java", RESOURCE_MEM, { 80, 75, 1, 3, 1800000, false, 0.5, 0.3 } },
		{ { "ip=10.0.0.* threshold=95" }, "10.0.0.5", "java", RESOURCE_MEM, { 95, 75, 1, 3, 1800000, false, 0.5, 0.3 } },
		{ { "ip=10.0.0.* threshold=95" }, "10.0.1.5", "java", RESOURCE_MEM, { 80, 75, 1, 3, 1800000, false, 0.5, 0.3 } },
		/* An address counts however it is written. */
		{ { "ip=FE80::A threshold=95" }, "fe80::a", "java", RESOURCE_MEM, { 95, 75, 1, 3, 1800000, false, 0.5, 0.3 } },
		{ { "ip=fe80:0:0:0:0:0:0:a threshold=95" }, "fe80::a", "java", RESOURCE_MEM, { 95, 75, 1, 3, 1800000, false, 0.5, 0.3 } },
		{ { "ip=fe80--a threshold=95" }, "fe80::a", "java", RESOURCE_MEM, { 95, 75, 1, 3, 1800000, false, 0.5, 0.3 } },
		{ { "ip=\"10-0-0-5\" threshold=95" }, "10.0.0.5", "java", RESOURCE_MEM, { 95, 75, 1, 3, 1800000, false, 0.5, 0.3 } },
		{ { "ip=::FFFF:10.3.0.1 threshold=95" }, "10.3.0.1", "java", RESOURCE_MEM, { 95, 75, 1, 3, 1800000, false, 0.5, 0.3 } },
		{ { "threshold=95 ip=--ffff-10-3-0-1" }, "10.3.0.1", "java", RESOURCE_MEM, { 95, 75, 1, 3, 1800000, false, 0.5, 0.3 } },
		{ { "ip=::ffff:10.3.0.1 threshold=95" }, "10.3.0.2", "java", RESOURCE_MEM, { 80, 75, 1, 3, 1800000, false, 0.5, 0.3 } },
		{ { "ip=::FFFF:10.3.0.[1-4] threshold=95" }, "10.3.0.1", "java", RESOURCE_MEM, { 95, 75, 1, 3, 1800000, false, 0.5, 0.3 } },
		{ { "ip=FE80::* threshold=95" }, "fe80::a", "java", RESOURCE_MEM, { 95, 75, 1, 3, 1800000, false, 0.5, 0.3 } },
		{ { "ip=10.0.0.[3-6] threshold=95" }, "10.0.0.5", "java", RESOURCE_MEM, { 95, 75, 1, 3, 1800000, false, 0.5, 0.3 } },
		{ { "ip=10.0.0.[!3-4] threshold=95" }, "10.0.0.5", "java", RESOURCE_MEM, { 95, 75, 1, 3, 1800000, false, 0.5, 0.3 } },
		{ { "ip=fe80::[A-C] threshold=95" }, "fe80::a", "java", RESOURCE_MEM, { 95, 75, 1, 3, 1800000, false, 0.5, 0.3 } },
		{ { "ip=10\\.0\\.0\\.? threshold=95" }, "10.0.0.5", "java", RESOURCE_MEM, { 95, 75, 1, 3, 1800000, false, 0.5, 0.3 } },
		{ { "ip=* threshold=95" }, "::1", "java", RESOURCE_MEM, { 95, 75, 1, 3, 1800000, false, 0.5, 0.3 } },
		{ { "ip=10.0.0.5 process=java threshold=91", "process=java threshold=92", "threshold=93" },
		  "10.0.0.5", "java", RESOURCE_MEM, { 91, 75, 1, 3, 1800000, false, 0.5, 0.3 } },
		{ { "ip=10.0.0.5 process=java threshold=91", "process=java threshold=92", "threshold=93" },
		  "10.0.0.6", "java", RESOURCE_MEM, { 92, 75, 1, 3, 1800000, false, 0.5, 0.3 } },
		{ { "ip=10.0.0.5 process=java threshold=91", "process=java threshold=92", "threshold=93" },
		  "10.0.0.6", "perl", RESOURCE_MEM, { 93, 75, 1, 3, 1800000, false, 0.5, 0.3 } },
		{ { "threshold=93", "process=java threshold=92" }, "10.0.0.6", "java", RESOURCE_MEM, { 93, 75, 1, 3, 1800000, false, 0.5, 0.3 } },
		{ { "process=\"Web Content\" threshold=90" }, "10.0.0.5", "Web Content", RESOURCE_MEM, { 90, 75, 1, 3, 1800000, false, 0.5, 0.3 } },
		{ { "threshold=90 process=\"a \\\"b\\\" c\"" }, "10.0.0.5", "a \"b\" c", RESOURCE_MEM, { 90, 75, 1, 3, 1800000, false, 0.5, 0.3 } },
		{ { "process=\"\\*\" threshold=90" }, "10.0.0.5", "java", RESOURCE_MEM, { 80, 75, 1, 3, 1800000, false, 0.5, 0.3 } },
		{ { "process=\"\\*\" threshold=90" }, "10.0.0.5", "*", RESOURCE_MEM, { 90, 75, 1, 3, 1800000, false, 0.5, 0.3 } },
		{ { "process=\"a\\\\\" threshold=90" }, "10.0.0.5", "a\\", RESOURCE_MEM, { 90, 75, 1, 3, 1800000, false, 0.5, 0.3 } },
		{ { "process=a=b threshold=90" }, "10.0.0.5", "a=b", RESOURCE_MEM, { 90, 75, 1, 3, 1800000, false, 0.5, 0.3 } },
		{ { "process=kworker* threshold=75 clear=75" }, "10.0.0.5", "kworker/0:1", RESOURCE_MEM, { 75, 75, 1, 3, 1800000, false, 0.5, 0.3 } },
		{ { "process=java horizon=1h" }, "10.0.0.5", "java", RESOURCE_MEM, { 80, 75, 1, 3, 3600000, false, 0.5, 0.3 } },
		{ { "process=gcc mute=yes", "mute=no" }, "10.0.0.5", "gcc", RESOURCE_CPU, { 80, 75, 1, 3, 1800000, true, 0.5, 0.3 } },
		{ { "process=gcc mute=yes", "mute=no" }, "10.0.0.5", "g++", RESOURCE_CPU, { 80, 75, 1, 3, 1800000, false, 0.5, 0.3 } },
		{ { "process=java amber_probability=0.9 amber_clear=0.8" }, "10.0.0.5", "java", RESOURCE_MEM,
		  { 80, 75, 1, 3, 1800000, false, 0.9, 0.8 } },
		{ { "process=java amber_probability=1 amber_clear=0" }, "10.0.0.5", "java", RESOURCE_CPU,
		  { 80, 75, 1, 3, 1800000, false, 1, 0 } },
		{ { "ip=10.0.0.5 mute=yes" }, "10.0.0.5", "*", RESOURCE_COUNT, { 80, 75, 1, 3, 1800000, true, 0.5, 0.3 } },
		{ { "ip=10.0.0.5 resource=cpu mute=yes" }, "10.0.0.5", "*", RESOURCE_COUNT,
		  { 80, 75, 1, 3, 1800000, false, 0.5, 0.3 } },
		/* The bounds are allowed, and so are limits that are equal. */
		{ { "raise_after=1 clear_after=1 threshold=0 clear=0 horizon=1s amber_clear=0.5" }, "::1", "java", RESOURCE_CPU,
		  { 0, 0, 1, 1, 1000, false, 0.5, 0.5 } },
		{ { "raise_after=10000 clear_after=10000 threshold=1000000 clear=1000000 horizon=1d amber_clear=0 amber_probability=0" },
		  "::1", "java", RESOURCE_CPU, { 1e6, 1e6, 10000, 10000, 86400000, false, 0, 0 } },
		{ { "process=*" }, "10.0.0.5", ".hidden", RESOURCE_MEM, { 80, 75, 1, 3, 1800000, false, 0.5, 0.3 } },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct setup setup;
		struct rules *rules;
		struct text error = TEXT_EMPTY;
		if (rules_open(configure(&setup, cases[i].rules), "vigie.conf", &rules, &error) != 0)
			fail_msg("case %zu: %s", i, error.data);
		const struct limits *limits = rules_find(rules, cases[i].ip, cases[i].process, cases[i].resource);
		const struct limits *expected = &cases[i].expected;
		if (limits->threshold != expected->threshold || limits->clear != expected->clear ||
		    limits->raise_after != expected->raise_after || limits->clear_after != expected->clear_after ||
		    limits->horizon_ms != expected->horizon_ms || limits->mute != expected->mute ||
		    limits->amber_probability != expected->amber_probability ||
		    limits->amber_clear != expected->amber_clear)
			fail_msg("case %zu: threshold %g clear %g raise_after %d clear_after %d", i, limits->threshold,
			         limits->clear, (int)limits->raise_after, (int)limits->clear_after);
		rules_free(rules);
	}
}

static void test_rules_open_bad_rule_names_line_and_word(void **state)
{
	(void)state;
	static const struct {
		const char *rule, *expected;
	} cases[] = {
		{ "proces=java", "vigie.conf:11: rule: 'proces=java' is none of process=, " },
		{ "process=java treshold=90", "vigie.conf:11: rule: 'treshold=90' is none of " },
		{ "process=java 90", "vigie.conf:11: rule: '90' is not key=value" },
		{ "=90", "vigie.conf:11: rule: '=90' is not key=value" },
		{ "process=", "vigie.conf:11: rule: 'process=' has no value" },
		{ "ip=\"\"", "vigie.conf:11: rule: 'ip=\"\"' has no value" },
		{ "ip=\"web 1\"", "vigie.conf:11: rule: 'ip=\"web 1\"' is neither an address nor a glob" },
		{ "ip=10.0.0.300", "vigie.conf:11: rule: 'ip=10.0.0.300' is neither an address nor a glob of addresses" },
		{ "ip=10.0.0", "vigie.conf:11: rule: 'ip=10.0.0' is neither an address nor a glob" },
		{ "ip=fe80::a%eth0", "vigie.conf:11: rule: 'ip=fe80::a%eth0' is neither an address nor a glob" },
		{ "ip=web-1 mute=yes", "vigie.conf:11: rule: 'ip=web-1' is neither an address nor a glob" },
		{ "ip=web-*", "vigie.conf:11: rule: 'ip=web-*' is neither an address nor a glob" },
		{ "ip=fe80--*", "vigie.conf:11: rule: 'ip=fe80--*' is neither an address nor a glob" },
		{ "ip=10.0.0.[", "vigie.conf:11: rule: 'ip=10.0.0.[' is neither an address nor a glob" },
		{ "ip=10.0.0.[]", "vigie.conf:11: rule: 'ip=10.0.0.[]' is neither an address nor a glob" },
		{ "ip=10.0.0.[!", "vigie.conf:11: rule: 'ip=10.0.0.[!' is neither an address nor a glob" },
		{ "ip=10.0.0.0/24", "vigie.conf:11: rule: 'ip=10.0.0.0/24' is neither an address nor a glob" },
		{ "process=\"Web Content", "vigie.conf:11: rule: 'process=\"Web' is not key=value" },
		{ "process=\"Web\"Content", "vigie.conf:11: rule: 'process=\"Web\"Content' is not key=value" },
		{ "process=\"a\\\"", "vigie.conf:11: rule: 'process=\"a\\\"' is not key=value" },
		{ "process=\"a\\", "vigie.conf:11: rule: 'process=\"a\\' is not key=value" },
		{ "threshold=90 threshold=91", "vigie.conf:11: rule: 'threshold=91' comes twice" },
		{ "threshold=1000001", "vigie.conf:11: rule: 'threshold=1000001' is not a percentage" },
		{ "raise_after=10001", "vigie.conf:11: rule: 'raise_after=10001' is not a number of intervals" },
		{ "clear_after=0", "vigie.conf:11: rule: 'clear_after=0' is not a number of intervals" },
		{ "amber_clear=1.5", "vigie.conf:11: rule: 'amber_clear=1.5' is not a number from 0 to 1" },
		{ "process=a process=b", "vigie.conf:11: rule: 'process=b' comes twice" },
		{ "resource=disk", "vigie.conf:11: rule: 'resource=disk' is neither cpu nor mem" },
		{ "threshold=", "vigie.conf:11: rule: 'threshold=' is not a percentage" },
		{ "threshold=90%", "vigie.conf:11: rule: 'threshold=90%' is not a percentage" },
		{ "threshold=-1", "vigie.conf:11: rule: 'threshold=-1' is not a percentage" },
		{ "threshold=nan", "vigie.conf:11: rule: 'threshold=nan' is not a percentage" },
		{ "threshold=1e999", "vigie.conf:11: rule: 'threshold=1e999' is not a percentage" },
		{ "raise_after=0", "vigie.conf:11: rule: 'raise_after=0' is not a number of intervals" },
		{ "raise_after=1.5", "vigie.conf:11: rule: 'raise_after=1.5' is not a number of intervals" },
		{ "clear_after=10001", "vigie.conf:11: rule: 'clear_after=10001' is not a number of intervals" },
		{ "horizon=1", "vigie.conf:11: rule: 'horizon=1' is not a duration from 1s to 1d" },
		{ "horizon=999ms", "vigie.conf:11: rule: 'horizon=999ms' is not a duration" },
		{ "horizon=25h", "vigie.conf:11: rule: 'horizon=25h' is not a duration" },
		{ "mute=1", "vigie.conf:11: rule: 'mute=1' is neither yes nor no" },
		{ "threshold=90 clear=91", "vigie.conf:11: rule: 'clear=91' is over 'threshold=90'" },
		{ "amber_probability=1.1", "vigie.conf:11: rule: 'amber_probability=1.1' is not a number from 0 to 1" },
		{ "amber_clear=-1", "vigie.conf:11: rule: 'amber_clear=-1' is not a number from 0 to 1" },
		{ "amber_clear=0.6", "vigie.conf:11: rule: 'amber_clear=0.6' is over 'amber_probability=0.5'" },
		{ "amber_probability=0.2", "vigie.conf:11: rule: 'amber_clear=0.3' is over 'amber_probability=0.2'" },
		{ "threshold=50", "vigie.conf:11: rule: 'clear=75' is over 'threshold=50'" },
		{ "", "vigie.conf:11: rule: '' names nothing" },
		{ "must_run=1", "vigie.conf:11: rule: 'must_run=1' is neither yes nor no" },
		{ "ip=10.0.0.* must_run=yes", "vigie.conf:11: rule: 'must_run=yes' needs 'process=' with a plain name" },
		{ "must_run=yes process=nginx*", "vigie.conf:11: rule: 'must_run=yes' needs 'process=' with a plain name" },
		{ "process=ngin[x] must_run=yes", "vigie.conf:11: rule: 'must_run=yes' needs 'process=' with a plain name" },
		{ "process=ngin\xe9 must_run=yes", "vigie.conf:11: rule: 'must_run=yes' needs 'process=' with a plain name" },
		{ LONGEST "n must_run=yes", "vigie.conf:11: rule: 'must_run=yes' needs 'process=' with a plain name, of 255 bytes" },
		{ "process=nginx resource=cpu must_run=yes", "vigie.conf:11: rule: 'must_run=yes' is about a process, and about no" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct setup setup;
		struct rules *rules = NULL;
		struct text error = TEXT_EMPTY;
		const char *const lines[] = { "threshold=90", cases[i].rule, NULL };
		int result = rules_open(configure(&setup, lines), "vigie.conf", &rules, &error);
		if (result != -EINVAL || !error.data || strncmp(error.data, cases[i].expected, strlen(cases[i].expected)) != 0)
			fail_msg("case %zu (%s): %d: %s", i, cases[i].rule, result, error.data);
		assert_null(rules);
		text_free(&error);
	}
}

static void test_rules_must_run_is_of_the_first_rule_that_fits(void **state)
{
	(void)state;
	struct setup setup;
	struct rules *rules;
	struct text error = TEXT_EMPTY;
	const char *const lines[] = { "process=nginx ip=10.0.0.9 must_run=no", "process=nginx ip=10.0.0.* must_run=yes raise_after=6",
		                      "process=\"Web Content\" ip=::1 must_run=yes mute=yes", "process=nginx ip=10.0.1.* must_run=yes", NULL };
	assert_int_equal(rules_open(configure(&setup, lines), NULL, &rules, &error), 0);
	assert_int_equal(rules_must_run(rules, "10.0.0.5", "nginx")->raise_after, 6);
	assert_int_equal(rules_must_run(rules, "10.0.1.5", "nginx")->raise_after, 1);
	assert_null(rules_must_run(rules, "10.0.0.9", "nginx"));
	assert_null(rules_must_run(rules, "10.0.2.5", "nginx"));
	assert_null(rules_must_run(rules, "10.0.0.5", "nginx2"));
	assert_null(rules_must_run(rules, "::1", "Web Content"));
	size_t at = 0;
	assert_string_equal(rules_next_must_run(rules, &at), "nginx");
	assert_string_equal(rules_next_must_run(rules, &at), "Web Content");
	assert_null(rules_next_must_run(rules, &at));
	assert_int_equal(at, 4); /* nothing behind the last rule was looked at */
	rules_free(rules);
	/* As long as a process' name can be. */
	const char *const longest[] = { LONGEST " must_run=yes", NULL };
	assert_int_equal(rules_open(configure(&setup, longest), NULL, &rules, &error), 0);
	at = 0;
	assert_int_equal(strlen(rules_next_must_run(rules, &at)), WIRE_NAME_MAX);
	rules_free(rules);
	/* A quote within quotes is plain: its backslash is not the name's. */
	const char *const quoted[] = { "process=\"a\\\"b\" must_run=yes", NULL };
	assert_int_equal(rules_open(configure(&setup, quoted), NULL, &rules, &error), 0);
	at = 0;
	assert_string_equal(rules_next_must_run(rules, &at), "a\"b");
	rules_free(rules);
}

static void test_rules_open_bad_rule_of_no_file_says_where(void **state)
{
	(void)state;
	struct setup setup;
	struct rules *rules;
	struct text error = TEXT_EMPTY;
	const char *const lines[] = { "x", NULL };
	assert_int_equal(rules_open(configure(&setup, lines), NULL, &rules, &error), -EINVAL);
	assert_memory_equal(error.data, "line 10: rule: 'x' ", strlen("line 10: rule: 'x' "));
	text_reset(&error);
	setup.lines[0] = 0;
	assert_int_equal(rules_open(&setup.config, "vigie.conf", &rules, &error), -EINVAL);
	assert_memory_equal(error.data, "command line: rule: 'x' ", strlen("command line: rule: 'x' "));
	text_free(&error);
}

/* What stands behind its end would close the quote. */
static void test_rules_open_line_that_ends_in_a_backslash_is_read_no_further(void **state)
{
	(void)state;
	struct setup setup;
	struct rules *rules;
	struct text error = TEXT_EMPTY;
	static const char line[] = "process=\"a\\\0b\"";
	const char *const lines[] = { line, NULL };
	assert_int_equal(rules_open(configure(&setup, lines), NULL, &rules, &error), -EINVAL);
	text_free(&error);
}

static void test_rules_open_clear_over_threshold_is_refused(void **state)
{
	(void)state;
	struct setup setup;
	struct rules *rules;
	struct text error = TEXT_EMPTY;
	const char *const none[] = { NULL };
	configure(&setup, none);
	setup.config.alert.clear = 80.5;
	assert_int_equal(rules_open(&setup.config, NULL, &rules, &error), -EINVAL);
	assert_string_equal(error.data, "[alert] clear = 80.5 is over threshold = 80");
	text_free(&error);
	configure(&setup, none);
	setup.config.alert.amber_clear = 0.6;
	assert_int_equal(rules_open(&setup.config, NULL, &rules, &error), -EINVAL);
	assert_string_equal(error.data, "[alert] amber_clear = 0.6 is over amber_probability = 0.5");
	text_free(&error);
	configure(&setup, none);
	setup.config.alert.clear = 80;
	setup.config.alert.amber_clear = 0.5;
	assert_int_equal(rules_open(&setup.config, NULL, &rules, &error), 0);
	rules_free(rules);
}

static void test_rules_lowest_of_all_rules(void **state)
{
	(void)state;
	static const struct {
		const char *rules[LINES_MAX];
		double expected, probability;
	} cases[] = {
		{ { NULL }, 80, 0.5 },
		{ { "process=a threshold=90 amber_probability=0.9" }, 80, 0.5 },
		{ { "process=a threshold=90", "process=b threshold=20 clear=10 amber_probability=0.4",
		    "process=c threshold=30 clear=1" }, 20, 0.4 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct setup setup;
		struct rules *rules;
		struct text error = TEXT_EMPTY;
		assert_int_equal(rules_open(configure(&setup, cases[i].rules), NULL, &rules, &error), 0);
		assert_float_equal(rules_lowest_threshold(rules), cases[i].expected, 0);
		assert_float_equal(rules_lowest_amber_probability(rules), cases[i].probability, 0);
		rules_free(rules);
	}
}

static void test_rules_longest_horizon_is_of_those_that_are_told(void **state)
{
	(void)state;
	static const struct {
		const char *rules[LINES_MAX];
		int64_t expected_ms;
	} cases[] = {
		{ { NULL }, 1800000 },
		{ { "process=a horizon=5m" }, 1800000 },
		{ { "process=a horizon=1h", "process=b horizon=2h", "process=c horizon=90m" }, 7200000 },
		{ { "process=a horizon=1h", "process=b horizon=2h mute=yes" }, 3600000 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct setup setup;
		struct rules *rules;
		struct text error = TEXT_EMPTY;
		assert_int_equal(rules_open(configure(&setup, cases[i].rules), NULL, &rules, &error), 0);
		assert_int_equal(rules_longest_horizon(rules), cases[i].expected_ms);
		rules_free(rules);
	}
	rules_free(NULL);
}

static void test_rules_read_process_gives_the_glob_of_a_line(void **state)
{
	(void)state;
	static const struct {
		const char *rule, *expected; /* NULL: none */
	} cases[] = {
		{ "process=java threshold=90", "java" },
		{ "ip=10.0.0.* process=\"Web \\\"Content\\\"\" mute=yes", "Web \"Content\"" },
		{ "process=a\\* process=b", "a\\*" },
		{ "process=", "" },
		{ "threshold=90", NULL },
		{ "proces=a", NULL },
		{ "process1=a", NULL },
		{ "pRocess=a", NULL },
		{ "quality=a", NULL },
		{ "horizon=1h process=a", "a" },
		{ "threshold process=a", NULL },
		{ "", NULL },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *glob = (char *)(uintptr_t)"untouched";
		long before = failing_unfreed();
		assert_int_equal(rules_read_process(cases[i].rule, &glob), 0);
		if (!cases[i].expected != !glob || (glob && strcmp(glob, cases[i].expected) != 0))
			fail_msg("case %zu (%s): %s", i, cases[i].rule, glob);
		free(glob);
		assert_int_equal(failing_unfreed(), before);
	}
}

static void test_rules_any_allocation_fails_is_told_and_nothing_stays(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	static const char *const lines[] = { "ip=10.0.0.* process=a threshold=90", "process=\"b\" must_run=yes", NULL };
	struct setup setup;
	configure(&setup, lines);
	long number = 1, before = failing_unfreed();
	for (bool failed = true; failed; number++) {
		struct rules *rules = NULL;
		struct text error = TEXT_EMPTY;
		failing_start(number);
		int result = rules_open(&setup.config, NULL, &rules, &error);
		failed = failing_stop();
		assert_int_equal(result, failed ? -ENOMEM : 0);
		assert_true(failed == !rules);
		rules_free(rules);
		text_free(&error);
		assert_int_equal(failing_unfreed(), before);
	}
	assert_int_equal(number - 2, 6); /* of the rules and of five words; then all went well */

	char *glob;
	failing_start(2);
	assert_int_equal(rules_read_process("ip=::1 process=a", &glob), -ENOMEM);
	assert_true(failing_stop());
	assert_null(glob);
	assert_int_equal(failing_unfreed(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules_find_table_gives_first_that_fits),
		cmocka_unit_test(test_rules_open_bad_rule_names_line_and_word),
		cmocka_unit_test(test_rules_must_run_is_of_the_first_rule_that_fits),
		cmocka_unit_test(test_rules_open_bad_rule_of_no_file_says_where),
		cmocka_unit_test(test_rules_open_line_that_ends_in_a_backslash_is_read_no_further),
		cmocka_unit_test(test_rules_open_clear_over_threshold_is_refused),
		cmocka_unit_test(test_rules_lowest_of_all_rules),
		cmocka_unit_test(test_rules_longest_horizon_is_of_those_that_are_told),
		cmocka_unit_test(test_rules_read_process_gives_the_glob_of_a_line),
		cmocka_unit_test(test_rules_any_allocation_fails_is_told_and_nothing_stays),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
