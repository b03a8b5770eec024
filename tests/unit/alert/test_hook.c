/* alert/hook.h, with real programs */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/captured_stderr.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/support/no_threads.h"
#include "tests/unit/support/temporary_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alert/hook.h"
#include "common/clock.h"

#define NOW 1795356015000 /* 2026-11-22T14:00:15Z */
#define LOG NULL /* in the place of a path: what has been logged */

static char folder[TEMPORARY_FOLDER_SIZE], program[TEMPORARY_FOLDER_SIZE + 16], output[TEMPORARY_FOLDER_SIZE + 16],
	hold[TEMPORARY_FOLDER_SIZE + 16]; /* while it is there, some programs do not end */

static int make_folder(void **state)
{
	(void)state;
	temporary_folder_make(folder);
	snprintf(program, sizeof(program), "%s/hook", folder);
	snprintf(output, sizeof(output), "%s/output", folder);
	snprintf(hold, sizeof(hold), "%s/hold", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

static int set_up(void **state)
{
	(void)state;
	captured_stderr_begin();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	captured_stderr_end();
	unlink(program);
	unlink(output);
	unlink(hold);
	return 0;
}

/* A script of the shell that knows its folder as $D, or one with an interpreter of its own. */
static void write_program(const char *script)
{
	char new_program[sizeof(program) + 4];
	snprintf(new_program, sizeof(new_program), "%s.new", program);
	FILE *file = fopen(new_program, "w");
	assert_non_null(file);
	if (strncmp(script, "#!", 2) == 0)
		fputs(script, file);
	else
		fprintf(file, "#!/bin/sh\nD=%s\n%s\n", folder, script);
	fclose(file);
	assert_int_equal(chmod(new_program, 0700), 0);
	assert_int_equal(rename(new_program, program), 0);
}

static const char *content(const char *path)
{
	static char text[65536];
	if (path == LOG)
		return captured_stderr_text();
	FILE *file = fopen(path, "r");
	if (!file)
		return "";
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	return text;
}

static size_t count(const char *path, const char *word)
{
	size_t found = 0;
	for (const char *at = content(path); (at = strstr(at, word)) != NULL; at++)
		found++;
	return found;
}

/* Waits until `word` stands so many times in the file. */
static void wait_for(const char *path, const char *word, size_t times)
{
	for (int i = 0; i < 6000 && count(path, word) < times; i++) /* a busy machine takes its time */
		usleep(10000);
	size_t found = count(path, word);
	if (found != times)
		fail_msg("'%s' %zu times, not %zu: %s", word, found, times, content(path));
}

static struct transition red(const char *process)
{
	struct transition transition = { .word = TRANSITION_RED,
		.alarm = { .ip = "10.0.0.5", .resource = RESOURCE_MEM, .color = COLOR_RED, .value = 83.1,
		           .threshold = 80, .since_ms = NOW - 5000 } };
	snprintf(transition.alarm.process, WIRE_NAME_SIZE, "%s", process);
	return transition;
}

static void add(struct hook *hook, const char *process)
{
	struct transition transition = red(process);
	hook_add(hook, &transition);
}

static struct hook *open_hook(int64_t timeout_ms)
{
	struct hook *hook = hook_open();
	assert_non_null(hook);
	assert_int_equal(hook_configure(hook, program, timeout_ms), 0);
	return hook;
}

static int64_t now_ms(void)
{
	return clock_monotonic_ns() / 1000000;
}

static void test_hook_add_gives_the_fields_raw(void **state)
{
	(void)state;
	write_program("for word; do echo \"<$word>\"; done >> $D/output; echo done >> $D/output");
	struct hook *hook = open_hook(10000);
	add(hook, "a \"b\"\\ $(id) `id` ; * 'c\nd");
	struct transition amber = red("java");
	amber.word = TRANSITION_AMBER;
	amber.alarm.color = COLOR_ORANGE;
	amber.alarm.forecast = 91.2;
	amber.alarm.probability = 0.83;
	amber.alarm.expected_ms = NOW + 500;
	hook_add(hook, &amber);
	struct transition unknown = { .word = TRANSITION_UNKNOWN,
		.alarm = { .ip = "::1", .process = "*", .resource = RESOURCE_COUNT, .color = COLOR_UNKNOWN, .since_ms = NOW } };
	hook_add(hook, &unknown);
	wait_for(output, "done\n", 3);
	assert_string_equal(content(output),
		"<RED>\n<ip=10.0.0.5>\n<process=a \"b\"\\ $(id) `id` ; * 'c?d>\n<resource=mem>\n<value=83.10>\n"
		"<threshold=80>\n<since=2026-11-22T14:00:10Z>\ndone\n"
		"<AMBER>\n<ip=10.0.0.5>\n<process=java>\n<resource=mem>\n<value=83.10>\n<forecast=91.20>\n<probability=0.83>\n"
		"<threshold=80>\n<expected_at=2026-11-22T14:00:15.500Z>\n<since=2026-11-22T14:00:10Z>\ndone\n"
		"<UNKNOWN>\n<ip=::1>\n<process=*>\n<since=2026-11-22T14:00:15Z>\ndone\n");
	hook_close(hook);
	assert_string_equal(content(LOG), "");
}

static void test_hook_add_clean_surroundings(void **state)
{
	(void)state;
	write_program("{ for fd in /proc/$$/fd/*; do echo \"fd ${fd##*/} $(readlink $fd)\"; done\n"
	              "grep SigIgn /proc/$$/status; echo group $(cut -d' ' -f5 /proc/$$/stat) pid $$; } > $D/new\n"
	              "echo heard; echo complained >&2; mv $D/new $D/output");
	/* As the service is: some signals blocked, SIGPIPE ignored, descriptors that leak. */
	sigset_t blocked, before;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &blocked, &before);
	signal(SIGPIPE, SIG_IGN);
	int leaking = open("/dev/zero", O_RDONLY);
	assert_true(leaking > 2);
	struct hook *hook = open_hook(10000);
	add(hook, "java");
	wait_for(output, "group", 1);
	/* A shell sets its own mask. */
	write_program("#!/bin/cat /proc/self/status\n");
	add(hook, "java");
	wait_for(LOG, "SigBlk:\t0000000000000000\n", 1);
	hook_close(hook);
	close(leaking);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	signal(SIGPIPE, SIG_DFL);

	const char *found = content(output);
	assert_non_null(strstr(found, "fd 0 /dev/null\n"));
	assert_null(strstr(found, "/dev/zero"));
	assert_null(strstr(found, "eventfd"));
	assert_null(strstr(found, "pidfd"));
	unsigned long long ignored = 0;
	assert_int_equal(sscanf(strstr(found, "SigIgn:"), "SigIgn: %llx", &ignored), 1);
	assert_int_equal(ignored & 0x7fffffff, 0); /* 32 and 33 are glibc's own */
	int group = 0, pid = -1;
	assert_int_equal(sscanf(strstr(found, "group"), "group %d pid %d", &group, &pid), 2);
	assert_int_equal(group, pid);
	assert_memory_equal(content(LOG), "heard\ncomplained\n", strlen("heard\ncomplained\n"));
}

static void test_hook_add_one_at_a_time_in_order_and_never_waiting(void **state)
{
	(void)state;
	write_program("echo \"begin $3\" >> $D/output; while [ -e $D/hold ]; do sleep 0.02; done; sleep 0.05; "
	              "echo \"end $3\" >> $D/output");
	temporary_file_write(hold, "");
	struct hook *hook = open_hook(10000);
	for (int i = 0; i < 10; i++) {
		char process[16];
		snprintf(process, sizeof(process), "%d", i);
		add(hook, process);
	}
	assert_int_equal(count(output, "end"), 0); /* all were added while none may end */
	assert_int_equal(unlink(hold), 0);
	wait_for(output, "end", 10);
	char expected[512] = "";
	for (int i = 0; i < 10; i++)
		snprintf(expected + strlen(expected), sizeof(expected) - strlen(expected), "begin process=%d\nend process=%d\n", i, i);
	assert_string_equal(content(output), expected);
	hook_close(hook);
}

static void test_hook_time_limit_kills_the_group_and_is_said_once(void **state)
{
	(void)state;
	write_program("trap '' TERM INT HUP; sleep 1234 & echo \"child $!\" >> $D/output; wait");
	struct hook *hook = open_hook(150);
	add(hook, "a");
	add(hook, "b");
	for (int i = 1; i <= 6000 && count(output, "child") < 2; i++) {
		usleep(10000);
		if (i % 100 == 0)
			add(hook, "a"); /* on a busy machine one may be killed before it has a child */
	}
	wait_for(LOG, "took too long and was killed", 1);
	write_program("echo \"fine $3\" >> $D/output");
	assert_int_equal(hook_configure(hook, program, 60000), 0);
	add(hook, "c");
	wait_for(output, "fine process=c\n", 1);
	hook_close(hook);
	assert_int_equal(count(LOG, "took too long"), 1);
	assert_int_equal(count(LOG, "works again"), 1);
	int child = 0;
	assert_int_equal(sscanf(content(output), "child %d", &child), 1);
	/* Killed, perhaps not yet reaped by whoever adopted it. */
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/stat", child);
	for (int i = 0; i < 500 && access(path, F_OK) == 0 && !strstr(content(path), ") Z"); i++)
		usleep(10000);
	assert_true(access(path, F_OK) != 0 || strstr(content(path), ") Z"));
}

static void test_hook_failures_are_said_once_a_kind_and_their_end_too(void **state)
{
	(void)state;
	write_program("echo x >> $D/output; exit 3");
	struct hook *hook = open_hook(10000);
	for (int i = 0; i < 3; i++)
		add(hook, "a");
	wait_for(output, "x", 3);
	write_program("echo y >> $D/output; kill -USR1 $$");
	for (int i = 0; i < 3; i++)
		add(hook, "a");
	wait_for(output, "y", 3);
	wait_for(LOG, "ended by signal 10", 1);
	assert_int_equal(unlink(program), 0);
	add(hook, "a");
	add(hook, "a");
	wait_for(LOG, "cannot be run: No such file", 1);
	write_program("echo $3 >> $D/output");
	add(hook, "a");
	add(hook, "last");
	wait_for(output, "process=last", 1); /* the second of those before may have waited for so long, and run as well */
	wait_for(LOG, "works again", 1);
	write_program("exit 4");
	add(hook, "a");
	wait_for(LOG, "exit status is 4", 1);
	hook_close(hook);
	assert_int_equal(count(LOG, "exit status is 3"), 1);
	assert_int_equal(count(LOG, "ended by signal"), 1);
	assert_int_equal(count(LOG, "cannot be run"), 1);
	assert_int_equal(count(LOG, "works again"), 1);
	assert_int_equal(count(LOG, "\n"), 5);
}

static void test_hook_configure_unusable_program_says_why(void **state)
{
	(void)state;
	struct hook *hook = hook_open();
	assert_int_equal(hook_configure(hook, program, 1000), -ENOENT);
	FILE *file = fopen(program, "w");
	fputs("echo no interpreter\n", file);
	fclose(file);
	assert_int_equal(hook_configure(hook, program, 1000), -EACCES);
	assert_int_equal(chmod(program, 0700), 0);
	assert_int_equal(hook_configure(hook, program, 1000), 0);
	add(hook, "a"); /* no shell takes it over */
	wait_for(LOG, "cannot be run: Exec format error", 1);
	hook_close(hook);
}

/* Without what wakes its thread it has none, for good; without a thread it may have one later. */
static void test_hook_configure_without_a_descriptor_or_a_thread_runs_nothing(void **state)
{
	(void)state;
	struct rlimit limit, none;
	write_program("echo \"$3\" >> $D/output");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	struct hook *hook = hook_open();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_non_null(hook);
	assert_int_equal(hook_configure(hook, program, 10000), -EAGAIN);
	add(hook, "a");
	hook_close(hook);

	hook = hook_open();
	no_threads(true);
	int result = hook_configure(hook, program, 10000);
	no_threads(false);
	assert_int_equal(result, -EAGAIN);
	add(hook, "b");
	assert_int_equal(hook_configure(hook, program, 10000), 0);
	add(hook, "c");
	hook_close(hook);
	assert_string_equal(content(output), "process=c\n");
	assert_string_equal(content(LOG), "");
}

static void test_hook_configure_without_memory_leaves_it_as_it_was(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	write_program("echo \"$3\" >> $D/output");
	failing_start(1);
	struct hook *hook = hook_open();
	assert_true(failing_stop());
	assert_null(hook);
	hook = open_hook(10000);
	failing_start(1);
	int result = hook_configure(hook, "/nonexistent", 10000);
	assert_true(failing_stop());
	assert_int_equal(result, -ENOMEM);
	add(hook, "a");
	hook_close(hook);
	assert_string_equal(content(output), "process=a\n");
	assert_string_equal(content(LOG), "");
}

static void test_hook_configure_none_runs_nothing(void **state)
{
	(void)state;
	write_program("echo x >> $D/output; sleep 0.2");
	struct hook *hook = hook_open();
	assert_int_equal(hook_configure(hook, "", 1000), 0);
	add(hook, "a");
	assert_int_equal(hook_configure(hook, program, 10000), 0);
	for (int i = 0; i < 5; i++)
		add(hook, "b");
	wait_for(output, "x", 1);
	assert_int_equal(hook_configure(hook, "", 1000), 0);
	add(hook, "c");
	hook_close(hook);
	assert_int_equal(count(output, "x"), 1);
	assert_string_equal(content(LOG), "");
	hook_close(hook_open());
	hook_close(NULL);
}

static void test_hook_add_too_many_drop_the_oldest_and_count(void **state)
{
	(void)state;
	write_program("echo \"$3\" >> $D/output; while [ -e $D/hold ]; do sleep 0.02; done");
	temporary_file_write(hold, "");
	struct hook *hook = open_hook(60000);
	add(hook, "first");
	wait_for(output, "process=first\n", 1);
	for (int i = 0; i < HOOK_QUEUE_MAX + 7; i++)
		add(hook, i < 7 ? "dropped" : i == 7 ? "second" : "other");
	/* It runs for no more of them. */
	write_program("echo \"$3\" >> $D/output");
	assert_int_equal(unlink(hold), 0);
	wait_for(LOG, "7 transitions were not given to the hook: too many waited", 1);
	hook_close(hook);
	assert_int_equal(count(output, "dropped"), 0);
	assert_int_equal(count(output, "process=second\n"), 1);
	assert_int_equal(count(output, "process=other\n"), HOOK_QUEUE_MAX - 1);
}

static void test_hook_close_does_not_wait_for_a_slow_program(void **state)
{
	(void)state;
	write_program("echo x >> $D/output; sleep 60");
	struct hook *hook = open_hook(3600000);
	add(hook, "a");
	add(hook, "b");
	add(hook, "c");
	wait_for(output, "x", 1);
	int64_t start_ms = now_ms();
	hook_close(hook);
	int64_t taken_ms = now_ms() - start_ms;
	assert_true(taken_ms >= HOOK_CLOSE_MS - 50 && taken_ms < 30000); /* the program takes a minute */
	assert_int_equal(count(LOG, "was killed"), 1);
	assert_int_equal(count(LOG, "2 transitions were not given to the hook: the program ends"), 1);
	assert_int_equal(count(output, "x"), 1);
}

/* As long as it takes to start one that is large. */
static void test_hook_close_what_waits_is_told(void **state)
{
	(void)state;
	write_program("sleep 2; cat >> $D/output");
	struct hook *hook = open_hook(10000);
	hook_set_wait(hook, 3600000);
	add(hook, "a");
	add(hook, "b");
	hook_close(hook);
	assert_int_equal(count(output, "\"word\""), 2);
	assert_string_equal(content(LOG), "");
}

static void test_hook_close_lets_quick_programs_end(void **state)
{
	(void)state;
	write_program("sleep 0.1; echo x >> $D/output");
	struct hook *hook = open_hook(10000);
	add(hook, "a");
	add(hook, "b");
	hook_close(hook);
	assert_int_equal(count(output, "x"), 2);
	assert_string_equal(content(LOG), "");
}

static void add_said(struct hook *hook, const char *process)
{
	struct transition transition = red(process);
	transition.alarm.said_ms = NOW;
	hook_add(hook, &transition);
}

/* What the line of a process is as an object; one process at a time. */
static const char *object(const char *process)
{
	static char text[1024];
	snprintf(text, sizeof(text),
	         "{\"time\": \"2026-11-22T14:00:15.000Z\", \"word\": \"RED\", \"ip\": \"10.0.0.5\", \"process\": \"%s\", "
	         "\"resource\": \"mem\", \"value\": 83.10, \"threshold\": 80, \"since\": \"2026-11-22T14:00:10Z\", "
	         "\"line\": \"2026-11-22T14:00:15.000Z RED ip=10.0.0.5 process=\\\"%s\\\" resource=mem value=83.10 threshold=80 "
	         "since=2026-11-22T14:00:10Z\"}", process, process);
	return text;
}

static void test_hook_set_wait_runs_once_for_all_of_that_time(void **state)
{
	(void)state;
	write_program("echo $# >> $D/output; cat >> $D/output; echo done >> $D/output");
	struct hook *hook = open_hook(10000);
	hook_set_wait(hook, 300);
	int64_t start_ms = now_ms();
	add_said(hook, "java");
	add_said(hook, "bash");
	wait_for(output, "done\n", 1);
	assert_true(now_ms() - start_ms >= 300);
	char expected[4096];
	int length = snprintf(expected, sizeof(expected), "0\n[\n%s,\n", object("java"));
	snprintf(expected + length, sizeof(expected) - (size_t)length, "%s\n]\ndone\n", object("bash"));
	assert_string_equal(content(output), expected);

	/* One has its arguments, too. */
	assert_int_equal(unlink(output), 0);
	add_said(hook, "java");
	wait_for(output, "done\n", 1);
	snprintf(expected, sizeof(expected), "7\n[\n%s\n]\ndone\n", object("java"));
	assert_string_equal(content(output), expected);
	hook_close(hook);
	assert_string_equal(content(LOG), "");
}

static void test_hook_set_wait_ends_with_the_service_and_when_there_are_too_many(void **state)
{
	(void)state;
	write_program("wc -l >> $D/output");
	struct hook *hook = open_hook(10000);
	hook_set_wait(hook, 3600000);
	for (int i = 0; i < HOOK_QUEUE_MAX; i++)
		add_said(hook, "java");
	wait_for(output, "1002\n", 1);
	add_said(hook, "bash");
	add_said(hook, "java");
	hook_close(hook);
	assert_string_equal(content(output), "1002\n4\n");
	assert_string_equal(content(LOG), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_hook_add_gives_the_fields_raw, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hook_add_clean_surroundings, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hook_add_one_at_a_time_in_order_and_never_waiting, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hook_time_limit_kills_the_group_and_is_said_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hook_failures_are_said_once_a_kind_and_their_end_too, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hook_configure_unusable_program_says_why, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hook_configure_without_a_descriptor_or_a_thread_runs_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hook_configure_without_memory_leaves_it_as_it_was, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hook_configure_none_runs_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hook_add_too_many_drop_the_oldest_and_count, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hook_close_does_not_wait_for_a_slow_program, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hook_close_what_waits_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hook_close_lets_quick_programs_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hook_set_wait_runs_once_for_all_of_that_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hook_set_wait_ends_with_the_service_and_when_there_are_too_many, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
