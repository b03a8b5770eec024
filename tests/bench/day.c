/*
 * Made-up days of hosts, the same at each run: what each process uses every ten seconds.
 *
 *   day put HOSTS PROCESSES BEGIN FIRST LAST URL [tick]   PUTs what is from FIRST on and before LAST
 *   day print HOSTS PROCESSES BEGIN FIRST LAST            prints it for VictoriaMetrics' /api/v1/import
 *
 * Times are seconds since 1970, multiples of 10; the values are those of days that begin at BEGIN. URL is
 * http://A.B.C.D:PORT/ressources-usage/; `tick` sends the tick form of save-all. Both print at their end, the second on
 * stderr, how many samples there were.
 *
 * The processes of a host, values in thousandths of a percent:
 *   half    idle: memory constant, no CPU
 *   third   quiet: memory constant; CPU of a tick of the kernel (0.1 %) or two in one of eight intervals
 *   sixth   busy: memory takes a small step in one of eight intervals; CPU wanders around a level, in tenths
 * so that two thirds of the series never change. Each series has random numbers of its own, so that they can be made
 * by time as well as one after the other.
 *
 * All hosts send a tick before the next one begins, as they do in life, a few of them at a time.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/wire.h"
#include "tests/bench/dying.h"

enum {
	INTERVAL_S = 10,
	AT_A_TIME = 24, /* requests */
	POINT_SIZE = 128, /* of one sample in a body, at most */
	HEAD_SIZE = 512,  /* of a request, and of what stands in a body around its samples */
	ANSWER_SIZE = 1024,
};

/* ---- The values */

enum kind { IDLE, QUIET, BUSY };

struct series {
	uint64_t random;
	enum kind kind;
	enum resource resource;
	int32_t level, now; /* thousandths; of CPU, `now` is not rounded yet */
};

/* SplitMix64, http://prng.di.unimi.it/splitmix64.c */
static uint32_t draw(uint64_t *random)
{
	uint64_t z = *random += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)((z ^ z >> 31) >> 32);
}

static int32_t draw_between(uint64_t *random, int32_t low, int32_t high)
{
	return low + (int32_t)(draw(random) % (uint32_t)(high - low + 1));
}

static void series_init(struct series *series, int host, int process, enum resource resource)
{
	static const enum kind kinds[] = { IDLE, QUIET, IDLE, BUSY, IDLE, QUIET };
	*series = (struct series){ .random = (uint64_t)host << 32 | (uint64_t)process << 8 | resource,
		                   .kind = kinds[process % 6], .resource = resource };
	if (resource == RESOURCE_MEM) /* most are small */
		series->level = draw_between(&series->random, 1, 30) * draw_between(&series->random, 1, 15) *
		                draw_between(&series->random, 1, 10);
	else
		series->level = draw_between(&series->random, 3, 30) * draw_between(&series->random, 100, 800);
	series->now = series->level;
}

/* The series' next value, thousandths. */
static int32_t series_next(struct series *series)
{
	if (series->resource == RESOURCE_MEM) {
		if (series->kind == BUSY && draw(&series->random) % 8 == 0)
			series->now += draw_between(&series->random, -6, 6) + (series->level - series->now) / 64;
		return series->now > 0 ? series->now : 0;
	}
	if (series->kind == IDLE)
		return 0;
	if (series->kind == QUIET)
		return draw(&series->random) % 8 == 0 ? 100 * draw_between(&series->random, 1, 2) : 0;
	int32_t most = series->level / 16;
	series->now += (series->level - series->now) / 8 + draw_between(&series->random, -most, most);
	return series->now / 100 * 100;
}

/* By host, process and resource. */
static struct series *make_series(int hosts, int processes)
{
	struct series *all = allocate((size_t)hosts * (size_t)processes * RESOURCE_LIMITED, sizeof(*all)), *next = all;
	for (int host = 0; host < hosts; host++) {
		for (int process = 0; process < processes; process++) {
			for (int i = 0; i < RESOURCE_LIMITED; i++)
				series_init(next++, host, process, (enum resource)i);
		}
	}
	return all;
}

/* ---- How they are written */

static char *put_text(char *at, const char *text)
{
	return mempcpy(at, text, strlen(text));
}

static char *put_number(char *at, uint64_t number)
{
	char digits[20];
	int count = 0;
	do
		digits[count++] = (char)('0' + number % 10);
	while (number /= 10);
	while (count)
		*at++ = digits[--count];
	return at;
}

