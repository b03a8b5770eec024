/* alert/alerts.h and alert/hostnames.h */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alert/alerts.h"

#define NOW 1795356015000 /* 2026-11-22T14:00:15Z */
#define MINUTE 60000
#define HOUR (60 * MINUTE)
#define PAGE "http://vigie:8000/ressources-usage/"

struct world {
	struct alerts *alerts;
	struct states *states;
	struct hostnames names;
	struct text body;
	int64_t silenced_ms; /* of what is to stand next */
};

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	struct text error = TEXT_EMPTY;
	const char *hosts = "{\"10.0.0.5\": {\"hostname\": \"db1\"}, \"10.0.0.6\": {\"hostname\": null}}";
	assert_non_null(world);
	world->alerts = alerts_open();
	world->states = states_open(10000);
	assert_non_null(world->alerts);
	assert_non_null(world->states);
	assert_int_equal(hostnames_parse(hosts, strlen(hosts), &world->names, &error), 0);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;
	alerts_close(world->alerts);
	states_close(world->states);
	hostnames_free(&world->names);
	text_free(&world->body);
	free(world);
	return 0;
}

/* From now on this stands, and nothing else. */
static void stand(struct world *world, const char *ip, const char *process, enum color color)
{
	struct host_state host = { .alarm = { .process = WIRE_HOST_ITSELF, .resource = RESOURCE_COUNT } };
	struct series_state series = { .alarm = { .resource = RESOURCE_MEM, .color = color, .value = 83.1, .threshold = 80,
		                                  .since_ms = NOW - 5000 } };
	states_close(world->states);
	world->states = states_open(10000);
	assert_non_null(world->states);
	strcpy(host.alarm.ip, ip);
	host.alarm.color = color == COLOR_UNKNOWN ? color : COLOR_GREEN;
	host.alarm.since_ms = NOW - 30000;
	assert_int_equal(states_restore_host(world->states, &host), 0);
	if (color == COLOR_UNKNOWN)
		return;
	strcpy(series.alarm.ip, ip);
	strcpy(series.alarm.process, process);
	series.alarm.silenced_ms = world->silenced_ms;
	if (color == COLOR_ORANGE) {
		series.alarm.forecast = 91.2;
		series.alarm.probability = 0.83;
		series.alarm.expected_ms = NOW + MINUTE;
	}
	assert_int_equal(states_restore_series(world->states, &series), 0);
}

static void update(struct world *world, int64_t now_ms)
{
	assert_int_equal(alerts_update(world->alerts, world->states, &world->names, now_ms), 0);
}

static const char *body(struct world *world, uint64_t version, int64_t now_ms)
{
	text_reset(&world->body);
	alerts_format(world->alerts, version, now_ms, now_ms + 4 * MINUTE, PAGE, &world->body);
	assert_false(text_failed(&world->body));
	return world->body.data;
}

#define RED_LABELS "{\"alertname\": \"vigie\", \"colour\": \"red\", \"host\": \"10.0.0.5\", \"hostname\": \"db1\", " \
	"\"process\": \"a \\\"b\\\" &\", \"resource\": \"mem\"}"
#define RED_REST(end) ", \"annotations\": {\"summary\": \"a \\\"b\\\" & on db1: mem 83.10 %, limit 80 %\", \"value\": \"83.10\", " \
	"\"threshold\": \"80\"}, \"startsAt\": \"2026-11-22T14:00:10.000Z\", \"endsAt\": \"" end "\", \"generatorURL\": \"" PAGE \
	"get-all-detailed?window=1h&timestamps=1&resource=mem&ip=10.0.0.5&process=a%20%22b%22%20%26\"}"

