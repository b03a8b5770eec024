/* alert/alertmanager.h, against a server in a thread */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/captured_stderr.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/support/http_server.h"
#include "tests/unit/support/no_threads.h"
#include "tests/unit/support/temporary_folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alert/alertmanager.h"
#include "common/clock.h"
#include "common/whole_file.h"

#define POST "POST /am/api/v2/alerts HTTP/1.1\r\n"
#define TAKEN "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

static char folder[TEMPORARY_FOLDER_SIZE], file[TEMPORARY_FOLDER_SIZE + 16], broken[TEMPORARY_FOLDER_SIZE + 32];
static struct http_server *server;
static struct states *states;
static struct hostnames names; /* of nobody */

static int set_up(void **state)
{
	(void)state;
	temporary_folder_make(folder);
	snprintf(file, sizeof(file), "%s/known", folder);
	snprintf(broken, sizeof(broken), "%s.broken", file);
	server = http_server_open();
	http_server_start(server);
	captured_stderr_begin();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	captured_stderr_abandon();
	http_server_close(server);
	states_close(states);
	states = NULL;
	unlink(file);
	unlink(broken);
	return rmdir(folder);
}

/* `second`: another Alertmanager's URL; NULL: there is none. */
static int try_to_open(const char *second, struct alertmanager **ret_alertmanager)
{
	char url[128];
	snprintf(url, sizeof(url), "%s/am/", http_server_url(server));
	char *urls[] = { url, (char *)(uintptr_t)second };
	char page[] = "http://user:secret@vigie:8000/x", nothing[] = "", proxy[] = "environment";
	const struct config config = { .alert = { .url = page, .interval_ms = 100, .timeout_ms = 10000, .ca_file = nothing, .proxy = proxy,
		                                  .alertmanager = { .values = urls, .count = second ? 2 : 1 } } };
	return alertmanager_open(&config, file, ret_alertmanager);
}

static struct alertmanager *open_alertmanager(const char *second)
{
	struct alertmanager *alertmanager;
	assert_int_equal(try_to_open(second, &alertmanager), 0);
	assert_non_null(alertmanager);
	return alertmanager;
}

static void stand(struct alertmanager *alertmanager, enum color color)
{
	struct host_state host = { .alarm = { .ip = "10.0.0.5", .process = WIRE_HOST_ITSELF, .resource = RESOURCE_COUNT, .color = color,
		                              .since_ms = 1795356010000 } };
	states_close(states);
	states = states_open(10000);
	assert_non_null(states);
	assert_int_equal(states_restore_host(states, &host), 0);
	alertmanager_update(alertmanager, states, &names, clock_wall_ms());
}

static void wait_for_posts(size_t count)
{
	for (int i = 0; i < 60000 && http_server_count(server, POST) < count; i++)
		usleep(1000);
	assert_true(http_server_count(server, POST) >= count);
}

/* Waits for a post with or without the words. */
static void wait_for_post(const char *words, bool with)
{
	size_t count = 0;
	for (int i = 0; i < 60000; i++) {
		size_t now = http_server_count(server, POST);
		if (now > count && (strstr(http_server_last(server, POST)->body, words) != NULL) == with)
			return;
		count = now;
		usleep(1000);
	}
	fail_msg("no post has '%s'", words);
}

static void wait_for_log(const char *words)
{
	for (int i = 0; i < 60000 && captured_stderr_count(words) == 0; i++)
		usleep(1000);
	assert_int_equal(captured_stderr_count(words), 1);
}

static void test_alertmanager_update_is_told_saved_and_renewed(void **state)
{
	(void)state;
	http_server_answer(server, POST, TAKEN);
	struct alertmanager *alertmanager = open_alertmanager(NULL);
	wait_for_posts(1);
	assert_string_equal(http_server_last(server, POST)->body, "[]"); /* so that a wrong URL is known before there is an alarm */
	assert_false(alertmanager_lacks(alertmanager, states = states_open(10000)));
	stand(alertmanager, COLOR_UNKNOWN);
	wait_for_post("10.0.0.5", true);
	const struct http_server_request *request = http_server_last(server, POST);
	assert_non_null(strstr(request->body, "\"generatorURL\": \"http://vigie:8000/x/hosts\""));
	assert_null(strstr(request->body, "secret"));
	struct text content = TEXT_EMPTY;
	assert_int_equal(whole_file_read(file, &content), 0);
	assert_non_null(strstr(content.data, "UNKNOWN ip=10.0.0.5"));
	text_free(&content);
	size_t count = http_server_count(server, POST);
	wait_for_posts(count + 2); /* each 0.6 s */
	assert_non_null(strstr(http_server_last(server, POST)->body, "10.0.0.5"));
	alertmanager_close(alertmanager);
	assert_int_equal(captured_stderr_end(), 0);
}

