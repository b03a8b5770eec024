#include "tests/unit/support/cmocka.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"

/* Expected texts from date(1): date -u -d @SECONDS +%FT%T.%3NZ */
static void test_clock_format_rfc3339_times_give_utc(void **state)
{
	(void)state;
	static const struct {
		int64_t time_ms;
		const char *expected;
	} cases[] = {
		{ 0, "1970-01-01T00:00:00.000Z" },
		{ 1, "1970-01-01T00:00:00.001Z" },
		{ 999, "1970-01-01T00:00:00.999Z" },
		{ 1000, "1970-01-01T00:00:01.000Z" },
		{ 1795356015000, "2026-11-22T14:00:15.000Z" },
		{ 1795356015099, "2026-11-22T14:00:15.099Z" },
		{ 1709208000500, "2024-02-29T12:00:00.500Z" },
		{ 951825599999, "2000-02-29T11:59:59.999Z" },
		{ 2147483648000, "2038-01-19T03:14:08.000Z" },
		{ 4102444800000, "2100-01-01T00:00:00.000Z" },
		{ 253402300799999, "9999-12-31T23:59:59.999Z" },
		{ -1, "1969-12-31T23:59:59.999Z" },
		{ -1000, "1969-12-31T23:59:59.000Z" },
		{ -1001, "1969-12-31T23:59:58.999Z" },
		/* Nonsense that a client may send must not be undefined. */
		{ INT64_MAX, "292278994-08-17T07:12:55.807Z" },
		{ INT64_MIN, "-292275055-05-16T16:47:04.192Z" },
	};
	/* Another time zone changes nothing. */
	setenv("TZ", "Asia/Kolkata", 1);
	tzset();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[CLOCK_RFC3339_SIZE];
		memset(text, 'x', sizeof(text));
		clock_format_rfc3339(cases[i].time_ms, text);
		assert_string_equal(text, cases[i].expected);
	}
	unsetenv("TZ");
	tzset();
}

static void test_clock_parse_rfc3339_table(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t time_ms;
	} cases[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "2026-11-22T14:00:15Z", 1795356015000 },
		{ "2026-11-22t14:00:15z", 1795356015000 },
		{ "2026-11-22 14:00:15Z", 1795356015000 },
		{ "2026-11-22T14:00:15.000Z", 1795356015000 },
		{ "2026-11-22T14:00:15.25Z", 1795356015250 },
		{ "2026-11-22T14:00:15.123999999Z", 1795356015123 },
		{ "2026-11-22T15:00:15+01:00", 1795356015000 },
		{ "2026-11-22T15:00:15.5+01:00", 1795356015500 },
		{ "2026-11-22T10:30:15-03:30", 1795356015000 },
		{ "2026-11-22T14:00:15-00:00", 1795356015000 },
		{ "2024-02-29T00:00:00Z", 1709164800000 },
		{ "2000-02-29T00:00:00Z", 951782400000 },
		{ "2016-12-31T23:59:60Z", 1483228800000 },
		{ "1969-12-31T23:59:59.999Z", -1 },
		{ "9999-12-31T23:59:59Z", 253402300799000 },
	};
	static const char *const wrong[] = {
		"", "2026", "2026-11-22", "2026-11-22T14:00Z", "2026-11-22T14:00:15", "2026-11-22T14:00:15z ", " 2026-11-22T14:00:15Z",
		"2026-11-22_14:00:15Z", "2026-11-22T14:00:15.Z", "2026-11-22T14:00:15 01:00", "2026-11-22T14:00:15+0100",
		"2026-11-22T14:00:15+01", "2026-11-22T14:00:15+24:00", "2026-11-22T14:00:15+01:60", "2026-11-22T24:00:15Z",
		"2026-11-22T14:60:15Z", "2026-11-22T14:00:61Z", "2026-00-22T14:00:15Z", "2026-13-22T14:00:15Z", "2026-11-00T14:00:15Z",
		"2026-11-31T14:00:15Z", "2026-02-29T14:00:15Z", "1900-02-29T14:00:15Z", "-026-11-22T14:00:15Z", "2026-1-22T14:00:15Z",
		"02026-11-22T14:00:15Z", "2026-11-22T+4:00:15Z",
	};
	setenv("TZ", "Asia/Kolkata", 1);
	tzset();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t time_ms = 7;
		if (!clock_parse_rfc3339(cases[i].text, &time_ms) || time_ms != cases[i].time_ms)
			fail_msg("%s: %lld", cases[i].text, (long long)time_ms);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		int64_t time_ms = 7;
		if (clock_parse_rfc3339(wrong[i], &time_ms) || time_ms != 7)
			fail_msg("%s was taken", wrong[i]);
	}
	unsetenv("TZ");
	tzset();
}