static void test_alerts_format_a_red_its_renewal_and_its_end(void **state)
{
	struct world *world = *state;
	assert_string_equal(body(world, 0, NOW), "[]");
	stand(world, "10.0.0.5", "a \"b\" &", COLOR_RED);
	assert_true(alerts_lack(world->alerts, world->states));
	update(world, NOW);
	assert_false(alerts_lack(world->alerts, world->states));
	assert_string_equal(body(world, 0, NOW), "[{\"labels\": " RED_LABELS RED_REST("2026-11-22T14:04:15.000Z") "]");
	uint64_t version = alerts_version(world->alerts);
	assert_string_equal(body(world, version, NOW), "[]");
	update(world, NOW + MINUTE);
	assert_int_equal(alerts_version(world->alerts), version);
	assert_string_equal(body(world, 0, NOW + MINUTE), "[{\"labels\": " RED_LABELS RED_REST("2026-11-22T14:05:15.000Z") "]");

	stand(world, "10.0.0.5", "other", COLOR_GREEN);
	update(world, NOW + MINUTE);
	update(world, NOW + 2 * MINUTE);
	assert_string_equal(body(world, version, NOW + 3 * MINUTE),
	                    "[{\"labels\": " RED_LABELS RED_REST("2026-11-22T14:01:15.000Z") "]");
	/* It begins anew, with the name that the host now has. */
	stand(world, "10.0.0.5", "a \"b\" &", COLOR_RED);
	assert_true(alerts_lack(world->alerts, world->states));
	hostnames_free(&world->names);
	update(world, NOW + 3 * MINUTE);
	assert_non_null(strstr(body(world, 0, NOW + 3 * MINUTE), "\"host\": \"10.0.0.5\", \"process\""));
	assert_non_null(strstr(world->body.data, "\"endsAt\": \"2026-11-22T14:07:15.000Z\""));
}

static void test_alerts_format_an_amber_becomes_a_red(void **state)
{
	struct world *world = *state;
	stand(world, "10.0.0.5", "java", COLOR_ORANGE);
	update(world, NOW);
	assert_non_null(strstr(body(world, 0, NOW), "\"colour\": \"amber\""));
	assert_non_null(strstr(world->body.data, "\"annotations\": {\"summary\": \"java on db1: mem 83.10 %, expected over 80 %\", "
	                       "\"value\": \"83.10\", \"forecast\": \"91.20\", \"probability\": \"0.83\", \"threshold\": \"80\", "
	                       "\"expected_at\": \"2026-11-22T14:01:15Z\"}"));
	uint64_t version = alerts_version(world->alerts);
	stand(world, "10.0.0.5", "java", COLOR_RED);
	update(world, NOW + MINUTE);
	const char *amber = strstr(body(world, version, NOW + MINUTE), "\"colour\": \"amber\"");
	assert_non_null(amber);
	assert_non_null(strstr(amber, "\"endsAt\": \"2026-11-22T14:01:15.000Z\""));
	const char *red = strstr(world->body.data, "\"colour\": \"red\"");
	assert_non_null(red);
	assert_non_null(strstr(red, "\"endsAt\": \"2026-11-22T14:05:15.000Z\""));
}

static void test_alerts_format_a_host_has_neither_process_nor_resource(void **state)
{
	struct world *world = *state;
	stand(world, "10.0.0.6", NULL, COLOR_UNKNOWN);
	update(world, NOW - MINUTE); /* by a clock that is behind the hosts' */
	assert_string_equal(body(world, 0, NOW - MINUTE),
	                    "[{\"labels\": {\"alertname\": \"vigie\", \"colour\": \"unknown\", \"host\": \"10.0.0.6\"}, "
	                    "\"annotations\": {\"summary\": \"10.0.0.6 is silent\"}, \"startsAt\": \"2026-11-22T13:59:15.000Z\", "
	                    "\"endsAt\": \"2026-11-22T14:03:15.000Z\", \"generatorURL\": \"" PAGE "hosts\"}]");
}

