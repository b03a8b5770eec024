/*
 * Puts together the answer to one query from what an engine tells, in any order and
 * in pieces: rows of means or of newest values, histories, hosts.
 *
 * First the series that the next facts are of, as the engine names it (its process
 * percent-encoded, see line_protocol.h), then the facts. Pure; one thread uses an answer.
 */
#ifndef VIGIE_FCGI_REMOTE_ASSEMBLY_H
#define VIGIE_FCGI_REMOTE_ASSEMBLY_H

#include "common/text.h"
#include "fcgi/store.h"

/* What a fact says of its series and half. */
enum assembly_column {
	ASSEMBLY_VALUE,   /* a mean, a newest value, a point */
	ASSEMBLY_SUM,     /* with ASSEMBLY_COUNT, of the same time: in the place of a mean */
	ASSEMBLY_COUNT,
	ASSEMBLY_MAXIMUM,
};

enum assembly_kind {
	ASSEMBLY_ROWS,    /* of mean() */
	ASSEMBLY_NEWEST,  /* of latest() and hosts(): always by host */
	ASSEMBLY_HISTORY, /* of no more than query->max_points */
};

struct assembly_fact;
struct assembly_series;

struct assembly {
	const char *engine;        /* a constant */
	const struct query *query; /* borrowed until assembly_close() */
	enum assembly_kind kind;
	bool by_host;
	bool ordered; /* samples of one time come by their hosts: the engine names these */
	struct series_key *only;   /* query->only, sorted */
	struct text strings;
	struct assembly_series *series;
	size_t series_count, series_capacity;
	struct assembly_fact *facts;
	size_t count, capacity;
	struct budget_share share; /* of the facts */
	bool skipping;   /* facts that come now are of a series that is not wanted */
	size_t left_out; /* facts that cannot be right */
};

/* 0 or -ENOMEM; closed with assembly_close() in any case. `engine` is the store's name. */
int assembly_open(struct assembly *answer, const char *engine, const struct query *query, enum assembly_kind kind)
	__attribute__((warn_unused_result));
void assembly_close(struct assembly *answer);

/* Whether nothing can come, and the engine need not be asked: an empty list, or a process with a
 * control character, which no name has and not every query language can say. */
bool assembly_is_of_nothing(const struct assembly *answer);

/* The engine refuses the query with these words: -EINVAL. */
int assembly_refused(const struct assembly *answer, const char *words);

/* The half of a measurement, length bytes; false where it is none of the query's metric. */
bool assembly_find_half(const struct assembly *answer, const char *measurement, size_t length,
                            enum half *ret_half);

/* The series of the facts that follow; strings need not outlive the call. One whose process or address
 * is no name, or longer than one, is left out. A history without steps wants the address in any case, since
 * samples of one time come in the order of the hosts. */
int assembly_series(struct assembly *answer, const char *ip, const char *stored_process) __attribute__((warn_unused_result));

/* One fact of the last series. `time_ms`: of the point, or anywhere in its step. Whoever writes to the engine may
 * have put anything there: what is not sample_is_usable(), is as far from 1970 as no sample, or leads to
 * such a mean, is left out, and told with the answer by store_leave_out(). 0, -ENOMEM, -ENOBUFS, or -E2BIG when a history has
 * over query->max_points. */
int assembly_fact(struct assembly *answer, enum half half, enum assembly_column column, double time_ms, double value)
	__attribute__((warn_unused_result));

/* The host of the index-th of answer->series_count series, of an answer by host. */
const char *assembly_ip(const struct assembly *answer, size_t index);

/* The answers; 0, -ENOMEM, -ENOBUFS or -E2BIG. Of several facts of a row, the one with the latest
 * time counts. Of a history without steps all points are kept. */
int assembly_rows(struct assembly *answer, struct store_rows *ret_rows) __attribute__((warn_unused_result));
int assembly_history(struct assembly *answer, struct store_history *ret_history) __attribute__((warn_unused_result));

/* From the newest fact of each series by host. */
int assembly_hosts(struct assembly *answer, struct store_hosts *ret_hosts) __attribute__((warn_unused_result));

#endif
