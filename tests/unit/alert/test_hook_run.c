/* alert/hook_run.h, where what it needs is not to be had; alert/hook.h has the rest of it */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/support/temporary_folder.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "alert/hook_run.h"
#include "common/clock.h"
#include "common/whole_file.h"

static char folder[TEMPORARY_FOLDER_SIZE], output[TEMPORARY_FOLDER_SIZE + 16];

static int make_folder(void **state)
{
	(void)state;
	temporary_folder_make(folder);
	snprintf(output, sizeof(output), "%s/output", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	temporary_folder_remove(folder);
	return 0;
}

/* What one run comes to. */
struct run {
	int result;
	enum hook_failure failure;
	struct text error;
	int64_t ends_ns[2]; /* the deadline as it is first, and as it is later */
	size_t asked;       /* for it */
	int wake_fd;
};

static int64_t deadline(void *user)
{
	struct run *run = user;
	return run->ends_ns[run->asked++ > 0];
}

static struct run run(const char *path, const struct text *arguments, const struct text *input)
{
	int64_t far_ns = clock_monotonic_ns() + INT64_C(3600000000000);
	struct run made = { .failure = HOOK_FAILURES, .ends_ns = { far_ns, far_ns }, .wake_fd = -1 };
	made.result = hook_run(path, arguments, input, made.wake_fd, deadline, &made, &made.failure, &made.error);
	assert_int_equal(waitpid(-1, NULL, 0), -1); /* nothing of ours is left */
	assert_int_equal(errno, ECHILD);
	return made;
}

static void assert_failed(struct run *run, enum hook_failure failure, int result, const char *sentence)
{
	assert_string_equal(run->error.data, sentence);
	assert_int_equal(run->failure, failure);
	assert_int_equal(run->result, result);
	text_free(&run->error);
}

static int lowest_free_fd(void)
{
	int fd = dup(STDIN_FILENO);
	assert_true(fd > STDERR_FILENO);
	close(fd);
	return fd;
}

/* As run(), while this process may have as many descriptors. */
static struct run run_within(int descriptors, const char *path, const struct text *arguments, const struct text *input)
{
	struct rlimit before, small;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	small = before;
	small.rlim_cur = (rlim_t)descriptors;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &small), 0);
	struct run made = run(path, arguments, input);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	return made;
}

/* The arguments of a shell that writes its first argument and what it reads into the output. */
static void make_arguments(struct text *arguments)
{
	text_append_string(arguments, "-c");
	text_append_char(arguments, '\0');
	text_printf(arguments, "{ echo \"$0\"; cat; } > %s", output);
	text_append_char(arguments, '\0');
	text_append_string(arguments, "said");
}

static void test_hook_run_each_failing_allocation_runs_nothing_and_says_so(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	struct text arguments = TEXT_EMPTY, input = TEXT_EMPTY, content = TEXT_EMPTY;
	make_arguments(&arguments);
	text_append_string(&input, "what stands there\n");
	long numbers[2] = { 0, 0 }; /* without an input and with one */
	for (int i = 0; i < 2; i++) {
		for (bool failed = true; failed;) {
			int free_fd = lowest_free_fd();
			long before = failing_unfreed();
			failing_start(++numbers[i]);
			struct run made = run("/bin/sh", &arguments, i ? &input : NULL);
			failed = failing_stop();
			if (failed) {
				assert_failed(&made, HOOK_CANNOT_RUN, -ENOMEM, "it cannot be run: Cannot allocate memory");
				assert_int_equal(access(output, F_OK), -1);
			}
			assert_int_equal(failing_unfreed(), before);
			assert_int_equal(lowest_free_fd(), free_fd);
		}
		assert_true(numbers[i] > 2);
		assert_int_equal(whole_file_read(output, &content), 0);
		assert_string_equal(content.data, i ? "said\nwhat stands there\n" : "said\n");
		text_reset(&content);
		assert_int_equal(unlink(output), 0);
	}
	text_free(&arguments);
	text_free(&input);
	text_free(&content);
}

static void test_hook_run_no_descriptor_for_the_input_runs_nothing(void **state)
{
	(void)state;
	struct text arguments = TEXT_EMPTY, input = TEXT_EMPTY;
	text_append_string(&input, "x");
	struct run made = run_within(lowest_free_fd(), "/bin/true", &arguments, &input);
	assert_failed(&made, HOOK_CANNOT_RUN, -EMFILE, "it cannot be run: Too many open files");
	text_free(&input);
}

