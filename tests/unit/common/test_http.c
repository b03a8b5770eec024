#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/support/http_server.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/http.h"

/* A server that gives its answers in order, and what is asked for there. */
struct server {
	struct http_server *http;
	char url[80];
};

static void server_serve(struct server *server, struct http_server *http, const char *const *answers, size_t answer_count)
{
	server->http = http;
	snprintf(server->url, sizeof(server->url), "%s/path?query=1", http_server_url(http));
	http_server_answer_in_order(http, "", answers, answer_count);
	http_server_start(http);
}

static void server_open(struct server *server, const char *const *answers, size_t answer_count)
{
	server_serve(server, http_server_open(), answers, answer_count);
}

static void server_close(struct server *server)
{
	http_server_close(server->http);
}

/* The last request. */
static const struct http_server_request *asked(const struct server *server)
{
	return http_server_last(server->http, "");
}

#define OPEN(name, ...)                                                                      \
	static const char *const name##_answers[] = { __VA_ARGS__ };                         \
	struct server name;                                                                  \
	server_open(&name, name##_answers, sizeof(name##_answers) / sizeof(char *))

#define OK(headers, length, body) "HTTP/1.1 200 OK\r\nContent-Length: " length "\r\n" headers "\r\n" body

static void test_http_request_get_gives_status_and_body(void **state)
{
	(void)state;
	OPEN(server, OK("", "5", "hello"));
	struct http *http = http_open(5000);
	struct http_answer answer = { 0 };
	assert_int_equal(http_request(http, "GET", server.url, NULL, 0, &answer), 0);
	assert_int_equal(answer.status, 200);
	assert_int_equal(answer.retry_after_s, -1);
	assert_string_equal(answer.body.data, "hello");
	assert_int_equal(answer.body.length, 5);
	assert_string_equal(http_error(http), "");
	assert_memory_equal(asked(&server)->head, "GET /path?query=1 HTTP/1.1\r\n", 28);
	assert_null(strstr(asked(&server)->head, "Content-Length"));
	http_close(http);
	server_close(&server);
	text_free(&answer.body);
}

static void test_http_request_put_sends_the_body(void **state)
{
	(void)state;
	OPEN(server, OK("", "0", ""));
	struct http *http = http_open(5000);
	struct http_answer answer = { 0 };
	static const char body[] = "{\"a\": \"\0b\"}"; /* by its length, not up to a NUL */
	assert_int_equal(http_request(http, "PUT", server.url, body, sizeof(body) - 1, &answer), 0);
	assert_int_equal(answer.body.length, 0);
	assert_memory_equal(asked(&server)->head, "PUT /path?query=1 HTTP/1.1\r\n", 28);
	assert_non_null(strstr(asked(&server)->head, "\r\nContent-Type: application/json\r\n"));
	assert_non_null(strstr(asked(&server)->head, "\r\nContent-Length: 11\r\n"));
	assert_null(strcasestr(asked(&server)->head, "Expect"));
	assert_int_equal(asked(&server)->body_length, 11);
	assert_memory_equal(asked(&server)->body, body, 11);

	/* A GET behind it has no body left over. */
	assert_int_equal(http_request(http, "GET", server.url, NULL, 0, &answer), 0);
	assert_null(strstr(asked(&server)->head, "Content-Length"));
	/* An empty body is a body. */
	assert_int_equal(http_request(http, "POST", server.url, "", 0, &answer), 0);
	assert_memory_equal(asked(&server)->head, "POST ", 5);
	assert_non_null(strstr(asked(&server)->head, "\r\nContent-Length: 0\r\n"));
	http_close(http);
	server_close(&server);
	text_free(&answer.body);
}

static void test_http_request_big_body_arrives_whole(void **state)
{
	(void)state;
	enum { BIG = 3 << 20 };
	OPEN(server, OK("", "2", "ok"));
	struct http *http = http_open(20000);
	struct http_answer answer = { 0 };
	char *body = malloc(BIG);
	for (size_t i = 0; i < BIG; i++)
		body[i] = (char)('a' + i % 23);
	assert_int_equal(http_request(http, "PUT", server.url, body, BIG, &answer), 0);
	assert_string_equal(answer.body.data, "ok");
	assert_null(strcasestr(asked(&server)->head, "Expect"));
	assert_int_equal(asked(&server)->body_length, BIG);
	assert_memory_equal(asked(&server)->body, body, BIG);
	free(body);
	http_close(http);
	server_close(&server);
	text_free(&answer.body);
}

static void test_http_request_any_status_is_an_answer(void **state)
{
	(void)state;
	static const int statuses[] = { 200, 204, 301, 400, 401, 404, 409, 413, 422, 500, 502, 503 };
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		char text[256];
		snprintf(text, sizeof(text), "HTTP/1.1 %d Some\r\nLocation: /other\r\nContent-Length: %s", statuses[i],
		         statuses[i] == 204 ? "0\r\n\r\n" : "3\r\n\r\nwhy");
		const char *const answers[] = { text };
		struct server server;
		server_open(&server, answers, 1);
		struct http *http = http_open(5000);
		struct http_answer answer = { 0 };
		assert_int_equal(http_request(http, "PUT", server.url, "{}", 2, &answer), 0);
		assert_int_equal(answer.status, statuses[i]);
		assert_int_equal(answer.body.length, statuses[i] == 204 ? 0 : 3);
		http_close(http);
		assert_int_equal(http_server_count(server.http, ""), 1); /* a redirection is not followed */
		server_close(&server);
		text_free(&answer.body);
	}
}

static void test_http_request_retry_after_is_told(void **state)
{
	(void)state;
	char future[64], past[64];
	time_t now = time(NULL), later = now + 90, earlier = now - 5000;
	struct tm utc;
	strftime(future, sizeof(future), "Retry-After: %a, %d %b %Y %H:%M:%S GMT\r\n", gmtime_r(&later, &utc));
	strftime(past, sizeof(past), "Retry-After: %a, %d %b %Y %H:%M:%S GMT\r\n", gmtime_r(&earlier, &utc));
	const struct {
		const char *header;
		int64_t lowest, highest;
	} cases[] = {
		{ "", -1, -1 },
		{ "Retry-After: 0\r\n", 0, 0 },
		{ "Retry-After: 1\r\n", 1, 1 },
		{ "retry-after:120\r\n", 120, 120 },
		{ "Retry-After: 21600 \r\n", 21600, 21600 },
		/* libcurl 8.14 gives six hours at most (lib/http.c), 7.88 what it was told. */
		{ "Retry-After: 86400\r\n", 21600, 86400 },
		{ future, 80, 90 },
		/* The time has come: at once, and not "none". */
		{ past, 0, 0 },
		{ "Retry-After: -5\r\n", 0, 0 },
		{ "", -1, -1 },
	};
	enum { COUNT = sizeof(cases) / sizeof(cases[0]) };
	/* On one handle: what an answer had must not stay for the next. */
	char texts[COUNT][256];
	const char *answers[COUNT];
	for (size_t i = 0; i < COUNT; i++) {
		snprintf(texts[i], sizeof(texts[i]), "HTTP/1.1 503 Busy\r\n%sContent-Length: 0\r\n\r\n", cases[i].header);
		answers[i] = texts[i];
	}
	struct server server;
	server_open(&server, answers, COUNT);
	struct http *http = http_open(5000);
	struct http_answer answer = { 0 };
	for (size_t i = 0; i < COUNT; i++) {
		answer.retry_after_s = 77;
		assert_int_equal(http_request(http, "GET", server.url, NULL, 0, &answer), 0);
		assert_int_equal(answer.status, 503);
		if (answer.retry_after_s < cases[i].lowest || answer.retry_after_s > cases[i].highest)
			fail_msg("%zu (%s): %lld", i, cases[i].header, (long long)answer.retry_after_s);
	}
	http_close(http);
	server_close(&server);
	text_free(&answer.body);
}

