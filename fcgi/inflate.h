/*
 * Inflates a gzip stream (RFC 1952) piece by piece, up to a limit: what a small body
 * could become costs no more memory than what it may become. Its members are put
 * together (section 2.2); zeros behind the last are nothing, as gzip(1) has it.
 *
 * The only file that inflates (common/gzip.h compresses). One thread uses an inflation.
 */
#ifndef VIGIE_FCGI_INFLATE_H
#define VIGIE_FCGI_INFLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/text.h"
#include "fcgi/budget.h"

struct inflation;

/* NULL: out of memory. */
struct inflation *inflation_open(void);

/* Accepts NULL. */
void inflation_close(struct inflation *inflation);

/* Counts the bytes of the text that it makes in a share, which it borrows. */
void inflation_count(struct inflation *inflation, struct budget_share *share);

/*
 * Appends what the next `length` bytes of the stream hold. 0; -EBADMSG when they are
 * not gzip or come behind its end, -EFBIG when the text would be longer than `limit`,
 * -ENOBUFS when it has no share, or -ENOMEM. After a failure the stream is read no further.
 */
int inflation_add(struct inflation *inflation, const char *bytes, size_t length, size_t limit, struct text *text)
	__attribute__((warn_unused_result));

/* Whether the stream has come to the end of a member, and all checksums were right. */
bool inflation_ended(const struct inflation *inflation);

#endif
