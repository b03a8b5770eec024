#include "fcgi/write_pace.h"

void write_pace_note(struct write_pace *pace, int64_t took_ns)
{
	/* An engine that flushes now and then ends writes together, whenever they began: the longest is what counts. */
	int64_t shorter_ns = pace->longest_ns - (pace->longest_ns - took_ns) / 16;
	pace->longest_ns = took_ns > shorter_ns ? took_ns : shorter_ns;
	pace->mean_ns = pace->mean_ns ? pace->mean_ns + (took_ns - pace->mean_ns) / 4 : took_ns;
}

int64_t write_pace_apart(const struct write_pace *pace, unsigned appends)
{
	return pace->longest_ns / appends;
}

int64_t write_pace_of(const struct write_pace *pace, uint64_t writes, unsigned appends)
{
	return (int64_t)writes * pace->mean_ns / appends;
}