static void test_http_own_ip_is_known_after_an_answer(void **state)
{
	(void)state;
	char ip[WIRE_IP_SIZE] = "untouched";
	OPEN(server, OK("", "0", ""));
	struct http *http = http_open(5000);
	struct http_answer answer = { 0 };
	assert_false(http_own_ip(http, ip));
	assert_string_equal(ip, "untouched");
	assert_int_equal(http_request(http, "GET", server.url, NULL, 0, &answer), 0);
	assert_true(http_own_ip(http, ip));
	assert_string_equal(ip, "127.0.0.1");
	http_close(http);
	server_close(&server);
	text_free(&answer.body);
}

static void test_http_own_ip_ipv6_is_without_brackets(void **state)
{
	(void)state;
	static const char *const answers[] = { OK("", "0", "") };
	char ip[WIRE_IP_SIZE];
	struct server server;
	server_serve(&server, http_server_open_ipv6(), answers, 1);
	struct http *http = http_open(5000);
	struct http_answer answer = { 0 };
	assert_int_equal(http_request(http, "GET", server.url, NULL, 0, &answer), 0);
	assert_true(http_own_ip(http, ip));
	assert_string_equal(ip, "::1");
	http_close(http);
	server_close(&server);
	text_free(&answer.body);
}

static void test_http_peer_is_local_on_loopback(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		static const char *const answers[] = { OK("", "0", "") };
		struct server server;
		server_serve(&server, i ? http_server_open_ipv6() : http_server_open(), answers, 1);
		struct http *http = http_open(5000);
		struct http_answer answer = { 0 };
		assert_false(http_peer_is_local(http));
		assert_int_equal(http_request(http, "GET", server.url, NULL, 0, &answer), 0);
		assert_true(http_peer_is_local(http));
		http_close(http);
		server_close(&server);
		text_free(&answer.body);
	}
}

static void test_http_request_date_is_told(void **state)
{
	(void)state;
	OPEN(server, OK("Date: Sun, 22 Nov 2026 14:00:15 GMT\r\n", "0", ""), OK("", "0", ""),
	     OK("date:Thu, 01 Jan 1970 00:00:00 GMT\r\n", "0", ""), OK("Date: yesterday\r\n", "0", ""),
	     "HTTP/1.1 503 X\r\nDate: Sun, 22 Nov 2026 14:00:16 GMT\r\nContent-Length: 0\r\n\r\n");
	static const int64_t expected[] = { 1795356015, -1, 0, -1, 1795356016 };
	struct http *http = http_open(5000);
	struct http_answer answer = { .date_s = 77 };
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		assert_int_equal(http_request(http, "GET", server.url, NULL, 0, &answer), 0);
		assert_int_equal(answer.date_s, expected[i]);
	}
	http_close(http);
	server_close(&server);
	text_free(&answer.body);
}

/* Gives so many times "0123456789", then fails with `result`. */
struct given {
	size_t left, whole, rewound;
	int result;
};

static long give(void *user, char *buffer, size_t size)
{
	struct given *given = user;
	if (!given->left && given->result)
		return given->result;
	size_t now = size < given->left ? size : given->left;
	for (size_t i = 0; i < now; i++)
		buffer[i] = (char)('0' + (given->left - i) % 10);
	given->left -= now;
	return (long)now;
}

static void give_again(void *user)
{
	struct given *given = user;
	given->rewound++;
	given->left = given->whole;
}

static void test_http_send_source_is_the_body(void **state)
{
	(void)state;
	enum { LENGTH = 300007 };
	OPEN(server, OK("", "0", ""));
	struct http *http = http_open(5000);
	struct http_answer answer = { 0 };
	struct given given = { .left = LENGTH };
	struct http_message message = { .method = "POST", .url = server.url, .body_length = LENGTH, .source = give,
		                            .source_rewind = give_again, .source_user = &given, .content_type = "text/plain" };
	assert_int_equal(http_send(http, &message, &answer), 0);
	assert_int_equal(answer.status, 200);
	assert_int_equal(asked(&server)->body_length, LENGTH);
	for (size_t i = 0; i < LENGTH; i++)
		assert_int_equal(asked(&server)->body[i], '0' + (LENGTH - i) % 10);
	assert_non_null(strstr(asked(&server)->head, "\r\nContent-Length: 300007\r\n"));
	assert_non_null(strstr(asked(&server)->head, "\r\nContent-Type: text/plain\r\n"));
	assert_null(strcasestr(asked(&server)->head, "Expect"));
	/* What has no source has a body as before, or none. */
	assert_int_equal(http_request(http, "PUT", server.url, "a", 1, &answer), 0);
	assert_string_equal(asked(&server)->body, "a");
	assert_int_equal(http_request(http, "GET", server.url, NULL, 0, &answer), 0);
	assert_null(strstr(asked(&server)->head, "Content-Length"));
	/* One that fails ends the request. */
	given = (struct given){ .left = 5, .result = -ENOBUFS };
	assert_int_equal(http_send(http, &message, &answer), -ENOBUFS);
	http_close(http);
	server_close(&server);
	text_free(&answer.body);
}

/* Ends the connection with the second request, which it does not answer. */
static bool hang_up_at_the_second(void *user, const struct http_server_request *request, struct text *answer)
{
	unsigned *requests = user;
	(void)request;
	if (++*requests == 2)
		return false;
	http_server_format(200, NULL, "", answer);
	return true;
}

