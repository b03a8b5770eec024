#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/support/seed.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/json.h"

static void test_json_append_string_is_escaped(void **state)
{
	(void)state;
	static const struct {
		const char *string, *expected;
	} cases[] = {
		{ "", "\"\"" },
		{ "bash", "\"bash\"" },
		{ "\"", "\"\\\"\"" },
		{ "\\", "\"\\\\\"" },
		{ "\\\"\\", "\"\\\\\\\"\\\\\"" },
		{ "a\"b\\c", "\"a\\\"b\\\\c\"" },
		{ "a\nb", "\"a\\u000ab\"" },
		{ "\t\r", "\"\\u0009\\u000d\"" },
		{ "\x01", "\"\\u0001\"" },
		{ "\x1f", "\"\\u001f\"" },
		{ " ", "\" \"" },
		{ "/", "\"/\"" },
		{ "\x7f", "\"\x7f\"" }, /* not a control character to RFC 8259 */
		{ "caf\xc3\xa9", "\"caf\xc3\xa9\"" },
		{ "\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xe2\x82\xac\xf0\x9f\x98\x80\"" },
		{ "a) R 1 (,=\\", "\"a) R 1 (,=\\\\\"" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct text text = TEXT_EMPTY;
		json_append_string(&text, cases[i].string);
		assert_string_equal(text.data, cases[i].expected);
		text_free(&text);
	}
}

static void test_json_append_string_every_byte_reads_back(void **state)
{
	(void)state;
	for (int byte = 1; byte < 0x80; byte++) {
		struct text text = TEXT_EMPTY;
		char string[] = { 'a', (char)byte, 'b', (char)byte, '\0' };
		json_append_string(&text, string);
		for (size_t i = 0; i < text.length; i++)
			assert_true((unsigned char)text.data[i] >= 0x20);
		cJSON *json = cJSON_ParseWithOpts(text.data, NULL, true);
		assert_non_null(json);
		assert_string_equal(cJSON_GetStringValue(json), string);
		cJSON_Delete(json);
		text_free(&text);
	}
}

static void test_json_append_string_goes_behind_what_is_there(void **state)
{
	(void)state;
	struct text text = TEXT_EMPTY;
	text_append_string(&text, "{");
	json_append_string(&text, "a\nb");
	text_append_string(&text, ": ");
	json_append_number(&text, 1.5);
	text_append_string(&text, "}");
	assert_string_equal(text.data, "{\"a\\u000ab\": 1.5}");
	text_free(&text);
}

static void test_json_append_number_is_short(void **state)
{
	(void)state;
	static const struct {
		double number;
		const char *expected;
	} cases[] = {
		{ 0, "0" },
		{ -0.0, "0" }, /* zero has no sign here: a percentage of -0 is nothing to see */
		{ 1, "1" },
		{ -1, "-1" },
		{ 10, "10" },
		{ 100, "100" },
		{ 1200, "1200" },
		{ 0.5, "0.5" },
		{ -0.5, "-0.5" },
		{ 0.001, "0.001" },
		{ -0.001, "-0.001" },
		{ 0.01, "0.01" },
		{ 0.1, "0.1" },
		{ 0.011, "0.011" },
		{ 0.101, "0.101" },
		{ 0.999, "0.999" },
		{ 0.0001, "0.0001" },
		{ 0.0005, "0.0005" },
		{ 0.1234, "0.1234" },
		{ 12.345, "12.345" },
		{ 12.34, "12.34" },
		{ 99.999, "99.999" },
		{ 100.001, "100.001" },
		{ 1.0 / 3, "0.3333333333333333" },
		{ 2.0 / 3, "0.6666666666666666" },
		{ 0.1 + 0.2, "0.30000000000000004" },
		{ 999999999999.999, "999999999999.999" },
		{ 1e12, "1000000000000" },
		{ 1e12 + 1, "1000000000001" },
		{ 123456789012345, "123456789012345" },
		{ 1795356878.1, "1795356878.1" },
		{ 1795356878.123, "1795356878.123" },
		{ 1e15, "1e+15" },
		{ 1e21, "1e+21" },
		{ -1e21, "-1e+21" },
		{ 1e-7, "1e-07" },
		{ DBL_MAX, "1.7976931348623157e+308" },
		{ DBL_MIN, "2.2250738585072014e-308" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct text text = TEXT_EMPTY;
		json_append_number(&text, cases[i].number);
		assert_string_equal(text.data, cases[i].expected);
		text_free(&text);
	}
}

/* As RFC 8259, section 6, has it: no leading zeros, digits on both sides of the point. */
static bool is_json_number(const char *text)
{
	text += *text == '-';
	size_t digits = strspn(text, "0123456789");
	if (digits == 0 || (digits > 1 && *text == '0'))
		return false;
	text += digits;
	if (*text == '.') {
		digits = strspn(++text, "0123456789");
		if (digits == 0)
			return false;
		text += digits;
	}
	if (*text == 'e') {
		text++;
		text += *text == '-' || *text == '+';
		digits = strspn(text, "0123456789");
		if (digits == 0)
			return false;
		text += digits;
	}
	return *text == '\0';
}

static void check_round_trip(struct text *text, double number, const char *where)
{
	text_reset(text);
	json_append_number(text, number);
	if (!is_json_number(text->data))
		fail_msg("%s: %a became %s, which is no JSON", where, number, text->data);
	/* strtod() knows the point only where the locale has it. */
	char *saved = strdup(setlocale(LC_NUMERIC, NULL));
	setlocale(LC_NUMERIC, "C");
	double again = strtod(text->data, NULL);
	setlocale(LC_NUMERIC, saved);
	free(saved);
	if (again != number)
		fail_msg("%s: %a became %s, which is %a", where, number, text->data, again);
	if (text->length > 24)
		fail_msg("%s: %a became %s, which is too long", where, number, text->data);
}

static const double edges[] = {
	0.001, 12.345, 1.0 / 3, 1e21, 5e-324, 2.2250738585072009e-308, DBL_MIN, DBL_MAX, DBL_EPSILON, 1e12, 1e12 - 0.001,
	1e12 + 0.001, 999999999999.9985, 1e15, 1e16, 9007199254740992, 9223372036854775808.0, 1e100,
	1e-100, 0.0005, 0.0004999999999999999, 0.0015, 2.5e-4, 4503599627370496.5, 0.3, 0.7, 79.9, 80.1,
};

static void test_json_append_number_edges_read_back(void **state)
{
	(void)state;
	struct text text = TEXT_EMPTY;
	for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
		const double near[] = { edges[i], nextafter(edges[i], 0), nextafter(edges[i], DBL_MAX) };
		for (size_t j = 0; j < 3; j++) {
			check_round_trip(&text, near[j], "edge");
			check_round_trip(&text, -near[j], "edge");
		}
	}
	text_free(&text);
}

static uint64_t next_random(uint64_t *seed)
{
	/* xorshift64*, https://www.jstatsoft.org/article/view/v008i14 */
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * 0x2545f4914f6cdd1d;
}

static void check_random_numbers(const char *where, int count)
{
	uint64_t seed = seed_choose((uint64_t)time(NULL) << 20 | 1);
	struct text text = TEXT_EMPTY;
	for (int i = 0; i < count; i++) {
		/* Any bits at all; then numbers as they come: thousandths, and percentages. */
		uint64_t bits = next_random(&seed);
		double number;
		memcpy(&number, &bits, sizeof(number));
		if (isfinite(number))
			check_round_trip(&text, number, where);
		check_round_trip(&text, (double)(int64_t)(next_random(&seed) >> 13) / 1000, where);
		check_round_trip(&text, (double)(next_random(&seed) % 100001) / 1000, where);
		check_round_trip(&text, (double)(next_random(&seed) >> 11) * 0x1p-53 * 1e13, where);
		check_round_trip(&text, (double)(next_random(&seed) >> 11) * 0x1p-53 * 100, where);
	}
	text_free(&text);
}

static void test_json_append_number_random_numbers_read_back(void **state)
{
	(void)state;
	check_random_numbers("random", 20000);
}

static void test_json_append_number_every_thousandth_is_short(void **state)
{
	(void)state;
	struct text text = TEXT_EMPTY;
	char expected[32];
	for (int thousandths = 0; thousandths <= 100000; thousandths++) {
		text_reset(&text);
		json_append_number(&text, thousandths / 1000.0);
		snprintf(expected, sizeof(expected), "%.15g", thousandths / 1000.0);
		if (strcmp(text.data, expected) != 0)
			fail_msg("%s became %s", expected, text.data);
	}
	text_free(&text);
}

static void test_json_append_number_millionths_are_as_printf_has_them(void **state)
{
	(void)state;
	static const int64_t limits[] = { 1, 99, 100, 101, 100001, 1000001, 999999999999999 };
	uint64_t seed = seed_choose((uint64_t)time(NULL) << 20 | 1);
	struct text text = TEXT_EMPTY;
	for (size_t i = 0; i < 20000; i++) {
		int64_t millionths = (int64_t)(next_random(&seed) >> (15 + i % 49));
		if (i < sizeof(limits) / sizeof(limits[0]))
			millionths = limits[i];
		double number = (double)(i % 2 ? millionths : -millionths) / 1e6;
		char expected[32];
		snprintf(expected, sizeof(expected), "%.15g", number == 0 ? 0 : number);
		text_reset(&text);
		json_append_number(&text, number);
		assert_string_equal(text.data, expected);
	}
	text_free(&text);
}

static void test_json_append_number_locale_with_a_comma_writes_a_point(void **state)
{
	(void)state;
	static const char *const names[] = { "de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE" };
	bool found = false;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !found; i++)
		found = setlocale(LC_ALL, names[i]) && strcmp(localeconv()->decimal_point, ",") == 0;
	if (!found) {
		setlocale(LC_ALL, "C");
		print_message("no locale with a comma is installed\n");
		skip();
	}
	struct text text = TEXT_EMPTY;
	for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++)
		check_round_trip(&text, edges[i], "locale");
	check_random_numbers("locale", 500);
	text_reset(&text);
	json_append_number(&text, 1.0 / 3);
	assert_string_equal(text.data, "0.3333333333333333");
	text_reset(&text);
	json_append_number(&text, 12.345);
	assert_string_equal(text.data, "12.345");
	text_reset(&text);
	json_append_number(&text, -1.25e-7);
	assert_string_equal(text.data, "-1.25e-07");
	text_reset(&text);
	json_append_seconds(&text, 1500);
	assert_string_equal(text.data, "1.5");
	text_free(&text);
	setlocale(LC_ALL, "C");
}

