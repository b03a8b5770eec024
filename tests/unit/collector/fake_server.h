/*
 * vigie's server within the tests of what sends: it answers as the test has set it.
 */
#ifndef VIGIE_TESTS_FAKE_SERVER_H
#define VIGIE_TESTS_FAKE_SERVER_H

#include "tests/unit/support/http_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"

enum { CLOSE = -1 };

/* What the server is to answer, set between requests: the client waits for each answer. */
static struct fake_server {
	struct http_server *http;

	int status;      /* of every PUT; CLOSE: hang up */
	const char *bad; /* a PUT with it in its body is answered bad_status; NULL: none */
	int bad_status;
	size_t body_max;      /* a longer one gets 413; 0: no limit */
	int gzip_status;      /* of compressed bodies; 0: as others */
	const char *token;    /* others get 401; NULL: all may */
	int64_t ahead_ms;     /* its clock before this machine's */
	int64_t ahead_step_ms; /* more of it with each request */
	bool dated;           /* its answers have a Date */
	int64_t window_ms;    /* a first timestamp further from its clock gets 409; 0: any will do */
	const char *headers;  /* more of them; NULL: none */
	const char *greeting; /* in the place of those, of what is no PUT; NULL: they are the same */
	const char *body;     /* NULL: one of vigie's */
} server;

/* The timestamp of the first sample of a body, in milliseconds; -1: it has none. */
static int64_t first_time_ms(const char *body)
{
	const char *at = strstr(body, "{\"timestamp\":");
	return at ? (int64_t)(strtod(at + 13, NULL) * 1000 + 0.5) : -1;
}

static int status_of(const struct http_server_request *request)
{
	char wanted[256];
	int64_t time_ms = first_time_ms(request->body), now_ms = clock_wall_ms() + server.ahead_ms;
	snprintf(wanted, sizeof(wanted), "\r\nAuthorization: Bearer %s\r\n", server.token ? server.token : "");
	if (server.token && !strstr(request->head, wanted))
		return 401;
	if (strncmp(request->head, "PUT ", 4) != 0)
		return 503; /* of health: any will do */
	if (server.gzip_status && strstr(request->head, "Content-Encoding: gzip"))
		return server.gzip_status;
	if (server.body_max && request->body_length > server.body_max)
		return 413;
	if (server.bad && strstr(request->body, server.bad))
		return server.bad_status;
	if (server.window_ms && (time_ms > now_ms + server.window_ms || time_ms < now_ms - server.window_ms))
		return 409;
	return server.status;
}

static bool give_answer(void *unused, const struct http_server_request *request, struct text *answer)
{
	(void)unused;
	char headers[256], date[64] = "", text[256];
	int status = status_of(request);
	if (status == CLOSE)
		return false;
	server.ahead_ms += server.ahead_step_ms;
	int64_t now_ms = clock_wall_ms() + server.ahead_ms;
	time_t now = (time_t)(now_ms / 1000);
	struct tm utc;
	if (server.dated)
		strftime(date, sizeof(date), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", gmtime_r(&now, &utc));
	const char *more = server.greeting && strncmp(request->head, "PUT ", 4) != 0 ? server.greeting : server.headers;
	snprintf(headers, sizeof(headers), "%s%s", date, more ? more : "");
	snprintf(text, sizeof(text), "{\"Response\": \"NOk\", \"error\": \"not\\nthis\", \"server_time\": %lld.%03d}",
	         (long long)(now_ms / 1000), (int)(now_ms % 1000));
	http_server_format(status, headers, server.body ? server.body : status == 200 ? "{\"Response\": \"Ok\"}" : text, answer);
	return true;
}

static int start_server(void **state)
{
	(void)state;
	server.http = http_server_open();
	http_server_answer_by(server.http, give_answer, NULL);
	http_server_start(server.http);
	return 0;
}

static int stop_server(void **state)
{
	(void)state;
	http_server_close(server.http);
	return 0;
}

/* Forgets the requests, and answers all PUTs with `status` and `headers` from now on. */
static void expect(int status, const char *headers)
{
	http_server_forget(server.http);
	server = (struct fake_server){ .http = server.http, .status = status, .headers = headers };
}

static size_t requests(void)
{
	return http_server_count(server.http, "");
}

static const struct http_server_request *asked(size_t request)
{
	return http_server_asked(server.http, request);
}

#endif
