/*
 * Traces: a series in a CSV file, a step a row, `timestamp,value` or `timestamp,value,mean`:
 * the value is the step's maximum, the mean is the value where it is not given. The
 * first row may name the columns.
 */
#ifndef VIGIE_FORECAST_TRACE_H
#define VIGIE_FORECAST_TRACE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/text.h"
#include "forecast/timeline.h"

enum { TRACE_TIME_SIZE = 32 };

struct trace_row {
	char time[TRACE_TIME_SIZE]; /* as it stands in the file: seconds since 1970, not before */
	int64_t index;              /* of its step; each row is at least a step after the one before */
	struct step step;           /* percent */
};

struct trace {
	struct trace_row *rows;
	size_t count;
};

/* Reads all of `file`, steps being `step_s` seconds long. 0 with a trace to be freed with
 * trace_free(); -EBADMSG with a sentence that names the line, -ENOMEM or -EIO. */
int trace_read(FILE *file, int64_t step_s, struct trace *ret_trace, struct text *ret_error)
	__attribute__((warn_unused_result));

void trace_free(struct trace *trace);

#endif
