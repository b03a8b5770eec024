/*
 * Connections of nginx, and requests that come over them: all wait together (epoll), however many there are, so that
 * one that idles holds nothing but its descriptor.
 *
 * A guest is of one thread at a time: from when arrivals_next() gives it until arrivals_return() or arrivals_drop().
 * Any thread may call; one lock, of the list of guests, and one of each guest.
 */
#ifndef VIGIE_FCGI_ARRIVALS_H
#define VIGIE_FCGI_ARRIVALS_H

#include <pthread.h>
#include <signal.h>

#include "fcgi/request.h"

/* Interrupts a thread that waits in accept() or in read(). Blocked at all other
 * times, so that it never cuts a request or a write of the store. */
#define ARRIVALS_SIGNAL SIGUSR2

struct pool;

/* A connection, and the request that is under way on it. */
struct guest {
	struct later later; /* first; the pool's, as the next two */
	struct pool *pool;
	bool *seated; /* of the thread that handles it */
	struct connection *connection;
	struct request request;
	struct arrivals *arrivals;
	pthread_mutex_t handing; /* held while it is given to epoll, from where the next thread gets it */
	struct guest *prev, *next;
};

struct arrivals;

/* Connections are accepted on descriptor 0. Blocks ARRIVALS_SIGNAL in this thread, and so in those that it starts.
 * 0 or a negative errno. */
int arrivals_open(struct arrivals **ret_arrivals) __attribute__((warn_unused_result));

/* From now on arrivals_next() returns at once; a thread in the midst of accept() or read() does once it gets
 * ARRIVALS_SIGNAL. The listening socket stays as it is. */
void arrivals_end(struct arrivals *arrivals);

/* Closes all connections. No guest is given; accepts NULL. */
void arrivals_close(struct arrivals *arrivals);

/* Waits for a request, and reads its head. NULL: something else has come, or the end. */
struct guest *arrivals_next(struct arrivals *arrivals);

/* After an answer, which has left the connection open: it waits for its next request. */
void arrivals_return(struct guest *guest);

/* Closes the connection. */
void arrivals_drop(struct guest *guest);

#endif
