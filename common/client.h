/*
 * The server's REST interface, as the services that ask it use it.
 *
 * One thread uses a client. Requests wait for their answer, at most `timeout_ms`, and not when
 * the program is told to end.
 */
#ifndef VIGIE_COMMON_CLIENT_H
#define VIGIE_COMMON_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/text.h"
#include "common/wire.h"

struct client;

/* Reads the token that is sent with each request; "" for the path "". 0, or an error of
 * secret_read() with a sentence. */
int client_read_token(const char *section, const char *path, struct text *ret_token, struct text *ret_error)
	__attribute__((warn_unused_result));

/* `service` is who asks; `url` is that of the REST interface, copied as `token` is ("": none is sent) and `proxy`, which
 * is as in proxy_choose(). NULL: out of memory. */
struct client *client_open(enum wire_service service, const char *url, const char *token, const char *proxy,
                           int64_t timeout_ms);
void client_close(struct client *client);

/* Trusts the certificates in a file, copied, in the place of the system's ("": those). False: out of memory. */
bool client_trust(struct client *client, const char *ca_file) __attribute__((warn_unused_result));

/*
 * GET of `path`, which is relative to the URL and may have a query. Returns 0 with the
 * answer's body, borrowed until the next request, its data never NULL; an error of
 * http_send(), or -EREMOTEIO for a status other than 200, with a sentence in
 * `ret_error`.
 */
int client_get(struct client *client, const char *path, const struct text **ret_body, struct text *ret_error)
	__attribute__((warn_unused_result));

/* PUT of `body`, which is JSON. The errors of client_get(), and the text's own. */
int client_put(struct client *client, const char *path, const struct text *body, struct text *ret_error)
	__attribute__((warn_unused_result));

/* The status of the last answer; 0: there was none. */
long client_status(const struct client *client);

/* Whether the server's last answer wants the service to stop (http_is_to_stop()). Its requests say so from then on. */
bool client_is_stopped(const struct client *client);

/* Appends the sentence on an answer of the last client_get() that is `wrong`. */
void client_blame(const struct client *client, const char *wrong, struct text *ret_error);

#endif
