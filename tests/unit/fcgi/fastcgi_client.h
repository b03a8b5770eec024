/*
 * What the tests of connections share: a client of FastCGI, as nginx is one, and the socket that it connects to. A check that
 * fails ends the process, which is a child's as a rule.
 */
#ifndef VIGIE_TESTS_FCGI_FASTCGI_CLIENT_H
#define VIGIE_TESTS_FCGI_FASTCGI_CLIENT_H

#include "tests/unit/fcgi/helpers.h"

#include <fastcgi.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"

#define CHECK(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			_exit(1); \
		} \
	} while (0)

static const char *encoding = ""; /* the Content-Encoding that is sent */
static int64_t sent_ago_ms; /* what nginx says of when it had all of a request; 0: nothing */
static struct sockaddr_un address = { .sun_family = AF_UNIX };

static inline void listen_on_0(const char *folder)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%.80s/socket", folder);
	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 128) == 0);
	CHECK(dup2(fd, 0) == 0);
	close(fd);
}

static inline void put_all(int fd, const void *bytes, size_t length)
{
	const char *at = bytes;
	while (length) {
		ssize_t sent = send(fd, at, length, MSG_NOSIGNAL);
		CHECK(sent > 0);
		at += sent;
		length -= (size_t)sent;
	}
}

static inline void put_record(int fd, unsigned char type, const void *content, size_t length)
{
	FCGI_Header header = { .version = FCGI_VERSION_1, .type = type, .requestIdB0 = 1,
	                       .contentLengthB1 = (unsigned char)(length >> 8), .contentLengthB0 = (unsigned char)length };
	put_all(fd, &header, sizeof(header));
	put_all(fd, content, length);
}

static inline void add_parameter(struct text *text, const char *name, const char *value)
{
	text_append_char(text, (char)strlen(name));
	text_append_char(text, (char)strlen(value));
	text_append_string(text, name);
	text_append_string(text, value);
}

static inline int client_open(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	return fd;
}

/* Sends a request with these parameters. */
static inline void client_put(int fd, const struct text *parameters, const char *body, size_t length, bool keep)
{
	FCGI_BeginRequestBody begin = { .roleB0 = FCGI_RESPONDER, .flags = keep ? FCGI_KEEP_CONN : 0 };
	put_record(fd, FCGI_BEGIN_REQUEST, &begin, sizeof(begin));
	put_record(fd, FCGI_PARAMS, parameters->data, parameters->length);
	put_record(fd, FCGI_PARAMS, "", 0);
	for (size_t sent = 0; sent < length;) {
		size_t piece = length - sent < 60000 ? length - sent : 60000;
		put_record(fd, FCGI_STDIN, body + sent, piece);
		sent += piece;
	}
	put_record(fd, FCGI_STDIN, "", 0);
}

/* The same with all that nginx sends; `declared` is the Content-Length. */
static inline void client_send(int fd, const char *method, const char *path, const char *body, size_t length, size_t declared,
                        bool keep)
{
	struct text parameters = TEXT_EMPTY;
	char number[32];
	snprintf(number, sizeof(number), "%zu", declared);
	add_parameter(&parameters, "REQUEST_METHOD", method);
	add_parameter(&parameters, "DOCUMENT_URI", path);
	add_parameter(&parameters, "QUERY_STRING", "a=1&b=2");
	add_parameter(&parameters, "CONTENT_LENGTH", number);
	add_parameter(&parameters, "HTTP_AUTHORIZATION", "Bearer x");
	add_parameter(&parameters, "HTTP_CONTENT_ENCODING", encoding);
	snprintf(number, sizeof(number), "%.3f", (double)(clock_wall_ms() - sent_ago_ms) / 1000);
	if (sent_ago_ms)
		add_parameter(&parameters, "VIGIE_SENT", number);
	client_put(fd, &parameters, body, length, keep);
	text_free(&parameters);
}

static inline bool get_all(int fd, void *bytes, size_t length)
{
	return length == 0 || recv(fd, bytes, length, MSG_WAITALL) == (ssize_t)length;
}

/* Reads until the end of the request; false when the connection ends before. */
static inline bool client_receive(int fd, struct text *ret_answer)
{
	FCGI_Header header;
	char content[65536 + 256];
	text_reset(ret_answer);
	while (get_all(fd, &header, sizeof(header))) {
		size_t length = (size_t)header.contentLengthB1 << 8 | header.contentLengthB0;
		if (!get_all(fd, content, length + header.paddingLength))
			return false;
		if (header.type == FCGI_STDOUT)
			text_append(ret_answer, content, length);
		if (header.type == FCGI_END_REQUEST)
			return true;
	}
	return false;
}

static inline bool has(const struct text *answer, const char *words)
{
	return answer->data && strstr(answer->data, words);
}

#endif