static void test_clock_timespec_has_seconds_and_the_rest(void **state)
{
	(void)state;
	static const struct {
		int64_t time_ns, s, ns;
	} cases[] = { { 0, 0, 0 }, { 999999999, 0, 999999999 }, { 1000000000, 1, 0 }, { INT64_C(86400123456789), 86400, 123456789 } };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct timespec time = clock_timespec(cases[i].time_ns);
		assert_int_equal(time.tv_sec, cases[i].s);
		assert_int_equal(time.tv_nsec, cases[i].ns);
	}
}

static void test_clock_poll_ms_is_never_negative_and_never_early(void **state)
{
	(void)state;
	const int64_t hour_ns = INT64_C(3600000000000);
	assert_int_equal(clock_poll_ms(INT64_MIN / 2), 0);
	assert_int_equal(clock_poll_ms(clock_monotonic_ns() - 1000000), 0);
	assert_int_equal(clock_poll_ms(INT64_MAX), INT_MAX);
	for (int i = 0; i < 1000; i++) {
		int64_t end_ns = clock_monotonic_ns() + hour_ns;
		int wait_ms = clock_poll_ms(end_ns);
		assert_true(clock_monotonic_ns() + wait_ms * INT64_C(1000000) >= end_ns);
		assert_true(wait_ms <= 3600000);
	}
}

static void test_clock_wall_ms_agrees_with_time(void **state)
{
	(void)state;
	struct timespec before, after;
	clock_gettime(CLOCK_REALTIME, &before);
	int64_t now_ms = clock_wall_ms();
	clock_gettime(CLOCK_REALTIME, &after);
	assert_true(now_ms >= (int64_t)before.tv_sec * 1000 + before.tv_nsec / 1000000);
	assert_true(now_ms <= (int64_t)after.tv_sec * 1000 + after.tv_nsec / 1000000);
}

static void test_clock_monotonic_ns_agrees_with_the_kernel(void **state)
{
	(void)state;
	struct timespec before, after;
	clock_gettime(CLOCK_MONOTONIC, &before);
	int64_t now_ns = clock_monotonic_ns();
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_true(now_ns >= (int64_t)before.tv_sec * 1000000000 + before.tv_nsec);
	assert_true(now_ns <= (int64_t)after.tv_sec * 1000000000 + after.tv_nsec);
}

static void test_clock_monotonic_ns_never_goes_back(void **state)
{
	(void)state;
	int64_t last = clock_monotonic_ns();
	for (int i = 0; i < 100000; i++) {
		int64_t now = clock_monotonic_ns();
		if (now < last)
			fail_msg("%lld after %lld", (long long)now, (long long)last);
		last = now;
	}
}

static void test_clock_moment_agrees_with_the_kernel(void **state)
{
	(void)state;
	struct timespec before, after;
	int64_t wall_before_ms = clock_wall_ms();
	clock_gettime(CLOCK_BOOTTIME, &before);
	struct moment now = clock_moment();
	clock_gettime(CLOCK_BOOTTIME, &after);
	assert_true(now.boot_ms >= (int64_t)before.tv_sec * 1000 + before.tv_nsec / 1000000);
	assert_true(now.boot_ms <= (int64_t)after.tv_sec * 1000 + after.tv_nsec / 1000000);
	assert_true(now.wall_ms >= wall_before_ms);
	assert_true(now.wall_ms <= clock_wall_ms());
}

/* A machine that has slept an hour, as a time namespace shows it: the wall clock's companion has gone on. */
static void test_clock_moment_goes_on_while_the_machine_sleeps(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWTIME) != 0) {
		print_message("no time namespace here\n");
		skip();
	}
	int offsets = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
	assert_true(offsets >= 0);
	assert_int_equal(write(offsets, "boottime 3600 0", 15), 15);
	close(offsets);
	pid_t pid = fork(); /* the child is in it */
	assert_true(pid >= 0);
	if (pid == 0) {
		int64_t slept_ms = clock_moment().boot_ms - clock_monotonic_ns() / 1000000;
		_exit(slept_ms >= 3600000 ? 0 : 1);
	}
	int status;
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_clock_boot_is_the_same_until_the_next_start(void **state)
{
	(void)state;
	assert_true(clock_boot() != 0);
	assert_true(clock_boot() == clock_boot());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clock_format_rfc3339_times_give_utc),
		cmocka_unit_test(test_clock_parse_rfc3339_table),
		cmocka_unit_test(test_clock_timespec_has_seconds_and_the_rest),
		cmocka_unit_test(test_clock_poll_ms_is_never_negative_and_never_early),
		cmocka_unit_test(test_clock_wall_ms_agrees_with_time),
		cmocka_unit_test(test_clock_monotonic_ns_agrees_with_the_kernel),
		cmocka_unit_test(test_clock_monotonic_ns_never_goes_back),
		cmocka_unit_test(test_clock_moment_agrees_with_the_kernel),
		cmocka_unit_test(test_clock_moment_goes_on_while_the_machine_sleeps),
		cmocka_unit_test(test_clock_boot_is_the_same_until_the_next_start),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
