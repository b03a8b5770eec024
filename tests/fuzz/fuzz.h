/*
 * What the fuzz targets share. A target is one function that libFuzzer calls with one input after the
 * other; a fault is what the sanitizers find, and an assertion that fails, of the product or of the target.
 *
 * Each is linked so that what it defines takes the place of the product's function of that name, see
 * README.md: here it is the log, which formats its lines and throws them away.
 */
#ifndef VIGIE_TESTS_FUZZ_H
#define VIGIE_TESTS_FUZZ_H

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/text.h"

/* libFuzzer's: the target, which returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define DEFINE_SILENT_LOG(name)                                 \
	void name(const char *format, ...)                      \
	{                                                       \
		char line[1024];                                \
		va_list arguments;                              \
		va_start(arguments, format);                    \
		vsnprintf(line, sizeof(line), format, arguments); \
		va_end(arguments);                              \
	}

DEFINE_SILENT_LOG(log_error)
DEFINE_SILENT_LOG(log_warning)
DEFINE_SILENT_LOG(log_info)
DEFINE_SILENT_LOG(log_debug)

/* A fault that says more than an assertion. */
#define fuzz_fail(...) (fprintf(stderr, "fault: " __VA_ARGS__), fputc('\n', stderr), abort())

/* A copy with a NUL behind it, to be freed. */
static inline char *fuzz_string(const void *bytes, size_t size)
{
	char *string = malloc(size + 1);
	assert(string);
	if (size)
		memcpy(string, bytes, size);
	string[size] = '\0';
	return string;
}

/* Takes the first line from the input, without its line feed, to be freed. */
static inline char *fuzz_line(const uint8_t **bytes, size_t *size)
{
	const uint8_t *end = *size ? memchr(*bytes, '\n', *size) : NULL;
	size_t length = end ? (size_t)(end - *bytes) : *size, taken = length + (end != NULL);
	char *line = fuzz_string(*bytes, length);
	*bytes += taken;
	*size -= taken;
	return line;
}

/* Takes the first byte: in pieces of how many bytes what follows is to be read. "0": all at once. */
static inline size_t fuzz_piece(const uint8_t **bytes, size_t *size)
{
	size_t piece = 0;
	if (*size) {
		piece = **bytes & 0xf;
		++*bytes;
		--*size;
	}
	return piece ? piece : *size + 1;
}

/* A file with these bytes that only its owner may read, in memory; the next call writes over it.
 * Gives its path. */
static inline const char *fuzz_file(const void *bytes, size_t size)
{
	static int fd = -1;
	static char path[32];
	if (fd < 0) {
		fd = memfd_create("input", MFD_CLOEXEC);
		assert(fd >= 0 && fchmod(fd, 0600) == 0);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	if (ftruncate(fd, 0) != 0 || pwrite(fd, bytes, size, 0) != (ssize_t)size)
		abort();
	return path;
}

/* As is what is written of what was read, and what is written when that is read. */
static inline void fuzz_assert_same(const struct text *one, const struct text *other)
{
	assert(!text_failed(one) && !text_failed(other));
	if (one->length == other->length && (!one->length || memcmp(one->data, other->data, one->length) == 0))
		return;
	size_t at = 0;
	while (at < one->length && at < other->length && one->data[at] == other->data[at])
		at++;
	fuzz_fail("they differ from byte %zu on: '%.80s' and '%.80s'", at, one->length ? one->data + at : "",
	          other->length ? other->data + at : "");
}

#endif
