#include "tests/unit/support/cmocka.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "collector/exit_records.h"

/* Opened once: the right to open it is gone then. NULL: the kernel has none for us. */
static struct exit_records *records;

static int open_records(void **state)
{
	(void)state;
	int result = exit_records_open(&records);
	if (result)
		print_message("not tried: %s\n", strerror(-result));
	return 0;
}

static int close_records(void **state)
{
	(void)state;
	exit_records_close(records);
	return 0;
}

static void burn(long ms)
{
	struct timespec time;
	do
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	while (time.tv_sec * 1000 + time.tv_nsec / 1000000 < ms);
}

static void *burn_and_end(void *user)
{
	prctl(PR_SET_NAME, "thread");
	burn(60);
	return user;
}

static void *burn_and_leave(void *user)
{
	(void)burn_and_end(user);
	_exit(0); /* without what a sanitizer does at the end */
}

static void be_single(void)
{
	burn(60);
}

/* Two threads, one after the other; the last thread is the first one. */
static void be_threads(void)
{
	for (int i = 0; i < 2; i++) {
		pthread_t thread;
		if (pthread_create(&thread, NULL, burn_and_end, NULL) == 0)
			pthread_join(thread, NULL);
	}
	burn(30);
}

/* The first thread ends before the other. */
static void be_leaderless(void)
{
	pthread_t thread;
	if (pthread_create(&thread, NULL, burn_and_leave, NULL) == 0) {
		burn(30);
		pthread_exit(NULL);
	}
}

static void test_exit_records_next_tells_each_process_once(void **state)
{
	(void)state;
	if (!records)
		skip();
	static const struct {
		void (*work)(void);
		const char *name;
		uint64_t least_us, most_us;
	} cases[] = {
		{ be_single, "single", 60000, 75000 },
		{ be_threads, "a) R \xff(\n", 150000, 175000 },
		{ be_leaderless, "leaderless", 90000, 110000 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		pid_t child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			prctl(PR_SET_NAME, cases[i].name);
			cases[i].work();
			_exit(0);
		}
		assert_int_equal(waitpid(child, NULL, 0), child);
		struct exit_record record, found = { 0 };
		int count = 0;
		while (exit_records_next(records, &record)) {
			if (record.pid == child) {
				found = record;
				count++;
			}
		}
		assert_int_equal(count, 1);
		assert_string_equal(found.name, cases[i].name);
		assert_int_equal(found.parent, getpid());
		assert_false(found.kernel_thread);
		/* What a thread that waited had after its last tick may be missing, and ticks of a virtual machine may be late. */
		assert_in_range(found.run_us, cases[i].least_us - 25000, cases[i].most_us);
		assert_in_range(found.run_max_us, cases[i].least_us - 25000, cases[i].most_us + 12000);
		assert_true(found.run_us <= found.run_max_us);
		/* A tick goes to whoever it meets: beside others that is as much as chance has it. */
		assert_in_range(found.sampled_us, 1, cases[i].most_us * 4);
		assert_in_range(found.lived_us, cases[i].least_us / 2, 60000000);
	}
}

static void spin(unsigned long rounds)
{
	for (volatile unsigned long i = 0; i < rounds; i++)
		;
}

struct spent {
	uint64_t run_us, true_us; /* by records, and by wait4(2), which has the end too */
};

/* What children have used that did nothing but spin. */
static struct spent spend(unsigned long rounds)
{
	enum { COUNT = 100 };
	struct spent spent = { 0 };
	pid_t children[COUNT];
	struct exit_record record;
	for (int i = 0; i < COUNT; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			spin(rounds);
			_exit(0);
		}
		struct rusage usage;
		assert_int_equal(wait4(children[i], NULL, 0, &usage), children[i]);
		spent.true_us += (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
	}
	while (exit_records_next(records, &record)) {
		for (int i = 0; i < COUNT; i++)
			spent.run_us += children[i] == record.pid ? record.run_us : 0;
	}
	return spent;
}

/* Of who never waited the run time is exact, also where a tick of the kernel's clock is longer than the life, and the
 * process has not looked at a clock, which brings it up to date. */
static void test_exit_records_next_knows_lives_shorter_than_a_tick(void **state)
{
	(void)state;
	if (!records)
		skip();
	struct spent idle = spend(0), busy = spend(2000000);
	assert_true(busy.true_us > idle.true_us && busy.run_us > idle.run_us);
	uint64_t true_us = busy.true_us - idle.true_us;
	/* Some may have waited all the same, for their memory, and a virtual machine for its host: the rest are exact. Without
	 * that it is about a half. */
	assert_in_range(busy.run_us - idle.run_us, true_us * 7 / 10, true_us * 13 / 10);
}

static void test_exit_records_lost_counts_what_did_not_fit(void **state)
{
	(void)state;
	if (!records)
		skip();
	struct exit_record record;
	enum { MANY = 4000 };
	int kept = 0;
	int64_t lost = exit_records_lost(records);
	for (int i = 0; i < MANY; i++) {
		pid_t child = vfork();
		if (child == 0)
			_exit(0);
		waitpid(child, NULL, 0);
	}
	while (exit_records_next(records, &record))
		kept += record.parent == getpid();
	lost = exit_records_lost(records) - lost;
	assert_in_range(kept, 1000, MANY - 1);
	assert_true(lost > 0 && kept + lost >= MANY);

	/* Those that follow are there again. */
	pid_t child = fork();
	if (child == 0)
		_exit(0);
	waitpid(child, NULL, 0);
	bool found = false;
	while (exit_records_next(records, &record))
		found = found || record.pid == child;
	assert_true(found);
}

static void test_exit_records_open_has_given_the_right_up(void **state)
{
	(void)state;
	struct exit_records *others;
	assert_int_equal(exit_records_open(&others), -EPERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exit_records_next_tells_each_process_once),
		cmocka_unit_test(test_exit_records_next_knows_lives_shorter_than_a_tick),
		cmocka_unit_test(test_exit_records_lost_counts_what_did_not_fit),
		cmocka_unit_test(test_exit_records_open_has_given_the_right_up),
	};
	return cmocka_run_group_tests(tests, open_records, close_records);
}
