/*
 * The parameters of a query: what stands behind the question mark.
 *
 * Names and values are percent-decoded, '+' is a space. A parameter that the route
 * does not take, one given twice (but process), and a value that is not right are errors. Pure.
 */
#ifndef VIGIE_FCGI_PARAMETERS_H
#define VIGIE_FCGI_PARAMETERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/text.h"
#include "common/wire.h"
#include "fcgi/media.h"
#include "fcgi/store.h"

enum parameter {
	PARAMETER_WINDOW = 1 << 0,     /* 10s to what the store keeps */
	PARAMETER_IP = 1 << 1,
	PARAMETER_PROCESS = 1 << 2,    /* exact; may be given several times */
	PARAMETER_RESOURCE = 1 << 3,   /* of common/resource.h */
	PARAMETER_TIMESTAMPS = 1 << 4, /* 1 or 0 */
	PARAMETER_STEP = 1 << 5,       /* a duration of whole seconds */
	PARAMETER_FN = 1 << 6,         /* mean or max, with step */
	PARAMETER_ABOVE = 1 << 7,
	PARAMETER_LIMIT = 1 << 8,
	PARAMETER_BY = 1 << 9,         /* host */
	PARAMETER_FROM = 1 << 10,      /* a time: seconds or milliseconds since 1970, or RFC 3339 */
	PARAMETER_TO = 1 << 11,        /* likewise */
	PARAMETER_STANDING = 1 << 12,  /* 1 or 0 */
	PARAMETER_EXPLAIN = 1 << 13,   /* 1 or 0 */
	PARAMETER_FORMAT = 1 << 14,    /* json or csv */
	PARAMETER_LIMITED = 1 << 15,   /* a resource with limits, for routes about alarms and forecasts; PARAMETER_RESOURCE is given then */
};

enum {
	PARAMETERS_QUERY_SIZE = 4096,  /* of a whole query, with its NUL: nginx bounds the request line at twice that */
	PARAMETERS_PROCESSES_MAX = 50, /* names: as many as FLUX_ONLY_A_QUERY */
};

/* Not to be moved: it points into itself. A copy points into the original. */
struct parameters {
	unsigned given; /* which of them the query has */
	int64_t window_ms;
	int64_t from_ms, to_ms; /* the span (from, to], see parameters_set_span(); before it: as given */
	char ip[WIRE_IP_SIZE];
	char process[PARAMETERS_QUERY_SIZE]; /* the different names that are given, each with its NUL */
	size_t process_count;
	struct series_key only[PARAMETERS_PROCESSES_MAX]; /* of several names, those that a process can have */
	size_t only_count;
	enum resource resource;
	bool timestamps;
	int64_t step_ms; /* 0: none */
	enum aggregate aggregate;
	double above;
	size_t limit;
	bool by_host;
	enum media media;
	bool standing, explain;
};

struct parameter_error {
	char sentence[160];
	char name[32]; /* "" where no parameter is to blame */
};

/* `query` may be NULL or "". `allowed` are the route's parameters; `max_window_ms` is
 * what the store keeps. 0 with all defaults set, or -EINVAL with *ret_error. */
int parameters_parse(const char *query, unsigned allowed, int64_t max_window_ms, struct parameters *ret_parameters,
                     struct parameter_error *ret_error) __attribute__((warn_unused_result));

/* Sets the span at `now_ms`: that of from and to, as far as it is past, or else the window. Without from the span
 * is as long as the default window, and no longer than the store keeps. 0, or -EINVAL with *ret_error. */
int parameters_set_span(struct parameters *parameters, int64_t now_ms, int64_t max_window_ms,
                        struct parameter_error *ret_error) __attribute__((warn_unused_result));

/* Reads a time as people and programs write it; false: it is not PARAMETERS_A_TIME. */
#define PARAMETERS_A_TIME \
	"a time: seconds or milliseconds since 1970, or one like 2026-11-22T14:00:15Z or 2026-11-22T15:00:15+01:00"
bool parameters_read_time(const char *value, int64_t *ret_time_ms);

/* Appends " name" of each of the parameters `allowed`. */
void parameters_append_names(unsigned allowed, struct text *text);

#endif
