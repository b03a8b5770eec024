/*
 * PUTs that come at a rate, whatever becomes of those before: what a server is asked that has more clients than it can
 * serve.
 *
 *   flood RATE SECONDS CONNECTIONS HOSTS PROCESSES URL [AGO | live INTERVAL LIFE]
 *
 * URL is http://A.B.C.D:PORT/ressources-usage/. RATE is of PUTs a second; 0: each connection sends as soon as it has its
 * answer. A PUT is a tick of one of HOSTS hosts, in turn, with PROCESSES processes; the ticks go on by ten seconds from
 * AGO seconds ago (3600) with each turn; `live` they are the present one, of INTERVAL seconds, and of ten hosts and ten names
 * one is another every LIFE intervals. It takes a connection that waits for nothing; where there is none among CONNECTIONS it is not
 * sent, as by a collector that still waits for its answer. One that is not answered within 5 s has failed, as to a
 * collector.
 *
 * SIGTERM ends it earlier. Prints one JSON object: of each second and of all how many were stored (200), refused in order (503, or 502 of nginx, with Retry-After),
 * answered otherwise, failed, and not sent; and how long the answers took, counted from when the PUT was sent.
 */
#include <signal.h>
#include <time.h>

#include "common/clock.h"
#include "common/text.h"
#include "tests/bench/client.h"

enum {
	INTERVAL_S = 10,
	CHURNING = 10,   /* of so many hosts and names one changes, */
	LIVES = 4,       /* and there are so many of each before they come again */
	CHANGING = 5,    /* of so many processes one uses CPU */
	PROCESSES_MAX = 1000,
	ANSWER_SIZE = 2048,
	CONNECTIONS_MAX = 16000,
	HOSTS_MAX = 1000000, /* that have an address */
	SECONDS_MAX = 3600,
};

#define SECOND_NS INT64_C(1000000000)
#define TIMEOUT_NS (5 * SECOND_NS)
#define DRAIN_NS (6 * SECOND_NS) /* after the last was sent */

enum outcome { STORED, REFUSED, OTHER, FAILED, UNSENT, OUTCOMES };

struct connection {
	int fd; /* -1: none */
	bool busy;
	uint64_t number; /* of its PUT */
	int64_t time_s;  /* that it is stamped with, live */
	size_t done;     /* bytes of it that were written */
	int64_t sent_ns;
	size_t in_size;
	char in[ANSWER_SIZE];
	struct connection *next; /* that waits for nothing */
};

/* How long answers took. */
struct latencies {
	double *ms;
	size_t count, capacity;
};

static struct sockaddr_in server;
static int poll_fd, process_count;
static uint64_t host_count;
static int64_t first_s, start_ns;
static struct text request;
static size_t address_at, time_at; /* in the request */
static size_t name_at[PROCESSES_MAX], cpu_at[PROCESSES_MAX]; /* 0: it stays as it is */
static int live_interval_s; /* 0: not live */
static uint64_t life;
static struct connection *connections, *waiting;
static int connection_count, busy_count, most_busy;
static uint64_t numbers;
static size_t seconds[SECONDS_MAX + 16][OUTCOMES];
static double worst_ms[SECONDS_MAX + 16]; /* of those that were stored */
static struct latencies latencies[OUTCOMES];
static volatile sig_atomic_t ended;
static char first[OUTCOMES][512]; /* answer of each kind */

static void note(enum outcome outcome, int64_t now_ns, int64_t sent_ns)
{
	size_t second = (size_t)((now_ns - start_ns) / SECOND_NS);
	second = second < SECONDS_MAX + 15 ? second : SECONDS_MAX + 15;
	seconds[second][outcome]++;
	if (outcome == UNSENT)
		return;
	struct latencies *of = &latencies[outcome];
	if (of->count == of->capacity) {
		of->capacity = of->capacity ? 2 * of->capacity : 65536;
		of->ms = realloc(of->ms, of->capacity * sizeof(*of->ms));
		if (!of->ms)
			die("memory");
	}
	double ms = (double)(now_ns - sent_ns) / 1e6;
	of->ms[of->count++] = ms;
	if (outcome == STORED && ms > worst_ms[second])
		worst_ms[second] = ms;
}

