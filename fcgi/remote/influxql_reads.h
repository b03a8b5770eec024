/*
 * Reads over InfluxQL (influxql.h), as InfluxDB 1 and 3 have it: /query with its answers in JSON, chunked, so that a
 * long series comes in pieces.
 *
 * docs.influxdata.com/influxdb/v1/tools/api. An answer is
 *   {"results": [{"series": [{"name": measurement, "tags": {…}, "columns": […],
 *   "values": [[time, value, …], …]}], "error": …}]}
 * a document a chunk, one after the other; an error of a statement comes with status 200. Measurements that are not
 * there are no error.
 *
 * Any thread may read.
 */
#ifndef VIGIE_FCGI_REMOTE_INFLUXQL_READS_H
#define VIGIE_FCGI_REMOTE_INFLUXQL_READS_H

#include "fcgi/remote/pieces.h"
#include "fcgi/remote/remote.h"

struct influxql_reads {
	const char *engine; /* a constant */
	struct remote *remote; /* borrowed, as all that follows */
	const char *query_url; /* /query with the database */
	size_t names_a_statement; /* series that one statement names */
	size_t names_max;         /* beyond it all are read, and most dropped here */
	int64_t hosts_window_ms;  /* that hosts are looked for in at a time, or more where that would be many times; 0: in all */
};

/* Runs one statement (InfluxDB 3 takes no more in a request); each series of the answer goes to `take`. 0, a failure of
 * remote_send() or of `take`, -EBADMSG, which of a read is the caller's to tell, or, with the engine's words in
 * `ret_error`, -EREMOTEIO and of a read what remote_query_failed() says. */
int influxql_ask(struct influxql_reads *reads, enum remote_purpose purpose, const struct text *statement,
                 pieces_take *take, void *user, char ret_error[static REMOTE_WORDS_SIZE])
	__attribute__((warn_unused_result));

/* What a database answers that is there. The URL is borrowed. */
struct http_message influxql_probe(const char *query_url);

/* The functions of struct store_ops. */
int influxql_read_mean(struct influxql_reads *reads, const struct query *query, struct store_rows *ret_rows);
int influxql_read_latest(struct influxql_reads *reads, const struct query *query, struct store_rows *ret_rows);
int influxql_read_history(struct influxql_reads *reads, const struct query *query, struct store_history *ret_history);
int influxql_read_hosts(struct influxql_reads *reads, int64_t from_ms, int64_t to_ms, struct store_hosts *ret_hosts);

#endif