static void test_hook_run_no_descriptors_for_its_own_runs_nothing(void **state)
{
	(void)state;
	struct text arguments = TEXT_EMPTY;
	make_arguments(&arguments);
	for (int descriptors = 0; descriptors <= STDERR_FILENO; descriptors++) {
		struct run made = run_within(descriptors, "/bin/sh", &arguments, NULL);
		assert_failed(&made, HOOK_CANNOT_RUN, -EBADF, "it cannot be run: Bad file descriptor");
		assert_int_equal(access(output, F_OK), -1);
	}
	text_free(&arguments);
}

/* It would take a minute. */
static void test_hook_run_no_descriptor_to_wait_with_kills_it(void **state)
{
	(void)state;
	struct text arguments = TEXT_EMPTY;
	text_append_string(&arguments, "60");
	int64_t begun_ns = clock_monotonic_ns();
	int held_fd = dup(STDIN_FILENO); /* so that there are more than the program has */
	struct run made = run_within(lowest_free_fd(), "/bin/sleep", &arguments, NULL);
	close(held_fd);
	assert_failed(&made, HOOK_CANNOT_RUN, -EMFILE, "it cannot be waited for: Too many open files");
	assert_true(clock_monotonic_ns() - begun_ns < INT64_C(30000000000));
	assert_int_equal(made.asked, 0);
	text_free(&arguments);
}

static void test_hook_run_no_room_for_the_input_runs_nothing(void **state)
{
	(void)state;
	struct text arguments = TEXT_EMPTY, input = TEXT_EMPTY;
	struct rlimit before, small;
	make_arguments(&arguments);
	for (int i = 0; i < 10000; i++)
		text_append_char(&input, 'x');
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = 4096;
	signal(SIGXFSZ, SIG_IGN);
	int free_fd = lowest_free_fd();
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	struct run made = run("/bin/sh", &arguments, &input);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_DFL);
	assert_failed(&made, HOOK_CANNOT_RUN, -EFBIG, "it cannot be run: File too large");
	assert_int_equal(access(output, F_OK), -1);
	assert_int_equal(lowest_free_fd(), free_fd);
	text_free(&arguments);
	text_free(&input);
}

/* Its time is an hour when it begins, and over when it is asked for again: once, since what woke is taken away. */
static void test_hook_run_woken_asks_for_the_deadline_anew(void **state)
{
	(void)state;
	struct text arguments = TEXT_EMPTY;
	text_append_string(&arguments, "60");
	int64_t now_ns = clock_monotonic_ns();
	struct run made = { .failure = HOOK_FAILURES, .ends_ns = { now_ns + INT64_C(3600000000000), now_ns },
		                .wake_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK) };
	made.result = hook_run("/bin/sleep", &arguments, NULL, made.wake_fd, deadline, &made, &made.failure, &made.error);
	assert_failed(&made, HOOK_TIME_LIMIT, -ETIMEDOUT, "it took too long and was killed");
	assert_int_equal(made.asked, 2);
	close(made.wake_fd);
	text_free(&arguments);
}

static volatile sig_atomic_t signals;

static void count_signal(int number)
{
	(void)number;
	signals++;
}

static void test_hook_run_signals_of_ours_end_no_wait(void **state)
{
	(void)state;
	const struct sigaction action = { .sa_handler = count_signal }; /* what it interrupts is not gone on with */
	const struct itimerval often = { { 0, 10000 }, { 0, 10000 } }, never = { { 0, 0 }, { 0, 0 } };
	struct text arguments = TEXT_EMPTY;
	text_append_string(&arguments, "0.2");
	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	int result = run("/bin/sleep", &arguments, NULL).result;
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	assert_int_equal(result, 0);
	assert_true(signals > 0);
	text_free(&arguments);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hook_run_each_failing_allocation_runs_nothing_and_says_so),
		cmocka_unit_test(test_hook_run_no_descriptor_for_the_input_runs_nothing),
		cmocka_unit_test(test_hook_run_no_descriptors_for_its_own_runs_nothing),
		cmocka_unit_test(test_hook_run_no_descriptor_to_wait_with_kills_it),
		cmocka_unit_test(test_hook_run_no_room_for_the_input_runs_nothing),
		cmocka_unit_test(test_hook_run_woken_asks_for_the_deadline_anew),
		cmocka_unit_test(test_hook_run_signals_of_ours_end_no_wait),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