static void test_alertmanager_failures_are_said_once_and_all_is_told_again(void **state)
{
	(void)state;
	const char *answers[] = { TAKEN, "HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nno\n\n", "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", TAKEN };
	http_server_answer_in_order(server, POST, answers, 4);
	struct alertmanager *alertmanager = open_alertmanager(NULL);
	wait_for_posts(1);
	stand(alertmanager, COLOR_UNKNOWN);
	wait_for_log("works again");
	wait_for_post("10.0.0.5", true);
	alertmanager_close(alertmanager);
	assert_int_equal(captured_stderr_count("telling the Alertmanager http://127.0.0.1:"), 2);
	assert_int_equal(captured_stderr_count("/am/ fails: the answer's status is 503 (no"), 1);
	assert_int_equal(captured_stderr_end(), 2);
}

static void test_alertmanager_a_refused_alert_is_said_and_not_told_at_once_again(void **state)
{
	(void)state;
	http_server_answer(server, POST, "HTTP/1.1 400 Bad\r\nContent-Length: 3\r\n\r\nbad");
	struct alertmanager *alertmanager = open_alertmanager(NULL);
	wait_for_log("the answer's status is 400 (bad)");
	wait_for_posts(3);
	assert_true(http_server_count(server, POST) < 20); /* each 0.6 s, however busy the machine is */
	alertmanager_close(alertmanager);
	assert_int_equal(captured_stderr_end(), 1);
}

static void test_alertmanager_one_that_is_away_delays_no_other(void **state)
{
	(void)state;
	http_server_answer(server, POST, TAKEN);
	struct alertmanager *alertmanager = open_alertmanager("http://127.0.0.1:1");
	wait_for_log("telling the Alertmanager http://127.0.0.1:1 fails: ");
	stand(alertmanager, COLOR_UNKNOWN);
	wait_for_post("10.0.0.5", true);
	alertmanager_close(alertmanager);
	assert_int_equal(captured_stderr_end(), 1);
}

