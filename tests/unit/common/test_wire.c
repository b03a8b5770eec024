#include "tests/unit/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire.h"

static void test_wire_resource_names_parse_back(void **state)
{
	(void)state;
	assert_string_equal(wire_resource_name(RESOURCE_MEM), "mem");
	assert_string_equal(wire_resource_name(RESOURCE_CPU), "cpu");
	for (int i = 0; i < RESOURCE_COUNT; i++) {
		enum resource resource = RESOURCE_COUNT;
		assert_true(wire_resource_parse(wire_resource_name((enum resource)i), &resource));
		assert_int_equal(resource, i);
	}
}

static void test_wire_color_names_parse_back(void **state)
{
	(void)state;
	/* The numbers are stored: they stay what they are. */
	static const char *const names[] = { "green", "orange", "red", "unknown" };
	assert_int_equal(COLOR_COUNT, 4);
	for (int i = 0; i < COLOR_COUNT; i++) {
		enum color color = COLOR_COUNT;
		assert_string_equal(wire_color_name((enum color)i), names[i]);
		assert_true(wire_color_parse(names[i], &color));
		assert_int_equal(color, i);
	}
}

static void test_wire_parse_unknown_words_leave_the_output(void **state)
{
	(void)state;
	static const char *const words[] = { "", "m", "me", "memo", "MEM", "Cpu", " cpu", "cpu ", "amber", "re", "redd" };
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		enum resource resource = RESOURCE_CPU;
		enum color color = COLOR_UNKNOWN;
		assert_false(wire_resource_parse(words[i], &resource));
		assert_false(wire_color_parse(words[i], &color));
		assert_int_equal(resource, RESOURCE_CPU);
		assert_int_equal(color, COLOR_UNKNOWN);
	}
}

/* The edges of RFC 3629, section 4, and the malformed sequences of Markus Kuhn's
 * "UTF-8 decoder capability and stress test". */
static const struct {
	const char *bytes;
	bool valid;
} characters[] = {
	{ "\x01", true },
	{ "\x7f", true },
	{ "\xc2\x80", true },
	{ "\xdf\xbf", true },
	{ "\xe0\xa0\x80", true },
	{ "\xe0\xbf\xbf", true },
	{ "\xe1\x80\x80", true },
	{ "\xec\xbf\xbf", true },
	{ "\xed\x80\x80", true },
	{ "\xed\x9f\xbf", true }, /* U+D7FF */
	{ "\xee\x80\x80", true }, /* U+E000 */
	{ "\xef\xbf\xbd", true },
	{ "\xef\xbf\xbf", true }, /* U+FFFF: no character, but valid */
	{ "\xf0\x90\x80\x80", true },
	{ "\xf0\xbf\xbf\xbf", true },
	{ "\xf1\x80\x80\x80", true },
	{ "\xf3\xbf\xbf\xbf", true },
	{ "\xf4\x80\x80\x80", true },
	{ "\xf4\x8f\xbf\xbf", true }, /* U+10FFFF */
	/* Not the shortest form. */
	{ "\xc0\x80", false },
	{ "\xc0\xaf", false },
	{ "\xc1\xbf", false },
	{ "\xe0\x80\x80", false },
	{ "\xe0\x80\xaf", false },
	{ "\xe0\x9f\xbf", false },
	{ "\xf0\x80\x80\x80", false },
	{ "\xf0\x80\x80\xaf", false },
	{ "\xf0\x8f\xbf\xbf", false },
	{ "\xf8\x88\x80\x80\x80", false },
	{ "\xfc\x84\x80\x80\x80\x80", false },
	/* Surrogates, alone and in pairs. */
	{ "\xed\xa0\x80", false },
	{ "\xed\xad\xbf", false },
	{ "\xed\xae\x80", false },
	{ "\xed\xaf\xbf", false },
	{ "\xed\xb0\x80", false },
	{ "\xed\xbf\xbf", false },
	{ "\xed\xa0\xbd\xed\xb8\x80", false },
	/* Over U+10FFFF. */
	{ "\xf4\x90\x80\x80", false },
	{ "\xf4\xbf\xbf\xbf", false },
	{ "\xf5\x80\x80\x80", false },
	{ "\xf7\xbf\xbf\xbf", false },
	/* Bytes that begin nothing. */
	{ "\x80", false },
	{ "\xbf", false },
	{ "\xfe", false },
	{ "\xff", false },
	{ "\xff\xfe", false },
	/* Cut, and followed by what does not continue. */
	{ "\xc2", false },
	{ "\xdf", false },
	{ "\xe0\xa0", false },
	{ "\xe2\x82", false },
	{ "\xe2", false },
	{ "\xf0\x9f\x98", false },
	{ "\xf0\x9f", false },
	{ "\xf0", false },
	{ "\xc2\x7f", false },
	{ "\xc2\xc0", false },
	{ "\xc2\x41", false },
	{ "\xe2\x41\x80", false },
	{ "\xe2\x82\x41", false },
	{ "\xe2\x82\xc0", false },
	{ "\xe2\xc0\x80", false },
	{ "\xf0\x9f\x98\x41", false },
	{ "\xf0\x9f\x41\x80", false },
	{ "\xf0\x9f\xc0\x80", false },
	{ "\xf0\x9f\x98\xc0", false },
	{ "\xf1\x7f\x80\x80", false },
	{ "\xe1\x7f\x80", false },
};

