/*
 * Writes the Flux queries that InfluxDB 2 is asked.
 *
 * docs.influxdata.com/flux. What decides them: an aggregate right behind range() and
 * filter() is computed by the storage, series by series; group() before it makes one
 * table of all hosts, where each sample weighs the same. A chain of `or` in a filter may
 * be only so long, see FLUX_ONLY_A_QUERY.
 *
 * Their results are named "value" and "maximum", for what they are. Pure.
 */
#ifndef VIGIE_FCGI_REMOTE_FLUX_H
#define VIGIE_FCGI_REMOTE_FLUX_H

#include "common/text.h"
#include "fcgi/store.h"

enum { FLUX_ONLY_A_QUERY = 50 }; /* series that one filter names; 200 are "nested too deep" */

/* All are of the series first … end of query->only alone, or of all where the two are the same. */

/* The means and, unless the query is without, the maxima: _measurement, process, ip, _value. */
void flux_append_mean(struct text *text, const char *bucket, const struct query *query, size_t first, size_t end);

/* The newest sample of each series: _measurement, process, ip, _time, _value. */
void flux_append_newest(struct text *text, const char *bucket, const struct query *query, size_t first, size_t end);

/* A history: process, ip where it is by host, _time, _value. */
void flux_append_history(struct text *text, const char *bucket, const struct query *query, size_t first, size_t end);

#endif
