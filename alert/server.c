#include "alert/server.h"

#include <stdlib.h>
#include <string.h>

#include "common/client.h"
#include "common/json.h"

/* Of one PUT: well under the server's limit, however many alarms stand. */
enum { SAVE_BODY_MAX = 512 * 1024 };

struct server {
	struct client *client;
	struct text request;
};

struct server *server_open(const char *url, const char *token, int64_t timeout_ms)
{
	struct server *server = calloc(1, sizeof(*server));
	if (!server)
		return NULL;
	server->client = client_open(url, token, timeout_ms);
	if (!server->client) {
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
		if (series->alarm.color == COLOR_RED || series->ended)
			result = add_alarm(server, &series->alarm, ret_error);
	}
	for (const struct host_state *host = states_next_host(states, NULL); host && !result;
	     host = states_next_host(states, host)) {
		if (host->alarm.color == COLOR_UNKNOWN || host->ended)
			result = add_alarm(server, &host->alarm, ret_error);
	}
	return result ? result : put_items(server, ret_error);
}