static void test_json_append_seconds_has_up_to_three_decimals(void **state)
{
	(void)state;
	static const struct {
		int64_t time_ms;
		const char *expected;
	} cases[] = {
		{ 0, "0" },
		{ 1, "0.001" },
		{ 10, "0.01" },
		{ 100, "0.1" },
		{ 999, "0.999" },
		{ 1000, "1" },
		{ 1010, "1.01" },
		{ 10000, "10" },
		{ 1795356878100, "1795356878.1" },
		{ 1795356878000, "1795356878" },
		{ 1795356878123, "1795356878.123" },
		{ -1, "-0.001" },
		{ -1500, "-1.5" },
		{ -2000, "-2" },
		{ INT64_MAX, "9223372036854775.807" },
		{ INT64_MIN, "-9223372036854775.808" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct text text = TEXT_EMPTY;
		json_append_seconds(&text, cases[i].time_ms);
		assert_string_equal(text.data, cases[i].expected);
		text_free(&text);
	}
}

static void test_json_parse_tells_want_of_memory_from_what_is_none(void **state)
{
	(void)state;
	static const char document[] = "{\"a\": [1, \"two\"]} and more";
	cJSON *read = NULL;
	assert_int_equal(json_parse(document, strlen(document), &read), 0);
	assert_string_equal(cJSON_GetArrayItem(cJSON_GetObjectItem(read, "a"), 1)->valuestring, "two");
	cJSON_Delete(read);
	read = NULL;
	assert_int_equal(json_parse(document, 5, &read), -EBADMSG);
	assert_int_equal(json_parse("", 0, &read), -EBADMSG);
	assert_int_equal(json_parse(NULL, 0, &read), -EBADMSG);
	if (!FAILING_MALLOC)
		skip();
	long unfreed = failing_unfreed();
	bool failed = true;
	for (long number = 1; failed; number++) {
		failing_start(number);
		int result = json_parse(document, strlen(document), &read);
		failed = failing_stop();
		assert_int_equal(result, failed ? -ENOMEM : 0);
		assert_true(failed == !read);
		cJSON_Delete(read);
		read = NULL;
		assert_int_equal(failing_unfreed(), unfreed);
	}
	errno = ENOMEM; /* of something before */
	assert_int_equal(json_parse("[", 1, &read), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_append_string_is_escaped),
		cmocka_unit_test(test_json_append_string_every_byte_reads_back),
		cmocka_unit_test(test_json_append_string_goes_behind_what_is_there),
		cmocka_unit_test(test_json_append_number_is_short),
		cmocka_unit_test(test_json_append_number_edges_read_back),
		cmocka_unit_test(test_json_append_number_random_numbers_read_back),
		cmocka_unit_test(test_json_append_number_every_thousandth_is_short),
		cmocka_unit_test(test_json_append_number_millionths_are_as_printf_has_them),
		cmocka_unit_test(test_json_append_number_locale_with_a_comma_writes_a_point),
		cmocka_unit_test(test_json_append_seconds_has_up_to_three_decimals),
		cmocka_unit_test(test_json_parse_tells_want_of_memory_from_what_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
