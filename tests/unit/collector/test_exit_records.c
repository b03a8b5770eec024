#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"

#include <dlfcn.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/acct.h>
#include <linux/genetlink.h>
#include <linux/taskstats.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "collector/exit_records.h"

/* What is in the place of the kernel. */
static struct {
	const char *failing; /* the call that fails, once; NULL: none */
	int error, after;    /* how, and after so many that do not */
	char bytes[4096];    /* a message that is received before any other */
	size_t length;       /* 0: there is none */
} kernel;

static bool fails(const char *call)
{
	if (!kernel.failing || strcmp(call, kernel.failing) != 0 || kernel.after-- > 0)
		return false;
	kernel.failing = NULL;
	errno = kernel.error;
	return true;
}

/* In the place of the libraries'. */
#define REAL(function) ((__typeof__(&(function)))dlsym(RTLD_NEXT, #function))

pid_t fork(void)
{
	return fails("fork") ? -1 : REAL(fork)();
}

pid_t waitpid(pid_t pid, int *ret_status, int options)
{
	return fails("waitpid") ? -1 : REAL(waitpid)(pid, ret_status, options);
}

struct mnl_socket *mnl_socket_open2(int bus, int flags)
{
	return fails("open2") ? NULL : REAL(mnl_socket_open2)(bus, flags);
}

int mnl_socket_bind(struct mnl_socket *socket, unsigned groups, pid_t pid)
{
	return fails("bind") ? -1 : REAL(mnl_socket_bind)(socket, groups, pid);
}

int mnl_socket_setsockopt(const struct mnl_socket *socket, int type, void *value, socklen_t length)
{
	return fails("setsockopt") ? -1 : REAL(mnl_socket_setsockopt)(socket, type, value, length);
}

ssize_t mnl_socket_sendto(const struct mnl_socket *socket, const void *bytes, size_t length)
{
	return fails("sendto") ? -1 : REAL(mnl_socket_sendto)(socket, bytes, length);
}

ssize_t mnl_socket_recvfrom(const struct mnl_socket *socket, void *bytes, size_t size)
{
	size_t length = kernel.length;
	if (fails("recvfrom"))
		return -1;
	if (!length)
		return REAL(mnl_socket_recvfrom)(socket, bytes, size);
	memcpy(bytes, kernel.bytes, length);
	kernel.length = 0;
	return (ssize_t)length;
}