static void test_http_send_source_begins_again_where_a_kept_connection_has_ended(void **state)
{
	(void)state;
	enum { LENGTH = 1007 };
	OPEN(server, OK("", "0", ""));
	unsigned requests = 0;
	http_server_answer_by(server.http, hang_up_at_the_second, &requests);
	struct http *http = http_open(5000);
	struct http_answer answer = { 0 };
	struct given given = { .left = LENGTH, .whole = LENGTH };
	struct http_message message = { .method = "POST", .url = server.url, .body_length = LENGTH, .source = give,
		                            .source_rewind = give_again, .source_user = &given };
	assert_int_equal(http_request(http, "GET", server.url, NULL, 0, &answer), 0);
	assert_int_equal(http_send(http, &message, &answer), 0);
	assert_int_equal(answer.status, 200);
	assert_int_equal(given.rewound, 1);
	assert_int_equal(requests, 3);
	assert_int_equal(asked(&server)->body_length, LENGTH);
	for (size_t i = 0; i < LENGTH; i++)
		assert_int_equal(asked(&server)->body[i], '0' + (LENGTH - i) % 10);
	http_close(http);
	server_close(&server);
	text_free(&answer.body);
}

static void test_http_send_gzip_compresses_the_body_and_says_so(void **state)
{
	(void)state;
	OPEN(server, OK("", "0", ""));
	struct http *http = http_open(5000);
	struct http_answer answer = { 0 };
	static char body[20000];
	memset(body, 'a', sizeof(body));
	struct http_message message = {
		.method = "PUT", .url = server.url, .body = body, .body_length = sizeof(body), .gzip = true
	};
	assert_int_equal(http_send(http, &message, &answer), 0);
	assert_non_null(strstr(asked(&server)->head, "\r\nContent-Encoding: gzip\r\n"));
	assert_in_range(asked(&server)->body_length, 2, 1000);
	assert_memory_equal(asked(&server)->body, "\x1f\x8b", 2);

	/* Neither stays for the next. */
	message.gzip = false;
	assert_int_equal(http_send(http, &message, &answer), 0);
	assert_null(strstr(asked(&server)->head, "Content-Encoding"));
	assert_int_equal(asked(&server)->body_length, sizeof(body));
	/* What has no body is not compressed. */
	message = (struct http_message){ .method = "GET", .url = server.url, .gzip = true };
	assert_int_equal(http_send(http, &message, &answer), 0);
	assert_null(strstr(asked(&server)->head, "Content-Encoding"));
	http_close(http);
	server_close(&server);
	text_free(&answer.body);
}

static void test_http_send_timeout_of_one_request_is_its_own(void **state)
{
	(void)state;
	OPEN(server, NULL);
	struct http *http = http_open(20000);
	struct http_answer answer = { 0 };
	struct http_message message = { .method = "GET", .url = server.url, .timeout_ms = 100 };
	int64_t begun_ns = clock_monotonic_ns();
	assert_int_equal(http_send(http, &message, &answer), -ETIMEDOUT);
	assert_true(clock_monotonic_ns() - begun_ns < 10000000000);
	http_close(http);

	/* And the handle's comes back behind it. */
	http = http_open(100);
	message.timeout_ms = 1;
	assert_int_equal(http_send(http, &message, &answer), -ETIMEDOUT);
	message.timeout_ms = 0;
	begun_ns = clock_monotonic_ns();
	assert_int_equal(http_send(http, &message, &answer), -ETIMEDOUT);
	assert_true(clock_monotonic_ns() - begun_ns >= 90000000);
	http_close(http);
	server_close(&server);
	text_free(&answer.body);
}

static void test_http_request_keeps_its_connection(void **state)
{
	(void)state;
	OPEN(server, OK("", "1", "a"), OK("", "1", "b"), OK("", "1", "c"));
	struct http *http = http_open(5000);
	struct http_answer answer = { 0 };
	for (int i = 0; i < 3; i++) {
		assert_int_equal(http_request(http, i == 1 ? "PUT" : "GET", server.url, i == 1 ? "{}" : NULL, i == 1 ? 2 : 0,
		                              &answer),
		                 0);
		assert_int_equal(answer.body.length, 1);
		assert_int_equal(answer.body.data[0], 'a' + i);
	}
	http_close(http);
	assert_int_equal(http_server_count(server.http, ""), 3);
	assert_int_equal(http_server_connections(server.http), 1);
	server_close(&server);
	text_free(&answer.body);
}

/* As after a restart of nginx: the kept connection is dead, the request goes again. */
static void test_http_request_closed_connection_is_opened_again(void **state)
{
	(void)state;
	OPEN(server, OK("", "1", "a"));
	http_server_hang_up(server.http, true);
	struct http *http = http_open(5000);
	struct http_answer answer = { 0 };
	for (int i = 0; i < 3; i++) {
		assert_int_equal(http_request(http, "PUT", server.url, "{}", 2, &answer), 0);
		assert_string_equal(answer.body.data, "a");
	}
	http_close(http);
	assert_int_equal(http_server_connections(server.http), 3);
	server_close(&server);
	text_free(&answer.body);
}

static void test_http_request_refused_connection_is_told(void **state)
{
	(void)state;
	struct http_server *server = http_server_open(); /* and not started */
	char url[64], ip[WIRE_IP_SIZE];
	snprintf(url, sizeof(url), "%s/", http_server_url(server));

	struct http *http = http_open(5000);
	struct http_answer answer = { .status = 200, .retry_after_s = 5 };
	text_append_string(&answer.body, "of the answer before");
	assert_int_equal(http_request(http, "GET", url, NULL, 0, &answer), -ECONNREFUSED);
	assert_non_null(strstr(http_error(http), "127.0.0.1"));
	assert_int_equal(answer.status, 0);
	assert_int_equal(answer.retry_after_s, -1);
	assert_string_equal(answer.body.data, "");
	assert_false(http_own_ip(http, ip));
	http_close(http);
	http_server_close(server);
	text_free(&answer.body);
}

static void test_http_request_wrong_url_is_told(void **state)
{
	(void)state;
	static const struct {
		const char *url;
		int expected;
	} cases[] = {
		{ "", -EINVAL },
		{ "http://", -EINVAL },
		{ "http://127.0.0.1:99999/", -EINVAL },
		{ "ftp://127.0.0.1/", -EINVAL },
		{ "file:///etc/passwd", -EINVAL },
		{ "nowhere://127.0.0.1/", -EINVAL },
		{ "http://name.invalid/", -EIO },
	};
	struct http *http = http_open(5000);
	struct http_answer answer = { 0 };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int result = http_request(http, "GET", cases[i].url, NULL, 0, &answer);
		if (result != cases[i].expected)
			fail_msg("'%s': %d", cases[i].url, result);
		assert_string_not_equal(http_error(http), "");
		assert_int_equal(answer.body.length, 0);
	}
	http_close(http);
	text_free(&answer.body);
}

