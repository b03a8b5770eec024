#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/captured_stderr.h"
#include "tests/unit/support/failing_malloc.h"

#include <dlfcn.h>
#include <errno.h>
#include <libproc2/pids.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "collector/service.h"
#include "tests/unit/collector/fake_server.h"

enum { PATIENCE_MS = 30000, TRIES = 20 };

static struct config *config, *second;
static struct service *service;

/* What the machine is told to be; all zeros: as it is. */
static struct {
	bool waits;       /* a timer takes its time; otherwise all clocks are put forward by it, and it fires at once */
	uint32_t dropped; /* messages of the kernel's that did not fit */
	bool hides;       /* others' processes, the first one among them */
	int read_error;   /* of /proc */
	int timer_error;
	long failing; /* the so manieth allocation behind the next look at /proc; 0: none */
} machine;

static _Atomic int64_t ahead_ns; /* of all clocks */

/* In the place of the libraries'. */
int clock_gettime(clockid_t clock, struct timespec *ret_time)
{
	int result = (int)syscall(SYS_clock_gettime, clock, ret_time);
	int64_t ns = ret_time->tv_nsec + ahead_ns;
	ret_time->tv_sec += ns / 1000000000;
	ret_time->tv_nsec = ns % 1000000000;
	return result;
}

int timerfd_settime(int fd, int flags, const struct itimerspec *timer, struct itimerspec *ret_before)
{
	struct itimerspec given = *timer;
	if (!machine.waits) {
		ahead_ns += timer->it_value.tv_sec * 1000000000 + timer->it_value.tv_nsec;
		given.it_value = (struct timespec){ .tv_nsec = 1 };
	}
	return (int)syscall(SYS_timerfd_settime, fd, flags, &given, ret_before);
}

int getsockopt(int fd, int level, int option, void *value, socklen_t *length)
{
	int result = (int)syscall(SYS_getsockopt, fd, level, option, value, length);
	if (result == 0 && level == SOL_SOCKET && option == SO_MEMINFO)
		((uint32_t *)value)[SK_MEMINFO_DROPS] += machine.dropped;
	return result;
}

int timerfd_create(int clock, int flags)
{
	errno = machine.timer_error;
	return machine.timer_error ? -1 : (int)syscall(SYS_timerfd_create, clock, flags);
}

struct pids_fetch *procps_pids_reap(struct pids_info *info, enum pids_fetch_type which)
{
	struct pids_fetch *fetch = ((__typeof__(&procps_pids_reap))dlsym(RTLD_NEXT, "procps_pids_reap"))(info, which);
	for (int i = 0; fetch && machine.hides && i < fetch->counts->total; i++) {
		if (fetch->stacks[i]->head[0].result.s_int == 1) /* its PID, the first column */
			fetch->stacks[i]->head[0].result.s_int = 1 << 22;
	}
	if (machine.failing)
		failing_start(machine.failing);
	machine.failing = 0;
	errno = machine.read_error;
	return machine.read_error ? NULL : fetch;
}

static struct config *load(const char *interval, const char *exclude)
{
	char url[96];
	struct config *loaded;
	struct text error = TEXT_EMPTY;
	snprintf(url, sizeof(url), "collector.url=%s/x", http_server_url(server.http));
	char *overrides[] = { url, (char *)(uintptr_t)"collector.spool=", (char *)(uintptr_t)interval,
		              (char *)(uintptr_t)exclude };
	assert_int_equal(config_load(NULL, overrides, 4, &loaded, &error), 0);
	return loaded;
}

static void open_service(const char *interval)
{
	struct text error = TEXT_EMPTY;
	config = load(interval, "collector.exclude=nothing");
	assert_int_equal(service_open(config, &service, &error), 0);
	assert_null(error.data);
}

static int tear_down(void **state)
{
	(void)state;
	captured_stderr_abandon();
	service_close(service);
	config_free(config);
	config_free(second);
	service = NULL;
	config = second = NULL;
	memset(&machine, 0, sizeof(machine));
	expect(200, NULL);
	return 0;
}

/* Waits for a tick and takes it. */
static void take_tick(void)
{
	while (service_wait_ms(service) < 0) {
		struct pollfd timer = { .fd = service_timer_fd(service), .events = POLLIN };
		assert_int_equal(poll(&timer, 1, PATIENCE_MS), 1);
		service_take_tick(service);
	}
}

/* Ticks until one of them was sent, which on a busy machine may not be the first; its body. */
static const char *send_tick(void)
{
	expect(200, NULL);
	for (int i = 0; i < TRIES; i++) {
		take_tick();
		service_send(service);
		assert_int_equal(service_wait_ms(service), -1);
		size_t count = requests();
		if (count && strncmp(asked(count - 1)->head, "PUT /x/save-all ", 16) == 0)
			return asked(count - 1)->body;
	}
	fail_msg("nothing was sent");
	return "";
}

