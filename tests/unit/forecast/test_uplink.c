/* forecast/uplink.h, against an HTTP server in a thread */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>

#include "forecast/uplink.h"
#include "tests/unit/forecast/fake_server.h"

#define NOW INT64_C(1795356187000)

static void test_server_hosts_gives_addresses(void **state)
{
	(void)state;
	struct uplink_hosts hosts;
	struct text error = TEXT_EMPTY;
	add_series("10.0.0.5", "a", RESOURCE_CPU);
	add_series("nowhere", "a", RESOURCE_CPU);
	add_series("::1", "a", RESOURCE_CPU);
	struct uplink *client = uplink_open(server.url, "", "environment", 2000);
	assert_int_equal(uplink_hosts(client, &hosts, &error), 0);
	assert_int_equal(hosts.count, 2);
	assert_string_equal(hosts.ips[0], "10.0.0.5");
	assert_string_equal(hosts.ips[1], "::1");
	uplink_hosts_free(&hosts);

	server.get_status = 503;
	assert_int_equal(uplink_hosts(client, &hosts, &error), -EREMOTEIO);
	assert_false(uplink_refused(client));
	assert_non_null(strstr(error.data, "hosts: the answer's status is 503"));
	text_free(&error);
	uplink_close(client);
}

/* Of want of memory within cJSON nobody can tell that it is that. */
static void test_server_hosts_what_is_no_answer_is_said(void **state)
{
	(void)state;
	struct uplink_hosts hosts;
	struct text error = TEXT_EMPTY, answer = TEXT_EMPTY;
	struct http_server *http = http_server_open();
	char url[96];
	http_server_start(http);
	http_server_format(200, NULL, "[]", &answer);
	http_server_answer(http, "GET /hosts ", answer.data);
	snprintf(url, sizeof(url), "%s/", http_server_url(http));
	struct uplink *client = uplink_open(url, "", "environment", 2000);
	assert_int_equal(uplink_hosts(client, &hosts, &error), -EBADMSG);
	assert_non_null(strstr(error.data, "/hosts: it is no JSON object"));
	text_free(&error);
	text_free(&answer);
	uplink_close(client);
	http_server_close(http);
}

static void test_server_hosts_each_failing_allocation_is_said(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	add_series("10.0.0.5", "a", RESOURCE_CPU);
	add_series("::1", "a", RESOURCE_CPU);
	bool failed = true, told = false;
	for (long number = 1; failed; number++) {
		struct uplink_hosts hosts = { 0 };
		struct text error = TEXT_EMPTY;
		failing_start(number);
		struct uplink *client = uplink_open(server.url, "", "environment", 2000);
		int result = client ? uplink_hosts(client, &hosts, &error) : -ENOMEM;
		failed = failing_stop();
		told = told || (result == -ENOMEM && error.length && strstr(error.data, "/hosts: Cannot allocate memory"));
		assert_int_equal(hosts.count, result ? 0 : 2);
		assert_true(failed || result == 0);
		uplink_hosts_free(&hosts);
		text_free(&error);
		uplink_close(client);
	}
	assert_true(told);
}

static int collect(void *user, const struct history_series *series)
{
	struct text *text = user;
	text_printf(text, "%s/%s", series->ip, series->process);
	for (size_t i = 0; i < series->count; i++)
		text_printf(text, " %g/%g", (double)series->steps[i].mean, (double)series->steps[i].max);
	text_append_string(text, "; ");
	return 0;
}

static void test_server_history_asks_for_maxima_and_means(void **state)
{
	(void)state;
	struct text error = TEXT_EMPTY, collected = TEXT_EMPTY;
	struct history_query query = { .resource = RESOURCE_CPU, .step_ms = 60000, .first = NOW / 60000 - 2, .count = 3, .above = -1 };
	struct history_reader reader = { .user = &collected, .read = collect };
	server.now_ms = NOW;
	size_t a = add_series("10.0.0.5", "a", RESOURCE_CPU), b = add_series("10.0.0.5", "b", RESOURCE_MEM);
	for (int64_t time_ms = NOW - 187000; time_ms <= NOW; time_ms += 10000) {
		add_sample(a, time_ms, (double)(time_ms / 1000 % 60));
		add_sample(b, time_ms, 1);
	}
	struct uplink *client = uplink_open(server.url, "", "environment", 2000);
	assert_int_equal(uplink_history(client, &query, NOW, &reader, &error), 0);
	assert_string_equal(collected.data, "10.0.0.5/a 25/50 25/50 0/0; ");
	assert_string_equal(server.asked.data,
	                    "get-all-detailed?resource=cpu&by=host&timestamps=1&step=60s&fn=max&window=136s\n"
	                    "get-all-detailed?resource=cpu&by=host&timestamps=1&step=60s&fn=mean&window=136s\n");

	server.retention_ms = 100000;
	assert_int_equal(uplink_history(client, &query, NOW, &reader, &error), -EREMOTEIO);
	assert_true(uplink_refused(client));
	assert_non_null(strstr(error.data, "(window is too long)"));
	uplink_close(client);
	text_free(&error);
	text_free(&collected);
}

