/*
 * The server's REST interface as vigie-forecast uses it: GET hosts and get-all-detailed,
 * PUT save-forecasts.
 *
 * One thread uses an uplink. Requests wait for their answer as those of a client do. The
 * errors of the functions are those of client_get() and client_put(), -EBADMSG for an
 * answer that is none and -ENOMEM, each with a sentence in `ret_error`.
 */
#ifndef VIGIE_FORECAST_UPLINK_H
#define VIGIE_FORECAST_UPLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/text.h"
#include "common/wire.h"
#include "forecast/forecaster.h"
#include "forecast/history.h"

struct uplink;

/* `url` is that of the REST interface, copied as `token` is ("": none is sent) and `proxy`, as in
 * client_open(). NULL: out of memory. */
struct uplink *uplink_open(const char *url, const char *token, const char *proxy, int64_t timeout_ms);
void uplink_close(struct uplink *uplink);

/* As client_trust(). */
bool uplink_trust(struct uplink *uplink, const char *ca_file) __attribute__((warn_unused_result));

struct uplink_hosts {
	char (*ips)[WIRE_IP_SIZE];
	size_t count;
};

/* The hosts that the server knows of; to be freed with uplink_hosts_free(). */
int uplink_hosts(struct uplink *uplink, struct uplink_hosts *ret_hosts, struct text *ret_error)
	__attribute__((warn_unused_result));
void uplink_hosts_free(struct uplink_hosts *hosts);

/* Asks for what the query says, as of `now_ms`, and gives each series to the reader. What
 * the reader returned is an error of this, too. */
int uplink_history(struct uplink *uplink, const struct history_query *query, int64_t now_ms,
                   const struct history_reader *reader, struct text *ret_error) __attribute__((warn_unused_result));

/* Whether the last request was answered 400: the same one will always be. */
bool uplink_refused(const struct uplink *uplink);

struct forecast {
	const char *ip, *process;
	enum resource resource;
	double probability;  /* 0 to 1 */
	double value;        /* percent, finite: the highest expected within the horizon */
	int64_t expected_ms; /* when the limit will be passed; negative: it is not expected to be */
	int64_t full_ms;     /* the same within the long horizon */
	double limit;        /* percent; 0: it is not told, nor is the horizon */
	int64_t horizon_ms;
	bool explained;      /* why is told: */
	double climb;        /* as in struct prediction */
	const struct forecaster_part *parts; /* parts[part_count] */
	size_t part_count;
};

/* Reports forecasts: begin, add each, end. They go in requests of bounded size, at least one,
 * as a sign of life; after an error the rest need not be added. One with a number that the server
 * does not take is left out. */
void uplink_forecasts_begin(struct uplink *uplink);
int uplink_forecasts_add(struct uplink *uplink, const struct forecast *forecast, struct text *ret_error)
	__attribute__((warn_unused_result));
int uplink_forecasts_end(struct uplink *uplink, struct text *ret_error) __attribute__((warn_unused_result));

/* Whether the server wants vigie-forecast to be stopped, as its last answer has it. */
bool uplink_is_stopped(const struct uplink *uplink);

#endif
