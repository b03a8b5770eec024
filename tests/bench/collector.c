/*
 * What the collector costs, against libproc2 alone reading the same in the same
 * run: CPU per process and tick, and its anonymous memory.
 *
 * collector <path of vigie-collector> [processes] [ticks]
 *
 * Starts that many sleeping processes, a twentieth of whose names have two PIDs,
 * and the collector with an interval of one second against a server within that
 * answers "Ok". All of them are ended by their PID.
 */
#include <errno.h>
#include <libproc2/pids.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { DEFAULT_PROCESSES = 2000, DEFAULT_TICKS = 12, SELECT_MAX = 255, LIMIT_S = 55 };

static pid_t *sleepers;
static int sleeper_count;
static pid_t collector;
static atomic_int puts_seen;
static atomic_size_t body_bytes;
static atomic_long peak_kib; /* RssAnon while the collector waits for an answer, its body in memory */

static void end_all(void)
{
	if (collector > 0) {
		kill(collector, SIGTERM);
		waitpid(collector, NULL, 0);
		collector = 0;
	}
	for (int i = 0; i < sleeper_count; i++)
		kill(sleepers[i], SIGKILL);
	for (int i = 0; i < sleeper_count; i++)
		waitpid(sleepers[i], NULL, 0);
	sleeper_count = 0;
}

static void die(const char *what)
{
	fprintf(stderr, "bench collector: %s: %s\n", what, strerror(errno));
	end_all();
	exit(EXIT_FAILURE);
}

static void start_sleepers(int count)
{
	sleepers = calloc((size_t)count, sizeof(*sleepers));
	if (!sleepers)
		die("memory");
	for (int i = 0; i < count; i++) {
		char name[16];
		snprintf(name, sizeof(name), "bench-%d", i % (count - count / 20));
		pid_t pid = fork();
		if (pid < 0)
			die("fork");
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			prctl(PR_SET_NAME, name);
			for (;;)
				pause();
		}
		sleepers[sleeper_count++] = pid;
	}
}

static long rss_anon_kib(pid_t pid)
{
	char path[64], line[256];
	long kib = -1;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "RssAnon: %ld", &kib);
	if (file)
		fclose(file);
	return kib;
}

/* Answers one connection's requests until it is closed. */
static void serve(int fd)
{
	static char buffer[65536];
	size_t have = 0;
	for (;;) {
		char *end;
		while (end = memmem(buffer, have, "\r\n\r\n", 4), !end) {
			ssize_t got = read(fd, buffer + have, sizeof(buffer) - have);
			if (got <= 0)
				return;
			have += (size_t)got;
		}
		size_t head = (size_t)(end - buffer) + 4;
		char *length_at = memmem(buffer, head, "Content-Length: ", 16);
		size_t length = length_at ? strtoul(length_at + 16, NULL, 10) : 0;
		for (size_t rest = length > have - head ? length - (have - head) : 0; rest;) {
			ssize_t got = read(fd, buffer, rest < sizeof(buffer) ? rest : sizeof(buffer));
			if (got <= 0)
				return;
			rest -= (size_t)got;
		}
		have = 0;
		if (length) {
			long kib = rss_anon_kib(collector);
			if (kib > atomic_load(&peak_kib))
				atomic_store(&peak_kib, kib);
			atomic_store(&body_bytes, length);
			atomic_fetch_add(&puts_seen, 1);
		}
		static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{\"Response\": \"Ok\"}";
		if (write(fd, answer, sizeof(answer) - 1) < 0)
			return;
	}
}

static void *run_server(void *user)
{
	int listener = *(int *)user;
	for (int fd; fd = accept(listener, NULL, NULL), fd >= 0; close(fd))
		serve(fd);
	return NULL;
}

static int listen_on_free_port(int *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, 8) != 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &size) != 0)
		die("listen");
	*ret_port = ntohs(address.sin_port);
	return fd;
}

/* User and system time. */
static double cpu_us(const struct rusage *usage)
{
	return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1e6 +
	       (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec);
}

static double thread_cpu_us(void)
{
	struct rusage usage;
	getrusage(RUSAGE_THREAD, &usage);
	return cpu_us(&usage);
}

/* CPU of a process, to the microsecond where the kernel tells it (utime and stime
 * of stat count in hundredths of a second). */
static double process_cpu_us(pid_t pid)
{
	clockid_t clock;
	struct timespec time;
	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0)
		die("the collector's CPU clock");
	return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static unsigned shared_pids[65536];

/* libproc2 alone: stat of all … */
static void read_all(struct pids_info *all)
{
	if (!procps_pids_reap(all, PIDS_FETCH_TASKS_ONLY))
		die("libproc2");
}

