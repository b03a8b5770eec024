/* common/trouble.h */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/captured_stderr.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/trouble.h"

static void test_trouble_watch_says_when_it_begins_and_when_it_ends(void **state)
{
	(void)state;
	struct trouble trouble = { .operation = "asking" };
	static const struct {
		int result;
		const char *reason, *expected; /* NULL: nothing is said */
	} cases[] = {
		{ 0, NULL, NULL },
		{ -ENOSPC, NULL, " error: asking fails: No space left on device\n" },
		{ -ENOSPC, NULL, NULL },
		{ -EIO, "another reason", NULL },
		{ 0, "not a failure", " info: asking works again\n" },
		{ 0, NULL, NULL },
		{ -EIO, "the disk", " error: asking fails: the disk\n" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		captured_stderr_begin();
		trouble_watch(&trouble, cases[i].result, cases[i].reason);
		assert_int_equal(captured_stderr_end(), cases[i].expected != NULL);
		if (cases[i].expected)
			assert_non_null(strstr(captured_stderr_text(), cases[i].expected));
		assert_int_equal(trouble.present, cases[i].result != 0);
	}
}

int main(void)
{
	log_init("vigie-test");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trouble_watch_says_when_it_begins_and_when_it_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