static void test_http_request_silent_server_times_out(void **state)
{
	(void)state;
	enum { TIMEOUT_MS = 300 };
	/* Nothing at all, an answer that does not end, and one that goes on for a second. */
	static const char *const silences[] = { NULL, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
		                                    OK("", "12", "in its time.") };
	for (size_t i = 0; i < 3; i++) {
		struct server server;
		server_open(&server, &silences[i], 1);
		http_server_slow_down(server.http, i == 2 ? 20 : 0);
		struct http *http = http_open(TIMEOUT_MS);
		struct http_answer answer = { 0 };
		int64_t start = clock_monotonic_ns();
		assert_int_equal(http_request(http, "GET", server.url, NULL, 0, &answer), -ETIMEDOUT);
		int64_t took_ms = (clock_monotonic_ns() - start) / 1000000;
		assert_in_range(took_ms, TIMEOUT_MS - 20, TIMEOUT_MS + 3000);
		assert_string_not_equal(http_error(http), "");
		assert_int_equal(answer.status, 0);
		http_close(http);
		server_close(&server);
		text_free(&answer.body);
	}
}

static void test_http_send_stoppable_ends_at_a_signal_and_others_do_not(void **state)
{
	(void)state;
	static const int signals[] = { SIGTERM, SIGINT };
	for (size_t i = 0; i < 2; i++) {
		sigset_t blocked, before;
		sigemptyset(&blocked);
		sigaddset(&blocked, signals[i]);
		pthread_sigmask(SIG_BLOCK, &blocked, &before); /* in the server's thread, too */
		OPEN(server, NULL);
		struct http *http = http_open(20000);
		struct http_answer answer = { 0 };
		struct http_message message = { .method = "GET", .url = server.url, .stoppable = true, .timeout_ms = 300 };
		assert_int_equal(http_send(http, &message, &answer), -ETIMEDOUT);

		kill(getpid(), signals[i]);
		message.timeout_ms = 0;
		int64_t begun_ns = clock_monotonic_ns();
		assert_int_equal(http_send(http, &message, &answer), -ECANCELED);
		assert_true(clock_monotonic_ns() - begun_ns < 5000000000);
		assert_string_not_equal(http_error(http), "");
		message.timeout_ms = 300;
		message.stoppable = false;
		assert_int_equal(http_send(http, &message, &answer), -ETIMEDOUT);

		/* It is still there for whoever waits for it. */
		assert_int_equal(sigtimedwait(&blocked, NULL, &(struct timespec){ 0 }), signals[i]);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
		http_close(http);
		server_close(&server);
		text_free(&answer.body);
	}
}

static void test_http_request_cut_answer_is_no_answer(void **state)
{
	(void)state;
	static const char *const cuts[] = {
		"",
		"HTTP/1.1 200 OK",
		"HTTP/1.1 200 OK\r\nContent-",
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nRetry-After: 5\r\n\r\nhalf",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"no HTTP at all",
	};
	enum { COUNT = sizeof(cuts) / sizeof(cuts[0]) };
	for (size_t i = 0; i < COUNT; i++) {
		struct server server;
		server_open(&server, &cuts[i], 1);
		http_server_hang_up(server.http, true);
		struct http *http = http_open(5000);
		struct http_answer answer = { 0 };
		/* A whole answer before it must not stand for it, and one behind it comes through. */
		OPEN(whole, OK("", "5", "whole"));
		assert_int_equal(http_request(http, "GET", whole.url, NULL, 0, &answer), 0);
		int result = http_request(http, "GET", server.url, NULL, 0, &answer);
		/* The last is HTTP/0.9, or another protocol. */
		if (result != -EIO && !(i == COUNT - 1 && result == -EINVAL))
			fail_msg("cut %zu: %d (%s)", i, result, http_error(http));
		assert_string_not_equal(http_error(http), "");
		assert_int_equal(answer.status, 0);
		assert_int_equal(answer.retry_after_s, -1);
		assert_int_equal(http_request(http, "GET", whole.url, NULL, 0, &answer), 0);
		assert_string_equal(answer.body.data, "whole");
		assert_string_equal(http_error(http), "");
		http_close(http);
		server_close(&server);
		server_close(&whole);
		text_free(&answer.body);
	}
}

static void test_http_request_big_answer_is_whole(void **state)
{
	(void)state;
	enum { BIG = 16 << 20 };
	struct text text = TEXT_EMPTY;
	text_printf(&text, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", BIG);
	size_t header = text.length;
	char line[1024];
	for (size_t i = 0; i < sizeof(line); i++)
		line[i] = (char)('a' + i % 26);
	for (size_t i = 0; i < BIG / sizeof(line); i++)
		text_append(&text, line, sizeof(line));
	const char *const answers[] = { text.data };
	struct server server;
	server_open(&server, answers, 1);
	struct http *http = http_open(30000);
	struct http_answer answer = { 0 };
	/* The second goes into the memory of the first. */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(http_request(http, "GET", server.url, NULL, 0, &answer), 0);
		assert_int_equal(answer.body.length, BIG);
		assert_int_equal(memcmp(answer.body.data, text.data + header, BIG), 0);
	}
	http_close(http);
	server_close(&server);
	text_free(&answer.body);
	text_free(&text);
}

