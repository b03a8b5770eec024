/*
 * The server's REST interface as vigie-alert uses it: GET latest, GET silences, GET forecasts, GET oom-kills, GET hosts,
 * PUT save-alarms.
 *
 * One thread uses an uplink. Requests wait for their answer, at most `timeout_ms`.
 * The forecasts, the silences, who sees a part and what was killed have a connection and a time of their own, so that one
 * that hangs disturbs no other.
 */
#ifndef VIGIE_ALERT_UPLINK_H
#define VIGIE_ALERT_UPLINK_H

#include <stdbool.h>
#include <stdint.h>

#include "alert/forecasts.h"
#include "alert/hostnames.h"
#include "alert/latest.h"
#include "alert/partial.h"
#include "alert/silences.h"
#include "alert/states.h"
#include "common/text.h"

struct uplink;

/* `url` is that of the REST interface, copied as `token` is ("": none is sent) and `proxy`, as in
 * client_open(). `forecasts_ms` bounds each request of uplink_forecasts(),
 * uplink_silences() and uplink_partial(). NULL: out of memory. */
struct uplink *uplink_open(const char *url, const char *token, const char *proxy, int64_t timeout_ms,
                           int64_t forecasts_ms);
void uplink_close(struct uplink *uplink);

/* As client_trust(). */
bool uplink_trust(struct uplink *uplink, const char *ca_file) __attribute__((warn_unused_result));

/*
 * Asks for the latest samples. Returns 0 with an answer to be freed with
 * latest_free(); an error of http_request(), -EREMOTEIO for a status other than
 * 200, -EBADMSG for a body that is no answer or -ENOMEM, with a sentence in
 * `ret_error`.
 */
int uplink_latest(struct uplink *uplink, struct latest *ret_latest, struct text *ret_error)
	__attribute__((warn_unused_result));

/* Asks whom the kernels of the hosts have killed in the last STATES_KILLS_MS. Returns 0 with an answer to be freed with
 * kills_free(); -ENODATA from a server of an earlier version, which does not know; or an error of uplink_latest() with a
 * sentence in `ret_error`. */
int uplink_kills(struct uplink *uplink, struct kills *ret_kills, struct text *ret_error)
	__attribute__((warn_unused_result));

/* Asks which hosts' collectors see only a part of their processes, over what was known `before`: 0 with an answer to be freed
 * with partial_free(), or an error of uplink_latest(), with a sentence in `ret_error`. */
int uplink_partial(struct uplink *uplink, const struct partial *before, struct partial *ret_partial, struct text *ret_error)
	__attribute__((warn_unused_result));

/* Asks for the silences: 0 with an answer to be freed with silences_free(), of a server that knows none, too; or an error of
 * uplink_latest(), with a sentence in `ret_error`. */
int uplink_silences(struct uplink *uplink, struct silences *ret_silences, struct text *ret_error)
	__attribute__((warn_unused_result));

/*
 * Asks for the forecasts, and, where there are none, whether vigie-forecast is alive. Returns 0
 * with an answer to be freed with forecasts_free(), which may be empty; -ENODATA when
 * vigie-forecast is away; or an error of uplink_latest(); with a sentence in `ret_error`.
 */
int uplink_forecasts(struct uplink *uplink, struct forecasts *ret_forecasts, struct text *ret_error)
	__attribute__((warn_unused_result));

/* Asks what the hosts are called. 0 with names to be freed with hostnames_free(); the errors of uplink_latest(). */
int uplink_hostnames(struct uplink *uplink, struct hostnames *ret_names, struct text *ret_error)
	__attribute__((warn_unused_result));

/*
 * Reports the alarms that stand, and those that have ended since
 * states_reported(); nothing to report is reported too, as a sign of life.
 * The errors of uplink_latest(); what came
 * before a failure has then been stored, which a repetition does not harm.
 */
int uplink_save_alarms(struct uplink *uplink, const struct states *states, struct text *ret_error)
	__attribute__((warn_unused_result));

/* Reports that vigie-alert is there, and nothing else. The errors of uplink_latest(). */
int uplink_save_rest(struct uplink *uplink, struct text *ret_error) __attribute__((warn_unused_result));

/* Whether the server wants vigie-alert to be stopped, as its last answer but those to uplink_forecasts() has it. */
bool uplink_is_stopped(const struct uplink *uplink);

#endif
