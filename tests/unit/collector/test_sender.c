#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/captured_stderr.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/sender.h"
#include "tests/unit/collector/fake_server.h"
#include "tests/unit/collector/spool_fixture.h"

enum { BATCH_NAMES = 3, BUDGET_MS = 5000, HOUR_MS = 3600000 };

static void make_bad(const char *bad, int status)
{
	server.bad = bad;
	server.bad_status = status;
}

/* The timestamp of the samples of a request; -1: it had none. */
static int timestamp_of(size_t request)
{
	int64_t time_ms = first_time_ms(asked(request)->body);
	return time_ms < 0 ? -1 : (int)(time_ms / 1000);
}

/* In the place of the C library's: no backoff, until a test wants one. */
static uint32_t random_number;

uint32_t arc4random(void)
{
	return random_number;
}

static struct config *config;
static struct sender *sender;
static const struct sender_state nothing = { 0 };

static void open_sender(const char *second, const char *third)
{
	char url[96];
	struct text error = TEXT_EMPTY;
	snprintf(url, sizeof(url), "collector.url=%s/ressources-usage", http_server_url(server.http));
	/* The batches are of the first seconds since the machine's start, which may be long ago. */
	char *overrides[] = { url, (char *)(uintptr_t)"collector.spool=", (char *)(uintptr_t)"collector.spool_age=3650d",
		              (char *)(uintptr_t)second, (char *)(uintptr_t)third };
	assert_int_equal(config_load(NULL, overrides, second ? third ? 5 : 4 : 3, &config, &error), 0);
	assert_int_equal(sender_open(config, &sender), 0);
}

static void close_sender(void)
{
	sender_close(sender);
	config_free(config);
	sender = NULL;
	config = NULL;
	random_number = 0;
	expect(200, NULL);
}

/* Behind a test that failed, too. */
static int tear_down(void **state)
{
	(void)state;
	captured_stderr_abandon();
	close_sender();
	return 0;
}

static void add(int time_s)
{
	static const struct rate values[BATCH_NAMES] = {
		{ .name = "bash", .thousandths = { 1250, 12500 } },
		{ .name = "a \"b\\", .thousandths = { 1, 0 } },
		{ .name = "caf\xc3\xa9", .thousandths = { 100000, RATE_MISSING } },
	};
	int64_t time_ms = (int64_t)time_s * 1000;
	struct moment read = { time_ms, clock_moment().boot_ms }; /* of this start: not too old, however long the machine is up */
	sender_add(sender, time_ms, read, values, BATCH_NAMES, NULL);
}

static void send_now(const struct sender_state *state)
{
	sender_send(sender, state, clock_monotonic_ns());
}

enum { BATCH_SAMPLES = 5 };

static void tick(int time_s)
{
	add(time_s);
	send_now(&nothing);
}

static void test_sender_send_fresh_batch_has_the_contracts_body(void **state)
{
	(void)state;
	expect(200, NULL);
	open_sender(NULL, NULL);
	add(1795356870);
	send_now(&(struct sender_state){ .partial = true, .by_exits = true, .missed_ticks = 7, .lost_exits = 3 });

	assert_int_equal(requests(), 2);
	assert_ptr_equal(asked(0), http_server_last(server.http, "GET /ressources-usage/health HTTP/1.1\r\n"));
	assert_ptr_equal(asked(1), http_server_last(server.http, "PUT /ressources-usage/save-all HTTP/1.1\r\n"));
	cJSON *body = cJSON_Parse(asked(1)->body);
	assert_non_null(body);
	assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(body, "ipaddress")), "127.0.0.1");
	char *data = cJSON_PrintUnformatted(cJSON_GetObjectItem(body, "data"));
	assert_string_equal(data,
	        "[{\"timestamp\":1795356870,\"value\":1.25,\"process_name\":\"bash\",\"type_data\":\"mem\"},"
	        "{\"timestamp\":1795356870,\"value\":12.5,\"process_name\":\"bash\",\"type_data\":\"cpu\"},"
	        "{\"timestamp\":1795356870,\"value\":0.001,\"process_name\":\"a \\\"b\\\\\",\"type_data\":\"mem\"},"
	        "{\"timestamp\":1795356870,\"value\":0,\"process_name\":\"a \\\"b\\\\\",\"type_data\":\"cpu\"},"
	        "{\"timestamp\":1795356870,\"value\":100,\"process_name\":\"caf\xc3\xa9\",\"type_data\":\"mem\"}]");
	free(data);
	const cJSON *collector = cJSON_GetObjectItem(body, "collector");
	char hostname[256];
	gethostname(hostname, sizeof(hostname));
	assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(collector, "hostname")), hostname);
	assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(collector, "version")), VIGIE_VERSION);
	assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(collector, "state")), "run");
	assert_true(cJSON_IsTrue(cJSON_GetObjectItem(collector, "partial")));
	assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(collector, "ended_cpu")), "exit_records");
	assert_true(cJSON_GetNumberValue(cJSON_GetObjectItem(collector, "interval_s")) == 10);
	char *counters = cJSON_PrintUnformatted(cJSON_GetObjectItem(collector, "counters"));
	assert_string_equal(counters, "{\"sent\":0,\"spooled\":0,\"replayed\":0,\"dropped\":0,\"rejected\":0,\"missed_ticks\":7,\"lost_exits\":3}");
	free(counters);
	cJSON_Delete(body);
	assert_int_equal(sender_waiting(sender), 0);
	assert_int_equal(sender_counters(sender).sent, BATCH_SAMPLES);
	close_sender();
}

