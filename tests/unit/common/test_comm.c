#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/comm.h"

#define KEEPS " matches nothing: the kernel keeps 15 bytes of a name"

/* The only warning about one setting, "" for none. */
static void warning_of(const char *const settings[], size_t count, char ret_warning[static 512])
{
	char *copies[4];
	struct config *config = NULL;
	struct text error = TEXT_EMPTY;
	for (size_t i = 0; i < count; i++)
		copies[i] = strdup(settings[i]);
	if (config_load(NULL, copies, count, &config, &error) != 0)
		fail_msg("%s", error.data);
	assert_int_equal(comm_warn(config, "vigie.conf"), 0);
	assert_true(config->warnings.count <= 1);
	ret_warning[0] = '\0';
	if (config->warnings.count)
		strncat(ret_warning, config->warnings.values[0], 511);
	config_free(config);
	for (size_t i = 0; i < count; i++)
		free(copies[i]);
}

static void test_comm_warn_of_each_glob_says_what_would_match(void **state)
{
	(void)state;
	static const struct {
		const char *setting, *expected; /* what follows "command line: "; NULL: no warning */
	} cases[] = {
		{ "collector.include=victoria-metrics-prod", "include: victoria-metrics-prod" KEEPS ": victoria-metric would match" },
		{ "collector.exclude=victoria-metrics", "exclude: victoria-metrics" KEEPS ": victoria-metric would match" },
		{ "collector.include=victoria-metric", NULL },
		{ "collector.include=victoria-*-prod", NULL },
		{ "collector.include=victoria-metri*", NULL },
		{ "collector.include=victoria-metric*", NULL },
		{ "collector.include=victoria-metrics*", "include: victoria-metrics*" KEEPS ": victoria-metric would match" },
		{ "collector.include=*-metrics-prod-a", NULL },
		{ "collector.include=*-metrics-production", "include: *-metrics-production" KEEPS ", and it needs 19" },
		{ "collector.include=vic*-metrics-production", "include: vic*-metrics-production" KEEPS ", and it needs 22" },
		{ "collector.include=v[aio]ctoria-m?trics", "include: v[aio]ctoria-m?trics" KEEPS ": v[aio]ctoria-m?tric would match" },
		{ "collector.include=[[:alpha:]]ictoria-metri?", NULL },
		{ "collector.include=a\\*b\\*c\\*d\\*e\\*f\\*", NULL },
		{ "collector.include=fourteen-bytes\xc3\xa9", "include: fourteen-bytes\xc3\xa9" KEEPS ": fourteen-bytes? would match" },
		{ "alert.rule=process=victoria-metrics-prod threshold=90",
		  "rule: process=victoria-metrics-prod" KEEPS ": victoria-metric would match" },
		{ "alert.rule=threshold=90 process=\"a name of \\\"many\\\" words\"",
		  "rule: process=a name of \"many\" words" KEEPS ": a name of \"many would match" },
		{ "alert.rule=ip=10.0.0.5 threshold=90", NULL },
		{ "alert.rule=process=java threshold=90", NULL },
		{ "alert.rule=process=\"never-closed-and-long threshold=90", NULL }, /* an error of its own */
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char warning[512], expected[512] = "";
		warning_of((const char *const[]){ cases[i].setting }, 1, warning);
		if (cases[i].expected) {
			strcpy(expected, "command line: ");
			strcat(expected, cases[i].expected);
		}
		assert_string_equal(warning, expected);
	}
}

static void test_comm_warn_where_names_may_be_longer_says_nothing(void **state)
{
	(void)state;
	static const char *const settings[] = { "collector.name=unit", "collector.name=exe", "collector.kernel_threads=yes" };
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		char warning[512];
		warning_of((const char *const[]){ "collector.include=victoria-metrics-prod", settings[i] }, 2, warning);
		assert_string_equal(warning, "");
	}
}

static void test_comm_warn_any_allocation_fails_is_out_of_memory(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	char include[] = "collector.include=victoria-metrics-1", exclude[] = "collector.exclude=victoria-metrics-2",
	     other[] = "collector.exclude=victoria-metrics-3", rule[] = "alert.rule=process=victoria-metrics-4 threshold=90";
	char *const settings[] = { include, exclude, other, rule };
	bool failed = true;
	for (long n = 1; failed; n++) {
		struct config *config = NULL;
		struct text error = TEXT_EMPTY;
		long before = failing_unfreed();
		assert_int_equal(config_load(NULL, settings, 4, &config, &error), 0);
		failing_start(n);
		int result = comm_warn(config, NULL);
		failed = failing_stop();
		assert_int_equal(result, failed ? -ENOMEM : 0);
		if (!failed)
			assert_int_equal(config->warnings.count, 4);
		config_free(config);
		assert_int_equal(failing_unfreed(), before);
	}
}

static void test_comm_cut_is_what_the_kernel_keeps(void **state)
{
	(void)state;
	static const struct {
		const char *name, *expected; /* NULL: all of it */
	} cases[] = {
		{ "", NULL },
		{ "victoria-metric", NULL },
		{ "victoria-metrics", "victoria-metric" },
		{ "fourteen-bytes\xc3\xa9", "fourteen-bytes?" },
		{ "a line\r\nX-Header: 1", "a line??X-Heade" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char comm[COMM_SIZE] = "";
		assert_int_equal(comm_cut(cases[i].name, comm), cases[i].expected != NULL);
		assert_string_equal(comm, cases[i].expected ? cases[i].expected : "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_comm_warn_of_each_glob_says_what_would_match),
		cmocka_unit_test(test_comm_warn_where_names_may_be_longer_says_nothing),
		cmocka_unit_test(test_comm_warn_any_allocation_fails_is_out_of_memory),
		cmocka_unit_test(test_comm_cut_is_what_the_kernel_keeps),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
