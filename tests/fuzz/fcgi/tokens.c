/* A file of tokens, and in the first line what a client sends. */
#include "tests/fuzz/fuzz.h"

#include <errno.h>

#include "fcgi/tokens.h"

/* Each line that is not empty and no comment opens the door. */
static void check_lines(struct tokens *tokens, const uint8_t *bytes, size_t size)
{
	while (size) {
		char *line = fuzz_line(&bytes, &size), *start = line + strspn(line, " \t\r"), *header;
		size_t length = strlen(start);
		while (length > 0 && strchr(" \t\r", start[length - 1]))
			start[--length] = '\0';
		if (length > 0 && start[0] != '#') {
			if (asprintf(&header, "bearer  %s", start) < 0)
				abort();
			assert(tokens_check(tokens, TOKENS_WRITE, header, "") == TOKENS_GRANTED);
			assert(tokens_check(tokens, TOKENS_READ, header, "") == TOKENS_GRANTED); /* everybody's */
			free(header);
		}
		free(line);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct config *config;
	char *header = fuzz_line(&bytes, &size), option[64];
	const char *path = fuzz_file(bytes, size);
	struct text error = TEXT_EMPTY;
	if (!config) {
		snprintf(option, sizeof(option), "server.write_tokens=%s", path);
		if (config_load(NULL, (char *[]){ option }, 1, &config, &error) != 0)
			abort();
	}
	struct tokens *tokens;
	int result = tokens_open(config, &tokens, &error);
	if (result == 0) {
		/* Nobody is let in whose token is not in the file. */
		if (tokens_check(tokens, TOKENS_WRITE, header, "") == TOKENS_GRANTED) {
			const char *token = header + strlen("Bearer ");
			token += strspn(token, " ");
			assert(strlen(token) > 0 && memmem(bytes, size, token, strlen(token)));
		}
		check_lines(tokens, bytes, size);
		result = tokens_reload(tokens, config, &error);
		assert(result == 0);
		tokens_close(tokens);
	} else {
		assert(result == -EINVAL && error.length > 0);
	}
	text_free(&error);
	free(header);
	return 0;
}
