/* fcgi/tokens.h */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/fcgi/helpers.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fcgi/tokens.h"

static char folder[TEMPORARY_FOLDER_SIZE];

static int set_up(void **state)
{
	(void)state;
	temporary_folder_make(folder);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	temporary_folder_remove(folder);
	return 0;
}

static const char *path_of(const char *name)
{
	static char path[TEMPORARY_FOLDER_SIZE + 32];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void write_bytes(const char *name, const char *content, size_t length, mode_t mode)
{
	FILE *file = fopen(path_of(name), "we");
	assert_non_null(file);
	assert_int_equal(fwrite(content, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path_of(name), mode), 0);
}

static void write_tokens(const char *name, const char *content)
{
	write_bytes(name, content, strlen(content), 0600);
}

/* A configuration with a file for each letter of `rights`: w, r, a. */
static struct config *config_of(const char *rights)
{
	struct config *config = config_in(folder, NULL);
	for (const char *right = rights; *right; right++) {
		char name[2] = { *right, '\0' };
		char **path = *right == 'w'   ? &config->server.write_tokens
		              : *right == 'r' ? &config->server.read_tokens
		                              : &config->server.admin_tokens;
		free(*path);
		*path = strdup(path_of(name));
		assert_non_null(*path);
	}
	return config;
}

static struct tokens *open_tokens(const char *rights)
{
	struct text error = TEXT_EMPTY;
	struct tokens *tokens = NULL;
	struct config *config = config_of(rights);
	if (tokens_open(config, &tokens, &error))
		fail_msg("%s", error.data);
	assert_null(error.data);
	config_free(config);
	return tokens;
}

/* The verdicts for writing, reading and administering: a letter each (Granted, Missing, Unknown, Other). */
static const char *verdicts(struct tokens *tokens, const char *authorization)
{
	static char letters[TOKENS_RIGHTS + 1];
	for (int i = 0; i < TOKENS_RIGHTS; i++)
		letters[i] = "GMUO"[tokens_check(tokens, (enum tokens_right)i, authorization, "")];
	return letters;
}

static void test_tokens_check_without_files_everybody_may(void **state)
{
	(void)state;
	struct tokens *tokens = open_tokens("");
	assert_string_equal(verdicts(tokens, ""), "GGG");
	assert_string_equal(verdicts(tokens, "Bearer x"), "GGG");
	assert_string_equal(verdicts(tokens, "nonsense"), "GGG");
	tokens_close(tokens);
	tokens_close(NULL);
}

static void test_tokens_check_each_kind_gives_its_right(void **state)
{
	(void)state;
	static const struct {
		const char *files, *authorization, *verdicts;
	} cases[] = {
		{ "w", "", "MGG" },
		{ "w", "Bearer writer", "GGG" },
		{ "w", "Bearer reader", "UGG" },
		{ "r", "", "GMG" },
		{ "r", "Bearer reader", "GGG" },
		{ "a", "", "GGM" },
		{ "a", "Bearer admin", "GGG" },
		{ "wra", "", "MMM" },
		{ "wra", "Bearer writer", "GOO" },
		{ "wra", "Bearer writer-2", "GOO" },
		{ "wra", "Bearer reader", "OGO" },
		{ "wra", "Bearer both", "GGO" },
		{ "wra", "Bearer admin", "GGG" },
		{ "wra", "Bearer nobody", "UUU" },
		{ "wa", "Bearer writer", "GGO" },
		{ "wr", "Bearer admin", "UUG" },
	};
	write_tokens("w", "writer\nwriter-2\nboth\n");
	write_tokens("r", "reader\nboth\n");
	write_tokens("a", "admin\n");
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct tokens *tokens = open_tokens(cases[i].files);
		if (strcmp(verdicts(tokens, cases[i].authorization), cases[i].verdicts) != 0)
			fail_msg("%s '%s': %s", cases[i].files, cases[i].authorization, verdicts(tokens, cases[i].authorization));
		tokens_close(tokens);
	}
}

