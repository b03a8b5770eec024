#include "alert/server.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/http.h"
#include "common/json.h"
#include "common/secret.h"

/* Of one PUT: well under the server's limit, however many alarms stand. */
enum { SAVE_BODY_MAX = 512 * 1024 };

struct server {
	struct http *http;
	struct text latest_url;
	struct text save_url;
	struct text authorization; /* the header's value; empty: none */
	struct text request;
	struct http_answer answer;
};

int server_check_url(const char *url, struct text *ret_error)
{
	size_t scheme = strncmp(url, "http://", 7) == 0 ? 7 : strncmp(url, "https://", 8) == 0 ? 8 : 0;
	bool clean = true;
	for (const char *at = url; *at; at++)
		clean = clean && isgraph((unsigned char)*at);
	if (clean && scheme && url[scheme] && !strchr("/:?#", url[scheme]) && !strpbrk(url, "?#"))
		return 0;
	text_printf(ret_error, "[alert] url: '%s' is not a URL like http://127.0.0.1:8000" WIRE_PREFIX, url);
	return -EINVAL;
}

int server_read_token(const char *path, struct text *ret_token, struct text *ret_error)
{
	text_append_string(ret_token, "");
	int result = path[0] ? secret_read(path, ret_token) : text_failed(ret_token) ? -ENOMEM : 0;
	if (result)
		text_printf(ret_error, "[alert] token_file: %s: %s", path,
		            result == -EINVAL ? "it holds no token" : strerror(-result));
	return result;
}

struct server *server_open(const char *url, const char *token, int64_t timeout_ms)
{
	struct server *server = calloc(1, sizeof(*server));
	if (!server)
		return NULL;
	const char *slash = url[0] && url[strlen(url) - 1] == '/' ? "" : "/";
	text_printf(&server->latest_url, "%s%slatest", url, slash);
	text_printf(&server->save_url, "%s%ssave-alarms", url, slash);
	if (token[0])
		text_printf(&server->authorization, "Bearer %s", token);
	server->http = http_open(timeout_ms);
	if (!server->http || text_failed(&server->latest_url) || text_failed(&server->save_url) ||
	    text_failed(&server->authorization)) {
		server_close(server);
		return NULL;
	}
	return server;
}

void server_close(struct server *server)
{
	if (!server)
		return;
	http_close(server->http);
	text_free(&server->latest_url);
	text_free(&server->save_url);
	text_free(&server->authorization);
	text_free(&server->request);
	text_free(&server->answer.body);
	free(server);
}

/* Says which status came, and why where the answer tells. */
static void explain_status(const struct http_answer *answer, struct text *ret_error)
{
	text_printf(ret_error, "the answer's status is %ld", answer->status);
	cJSON *document = cJSON_ParseWithLength(answer->body.data ? answer->body.data : "", answer->body.length);
	const cJSON *error = cJSON_GetObjectItemCaseSensitive(document, "error");
	if (cJSON_IsString(error)) {
		char sentence[WIRE_NAME_SIZE]; /* as clean as a name, for the log */
		wire_clean_name(error->valuestring, strlen(error->valuestring), sentence);
		text_printf(ret_error, " (%s)", sentence);
	}
	cJSON_Delete(document);
}

static int request(struct server *server, const char *method, const struct text *url, const struct text *body,
                   struct text *ret_error)
{
	const struct http_message message = {
		.method = method,
		.url = url->data,
		.body = body ? body->data : NULL,
		.body_length = body ? body->length : 0,
		.authorization = server->authorization.data,
	};
	int result = http_send(server->http, &message, &server->answer);
	if (result) {
		text_printf(ret_error, "%s %s: %s", method, url->data, http_error(server->http));
		return result;
	}
	if (server->answer.status == 200)
		return 0;
	text_printf(ret_error, "%s %s: ", method, url->data);
	explain_status(&server->answer, ret_error);
	return -EREMOTEIO;
}

int server_latest(struct server *server, struct latest *ret_latest, struct text *ret_error)
{
	int result = request(server, "GET", &server->latest_url, NULL, ret_error);
	if (result)
		return result;
	const struct text *body = &server->answer.body;
	struct text wrong = TEXT_EMPTY;
	result = latest_parse(body->data ? body->data : "", body->length, ret_latest, &wrong);
	if (result)
		text_printf(ret_error, "GET %s: %s", server->latest_url.data, wrong.data ? wrong.data : strerror(-result));
	text_free(&wrong);
	return result;
}

static int put_items(struct server *server, struct text *ret_error)
{
	text_append_string(&server->request, "]}");
	if (text_failed(&server->request)) {
		text_append_string(ret_error, strerror(ENOMEM));
		return -ENOMEM;
	}
	return request(server, "PUT", &server->save_url, &server->request, ret_error);
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
