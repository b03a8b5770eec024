/*
 * Makes the Nth allocation of this thread fail, and counts what it has allocated and not
 * freed. To be included by one file of a test: it defines malloc(), calloc(), realloc()
 * and free() for the whole program, libraries included. The sanitizers have an allocator
 * of their own: there is nothing to fail under them (FAILING_MALLOC is 0).
 */
#ifndef VIGIE_TESTS_FAILING_MALLOC_H
#define VIGIE_TESTS_FAILING_MALLOC_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FAILING_MALLOC 0
#else
#define FAILING_MALLOC 1
#endif

/* Volatile: the compiler takes it that malloc() changes nothing else. */
static _Thread_local volatile long failing_left; /* allocations until one fails; 0: none does */
static _Thread_local volatile bool failing_done;
/* Allocations of this thread less what it freed; 0 under a sanitizer. */
static _Thread_local volatile long failing_live __attribute__((unused));

/* The `number`th allocation from now (from 1) will fail. */
static inline void failing_start(long number)
{
	failing_left = number;
	failing_done = false;
}

/* How many of this thread's allocations it has not freed; 0 under a sanitizer. */
static inline long failing_unfreed(void)
{
	return failing_live;
}

/* No allocation fails any more. Whether one has failed. */
static inline bool failing_stop(void)
{
	failing_left = 0;
	return failing_done;
}

#if FAILING_MALLOC
/* glibc's own; declared nowhere. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *bytes, size_t size);
void __libc_free(void *bytes);

static bool failing_now(void)
{
	if (failing_left == 0 || --failing_left > 0)
		return false;
	failing_done = true;
	errno = ENOMEM;
	return true;
}

static void *failing_count(void *bytes)
{
	failing_live += bytes != NULL;
	return bytes;
}

void *malloc(size_t size)
{
	return failing_now() ? NULL : failing_count(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
	return failing_now() ? NULL : failing_count(__libc_calloc(count, size));
}

void *realloc(void *bytes, size_t size)
{
	if (failing_now())
		return NULL;
	return bytes ? __libc_realloc(bytes, size) : failing_count(__libc_malloc(size));
}

void free(void *bytes)
{
	failing_live -= bytes != NULL;
	__libc_free(bytes);
}
#endif

#endif