static void test_alerts_format_what_is_missing_has_no_resource(void **state)
{
	struct world *world = *state;
	struct text file = TEXT_EMPTY;
	struct series_state series = { .alarm = { .ip = "10.0.0.5", .process = "nginx", .resource = RESOURCE_COUNT,
		                                  .color = COLOR_RED, .since_ms = NOW - 5000 } };
	stand(world, "10.0.0.5", "other", COLOR_GREEN);
	assert_int_equal(states_restore_series(world->states, &series), 0);
	for (int i = 0; i < 2; i++) { /* once more as the file has it */
		update(world, NOW);
		assert_string_equal(body(world, 0, NOW),
		                    "[{\"labels\": {\"alertname\": \"vigie\", \"colour\": \"red\", \"host\": \"10.0.0.5\", "
		                    "\"hostname\": \"db1\", \"process\": \"nginx\"}, "
		                    "\"annotations\": {\"summary\": \"nginx on db1 must run and does not\"}, "
		                    "\"startsAt\": \"2026-11-22T14:00:10.000Z\", \"endsAt\": \"2026-11-22T14:04:15.000Z\", "
		                    "\"generatorURL\": \"" PAGE "get-all-detailed?window=1h&timestamps=1&ip=10.0.0.5&process=nginx\"}]");
		text_reset(&file);
		alerts_save(world->alerts, &file);
		alerts_close(world->alerts);
		world->alerts = alerts_open();
		struct text error = TEXT_EMPTY;
		assert_int_equal(alerts_restore(world->alerts, file.data, file.length, &error), 0);
	}
	text_free(&file);
}

static void test_alerts_update_what_is_silenced_does_not_begin_but_goes_on_and_ends(void **state)
{
	struct world *world = *state;
	world->silenced_ms = NOW + 10 * MINUTE;
	stand(world, "10.0.0.5", "java", COLOR_RED);
	assert_false(alerts_lack(world->alerts, world->states));
	update(world, NOW);
	assert_string_equal(body(world, 0, NOW), "[]");
	/* The silence ends, and begins again. */
	world->silenced_ms = 0;
	stand(world, "10.0.0.5", "java", COLOR_RED);
	assert_true(alerts_lack(world->alerts, world->states));
	update(world, NOW + MINUTE);
	assert_non_null(strstr(body(world, 0, NOW + MINUTE), "\"endsAt\": \"2026-11-22T14:05:15.000Z\""));
	world->silenced_ms = NOW + 10 * MINUTE;
	stand(world, "10.0.0.5", "java", COLOR_RED);
	update(world, NOW + 2 * MINUTE);
	assert_non_null(strstr(body(world, 0, NOW + 2 * MINUTE), "\"endsAt\": \"2026-11-22T14:06:15.000Z\""));
	/* It becomes another, which is not told. */
	stand(world, "10.0.0.5", "java", COLOR_ORANGE);
	update(world, NOW + 3 * MINUTE);
	assert_non_null(strstr(body(world, 0, NOW + 4 * MINUTE), "\"endsAt\": \"2026-11-22T14:03:15.000Z\""));
	assert_null(strstr(body(world, 0, NOW + 4 * MINUTE), "amber"));
	/* Nor is it where it has ended and stands again. */
	stand(world, "10.0.0.5", "java", COLOR_RED);
	update(world, NOW + 5 * MINUTE);
	assert_non_null(strstr(body(world, 0, NOW + 6 * MINUTE), "\"endsAt\": \"2026-11-22T14:03:15.000Z\""));
}

static void test_alerts_update_an_amber_goes_on_while_it_is_a_silenced_red(void **state)
{
	struct world *world = *state;
	stand(world, "10.0.0.5", "java", COLOR_ORANGE);
	update(world, NOW);
	world->silenced_ms = NOW + 10 * MINUTE;
	stand(world, "10.0.0.5", "java", COLOR_RED);
	update(world, NOW + MINUTE);
	assert_non_null(strstr(body(world, 0, NOW + 2 * MINUTE), "\"endsAt\": \"2026-11-22T14:06:15.000Z\""));
	assert_null(strstr(world->body.data, "\"colour\": \"red\""));
	/* The silence ends. */
	world->silenced_ms = 0;
	stand(world, "10.0.0.5", "java", COLOR_RED);
	update(world, NOW + 3 * MINUTE);
	const char *amber = strstr(body(world, 0, NOW + 3 * MINUTE), "\"colour\": \"amber\"");
	assert_true(amber && strstr(amber, "\"endsAt\": \"2026-11-22T14:03:15.000Z\""));
	assert_non_null(strstr(world->body.data, "\"colour\": \"red\""));

	/* Or the alarm does. */
	stand(world, "10.0.0.5", "perl", COLOR_ORANGE);
	update(world, NOW + 4 * MINUTE);
	world->silenced_ms = NOW + 10 * MINUTE;
	stand(world, "10.0.0.5", "perl", COLOR_RED);
	update(world, NOW + 5 * MINUTE);
	stand(world, "10.0.0.5", "other", COLOR_GREEN);
	update(world, NOW + 6 * MINUTE);
	assert_non_null(strstr(body(world, 0, NOW + 6 * MINUTE), "\"endsAt\": \"2026-11-22T14:06:15.000Z\""));
}