static void test_http_request_chunked_answer_is_joined(void **state)
{
	(void)state;
	OPEN(server, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: x\r\n\r\n");
	struct http *http = http_open(5000);
	struct http_answer answer = { 0 };
	assert_int_equal(http_request(http, "GET", server.url, NULL, 0, &answer), 0);
	assert_string_equal(answer.body.data, "hello world");
	http_close(http);
	server_close(&server);
	text_free(&answer.body);
}

/* ---- what a message says beside its body ---- */

static void test_http_send_message_is_in_the_headers(void **state)
{
	(void)state;
	OPEN(server, OK("", "0", ""));
	struct http *http = http_open(5000);
	struct http_answer answer = { 0 };
	struct http_message message = {
		.method = "POST", .url = server.url, .body = "a=b", .body_length = 3,
		.content_type = "application/x-www-form-urlencoded", .accept = "application/csv", .authorization = "Token a-token==",
	};
	assert_int_equal(http_send(http, &message, &answer), 0);
	assert_memory_equal(asked(&server)->head, "POST /path?query=1 HTTP/1.1\r\n", 29);
	assert_non_null(strstr(asked(&server)->head, "\r\nContent-Type: application/x-www-form-urlencoded\r\n"));
	assert_non_null(strstr(asked(&server)->head, "\r\nAccept: application/csv\r\n"));
	assert_non_null(strstr(asked(&server)->head, "\r\nAuthorization: Token a-token==\r\n"));
	assert_null(strcasestr(asked(&server)->head, "Expect"));
	assert_string_equal(asked(&server)->body, "a=b");

	/* Nothing of it is left for the next one on the handle, said as NULL or as "". */
	for (int i = 0; i < 2; i++) {
		const char *none = i ? "" : NULL;
		message = (struct http_message){ .method = "GET", .url = server.url, .accept = none, .authorization = none,
			                             .user = none, .password = none, .ca_file = none };
		assert_int_equal(http_send(http, &message, &answer), 0);
		assert_null(strcasestr(asked(&server)->head, "Authorization"));
		assert_null(strstr(asked(&server)->head, "application/csv"));
		assert_non_null(strstr(asked(&server)->head, "\r\nContent-Type: application/json\r\n"));
	}
	http_close(http);
	server_close(&server);
	text_free(&answer.body);
}

static void test_http_send_user_and_password_are_basic_authentication(void **state)
{
	(void)state;
	static const struct {
		const char *user, *password, *authorization, *wanted;
	} cases[] = {
		{ "ali", "open sesame", NULL, "Basic YWxpOm9wZW4gc2VzYW1l" },
		/* A user may have a password that is empty, or has colons. */
		{ "ali", "", NULL, "Basic YWxpOg==" },
		{ "ali", "a:b", "", "Basic YWxpOmE6Yg==" },
		{ "", "", "Bearer x", "Bearer x" },
		{ NULL, NULL, "Bearer x", "Bearer x" },
		{ NULL, NULL, NULL, NULL },
	};
	OPEN(server, OK("", "0", ""));
	struct http *http = http_open(5000);
	struct http_answer answer = { 0 };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char header[128];
		const struct http_message message = {
			.method = "GET", .url = server.url, .user = cases[i].user, .password = cases[i].password,
			.authorization = cases[i].authorization,
		};
		assert_int_equal(http_send(http, &message, &answer), 0);
		const char *found = strcasestr(asked(&server)->head, "\r\nAuthorization: ");
		if (!cases[i].wanted) {
			assert_null(found);
			continue;
		}
		snprintf(header, sizeof(header), "\r\nAuthorization: %s\r\n", cases[i].wanted);
		assert_non_null(strstr(asked(&server)->head, header));
		assert_null(strcasestr(found + 2, "\r\nAuthorization: "));
	}
	http_close(http);
	server_close(&server);
	text_free(&answer.body);
}

/* What is asked for, and by whom, is never left out. */
static void test_http_send_any_allocation_fails_the_request_is_whole_or_none(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	OPEN(server, OK("", "0", ""));
	char url[128];
	snprintf(url, sizeof(url), "%s/path", http_server_url(server.http));
	const struct http_message message = {
		.method = "PUT", .url = url, .body = "body", .body_length = 4, .user = "user", .password = "password",
	};
	long n = 0;
	for (bool failed = true; failed;) {
		struct http *http = http_open(5000);
		struct http_answer answer = { 0 };
		size_t before = http_server_count(server.http, "");
		failing_start(++n);
		int result = http_send(http, &message, &answer);
		failed = failing_stop();
		assert_true(result == 0 || failed);
		if (http_server_count(server.http, "") > before) {
			assert_memory_equal(asked(&server)->head, "PUT /path HTTP/1.1\r\n", 20);
			assert_non_null(strstr(asked(&server)->head, "\r\nAuthorization: Basic dXNlcjpwYXNzd29yZA==\r\n"));
		}
		/* The next one is not the worse for it. */
		assert_int_equal(http_send(http, &message, &answer), 0);
		assert_int_equal(answer.status, 200);
		text_free(&answer.body);
		http_close(http);
	}
	assert_true(n > 20);
	server_close(&server);
}

/* A file of certificates is read when it is needed: its absence is the request's failure. */
static void test_http_send_certificates_that_are_absent_are_told(void **state)
{
	(void)state;
	OPEN(server, OK("", "0", ""));
	struct http *http = http_open(5000);
	struct http_answer answer = { 0 };
	char url[128];
	snprintf(url, sizeof(url), "https%s", server.url + strlen("http"));
	const struct http_message message = { .method = "GET", .url = url, .ca_file = "/nowhere/ca.pem" };
	assert_int_equal(http_send(http, &message, &answer), -EIO);
	assert_non_null(strstr(http_error(http), "/nowhere/ca.pem"));
	http_close(http);
	server_close(&server);
	text_free(&answer.body);
}

/* ---- sinks ---- */

struct sink {
	struct text text;
	int calls, fail; /* the number of the call that fails, from 1; 0: none */
};

static int take_bytes(void *user, const char *bytes, size_t length)
{
	struct sink *sink = user;
	text_append(&sink->text, bytes, length);
	return ++sink->calls == sink->fail ? -EREMOTEIO : 0;
}

static void test_http_send_sink_takes_a_good_answer_in_pieces(void **state)
{
	(void)state;
	enum { BIG = 3 << 20 };
	struct text big = TEXT_EMPTY;
	text_printf(&big, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", BIG);
	size_t start = big.length;
	for (int i = 0; i < BIG; i++)
		text_append_char(&big, (char)('a' + i % 23));
	const char *const answers[] = {
		big.data,
		"HTTP/1.1 206 Partial\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
		"HTTP/1.1 299 Fine\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 204 No Content\r\n\r\n",
	};
	struct server server;
	server_open(&server, answers, 4);
	struct http *http = http_open(20000);
	struct http_answer answer = { 0 };
	struct sink sink = { 0 };
	const struct http_message message = { .method = "GET", .url = server.url, .sink = take_bytes, .sink_user = &sink };
	assert_int_equal(http_send(http, &message, &answer), 0);
	assert_int_equal(sink.text.length, BIG);
	assert_int_equal(memcmp(sink.text.data, big.data + start, BIG), 0);
	assert_true(sink.calls > 1);
	/* None of it is kept here. */
	assert_int_equal(answer.body.length, 0);
	assert_true(answer.body.capacity < BIG);

	static const char *const wanted[] = { "hello world", "ok", "" };
	for (int i = 0; i < 3; i++) {
		text_reset(&sink.text);
		assert_int_equal(http_send(http, &message, &answer), 0);
		assert_string_equal(sink.text.data, wanted[i]);
		assert_int_equal(answer.body.length, 0);
	}
	http_close(http);
	server_close(&server);
	text_free(&answer.body);
	text_free(&sink.text);
	text_free(&big);
}

static void test_http_send_sink_gets_nothing_of_an_error(void **state)
{
	(void)state;
	static const int statuses[] = { 301, 400, 404, 422, 500, 503 };
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		char text[128];
		snprintf(text, sizeof(text), "HTTP/1.1 %d Some\r\nContent-Length: 3\r\n\r\nwhy", statuses[i]);
		const char *const answers[] = { text, OK("", "2", "ok") };
		struct server server;
		server_open(&server, answers, 2);
		struct http *http = http_open(5000);
		struct http_answer answer = { 0 };
		struct sink sink = { 0 };
		struct http_message message = { .method = "GET", .url = server.url, .sink = take_bytes, .sink_user = &sink };
		assert_int_equal(http_send(http, &message, &answer), 0);
		assert_int_equal(answer.status, statuses[i]);
		assert_string_equal(answer.body.data, "why");
		assert_int_equal(sink.calls, 0);
		/* Without a sink the next answer is in its body again. */
		message.sink = NULL;
		assert_int_equal(http_send(http, &message, &answer), 0);
		assert_string_equal(answer.body.data, "ok");
		assert_int_equal(sink.calls, 0);
		http_close(http);
		server_close(&server);
		text_free(&answer.body);
		text_free(&sink.text);
	}
}

