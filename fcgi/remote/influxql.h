/*
 * Writes the InfluxQL statements that InfluxDB 1 is asked for samples.
 *
 * docs.influxdata.com/influxdb/v1/query_language. The values of a series' rows stand in
 * the order in which they are named here, behind the time. `usable` asks for the values alone
 * that are sample_is_usable(). Pure.
 */
#ifndef VIGIE_FCGI_REMOTE_INFLUXQL_H
#define VIGIE_FCGI_REMOTE_INFLUXQL_H

#include "common/text.h"
#include "fcgi/store.h"

/* All are of the series first … end of query->only alone, or of all where the two are the same. */

/* The mean and, unless the query is without, the maximum. */
void influxql_append_mean(struct text *text, const struct query *query, size_t first, size_t end, bool usable);

/* The newest value of each series. */
void influxql_append_newest(struct text *text, const struct query *query, size_t first, size_t end, bool usable);

/* The values of a history, in steps the mean or the maximum. */
void influxql_append_history(struct text *text, const struct query *query, size_t first, size_t end, bool usable);

#endif