/* Each at every offset from a word's start, alone and before more text: the check takes
 * eight bytes at a time. The copy ends where the bytes end, so that ASan sees a read
 * behind them. */
static void test_wire_utf8_check_edges_are_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(characters) / sizeof(characters[0]); i++) {
		size_t size = strlen(characters[i].bytes);
		for (size_t before = 0; before <= 17; before++) {
			for (size_t after = 0; after <= 17; after++) {
				size_t length = before + size + after;
				char *bytes = malloc(length);
				memset(bytes, 'a', length);
				memcpy(bytes + before, characters[i].bytes, size);
				size_t expected = characters[i].valid ? length : before;
				size_t got = wire_utf8_check(bytes, length);
				if (got != expected)
					fail_msg("case %zu with %zu before and %zu after: %zu instead of %zu", i, before, after, got,
					         expected);
				free(bytes);
			}
		}
	}
}

/* Encodes every code point, and compares with what Unicode says of it. */
static void test_wire_utf8_check_every_code_point_is_told(void **state)
{
	(void)state;
	for (uint32_t point = 0x80; point < 0x200000; point++) {
		unsigned char bytes[4];
		size_t size = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
		uint32_t rest = point;
		for (size_t i = size - 1; i > 0; i--, rest >>= 6)
			bytes[i] = (unsigned char)(0x80 | (rest & 0x3f));
		bytes[0] = (unsigned char)((size == 2 ? 0xc0 : size == 3 ? 0xe0 : 0xf0) | rest);
		bool valid = point <= 0x10ffff && !(point >= 0xd800 && point <= 0xdfff);
		if (wire_utf8_check((const char *)bytes, size) != (valid ? size : 0))
			fail_msg("U+%04X", (unsigned)point);
	}
}

static void test_wire_utf8_check_nothing_is_valid(void **state)
{
	(void)state;
	assert_int_equal(wire_utf8_check("", 0), 0);
	assert_int_equal(wire_utf8_check("a\0b", 3), 3);
}

