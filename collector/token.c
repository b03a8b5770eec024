#include "collector/token.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/secret.h"

static void read_token(struct token *token)
{
	struct text secret = TEXT_EMPTY;
	int result = secret_read(token->path, &secret);
	text_reset(&token->header);
	if (result == 0) {
		text_printf(&token->header, "Bearer %s", secret.data);
		result = text_failed(&token->header) ? -ENOMEM : 0;
	}
	text_free(&secret);
	if (result == 0)
		return;
	log_error("the token file %s: %s", token->path, result == -EINVAL ? "it is empty" : strerror(-result));
	text_free(&token->header);
	/* The file is not at fault: it is read again though it stays as it is. */
	if (result == -ENOMEM || result == -EMFILE || result == -ENFILE)
		token->seen = (struct stat){ 0 };
}

int token_open(struct token *token, const char *path)
{
	*token = (struct token){ 0 };
	if (!path[0])
		return 0;
	token->path = strdup(path);
	if (!token->path)
		return -ENOMEM;
	(void)stat(path, &token->seen);
	read_token(token);
	return 0;
}

bool token_refresh(struct token *token)
{
	struct stat now = { 0 };
	if (!token->path)
		return false;
	/* Looked at before it is read: what is written meanwhile is seen the next time. */
	(void)stat(token->path, &now);
	/* Its change, not its modification: who may read it is part of it. */
	if (now.st_ino == token->seen.st_ino && now.st_size == token->seen.st_size &&
	    now.st_ctim.tv_sec == token->seen.st_ctim.tv_sec && now.st_ctim.tv_nsec == token->seen.st_ctim.tv_nsec)
		return false;
	token->seen = now;
	char *before = token->header.data ? strdup(token->header.data) : NULL;
	read_token(token);
	bool changed = token->header.length && (!before || strcmp(before, token->header.data) != 0);
	free(before);
	return changed;
}

void token_free(struct token *token)
{
	free(token->path);
	text_free(&token->header);
	*token = (struct token){ 0 };
}