static void test_service_tick_is_measured_filtered_and_sent(void **state)
{
	(void)state;
	open_service("collector.interval=1s");
	take_tick();
	assert_int_equal(service_wait_ms(service), 0); /* the server is on this machine */
	const char *body = send_tick();
	assert_non_null(strstr(body, "\"process_name\":\"test_service\",\"type_data\":\"mem\"}"));
	assert_int_equal(first_time_ms(body) % 1000, 0);

	second = load("collector.interval=1s", "collector.exclude=*");
	service_reload(service, second);
	assert_non_null(strstr(send_tick(), "\"data\":[],"));
}

static void test_service_reload_another_interval_is_another_timer(void **state)
{
	(void)state;
	open_service("collector.interval=1h");
	second = load("collector.interval=1s", "collector.exclude=nothing");
	service_reload(service, second);
	take_tick();
}

static void test_service_reload_without_a_timer_keeps_the_one_there_is(void **state)
{
	(void)state;
	open_service("collector.interval=1s");
	second = load("collector.interval=1h", "collector.exclude=nothing");
	captured_stderr_begin();
	machine.timer_error = EMFILE;
	service_reload(service, second);
	take_tick();
	assert_int_equal(captured_stderr_count(" error: opening the timer fails: Too many open files\n"), 1);
	assert_int_equal(captured_stderr_count("opening the timer works again"), 0);
	service_send(service);

	/* It is tried again with each tick. */
	machine.timer_error = 0;
	int old = service_timer_fd(service);
	take_tick();
	assert_int_equal(captured_stderr_count(" info: opening the timer works again\n"), 1);
	captured_stderr_end();
	assert_int_not_equal(service_timer_fd(service), old);
}

static void test_service_flush_says_what_is_lost(void **state)
{
	(void)state;
	expect(CLOSE, NULL);
	open_service("collector.interval=1s");
	take_tick();
	captured_stderr_begin();
	service_flush(service);
	assert_int_equal(captured_stderr_end(), 3);
	assert_non_null(strstr(captured_stderr_text(), "ending; 1 intervals that the server did not take are lost\n"));
	assert_non_null(strstr(captured_stderr_text(), "samples sent 0, "));
}

/* Ticks and sends until these words are logged. */
static void tick_until(const char *words)
{
	for (int i = 0; i < TRIES && !strstr(captured_stderr_text(), words); i++) {
		take_tick();
		service_send(service);
	}
	assert_non_null(strstr(captured_stderr_text(), words));
}

static void test_service_send_stopped_gives_signs_of_life_until_it_is_started(void **state)
{
	(void)state;
	open_service("collector.interval=1s");
	expect(200, "X-Vigie-State: stop\r\n");
	captured_stderr_begin();
	tick_until(" info: stopped by the server: nothing is measured until it says otherwise\n");
	http_server_forget(server.http);
	take_tick();
	service_listen(service);
	service_send(service);
	const char *body = http_server_last(server.http, "PUT /x/save-all ")->body;
	assert_non_null(strstr(body, "\"state\":\"stop\""));
	assert_null(strstr(body, "\"process_name\""));
	expect(200, NULL);
	tick_until(" info: started by the server\n");
	assert_int_equal(captured_stderr_count("stopped by the server"), 1);
	captured_stderr_end();
	assert_non_null(strstr(send_tick(), "\"process_name\":\"test_service\",\"type_data\":\"mem\"}"));
}

/* It is said, and nothing is kept. Most of the allocations are those of reading /proc. */
static void test_service_open_each_failing_allocation_is_said(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	bool failed = true;
	config = load("collector.interval=1s", "collector.name=exe");
	captured_stderr_begin(); /* what it can do without is logged */
	for (long number = 1; failed; number += 1 + number / 16) {
		struct text error = TEXT_EMPTY;
		failing_start(number);
		int result = service_open(config, &service, &error);
		failed = failing_stop();
		assert_true(failed || result == 0);
		assert_true(result == 0 || error.data || text_failed(&error));
		service_close(service);
		service = NULL;
		text_free(&error);
	}
	captured_stderr_end();
}

/* Takes a tick, and gives how often something was logged with it. */
static size_t count_at_tick(const char *words)
{
	captured_stderr_begin();
	take_tick();
	service_send(service);
	captured_stderr_end();
	return captured_stderr_count(words);
}

/* A process that uses some CPU and has ended. */
static void end_process(const char *name)
{
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		prctl(PR_SET_NAME, name);
		while (clock() < CLOCKS_PER_SEC / 20)
			;
		_exit(0);
	}
	assert_int_equal(waitpid(child, NULL, 0), child);
}

