/* How programs that measure end when something fails: at once, with what it was. */
#ifndef VIGIE_TESTS_BENCH_DYING_H
#define VIGIE_TESTS_BENCH_DYING_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void die(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
	exit(EXIT_FAILURE);
}

/* Zeros; the caller frees them. */
static inline void *allocate(size_t count, size_t size)
{
	void *memory = calloc(count ? count : 1, size);
	if (!memory)
		die("memory");
	return memory;
}

#endif