static char *put_thousandths(char *at, int32_t value)
{
	at = put_number(at, (uint64_t)value / 1000);
	int rest = value % 1000;
	if (rest) {
		*at++ = '.';
		for (int unit = 100; rest; rest %= unit, unit /= 10)
			*at++ = (char)('0' + rest / unit);
	}
	return at;
}

static char *put_name(char *at, int process)
{
	at = put_text(at, "process-");
	*at++ = (char)('0' + process / 100 % 10);
	*at++ = (char)('0' + process / 10 % 10);
	*at++ = (char)('0' + process % 10);
	return at;
}

static char *put_address(char *at, int host)
{
	return put_number(put_text(put_number(put_text(at, "10.0."), (uint64_t)host / 250), "."), (uint64_t)host % 250);
}

/* A body of save-all with the next values of a host's series. */
static char *put_body(char *at, int host, int processes, int64_t time_s, bool tick, struct series series[])
{
	at = put_text(put_address(put_text(at, "{\"ipaddress\":\""), host), "\",");
	if (tick)
		at = put_text(put_number(put_text(at, "\"timestamp\":"), (uint64_t)time_s), ",\"processes\":{");
	else
		at = put_text(at, "\"data\":[");
	for (int process = 0; process < processes; process++) {
		if (process)
			*at++ = ',';
		if (tick) {
			at = put_text(put_name(put_text(at, "\""), process), "\":[");
			at = put_text(put_thousandths(at, series_next(series++)), ",");
			at = put_text(put_thousandths(at, series_next(series++)), "]");
			continue;
		}
		for (int i = 0; i < RESOURCE_LIMITED; i++) {
			at = put_number(put_text(at, i ? ",{\"timestamp\":" : "{\"timestamp\":"), (uint64_t)time_s);
			at = put_thousandths(put_text(at, ",\"value\":"), series_next(series++));
			at = put_name(put_text(at, ",\"process_name\":\""), process);
			at = put_text(put_text(at, "\",\"type_data\":\""), wire_resource_name((enum resource)i));
			at = put_text(at, "\"}");
		}
	}
	return put_text(at, tick ? "}}" : "]}");
}

/* ---- PUTs */

struct host {
	int fd;
	char *buffer;
	char *from, *to; /* the request in it */
};

static int connect_to(const struct sockaddr_in *server)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	if (fd < 0 || connect(fd, (const struct sockaddr *)server, sizeof(*server)) != 0)
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

/* The head has the length of the body, which is therefore made first. */
static void make_request(struct host *host, int number, int processes, int64_t time_s, bool tick,
                         struct series series[])
{
	char *body = host->buffer + HEAD_SIZE, head[HEAD_SIZE];
	host->to = put_body(body, number, processes, time_s, tick, series);
	int size = snprintf(head, sizeof(head), "PUT " WIRE_PREFIX "save-all HTTP/1.1\r\nHost: localhost\r\n"
	                    "Content-Type: application/json\r\nContent-Length: %td\r\n\r\n", host->to - body);
	host->from = body - size;
	memcpy(host->from, head, (size_t)size);
}

static void send_request(const struct host *host)
{
	for (const char *from = host->from; from < host->to;) {
		ssize_t written = send(host->fd, from, (size_t)(host->to - from), MSG_NOSIGNAL);
		if (written < 0)
			die("send");
		from += written;
	}
}

/* Until the answer's end, which ours have: they are not empty, and their last line ends. nginx closes a connection
 * after some requests. */
static void read_answer(struct host *host, const struct sockaddr_in *server)
{
	char answer[ANSWER_SIZE + 1];
	size_t size = 0;
	do {
		ssize_t got = recv(host->fd, answer + size, ANSWER_SIZE - size, 0);
		if (got <= 0)
			die("no answer");
		size += (size_t)got;
		answer[size] = '\0';
	} while (!strstr(answer, "\r\n\r\n") || !strstr(answer, "}\n"));
	if (strncmp(answer, "HTTP/1.1 200 ", 13) != 0) {
		fprintf(stderr, "day: refused: %s\n", answer);
		exit(EXIT_FAILURE);
	}
	if (strstr(answer, "\r\nConnection: close")) {
		close(host->fd);
		host->fd = connect_to(server);
	}
}

