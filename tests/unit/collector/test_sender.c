#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <cjson/cJSON.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "collector/sender.h"

enum { REQUESTS_MAX = 512, BATCH_NAMES = 3, CLOSE = -1, BUDGET_MS = 5000 };

/* What the server within the test was asked, and what it is to answer. */
static struct {
	pthread_mutex_t lock; /* holds all that follows */
	pthread_t thread;
	int listener, port;
	int status; /* of every PUT; CLOSE: hang up */
	const char *bad; /* a PUT with it in its body is answered bad_status; NULL: none */
	int bad_status;
	size_t body_max; /* a longer one gets 413; 0: no limit */
	const char *headers;
	size_t count;
	struct {
		char line[128];
		char *body;
	} requests[REQUESTS_MAX];
} server = { .lock = PTHREAD_MUTEX_INITIALIZER };

static size_t read_request(int fd, char *buffer, size_t size, char **ret_body)
{
	size_t have = 0;
	char *end;
	while (buffer[have] = '\0', end = strstr(buffer, "\r\n\r\n"), !end) {
		ssize_t got = read(fd, buffer + have, size - 1 - have);
		if (got <= 0)
			return 0;
		have += (size_t)got;
	}
	*ret_body = end + 4;
	char *length_at = strstr(buffer, "Content-Length: ");
	size_t length = length_at && length_at < end ? strtoul(length_at + 16, NULL, 10) : 0;
	size_t whole = (size_t)(*ret_body - buffer) + length;
	while (have < whole) {
		ssize_t got = read(fd, buffer + have, size - 1 - have);
		if (got <= 0)
			return 0;
		have += (size_t)got;
	}
	buffer[have] = '\0';
	return whole;
}

static void serve(int fd)
{
	static char buffer[1 << 20];
	char *body;
	while (read_request(fd, buffer, sizeof(buffer), &body)) {
		pthread_mutex_lock(&server.lock);
		int status = strncmp(buffer, "PUT ", 4) == 0 ? server.status : 503; /* of health: any will do */
		if (server.body_max && strlen(body) > server.body_max)
			status = 413;
		else if (server.bad && strstr(body, server.bad))
			status = server.bad_status;
		if (server.count < REQUESTS_MAX) {
			sscanf(buffer, "%127[^\r]", server.requests[server.count].line);
			server.requests[server.count++].body = strdup(body);
		}
		char answer[512];
		const char *text = status == 200 ? "{\"Response\": \"Ok\"}" : "{\"Response\": \"NOk\", \"error\": \"not\\nthis\"}";
		int length = snprintf(answer, sizeof(answer), "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n%s\r\n%s", status,
		                      strlen(text), server.headers ? server.headers : "", text);
		pthread_mutex_unlock(&server.lock);
		if (status == CLOSE || write(fd, answer, (size_t)length) < 0)
			return;
	}
}

static void *run_server(void *unused)
{
	(void)unused;
	for (int fd; fd = accept(server.listener, NULL, NULL), fd >= 0; close(fd))
		serve(fd);
	return NULL;
}

static int start_server(void **state)
{
	(void)state;
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	signal(SIGPIPE, SIG_IGN);
	server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(server.listener, (struct sockaddr *)&address, size) != 0 || listen(server.listener, 8) != 0 ||
	    getsockname(server.listener, (struct sockaddr *)&address, &size) != 0)
		return -1;
	server.port = ntohs(address.sin_port);
	return pthread_create(&server.thread, NULL, run_server, NULL);
}

static int stop_server(void **state)
{
	(void)state;
	shutdown(server.listener, SHUT_RDWR);
	pthread_join(server.thread, NULL);
	close(server.listener);
	return 0;
}

/* Forgets the requests and sets the answer to all PUTs. */
static void expect(int status, const char *headers)
{
	pthread_mutex_lock(&server.lock);
	for (size_t i = 0; i < server.count; i++)
		free(server.requests[i].body);
	server.count = 0;
	server.status = status;
	server.headers = headers;
	server.bad = NULL;
	server.body_max = 0;
	pthread_mutex_unlock(&server.lock);
}

static void make_bad(const char *bad, int status)
{
	pthread_mutex_lock(&server.lock);
	server.bad = bad;
	server.bad_status = status;
	pthread_mutex_unlock(&server.lock);
}

/* The server's thread is between requests whenever a sender's call has returned. */
static size_t requests(void)
{
	pthread_mutex_lock(&server.lock);
	size_t count = server.count;
	pthread_mutex_unlock(&server.lock);
	return count;
}

/* The timestamp of the samples of a request; -1: it had none. */
static int timestamp_of(size_t request)
{
	const char *at = strstr(server.requests[request].body, "{\"timestamp\":");
	return at ? atoi(at + 13) : -1;
}

static struct config *config;
static struct sender *sender;
static const struct sender_state nothing = { 0 };

static void open_sender(const char *second, const char *third)
{
	char url[96];
	struct text error = TEXT_EMPTY;
	snprintf(url, sizeof(url), "collector.url=http://127.0.0.1:%d/ressources-usage", server.port);
	char *overrides[] = { url, (char *)(uintptr_t)second, (char *)(uintptr_t)third };
	assert_int_equal(config_load(NULL, overrides, second ? third ? 3 : 2 : 1, &config, &error), 0);
	assert_int_equal(sender_open(config, &sender), 0);
}