static void test_http_send_sink_fails_its_error_is_returned_and_the_next_request_works(void **state)
{
	(void)state;
	enum { BIG = 1 << 20 };
	struct text big = TEXT_EMPTY;
	text_printf(&big, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", BIG);
	for (int i = 0; i < BIG; i++)
		text_append_char(&big, 'x');
	const char *const answers[] = { big.data, OK("", "3", "bad"), OK("", "4", "good") };
	struct server server;
	server_open(&server, answers, 3);
	struct http *http = http_open(20000);
	struct http_answer answer = { 0 };
	struct sink sink = { .fail = 2 };
	const struct http_message message = { .method = "GET", .url = server.url, .sink = take_bytes, .sink_user = &sink };
	/* In the middle of a long answer, and with a short one whole. */
	assert_int_equal(http_send(http, &message, &answer), -EREMOTEIO);
	assert_int_equal(sink.calls, 2);
	assert_true(sink.text.length < BIG);
	assert_string_not_equal(http_error(http), "");
	sink.fail = 3;
	assert_int_equal(http_send(http, &message, &answer), -EREMOTEIO);
	assert_int_equal(sink.calls, 3);
	/* Another failure behind it is its own. */
	struct http_message nowhere = message;
	nowhere.url = "nowhere://127.0.0.1/";
	assert_int_equal(http_send(http, &nowhere, &answer), -EINVAL);
	text_reset(&sink.text);
	assert_int_equal(http_send(http, &message, &answer), 0);
	assert_int_equal(answer.status, 200);
	assert_string_equal(sink.text.data, "good");
	assert_string_equal(http_error(http), "");
	http_close(http);
	server_close(&server);
	text_free(&answer.body);
	text_free(&sink.text);
	text_free(&big);
}

/* Whether what a sink took is all of it. */
static int is_even(const void *user)
{
	const struct sink *sink = user;
	return sink->text.length % 2 ? -EBADMSG : 0;
}

static void test_http_send_sink_says_at_the_end_whether_it_has_all(void **state)
{
	(void)state;
	OPEN(server, OK("", "4", "four"), OK("", "3", "odd"), "HTTP/1.1 204 No Content\r\n\r\n",
	     "HTTP/1.1 500 Some\r\nContent-Length: 3\r\n\r\nwhy", OK("", "1", "!"));
	static const struct {
		int wanted;
		long status;
	} cases[] = { { 0, 200 }, { -EBADMSG, 200 }, { -EBADMSG, 204 }, { 0, 500 }, { 0, 200 } };
	struct http *http = http_open(5000);
	struct http_answer answer = { 0 };
	struct sink sink = { 0 };
	const struct http_message message = { .method = "GET", .url = server.url, .sink = take_bytes, .sink_end = is_even,
		                                  .sink_user = &sink };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(http_send(http, &message, &answer), cases[i].wanted);
		assert_int_equal(answer.status, cases[i].status);
		assert_string_equal(http_error(http), cases[i].wanted ? "the answer is not whole" : "");
	}
	http_close(http);
	server_close(&server);
	text_free(&answer.body);
	text_free(&sink.text);
}

/* What came before the end is with the sink, but the request has failed. */
static void test_http_send_cut_answer_is_told_beside_the_sink(void **state)
{
	(void)state;
	OPEN(server, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
	http_server_hang_up(server.http, true);
	struct http *http = http_open(5000);
	struct http_answer answer = { 0 };
	struct sink sink = { 0 };
	const struct http_message message = { .method = "GET", .url = server.url, .sink = take_bytes, .sink_user = &sink };
	assert_int_equal(http_send(http, &message, &answer), -EIO);
	assert_string_equal(sink.text.data, "half");
	http_close(http);
	server_close(&server);
	text_free(&answer.body);
	text_free(&sink.text);
}

/* ---- escaping ---- */

/* What is said of the last request, beside its error. */
static void assert_said(const struct http *http, const char *path, const char *expected)
{
	struct text text = TEXT_EMPTY;
	text_append_string(&text, "");
	http_append_redirect(http, path, &text);
	http_append_proxy(http, &text);
	assert_string_equal(text.data, expected);
	text_free(&text);
}

static void test_http_send_proxy_is_asked_and_told_without_its_password(void **state)
{
	(void)state;
	OPEN(proxy, OK("", "0", ""), "HTTP/1.1 407 X\r\nContent-Length: 0\r\n\r\n");
	char with_secret[96], shown[96];
	snprintf(with_secret, sizeof(with_secret), "http://user:secret@%s", http_server_url(proxy.http) + strlen("http://"));
	snprintf(shown, sizeof(shown), ", through the proxy %s", http_server_url(proxy.http));
	struct http *http = http_open(5000);
	struct http_answer answer = { 0 };
	const struct http_message message = { .method = "GET", .url = "http://vigie.example/x", .proxy = with_secret };
	for (int i = 0; i < 2; i++) {
		assert_int_equal(http_send(http, &message, &answer), 0);
		assert_int_equal(answer.status, i ? 407 : 200);
		assert_memory_equal(asked(&proxy)->head, "GET http://vigie.example/x HTTP", 31);
		assert_said(http, NULL, shown);
		assert_true(http_is_proxied(http));
		assert_false(http_peer_is_local(http)); /* the proxy is: of the server nothing is known */
	}
	/* A server on loopback is asked itself. */
	OPEN(server, OK("", "0", ""));
	const struct http_message near = { .method = "GET", .url = server.url, .proxy = with_secret };
	assert_int_equal(http_send(http, &near, &answer), 0);
	assert_memory_equal(asked(&server)->head, "GET /path?query=1 HTTP", 22);
	assert_said(http, NULL, "");
	assert_false(http_is_proxied(http));
	assert_true(http_peer_is_local(http));
	http_close(http);
	server_close(&proxy);
	server_close(&server);
	text_free(&answer.body);
}

static void test_http_send_proxy_that_is_none_is_told_without_its_password(void **state)
{
	(void)state;
	static const struct {
		const char *proxy, *said;
		int result;
	} cases[] = {
		{ "http://user:secret@127.0.0.1:1", ", through the proxy http://127.0.0.1:1", -ECONNREFUSED },
		{ "ftp://user:secret@h:1", ", through the proxy ftp://h:1", -ECONNREFUSED },
		{ "http://user:sec/ret@h:1", ", through the proxy http://h:1", -EIO },
		{ "user:secret@127.0.0.1:1", ", through the proxy 127.0.0.1:1", -ECONNREFUSED },
	};
	struct http *http = http_open(2000);
	struct http_answer answer = { 0 };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(setenv("http_proxy", cases[i].proxy, 1), 0);
		assert_int_equal(http_request(http, "GET", "http://vigie.example/", NULL, 0, &answer), cases[i].result);
		assert_string_not_equal(http_error(http), "");
		assert_null(strstr(http_error(http), "sec"));
		assert_said(http, NULL, cases[i].said);
	}
	unsetenv("http_proxy");
	http_close(http);
	text_free(&answer.body);
}