/* ---- What is sent */

/* All have the same length, so that a PUT is this one with its own address and time. */
static void make_request(void)
{
	struct text body = TEXT_EMPTY;
	text_append_string(&body, "{\"ipaddress\":\"10.100.100.100\",\"timestamp\":1000000000,\"processes\":{");
	for (int process = 0; process < process_count; process++) {
		text_append_string(&body, process ? ",\"process-" : "\"process-");
		name_at[process] = process % CHURNING == CHURNING - 1 ? body.length : 0;
		text_printf(&body, "%06d\":[%d.%03d,", process, process % 3, 100 + process * 7 % 900);
		cpu_at[process] = process % CHANGING ? 0 : body.length;
		text_append_string(&body, process % CHANGING ? "0]" : "10]");
	}
	text_append_string(&body, "}}");
	text_printf(&request, "PUT /ressources-usage/save-all HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
	            "Content-Length: %zu\r\n\r\n%s", body.length, body.data);
	if (text_failed(&body) || text_failed(&request))
		die("memory");
	for (int process = 0; process < process_count; process++) {
		name_at[process] += name_at[process] ? request.length - body.length : 0;
		cpu_at[process] += cpu_at[process] ? request.length - body.length : 0;
	}
	address_at = (size_t)(strstr(request.data, "10.100.100.100") - request.data);
	time_at = (size_t)(strstr(request.data, "1000000000") - request.data);
	text_free(&body);
}

static void write_digits(size_t at, uint64_t number, int count)
{
	for (; count--; number /= 10)
		request.data[at + (size_t)count] = (char)('0' + number % 10);
}

static void write_values(uint64_t host, uint64_t tick)
{
	for (int process = 0; process < process_count; process++) {
		if (cpu_at[process])
			write_digits(cpu_at[process], 10 + (tick * 7 + host * 3 + (uint64_t)process) % 10, 2);
		if (live_interval_s && name_at[process])
			write_digits(name_at[process], (uint64_t)process + PROCESSES_MAX * ((tick + host) / life % LIVES), 6);
	}
}

static void name_request(const struct connection *connection)
{
	uint64_t host = connection->number % host_count, tick = connection->number / host_count, address = host;
	int64_t time_s = first_s + (int64_t)tick * INTERVAL_S;
	if (live_interval_s) {
		time_s = connection->time_s;
		tick = (uint64_t)(time_s / live_interval_s);
		if (host % CHURNING == 0)
			address += host_count * (1 + (tick + host) / life % LIVES);
	}
	write_digits(address_at + 3, 100 + address / 10000 % 100, 3);
	write_digits(address_at + 7, 100 + address / 100 % 100, 3);
	write_digits(address_at + 11, 100 + address % 100, 3);
	write_digits(time_at, (uint64_t)time_s, 10);
	write_values(host, tick);
}

/* ---- Connections */

static void disconnect(struct connection *connection)
{
	if (connection->fd >= 0)
		close(connection->fd);
	connection->fd = -1;
}

static void finish(struct connection *connection, enum outcome outcome)
{
	note(outcome, clock_monotonic_ns(), connection->sent_ns);
	if (!first[outcome][0])
		snprintf(first[outcome], sizeof(first[outcome]), "%.511s", connection->in);
	connection->busy = false;
	busy_count--;
	connection->next = waiting;
	waiting = connection;
	if (outcome == FAILED || strcasestr(connection->in, "\r\nConnection: close"))
		disconnect(connection);
}

