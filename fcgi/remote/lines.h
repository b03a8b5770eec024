/*
 * Batches as bodies of line protocol that are made while they are sent: what many batches become is as large as they
 * are, and several such writes are under way at a time.
 *
 * A large request is made twice, once for its length; a small one is there as a whole. One thread uses a lines.
 */
#ifndef VIGIE_FCGI_REMOTE_LINES_H
#define VIGIE_FCGI_REMOTE_LINES_H

#include "common/text.h"
#include "fcgi/sample.h"

enum { LINES_BYTES_MAX = 8 << 20 }; /* of one request; InfluxDB 3 takes 10 MiB, InfluxDB 1 25 MB */

struct lines_place {
	size_t batch, sample;
};

struct lines {
	const struct batch *const *batches; /* borrowed */
	size_t count;
	struct lines_place start, end; /* of the request */
	struct lines_place at;         /* of what is made next */
	struct text made;              /* what was made last, */
	size_t taken;                  /* and how much of it is sent */
};

/* Freed with lines_close(). */
void lines_open(struct lines *lines, const struct batch *const batches[], size_t count);
void lines_close(struct lines *lines);

/* Begins the next request. Its length in bytes, 0 when there is none; *ret_whole is all of it, or NULL: it comes by
 * lines_read(). 0, or -ENOMEM. */
int lines_next(struct lines *lines, size_t *ret_length, const char **ret_whole) __attribute__((warn_unused_result));

/* The request's next bytes: an http_source. */
long lines_read(void *lines, char *buffer, size_t size);

/* From its beginning again. */
void lines_rewind(void *lines);

#endif
