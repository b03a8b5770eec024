/*
 * Compresses a body for the network: gzip (RFC 1952), as fast as zlib can.
 *
 * Pure but for memory, of which zlib takes a quarter of a MiB for the call.
 */
#ifndef VIGIE_COMMON_GZIP_H
#define VIGIE_COMMON_GZIP_H

#include "common/text.h"

/* Appends the compressed bytes, which are a whole gzip file. 0 or -ENOMEM. */
int gzip_append(struct text *text, const char *bytes, size_t length) __attribute__((warn_unused_result));

#endif
