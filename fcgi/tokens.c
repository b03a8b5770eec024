#include "fcgi/tokens.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { WORDS = TOKENS_LENGTH_MAX / sizeof(uint64_t) };

struct token {
	uint64_t words[WORDS]; /* its bytes, then zeros */
};

/* The tokens of one file. */
struct set {
	bool given; /* there is a file */
	struct token *items;
	size_t count;
};

struct tokens {
	pthread_rwlock_t lock;
	struct set sets[TOKENS_RIGHTS];
};

static const struct {
	const char *name;
	size_t path; /* offset of the file's path in struct config */
} rights[TOKENS_RIGHTS] = {
	[TOKENS_WRITE] = { "write", offsetof(struct config, server.write_tokens) },
	[TOKENS_READ] = { "read", offsetof(struct config, server.read_tokens) },
	[TOKENS_ADMIN] = { "admin", offsetof(struct config, server.admin_tokens) },
};

const char *tokens_right_name(enum tokens_right right)
{
	return rights[right].name;
}

/* Whether `length` bytes are a token: printable ASCII, and not too many. */
static bool is_token(const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] <= ' ' || bytes[i] > '~')
			return false;
	}
	return length > 0 && length <= TOKENS_LENGTH_MAX;
}

static struct token make_token(const char *bytes, size_t length)
{
	struct token token = { 0 };
	memcpy(token.words, bytes, length);
	return token;
}

static int add_token(struct set *set, const char *bytes, size_t length)
{
	struct token *items = realloc(set->items, (set->count + 1) * sizeof(*items));
	if (!items)
		return -ENOMEM;
	set->items = items;
	set->items[set->count++] = make_token(bytes, length);
	return 0;
}

static int read_lines(FILE *file, struct set *set, struct text *ret_error)
{
	char *line = NULL;
	size_t size = 0;
	int result = 0;
	for (unsigned number = 1; result == 0; number++) {
		static const char white[] = " \t\r\n";
		ssize_t read = getline(&line, &size, file);
		if (read < 0)
			break;
		const char *start = line + strspn(line, white);
		size_t length = (size_t)(line + read - start);
		while (length > 0 && memchr(white, start[length - 1], strlen(white)))
			length--;
		if (length == 0 || start[0] == '#')
			continue;
		result = is_token(start, length) ? add_token(set, start, length) : -EINVAL;
		if (result == -EINVAL)
			text_printf(ret_error, "line %u is no token: 1 to %d printable ASCII characters without blanks", number,
			            TOKENS_LENGTH_MAX);
	}
	free(line);
	if (result == 0 && !feof(file))
		result = errno == ENOMEM ? -ENOMEM : -EIO;
	return result;
}

static int read_file(const char *path, struct set *set, struct text *ret_error)
{
	struct stat status;
	FILE *file = fopen(path, "re");
	if (!file)
		return -errno;
	int result = fstat(fileno(file), &status) == 0 ? 0 : -errno;
	if (result == 0 && (status.st_mode & (S_IRWXG | S_IRWXO))) {
		text_append_string(ret_error, "others than its owner have access to it (chmod 600)");
		result = -EINVAL;
	}
	if (result == 0)
		result = read_lines(file, set, ret_error);
	if (result == 0 && set->count == 0) {
		text_append_string(ret_error, "it holds no token");
		result = -EINVAL;
	}
	fclose(file);
	return result;
}

static void free_sets(struct set sets[static TOKENS_RIGHTS])
{
	for (int i = 0; i < TOKENS_RIGHTS; i++)
		free(sets[i].items);
}

/* Reads the files into empty sets, which are empty again when one is refused. */
static int read_sets(const struct config *config, struct set sets[static TOKENS_RIGHTS], struct text *ret_error)
{
	struct text reason = TEXT_EMPTY;
	int result = 0;
	for (int i = 0; i < TOKENS_RIGHTS && result == 0; i++) {
		const char *path = *(char *const *)((const char *)config + rights[i].path);
		if (!path[0])
			continue;
		sets[i].given = true;
		result = read_file(path, &sets[i], &reason);
		if (result)
			text_printf(ret_error, "server.%s_tokens: %s: %s", rights[i].name, path, text_or(&reason, strerror(-result)));
	}
	text_free(&reason);
	if (result)
		free_sets(sets);
	return result;
}

