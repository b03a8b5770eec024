/*
 * What fnmatch(3)'s patterns, without flags, are made of. Pure and thread-safe.
 */
#ifndef VIGIE_COMMON_GLOB_H
#define VIGIE_COMMON_GLOB_H

#include <stdbool.h>
#include <stddef.h>

/* The last byte of the bracket expression that begins at `at`, or `at` where that is a bracket alone. */
const char *glob_pass_brackets(const char *at);

/* The next piece of a pattern that is not at its end: a wildcard, a bracket expression, or a byte with its backslash.
 * Returns what is behind it, and the bytes that a name has for it at least: 0 or 1. */
const char *glob_pass_piece(const char *at, size_t *ret_least);

/* Makes an address, or a glob of addresses, what the server's look like, where it stands: there is room for WIRE_IP_SIZE
 * bytes, or for what there is. False: no address can be that. */
bool glob_read_address(char *value);

#endif
