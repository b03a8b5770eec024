/* common/series_report.h; its requests are tested through alert/uplink.h and forecast/uplink.h */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/support/http_server.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

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

/* What is full and not taken is an error of the item that would have been the next. */
static void test_series_report_add_full_report_is_sent_or_the_error(void **state)
{
	(void)state;
	struct http_server *server = http_server_open();
	struct text error = TEXT_EMPTY, answer = TEXT_EMPTY;
	struct client *client = client_open(WIRE_ALERT, http_server_url(server), "", "none", 10000);
	struct series_report report = { .client = client, .path = "save-alarms" };
	int result = 0, items = 0;
	assert_non_null(client);
	series_report_begin(&report);
	for (; result == 0 && items < 100000; items++) {
		result = series_report_add(&report, "10.0.0.5", "java", RESOURCE_CPU, &error);
		if (result == 0)
			text_append_string(&report.body, "}");
	}
	assert_int_equal(result, -ECONNREFUSED);
	assert_non_null(strstr(error.data, "save-alarms"));

	http_server_format(200, NULL, "{}", &answer);
	http_server_answer(server, "PUT /save-alarms", answer.data);
	http_server_start(server);
	text_reset(&error);
	series_report_begin(&report);
	for (int i = 0; i < items; i++) {
		assert_int_equal(series_report_add(&report, "10.0.0.5", "java", RESOURCE_CPU, &error), 0);
		text_append_string(&report.body, "}");
	}
	assert_int_equal(http_server_count(server, "PUT /save-alarms"), 1);
	assert_string_equal(report.body.data, "{\"data\": [{\"ipaddress\": \"10.0.0.5\", \"process_name\": \"java\", \"type_data\": \"cpu\"}");
	assert_int_equal(series_report_end(&report, &error), 0);
	assert_int_equal(http_server_count(server, "PUT /save-alarms"), 2);
	client_close(client);
	http_server_close(server);
	text_free(&report.body);
	text_free(&answer);
	text_free(&error);
}

static void test_series_report_end_without_memory_sends_nothing(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	struct client *client = client_open(WIRE_ALERT, "http://127.0.0.1:1", "", "none", 10000);
	struct series_report report = { .client = client, .path = "save-alarms" };
	struct text error = TEXT_EMPTY;
	failing_start(1);
	series_report_begin(&report);
	assert_int_equal(series_report_add(&report, "10.0.0.5", "java", RESOURCE_CPU, &error), 0);
	assert_true(failing_stop());
	assert_int_equal(series_report_end(&report, &error), -ENOMEM);
	client_close(client);
	text_free(&error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_series_report_add_begins_each_item),
		cmocka_unit_test(test_series_report_add_full_report_is_sent_or_the_error),
		cmocka_unit_test(test_series_report_end_without_memory_sends_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
