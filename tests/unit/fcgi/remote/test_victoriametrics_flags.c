/* fcgi/remote/victoriametrics_flags.h */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/captured_stderr.h"
#include "tests/unit/fcgi/helpers.h"

#include "fcgi/remote/victoriametrics_flags.h"

#define DAYS(count) ((count) * INT64_C(86400000))
#define DEDUP "-dedup.minScrapeInterval=\"1ms\"\n"

static void test_victoriametrics_flags_check_table(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t retention_ms;
		const char *keeps; /* the days that are warned of; NULL: none */
		bool doubles;      /* are warned of */
	} cases[] = {
		{ "-retentionPeriod=\"2d\"\n" DEDUP, DAYS(2), NULL, false },
		{ DEDUP "-retentionPeriod=\"48h\"\n", DAYS(2), NULL, false },
		{ DEDUP "-retentionPeriod=\"1w\"\n", DAYS(7), NULL, false },
		{ DEDUP "-retentionPeriod=\"1y\"\n", DAYS(365), NULL, false },
		{ DEDUP "-retentionPeriod=\"1\"\n", DAYS(31), NULL, false },
		{ DEDUP "-retentionPeriod=\"1\"\n", DAYS(2), "31", false },
		{ DEDUP "-retentionPeriod=\"36h\"\n", DAYS(2), "1.5", false },
		{ DEDUP, DAYS(2), "31", false },
		{ "-retentionPeriod=\"2d\"\n", DAYS(2), NULL, true },
		{ "-retentionPeriod=\"2d\"\n-dedup.minScrapeInterval=\"0s\"\n", DAYS(2), NULL, true },
		{ "", DAYS(2), "31", true },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char keeps[64];
		struct victoriametrics_flags flags = { 0 };
		captured_stderr_begin();
		/* A second time nothing is said. */
		for (int again = 0; again < 2; again++)
			victoriametrics_flags_check(&flags, cases[i].text, cases[i].retention_ms);
		captured_stderr_end();
		snprintf(keeps, sizeof(keeps), "it keeps samples for %s days, not ", cases[i].keeps ? cases[i].keeps : "");
		size_t lines = captured_stderr_count("store victoriametrics"), retention = captured_stderr_count(keeps);
		size_t doubles = captured_stderr_count("-dedup.minScrapeInterval=1ms");
		if (lines != (cases[i].keeps != NULL) + (size_t)cases[i].doubles || retention != (cases[i].keeps != NULL) ||
		    doubles != cases[i].doubles)
			fail_msg("case %zu: %zu lines, %zu %zu", i, lines, retention, doubles);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(test_victoriametrics_flags_check_table) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
