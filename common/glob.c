#include "common/glob.h"

#include <string.h>

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
