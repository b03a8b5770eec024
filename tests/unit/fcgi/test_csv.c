/* fcgi/csv.h */
#include "tests/unit/support/cmocka.h"

#include <stdio.h>
#include <string.h>

#include "fcgi/csv.h"

static void assert_row(struct csv *csv, const char *expected)
{
	csv_end_row(csv);
	assert_string_equal(csv->text->data, expected);
	text_free(csv->text);
}

static void test_csv_begin_writes_the_columns(void **state)
{
	(void)state;
	struct text text = TEXT_EMPTY;
	struct csv csv;
	csv_begin(&csv, &text, "time,value");
	csv_append_time(&csv, true, 0);
	csv_append_number(&csv, true, 0.5);
	assert_row(&csv, "time,value\r\n1970-01-01T00:00:00.000Z,0.5\r\n");
}

static void test_csv_append_name_is_quoted_and_is_no_formula(void **state)
{
	(void)state;
	static const struct {
		const char *name, *expected;
	} cases[] = {
		{ "bash", "bash" },
		{ NULL, "" },
		{ "", "" },
		{ "a b", "a b" },
		{ "a,b", "\"a,b\"" },
		{ "a;b", "\"a;b\"" }, /* a spreadsheet that splits at commas may do so at these, too */
		{ "a;=1+1", "\"a;=1+1\"" },
		{ "a\t=1+1", "\"a\t=1+1\"" },
		{ "\"", "\"\"\"\"" },
		{ "a\"b\"\"c", "\"a\"\"b\"\"\"\"c\"" },
		{ "a\nb", "\"a\nb\"" },
		{ "a\rb", "\"a\rb\"" },
		{ "caf\xc3\xa9", "caf\xc3\xa9" },
		{ "=1+1", "'=1+1" },
		{ "+1", "'+1" },
		{ "-bash", "'-bash" },
		{ "@SUM(A1)", "'@SUM(A1)" },
		{ "'", "''" },
		{ "'=1", "''=1" },
		{ "\t=1", "\"'\t=1\"" }, /* what a hostname may begin with, and a spreadsheet take away */
		{ "\r=1", "\"'\r=1\"" },
		{ "\n=1", "\"'\n=1\"" },
		{ "a=1", "a=1" },
		{ "(sd-pam)", "(sd-pam)" },
		{ "\xef\xbc\x9d" "1", "'\xef\xbc\x9d" "1" },
		{ "\xef\xbc\xa0x", "'\xef\xbc\xa0x" },
		{ "\xef\xbc\xa1x", "\xef\xbc\xa1x" },
		{ "=HYPERLINK(\"http://x\",\"y\")", "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\"" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct text text = TEXT_EMPTY;
		char expected[128];
		struct csv csv;
		csv_begin(&csv, &text, "n,i");
		csv_append_name(&csv, cases[i].name);
		csv_append_words(&csv, "x");
		snprintf(expected, sizeof(expected), "n,i\r\n%s,x\r\n", cases[i].expected);
		assert_row(&csv, expected);
	}
}

static void test_csv_append_time_is_what_the_clock_writes(void **state)
{
	(void)state;
	static const int64_t times_ms[] = {
		0, 999, 1000, 86399999, 86400000, -1, -86400000, -86400001, 951782400000, 951868799999, 1795356878100, 4102444799999,
		7258118400000, 253402300799000, 1795356878100, 1795356878101, 1795400000000,
	};
	struct csv csv;
	struct text text = TEXT_EMPTY;
	csv_begin(&csv, &text, "");
	for (size_t i = 0; i < sizeof(times_ms) / sizeof(times_ms[0]); i++) {
		char expected[CLOCK_RFC3339_SIZE + 4], written[CLOCK_RFC3339_SIZE];
		clock_format_rfc3339(times_ms[i], written);
		snprintf(expected, sizeof(expected), "%s\r\n", written);
		text_reset(&text);
		csv_append_time(&csv, true, times_ms[i]);
		csv_end_row(&csv);
		assert_string_equal(text.data, expected);
	}
	text_free(&text);
}

static void test_csv_append_what_is_not_known_is_empty(void **state)
{
	(void)state;
	struct csv csv;
	struct text text = TEXT_EMPTY;
	csv_begin(&csv, &text, "a,b,c,d");
	csv_append_time(&csv, false, 1);
	csv_append_number(&csv, false, 2);
	csv_append_time(&csv, true, 253402300800000);
	csv_append_number(&csv, true, -1.25);
	assert_row(&csv, "a,b,c,d\r\n,,,-1.25\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_csv_begin_writes_the_columns),
		cmocka_unit_test(test_csv_append_name_is_quoted_and_is_no_formula),
		cmocka_unit_test(test_csv_append_time_is_what_the_clock_writes),
		cmocka_unit_test(test_csv_append_what_is_not_known_is_empty),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
