#include "tests/unit/support/http_server.h"

#include "tests/unit/support/cmocka.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS = 32 }; /* at once; more are closed */

struct rule {
	char *start, *words;
	char **answers;
	size_t count, given;
};

struct connection {
	int socket;
	struct text read;
};

struct http_server {
	int listener;
	char url[64];
	bool serving;
	pthread_t thread;

	pthread_mutex_t lock; /* of what follows */
	struct rule *rules;
	size_t rule_count;
	http_server_function *function; /* in the place of rules; NULL: none */
	void *user;
	bool hang_up;
	unsigned pause_ms;
	struct http_server_request **requests;
	size_t request_count, connections;
};

static void *check(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

/* ---- the server's thread ---- */

/* Appends the answer; whether the connection goes on behind it. With the lock. */
static bool find_answer(struct http_server *server, const struct http_server_request *request, struct text *answer)
{
	if (server->function)
		return server->function(server->user, request, answer) && !server->hang_up;
	struct rule *found = NULL;
	for (size_t i = 0; i < server->rule_count; i++) {
		struct rule *rule = &server->rules[i];
		if (strncmp(request->head, rule->start, strlen(rule->start)) == 0 && strstr(request->head, rule->words))
			found = rule;
	}
	if (found && found->answers[found->given])
		text_append_string(answer, found->answers[found->given]);
	else if (!found)
		http_server_format(501, NULL, "", answer);
	if (found && found->given < found->count - 1)
		found->given++;
	return !server->hang_up;
}

static bool send_bytes(int socket, const char *bytes, size_t length, unsigned pause_ms)
{
	while (length > 0) {
		ssize_t sent = send(socket, bytes, pause_ms ? 1 : length, MSG_NOSIGNAL);
		if (sent <= 0)
			return false;
		bytes += sent;
		length -= (size_t)sent;
		if (pause_ms)
			usleep(pause_ms * 1000);
	}
	return true;
}

/* Keeps the request, which it takes, and answers it. False: the connection is to be closed. */
static bool reply(struct http_server *server, int socket, struct text *request, size_t head_length)
{
	struct http_server_request *kept = check(malloc(sizeof(*kept)));
	struct text answer = TEXT_EMPTY;
	request->data[head_length] = '\0';
	kept->head = request->data;
	kept->body = request->data + head_length + 2;
	kept->body_length = request->length - head_length - 2;
	*request = TEXT_EMPTY;

	pthread_mutex_lock(&server->lock);
	server->requests = check(realloc(server->requests, (server->request_count + 1) * sizeof(*server->requests)));
	server->requests[server->request_count++] = kept;
	bool goes_on = find_answer(server, kept, &answer);
	unsigned pause_ms = server->pause_ms;
	pthread_mutex_unlock(&server->lock);

	if (text_failed(&answer))
		abort();
	goes_on = send_bytes(socket, answer.data, answer.length, pause_ms) && goes_on;
	text_free(&answer);
	return goes_on;
}

/* Reads, and answers what is whole. False: the connection is to be closed. */
static bool read_piece(struct http_server *server, struct connection *connection)
{
	char piece[65536];
	ssize_t length = read(connection->socket, piece, sizeof(piece));
	if (length <= 0)
		return false;
	struct text *text = &connection->read;
	text_append(text, piece, (size_t)length);
	if (text_failed(text))
		abort();
	const char *end = memmem(text->data, text->length, "\r\n\r\n", 4);
	if (!end)
		return true;
	size_t head_length = (size_t)(end - text->data) + 2;
	const char *header = strcasestr(text->data, "\r\nContent-Length:");
	size_t body_length = header && header < end ? strtoul(header + 17, NULL, 10) : 0;
	return text->length < head_length + 2 + body_length || reply(server, connection->socket, text, head_length);
}

static void close_connection(struct connection *connection)
{
	close(connection->socket);
	text_free(&connection->read);
}

/* Until the listener is shut down. */
static void *serve(void *user)
{
	struct http_server *server = user;
	struct connection connections[CONNECTIONS];
	size_t count = 0;
	for (bool open = true; open;) {
		struct pollfd polled[CONNECTIONS + 1] = { { .fd = server->listener, .events = POLLIN } };
		for (size_t i = 0; i < count; i++)
			polled[i + 1] = (struct pollfd){ .fd = connections[i].socket, .events = POLLIN };
		if (poll(polled, count + 1, -1) < 0)
			continue;
		for (size_t i = count; i-- > 0;) {
			if (!polled[i + 1].revents || read_piece(server, &connections[i]))
				continue;
			close_connection(&connections[i]);
			connections[i] = connections[--count];
		}
		if (!polled[0].revents)
			continue;
		int socket = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
		open = socket >= 0;
		pthread_mutex_lock(&server->lock);
		server->connections += open;
		pthread_mutex_unlock(&server->lock);
		if (open && count < CONNECTIONS)
			connections[count++] = (struct connection){ .socket = socket, .read = TEXT_EMPTY };
		else if (open)
			close(socket);
	}
	while (count > 0)
		close_connection(&connections[--count]);
	return NULL;
}

/* ---- the test's threads ---- */

/* NULL: the machine has no such address. */
static struct http_server *open_on(struct sockaddr *address, socklen_t size, const char *host, const in_port_t *port)
{
	static const char *const proxies[] = { "http_proxy", "all_proxy", "ALL_PROXY" };
	for (size_t i = 0; i < sizeof(proxies) / sizeof(proxies[0]); i++)
		unsetenv(proxies[i]);
	struct http_server *server = check(calloc(1, sizeof(*server)));
	server->listener = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (server->listener < 0 || bind(server->listener, address, size) != 0 ||
	    getsockname(server->listener, address, &size) != 0) {
		close(server->listener);
		free(server);
		return NULL;
	}
	snprintf(server->url, sizeof(server->url), "http://%s:%d", host, ntohs(*port));
	pthread_mutex_init(&server->lock, NULL);
	return server;
}

struct http_server *http_server_open(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct http_server *server = open_on((struct sockaddr *)&address, sizeof(address), "127.0.0.1", &address.sin_port);
	if (!server)
		fail_msg("no port of 127.0.0.1 can be taken");
	return server;
}

struct http_server *http_server_open_ipv6(void)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct http_server *server = open_on((struct sockaddr *)&address, sizeof(address), "[::1]", &address.sin6_port);
	if (!server) {
		print_message("no port of ::1 can be taken\n");
		skip();
	}
	return server;
}