static void test_alerts_format_many_are_several_bodies(void **state)
{
	struct world *world = *state;
	struct series_state series = { .alarm = { .ip = "10.0.0.5", .resource = RESOURCE_CPU, .color = COLOR_RED } };
	stand(world, "10.0.0.5", "java", COLOR_RED);
	for (int i = 1; i < ALERTS_BODY_MAX + 3; i++) {
		snprintf(series.alarm.process, sizeof(series.alarm.process), "java%d", i);
		assert_int_equal(states_restore_series(world->states, &series), 0);
	}
	update(world, NOW);
	const char *first = body(world, 0, NOW), *second = first + strlen(first) + 1;
	assert_ptr_equal(second + strlen(second), first + world->body.length);
	size_t counts[2] = { 0 };
	for (int i = 0; i < 2; i++) {
		const char *one = i ? second : first;
		assert_memory_equal(one, "[{\"labels\"", 10);
		assert_string_equal(one + strlen(one) - 2, "}]");
		for (const char *at = one; (at = strstr(at, "{\"labels\"")) != NULL; at++)
			counts[i]++;
	}
	assert_int_equal(counts[0], ALERTS_BODY_MAX);
	assert_int_equal(counts[1], 3);
}

static void test_alerts_update_without_names_nothing_begins(void **state)
{
	struct world *world = *state;
	stand(world, "10.0.0.5", "java", COLOR_RED);
	assert_int_equal(alerts_update(world->alerts, world->states, NULL, NOW), 0);
	assert_int_equal(alerts_version(world->alerts), 0);
	update(world, NOW);
	assert_int_equal(alerts_update(world->alerts, world->states, NULL, NOW), 0);
	assert_int_equal(alerts_version(world->alerts), 1);
	stand(world, "10.0.0.5", "other", COLOR_GREEN);
	assert_int_equal(alerts_update(world->alerts, world->states, NULL, NOW), 0);
	assert_int_equal(alerts_version(world->alerts), 2);
}

static void test_alerts_forget_keeps_an_end_until_it_is_known_everywhere(void **state)
{
	struct world *world = *state;
	stand(world, "10.0.0.5", "java", COLOR_RED);
	update(world, NOW);
	alerts_forget(world->alerts, UINT64_MAX, NOW + INT64_C(10) * ALERTS_KEEP_MAX_MS);
	assert_string_not_equal(body(world, 0, NOW), "[]"); /* it stands */
	stand(world, "10.0.0.5", "other", COLOR_GREEN);
	update(world, NOW);
	uint64_t version = alerts_version(world->alerts);
	alerts_forget(world->alerts, version - 1, NOW + ALERTS_KEEP_MS + 1);
	alerts_forget(world->alerts, version, NOW + ALERTS_KEEP_MS);
	assert_string_not_equal(body(world, 0, NOW), "[]");
	alerts_forget(world->alerts, version, NOW + ALERTS_KEEP_MS + 1);
	assert_string_equal(body(world, 0, NOW), "[]");

	stand(world, "10.0.0.5", "java", COLOR_RED);
	update(world, NOW);
	stand(world, "10.0.0.5", "other", COLOR_GREEN);
	update(world, NOW);
	alerts_forget(world->alerts, 0, NOW + ALERTS_KEEP_MAX_MS + 1);
	assert_string_equal(body(world, 0, NOW), "[]");
}

