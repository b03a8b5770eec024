/*
 * One HTTP request and its answer, and the FastCGI connection they come over.
 *
 * The only file that includes libfcgi. A connection is used by one thread at a time; nginx
 * may send several requests over it, one after the other.
 */
#ifndef VIGIE_FCGI_REQUEST_H
#define VIGIE_FCGI_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/comm.h"
#include "common/text.h"
#include "common/wire.h"
#include "fcgi/budget.h"
#include "fcgi/media.h"

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
struct response;

/* How a request is handled that takes its time. */
struct later {
	/* From the thread that handles it: this is going to wait, and another is to read requests meanwhile. */
	void (*wait)(struct later *later);
	/* From the thread that handles it: it will wait for long, and among many: its strings and its body are gone from now
	 * on, whether it is answered later or at once. NULL: there is nothing to be given back. */
	void (*set_aside)(struct later *later);
	/* Sends the answer, once and from any thread, as response->is_later has promised. */
	void (*answer)(struct later *later, const struct response *response);
};

/* Borrowed until the request is answered. */
struct request {
	const char *method;
	const char *path;  /* normalised and decoded by nginx */
	const char *query; /* as it was sent, "" when there is none */
	const char *authorization; /* the header's value, "" when there is none */
	const char *token; /* likewise, of X-Vigie-Token */
	const char *host; /* likewise */
	const char *accept; /* likewise */
	enum wire_service service; /* that it comes from, as it says */
	bool stopped;      /* it says that it is */
	size_t content_length; /* of its body, as it is declared */
	int64_t waited_ms; /* since nginx had all of it, which it says by the same wall clock; 0: not known */
	bool only_asks;   /* whether it would be admitted: nginx asks before it takes a body */

	/* What routes_admit() has found. */
	const struct route *route;
	const char *route_rest; /* of the path, behind the route's name; "" where there is none */

	enum media media; /* what it wants, once its parameters are read */

	bool has_place; /* it is inside the service's gate until its answer is sent */
	struct later *later; /* NULL: it has to be answered at once */

	/* Not before connection_read_body(). */
	char *body; /* body_length bytes and a NUL; may be changed; gone once the request has been handled */
	size_t body_length;
	enum request_body body_state;
};

struct response {
	bool is_later; /* the request is answered by its `later`, and is not to be touched any more: nothing else here counts */
	int status;
	const char *content_type; /* a constant */
	const char *allow;        /* the Allow header; NULL: none */
	bool authenticate;        /* the WWW-Authenticate header: a bearer token is wanted */
	int refusal;              /* of one that only asks: the status that it is told, with the body, in headers; 0: none */
	int retry_after_s;        /* the Retry-After header; 0: none */
	const char *state;        /* the header WIRE_STATE, a constant; NULL: none */
	const char *accept;       /* the header WIRE_ACCEPT, a constant, with WIRE_RESOURCES; NULL: none */
	bool varies;              /* the header Vary: another Accept has another answer */
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

/* A response with nothing in it. */
#define RESPONSE_NEW ((struct response){ .status = 200, .content_type = "application/json" })

/* Once, before any other call. Undoes what libfcgi does to the signals. 0 or -ENOTSOCK when descriptor 0 is no listening socket. */
int request_init(void) __attribute__((warn_unused_result));

/* From now on no thread of libfcgi's waits for connections. Async-signal-safe. */
void request_shutdown(void);

/* What a thread reads bodies into. Zeroed, and then with budget_share.part BUDGET_BODIES, it is empty. */
struct body_room {
	char *body; /* kept from request to request */
	size_t capacity;
	struct text inflated; /* likewise, of bodies that are gzip */
	struct budget_share share; /* of the body, whichever it is */
};

/* Gives back what a body held, but for buffers of a usual size. */
void body_room_give_back(struct body_room *room);
void body_room_free(struct body_room *room);

struct connection;

/* Waits for the next connection on descriptor 0. Takes it; 0 or a negative errno. */
int connection_accept(struct connection **ret_connection) __attribute__((warn_unused_result));

/* Closes it at once, whatever is under way. Accepts NULL. */
void connection_close(struct connection *connection);

/* Its descriptor, which is readable once a request comes, or the other side has gone. */
int connection_fd(const struct connection *connection);

/* Reads the head of the request that has come, which fills *ret_request but for its body. 0, or -ECONNRESET: the other
 * side has gone, has talked nonsense or was too slow, and the connection is to be closed. */
int connection_read_head(struct connection *connection, struct request *ret_request) __attribute__((warn_unused_result));

/* Reads the request's body, up to `max_body` bytes; gzip is inflated on the way, and counts as
 * what it becomes. It is in `room`. 0, -ENOMEM, or -ENOBUFS of the budget. */
int connection_read_body(struct connection *connection, struct body_room *room, size_t max_body, struct request *request)
	__attribute__((warn_unused_result));

/* Gives back all that the request holds but for its place on the connection: its strings are gone. */
void connection_set_aside(struct connection *connection);

/* Sends the answer and ends the request. A body that was not read is thrown away. False: the connection was closed, and
 * is to be closed here. */
bool connection_answer(struct connection *connection, bool with_body, const struct response *response)
	__attribute__((warn_unused_result));

/* The same, but for an answer that is large, and has its place in the outbox: what it sends belongs to
 * that from now on, and *response is as if it were new. The connection is to be closed. */
void connection_answer_large(struct connection *connection, struct outbox *outbox, struct outbox_item *item,
                             struct response *response);

#endif