static void write_more(struct connection *connection)
{
	name_request(connection);
	while (connection->done < request.length) {
		ssize_t written = write(connection->fd, request.data + connection->done, request.length - connection->done);
		if (written < 0) {
			if (errno != EAGAIN && errno != EPIPE && errno != ECONNRESET) /* what is answered already is read first */
				finish(connection, FAILED);
			return;
		}
		connection->done += (size_t)written;
	}
}

static enum outcome judge(const char *answer)
{
	if (strncmp(answer, "HTTP/1.1 200 ", 13) == 0)
		return STORED;
	bool refused = strncmp(answer, "HTTP/1.1 503 ", 13) == 0 || strncmp(answer, "HTTP/1.1 502 ", 13) == 0;
	return refused && strcasestr(answer, "\r\nRetry-After: ") ? REFUSED : OTHER;
}

static void read_more(struct connection *connection)
{
	for (;;) {
		ssize_t got = read(connection->fd, connection->in + connection->in_size, ANSWER_SIZE - 1 - connection->in_size);
		if (got < 0 && errno == EAGAIN)
			return;
		if (got <= 0) {
			if (connection->busy)
				finish(connection, FAILED);
			disconnect(connection);
			return;
		}
		connection->in_size += (size_t)got;
		connection->in[connection->in_size] = '\0';
		if (connection->busy && client_is_whole(connection->in, connection->in_size)) {
			finish(connection, judge(connection->in));
			if (connection->fd < 0)
				return;
		}
	}
}

/* Sends the next PUT, where a connection has nothing to wait for. */
static bool send_next(void)
{
	struct connection *connection = waiting;
	int64_t now_ns = clock_monotonic_ns();
	uint64_t number = numbers++;
	if (!connection) {
		note(UNSENT, now_ns, now_ns);
		return false;
	}
	waiting = connection->next;
	connection->busy = true;
	busy_count++;
	most_busy = busy_count > most_busy ? busy_count : most_busy;
	connection->number = number;
	if (live_interval_s)
		connection->time_s = clock_wall_ms() / 1000 / live_interval_s * live_interval_s;
	connection->done = connection->in_size = 0;
	connection->in[0] = '\0';
	connection->sent_ns = now_ns;
	if (connection->fd < 0)
		connection->fd = client_connect(&server, poll_fd, connection);
	if (connection->fd < 0)
		finish(connection, FAILED);
	else
		write_more(connection);
	return true;
}

