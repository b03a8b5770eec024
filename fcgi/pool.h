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

/* Fills *response (its body is empty and belongs to the pool). Called in any of the
 * pool's threads, by several at once. */
typedef void pool_handler(void *user, struct request *request, struct response *response);

/* Starts `threads` threads. `max_body` may be changed later with pool_set_max_body().
 * 0 or a negative errno; no thread is left when it fails. */
int pool_start(unsigned threads, size_t max_body, pool_handler *handler, void *user, struct pool **ret_pool)
	__attribute__((warn_unused_result));

void pool_set_max_body(struct pool *pool, size_t max_body);

/* Ends the threads: requests that are under way are finished first, the listening
 * socket stays as it is. Frees the pool; accepts NULL. */
void pool_stop(struct pool *pool);

#endif