/* Whoever has not been told of the end under the old name would have it for ever. */
static void test_alerts_update_a_renamed_host_has_the_old_end_told_too(void **state)
{
	struct world *world = *state;
	struct text file = TEXT_EMPTY, error = TEXT_EMPTY;
	const char *renamed = "{\"10.0.0.5\": {\"hostname\": \"db2\"}}";
	stand(world, "10.0.0.5", "java", COLOR_RED);
	update(world, NOW);
	stand(world, "10.0.0.5", "other", COLOR_GREEN);
	update(world, NOW + MINUTE);
	hostnames_free(&world->names);
	assert_int_equal(hostnames_parse(renamed, strlen(renamed), &world->names, &error), 0);
	stand(world, "10.0.0.5", "java", COLOR_RED);
	assert_true(alerts_lack(world->alerts, world->states));
	update(world, NOW + 2 * MINUTE);
	for (int i = 0; i < 2; i++) { /* once more as the file has it */
		const char *old = strstr(body(world, 0, NOW + 2 * MINUTE), "\"hostname\": \"db1\"");
		const char *new = strstr(world->body.data, "\"hostname\": \"db2\"");
		assert_true(old && new && old < new);
		assert_non_null(strstr(old, "\"endsAt\": \"2026-11-22T14:01:15.000Z\""));
		assert_non_null(strstr(new, "\"endsAt\": \"2026-11-22T14:06:15.000Z\""));
		text_reset(&file);
		alerts_save(world->alerts, &file);
		alerts_close(world->alerts);
		world->alerts = alerts_open();
		assert_int_equal(alerts_restore(world->alerts, file.data, file.length, &error), 0);
	}
	/* Under the name that it had it is the same alert again. */
	stand(world, "10.0.0.5", "other", COLOR_GREEN);
	update(world, NOW + 3 * MINUTE);
	stand(world, "10.0.0.5", "java", COLOR_RED);
	update(world, NOW + 4 * MINUTE);
	assert_null(strstr(body(world, 0, NOW + 4 * MINUTE), "\"endsAt\": \"2026-11-22T14:03:15.000Z\""));
	alerts_forget(world->alerts, UINT64_MAX, NOW + HOUR);
	assert_null(strstr(body(world, 0, NOW + HOUR), "db1"));
	assert_non_null(strstr(world->body.data, "db2"));
	text_free(&file);
	text_free(&error);
}

/* An end that were to come would raise it again until then. */
static void test_alerts_format_an_end_is_never_to_come(void **state)
{
	struct world *world = *state;
	stand(world, "10.0.0.5", "java", COLOR_RED);
	update(world, NOW);
	stand(world, "10.0.0.5", "other", COLOR_GREEN);
	update(world, NOW + HOUR);
	/* The clock is set back by an hour. */
	uint64_t version = alerts_version(world->alerts);
	assert_non_null(strstr(body(world, 0, NOW), "\"startsAt\": \"2026-11-22T14:00:10.000Z\", \"endsAt\": \"2026-11-22T14:00:15.000Z\""));
	alerts_forget(world->alerts, version, NOW);
	alerts_forget(world->alerts, version, NOW + ALERTS_KEEP_MS + 1);
	assert_string_equal(body(world, 0, NOW), "[]");
}

static void test_alerts_restore_gives_what_was_saved(void **state)
{
	struct world *world = *state;
	struct text content = TEXT_EMPTY, again = TEXT_EMPTY, error = TEXT_EMPTY;
	stand(world, "10.0.0.6", NULL, COLOR_UNKNOWN);
	update(world, NOW);
	stand(world, "10.0.0.5", "a \"b\" &", COLOR_RED);
	update(world, NOW);
	stand(world, "10.0.0.5", "java", COLOR_ORANGE);
	update(world, NOW + 1);
	alerts_save(world->alerts, &content);
	struct alerts *restored = alerts_open();
	assert_non_null(restored);
	assert_int_equal(alerts_restore(restored, content.data, content.length, &error), 0);
	alerts_save(restored, &again);
	assert_string_equal(again.data, content.data);
	assert_string_not_equal(body(world, 0, NOW), "[]");
	alerts_format(restored, 0, NOW, NOW + 4 * MINUTE, PAGE, &error);
	assert_string_equal(error.data, world->body.data);
	alerts_close(restored);
	text_free(&content);
	text_free(&again);
	text_free(&error);
}