static void test_alertmanager_open_tells_what_has_ended_meanwhile(void **state)
{
	(void)state;
	http_server_answer(server, POST, "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
	struct alertmanager *alertmanager = open_alertmanager(NULL);
	stand(alertmanager, COLOR_UNKNOWN);
	wait_for_log("fails");
	stand(alertmanager, COLOR_GREEN);
	alertmanager_close(alertmanager);
	http_server_forget(server);
	http_server_answer(server, POST, TAKEN);
	alertmanager = open_alertmanager(NULL);
	wait_for_post("10.0.0.5", true);
	alertmanager_close(alertmanager);
	assert_null(strstr(http_server_asked(server, 0)->body, "\"endsAt\": \"2026-11-22")); /* a time of now */
	assert_int_equal(captured_stderr_count("fails"), 1);
	captured_stderr_end();
}

static void test_alertmanager_open_moves_what_is_broken_aside(void **state)
{
	(void)state;
	http_server_answer(server, POST, TAKEN);
	temporary_file_write(file, "{}");
	struct alertmanager *alertmanager = open_alertmanager(NULL);
	wait_for_posts(1);
	alertmanager_close(alertmanager);
	assert_int_equal(access(broken, F_OK), 0);
	assert_int_equal(captured_stderr_count("is no file of vigie-alert: it is none of version 1; moved to"), 1);
	captured_stderr_end();
}

static void test_alertmanager_close_does_not_wait_for_a_silent_one(void **state)
{
	(void)state;
	http_server_answer(server, POST, NULL);
	struct alertmanager *alertmanager = open_alertmanager(NULL);
	wait_for_posts(1);
	int64_t start_ns = clock_monotonic_ns();
	alertmanager_close(alertmanager);
	assert_true(clock_monotonic_ns() - start_ns < INT64_C(5000000000)); /* the request's own limit is ten */
	assert_int_equal(captured_stderr_end(), 0);
}

/* What was posted is in the file, or aside, where that is broken. */
static void test_alertmanager_open_each_failing_allocation_keeps_the_file(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	http_server_answer(server, POST, TAKEN);
	struct alertmanager *alertmanager = open_alertmanager(NULL);
	stand(alertmanager, COLOR_UNKNOWN);
	wait_for_post("10.0.0.5", true);
	alertmanager_close(alertmanager);
	for (int is_broken = 0; is_broken < 2; is_broken++) {
		bool failed = true;
		for (long number = 1; failed; number++) {
			struct text content = TEXT_EMPTY;
			if (is_broken)
				temporary_file_write(file, "{}");
			unlink(broken);
			long before = failing_unfreed();
			failing_start(number);
			int result = try_to_open(NULL, &alertmanager);
			failed = failing_stop();
			if (result) {
				assert_int_equal(result, -ENOMEM);
				assert_int_equal(failing_unfreed(), before);
			} else {
				alertmanager_close(alertmanager);
			}
			/* One that it went on from has a new one, of nothing. */
			assert_int_equal(whole_file_read(is_broken && result == 0 ? broken : file, &content), 0);
			if (!strstr(content.data, is_broken ? "{}" : "UNKNOWN ip=10.0.0.5"))
				fail_msg("allocation %ld: %s", number, content.data);
			text_free(&content);
		}
	}
	captured_stderr_end();
}

static void test_alertmanager_open_what_it_cannot_do_without(void **state)
{
	(void)state;
	struct alertmanager *alertmanager;
	no_threads(true);
	int result = try_to_open(NULL, &alertmanager);
	no_threads(false);
	assert_int_equal(result, -EAGAIN);
	assert_int_equal(mkdir(file, 0700), 0);
	assert_int_equal(try_to_open(NULL, &alertmanager), -EISDIR);
	assert_int_equal(rmdir(file), 0);
	assert_int_equal(captured_stderr_end(), 0);
}

/* What there is no memory for is told with the next update. */
static void test_alertmanager_update_without_memory_is_said_and_made_up_for(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	http_server_answer(server, POST, TAKEN);
	struct alertmanager *alertmanager = open_alertmanager(NULL);
	struct host_state host = { .alarm = { .ip = "10.0.0.5", .process = WIRE_HOST_ITSELF, .resource = RESOURCE_COUNT,
		                              .color = COLOR_UNKNOWN, .since_ms = 1795356010000 } };
	states = states_open(10000);
	assert_int_equal(states_restore_host(states, &host), 0);
	failing_start(1);
	alertmanager_update(alertmanager, states, &names, clock_wall_ms());
	assert_true(failing_stop());
	assert_int_equal(captured_stderr_count("not all alarms are told the Alertmanagers now: Cannot allocate memory"), 1);
	assert_true(alertmanager_lacks(alertmanager, states));
	alertmanager_update(alertmanager, states, &names, clock_wall_ms());
	wait_for_post("10.0.0.5", true);
	alertmanager_close(alertmanager);
	assert_int_equal(captured_stderr_end(), 1);
}

static void test_alertmanager_check_says_what_is_no_url(void **state)
{
	(void)state;
	char *urls[] = { (char *)(uintptr_t)"http://a:9093", (char *)(uintptr_t)"a:9093", (char *)(uintptr_t)"http://b:9093" };
	const struct config config = { .alert = { .alertmanager = { .values = urls, .count = 3 } } };
	struct text error = TEXT_EMPTY;
	assert_int_not_equal(alertmanager_check(&config, &error), 0);
	assert_non_null(strstr(error.data, "[alert] alertmanager"));
	text_free(&error);
	struct alertmanager *none;
	assert_int_equal(alertmanager_open(&(struct config){ 0 }, "", &none), 0);
	assert_null(none);
	alertmanager_close(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_alertmanager_update_is_told_saved_and_renewed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_alertmanager_failures_are_said_once_and_all_is_told_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_alertmanager_a_refused_alert_is_said_and_not_told_at_once_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_alertmanager_one_that_is_away_delays_no_other, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_alertmanager_open_tells_what_has_ended_meanwhile, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_alertmanager_open_moves_what_is_broken_aside, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_alertmanager_open_each_failing_allocation_keeps_the_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_alertmanager_open_what_it_cannot_do_without, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_alertmanager_update_without_memory_is_said_and_made_up_for, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_alertmanager_close_does_not_wait_for_a_silent_one, set_up, tear_down),
		cmocka_unit_test(test_alertmanager_check_says_what_is_no_url),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
