/*
 * A scripted HTTP server: a thread on a free port of the loopback interface that gives the answers
 * it was told, and keeps what it was asked. Several connections are served at once, on each one
 * request at a time: a client waits for its answer.
 *
 * Answers are bytes that are sent as they are, from the "HTTP/1.1" on, so that one may be cut, come in
 * chunks, or be no HTTP at all; http_server_format() makes usual ones. A request is kept before it
 * is answered: who has an answer finds it here.
 *
 * For the thread of the test, at any time between open and close. What the machine does not give
 * ends the test.
 */
#ifndef VIGIE_TESTS_HTTP_SERVER_H
#define VIGIE_TESTS_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/text.h"

struct http_server;

struct http_server_request {
	const char *head; /* up to the empty line, as in "GET /path HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n" */
	const char *body; /* as it was sent, and a NUL */
	size_t body_length;
};

/*
 * Takes a port; connections are refused until http_server_start(). The user's proxies are
 * forgotten, since the server is on this machine. The second is on ::1, and skips the test where
 * that is none of this machine's addresses.
 */
struct http_server *http_server_open(void);
struct http_server *http_server_open_ipv6(void);
void http_server_start(struct http_server *server);

/* Ends the connections, the thread, and all that was kept. Accepts NULL. */
void http_server_close(struct http_server *server);

/* "http://127.0.0.1:8000", without a slash at its end. */
const char *http_server_url(const struct http_server *server);

/* ---- what it answers ---- */

/* Requests that begin with `start`, as in "GET /hosts?", get the next of the answers, and the last one
 * again and again. NULL is a silence: the client waits. Of several that fit, what was said last counts; where
 * nothing fits, the status is 501. */
void http_server_answer_in_order(struct http_server *server, const char *start, const char *const answers[], size_t count);
void http_server_answer(struct http_server *server, const char *start, const char *answer);

/* Only those that have these words in their head, too. */
void http_server_answer_to(struct http_server *server, const char *start, const char *words, const char *answer);

/* Appends the answer to a request, or nothing: a silence. False: the connection is closed behind it. Called
 * in the server's thread, which looks at nothing else meanwhile. */
typedef bool http_server_function(void *user, const struct http_server_request *request, struct text *answer);

/* The function answers all requests from now on. */
void http_server_answer_by(struct http_server *server, http_server_function *function, void *user);

/* Appends an answer that has its body's length; `headers` end their lines (NULL: no more of them). */
void http_server_format(int status, const char *headers, const char *body, struct text *answer);

/* Closes the connections behind each answer from now on; a silence ends at once. */
void http_server_hang_up(struct http_server *server, bool hang_up);

/* Waits so long between any two bytes of an answer. */
void http_server_slow_down(struct http_server *server, unsigned pause_ms);

/* ---- what it was asked ---- */

/* How many requests began with `start`. */
size_t http_server_count(struct http_server *server, const char *start);

/* The request of a number, from 0 on, and the last one that began so. They stay until they are forgotten; the test
 * fails where there was none. */
const struct http_server_request *http_server_asked(struct http_server *server, size_t number);
const struct http_server_request *http_server_last(struct http_server *server, const char *start);

/* Forgets all requests. */
void http_server_forget(struct http_server *server);

/* How many connections there were. */
size_t http_server_connections(struct http_server *server);

#endif
