/* What the files of the service share among themselves. */
#ifndef VIGIE_FCGI_SERVICE_INTERNAL_H
#define VIGIE_FCGI_SERVICE_INTERNAL_H

#include <stdatomic.h>

#include "fcgi/gate.h"
#include "fcgi/reports.h"
#include "fcgi/service.h"
#include "fcgi/shared_reads.h"
#include "fcgi/writer.h"

enum {
	INTERVALS_FRESH = 3, /* what is older than so many intervals is not the latest */
	SERVICE_AHEAD_MS = 60000, /* how far ahead of our clock a sample may be */
};

struct service {
	const struct store_ops *ops;
	struct store *store;
	struct writer *writer;
	struct gate gate; /* of the requests that call the store */
	struct shared_reads *reads;
	struct tokens *tokens;
	struct reports *reports;
	int64_t started_ns;
	atomic_llong interval_ms;
	atomic_llong max_points;
	atomic_llong alarms_reported_ms; /* when an alert service last reported, for people; 0: never */
	atomic_llong alarms_reported_ns; /* the same on the monotonic clock, to judge by */
};

/* Enters the gate with a request that calls the store, until gate_leave(). False: the
 * response says 503. */
bool service_enter_store(struct service *service, struct response *response);

/* Counts the time of a read since `start_ns`. False: the response says what went wrong. */
bool service_check_read(struct service *service, int result, int64_t start_ns, struct response *response);

/* Answers for a store that has failed with `result`. */
void service_answer_failure(int result, struct response *response);

/* Whether an alert service has reported within three intervals. */
bool service_alert_is_alive(struct service *service);

/* A query of the window that ends at `now_ms`, with the parameters that every read has. */
struct query service_query(const struct service *service, const struct parameters *parameters, enum metric metric,
                           int64_t now_ms, int64_t window_ms);

/* The resources the parameters ask for; both unless one is given. */
bool service_wants(const struct parameters *parameters, enum resource resource);

/* Each series' newest sample of a metric that is no older than three intervals at
 * `now_ms`, sorted by host and process. False: the response says what went wrong. */
bool service_read_latest(struct service *service, const struct parameters *parameters, enum metric metric,
                         int64_t now_ms, struct store_rows *ret_rows, struct response *response);

/* Orders store rows and series by host, then process; the key is their first member. */
int service_compare_keys(const void *left, const void *right);

#endif
