/*
 * An HTTP server in a thread, on a free port of the loopback interface: it answers by how
 * a request begins, and keeps what it was asked. And what a program logs meanwhile.
 */
#ifndef VIGIE_TESTS_FCGI_FAKE_SERVER_H
#define VIGIE_TESTS_FCGI_FAKE_SERVER_H

#include "tests/unit/fcgi/helpers.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"

enum { SERVER_RULES = 32, SERVER_CONNECTIONS = 32, SERVER_REQUESTS = 1024, SERVER_CHUNK = 100 };

/* The answer to requests that begin with `start`, as in "GET /api/v2/buckets?", and have
 * `words` in them. */
struct server_rule {
	char start[256], words[128];
	char *answer; /* headers and body */
	size_t length;
};

struct server_connection {
	int socket;
	struct text read;
};

struct server {
	int listener;
	bool serving;
	pthread_t thread;
	char url[64]; /* without a slash at its end */
	atomic_bool close_after; /* the connection, behind each answer */
	pthread_mutex_t lock; /* of what follows */
	struct server_rule rules[SERVER_RULES];
	size_t rule_count;
	char *requests[SERVER_REQUESTS]; /* whole; they stay until the server is closed */
	size_t request_count, connections;
};

/* Takes a port; connections are refused until server_start(). */
static inline void server_open(struct server *server)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	*server = (struct server){ .lock = PTHREAD_MUTEX_INITIALIZER };
	server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(server->listener >= 0);
	assert_int_equal(bind(server->listener, (struct sockaddr *)&address, length), 0);
	assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &length), 0);
	snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%d", ntohs(address.sin_port));
}

/* Of several rules for one request the last one counts. */
static inline void server_answer_to(struct server *server, const char *start, const char *words, const char *answer)
{
	struct server_rule rule = { .answer = strdup(answer), .length = strlen(answer) };
	assert_non_null(rule.answer);
	snprintf(rule.start, sizeof(rule.start), "%s", start);
	snprintf(rule.words, sizeof(rule.words), "%s", words);
	pthread_mutex_lock(&server->lock);
	assert_true(server->rule_count < SERVER_RULES);
	server->rules[server->rule_count++] = rule;
	pthread_mutex_unlock(&server->lock);
}

static inline void server_answer(struct server *server, const char *start, const char *answer)
{
	server_answer_to(server, start, "", answer);
}

static inline bool server_send(int socket, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t sent = send(socket, bytes, length, MSG_NOSIGNAL);
		if (sent <= 0)
			return false;
		bytes += sent;
		length -= (size_t)sent;
	}
	return true;
}

/* Sends an answer; one that says that its body is chunked in chunks. */
static inline bool server_send_answer(int socket, const char *answer, size_t length)
{
	const char *body = strstr(answer, "\r\n\r\n");
	if (!body || !strcasestr(answer, "\r\nTransfer-Encoding: chunked\r\n"))
		return server_send(socket, answer, length);
	body += 4;
	struct text text = TEXT_EMPTY;
	text_append(&text, answer, (size_t)(body - answer));
	for (size_t rest = length - (size_t)(body - answer); rest > 0;) {
		size_t part = rest < SERVER_CHUNK ? rest : SERVER_CHUNK;
		text_printf(&text, "%zx\r\n%.*s\r\n", part, (int)part, body);
		body += part;
		rest -= part;
	}
	text_append_string(&text, "0\r\n\r\n");
	bool sent = server_send(socket, text.data, text.length);
	text_free(&text);
	return sent;
}

static inline bool server_reply(struct server *server, int socket, const char *request, size_t length)
{
	static const char none[] = "HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\n\r\n";
	const struct server_rule *found = NULL;
	pthread_mutex_lock(&server->lock);
	for (size_t i = 0; i < server->rule_count; i++) {
		const struct server_rule *rule = &server->rules[i];
		if (strncmp(request, rule->start, strlen(rule->start)) == 0 && strstr(request, rule->words))
			found = rule;
	}
	if (server->request_count < SERVER_REQUESTS)
		server->requests[server->request_count++] = strndup(request, length);
	/* Its answer stays until the server is closed. */
	const char *answer = found ? found->answer : none;
	size_t answer_length = found ? found->length : strlen(none);
	pthread_mutex_unlock(&server->lock);
	return server_send_answer(socket, answer, answer_length) && !server->close_after;
}

/* Reads, and answers what is whole. False at the end of the connection. */
static inline bool server_read(struct server *server, struct server_connection *connection)
{
	char piece[65536];
	ssize_t length = read(connection->socket, piece, sizeof(piece));
	if (length <= 0)
		return false;
	text_append(&connection->read, piece, (size_t)length);
	const char *end = strstr(connection->read.data, "\r\n\r\n");
	if (!end)
		return true;
	const char *header = strcasestr(connection->read.data, "\r\nContent-Length:");
	size_t whole = (size_t)(end - connection->read.data) + 4;
	whole += header && header < end ? strtoul(header + 17, NULL, 10) : 0;
	if (connection->read.length < whole)
		return true;
	/* A client waits for its answer: nothing is behind the request. */
	bool goes_on = server_reply(server, connection->socket, connection->read.data, connection->read.length);
	text_reset(&connection->read);
	return goes_on;
}