void http_server_start(struct http_server *server)
{
	assert_int_equal(listen(server->listener, 16), 0);
	assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
	server->serving = true;
}

void http_server_close(struct http_server *server)
{
	if (!server)
		return;
	if (server->serving) {
		shutdown(server->listener, SHUT_RDWR);
		pthread_join(server->thread, NULL);
	}
	close(server->listener);
	http_server_forget(server);
	free(server->requests);
	for (size_t i = 0; i < server->rule_count; i++) {
		struct rule *rule = &server->rules[i];
		for (size_t j = 0; j < rule->count; j++)
			free(rule->answers[j]);
		free(rule->answers);
		free(rule->start);
		free(rule->words);
	}
	free(server->rules);
	pthread_mutex_destroy(&server->lock);
	free(server);
}

const char *http_server_url(const struct http_server *server)
{
	return server->url;
}

static void add_rule(struct http_server *server, const char *start, const char *words, const char *const answers[],
                     size_t count)
{
	struct rule rule = { .start = check(strdup(start)), .words = check(strdup(words)),
		                 .answers = check(calloc(count, sizeof(*rule.answers))), .count = count };
	for (size_t i = 0; i < count; i++)
		rule.answers[i] = answers[i] ? check(strdup(answers[i])) : NULL;
	pthread_mutex_lock(&server->lock);
	server->rules = check(realloc(server->rules, (server->rule_count + 1) * sizeof(*server->rules)));
	server->rules[server->rule_count++] = rule;
	pthread_mutex_unlock(&server->lock);
}

void http_server_answer_in_order(struct http_server *server, const char *start, const char *const answers[], size_t count)
{
	add_rule(server, start, "", answers, count);
}

void http_server_answer(struct http_server *server, const char *start, const char *answer)
{
	add_rule(server, start, "", &answer, 1);
}

void http_server_answer_to(struct http_server *server, const char *start, const char *words, const char *answer)
{
	add_rule(server, start, words, &answer, 1);
}

void http_server_answer_by(struct http_server *server, http_server_function *function, void *user)
{
	pthread_mutex_lock(&server->lock);
	server->function = function;
	server->user = user;
	pthread_mutex_unlock(&server->lock);
}

void http_server_format(int status, const char *headers, const char *body, struct text *answer)
{
	text_printf(answer, "HTTP/1.1 %d Status\r\nContent-Length: %zu\r\n%s\r\n", status, strlen(body), headers ? headers : "");
	text_append_string(answer, body);
}

void http_server_hang_up(struct http_server *server, bool hang_up)
{
	pthread_mutex_lock(&server->lock);
	server->hang_up = hang_up;
	pthread_mutex_unlock(&server->lock);
}

void http_server_slow_down(struct http_server *server, unsigned pause_ms)
{
	pthread_mutex_lock(&server->lock);
	server->pause_ms = pause_ms;
	pthread_mutex_unlock(&server->lock);
}

size_t http_server_count(struct http_server *server, const char *start)
{
	size_t count = 0;
	pthread_mutex_lock(&server->lock);
	for (size_t i = 0; i < server->request_count; i++)
		count += strncmp(server->requests[i]->head, start, strlen(start)) == 0;
	pthread_mutex_unlock(&server->lock);
	return count;
}

const struct http_server_request *http_server_asked(struct http_server *server, size_t number)
{
	pthread_mutex_lock(&server->lock);
	const struct http_server_request *asked = number < server->request_count ? server->requests[number] : NULL;
	pthread_mutex_unlock(&server->lock);
	if (!asked)
		fail_msg("there was no request %zu", number);
	return asked;
}

const struct http_server_request *http_server_last(struct http_server *server, const char *start)
{
	const struct http_server_request *last = NULL;
	pthread_mutex_lock(&server->lock);
	for (size_t i = 0; i < server->request_count; i++) {
		if (strncmp(server->requests[i]->head, start, strlen(start)) == 0)
			last = server->requests[i];
	}
	pthread_mutex_unlock(&server->lock);
	if (!last)
		fail_msg("nobody asked '%s'", start);
	return last;
}

void http_server_forget(struct http_server *server)
{
	pthread_mutex_lock(&server->lock);
	for (size_t i = 0; i < server->request_count; i++) {
		free((char *)(uintptr_t)server->requests[i]->head);
		free(server->requests[i]);
	}
	server->request_count = 0;
	pthread_mutex_unlock(&server->lock);
}

size_t http_server_connections(struct http_server *server)
{
	pthread_mutex_lock(&server->lock);
	size_t count = server->connections;
	pthread_mutex_unlock(&server->lock);
	return count;
}