static void test_sender_send_empty_batch_is_sent(void **state)
{
	(void)state;
	expect(200, NULL);
	open_sender(NULL, NULL);
	sender_add(sender, 1000, (struct moment){ 1000, 0 }, NULL, 0, NULL);
	send_now(&nothing);
	assert_int_equal(requests(), 2);
	assert_non_null(strstr(asked(1)->body, "\"data\":[],"));
	assert_int_equal(sender_waiting(sender), 0);
	close_sender();
}

/* It measures nothing then, and what waits goes on waiting. */
static void test_sender_send_stopped_sends_signs_of_life_until_it_is_to_run(void **state)
{
	(void)state;
	expect(503, NULL);
	open_sender(NULL, NULL);
	tick(1);
	assert_int_equal(sender_waiting(sender), 1);
	expect(200, "X-Vigie-State: stop\r\n");
	tick(2);
	assert_non_null(strstr(asked(0)->head, "\r\nX-Vigie-Service: collector\r\n"));
	assert_non_null(strstr(asked(0)->head, "\r\nX-Vigie-State: run\r\n"));
	assert_int_equal(timestamp_of(0), 2);
	assert_int_equal(requests(), 1); /* nothing is replayed any more */
	assert_true(sender_is_stopped(sender));

	/* An error tells nothing, and signs do not wait. */
	for (int i = 0; i < 3; i++) {
		expect(i == 1 ? 503 : 200, i == 1 ? NULL : "X-Vigie-State: stop\r\n");
		sender_add(sender, 3000, (struct moment){ 3000, 0 }, NULL, 0, NULL);
		send_now(&nothing);
		assert_int_equal(requests(), 1);
		assert_non_null(strstr(asked(0)->head, "\r\nX-Vigie-State: stop\r\n"));
		assert_non_null(strstr(asked(0)->body, "\"data\":[],"));
		assert_non_null(strstr(asked(0)->body, "\"state\":\"stop\""));
		assert_true(sender_is_stopped(sender));
		assert_int_equal(sender_waiting(sender), 1);
	}
	assert_int_equal(sender_configure(sender, config), 0);
	assert_true(sender_is_stopped(sender));

	expect(200, NULL);
	sender_add(sender, 4000, (struct moment){ 4000, 0 }, NULL, 0, NULL);
	send_now(&nothing);
	assert_false(sender_is_stopped(sender));
	tick(5);
	assert_int_equal(sender_waiting(sender), 0);
	assert_int_equal(sender_counters(sender).sent, 3 * BATCH_SAMPLES);
	assert_int_equal(sender_counters(sender).dropped, 0);
	close_sender();
}

/* Before its first PUT the server knows no address of it: that some are to be stopped is reason to ask. */
static void test_sender_send_first_one_asks_where_some_are_stopped(void **state)
{
	(void)state;
	static const struct {
		const char *word; /* in the answer to the sign of life */
		size_t requests;
		int sent, dropped;
	} cases[] = { { "run", 3, BATCH_SAMPLES, 0 }, { "stop", 2, 0, BATCH_SAMPLES } };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char header[64];
		open_sender(NULL, NULL);
		snprintf(header, sizeof(header), "X-Vigie-State: %s\r\n", cases[i].word);
		expect(200, header);
		server.greeting = "X-Vigie-State: stop\r\n";
		tick(1);
		assert_int_equal(requests(), cases[i].requests);
		assert_non_null(strstr(asked(1)->body, "\"data\":[],"));
		assert_int_equal(sender_counters(sender).sent, cases[i].sent);
		assert_int_equal(sender_counters(sender).dropped, cases[i].dropped);
		assert_int_equal(sender_waiting(sender), 0);
		server.greeting = NULL;
		close_sender();
	}
}

static void test_sender_send_configured_ip_is_what_the_body_tells(void **state)
{
	(void)state;
	expect(200, NULL);
	open_sender("collector.ip=2001:DB8::0:1", NULL);
	tick(1);
	assert_int_equal(requests(), 2); /* health all the same, for the server's clock */
	assert_non_null(strstr(asked(1)->body, "{\"ipaddress\":\"2001:db8::1\","));
	close_sender();
}

