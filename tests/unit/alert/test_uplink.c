/* alert/uplink.h, against an HTTP server in a thread */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/http_server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alert/uplink.h"
#include "common/clock.h"
#include "common/text.h"

#define NOW 1795356015250
#define HEALTH "GET /ressources-usage/health "

/* Answers all that it is asked with one answer, and GET health with 404. */
struct sink {
	struct http_server *http;
	char url[80];
	struct text asked; /* see asked() */
};

static void sink_answer(struct sink *sink, const char *start, int status, const char *body)
{
	struct text answer = TEXT_EMPTY;
	http_server_format(status, NULL, body, &answer);
	http_server_answer(sink->http, start, answer.data);
	text_free(&answer);
}

static void sink_open(struct sink *sink, int status, const char *body)
{
	*sink = (struct sink){ .http = http_server_open() };
	snprintf(sink->url, sizeof(sink->url), "%s/ressources-usage/", http_server_url(sink->http));
	sink_answer(sink, "", status, body);
	sink_answer(sink, HEALTH, 404, "");
	http_server_start(sink->http);
}

/* Answers nothing at all. */
static void sink_open_silent(struct sink *sink)
{
	sink_open(sink, 200, "");
	http_server_answer(sink->http, "", NULL);
}

static void sink_close(struct sink *sink)
{
	http_server_close(sink->http);
	text_free(&sink->asked);
}

/* The last request: "METHOD path\nbody". */
static const char *asked(struct sink *sink)
{
	const struct http_server_request *request = http_server_last(sink->http, "");
	text_reset(&sink->asked);
	text_append(&sink->asked, request->head, strcspn(request->head, "\r") - strlen(" HTTP/1.1"));
	text_append_char(&sink->asked, '\n');
	text_append_string(&sink->asked, request->body);
	return sink->asked.data;
}

/* Whether the last request has this for its authorization; NULL: none at all. */
static bool authorized_as(struct sink *sink, const char *wanted)
{
	char header[128];
	const char *head = http_server_last(sink->http, "")->head;
	snprintf(header, sizeof(header), "\r\nAuthorization: %s\r\n", wanted ? wanted : "");
	return wanted ? strstr(head, header) != NULL : strcasestr(head, "\r\nAuthorization:") == NULL;
}

static void test_server_latest_answer_gives_samples(void **state)
{
	(void)state;
	struct sink sink;
	struct latest latest;
	struct text error = TEXT_EMPTY;
	sink_open(&sink, 200, "{\"10.0.0.5\": {\"bash\": {\"mem\": [1795356010, 1.5]}}}");
	struct uplink *uplink = uplink_open(sink.url, "", "environment", 2000, 2000);
	assert_int_equal(uplink_latest(uplink, &latest, &error), 0);
	assert_int_equal(latest.count, 1);
	latest_free(&latest);
	uplink_close(uplink);

	/* Without the slash at the end it is the same server. */
	sink.url[strlen(sink.url) - 1] = '\0';
	uplink = uplink_open(sink.url, "", "environment", 2000, 2000);
	assert_int_equal(uplink_latest(uplink, &latest, &error), 0);
	latest_free(&latest);
	uplink_close(uplink);
	sink_close(&sink);
}

static void test_server_latest_asks_for_latest(void **state)
{
	(void)state;
	struct sink sink;
	struct latest latest;
	struct text error = TEXT_EMPTY;
	sink_open(&sink, 200, "{}");
	sink.url[strlen(sink.url) - 1] = '\0';
	struct uplink *uplink = uplink_open(sink.url, "", "environment", 2000, 2000);
	assert_int_equal(uplink_latest(uplink, &latest, &error), 0);
	assert_int_equal(latest.count, 0);
	assert_string_equal(asked(&sink), "GET /ressources-usage/latest\n");
	latest_free(&latest);
	uplink_close(uplink);
	sink_close(&sink);
}

