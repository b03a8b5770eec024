#include "fcgi/remote/victoriametrics_hosts.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"
#include "fcgi/remote/metricsql.h"

enum { RECENT_MS = 300000 }; /* where hosts are looked for first */

/* The value is the time of the newest sample, seconds. */
static int take_newest(struct victoriametrics_taker *taker, const cJSON *series)
{
	const char *ip = victoriametrics_label(series, "ip"), *process = victoriametrics_label(series, "process");
	struct victoriametrics_point point = { 0 };
	if (!ip[0] || !process[0] || !victoriametrics_next_point(taker, series, &point))
		return 0;
	int result = assembly_series(&taker->answer, ip, process);
	return result ? result : assembly_fact(&taker->answer, HALF_FIRST, ASSEMBLY_VALUE, floor(point.value * 1000 + 0.5), 0);
}

/* The newest sample of each series in the window; `ips` as in metricsql_append_newest(). */
static int ask_newest(const struct victoriametrics_api *api, struct victoriametrics_taker *taker, const struct text *ips,
                      int64_t from_ms, int64_t to_ms)
{
	struct text expression = TEXT_EMPTY;
	int result = 0;
	for (int i = 0; i < HALF_COUNT && result == 0; i++) {
		text_reset(&expression);
		metricsql_append_newest(&expression, (enum half)i, ips, to_ms - from_ms, clock_wall_ms());
		result = victoriametrics_ask_instant(api, &expression, to_ms, taker);
	}
	text_free(&expression);
	return result;
}

/* A host that has samples, and whether they were among the recent ones. */
struct known {
	const char *ip;
	bool recent;
};

static int compare_known(const void *left, const void *right)
{
	return strcmp(((const struct known *)left)->ip, ((const struct known *)right)->ip);
}

/* Appends to `missing` the addresses of `data`, strings, of which the answer has no series. */
static int find_missing(const struct assembly *answer, const cJSON *data, struct text *missing)
{
	size_t count = 0;
	struct known *hosts = malloc(((size_t)cJSON_GetArraySize(data) + 1) * sizeof(*hosts));
	const cJSON *ip;
	if (!hosts)
		return -ENOMEM;
	cJSON_ArrayForEach(ip, data) {
		if (cJSON_IsString(ip) && ip->valuestring[0])
			hosts[count++] = (struct known){ .ip = ip->valuestring };
	}
	qsort(hosts, count, sizeof(*hosts), compare_known);
	for (size_t i = 0; i < answer->series_count; i++) {
		const struct known key = { .ip = assembly_ip(answer, i) };
		struct known *host = bsearch(&key, hosts, count, sizeof(*hosts), compare_known);
		if (host)
			host->recent = true;
	}
	for (size_t i = 0; i < count; i++) {
		if (!hosts[i].recent)
			text_append(missing, hosts[i].ip, strlen(hosts[i].ip) + 1);
	}
	free(hosts);
	return text_failed(missing) ? -ENOMEM : 0;
}

/* Asks for all addresses of the window, to within a day, and finds the missing ones. */
static int ask_missing(const struct victoriametrics_api *api, const struct assembly *answer, int64_t from_ms, int64_t to_ms,
                       struct text *missing)
{
	char words[REMOTE_WORDS_SIZE];
	struct text form = TEXT_EMPTY, body = TEXT_EMPTY;
	victoriametrics_form_begin(&form);
	for (int i = 0; i < HALF_COUNT; i++)
		text_printf(&form, "&match[]=%s" METRICSQL_SUFFIX, sample_measurement(METRIC_USAGE, (enum half)i));
	victoriametrics_form_add_time(&form, "start", from_ms < 0 ? 0 : from_ms);
	victoriametrics_form_add_time(&form, "end", to_ms);
	const struct http_message message = remote_form(api->labels_url, &form);
	int result = text_failed(&form) ? -ENOMEM : remote_send(api->remote, REMOTE_READ, &message, &body, words);
	cJSON *tree = NULL;
	if (result == 0)
		result = json_parse(body.data, body.length, &tree);
	const cJSON *data = cJSON_GetObjectItemCaseSensitive(tree, "data");
	if (result == -EBADMSG || (result == 0 && !cJSON_IsArray(data)))
		result = remote_answer_failed(api->remote, REMOTE_READ, "");
	else if (result == 0)
		result = find_missing(answer, data, missing);
	cJSON_Delete(tree);
	text_free(&form);
	text_free(&body);
	return result;
}

int victoriametrics_hosts_read(const struct victoriametrics_api *api, int64_t from_ms, int64_t to_ms,
                               struct store_hosts *ret_hosts)
{
	int64_t recent_ms = to_ms - RECENT_MS > from_ms ? to_ms - RECENT_MS : from_ms;
	const struct query query = { .metric = METRIC_USAGE, .from_ms = from_ms };
	struct victoriametrics_taker taker = { .take = take_newest };
	struct text missing = TEXT_EMPTY; /* addresses, each with its NUL */
	int result = assembly_open(&taker.answer, "victoriametrics", &query, ASSEMBLY_NEWEST);
	if (result == 0)
		result = ask_newest(api, &taker, &missing, recent_ms, to_ms);
	if (result == 0 && recent_ms > from_ms)
		result = ask_missing(api, &taker.answer, from_ms, to_ms, &missing);
	if (result == 0 && missing.length)
		result = ask_newest(api, &taker, &missing, from_ms, to_ms);
	if (result == 0)
		result = assembly_hosts(&taker.answer, ret_hosts);
	assembly_close(&taker.answer);
	text_free(&missing);
	return result;
}
