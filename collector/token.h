/*
 * The token that the collector shows to the server: the first line of a file.
 *
 * Logs a file that cannot be read. One thread uses a token.
 */
#ifndef VIGIE_COLLECTOR_TOKEN_H
#define VIGIE_COLLECTOR_TOKEN_H

#include <stdbool.h>
#include <sys/stat.h>

#include "common/text.h"

/* All zeros: none. The owner releases it with token_free(). */
struct token {
	char *path;
	struct stat seen;   /* the file when it was read last */
	struct text header; /* the value of Authorization; no data: none */
};

/* `path` is copied; "": no token. 0 or -ENOMEM; a file that cannot be read gives no token. */
int token_open(struct token *token, const char *path) __attribute__((warn_unused_result));

/* Reads the file again when it is not the one that was read, or could not be read for want of memory or descriptors. True:
 * the token is another one. */
bool token_refresh(struct token *token);

void token_free(struct token *token);

#endif
