/* common/watcher.h */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/captured_stderr.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/support/temporary_folder.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "common/watcher.h"

#define URL "http://127.0.0.1:8000/ressources-usage/"

static char folder[TEMPORARY_FOLDER_SIZE], token_path[TEMPORARY_FOLDER_SIZE + 8];

static struct config *make_config(const char *override)
{
	char *overrides[] = { (char *)(uintptr_t)override };
	struct text error = TEXT_EMPTY;
	struct config *config;
	if (config_load(NULL, overrides, override ? 1 : 0, &config, &error) != 0)
		fail_msg("%s", error.data);
	return config;
}

static void test_watcher_read_right_section_gives_rules_and_token(void **state)
{
	(void)state;
	static const struct {
		const char *token_file, *token;
	} cases[] = { { "", "" }, { token_path, "secret" } };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct text token = TEXT_EMPTY, error = TEXT_EMPTY;
		struct rules *rules;
		struct config *config = make_config("alert.rule=process=java threshold=90");
		struct watcher_section section = { .name = "alert", .url = URL, .token_file = cases[i].token_file, .proxy = "none" };
		assert_int_equal(watcher_read(config, NULL, &section, &rules, &token, &error), 0);
		config_free(config);
		assert_string_equal(token.data, cases[i].token);
		assert_true(rules_find(rules, "10.0.0.5", "java", RESOURCE_CPU)->threshold == 90);
		assert_true(rules_find(rules, "10.0.0.5", "bash", RESOURCE_CPU)->threshold == 80);
		assert_null(error.data);
		rules_free(rules);
		text_free(&token);
	}
}

static void test_watcher_read_wrong_section_says_what_and_gives_nothing(void **state)
{
	(void)state;
	static const struct {
		struct watcher_section section;
		const char *override;
		int result;
		const char *sentence;
	} cases[] = {
		{ { "forecast", "nowhere", "", "none" }, NULL, -EINVAL, "[forecast] url: 'nowhere' is no http:// or https:// URL: it begins with neither" },
		{ { "alert", URL, "/nonexistent", "none" }, NULL, -ENOENT, "[alert] token_file: /nonexistent: No such file or directory" },
		{ { "forecast", URL, "/dev/null", "none" }, NULL, -EINVAL, "[forecast] token_file: /dev/null: it holds no token" },
		{ { "forecast", URL, token_path, "none" }, "alert.clear=90", -EINVAL, "[alert] clear = 90 is over threshold = 80" },
		{ { "alert", URL, token_path, "none" }, "alert.rule=pid=7", -EINVAL, "command line: rule: 'pid=7' is none of " },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct text token = TEXT_EMPTY, error = TEXT_EMPTY;
		struct rules *rules = NULL;
		struct config *config = make_config(cases[i].override);
		int result = watcher_read(config, NULL, &cases[i].section, &rules, &token, &error);
		if (result != cases[i].result || strncmp(error.data, cases[i].sentence, strlen(cases[i].sentence)) != 0)
			fail_msg("case %zu: %d, %s", i, result, error.data);
		assert_null(rules);
		assert_null(token.data);
		config_free(config);
		text_free(&error);
	}
}

/* A file system of this process alone that has room for its own folder and nothing else. */
static void test_watcher_lock_state_without_room_goes_on_and_says_so(void **state)
{
	(void)state;
	char path[TEMPORARY_FOLDER_SIZE + 8], expected[2 * TEMPORARY_FOLDER_SIZE + 128];
	struct text error = TEXT_EMPTY;
	int fd = 7;
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("vigie-test", folder, "tmpfs", 0, "nr_inodes=1") != 0) {
		print_message("no file system may be mounted here\n");
		skip();
	}
	snprintf(path, sizeof(path), "%s/state", folder);
	captured_stderr_begin();
	int result = watcher_lock_state(path, &fd, &error);
	captured_stderr_end();
	umount2(folder, MNT_DETACH);
	assert_int_equal(result, 0);
	assert_int_equal(fd, -1);
	assert_null(error.data);
	snprintf(expected, sizeof(expected), "error: the state in %s: cannot lock %s.lock: No space left on device; going on without\n",
	         path, path);
	assert_int_equal(captured_stderr_count(expected), 1);
}

static void test_watcher_lock_state_place_that_is_none_goes_on(void **state)
{
	(void)state;
	struct text error = TEXT_EMPTY;
	char within[TEMPORARY_FOLDER_SIZE + 16];
	snprintf(within, sizeof(within), "%s/state", token_path);
	const char *const paths[] = { "/nonexistent/state", within, "" };
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		int fd = 7;
		assert_int_equal(watcher_lock_state(paths[i], &fd, &error), 0);
		assert_int_equal(fd, -1);
		assert_null(error.data);
	}
}

/* A link is not followed. What there is no memory to say is that there is none. */
static void test_watcher_lock_state_refused_says_why_as_far_as_memory_goes(void **state)
{
	(void)state;
	char path[TEMPORARY_FOLDER_SIZE + 8], lock[TEMPORARY_FOLDER_SIZE + 16], expected[2][2 * TEMPORARY_FOLDER_SIZE + 128];
	snprintf(path, sizeof(path), "%s/state", folder);
	snprintf(lock, sizeof(lock), "%s.lock", path);
	assert_int_equal(symlink("elsewhere", lock), 0);
	for (int i = 0; i < 2; i++)
		snprintf(expected[i], sizeof(expected[i]), "the state in %s: cannot lock %s: %s", path, lock, strerror(i ? ELOOP : ENOMEM));
	bool failed = true;
	for (long n = 1; failed; n++) {
		struct text error = TEXT_EMPTY;
		int fd = 7;
		failing_start(FAILING_MALLOC ? n : 0);
		int result = watcher_lock_state(path, &fd, &error);
		failed = failing_stop();
		assert_int_equal(fd, 7);
		/* Which it is that fails is the C library's affair: 2.41 (Debian 13) allocates more than 2.36. */
		if (result == -ENOMEM)
			assert_string_equal(error.data, expected[0]);
		else if (!text_failed(&error) && strcmp(error.data, expected[1]) != 0)
			assert_string_equal(error.data, strerror(ENOMEM));
		assert_true(result == -ELOOP || (failed && result == -ENOMEM));
		if (!failed)
			assert_string_equal(error.data, expected[1]);
		text_free(&error);
	}
	unlink(lock);
}

static int make_token(void **state)
{
	(void)state;
	temporary_folder_make(folder);
	snprintf(token_path, sizeof(token_path), "%s/token", folder);
	temporary_file_write(token_path, "secret\n");
	return 0;
}

static int remove_token(void **state)
{
	(void)state;
	temporary_folder_remove(folder);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_watcher_read_right_section_gives_rules_and_token),
		cmocka_unit_test(test_watcher_read_wrong_section_says_what_and_gives_nothing),
		cmocka_unit_test(test_watcher_lock_state_place_that_is_none_goes_on),
		cmocka_unit_test(test_watcher_lock_state_refused_says_why_as_far_as_memory_goes),
		cmocka_unit_test(test_watcher_lock_state_without_room_goes_on_and_says_so),
	};
	return cmocka_run_group_tests(tests, make_token, remove_token);
}