/* A history is given whole or not at all. */
static void test_server_history_each_failing_allocation_gives_nothing(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	struct history_query query = { .resource = RESOURCE_CPU, .step_ms = 60000, .first = NOW / 60000 - 2, .count = 3, .above = -1 };
	server.now_ms = NOW;
	size_t a = add_series("10.0.0.5", "a\\", RESOURCE_CPU); /* whose name is unescaped */
	for (int64_t time_ms = NOW - 187000; time_ms <= NOW; time_ms += 10000)
		add_sample(a, time_ms, (double)(time_ms / 1000 % 60));
	bool failed = true, told = false;
	for (long number = 1; failed; number++) {
		struct text error = TEXT_EMPTY, collected = TEXT_EMPTY;
		const struct history_reader reader = { .user = &collected, .read = collect };
		struct uplink *client = uplink_open(server.url, "", "environment", 2000);
		failing_start(number);
		int result = uplink_history(client, &query, NOW, &reader, &error);
		failed = failing_stop();
		const char *found = collected.length ? collected.data : "";
		/* What it is collected in may lack memory as well. */
		if (!text_failed(&collected) && strcmp(found, result ? "" : "10.0.0.5/a\\ 25/50 25/50 0/0; ") != 0)
			fail_msg("allocation %ld: %d '%s'", number, result, found);
		told = told || (result == -ENOMEM && error.length && strstr(error.data, "Cannot allocate memory"));
		assert_true(failed || result == 0);
		uplink_close(client);
		text_free(&error);
		text_free(&collected);
	}
	assert_true(told);
}

static void test_server_history_broken_answer_says_which(void **state)
{
	(void)state;
	struct text error = TEXT_EMPTY, collected = TEXT_EMPTY;
	struct history_query query = { .resource = RESOURCE_CPU, .step_ms = 60000, .first = NOW / 60000, .count = 1, .above = -1 };
	struct history_reader reader = { .user = &collected, .read = collect };
	server.get_status = 200; /* and an empty body */
	struct uplink *client = uplink_open(server.url, "", "environment", 2000);
	assert_int_equal(uplink_history(client, &query, NOW, &reader, &error), -EBADMSG);
	assert_non_null(strstr(error.data, "window=16s: it is no JSON object"));
	uplink_close(client);
	text_free(&error);
}

static void test_server_forecasts_are_written_with_few_decimals(void **state)
{
	(void)state;
	static const struct forecaster_part parts[] = {
		{ "rise_6", "slope", 1.23456, 0.98765 }, { "trees", "a \"sum\"", -0.5, 1e-9 }, { "odd", "", NAN, 1 }, { "odd", "", 1, INFINITY },
	};
	static const struct forecast forecasts[] = {
		{ "10.0.0.5", "a\"b\n", RESOURCE_CPU, 0.123456, 81.23456, NOW + 600001, -1, .limit = 0 },
		{ "::1", "java", RESOURCE_MEM, 1, 0, -1, 1795444444500, .limit = 0 },
		{ "::1", "tiny", RESOURCE_MEM, 1e-9, 1e-9, -1, -1, .limit = 0 },
		/* What the server would refuse all of them for. */
		{ "::1", "high", RESOURCE_MEM, 0.5, 1.1e12, -1, -1, .limit = 0 },
		{ "::1", "none", RESOURCE_MEM, NAN, 1, -1, -1, .limit = 0 },
		{ "::1", "none", RESOURCE_MEM, 0.5, NAN, -1, -1, .limit = 0 },
		{ "::1", "sure", RESOURCE_MEM, 1.5, 1, -1, -1, .limit = 0 },
		{ "::1", "why", RESOURCE_MEM, 0.5, 50, -1, -1, .limit = 62.5, .horizon_ms = 1800000, .explained = true, .climb = 0.51237,
		  .parts = parts, .part_count = 4 },
		{ "::1", "constant", RESOURCE_MEM, 1, 50, -1, -1, .limit = 45, .horizon_ms = 900500, .explained = true },
	};
	struct text error = TEXT_EMPTY;
	struct uplink *client = uplink_open(server.url, "", "environment", 2000);
	uplink_forecasts_begin(client);
	for (size_t i = 0; i < sizeof(forecasts) / sizeof(forecasts[0]); i++)
		assert_int_equal(uplink_forecasts_add(client, &forecasts[i], &error), 0);
	assert_int_equal(uplink_forecasts_end(client, &error), 0);
	assert_string_equal(server.put.data,
		"{\"data\": [{\"ipaddress\": \"10.0.0.5\", \"process_name\": \"a\\\"b\\u000a\", \"type_data\": \"cpu\", "
		"\"probability\": 0.1235, \"forecast\": 81.235, \"expected_at\": 1795356787.001},\n"
		"{\"ipaddress\": \"::1\", \"process_name\": \"java\", \"type_data\": \"mem\", "
		"\"probability\": 1, \"forecast\": 0, \"expected_at\": null, \"full_at\": 1795444444.5},\n"
		"{\"ipaddress\": \"::1\", \"process_name\": \"tiny\", \"type_data\": \"mem\", "
		"\"probability\": 0, \"forecast\": 0, \"expected_at\": null},\n"
		"{\"ipaddress\": \"::1\", \"process_name\": \"why\", \"type_data\": \"mem\", "
		"\"probability\": 0.5, \"forecast\": 50, \"expected_at\": null, \"limit\": 62.5, \"horizon_s\": 1800, "
		"\"why\": {\"climb\": 0.5124, \"parts\": ["
		"{\"name\": \"rise_6\", \"log_odds\": 1.235, \"value\": 0.9877, \"meaning\": \"slope\"}, "
		"{\"name\": \"trees\", \"log_odds\": -0.5, \"value\": 0, \"meaning\": \"a \\\"sum\\\"\"}]}},\n"
		"{\"ipaddress\": \"::1\", \"process_name\": \"constant\", \"type_data\": \"mem\", "
		"\"probability\": 1, \"forecast\": 50, \"expected_at\": null, \"limit\": 45, \"horizon_s\": 900.5, "
		"\"why\": {\"climb\": null, \"parts\": []}}]}");
	uplink_close(client);
}

