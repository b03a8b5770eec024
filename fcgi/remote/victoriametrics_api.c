#include "fcgi/remote/victoriametrics_api.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "fcgi/remote/metricsql.h"
#include "fcgi/remote/pieces.h"

enum {
	RESULT_DEPTH = 4, /* of a series in the answer to a query */
	EXPORT_DEPTH = 1, /* of one in an export, a document a line */
	DAY_MS = 86400000,
	STEP_MS = 60000, /* the least with which the newest points are as they are (findings/victoriametrics-newest-step.sh) */
};

int victoriametrics_api_init(struct victoriametrics_api *api, const char *select_url)
{
	static const char *const no_parameters[] = { NULL };
	*api = (struct victoriametrics_api){
		.query_url = remote_url(select_url, "/api/v1/query", no_parameters),
		.range_url = remote_url(select_url, "/api/v1/query_range", no_parameters),
		.export_url = remote_url(select_url, "/api/v1/export", no_parameters),
		.labels_url = remote_url(select_url, "/api/v1/label/ip/values", no_parameters),
		.flags_url = remote_url(select_url, "/flags", no_parameters),
	};
	bool complete = api->query_url && api->range_url && api->export_url && api->labels_url && api->flags_url;
	return complete ? 0 : -ENOMEM;
}

void victoriametrics_api_free(struct victoriametrics_api *api)
{
	free(api->query_url);
	free(api->range_url);
	free(api->export_url);
	free(api->labels_url);
	free(api->flags_url);
}

void victoriametrics_form_begin(struct text *form)
{
	text_reset(form);
	text_append_string(form, "nocache=1&latency_offset=1ms");
}

void victoriametrics_form_add(struct text *form, const char *name, const struct text *value)
{
	text_printf(form, "&%s=", name);
	http_append_escaped(form, text_failed(value) ? "" : value->data);
	form->failed = form->failed || text_failed(value);
}

void victoriametrics_form_add_time(struct text *form, const char *name, int64_t time_ms)
{
	text_printf(form, "&%s=", name);
	json_append_seconds(form, time_ms);
}

static int take_piece(void *user, const cJSON *object)
{
	struct victoriametrics_taker *taker = user;
	return taker->take(taker, object);
}

int victoriametrics_ask(const struct victoriametrics_api *api, const char *url, const struct text *form,
                        struct victoriametrics_taker *taker)
{
	char words[REMOTE_WORDS_SIZE];
	if (assembly_is_of_nothing(&taker->answer))
		return 0;
	struct pieces pieces = {
		.depth = url == api->export_url ? EXPORT_DEPTH : RESULT_DEPTH, .take_piece = take_piece, .user = taker,
		.non_finite = true, /* an export has them as numbers (1.79.5), a query as strings */
	};
	struct http_message message = remote_form(url, form);
	message.sink = pieces_feed;
	message.sink_end = pieces_end;
	message.sink_user = &pieces;
	int result = text_failed(form) ? -ENOMEM : remote_send(api->remote, REMOTE_READ, &message, NULL, words);
	if (result == -EINVAL && strstr(words, "exceed"))
		result = -E2BIG;
	else if (result == -EINVAL)
		result = assembly_refused(&taker->answer, words);
	if (result == -EBADMSG)
		result = remote_answer_failed(api->remote, REMOTE_READ, "");
	pieces_free(&pieces);
	return result;
}

int64_t victoriametrics_end(int64_t end_ms)
{
	return end_ms % DAY_MS == 0 ? end_ms + 1 : end_ms;
}

int victoriametrics_ask_instant(const struct victoriametrics_api *api, const struct text *expression, int64_t time_ms,
                                struct victoriametrics_taker *taker)
{
	struct text form = TEXT_EMPTY;
	int64_t end_ms = victoriametrics_end(time_ms);
	bool alone = end_ms == time_ms; /* else it is the one point of a range */
	victoriametrics_form_begin(&form);
	victoriametrics_form_add(&form, "query", expression);
	victoriametrics_form_add_time(&form, alone ? "time" : "start", time_ms);
	if (!alone) {
		victoriametrics_form_add_time(&form, "end", end_ms);
		victoriametrics_form_add_time(&form, "step", STEP_MS);
	}
	taker->end_ms = time_ms + 1;
	int result = victoriametrics_ask(api, alone ? api->query_url : api->range_url, &form, taker);
	text_free(&form);
	return result;
}

const char *victoriametrics_label(const cJSON *series, const char *name)
{
	const cJSON *metric = cJSON_GetObjectItemCaseSensitive(series, "metric");
	const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(metric, name));
	return value ? value : "";
}

/* The series of the facts that follow. */
static int take_labels(struct victoriametrics_taker *taker, const cJSON *series)
{
	return assembly_series(&taker->answer, victoriametrics_label(series, "ip"), victoriametrics_label(series, "process"));
}

bool victoriametrics_next_point(const struct victoriametrics_taker *taker, const cJSON *series,
                                struct victoriametrics_point *point)
{
	const cJSON *values = cJSON_GetObjectItemCaseSensitive(series, "values");
	const cJSON *first = values ? values->child : cJSON_GetObjectItemCaseSensitive(series, "value");
	const cJSON *pair = point->pair ? point->pair->next : first;
	for (; pair; pair = pair->next) {
		const cJSON *time = cJSON_GetArrayItem(pair, 0);
		const char *value = cJSON_GetStringValue(cJSON_GetArrayItem(pair, 1));
		if (!cJSON_IsNumber(time) || !value)
			continue;
		*point = (struct victoriametrics_point){ pair, floor(time->valuedouble * 1000 + 0.5), strtod(value, NULL) };
		if (point->time_ms < (double)taker->end_ms)
			return true;
	}
	return false;
}

int victoriametrics_take_result(struct victoriametrics_taker *taker, const cJSON *series)
{
	const char *rollup = victoriametrics_label(series, "rollup");
	enum assembly_column column = strcmp(rollup, METRICSQL_SUM) == 0 ? ASSEMBLY_SUM :
	                              strcmp(rollup, METRICSQL_COUNT) == 0 ? ASSEMBLY_COUNT : taker->column;
	if (!victoriametrics_label(series, "process")[0])
		return 0;
	int result = take_labels(taker, series);
	struct victoriametrics_point point = { 0 };
	while (result == 0 && victoriametrics_next_point(taker, series, &point))
		result = assembly_fact(&taker->answer, taker->half, column, point.time_ms, point.value);
	return result;
}

/* {"metric": {…}, "values": [v, …], "timestamps": [ms, …]} */
int victoriametrics_take_export(struct victoriametrics_taker *taker, const cJSON *series)
{
	const char *name = victoriametrics_label(series, "__name__");
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(series, "values");
	const cJSON *time = cJSON_GetObjectItemCaseSensitive(series, "timestamps");
	size_t length = strlen(name), suffix = strlen(METRICSQL_SUFFIX);
	if (length > suffix)
		(void)assembly_find_half(&taker->answer, name, length - suffix, &taker->half);
	if (!victoriametrics_label(series, "process")[0] || !value || !time)
		return 0;
	int result = take_labels(taker, series);
	time = time->child;
	for (value = value->child; value && time && result == 0; value = value->next, time = time->next) {
		if (cJSON_IsNumber(value) && cJSON_IsNumber(time) && time->valuedouble < (double)taker->end_ms)
			result = assembly_fact(&taker->answer, taker->half, ASSEMBLY_VALUE, time->valuedouble,
			                       value->valuedouble);
	}
	return result;
}