/* The first to open one: the right to the kernel's records is gone then. */
static void test_service_exits_are_measured_and_lost_ones_told_once(void **state)
{
	(void)state;
	static const char words[] = " threads have ended too fast to be told of each; ";
	expect(200, NULL);
	captured_stderr_begin();
	open_service("collector.interval=1s");
	captured_stderr_end();
	if (captured_stderr_count("the kernel's exit records: "))
		skip();
	assert_int_equal(count_at_tick(words), 0);
	for (int i = 0; i < 2; i++) {
		assert_in_range(service_listen_ms(service), 1, 501);
		ahead_ns += 600 * INT64_C(1000000);
		assert_int_equal(service_listen_ms(service), 0);
		service_listen(service);
		service_listen(service);
	}
	end_process("vt-ended");
	assert_non_null(strstr(send_tick(), "\"process_name\":\"vt-ended\",\"type_data\":\"cpu\"}"));
	machine.dropped = 5;
	assert_int_equal(count_at_tick("warning: 5 threads have ended too fast to be told of each; "), 1);
	machine.dropped = 8;
	assert_int_equal(count_at_tick(words), 0);
	assert_non_null(strstr(send_tick(), "\"lost_exits\":8"));
	machine.dropped = 9;
	assert_int_equal(count_at_tick("warning: 1 threads have ended too fast"), 1);
	service_close(service);
	service = NULL;
	captured_stderr_begin();
	assert_int_equal(service_open(config, &service, &(struct text){ 0 }), 0);
	assert_true(captured_stderr_end() > 0);
	assert_int_equal(service_listen_ms(service), -1); /* that one has none to listen to */
}

static void test_service_tick_before_its_time_is_none(void **state)
{
	(void)state;
	machine.waits = true;
	open_service("collector.interval=1h");
	service_take_tick(service);
	assert_int_equal(service_wait_ms(service), -1);
}

static void test_service_hidden_processes_are_told_once_and_to_the_server(void **state)
{
	(void)state;
	static const char words[] = "warning: some processes are hidden from this user (hidepid): the view is partial\n";
	open_service("collector.interval=1s");
	assert_non_null(strstr(send_tick(), "\"partial\":false"));
	machine.hides = true;
	assert_int_equal(count_at_tick(words), 1);
	assert_int_equal(count_at_tick(words), 0);
	assert_non_null(strstr(send_tick(), "\"partial\":true"));
	machine.hides = false;
	assert_int_equal(count_at_tick(words), 0);
	machine.hides = true;
	assert_int_equal(count_at_tick(words), 1);
}

static void test_service_names_over_the_limit_are_told_once(void **state)
{
	(void)state;
	static const char words[] = " names are summed under \"";
	config = load("collector.interval=1s", "collector.max_processes=1");
	struct text error = TEXT_EMPTY;
	assert_int_equal(service_open(config, &service, &error), 0);
	assert_int_equal(count_at_tick("warning: over max_processes: "), 1);
	assert_int_equal(count_at_tick(words), 0);
	second = load("collector.interval=1s", "collector.max_processes=10000");
	service_reload(service, second);
	assert_int_equal(count_at_tick(words), 0);
	service_reload(service, config);
	assert_int_equal(count_at_tick(words), 1);
}

/* A tick of which nothing is known is left out, and told once; those that follow are there. */
static void test_service_reading_that_fails_is_told_once_and_tried_again(void **state)
{
	(void)state;
	open_service("collector.interval=1s");
	(void)send_tick();
	machine.read_error = EMFILE;
	assert_int_equal(count_at_tick("error: reading /proc fails: Too many open files\n"), 1);
	http_server_forget(server.http);
	assert_int_equal(count_at_tick("reading /proc"), 0);
	assert_int_equal(http_server_count(server.http, "PUT "), 0);
	machine.read_error = 0;
	assert_int_equal(count_at_tick("info: reading /proc works again\n"), 1);
	assert_non_null(strstr(send_tick(), "\"process_name\":\"test_service\",\"type_data\":\"mem\"}"));
}

/* Takes a tick of which an allocation behind its look at /proc fails: what is left out is told, and the next tick is there.
 * False: there were not so many. */
static bool fail_tick(long number, size_t *unread, size_t *unfiltered)
{
	captured_stderr_begin();
	assert_int_equal(service_open(config, &service, &(struct text){ 0 }), 0);
	machine.failing = number;
	expect(200, NULL);
	take_tick();
	bool failed = failing_stop();
	service_send(service);
	size_t reading = captured_stderr_count("error: reading /proc fails: Cannot allocate memory\n");
	size_t filtering = captured_stderr_count("error: choosing what is sent fails: Cannot allocate memory\n");
	assert_true(reading + filtering <= failed);
	assert_true(reading + filtering == 0 || http_server_count(server.http, "PUT ") == 0);
	*unread += reading;
	*unfiltered += filtering;
	assert_non_null(strstr(send_tick(), "\"process_name\":\""));
	assert_int_equal(captured_stderr_count(" works again\n"), captured_stderr_count(" fails: "));
	captured_stderr_end();
	service_close(service);
	service = NULL;
	return failed;
}

