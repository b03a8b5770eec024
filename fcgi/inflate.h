/*
 * Inflates a gzip stream (RFC 1952) piece by piece, up to a limit: what a small body
 * could become costs no more memory than what it may become.
 *
 * The only file that inflates (common/gzip.h compresses). One thread uses an inflation.
 */
#ifndef VIGIE_FCGI_INFLATE_H
#define VIGIE_FCGI_INFLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/text.h"

struct inflation;

/* NULL: out of memory. */
struct inflation *inflation_open(void);

/* Accepts NULL. */
void inflation_close(struct inflation *inflation);

/*
 * Appends what the next `length` bytes of the stream hold. 0; -EBADMSG when they are
 * not gzip or come behind its end, -EFBIG when the text would be longer than `limit`,
 * or -ENOMEM. After a failure the stream is read no further.
 */
int inflation_add(struct inflation *inflation, const char *bytes, size_t length, size_t limit, struct text *text)
	__attribute__((warn_unused_result));

/* Whether the stream has come to its end, and its checksum was right. */
bool inflation_ended(const struct inflation *inflation);

#endif
