/* Values that are written down with the first two further resources, whichever there are besides. */
#ifndef VIGIE_TESTS_FURTHER_VALUES_H
#define VIGIE_TESTS_FURTHER_VALUES_H

#include "collector/rates.h"

static inline void leave_out_others(struct rate *values, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (int j = 2; j < RESOURCE_FURTHER; j++)
			values[i].further[j] = RATE_MISSING;
	}
}

#endif
