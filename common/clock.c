#include "common/clock.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
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

struct timespec clock_timespec(int64_t time_ns)
{
	return (struct timespec){ .tv_sec = time_ns / 1000000000, .tv_nsec = time_ns % 1000000000 };
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

/* Reads so many digits at *at, which it moves behind them. */
static bool read_digits(const char **at, int count, int *ret_number)
{
	int number = 0;
	for (int i = 0; i < count; i++, ++*at) {
		if (!isdigit((unsigned char)**at))
			return false;
		number = number * 10 + (**at - '0');
	}
	*ret_number = number;
	return true;
}

/* Reads one of `characters`. */
static bool read_one(const char **at, const char *characters)
{
	return **at && strchr(characters, *(*at)++);
}

/* Reads "Z" or "+01:00", and nothing behind it. */
static bool read_offset(const char *at, int *ret_minutes)
{
	int hours = 0, minutes = 0, sign = *at == '-' ? -1 : 1;
	bool utc = *at == 'Z' || *at == 'z';
	if (utc)
		at++;
	else if (!read_one(&at, "+-") || !read_digits(&at, 2, &hours) || !read_one(&at, ":") || !read_digits(&at, 2, &minutes))
		return false;
	*ret_minutes = sign * (hours * 60 + minutes);
	return *at == '\0' && hours <= 23 && minutes <= 59;
}

static int days_of_month(int year, int month)
{
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	if (month == 2)
		return leap ? 29 : 28;
	return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

bool clock_parse_rfc3339(const char *text, int64_t *ret_time_ms)
{
	struct tm utc = { 0 };
	int offset, milliseconds = 0;
	if (!read_digits(&text, 4, &utc.tm_year) || !read_one(&text, "-") || !read_digits(&text, 2, &utc.tm_mon) ||
	    !read_one(&text, "-") || !read_digits(&text, 2, &utc.tm_mday) || !read_one(&text, "Tt ") ||
	    !read_digits(&text, 2, &utc.tm_hour) || !read_one(&text, ":") || !read_digits(&text, 2, &utc.tm_min) ||
	    !read_one(&text, ":") || !read_digits(&text, 2, &utc.tm_sec))
		return false;
	if (*text == '.') {
		if (!isdigit((unsigned char)*++text))
			return false;
		for (int unit = 100; isdigit((unsigned char)*text); unit /= 10)
			milliseconds += unit * (*text++ - '0');
	}
	/* A leap second is the first one of the next minute. */
	if (utc.tm_hour > 23 || utc.tm_min > 59 || utc.tm_sec > 60 || !read_offset(text, &offset))
		return false;
	if (utc.tm_mon < 1 || utc.tm_mon > 12 || utc.tm_mday < 1 || utc.tm_mday > days_of_month(utc.tm_year, utc.tm_mon))
		return false;
	utc.tm_year -= 1900;
	utc.tm_mon--;
	*ret_time_ms = ((int64_t)timegm(&utc) - offset * 60) * 1000 + milliseconds;
	return true;
}
