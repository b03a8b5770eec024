#include "alert/uplink.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/client.h"
#include "common/json.h"

/* Of one PUT: well under the server's limit, however many alarms stand. */
enum { SAVE_BODY_MAX = 512 * 1024 };

/* The member of GET health that tells of vigie-forecast, as "alert" tells of us. */
#define HEALTH_FORECAST "forecast"

struct uplink {
	struct client *client;
	struct client *forecasts_client;
	struct text request;
};

struct uplink *uplink_open(const char *url, const char *token, int64_t timeout_ms, int64_t forecasts_ms)
{
	struct uplink *uplink = calloc(1, sizeof(*uplink));
	if (!uplink)
		return NULL;
	uplink->client = client_open(url, token, timeout_ms);
	uplink->forecasts_client = client_open(url, token, forecasts_ms);
	if (!uplink->client || !uplink->forecasts_client) {
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
	client_close(uplink->forecasts_client);
	text_free(&uplink->request);
	free(uplink);
}

int uplink_latest(struct uplink *uplink, struct latest *ret_latest, struct text *ret_error)
{
	const struct text *body;
	int result = client_get(uplink->client, "latest", &body, ret_error);
	if (result)
		return result;
	struct text wrong = TEXT_EMPTY;
	result = latest_parse(body->data, body->length, ret_latest, &wrong);
	if (result)
		text_printf(ret_error, "GET %s: %s", client_url(uplink->client), wrong.data ? wrong.data : strerror(-result));
	text_free(&wrong);
	return result;
}

/* Whether vigie-forecast reports: 0, -ENODATA, or why that cannot be known. */
static int check_health(struct uplink *uplink, struct text *ret_error)
{
	const struct text *body;
	int result = client_get(uplink->forecasts_client, "health", &body, ret_error);
	if (result)
		return result;
	cJSON *health = cJSON_ParseWithLength(body->data, body->length);
	const cJSON *forecast = cJSON_GetObjectItemCaseSensitive(health, HEALTH_FORECAST);
	const cJSON *status = cJSON_GetObjectItemCaseSensitive(forecast, "status");
	if (!cJSON_IsString(status) || strcmp(status->valuestring, "ok") != 0) {
		text_append_string(ret_error, "vigie-forecast does not report");
		result = -ENODATA;
	}
	cJSON_Delete(health);
	return result;
}

int uplink_forecasts(struct uplink *uplink, struct forecasts *ret_forecasts, struct text *ret_error)
{
	const struct text *body;
	int result = client_get(uplink->forecasts_client, "forecasts", &body, ret_error);
	if (result)
		return result;
	struct forecasts forecasts;
	struct text wrong = TEXT_EMPTY;
	result = forecasts_parse(body->data, body->length, &forecasts, &wrong);
	if (result)
		text_printf(ret_error, "GET %s: %s", client_url(uplink->forecasts_client),
		            wrong.data ? wrong.data : strerror(-result));
	text_free(&wrong);
	if (result)
		return result;
	if (forecasts.count == 0)
		result = check_health(uplink, ret_error);
	if (result)
		forecasts_free(&forecasts);
	else
		*ret_forecasts = forecasts;
	return result;
}

static int put_items(struct uplink *uplink, struct text *ret_error)
{
	text_append_string(&uplink->request, "]}");
	return client_put(uplink->client, "save-alarms", &uplink->request, ret_error);
}

static void start_items(struct uplink *uplink)
{
	text_reset(&uplink->request);
	text_append_string(&uplink->request, "{\"data\": [");
}

/* Without a timestamp: the server's own clock is the one that its readers go by. */
static void append_item(struct text *body, const struct alarm *alarm, enum resource resource)
{
	if (body->length && body->data[body->length - 1] == '}')
		text_append_string(body, ",\n");
	text_printf(body, "{\"ipaddress\": \"%s\", \"process_name\": ", alarm->ip);
	json_append_string(body, alarm->process);
	text_printf(body, ", \"type_data\": \"%s\", \"color\": \"%s\"", wire_resource_name(resource),
	            wire_color_name(alarm->color));
	if (alarm->resource != RESOURCE_COUNT) {
		text_append_string(body, ", \"value\": ");
		json_append_number(body, alarm->value);
		text_append_string(body, ", \"threshold\": ");
		json_append_number(body, alarm->threshold);
	}
	if (alarm->color == COLOR_ORANGE) {
		text_append_string(body, ", \"forecast\": ");
		json_append_number(body, alarm->forecast);
		text_append_string(body, ", \"expected_at\": ");
		if (alarm->expected_ms)
			json_append_seconds(body, alarm->expected_ms);
		else
			text_append_string(body, "null");
	}
	text_append_string(body, ", \"since\": ");
	json_append_seconds(body, alarm->since_ms);
	text_append_char(body, '}');
}

/* Adds an alarm to the request, after sending a request that is full. */
static int add_alarm(struct uplink *uplink, const struct alarm *alarm, struct text *ret_error)
{
	if (uplink->request.length > SAVE_BODY_MAX) {
		int result = put_items(uplink, ret_error);
		if (result)
			return result;
		start_items(uplink);
	}
	bool whole_host = alarm->resource == RESOURCE_COUNT;
	for (int resource = 0; resource < RESOURCE_COUNT; resource++) {
		if (whole_host || alarm->resource == (enum resource)resource)
			append_item(&uplink->request, alarm, (enum resource)resource);
	}
	return 0;
}

int uplink_save_alarms(struct uplink *uplink, const struct states *states, struct text *ret_error)
{
	int result = 0;
	start_items(uplink);
	for (const struct series_state *series = states_next_series(states, NULL); series && !result;
	     series = states_next_series(states, series)) {
		if (series->alarm.color != COLOR_GREEN || series->ended)
			result = add_alarm(uplink, &series->alarm, ret_error);
	}
	for (const struct host_state *host = states_next_host(states, NULL); host && !result;
	     host = states_next_host(states, host)) {
		if (host->alarm.color == COLOR_UNKNOWN || host->ended)
			result = add_alarm(uplink, &host->alarm, ret_error);
	}
	return result ? result : put_items(uplink, ret_error);
}
