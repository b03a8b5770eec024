#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "collector/uplink.h"

static void test_uplink_check_url_and_ip_are_looked_at(void **state)
{
	(void)state;
	static const struct {
		const char *url, *ip;
		bool right;
	} cases[] = {
		{ "http://127.0.0.1:8000/ressources-usage/", "", true },
		{ "https://example.org", "10.0.0.5", true },
		{ "http://[::1]:8000/x", "::1", true },
		{ "http://localhost/", "10-0-0-5", true },
		{ "", "", false },
		{ "127.0.0.1:8000", "", false },
		{ "ftp://127.0.0.1/", "", false },
		{ "http://", "", false },
		{ "http:///x", "", false },
		{ "http://:80/", "", false },
		{ "http://a b/", "", false },
		{ "http://a/?x=1", "", false },
		{ "http://localhost/", "10.0.0", false },
		{ "http://localhost/", "host", false },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct text error = TEXT_EMPTY;
		struct config wanted = { 0 };
		wanted.collector.url = (char *)(uintptr_t)cases[i].url;
		wanted.collector.ip = (char *)(uintptr_t)cases[i].ip;
		if ((uplink_check(&wanted, &error) == 0) != cases[i].right)
			fail_msg("url '%s', ip '%s'", cases[i].url, cases[i].ip);
		assert_true((error.length == 0) == cases[i].right);
		text_free(&error);
	}
}

/* Nothing listens on port 1. */
static void test_uplink_greet_no_server_is_told(void **state)
{
	(void)state;
	char *overrides[] = { (char *)(uintptr_t)"collector.url=http://127.0.0.1:1/x" };
	struct text error = TEXT_EMPTY;
	struct config *config;
	struct uplink *uplink;
	struct server_clock clock = { 0 };
	assert_int_equal(config_load(NULL, overrides, 1, &config, &error), 0);
	assert_int_equal(uplink_open(config, &clock, &uplink), 0);
	assert_string_equal(uplink_url(uplink), "http://127.0.0.1:1/x/");
	assert_false(uplink_greet(uplink, 1000));
	assert_non_null(strstr(uplink_describe(uplink), "GET http://127.0.0.1:1/x/health: Failed to connect"));
	uplink_close(uplink);
	config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uplink_check_url_and_ip_are_looked_at),
		cmocka_unit_test(test_uplink_greet_no_server_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