static void test_tokens_check_headers_of_every_form(void **state)
{
	(void)state;
	static const struct {
		const char *authorization;
		enum tokens_verdict verdict;
	} cases[] = {
		{ "Bearer token-1234567", TOKENS_GRANTED },
		{ "bearer token-1234567", TOKENS_GRANTED },
		{ "BEARER   token-1234567", TOKENS_GRANTED },
		{ "Bearer", TOKENS_MISSING },
		{ "Bearertoken-1234567", TOKENS_MISSING },
		{ " Bearer token-1234567", TOKENS_MISSING },
		{ "Basic token-1234567", TOKENS_MISSING },
		{ "token-1234567", TOKENS_MISSING },
		{ "Bearer ", TOKENS_UNKNOWN },
		{ "Bearer  ", TOKENS_UNKNOWN },
		{ "Bearer token-1234567 ", TOKENS_UNKNOWN },
		{ "Bearer token-1234567 x", TOKENS_UNKNOWN },
		{ "Bearer token-1234567, Bearer x", TOKENS_UNKNOWN },
		{ "Bearer token-1234567\xff", TOKENS_UNKNOWN },
		{ "Bearer \"token-1234567\"", TOKENS_UNKNOWN },
		{ "Bearer Token-1234567", TOKENS_UNKNOWN },
		{ "Bearer #", TOKENS_UNKNOWN },
	};
	write_tokens("w", "# comment\ntoken-1234567\n");
	struct tokens *tokens = open_tokens("w");
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		if (tokens_check(tokens, TOKENS_WRITE, cases[i].authorization, "") != cases[i].verdict)
			fail_msg("'%s'", cases[i].authorization);
		if (tokens_check(tokens, TOKENS_WRITE, cases[i].authorization, NULL) != cases[i].verdict)
			fail_msg("'%s'", cases[i].authorization);
		/* What is behind a login says its token in a header of its own, whatever it logs in with. */
		assert_int_equal(tokens_check(tokens, TOKENS_WRITE, cases[i].authorization, "token-1234567"), TOKENS_GRANTED);
		assert_int_equal(tokens_check(tokens, TOKENS_WRITE, cases[i].authorization, "token-123456"), TOKENS_UNKNOWN);
		assert_int_equal(tokens_check(tokens, TOKENS_WRITE, cases[i].authorization, "Bearer token-1234567"), TOKENS_UNKNOWN);
	}
	tokens_close(tokens);
}

/* Every beginning of a token, every one that goes on, and every one with one bit that differs. */
static void test_tokens_check_what_is_nearly_a_token_is_unknown(void **state)
{
	(void)state;
	char token[TOKENS_LENGTH_MAX + 2] = "", header[TOKENS_LENGTH_MAX + 16];
	for (size_t length = 1; length <= TOKENS_LENGTH_MAX; length += length < 20 ? 1 : 59) {
		for (size_t i = 0; i < length; i++)
			token[i] = (char)('0' + i % 64);
		token[length] = '\0';
		write_tokens("w", token);
		struct tokens *tokens = open_tokens("w");
		snprintf(header, sizeof(header), "Bearer %s", token);
		assert_int_equal(tokens_check(tokens, TOKENS_WRITE, header, ""), TOKENS_GRANTED);
		snprintf(header, sizeof(header), "Bearer %s0", token);
		assert_int_equal(tokens_check(tokens, TOKENS_WRITE, header, ""), TOKENS_UNKNOWN);
		for (size_t i = 0; i < length; i++) {
			snprintf(header, sizeof(header), "Bearer %.*s", (int)i, token);
			assert_int_equal(tokens_check(tokens, TOKENS_WRITE, header, ""), TOKENS_UNKNOWN);
			for (int bit = 0; bit < 7; bit++) {
				snprintf(header, sizeof(header), "Bearer %s", token);
				header[7 + i] = (char)(header[7 + i] ^ 1 << bit);
				assert_int_equal(tokens_check(tokens, TOKENS_WRITE, header, ""), TOKENS_UNKNOWN);
			}
		}
		tokens_close(tokens);
	}
}

static void test_tokens_check_each_of_many_is_found(void **state)
{
	(void)state;
	struct text content = TEXT_EMPTY;
	for (int i = 0; i < 500; i++)
		text_printf(&content, "host-%d\n", i);
	write_tokens("w", content.data);
	struct tokens *tokens = open_tokens("w");
	for (int i = -1; i <= 500; i++) {
		char header[32];
		snprintf(header, sizeof(header), "Bearer host-%d", i);
		assert_int_equal(tokens_check(tokens, TOKENS_WRITE, header, ""), i < 0 || i == 500 ? TOKENS_UNKNOWN : TOKENS_GRANTED);
	}
	tokens_close(tokens);
	text_free(&content);
}

