/*
 * Puts together the answer to one query from what an engine tells, in any order and
 * in pieces: rows of means or of newest values, histories, hosts.
 *
 * First the series that the next facts are of, as the engine names it (its process
 * percent-encoded, see line_protocol.h), then the facts. Pure; one thread uses an answer.
 */
#ifndef VIGIE_FCGI_ANSWER_H
#define VIGIE_FCGI_ANSWER_H

#include "common/text.h"
#include "fcgi/store.h"

/* What a fact says of its series and resource. */
enum answer_column {
	ANSWER_VALUE,   /* a mean, a newest value, a point */
	ANSWER_SUM,     /* with ANSWER_COUNT, of the same time: in the place of a mean */
	ANSWER_COUNT,
	ANSWER_MAXIMUM,
};

enum answer_kind {
	ANSWER_ROWS,    /* of mean() */
	ANSWER_NEWEST,  /* of latest() and hosts(): always by host */
	ANSWER_HISTORY, /* of no more than query->max_points */
};

struct answer_fact;
struct answer_series;

struct answer {
	const struct query *query; /* borrowed until answer_close() */
	enum answer_kind kind;
	bool by_host;
	struct series_key *only;   /* query->only, sorted */
	struct text strings;
	struct answer_series *series;
	size_t series_count, series_capacity;
	struct answer_fact *facts;
	size_t count, capacity;
	bool skipping; /* facts that come now are of a series that is not wanted */
};

/* 0 or -ENOMEM; closed with answer_close() in any case. */
int answer_open(struct answer *answer, const struct query *query, enum answer_kind kind)
	__attribute__((warn_unused_result));
void answer_close(struct answer *answer);

/* The series of the facts that follow; strings need not outlive the call. */
int answer_series(struct answer *answer, const char *ip, const char *stored_process) __attribute__((warn_unused_result));

/* One fact of the last series. `time_ms`: of the point, or anywhere in its step. 0,
 * -ENOMEM, or -E2BIG when a history has over query->max_points. */
int answer_fact(struct answer *answer, enum resource resource, enum answer_column column, int64_t time_ms, double value)
	__attribute__((warn_unused_result));

/* The host of the index-th of answer->series_count series, of an answer by host. */
const char *answer_ip(const struct answer *answer, size_t index);

/* The answers; 0, -ENOMEM or -E2BIG. Of several facts of a row, the one with the latest
 * time counts. Of a history without steps all points are kept. */
int answer_rows(struct answer *answer, struct store_rows *ret_rows) __attribute__((warn_unused_result));
int answer_history(struct answer *answer, struct store_history *ret_history) __attribute__((warn_unused_result));

/* From the newest fact of each series by host. */
int answer_hosts(struct answer *answer, struct store_hosts *ret_hosts) __attribute__((warn_unused_result));

#endif
