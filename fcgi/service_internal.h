/* What the files of the service share among themselves. */
#ifndef VIGIE_FCGI_SERVICE_INTERNAL_H
#define VIGIE_FCGI_SERVICE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "common/sure_clock.h"
#include "fcgi/gate.h"
#include "fcgi/collectors.h"
#include "fcgi/csv.h"
#include "fcgi/hosts.h"
#include "fcgi/reasons.h"
#include "fcgi/service.h"
#include "fcgi/shared_reads.h"
#include "fcgi/silences.h"
#include "fcgi/wishes.h"
#include "fcgi/writer.h"

enum {
	INTERVALS_FRESH = 3, /* what is older than so many intervals, or refreshes of forecasts, is not the latest */
	SERVICE_AHEAD_MS = STORE_AHEAD_MS, /* how far ahead of our clock a sample may be */
	SERVICE_LONG_NAMES = 16, /* that the log tells of */
};

/* What a service that reports to this one has said of its state. */
enum said_state { SAID_NOTHING, SAID_RUN, SAID_STOP };

/* When a service that reports to this one last did so. */
struct sign_of_life {
	atomic_int said; /* enum said_state */
	atomic_llong wall_ms;      /* for people; 0: never */
	atomic_llong monotonic_ns; /* to judge by */
};

struct service {
	const struct store_ops *ops;
	struct store *store;
	struct writer *writer;
	struct gate gate; /* of the requests that call the store */
	struct shared_reads *reads;
	struct tokens *tokens;
	struct hosts *hosts;
	atomic_flag misdirected; /* a request for another host came, and that was logged */
	atomic_bool comms; /* collectors send no names that are longer than the kernel's */
	atomic_uint long_names[SERVICE_LONG_NAMES]; /* hashes of those that were asked for in vain and logged; 0: none */
	struct collectors *collectors;
	pthread_mutex_t clock_lock;
	struct sure_clock clock; /* see service_certain_ms() */
	int64_t started_ns;
	atomic_llong interval_ms; /* of collectors that do not say theirs, and of the alert service */
	atomic_bool intervals_known; /* the store has been asked for those that the collectors had */
	atomic_llong refresh_ms; /* of the forecasts */
	atomic_llong max_points;
	struct sign_of_life alert, forecast; /* as their save-alarms and save-forecasts tell */
	struct reasons *reasons;
	struct wishes *wishes;
	struct silences *silences;
	struct keeper *keeper;
};

/* Enters the gate with a request that calls the store, until gate_leave(). False: the
 * response says 503. */
bool service_enter_store(struct service *service, enum gate_kind kind, struct response *response);

/* Whether there is memory for what the answer has become so far. False: it says 503 now.
 * Cheap: for each of the series that it is made of. */
bool service_has_room(struct response *response);

/* Counts the time of a read since `start_ns`. False: the response says what went wrong. */
bool service_check_read(struct service *service, int result, int64_t start_ns, struct response *response);

/* Answers for a store that has failed with `result`. */
void service_answer_failure(int result, struct response *response);

/* The wall clock, as far as it is certain since the start: what is far ahead of it was stored by a clock that was wrong. */
int64_t service_certain_ms(struct service *service);

/* A query of the span (from, to], with the parameters that every read has, which are borrowed. */
struct query service_query(const struct service *service, const struct parameters *parameters, enum metric metric,
                           int64_t from_ms, int64_t to_ms);

/* The resources the parameters ask for; those with limits unless one is given. */
bool service_wants(const struct parameters *parameters, enum resource resource);

/* The metric in which their usage is. */
enum metric service_usage(const struct parameters *parameters);

/* ---- service_write.c ---- */

/* Whether a body is there to be read. False: the response says why. */
bool service_check_body(const struct request *request, struct response *response);

/* Answers for a body that could not be parsed. */
struct body_error;
void service_answer_refusal(int result, const struct body_error *error, struct response *response);

/* ---- service_states.c ---- */

/* Notes that a service has reported now. */
void service_note_life(struct sign_of_life *sign, enum said_state said);

/* What an alert service has said that has reported within three intervals, a forecast service within three refreshes:
 * "run", "stop", or "unsupported" where it says nothing of it; "unknown": it has not reported. */
const char *service_alert_state(const struct service *service);
const char *service_forecast_state(const struct service *service);

/* Whether a state is that of a service which does its work. */
bool service_state_works(const char *state);

/* How old the newest sign of a host may be that is not silent, milliseconds; `interval_ms` is its own, 0: not known. */
int64_t service_patience_ms(const struct service *service, int64_t interval_ms);

/* ---- service_latest.c ---- */

/* Each series' newest sample of a metric that is at `now_ms` no older than three intervals: of usage, its host's;
 * of what the forecast service says, its refresh; else server.interval. Sorted by host and process.
 * False: the response says what went wrong. */
bool service_read_latest(struct service *service, const struct parameters *parameters, enum metric metric,
                         int64_t now_ms, struct store_rows *ret_rows, struct response *response);

/* ---- service_answer.c ---- */

/* The columns of rows of samples. */
#define SERVICE_COLUMNS "time,ip,process,resource,value"

/* Begins an answer in the form that is asked for. True: in rows of CSV with these columns, to be written with `ret_csv`.
 * False: in JSON, with the bracket `opening`. */
bool service_begin_answer(const struct parameters *parameters, char opening, const char *columns, struct csv *ret_csv,
                          struct response *response);

/* The first four cells of a row, "time,ip,process,resource". The host of a key without one is that which is asked for; where
 * none is, it is empty: of all hosts. */
void service_begin_row(struct csv *csv, int64_t time_ms, const struct parameters *parameters, const struct series_key *key,
                       enum resource resource);

/* A row of SERVICE_COLUMNS for each resource of a row of the store, of service_usage(), that is asked for. */
void service_append_rows(struct csv *csv, const struct parameters *parameters, const struct store_row *row);

/* A cell with a time that came as seconds. */
void service_append_seconds_cell(struct csv *csv, bool known, double seconds);

/*
 * Begins the member of one series in an object of processes, or, by host, in an
 * object of hosts that are objects of processes. `before` is the series before it,
 * NULL for the first; series come sorted.
 */
void service_begin_series(struct text *body, const struct series_key *key, const struct series_key *before);

/* Begins a host of that object, which may have no series; `before` is then one of it. */
void service_begin_host(struct text *body, const char *ip, const struct series_key *before);

/* Ends that object; `last` is its last series, NULL when it has none. */
void service_end_series(struct text *body, const struct series_key *last);

/* A sample of rows that are sorted by host and process. */
struct service_sample {
	bool known; /* there is one */
	double value;
	int64_t time_ms;
};
struct service_sample service_find(const struct store_rows *rows, const struct series_key *key, enum resource resource);

/* Appends the member `name` of an object, after others: a number, or null where it is
 * not known. */
void service_append_member(struct text *body, const char *name, bool known, double value);

/* The same with a string, or null where it is empty. */
void service_append_text(struct text *body, const char *name, const char *value);

/* When a forecast expects what it says: `lead` counts only if it was saved with the forecast, since a later forecast may
 * have come without. False: it does not say. */
bool service_find_time(const struct service_sample *forecast, const struct service_sample *lead, int64_t *ret_time_ms);

/* The same as a member. */
void service_append_time(struct text *body, const char *name, const struct service_sample *forecast,
                         const struct service_sample *lead);

#endif
