#include "common/glob.h"

#include <ctype.h>
#include <string.h>

#include "common/wire.h"

/* What is behind a class within brackets, "[:alpha:]", "[=a=]" or "[.-.]"; NULL: it is none. */
static const char *pass_class(const char *at)
{
	char kind = at[1];
	if (at[0] != '[' || kind == '\0' || !strchr(":=.", kind))
		return NULL;
	for (const char *end = strchr(at + 2, kind); end; end = strchr(end + 1, kind)) {
		if (end[1] == ']')
			return end + 2;
	}
	return NULL;
}

const char *glob_pass_brackets(const char *at)
{
	const char *first = at + 1 + (at[1] == '!' || at[1] == '^');
	for (const char *end = first; *end;) {
		const char *behind = pass_class(end);
		if (behind)
			end = behind;
		else if (*end == ']' && end > first)
			return end;
		else
			end += end[0] == '\\' && end[1] ? 2 : 1;
	}
	return at;
}

const char *glob_pass_piece(const char *at, size_t *ret_least)
{
	*ret_least = *at != '*';
	if (*at == '[')
		return glob_pass_brackets(at) + 1;
	return at + (at[0] == '\\' && at[1] ? 2 : 1);
}

/* Whether some address can be what `value` says: outside of its wildcards there is nothing else than addresses have. */
static bool is_address_glob(const char *value)
{
	bool wild = false;
	for (const char *at = value; *at; at++) {
		const char *end = *at == '[' ? glob_pass_brackets(at) : at;
		if (*at == '*' || *at == '?' || end > at)
			wild = true;
		else if (!isxdigit((unsigned char)*at) && *at != '.' && *at != ':' && *at != '\\')
			return false;
		at = end;
	}
	return wild;
}

bool glob_read_address(char *value)
{
	char ip[WIRE_IP_SIZE];
	if (wire_ip_parse(value, ip)) {
		strcpy(value, ip);
		return true;
	}
	if (!is_address_glob(value))
		return false;
	for (char *at = value; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	/* Of IPv4 addresses in IPv6's clothes, as wire_ip_parse() has it. */
	size_t length = strlen(WIRE_IP_MAPPED);
	if (strncmp(value, WIRE_IP_MAPPED, length) == 0 && strchr(value, '.'))
		memmove(value, value + length, strlen(value + length) + 1);
	return true;
}