#define REDIRECT(status, location) "HTTP/1.1 " status " X\r\nContent-Length: 0\r\nLocation: " location "\r\n\r\n"

static void test_http_send_redirect_is_told_and_not_followed(void **state)
{
	(void)state;
	OPEN(server, REDIRECT("301", "https://vigie.example/ressources-usage/path"), REDIRECT("302", "/sign-in?from=secret#x"),
	     REDIRECT("308", "//user:secret@h:1/a/path"), REDIRECT("303", "ftp://h/a\x1b[31m"), REDIRECT("307", ""),
	     REDIRECT("200", "http://h/"), "HTTP/1.1 301 X\r\nContent-Length: 0\r\n\r\n");
	const char *origin = http_server_url(server.http);
	char sign_in[160];
	snprintf(sign_in, sizeof(sign_in), ", to %s/sign-in, which is not followed", origin);
	const char *const expected[] = {
		", to https://vigie.example/ressources-usage/path, which is not followed: the URL would be "
		"https://vigie.example/ressources-usage/",
		sign_in,
		", to http://h:1/a/path, which is not followed: the URL would be http://h:1/a/",
		", to ftp://h/a, which is not followed",
		NULL, "", "",
	};
	struct http *http = http_open(5000);
	struct http_answer answer = { 0 };
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		assert_int_equal(http_request(http, "PUT", server.url, "{}", 2, &answer), 0);
		if (expected[i])
			assert_said(http, "path?query=1", expected[i]);
	}
	assert_int_equal(http_server_count(server.http, ""), sizeof(expected) / sizeof(expected[0]));
	http_close(http);
	server_close(&server);
	text_free(&answer.body);
}

static void test_http_send_from_another_address_is_not_sent(void **state)
{
	(void)state;
	OPEN(server, OK("", "0", ""));
	struct http *http = http_open(5000);
	struct http_answer answer = { 0 };
	char ip[WIRE_IP_SIZE];
	struct http_message message = { .method = "PUT", .url = server.url, .body = "{}", .body_length = 2 };
	static const char *const others[] = { "", "10.9.0.2", "127.0.0.2", "::1" };
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		/* Neither over a new connection nor over one that is there. */
		for (int used = 0; used < 2; used++) {
			message.own_ip = others[i];
			assert_int_equal(http_send(http, &message, &answer), -EADDRNOTAVAIL);
			assert_string_not_equal(http_error(http), "");
			assert_true(http_own_ip(http, ip));
			assert_string_equal(ip, "127.0.0.1");
			assert_int_equal(http_server_count(server.http, ""), 2 * i + (size_t)used);
			message.own_ip = ip;
			assert_int_equal(http_send(http, &message, &answer), 0);
		}
	}
	http_close(http);
	server_close(&server);
	text_free(&answer.body);
}

/* What a newer server, or another one, says in them is nothing. */
static void test_http_send_what_headers_say_of_us_is_told(void **state)
{
	(void)state;
	static const struct {
		const char *answer;
		enum http_state told;
		int resources;
		bool offers_processes;
	} cases[] = {
		{ OK("", "0", ""), HTTP_STATE_UNSAID, 0, false },
		{ OK(WIRE_STATE ": run\r\n" WIRE_RESOURCES ": 4\r\n", "0", ""), HTTP_STATE_RUN, 4, false },
		{ OK(WIRE_STATE ": stop\r\n" WIRE_RESOURCES ": 1234\r\n", "0", ""), HTTP_STATE_STOP, 1234, false },
		{ OK(WIRE_STATE ": rest\r\n" WIRE_RESOURCES ": 12345\r\n", "0", ""), HTTP_STATE_UNSAID, 0, false },
		{ OK(WIRE_ACCEPT ": " WIRE_ACCEPT_PROCESSES "\r\n" WIRE_RESOURCES ": all\r\n", "0", ""), HTTP_STATE_UNSAID, 0, true },
		{ OK(WIRE_ACCEPT ": threads\r\n", "0", ""), HTTP_STATE_UNSAID, 0, false },
	};
	struct http *http = http_open(5000);
	struct http_answer answer = { 0 };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct server server;
		server_open(&server, &cases[i].answer, 1);
		assert_int_equal(http_request(http, "GET", server.url, NULL, 0, &answer), 0);
		assert_int_equal(answer.state, cases[i].told);
		assert_int_equal(answer.resources, cases[i].resources);
		assert_int_equal(answer.offers_processes, cases[i].offers_processes);
		server_close(&server);
	}
	http_close(http);
	text_free(&answer.body);
}

static void test_http_is_to_stop_where_nothing_is_said_is_as_before(void **state)
{
	(void)state;
	static const struct {
		long status;
		enum http_state told;
		bool stopped, expected;
	} cases[] = {
		{ 200, HTTP_STATE_UNSAID, true, false }, { 503, HTTP_STATE_UNSAID, true, true }, { 0, HTTP_STATE_UNSAID, false, false },
		{ 503, HTTP_STATE_RUN, true, false },    { 503, HTTP_STATE_STOP, false, true },  { 200, HTTP_STATE_STOP, false, true },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct http_answer answer = { .status = cases[i].status, .state = cases[i].told };
		assert_int_equal(http_is_to_stop(&answer, cases[i].stopped), cases[i].expected);
	}
}