static void test_tokens_open_lines_of_every_form_are_read(void **state)
{
	(void)state;
	static const char *const good[] = { "one", "two", "three=", "~!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}", "last" };
	write_tokens("w", "\n# a comment\n   # another\none\r\n\ttwo  \n\n  three=\n~!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}\nlast");
	struct tokens *tokens = open_tokens("w");
	char header[64];
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		snprintf(header, sizeof(header), "Bearer %s", good[i]);
		assert_int_equal(tokens_check(tokens, TOKENS_WRITE, header, ""), TOKENS_GRANTED);
	}
	tokens_close(tokens);
}

static void refuse(int result, const char *sentence)
{
	struct text error = TEXT_EMPTY, wanted = TEXT_EMPTY;
	struct tokens *tokens = NULL;
	struct config *config = config_of("w");
	text_printf(&wanted, "server.write_tokens: %s: %s", path_of("w"), sentence);
	assert_int_equal(tokens_open(config, &tokens, &error), result);
	assert_string_equal(error.data, wanted.data);
	assert_null(tokens);
	config_free(config);
	text_free(&error);
	text_free(&wanted);
}

static void test_tokens_open_bad_files_are_refused_with_their_line(void **state)
{
	(void)state;
	static const char no_token[] = "is no token: 1 to 256 printable ASCII characters without blanks";
	static const struct {
		const char *content;
		size_t length;
		unsigned line;
	} cases[] = {
		{ "a b\n", 4, 1 }, { "good\n\nbad # comment\n", 20, 3 }, { "good\n\xc3\xa9\n", 8, 2 }, { "a\0b\n", 4, 1 },
		{ "\0", 1, 1 },    { "good\0\n", 6, 1 },                  { "a\x7f", 2, 1 },        { "\xef\xbb\xbfgood\n", 8, 1 },
	};
	char sentence[128], longest[TOKENS_LENGTH_MAX + 1];
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		write_bytes("w", cases[i].content, cases[i].length, 0600);
		snprintf(sentence, sizeof(sentence), "line %u %s", cases[i].line, no_token);
		refuse(-EINVAL, sentence);
	}
	memset(longest, 'x', sizeof(longest));
	write_bytes("w", longest, TOKENS_LENGTH_MAX, 0600);
	tokens_close(open_tokens("w"));
	write_bytes("w", longest, TOKENS_LENGTH_MAX + 1, 0600);
	snprintf(sentence, sizeof(sentence), "line 1 %s", no_token);
	refuse(-EINVAL, sentence);

	write_tokens("w", "");
	refuse(-EINVAL, "it holds no token");
	write_tokens("w", "\n# none\n \n");
	refuse(-EINVAL, "it holds no token");
	unlink(path_of("w"));
	refuse(-ENOENT, "No such file or directory");
	assert_int_equal(mkdir(path_of("w"), 0700), 0);
	refuse(-EIO, "Input/output error");
	rmdir(path_of("w"));
}

static void test_tokens_open_files_of_others_are_refused(void **state)
{
	(void)state;
	static const mode_t good[] = { 0600, 0400, 0700, 0500 };
	static const mode_t bad[] = { 0610, 0620, 0640, 0601, 0602, 0604, 0644, 0666, 0440 };
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		write_bytes("w", "good\n", 5, good[i]);
		tokens_close(open_tokens("w"));
		unlink(path_of("w"));
	}
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		write_bytes("w", "good\n", 5, bad[i]);
		refuse(-EINVAL, "others than its owner have access to it (chmod 600)");
		unlink(path_of("w"));
	}
}

