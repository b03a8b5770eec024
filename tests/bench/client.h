/* What the programs share that send many requests over connections of their own: answers, and how long they took. */
#ifndef VIGIE_TESTS_BENCH_CLIENT_H
#define VIGIE_TESTS_BENCH_CLIENT_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/dying.h"

/* The address of http://A.B.C.D:PORT/…; false where it is none. */
static inline bool client_parse_url(const char *url, struct sockaddr_in *ret_server)
{
	char address[16];
	int port;
	if (sscanf(url, "http://%15[0-9.]:%d/", address, &port) != 2)
		return false;
	*ret_server = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	return inet_pton(AF_INET, address, &ret_server->sin_addr) == 1;
}

/* As many descriptors as this process may have. */
static inline void client_raise_limit(void)
{
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* A connection that is on its way, whose events are told with `of`; -1: there is none. */
static inline int client_connect(const struct sockaddr_in *server, int poll_fd, void *of)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
	if (fd < 0)
		return -1;
	if (connect(fd, (const struct sockaddr *)server, sizeof(*server)) != 0 && errno != EINPROGRESS) {
		close(fd);
		return -1;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = of };
	if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
		die("epoll");
	return fd;
}

/* Whether all of an answer is there, `size` bytes and a NUL. */
static inline bool client_is_whole(const char *answer, size_t size)
{
	const char *end = strstr(answer, "\r\n\r\n");
	if (!end)
		return false;
	const char *length = strcasestr(answer, "\r\nContent-Length: ");
	if (length && length < end)
		return size >= (size_t)(end + 4 - answer) + strtoul(length + 18, NULL, 10);
	return size > 5 && strcmp(answer + size - 5, "0\r\n\r\n") == 0;
}

static inline int client_compare(const void *left, const void *right)
{
	const double *a = left, *b = right;
	return (*a > *b) - (*a < *b);
}

static inline double client_percentile(const double *sorted, size_t count, double part)
{
	return count ? sorted[(size_t)(part * (double)(count - 1) + 0.5)] : 0;
}

#endif
