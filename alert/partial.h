/*
 * The hosts whose collectors see only a part of their processes, in the answer to GET hosts:
 *
 *   {"10.0.0.5": {"partial": true, ...}, ...}
 *
 * One of which it is not said (null) sees what it saw before: a server that has just been started has not heard it yet. Until
 * it was said it sees all, as that of an earlier version. Pure. The caller owns the struct and frees it with partial_free();
 * { 0 } has none.
 */
#ifndef VIGIE_ALERT_PARTIAL_H
#define VIGIE_ALERT_PARTIAL_H

#include <stdbool.h>
#include <stddef.h>

#include "common/text.h"
#include "common/wire.h"

struct partial {
	char (*ips)[WIRE_IP_SIZE];
	size_t count;
};

/* As latest_parse(), over what was known `before`. */
int partial_parse(const char *body, size_t length, const struct partial *before, struct partial *ret_partial,
                  struct text *ret_error) __attribute__((warn_unused_result));

bool partial_has(const struct partial *partial, const char *ip);

void partial_free(struct partial *partial);

#endif