static void test_service_tick_any_allocation_fails_is_told_and_tried_again(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	size_t unread = 0, unfiltered = 0;
	config = load("collector.interval=1s", "collector.max_processes=1");
	/* With the processes of the machine their number changes: one that was to be met may be missed. */
	for (int i = 0; i < TRIES && !(unread && unfiltered); i++) {
		for (long number = 1; fail_tick(number, &unread, &unfiltered); number++)
			;
	}
	assert_true(unread > 0);
	assert_true(unfiltered > 0);
}

static void test_service_io_that_may_not_be_read_is_told_once(void **state)
{
	(void)state;
	static const char words[] = " processes of ";
	if (geteuid() != 0 || access("/proc/self/io", R_OK) != 0)
		skip();
	config = load("collector.interval=1s", "collector.io=yes");
	second = load("collector.interval=1s", "collector.io=no");
	captured_stderr_begin();
	assert_int_equal(service_open(config, &service, &(struct text){ 0 }), 0);
	captured_stderr_end();
	service_reload(service, second);
	assert_int_equal(count_at_tick(words), 0);
	service_reload(service, config);
	assert_int_equal(setresuid(65534, 65534, 0), 0); /* root's are others' then */
	size_t counts[] = { count_at_tick(words), count_at_tick(words) };
	assert_int_equal(setresuid(0, 0, 0), 0);
	assert_int_equal(counts[0], 1);
	assert_int_equal(counts[1], 0);
}

static void test_service_open_without_a_timer_is_refused(void **state)
{
	(void)state;
	struct text error = TEXT_EMPTY;
	config = load("collector.interval=1h", "collector.exclude=nothing");
	machine.timer_error = EMFILE;
	assert_int_equal(service_open(config, &service, &error), -EMFILE);
	assert_string_equal(error.data, "opening the timer: Too many open files");
	assert_null(service);
	text_free(&error);
}

/* What cannot be taken over stays as it was, is told, and the rest of the configuration holds. */
static void test_service_reload_any_allocation_fails_goes_on(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	bool failed = true;
	size_t names = 0, connections = 0;
	open_service("collector.interval=1s");
	second = load("collector.name=exe", "collector.max_processes=10000");
	for (long number = 1; failed; number++) {
		captured_stderr_begin();
		failing_start(number);
		service_reload(service, second);
		failed = failing_stop();
		captured_stderr_end();
		names += captured_stderr_count("error: reading /proc: Cannot allocate memory; names and limits stay as they were\n");
		connections += captured_stderr_count("/x: Cannot allocate memory; the old one stays\n");
		service_reload(service, config);
	}
	assert_true(names >= 1);
	assert_true(connections >= 3);
	assert_non_null(strstr(send_tick(), "\"process_name\":\"test_service\",\"type_data\":\"mem\"}"));
}

static void test_service_counters_are_logged_each_hour_and_without_memory(void **state)
{
	(void)state;
	static const char words[] = "info: samples sent ";
	open_service("collector.interval=1s");
	assert_int_equal(count_at_tick(words), 0);
	ahead_ns += 3600 * INT64_C(1000000000);
	assert_int_equal(count_at_tick(words), 1);
	assert_int_equal(count_at_tick(words), 0);
	if (!FAILING_MALLOC)
		skip();
	captured_stderr_begin();
	failing_start(1);
	service_log_counters(service);
	assert_true(failing_stop());
	captured_stderr_end();
	assert_int_equal(captured_stderr_count("info: out of memory\n"), 1);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_service_exits_are_measured_and_lost_ones_told_once),
		TEST(test_service_tick_before_its_time_is_none),
		TEST(test_service_hidden_processes_are_told_once_and_to_the_server),
		TEST(test_service_names_over_the_limit_are_told_once),
		TEST(test_service_reading_that_fails_is_told_once_and_tried_again),
		TEST(test_service_tick_any_allocation_fails_is_told_and_tried_again),
		TEST(test_service_io_that_may_not_be_read_is_told_once),
		TEST(test_service_open_without_a_timer_is_refused),
		TEST(test_service_reload_any_allocation_fails_goes_on),
		TEST(test_service_counters_are_logged_each_hour_and_without_memory),
		TEST(test_service_tick_is_measured_filtered_and_sent),
		TEST(test_service_reload_another_interval_is_another_timer),
		TEST(test_service_reload_without_a_timer_keeps_the_one_there_is),
		TEST(test_service_flush_says_what_is_lost),
		TEST(test_service_send_stopped_gives_signs_of_life_until_it_is_started),
		TEST(test_service_open_each_failing_allocation_is_said),
	};
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
