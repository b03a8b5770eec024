#include "fcgi/hosts.h"

#include <arpa/inet.h>
#include <fnmatch.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OWN_NAMES = 4, NAME_SIZE = 256 /* of a name of DNS, its NUL included */ };

struct hosts {
	size_t count;
	char *globs[];
};

static bool add(struct hosts *hosts, const char *glob)
{
	char *copy = strdup(glob);
	if (copy)
		hosts->globs[hosts->count++] = copy;
	return copy;
}

/* The machine's names: as it has it, up to the first dot, and what the resolver makes of it. */
static bool add_own(struct hosts *hosts)
{
	char name[NAME_SIZE] = "";
	struct addrinfo *found = NULL;
	(void)gethostname(name, sizeof(name) - 1);
	bool added = add(hosts, "localhost") && add(hosts, name);
	if (added && getaddrinfo(name, NULL, &(struct addrinfo){ .ai_flags = AI_CANONNAME }, &found) == 0) {
		added = !found->ai_canonname || add(hosts, found->ai_canonname);
		freeaddrinfo(found);
	}
	name[strcspn(name, ".")] = '\0';
	return added && add(hosts, name);
}

struct hosts *hosts_open(const struct config_list *globs)
{
	struct hosts *hosts = calloc(1, sizeof(*hosts) + (OWN_NAMES + globs->count) * sizeof(hosts->globs[0]));
	bool added = hosts && add_own(hosts);
	for (size_t i = 0; added && i < globs->count; i++)
		added = add(hosts, globs->values[i]);
	if (!added) {
		hosts_close(hosts);
		return NULL;
	}
	return hosts;
}

void hosts_close(struct hosts *hosts)
{
	if (!hosts)
		return;
	for (size_t i = 0; i < hosts->count; i++)
		free(hosts->globs[i]);
	/* analyzer: with its globs */
	free(hosts);
}

bool hosts_know(const struct hosts *hosts, const char *header)
{
	char name[NAME_SIZE];
	unsigned char address[sizeof(struct in6_addr)];
	bool bracketed = header[0] == '[';
	const char *start = header + bracketed;
	size_t length = strcspn(start, bracketed ? "]" : ":");
	const char *rest = start + length + bracketed; /* nothing, or a port */
	if (header[0] == '\0')
		return true;
	if (length == 0 || length >= sizeof(name) || (bracketed && start[length] != ']') ||
	    (rest[0] && rest[0] != ':') || rest[strspn(rest, ":0123456789")])
		return false;
	memcpy(name, start, length);
	name[length] = '\0';
	if (bracketed)
		return inet_pton(AF_INET6, name, address) == 1;
	if (inet_pton(AF_INET, name, address) == 1)
		return true;
	if (name[length - 1] == '.') /* the root of DNS, said */
		name[length - 1] = '\0';
	for (size_t i = 0; i < hosts->count; i++) {
		if (fnmatch(hosts->globs[i], name, FNM_CASEFOLD) == 0)
			return true;
	}
	return false;
}
