/*
 * A process to be measured: it takes a name, says "r" on its output when it is
 * ready, and does what it is told until it is killed. What it starts ends with it.
 *
 *   subject NAME sleep
 *   subject NAME burn THREADS PERCENT    that much of a core, each thread
 *   subject NAME copies COUNT PERCENT    children of that name, each burning so
 *   subject NAME share COUNT MIB OWN     children of that name with a region of all and memory of their own
 *   subject NAME huge COUNT MIB          likewise with a region of explicit huge pages, and 1 MiB of memory of their own
 *   subject NAME headless MIB PERCENT    with so much memory, burning in a thread, its first thread ended
 *   subject NAME vfork MIB THREADS       with so much memory and a child by vfork that waits, of the last of its threads
 *   subject NAME grow FIRST LAST RATE    from so many MiB of memory to so many, RATE KiB a second
 *   subject NAME crowd ALIVE BURN SLEEP  short-lived children, so many at a time (milliseconds); an "r" for each that went
 *   subject NAME exec SECONDS PATH …     burns as one name, and then executes another program
 *
 * NAME is in hexadecimal, two digits a byte; of a parent it is that of the children,
 * its own stays the executable's.
 */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char name[64];
static double burn_percent;

static double seconds_of(clockid_t clock)
{
	struct timespec time;
	clock_gettime(clock, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void sleep_ms(long ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

static void ready(void)
{
	if (write(STDOUT_FILENO, "r", 1) != 1)
		_exit(EXIT_FAILURE);
}

static void take_name(void)
{
	prctl(PR_SET_NAME, name);
}

static void burn_for(clockid_t clock, double percent, double seconds)
{
	double begun_s = seconds_of(CLOCK_MONOTONIC), begun_cpu_s = seconds_of(clock), elapsed_s;
	while (elapsed_s = seconds_of(CLOCK_MONOTONIC) - begun_s, elapsed_s < seconds) {
		if ((seconds_of(clock) - begun_cpu_s) * 100 > elapsed_s * percent)
			sleep_ms(5);
	}
}

static void *burn(void *user)
{
	(void)user;
	burn_for(CLOCK_THREAD_CPUTIME_ID, burn_percent, 1e9);
	return NULL;
}

/* 0 in a child, which dies with its parent. */
static pid_t start(void)
{
	pid_t parent = getpid(), pid = fork();
	if (pid < 0)
		exit(EXIT_FAILURE);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(EXIT_FAILURE);
		take_name();
	}
	return pid;
}

static void touch(size_t mib, int kind)
{
	char *memory = mmap(NULL, mib << 20, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | kind, -1, 0);
	if (memory == MAP_FAILED)
		exit(EXIT_FAILURE);
	memset(memory, 1, mib << 20);
}

static void share(int count, size_t mib, size_t own_mib, int kind)
{
	volatile char *memory = mmap(NULL, mib << 20, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_SHARED | kind, -1, 0);
	if (memory == MAP_FAILED)
		exit(EXIT_FAILURE);
	for (int i = 0; i < count; i++) {
		if (start() == 0) {
			for (size_t at = 0; at < mib << 20; at += 4096)
				memory[at] = 1;
			touch(own_mib, MAP_PRIVATE);
			ready();
			for (;;)
				pause();
		}
	}
}

static void *burn_alone(void *first_thread)
{
	pthread_join(*(pthread_t *)first_thread, NULL);
	ready();
	return burn(NULL);
}

static void headless(size_t mib)
{
	static pthread_t first_thread;
	pthread_t thread;
	first_thread = pthread_self();
	touch(mib, MAP_PRIVATE);
	take_name();
	if (pthread_create(&thread, NULL, burn_alone, &first_thread) != 0)
		exit(EXIT_FAILURE);
	pthread_exit(NULL);
}

static void *wait_in_vfork(void *user)
{
	pid_t pid = vfork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		ready();
		for (;;)
			pause();
	}
	return user;
}

static void vfork_in_last(size_t mib, long threads)
{
	pthread_t thread;
	touch(mib, MAP_PRIVATE);
	take_name();
	if (threads < 2)
		wait_in_vfork(NULL);
	else if (pthread_create(&thread, NULL, wait_in_vfork, NULL) != 0)
		exit(EXIT_FAILURE);
}

/* Its size is that of the time that has passed, however seldom it runs. */
static void grow(size_t first_mib, size_t last_mib, size_t kib_per_second)
{
	size_t size = first_mib << 20, last = last_mib << 20;
	char *memory = mmap(NULL, last, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
	if (memory == MAP_FAILED || size > last || madvise(memory, last, MADV_NOHUGEPAGE) != 0)
		exit(EXIT_FAILURE);
	memset(memory, 1, size);
	take_name();
	ready();
	double begun_s = seconds_of(CLOCK_MONOTONIC);
	while (size < last) {
		sleep_ms(20);
		double grown = (seconds_of(CLOCK_MONOTONIC) - begun_s) * (double)(kib_per_second << 10);
		size_t wanted = (first_mib << 20) + (size_t)grown;
		wanted = wanted < last ? wanted : last;
		memset(memory + size, 1, wanted - size);
		size = wanted;
	}
}

static void crowd(int alive, long burn_ms, long sleep_for_ms)
{
	ready();
	for (int running = 0;; running++) {
		if (running >= alive) {
			wait(NULL);
			ready(); /* one more has come and gone */
			running--;
		}
		if (start() == 0) {
			burn_for(CLOCK_PROCESS_CPUTIME_ID, 100, (double)burn_ms / 1000);
			sleep_ms(sleep_for_ms);
			_exit(EXIT_SUCCESS);
		}
	}
}

static void read_name(const char *hex)
{
	for (size_t i = 0; i + 1 < sizeof(name) && hex[2 * i] && hex[2 * i + 1]; i++) {
		unsigned byte;
		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			exit(EXIT_FAILURE);
		name[i] = (char)byte;
	}
}

int main(int argc, char *argv[])
{
	if (argc < 3)
		return EXIT_FAILURE;
	read_name(argv[1]);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	const char *what = argv[2];
	long number[3] = { 0 };
	for (int i = 3; i < argc && i < 6; i++)
		number[i - 3] = strtol(argv[i], NULL, 10);

	if (strcmp(what, "sleep") == 0) {
		take_name();
		ready();
	} else if (strcmp(what, "burn") == 0) {
		take_name();
		burn_percent = (double)number[1];
		for (long i = 1; i < number[0]; i++) {
			pthread_t thread;
			if (pthread_create(&thread, NULL, burn, NULL) != 0)
				return EXIT_FAILURE;
		}
		ready();
		burn(NULL);
	} else if (strcmp(what, "copies") == 0) {
		burn_percent = (double)number[1];
		for (long i = 0; i < number[0]; i++) {
			if (start() == 0) {
				ready();
				burn(NULL);
			}
		}
	} else if (strcmp(what, "share") == 0) {
		share((int)number[0], (size_t)number[1], (size_t)number[2], 0);
	} else if (strcmp(what, "huge") == 0) {
		share((int)number[0], (size_t)number[1], 1, MAP_HUGETLB);
	} else if (strcmp(what, "headless") == 0) {
		burn_percent = (double)number[1];
		headless((size_t)number[0]);
	} else if (strcmp(what, "vfork") == 0) {
		vfork_in_last((size_t)number[0], number[1]);
	} else if (strcmp(what, "grow") == 0) {
		grow((size_t)number[0], (size_t)number[1], (size_t)number[2]);
	} else if (strcmp(what, "crowd") == 0) {
		crowd((int)number[0], number[1], number[2]);
	} else if (strcmp(what, "exec") == 0 && argc > 4) {
		take_name();
		ready();
		burn_for(CLOCK_PROCESS_CPUTIME_ID, 100, (double)number[0]);
		execv(argv[4], argv + 4);
		return EXIT_FAILURE;
	} else {
		return EXIT_FAILURE;
	}
	for (;;)
		pause();
}
