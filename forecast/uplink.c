#include "forecast/uplink.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/client.h"
#include "common/json.h"
#include "common/series_report.h"

struct uplink {
	struct client *client;
	struct text path;
	struct text maxima; /* the first of two answers */
	struct series_report report;
	struct step *steps;
	size_t step_capacity;
};

struct uplink *uplink_open(const char *url, const char *token, const char *proxy, int64_t timeout_ms)
{
	struct uplink *uplink = calloc(1, sizeof(*uplink));
	if (!uplink)
		return NULL;
	uplink->client = client_open(WIRE_FORECAST, url, token, proxy, timeout_ms);
	uplink->report = (struct series_report){ .client = uplink->client, .path = "save-forecasts" };
	if (!uplink->client) {
		uplink_close(uplink);
		return NULL;
	}
	return uplink;
}

void uplink_close(struct uplink *uplink)
{
	if (!uplink)
		return;
	client_close(uplink->client);
	text_free(&uplink->path);
	text_free(&uplink->maxima);
	text_free(&uplink->report.body);
	free(uplink->steps);
	free(uplink);
}

bool uplink_trust(struct uplink *uplink, const char *ca_file)
{
	return client_trust(uplink->client, ca_file);
}

static int say(const struct uplink *uplink, int result, const char *wrong, struct text *ret_error)
{
	client_blame(uplink->client, wrong ? wrong : strerror(-result), ret_error);
	return result;
}

static int parse_hosts(const cJSON *document, struct uplink_hosts *ret_hosts)
{
	struct uplink_hosts hosts = { .ips = calloc((size_t)cJSON_GetArraySize(document) + 1, sizeof(*hosts.ips)) };
	if (!hosts.ips)
		return -ENOMEM;
	for (const cJSON *host = document->child; host; host = host->next)
		hosts.count += wire_ip_parse(host->string, hosts.ips[hosts.count]);
	*ret_hosts = hosts;
	return 0;
}

int uplink_hosts(struct uplink *uplink, struct uplink_hosts *ret_hosts, struct text *ret_error)
{
	const struct text *body;
	int result = client_get(uplink->client, "hosts", &body, ret_error);
	if (result)
		return result;
	cJSON *document = cJSON_ParseWithLength(body->data, body->length);
	if (cJSON_IsObject(document))
		result = parse_hosts(document, ret_hosts);
	else
		result = -EBADMSG;
	cJSON_Delete(document);
	return result ? say(uplink, result, result == -EBADMSG ? "it is no JSON object" : NULL, ret_error) : 0;
}

void uplink_hosts_free(struct uplink_hosts *hosts)
{
	free(hosts->ips);
	*hosts = (struct uplink_hosts){ 0 };
}

static int get(struct uplink *uplink, const struct history_query *query, const char *fn, int64_t now_ms,
               const struct text **ret_body, struct text *ret_error)
{
	text_reset(&uplink->path);
	history_path(query, fn, now_ms, &uplink->path);
	if (text_failed(&uplink->path)) {
		text_append_string(ret_error, strerror(ENOMEM));
		return -ENOMEM;
	}
	return client_get(uplink->client, uplink->path.data, ret_body, ret_error);
}

static bool make_steps(struct uplink *uplink, size_t count)
{
	if (count <= uplink->step_capacity)
		return true;
	struct step *steps = realloc(uplink->steps, count * sizeof(*steps));
	if (!steps)
		return false;
	uplink->steps = steps;
	uplink->step_capacity = count;
	return true;
}

int uplink_history(struct uplink *uplink, const struct history_query *query, int64_t now_ms,
                   const struct history_reader *reader, struct text *ret_error)
{
	const struct text *body;
	int result = get(uplink, query, "max", now_ms, &body, ret_error);
	if (result)
		return result;
	text_reset(&uplink->maxima);
	text_append(&uplink->maxima, body->data, body->length);
	result = get(uplink, query, "mean", now_ms, &body, ret_error);
	if (result)
		return result;
	if (text_failed(&uplink->maxima) || !make_steps(uplink, query->count))
		return say(uplink, -ENOMEM, NULL, ret_error);
	struct text wrong = TEXT_EMPTY;
	result = history_merge(query, uplink->maxima.data, body->data, uplink->steps, reader, &wrong);
	if (result)
		say(uplink, result, wrong.data, ret_error);
	text_free(&wrong);
	return result;
}

bool uplink_refused(const struct uplink *uplink)
{
	return client_status(uplink->client) == 400;
}

void uplink_forecasts_begin(struct uplink *uplink)
{
	series_report_begin(&uplink->report);
}

/* At most `decimals` of them. */
static double rounded(double number, double decimals)
{
	double scale = pow(10, decimals);
	return round(number * scale) / scale;
}

static void append_why(struct text *body, const struct forecast *forecast)
{
	text_append_string(body, ", \"why\": {\"climb\": ");
	if (forecast->climb > 0)
		json_append_number(body, rounded(forecast->climb, 4));
	else
		text_append_string(body, "null");
	text_append_string(body, ", \"parts\": [");
	const char *separator = "";
	for (size_t i = 0; i < forecast->part_count; i++) {
		const struct forecaster_part *part = &forecast->parts[i];
		if (!(fabs(part->log_odds) <= WIRE_VALUE_MAX) || !(fabs(part->value) <= WIRE_VALUE_MAX))
			continue;
		text_printf(body, "%s{\"name\": \"%s\", \"log_odds\": ", separator, part->name);
		separator = ", ";
		json_append_number(body, rounded(part->log_odds, 3));
		text_append_string(body, ", \"value\": ");
		json_append_number(body, rounded(part->value, 4));
		text_append_string(body, ", \"meaning\": ");
		json_append_string(body, part->meaning);
		text_append_char(body, '}');
	}
	text_append_string(body, "]}");
}

int uplink_forecasts_add(struct uplink *uplink, const struct forecast *forecast, struct text *ret_error)
{
	/* The server refuses a report whole: what it does not take takes no other forecast with it. */
	if (!(forecast->probability >= 0 && forecast->probability <= 1) ||
	    !(forecast->value >= 0 && forecast->value <= WIRE_VALUE_MAX))
		return 0;
	struct text *body = &uplink->report.body;
	int result = series_report_add(&uplink->report, forecast->ip, forecast->process, forecast->resource, ret_error);
	if (result)
		return result;
	text_append_string(body, ", \"probability\": ");
	json_append_number(body, rounded(forecast->probability, 4));
	text_append_string(body, ", \"forecast\": ");
	json_append_number(body, rounded(forecast->value, 3));
	text_append_string(body, ", \"expected_at\": ");
	if (forecast->expected_ms < 0)
		text_append_string(body, "null");
	else
		json_append_seconds(body, forecast->expected_ms);
	if (forecast->full_ms >= 0) {
		text_append_string(body, ", \"full_at\": ");
		json_append_seconds(body, forecast->full_ms);
	}
	if (forecast->limit > 0) {
		text_append_string(body, ", \"limit\": ");
		json_append_number(body, forecast->limit);
		text_append_string(body, ", \"horizon_s\": ");
		json_append_seconds(body, forecast->horizon_ms);
	}
	if (forecast->explained)
		append_why(body, forecast);
	text_append_char(body, '}');
	return 0;
}

int uplink_forecasts_end(struct uplink *uplink, struct text *ret_error)
{
	return series_report_end(&uplink->report, ret_error);
}

bool uplink_is_stopped(const struct uplink *uplink)
{
	return client_is_stopped(uplink->client);
}
