/* fcgi/body.h, fcgi/json_reader.h and fcgi/arena.h */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/fcgi/helpers.h"

#include <math.h>

#include "fcgi/body.h"
#include "fcgi/json_reader.h"

#define NOW 1795356000000

static const struct body_times times = { .now_ms = NOW, .oldest_ms = NOW - 172800000, .newest_ms = NOW + 60000 };

typedef int parser(char *json, size_t length, const struct body_times *times, struct body *ret_body,
                   struct body_error *ret_error);

/* On a copy of its own on the heap, so that ASan sees a read behind its NUL. */
static int parse_bytes(parser *parse, const char *json, size_t length, struct body *body, char **ret_copy,
                       struct body_error *error)
{
	char *copy = malloc(length + 1);
	assert_non_null(copy);
	memcpy(copy, json, length);
	copy[length] = '\0';
	*error = (struct body_error){ 0 };
	*ret_copy = copy;
	return parse(copy, length, &times, body, error);
}

/* The body must be refused with this status and field. */
static void refuse_bytes(parser *parse, const char *json, size_t length, int status, const char *field)
{
	struct body body;
	struct body_error error;
	char *copy;
	if (parse_bytes(parse, json, length, &body, &copy, &error) != -EINVAL)
		fail_msg("taken: %.200s", json);
	if (error.status != status || strcmp(error.field, field) != 0 || !error.sentence[0])
		fail_msg("%d '%s' (%s): %.200s", error.status, error.field, error.sentence, json);
	free(copy);
}

static void refuse(parser *parse, const char *json, int status, const char *field)
{
	refuse_bytes(parse, json, strlen(json), status, field);
}

/* A save-all body of three good items and `item`. */
static const char *with_item(const char *item)
{
	static char json[8192];
	snprintf(json, sizeof(json),
	         "{\"ipaddress\": \"10.0.0.5\", \"data\": ["
	         "{\"timestamp\": 1795356000, \"value\": 1, \"process_name\": \"a\", \"type_data\": \"cpu\"},"
	         "{\"timestamp\": 1795356000, \"value\": 1, \"process_name\": \"b\", \"type_data\": \"mem\"},"
	         "{\"timestamp\": 1795356000, \"value\": 1, \"process_name\": \"c\", \"type_data\": \"cpu\"},%s]}",
	         item);
	return json;
}

/* An item with these members' JSON. */
static const char *item(const char *timestamp, const char *value, const char *name, const char *type)
{
	static char json[4096];
	snprintf(json, sizeof(json), "{\"timestamp\": %s, \"value\": %s, \"process_name\": %s, \"type_data\": %s}", timestamp,
	         value, name, type);
	return json;
}

/* The one sample that stands behind the three. It is good until body_free(). */
static struct sample take_item(const char *json, struct body *body, char **ret_copy)
{
	struct body_error error;
	const char *whole = with_item(json);
	if (parse_bytes(body_parse_samples, whole, strlen(whole), body, ret_copy, &error))
		fail_msg("refused (%s %s): %s", error.field, error.sentence, json);
	assert_int_equal(body->batch.count, 4);
	return body->batch.samples[3];
}

/* Further resources are of samples alone: nothing is said of them. */
static void test_body_parse_further_resources_are_samples_alone(void **state)
{
	(void)state;
	struct body body;
	char *copy;
	struct sample sample = take_item(item("1795356000.1234", "4096", "\"bash\"", "\"write_bytes_per_second\""), &body, &copy);
	assert_int_equal(sample.metric, sample_usage(RESOURCE_WRITE));
	assert_int_equal(sample.half, HALF_SECOND);
	assert_string_equal(sample_measurement(sample.metric, sample.half), "write_bytes_per_second");
	body_free(&body);
	free(copy);
	refuse(body_parse_alarms, "{\"data\": [{\"timestamp\": 1795356000, \"ipaddress\": \"::1\", \"process_name\": \"a\", "
	       "\"type_data\": \"write_bytes_per_second\", \"color\": \"red\"}]}", 400, "data[0].type_data");
}

static void test_body_parse_samples_good_body_is_taken(void **state)
{
	(void)state;
	struct body body;
	char *copy;
	struct sample sample = take_item(item("1795356000.1234", "12.5", "\"bash\"", "\"cpu\""), &body, &copy);
	assert_int_equal(sample.time_ms, NOW + 123);
	assert_true(sample.value == 12.5);
	assert_string_equal(sample.process, "bash");
	assert_string_equal(sample.ip, "10.0.0.5");
	assert_int_equal(sample.half, HALF_SECOND);
	assert_int_equal(sample.metric, METRIC_USAGE);
	assert_int_equal(body.batch.samples[1].half, HALF_FIRST);
	assert_string_equal(body.batch.samples[0].process, "a");
	assert_false(body.has_report);
	assert_string_equal(body.ip, "10.0.0.5");
	body_free(&body);
	body_free(&body);
	free(copy);
}

/* One of many that wait holds its samples and their strings, and no more. */
static void test_body_trim_samples_stay_and_little_else(void **state)
{
	(void)state;
	static const char *const bodies[] = {
		"{\"ipaddress\": \"10.0.0.5\", \"timestamp\": 1795356000, \"processes\": {\"a\": [1, 2], \"b b\": [3, 4]}}",
		"{\"ipaddress\": \"10.0.0.5\", \"data\": ["
		"{\"timestamp\": 1795356000, \"value\": 1, \"process_name\": \"a\", \"type_data\": \"cpu\"},"
		"{\"timestamp\": 1795356000, \"value\": 2, \"process_name\": \"b\", \"type_data\": \"mem\"}]}",
		"{\"ipaddress\": \"10.0.0.5\", \"data\": []}",
	};
	for (size_t i = 0; i < COUNT_OF(bodies); i++) {
		struct body bodies_of[2];
		struct body_error error;
		char *copies[2];
		for (int j = 0; j < 2; j++)
			assert_int_equal(parse_bytes(body_parse_samples, bodies[i], strlen(bodies[i]), &bodies_of[j], &copies[j], &error), 0);
		struct batch *whole = &bodies_of[0].batch, *trimmed = &bodies_of[1].batch;
		body_trim(&bodies_of[1]);
		body_trim(&bodies_of[1]);
		free(copies[1]);
		assert_int_equal(trimmed->count, whole->count);
		assert_true(trimmed->bytes < 1000 && whole->bytes > 10 * trimmed->bytes);
		for (size_t j = 0; j < whole->count; j++) {
			assert_string_equal(trimmed->samples[j].ip, whole->samples[j].ip);
			assert_string_equal(trimmed->samples[j].process, whole->samples[j].process);
			assert_true(trimmed->samples[j].value == whole->samples[j].value);
			assert_int_equal(trimmed->samples[j].time_ms, whole->samples[j].time_ms);
		}
		for (int j = 0; j < 2; j++)
			body_free(&bodies_of[j]);
		free(copies[0]);
	}
}

static void test_body_parse_samples_what_is_no_json_is_refused(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"", " ", "{", "}", "[]", "null", "1", "\"x\"", "{\"ipaddress\"", "{} {}", "{}x", "{'a': 1}", "{\"a\": NaN}",
		"{\"a\": Infinity}", "{\"a\": -}", "{\"a\": 1,}", "{\"a\": \"\\x\"}", "{\"a\": \"\\ud800\"}",
		"{\"a\": \"\\udc00\\ud800\"}", "{\"a\": \"\\ud800\\u0041\"}", "{\"a\": \"\\u12\"}", "{\"a\": \"", "{\"a\": tru}",
		"{\"a\": \"\xff\"}", "{\"a\": \"\xc0\x80\"}", "{\"a\": \"\xed\xa0\x80\"}", "\xef\xbb\xbf[]", "{\"a\": \"\xe2\x82\"}",
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		refuse(body_parse_samples, cases[i], 400, "");
		refuse(body_parse_alarms, cases[i], 400, "");
	}
	refuse(body_parse_samples, "{}", 400, "ipaddress");
	refuse(body_parse_alarms, "{}", 400, "data");
}

/* Every beginning of a good body, but the whole. */
static void test_body_parse_samples_every_truncation_is_refused(void **state)
{
	(void)state;
	const char *json = with_item(item("1795356000", "0.5", "\"\\u00e9\xe2\x82\xac\"", "\"mem\""));
	for (size_t length = 0; length < strlen(json); length++)
		refuse_bytes(body_parse_samples, json, length, 400, "");
}

static void test_body_parse_samples_nested_deeply_is_refused(void **state)
{
	(void)state;
	enum { DEPTH = 100000 };
	char *json = malloc(DEPTH * 6);
	assert_non_null(json);
	memset(json, '[', DEPTH);
	refuse_bytes(body_parse_samples, json, DEPTH, 400, "");
	memset(json + DEPTH, ']', DEPTH);
	refuse_bytes(body_parse_samples, json, 2 * DEPTH, 400, "");
	for (size_t i = 0; i < DEPTH; i++)
		memcpy(json + i * 5, "{\"a\":", 5);
	refuse_bytes(body_parse_samples, json, DEPTH * 5, 400, "");
	free(json);
}

static void test_body_parse_samples_nul_byte_is_refused(void **state)
{
	(void)state;
	char json[8192];
	const char *good = with_item(item("1795356000", "0.5", "\"a@b\"", "\"mem\""));
	size_t length = strlen(good);
	memcpy(json, good, length);
	json[strchr(good, '@') - good] = '\0';
	refuse_bytes(body_parse_samples, json, length, 400, "");
	memcpy(json, good, length);
	json[length] = '\0';
	refuse_bytes(body_parse_samples, json, length + 1, 400, "");
}

