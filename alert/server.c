#include "alert/server.h"

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

struct server {
	struct client *client;
	struct client *forecasts;
	struct text request;
};

struct server *server_open(const char *url, const char *token, int64_t timeout_ms, int64_t forecasts_ms)
{
	struct server *server = calloc(1, sizeof(*server));
	if (!server)
		return NULL;
	server->client = client_open(url, token, timeout_ms);
	server->forecasts = client_open(url, token, forecasts_ms);
	if (!server->client || !server->forecasts) {
		server_close(server);
		return NULL;
	}
	return server;
}

void server_close(struct server *server)
{
	if (!server)
		return;
	client_close(server->client);
	client_close(server->forecasts);
	text_free(&server->request);
	free(server);
}

int server_latest(struct server *server, struct latest *ret_latest, struct text *ret_error)
{
	const struct text *body;
	int result = client_get(server->client, "latest", &body, ret_error);
	if (result)
		return result;
	struct text wrong = TEXT_EMPTY;
	result = latest_parse(body->data, body->length, ret_latest, &wrong);
	if (result)
		text_printf(ret_error, "GET %s: %s", client_url(server->client), wrong.data ? wrong.data : strerror(-result));
	text_free(&wrong);
	return result;
}

/* Whether vigie-forecast reports: 0, -ENODATA, or why that cannot be known. */
static int check_forecaster(struct server *server, struct text *ret_error)
{
	const struct text *body;
	int result = client_get(server->forecasts, "health", &body, ret_error);
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

int server_forecasts(struct server *server, struct forecasts *ret_forecasts, struct text *ret_error)
{
	const struct text *body;
	int result = client_get(server->forecasts, "forecasts", &body, ret_error);
	if (result)
		return result;
	struct forecasts forecasts;
	struct text wrong = TEXT_EMPTY;
	result = forecasts_parse(body->data, body->length, &forecasts, &wrong);
	if (result)
		text_printf(ret_error, "GET %s: %s", client_url(server->forecasts),
		            wrong.data ? wrong.data : strerror(-result));
	text_free(&wrong);
	if (result)
		return result;
	if (forecasts.count == 0)
		result = check_forecaster(server, ret_error);
	if (result)
		forecasts_free(&forecasts);
	else
		*ret_forecasts = forecasts;
	return result;
}

static int put_items(struct server *server, struct text *ret_error)
{
	text_append_string(&server->request, "]}");
	return client_put(server->client, "save-alarms", &server->request, ret_error);
}

static void start_items(struct server *server)
{
	text_reset(&server->request);
	text_append_string(&server->request, "{\"data\": [");
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
static int add_alarm(struct server *server, const struct alarm *alarm, struct text *ret_error)
{
	if (server->request.length > SAVE_BODY_MAX) {
		int result = put_items(server, ret_error);
		if (result)
			return result;
		start_items(server);
	}
	bool whole_host = alarm->resource == RESOURCE_COUNT;
	for (int resource = 0; resource < RESOURCE_COUNT; resource++) {
		if (whole_host || alarm->resource == (enum resource)resource)
			append_item(&server->request, alarm, (enum resource)resource);
	}
	return 0;
}

int server_save_alarms(struct server *server, const struct states *states, struct text *ret_error)
{
	int result = 0;
	start_items(server);
	for (const struct series_state *series = states_next_series(states, NULL); series && !result;
	     series = states_next_series(states, series)) {
		if (series->alarm.color != COLOR_GREEN || series->ended)
			result = add_alarm(server, &series->alarm, ret_error);
	}
	for (const struct host_state *host = states_next_host(states, NULL); host && !result;
	     host = states_next_host(states, host)) {
		if (host->alarm.color == COLOR_UNKNOWN || host->ended)
			result = add_alarm(server, &host->alarm, ret_error);
	}
	return result ? result : put_items(server, ret_error);
}