static void test_server_open_token_goes_with_every_request(void **state)
{
	(void)state;
	struct sink sink;
	struct latest latest;
	struct text error = TEXT_EMPTY;
	struct states *states = states_open(10000);
	sink_open(&sink, 200, "{}");
	struct uplink *uplink = uplink_open(sink.url, "to/ken=", "environment", 2000, 2000);
	assert_int_equal(uplink_latest(uplink, &latest, &error), 0);
	assert_true(authorized_as(&sink, "Bearer to/ken="));
	latest_free(&latest);
	assert_int_equal(uplink_save_alarms(uplink, states, &error), 0);
	assert_true(authorized_as(&sink, "Bearer to/ken="));
	uplink_close(uplink);

	uplink = uplink_open(sink.url, "", "environment", 2000, 2000);
	assert_int_equal(uplink_latest(uplink, &latest, &error), 0);
	assert_true(authorized_as(&sink, NULL));
	latest_free(&latest);
	uplink_close(uplink);
	sink_close(&sink);
	states_close(states);
}

static void test_server_latest_failures_say_why(void **state)
{
	(void)state;
	static const struct {
		int status;
		const char *answer;
		int expected;
		const char *sentence; /* after the URL */
	} cases[] = {
		{ 503, "{\"Response\": \"NOk\", \"error\": \"the store\\nis down\"}", -EREMOTEIO,
		  "the answer's status is 503 (the store?is down)" },
		{ 502, "<html>Bad Gateway</html>", -EREMOTEIO, "the answer's status is 502" },
		{ 204, "", -EREMOTEIO, "the answer's status is 204" },
		{ 301, "", -EREMOTEIO, "the answer's status is 301" },
		{ 200, "<html>", -EBADMSG, "the answer is no JSON object" },
		{ 200, "", -EBADMSG, "the answer is no JSON object" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sink sink;
		struct latest latest;
		struct text error = TEXT_EMPTY, expected = TEXT_EMPTY;
		sink_open(&sink, cases[i].status, cases[i].answer);
		struct uplink *uplink = uplink_open(sink.url, "", "environment", 2000, 2000);
		assert_int_equal(uplink_latest(uplink, &latest, &error), cases[i].expected);
		text_printf(&expected, "GET %slatest: %s", sink.url, cases[i].sentence);
		assert_string_equal(error.data, expected.data);
		uplink_close(uplink);
		sink_close(&sink);
		text_free(&error);
		text_free(&expected);
	}
}

static void test_server_latest_nobody_there_is_an_error(void **state)
{
	(void)state;
	struct latest latest;
	struct text error = TEXT_EMPTY;
	struct http_server *absent = http_server_open();
	struct uplink *uplink = uplink_open(http_server_url(absent), "", "environment", 2000, 2000);
	assert_int_equal(uplink_latest(uplink, &latest, &error), -ECONNREFUSED);
	assert_non_null(strstr(error.data, http_server_url(absent)));
	http_server_close(absent);
	uplink_close(uplink);
	text_free(&error);
}

static void test_server_latest_no_answer_in_time_is_an_error(void **state)
{
	(void)state;
	struct sink sink;
	sink_open_silent(&sink);
	struct uplink *uplink = uplink_open(sink.url, "", "environment", 100, 100);
	struct latest latest;
	struct text error = TEXT_EMPTY;
	assert_int_equal(uplink_latest(uplink, &latest, &error), -ETIMEDOUT);
	uplink_close(uplink);
	text_free(&error);
	sink_close(&sink);
}

static void test_server_forecasts_answer_gives_forecasts(void **state)
{
	(void)state;
	struct sink sink;
	struct forecasts forecasts;
	struct text error = TEXT_EMPTY;
	sink_open(&sink, 200, "{\"10.0.0.5\": {\"bash\": {\"mem\": {\"probability\": 0.5, \"forecast\": 91, \"expected_at\": null}}}}");
	struct uplink *uplink = uplink_open(sink.url, "tok", "environment", 2000, 2000);
	assert_int_equal(uplink_forecasts(uplink, &forecasts, &error), 0);
	assert_int_equal(forecasts.count, 1);
	assert_string_equal(asked(&sink), "GET /ressources-usage/forecasts\n");
	assert_true(authorized_as(&sink, "Bearer tok"));
	forecasts_free(&forecasts);
	uplink_close(uplink);
	sink_close(&sink);
}

/* Nothing to be forecast, or nobody who forecasts? */
static void test_server_forecasts_empty_answer_asks_for_health(void **state)
{
	(void)state;
	static const struct {
		const char *health;
		int expected;
		const char *sentence; /* NULL: none */
	} cases[] = {
		{ "{\"status\": \"ok\", \"forecast\": {\"status\": \"ok\", \"last_report\": 1}}", 0, NULL },
		{ "{\"forecast\": {\"status\": \"unknown\", \"last_report\": null}}", -ENODATA, "vigie-forecast does not report" },
		{ "{\"status\": \"ok\"}", -ENODATA, "vigie-forecast does not report" },
		{ "{\"forecast\": 7}", -ENODATA, "vigie-forecast does not report" },
		{ "<html>", -ENODATA, "vigie-forecast does not report" },
		{ NULL, -EREMOTEIO, "health: the answer's status is 404" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sink sink;
		struct forecasts forecasts = { 0 };
		struct text error = TEXT_EMPTY;
		sink_open(&sink, 200, "{}");
		if (cases[i].health)
			sink_answer(&sink, HEALTH, 200, cases[i].health);
		struct uplink *uplink = uplink_open(sink.url, "", "environment", 2000, 2000);
		if (uplink_forecasts(uplink, &forecasts, &error) != cases[i].expected)
			fail_msg("case %zu: %s", i, error.data);
		assert_int_equal(forecasts.count, 0);
		if (cases[i].sentence)
			assert_non_null(strstr(error.data, cases[i].sentence));
		forecasts_free(&forecasts);
		uplink_close(uplink);
		sink_close(&sink);
		text_free(&error);
	}
}

static void test_server_forecasts_failures_say_why(void **state)
{
	(void)state;
	static const struct {
		int status;
		const char *answer;
		int expected;
		const char *sentence;
	} cases[] = {
		{ 404, "{\"error\": \"no such path\"}", -EREMOTEIO, "the answer's status is 404 (no such path)" },
		{ 503, "", -EREMOTEIO, "the answer's status is 503" },
		{ 200, "<html>", -EBADMSG, "the answer is no JSON object" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sink sink;
		struct forecasts forecasts;
		struct text error = TEXT_EMPTY, expected = TEXT_EMPTY;
		sink_open(&sink, cases[i].status, cases[i].answer);
		struct uplink *uplink = uplink_open(sink.url, "", "environment", 2000, 2000);
		assert_int_equal(uplink_forecasts(uplink, &forecasts, &error), cases[i].expected);
		text_printf(&expected, "GET %sforecasts: %s", sink.url, cases[i].sentence);
		assert_string_equal(error.data, expected.data);
		uplink_close(uplink);
		sink_close(&sink);
		text_free(&error);
		text_free(&expected);
	}
}

static void test_server_forecasts_have_a_time_of_their_own(void **state)
{
	(void)state;
	struct sink sink;
	sink_open_silent(&sink);
	struct uplink *uplink = uplink_open(sink.url, "", "environment", 60000, 100);
	struct forecasts forecasts;
	struct text error = TEXT_EMPTY;
	int64_t start_ns = clock_monotonic_ns();
	assert_int_equal(uplink_forecasts(uplink, &forecasts, &error), -ETIMEDOUT);
	assert_true(clock_monotonic_ns() - start_ns < 5000000000);
	uplink_close(uplink);
	text_free(&error);
	sink_close(&sink);
}

static void add_host(struct states *states, const char *ip, enum color color, bool ended)
{
	struct host_state host = { .alarm = { .process = "*", .resource = RESOURCE_COUNT, .color = color,
		                              .since_ms = 1795350000000 }, .ended = ended };
	strcpy(host.alarm.ip, ip);
	assert_int_equal(states_restore_host(states, &host), 0);
}

static void add_series(struct states *states, const char *process, enum color color, int64_t samples, bool ended)
{
	struct series_state series = { .alarm = { .ip = "10.0.0.5", .resource = RESOURCE_CPU, .color = color,
		                                  .value = 83.1, .threshold = 80, .since_ms = 1795356010001 },
		                       .samples = samples, .ended = ended };
	snprintf(series.alarm.process, WIRE_NAME_SIZE, "%s", process);
	series.alarm.forecast = 91.2;
	series.alarm.expected_ms = strcmp(process, "never") == 0 ? 0 : 1795356878100;
	assert_int_equal(states_restore_series(states, &series), 0);
}

/* What is asked of a server to save the alarms of these states. */
static void assert_saved(struct states *states, const char *request)
{
	struct sink sink;
	struct text error = TEXT_EMPTY;
	sink_open(&sink, 200, "{\"Response\": \"Ok\"}");
	struct uplink *uplink = uplink_open(sink.url, "", "environment", 2000, 2000);
	assert_int_equal(uplink_save_alarms(uplink, states, &error), 0);
	assert_string_equal(asked(&sink), request);
	uplink_close(uplink);
	sink_close(&sink);
}

static void test_server_save_alarms_what_stands_and_what_ended(void **state)
{
	(void)state;
	struct states *states = states_open(10000);
	add_host(states, "10.0.0.5", COLOR_GREEN, false);
	add_host(states, "10.0.0.6", COLOR_UNKNOWN, false);
	add_host(states, "::1", COLOR_GREEN, true);
	add_series(states, "a\"b", COLOR_RED, 0, false);
	add_series(states, "amber", COLOR_ORANGE, 0, false);
	add_series(states, "never", COLOR_ORANGE, 0, false);
	add_series(states, "pending", COLOR_GREEN, 2, false);
	add_series(states, "ended", COLOR_GREEN, 0, true);

	assert_saved(states,
		"PUT /ressources-usage/save-alarms\n{\"data\": ["
		"{\"ipaddress\": \"10.0.0.5\", \"process_name\": \"a\\\"b\", \"type_data\": \"cpu\", \"color\": \"red\", "
		"\"value\": 83.1, \"threshold\": 80, \"since\": 1795356010.001},\n"
		"{\"ipaddress\": \"10.0.0.5\", \"process_name\": \"amber\", \"type_data\": \"cpu\", \"color\": \"orange\", "
		"\"value\": 83.1, \"threshold\": 80, \"forecast\": 91.2, \"expected_at\": 1795356878.1, "
		"\"since\": 1795356010.001},\n"
		"{\"ipaddress\": \"10.0.0.5\", \"process_name\": \"never\", \"type_data\": \"cpu\", \"color\": \"orange\", "
		"\"value\": 83.1, \"threshold\": 80, \"forecast\": 91.2, \"expected_at\": null, "
		"\"since\": 1795356010.001},\n"
		"{\"ipaddress\": \"10.0.0.5\", \"process_name\": \"ended\", \"type_data\": \"cpu\", \"color\": \"green\", "
		"\"value\": 83.1, \"threshold\": 80, \"since\": 1795356010.001},\n"
		"{\"ipaddress\": \"10.0.0.6\", \"process_name\": \"*\", \"type_data\": \"mem\", \"color\": \"unknown\", "
		"\"since\": 1795350000},\n"
		"{\"ipaddress\": \"10.0.0.6\", \"process_name\": \"*\", \"type_data\": \"cpu\", \"color\": \"unknown\", "
		"\"since\": 1795350000},\n"
		"{\"ipaddress\": \"::1\", \"process_name\": \"*\", \"type_data\": \"mem\", \"color\": \"green\", "
		"\"since\": 1795350000},\n"
		"{\"ipaddress\": \"::1\", \"process_name\": \"*\", \"type_data\": \"cpu\", \"color\": \"green\", "
		"\"since\": 1795350000}]}");
	states_close(states);
}

/* Of what is reported as one series the later counts. */
static void test_server_save_alarms_missing_is_told_of_both_resources_after_what_ended(void **state)
{
	(void)state;
	struct states *states = states_open(10000);
	struct series_state missing = { .alarm = { .ip = "10.0.0.5", .process = "died", .resource = RESOURCE_COUNT, .color = COLOR_RED,
		                                   .since_ms = 1795356010000 } };
	add_host(states, "10.0.0.5", COLOR_GREEN, false);
	assert_int_equal(states_restore_series(states, &missing), 0);
	add_series(states, "died", COLOR_GREEN, 0, true);
	add_series(states, "back", COLOR_RED, 0, false);
	strcpy(missing.alarm.process, "back");
	missing.alarm.color = COLOR_GREEN;
	missing.ended = true;
	assert_int_equal(states_restore_series(states, &missing), 0);

	assert_saved(states,
		"PUT /ressources-usage/save-alarms\n{\"data\": ["
		"{\"ipaddress\": \"10.0.0.5\", \"process_name\": \"back\", \"type_data\": \"mem\", \"color\": \"green\", \"since\": 1795356010},\n"
		"{\"ipaddress\": \"10.0.0.5\", \"process_name\": \"back\", \"type_data\": \"cpu\", \"color\": \"green\", \"since\": 1795356010},\n"
		"{\"ipaddress\": \"10.0.0.5\", \"process_name\": \"died\", \"type_data\": \"cpu\", \"color\": \"green\", "
		"\"value\": 83.1, \"threshold\": 80, \"since\": 1795356010.001},\n"
		"{\"ipaddress\": \"10.0.0.5\", \"process_name\": \"back\", \"type_data\": \"cpu\", \"color\": \"red\", "
		"\"value\": 83.1, \"threshold\": 80, \"since\": 1795356010.001},\n"
		"{\"ipaddress\": \"10.0.0.5\", \"process_name\": \"died\", \"type_data\": \"mem\", \"color\": \"red\", "
		"\"missing\": true, \"since\": 1795356010},\n"
		"{\"ipaddress\": \"10.0.0.5\", \"process_name\": \"died\", \"type_data\": \"cpu\", \"color\": \"red\", "
		"\"missing\": true, \"since\": 1795356010}]}");
	states_close(states);
}

/* It refuses a report whole: what it does not take is left out, and the alarm beside it is told. */
static void test_server_save_alarms_numbers_that_it_does_not_take_are_left_out(void **state)
{
	(void)state;
	static const struct {
		double value, threshold, forecast;
		int64_t since_ms, expected_ms;
		const char *expected; /* of the members behind the colour */
	} cases[] = {
		{ 1e12, 80, 91, 1000, 2000, "\"value\": 1000000000000, \"threshold\": 80, \"forecast\": 91, \"expected_at\": 2, \"since\": 1" },
		{ 2e12, 80, 91, 1000, 2000, "\"threshold\": 80, \"forecast\": 91, \"expected_at\": 2, \"since\": 1" },
		{ -1, 80, 91, 1000, 2000, "\"threshold\": 80, \"forecast\": 91, \"expected_at\": 2, \"since\": 1" },
		{ 1e300, -80, 1.1e12, -1000, 2000, "\"expected_at\": 2" },
		{ 99, 80, 91, INT64_MAX, INT64_MAX, "\"value\": 99, \"threshold\": 80, \"forecast\": 91" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct states *states = states_open(10000);
		struct series_state bad = { .alarm = { .ip = "10.0.0.5", .process = "bad", .resource = RESOURCE_CPU, .color = COLOR_ORANGE,
			                               .value = cases[i].value, .threshold = cases[i].threshold,
			                               .forecast = cases[i].forecast, .since_ms = cases[i].since_ms,
			                               .expected_ms = cases[i].expected_ms } };
		struct text error = TEXT_EMPTY, expected = TEXT_EMPTY;
		struct sink sink;
		add_host(states, "10.0.0.5", COLOR_GREEN, false);
		assert_int_equal(states_restore_series(states, &bad), 0);
		add_series(states, "good", COLOR_RED, 0, false);
		sink_open(&sink, 200, "{\"Response\": \"Ok\"}");
		struct uplink *uplink = uplink_open(sink.url, "", "environment", 2000, 2000);
		assert_int_equal(uplink_save_alarms(uplink, states, &error), 0);
		text_printf(&expected, "\"bad\", \"type_data\": \"cpu\", \"color\": \"orange\", %s},\n", cases[i].expected);
		if (!strstr(asked(&sink), expected.data))
			fail_msg("case %zu: %s", i, asked(&sink));
		assert_non_null(strstr(asked(&sink), "\"good\", \"type_data\": \"cpu\", \"color\": \"red\", \"value\": 83.1, "));
		uplink_close(uplink);
		sink_close(&sink);
		text_free(&expected);
		states_close(states);
	}
}

static void test_server_save_alarms_nothing_to_report_is_reported(void **state)
{
	(void)state;
	struct states *states = states_open(10000);
	struct sink sink;
	struct text error = TEXT_EMPTY;
	sink_open(&sink, 200, "{\"Response\": \"Ok\"}");
	struct uplink *uplink = uplink_open(sink.url, "", "environment", 2000, 2000);
	for (unsigned i = 1; i <= 2; i++) {
		assert_int_equal(uplink_save_alarms(uplink, states, &error), 0);
		assert_int_equal(http_server_count(sink.http, ""), i);
		assert_string_equal(asked(&sink), "PUT /ressources-usage/save-alarms\n{\"data\": []}");
	}
	uplink_close(uplink);
	sink_close(&sink);
	states_close(states);
}

static void test_server_save_alarms_many_go_in_several_requests(void **state)
{
	(void)state;
	struct states *states = states_open(10000);
	add_host(states, "10.0.0.5", COLOR_GREEN, false);
	for (int i = 0; i < 20000; i++) {
		char process[32];
		snprintf(process, sizeof(process), "process-%d", i);
		add_series(states, process, COLOR_RED, 0, false);
	}
	struct sink sink;
	struct text error = TEXT_EMPTY;
	sink_open(&sink, 200, "{\"Response\": \"Ok\"}");
	struct uplink *uplink = uplink_open(sink.url, "", "environment", 5000, 5000);
	assert_int_equal(uplink_save_alarms(uplink, states, &error), 0);
	size_t requests = http_server_count(sink.http, "");
	assert_true(requests > 4 && requests < 16);
	for (size_t i = 0; i < requests; i++)
		assert_true(http_server_asked(sink.http, i)->body_length < 600 * 1024);
	const char *last = asked(&sink);
	assert_non_null(strstr(last, "\"process-19999\""));
	assert_string_equal(last + strlen(last) - 3, "}]}");
	uplink_close(uplink);
	sink_close(&sink);
	states_close(states);
}

static void test_server_save_alarms_refused_says_why(void **state)
{
	(void)state;
	struct states *states = states_open(10000);
	struct sink sink;
	struct text error = TEXT_EMPTY, expected = TEXT_EMPTY;
	sink_open(&sink, 400, "{\"Response\": \"NOk\", \"error\": \"no\"}");
	struct uplink *uplink = uplink_open(sink.url, "", "environment", 2000, 2000);
	assert_int_equal(uplink_save_alarms(uplink, states, &error), -EREMOTEIO);
	text_printf(&expected, "PUT %ssave-alarms: the answer's status is 400 (no)", sink.url);
	assert_string_equal(error.data, expected.data);
	uplink_close(uplink);
	sink_close(&sink);
	states_close(states);
	text_free(&error);
	text_free(&expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_server_latest_answer_gives_samples),
		cmocka_unit_test(test_server_latest_asks_for_latest),
		cmocka_unit_test(test_server_open_token_goes_with_every_request),
		cmocka_unit_test(test_server_latest_failures_say_why),
		cmocka_unit_test(test_server_latest_nobody_there_is_an_error),
		cmocka_unit_test(test_server_latest_no_answer_in_time_is_an_error),
		cmocka_unit_test(test_server_forecasts_answer_gives_forecasts),
		cmocka_unit_test(test_server_forecasts_empty_answer_asks_for_health),
		cmocka_unit_test(test_server_forecasts_failures_say_why),
		cmocka_unit_test(test_server_forecasts_have_a_time_of_their_own),
		cmocka_unit_test(test_server_save_alarms_what_stands_and_what_ended),
		cmocka_unit_test(test_server_save_alarms_missing_is_told_of_both_resources_after_what_ended),
		cmocka_unit_test(test_server_save_alarms_numbers_that_it_does_not_take_are_left_out),
		cmocka_unit_test(test_server_save_alarms_nothing_to_report_is_reported),
		cmocka_unit_test(test_server_save_alarms_many_go_in_several_requests),
		cmocka_unit_test(test_server_save_alarms_refused_says_why),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