/* … and statm of those whose names have several PIDs. */
static void read_shared(struct pids_info *some, int shared_count)
{
	for (int i = 0; i < shared_count; i += SELECT_MAX) {
		int count = shared_count - i < SELECT_MAX ? shared_count - i : SELECT_MAX;
		if (!procps_pids_select(some, shared_pids + i, count, PIDS_SELECT_PID))
			die("libproc2");
	}
}

static void wait_puts(int count)
{
	for (int i = 0; atomic_load(&puts_seen) < count; i++) {
		if (i > 20000)
			die("the collector sends nothing");
		usleep(1000);
	}
}

int main(int argc, char *argv[])
{
	int processes = argc > 2 ? atoi(argv[2]) : DEFAULT_PROCESSES;
	int ticks = argc > 3 ? atoi(argv[3]) : DEFAULT_TICKS;
	if (argc < 2 || processes < 20 || processes > 60000 || ticks < 1) {
		fprintf(stderr, "usage: collector <path of vigie-collector> [processes] [ticks]\n");
		return EXIT_FAILURE;
	}
	signal(SIGPIPE, SIG_IGN);
	int port;
	int listener = listen_on_free_port(&port);
	start_sleepers(processes);
	alarm(LIMIT_S); /* the sleepers end with their parent */

	pthread_t server;
	if (pthread_create(&server, NULL, run_server, &listener) != 0)
		die("thread");
	collector = fork();
	if (collector == 0) {
		char url[80];
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		snprintf(url, sizeof(url), "collector.url=http://127.0.0.1:%d/ressources-usage/", port);
		execl(argv[1], argv[1], "-s", url, "-s", "collector.interval=1s", "-s", "collector.max_processes=100000",
		      "-s", "collector.spool=", "-s", "log.level=warning", (char *)NULL);
		_exit(127);
	}
	if (collector < 0)
		die("fork");

	enum pids_item all_items[] = { PIDS_ID_PID, PIDS_CMD, PIDS_TICS_BEGAN, PIDS_TICS_ALL, PIDS_TICS_ALL_C, PIDS_RSS, PIDS_FLAGS,
		                       PIDS_ID_PPID, PIDS_STATE, PIDS_NLWP, PIDS_VSIZE_BYTES };
	enum pids_item some_items[] = { PIDS_ID_PID, PIDS_MEM_RES, PIDS_MEM_SHR };
	struct pids_info *all = NULL, *some = NULL;
	if (procps_pids_new(&all, all_items, sizeof(all_items) / sizeof(all_items[0])) < 0 || procps_pids_new(&some, some_items, 3) < 0)
		die("libproc2");
	int shared_count = 0;
	for (int i = 0; i < processes / 20; i++) {
		shared_pids[shared_count++] = (unsigned)sleepers[i];
		shared_pids[shared_count++] = (unsigned)sleepers[i + processes - processes / 20];
	}
	struct pids_fetch *fetch = procps_pids_reap(all, PIDS_FETCH_TASKS_ONLY);
	int seen = fetch ? fetch->counts->total : 0;

	/* Turn by turn, so that the machine's changes of speed meet both. */
	wait_puts(2);
	usleep(200000);
	double stat_us = 0, statm_us = 0, collector_us = 0;
	for (int i = 0; i < ticks; i++) {
		double before_us = thread_cpu_us();
		read_all(all);
		double between_us = thread_cpu_us();
		read_shared(some, shared_count);
		stat_us += between_us - before_us;
		statm_us += thread_cpu_us() - between_us;

		before_us = process_cpu_us(collector);
		wait_puts(atomic_load(&puts_seen) + 1);
		usleep(100000); /* what it does after the answer is part of the tick */
		collector_us += process_cpu_us(collector) - before_us;
	}
	double alone_us = stat_us + statm_us;
	printf("collector: %.1f us per process and tick, libproc2 alone: %.1f us, ratio %.2f\n",
	       collector_us / ticks / seen, alone_us / ticks / seen, collector_us / alone_us);
	printf("libproc2 without the statm of shared names: %.1f us, ratio %.2f\n", stat_us / ticks / seen,
	       collector_us / stat_us);
	printf("RssAnon: %ld KiB at its highest, %ld KiB between ticks (%d processes, bodies of %zu bytes)\n", atomic_load(&peak_kib), rss_anon_kib(collector), seen,
	        atomic_load(&body_bytes));
	procps_pids_unref(&all);
	procps_pids_unref(&some);
	end_all();
	return EXIT_SUCCESS;
}
