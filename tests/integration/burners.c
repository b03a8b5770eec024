/*
 * Processes that use CPU and end, and what all of them have used by their own account. Ends when it is killed.
 *
 *   burners NAME short COUNT MS     one after the other, waited for
 *   burners NAME nested COUNT MS    each starts one that starts another
 *   burners NAME orphans COUNT MS   each of another that ends first
 *   burners NAME long COUNT MS      at the same time, with a pause as long as what they burn
 *   burners NAME threads COUNT MS   of three threads each, of which the first ends before the others
 *   burners NAME plain COUNT MS     without looking at the clock, as programs do: the kernel has to know what they used
 *   burners NAME flood COUNT MS     as many at the same time as the system has room for
 *
 * It is called NAME-p, the others NAME-c. When all have ended it prints microseconds: what they used by their own
 * account, before they ended (of those that do not know it: the kernel's); itself; and the kernel's account of
 * them, which has their ends.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { AT_ONCE = 50 };

static atomic_ullong *used_us; /* shared by all */
static char name[16];

static unsigned long long time_us(struct timeval time)
{
	return (unsigned long long)time.tv_sec * 1000000 + (unsigned long long)time.tv_usec;
}

static unsigned long long usage_us(int who)
{
	struct rusage usage;
	getrusage(who, &usage);
	return time_us(usage.ru_utime) + time_us(usage.ru_stime);
}

static void burn(long ms)
{
	struct timespec time;
	do
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	while (time.tv_sec * 1000 + time.tv_nsec / 1000000 < ms);
}

/* As long on average, but for the speed of the moment. */
static void burn_blindly(unsigned long turns)
{
	for (volatile unsigned long turn = 0; turn < turns; turn++)
		;
}

static unsigned long count_turns(long ms)
{
	enum { TRIED = 20000000 };
	unsigned long long begun_us = usage_us(RUSAGE_SELF);
	burn_blindly(TRIED);
	return TRIED / (unsigned long)(usage_us(RUSAGE_SELF) - begun_us) * (unsigned long)ms * 1000;
}

static _Noreturn void leave(void)
{
	*used_us += usage_us(RUSAGE_SELF);
	_exit(EXIT_SUCCESS);
}

static pid_t start(void)
{
	pid_t pid = fork();
	if (pid < 0)
		exit(EXIT_FAILURE);
	if (pid == 0)
		prctl(PR_SET_NAME, name);
	return pid;
}

static void *burn_thread(void *user)
{
	burn(*(long *)user);
	return NULL;
}

static void *burn_last(void *user)
{
	prctl(PR_SET_NAME, "another");
	burn(3 * *(long *)user);
	leave(); /* the first thread has ended long since */
}

static void burn_threads(long ms)
{
	pthread_t other, last;
	if (pthread_create(&other, NULL, burn_thread, &ms) || pthread_create(&last, NULL, burn_last, &ms))
		_exit(EXIT_FAILURE);
	pthread_join(other, NULL);
	pthread_exit(NULL);
}

static void burn_as(const char *kind, long ms)
{
	if (strcmp(kind, "threads") == 0)
		burn_threads(ms);
	for (int depth = 0; strcmp(kind, "nested") == 0 && depth < 2; depth++) {
		pid_t child = start();
		if (child) {
			burn(ms);
			waitpid(child, NULL, 0);
			leave();
		}
	}
	if (strcmp(kind, "orphans") == 0 && start())
		leave();
	for (int turn = 0; strcmp(kind, "long") == 0 && turn < 10; turn++) {
		burn(ms * (turn + 1) / 10);
		usleep((useconds_t)ms * 100);
	}
	burn(ms);
	leave();
}

int main(int argc, char *argv[])
{
	if (argc != 5)
		return EXIT_FAILURE;
	const char *kind = argv[2];
	int count = atoi(argv[3]), running = 0;
	int at_once = strcmp(kind, "long") == 0 ? count : strcmp(kind, "flood") == 0 ? AT_ONCE : 1;
	unsigned long turns = strcmp(kind, "plain") == 0 ? count_turns(atol(argv[4])) : 0;
	used_us = mmap(NULL, sizeof(*used_us), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	snprintf(name, sizeof(name), "%s-p", argv[1]);
	prctl(PR_SET_NAME, name);
	snprintf(name, sizeof(name), "%s-c", argv[1]);

	for (int i = 0; i < count; i++) {
		if (start() == 0) {
			burn_blindly(turns);
			if (turns)
				_exit(EXIT_SUCCESS);
			burn_as(kind, atol(argv[4]));
		}
		for (running++; running >= at_once && wait(NULL) > 0; running--)
			;
	}
	while (wait(NULL) > 0)
		;
	if (turns)
		*used_us = usage_us(RUSAGE_CHILDREN);
	printf("%llu %llu %llu\n", (unsigned long long)*used_us, usage_us(RUSAGE_SELF), usage_us(RUSAGE_CHILDREN));
	fflush(stdout);
	for (;;)
		pause();
}