/* What a child gets that opens them, as a positive errno: the right to is gone then, whatever comes of it. */
static int open_in_child(const char *failing, int error, int after)
{
	int status = -1;
	fflush(stdout);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct exit_records *first = NULL, *second = NULL;
		kernel.failing = failing;
		kernel.error = error;
		kernel.after = after;
		int result = exit_records_open(&first);
		(void)failing_stop();
		int again = exit_records_open(&second);
		exit_records_close(first);
		exit(again != -EPERM || (result == 0) != (first != NULL) ? 255 : -result);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_exit_records_open_whatever_fails_is_told_and_the_right_given_up(void **state)
{
	(void)state;
	if (open_in_child(NULL, 0, 0) != 0)
		skip();
	assert_int_equal(open_in_child("waitpid", EINTR, 0), 0);
	assert_int_equal(open_in_child("fork", EAGAIN, 0), EAGAIN);
	assert_int_equal(open_in_child("open2", EMFILE, 0), EMFILE);
	assert_int_equal(open_in_child("setsockopt", ENOPROTOOPT, 0), ENOPROTOOPT);
	assert_int_equal(open_in_child("bind", EADDRINUSE, 0), EADDRINUSE);
	for (int i = 0; i < 2; i++)
		assert_int_equal(open_in_child("sendto", ECONNREFUSED, i), ECONNREFUSED);
	/* Without an answer to what was asked, and without the record of the child that it is tried with. */
	int after = 0, result = ENOBUFS;
	for (; result == ENOBUFS && after < 100; after++)
		result = open_in_child("recvfrom", ENOBUFS, after);
	assert_int_equal(result, ENOMSG);
	assert_in_range(after, 3, 100);
	/* A kernel that has no such family. */
	struct nlmsghdr *header = mnl_nlmsg_put_header(kernel.bytes);
	header->nlmsg_type = NLMSG_ERROR;
	struct nlmsgerr *error = mnl_nlmsg_put_extra_header(header, sizeof(*error));
	error->error = -ENOENT;
	kernel.length = header->nlmsg_len;
	assert_int_equal(open_in_child(NULL, 0, 0), ENOENT);
	kernel.length = 0;
	if (FAILING_MALLOC) {
		failing_start(1);
		assert_int_equal(open_in_child(NULL, 0, 0), ENOMEM);
		(void)failing_stop();
	}
}

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
	enum { TRIES = 5 };
	(void)state;
	if (!records)
		skip();
	/* Some may have waited all the same, for their memory, and a virtual machine for its host, of a busy machine more than of
	 * others: the rest are exact. Without that it is about a half each time. */
	uint64_t run_us = 0, true_us = 0;
	for (int i = 0; i < TRIES && (run_us <= true_us * 7 / 10 || run_us >= true_us * 13 / 10); i++) {
		struct spent idle = spend(0), busy = spend(2000000);
		assert_true(busy.true_us > idle.true_us && busy.run_us > idle.run_us);
		true_us = busy.true_us - idle.true_us;
		run_us = busy.run_us - idle.run_us;
	}
	assert_in_range(run_us, true_us * 7 / 10, true_us * 13 / 10);
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

enum { MADE_UP = 987654321 }; /* no PID */

static void put(struct nlmsghdr *header, uint16_t type, const struct taskstats *statistics)
{
	struct nlattr *nest = mnl_attr_nest_start(header, type);
	mnl_attr_put(header, TASKSTATS_TYPE_STATS, sizeof(*statistics), statistics);
	mnl_attr_nest_end(header, nest);
}

/* The record as the next that is received; false: it tells no end of a process. */
static bool receive(const struct taskstats *thread, const struct taskstats *group, struct exit_record *ret_record)
{
	struct nlmsghdr *header = mnl_nlmsg_put_header(kernel.bytes);
	header->nlmsg_type = NLMSG_MIN_TYPE;
	mnl_nlmsg_put_extra_header(header, sizeof(struct genlmsghdr));
	mnl_attr_put_u32(header, TASKSTATS_TYPE_NULL, 0); /* of what is not known nothing is taken */
	if (thread)
		put(header, TASKSTATS_TYPE_AGGR_PID, thread);
	if (group)
		put(header, TASKSTATS_TYPE_AGGR_TGID, group);
	kernel.length = header->nlmsg_len;
	while (exit_records_next(records, ret_record)) {
		if (ret_record->pid == MADE_UP)
			return true;
	}
	return false;
}

static void test_exit_records_next_is_read_as_the_kernel_means_it(void **state)
{
	(void)state;
	if (!records)
		skip();
	static const struct {
		const char *what;
		uint16_t version;
		uint32_t parent;
		uint64_t highest_kib, waits, lived_us, ran_us, queued_us;
		bool ended, kernel_thread;
		uint64_t run_us, run_max_us;
	} cases[] = {
		{ "who never waited has had its core all its life", 12, 7, 5, 0, 1000, 800, 100, true, false, 900, 900 },
		{ "who waited lacks no more than that", 12, 7, 5, 1, 1000, 800, 100, true, false, 800, 900 },
		{ "its clocks do not agree", 12, 7, 5, 0, 850, 800, 100, true, false, 800, 800 },
		{ "an older kernel, which does not know what is needed", 11, 7, 5, 0, 1000, 800, 100, false, false, 0, 0 },
		{ "a kernel thread", 12, 2, 0, 0, 1000, 800, 100, true, true, 900, 900 },
		{ "a program that one has started", 13, 2, 5, 0, 1000, 800, 100, true, false, 900, 900 },
		{ "a process that has given its memory back", 12, 7, 0, 0, 1000, 800, 100, true, false, 900, 900 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct taskstats thread = {
			.version = cases[i].version, .ac_flag = AGROUP, .ac_pid = MADE_UP, .ac_tgid = MADE_UP, .ac_ppid = cases[i].parent,
			.hiwater_vm = cases[i].highest_kib, .nvcsw = cases[i].waits, .ac_etime = cases[i].lived_us,
			.ac_tgetime = cases[i].lived_us, .cpu_run_virtual_total = cases[i].ran_us * 1000,
			.cpu_delay_total = cases[i].queued_us * 1000, .ac_comm = "sh",
		};
		struct exit_record record = { .pid = 0 };
		if (i == 0) {
			kernel.failing = "recvfrom"; /* a signal */
			kernel.error = EINTR;
			kernel.after = 0;
		}
		if (receive(&thread, NULL, &record) != cases[i].ended)
			fail_msg("%s", cases[i].what);
		if (!cases[i].ended)
			continue;
		assert_string_equal(record.name, "sh");
		assert_int_equal(record.parent, cases[i].parent);
		assert_int_equal(record.kernel_thread, cases[i].kernel_thread);
		assert_int_equal(record.lived_us, cases[i].lived_us);
		if (record.run_us != cases[i].run_us || record.run_max_us != cases[i].run_max_us)
			fail_msg("%s: %llu, %llu", cases[i].what, (unsigned long long)record.run_us, (unsigned long long)record.run_max_us);
		assert_false(receive(NULL, &thread, &record)); /* of no thread */
	}
}

static void test_exit_records_open_has_given_the_right_up(void **state)
{
	(void)state;
	struct exit_records *others;
	assert_int_equal(exit_records_open(&others), -EPERM);
}

int main(void)
{
	const struct CMUnitTest opening[] = {
		cmocka_unit_test(test_exit_records_open_whatever_fails_is_told_and_the_right_given_up),
	};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exit_records_next_tells_each_process_once),
		cmocka_unit_test(test_exit_records_next_knows_lives_shorter_than_a_tick),
		cmocka_unit_test(test_exit_records_lost_counts_what_did_not_fit),
		cmocka_unit_test(test_exit_records_next_is_read_as_the_kernel_means_it),
		cmocka_unit_test(test_exit_records_open_has_given_the_right_up),
	};
	int failed = cmocka_run_group_tests(opening, NULL, NULL); /* while there still is a right to */
	return failed + cmocka_run_group_tests(tests, open_records, close_records);
}
