/*
 * A fleet of simulated collectors, each with a connection and a turn of its own, that
 * PUT what real ones would: names and values of a recorded machine, stamped with the
 * boundary, in gzip.
 *
 *   fleet HOSTS PROCESSES SECONDS URL [data|tick|plain]
 *
 * URL is http://A.B.C.D:PORT/ressources-usage/. RECORDING in the environment is the
 * recorded machine (tests/bench/hour.json.gz); its names are extended to PROCESSES, of
 * which those beyond the recorded ones mostly use no CPU. `tick` sends the tick form of
 * save-all, `plain` the other one without gzip.
 *
 * Prints one JSON object. A PUT's latency counts from when its turn came, whether or not
 * this program was late; one that is not answered with 200 within 5 s is a failure, and
 * what it had is not sent again. The first tick, in which the server meets new names, is
 * counted on its own.
 *
 * It must cost little beside the server: the points of a tick are made and compressed
 * once for each of some machines, and a host's request is its own beginning, as a
 * stored block, before one of them.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/text.h"
#include "tests/bench/client.h"

enum {
	INTERVAL_S = 10,
	OFFSET_MS = 3000,
	MACHINES = 32, /* that differ; hosts are copies of them */
	ANSWER_SIZE = 1024,
	HEAD_SIZE = 512,
};

#define SECOND_NS INT64_C(1000000000)
#define TIMEOUT_NS (5 * SECOND_NS)

struct series {
	const char *name;
	cJSON *points[2]; /* mem, cpu: arrays of [time, value] */
};

/* What a machine sends in the present tick, but for the host's beginning. */
struct points {
	struct text text;
	unsigned char *deflated;
	size_t deflated_size, deflated_capacity;
	uint32_t crc;
};

struct host {
	int fd; /* -1: no connection */
	int offset_ms;
	bool busy;
	int64_t due_ns;
	char *out; /* the request while it is being written */
	size_t out_size, out_done;
	char in[ANSWER_SIZE];
	size_t in_size;
};

static struct series *recorded;
static size_t recorded_count;
static struct points machines[MACHINES];
static struct host *hosts;
static int *order; /* of the hosts in a tick */
static int host_count, process_count, poll_fd;
static bool plain, tick_form;
static struct sockaddr_in server;
static double *first_ms, *latencies_ms;
static size_t first_count, latency_count, failures;
static int64_t late_ns;
static int tick;

/* ---- What is sent */

static void read_recording(const char *path)
{
	struct text text = TEXT_EMPTY;
	char chunk[65536];
	gzFile file = gzopen(path, "rb");
	if (!file)
		die(path);
	for (int got; got = gzread(file, chunk, sizeof(chunk)), got > 0;)
		text_append(&text, chunk, (size_t)got);
	gzclose(file);
	cJSON *hour = text.data ? cJSON_Parse(text.data) : NULL;
	cJSON *mem = cJSON_GetObjectItem(hour, "mem"), *cpu = cJSON_GetObjectItem(hour, "cpu");
	if (!mem || !cpu)
		die(path);
	recorded = allocate((size_t)cJSON_GetArraySize(mem), sizeof(*recorded));
	cJSON *points;
	cJSON_ArrayForEach(points, mem)
	{
		cJSON *of_cpu = cJSON_GetObjectItemCaseSensitive(cpu, points->string);
		if (of_cpu)
			recorded[recorded_count++] = (struct series){ points->string, { points, of_cpu } };
	}
	text_free(&text);
}

static double recorded_value(const struct series *series, int resource, size_t at)
{
	const cJSON *points = series->points[resource];
	/* A few dozen of each are enough, and near the beginning of cJSON's list. */
	size_t count = (size_t)cJSON_GetArraySize(points);
	const cJSON *point = cJSON_GetArrayItem(points, (int)(at % (count < 64 ? count : 64)));
	return cJSON_GetArrayItem(point, 1)->valuedouble;
}

static void append_name(struct text *text, const struct series *series, size_t copy)
{
	char name[128];
	if (copy)
		snprintf(name, sizeof(name), "%s-%zu", series->name, copy);
	else
		snprintf(name, sizeof(name), "%s", series->name);
	json_append_string(text, name);
}