static void test_sender_send_answer_decides_what_is_kept(void **state)
{
	(void)state;
	static const struct {
		int status;
		bool kept, rejected;
	} cases[] = {
		{ 200, false, false }, { 400, false, true }, { 409, false, true }, { 401, true, false },
		{ 403, true, false },  { 404, true, false }, { 421, true, false }, { 429, true, false },
		{ 500, true, false },  { 502, true, false }, { 503, true, false }, { CLOSE, true, false },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		expect(cases[i].status, NULL);
		open_sender(NULL, NULL);
		tick(1);
		if (sender_waiting(sender) != cases[i].kept)
			fail_msg("HTTP %d: %zu batches wait", cases[i].status, sender_waiting(sender));
		assert_int_equal(sender_counters(sender).rejected, cases[i].rejected ? BATCH_SAMPLES : 0);
		assert_int_equal(sender_counters(sender).dropped, 0);
		close_sender();
	}
}

static void test_sender_send_server_that_comes_back_gets_fresh_first_then_the_oldest(void **state)
{
	(void)state;
	expect(503, NULL);
	open_sender(NULL, NULL);
	for (int i = 1; i <= 10; i++)
		tick(i);
	assert_int_equal(requests(), 11); /* health, and one try a tick: the fresh one */
	assert_int_equal(sender_waiting(sender), 10);

	expect(200, NULL);
	static const int expected[] = { 11, 1, 2, 3, 4, 12, 5, 6, 7, 8, 13, 9, 10 };
	for (int i = 11; i <= 13; i++)
		tick(i);
	assert_int_equal(requests(), 13);
	for (size_t i = 0; i < 13; i++)
		assert_int_equal(timestamp_of(i), expected[i]);
	assert_int_equal(sender_waiting(sender), 0);
	assert_int_equal(sender_counters(sender).sent, 13 * BATCH_SAMPLES);
	close_sender();
}

static void test_sender_add_full_buffer_drops_the_oldest_and_counts(void **state)
{
	(void)state;
	expect(CLOSE, NULL);
	open_sender("collector.buffer=5", NULL);
	for (int i = 1; i <= 20; i++)
		tick(i);
	assert_int_equal(sender_waiting(sender), 5);
	assert_int_equal(sender_counters(sender).dropped, 15 * BATCH_SAMPLES);
	expect(200, NULL);
	sender_flush(sender, &nothing, BUDGET_MS);
	static const int expected[] = { 16, 17, 18, 19, 20 };
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(timestamp_of(requests() - 5 + i), expected[i]);
	assert_int_equal(sender_waiting(sender), 0);
	close_sender();
}

static void test_sender_configure_smaller_buffer_drops_the_oldest(void **state)
{
	(void)state;
	expect(503, NULL);
	open_sender(NULL, NULL);
	for (int i = 1; i <= 4; i++)
		tick(i);
	config->collector.buffer_ticks = 2;
	assert_int_equal(sender_configure(sender, config), 0);
	assert_int_equal(sender_waiting(sender), 2);
	assert_int_equal(sender_counters(sender).dropped, 2 * BATCH_SAMPLES);
	close_sender();
}

/* From now on the server takes no body of a whole batch, but one with a name less. */
static void limit_body(void)
{
	tick(1);
	size_t length = strlen(asked(requests() - 1)->body);
	sender_close(sender);
	assert_int_equal(sender_open(config, &sender), 0);
	expect(200, NULL);
	server.body_max = length - 20;
}

static void test_sender_send_body_too_large_is_split_until_it_fits(void **state)
{
	(void)state;
	expect(200, NULL);
	open_sender(NULL, NULL);
	limit_body();
	tick(1);
	/* health, three names, two, then one */
	assert_int_equal(requests(), 4);
	assert_int_equal(sender_waiting(sender), 0);
	assert_int_equal(sender_counters(sender).sent, BATCH_SAMPLES);
	assert_non_null(strstr(asked(2)->body, "bash"));
	assert_null(strstr(asked(2)->body, "caf"));
	assert_null(strstr(asked(3)->body, "bash"));
	assert_non_null(strstr(asked(3)->body, "caf"));
	/* The size that fits is remembered. */
	tick(2);
	assert_int_equal(requests(), 6);
	close_sender();
}

static void test_sender_send_one_name_too_large_is_rejected(void **state)
{
	(void)state;
	expect(413, NULL);
	open_sender(NULL, NULL);
	tick(1);
	assert_int_equal(sender_waiting(sender), 0);
	assert_int_equal(sender_counters(sender).rejected, BATCH_SAMPLES);
	assert_int_equal(requests(), 6); /* health; 3, 2, 1 names and two more of 1 */
	close_sender();
}

static void test_sender_send_split_batch_goes_on_where_it_was(void **state)
{
	(void)state;
	expect(200, NULL);
	open_sender(NULL, NULL);
	limit_body();
	make_bad("caf", 503);
	tick(1);
	assert_int_equal(sender_waiting(sender), 1);
	expect(200, NULL);
	sender_flush(sender, &nothing, BUDGET_MS);
	assert_int_equal(requests(), 1);
	assert_null(strstr(asked(0)->body, "bash"));
	assert_int_equal(sender_waiting(sender), 0);
	assert_int_equal(sender_counters(sender).sent, BATCH_SAMPLES);
	close_sender();
}

