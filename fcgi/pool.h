/*
 * The threads that answer the requests of arrivals.h.
 *
 * As many threads as there are cores, two at least, have a seat: they read requests and handle them. Who keeps its seat
 * goes on with the next request without another thread being woken, which costs as much as a small request does; an
 * answer may be put off meanwhile (struct later). Who is going to wait leaves its seat to another thread first: a handler
 * says so, the pool knows of large bodies and answers.
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
	/* With the body: fills *response, or says there that it is answered later. */
	void (*handle)(void *user, struct request *request, struct response *response);
	/* Before an answer that was put off is sent. NULL: nothing is to be done. */
	void (*late)(void *user, const struct request *request, const struct response *response);
	/* After an answer that was not put off was sent, or could not be: the request's strings and its body are
	 * gone. NULL: nothing is to be done. */
	void (*sent)(void *user, struct request *request);
};

/* Starts `threads` threads. `max_body` may be changed later with pool_set_max_body();
 * `handler` is borrowed. 0 or a negative errno; no thread is left when it fails. */
int pool_start(unsigned threads, size_t max_body, const struct pool_handler *handler, void *user,
               struct pool **ret_pool) __attribute__((warn_unused_result));

void pool_set_max_body(struct pool *pool, size_t max_body);

/* Ends the threads: requests that are under way are finished first, also those that are answered later; the listening
 * socket stays as it is. Frees the pool; accepts NULL. */
void pool_stop(struct pool *pool);

#endif
