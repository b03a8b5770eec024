/* common/client.h; its requests are tested through alert/uplink.h */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

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

static void test_client_check_url_table(void **state)
{
	(void)state;
	static const struct {
		const char *url;
		int expected;
	} cases[] = {
		{ "http://127.0.0.1:8000/ressources-usage/", 0 },
		{ "https://vigie.example/ressources-usage", 0 },
		{ "http://[::1]:8000/", 0 },
		{ "", -EINVAL },
		{ "127.0.0.1:8000", -EINVAL },
		{ "ftp://127.0.0.1/", -EINVAL },
		{ "http://", -EINVAL },
		{ "http:///ressources-usage/", -EINVAL },
		{ "http://:8000/", -EINVAL },
		{ "http://a b/", -EINVAL },
		{ "http://a/?x=", -EINVAL },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct text error = TEXT_EMPTY;
		if (client_check_url("alert", cases[i].url, &error) != cases[i].expected)
			fail_msg("%s", cases[i].url);
		assert_int_equal(error.length > 0, cases[i].expected != 0);
		text_free(&error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_client_read_token_first_line_of_its_file),
		cmocka_unit_test(test_client_check_url_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