static void test_sender_send_one_bad_batch_does_not_block_the_others(void **state)
{
	(void)state;
	expect(503, NULL);
	open_sender(NULL, NULL);
	for (int i = 1; i <= 4; i++)
		tick(i);
	expect(200, NULL);
	make_bad("{\"timestamp\":1,", 500);
	tick(5);
	assert_int_equal(sender_waiting(sender), 1);
	assert_int_equal(sender_counters(sender).sent, 4 * BATCH_SAMPLES);
	expect(200, NULL);
	make_bad("{\"timestamp\":1,", 400);
	tick(6);
	assert_int_equal(sender_waiting(sender), 0);
	assert_int_equal(sender_counters(sender).rejected, BATCH_SAMPLES);
	tick(7);
	assert_int_equal(requests(), 3); /* the rejected one is not tried again */
	close_sender();
}

static void test_sender_send_retry_after_is_waited_for(void **state)
{
	(void)state;
	expect(503, "Retry-After: 1\r\n");
	open_sender(NULL, NULL);
	tick(1);
	assert_int_equal(requests(), 2);
	expect(200, NULL);
	tick(2);
	assert_int_equal(requests(), 0);
	assert_int_equal(sender_waiting(sender), 2);
	usleep(1100000);
	tick(3);
	assert_int_equal(requests(), 3);
	assert_int_equal(sender_waiting(sender), 0);
	close_sender();
}

static void test_sender_flush_server_that_is_away_ends_at_the_first_failure(void **state)
{
	(void)state;
	expect(503, "Retry-After: 60\r\n");
	open_sender(NULL, NULL);
	for (int i = 1; i <= 3; i++)
		tick(i);
	assert_int_equal(requests(), 2);
	sender_flush(sender, &nothing, BUDGET_MS);
	assert_int_equal(requests(), 3);
	assert_int_equal(sender_waiting(sender), 3);
	close_sender();
}

static void test_sender_send_server_that_comes_and_goes_logs_one_line_each(void **state)
{
	(void)state;
	captured_stderr_begin();
	expect(503, NULL);
	open_sender("collector.buffer=3", NULL);
	for (int i = 1; i <= 5; i++)
		tick(i);
	expect(200, NULL);
	for (int i = 6; i <= 7; i++)
		tick(i);
	expect(400, NULL);
	for (int i = 8; i <= 10; i++)
		tick(i);
	assert_int_equal(captured_stderr_end(), 4);
	assert_non_null(strstr(captured_stderr_text(), "save-all: HTTP 503 (not?this); the samples wait in memory\n"));
	assert_non_null(strstr(captured_stderr_text(), "the buffer is full: the oldest samples are dropped from now on, 5 so far"));
	assert_non_null(strstr(captured_stderr_text(), "answers again; 3 intervals were kept, 10 samples dropped"));
	assert_non_null(strstr(captured_stderr_text(), "save-all: HTTP 400 (not?this); 5 samples are lost"));
	close_sender();
}

/* A sender with a spool in the test's folder. */
static void open_spooling(const char *option)
{
	char spool[PATH_SIZE];
	snprintf(spool, sizeof(spool), "collector.spool=%s", folder);
	open_sender(spool, option);
}

static void restart_sender(void)
{
	sender_close(sender);
	assert_int_equal(sender_open(config, &sender), 0);
}

/* What is on the disk outlives the sender, and goes behind what is fresh. */
static void test_sender_send_spool_of_an_earlier_run_is_replayed(void **state)
{
	(void)state;
	expect(CLOSE, NULL);
	open_spooling(NULL);
	for (int i = 1; i <= 6; i++)
		tick(i);
	assert_int_equal(sender_waiting(sender), 6);
	assert_int_equal(sender_in_memory(sender), 0);
	assert_int_equal(sender_counters(sender).spooled, 6 * BATCH_SAMPLES);
	restart_sender();
	assert_int_equal(sender_waiting(sender), 6);

	expect(200, NULL);
	static const int expected[] = { -1, 7, 1, 2, 3, 4, 8, 5, 6, 9 };
	for (int i = 7; i <= 9; i++)
		tick(i);
	assert_int_equal(requests(), 10);
	for (size_t i = 0; i < 10; i++)
		assert_int_equal(timestamp_of(i), expected[i]);
	struct counters counters = sender_counters(sender);
	assert_int_equal(counters.sent, 9 * BATCH_SAMPLES);
	assert_int_equal(counters.replayed, 6 * BATCH_SAMPLES);
	assert_int_equal(counters.spooled, 0);
	assert_int_equal(counters.dropped, 0);
	assert_int_equal(count_files(folder, ".batch", NULL), 0);
	/* The server is told. */
	assert_non_null(strstr(asked(9)->body,
	                       "\"counters\":{\"sent\":40,\"spooled\":0,\"replayed\":30,\"dropped\":0,\"rejected\":0,"));
}

