/* fcgi/remote/line_protocol.h */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/fcgi/helpers.h"

#include "fcgi/remote/line_protocol.h"

enum { ROUNDS = 20000 };

#define SAMPLE(process_, value_, time_) \
	((struct sample){ .time_ms = (time_), .value = (value_), .ip = "10.0.0.5", .process = (process_), \
	                  .metric = METRIC_USAGE, .half = HALF_SECOND })

/* The line of one sample, without its line feed. */
static const char *line_of(struct sample sample)
{
	static struct text text;
	struct batch batch = { .samples = &sample, .count = 1 };
	text_reset(&text);
	line_protocol_append(&text, &batch);
	assert_false(text_failed(&text));
	assert_int_equal(text.data[text.length - 1], '\n');
	assert_ptr_equal(strchr(text.data, '\n'), text.data + text.length - 1);
	text.data[--text.length] = '\0';
	return text.data;
}

static void test_line_protocol_append_hostile_name_is_one_tag(void **state)
{
	(void)state;
	static const struct {
		const char *name, *tag;
	} cases[] = {
		{ "bash", "bash" },
		{ "a b", "a\\ b" },
		{ " a ", "\\ a\\ " },
		{ "  ", "\\ \\ " },
		{ "a,b", "a\\,b" },
		{ ",", "\\," },
		{ "a=b", "a\\=b" },
		{ "=", "\\=" },
		{ ",ip=10.0.0.9", "\\,ip\\=10.0.0.9" },
		{ "a value=1 5", "a\\ value\\=1\\ 5" },
		{ "\"", "\"" },
		{ "\"a b\"", "\"a\\ b\"" },
		{ "'", "'" },
		/* The engines disagree about a backslash: there is none but before what it escapes. */
		{ "\\", "%5C" },
		{ "a\\", "a%5C" },
		{ "a\\\\", "a%5C%5C" },
		{ "\\a", "%5Ca" },
		{ "a\\ b", "a%5C\\ b" },
		{ "a\\,b\\=", "a%5C\\,b%5C\\=" },
		{ "a \\", "a\\ %5C" },
		{ "\\n", "%5Cn" },
		{ "%", "%25" },
		{ "100%", "100%25" },
		{ "%5C", "%255C" },
		{ "%25", "%2525" },
		{ "%5C\\", "%255C%5C" },
		{ "%s%n", "%25s%25n" },
		{ "#", "#" },
		{ "${x}", "${x}" },
		{ "a)R1(", "a)R1(" },
		{ "*", "*" },
		{ "\xc3\xa9\xe2\x82\xac", "\xc3\xa9\xe2\x82\xac" },
		{ "\xf0\x9f\x98\x80 x", "\xf0\x9f\x98\x80\\ x" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char wanted[256];
		snprintf(wanted, sizeof(wanted), "cpu_usage_percent,ip=10.0.0.5,process=%s value=1.5 1795357323000", cases[i].tag);
		assert_string_equal(line_of(SAMPLE(cases[i].name, 1.5, 1795357323000)), wanted);
	}
}

static void test_line_protocol_append_longest_name_is_whole(void **state)
{
	(void)state;
	static const struct {
		char byte;
		const char *stored;
	} cases[] = { { 'x', "x" }, { ' ', "\\ " }, { ',', "\\," }, { '\\', "%5C" }, { '%', "%25" } };
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char name[WIRE_NAME_SIZE];
		struct text wanted = TEXT_EMPTY;
		memset(name, cases[i].byte, WIRE_NAME_MAX);
		name[WIRE_NAME_MAX] = '\0';
		text_append_string(&wanted, "cpu_usage_percent,ip=10.0.0.5,process=");
		for (int j = 0; j < WIRE_NAME_MAX; j++)
			text_append_string(&wanted, cases[i].stored);
		text_append_string(&wanted, " value=0 1");
		assert_string_equal(line_of(SAMPLE(name, 0, 1)), wanted.data);
		text_free(&wanted);
	}
}

