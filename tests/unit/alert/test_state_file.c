/* alert/state_file.h */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/support/temporary_folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alert/state_file.h"
#include "common/whole_file.h"

enum { INTERVAL = 10000 };

static char folder[TEMPORARY_FOLDER_SIZE];
static char path[TEMPORARY_FOLDER_SIZE + 32], broken[TEMPORARY_FOLDER_SIZE + 32], temporary[TEMPORARY_FOLDER_SIZE + 32];

static int make_folder(void **state)
{
	(void)state;
	temporary_folder_make(folder);
	snprintf(path, sizeof(path), "%s/alert.state", folder);
	snprintf(broken, sizeof(broken), "%s/alert.state.broken", folder);
	snprintf(temporary, sizeof(temporary), "%s/alert.state.new", folder);
	return 0;
}

/* Fails when anything else was left there. */
static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

static int remove_files(void **state)
{
	(void)state;
	unlink(path);
	unlink(broken);
	return 0;
}

static void assert_file_content(const char *file_path, const char *expected)
{
	char content[4096] = "";
	FILE *file = fopen(file_path, "r");
	assert_non_null(file);
	content[fread(content, 1, sizeof(content) - 1, file)] = '\0';
	fclose(file);
	assert_string_equal(content, expected);
}

static struct states *make_states(void)
{
	static const char *const names[] = { "java", "Web Content", "a\"b\\c\\", "a) R 1 (", ",=\t\x01", "*", "{\"x\": [",
		                             "caf\xc3\xa9", "'%s%n" };
	struct states *states = states_open(INTERVAL);
	struct host_state host = { .alarm = { .ip = "10.0.0.5", .process = "*", .resource = RESOURCE_COUNT },
		                   .last_seen_ms = 1795356000123 };
	assert_int_equal(states_restore_host(states, &host), 0);
	struct host_state silent = { .alarm = { .ip = "2001:db8::1", .process = "*", .resource = RESOURCE_COUNT,
		                                .color = COLOR_UNKNOWN, .since_ms = 1795350000000,
		                                .said_ms = 1795350045001 },
		                     .last_seen_ms = 1795350000000, .absent = 45 };
	assert_int_equal(states_restore_host(states, &silent), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct series_state series = {
			.alarm = { .ip = "10.0.0.5", .resource = i % 2 ? RESOURCE_CPU : RESOURCE_MEM,
			           .color = (enum color)(i % COLOR_UNKNOWN), .value = 83.123456789, .threshold = 80.1,
			           .since_ms = 1795356000001, .said_ms = 1795356005003 + (int64_t)i },
			.sample_ms = 1795356010002,
			.samples = (int64_t)i,
			.over_ms = 1795356000004,
			.forecasts = i % 2 ? 0 : (int64_t)i + 1,
			.likely_ms = 1795356000005,
		};
		if (series.alarm.color == COLOR_ORANGE) {
			series.alarm.forecast = 91.23456;
			series.alarm.probability = 0.83456;
			series.alarm.expected_ms = i > 2 ? 0 : 1795356700006;
		}
		strcpy(series.alarm.process, names[i]);
		assert_int_equal(states_restore_series(states, &series), 0);
	}
	return states;
}

static void assert_alarm_equal(const struct alarm *alarm, const struct alarm *expected)
{
	assert_string_equal(alarm->ip, expected->ip);
	assert_string_equal(alarm->process, expected->process);
	assert_int_equal(alarm->resource, expected->resource);
	assert_int_equal(alarm->color, expected->color);
	assert_true(alarm->value == expected->value);
	assert_true(alarm->threshold == expected->threshold);
	assert_int_equal(alarm->since_ms, expected->since_ms);
	assert_int_equal(alarm->said_ms, expected->said_ms);
	assert_true(alarm->forecast == expected->forecast);
	assert_true(alarm->probability == expected->probability);
	assert_int_equal(alarm->expected_ms, expected->expected_ms);
}

