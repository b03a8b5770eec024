#include "forecast/trace.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool parse_number(const char *at, char end_at, double *ret_number, const char **ret_end)
{
	char *end;
	*ret_number = strtod(at, &end);
	*ret_end = end;
	/* What a step holds is a float, which is not to overflow. */
	return end > at && fabs(*ret_number) <= FLT_MAX && (*end == end_at || *end == '\0');
}

static bool parse_row(const char *line, int64_t step_s, struct trace_row *ret_row)
{
	double time, value, mean;
	const char *end;
	if (!parse_number(line, ',', &time, &end) || *end != ',' || time < 0 || time > 1e12 ||
	    (size_t)(end - line) >= TRACE_TIME_SIZE)
		return false;
	memcpy(ret_row->time, line, (size_t)(end - line));
	ret_row->time[end - line] = '\0';
	if (!parse_number(end + 1, ',', &value, &end))
		return false;
	mean = value;
	if (*end == ',' && (!parse_number(end + 1, '\0', &mean, &end) || *end))
		return false;
	ret_row->index = (int64_t)floor(time / (double)step_s);
	ret_row->step = (struct step){ .mean = (float)mean, .max = (float)value };
	return true;
}

static int add_row(struct trace *trace, const struct trace_row *row)
{
	/* Room is made at each power of two. */
	if ((trace->count & (trace->count - 1)) == 0) {
		struct trace_row *rows = realloc(trace->rows, (trace->count ? 2 * trace->count : 1) * sizeof(*rows));
		if (!rows)
			return -ENOMEM;
		trace->rows = rows;
	}
	trace->rows[trace->count++] = *row;
	return 0;
}

int trace_read(FILE *file, int64_t step_s, struct trace *ret_trace, struct text *ret_error)
{
	struct trace trace = { 0 };
	char *line = NULL;
	size_t size = 0;
	ssize_t length = 0;
	int result = 0;
	for (size_t number = 1; !result; number++) {
		struct trace_row row;
		length = getline(&line, &size, file);
		if (length < 0)
			break;
		bool whole = strlen(line) == (size_t)length;
		line[strcspn(line, "\r\n")] = '\0';
		if (whole && !line[0])
			continue;
		if (!whole || !parse_row(line, step_s, &row)) {
			if (number == 1)
				continue;
			text_printf(ret_error, "line %zu is not timestamp,value or timestamp,value,mean", number);
			result = -EBADMSG;
			break;
		}
		if (trace.count && row.index <= trace.rows[trace.count - 1].index)
			row.index = trace.rows[trace.count - 1].index + 1;
		result = add_row(&trace, &row);
	}
	/* glibc 2.41 counts it as an error of the file, too, when a line finds no memory. */
	if (!result && !feof(file))
		result = errno == ENOMEM ? -ENOMEM : -EIO;
	free(line);
	if (result)
		trace_free(&trace);
	else
		*ret_trace = trace;
	return result;
}

void trace_free(struct trace *trace)
{
	free(trace->rows);
	*trace = (struct trace){ 0 };
}