static void test_wire_clean_name_is_clean(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		size_t length; /* 0: up to the NUL */
		const char *expected;
	} cases[] = {
		{ "bash", 0, "bash" },
		{ " ", 0, " " },
		{ "a) R 1 (", 0, "a) R 1 (" },
		{ "\"\\,=\\", 0, "\"\\,=\\" },
		{ "", 0, "?" },
		{ "?", 0, "?" },
		{ "\x7f", 0, "?" },
		{ "a\nb\tc", 0, "a?b?c" },
		{ "\x01\x1f\x20", 0, "?? " },
		{ "a\0b", 3, "a?b" },
		{ "\0", 1, "?" },
		{ "\xc2\x80", 0, "?" }, /* the first and the last of C1 */
		{ "\xc2\x85x", 0, "?x" },
		{ "\xc2\x9f", 0, "?" },
		{ "\xc2\xa0", 0, "\xc2\xa0" },
		{ "\xc3\x80", 0, "\xc3\x80" },
		{ "\xff\xfe", 0, "??" },
		{ "a\xff\xfe" "b", 0, "a??b" },
		{ "caf\xc3\xa9", 0, "caf\xc3\xa9" },
		{ "caf\xc3", 0, "caf?" }, /* as the kernel cuts a name at 15 bytes */
		{ "euro\xe2\x82", 0, "euro??" },
		{ "\xf0\x9f\x98", 0, "???" },
		{ "\xf0\x9f\x98\x80", 0, "\xf0\x9f\x98\x80" },
		{ "\xe2\x82z", 0, "??z" },
		{ "\xed\xa0\x80", 0, "???" },
		{ "\xc0\xaf", 0, "??" },
		{ "\xf4\x90\x80\x80", 0, "????" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char name[WIRE_NAME_SIZE];
		memset(name, 'x', sizeof(name));
		size_t length = cases[i].length ? cases[i].length : strlen(cases[i].name);
		/* No NUL behind the bytes: they may come straight from a body. */
		char *bytes = malloc(length ? length : 1);
		memcpy(bytes, cases[i].name, length);
		wire_clean_name(bytes, length, name);
		free(bytes);
		assert_string_equal(name, cases[i].expected);
	}
}

static void test_wire_clean_name_every_control_is_replaced(void **state)
{
	(void)state;
	for (int byte = 0; byte < 0x80; byte++) {
		char name[WIRE_NAME_SIZE];
		const char bytes[] = { 'a', (char)byte, 'b' };
		wire_clean_name(bytes, sizeof(bytes), name);
		const char expected[] = { 'a', byte < 0x20 || byte == 0x7f ? '?' : (char)byte, 'b', '\0' };
		assert_string_equal(name, expected);
	}
}