/* A file that lacks a line, or has one that is cut, would not be read again. */
static void test_alerts_save_each_failing_allocation_is_told(void **state)
{
	struct world *world = *state;
	if (!FAILING_MALLOC)
		skip();
	struct text whole = TEXT_EMPTY;
	static char name[WIRE_NAME_MAX];
	memset(name, 'j', sizeof(name) - 1);
	stand(world, "10.0.0.5", name, COLOR_ORANGE);
	update(world, NOW);
	stand(world, "10.0.0.6", NULL, COLOR_UNKNOWN);
	update(world, NOW + 1);
	alerts_save(world->alerts, &whole);
	bool failed = true;
	for (long number = 1; failed; number++) {
		struct text content = TEXT_EMPTY;
		failing_start(number);
		alerts_save(world->alerts, &content);
		failed = failing_stop();
		assert_int_equal(text_failed(&content), failed);
		if (!failed)
			assert_string_equal(content.data, whole.data);
		text_free(&content);
	}
	text_free(&whole);
}

/* It says nothing of the file. */
static void test_alerts_restore_each_failing_allocation_is_no_fault_of_the_file(void **state)
{
	struct world *world = *state;
	if (!FAILING_MALLOC)
		skip();
	struct text content = TEXT_EMPTY;
	stand(world, "10.0.0.6", NULL, COLOR_UNKNOWN);
	update(world, NOW);
	stand(world, "10.0.0.5", "java", COLOR_ORANGE);
	update(world, NOW + 1);
	alerts_save(world->alerts, &content);
	bool failed = true;
	for (long number = 1; failed; number++) {
		struct text error = TEXT_EMPTY, again = TEXT_EMPTY;
		struct alerts *alerts = alerts_open();
		failing_start(number);
		int result = alerts_restore(alerts, content.data, content.length, &error);
		failed = failing_stop();
		assert_int_equal(result, failed ? -ENOMEM : 0);
		assert_null(error.data);
		if (!failed) {
			alerts_save(alerts, &again);
			assert_string_equal(again.data, content.data);
		}
		alerts_close(alerts);
		text_free(&again);
	}
	text_free(&content);
}

static void test_alerts_restore_what_is_no_such_file_is_refused(void **state)
{
	(void)state;
#define HEAD "{\"format\": \"vigie-alertmanager\", \"version\": 1, \"alerts\": ["
#define LINE "UNKNOWN ip=10.0.0.6 process=\\\"*\\\" since=2026-11-22T14:00:10Z"
	static const char *const contents[] = {
		"", "[]", "{}", "{\"format\": \"vigie-alertmanager\", \"version\": 2, \"alerts\": []}",
		"{\"format\": \"vigie-alert\", \"version\": 1, \"alerts\": []}", HEAD "1]}",
		HEAD "{\"ended\": 0, \"hostname\": \"\"}]}", HEAD "{\"ended\": -1, \"hostname\": \"\", \"alarm\": \"" LINE "\"}]}",
		HEAD "{\"ended\": 0, \"alarm\": \"" LINE "\"}]}", HEAD "{\"ended\": 0, \"hostname\": \"\", \"alarm\": \"CLEAR ip=10.0.0.6\"}]}",
		HEAD "{\"ended\": 0, \"hostname\": \"\", \"alarm\": \"" LINE "\"}, {\"ended\": 0, \"hostname\": \"\", \"alarm\": \"" LINE "\"}]}",
	};
	for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
		struct text error = TEXT_EMPTY;
		struct alerts *alerts = alerts_open();
		assert_non_null(alerts);
		if (alerts_restore(alerts, contents[i], strlen(contents[i]), &error) != -EBADMSG || !error.data)
			fail_msg("%s", contents[i]);
		alerts_close(alerts);
		text_free(&error);
	}
}

