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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_glob_pass_piece_counts_the_shortest_match),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
