/*
 * Writes the MetricsQL that VictoriaMetrics is asked for samples.
 *
 * docs.victoriametrics.com/MetricsQL.html. Its names for what line protocol brings are
 * <measurement>_<field>. What decides the queries:
 *   - m[w] at t takes the samples of (t − w, t];
 *   - which series a filter finds is remembered for ten seconds, however new a process is:
 *     each second's filters are different ones. `now_ms`, the wall clock, is for that alone.
 * Pure.
 */
#ifndef VIGIE_FCGI_REMOTE_METRICSQL_H
#define VIGIE_FCGI_REMOTE_METRICSQL_H

#include "common/text.h"
#include "fcgi/store.h"

enum { METRICSQL_ONLY_MAX = 500 }; /* series that are named in a query; beyond it all are read, and most dropped here */

/* What a measurement has behind its name. */
#define METRICSQL_SUFFIX "_value"

/* The series of one half that a query wants, "name{…}"; with `key` one of them. Of
 * query->only the names alone are told: an answer has to drop what is of another host. */
void metricsql_append_selector(struct text *text, const struct query *query, enum half half,
                               const struct series_key *key, int64_t now_ms);

/* The maxima of a window, by process and, where the query is by host, by ip; or, in one go,
 * the sums and the counts, of which the label `rollup` says which is which: METRICSQL_SUM, METRICSQL_COUNT. */
void metricsql_append_rollup(struct text *text, const struct query *query, enum half half, bool maximum,
                             int64_t window_ms, int64_t now_ms);

#define METRICSQL_SUM "sum_over_time"
#define METRICSQL_COUNT "count_over_time"

/* When each series of METRIC_USAGE had its newest sample within a window, in seconds. `ips`:
 * addresses, each with its NUL, of those hosts alone; empty: of all. */
void metricsql_append_newest(struct text *text, enum half half, const struct text *ips, int64_t window_ms,
                             int64_t now_ms);

#endif
