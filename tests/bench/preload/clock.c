/*
 * Sets the wall clock of the program that it is loaded into (LD_PRELOAD) off by CLOCK_OFFSET_S seconds. Unlike
 * libfaketime it leaves waits alone, and costs next to nothing.
 *
 * CLOCK_SPEED=N has the wall clock and CLOCK_BOOTTIME run N times as fast, as of CLOCK_SINCE_S, seconds since 1970, so
 * that several programs have one time. What is measured or waited for on the monotonic clock stays as it is, but timers
 * (timerfd) and poll(2), which wait for a time of day, end so much earlier.
 */
#include <dlfcn.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>

#define SECOND_NS INT64_C(1000000000)

static int (*real_gettime)(clockid_t clock, struct timespec *time);
static int (*real_poll)(struct pollfd *fds, nfds_t count, int timeout_ms);
static int (*real_settime)(int fd, int flags, const struct itimerspec *new, struct itimerspec *old);
static int64_t offset_s, speed = 1;
static int64_t since_ns[2]; /* of the wall clock and of CLOCK_BOOTTIME */

static int64_t number(const char *name, int64_t otherwise)
{
	const char *value = getenv(name);
	return value ? atoll(value) : otherwise;
}

static int64_t nanoseconds(clockid_t clock)
{
	struct timespec now = { 0 };
	real_gettime(clock, &now);
	return now.tv_sec * SECOND_NS + now.tv_nsec;
}

__attribute__((constructor)) static void open_clock(void)
{
	if (real_settime)
		return;
	*(void **)&real_gettime = dlsym(RTLD_NEXT, "clock_gettime");
	*(void **)&real_poll = dlsym(RTLD_NEXT, "poll");
	*(void **)&real_settime = dlsym(RTLD_NEXT, "timerfd_settime");
	offset_s = number("CLOCK_OFFSET_S", 0);
	speed = number("CLOCK_SPEED", 1);
	int64_t wall_ns = nanoseconds(CLOCK_REALTIME);
	since_ns[0] = number("CLOCK_SINCE_S", wall_ns / SECOND_NS) * SECOND_NS;
	since_ns[1] = nanoseconds(CLOCK_BOOTTIME) - (wall_ns - since_ns[0]);
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
	open_clock(); /* a library may have been set up before */
	int result = real_gettime(clock, time);
	if (result != 0 || (clock != CLOCK_REALTIME && clock != CLOCK_BOOTTIME))
		return result;
	if (speed != 1) {
		int64_t since = since_ns[clock == CLOCK_BOOTTIME];
		int64_t now_ns = since + (time->tv_sec * SECOND_NS + time->tv_nsec - since) * speed;
		*time = (struct timespec){ now_ns / SECOND_NS, now_ns % SECOND_NS };
	}
	if (clock == CLOCK_REALTIME)
		time->tv_sec += offset_s;
	return result;
}

/* nginx has its time of day from here, and tells it in its answers. */
int gettimeofday(struct timeval *restrict time, void *restrict zone)
{
	struct timespec now;
	(void)zone;
	clock_gettime(CLOCK_REALTIME, &now);
	*time = (struct timeval){ now.tv_sec, now.tv_nsec / 1000 };
	return 0;
}

int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	open_clock();
	return real_poll(fds, count, timeout_ms <= 0 ? timeout_ms : (int)((timeout_ms + speed - 1) / speed));
}

int timerfd_settime(int fd, int flags, const struct itimerspec *new, struct itimerspec *old)
{
	open_clock();
	struct itimerspec sooner = *new;
	int64_t wait_ns = (new->it_value.tv_sec * SECOND_NS + new->it_value.tv_nsec) / speed;
	if (wait_ns > 0)
		sooner.it_value = (struct timespec){ wait_ns / SECOND_NS, wait_ns % SECOND_NS };
	return real_settime(fd, flags, &sooner, old);
}
