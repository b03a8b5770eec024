/*
 * Who may do what: bearer tokens (RFC 6750) from files, one a line; several at once, so
 * that one can take another's place without a gap. Blank lines and lines that begin with
 * # are comments.
 *
 * A right without a file is everybody's. A file that others than its owner may read, that
 * holds no token or a line that is none is refused, with all of the files.
 *
 * Tokens are compared in constant time: each is padded to the same length, and what a
 * client has sent is compared to the end with all of them. The time tells how many there
 * are, and nothing of what they are.
 *
 * Any thread may call tokens_check(), also while another reloads.
 */
#ifndef VIGIE_FCGI_TOKENS_H
#define VIGIE_FCGI_TOKENS_H

#include "common/config.h"

enum { TOKENS_LENGTH_MAX = 256 }; /* of one token, bytes */

/* What an admin token gives is everything. */
enum tokens_right { TOKENS_WRITE, TOKENS_READ, TOKENS_ADMIN, TOKENS_RIGHTS };

enum tokens_verdict {
	TOKENS_GRANTED,
	TOKENS_MISSING, /* no token was sent */
	TOKENS_UNKNOWN, /* it stands in no file */
	TOKENS_OTHER,   /* it gives another right */
};

struct tokens;

/* Reads the files that server.*_tokens name. 0; -EINVAL for a file that is refused,
 * -ENOMEM, or why one cannot be read, with a sentence that names option and file. */
int tokens_open(const struct config *config, struct tokens **ret_tokens, struct text *ret_error)
	__attribute__((warn_unused_result));

/* Reads them anew. The same errors; what was loaded before stays then. */
int tokens_reload(struct tokens *tokens, const struct config *config, struct text *ret_error)
	__attribute__((warn_unused_result));

/* No other call may be under way. Accepts NULL. */
void tokens_close(struct tokens *tokens);

/* Whether the value of an Authorization header ("": none) gives a right; or, where `own` is not "" or NULL, the value of
 * X-Vigie-Token, which is a token and no more, for those whose Authorization is for a login before us. */
enum tokens_verdict tokens_check(struct tokens *tokens, enum tokens_right right, const char *authorization,
                                 const char *own);

/* Whether there is a file for a right: otherwise it is everybody's. */
bool tokens_are_given(struct tokens *tokens, enum tokens_right right);

/* "write", "read" or "admin". */
const char *tokens_right_name(enum tokens_right right);

#endif
