/*
 * An HTTP client: one handle, one connection kept, one request at a time.
 *
 * The only file that includes libcurl. A handle belongs to one thread at a time. Redirects are told, and not
 * followed: a body and a token are for the server that was named.
 * Bodies of answers are cut off with an error at HTTP_ANSWER_MAX.
 */
#ifndef VIGIE_COMMON_HTTP_H
#define VIGIE_COMMON_HTTP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/text.h"
#include "common/wire.h"

enum { HTTP_ANSWER_MAX = 1 << 30 }; /* bytes */

struct http;

struct http_answer {
	long status;          /* of HTTP */
	int64_t retry_after_s; /* of the Retry-After header, perhaps cut to six hours; -1: none */
	int64_t date_s;        /* of the Date header, since 1970; -1: none */
	enum http_state {
		HTTP_STATE_UNSAID,
		HTTP_STATE_RUN,
		HTTP_STATE_STOP,
	} state;               /* of its header WIRE_STATE */
	int resources; /* what its header WIRE_RESOURCES says; 0: nothing */
	bool offers_processes; /* WIRE_ACCEPT_PROCESSES is what its header WIRE_ACCEPT says */
	struct text body;     /* the caller keeps it from request to request and frees it */
};

/* Takes the next bytes of a body. 0, or a negative errno that ends the request. */
typedef int http_sink(void *user, const char *bytes, size_t length);

/* After the last bytes: 0, or a negative errno where something is missing. */
typedef int http_sink_end(const void *user);

/* Gives the next bytes of a body that is sent, as many as there are up to `size`; or a negative errno that ends the request. */
typedef long http_source(void *user, char *buffer, size_t size);

/* What is sent. Where a pointer may be NULL or "", the thing is left out. */
struct http_message {
	const char *method, *url;
	const char *body; /* body_length bytes; NULL: none */
	size_t body_length;
	http_source *source; /* gives the body_length bytes of the body, in the place of `body`; */
	void (*source_rewind)(void *source_user); /* it is to begin again */
	void *source_user;
	bool gzip; /* the body is sent compressed, and said to be */
	const char *content_type;   /* NULL: application/json */
	const char *accept;
	const char *authorization;  /* the header's whole value */
	enum wire_service service;  /* that asks, and … */
	bool stopped;               /* … the state that it is in; nothing is said of WIRE_NOBODY */
	const char *user, *password; /* HTTP's basic authentication */
	const char *ca_file; /* of certificates to trust, PEM; none: the system's */
	const char *proxy;   /* as in proxy_choose() */
	const char *own_ip;  /* it is sent from this address of ours alone; "": it is not known yet; NULL: from any */
	http_sink *sink;     /* takes the body of an answer of status 200 to 299 in the place of `body` */
	http_sink_end *sink_end; /* NULL: any end is one */
	void *sink_user;
	int64_t timeout_ms; /* of this request alone; 0: the handle's */
	const atomic_bool *cancel; /* another thread sets it: the request ends within a second or so */
	bool stoppable;     /* it ends within a second or so when SIGTERM or SIGINT comes, which its thread has blocked */
};

/* `timeout_ms` bounds a whole request. NULL: out of memory. */
struct http *http_open(int64_t timeout_ms);
void http_close(struct http *http);

/*
 * Sends one request and waits for its answer, whatever its status. Returns 0; or
 * -ECONNREFUSED, -ETIMEDOUT, -EINVAL (no URL), -EMSGSIZE, -ENOMEM, -ECANCELED (stopped) or -EIO
 * when there was no whole answer, with a sentence in http_error(); or what the sink, its end or the source returned.
 * -EADDRNOTAVAIL: nothing was sent, since the connection has another own address than the
 * message's: it is http_own_ip() now.
 */
int http_send(struct http *http, const struct http_message *message, struct http_answer *ret_answer)
	__attribute__((warn_unused_result));

/* Whether a service is to stop that was (`stopped`) or was not, as an answer has it: one of success that does not say it
 * means that it is to run, and one that is an error, which need not be the application's, nothing. */
bool http_is_to_stop(const struct http_answer *answer, bool stopped);

/* The same for JSON without more. `body` may be NULL. */
int http_request(struct http *http, const char *method, const char *url, const char *body, size_t body_length,
                 struct http_answer *ret_answer) __attribute__((warn_unused_result));

/* Why libcurl can make no request to a URL, whatever its scheme; a constant. NULL: it can. Pure
 * but for memory. */
const char *http_url_fault(const char *url);

/* Appends the host of a URL as libcurl understands it: "127.1" is 127.0.0.1, and IPv6 is in brackets. False: it has
 * none, or no memory. */
bool http_url_host(const char *url, struct text *ret_host);

/* Appends a string as it may stand in the query of a URL or in a form. */
void http_append_escaped(struct text *text, const char *string);

/* Why the last request failed; borrowed until the next one. */
const char *http_error(const struct http *http);

/* Appends what a line on a failure of the last request is to say beside http_error(), or the status: ", to URL, which is
 * not followed" where it was redirected, with the URL that the server then has where `path` (NULL: that is not known)
 * was appended to it; and ", through the proxy URL". Nothing where neither is so. */
void http_append_redirect(const struct http *http, const char *path, struct text *text);
void http_append_proxy(const struct http *http, struct text *text);

/* Whether the last request went through a proxy. */
bool http_is_proxied(const struct http *http);

/* Our own address on the connection of the last request that was answered, which may be one to a proxy;
 * false before the first. */
bool http_own_ip(const struct http *http, char ret_ip[static WIRE_IP_SIZE]);

/* Whether the peer of that connection is this machine: a loopback address, or our own; false where it is a proxy. */
bool http_peer_is_local(const struct http *http);

#endif
