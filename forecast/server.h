/*
 * The server's REST interface as vigie-forecast uses it: GET hosts and get-all-detailed,
 * PUT save-forecasts.
 *
 * One thread uses a server. Requests wait for their answer as those of a client do. The
 * errors of the functions are those of client_get() and client_put(), -EBADMSG for an
 * answer that is none and -ENOMEM, each with a sentence in `ret_error`.
 */
#ifndef VIGIE_FORECAST_SERVER_H
#define VIGIE_FORECAST_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/text.h"
#include "common/wire.h"
#include "forecast/history.h"

struct server;

/* `url` is that of the REST interface, copied as `token` is ("": none is sent). NULL: out
 * of memory. */
struct server *server_open(const char *url, const char *token, int64_t timeout_ms);
void server_close(struct server *server);

struct server_hosts {
	char (*ips)[WIRE_IP_SIZE];
	size_t count;
};

/* The hosts that the server knows of; to be freed with server_hosts_free(). */
int server_hosts(struct server *server, struct server_hosts *ret_hosts, struct text *ret_error)
	__attribute__((warn_unused_result));
void server_hosts_free(struct server_hosts *hosts);

/* Asks for what the query says, as of `now_ms`, and gives each series to the reader. What
 * the reader returned is an error of this, too. */
int server_history(struct server *server, const struct history_query *query, int64_t now_ms,
                   const struct history_reader *reader, struct text *ret_error) __attribute__((warn_unused_result));

/* Whether the last request was answered 400: the same one will always be. */
bool server_refused(const struct server *server);

struct forecast {
	const char *ip, *process;
	enum resource resource;
	double probability;  /* 0 to 1 */
	double forecast;     /* percent, finite */
	int64_t expected_ms; /* when the limit will be passed; negative: it is not expected to be */
};

/* Reports forecasts: begin, add each, end. They go in requests of bounded size, at least one,
 * as a sign of life; after an error the rest need not be added. */
void server_forecasts_begin(struct server *server);
int server_forecasts_add(struct server *server, const struct forecast *forecast, struct text *ret_error)
	__attribute__((warn_unused_result));
int server_forecasts_end(struct server *server, struct text *ret_error) __attribute__((warn_unused_result));

#endif
