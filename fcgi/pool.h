/*
 * The threads that answer requests. Each waits for a request, has it answered, and
 * waits again; a kept connection holds its thread, which is why nginx keeps fewer
 * of them than there are threads.
 */
#ifndef VIGIE_FCGI_POOL_H
#define VIGIE_FCGI_POOL_H

#include <stddef.h>

#include "fcgi/request.h"

struct pool;

/* What the pool calls, in any of its threads, in several at once. *response has status
 * 200 and an empty body of JSON, which belongs to the pool; what is lent to it is given
 * back once it is sent. */
struct pool_handler {
	/* Before a body is read: true when the request is to be handled; false when *response
	 * is the answer, and what a stranger sends is not even looked at. */
	bool (*admit)(void *user, struct request *request, struct response *response);
	/* With the body: fills *response. */
	void (*handle)(void *user, struct request *request, struct response *response);
	/* After the answer was sent, or could not be; NULL: nothing is to be done. */
	void (*sent)(void *user, struct request *request);
};

/* Starts `threads` threads. `max_body` may be changed later with pool_set_max_body();
 * `handler` is borrowed. 0 or a negative errno; no thread is left when it fails. */
int pool_start(unsigned threads, size_t max_body, const struct pool_handler *handler, void *user,
               struct pool **ret_pool) __attribute__((warn_unused_result));

void pool_set_max_body(struct pool *pool, size_t max_body);

/* Ends the threads: requests that are under way are finished first, the listening
 * socket stays as it is. Frees the pool; accepts NULL. */
void pool_stop(struct pool *pool);

#endif
