/*
 * The parameters of a query: what stands behind the question mark.
 *
 * Names and values are percent-decoded, '+' is a space. A parameter that the route
 * does not take, one given twice, and a value that is not right are errors. Pure.
 */
#ifndef VIGIE_FCGI_PARAMETERS_H
#define VIGIE_FCGI_PARAMETERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/text.h"
#include "common/wire.h"
#include "fcgi/store.h"

enum parameter {
	PARAMETER_WINDOW = 1 << 0,     /* 10s to what the store keeps */
	PARAMETER_IP = 1 << 1,
	PARAMETER_PROCESS = 1 << 2,    /* exact */
	PARAMETER_RESOURCE = 1 << 3,   /* mem or cpu */
	PARAMETER_TIMESTAMPS = 1 << 4, /* 1 or 0 */
	PARAMETER_STEP = 1 << 5,       /* a duration of whole seconds */
	PARAMETER_FN = 1 << 6,         /* mean or max, with step */
	PARAMETER_ABOVE = 1 << 7,
	PARAMETER_LIMIT = 1 << 8,
	PARAMETER_BY = 1 << 9,         /* host */
};

struct parameters {
	unsigned given; /* which of them the query has */
	int64_t window_ms;
	char ip[WIRE_IP_SIZE];
	char process[WIRE_NAME_SIZE];
	enum resource resource;
	bool timestamps;
	int64_t step_ms; /* 0: none */
	enum aggregate aggregate;
	double above;
	size_t limit;
	bool by_host;
};

struct parameter_error {
	char sentence[160];
	char name[32]; /* "" where no parameter is to blame */
};

/* `query` may be NULL or "". `allowed` are the route's parameters; `max_window_ms` is
 * what the store keeps. 0 with all defaults set, or -EINVAL with *ret_error. */
int parameters_parse(const char *query, unsigned allowed, int64_t max_window_ms, struct parameters *ret_parameters,
                     struct parameter_error *ret_error) __attribute__((warn_unused_result));

/* Appends " name" of each of the parameters `allowed`. */
void parameters_append_names(unsigned allowed, struct text *text);

#endif