static void test_server_forecasts_none_is_a_sign_of_life(void **state)
{
	(void)state;
	struct text error = TEXT_EMPTY;
	struct uplink *client = uplink_open(server.url, "", "environment", 2000);
	for (size_t i = 1; i <= 2; i++) {
		uplink_forecasts_begin(client);
		assert_int_equal(uplink_forecasts_end(client, &error), 0);
		assert_int_equal(server.puts, i);
	}
	assert_string_equal(server.put.data, "{\"data\": []}{\"data\": []}");
	server.put_status = 503;
	uplink_forecasts_begin(client);
	assert_int_equal(uplink_forecasts_end(client, &error), -EREMOTEIO);
	assert_non_null(strstr(error.data, "save-forecasts: the answer's status is 503"));
	text_free(&error);
	uplink_close(client);
}

static void test_server_forecasts_many_go_in_several_requests(void **state)
{
	(void)state;
	struct text error = TEXT_EMPTY;
	char process[WIRE_NAME_SIZE];
	struct uplink *client = uplink_open(server.url, "", "environment", 5000);
	uplink_forecasts_begin(client);
	for (int i = 0; i < 20000; i++) {
		/* Escaped six times as long: the longest that there are. */
		memset(process, 1, WIRE_NAME_MAX);
		process[i % 100 == 0 ? WIRE_NAME_MAX : 10] = '\0';
		struct forecast forecast = { "10.0.0.5", process, RESOURCE_CPU, 0.5, 50, -1, -1, .limit = 0 };
		assert_int_equal(uplink_forecasts_add(client, &forecast, &error), 0);
	}
	assert_int_equal(uplink_forecasts_end(client, &error), 0);
	assert_true(server.puts > 4 && server.puts < 16);
	assert_true(server.longest <= 512 * 1024);
	size_t items = 0;
	for (const char *at = server.put.data; *at; at++) /* under a sanitizer strstr() looks at all that follows */
		items += strncmp(at, "\"ipaddress\"", 11) == 0;
	assert_int_equal(items, 20000);
	uplink_close(client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_server_hosts_gives_addresses, empty_server),
		cmocka_unit_test_setup(test_server_hosts_each_failing_allocation_is_said, empty_server),
		cmocka_unit_test_setup(test_server_hosts_what_is_no_answer_is_said, empty_server),
		cmocka_unit_test_setup(test_server_history_asks_for_maxima_and_means, empty_server),
		cmocka_unit_test_setup(test_server_history_each_failing_allocation_gives_nothing, empty_server),
		cmocka_unit_test_setup(test_server_history_broken_answer_says_which, empty_server),
		cmocka_unit_test_setup(test_server_forecasts_are_written_with_few_decimals, empty_server),
		cmocka_unit_test_setup(test_server_forecasts_none_is_a_sign_of_life, empty_server),
		cmocka_unit_test_setup(test_server_forecasts_many_go_in_several_requests, empty_server),
	};
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
