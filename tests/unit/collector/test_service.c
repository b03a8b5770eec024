#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/captured_stderr.h"
#include "tests/unit/support/failing_malloc.h"

#include <poll.h>
#include <sys/resource.h>

#include "collector/service.h"
#include "tests/unit/collector/fake_server.h"

enum { PATIENCE_MS = 30000, TRIES = 20 };

static struct config *config, *second;
static struct service *service;

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

static void test_service_reload_without_descriptors_keeps_the_timer(void **state)
{
	(void)state;
	open_service("collector.interval=1s");
	second = load("collector.interval=1h", "collector.exclude=nothing");
	struct rlimit limit, none;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){ .rlim_cur = 0, .rlim_max = limit.rlim_max };
	captured_stderr_begin();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	service_reload(service, second);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	captured_stderr_end();
	assert_non_null(strstr(captured_stderr_text(), " error: opening the timer: Too many open files; the old one goes on\n"));
	take_tick();
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
	open_service("collector.interval=1s");
	service_close(service);
	service = NULL;
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

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_service_tick_is_measured_filtered_and_sent),
		TEST(test_service_reload_another_interval_is_another_timer),
		TEST(test_service_reload_without_descriptors_keeps_the_timer),
		TEST(test_service_flush_says_what_is_lost),
		TEST(test_service_send_stopped_gives_signs_of_life_until_it_is_started),
		TEST(test_service_open_each_failing_allocation_is_said),
	};
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
