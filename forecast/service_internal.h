/* What the service's own files share. */
#ifndef VIGIE_FORECAST_SERVICE_INTERNAL_H
#define VIGIE_FORECAST_SERVICE_INTERNAL_H

#include "common/sure_clock.h"
#include "common/trouble.h"
#include "forecast/histories.h"
#include "forecast/prior.h"
#include "forecast/series_table.h"
#include "forecast/service.h"
#include "forecast/setup.h"
#include "forecast/state_file.h"

struct service {
	struct setup setup;
	struct histories histories;
	struct prior *prior; /* NULL: the one built in */
	struct series_table table;
	struct learnt *learnt;  /* of series that are not in the table yet */
	int64_t complete;       /* steps before this one have been added to the forecasters */
	int64_t last_bucket;    /* of the last refresh that could ask; INT64_MIN: none */

	bool hosts_wanted;      /* all histories are to be read: the hosts first */
	struct uplink_hosts hosts;
	size_t next_host;
	unsigned reads_left;    /* until the next refresh */
	bool paused;            /* reading failed: not again before the next refresh */

	int lock_fd;            /* of the state; -1: it is not locked */
	struct sure_clock clock; /* by the readings so far */
	bool has_clock;         /* there were any */
	struct moment moment;   /* of the last one */
	struct sure_clock_mark mark; /* that the state was read with; its moment is 0: none */

	bool stopped;           /* by the server, and that was logged */
	bool dirty;             /* something was learnt since the state was written */
	int64_t saved_ms;
	struct {
		uint64_t refreshes, forecasts; /* since the start */
		size_t last_forecasts;
		double us_per_series; /* CPU of the last refresh */
	} counts;
	struct trouble asking, reading, reporting, saving;
};

/* A new series, behind, in the table; there is none of the same name. NULL: out of memory. */
struct series *service_add_series(struct service *service, const char *ip, const char *process,
                                  enum resource resource);

/* Reads the newest buckets up to the one at `boundary_ms`: of all series and new ones, or
 * (`ip` not NULL) of one alone. 0 or a negative errno with a sentence. */
int service_look(struct service *service, const char *ip, const char *process, int64_t boundary_ms, int64_t now_ms,
                 struct text *ret_error) __attribute__((warn_unused_result));

/* What series_predict() needs: the last step's length of time and how far that is into a step. */
struct step service_present(const struct service *service, const struct series *series, int64_t boundary_ms);
double service_phase(const struct service *service, int64_t boundary_ms);

/* Reads the history of a series that is behind, or those of all of a host's (`series` NULL, `ip` is the
 * host's): their forecasters then have all complete steps. 0 or a negative errno with a sentence. */
int service_catch_up(struct service *service, const char *ip, struct series *series, int64_t now_ms,
                     struct text *ret_error) __attribute__((warn_unused_result));

#endif
