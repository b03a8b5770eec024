/*
 * What vigie-fcgi does, apart from how requests come and where samples are kept:
 * one handler an endpoint, called by the routes with the parameters parsed.
 *
 * Any thread may call a handler. A handler fills the response, which comes with
 * status 200 and an empty body of JSON. Handlers that read the store are called by
 * service_read() alone.
 */
#ifndef VIGIE_FCGI_SERVICE_H
#define VIGIE_FCGI_SERVICE_H

#include "common/config.h"
#include "fcgi/parameters.h"
#include "fcgi/request.h"
#include "fcgi/store.h"
#include "fcgi/tokens.h"

struct service;

/* Checks what the option table cannot: 0 or a negative errno with a sentence. */
int service_check(const struct config *config, struct text *ret_error) __attribute__((warn_unused_result));

/* Opens the store that the configuration, which has been checked, names, and its tokens;
 * `threads` of the pool will call. 0 or the store's negative errno, or what tokens_open()
 * says (logged). */
int service_open(const struct config *config, unsigned threads, struct service **ret_service)
	__attribute__((warn_unused_result));

/* No handler may be running. Accepts NULL. */
void service_close(struct service *service);

/* Takes the limits and the tokens of a reloaded configuration; the store stays as it is,
 * and so do the tokens where their files are not right (logged). */
void service_reload(struct service *service, const struct config *config);

/* How far back a window may reach, milliseconds. */
int64_t service_max_window_ms(const struct service *service);

/* Whether the request's Host names this server. False: the response says 421; that is logged once. */
bool service_knows_host(struct service *service, const struct request *request, struct response *response)
	__attribute__((warn_unused_result));

/* The state that a service is to be in, WIRE_RUN or WIRE_STOP; while the store has not told, the one that it says it is in.
 * `ip` is a collector's host, NULL where it is not known: WIRE_STOP then where any is to stop. NULL: nobody asks. */
const char *service_wish(struct service *service, enum wire_service asking, bool stopped, const char *ip);

/* Whether `path` is that of a command, "services/<service>/<start|stop>" without "services/". */
bool service_is_command(const char *path);

/* Whether the request's token gives a right; without a file of admin tokens nobody has that one. False: the response says
 * 401 or 403. */
bool service_authorize(struct service *service, enum tokens_right right, const struct request *request,
                       struct response *response) __attribute__((warn_unused_result));

/* Appends what GET metrics says of the present moment, as Prometheus text. */
void service_append_gauges(struct service *service, struct text *text);

/* Whether what a PUT has for the store would be taken now: not where it has waited for its turn, or would for the store, so
 * long that its sender may have given up before it is stored. False: *response is why not. */
bool service_takes_samples(struct service *service, const struct request *request, struct response *response)
	__attribute__((warn_unused_result));

typedef void service_handler(struct service *service, const struct parameters *parameters, struct request *request,
                             struct response *response);

/* Answers a read of the store with another's answer to the same request, as
 * shared_reads.h has it, or by the handler, inside the gate. */
void service_read(struct service *service, service_handler *handler, const struct parameters *parameters,
                  struct request *request, struct response *response);

/* Where nothing was found for a name that is longer than the kernel's: the answer gets a hint, and the log a line, of so
 * many names, once each. A name that others have sent, or collectors by another `name =`, is found. */
void service_hint(struct service *service, const struct parameters *parameters, struct response *response);

/* After a request's answer was sent: gives back its place in the gate, if it still has one. */
void service_sent(struct service *service, struct request *request);

service_handler service_save_all, service_save_alarms, service_save_forecasts; /* service_write.c */
service_handler service_get_all, service_get_all_detailed, service_latest; /* service_read.c */
service_handler service_query_alarm, service_alarms, service_oom_kills; /* service_alarms.c */
service_handler service_forecasts;                                 /* service_forecasts.c */
service_handler service_hosts, service_health;                     /* service_status.c */
service_handler service_services, service_command;                 /* service_wishes.c */
service_handler service_processes;                                 /* service_processes.c */
service_handler service_silences, service_silence, service_unsilence; /* service_silences.c */

#endif
