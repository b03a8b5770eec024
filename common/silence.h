/*
 * A silence: for a time, alarms that it covers are told by no channel. They are judged, written and shown all the same.
 *
 * Its globs are fnmatch(3)'s, over bytes, as those of rules (common/rules.h); one for a resource is of its name, and an alarm
 * that is about none (a host's, or that of a process that is missing) has the empty name. Pure and thread-safe.
 */
#ifndef VIGIE_COMMON_SILENCE_H
#define VIGIE_COMMON_SILENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/wire.h"

enum { SILENCE_ID_SIZE = 17 }; /* with its NUL */

struct silence {
	char id[SILENCE_ID_SIZE];
	char process[WIRE_NAME_SIZE], ip[WIRE_NAME_SIZE], resource[WIRE_NAME_SIZE]; /* globs, none of them empty */
	char by[WIRE_NAME_SIZE], comment[WIRE_NAME_SIZE]; /* for people; may be empty */
	int64_t until_ms;
};

/* Whether it covers the alarms of a process, or of a host as a whole (WIRE_HOST_ITSELF); RESOURCE_COUNT: of no resource. */
bool silence_covers(const struct silence *silence, const char *ip, const char *process, enum resource resource);

/* The end of that of silences[count] which covers it longest; 0: none does. */
int64_t silence_until(const struct silence silences[], size_t count, const char *ip, const char *process,
                      enum resource resource);

#endif
