#include "forecast/history.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "common/http.h"
#include "common/json.h"
#include "forecast/history_json.h"

enum { WINDOW_MIN_MS = 10000 }; /* what the server answers at least */

int64_t history_first(int64_t now_ms, int64_t window_ms, int64_t step_ms)
{
	/* The window is asked for in whole seconds. */
	int64_t from_ms = now_ms - window_ms + HISTORY_MARGIN_MS + 1000;
	return (from_ms + step_ms - 1) / step_ms;
}

void history_path(const struct history_query *query, const char *fn, int64_t now_ms, struct text *path)
{
	int64_t window_ms = now_ms - query->first * query->step_ms + HISTORY_MARGIN_MS;
	if (window_ms < WINDOW_MIN_MS)
		window_ms = WINDOW_MIN_MS;
	text_printf(path, "get-all-detailed?resource=%s&by=host&timestamps=1&step=%llds&fn=%s&window=%llds",
	            wire_resource_name(query->resource), (long long)(query->step_ms / 1000), fn,
	            (long long)((window_ms + 999) / 1000));
	if (query->above >= 0) {
		text_append_string(path, "&above=");
		json_append_number(path, query->above);
	}
	if (query->ip) {
		text_append_string(path, "&ip=");
		http_append_escaped(path, query->ip);
	}
	if (query->process) {
		text_append_string(path, "&process=");
		http_append_escaped(path, query->process);
	}
}

/* Puts the points of the present series into the steps. 0 or -EBADMSG. */
static int read_points(const struct history_query *query, struct history_json *json, bool means, struct step steps[])
{
	for (;;) {
		int64_t time_ms;
		double value;
		int result = history_json_point(json, &time_ms, &value);
		if (result <= 0)
			return result;
		int64_t at = time_ms / query->step_ms - query->first;
		if (at < 0 || at >= (int64_t)query->count)
			continue; /* cut by the window, or in our future */
		if (means)
			steps[at].mean = (float)value;
		else
			steps[at].max = (float)value;
	}
}

static double highest(const struct step steps[], size_t count)
{
	double best = -INFINITY;
	for (size_t i = 0; i < count; i++)
		best = fmax(best, (double)steps[i].max);
	return best;
}

static int compare_series(const struct history_json *left, const struct history_json *right)
{
	int order = strcmp(left->ip, right->ip);
	return order ? order : strcmp(left->process, right->process);
}

/* The means of the series that `maxima` stands at. Not all are there: its first sample may
 * have come between the requests. 0, -EBADMSG or -ENOMEM. */
static int read_means(const struct history_query *query, const struct history_json *maxima, struct history_json *means,
                      int *means_left, struct step steps[])
{
	while (*means_left == 1 && compare_series(means, maxima) < 0)
		*means_left = history_json_next(means);
	if (*means_left == 1 && compare_series(means, maxima) == 0)
		return read_points(query, means, true, steps);
	return *means_left < 0 ? *means_left : 0;
}

static int read_series(const struct history_query *query, struct history_json *maxima, struct history_json *means, int *means_left,
                       struct step steps[], const struct history_reader *reader)
{
	double above = reader->above ? reader->above(reader->user, maxima->ip, maxima->process, query->resource) : -INFINITY;
	if (above == INFINITY)
		return 0;
	for (size_t i = 0; i < query->count; i++)
		steps[i] = (struct step){ NAN, NAN };
	int result = read_points(query, maxima, false, steps);
	if (result)
		return result;
	if (!(highest(steps, query->count) > above))
		return 0;
	result = read_means(query, maxima, means, means_left, steps);
	if (result)
		return result;
	struct history_series series = { .ip = maxima->ip, .process = maxima->process, .resource = query->resource,
		                         .first = query->first, .steps = steps, .count = query->count };
	return reader->read(reader->user, &series);
}

int history_merge(const struct history_query *query, const char *max_body, const char *mean_body,
                  struct step steps[], const struct history_reader *reader, struct text *ret_error)
{
	struct history_json maxima, means;
	history_json_open(&maxima, max_body);
	history_json_open(&means, mean_body);
	int means_left = history_json_next(&means);
	int result = means_left < 0 ? means_left : 0;
	while (!result) {
		result = history_json_next(&maxima);
		if (result <= 0)
			break;
		result = read_series(query, &maxima, &means, &means_left, steps, reader);
	}
	if (maxima.wrong || means.wrong)
		text_append_string(ret_error, maxima.wrong ? maxima.wrong : means.wrong);
	return result;
}
