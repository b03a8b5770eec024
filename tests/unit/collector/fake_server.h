/*
 * The server within the tests of what sends: a thread that keeps what it is asked and
 * answers as the test has told it. One connection at a time.
 */
#ifndef VIGIE_TESTS_FAKE_SERVER_H
#define VIGIE_TESTS_FAKE_SERVER_H

#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"

enum { REQUESTS_MAX = 512, CLOSE = -1 };

/* What the server is to answer, and what it was asked. */
static struct {
	pthread_mutex_t lock; /* holds all that follows but the thread and the listener */
	pthread_t thread;
	int listener, port;

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
	const char *body;     /* NULL: one of vigie's */

	size_t count;
	struct {
		char head[1024];
		char *body;
		size_t length;
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
	*end = '\0';
	*ret_body = end + 4;
	char *length_at = strstr(buffer, "Content-Length: ");
	size_t length = length_at ? strtoul(length_at + 16, NULL, 10) : 0;
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

/* The timestamp of the first sample of a body, in milliseconds; -1: it has none. */
static int64_t first_time_ms(const char *body)
{
	const char *at = strstr(body, "{\"timestamp\":");
	return at ? (int64_t)(strtod(at + 13, NULL) * 1000 + 0.5) : -1;
}

static int status_of(const char *head, const char *body, size_t length)
{
	char wanted[256];
	int64_t time_ms = first_time_ms(body), now_ms = clock_wall_ms() + server.ahead_ms;
	snprintf(wanted, sizeof(wanted), "Authorization: Bearer %s", server.token ? server.token : "");
	const char *given = strstr(head, "Authorization: ");
	size_t given_length = given ? strcspn(given, "\r") : 0;
	if (server.token && (given_length != strlen(wanted) || strncmp(given, wanted, given_length) != 0))
		return 401;
	if (strncmp(head, "PUT ", 4) != 0)
		return 503; /* of health: any will do */
	if (server.gzip_status && strstr(head, "Content-Encoding: gzip"))
		return server.gzip_status;
	if (server.body_max && length > server.body_max)
		return 413;
	if (server.bad && strstr(body, server.bad))
		return server.bad_status;
	if (server.window_ms && (time_ms > now_ms + server.window_ms || time_ms < now_ms - server.window_ms))
		return 409;
	return server.status;
}

static int format_answer(int status, char *answer, size_t size)
{
	char date[64] = "", text[256];
	int64_t now_ms = clock_wall_ms() + server.ahead_ms;
	time_t now = (time_t)(now_ms / 1000);
	struct tm utc;
	if (server.dated)
		strftime(date, sizeof(date), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", gmtime_r(&now, &utc));
	if (server.body)
		snprintf(text, sizeof(text), "%s", server.body);
	else if (status == 200)
		snprintf(text, sizeof(text), "{\"Response\": \"Ok\"}");
	else
		snprintf(text, sizeof(text), "{\"Response\": \"NOk\", \"error\": \"not\\nthis\", \"server_time\": %lld.%03d}",
		         (long long)(now_ms / 1000), (int)(now_ms % 1000));
	return snprintf(answer, size, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n%s%s\r\n%s", status, strlen(text), date,
	                server.headers ? server.headers : "", text);
}

static void serve(int fd)
{
	static char buffer[1 << 20];
	char *body, answer[1024];
	for (size_t whole = read_request(fd, buffer, sizeof(buffer), &body); whole;
	     whole = read_request(fd, buffer, sizeof(buffer), &body)) {
		size_t body_length = whole - (size_t)(body - buffer);
		pthread_mutex_lock(&server.lock);
		int status = status_of(buffer, body, body_length);
		server.ahead_ms += server.ahead_step_ms;
		int length = format_answer(status, answer, sizeof(answer));
		if (server.count < REQUESTS_MAX) {
			snprintf(server.requests[server.count].head, sizeof(server.requests[0].head), "%.1000s", buffer);
			server.requests[server.count].body = malloc(body_length + 1);
			memcpy(server.requests[server.count].body, body, body_length + 1);
			server.requests[server.count++].length = body_length;
		}
		pthread_mutex_unlock(&server.lock);
		if (status == CLOSE || write(fd, answer, (size_t)length) < 0)
			return;
	}
}

static void *run_server(void *unused)
{
	(void)unused;
	for (int fd = accept(server.listener, NULL, NULL); fd >= 0; fd = accept(server.listener, NULL, NULL)) {
		serve(fd);
		close(fd);
	}
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

/* Forgets the requests, and answers all PUTs with `status` and `headers` from now on. */
static void expect(int status, const char *headers)
{
	pthread_mutex_lock(&server.lock);
	for (size_t i = 0; i < server.count; i++)
		free(server.requests[i].body);
	server.count = 0;
	server.status = status;
	server.headers = headers;
	server.bad = server.token = server.body = NULL;
	server.body_max = 0;
	server.gzip_status = 0;
	server.ahead_ms = server.ahead_step_ms = server.window_ms = 0;
	server.dated = false;
	pthread_mutex_unlock(&server.lock);
}

/* When its client is closed. */
static int stop_server(void **state)
{
	(void)state;
	shutdown(server.listener, SHUT_RDWR);
	pthread_join(server.thread, NULL);
	close(server.listener);
	expect(200, NULL);
	return 0;
}

/* The server's thread is between requests whenever a client's call has returned. */
static size_t requests(void)
{
	pthread_mutex_lock(&server.lock);
	size_t count = server.count;
	pthread_mutex_unlock(&server.lock);
	return count;
}

#endif
