#include "forecast/server.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/client.h"
#include "common/json.h"

/* Of one PUT: well under the server's limit, however many series there are. */
enum { SAVE_BODY_MAX = 512 * 1024, ITEM_MAX = 8 * WIRE_NAME_SIZE };

struct server {
	struct client *client;
	struct text path;
	struct text maxima; /* the first of two answers */
	struct text request;
	struct step *steps;
	size_t step_capacity;
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
	text_free(&server->path);
	text_free(&server->maxima);
	text_free(&server->request);
	free(server->steps);
	free(server);
}

static int say(const struct server *server, int result, const char *wrong, struct text *ret_error)
{
	text_printf(ret_error, "GET %s: %s", client_url(server->client), wrong ? wrong : strerror(-result));
	return result;
}

static int parse_hosts(const cJSON *document, struct server_hosts *ret_hosts)
{
	struct server_hosts hosts = { .ips = calloc((size_t)cJSON_GetArraySize(document) + 1, sizeof(*hosts.ips)) };
	if (!hosts.ips)
		return -ENOMEM;
	for (const cJSON *host = document->child; host; host = host->next)
		hosts.count += wire_ip_parse(host->string, hosts.ips[hosts.count]);
	*ret_hosts = hosts;
	return 0;
}

int server_hosts(struct server *server, struct server_hosts *ret_hosts, struct text *ret_error)
{
	const struct text *body;
	int result = client_get(server->client, "hosts", &body, ret_error);
	if (result)
		return result;
	cJSON *document = cJSON_ParseWithLength(body->data, body->length);
	if (cJSON_IsObject(document))
		result = parse_hosts(document, ret_hosts);
	else
		result = -EBADMSG;
	cJSON_Delete(document);
	return result ? say(server, result, result == -EBADMSG ? "it is no JSON object" : NULL, ret_error) : 0;
}

void server_hosts_free(struct server_hosts *hosts)
{
	free(hosts->ips);
	*hosts = (struct server_hosts){ 0 };
}

static int get(struct server *server, const struct history_query *query, const char *fn, int64_t now_ms,
               const struct text **ret_body, struct text *ret_error)
{
	text_reset(&server->path);
	history_path(query, fn, now_ms, &server->path);
	if (text_failed(&server->path)) {
		text_append_string(ret_error, strerror(ENOMEM));
		return -ENOMEM;
	}
	return client_get(server->client, server->path.data, ret_body, ret_error);
}

static bool make_steps(struct server *server, size_t count)
{
	if (count <= server->step_capacity)
		return true;
	struct step *steps = realloc(server->steps, count * sizeof(*steps));
	if (!steps)
		return false;
	server->steps = steps;
	server->step_capacity = count;
	return true;
}

int server_history(struct server *server, const struct history_query *query, int64_t now_ms,
                   const struct history_reader *reader, struct text *ret_error)
{
	const struct text *body;
	int result = get(server, query, "max", now_ms, &body, ret_error);
	if (result)
		return result;
	text_reset(&server->maxima);
	text_append(&server->maxima, body->data, body->length);
	result = get(server, query, "mean", now_ms, &body, ret_error);
	if (result)
		return result;
	if (text_failed(&server->maxima) || !make_steps(server, query->count))
		return say(server, -ENOMEM, NULL, ret_error);
	struct text wrong = TEXT_EMPTY;
	result = history_merge(query, server->maxima.data, body->data, server->steps, reader, &wrong);
	if (result)
		say(server, result, wrong.data, ret_error);
	text_free(&wrong);
	return result;
}

bool server_refused(const struct server *server)
{
	return client_status(server->client) == 400;
}

void server_forecasts_begin(struct server *server)
{
	text_reset(&server->request);
	text_append_string(&server->request, "{\"data\": [");
}

/* At most `decimals` of them. */
static double rounded(double number, double decimals)
{
	double scale = pow(10, decimals);
	return round(number * scale) / scale;
}

int server_forecasts_add(struct server *server, const struct forecast *forecast, struct text *ret_error)
{
	struct text *body = &server->request;
	if (body->length > SAVE_BODY_MAX - ITEM_MAX) {
		int result = server_forecasts_end(server, ret_error);
		if (result)
			return result;
		server_forecasts_begin(server);
	}
	if (body->length && body->data[body->length - 1] == '}')
		text_append_string(body, ",\n");
	text_printf(body, "{\"ipaddress\": \"%s\", \"process_name\": ", forecast->ip);
	json_append_string(body, forecast->process);
	text_printf(body, ", \"type_data\": \"%s\", \"probability\": ", wire_resource_name(forecast->resource));
	json_append_number(body, rounded(forecast->probability, 4));
	text_append_string(body, ", \"forecast\": ");
	json_append_number(body, rounded(forecast->forecast, 3));
	text_append_string(body, ", \"expected_at\": ");
	if (forecast->expected_ms < 0)
		text_append_string(body, "null");
	else
		json_append_seconds(body, forecast->expected_ms);
	text_append_char(body, '}');
	return 0;
}

int server_forecasts_end(struct server *server, struct text *ret_error)
{
	text_append_string(&server->request, "]}");
	return client_put(server->client, "save-forecasts", &server->request, ret_error);
}
