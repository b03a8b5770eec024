#include "collector/stagger.h"

#include <stdio.h>
#include <unistd.h>

/* FNV-1a, 64 bits, with its end mixed: the last bytes of a name reach the lowest bits alone
 * (Fowler, Noll, Vo; finalizer of MurmurHash3). */
static uint64_t hash(uint64_t start, const char *name)
{
	for (const char *at = name; *at; at++)
		start = (start ^ (unsigned char)*at) * 0x100000001b3;
	start ^= start >> 33;
	start *= 0xff51afd7ed558ccd;
	return start ^ start >> 33;
}

int64_t stagger_ms(const char *machine_id, const char *hostname, int64_t range_ms)
{
	return (int64_t)(hash(hash(0xcbf29ce484222325, machine_id), hostname) % ((uint64_t)range_ms + 1));
}

int64_t stagger_own_ms(int64_t range_ms)
{
	char machine_id[64] = "", hostname[256] = "";
	FILE *file = fopen("/etc/machine-id", "re");
	if (file) {
		if (!fgets(machine_id, sizeof(machine_id), file))
			machine_id[0] = '\0';
		fclose(file);
	}
	(void)gethostname(hostname, sizeof(hostname) - 1);
	return stagger_ms(machine_id, hostname, range_ms);
}
