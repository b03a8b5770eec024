/*
 * Reads the annotated CSV that InfluxDB 2 answers a Flux query with, as it comes in.
 *
 * An answer is any number of tables. Each has its header, after its annotations
 * (#datatype, #group, #default) or after an empty line; the tables of one shape share
 * one. A field in quotes may hold commas, quotes (doubled) and line breaks; an empty
 * field has its column's default. A query that fails late says so in a table of its
 * own with the columns `error` and `reference`, after the status 200.
 * docs.influxdata.com/influxdb/v2/reference/syntax/annotated-csv. Pure; one thread.
 */
#ifndef VIGIE_FCGI_REMOTE_FLUX_CSV_H
#define VIGIE_FCGI_REMOTE_FLUX_CSV_H

#include "common/text.h"

enum { FLUX_CSV_COLUMNS = 32, FLUX_CSV_WANTED = 8 };

/* Takes one row: values[i] of the i-th wanted column, "" where the table has none.
 * 0, or a negative errno that ends it. */
typedef int flux_csv_row(void *user, const char *const values[]);

struct flux_csv {
	const char *const *wanted; /* names of columns; NULL at the end */
	flux_csv_row *take_row;
	void *user;
	char error[256]; /* the engine's words, of -EREMOTEIO */
	/* of flux_csv.c: */
	struct text record;                /* its fields, each with a NUL */
	size_t starts[FLUX_CSV_COLUMNS];   /* of the fields in the record */
	size_t fields;
	struct text defaults;              /* likewise, of the last #default */
	size_t default_starts[FLUX_CSV_COLUMNS];
	size_t default_fields;
	size_t places[FLUX_CSV_WANTED];    /* of the wanted columns in a row */
	size_t error_place;
	bool in_quotes, quote_seen, header_next, any, annotated;
};

void flux_csv_open(struct flux_csv *csv, const char *const wanted[], flux_csv_row *take_row, void *user);

/* Takes the next bytes: an http_sink. 0, -ENOMEM, -EBADMSG for more columns than
 * FLUX_CSV_COLUMNS or what is no such table, -EREMOTEIO when the engine tells an error, or
 * what take_row returned. */
int flux_csv_feed(void *csv, const char *bytes, size_t length) __attribute__((warn_unused_result));

/* After the last bytes, an http_sink_end: 0, or -EBADMSG when a record is not at its end. */
int flux_csv_end(const void *csv) __attribute__((warn_unused_result));

void flux_csv_close(struct flux_csv *csv);

#endif
