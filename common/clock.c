#include "common/clock.h"

#include <limits.h>
#include <stdio.h>
#include <time.h>

int64_t clock_wall_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_monotonic_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int clock_poll_ms(int64_t end_ns)
{
	int64_t left_ms = (end_ns - clock_monotonic_ns() + 999999) / 1000000;
	return left_ms < 0 ? 0 : left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}

struct moment clock_moment(void)
{
	struct timespec boot;
	clock_gettime(CLOCK_BOOTTIME, &boot);
	return (struct moment){
		.wall_ms = clock_wall_ms(),
		.boot_ms = (int64_t)boot.tv_sec * 1000 + boot.tv_nsec / 1000000,
	};
}

uint64_t clock_boot(void)
{
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
	if (!file)
		return 0;
	/* Random but for six of its bits: half of it tells machines' starts apart. */
	unsigned long high = 0, low = 0, version = 0;
	int fields = fscanf(file, "%8lx-%4lx-%4lx", &high, &low, &version);
	fclose(file);
	return fields == 3 ? (uint64_t)high << 32 | (uint64_t)low << 16 | version : 0;
}

void clock_format_rfc3339(int64_t time_ms, char ret_text[static CLOCK_RFC3339_SIZE])
{
	int64_t milliseconds = time_ms % 1000;
	if (milliseconds < 0)
		milliseconds += 1000;
	time_t seconds = (time_t)(time_ms / 1000 - (time_ms % 1000 < 0));
	struct tm utc;
	char date[CLOCK_RFC3339_SIZE - 5]; /* room for the years of every int64_t */
	gmtime_r(&seconds, &utc);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(ret_text, CLOCK_RFC3339_SIZE, "%s.%03dZ", date, (int)milliseconds);
}