static inline void *server_serve(void *user)
{
	struct server *server = user;
	struct server_connection connections[SERVER_CONNECTIONS];
	size_t count = 0;
	for (bool open = true; open;) {
		struct pollfd polled[SERVER_CONNECTIONS + 1] = { { .fd = server->listener, .events = POLLIN } };
		for (size_t i = 0; i < count; i++)
			polled[i + 1] = (struct pollfd){ .fd = connections[i].socket, .events = POLLIN };
		if (poll(polled, count + 1, -1) < 0)
			continue;
		for (size_t i = count; i-- > 0;) {
			if (!polled[i + 1].revents || server_read(server, &connections[i]))
				continue;
			close(connections[i].socket);
			text_free(&connections[i].read);
			connections[i] = connections[--count];
		}
		if (polled[0].revents) {
			int socket = accept(server->listener, NULL, NULL);
			open = socket >= 0;
			pthread_mutex_lock(&server->lock);
			server->connections += open;
			pthread_mutex_unlock(&server->lock);
			if (open && count < SERVER_CONNECTIONS)
				connections[count++] = (struct server_connection){ .socket = socket, .read = TEXT_EMPTY };
			else if (open)
				close(socket);
		}
	}
	for (size_t i = 0; i < count; i++) {
		close(connections[i].socket);
		text_free(&connections[i].read);
	}
	return NULL;
}

static inline void server_start(struct server *server)
{
	assert_int_equal(listen(server->listener, 16), 0);
	assert_int_equal(pthread_create(&server->thread, NULL, server_serve, server), 0);
	server->serving = true;
}

static inline void server_close(struct server *server)
{
	if (server->serving) {
		shutdown(server->listener, SHUT_RDWR);
		pthread_join(server->thread, NULL);
	}
	close(server->listener);
	for (size_t i = 0; i < server->rule_count; i++)
		free(server->rules[i].answer);
	for (size_t i = 0; i < server->request_count; i++)
		free(server->requests[i]);
	pthread_mutex_destroy(&server->lock);
}

static inline size_t server_connections(struct server *server)
{
	pthread_mutex_lock(&server->lock);
	size_t count = server->connections;
	pthread_mutex_unlock(&server->lock);
	return count;
}

/* How many requests began like this. */
static inline size_t server_count(struct server *server, const char *start)
{
	size_t count = 0;
	pthread_mutex_lock(&server->lock);
	for (size_t i = 0; i < server->request_count; i++)
		count += strncmp(server->requests[i], start, strlen(start)) == 0;
	pthread_mutex_unlock(&server->lock);
	return count;
}

/* The last request that began like this; NULL: there was none. It lives as long as the server. */
static inline const char *server_asked(struct server *server, const char *start)
{
	const char *asked = NULL;
	pthread_mutex_lock(&server->lock);
	for (size_t i = 0; i < server->request_count; i++) {
		if (strncmp(server->requests[i], start, strlen(start)) == 0)
			asked = server->requests[i];
	}
	pthread_mutex_unlock(&server->lock);
	return asked;
}

/* The body of the last request that began like this. */
static inline const char *server_asked_body(struct server *server, const char *start)
{
	const char *asked = server_asked(server, start);
	if (!asked)
		fail_msg("nobody asked %s", start);
	return strstr(asked, "\r\n\r\n") + 4;
}

/* ---- the log ---- */

/* Sends standard error into a file of `folder`; gives what log_release() puts back. */
static inline int log_catch(const char *folder)
{
	char path[FOLDER_SIZE + 8];
	snprintf(path, sizeof(path), "%s/log", folder);
	fflush(stderr);
	int kept = dup(STDERR_FILENO), file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	assert_true(kept >= 0 && file >= 0);
	dup2(file, STDERR_FILENO);
	close(file);
	return kept;
}

/* What was logged until now; to be freed. */
static inline struct text log_read(const char *folder)
{
	char path[FOLDER_SIZE + 8], piece[4096];
	struct text logged = TEXT_EMPTY;
	size_t length;
	snprintf(path, sizeof(path), "%s/log", folder);
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	text_append_string(&logged, "");
	while ((length = fread(piece, 1, sizeof(piece), file)) > 0)
		text_append(&logged, piece, length);
	fclose(file);
	return logged;
}

/* How often these words are in the log. */
static inline size_t log_count(const char *folder, const char *words)
{
	size_t count = 0;
	struct text logged = log_read(folder);
	for (const char *at = strstr(logged.data, words); at; at = strstr(at + 1, words))
		count++;
	text_free(&logged);
	return count;
}

/* What fail_msg() wrote meanwhile is passed on. */
static inline void log_release(const char *folder, int kept)
{
	dup2(kept, STDERR_FILENO);
	close(kept);
	struct text logged = log_read(folder);
	if (strstr(logged.data, "ERROR: "))
		fputs(logged.data, stderr);
	text_free(&logged);
}

/* ---- time ---- */

/* Waits until `condition`, at most `ms`. */
#define WAIT_FOR(condition, ms)                                                          \
	do {                                                                                 \
		int64_t until_ns_ = clock_monotonic_ns() + (ms) * INT64_C(1000000);              \
		while (!(condition) && clock_monotonic_ns() < until_ns_)                         \
			usleep(5000);                                                                \
		assert_true(condition);                                                          \
	} while (0)

#endif