static void attend(int timeout_ms)
{
	static struct epoll_event events[512];
	int count = epoll_wait(poll_fd, events, 512, timeout_ms);
	for (int i = 0; i < count; i++) {
		struct connection *connection = events[i].data.ptr;
		if (connection->fd >= 0 && connection->busy && events[i].events & EPOLLOUT)
			write_more(connection);
		if (connection->fd >= 0 && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
			read_more(connection);
	}
}

static void end_overdue(int64_t now_ns)
{
	for (int i = 0; i < connection_count; i++) {
		if (connections[i].busy && now_ns - connections[i].sent_ns > TIMEOUT_NS)
			finish(&connections[i], FAILED);
	}
}

static void on_end(int number)
{
	(void)number;
	ended = 1;
}

/* Sends for so long, and waits for the answers. */
static void run(double rate, int64_t end_ns)
{
	int64_t checked_ns = start_ns;
	double turns = 0; /* that have come; what they were late is made up for a tenth of a second at most */
	int64_t turned_ns = start_ns;
	for (;;) {
		int64_t now_ns = clock_monotonic_ns();
		end_ns = ended && now_ns < end_ns ? now_ns : end_ns;
		if (now_ns >= end_ns && (busy_count == 0 || now_ns >= end_ns + DRAIN_NS))
			return;
		if (now_ns - checked_ns > SECOND_NS / 10) {
			end_overdue(now_ns);
			checked_ns = now_ns;
		}
		turns += (double)(now_ns - turned_ns) * rate / 1e9;
		turned_ns = now_ns;
		for (; now_ns < end_ns && rate > 0 && turns >= 1; turns--)
			send_next();
		while (now_ns < end_ns && rate <= 0 && waiting)
			send_next();
		attend(rate > 0 && now_ns < end_ns ? 1 : 10);
	}
}

static void print(int seconds_count)
{
	static const char *const names[] = { "stored", "refused", "other", "failed", "unsent" };
	struct text text = TEXT_EMPTY;
	text_printf(&text, "{\"most_under_way\": %d", most_busy);
	for (int i = 0; i < OUTCOMES; i++) {
		struct latencies *of = &latencies[i];
		qsort(of->ms, of->count, sizeof(*of->ms), client_compare);
		text_printf(&text, ", \"%s\": {\"count\": ", names[i]);
		size_t count = 0;
		for (int second = 0; second < SECONDS_MAX + 16; second++)
			count += seconds[second][i];
		text_printf(&text, "%zu, \"median_ms\": %.2f, \"p99_ms\": %.2f, \"max_ms\": %.1f, \"by_second\": [", count,
		            client_percentile(of->ms, of->count, 0.5), client_percentile(of->ms, of->count, 0.99),
		            client_percentile(of->ms, of->count, 1));
		for (int second = 0; second < seconds_count; second++)
			text_printf(&text, "%s%zu", second ? ", " : "", seconds[second][i]);
		text_append_string(&text, "]}");
	}
	text_append_string(&text, ", \"worst_ms_by_second\": [");
	for (int second = 0; second < seconds_count; second++)
		text_printf(&text, "%s%.1f", second ? ", " : "", worst_ms[second]);
	text_append_string(&text, "]}");
	if (text_failed(&text))
		die("memory");
	puts(text.data);
	for (int i = REFUSED; i <= OTHER; i++) {
		if (first[i][0])
			fprintf(stderr, "flood: the first answer that was %s: %s\n", names[i], first[i]);
	}
}

int main(int argc, char *argv[])
{
	bool live = argc == 10 && strcmp(argv[7], "live") == 0;
	if (argc < 7 || (argc > 8 && !live) || !client_parse_url(argv[6], &server)) {
		fprintf(stderr, "usage: flood RATE SECONDS CONNECTIONS HOSTS PROCESSES URL [AGO | live INTERVAL LIFE]\n");
		return EXIT_FAILURE;
	}
	double rate = atof(argv[1]);
	int for_s = atoi(argv[2]);
	connection_count = atoi(argv[3]);
	host_count = (uint64_t)atoll(argv[4]);
	process_count = atoi(argv[5]);
	live_interval_s = live ? atoi(argv[8]) : 0;
	life = live ? (uint64_t)atoll(argv[9]) : 1;
	if (rate < 0 || for_s < 1 || for_s > SECONDS_MAX || connection_count < 1 || connection_count > CONNECTIONS_MAX ||
	    host_count < 1 || host_count > HOSTS_MAX || process_count < 1 || process_count > PROCESSES_MAX || life < 1 || live_interval_s < 0) {
		fprintf(stderr, "flood: 1 to %d s, 1 to %d connections, 1 to %d hosts, 1 to %d processes\n", SECONDS_MAX, CONNECTIONS_MAX,
		        HOSTS_MAX, PROCESSES_MAX);
		return EXIT_FAILURE;
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, on_end);
	client_raise_limit();
	poll_fd = epoll_create1(EPOLL_CLOEXEC);
	connections = allocate((size_t)connection_count, sizeof(*connections));
	for (int i = 0; i < connection_count; i++) {
		connections[i].fd = -1;
		connections[i].next = waiting;
		waiting = &connections[i];
	}
	make_request();
	first_s = clock_wall_ms() / 1000 / INTERVAL_S * INTERVAL_S - (argc == 8 ? atoll(argv[7]) : 3600);
	start_ns = clock_monotonic_ns();
	run(rate, start_ns + for_s * SECOND_NS);
	print(for_s + 7);
	return EXIT_SUCCESS;
}
