/*
 * The service: at each tick it takes a reading of /proc, makes values of it, filters them and
 * hands them to the sender; when their moment has come it has them sent.
 *
 * While the server has it stopped nothing is measured, and a tick is a sign of life.
 *
 * Ticks are on the boundaries of the server's clock where that is not this machine's
 * (sender_judge()). What fails is logged once and tried again at the next tick. One thread uses a
 * service.
 */
#ifndef VIGIE_COLLECTOR_SERVICE_H
#define VIGIE_COLLECTOR_SERVICE_H

#include <stdint.h>

#include "common/config.h"
#include "common/text.h"

struct service;

/* Checks what the option table cannot: 0 or -EINVAL with a sentence. */
int service_check(const struct config *config, struct text *ret_error) __attribute__((warn_unused_result));

/* Takes the first reading, which the first tick's values are counted from, and plans that tick.
 * `config` is borrowed until another is taken or the service closed. 0 or a negative errno with a
 * sentence. */
int service_open(const struct config *config, struct service **ret_service, struct text *ret_error)
	__attribute__((warn_unused_result));
void service_close(struct service *service);

/* Takes another configuration; what waits for the server goes on waiting. What cannot be had of it
 * is logged, and stays as it was; the timer until the next tick that finds another one. */
void service_reload(struct service *service, const struct config *config);

/* Readable when it is time for service_take_tick(); another one after a reload. */
int service_timer_fd(const struct service *service);

/* Measures, where a tick is due; service_timer_fd() may be another one then. */
void service_take_tick(struct service *service);

/* How long to wait until service_send() is due; -1: nothing is to be sent. */
int64_t service_wait_ms(const struct service *service);

/* How long to wait until service_listen() is due; -1: it never is. */
int64_t service_listen_ms(const struct service *service);

/* Takes what the kernel has told of processes that ended, where it is due, so that its buffer does not overflow. */
void service_listen(struct service *service);

/* Sends the values of the last tick, and some of what waits; logs the counters once an hour. */
void service_send(struct service *service);

/* One last attempt for what is on no disk; logs what is lost, and the counters. */
void service_flush(struct service *service);

/* Logs what has become of the samples. */
void service_log_counters(struct service *service);

#endif
