/* common/client.h; its requests are tested through alert/server.h */
#include "tests/unit/support/cmocka.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/client.h"

static void test_client_read_token_first_line_of_its_file(void **state)
{
	(void)state;
	static const struct {
		const char *content; /* NULL: there is no file */
		int result;
		const char *token; /* or a part of the sentence */
	} cases[] = {
		{ "secret\n", 0, "secret" }, { " secret \nnext\n", 0, "secret" }, { "", -EINVAL, "holds no token" },
		{ "\n", -EINVAL, "holds no token" }, { NULL, -ENOENT, "No such file" },
	};
	char path[] = "/tmp/vigie-token.XXXXXX";
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct text token = TEXT_EMPTY, error = TEXT_EMPTY;
		strcpy(path, "/tmp/vigie-token.XXXXXX");
		int fd = mkstemp(path);
		assert_true(fd >= 0);
		if (cases[i].content)
			assert_int_equal(write(fd, cases[i].content, strlen(cases[i].content)), strlen(cases[i].content));
		close(fd);
		if (!cases[i].content)
			unlink(path);
		assert_int_equal(client_read_token("alert", path, &token, &error), cases[i].result);
		if (cases[i].result) {
			assert_non_null(strstr(error.data, cases[i].token));
			assert_non_null(strstr(error.data, path));
		} else {
			assert_string_equal(token.data, cases[i].token);
			assert_null(error.data);
		}
		unlink(path);
		text_free(&token);
		text_free(&error);
	}
	struct text token = TEXT_EMPTY, error = TEXT_EMPTY;
	assert_int_equal(client_read_token("alert", "", &token, &error), 0);
	assert_string_equal(token.data, "");
	text_free(&token);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_client_read_token_first_line_of_its_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
