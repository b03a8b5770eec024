#include "tests/unit/support/cmocka.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "common/url.h"

static const struct {
	const char *url;
	const char *fault; /* how the sentence ends; NULL: it is right; "": in libcurl's words */
} cases[] = {
	{ "http://127.0.0.1:8000/ressources-usage/", NULL },
	{ "https://vigie.example/ressources-usage", NULL },
	{ "http://localhost", NULL },
	{ "HTTP://x/", NULL },
	{ "hTTpS://X.example", NULL },
	{ "http://vminsert:8480/insert/0/influx", NULL },
	{ "http://a_host-1.example./a,b;c=d/%C3%A9/~x", NULL },
	{ "http://xn--9ca.org/", NULL },
	{ "http://h:1/", NULL },
	{ "http://h:65535/", NULL },
	{ "http://h:/", NULL },
	{ "http://[::1]:8000/", NULL },
	{ "http://[2001:db8::1]", NULL },
	{ "http://[::ffff:10.0.0.5]/", NULL },
	{ "http://user@h/", NULL },
	{ "http://user:pass%40word@h:8000/x", NULL },

	{ "", "it begins with neither" },
	{ "nowhere", "it begins with neither" },
	{ "127.0.0.1:8000", "it begins with neither" },
	{ "//x/", "it begins with neither" },
	{ "ftp://x/", "it begins with neither" },
	{ "file:///etc/passwd", "it begins with neither" },
	{ "http", "it begins with neither" },
	{ "http:x", "it begins with neither" },
	{ "http:/x", "it begins with neither" },
	{ "https:/x/", "it begins with neither" },
	{ " http://x/", "it begins with neither" },

	{ "http://\xc3\xa9.org/", "it has more than printable ASCII" },
	{ "http://\xe9.org/", "it has more than printable ASCII" },
	{ "http://h/\xc3\xa9", "it has more than printable ASCII" },
	{ "http://a b/", "it has more than printable ASCII" },
	{ "http://h/a b", "it has more than printable ASCII" },
	{ "http://h/ ", "it has more than printable ASCII" },
	{ "http://h/\n", "it has more than printable ASCII" },
	{ "http://h\t/", "it has more than printable ASCII" },
	{ "http://h/\x7f", "it has more than printable ASCII" },

	{ "http://x/?q", "it has a query or a fragment" },
	{ "http://x?q", "it has a query or a fragment" },
	{ "http://x/#f", "it has a query or a fragment" },

	{ "http://", "it has no host" },
	{ "https://", "it has no host" },
	{ "http:///x", "it has no host" },
	{ "https:////x", "it has no host" },
	{ "http://:80/", "it has no host" },
	{ "http://:password@x/", "it has no host" },
	{ "http://@x/", "it has no user before its @" },
	{ "http://@/", "it has no user before its @" },
	{ "http://u@/", "" },
	{ "http://u:p@:80/", "" },

	{ "http://::1/", "" },
	{ "http://[::1/", "" },
	{ "http://[]/", "" },
	{ "http://[x]/", "" },
	{ "http://h:0/", "Port 0 cannot be connected to" },
	{ "http://h:00/", "Port 0 cannot be connected to" },
	{ "http://h:65536/", "" },
	{ "http://h:99999/", "" },
	{ "http://h:-1/", "" },
	{ "http://h:80x/", "" },
	{ "http://h:80:81/", "" },
	{ "http://a,b/", "" },
	{ "http://*/", "" },
	{ "http://h\\x/", "" },
	{ "http://<h>/", "" },
	{ "http://%20/", "" },
};

static void check_cases(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct text error = TEXT_EMPTY;
		char start[128];
		int result = url_check("x.url", cases[i].url, &error);
		if (result != (cases[i].fault ? -EINVAL : 0))
			fail_msg("%s: %d, %s", cases[i].url, result, error.data ? error.data : "no sentence");
		snprintf(start, sizeof(start), "x.url: '%s' is no http:// or https:// URL: ", cases[i].url);
		if (!cases[i].fault) {
			assert_int_equal(error.length, 0);
		} else {
			assert_memory_equal(error.data, start, strlen(start));
			assert_true(error.length > strlen(start));
			if (cases[i].fault[0])
				assert_string_equal(error.data + strlen(start), cases[i].fault);
		}
		text_free(&error);
	}
}

/* The collector has set its locale, the others have not. */
static void test_url_check_table_in_any_locale(void **state)
{
	(void)state;
	check_cases();
	assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
	check_cases();
	setlocale(LC_CTYPE, "C");
}

static void test_url_is_loopback_hosts_that_are_this_machine_by_their_word(void **state)
{
	(void)state;
	static const struct {
		const char *url;
		bool loopback;
	} hosts[] = {
		{ "http://127.0.0.1:8000/x", true },
		{ "https://127.255.1.2/", true },
		{ "http://127.1/", true }, /* as libcurl takes it */
		{ "http://0x7f000001/", true },
		{ "http://0.0.0.0:8000/", true },
		{ "http://[::1]:8000/", true },
		{ "http://[0:0:0:0:0:0:0:1]/", true },
		{ "http://[::]/", true },
		{ "http://[::ffff:127.0.0.1]/", true },
		{ "http://[::ffff:7f00:2]/", true },
		{ "http://localhost/", true },
		{ "HTTP://LocalHost:1/", true },
		{ "http://localhost./", true },
		{ "http://vigie.localhost/", true },
		{ "http://user:password@localhost/", true },
		{ "http://localhost@10.0.0.1/", false },
		{ "http://128.0.0.1/", false },
		{ "http://10.127.0.1/", false },
		{ "http://[::ffff:10.0.0.1]/", false },
		{ "http://[::2]/", false },
		{ "http://[2001:db8::127]/", false },
		{ "http://localhost.example/", false },
		{ "http://notlocalhost/", false },
		{ "http://127.example/", false },
		{ "http://vigie.example/127.0.0.1", false },
		{ "http://vigie.example/http://localhost/", false },
	};
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		if (url_is_loopback(hosts[i].url) != hosts[i].loopback)
			fail_msg("%s: %d is not expected", hosts[i].url, !hosts[i].loopback);
	}
	assert_true(url_host_is_loopback("::1"));
	assert_true(url_host_is_loopback("127.0.0.1"));
	assert_false(url_host_is_loopback("10.0.0.1"));
	assert_false(url_host_is_loopback(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_url_check_table_in_any_locale),
		cmocka_unit_test(test_url_is_loopback_hosts_that_are_this_machine_by_their_word),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