/* libcurl has other words for some of what it lacks memory for. */
static void test_http_send_any_allocation_fails_is_an_error_or_done_without(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	OPEN(server, "HTTP/1.1 301 X\r\nContent-Length: 5\r\nLocation: https://vigie.example/path\r\n\r\nmoved");
	struct http_message message = { .method = "PUT", .url = server.url, .body = "{}", .body_length = 2, .gzip = true,
		                            .authorization = "Bearer x", .service = WIRE_ALERT };
	curl_global_init(CURL_GLOBAL_DEFAULT); /* what is the process's own is not what is looked for */
	bool failed = true, out_of_memory = false;
	for (long n = 1; failed; n++) {
		struct http_answer answer = { 0 };
		long before = failing_unfreed();
		failing_start(n);
		struct http *http = http_open(5000);
		int result = http ? http_send(http, &message, &answer) : -ENOMEM;
		failed = failing_stop();
		out_of_memory = out_of_memory || result == -ENOMEM;
		if (result == 0) {
			assert_int_equal(answer.status, 301);
			assert_string_equal(answer.body.data, "moved");
		} else if (!failed || result > 0 || (http && result != -ENOMEM && !http_error(http)[0])) {
			fail_msg("allocation %ld: %d", n, result);
		}
		if (http) {
			assert_int_equal(http_send(http, &message, &answer), 0);
			assert_string_equal(answer.body.data, "moved");
			assert_said(http, "path", ", to https://vigie.example/path, which is not followed: the URL would be https://vigie.example/");
		}
		http_close(http);
		text_free(&answer.body);
		assert_int_equal(failing_unfreed(), before);
	}
	assert_true(out_of_memory);
	server_close(&server);
}

static void test_http_append_escaped_without_memory_is_a_failed_text(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	bool failed = true;
	for (long n = 1; failed; n++) {
		struct text text = TEXT_EMPTY;
		failing_start(n);
		http_append_escaped(&text, "a b");
		failed = failing_stop();
		assert_int_equal(text_failed(&text), failed);
		if (!failed)
			assert_string_equal(text.data, "a%20b");
		text_free(&text);
	}
}

static void test_http_append_escaped_all_but_the_unreserved(void **state)
{
	(void)state;
	static const struct {
		const char *string, *wanted;
	} cases[] = {
		{ "", ">" },
		{ "AZaz09-._~", ">AZaz09-._~" },
		{ "a b", ">a%20b" },
		{ "a+b", ">a%2Bb" },
		{ "&=?/#:;,", ">%26%3D%3F%2F%23%3A%3B%2C" },
		{ "100%", ">100%25" },
		{ "%41", ">%2541" },
		{ "\"'\\<>", ">%22%27%5C%3C%3E" },
		{ "\r\n\t", ">%0D%0A%09" },
		{ "\xc3\xa9", ">%C3%A9" },
		{ "\xff", ">%FF" },
	};
	struct text text = TEXT_EMPTY;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		text_reset(&text);
		text_append_char(&text, '>');
		http_append_escaped(&text, cases[i].string);
		assert_false(text_failed(&text));
		assert_string_equal(text.data, cases[i].wanted);
	}
	/* A query may be long. */
	struct text long_string = TEXT_EMPTY;
	for (int i = 0; i < 100000; i++)
		text_append_char(&long_string, i % 2 ? ' ' : 'x');
	text_reset(&text);
	http_append_escaped(&text, long_string.data);
	assert_int_equal(text.length, 200000);
	assert_memory_equal(text.data, "x%20x%20", 8);
	text_free(&long_string);
	text_free(&text);
}

static void test_http_close_null_is_harmless(void **state)
{
	(void)state;
	http_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_http_request_get_gives_status_and_body),
		cmocka_unit_test(test_http_request_put_sends_the_body),
		cmocka_unit_test(test_http_request_big_body_arrives_whole),
		cmocka_unit_test(test_http_request_any_status_is_an_answer),
		cmocka_unit_test(test_http_request_retry_after_is_told),
		cmocka_unit_test(test_http_own_ip_is_known_after_an_answer),
		cmocka_unit_test(test_http_own_ip_ipv6_is_without_brackets),
		cmocka_unit_test(test_http_peer_is_local_on_loopback),
		cmocka_unit_test(test_http_request_date_is_told),
		cmocka_unit_test(test_http_send_source_is_the_body),
		cmocka_unit_test(test_http_send_source_begins_again_where_a_kept_connection_has_ended),
		cmocka_unit_test(test_http_send_gzip_compresses_the_body_and_says_so),
		cmocka_unit_test(test_http_send_timeout_of_one_request_is_its_own),
		cmocka_unit_test(test_http_request_keeps_its_connection),
		cmocka_unit_test(test_http_request_closed_connection_is_opened_again),
		cmocka_unit_test(test_http_request_refused_connection_is_told),
		cmocka_unit_test(test_http_request_wrong_url_is_told),
		cmocka_unit_test(test_http_request_silent_server_times_out),
		cmocka_unit_test(test_http_send_stoppable_ends_at_a_signal_and_others_do_not),
		cmocka_unit_test(test_http_request_cut_answer_is_no_answer),
		cmocka_unit_test(test_http_request_big_answer_is_whole),
		cmocka_unit_test(test_http_request_chunked_answer_is_joined),
		cmocka_unit_test(test_http_send_message_is_in_the_headers),
		cmocka_unit_test(test_http_send_user_and_password_are_basic_authentication),
		cmocka_unit_test(test_http_send_any_allocation_fails_the_request_is_whole_or_none),
		cmocka_unit_test(test_http_send_certificates_that_are_absent_are_told),
		cmocka_unit_test(test_http_send_sink_takes_a_good_answer_in_pieces),
		cmocka_unit_test(test_http_send_sink_gets_nothing_of_an_error),
		cmocka_unit_test(test_http_send_sink_fails_its_error_is_returned_and_the_next_request_works),
		cmocka_unit_test(test_http_send_sink_says_at_the_end_whether_it_has_all),
		cmocka_unit_test(test_http_send_cut_answer_is_told_beside_the_sink),
		cmocka_unit_test(test_http_send_proxy_is_asked_and_told_without_its_password),
		cmocka_unit_test(test_http_send_proxy_that_is_none_is_told_without_its_password),
		cmocka_unit_test(test_http_send_redirect_is_told_and_not_followed),
		cmocka_unit_test(test_http_send_from_another_address_is_not_sent),
		cmocka_unit_test(test_http_send_what_headers_say_of_us_is_told),
		cmocka_unit_test(test_http_is_to_stop_where_nothing_is_said_is_as_before),
		cmocka_unit_test(test_http_send_any_allocation_fails_is_an_error_or_done_without),
		cmocka_unit_test(test_http_append_escaped_without_memory_is_a_failed_text),
		cmocka_unit_test(test_http_append_escaped_all_but_the_unreserved),
		cmocka_unit_test(test_http_close_null_is_harmless),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
