#include "common/url.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "common/http.h"

static bool is_printable(const char *string)
{
	for (; *string; string++) {
		unsigned char byte = (unsigned char)*string;
		if (byte <= 0x20 || byte >= 0x7f)
			return false;
	}
	return true;
}

const char *url_fault(const char *url, size_t scheme)
{
	if (!is_printable(url))
		return "it has more than printable ASCII";
	if (strpbrk(url, "?#"))
		return "it has a query or a fragment";
	if (strchr("/:", url[scheme])) /* or it ends there */
		return "it has no host";
	if (url[scheme] == '@')
		return "it has no user before its @";
	return http_url_fault(url);
}

int url_check(const char *name, const char *url, struct text *ret_error)
{
	size_t scheme = strncasecmp(url, "http://", 7) == 0 ? 7 : strncasecmp(url, "https://", 8) == 0 ? 8 : 0;
	const char *fault = scheme ? url_fault(url, scheme) : "it begins with neither";
	if (!fault)
		return 0;
	text_printf(ret_error, "%s: '%s' is no http:// or https:// URL: %s", name, url, fault);
	return -EINVAL;
}

static bool is_localhost(const char *name)
{
	static const char localhost[] = "localhost";
	size_t length = strlen(name), own = sizeof(localhost) - 1;
	if (length && name[length - 1] == '.')
		length--;
	if (length < own || strncasecmp(name + length - own, localhost, own) != 0)
		return false;
	return length == own || name[length - own - 1] == '.';
}

bool url_host_is_loopback(const char *host)
{
	char address[INET6_ADDRSTRLEN] = "";
	struct in6_addr ipv6;
	struct in_addr ipv4;
	size_t bracket = host[0] == '[', length = strcspn(host + bracket, "]%");
	if (length < sizeof(address))
		memcpy(address, host + bracket, length);
	if (inet_pton(AF_INET6, address, &ipv6) == 1) {
		if (!IN6_IS_ADDR_V4MAPPED(&ipv6))
			return IN6_IS_ADDR_LOOPBACK(&ipv6) || IN6_IS_ADDR_UNSPECIFIED(&ipv6);
		memcpy(&ipv4, &ipv6.s6_addr[12], sizeof(ipv4));
	} else if (inet_pton(AF_INET, address, &ipv4) != 1) {
		return is_localhost(host);
	}
	return ntohl(ipv4.s_addr) >> 24 == IN_LOOPBACKNET || ipv4.s_addr == htonl(INADDR_ANY);
}

bool url_is_loopback(const char *url)
{
	struct text host = TEXT_EMPTY;
	bool loopback = http_url_host(url, &host) && url_host_is_loopback(host.data);
	text_free(&host);
	return loopback;
}