static void test_sender_flush_what_the_disk_has_needs_no_attempt(void **state)
{
	(void)state;
	expect(503, "Retry-After: 60\r\n");
	open_spooling(NULL);
	tick(1);
	assert_int_equal(requests(), 2);
	add(2);
	assert_int_equal(sender_in_memory(sender), 0); /* the server is left alone: at once to the disk */
	sender_flush(sender, &nothing, BUDGET_MS);
	assert_int_equal(requests(), 2);
	assert_int_equal(count_files(folder, ".batch", NULL), 2);
	/* One that was not tried yet is tried, and kept. */
	assert_int_equal(sender_configure(sender, config), 0);
	add(3);
	assert_int_equal(sender_in_memory(sender), 1);
	sender_flush(sender, &nothing, BUDGET_MS);
	assert_int_equal(requests(), 4);
	assert_int_equal(sender_in_memory(sender), 0);
	assert_int_equal(count_files(folder, ".batch", NULL), 3);
}

static void test_sender_send_rejected_batches_are_set_aside(void **state)
{
	(void)state;
	expect(400, NULL);
	open_spooling(NULL);
	tick(1);
	assert_int_equal(count_files(path_of("rejected"), "-5.batch", NULL), 1);
	expect(503, NULL);
	tick(2);
	expect(200, NULL);
	make_bad("{\"timestamp\":2,", 400);
	tick(3);
	assert_int_equal(sender_waiting(sender), 0);
	assert_int_equal(count_files(path_of("rejected"), "-5.batch", NULL), 2);
	assert_int_equal(sender_counters(sender).rejected, 2 * BATCH_SAMPLES);
	assert_int_equal(sender_counters(sender).sent, BATCH_SAMPLES);
	/* Never again, also by the next run. */
	expect(200, NULL);
	restart_sender();
	tick(4);
	assert_int_equal(requests(), 2);
}

/* Four that fail do not keep the server from all that follow them. */
static void test_sender_send_many_bad_batches_do_not_block_the_others(void **state)
{
	(void)state;
	expect(CLOSE, NULL);
	open_spooling(NULL);
	for (int i = 1; i <= 12; i++)
		tick(i < 7 ? 5 : i);
	expect(200, NULL);
	make_bad("{\"timestamp\":5,", 500);
	for (int i = 13; i <= 17; i++)
		tick(i);
	assert_int_equal(sender_waiting(sender), 6);
	assert_int_equal(sender_counters(sender).sent, 11 * BATCH_SAMPLES);
}

static void test_sender_send_server_that_fails_is_left_alone(void **state)
{
	(void)state;
	static const int statuses[] = { 401, 403, 404, 421, 429, 500, 503, CLOSE };
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		expect(statuses[i], NULL);
		open_spooling(NULL);
		tick(1);
		size_t asked = requests();
		random_number = 1000; /* of the second failure: a second */
		tick(2);
		assert_int_equal(requests(), asked + 1);
		for (int j = 3; j <= 20; j++)
			tick(j);
		assert_int_equal(requests(), asked + 1);
		assert_int_equal(count_files(folder, ".batch", NULL), 20);
		assert_int_equal(sender_in_memory(sender), 0);
		/* A reload is a reason to try again. */
		expect(200, NULL);
		assert_int_equal(sender_configure(sender, config), 0);
		tick(21);
		assert_int_equal(sender_counters(sender).sent, (1 + SENDER_REPLAY) * BATCH_SAMPLES);
		for (int j = 22; j <= 25; j++)
			tick(j);
		assert_int_equal(sender_waiting(sender), 0);
		close_sender();
	}
}

static void test_sender_send_backoff_ends(void **state)
{
	(void)state;
	expect(CLOSE, NULL);
	open_spooling(NULL);
	random_number = 300;
	tick(1);
	expect(200, NULL);
	tick(2);
	assert_int_equal(requests(), 0);
	usleep(310000);
	tick(3);
	/* health was answered before */
	assert_int_equal(timestamp_of(requests() - 3), 3);
	assert_int_equal(timestamp_of(requests() - 2), 1);
	assert_int_equal(timestamp_of(requests() - 1), 2);
	assert_int_equal(sender_waiting(sender), 0);
}

static void test_sender_send_refused_token_keeps_the_batch_and_says_so_once(void **state)
{
	(void)state;
	expect(200, NULL);
	server.token = "good";
	captured_stderr_begin();
	open_spooling(NULL);
	for (int i = 1; i <= 5; i++)
		tick(i);
	assert_int_equal(captured_stderr_end(), 1);
	assert_non_null(strstr(captured_stderr_text(), "save-all: HTTP 401 (not?this); the samples wait in the spool\n"));
	assert_int_equal(sender_waiting(sender), 5);
	expect(200, NULL);
	tick(6);
	tick(7);
	assert_int_equal(sender_waiting(sender), 0);
	assert_int_equal(sender_counters(sender).sent, 7 * BATCH_SAMPLES);
}

enum { TICK_AGE_MS = 4000 }; /* how long before now a tick's boundary was */