static void close_sender(void)
{
	sender_close(sender);
	config_free(config);
	expect(200, NULL);
}

static void add(int time_s)
{
	static const struct rate values[BATCH_NAMES] = {
		{ "bash", { 1250, 12500 } },
		{ "a \"b\\", { 1, 0 } },
		{ "caf\xc3\xa9", { 100000, RATE_MISSING } },
	};
	sender_add(sender, (int64_t)time_s * 1000, values, BATCH_NAMES);
}

enum { BATCH_SAMPLES = 5 };

static void tick(int time_s)
{
	add(time_s);
	sender_send(sender, &nothing, BUDGET_MS);
}

static void test_sender_send_fresh_batch_has_the_contracts_body(void **state)
{
	(void)state;
	expect(200, NULL);
	open_sender(NULL, NULL);
	add(1795356870);
	sender_send(sender, &(struct sender_state){ .partial = true, .missed_ticks = 7 }, BUDGET_MS);

	assert_int_equal(requests(), 2);
	assert_string_equal(server.requests[0].line, "GET /ressources-usage/health HTTP/1.1");
	assert_string_equal(server.requests[1].line, "PUT /ressources-usage/save-all HTTP/1.1");
	cJSON *body = cJSON_Parse(server.requests[1].body);
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
	char *counters = cJSON_PrintUnformatted(cJSON_GetObjectItem(collector, "counters"));
	assert_string_equal(counters, "{\"sent\":0,\"dropped\":0,\"rejected\":0,\"missed_ticks\":7}");
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
	sender_add(sender, 1000, NULL, 0);
	sender_send(sender, &nothing, BUDGET_MS);
	assert_int_equal(requests(), 2);
	assert_non_null(strstr(server.requests[1].body, "\"data\":[],"));
	assert_int_equal(sender_waiting(sender), 0);
	close_sender();
}

static void test_sender_send_configured_ip_needs_no_health(void **state)
{
	(void)state;
	expect(200, NULL);
	open_sender("collector.ip=2001:DB8::0:1", NULL);
	tick(1);
	assert_int_equal(requests(), 1);
	assert_non_null(strstr(server.requests[0].body, "{\"ipaddress\":\"2001:db8::1\","));
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
		{ 403, true, false },  { 404, true, false }, { 429, true, false }, { 500, true, false },
		{ 502, true, false },  { 503, true, false }, { CLOSE, true, false },
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
	static const int expected[] = { 20, 16, 17, 18, 19 };
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
	size_t length = strlen(server.requests[requests() - 1].body);
	sender_close(sender);
	assert_int_equal(sender_open(config, &sender), 0);
	expect(200, NULL);
	pthread_mutex_lock(&server.lock);
	server.body_max = length - 20;
	pthread_mutex_unlock(&server.lock);
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
	assert_non_null(strstr(server.requests[2].body, "bash"));
	assert_null(strstr(server.requests[2].body, "caf"));
	assert_null(strstr(server.requests[3].body, "bash"));
	assert_non_null(strstr(server.requests[3].body, "caf"));
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
	assert_null(strstr(server.requests[0].body, "bash"));
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
	FILE *log = tmpfile();
	int old = dup(STDERR_FILENO);
	dup2(fileno(log), STDERR_FILENO);
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
	dup2(old, STDERR_FILENO);
	close(old);

	char line[1024], all[4096] = "";
	size_t lines = 0;
	rewind(log);
	while (fgets(line, sizeof(line), log)) {
		lines++;
		strncat(all, line, sizeof(all) - strlen(all) - 1);
	}
	fclose(log);
	assert_int_equal(lines, 3);
	assert_non_null(strstr(all, "save-all: HTTP 503 (not?this); the samples wait, up to 3 intervals of them"));
	assert_non_null(strstr(all, "answers again; 3 intervals were kept, 15 samples dropped"));
	assert_non_null(strstr(all, "save-all: HTTP 400 (not?this); 5 samples are lost"));
	close_sender();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sender_send_fresh_batch_has_the_contracts_body),
		cmocka_unit_test(test_sender_send_empty_batch_is_sent),
		cmocka_unit_test(test_sender_send_configured_ip_needs_no_health),
		cmocka_unit_test(test_sender_send_answer_decides_what_is_kept),
		cmocka_unit_test(test_sender_send_server_that_comes_back_gets_fresh_first_then_the_oldest),
		cmocka_unit_test(test_sender_add_full_buffer_drops_the_oldest_and_counts),
		cmocka_unit_test(test_sender_configure_smaller_buffer_drops_the_oldest),
		cmocka_unit_test(test_sender_send_body_too_large_is_split_until_it_fits),
		cmocka_unit_test(test_sender_send_one_name_too_large_is_rejected),
		cmocka_unit_test(test_sender_send_split_batch_goes_on_where_it_was),
		cmocka_unit_test(test_sender_send_one_bad_batch_does_not_block_the_others),
		cmocka_unit_test(test_sender_send_retry_after_is_waited_for),
		cmocka_unit_test(test_sender_flush_server_that_is_away_ends_at_the_first_failure),
		cmocka_unit_test(test_sender_send_server_that_comes_and_goes_logs_one_line_each),
	};
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