static void assert_states_equal(const struct states *states, const struct states *expected)
{
	const struct host_state *host = states_next_host(states, NULL);
	for (const struct host_state *other = states_next_host(expected, NULL); other;
	     other = states_next_host(expected, other)) {
		assert_non_null(host);
		assert_alarm_equal(&host->alarm, &other->alarm);
		assert_int_equal(host->last_seen_ms, other->last_seen_ms);
		assert_int_equal(host->absent, other->absent);
		host = states_next_host(states, host);
	}
	assert_null(host);
	const struct series_state *series = states_next_series(states, NULL);
	for (const struct series_state *other = states_next_series(expected, NULL); other;
	     other = states_next_series(expected, other)) {
		assert_non_null(series);
		assert_alarm_equal(&series->alarm, &other->alarm);
		assert_int_equal(series->sample_ms, other->sample_ms);
		assert_int_equal(series->samples, other->samples);
		assert_int_equal(series->over_ms, other->over_ms);
		assert_int_equal(series->forecasts, other->forecasts);
		assert_int_equal(series->likely_ms, other->likely_ms);
		series = states_next_series(states, series);
	}
	assert_null(series);
}

static void test_state_file_write_hostile_names_survive(void **state)
{
	(void)state;
	struct states *written = make_states(), *read = NULL;
	struct text error = TEXT_EMPTY;
	assert_int_equal(state_file_write(path, written), 0);
	assert_int_equal(access(temporary, F_OK), -1);
	assert_int_equal(state_file_read(path, INTERVAL, &read, &error), 0);
	assert_states_equal(read, written);
	states_close(written);
	states_close(read);
}

static void test_state_file_write_replaces_the_whole_file(void **state)
{
	(void)state;
	struct states *many = make_states(), *none = states_open(INTERVAL), *read = NULL;
	struct text error = TEXT_EMPTY;
	assert_int_equal(state_file_write(path, many), 0);
	assert_int_equal(state_file_write(path, none), 0);
	assert_int_equal(state_file_read(path, INTERVAL, &read, &error), 0);
	assert_states_equal(read, none);
	states_close(many);
	states_close(none);
	states_close(read);
}

static void test_state_file_read_no_file_starts_empty(void **state)
{
	(void)state;
	struct states *states = NULL;
	struct text error = TEXT_EMPTY;
	assert_int_equal(state_file_read(path, INTERVAL, &states, &error), 0);
	assert_null(states_next_host(states, NULL));
	states_close(states);
}

static void test_state_file_parse_two_ways_to_write_an_address_are_one_host(void **state)
{
	(void)state;
	static const char content[] =
		"{\"format\": \"vigie-alert\", \"version\": 3, \"evaluated\": 2, \"hosts\": ["
		"{\"ip\": \"::ffff:10.0.0.5\", \"color\": \"unknown\", \"last_seen\": 1, \"since\": 1, \"said\": 2},"
		"{\"ip\": \"10.0.0.5\", \"color\": \"green\", \"last_seen\": 1, \"since\": 0, \"said\": 0}], \"series\": []}";
	struct text error = TEXT_EMPTY;
	struct states *states = states_open(INTERVAL);
	assert_int_equal(state_file_parse(content, strlen(content), states, &error), 0);
	const struct host_state *host = states_next_host(states, NULL);
	assert_string_equal(host->alarm.ip, "10.0.0.5");
	assert_int_equal(host->alarm.color, COLOR_UNKNOWN);
	assert_null(states_next_host(states, host));
	states_close(states);
}

#define HEAD "{\"format\": \"vigie-alert\", \"version\": 1, "
#define HOST "{\"ip\": \"10.0.0.5\", \"color\": \"green\", \"last_seen\": 1, \"since\": 0, \"unknown\": 0}"
#define SERIES(process, resource, color, value, samples)                                                   \
	"{\"ip\": \"10.0.0.5\", \"process\": " process ", \"resource\": \"" resource "\", \"color\": \"" color \
	"\", \"value\": " value ", \"threshold\": 80, \"since\": 1, \"sample\": 1, \"samples\": " samples "}"

