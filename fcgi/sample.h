/*
 * What the stores hold: samples, and the batches they arrive in.
 *
 * A sample is (measurement, ip, process, time, value). A measurement is one of the two halves of a metric: the second of
 * METRIC_USAGE is stored as "cpu_usage_percent". Alarms and forecasts are of mem by their first half, of cpu by their
 * second; what two further resources use are the halves of a metric of their own (common/resource.h).
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
	METRIC_INTERVAL,             /* seconds; of a host's collector, as HALF_SECOND of WIRE_HOST_ITSELF */
	METRIC_FORECAST_FULL,        /* seconds from the sample's time; of the forecast service, within its long horizon */
	METRIC_WISH,                 /* 1: to run, 0: to stop; as HALF_SECOND of KEEPER_IP and a name (fcgi/wishes.h) */
	METRIC_OOM_KILLS,            /* how many were killed in the interval that ends then; as HALF_FIRST */
	METRIC_SILENCE,              /* its end, seconds since 1970, or 0; likewise (fcgi/silences.h) */
	METRIC_ALARM_MISSING,        /* 1: what must run does not, 0 */
	METRIC_NAMED_COUNT,
	METRIC_FURTHER = 64,         /* from here on the usage of further resources, two by two, by their place in the table */
	METRIC_COUNT = METRIC_FURTHER + (RESOURCE_FURTHER + 1) / 2, /* between METRIC_NAMED_COUNT and these there is none */
};

/* A metric has two measurements, which engines read, and SQLite packs, together. */
enum half { HALF_FIRST, HALF_SECOND, HALF_COUNT };

_Static_assert((int)RESOURCE_LIMITED == (int)HALF_COUNT, "alarms and forecasts have a half for each resource that has them");

struct sample {
	int64_t time_ms;     /* since 1970 */
	double value;        /* sample_is_usable() */
	const char *ip;      /* canonical; borrowed from the batch */
	const char *process; /* a clean name; borrowed from the batch */
	enum metric metric;
	enum half half;
};

/* The measurement that half of a metric is: "cpu_usage_percent". A constant; NULL: there is none. */
const char *sample_measurement(enum metric metric, enum half half);

/* Whether there is such a metric. */
static inline bool sample_is_metric(enum metric metric)
{
	return metric < METRIC_NAMED_COUNT || (metric >= METRIC_FURTHER && metric < METRIC_COUNT);
}

/* Where the usage of a resource is stored: which metric, and which half, of that as of what is said of the resource. */
static inline enum metric sample_usage(enum resource resource)
{
	return resource < RESOURCE_LIMITED ? METRIC_USAGE :
	                                     (enum metric)(METRIC_FURTHER + ((int)resource - RESOURCE_LIMITED) / HALF_COUNT);
}

static inline enum half sample_half(enum resource resource)
{
	return (enum half)((int)resource % HALF_COUNT);
}

/* The resource that half of a metric is about; RESOURCE_COUNT: of none. */
static inline enum resource sample_resource(enum metric metric, enum half half)
{
	int first = metric < METRIC_FURTHER ? 0 : RESOURCE_LIMITED + HALF_COUNT * (int)(metric - METRIC_FURTHER);
	int place = first + (int)half;
	return place < RESOURCE_COUNT ? (enum resource)place : RESOURCE_COUNT;
}

/* Whether it is what processes use, of any resources. */
static inline bool sample_is_usage(enum metric metric)
{
	return metric == METRIC_USAGE || metric >= METRIC_FURTHER;
}

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