/* An "i" behind a number makes the field an integer, for good. */
static void test_line_protocol_append_value_is_a_float(void **state)
{
	(void)state;
	static const struct {
		double value;
		const char *wanted;
	} cases[] = {
		{ 0, "0" },
		{ 1, "1" },
		{ 100, "100" },
		{ 0.001, "0.001" },
		{ 12.25, "12.25" },
		{ 1.0 / 3, "0.3333333333333333" },
		{ 99.99999999999999, "99.99999999999999" },
		{ 1795356878, "1795356878" },
		{ 1e12, "1000000000000" },
		{ 1e21, "1e+21" },
		{ 5e-324, "4.94065645841247e-324" },
		{ 1.7976931348623157e308, "1.7976931348623157e+308" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char value[64];
		const char *line = line_of(SAMPLE("a", cases[i].value, 7));
		assert_int_equal(sscanf(line, "cpu_usage_percent,ip=10.0.0.5,process=a value=%63s 7", value), 1);
		assert_string_equal(value, cases[i].wanted);
		assert_true(strtod(value, NULL) == cases[i].value);
		assert_int_equal(strspn(value, "0123456789.e+-"), strlen(value));
	}
}

static void test_line_protocol_append_time_is_in_milliseconds(void **state)
{
	(void)state;
	static const struct {
		int64_t time_ms;
		const char *wanted;
	} cases[] = {
		{ 0, "0" },
		{ 1, "1" },
		{ 999, "999" },
		{ 1795357323000, "1795357323000" },
		{ 1795357323001, "1795357323001" },
		{ -1, "-1" },
		{ INT64_MAX, "9223372036854775807" },
		{ INT64_MIN, "-9223372036854775808" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char wanted[128];
		snprintf(wanted, sizeof(wanted), "cpu_usage_percent,ip=10.0.0.5,process=a value=1 %s", cases[i].wanted);
		assert_string_equal(line_of(SAMPLE("a", 1, cases[i].time_ms)), wanted);
	}
}

static void test_line_protocol_append_batch_is_a_line_a_sample(void **state)
{
	(void)state;
	struct sample samples[] = {
		{ 1000, 1.5, "10.0.0.1", "a", METRIC_USAGE, HALF_FIRST },
		{ 1000, 2.5, "fe80::1", "a", METRIC_USAGE, HALF_SECOND },
		{ 2000, 3, "2001:db8::1", "*", METRIC_ALARM, HALF_SECOND },
		{ 2000, 4, "::", "b", METRIC_ALARM_SINCE, HALF_FIRST },
		{ 2000, 5, "::ffff:1.2.3.4", "b", METRIC_ALARM_THRESHOLD, HALF_FIRST },
		{ 1000, 6, "10.0.0.1", "a", METRIC_FORECAST, HALF_FIRST },
		{ 1000, 0.5, "10.0.0.1", "a", METRIC_FORECAST_PROBABILITY, HALF_SECOND },
		{ 1000, 600, "10.0.0.1", "a", METRIC_FORECAST_LEAD, HALF_FIRST },
	};
	const struct batch all = { .samples = samples, .count = COUNT_OF(samples) }, none = { 0 };
	struct text text = TEXT_EMPTY;
	text_append_string(&text, "# before\n");
	line_protocol_append(&text, &none);
	assert_string_equal(text.data, "# before\n");
	line_protocol_append(&text, &all);
	line_protocol_append(&text, &none);
	assert_string_equal(text.data, "# before\n"
	                               "mem_usage_percent,ip=10.0.0.1,process=a value=1.5 1000\n"
	                               "cpu_usage_percent,ip=fe80::1,process=a value=2.5 1000\n"
	                               "cpu_alarm,ip=2001:db8::1,process=* value=3 2000\n"
	                               "mem_alarm_since,ip=::,process=b value=4 2000\n"
	                               "mem_alarm_threshold,ip=::ffff:1.2.3.4,process=b value=5 2000\n"
	                               "mem_forecast_percent,ip=10.0.0.1,process=a value=6 1000\n"
	                               "cpu_forecast_probability,ip=10.0.0.1,process=a value=0.5 1000\n"
	                               "mem_forecast_lead_s,ip=10.0.0.1,process=a value=600 1000\n");
	text_free(&text);
}

static const char *decoded(const char *stored)
{
	static struct text text;
	text_reset(&text);
	text_append_char(&text, '>'); /* what is there stays */
	line_protocol_append_decoded(&text, stored);
	assert_false(text_failed(&text));
	return text.data + 1;
}

/* Mostly what is special, so that it meets in all ways. */
static void make_name(char ret_name[static WIRE_NAME_SIZE])
{
	static const char *const parts[] = { "%", "\\", "2", "5", "C", "c", "%25", "%5C", " ", ",", "=", "\"", "x", "\xc3\xa9" };
	size_t length = 0, wanted = 1 + (size_t)(rand() % (rand() % 8 ? 12 : WIRE_NAME_MAX));
	while (length < wanted) {
		const char *part = parts[(size_t)rand() % COUNT_OF(parts)];
		if (length + strlen(part) > WIRE_NAME_MAX)
			break;
		memcpy(ret_name + length, part, strlen(part));
		length += strlen(part);
	}
	ret_name[length] = '\0';
}

static void test_line_protocol_encode_random_names_come_back(void **state)
{
	(void)state;
	srand(seed_take());
	/* Of its exact size, so that ASan sees a byte too many. */
	char *stored = malloc(LINE_PROTOCOL_NAME_SIZE);
	assert_non_null(stored);
	for (int i = 0; i < ROUNDS; i++) {
		char name[WIRE_NAME_SIZE];
		make_name(name);
		line_protocol_encode(name, stored);
		assert_null(strchr(stored, '\\'));
		for (const char *at = strchr(stored, '%'); at; at = strchr(at + 1, '%'))
			assert_true(strncmp(at, "%25", 3) == 0 || strncmp(at, "%5C", 3) == 0);
		assert_string_equal(decoded(stored), name);
	}
	free(stored);
}

/* Reads the tag of a line as line protocol says: a backslash makes the next byte plain. */
static void test_line_protocol_append_random_names_are_read_back_from_the_line(void **state)
{
	(void)state;
	static const char start[] = "cpu_usage_percent,ip=10.0.0.5,process=";
	srand(seed_take());
	for (int i = 0; i < ROUNDS; i++) {
		char name[WIRE_NAME_SIZE], stored[LINE_PROTOCOL_NAME_SIZE];
		size_t length = 0;
		make_name(name);
		const char *line = line_of(SAMPLE(name, 1, 5));
		assert_memory_equal(line, start, strlen(start));
		const char *at = line + strlen(start);
		for (; *at && !strchr(" ,=", *at); at++) {
			if (*at == '\\') {
				at++;
				assert_true(*at && strchr(" ,=", *at));
			}
			stored[length++] = *at;
		}
		stored[length] = '\0';
		assert_string_equal(at, " value=1 5");
		assert_string_equal(decoded(stored), name);
	}
}

/* Written by others, or before: what means nothing to us is what it is. */
static void test_line_protocol_append_decoded_stored_name_is_none_of_ours_it_is_kept(void **state)
{
	(void)state;
	static const struct {
		const char *stored, *name;
	} cases[] = {
		{ "", "" },
		{ "bash", "bash" },
		{ "%", "%" },
		{ "100%", "100%" },
		{ "%2", "%2" },
		{ "%5", "%5" },
		{ "%zz", "%zz" },
		{ "%%", "%%" },
		{ "%41", "%41" },
		{ "%5c", "%5c" },
		{ "%20", "%20" },
		{ "a\\b", "a\\b" },
		/* Beside what is ours. */
		{ "%%25", "%%" },
		{ "%2%5C", "%2\\" },
		{ "%5C%5", "\\%5" },
		{ "%25%", "%%" },
		{ "%2525", "%25" },
		{ "%255C", "%5C" },
		{ "%5C25", "\\25" },
		{ "%25%5C%25", "%\\%" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_string_equal(decoded(cases[i].stored), cases[i].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line_protocol_append_hostile_name_is_one_tag),
		cmocka_unit_test(test_line_protocol_append_longest_name_is_whole),
		cmocka_unit_test(test_line_protocol_append_value_is_a_float),
		cmocka_unit_test(test_line_protocol_append_time_is_in_milliseconds),
		cmocka_unit_test(test_line_protocol_append_batch_is_a_line_a_sample),
		cmocka_unit_test(test_line_protocol_encode_random_names_come_back),
		cmocka_unit_test(test_line_protocol_append_random_names_are_read_back_from_the_line),
		cmocka_unit_test(test_line_protocol_append_decoded_stored_name_is_none_of_ours_it_is_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