static void test_state_file_read_broken_file_is_moved_aside(void **state)
{
	(void)state;
	static const struct {
		const char *content, *expected;
	} cases[] = {
		{ "", "it is no JSON object" },
		{ "[]", "it is no JSON object" },
		{ "root:x:0:0\n", "it is no JSON object" },
		{ HEAD "\"hosts\": [" HOST "], \"series\": [", "it is no JSON object" },
		{ "{}", "its format is not \"vigie-alert\"" },
		{ "{\"format\": \"other\", \"version\": 1}", "its format is not \"vigie-alert\"" },
		{ "{\"format\": \"vigie-alert\", \"version\": 4, \"hosts\": [], \"series\": []}",
		  "its version is none from 1 to 3" },
		{ "{\"format\": \"vigie-alert\", \"version\": 0, \"hosts\": [], \"series\": []}",
		  "its version is none from 1 to 3" },
		{ HEAD "\"series\": []}", "it has no list \"hosts\"" },
		{ HEAD "\"hosts\": []}", "it has no list \"series\"" },
		{ HEAD "\"hosts\": [" HOST ", 7], \"series\": []}", "hosts[1] is not right" },
		{ HEAD "\"hosts\": [" HOST ", " HOST "], \"series\": []}", "hosts[1] is not right" },
		{ HEAD "\"hosts\": [{\"ip\": \"here\", \"color\": \"green\", \"last_seen\": 1, \"since\": 0, \"unknown\": 0}], \"series\": []}",
		  "hosts[0] is not right" },
		{ HEAD "\"hosts\": [{\"ip\": \"10.0.0.5\", \"color\": \"red\", \"last_seen\": 1, \"since\": 0, \"unknown\": 0}], \"series\": []}",
		  "hosts[0] is not right" },
		{ HEAD "\"hosts\": [], \"series\": [" SERIES("\"a\"", "mem", "red", "81", "0") "]}",
		  "series[0] is not right" },
		{ HEAD "\"hosts\": [" HOST "], \"series\": [" SERIES("7", "mem", "red", "81", "0") "]}",
		  "series[0] is not right" },
		{ HEAD "\"hosts\": [" HOST "], \"series\": [" SERIES("\"a\"", "disk", "red", "81", "0") "]}",
		  "series[0] is not right" },
		{ HEAD "\"hosts\": [" HOST "], \"series\": [" SERIES("\"a\"", "mem", "unknown", "81", "0") "]}",
		  "series[0] is not right" },
		{ HEAD "\"hosts\": [" HOST "], \"series\": [" SERIES("\"a\"", "mem", "red", "1e999", "0") "]}",
		  "series[0] is not right" },
		{ HEAD "\"hosts\": [" HOST "], \"series\": [" SERIES("\"a\"", "mem", "red", "81", "-1") "]}",
		  "series[0] is not right" },
		{ HEAD "\"hosts\": [" HOST "], \"series\": [" SERIES("\"a\"", "mem", "orange", "81", "0") "]}",
		  "series[0] is not right" },
		{ HEAD "\"hosts\": [" HOST "], \"series\": [" SERIES("\"a\"", "mem", "red", "81", "0, \"said\": \"x\"") "]}",
		  "series[0] is not right" },
		{ HEAD "\"hosts\": [" HOST "], \"series\": [" SERIES("\"a\"", "mem", "red", "81", "0, \"forecasts\": -1") "]}",
		  "series[0] is not right" },
		{ HEAD "\"hosts\": [{\"ip\": \"10.0.0.5\", \"color\": \"green\", \"last_seen\": 1, \"since\": 0, \"absent\": -1}], \"series\": []}",
		  "hosts[0] is not right" },
		{ HEAD "\"hosts\": [], \"series\": [], \"evaluated\": \"x\"}", "its time or its lines are not right" },
		{ HEAD "\"hosts\": [], \"series\": [], \"lost\": -1}", "its time or its lines are not right" },
		{ HEAD "\"hosts\": [], \"series\": [], \"unwritten\": {}}", "its time or its lines are not right" },
		{ HEAD "\"hosts\": [], \"series\": [], \"unwritten\": [\"a\", 7]}", "its time or its lines are not right" },
		{ HEAD "\"hosts\": [], \"series\": [], \"unwritten\": [\"a\\nb\"]}", "its time or its lines are not right" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct states *states = NULL;
		struct text error = TEXT_EMPTY;
		temporary_file_write(path, cases[i].content);
		if (state_file_read(path, INTERVAL, &states, &error) != -EBADMSG)
			fail_msg("case %zu: %s", i, cases[i].content);
		assert_string_equal(error.data, cases[i].expected);
		assert_non_null(states);
		assert_null(states_next_host(states, NULL));
		assert_int_equal(access(path, F_OK), -1);
		assert_file_content(broken, cases[i].content);
		states_close(states);
		text_free(&error);
	}
}

/* That there is no memory now says nothing of the file. */
static void test_state_file_read_each_failing_allocation_leaves_the_file(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	struct states *written = make_states(), *read = NULL;
	bool failed = true;
	assert_int_equal(state_file_write(path, written), 0);
	for (long number = 1; failed; number++) {
		struct text error = TEXT_EMPTY;
		long before = failing_unfreed();
		failing_start(number);
		int result = state_file_read(path, INTERVAL, &read, &error);
		failed = failing_stop();
		if (result && result != -ENOMEM)
			fail_msg("allocation %ld: %d %s", number, result, error.data);
		assert_null(error.data);
		assert_int_equal(access(broken, F_OK), -1);
		if (result)
			assert_int_equal(failing_unfreed(), before);
		else
			assert_states_equal(read, written);
		if (result == 0)
			states_close(read);
	}
	states_close(written);
}

/* One of everything that it may have. */
static struct states *make_full_states(void)
{
	struct states *states = states_open(INTERVAL);
	struct text lines = TEXT_EMPTY;
	const struct host_state host = { .alarm = { .ip = "10.0.0.5", .process = "*", .resource = RESOURCE_COUNT, .color = COLOR_UNKNOWN,
		                         .since_ms = 1000, .said_ms = 2000, .silenced_ms = 3000 }, .last_seen_ms = 4000, .absent = 5 };
	const struct series_state amber = {
		.alarm = { .ip = "10.0.0.5", .process = "java", .resource = RESOURCE_MEM, .color = COLOR_ORANGE, .value = 61, .threshold = 80,
		           .since_ms = 1000, .said_ms = 2000, .silenced_ms = 3000, .forecast = 91, .probability = 0.8, .expected_ms = 4000,
		           .horizon_ms = 5000 },
		.sample_ms = 1000, .samples = 1, .over_ms = 1000, .forecasts = 2, .likely_ms = 3000, .fulls = 4 };
	const struct series_state missing = {
		.alarm = { .ip = "10.0.0.5", .process = "nginx", .resource = RESOURCE_COUNT, .color = COLOR_RED, .since_ms = 1000 },
		.sample_ms = 1000 };
	assert_int_equal(states_restore_host(states, &host), 0);
	assert_int_equal(states_restore_series(states, &amber), 0);
	assert_int_equal(states_restore_series(states, &missing), 0);
	assert_int_equal(states_restore_killed(states, "10.0.0.5", "perl", 1000), 0);
	text_append_string(&lines, "a line\n");
	assert_int_equal(states_set_unwritten(states, &lines, 1), 0);
	states_restore_time(states, 6000);
	text_free(&lines);
	return states;
}

/* Whether a content with `with` in the place of what stands from `at` to `end` is refused, with a sentence. */
static bool is_refused(const struct text *content, const char *at, const char *end, const char *with)
{
	struct text changed = TEXT_EMPTY, error = TEXT_EMPTY;
	struct states *states = states_open(INTERVAL);
	text_printf(&changed, "%.*s%s%s", (int)(at - content->data), content->data, with, end);
	int result = state_file_parse(changed.data, changed.length, states, &error);
	bool refused = result == -EBADMSG && error.length > 0;
	assert_true(refused || (result == 0 && error.length == 0));
	states_close(states);
	text_free(&changed);
	text_free(&error);
	return refused;
}

static bool is_one_of(const char *key, const char *const keys[])
{
	while (*keys && strncmp(key, *keys, strlen(*keys)) != 0)
		keys++;
	return *keys;
}

static void test_state_file_parse_any_member_of_a_wrong_kind_is_refused(void **state)
{
	(void)state;
	static const char *const any_number[] = { "value\"", "threshold\"", "forecast\"", "probability\"", NULL };
	static const char *const any_text[] = { "process\"", NULL };
	char long_text[WIRE_NAME_SIZE + 3] = "\"";
	struct states *states = make_full_states();
	struct text content = TEXT_EMPTY;
	size_t members = 0;
	state_file_format(states, &content);
	memset(long_text + 1, 'x', WIRE_NAME_SIZE);
	long_text[WIRE_NAME_SIZE + 1] = '"';
	for (const char *key = strchr(content.data, '"'); (key = strstr(key, "\": ")) != NULL; key += 3) {
		const char *at = key + 3, *end = at + strcspn(at, *at == '"' ? "}\n" : ",}\n");
		const char *name = key;
		while (name[-1] != '"')
			name--;
		if (*at == '"')
			end = strchr(at + 1, '"') + 1;
		const struct {
			const char *with;
			bool refused;
		} cases[] = {
			{ "{}", true }, { "1e999", true }, { "\"\"", true }, { long_text, true },
			{ *at == '"' ? "\"mauve\"" : "-1e13", *at != '[' && !is_one_of(name, *at == '"' ? any_text : any_number) },
			{ *at == '"' ? "7" : "1e13", *at == '"' || (*at != '[' && !is_one_of(name, any_number)) },
		};
		for (size_t i = 0; *at != '[' && i < sizeof(cases) / sizeof(cases[0]); i++) {
			if (is_refused(&content, at, end, cases[i].with) != cases[i].refused)
				fail_msg("%.*s: %s", (int)(end - name), name, cases[i].with);
		}
		if (*at == '[')
			assert_true(is_refused(&content, at, at + 1, "{}, \"more\": ["));
		members++;
	}
	assert_in_range(members, 50, 60);
	text_free(&content);
	states_close(states);
}

/* Of nothing that is missing there is a forecast. */
static void test_state_file_parse_missing_and_amber_is_refused(void **state)
{
	(void)state;
	struct states *states = make_full_states();
	struct text content = TEXT_EMPTY;
	state_file_format(states, &content);
	const char *color = strstr(strstr(content.data, "\"missing\""), "\"red\"");
	assert_false(is_refused(&content, color, color + 5, "\"green\""));
	assert_true(is_refused(&content, color, color + 5, "\"orange\", \"forecast\": 1, \"probability\": 1, \"expected\": 1"));
	text_free(&content);
	states_close(states);
}

/* The place of the file has what was there, or the whole of what is to be. */
static void test_state_file_write_each_failing_allocation_leaves_the_file(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	struct states *states = make_full_states();
	struct text content = TEXT_EMPTY;
	state_file_format(states, &content);
	bool failed = true;
	for (long number = 1; failed; number++) {
		temporary_file_write(path, "before");
		long before = failing_unfreed();
		failing_start(number);
		int result = state_file_write(path, states);
		failed = failing_stop();
		assert_int_equal(result, failed ? -ENOMEM : 0);
		assert_int_equal(access(temporary, F_OK), -1);
		assert_int_equal(failing_unfreed(), before);
		struct text found = TEXT_EMPTY;
		assert_int_equal(whole_file_read(path, &found), 0);
		/* The last one is for the sync of its folder. */
		if (strcmp(found.data, content.data) != 0 && (!failed || strcmp(found.data, "before") != 0))
			fail_msg("allocation %ld: %s", number, found.data);
		text_free(&found);
	}
	text_free(&content);
	states_close(states);
}

/* It is there, or aside. */
static void test_state_file_read_broken_each_failing_allocation_loses_nothing(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	bool failed = true;
	for (long number = 1; failed; number++) {
		struct states *read = NULL;
		struct text error = TEXT_EMPTY;
		temporary_file_write(path, "{\"format\": \"another\"}");
		unlink(broken);
		long before = failing_unfreed();
		failing_start(number);
		int result = state_file_read(path, INTERVAL, &read, &error);
		failed = failing_stop();
		assert_true(result == -EBADMSG || (failed && result == -ENOMEM)); /* the sentence it can do without */
		assert_file_content(result == -ENOMEM ? path : broken, "{\"format\": \"another\"}");
		assert_int_equal(read != NULL, result == -EBADMSG);
		states_close(read);
		text_free(&error);
		assert_int_equal(failing_unfreed(), before);
	}
}

static void test_state_file_parse_version_1_is_read(void **state)
{
	(void)state;
	static const char content[] = "{\"format\": \"vigie-alert\", \"version\": 1,\n\"hosts\": [\n" HOST "],\n\"series\": [\n"
		SERIES("\"a\"", "mem", "red", "81", "2") ",\n" SERIES("\"b\"", "cpu", "green", "82", "3") "]}\n";
	struct states *states = states_open(INTERVAL);
	struct text error = TEXT_EMPTY;
	assert_int_equal(state_file_parse(content, strlen(content), states, &error), 0);
	const struct series_state *a = states_next_series(states, NULL), *b = states_next_series(states, a);
	assert_int_equal(a->alarm.color, COLOR_RED);
	assert_int_equal(a->samples, 2);
	assert_int_equal(a->alarm.said_ms, 0);
	assert_int_equal(b->samples, 3);
	assert_int_equal(b->over_ms, 1000); /* what was `since` then */
	assert_int_equal(b->forecasts, 0);
	states_close(states);
}

static void test_state_file_parse_lines_and_time_survive(void **state)
{
	(void)state;
	struct states *written = states_open(INTERVAL), *read = states_open(INTERVAL);
	struct text lines = TEXT_EMPTY, content = TEXT_EMPTY, again = TEXT_EMPTY, error = TEXT_EMPTY;
	text_append_string(&lines, "2026-11-22T14:00:15.000Z RED ip=10.0.0.5 process=\"a\\\"b\\\\\"\n\ncaf\xc3\xa9\n");
	assert_int_equal(states_set_unwritten(written, &lines, 7), 0);
	states_restore_time(written, 1795356000123);
	state_file_format(written, &content);
	assert_int_equal(state_file_parse(content.data, content.length, read, &error), 0);
	assert_string_equal(states_unwritten(read)->lines.data, lines.data);
	assert_int_equal(states_unwritten(read)->lost, 7);
	assert_int_equal(states_time(read), 1795356000123);
	state_file_format(read, &again);
	assert_string_equal(again.data, content.data);
	/* Either of them alone, too. */
	for (int lost = 0; lost < 2; lost++) {
		text_reset(&again);
		if (lost)
			text_reset(&lines);
		assert_int_equal(states_set_unwritten(written, &lines, lost ? 7 : 0), 0);
		state_file_format(written, &again);
		states_close(read);
		read = states_open(INTERVAL);
		assert_int_equal(state_file_parse(again.data, again.length, read, &error), 0);
		assert_int_equal(states_unwritten(read)->lines.length, lines.length);
		assert_int_equal(states_unwritten(read)->lost, lost ? 7 : 0);
	}
	text_free(&lines);
	text_free(&content);
	text_free(&again);
	states_close(written);
	states_close(read);
}

static void test_state_file_parse_every_truncation_is_refused(void **state)
{
	(void)state;
	struct states *written = make_states();
	struct text content = TEXT_EMPTY;
	state_file_format(written, &content);
	for (size_t length = 0; length < content.length - 2; length++) {
		struct states *states = states_open(INTERVAL);
		struct text error = TEXT_EMPTY;
		assert_int_equal(state_file_parse(content.data, length, states, &error), -EBADMSG);
		text_free(&error);
		states_close(states);
	}
	text_free(&content);
	states_close(written);
}

static void test_state_file_write_unwritable_place_says_why(void **state)
{
	(void)state;
	struct states *states = make_states();
	assert_int_equal(state_file_write("/nonexistent/alert.state", states), -ENOENT);

	/* A folder in its place: the rename fails, nothing is left beside it. */
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(state_file_write(path, states), -EISDIR);
	assert_int_equal(access(temporary, F_OK), -1);
	struct states *read = NULL;
	struct text error = TEXT_EMPTY;
	assert_int_equal(state_file_read(path, INTERVAL, &read, &error), -EISDIR);
	assert_null(read);
	assert_int_equal(rmdir(path), 0);
	states_close(states);
}

static void test_state_file_format_what_has_ended_is_left_out(void **state)
{
	(void)state;
	struct states *states = states_open(INTERVAL);
	struct host_state host = { .alarm = { .ip = "10.0.0.5", .process = "*", .resource = RESOURCE_COUNT },
		                   .forgotten = true, .ended = true };
	struct series_state series = { .alarm = { .ip = "10.0.0.5", .process = "java" }, .ended = true };
	assert_int_equal(states_restore_host(states, &host), 0);
	assert_int_equal(states_restore_series(states, &series), 0);
	struct text content = TEXT_EMPTY;
	state_file_format(states, &content);
	assert_string_equal(content.data, "{\"format\": \"vigie-alert\", \"version\": 3, \"evaluated\": 0,\n\"hosts\": [],\n\"series\": []}\n");
	text_free(&content);
	states_close(states);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_state_file_write_hostile_names_survive, remove_files),
		cmocka_unit_test_teardown(test_state_file_write_replaces_the_whole_file, remove_files),
		cmocka_unit_test(test_state_file_read_no_file_starts_empty),
		cmocka_unit_test_teardown(test_state_file_parse_two_ways_to_write_an_address_are_one_host, remove_files),
		cmocka_unit_test_teardown(test_state_file_read_broken_file_is_moved_aside, remove_files),
		cmocka_unit_test_teardown(test_state_file_read_each_failing_allocation_leaves_the_file, remove_files),
		cmocka_unit_test(test_state_file_parse_any_member_of_a_wrong_kind_is_refused),
		cmocka_unit_test(test_state_file_parse_missing_and_amber_is_refused),
		cmocka_unit_test_teardown(test_state_file_write_each_failing_allocation_leaves_the_file, remove_files),
		cmocka_unit_test_teardown(test_state_file_read_broken_each_failing_allocation_loses_nothing, remove_files),
		cmocka_unit_test(test_state_file_parse_version_1_is_read),
		cmocka_unit_test(test_state_file_parse_lines_and_time_survive),
		cmocka_unit_test(test_state_file_parse_every_truncation_is_refused),
		cmocka_unit_test(test_state_file_write_unwritable_place_says_why),
		cmocka_unit_test(test_state_file_format_what_has_ended_is_left_out),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