int tokens_open(const struct config *config, struct tokens **ret_tokens, struct text *ret_error)
{
	struct tokens *tokens = calloc(1, sizeof(*tokens));
	if (!tokens)
		return -ENOMEM;
	int result = read_sets(config, tokens->sets, ret_error);
	if (result) {
		free(tokens);
		return result;
	}
	/* A reload waits for those that check now, not for those that come after it. */
	pthread_rwlockattr_t attributes;
	pthread_rwlockattr_init(&attributes);
	pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&tokens->lock, &attributes);
	pthread_rwlockattr_destroy(&attributes);
	*ret_tokens = tokens;
	return 0;
}

int tokens_reload(struct tokens *tokens, const struct config *config, struct text *ret_error)
{
	struct set sets[TOKENS_RIGHTS] = { 0 }, old[TOKENS_RIGHTS];
	int result = read_sets(config, sets, ret_error);
	if (result)
		return result;
	pthread_rwlock_wrlock(&tokens->lock);
	memcpy(old, tokens->sets, sizeof(old));
	memcpy(tokens->sets, sets, sizeof(sets));
	pthread_rwlock_unlock(&tokens->lock);
	free_sets(old);
	return 0;
}

void tokens_close(struct tokens *tokens)
{
	if (!tokens)
		return;
	free_sets(tokens->sets);
	pthread_rwlock_destroy(&tokens->lock);
	free(tokens);
}

/* Whether a set has a token. Which one it is like, and how far, costs no time. */
static bool has(const struct set *set, const struct token *token)
{
	bool found = false;
	for (size_t i = 0; i < set->count; i++) {
		volatile uint64_t difference = 0; /* volatile: the compiler cannot end the loop early */
		for (size_t j = 0; j < WORDS; j++)
			difference |= set->items[i].words[j] ^ token->words[j];
		found |= difference == 0;
	}
	return found;
}

static enum tokens_verdict check(const struct set sets[static TOKENS_RIGHTS], enum tokens_right right,
                                 const char *authorization, const char *own)
{
	static const char scheme[] = "Bearer ";
	const char *sent = own;
	if (!sets[right].given)
		return TOKENS_GRANTED;
	if (!own || !own[0]) {
		if (strncasecmp(authorization, scheme, strlen(scheme)) != 0)
			return TOKENS_MISSING;
		sent = authorization + strlen(scheme);
		sent += strspn(sent, " ");
	}
	size_t length = strlen(sent);
	if (!is_token(sent, length))
		return TOKENS_UNKNOWN;

	struct token token = make_token(sent, length);
	bool holds[TOKENS_RIGHTS];
	for (int i = 0; i < TOKENS_RIGHTS; i++)
		holds[i] = has(&sets[i], &token);
	if (holds[right] || holds[TOKENS_ADMIN])
		return TOKENS_GRANTED;
	return holds[TOKENS_WRITE] || holds[TOKENS_READ] ? TOKENS_OTHER : TOKENS_UNKNOWN;
}

enum tokens_verdict tokens_check(struct tokens *tokens, enum tokens_right right, const char *authorization,
                                 const char *own)
{
	pthread_rwlock_rdlock(&tokens->lock);
	enum tokens_verdict verdict = check(tokens->sets, right, authorization, own);
	pthread_rwlock_unlock(&tokens->lock);
	return verdict;
}

bool tokens_are_given(struct tokens *tokens, enum tokens_right right)
{
	pthread_rwlock_rdlock(&tokens->lock);
	bool given = tokens->sets[right].given;
	pthread_rwlock_unlock(&tokens->lock);
	return given;
}
