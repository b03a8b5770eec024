/* common/client.h; its requests are tested through alert/uplink.h */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/temporary_folder.h"

#include <errno.h>
#include <stdio.h>
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
	char folder[TEMPORARY_FOLDER_SIZE], path[TEMPORARY_FOLDER_SIZE + 16];
	temporary_folder_make(folder);
	snprintf(path, sizeof(path), "%s/token", folder);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct text token = TEXT_EMPTY, error = TEXT_EMPTY;
		if (cases[i].content)
			temporary_file_write(path, cases[i].content);
		else
			unlink(path);
		assert_int_equal(client_read_token("alert", path, &token, &error), cases[i].result);
		if (cases[i].result) {
			assert_non_null(strstr(error.data, cases[i].token));
			assert_non_null(strstr(error.data, path));
		} else {
			assert_string_equal(token.data, cases[i].token);
			assert_null(error.data);
		}
		text_free(&token);
		text_free(&error);
	}
	temporary_folder_remove(folder);
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
