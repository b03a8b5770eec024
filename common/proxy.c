#include "common/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/http.h"
#include "common/url.h"

static const char *const schemes[] = { "http://", "https://", "socks4://", "socks4a://", "socks5://", "socks5h://" };

/* What is wrong with the URL of a proxy; NULL: nothing. */
static const char *fault_of(const char *url)
{
	size_t scheme = 0;
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]) && !scheme; i++) {
		if (strncasecmp(url, schemes[i], strlen(schemes[i])) == 0)
			scheme = strlen(schemes[i]);
	}
	if (!scheme)
		return "it begins with none of http://, https://, socks4://, socks4a://, socks5:// and socks5h://";
	size_t host = strcspn(url + scheme, "/?#");
	if (strcmp(url + scheme + host, "") != 0 && strcmp(url + scheme + host, "/") != 0)
		return "it has more than a host and a port";
	return url_fault(url, scheme);
}

int proxy_check(const char *name, const char *setting, struct text *ret_error)
{
	if (!setting || strcmp(setting, "environment") == 0 || strcmp(setting, "none") == 0)
		return 0;
	const char *fault = fault_of(setting);
	if (!fault)
		return 0;
	text_printf(ret_error, "%s: it is neither environment nor none nor the URL of a proxy: %s", name, fault);
	return -EINVAL;
}

/* The first of some variables that is there and not empty; "": none. */
static const char *variable(const char *const names[])
{
	for (; *names; names++) {
		const char *value = getenv(*names);
		if (value && value[0])
			return value;
	}
	return "";
}

/* Of an address; 0: it is none. */
static size_t parse_address(int family, const char *string, unsigned char ret_bytes[static 16])
{
	return inet_pton(family, string, ret_bytes) == 1 ? family == AF_INET ? 4 : 16 : 0;
}

/* Whether an address is that of the entry, or in its network: "10.0.0.0/8". */
static bool is_in_network(int family, const char *address, const char *entry)
{
	unsigned char bytes[16], network[16];
	char start[64];
	size_t length = strcspn(entry, "/");
	if (length >= sizeof(start))
		return false;
	memcpy(start, entry, length);
	start[length] = '\0';
	size_t size = parse_address(family, address, bytes);
	if (!size || parse_address(family, start, network) != size)
		return false;
	size_t bits = entry[length] ? strtoul(entry + length + 1, NULL, 10) : 0;
	if (bits == 0)
		bits = size * 8;
	if (bits > size * 8 || memcmp(bytes, network, bits / 8) != 0)
		return false;
	return bits % 8 == 0 || ((bytes[bits / 8] ^ network[bits / 8]) >> (8 - bits % 8)) == 0;
}

/* Whether a name is that of the entry, or one below it: "example.org" is for "a.example.org" as well, and
 * ".example.org" is the same entry. */
static bool is_below(const char *host, const char *entry)
{
	size_t host_length = strlen(host), length;
	if (entry[0] == '.')
		entry++;
	length = strlen(entry);
	if (host_length && host[host_length - 1] == '.')
		host_length--;
	if (length && entry[length - 1] == '.')
		length--;
	if (!length || length > host_length || strncasecmp(host + host_length - length, entry, length) != 0)
		return false;
	return length == host_length || host[host_length - length - 1] == '.';
}

/* Whether no_proxy names the host, whose IPv6 address is in brackets. */
static bool is_excepted(const char *host)
{
	const char *list = variable((const char *const[]){ "no_proxy", "NO_PROXY", NULL });
	char address[64], entry[256];
	unsigned char bytes[16];
	bool ipv6 = host[0] == '[';
	if (strcmp(list, "*") == 0)
		return true;
	strncpy(address, ipv6 ? host + 1 : host, sizeof(address) - 1);
	address[sizeof(address) - 1] = '\0';
	address[strcspn(address, "]")] = '\0';
	int family = ipv6 ? AF_INET6 : parse_address(AF_INET, address, bytes) ? AF_INET : AF_UNSPEC;
	while (list += strspn(list, ", \t"), *list) {
		size_t length = strcspn(list, ", \t");
		size_t kept = length < sizeof(entry) ? length : 0; /* no name is longer */
		memcpy(entry, list, kept);
		entry[kept] = '\0';
		if (family == AF_UNSPEC ? is_below(host, entry) : is_in_network(family, address, entry))
			return true;
		list += length;
	}
	return false;
}

static const char *from_environment(const char *url)
{
	/* Not HTTP_PROXY: to a CGI program that is a header of the client's. */
	static const char *const plain[] = { "http_proxy", "all_proxy", "ALL_PROXY", NULL };
	static const char *const encrypted[] = { "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", NULL };
	const char *proxy = variable(strncasecmp(url, "https:", 6) == 0 ? encrypted : plain);
	struct text host = TEXT_EMPTY;
	if (proxy[0] && http_url_host(url, &host) && is_excepted(host.data))
		proxy = "";
	text_free(&host);
	return proxy;
}

const char *proxy_choose(const char *setting, const char *url)
{
	if (url_is_loopback(url) || (setting && strcmp(setting, "none") == 0))
		return "";
	return !setting || strcmp(setting, "environment") == 0 ? from_environment(url) : setting;
}

void proxy_append_masked(struct text *text, const char *proxy)
{
	const char *scheme = strstr(proxy, "://");
	size_t start = scheme ? (size_t)(scheme - proxy) + 3 : 0;
	/* The last one: where a password holds what it should not, nothing of it is shown. */
	const char *at = strrchr(proxy + start, '@');
	text_append(text, proxy, start);
	text_append_string(text, at ? at + 1 : proxy + start);
}
