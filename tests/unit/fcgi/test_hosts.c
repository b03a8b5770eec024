/* fcgi/hosts.h */
#include "tests/unit/support/cmocka.h"

#include <string.h>
#include <unistd.h>

#include "fcgi/hosts.h"

static char *own[] = { "monitor.example", "*.fleet.example" };
static const struct config_list globs = { .values = own, .count = sizeof(own) / sizeof(own[0]) };

static void test_hosts_know_headers_of_every_form(void **state)
{
	(void)state;
	static const struct {
		const char *header;
		bool known;
	} cases[] = {
		{ "", true },
		{ "127.0.0.1", true },
		{ "10.0.0.5:8000", true },
		{ "[::1]", true },
		{ "[2001:db8::1]:80", true },
		{ "localhost", true },
		{ "LOCALHOST:8000", true },
		{ "localhost.", true },
		{ "monitor.example", true },
		{ "Monitor.Example.:1", true },
		{ "a.fleet.example", true },
		{ "a.b.fleet.example:8000", true },
		{ "evil.example", false },
		{ "fleet.example", false },
		{ "monitor.example.evil", false },
		{ "127.0.0.1.evil.example", false },
		{ "1.2.3", false },
		{ "1.2.3.256", false },
		{ "::1", false },
		{ "[::1", false },
		{ "[::1]x", false },
		{ "[127.0.0.1]", false },
		{ "[localhost]", false },
		{ "localhost:x", false },
		{ ":80", false },
		{ ".", false },
		{ "[]", false },
		{ "[", false },
		{ "*", false },
	};
	struct hosts *hosts = hosts_open(&globs);
	assert_non_null(hosts);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (hosts_know(hosts, cases[i].header) != cases[i].known)
			fail_msg("'%s'", cases[i].header);
	}
	hosts_close(hosts);
}

static void test_hosts_know_own_names_and_none_that_is_too_long(void **state)
{
	(void)state;
	char name[300] = "";
	struct hosts *hosts = hosts_open(&(struct config_list){ 0 });
	assert_non_null(hosts);
	assert_int_equal(gethostname(name, sizeof(name) - 1), 0);
	assert_true(hosts_know(hosts, name));
	name[strcspn(name, ".")] = '\0';
	assert_true(hosts_know(hosts, name));
	assert_false(hosts_know(hosts, "monitor.example"));
	hosts_close(hosts);

	char *any[] = { "*" };
	hosts = hosts_open(&(struct config_list){ .values = any, .count = 1 });
	assert_non_null(hosts);
	assert_true(hosts_know(hosts, "evil.example"));
	memset(name, 'x', sizeof(name) - 1);
	assert_false(hosts_know(hosts, name));
	hosts_close(hosts);
	hosts_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hosts_know_headers_of_every_form),
		cmocka_unit_test(test_hosts_know_own_names_and_none_that_is_too_long),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