static void test_hostnames_parse_takes_what_is_right(void **state)
{
	(void)state;
	struct hostnames names;
	struct text error = TEXT_EMPTY;
	const char *hosts = "{\"10.0.0.5\": {\"hostname\": \"db\\n1\"}, \"x\": {\"hostname\": \"y\"}, \"::1\": 3, \"10.0.0.7\": {\"hostname\": 3}, "
	                    "\"10.0.0.8\": {\"hostname\": \"\"}, \"10-0-0-5\": {\"hostname\": \"second\"}}";
	assert_int_equal(hostnames_parse(hosts, strlen(hosts), &names, &error), 0);
	assert_string_equal(hostnames_find(&names, "10.0.0.5"), "db?1");
	for (const char *const *ip = (const char *const[]){ "x", "::1", "10.0.0.7", "10.0.0.8", NULL }; *ip; ip++)
		assert_string_equal(hostnames_find(&names, *ip), "");
	hostnames_free(&names);
	assert_int_equal(hostnames_parse("[]", 2, &names, &error), -EBADMSG);
	assert_non_null(error.data);
	text_free(&error);
}

static void test_hostnames_parse_two_ways_to_write_an_address_the_first_counts(void **state)
{
	(void)state;
	struct hostnames names;
	struct text error = TEXT_EMPTY;
	const char *hosts = "{\"::ffff:10.0.0.5\": {\"hostname\": \"db1\"}, \"10.0.0.5\": {\"hostname\": \"db2\"}}";
	assert_int_equal(hostnames_parse(hosts, strlen(hosts), &names, &error), 0);
	assert_string_equal(hostnames_find(&names, "10.0.0.5"), "db1");
	hostnames_free(&names);
}

/* Of want of memory within cJSON nobody can tell that it is that. */
static void test_hostnames_parse_each_failing_allocation_is_refused_whole(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	const char *hosts = "{\"10.0.0.5\": {\"hostname\": \"db1\"}, \"10.0.0.6\": {\"hostname\": \"db2\"}}";
	bool failed = true, told = false;
	for (long number = 1; failed; number++) {
		struct hostnames names = { 0 };
		struct text error = TEXT_EMPTY;
		long before = failing_unfreed();
		failing_start(number);
		int result = hostnames_parse(hosts, strlen(hosts), &names, &error);
		failed = failing_stop();
		assert_true(failed ? result == -ENOMEM || result == -EBADMSG : result == 0);
		told = told || result == -ENOMEM;
		assert_string_equal(hostnames_find(&names, "10.0.0.6"), failed ? "" : "db2");
		hostnames_free(&names);
		text_free(&error);
		assert_int_equal(failing_unfreed(), before);
	}
	assert_true(told);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_alerts_format_a_red_its_renewal_and_its_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_alerts_format_an_amber_becomes_a_red, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_alerts_format_a_host_has_neither_process_nor_resource, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_alerts_format_what_is_missing_has_no_resource, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_alerts_update_what_is_silenced_does_not_begin_but_goes_on_and_ends, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_alerts_update_an_amber_goes_on_while_it_is_a_silenced_red, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_alerts_format_many_are_several_bodies, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_alerts_update_without_names_nothing_begins, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_alerts_forget_keeps_an_end_until_it_is_known_everywhere, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_alerts_update_a_renamed_host_has_the_old_end_told_too, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_alerts_format_an_end_is_never_to_come, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_alerts_restore_gives_what_was_saved, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_alerts_save_each_failing_allocation_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_alerts_restore_each_failing_allocation_is_no_fault_of_the_file, set_up, tear_down),
		cmocka_unit_test(test_alerts_restore_what_is_no_such_file_is_refused),
		cmocka_unit_test(test_hostnames_parse_takes_what_is_right),
		cmocka_unit_test(test_hostnames_parse_two_ways_to_write_an_address_the_first_counts),
		cmocka_unit_test(test_hostnames_parse_each_failing_allocation_is_refused_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