static void test_body_parse_samples_names_come_out_clean(void **state)
{
	(void)state;
	static const struct {
		const char *json, *name;
	} cases[] = {
		{ "\"\"", "?" },
		{ "\"a\\u0000b\"", "a?b" },
		{ "\"\\u0000\"", "?" },
		{ "\"a\\\\u0000b\"", "a\\u0000b" },     /* a backslash and five characters */
		{ "\"a\\\\\\u0000b\"", "a\\?b" },      /* a backslash and a NUL */
		{ "\"\\u0000\\u0000\\\\u0000\"", "??\\u0000" },
		{ "\"a\\nb\\tc\\u001f\\u007f\\u0085\"", "a?b?c???" },
		{ "\"a\\\"b\\\\\"", "a\"b\\" },
		{ "\"a) R 1 (\"", "a) R 1 (" },
		{ "\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80" },
		{ "\"\\u00e9\xe2\x82\xac\"", "\xc3\xa9\xe2\x82\xac" },
		{ "\"\\/,= \"", "/,= " },
		{ "\"*\"", "*" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct body body;
		char *copy;
		struct sample sample = take_item(item("1795356000", "0.5", cases[i].json, "\"mem\""), &body, &copy);
		assert_string_equal(sample.process, cases[i].name);
		body_free(&body);
		free(copy);
	}
}

static void test_body_parse_samples_names_up_to_255_bytes_are_taken(void **state)
{
	(void)state;
	char name[512];
	struct body body;
	char *copy;
	memset(name, 'x', sizeof(name));
	name[0] = '"';
	memcpy(name + 256, "\"", 2);
	assert_int_equal(strlen(take_item(item("1795356000", "1", name, "\"mem\""), &body, &copy).process), 255);
	body_free(&body);
	free(copy);
	memcpy(name + 256, "x\"", 3);
	refuse(body_parse_samples, with_item(item("1795356000", "1", name, "\"mem\"")), 400, "data[3].process_name");
}

static void test_body_parse_samples_values_are_kept_exactly(void **state)
{
	(void)state;
	static const struct {
		const char *json;
		double value;
	} cases[] = {
		{ "0", 0 }, { "-0", 0 }, { "-0.0", 0 }, { "0.001", 0.001 }, { "12.345", 12.345 },
		{ "0.33333333333333331", 1.0 / 3 }, { "1e12", 1e12 }, { "5e-324", 5e-324 }, { "1e-400", 0 }, { "80.0", 80 },
		{ "1E2", 100 }, { "6400", 6400 },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct body body;
		char *copy;
		struct sample sample = take_item(item("1795356000", cases[i].json, "\"a\"", "\"mem\""), &body, &copy);
		assert_memory_equal(&sample.value, &cases[i].value, sizeof(double));
		body_free(&body);
		free(copy);
	}
}

static void test_body_parse_samples_bad_items_are_named(void **state)
{
	(void)state;
	static const struct {
		const char *json, *field;
	} cases[] = {
		{ "1", "data[3]" },
		{ "null", "data[3]" },
		{ "[]", "data[3]" },
		{ "\"x\"", "data[3]" },
		{ "{}", "data[3].timestamp" },
		{ "{\"timestamp\": 1795356000}", "data[3].value" },
		{ "{\"timestamp\": 1795356000, \"value\": 1}", "data[3].process_name" },
		{ "{\"timestamp\": 1795356000, \"value\": 1, \"process_name\": \"a\"}", "data[3].type_data" },
		{ "{\"value\": 1, \"process_name\": \"a\", \"type_data\": \"cpu\"}", "data[3].timestamp" },
		{ "{\"Timestamp\": 1795356000, \"value\": 1, \"process_name\": \"a\", \"type_data\": \"cpu\"}", "data[3].timestamp" },
	};
	static const struct {
		const char *timestamp, *value, *name, *type, *field;
	} members[] = {
		{ "1795356000", "-1", "\"a\"", "\"cpu\"", "data[3].value" },
		{ "1795356000", "-5e-324", "\"a\"", "\"cpu\"", "data[3].value" },
		{ "1795356000", "1e999", "\"a\"", "\"cpu\"", "data[3].value" },
		{ "1795356000", "-1e999", "\"a\"", "\"cpu\"", "data[3].value" },
		{ "1795356000", "1000000000000.1", "\"a\"", "\"cpu\"", "data[3].value" },
		{ "1795356000", "\"1\"", "\"a\"", "\"cpu\"", "data[3].value" },
		{ "1795356000", "null", "\"a\"", "\"cpu\"", "data[3].value" },
		{ "1795356000", "true", "\"a\"", "\"cpu\"", "data[3].value" },
		{ "1795356000", "[]", "\"a\"", "\"cpu\"", "data[3].value" },
		{ "\"1795356000\"", "1", "\"a\"", "\"cpu\"", "data[3].timestamp" },
		{ "null", "1", "\"a\"", "\"cpu\"", "data[3].timestamp" },
		{ "0", "1", "\"a\"", "\"cpu\"", "data[3].timestamp" },
		{ "-1", "1", "\"a\"", "\"cpu\"", "data[3].timestamp" },
		{ "1e999", "1", "\"a\"", "\"cpu\"", "data[3].timestamp" },
		{ "1e300", "1", "\"a\"", "\"cpu\"", "data[3].timestamp" },
		{ "1795356000", "1", "1", "\"cpu\"", "data[3].process_name" },
		{ "1795356000", "1", "null", "\"cpu\"", "data[3].process_name" },
		{ "1795356000", "1", "[\"a\"]", "\"cpu\"", "data[3].process_name" },
		{ "1795356000", "1", "\"a\"", "\"disk\"", "data[3].type_data" },
		{ "1795356000", "1", "\"a\"", "\"\"", "data[3].type_data" },
		{ "1795356000", "1", "\"a\"", "\"CPU\"", "data[3].type_data" },
		{ "1795356000", "1", "\"a\"", "1", "data[3].type_data" },
		{ "1795356000", "1", "\"a\"", "null", "data[3].type_data" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		refuse(body_parse_samples, with_item(cases[i].json), 400, cases[i].field);
	for (size_t i = 0; i < COUNT_OF(members); i++)
		refuse(body_parse_samples,
		       with_item(item(members[i].timestamp, members[i].value, members[i].name, members[i].type)), 400,
		       members[i].field);
	/* Not a number in JSON at all. */
	refuse(body_parse_samples, with_item(item("1795356000", "NaN", "\"a\"", "\"cpu\"")), 400, "");
	refuse(body_parse_samples, with_item(item("1795356000", "Infinity", "\"a\"", "\"cpu\"")), 400, "");
	refuse(body_parse_samples, with_item(item("1795356000", ".5", "\"a\"", "\"cpu\"")), 400, "");
}

static void test_body_parse_samples_what_is_around_the_items_is_checked(void **state)
{
	(void)state;
	static const struct {
		const char *json, *field;
	} cases[] = {
		{ "{\"data\": []}", "ipaddress" },
		{ "{\"ipaddress\": \"\", \"data\": []}", "ipaddress" },
		{ "{\"ipaddress\": 1, \"data\": []}", "ipaddress" },
		{ "{\"ipaddress\": \"10.0.0.256\", \"data\": []}", "ipaddress" },
		{ "{\"ipaddress\": \"10.0.0.5 \", \"data\": []}", "ipaddress" },
		{ "{\"ipaddress\": \"10.0.0.5\"}", "data" },
		{ "{\"ipaddress\": \"10.0.0.5\", \"data\": {}}", "data" },
		{ "{\"ipaddress\": \"10.0.0.5\", \"data\": null}", "data" },
		{ "{\"ipaddress\": \"10.0.0.5\", \"data\": [], \"collector\": 1}", "collector" },
		{ "{\"ipaddress\": \"10.0.0.5\", \"data\": [], \"collector\": null}", "collector" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		refuse(body_parse_samples, cases[i].json, 400, cases[i].field);
}

static void test_body_parse_samples_empty_data_brings_a_report(void **state)
{
	(void)state;
	struct body body;
	struct body_error error;
	char *copy;
	const char *json = "{\"ipaddress\": \"2001-DB8--1\", \"data\": [], \"collector\": {\"hostname\": \"h\\u0000\xe2\x82\xac\", "
			   "\"version\": \"1.2\", \"state\": \"stopped, and much longer than it may be\", "
			   "\"clock_offset_s\": -2.5, \"partial\": true, \"interval_s\": 60, \"more\": [1, {}], \"counters\": {\"sent\": 5e9, "
			   "\"lost_exits\": 4, \"missed_ticks\": 1, \"replayed\": 0, \"dropped\": -0, \"rejected\": 3.5, \"spooled\": 2, \"x\": []}}}";
	assert_int_equal(parse_bytes(body_parse_samples, json, strlen(json), &body, &copy, &error), 0);
	assert_int_equal(body.batch.count, 0);
	assert_string_equal(body.ip, "2001:db8::1");
	assert_true(body.has_report && body.report.clock_offset_known && body.report.clock_offset_s == -2.5);
	assert_string_equal(body.report.hostname, "h?\xe2\x82\xac");
	assert_string_equal(body.report.version, "1.2");
	assert_string_equal(body.report.state, "stopped, and mu");
	assert_int_equal(body.report.partial, 1);
	assert_true(body.report.interval_s == 60);
	static const double counters[COLLECTOR_COUNTERS] = { 5e9, 2, 0, 0, 3.5, 1, 4 };
	assert_memory_equal(body.report.counters, counters, sizeof(counters));
	body_free(&body);
	free(copy);

	json = "{\"ipaddress\": \"::1\", \"data\": [], \"collector\": {\"hostname\": 1, \"clock_offset_s\": 1e999, \"partial\": 1, \"interval_s\": 3601, "
	       "\"state\": \"fourteen bytes\xe2\x82\xac\", \"counters\": {\"sent\": -1, \"spooled\": \"1\", \"replayed\": null, "
	       "\"dropped\": 1e999, \"rejected\": 7, \"Missed_ticks\": 1}}}";
	assert_int_equal(parse_bytes(body_parse_samples, json, strlen(json), &body, &copy, &error), 0);
	assert_string_equal(body.report.hostname, "");
	assert_string_equal(body.report.state, "fourteen bytes");
	assert_false(body.report.clock_offset_known);
	assert_int_equal(body.report.partial, -1);
	assert_true(body.report.interval_s == 0);
	for (int i = 0; i < COLLECTOR_COUNTERS; i++)
		assert_true(body.report.counters[i] == (i == COLLECTOR_REJECTED ? 7 : -1));
	body_free(&body);
	free(copy);

	/* Counters that are no object say nothing, and no report is none. */
	static const char *const others[] = { "1", "null", "[1, 2]", "\"sent\"", "{}", "true" };
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		char text[128];
		snprintf(text, sizeof(text), "{\"ipaddress\": \"::1\", \"data\": [], \"collector\": {\"counters\": %s}}", others[i]);
		assert_int_equal(parse_bytes(body_parse_samples, text, strlen(text), &body, &copy, &error), 0);
		assert_true(body.has_report && body.report.counters[COLLECTOR_SENT] == -1);
		body_free(&body);
		free(copy);
	}
}

#define SAMPLE "\"timestamp\": 1795356000, \"value\": 1, \"process_name\": \"a\", \"type_data\": \"cpu\""

static void test_body_parse_samples_duplicate_keys_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *json, *field;
	} cases[] = {
		{ "{\"ipaddress\": \"::1\", \"data\": [], \"ipaddress\": \"::2\"}", "ipaddress" },
		{ "{\"ipaddress\": \"::1\", \"data\": [], \"data\": []}", "data" },
		{ "{\"ipaddress\": \"::1\", \"data\": [], \"collector\": {}, \"collector\": {}}", "collector" },
		{ "{\"x\": 1, \"ipaddress\": \"::1\", \"\\u0078\": {}, \"data\": []}", "x" },
		{ "{\"ipaddress\": \"::1\", \"data\": [{" SAMPLE "}, {" SAMPLE ", \"value\": 1}]}", "data[1].value" },
		{ "{\"ipaddress\": \"::1\", \"data\": [{\"value\": \"x\", " SAMPLE "}]}", "data[0].value" },
		{ "{\"ipaddress\": \"::1\", \"data\": [{" SAMPLE ", \"color\": 1, \"color\": 1}]}", "data[0].color" },
		{ "{\"ipaddress\": \"::1\", \"data\": [{\"x\": 1, \"y\": 2, \"x\": 1, " SAMPLE "}]}", "data[0].x" },
		{ "{\"ipaddress\": \"::1\", \"data\": [], \"collector\": {\"state\": 1, \"x\": 2, \"state\": 1}}", "collector.state" },
		{ "{\"ipaddress\": \"::1\", \"data\": [], \"collector\": {\"counters\": {\"sent\": 1, \"sent\": 2}}}",
		  "collector.counters.sent" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		refuse(body_parse_samples, cases[i].json, 400, cases[i].field);
	refuse(body_parse_alarms, "{\"data\": [], \"data\": []}", 400, "data");
	refuse(body_parse_alarms, "{\"data\": [{\"color\": 1, \"color\": 1}]}", 400, "data[0].color");
	refuse(body_parse_forecasts, "{\"ipaddress\": 1, \"data\": [], \"ipaddress\": 1}", 400, "ipaddress");

	/* A long one is told up to a whole character. */
	struct text json = TEXT_EMPTY;
	for (int i = 0; i < 2; i++) {
		text_append_string(&json, i ? ", \"" : "{\"");
		for (int j = 0; j < 100; j++)
			text_append_string(&json, "\xe2\x82\xac");
		text_append_string(&json, "\": 1");
	}
	text_append_char(&json, '}');
	struct body body;
	struct body_error error;
	char *copy;
	assert_int_equal(parse_bytes(body_parse_samples, json.data, json.length, &body, &copy, &error), -EINVAL);
	assert_int_equal(strlen(error.field), 63);
	assert_int_equal(wire_utf8_check(error.field, strlen(error.field)), strlen(error.field));
	free(copy);
	text_free(&json);
}

static void test_body_parse_samples_keys_that_are_not_known_are_passed_over(void **state)
{
	(void)state;
	struct body body;
	struct body_error error;
	char *copy;
	const char *json = "\xef\xbb\xbf{\"a\": [{\"b\": 1, \"b\": 2}], \"ipaddress\": \"::1\", \"c\": null, \"data\": [{\"x\": {\"timestamp\": 1}, "
	                   SAMPLE ", \"y\": []}], \"d\": \"\\u00e9\", \"\": -1e5}\n \t";
	assert_int_equal(parse_bytes(body_parse_samples, json, strlen(json), &body, &copy, &error), 0);
	assert_int_equal(body.batch.count, 1);
	body_free(&body);
	free(copy);

	/* They are JSON all the same. */
	static const char *const bad[] = { "tru", "[1,]", "{\"a\"}", "{a: 1}", "\"\\x\"", "1 2", "\xef\xbb\xbf" "1", "" };
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		char text[128];
		snprintf(text, sizeof(text), "{\"ipaddress\": \"::1\", \"data\": [], \"x\": %s}", bad[i]);
		refuse(body_parse_samples, text, 400, "");
		snprintf(text, sizeof(text), "{\"ipaddress\": \"::1\", \"data\": [%s, {}]}", bad[i]);
		refuse(body_parse_samples, text, 400, strcmp(bad[i], "1 2") == 0 ? "data[0]" : "");
	}

	/* Up to 64 in one object. */
	for (int count = 64; count <= 65; count++) {
		struct text text = TEXT_EMPTY;
		text_append_string(&text, "{\"ipaddress\": \"::1\", \"data\": [{" SAMPLE);
		for (int i = 0; i < count; i++)
			text_printf(&text, ", \"x%d\": 0", i);
		text_append_string(&text, "}]}");
		if (count == 65) {
			refuse(body_parse_samples, text.data, 400, "data[0].x64");
		} else {
			assert_int_equal(parse_bytes(body_parse_samples, text.data, text.length, &body, &copy, &error), 0);
			body_free(&body);
			free(copy);
		}
		text_free(&text);
	}
}

static void test_body_parse_samples_data_may_come_first(void **state)
{
	(void)state;
	struct body body;
	struct body_error error;
	char *copy;
	const char *json = "{\"data\": [{" SAMPLE "}, {" SAMPLE "}], \"collector\": {}, \"ipaddress\": \"10-0-0-9\"}";
	assert_int_equal(parse_bytes(body_parse_samples, json, strlen(json), &body, &copy, &error), 0);
	assert_int_equal(body.batch.count, 2);
	assert_string_equal(body.batch.samples[1].ip, "10.0.0.9");
	/* What is the same is there once. */
	assert_ptr_equal(body.batch.samples[0].process, body.batch.samples[1].process);
	body_free(&body);
	free(copy);
	refuse(body_parse_samples, "{\"data\": [{" SAMPLE "}], \"ipaddress\": 1}", 400, "ipaddress");
	refuse(body_parse_samples, "{\"data\": [{" SAMPLE "}]}", 400, "ipaddress");
}

#define KILLS(processes) "\"oom_kills\": {\"timestamp\": 1795355990, \"processes\": {" processes "}}"

/* Wherever they stand, they are behind the samples, and of their own time. */
static void test_body_parse_samples_kills_are_taken_beside_either_form(void **state)
{
	(void)state;
	static const char *const bodies[] = {
		"{" KILLS("\"b\": 1, \"\\u0001\": 2") ", \"ipaddress\": \"10.0.0.9\", \"timestamp\": 1795356000, \"processes\": {\"a\": [1, null], \"b\": [2, null]}}",
		"{\"timestamp\": 1795356000, \"processes\": {\"a\": [1, null], \"b\": [2, null]}, " KILLS("\"b\": 1, \"\\u0001\": 2") ", \"ipaddress\": \"10.0.0.9\"}",
		"{\"data\": [{" SAMPLE "}, {" SAMPLE "}], " KILLS("\"b\": 1, \"\\u0001\": 2") ", \"ipaddress\": \"10.0.0.9\"}",
	};
	for (size_t i = 0; i < COUNT_OF(bodies); i++) {
		struct body body;
		struct body_error error;
		char *copy;
		if (parse_bytes(body_parse_samples, bodies[i], strlen(bodies[i]), &body, &copy, &error))
			fail_msg("%s %s: %s", error.field, error.sentence, bodies[i]);
		assert_int_equal(body.batch.count, 4);
		const struct sample *kills = &body.batch.samples[2];
		for (int j = 0; j < 2; j++) {
			assert_int_equal(body.batch.samples[j].metric, METRIC_USAGE);
			assert_int_equal(kills[j].metric, METRIC_OOM_KILLS);
			assert_int_equal(kills[j].half, HALF_FIRST);
			assert_int_equal(kills[j].time_ms, NOW - 10000);
			assert_string_equal(kills[j].ip, "10.0.0.9");
		}
		assert_string_equal(kills[0].process, "?");
		assert_true(kills[0].value == 2 && kills[1].value == 1);
		assert_string_equal(kills[1].process, "b");
		body_free(&body);
		free(copy);
	}
}

static void test_body_parse_samples_bad_kills_are_named(void **state)
{
	(void)state;
	static const struct {
		const char *member;
		int status;
		const char *field;
	} cases[] = {
		{ "\"oom_kills\": 1", 400, "oom_kills" },
		{ "\"oom_kills\": []", 400, "oom_kills" },
		{ "\"oom_kills\": {\"timestamp\": 1795356000}", 400, "oom_kills" },
		{ "\"oom_kills\": {\"processes\": {}}", 400, "oom_kills.timestamp" },
		{ "\"oom_kills\": {\"timestamp\": \"x\", \"processes\": {}}", 400, "oom_kills.timestamp" },
		{ "\"oom_kills\": {\"timestamp\": 1795356100, \"processes\": {\"a\": 1}}", 409, "oom_kills.timestamp" },
		{ "\"oom_kills\": {\"timestamp\": 1795356000, \"timestamp\": 1795356000, \"processes\": {}}", 400, "oom_kills.timestamp" },
		{ KILLS("\"a\": 1, \"a\": 2"), 400, "oom_kills.processes.a" },
		{ KILLS("\"a\": 0"), 400, "oom_kills.processes.a" },
		{ KILLS("\"a\": -1"), 400, "oom_kills.processes.a" },
		{ KILLS("\"a\": null"), 400, "oom_kills.processes.a" },
		{ KILLS("\"a\": [1]"), 400, "oom_kills.processes.a" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char json[512];
		snprintf(json, sizeof(json), "{\"ipaddress\": \"10.0.0.5\", \"data\": [], %s}", cases[i].member);
		refuse(body_parse_samples, json, cases[i].status, cases[i].field);
	}
	char json[512], field[64];
	snprintf(json, sizeof(json), "{\"ipaddress\": \"10.0.0.5\", \"data\": [], " KILLS("\"%0256d\": 1") "}", 0);
	snprintf(field, sizeof(field), "oom_kills.processes.%032d", 0);
	refuse(body_parse_samples, json, 400, field);
}

static void test_body_parse_samples_first_bad_item_counts_before_what_follows(void **state)
{
	(void)state;
	refuse(body_parse_samples, "{\"data\": [{" SAMPLE "}, 0, {\"x\": 1, \"x\": 1}, tru", 400, "data[1]");
	refuse(body_parse_samples, "{\"data\": [{" SAMPLE ", \"value\": 2}, 0]}", 400, "data[0].value");
	refuse(body_parse_samples, "{\"ipaddress\": \"x\", \"data\": [0]}", 400, "ipaddress");
}

#define TICK_HEAD "{\"ipaddress\": \"10.0.0.5\", \"timestamp\": 1795356000.1234, \"processes\": "

/* A tick with these processes. */
static const char *tick(const char *processes)
{
	static char json[8192];
	snprintf(json, sizeof(json), TICK_HEAD "{%s}}", processes);
	return json;
}

/* The body is taken; its samples are "NAME mem VALUE, NAME cpu VALUE, …", all of one time and host. */
static void take_tick(const char *json, const char *samples)
{
	struct body body;
	struct body_error error;
	char *copy;
	struct text text = TEXT_EMPTY;
	if (parse_bytes(body_parse_samples, json, strlen(json), &body, &copy, &error))
		fail_msg("refused (%s %s): %s", error.field, error.sentence, json);
	text_append_string(&text, "");
	for (size_t i = 0; i < body.batch.count; i++) {
		const struct sample *sample = &body.batch.samples[i];
		text_printf(&text, "%s%s %s %.17g", i ? ", " : "", sample->process, wire_resource_name(sample_resource(sample->metric, sample->half)), sample->value);
		assert_int_equal(sample->time_ms, NOW + 123);
		assert_string_equal(sample->ip, "10.0.0.5");
		assert_true(sample_is_usage(sample->metric));
	}
	assert_string_equal(text.data, samples);
	text_free(&text);
	body_free(&body);
	free(copy);
}

static void test_body_parse_samples_tick_is_taken(void **state)
{
	(void)state;
	static const struct {
		const char *processes, *samples;
	} cases[] = {
		{ "", "" },
		{ "\"bash\": [0.5, 0], \"java\": [31.5, null], \"top\": [null, 7e1]",
		  "bash mem 0.5, bash cpu 0, java mem 31.5, top cpu 70" },
		{ "\"top\": [1, 2], \"bash\": [3, 4], \"java\": [5, 6]", /* in any order */
		  "top mem 1, top cpu 2, bash mem 3, bash cpu 4, java mem 5, java cpu 6" },
		{ " \"a\"\n:\t[ 1 , 2 ] , \"b\":[3,4]", "a mem 1, a cpu 2, b mem 3, b cpu 4" },
		{ "\"\\u00e9\\\"\\\\\": [-0, 1e12], \"\xe2\x82\xac\": [1e-400, 0.33333333333333331]",
		  "\xc3\xa9\"\\ mem 0, \xc3\xa9\"\\ cpu 1000000000000, \xe2\x82\xac mem 0, \xe2\x82\xac cpu 0.33333333333333331" },
		/* Further resources, in their order. */
		{ "\"a\": [1, 2, 4096], \"b\": [1, null, null, 7], \"c\": [null, null, 0, 2e9]",
		  "a mem 1, a cpu 2, a read_bytes_per_second 4096, b mem 1, b write_bytes_per_second 7, "
		  "c read_bytes_per_second 0, c write_bytes_per_second 2000000000" },
		/* Names that are made the same are as two items of `data` for one series: the later counts. */
		{ "\"a\\u0001\": [1, 2], \"a\\u0002\": [3, 4], \"\": [5, null], \"?\": [6, null]",
		  "a? mem 1, a? cpu 2, a? mem 3, a? cpu 4, ? mem 5, ? mem 6" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		take_tick(tick(cases[i].processes), cases[i].samples);
	static const char *const orders[] = {
		"{\"processes\": {\"a\": [1, 2]}, \"timestamp\": 1795356000.1234, \"ipaddress\": \"10.0.0.5\"}",
		"\xef\xbb\xbf{\"x\": 1, \"timestamp\": 1795356000.1234, \"processes\": {\"a\": [1, 2]}, \"ipaddress\": \"10-0-0-5\", \"collector\": {}}",
	};
	for (size_t i = 0; i < COUNT_OF(orders); i++)
		take_tick(orders[i], "a mem 1, a cpu 2");
}

static void test_body_parse_samples_bad_processes_are_named(void **state)
{
	(void)state;
	static const struct {
		const char *processes, *field;
	} cases[] = {
		{ "\"a\": 1", "processes.a" },
		{ "\"a\": null", "processes.a" },
		{ "\"a\": {}", "processes.a" },
		{ "\"a\": []", "processes.a" },
		{ "\"a\": [1]", "processes.a" },
		{ "\"a\": [null, null, null]", "processes.a" },
		{ "\"java\": [1, 2, -1]", "processes.java[2]" },
		{ "\"java\": [1, 2, null, 1e13]", "processes.java[3]" },
		{ "\"a\": [null, null]", "processes.a" },
		{ "\"java\": [\"1\", 2]", "processes.java[0]" },
		{ "\"java\": [1, -1]", "processes.java[1]" },
		{ "\"java\": [1, -5e-324]", "processes.java[1]" },
		{ "\"java\": [1, 1e999]", "processes.java[1]" },
		{ "\"java\": [1, 1000000000000.1]", "processes.java[1]" },
		{ "\"java\": [true, 2]", "processes.java[0]" },
		{ "\"java\": [1, [2]]", "processes.java[1]" },
		{ "\"java\": [1, {}]", "processes.java[1]" },
		{ "\"b\": [1, 2], \"a\": [1, 2], \"b\": [1, 2]", "processes.b" },
		{ "\"a\": [1, 2], \"a\": [1, 2]", "processes.a" },
		{ "\"a\": [1, 2], \"\\u0061\": [1, 2]", "processes.a" },
		{ "\"a\": [1, 2], \"b\\u0001\": [1, 2], \"c\": [1, 2], \"b\\u0001\": [1, 2]", "processes.b\001" },
		{ "\"a\": [1, 2], \"b\\u0001\": [1, 2], \"a\": [1, 2]", "processes.a" },
		{ "\"\": [1, 2], \"\": [1, 2]", "processes." },
		{ "\"c\": [1, 2], \"a\": [1, -1], \"c\": [1, 2]", "processes.a[1]" }, /* the first counts */
		{ "\"a b.c\": [1, -1]", "processes.a b.c[1]" },
		{ "\"a\": [1, 2] \"b\": [1, 2]", "" },
		{ "\"a\": [1, 2],", "" },
		{ "\"a\" [1, 2]", "" },
		{ "\"a\": [1, 2,]", "" },
		{ "\"a\": [1,]", "" },
		{ "\"a\": [1, 2}", "" },
		{ "\"a\": [1 2]", "" },
		{ "\"a\": [1, NaN]", "" },
		{ "\"a\": [.5, 1]", "" },
		{ "a: [1, 2]", "" },
		{ "1: [1, 2]", "" },
		{ "[1, 2]", "" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		refuse(body_parse_samples, tick(cases[i].processes), 400, cases[i].field);

	/* Of a long name as much as the place has room for. */
	char name[512], processes[1024], field[64];
	memset(name, 'x', sizeof(name));
	name[255] = '\0';
	snprintf(processes, sizeof(processes), "\"%s\": [1, -1]", name);
	snprintf(field, sizeof(field), "processes.%.50s[1]", name);
	refuse(body_parse_samples, tick(processes), 400, field);
	memcpy(name + 48, "\xe2\x82\xac", 3);
	snprintf(processes, sizeof(processes), "\"%s\": [1, -1]", name);
	snprintf(field, sizeof(field), "processes.%.48s[1]", name);
	refuse(body_parse_samples, tick(processes), 400, field);
	memset(name, 'x', 256);
	name[256] = '\0';
	snprintf(processes, sizeof(processes), "\"%s\": [1, 1]", name);
	snprintf(field, sizeof(field), "processes.%.50s", name);
	refuse(body_parse_samples, tick(processes), 400, field);
	for (int i = 0; i < 2; i++) {
		struct text more = TEXT_EMPTY;
		for (int resource = 0; resource < RESOURCE_COUNT; resource++)
			text_printf(&more, "%s%d", resource ? ", " : "\"a\": [", resource);
		text_append_string(&more, i ? ", null]" : ", 7]");
		refuse(body_parse_samples, tick(more.data), 400, "processes.a");
		text_free(&more);
	}
}

static void test_body_parse_samples_what_is_around_the_processes_is_checked(void **state)
{
	(void)state;
	static const struct {
		const char *members, *field;
		int status;
	} cases[] = {
		{ "\"processes\": []", "processes", 400 },
		{ "\"processes\": null", "processes", 400 },
		{ "\"processes\": 1", "processes", 400 },
		{ "\"processes\": {\"a\": [1, 2]}", "timestamp", 400 },
		{ "\"processes\": {\"a\": [1, 2]}, \"timestamp\": null", "timestamp", 400 },
		{ "\"timestamp\": \"1795356000\", \"processes\": {\"a\": [1, 2]}", "timestamp", 400 },
		{ "\"timestamp\": 0, \"processes\": {\"a\": [1, -2]}", "timestamp", 400 },
		{ "\"timestamp\": 0, \"processes\": {}", "timestamp", 400 },
		{ "\"processes\": {}, \"timestamp\": \"now\"", "timestamp", 400 },
		{ "\"timestamp\": 1795356060.001, \"processes\": {\"a\": [1, -2]}", "timestamp", 409 },
		{ "\"processes\": {\"a\": [1, 2]}, \"timestamp\": 1795183199.999", "timestamp", 409 },
		{ "\"timestamp\": 1795183199.999, \"processes\": {\"a\": [1, 2]}, \"processes\": {}", "timestamp", 409 },
		{ "\"timestamp\": 1795356000, \"processes\": {\"a\": [1, 2]}, \"processes\": {}", "processes", 400 },
		{ "\"timestamp\": 1795356000, \"processes\": {}, \"timestamp\": 1795356000", "timestamp", 400 },
		{ "\"processes\": {}, \"data\": []", "data", 400 },
		{ "\"data\": [], \"processes\": {}", "processes", 400 },
		{ "\"data\": [], \"processes\": 1", "processes", 400 },
	};
	char json[512];
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		snprintf(json, sizeof(json), "{\"ipaddress\": \"10.0.0.5\", %s}", cases[i].members);
		refuse(body_parse_samples, json, cases[i].status, cases[i].field);
	}
	refuse(body_parse_samples, "{\"timestamp\": 1795356000, \"processes\": {\"a\": [1, 2]}}", 400, "ipaddress");

	/* Of an empty tick no time is wrong; and of `data`, and of what has no ticks, these members are others. */
	static const struct {
		parser *parse;
		const char *json;
	} taken[] = {
		{ body_parse_samples, "{\"ipaddress\": \"::1\", \"processes\": {}, \"collector\": {}}" },
		{ body_parse_samples, "{\"ipaddress\": \"::1\", \"timestamp\": 1, \"processes\": { } }" },
		{ body_parse_samples, "{\"ipaddress\": \"::1\", \"timestamp\": {}, \"data\": [{" SAMPLE "}]}" },
		{ body_parse_samples, "{\"ipaddress\": \"::1\", \"data\": [{" SAMPLE "}], \"timestamp\": -1}" },
		{ body_parse_alarms, "{\"processes\": 1, \"timestamp\": \"\", \"data\": []}" },
		{ body_parse_forecasts, "{\"data\": [], \"processes\": {\"a\": [1]}}" },
	};
	for (size_t i = 0; i < COUNT_OF(taken); i++) {
		struct body body;
		struct body_error error;
		char *copy;
		if (parse_bytes(taken[i].parse, taken[i].json, strlen(taken[i].json), &body, &copy, &error))
			fail_msg("refused (%s %s): %s", error.field, error.sentence, taken[i].json);
		body_free(&body);
		free(copy);
	}
}

static void test_body_parse_samples_every_truncation_of_a_tick_is_refused(void **state)
{
	(void)state;
	const char *json = tick("\"a\\u00e9\\\"\": [0.125, null], \"b\": [1e1, 2]");
	for (size_t length = 0; length < strlen(json); length++)
		refuse_bytes(body_parse_samples, json, length, 400, "");
}

/* Many names, in an order at random: what is there twice is found, and what is not is taken. */
static void test_body_parse_samples_processes_in_any_order_are_known_apart(void **state)
{
	(void)state;
	enum { NAMES = 5000 };
	static int order[NAMES + 1];
	srand(seed_take());
	for (int i = 0; i < NAMES; i++)
		order[i] = i;
	for (int i = NAMES - 1; i > 0; i--) {
		int j = rand() % (i + 1), kept = order[i];
		order[i] = order[j];
		order[j] = kept;
	}
	order[NAMES] = rand() % NAMES;
	for (int twice = 0; twice <= 1; twice++) {
		struct text json = TEXT_EMPTY;
		char field[64];
		text_append_string(&json, TICK_HEAD "{");
		for (int i = 0; i < NAMES + twice; i++)
			text_printf(&json, "%s\"p%d\": [%d, null]", i ? "," : "", order[i], order[i]);
		text_append_string(&json, "}}");
		struct body body;
		struct body_error error;
		snprintf(field, sizeof(field), "processes.p%d", order[NAMES]);
		if (twice) {
			refuse_bytes(body_parse_samples, json.data, json.length, 400, field);
		} else {
			assert_int_equal(body_parse_samples(json.data, json.length, &times, &body, &error), 0);
			assert_int_equal(body.batch.count, NAMES);
			for (int i = 0; i < NAMES; i++)
				assert_true(body.batch.samples[i].value == order[i] && atoi(body.batch.samples[i].process + 1) == order[i]);
			body_free(&body);
		}
		text_free(&json);
	}
}

/* `count` times `piece`; the caller frees it. */
static char *repeat(const char *before, const char *piece, size_t count, const char *after)
{
	struct text text = TEXT_EMPTY;
	text_append_string(&text, before);
	for (size_t i = 0; i < count; i++)
		text_append_string(&text, piece);
	text_append_string(&text, after);
	assert_false(text_failed(&text));
	return text.data;
}

static void test_body_parse_samples_trees_that_would_be_huge_cost_little(void **state)
{
	(void)state;
	enum { ZEROS = 2000000, ALLOCATIONS_MAX = 20 }; /* of 60 KB each */
	static const struct {
		const char *before, *after, *field;
	} cases[] = {
		{ "{\"data\": [", "0]}", "data[0]" },
		{ "{\"data\": [[", "0]]}", "" },
		{ "{\"data\": [{\"x\": [", "0]}]}", "" },
		{ "{\"x\": [", "0]}", "" },
		{ "{\"collector\": {\"x\": [", "0]}}", "" },
		{ "{\"processes\": {\"x\": [", "0]}}", "processes.x" },
		{ "[", "0]", "" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char *json = repeat(cases[i].before, "0,", ZEROS, cases[i].after);
		struct body body;
		struct body_error error = { 0 };
		failing_start(ALLOCATIONS_MAX);
		assert_int_equal(body_parse_samples(json, strlen(json), &times, &body, &error), -EINVAL);
		assert_false(failing_stop());
		assert_string_equal(error.field, cases[i].field);
		free(json);
	}
	/* A value of the largest size, and one beyond it. */
	char *json = repeat("{\"ipaddress\": \"::1\", \"data\": [], \"x\": \"", "x", JSON_READER_VALUE_MAX - 2, "\"}");
	struct body body;
	struct body_error error;
	char *copy;
	assert_int_equal(parse_bytes(body_parse_samples, json, strlen(json), &body, &copy, &error), 0);
	body_free(&body);
	free(copy);
	free(json);
	json = repeat("{\"ipaddress\": \"::1\", \"data\": [], \"x\": \"", "x", JSON_READER_VALUE_MAX - 1, "\"}");
	refuse(body_parse_samples, json, 400, "");
	free(json);
}

static void test_body_parse_samples_budget_is_kept_and_given_back(void **state)
{
	(void)state;
	char *json = repeat("{\"ipaddress\": \"::1\", \"data\": [", "{" SAMPLE "}, ", 10000, "{" SAMPLE "}]}");
	struct body body, other;
	struct body_error error;
	char *copy;
	budget_set_limit(4 * 600000); /* 10,001 samples are 400 KB */
	assert_int_equal(parse_bytes(body_parse_samples, json, strlen(json), &body, &copy, &error), 0);
	free(copy);
	size_t held = budget_held(BUDGET_BODIES);
	assert_in_range(held, 400000, 600000);
	assert_int_equal(parse_bytes(body_parse_samples, json, strlen(json), &other, &copy, &error), -ENOBUFS);
	free(copy);
	assert_int_equal(budget_held(BUDGET_BODIES), held);
	body_free(&body);
	assert_int_equal(budget_held(BUDGET_BODIES), 0);
	assert_int_equal(parse_bytes(body_parse_samples, json, strlen(json), &body, &copy, &error), 0);
	free(copy);
	body_free(&body);
	budget_set_limit(SIZE_MAX);
	free(json);
}

static void test_body_parse_samples_times_are_taken_up_to_the_limits(void **state)
{
	(void)state;
	static const struct {
		const char *json;
		int64_t time_ms; /* 0: 409 */
	} cases[] = {
		{ "1795356060", NOW + 60000 },
		{ "1795356060.0004", NOW + 60000 },
		{ "1795356060.001", 0 },
		{ "1795183200", NOW - 172800000 },
		{ "1795183199.9996", NOW - 172800000 },
		{ "1795183199.999", 0 },
		{ "21474836469", 0 },
		{ "0.001", 0 },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const char *json = item(cases[i].json, "1", "\"a\"", "\"cpu\"");
		struct body body;
		char *copy;
		if (cases[i].time_ms == 0) {
			refuse(body_parse_samples, with_item(json), 409, "data[3].timestamp");
			continue;
		}
		assert_int_equal(take_item(json, &body, &copy).time_ms, cases[i].time_ms);
		body_free(&body);
		free(copy);
	}
}

/* The body must be taken as these samples. */
static void assert_parsed(parser *parse, const char *json, const struct sample wanted[], size_t count)
{
	struct body body;
	struct body_error error;
	char *copy;
	if (parse_bytes(parse, json, strlen(json), &body, &copy, &error))
		fail_msg("refused (%s %s): %s", error.field, error.sentence, json);
	assert_int_equal(body.batch.count, count);
	for (size_t i = 0; i < count; i++) {
		const struct sample *sample = &body.batch.samples[i];
		assert_int_equal(sample->time_ms, wanted[i].time_ms);
		assert_true(sample->value == wanted[i].value);
		assert_string_equal(sample->ip, wanted[i].ip);
		assert_string_equal(sample->process, wanted[i].process);
		assert_int_equal(sample->metric, wanted[i].metric);
		assert_int_equal(sample->half, wanted[i].half);
	}
	body_free(&body);
	free(copy);
}

static void test_body_parse_alarms_all_that_is_said_becomes_samples(void **state)
{
	(void)state;
	const char *json =
		"{\"data\": [{\"ipaddress\": \"10-0-0-5\", \"process_name\": \"java\", \"type_data\": \"mem\", \"color\": \"orange\","
		"\"timestamp\": 1795356000.5, \"value\": 61, \"threshold\": 80, \"since\": 1795355990, \"forecast\": 91.2,"
		"\"expected_at\": 1795356600.5, \"probability\": 0.5},"
		"{\"ipaddress\": \"::1\", \"process_name\": \"*\", \"type_data\": \"cpu\", \"color\": \"unknown\", \"value\": null},"
		"{\"ipaddress\": \"::1\", \"process_name\": \"x\", \"type_data\": \"cpu\", \"color\": \"orange\", \"expected_at\": 5}]}";
	static const struct sample wanted[] = {
		{ NOW + 500, 1, "10.0.0.5", "java", METRIC_ALARM, HALF_FIRST },
		{ NOW + 500, 1795355990, "10.0.0.5", "java", METRIC_ALARM_SINCE, HALF_FIRST },
		{ NOW + 500, 80, "10.0.0.5", "java", METRIC_ALARM_THRESHOLD, HALF_FIRST },
		{ NOW + 500, 91.2, "10.0.0.5", "java", METRIC_ALARM_FORECAST, HALF_FIRST },
		{ NOW + 500, 600, "10.0.0.5", "java", METRIC_ALARM_LEAD, HALF_FIRST },
		{ NOW, 3, "::1", "*", METRIC_ALARM, HALF_SECOND },
		{ NOW, 1, "::1", "x", METRIC_ALARM, HALF_SECOND },
		{ NOW, 0, "::1", "x", METRIC_ALARM_LEAD, HALF_SECOND },
	};
	assert_parsed(body_parse_alarms, json, wanted, COUNT_OF(wanted));
	assert_parsed(body_parse_alarms, "{\"data\": []}", NULL, 0);
}

/* Told again as it is known here, and nothing else. */
static void test_body_parse_forecasts_reasons_are_kept(void **state)
{
	(void)state;
	static const char start[] = "{\"ipaddress\": \"::1\", \"process_name\": \"a\", \"type_data\": \"cpu\", \"probability\": 0.5, \"forecast\": 9";
	struct text json = TEXT_EMPTY;
	struct body body;
	struct body_error error;
	char *copy;
	text_printf(&json, "{\"data\": [%s}, %s, \"limit\": null, \"why\": null}, %s, \"limit\": 80.5}, %s, \"horizon_s\": 1800, \"expected_at\": 1795356600, "
	            "\"why\": {\"else\": [1], \"climb\": 0.25, \"parts\": [{\"meaning\": \"\\u003cimg src=x\\u003e \\\"\", \"name\": \"now\", \"log_odds\": -1.5, "
	            "\"value\": 1e-3, \"more\": {}}, {\"name\": \"\", \"log_odds\": 0, \"value\": -2, \"meaning\": \"\\u0001\"}]}}, "
	            "%s, \"why\": {\"parts\": []}}]}", start, start, start, start, start);
	assert_int_equal(parse_bytes(body_parse_forecasts, json.data, json.length, &body, &copy, &error), 0);
	assert_int_equal(body.reason_count, 3);
	assert_int_equal(body.reasons[0].sample, 4);
	assert_true(body.reasons[0].limit == 80.5 && body.reasons[0].horizon_s == 0);
	assert_int_equal(body.reasons[0].why, 0);
	assert_int_equal(body.reasons[1].sample, 6);
	assert_true(body.reasons[1].limit == 0 && body.reasons[1].horizon_s == 1800);
	assert_string_equal(body.words.data + body.reasons[1].why,
	                    "{\"climb\": 0.25, \"parts\": [{\"name\": \"now\", \"log_odds\": -1.5, \"value\": 0.001, \"meaning\": \"<img src=x> \\\"\"}, "
	                    "{\"name\": \"\", \"log_odds\": 0, \"value\": -2, \"meaning\": \"\\u0001\"}]}");
	assert_int_equal(body.reasons[2].sample, 9);
	assert_string_equal(body.words.data + body.reasons[2].why, "{\"climb\": null, \"parts\": []}");
	body_trim(&body);
	assert_string_equal(body.batch.samples[body.reasons[2].sample].process, "a");
	body_free(&body);
	assert_null(body.reasons);
	free(copy);
	text_free(&json);
}

/* More than a block of the arena holds: all that each can bring has its place. */
static void test_body_parse_alarms_many_whole_ones_have_room(void **state)
{
	(void)state;
	enum { ALARMS = 3000 };
	struct text json = TEXT_EMPTY;
	struct body body;
	struct body_error error;
	text_append_string(&json, "{\"data\": [");
	for (int i = 0; i < ALARMS; i++)
		text_printf(&json,
		            "%s{\"ipaddress\": \"10.0.0.5\", \"process_name\": \"p%d\", \"type_data\": \"mem\", \"color\": \"red\", "
		            "\"threshold\": %d, \"since\": 1, \"forecast\": 1, \"expected_at\": 1, \"value\": 1}",
		            i ? "," : "", i, i);
	text_append_string(&json, "]}");
	assert_int_equal(body_parse_alarms(json.data, json.length, &times, &body, &error), 0);
	assert_int_equal(body.batch.count, ALARMS * 5);
	for (size_t i = 0; i < body.batch.count; i++) {
		if (body.batch.samples[i].metric == METRIC_ALARM_THRESHOLD)
			assert_true(body.batch.samples[i].value == (double)(i / 5));
		assert_int_equal(atoi(body.batch.samples[i].process + 1), i / 5);
	}
	body_free(&body);
	text_free(&json);
}

static void test_body_parse_alarms_bad_items_are_named(void **state)
{
	(void)state;
	static const struct {
		const char *members, *field;
		int status;
	} cases[] = {
		{ "\"ipaddress\": \"x\"", "data[1].ipaddress", 400 },
		{ "\"ipaddress\": 1", "data[1].ipaddress", 400 },
		{ "\"color\": \"blue\"", "data[1].color", 400 },
		{ "\"color\": 2", "data[1].color", 400 },
		{ "\"color\": null", "data[1].color", 400 },
		{ "\"process_name\": null", "data[1].process_name", 400 },
		{ "\"type_data\": \"x\"", "data[1].type_data", 400 },
		{ "\"timestamp\": \"x\"", "data[1].timestamp", 400 },
		{ "\"timestamp\": null", "data[1].timestamp", 400 },
		{ "\"timestamp\": 1795356061", "data[1].timestamp", 409 },
		{ "\"timestamp\": 1795100000", "data[1].timestamp", 409 },
		{ "\"value\": -1", "data[1].value", 400 },
		{ "\"value\": 1e999", "data[1].value", 400 },
		{ "\"threshold\": \"80\"", "data[1].threshold", 400 },
		{ "\"since\": -1", "data[1].since", 400 },
		{ "\"since\": false", "data[1].since", 400 },
		{ "\"forecast\": 1e13", "data[1].forecast", 400 },
		{ "\"expected_at\": []", "data[1].expected_at", 400 },
	};
	char json[1024];
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const char *good = "\"ipaddress\": \"10.0.0.5\", \"process_name\": \"a\", \"type_data\": \"cpu\", \"color\": \"red\"";
		snprintf(json, sizeof(json), "{\"data\": [{%s}, {%s, %s}]}", good, good, cases[i].members);
		refuse(body_parse_alarms, json, cases[i].status, cases[i].field);
	}
	refuse(body_parse_alarms, "{\"data\": [1]}", 400, "data[0]");
	refuse(body_parse_alarms, "{\"data\": {}}", 400, "data");
	refuse(body_parse_alarms, "{\"data\": [{\"color\": \"red\"}]}", 400, "data[0].ipaddress");
}

static void test_body_parse_forecasts_all_that_is_said_becomes_samples(void **state)
{
	(void)state;
	const char *json =
		"{\"data\": [{\"ipaddress\": \"10-0-0-5\", \"process_name\": \"java\", \"type_data\": \"mem\", \"probability\": 0.83,"
		"\"forecast\": 91.2, \"expected_at\": 1795356600.25, \"full_at\": 1795400000, \"color\": 1, \"value\": \"x\", \"else\": {}},"
		"{\"ipaddress\": \"::1\", \"process_name\": \"a\", \"type_data\": \"cpu\", \"probability\": 0, \"forecast\": -0.0,"
		"\"expected_at\": null},"
		"{\"ipaddress\": \"::1\", \"process_name\": \"b\", \"type_data\": \"cpu\", \"probability\": 1, \"forecast\": 800,"
		"\"timestamp\": 1795356000.5, \"expected_at\": 1795356000},"
		"{\"ipaddress\": \"::2\", \"process_name\": \"c\", \"type_data\": \"mem\", \"probability\": 0.3333333333333333,"
		"\"forecast\": 12.5}]}";
	static const struct sample wanted[] = {
		{ NOW, 0.83, "10.0.0.5", "java", METRIC_FORECAST_PROBABILITY, HALF_FIRST },
		{ NOW, 91.2, "10.0.0.5", "java", METRIC_FORECAST, HALF_FIRST },
		{ NOW, 600.25, "10.0.0.5", "java", METRIC_FORECAST_LEAD, HALF_FIRST },
		{ NOW, 44000, "10.0.0.5", "java", METRIC_FORECAST_FULL, HALF_FIRST },
		{ NOW, 0, "::1", "a", METRIC_FORECAST_PROBABILITY, HALF_SECOND },
		{ NOW, 0, "::1", "a", METRIC_FORECAST, HALF_SECOND },
		{ NOW + 500, 1, "::1", "b", METRIC_FORECAST_PROBABILITY, HALF_SECOND },
		{ NOW + 500, 800, "::1", "b", METRIC_FORECAST, HALF_SECOND },
		{ NOW + 500, 0, "::1", "b", METRIC_FORECAST_LEAD, HALF_SECOND },
		{ NOW, 1.0 / 3, "::2", "c", METRIC_FORECAST_PROBABILITY, HALF_FIRST },
		{ NOW, 12.5, "::2", "c", METRIC_FORECAST, HALF_FIRST },
	};
	assert_parsed(body_parse_forecasts, json, wanted, COUNT_OF(wanted));
	assert_parsed(body_parse_forecasts, "{\"data\": []}", NULL, 0);
	/* A time to come has milliseconds, not the rounding of a difference of large numbers. */
	static const struct sample odd[] = {
		{ NOW, 0.5, "::1", "a", METRIC_FORECAST_PROBABILITY, HALF_SECOND },
		{ NOW, 90, "::1", "a", METRIC_FORECAST, HALF_SECOND },
		{ NOW, 1234.567, "::1", "a", METRIC_FORECAST_LEAD, HALF_SECOND },
	};
	assert_parsed(body_parse_forecasts,
	              "{\"data\": [{\"ipaddress\": \"::1\", \"process_name\": \"a\", \"type_data\": \"cpu\", \"probability\": 0.5,"
	              "\"forecast\": 90, \"expected_at\": 1795357234.567}]}", odd, COUNT_OF(odd));
}

/* More than a block of the arena holds: all that each can bring has its place. */
static void test_body_parse_forecasts_many_whole_ones_have_room(void **state)
{
	(void)state;
	enum { FORECASTS = 3000 };
	struct text json = TEXT_EMPTY;
	struct body body;
	struct body_error error;
	text_append_string(&json, "{\"data\": [");
	for (int i = 0; i < FORECASTS; i++)
		text_printf(&json,
		            "%s{\"ipaddress\": \"10.0.0.5\", \"process_name\": \"p%d\", \"type_data\": \"mem\", "
		            "\"probability\": 0.5, \"forecast\": %d, \"expected_at\": 1795356600}",
		            i ? "," : "", i, i);
	text_append_string(&json, "]}");
	assert_int_equal(body_parse_forecasts(json.data, json.length, &times, &body, &error), 0);
	assert_int_equal(body.batch.count, FORECASTS * 3);
	for (size_t i = 0; i < body.batch.count; i++) {
		if (body.batch.samples[i].metric == METRIC_FORECAST)
			assert_true(body.batch.samples[i].value == (double)(i / 3));
		assert_int_equal(atoi(body.batch.samples[i].process + 1), i / 3);
	}
	body_free(&body);
	text_free(&json);
}

static void test_body_parse_forecasts_bad_items_are_named(void **state)
{
	(void)state;
	static const struct {
		const char *members, *field;
		int status;
	} cases[] = {
		{ "\"ipaddress\": \"10.0.0\"", "data[1].ipaddress", 400 },
		{ "\"ipaddress\": null", "data[1].ipaddress", 400 },
		{ "\"process_name\": 1", "data[1].process_name", 400 },
		{ "\"type_data\": \"disk\"", "data[1].type_data", 400 },
		{ "\"timestamp\": \"x\"", "data[1].timestamp", 400 },
		{ "\"timestamp\": 1795356061", "data[1].timestamp", 409 },
		{ "\"timestamp\": 1795100000", "data[1].timestamp", 409 },
		{ "\"probability\": null", "data[1].probability", 400 },
		{ "\"probability\": \"0.5\"", "data[1].probability", 400 },
		{ "\"probability\": true", "data[1].probability", 400 },
		{ "\"probability\": -0.001", "data[1].probability", 400 },
		{ "\"probability\": 1.0000001", "data[1].probability", 400 },
		{ "\"forecast\": null", "data[1].forecast", 400 },
		{ "\"forecast\": -1", "data[1].forecast", 400 },
		{ "\"forecast\": 1e999", "data[1].forecast", 400 },
		{ "\"forecast\": 1e13", "data[1].forecast", 400 },
		{ "\"expected_at\": \"2026\"", "data[1].expected_at", 400 },
		{ "\"expected_at\": false", "data[1].expected_at", 400 },
		{ "\"expected_at\": -1", "data[1].expected_at", 400 },
		{ "\"expected_at\": 1795356600000", "data[1].expected_at", 400 }, /* milliseconds */
		{ "\"expected_at\": 21474836470", "data[1].expected_at", 400 },
		{ "\"limit\": -1", "data[1].limit", 400 },
		{ "\"limit\": 1, \"horizon_s\": \"1\"", "data[1].horizon_s", 400 },
		{ "\"why\": \"it grows\"", "data[1].why", 400 },
		{ "\"why\": {}", "data[1].why", 400 },
		{ "\"why\": {\"parts\": {}}", "data[1].why", 400 },
		{ "\"why\": {\"parts\": [1]}", "data[1].why", 400 },
		{ "\"why\": {\"parts\": [], \"climb\": 1.5}", "data[1].why", 400 },
		{ "\"why\": {\"parts\": [], \"climb\": \"x\"}", "data[1].why", 400 },
		{ "\"why\": {\"parts\": [{\"name\": \"a\", \"log_odds\": 1, \"value\": 1}]}", "data[1].why", 400 },
		{ "\"why\": {\"parts\": [{\"name\": \"a\", \"log_odds\": 1e999, \"value\": 1, \"meaning\": \"\"}]}", "data[1].why", 400 },
		{ "\"why\": {\"parts\": [{\"name\": \"a\", \"log_odds\": 1, \"value\": null, \"meaning\": \"\"}]}", "data[1].why", 400 },
		{ "\"why\": {\"parts\": [{\"name\": 1, \"log_odds\": 1, \"value\": 1, \"meaning\": \"\"}]}", "data[1].why", 400 },
		{ "\"why\": {\"parts\": [[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[]]}", "data[1].why", 400 },
		{ "\"why\": null, \"why\": null", "data[1].why", 400 },
	};
	static const char *const needed[] = { "ipaddress", "process_name", "type_data", "probability", "forecast" };
	static const char good[] = "\"ipaddress\": \"10.0.0.5\", \"process_name\": \"a\", \"type_data\": \"cpu\", "
	                           "\"probability\": 0.5, \"forecast\": 50";
	char json[1024];
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		snprintf(json, sizeof(json), "{\"data\": [{%s}, {%s, %s}]}", good, good, cases[i].members);
		refuse(body_parse_forecasts, json, cases[i].status, cases[i].field);
	}
	for (size_t i = 0; i < COUNT_OF(needed); i++) {
		char field[64];
		snprintf(json, sizeof(json), "{\"data\": [{%s}]}", good);
		*strstr(json, needed[i]) = 'X'; /* an unknown key */
		snprintf(field, sizeof(field), "data[0].%s", needed[i]);
		refuse(body_parse_forecasts, json, 400, field);
	}
	refuse(body_parse_forecasts, "{\"data\": [1]}", 400, "data[0]");
	refuse(body_parse_forecasts, "{\"data\": {}}", 400, "data");
	refuse(body_parse_forecasts, "{}", 400, "data");
	refuse(body_parse_forecasts, "[]", 400, "");
}

/* Bytes of good bodies changed at random: whatever the answer is, it is one. */
static void test_body_parse_random_damage_is_answered(void **state)
{
	(void)state;
	static const char bytes[] = "{}[]\",:\\u0000-1e9.\xff\x80\xe2 ";
	srand(seed_take());
	for (int i = 0; i < 20000; i++) {
		struct body body;
		struct body_error error;
		char json[8192], *copy;
		if (i % 2)
			strcpy(json, tick("\"b\": [0.5, 1e1], \"\\\\\\u0000\xe2\x82\xac\": [null, -0], \"a\": [1, 2]"));
		else
			strcpy(json, with_item(item("1795356000", "0.5", "\"\\\\\\u0000\xe2\x82\xac\"", "\"mem\"")));
		size_t length = strlen(json);
		for (int j = rand() % 5; j >= 0; j--)
			json[(size_t)rand() % length] = bytes[(size_t)rand() % sizeof(bytes)];
		static parser *const parsers[] = { body_parse_samples, body_parse_alarms, body_parse_forecasts };
		int result = parse_bytes(parsers[i % 3], json, length, &body, &copy, &error);
		assert_true(result == 0 || (result == -EINVAL && error.status && error.sentence[0]));
		if (result == 0)
			body_free(&body);
		free(copy);
	}
}

static void fail_allocations(parser *parse, const char *json, size_t length)
{
	int result = -ENOMEM;
	for (long n = 1; result; n++) {
		struct body body;
		struct body_error error;
		char *copy = malloc(length + 1);
		assert_non_null(copy);
		memcpy(copy, json, length + 1);
		failing_start(n);
		result = parse(copy, length, &times, &body, &error);
		bool failed = failing_stop();
		assert_true(result == (failed ? -ENOMEM : 0));
		if (result == 0)
			body_free(&body);
		free(copy);
	}
}

static void test_body_parse_any_allocation_fails_is_out_of_memory(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	struct text json = TEXT_EMPTY;
	text_append_string(&json, "{\"ipaddress\": \"10.0.0.5\", \"data\": [");
	for (int i = 0; i < 2000; i++)
		text_printf(&json,
		            "%s{\"ipaddress\": \"10.0.0.5\", \"color\": \"red\", \"timestamp\": 1795356000, \"value\": 1, "
		            "\"process_name\": \"p%d\", \"type_data\": \"cpu\", \"threshold\": 5, \"probability\": 0.5, \"forecast\": 9, "
		            "\"limit\": 80, \"why\": {\"parts\": [{\"name\": \"a\", \"log_odds\": 1, \"value\": 2, \"meaning\": \"b\"}]}}",
		            i ? "," : "", i);
	text_append_string(&json, "]}");
	fail_allocations(body_parse_samples, json.data, json.length);
	fail_allocations(body_parse_alarms, json.data, json.length);
	fail_allocations(body_parse_forecasts, json.data, json.length);
	for (int order = -1; order <= 1; order += 2) { /* with the table of names, and without */
		text_reset(&json);
		text_append_string(&json, TICK_HEAD "{");
		for (int i = 0; i < 4000; i++)
			text_printf(&json, "%s\"p%d\": [1, 2]", i ? "," : "", 10000 + order * i);
		text_append_string(&json, "}}");
		fail_allocations(body_parse_samples, json.data, json.length);
	}
	/* Behind so many samples that with some of them it is the kills that find the memory full. */
	for (int samples = 0; samples < 600; samples += 7) {
		text_reset(&json);
		text_append_string(&json, TICK_HEAD "{");
		for (int i = 0; i < samples; i++)
			text_printf(&json, "%s\"%0100d\": [1, 2]", i ? "," : "", i);
		text_append_string(&json, "}, \"oom_kills\": {\"timestamp\": 1795356000, \"processes\": {");
		for (int i = 0; i < 60; i++)
			text_printf(&json, "%s\"p%d\": 1", i ? "," : "", i);
		text_append_string(&json, "}}}");
		fail_allocations(body_parse_samples, json.data, json.length);
	}
	text_free(&json);
}

/* Reads what `json` begins with; false: it is left to cJSON, and nothing is taken but the space before it. */
static bool read_plain(const char *json, double *ret_number, const char **ret_rest)
{
	struct json_reader reader = json_reader_open(json, strlen(json));
	bool plain = json_reader_plain_number(&reader, ret_number);
	*ret_rest = reader.at;
	json_reader_close(&reader);
	return plain;
}

static void test_json_reader_plain_number_is_what_strtod_makes_of_it(void **state)
{
	(void)state;
	static const struct {
		const char *json, *rest;
		bool plain;
	} cases[] = {
		{ "0", "", true },
		{ " \n12.5,1", ",1", true },
		{ "0.001]", "]", true },
		{ "999999999999999 ", " ", true },
		{ "0.00000000000001}", "}", true },
		{ "12345678901234.5", "", true },
		{ "9999999999999999", "9999999999999999", false }, /* 16 digits */
		{ "0.0000000000000001", "0.0000000000000001", false },
		{ "-1", "-1", false },
		{ "-0", "-0", false },
		{ "1e3", "1e3", false },
		{ "1E3", "1E3", false },
		{ "1.5e-3", "1.5e-3", false },
		{ "1.", "1.", false },
		{ ".5", ".5", false },
		{ "1.2.3", "1.2.3", false },
		{ "1-2", "1-2", false },
		{ "null", "null", false },
		{ "\"1\"", "\"1\"", false },
		{ "", "", false },
	};
	double number;
	const char *rest;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		assert_int_equal(read_plain(cases[i].json, &number, &rest), cases[i].plain);
		assert_string_equal(rest, cases[i].rest);
		if (cases[i].plain)
			assert_true(number == strtod(cases[i].json, NULL));
	}
	srand(seed_take());
	for (int i = 0; i < 200000; i++) {
		char json[32];
		int length = 1 + rand() % 15, point = rand() % 16;
		for (int j = 0; j < length; j++)
			json[j] = (char)('0' + rand() % 10);
		if (point > 0 && point < length) {
			memmove(json + point + 1, json + point, (size_t)(length - point));
			json[point] = '.';
			length++;
		}
		json[length] = '\0';
		if (!read_plain(json, &number, &rest) || number != strtod(json, NULL))
			fail_msg("%s", json);
	}
}

static void test_arena_allocate_any_size_is_aligned_and_apart(void **state)
{
	(void)state;
	struct arena arena = { 0 };
	static const size_t sizes[] = { 1, 16, 7, 59999, 60000, 60001, 3, 1000000, 0, 30000, 30001, 15 };
	unsigned char *places[COUNT_OF(sizes)];
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		places[i] = arena_allocate(&arena, sizes[i]);
		assert_non_null(places[i]);
		assert_int_equal((uintptr_t)places[i] % _Alignof(max_align_t), 0);
		memset(places[i], (int)i, sizes[i]);
	}
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		for (size_t j = 0; j < sizes[i]; j++)
			assert_int_equal(places[i][j], i);
	}
	assert_null(arena_allocate(&arena, SIZE_MAX));
	arena_free(&arena);
	assert_non_null(arena_allocate(&arena, 1));
	arena_free(&arena);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_body_parse_further_resources_are_samples_alone),
		cmocka_unit_test(test_body_parse_samples_good_body_is_taken),
		cmocka_unit_test(test_body_trim_samples_stay_and_little_else),
		cmocka_unit_test(test_body_parse_samples_what_is_no_json_is_refused),
		cmocka_unit_test(test_body_parse_samples_every_truncation_is_refused),
		cmocka_unit_test(test_body_parse_samples_nested_deeply_is_refused),
		cmocka_unit_test(test_body_parse_samples_nul_byte_is_refused),
		cmocka_unit_test(test_body_parse_samples_names_come_out_clean),
		cmocka_unit_test(test_body_parse_samples_names_up_to_255_bytes_are_taken),
		cmocka_unit_test(test_body_parse_samples_values_are_kept_exactly),
		cmocka_unit_test(test_body_parse_samples_bad_items_are_named),
		cmocka_unit_test(test_body_parse_samples_what_is_around_the_items_is_checked),
		cmocka_unit_test(test_body_parse_samples_empty_data_brings_a_report),
		cmocka_unit_test(test_body_parse_samples_duplicate_keys_are_refused),
		cmocka_unit_test(test_body_parse_samples_keys_that_are_not_known_are_passed_over),
		cmocka_unit_test(test_body_parse_samples_data_may_come_first),
		cmocka_unit_test(test_body_parse_samples_kills_are_taken_beside_either_form),
		cmocka_unit_test(test_body_parse_samples_bad_kills_are_named),
		cmocka_unit_test(test_body_parse_samples_first_bad_item_counts_before_what_follows),
		cmocka_unit_test(test_body_parse_samples_tick_is_taken),
		cmocka_unit_test(test_body_parse_samples_bad_processes_are_named),
		cmocka_unit_test(test_body_parse_samples_what_is_around_the_processes_is_checked),
		cmocka_unit_test(test_body_parse_samples_every_truncation_of_a_tick_is_refused),
		cmocka_unit_test(test_body_parse_samples_processes_in_any_order_are_known_apart),
		cmocka_unit_test(test_body_parse_samples_trees_that_would_be_huge_cost_little),
		cmocka_unit_test(test_body_parse_samples_budget_is_kept_and_given_back),
		cmocka_unit_test(test_body_parse_samples_times_are_taken_up_to_the_limits),
		cmocka_unit_test(test_body_parse_alarms_all_that_is_said_becomes_samples),
		cmocka_unit_test(test_body_parse_alarms_many_whole_ones_have_room),
		cmocka_unit_test(test_body_parse_alarms_bad_items_are_named),
		cmocka_unit_test(test_body_parse_forecasts_all_that_is_said_becomes_samples),
		cmocka_unit_test(test_body_parse_forecasts_reasons_are_kept),
		cmocka_unit_test(test_body_parse_forecasts_many_whole_ones_have_room),
		cmocka_unit_test(test_body_parse_forecasts_bad_items_are_named),
		cmocka_unit_test(test_body_parse_random_damage_is_answered),
		cmocka_unit_test(test_body_parse_any_allocation_fails_is_out_of_memory),
		cmocka_unit_test(test_json_reader_plain_number_is_what_strtod_makes_of_it),
		cmocka_unit_test(test_arena_allocate_any_size_is_aligned_and_apart),
	};
	body_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