static void test_wire_clean_name_long_is_cut_between_characters(void **state)
{
	(void)state;
	static const struct {
		size_t before;     /* bytes 'a' */
		const char *last;  /* then this */
		size_t after;      /* then bytes 'z' */
		size_t expected;   /* bytes of the result */
	} cases[] = {
		{ 254, "", 0, 254 },
		{ 255, "", 0, 255 },
		{ 256, "", 0, 255 },
		{ 4000, "", 0, 255 },
		{ 253, "\xc3\xa9", 0, 255 },
		{ 254, "\xc3\xa9", 0, 254 },
		{ 254, "\xc3\xa9", 5, 254 }, /* what comes after the cut stays out, though it would fit */
		{ 255, "\xc3\xa9", 0, 255 },
		{ 252, "\xe2\x82\xac", 0, 255 },
		{ 253, "\xe2\x82\xac", 0, 253 },
		{ 254, "\xe2\x82\xac", 0, 254 },
		{ 251, "\xf0\x9f\x98\x80", 0, 255 },
		{ 252, "\xf0\x9f\x98\x80", 0, 252 },
		{ 254, "\xc2\x85", 0, 255 }, /* replaced, it fits */
		{ 254, "\xff", 0, 255 },
		{ 255, "\xff", 0, 255 },
		{ 254, "\xff\xfe", 0, 255 },
		{ 254, "\n", 3, 255 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char bytes[5000];
		char name[WIRE_NAME_SIZE];
		size_t last = strlen(cases[i].last);
		memset(bytes, 'a', cases[i].before);
		memcpy(bytes + cases[i].before, cases[i].last, last);
		memset(bytes + cases[i].before + last, 'z', cases[i].after);
		wire_clean_name(bytes, cases[i].before + last + cases[i].after, name);
		if (strlen(name) != cases[i].expected)
			fail_msg("case %zu: %zu bytes", i, strlen(name));
		assert_int_equal(wire_utf8_check(name, strlen(name)), strlen(name));
	}
}

/* Any bytes: the result is valid, printable, not empty, and clean a second time. */
static void test_wire_clean_name_random_bytes_give_a_stable_name(void **state)
{
	(void)state;
	unsigned seed = 20261122;
	print_message("seed %u\n", seed);
	for (int i = 0; i < 20000; i++) {
		char bytes[300], name[WIRE_NAME_SIZE], again[WIRE_NAME_SIZE];
		size_t length = (size_t)(rand_r(&seed) % (int)sizeof(bytes));
		for (size_t j = 0; j < length; j++)
			bytes[j] = (char)(rand_r(&seed) >> 4);
		wire_clean_name(bytes, length, name);
		size_t size = strlen(name);
		assert_in_range(size, 1, WIRE_NAME_MAX);
		assert_int_equal(wire_utf8_check(name, size), size);
		wire_clean_name(name, size, again);
		assert_string_equal(again, name);
	}
}

static void test_wire_ip_parse_addresses_become_canonical(void **state)
{
	(void)state;
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{ "10.0.0.5", "10.0.0.5" },
		{ "0.0.0.0", "0.0.0.0" },
		{ "255.255.255.255", "255.255.255.255" },
		{ "10-0-0-5", "10.0.0.5" },
		{ "216-58-213-68", "216.58.213.68" },
		{ "10-0.0-5", "10.0.0.5" },
		{ "::", "::" },
		{ "--", "::" },
		{ "::1", "::1" },
		{ "--1", "::1" },
		{ "2001:db8::1", "2001:db8::1" },
		{ "2001-db8--1", "2001:db8::1" },
		{ "2001-db8::1", "2001:db8::1" },
		{ "2001:DB8:0:0:0:0:0:1", "2001:db8::1" },
		{ "2001-0DB8-0-0-0-0-0-0001", "2001:db8::1" },
		{ "fe80::0204:61ff:fe9d:f156", "fe80::204:61ff:fe9d:f156" },
		{ "1-2-3-4-5-6-7-8", "1:2:3:4:5:6:7:8" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
		{ "::ffff:10.0.0.5", "10.0.0.5" },
		{ "::FFFF:a00:5", "10.0.0.5" },
		{ "0:0:0:0:0:ffff:10.0.0.5", "10.0.0.5" },
		{ "--ffff-10.0.0.5", "10.0.0.5" },
		{ "--ffff-10-0-0-5", "10.0.0.5" },
		{ "::ffff:10-0-0-5", "10.0.0.5" },
		{ "0-0-0-0-0-FFFF-10-0-0-5", "10.0.0.5" },
		{ "--ffff-a00-5", "10.0.0.5" },
		{ "--ffff-10-0-0-500", "::ffff:10:0:0:500" },
		{ "--ffff-0-10-0-0-5", "::ffff:0:10:0:0:5" },
		{ "::ffff:10:0:0:5", "::ffff:10:0:0:5" },
		{ "::10.0.0.5", "::10.0.0.5" },
		{ "--10-0-0-5", "::10:0:0:5" },
		{ "64:ff9b::10.0.0.5", "64:ff9b::a00:5" },
		{ "0000:0000:0000:0000:0000:ffff:255.255.255.255", "255.255.255.255" }, /* 45 bytes: the longest */
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char ip[WIRE_IP_SIZE] = "untouched", again[WIRE_IP_SIZE];
		if (!wire_ip_parse(cases[i].text, ip))
			fail_msg("%s is an address", cases[i].text);
		assert_string_equal(ip, cases[i].expected);
		assert_true(wire_ip_parse(ip, again));
		assert_string_equal(again, ip);
	}
}

static void test_wire_ip_parse_nonsense_leaves_the_output(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"", "-", ".", ":", "10", "10.0.0", "10.0.0.", "10.0.0.256", "10.0.0.5.6", "10-0-0", "10-0-0-256", "10-0-0-5-6",
		"010.0.0.5", "10.0.0.0x5", "10..0.5", "10--0-5x", " 10.0.0.5", "10.0.0.5 ", "10.0.0.5\n", "-10.0.0.5",
		"10.0.0.-5", "10,0,0,5", "10_0_0_5", "localhost", "*", "2001:db8:::1", "2001-db8---1", "1:2:3:4:5:6:7",
		"1-2-3-4-5-6-7", "1:2:3:4:5:6:7:8:9", "1::2::3", "12345::", "g::1", "fe80::1%eth0", "[::1]", "::1/64",
		"10.0.0.5:80", "::ffff:10.0.0", "::ffff:10.0.0.256", "get-all", "../../etc",
		"0000:0000:0000:0000:0000:ffff:255.255.255.2555",
		"0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000001",
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char ip[WIRE_IP_SIZE] = "untouched";
		if (wire_ip_parse(cases[i], ip))
			fail_msg("'%s' is no address, but became %s", cases[i], ip);
		assert_string_equal(ip, "untouched");
	}
}