static void test_tokens_reload_takes_the_new_and_a_bad_file_changes_nothing(void **state)
{
	(void)state;
	struct text error = TEXT_EMPTY;
	write_tokens("w", "old\n");
	write_tokens("r", "reader\n");
	struct tokens *tokens = open_tokens("wr");
	struct config *config = config_of("wr"), *off = config_of("");
	write_tokens("w", "old\nnew\n");
	assert_int_equal(tokens_reload(tokens, config, &error), 0);
	assert_string_equal(verdicts(tokens, "Bearer old"), "GOG");
	assert_string_equal(verdicts(tokens, "Bearer new"), "GOG");
	write_tokens("w", "new\n");
	assert_string_equal(verdicts(tokens, "Bearer old"), "GOG");
	assert_int_equal(tokens_reload(tokens, config, &error), 0);
	assert_string_equal(verdicts(tokens, "Bearer old"), "UUG");
	assert_null(error.data);

	/* All of the files or none: the good one is not taken either. */
	write_tokens("w", "newest\n");
	write_bytes("r", "reader-2\n", 9, 0644);
	assert_int_equal(tokens_reload(tokens, config, &error), -EINVAL);
	assert_non_null(strstr(error.data, "server.read_tokens"));
	assert_string_equal(verdicts(tokens, "Bearer new"), "GOG");
	assert_string_equal(verdicts(tokens, "Bearer newest"), "UUG");
	assert_string_equal(verdicts(tokens, "Bearer reader"), "OGG");

	assert_int_equal(tokens_reload(tokens, off, &error), 0);
	assert_string_equal(verdicts(tokens, ""), "GGG");
	config_free(config);
	config_free(off);
	tokens_close(tokens);
	text_free(&error);
}

static atomic_bool ending;

static void *check_on_and_on(void *user)
{
	size_t wrong = 0;
	while (!atomic_load(&ending)) {
		wrong += tokens_check(user, TOKENS_WRITE, "Bearer always", "") != TOKENS_GRANTED;
		wrong += tokens_check(user, TOKENS_WRITE, "Bearer never", "") != TOKENS_UNKNOWN;
	}
	return wrong ? user : NULL;
}

static void test_tokens_reload_while_others_check_leaves_no_gap(void **state)
{
	(void)state;
	struct text error = TEXT_EMPTY;
	pthread_t threads[3];
	write_tokens("w", "old\nalways\n");
	struct tokens *tokens = open_tokens("w");
	struct config *config = config_of("w");
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		pthread_create(&threads[i], NULL, check_on_and_on, tokens);
	for (int i = 0; i < 300; i++) {
		write_tokens("w", i % 2 ? "always\n" : "a\nb\nc\nalways\n");
		assert_int_equal(tokens_reload(tokens, config, &error), 0);
	}
	atomic_store(&ending, true);
	for (size_t i = 0; i < COUNT_OF(threads); i++) {
		void *wrong;
		pthread_join(threads[i], &wrong);
		assert_null(wrong);
	}
	config_free(config);
	tokens_close(tokens);
}

static void test_tokens_reload_any_allocation_fails_keeps_the_old(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	write_tokens("w", "old\n");
	struct tokens *tokens = open_tokens("w");
	struct config *config = config_of("w");
	write_tokens("w", "new-1\nnew-2\n");
	int result = -ENOMEM;
	for (long n = 1; result; n++) {
		struct text error = TEXT_EMPTY;
		assert_string_equal(verdicts(tokens, "Bearer old"), "GGG");
		failing_start(n);
		result = tokens_reload(tokens, config, &error);
		bool failed = failing_stop();
		assert_true(result == 0 || (failed && result == -ENOMEM));
		text_free(&error);
	}
	assert_string_equal(verdicts(tokens, "Bearer new-2"), "GGG");
	config_free(config);
	tokens_close(tokens);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tokens_check_without_files_everybody_may),
		cmocka_unit_test(test_tokens_check_each_kind_gives_its_right),
		cmocka_unit_test(test_tokens_check_headers_of_every_form),
		cmocka_unit_test(test_tokens_check_what_is_nearly_a_token_is_unknown),
		cmocka_unit_test(test_tokens_check_each_of_many_is_found),
		cmocka_unit_test(test_tokens_open_lines_of_every_form_are_read),
		cmocka_unit_test(test_tokens_open_bad_files_are_refused_with_their_line),
		cmocka_unit_test(test_tokens_open_files_of_others_are_refused),
		cmocka_unit_test(test_tokens_reload_takes_the_new_and_a_bad_file_changes_nothing),
		cmocka_unit_test(test_tokens_reload_while_others_check_leaves_no_gap),
		cmocka_unit_test(test_tokens_reload_any_allocation_fails_keeps_the_old),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
