#include "common/url.h"

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

/* What is wrong with a URL; NULL: nothing. */
static const char *fault_of(const char *url)
{
	size_t scheme = strncasecmp(url, "http://", 7) == 0 ? 7 : strncasecmp(url, "https://", 8) == 0 ? 8 : 0;
	if (!scheme)
		return "it begins with neither";
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
	const char *fault = fault_of(url);
	if (!fault)
		return 0;
	text_printf(ret_error, "%s: '%s' is no http:// or https:// URL: %s", name, url, fault);
	return -EINVAL;
}
