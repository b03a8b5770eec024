/* common/series_report.h; its requests are tested through alert/uplink.h and forecast/uplink.h */
#include "tests/unit/support/cmocka.h"

#include "common/series_report.h"

static void test_series_report_add_begins_each_item(void **state)
{
	(void)state;
	struct series_report report = { .path = "save-alarms" };
	struct text error = TEXT_EMPTY;
	/* What was in it before is gone. */
	for (int i = 0; i < 2; i++) {
		series_report_begin(&report);
		assert_int_equal(series_report_add(&report, "10.0.0.5", "a \"b\"", RESOURCE_CPU, &error), 0);
		text_append_string(&report.body, ", \"color\": \"red\"}");
		assert_int_equal(series_report_add(&report, "::1", "c", RESOURCE_MEM, &error), 0);
		text_append_string(&report.body, "}");
		assert_string_equal(report.body.data,
		                    "{\"data\": [{\"ipaddress\": \"10.0.0.5\", \"process_name\": \"a \\\"b\\\"\", \"type_data\": \"cpu\", "
		                    "\"color\": \"red\"},\n{\"ipaddress\": \"::1\", \"process_name\": \"c\", \"type_data\": \"mem\"}");
	}
	text_free(&report.body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_series_report_add_begins_each_item),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
