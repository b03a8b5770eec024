/*
 * What the stores hold: samples, and the batches they arrive in.
 *
 * A sample is (measurement, ip, process, time, value). A measurement is a metric
 * of a resource: METRIC_USAGE of RESOURCE_CPU is stored as "cpu_usage_percent".
 */
#ifndef VIGIE_FCGI_SAMPLE_H
#define VIGIE_FCGI_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/wire.h"

/* Stored numbers: append only. */
enum metric {
	METRIC_USAGE,                /* percent */
	METRIC_ALARM,                /* enum color */
	METRIC_ALARM_SINCE,          /* seconds since 1970 */
	METRIC_ALARM_THRESHOLD,      /* percent */
	METRIC_FORECAST,             /* percent; of the forecast service, as the next two */
	METRIC_FORECAST_PROBABILITY, /* 0 to 1 */
	METRIC_FORECAST_LEAD,        /* seconds from the sample's time */
	METRIC_ALARM_FORECAST,       /* percent; what the alarm was raised upon, as the next */
	METRIC_ALARM_LEAD,           /* seconds from the sample's time */
	METRIC_INTERVAL,             /* seconds; of a host's collector, as RESOURCE_CPU of WIRE_HOST_ITSELF */
	METRIC_FORECAST_FULL,        /* seconds from the sample's time; of the forecast service, within its long horizon */
	METRIC_WISH,                 /* 1: to run, 0: to stop; as RESOURCE_CPU of KEEPER_IP and a name (fcgi/wishes.h) */
	METRIC_OOM_KILLS,            /* how many were killed in the interval that ends then; as RESOURCE_MEM */
	METRIC_SILENCE,              /* its end, seconds since 1970, or 0; likewise (fcgi/silences.h) */
	METRIC_ALARM_MISSING,        /* 1: what must run does not, 0 */
	METRIC_COUNT
};

struct sample {
	int64_t time_ms;     /* since 1970 */
	double value;        /* sample_is_usable() */
	const char *ip;      /* canonical; borrowed from the batch */
	const char *process; /* a clean name; borrowed from the batch */
	enum metric metric;
	enum resource resource;
};

/* The measurement of a metric of a resource: "cpu_usage_percent". A constant. */
const char *sample_measurement(enum metric metric, enum resource resource);

/* Whether a value can have been stored by us: finite, at least 0 and at most WIRE_VALUE_MAX. What a store
 * gives back is input as any other. */
static inline bool sample_is_usable(double value)
{
	return value >= 0 && value <= WIRE_VALUE_MAX; /* false for a NaN */
}

/* Whether it is what the forecast service says: of use only while it is fresh. */
bool sample_is_forecast(enum metric metric);

/* Whether it is what administrators have set (fcgi/keeper.h): its names are nobody's to choose, and count toward no limit. */
static inline bool sample_is_kept(enum metric metric)
{
	return metric == METRIC_WISH || metric == METRIC_SILENCE;
}

/* What one request brings: stored whole or not at all. */
struct batch {
	struct sample *samples; /* in the order of the body: the later of two for one series and time counts */
	size_t count;
	size_t bytes; /* of memory that it and what it came from hold */
};

#endif
