/*
 * One HTTP request and its answer, and the FastCGI connection they come over.
 *
 * The only file that includes libfcgi. A connection belongs to one thread; nginx
 * may send several requests over it, one after the other.
 */
#ifndef VIGIE_FCGI_REQUEST_H
#define VIGIE_FCGI_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/comm.h"
#include "common/text.h"
#include "fcgi/budget.h"

/* What became of a body; a part of it is there only where it was cut. */
enum request_body {
	REQUEST_BODY_WHOLE,
	REQUEST_BODY_TOO_LARGE, /* over the limit, as it was sent or inflated */
	REQUEST_BODY_CUT,       /* it ended before its Content-Length */
	REQUEST_BODY_BROKEN,    /* it says that it is gzip, and is not, or not whole */
	REQUEST_BODY_ENCODED,   /* in another content encoding */
};

struct route;
struct outbox;
struct outbox_item;

/* Borrowed until the request is answered. */
struct request {
	const char *method;
	const char *path;  /* normalised and decoded by nginx */
	const char *query; /* as it was sent, "" when there is none */
	const char *authorization; /* the header's value, "" when there is none */
	const char *host; /* likewise */
	bool only_asks;   /* whether it would be admitted: nginx asks before it takes a body */

	/* What routes_admit() has found. */
	const struct route *route;
	const char *route_ip; /* "" when the path has none */

	bool has_place; /* it is inside the service's gate until its answer is sent */

	/* Not before connection_read_body(). */
	char *body; /* body_length bytes and a NUL; may be changed */
	size_t body_length;
	enum request_body body_state;
};

struct response {
	int status;
	const char *content_type; /* a constant */
	const char *allow;        /* the Allow header; NULL: none */
	bool authenticate;        /* the WWW-Authenticate header: a bearer token is wanted */
	int refusal;              /* of one that only asks: the status that it is told, with the body, in headers; 0: none */
	int retry_after_s;        /* the Retry-After header; 0: none */
	const char *accept;       /* the header WIRE_ACCEPT, a constant; NULL: none */
	char hint[COMM_SIZE];     /* the Vigie-Hint header: the name that was meant, perhaps; "": none */
	struct text body;
	struct budget_share share; /* of the body, for who counts it */

	/* A body that is another's, in the place of this one; NULL: none. */
	const struct text *lent;
	void *lender;
	void (*give_back)(void *lender);
};

/* What is sent. */
static inline const struct text *response_body(const struct response *response)
{
	return response->lent ? response->lent : &response->body;
}

/* Gives back what is lent to it, if anything is. */
void response_give_back(struct response *response);

/* The same, and frees its own body; its share is given back. It is as if it were new. */
void response_free(struct response *response);

/* Makes an answer of {"Response": "NOk", "error": …, "field": …}; `field` may be NULL.
 * A 503 asks to come back in five seconds, a 401 for a token; a 409 has "server_time", in
 * seconds, for the client to measure its clock against. */
void response_error(struct response *response, int status, const char *field, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Makes the answer of one for whom there is no memory: 503, for -ENOMEM, or for -ENOBUFS of
 * the budget. */
void response_no_memory(struct response *response, int result);

struct connection;

/* Once, before any other call. Undoes what libfcgi does to the signals. 0 or -ENOTSOCK when descriptor 0 is no listening socket. */
int request_init(void) __attribute__((warn_unused_result));

/* A place for connections accepted on descriptor 0. NULL: out of memory. */
struct connection *connection_open(void);
void connection_close(struct connection *connection);

/*
 * Waits for the next request on the connection, or on a new one. 0, or -EINTR when
 * none could be had: request_shutdown() has been called and a signal interrupted
 * the wait, or the process has no descriptor left. An I/O error on a connection is
 * the client's own: the next request is waited for.
 */
int connection_accept(struct connection *connection) __attribute__((warn_unused_result));

/* What is known of the request that was accepted before its body is read. */
void connection_read_head(struct connection *connection, struct request *ret_request);

/* Reads its body, up to `max_body` bytes; gzip is inflated on the way, and counts as
 * what it becomes. 0, -ENOMEM, or -ENOBUFS of the budget. */
int connection_read_body(struct connection *connection, size_t max_body, struct request *request)
	__attribute__((warn_unused_result));

/* Sends the answer and ends the request. A body that was not read is thrown away. What
 * the request held is given back, but for buffers of a usual size. */
void connection_answer(struct connection *connection, const struct request *request, const struct response *response);

/* The same, but for an answer that is large, and has its place in the outbox: what it sends belongs to
 * that from now on, and *response is as if it were new. */
void connection_answer_large(struct connection *connection, struct outbox *outbox, struct outbox_item *item,
                             struct response *response);

/* From now on connection_accept() returns once it is interrupted. Async-signal-safe. */
void request_shutdown(void);

#endif
