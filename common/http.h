/*
 * An HTTP client: one handle, one connection kept, one request at a time.
 *
 * The only file that includes libcurl. A handle belongs to one thread at a time.
 * Bodies of answers are cut off with an error at HTTP_ANSWER_MAX.
 */
#ifndef VIGIE_COMMON_HTTP_H
#define VIGIE_COMMON_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/text.h"
#include "common/wire.h"

enum { HTTP_ANSWER_MAX = 1 << 30 }; /* bytes */

struct http;

struct http_answer {
	long status;          /* of HTTP */
	int64_t retry_after_s; /* of the Retry-After header; -1: none */
	struct text body;     /* the caller keeps it from request to request and frees it */
};

/* `timeout_ms` bounds a whole request. NULL: out of memory. */
struct http *http_open(int64_t timeout_ms);
void http_close(struct http *http);

/*
 * Sends one request and waits for its answer, whatever its status. `body` may be
 * NULL. Returns 0; or -ECONNREFUSED, -ETIMEDOUT, -EINVAL (no URL), -EMSGSIZE,
 * -ENOMEM or -EIO when there was no whole answer, with a sentence in http_error().
 */
int http_request(struct http *http, const char *method, const char *url, const char *body, size_t body_length,
                 struct http_answer *ret_answer) __attribute__((warn_unused_result));

/* Why the last request failed; borrowed until the next one. */
const char *http_error(const struct http *http);

/* Our own address on the connection of the last request that was answered;
 * false before the first. */
bool http_own_ip(const struct http *http, char ret_ip[static WIRE_IP_SIZE]);

#endif