/* A tick as main() makes it, by this machine's clocks; the time it is stamped with. */
static int64_t tick_now(void)
{
	static const struct rate values[] = { { .name = "bash", .thousandths = { 1, 2 } } };
	usleep(2000); /* another millisecond than the last one's */
	struct moment now = sender_judge(sender, clock_moment());
	sender_add(sender, now.wall_ms - TICK_AGE_MS, now, values, 1, NULL);
	send_now(&nothing);
	return now.wall_ms - TICK_AGE_MS;
}

/* Whose clock is wrong does not matter: the samples are at the server's present, none is refused, and what was taken
 * before the server was known is put where it belongs. */
static void test_sender_send_clock_an_hour_off_is_stamped_by_the_servers(void **state)
{
	(void)state;
	static const int64_t ahead_ms[] = { HOUR_MS, -HOUR_MS, 30000, -30000 };
	for (size_t i = 0; i < sizeof(ahead_ms) / sizeof(ahead_ms[0]); i++) {
		captured_stderr_begin();
		expect(CLOSE, NULL);
		open_spooling(NULL);
		for (int j = 0; j < 3; j++)
			tick_now();
		restart_sender();
		tick_now();
		assert_int_equal(sender_waiting(sender), 4);

		expect(200, NULL);
		server.dated = true;
		server.ahead_ms = ahead_ms[i];
		server.window_ms = TICK_AGE_MS + 5000;
		restart_sender();
		for (int j = 0; j < 3; j++)
			tick_now();
		assert_int_equal(sender_waiting(sender), 0);
		assert_int_equal(sender_counters(sender).sent, 7 * 2);
		assert_int_equal(sender_counters(sender).rejected, 0);
		assert_int_equal(requests(), 8); /* no second request for any */
		int64_t now_ms = clock_wall_ms() + ahead_ms[i];
		for (size_t j = 1; j < 8; j++) {
			int64_t time_ms = first_time_ms(asked(j)->body);
			assert_true(llabs(time_ms + TICK_AGE_MS - now_ms) < 2000);
			for (size_t k = 1; k < j; k++)
				assert_true(time_ms != first_time_ms(asked(k)->body));
		}
		size_t lines = captured_stderr_end();
		char *said = strstr(captured_stderr_text(), "this machine's clock is ");
		assert_non_null(said);
		assert_null(strstr(said + 1, "this machine's clock is "));
		assert_non_null(strstr(said, ahead_ms[i] > 0 ? "s behind the server's: the samples" : "s ahead of the server's: the samples"));
		assert_true(lines < 10);
		close_sender();
	}
}

/* Nothing but the 409 tells its clock. */
static void test_sender_send_refused_time_is_sent_again_with_the_servers(void **state)
{
	(void)state;
	expect(200, NULL);
	server.window_ms = 60000;
	server.ahead_ms = -HOUR_MS;
	open_spooling(NULL);
	tick_now();
	assert_int_equal(requests(), 3); /* health, 409, 200 */
	assert_int_equal(sender_counters(sender).sent, 2);
	assert_int_equal(sender_counters(sender).rejected, 0);
	assert_true(llabs(first_time_ms(asked(2)->body) - clock_wall_ms() + HOUR_MS + TICK_AGE_MS) < 1000);
	/* The next one is right at once. */
	tick_now();
	assert_int_equal(requests(), 4);
	assert_int_equal(sender_counters(sender).sent, 4);
}

/* What is too old for the server whatever the clocks say is refused for good. */
static void test_sender_send_time_that_is_right_and_refused_is_rejected(void **state)
{
	(void)state;
	expect(409, NULL);
	open_spooling(NULL);
	tick_now();
	assert_int_equal(requests(), 2);
	assert_int_equal(sender_counters(sender).rejected, 2);
	assert_int_equal(sender_waiting(sender), 0);
	assert_int_equal(count_files(path_of("rejected"), "-2.batch", NULL), 1);
}

/* What was judged by the server's clock stays as it was judged, whatever becomes of the clocks. */
static void test_sender_send_time_that_was_settled_stays(void **state)
{
	(void)state;
	expect(200, NULL);
	server.dated = true;
	open_spooling(NULL);
	tick_now();
	expect(CLOSE, NULL);
	server.dated = true;
	random_number = 1000;
	int64_t time_ms = tick_now();  /* tried, */
	int64_t later_ms = tick_now(); /* and not */
	expect(200, NULL);
	server.dated = true;
	server.ahead_ms = HOUR_MS;
	restart_sender();
	tick_now();
	assert_int_equal(sender_waiting(sender), 0);
	assert_int_equal(first_time_ms(asked(requests() - 2)->body), time_ms);
	assert_int_equal(first_time_ms(asked(requests() - 1)->body), later_ms);
}

/* A server whose clock runs away is not asked for ever. */
static void test_sender_send_time_that_is_refused_again_is_rejected(void **state)
{
	(void)state;
	expect(409, NULL);
	server.ahead_step_ms = HOUR_MS;
	open_spooling(NULL);
	tick_now();
	assert_int_equal(requests(), 3);
	assert_int_equal(sender_counters(sender).rejected, 2);
}