static void append_point(struct text *text, int64_t time_s, double value, const struct series *series, size_t copy,
                         const char *resource)
{
	text_printf(text, "%s{\"timestamp\":%lld,\"value\":%.8g,\"process_name\":", text->length ? "," : "",
	            (long long)time_s, value);
	append_name(text, series, copy);
	text_printf(text, ",\"type_data\":\"%s\"}", resource);
}

static void append_pair(struct text *text, double mem, double cpu, const struct series *series, size_t copy)
{
	if (text->length)
		text_append_string(text, ",");
	append_name(text, series, copy);
	text_printf(text, ":[%.8g,%.8g]", mem, cpu);
}

static void deflate_points(struct points *points)
{
	z_stream stream = { 0 };
	if (deflateInit2(&stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		die("zlib");
	size_t bound = deflateBound(&stream, points->text.length);
	if (bound > points->deflated_capacity) {
		free(points->deflated);
		points->deflated = allocate(bound, 1);
		points->deflated_capacity = bound;
	}
	stream.next_in = (unsigned char *)points->text.data;
	stream.avail_in = (unsigned)points->text.length;
	stream.next_out = points->deflated;
	stream.avail_out = (unsigned)points->deflated_capacity;
	if (deflate(&stream, Z_FINISH) != Z_STREAM_END)
		die("zlib");
	points->deflated_size = stream.total_out;
	points->crc = (uint32_t)crc32(0, (unsigned char *)points->text.data, (unsigned)points->text.length);
	deflateEnd(&stream);
}

static void make_points(int64_t time_s)
{
	for (size_t m = 0; m < MACHINES; m++) {
		struct points *points = &machines[m];
		text_reset(&points->text);
		for (size_t i = 0; i < (size_t)process_count; i++) {
			const struct series *series = &recorded[i % recorded_count];
			size_t copy = i / recorded_count, at = m * 7 + copy * 3 + (size_t)tick;
			double cpu = copy && (at + i) % 10 ? 0 : recorded_value(series, 1, at);
			double mem = recorded_value(series, 0, at);
			if (tick_form) {
				append_pair(&points->text, mem, cpu, series, copy);
			} else {
				append_point(&points->text, time_s, mem, series, copy, "mem");
				append_point(&points->text, time_s, cpu, series, copy, "cpu");
			}
		}
		text_append_string(&points->text, tick_form ? "}}" : "]}");
		if (text_failed(&points->text))
			die("memory");
		if (!plain)
			deflate_points(points);
	}
}

static char *put_number(char *at, size_t number, int bytes)
{
	for (int i = 0; i < bytes; i++)
		*at++ = (char)(number >> 8 * i & 0xff);
	return at;
}

static void make_request(struct host *host, int number, int64_t time_s)
{
	const struct points *points = &machines[number % MACHINES];
	char head[HEAD_SIZE], samples[64] = "\"data\":[";
	if (tick_form)
		snprintf(samples, sizeof(samples), "\"timestamp\":%lld,\"processes\":{", (long long)time_s);
	size_t head_size = (size_t)snprintf(
		head, sizeof(head),
		"{\"ipaddress\":\"10.%d.%d.%d\",\"collector\":{\"hostname\":\"host-%d\",\"version\":\"%s\",\"state\":\"run\","
		"\"partial\":false,\"clock_offset_s\":0,\"counters\":{\"sent\":%d,\"spooled\":0,\"replayed\":0,\"dropped\":0,"
		"\"rejected\":0,\"missed_ticks\":0}},%s",
		1 + (number >> 16), number >> 8 & 255, number & 255, number, VIGIE_VERSION, tick * process_count * 2, samples);
	size_t body_size = plain ? head_size + points->text.length : 10 + 5 + head_size + points->deflated_size + 8;

	host->out = allocate(body_size + 512, 1);
	int start = snprintf(host->out, 512, "PUT /ressources-usage/save-all HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n"
	                     "Content-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n",
	                     plain ? "" : "Content-Encoding: gzip\r\n", body_size);
	char *at = host->out + start;
	if (plain) {
		at = mempcpy(mempcpy(at, head, head_size), points->text.data, points->text.length);
	} else {
		/* RFC 1952's header; RFC 1951's stored block; the shared blocks; check and length. */
		at = mempcpy(at, "\x1f\x8b\x08\0\0\0\0\0\0\x03", 10);
		at = put_number(put_number(put_number(at, 0, 1), head_size, 2), ~head_size & 0xffff, 2);
		at = mempcpy(mempcpy(at, head, head_size), points->deflated, points->deflated_size);
		unsigned long crc = crc32(0, (unsigned char *)head, (unsigned)head_size);
		crc = crc32_combine(crc, points->crc, (z_off_t)points->text.length);
		at = put_number(put_number(at, crc, 4), head_size + points->text.length, 4);
	}
	host->out_size = (size_t)(at - host->out);
	host->out_done = 0;
	host->in_size = 0;
}

/* ---- Connections */

static void disconnect(struct host *host)
{
	if (host->fd >= 0)
		close(host->fd);
	host->fd = -1;
}

/* With a host's first turn, as vigie-collector does: nginx gives up a connection that brings nothing for ten seconds. */
static bool connect_host(struct host *host)
{
	host->fd = client_connect(&server, poll_fd, host);
	return host->fd >= 0;
}

/* A request has ended; `good`: the server has stored it. */
static void finish(struct host *host, bool good)
{
	double ms = (double)(clock_monotonic_ns() - host->due_ns) / 1e6;
	free(host->out);
	host->out = NULL;
	host->busy = false;
	if (!good) {
		if (failures == 0)
			fprintf(stderr, "fleet: the first failure: %s\n", host->in_size ? host->in : "no answer");
		failures++;
		disconnect(host);
	} else if (tick == 0) {
		first_ms[first_count++] = ms;
	} else {
		latencies_ms[latency_count++] = ms;
	}
}

static void write_more(struct host *host)
{
	while (host->out_done < host->out_size) {
		ssize_t written = write(host->fd, host->out + host->out_done, host->out_size - host->out_done);
		if (written < 0) {
			if (errno != EAGAIN)
				finish(host, false);
			return;
		}
		host->out_done += (size_t)written;
	}
}

static void read_more(struct host *host)
{
	for (;;) {
		ssize_t got = read(host->fd, host->in + host->in_size, ANSWER_SIZE - 1 - host->in_size);
		if (got < 0 && errno == EAGAIN)
			return;
		if (got <= 0) {
			if (host->busy)
				finish(host, false);
			else
				disconnect(host);
			return;
		}
		host->in_size += (size_t)got;
		host->in[host->in_size] = '\0';
		if (host->busy && client_is_whole(host->in, host->in_size)) {
			finish(host, strncmp(host->in, "HTTP/1.1 200 ", 13) == 0);
			if (host->fd < 0)
				return;
		}
	}
}

static void send_turn(int number, int64_t time_s, int64_t due_ns, int64_t now_ns)
{
	struct host *host = &hosts[number];
	host->due_ns = due_ns;
	if (now_ns - due_ns > late_ns)
		late_ns = now_ns - due_ns;
	if (host->fd < 0 && !connect_host(host)) {
		failures++;
		return;
	}
	make_request(host, number, time_s);
	host->busy = true;
	write_more(host);
}

static void end_overdue(int64_t now_ns, int64_t timeout_ns)
{
	for (int i = 0; i < host_count; i++) {
		if (hosts[i].busy && now_ns - hosts[i].due_ns > timeout_ns)
			finish(&hosts[i], false);
	}
}

/* Until that time, or the first event; then what has come. */
static void attend(int64_t until_ns)
{
	static struct epoll_event events[256];
	int64_t left_ns = until_ns - clock_monotonic_ns();
	struct timespec timeout = { 0 };
	if (left_ns > 0)
		timeout = (struct timespec){ left_ns / SECOND_NS, left_ns % SECOND_NS };
	int count = epoll_pwait2(poll_fd, events, 256, &timeout, NULL);
	for (int i = 0; i < count; i++) {
		struct host *host = events[i].data.ptr;
		if (host->fd >= 0 && host->busy && events[i].events & EPOLLOUT)
			write_more(host);
		if (host->fd >= 0 && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
			read_more(host);
	}
}

/* ---- The run */

static int compare_offsets(const void *left, const void *right)
{
	return hosts[*(const int *)left].offset_ms - hosts[*(const int *)right].offset_ms;
}

static void make_hosts(void)
{
	hosts = allocate((size_t)host_count, sizeof(*hosts));
	order = allocate((size_t)host_count, sizeof(*order));
	for (int i = 0; i < host_count; i++) {
		hosts[i].offset_ms = (int)((uint32_t)i * 2654435761u % (OFFSET_MS + 1));
		hosts[i].fd = -1;
		order[i] = i;
	}
	qsort(order, (size_t)host_count, sizeof(*order), compare_offsets);
}

static void run_tick(int64_t time_s, int64_t boundary_ns)
{
	int64_t checked_ns = 0;
	for (int next = 0;;) {
		int64_t now_ns = clock_monotonic_ns();
		int64_t due_ns = boundary_ns + (next < host_count ? hosts[order[next]].offset_ms * INT64_C(1000000)
		                                                  : (INTERVAL_S - 1) * SECOND_NS);
		if (now_ns - checked_ns > SECOND_NS) {
			end_overdue(now_ns, TIMEOUT_NS);
			checked_ns = now_ns;
		}
		if (due_ns <= now_ns) {
			if (next == host_count)
				break;
			send_turn(order[next++], time_s, due_ns, now_ns);
			/* Turns of one millisecond come together; answers are not left to wait for them. */
			if (next % 8 == 0)
				attend(0);
			continue;
		}
		attend(due_ns);
	}
	end_overdue(clock_monotonic_ns(), 0);
}

int main(int argc, char *argv[])
{
	int seconds;
	if (argc < 5 || !client_parse_url(argv[4], &server)) {
		fprintf(stderr, "usage: fleet HOSTS PROCESSES SECONDS URL [data|tick|plain]\n");
		return EXIT_FAILURE;
	}
	host_count = atoi(argv[1]);
	process_count = atoi(argv[2]);
	seconds = atoi(argv[3]);
	plain = argc > 5 && strcmp(argv[5], "plain") == 0;
	tick_form = argc > 5 && strcmp(argv[5], "tick") == 0;
	int ticks = seconds / INTERVAL_S;
	if (host_count < 1 || host_count > 100000 || process_count < 1 || ticks < 1) {
		fprintf(stderr, "fleet: a host, a process and %d seconds at least\n", INTERVAL_S);
		return EXIT_FAILURE;
	}
	signal(SIGPIPE, SIG_IGN);
	client_raise_limit();
	poll_fd = epoll_create1(EPOLL_CLOEXEC);

	const char *recording = getenv("RECORDING");
	read_recording(recording ? recording : "tests/bench/hour.json.gz");
	first_ms = allocate((size_t)host_count, sizeof(*first_ms));
	latencies_ms = allocate((size_t)host_count * (size_t)ticks, sizeof(*latencies_ms));
	make_hosts();

	int64_t first_s = clock_wall_ms() / 1000 / INTERVAL_S * INTERVAL_S + INTERVAL_S;
	int64_t first_ns = clock_monotonic_ns() + (first_s * 1000 - clock_wall_ms()) * 1000000;
	for (tick = 0; tick < ticks; tick++) {
		int64_t time_s = first_s + tick * INTERVAL_S;
		make_points(time_s);
		run_tick(time_s, first_ns + tick * INTERVAL_S * SECOND_NS);
	}

	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	qsort(first_ms, first_count, sizeof(*first_ms), client_compare);
	qsort(latencies_ms, latency_count, sizeof(*latencies_ms), client_compare);
	size_t stored = first_count + latency_count;
	printf("{\"puts\": %zu, \"failures\": %zu, \"first_tick\": %lld, \"ticks\": %d, \"points\": %zu, \"points_per_s\": %.0f, "
	       "\"median_ms\": %.2f, \"p99_ms\": %.2f, \"max_ms\": %.1f, \"first_p99_ms\": %.2f, \"first_max_ms\": %.1f, "
	       "\"late_ms\": %.1f, \"cpu_s\": %.2f, \"bytes_a_put\": %zu}\n",
	       stored, failures, (long long)first_s, ticks, stored * (size_t)process_count * 2,
	       (double)stored * process_count * 2 / (ticks * INTERVAL_S), client_percentile(latencies_ms, latency_count, 0.5),
	       client_percentile(latencies_ms, latency_count, 0.99), client_percentile(latencies_ms, latency_count, 1),
	       client_percentile(first_ms, first_count, 0.99), client_percentile(first_ms, first_count, 1), (double)late_ns / 1e6,
	       (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
	       plain ? machines[0].text.length : machines[0].deflated_size);
	return failures ? 2 : EXIT_SUCCESS;
}
