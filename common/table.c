#include "common/table.h"

#include <stdlib.h>
#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* It takes this many bytes at least. */
static unsigned char secret[XXH3_SECRET_SIZE_MIN];

/* Before main(), and any table. So few bytes are never given in parts. */
__attribute__((constructor)) static void choose_secret(void)
{
	if (getrandom(secret, sizeof(secret), 0) != (ssize_t)sizeof(secret))
		abort();
}

unsigned table_hash(const void *key, size_t length)
{
	return (unsigned)XXH3_64bits_withSecret(key, length, secret, sizeof(secret));
}
