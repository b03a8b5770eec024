/*
 * The service: at each refresh it asks for the newest buckets of all series, follows those
 * that exceed [forecast] above, lets each one's forecaster learn from the steps that are
 * complete, predicts, and reports the forecasts.
 *
 * A series is behind until its history has been read: all of a host's at the start and
 * after a gap, one by one when they appear later. That is done a request or two at a
 * time, between refreshes, so that signals and refreshes do not wait.
 *
 * What fails is logged once and tried again. One thread uses a service.
 */
#ifndef VIGIE_FORECAST_SERVICE_H
#define VIGIE_FORECAST_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/config.h"
#include "common/text.h"
#include "common/wire.h"

struct service;

enum { SERVICE_READS_MAX = 50 }; /* series whose history is read one by one, a refresh */

/* Checks what the option table cannot: 0 or a negative errno with a sentence. `source` is the
 * file's name for messages, NULL without a file. `strictly`: what a service would make do with is
 * wrong, too. */
int service_check(const struct config *config, const char *source, bool strictly, struct text *ret_error)
	__attribute__((warn_unused_result));

/* `config` is not kept. 0 or a negative errno with a sentence; no request is made, and the
 * model is the one built in. */
int service_open(const struct config *config, const char *source, int64_t now_ms, struct service **ret_service,
                 struct text *ret_error) __attribute__((warn_unused_result));
void service_close(struct service *service);

/* Takes the model in the file at `path` ("": the one built in), before any series is there. A
 * failure is logged, and the present one stays. */
void service_read_model(struct service *service, const char *path);

/* Locks the state, and reads what was learnt before; a broken file is moved aside. Logs what fails. False: another
 * process uses it, or there is a file that can neither be read nor moved, which must not be lost. */
bool service_read_state(struct service *service) __attribute__((warn_unused_result));

/* Takes another configuration and its model, where that is not broken; all histories are then
 * read anew, and what was learnt is kept. On failure, with a sentence, all stays as it was. */
int service_reload(struct service *service, const struct config *config, const char *source, int64_t now_ms,
                   struct text *ret_error) __attribute__((warn_unused_result));

/*
 * Takes a reading of the clocks; what was learnt was read before. False while the wall clock is doubted, since it
 * has jumped: what it says is then no time to refresh or to read at, since a wrong step cannot be taken back.
 * The log says it once. When a time that was doubted is borne out, all histories are read anew.
 */
bool service_trusts_clock(struct service *service, struct moment now) __attribute__((warn_unused_result));

/* What is to be done at a boundary, a little after it. */
void service_refresh(struct service *service, int64_t boundary_ms, int64_t now_ms);

/* Whether some history is to be read now; and reads a host's or a series'. */
bool service_reads(const struct service *service);
void service_read_next(struct service *service, int64_t now_ms);

/* Writes what has been learnt, if any of it is new. */
void service_save(struct service *service);

/* For a service that was just opened, in the place of refreshes: appends what is expected of one
 * series now, and why, as its history and what was learnt of it have it. It need not be over
 * [forecast] above. Writes nothing. 0 or a negative errno with a sentence. */
int service_explain(struct service *service, const char *ip, const char *process, enum resource resource, int64_t now_ms,
                    struct text *text, struct text *ret_error) __attribute__((warn_unused_result));

/* Appends what it has done, for the log. */
void service_describe(const struct service *service, struct text *text);

#endif