static void test_wire_read_error_sentence_is_clean(void **state)
{
	(void)state;
	static const struct {
		const char *body, *sentence;
	} cases[] = {
		{ "{\"Response\": \"NOk\", \"error\": \"the store is down\"}\n", "the store is down" },
		{ "{\"error\": \"not\\nthis \\u00e9\", \"field\": \"data[3]\"}", "not?this \xc3\xa9" },
		{ "{\"error\": \"\"}", "?" },
		{ "{\"Error\": \"no\"}", "" },
		{ "{\"error\": 1}", "" },
		{ "{\"error\": null}", "" },
		{ "{\"error\": [\"no\"]}", "" },
		{ "{\"error\": \"cut", "" },
		{ "[{\"error\": \"no\"}]", "" },
		{ "\"error\"", "" },
		{ "<html>error</html>", "" },
		{ "", "" },
	};
	char sentence[WIRE_NAME_SIZE];
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		strcpy(sentence, "untouched");
		wire_read_error(cases[i].body, strlen(cases[i].body), sentence);
		if (strcmp(sentence, cases[i].sentence) != 0)
			fail_msg("%s: '%s'", cases[i].body, sentence);
	}
	wire_read_error(NULL, 0, sentence);
	assert_string_equal(sentence, "");
}

static void test_wire_read_error_long_sentence_is_cut(void **state)
{
	(void)state;
	char body[1024] = "{\"error\": \"", sentence[WIRE_NAME_SIZE];
	size_t start = strlen(body);
	memset(body + start, 'x', 600);
	strcpy(body + start + 600, "\"}");
	wire_read_error(body, strlen(body), sentence);
	assert_int_equal(strlen(sentence), WIRE_NAME_MAX);
	assert_int_equal(strspn(sentence, "x"), WIRE_NAME_MAX);
	wire_read_error(body, start + 600, sentence); /* no more than its length is read */
	assert_string_equal(sentence, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wire_resource_names_parse_back),
		cmocka_unit_test(test_wire_color_names_parse_back),
		cmocka_unit_test(test_wire_parse_unknown_words_leave_the_output),
		cmocka_unit_test(test_wire_utf8_check_edges_are_told),
		cmocka_unit_test(test_wire_utf8_check_every_code_point_is_told),
		cmocka_unit_test(test_wire_utf8_check_nothing_is_valid),
		cmocka_unit_test(test_wire_clean_name_is_clean),
		cmocka_unit_test(test_wire_clean_name_every_control_is_replaced),
		cmocka_unit_test(test_wire_clean_name_long_is_cut_between_characters),
		cmocka_unit_test(test_wire_clean_name_random_bytes_give_a_stable_name),
		cmocka_unit_test(test_wire_ip_parse_addresses_become_canonical),
		cmocka_unit_test(test_wire_ip_parse_nonsense_leaves_the_output),
		cmocka_unit_test(test_wire_read_error_sentence_is_clean),
		cmocka_unit_test(test_wire_read_error_long_sentence_is_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
