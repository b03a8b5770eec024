#include "common/silence.h"

#include <fnmatch.h>

bool silence_covers(const struct silence *silence, const char *ip, const char *process, enum resource resource)
{
	const char *name = resource == RESOURCE_COUNT ? "" : wire_resource_name(resource);
	return fnmatch(silence->resource, name, 0) == 0 && fnmatch(silence->ip, ip, 0) == 0 &&
	       fnmatch(silence->process, process, 0) == 0;
}

int64_t silence_until(const struct silence silences[], size_t count, const char *ip, const char *process,
                      enum resource resource)
{
	int64_t until_ms = 0;
	for (size_t i = 0; i < count; i++) {
		if (silences[i].until_ms > until_ms && silence_covers(&silences[i], ip, process, resource))
			until_ms = silences[i].until_ms;
	}
	return until_ms;
}
