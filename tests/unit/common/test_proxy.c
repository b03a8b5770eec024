#include "tests/unit/support/cmocka.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/proxy.h"

static const char *const variables[] = { "http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY",
	                                 "all_proxy",  "ALL_PROXY",  "no_proxy",    "NO_PROXY" };

static void forget_environment(void)
{
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
}

/* "name=value name=value" */
static void set_environment(const char *words)
{
	char copy[256], *rest = copy, *word;
	forget_environment();
	strncpy(copy, words, sizeof(copy) - 1);
	copy[sizeof(copy) - 1] = '\0';
	while (word = strsep(&rest, " "), word) {
		char *value = strchr(word, '=');
		if (!value)
			continue;
		*value++ = '\0';
		assert_int_equal(setenv(word, value, 1), 0);
	}
}

static void test_proxy_choose_setting_environment_and_url(void **state)
{
	(void)state;
	static const struct {
		const char *setting, *environment, *url, *proxy;
	} cases[] = {
		{ NULL, "", "http://h/", "" },
		{ "environment", "", "https://h/", "" },
		{ NULL, "http_proxy=http://p:1", "http://h/", "http://p:1" },
		{ "environment", "http_proxy=http://p:1", "HTTP://h/", "http://p:1" },
		{ "environment", "http_proxy=p:1 https_proxy=q:1", "https://h/", "q:1" },
		{ "environment", "HTTP_PROXY=p:1", "http://h/", "" }, /* a header of a client's, to a CGI program */
		{ "environment", "HTTPS_PROXY=q:1", "https://h/", "q:1" },
		{ "environment", "https_proxy= HTTPS_PROXY=q:1", "https://h/", "q:1" },
		{ "environment", "ALL_PROXY=socks5h://a:1", "http://h/", "socks5h://a:1" },
		{ "environment", "all_proxy=b:1 ALL_PROXY=a:1", "https://h/", "b:1" },
		{ "environment", "http_proxy=p:1 ALL_PROXY=a:1", "http://h/", "p:1" },
		{ "none", "http_proxy=p:1", "http://h/", "" },
		{ "http://own:1", "http_proxy=p:1 no_proxy=*", "http://h/", "http://own:1" },
		{ "http://own:1", "", "https://h/", "http://own:1" },

		{ "environment", "http_proxy=p:1", "http://127.0.0.1:8000/", "" },
		{ "environment", "ALL_PROXY=p:1", "http://[::1]/", "" },
		{ "environment", "ALL_PROXY=p:1", "https://localhost/", "" },
		{ "http://own:1", "", "http://vigie.localhost/", "" },
		{ "http://own:1", "", "http://[::ffff:127.0.0.1]/", "" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		set_environment(cases[i].environment);
		const char *proxy = proxy_choose(cases[i].setting, cases[i].url);
		if (strcmp(proxy, cases[i].proxy) != 0)
			fail_msg("case %zu, %s with %s: '%s'", i, cases[i].url, cases[i].environment, proxy);
	}
	forget_environment();
}

static void test_proxy_choose_no_proxy_names_hosts(void **state)
{
	(void)state;
	static const struct {
		const char *no_proxy, *host;
		bool named;
	} cases[] = {
		{ "", "h", false },
		{ "*", "h", true },
		{ "a,*", "h", false },
		{ "h", "h", true },
		{ "H.", "h", true },
		{ "a, b,h", "h", true },
		{ "a b h", "h", true },
		{ ",,h", "h.", true },
		{ "example.org", "a.example.org", true },
		{ ".example.org", "a.Example.org", true },
		{ ".example.org", "example.org", true },
		{ "example.org", "xexample.org", false },
		{ "a.example.org", "example.org", false },
		{ ".", "h", false },
		{ "10.1.2.3", "10.1.2.3", true },
		{ "10.1.2.3", "0xa010203", true },
		{ "1.2.3", "10.1.2.3", false },
		{ ".3", "10.1.2.3", false },
		{ "10.1.0.0/16", "10.1.2.3", true },
		{ "10.1.2.0/23", "10.1.3.3", true },
		{ "10.1.2.0/23", "10.1.4.3", false },
		{ "10.1.2.3/32", "10.1.2.3", true },
		{ "10.1.2.3/33", "10.1.2.3", false },
		{ "10.1.2.4/x", "10.1.2.3", false },
		{ "::/1", "10.1.2.3", false },
		{ "2001:db8::1", "[2001:DB8:0::1]", true },
		{ "2001:db8::/32", "[2001:db8:9::1]", true },
		{ "2001:db8::/32", "[2001:db9::1]", false },
		{ "10.0.0.0/8", "[2001:db8::1]", false },
	};
	char url[64];
	forget_environment();
	assert_int_equal(setenv("http_proxy", "p:1", 1), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(url, sizeof(url), "http://%s:8000/x", cases[i].host);
		for (int upper = 0; upper < 2; upper++) {
			unsetenv("no_proxy");
			assert_int_equal(setenv(upper ? "NO_PROXY" : "no_proxy", cases[i].no_proxy, 1), 0);
			if ((proxy_choose("environment", url)[0] == '\0') != cases[i].named)
				fail_msg("'%s' and %s", cases[i].no_proxy, url);
			unsetenv("NO_PROXY");
		}
	}
	forget_environment();
}

static void test_proxy_check_says_what_is_wrong_without_the_value(void **state)
{
	(void)state;
	static const char *const right[] = {
		"environment", "none", "http://p:3128", "http://p:3128/", "https://user:secret@p", "socks4://10.0.0.1:1080",
		"socks4a://p:1080", "SOCKS5://[2001:db8::1]:1080", "socks5h://127.0.0.1:1080",
	};
	static const struct {
		const char *setting, *fault; /* "": in libcurl's words */
	} wrong[] = {
		{ "", "it begins with none of " },
		{ "Environment", "it begins with none of " },
		{ "off", "it begins with none of " },
		{ "user:secret@p:3128", "it begins with none of " },
		{ "ftp://secret@p", "it begins with none of " },
		{ "http://", "it has no host" },
		{ "http://:3128", "it has no host" },
		{ "http://@p", "it has no user before its @" },
		{ "http://p:3128/secret", "it has more than a host and a port" },
		{ "http://p:3128?secret", "it has more than a host and a port" },
		{ "http://user:se/cret@p:3128", "it has more than a host and a port" },
		{ "http://p :3128", "it has more than printable ASCII" },
		{ "http://p:0", "Port 0 cannot be connected to" },
		{ "http://user:secret@p:99999", "" },
	};
	struct text error = TEXT_EMPTY;
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		if (proxy_check("[alert] proxy", right[i], &error) != 0)
			fail_msg("'%s': %s", right[i], error.data);
		assert_int_equal(error.length, 0);
	}
	assert_int_equal(proxy_check("[alert] proxy", NULL, &error), 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		static const char start[] = "[alert] proxy: it is neither environment nor none nor the URL of a proxy: ";
		assert_int_equal(proxy_check("[alert] proxy", wrong[i].setting, &error), -EINVAL);
		if (strncmp(error.data, start, strlen(start)) != 0 || !error.data[strlen(start)] ||
		    strncmp(error.data + strlen(start), wrong[i].fault, strlen(wrong[i].fault)) != 0 || strstr(error.data, "secret"))
			fail_msg("'%s': %s", wrong[i].setting, error.data);
		text_reset(&error);
	}
	text_free(&error);
}

static void test_proxy_append_masked_neither_user_nor_password(void **state)
{
	(void)state;
	static const struct {
		const char *proxy, *shown;
	} cases[] = {
		{ "http://p:3128", "http://p:3128" },
		{ "p:3128", "p:3128" },
		{ "http://user:secret@p:3128/", "http://p:3128/" },
		{ "socks5h://user@p", "socks5h://p" },
		{ "user:secret@p:3128", "p:3128" },
		{ "http://user:s@e/c@ret@p", "http://p" },
		{ "", "" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct text text = TEXT_EMPTY;
		text_append_string(&text, "");
		proxy_append_masked(&text, cases[i].proxy);
		assert_string_equal(text.data, cases[i].shown);
		text_free(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_proxy_choose_setting_environment_and_url),
		cmocka_unit_test(test_proxy_choose_no_proxy_names_hosts),
		cmocka_unit_test(test_proxy_check_says_what_is_wrong_without_the_value),
		cmocka_unit_test(test_proxy_append_masked_neither_user_nor_password),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
