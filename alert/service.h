/*
 * The service: in each round it asks for the newest samples, the silences and the forecasts, judges them by the
 * rules, writes a line for each transition, has the hook run and reports what stands.
 *
 * What is RED now comes first: its lines are written, and the state is saved, before the
 * forecasts are asked for, so that a server that hangs on these delays no line of a RED. The silences, which say who is to
 * be told, and whom the kernels have killed come before it: one that hangs on them delays it by half an interval at most.
 *
 * alert/service_round.c has a round; whoever is told of a transition beside the log is told in its tell_channels().
 * alert/service_channels.c has whoever that is.
 *
 * The server may have it stopped (common/wire.h): a round then is a sign of life alone, whose answer says whether it
 * still is to be.
 *
 * It owns all that it is made of, and keeps nothing of a configuration. What fails in a round is
 * logged once, and once when it works again. One thread uses a service.
 */
#ifndef VIGIE_ALERT_SERVICE_H
#define VIGIE_ALERT_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/config.h"
#include "common/text.h"

struct service;

/* Checks what the option table cannot: 0 or a negative errno with a sentence. `source` is the
 * file's name for messages, NULL without a file. `strictly`: what a service would make do with is
 * wrong, too. */
int service_check(const struct config *config, const char *source, bool strictly, struct text *ret_error)
	__attribute__((warn_unused_result));

/* Goes on from the state that it finds, or begins without: a broken one is moved aside. No request
 * is made. 0 or a negative errno with a sentence; what it can do without (the hook's program, room
 * on the disk for the state) is logged. */
int service_open(const struct config *config, const char *source, struct service **ret_service,
                 struct text *ret_error) __attribute__((warn_unused_result));

/* What the hook runs gets a moment to end (alert/hook.h). */
void service_close(struct service *service);

/* Takes another configuration, or the same one anew: the log is opened again, the token read.
 * Whatever of it fails is logged, stays as it was, and keeps nothing else from being taken. */
void service_reload(struct service *service, const struct config *config, const char *source);

/*
 * One round of the tick at `boundary_ms`, at the wall clock's `now_ms`. A round that is `patient` waits for hosts whose
 * samples of the tick have not come (states_await()), and for an answer: false then, nothing is judged, and it is to be
 * tried again.
 */
bool service_evaluate(struct service *service, int64_t boundary_ms, int64_t now_ms, bool patient);

/* Logs how many hosts it knows, and what stands. */
void service_log_counts(const struct service *service);

/* Writes the lines that wait, and the state. */
void service_save(struct service *service);

#endif
