/* The seed of a test that throws dice: printed, so that a failure can be had again. */
#ifndef VIGIE_TESTS_SEED_H
#define VIGIE_TESTS_SEED_H

#include "tests/unit/support/cmocka.h"

#include <stdlib.h>

/* SEED=… of the environment in the place of the usual one; in any base of C. */
static inline uint64_t seed_choose(uint64_t usual)
{
	const char *given = getenv("SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : usual;
	print_message("SEED=%llu\n", (unsigned long long)seed);
	return seed;
}

#endif
