#include "tests/unit/support/cmocka.h"

#include <fnmatch.h>
#include <string.h>

#include "common/glob.h"

/* How many bytes a name has at least that the pattern matches. */
static size_t least_of(const char *glob)
{
	size_t bytes = 0, least;
	for (const char *at = glob; *at; bytes += least)
		at = glob_pass_piece(at, &least);
	return bytes;
}

static void test_glob_pass_piece_counts_the_shortest_match(void **state)
{
	(void)state;
	static const struct {
		const char *glob, *shortest; /* what it matches */
	} cases[] = {
		{ "", "" },
		{ "*", "" },
		{ "java", "java" },
		{ "j?v*a", "java" },
		{ "[jk]ava*", "java" },
		{ "[!k]ava", "java" },
		{ "[^k]ava", "java" },
		{ "[]x]", "]" },
		{ "[!]]", "x" },
		{ "[[:alpha:]]ava", "java" },
		{ "[![:digit:]x-]", "j" },
		{ "[[.-.]]", "-" },
		{ "[[=a=]b]", "a" },
		{ "[[:]", ":" },
		{ "[[", "[[" },
		{ "[[x]", "[" },
		{ "[[:x:y]", "y" },
		{ "[\\]]", "]" },
		{ "[ab", "[ab" },
		{ "a[", "a[" },
		{ "\\*\\[", "*[" },
		{ "\\java", "java" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (fnmatch(cases[i].glob, cases[i].shortest, 0) != 0 || least_of(cases[i].glob) != strlen(cases[i].shortest))
			fail_msg("%s: %zu for %s", cases[i].glob, least_of(cases[i].glob), cases[i].shortest);
	}
}

/* It matches nothing; what is behind the string is not looked at. */
static void test_glob_pass_piece_backslash_at_the_end_is_the_last(void **state)
{
	(void)state;
	static const char *const globs[] = { "\\", "a\\", "[\\", "[a\\" };
	for (size_t i = 0; i < sizeof(globs) / sizeof(globs[0]); i++) {
		const char *at = globs[i];
		for (size_t least, pieces = strlen(at); pieces > 0; pieces--)
			at = glob_pass_piece(at, &least);
		assert_ptr_equal(at, globs[i] + strlen(globs[i]));
	}
}

static void test_glob_read_address_is_as_addresses_are_written(void **state)
{
	(void)state;
	static const struct {
		const char *value, *expected; /* NULL: no address can be it */
	} cases[] = {
		{ "10.0.0.1", "10.0.0.1" },
		{ "::FFFF:10.0.0.1", "10.0.0.1" },
		{ "2001:DB8:0::1", "2001:db8::1" },
		{ "10.0.0.*", "10.0.0.*" },
		{ "10.0.0.[12]", "10.0.0.[12]" },
		{ "2001:DB8::?", "2001:db8::?" },
		{ "::ffff:10.0.0.*", "10.0.0.*" },
		{ "::FFFF:*", "::ffff:*" },
		{ "*", "*" },
		{ "10.0.0", NULL },
		{ "example.*", NULL },
		{ "10.0.0.[1", NULL },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char value[32];
		strcpy(value, cases[i].value);
		assert_int_equal(glob_read_address(value), cases[i].expected != NULL);
		assert_string_equal(value, cases[i].expected ? cases[i].expected : cases[i].value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_glob_pass_piece_counts_the_shortest_match),
		cmocka_unit_test(test_glob_pass_piece_backslash_at_the_end_is_the_last),
		cmocka_unit_test(test_glob_read_address_is_as_addresses_are_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