static void test_sender_send_server_that_took_something_is_tried_soon_again(void **state)
{
	(void)state;
	expect(503, NULL);
	open_sender(NULL, NULL);
	for (int i = 1; i <= 4; i++)
		tick(i);
	expect(200, NULL);
	tick(5);
	expect(503, NULL);
	random_number = 1001; /* none of the first failure, whose limit is 1000; a second of the others */
	tick(6);
	tick(7);
	assert_int_equal(requests(), 2);
	tick(8);
	assert_int_equal(requests(), 2);
}

/* The server dies between the fresh one and the old ones: it is left alone, and the order is kept. */
static void test_sender_send_server_that_dies_while_it_is_replayed_is_left_alone(void **state)
{
	(void)state;
	expect(503, NULL);
	open_spooling(NULL);
	for (int i = 1; i <= 3; i++)
		tick(i);
	expect(200, NULL);
	make_bad("{\"timestamp\":2,", CLOSE);
	random_number = 300;
	tick(4);
	assert_int_equal(requests(), 3 + 1); /* curl tries a connection that was kept once more */
	tick(5);
	assert_int_equal(requests(), 4);
	usleep(310000);
	expect(200, NULL);
	tick(6);
	static const int expected[] = { 6, 2, 3, 5 };
	assert_int_equal(requests(), 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(timestamp_of(i), expected[i]);
}

/* A batch of the spool is sent whole again when a piece of it was not taken; its samples count once. */
static void test_sender_send_piece_that_fails_in_a_replay_counts_once(void **state)
{
	(void)state;
	expect(200, NULL);
	open_spooling(NULL);
	limit_body();
	size_t body_max = server.body_max;
	expect(503, NULL);
	tick(1);
	expect(200, NULL);
	server.body_max = body_max;
	make_bad("{\"timestamp\":1,\"value\":100,", 500);
	tick(2);
	assert_int_equal(sender_waiting(sender), 1);
	assert_int_equal(sender_counters(sender).sent, BATCH_SAMPLES);
	assert_int_equal(sender_counters(sender).replayed, 0);
	expect(200, NULL);
	tick(3);
	assert_int_equal(sender_waiting(sender), 0);
	assert_int_equal(sender_counters(sender).sent, 3 * BATCH_SAMPLES);
	assert_int_equal(sender_counters(sender).replayed, BATCH_SAMPLES);
}

static void test_sender_send_late_in_the_interval_nothing_is_replayed(void **state)
{
	(void)state;
	expect(503, NULL);
	open_sender(NULL, NULL);
	tick(1);
	expect(200, NULL);
	add(2);
	sender_send(sender, &nothing, clock_monotonic_ns() - 6000000000);
	assert_int_equal(requests(), 1);
	assert_int_equal(timestamp_of(0), 2);
	assert_int_equal(sender_waiting(sender), 1);
}

static void test_sender_add_twice_loses_nothing(void **state)
{
	(void)state;
	expect(200, NULL);
	open_sender(NULL, NULL);
	add(1);
	add(2);
	assert_int_equal(sender_waiting(sender), 2);
	send_now(&nothing);
	assert_int_equal(sender_waiting(sender), 0);
	assert_int_equal(timestamp_of(1), 2);
	assert_int_equal(timestamp_of(2), 1);
}

static void test_sender_send_old_batches_are_dropped(void **state)
{
	(void)state;
	expect(CLOSE, NULL);
	open_spooling("collector.spool_age=60s");
	struct moment now = clock_moment();
	sender_add(sender, 1000, (struct moment){ 1000, now.boot_ms - 61000 }, NULL, 0, NULL);
	sender_add(sender, 2000, (struct moment){ 2000, now.boot_ms - 59000 }, NULL, 0, NULL);
	sender_add(sender, 3000, (struct moment){ 3000, now.boot_ms }, NULL, 0, NULL);
	assert_int_equal(sender_waiting(sender), 3);
	send_now(&nothing);
	assert_int_equal(sender_waiting(sender), 2);
}

static void test_sender_send_each_row_of_rejections_is_said(void **state)
{
	(void)state;
	open_sender(NULL, NULL);
	captured_stderr_begin();
	for (int i = 0; i < 3; i++) {
		expect(400, NULL);
		tick(4 * i);
		tick(4 * i + 1);
		expect(200, NULL);
		tick(4 * i + 2);
	}
	assert_int_equal(captured_stderr_end(), 3);
}

static void test_sender_send_silent_server_does_not_hold_up_the_next_reading(void **state)
{
	(void)state;
	char url[96];
	struct http_server *silent = http_server_open();
	http_server_answer(silent, "", NULL);
	http_server_start(silent);
	snprintf(url, sizeof(url), "collector.url=%s/", http_server_url(silent));
	open_sender("collector.interval=1s", url);
	int64_t taken_ms = INT64_MAX;
	size_t ticks = 0;
	while (ticks < 10 && taken_ms > 980) { /* again where the machine had no core for it */
		int64_t begun_ns = clock_monotonic_ns();
		tick((int)++ticks);
		taken_ms = (clock_monotonic_ns() - begun_ns) / 1000000;
	}
	assert_in_range(taken_ms, 800, 980);
	assert_int_equal(sender_waiting(sender), ticks);
	http_server_close(silent);
}

static void test_sender_delay_ms_is_none_on_this_machine(void **state)
{
	(void)state;
	open_sender(NULL, NULL);
	assert_int_equal(sender_delay_ms(sender), 0);
	close_sender();
	open_sender("collector.url=http://192.0.2.1/", NULL);
	int64_t delay_ms = sender_delay_ms(sender);
	assert_in_range(delay_ms, 0, 3000);
	close_sender();
	open_sender("collector.url=http://192.0.2.1/", NULL);
	assert_int_equal(sender_delay_ms(sender), delay_ms);
	close_sender();
	open_sender("collector.url=http://192.0.2.1/", "collector.interval=1s");
	assert_in_range(sender_delay_ms(sender), 0, 300);
}

static int set_up_folder(void **state)
{
	return make_folder(state);
}

static int tear_down_folder(void **state)
{
	int result = tear_down(state);
	return remove_folder(state) ? -1 : result;
}

#define SPOOL_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_folder, tear_down_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_sender_send_fresh_batch_has_the_contracts_body, tear_down),
		cmocka_unit_test_teardown(test_sender_send_empty_batch_is_sent, tear_down),
		cmocka_unit_test_teardown(test_sender_send_configured_ip_is_what_the_body_tells, tear_down),
		cmocka_unit_test_teardown(test_sender_send_answer_decides_what_is_kept, tear_down),
		cmocka_unit_test_teardown(test_sender_send_server_that_comes_back_gets_fresh_first_then_the_oldest, tear_down),
		cmocka_unit_test_teardown(test_sender_add_full_buffer_drops_the_oldest_and_counts, tear_down),
		cmocka_unit_test_teardown(test_sender_configure_smaller_buffer_drops_the_oldest, tear_down),
		cmocka_unit_test_teardown(test_sender_send_body_too_large_is_split_until_it_fits, tear_down),
		cmocka_unit_test_teardown(test_sender_send_one_name_too_large_is_rejected, tear_down),
		cmocka_unit_test_teardown(test_sender_send_split_batch_goes_on_where_it_was, tear_down),
		cmocka_unit_test_teardown(test_sender_send_one_bad_batch_does_not_block_the_others, tear_down),
		cmocka_unit_test_teardown(test_sender_send_retry_after_is_waited_for, tear_down),
		cmocka_unit_test_teardown(test_sender_flush_server_that_is_away_ends_at_the_first_failure, tear_down),
		cmocka_unit_test_teardown(test_sender_send_server_that_comes_and_goes_logs_one_line_each, tear_down),
		cmocka_unit_test_teardown(test_sender_send_stopped_sends_signs_of_life_until_it_is_to_run, tear_down),
		cmocka_unit_test_teardown(test_sender_send_first_one_asks_where_some_are_stopped, tear_down),
		SPOOL_TEST(test_sender_send_spool_of_an_earlier_run_is_replayed),
		SPOOL_TEST(test_sender_flush_what_the_disk_has_needs_no_attempt),
		SPOOL_TEST(test_sender_send_rejected_batches_are_set_aside),
		SPOOL_TEST(test_sender_send_many_bad_batches_do_not_block_the_others),
		SPOOL_TEST(test_sender_send_server_that_fails_is_left_alone),
		SPOOL_TEST(test_sender_send_backoff_ends),
		SPOOL_TEST(test_sender_send_refused_token_keeps_the_batch_and_says_so_once),
		SPOOL_TEST(test_sender_send_clock_an_hour_off_is_stamped_by_the_servers),
		SPOOL_TEST(test_sender_send_refused_time_is_sent_again_with_the_servers),
		SPOOL_TEST(test_sender_send_time_that_is_right_and_refused_is_rejected),
		SPOOL_TEST(test_sender_send_time_that_was_settled_stays),
		SPOOL_TEST(test_sender_send_time_that_is_refused_again_is_rejected),
		SPOOL_TEST(test_sender_send_server_that_dies_while_it_is_replayed_is_left_alone),
		SPOOL_TEST(test_sender_send_piece_that_fails_in_a_replay_counts_once),
		SPOOL_TEST(test_sender_send_old_batches_are_dropped),
		cmocka_unit_test_teardown(test_sender_send_server_that_took_something_is_tried_soon_again, tear_down),
		cmocka_unit_test_teardown(test_sender_send_late_in_the_interval_nothing_is_replayed, tear_down),
		cmocka_unit_test_teardown(test_sender_add_twice_loses_nothing, tear_down),
		cmocka_unit_test_teardown(test_sender_send_each_row_of_rejections_is_said, tear_down),
		cmocka_unit_test_teardown(test_sender_send_silent_server_does_not_hold_up_the_next_reading, tear_down),
		cmocka_unit_test_teardown(test_sender_delay_ms_is_none_on_this_machine, tear_down),
	};
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