static void put(int host_count, int processes, int64_t begin, int64_t first, int64_t last, const char *url, bool tick)
{
	char address[16];
	int port;
	if (sscanf(url, "http://%15[0-9.]:%d/", address, &port) != 2)
		die("URL");
	struct sockaddr_in server = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	inet_pton(AF_INET, address, &server.sin_addr);

	size_t a_host = (size_t)processes * RESOURCE_LIMITED;
	struct series *series = make_series(host_count, processes);
	for (int64_t at = begin; at < first; at += INTERVAL_S) {
		for (size_t i = 0; i < a_host * (size_t)host_count; i++)
			series_next(&series[i]);
	}
	struct host *hosts = allocate((size_t)host_count, sizeof(*hosts));
	for (int i = 0; i < host_count; i++) {
		hosts[i].fd = connect_to(&server);
		hosts[i].buffer = allocate(2 * HEAD_SIZE + POINT_SIZE * a_host, 1);
		make_request(&hosts[i], i, processes, first, tick, series + a_host * (size_t)i);
	}
	for (int64_t at = first; at < last; at += INTERVAL_S) {
		for (int from = 0; from < host_count; from += AT_A_TIME) {
			int to = from + AT_A_TIME < host_count ? from + AT_A_TIME : host_count;
			for (int i = from; i < to; i++)
				send_request(&hosts[i]);
			for (int i = from; i < to && at + INTERVAL_S < last; i++)
				make_request(&hosts[i], i, processes, at + INTERVAL_S, tick, series + a_host * (size_t)i);
			for (int i = from; i < to; i++)
				read_answer(&hosts[i], &server);
		}
	}
	for (int i = 0; i < host_count; i++) {
		close(hosts[i].fd);
		free(hosts[i].buffer);
	}
	free(hosts);
	free(series);
}

/* ---- Lines of /api/v1/import, one a series */

static void print(int host_count, int processes, int64_t begin, int64_t first, int64_t last)
{
	size_t count = (size_t)((last - first) / INTERVAL_S);
	char *line = allocate(HEAD_SIZE + count * 32, 1);
	struct series *series = make_series(host_count, processes), *next = series;
	for (int host = 0; host < host_count; host++) {
		for (int process = 0; process < processes; process++) {
			for (int i = 0; i < RESOURCE_LIMITED; i++, next++) {
				char *at = put_text(line, "{\"metric\":{\"__name__\":\"");
				at = put_text(put_text(at, wire_resource_name((enum resource)i)), "_usage_percent\",\"ip\":\"");
				at = put_name(put_text(put_address(at, host), "\",\"process\":\""), process);
				at = put_text(at, "\"},\"values\":[");
				for (int64_t time_s = begin; time_s < last; time_s += INTERVAL_S) {
					int32_t value = series_next(next);
					if (time_s >= first)
						at = put_text(put_thousandths(at, value), time_s + INTERVAL_S < last ? "," : "");
				}
				at = put_text(at, "],\"timestamps\":[");
				for (int64_t time_s = first; time_s < last; time_s += INTERVAL_S)
					at = put_text(put_number(at, (uint64_t)time_s * 1000), time_s + INTERVAL_S < last ? "," : "");
				at = put_text(at, "]}\n");
				if (fwrite(line, 1, (size_t)(at - line), stdout) != (size_t)(at - line))
					die("write");
			}
		}
	}
	free(series);
	free(line);
}

int main(int argc, char *argv[])
{
	bool putting = argc >= 8 && strcmp(argv[1], "put") == 0;
	if (!putting && !(argc == 7 && strcmp(argv[1], "print") == 0)) {
		fprintf(stderr, "usage: day put HOSTS PROCESSES BEGIN FIRST LAST URL [tick]\n"
		                "       day print HOSTS PROCESSES BEGIN FIRST LAST\n");
		return EXIT_FAILURE;
	}
	int hosts = atoi(argv[2]), processes = atoi(argv[3]);
	int64_t begin = atoll(argv[4]), first = atoll(argv[5]), last = atoll(argv[6]);
	if (hosts < 1 || processes < 1 || processes > 999 || begin % INTERVAL_S || first % INTERVAL_S || last % INTERVAL_S ||
	    begin > first || first > last) {
		fprintf(stderr, "day: hosts, 1 to 999 processes, and times that are multiples of %d and follow each other\n",
		        INTERVAL_S);
		return EXIT_FAILURE;
	}
	if (putting && first < last)
		put(hosts, processes, begin, first, last, argv[7], argc > 8 && strcmp(argv[8], "tick") == 0);
	else if (!putting)
		print(hosts, processes, begin, first, last);
	fprintf(putting ? stdout : stderr, "%lld\n",
	        (long long)(last - first) / INTERVAL_S * hosts * processes * RESOURCE_LIMITED);
	return EXIT_SUCCESS;
}
