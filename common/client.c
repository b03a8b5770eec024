#include "common/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/http.h"
#include "common/secret.h"

struct client {
	enum wire_service service;
	bool stopped;
	struct http *http;
	struct text base;          /* the URL that paths are appended to */
	struct text authorization; /* the header's value; empty: none */
	struct text ca_file;       /* empty: the system's certificates are trusted */
	struct text proxy;         /* as in proxy_choose() */
	struct text url;           /* of the present request */
	struct http_answer answer;
};

int client_read_token(const char *section, const char *path, struct text *ret_token, struct text *ret_error)
{
	text_append_string(ret_token, "");
	int result = path[0] ? secret_read(path, ret_token) : text_failed(ret_token) ? -ENOMEM : 0;
	if (result)
		text_printf(ret_error, "[%s] token_file: %s: %s", section, path,
		            result == -EINVAL ? "it holds no token" : strerror(-result));
	return result;
}

struct client *client_open(enum wire_service service, const char *url, const char *token, const char *proxy,
                           int64_t timeout_ms)
{
	struct client *client = calloc(1, sizeof(*client));
	if (!client)
		return NULL;
	client->service = service;
	text_printf(&client->base, "%s%s", url, url[0] && url[strlen(url) - 1] == '/' ? "" : "/");
	if (token[0])
		text_printf(&client->authorization, "Bearer %s", token);
	text_append_string(&client->proxy, proxy);
	client->http = http_open(timeout_ms);
	if (!client->http || text_failed(&client->base) || text_failed(&client->proxy) || text_failed(&client->authorization)) {
		client_close(client);
		return NULL;
	}
	return client;
}

void client_close(struct client *client)
{
	if (!client)
		return;
	http_close(client->http);
	text_free(&client->base);
	text_free(&client->authorization);
	text_free(&client->ca_file);
	text_free(&client->proxy);
	text_free(&client->url);
	text_free(&client->answer.body);
	free(client);
}

bool client_trust(struct client *client, const char *ca_file)
{
	text_reset(&client->ca_file);
	text_append_string(&client->ca_file, ca_file);
	return !text_failed(&client->ca_file);
}

static int request(struct client *client, const char *method, const char *path, const struct text *body,
                   struct text *ret_error)
{
	text_reset(&client->url);
	text_printf(&client->url, "%s%s", client->base.data, path);
	if (text_failed(&client->url) || (body && text_failed(body))) {
		text_append_string(ret_error, strerror(ENOMEM));
		return -ENOMEM;
	}
	const struct http_message message = {
		.method = method,
		.url = client->url.data,
		.body = body ? body->data : NULL,
		.body_length = body ? body->length : 0,
		.authorization = client->authorization.data,
		.ca_file = client->ca_file.data,
		.proxy = client->proxy.data,
		.service = client->service,
		.stopped = client->stopped,
		.stoppable = true,
	};
	int result = http_send(client->http, &message, &client->answer);
	if (result) {
		text_printf(ret_error, "%s %s: %s", method, client->url.data, http_error(client->http));
		http_append_proxy(client->http, ret_error);
		return result;
	}
	client->stopped = http_is_to_stop(&client->answer, client->stopped);
	if (client->answer.status == 200)
		return 0;
	char sentence[WIRE_NAME_SIZE];
	wire_read_error(client->answer.body.data, client->answer.body.length, sentence);
	text_printf(ret_error, sentence[0] ? "%s %s: the answer's status is %ld (%s)" : "%s %s: the answer's status is %ld",
	            method, client->url.data, client->answer.status, sentence);
	http_append_redirect(client->http, path, ret_error);
	http_append_proxy(client->http, ret_error);
	return -EREMOTEIO;
}

int client_get(struct client *client, const char *path, const struct text **ret_body, struct text *ret_error)
{
	int result = request(client, "GET", path, NULL, ret_error);
	if (result)
		return result;
	text_append_string(&client->answer.body, "");
	if (text_failed(&client->answer.body)) {
		text_append_string(ret_error, strerror(ENOMEM));
		return -ENOMEM;
	}
	*ret_body = &client->answer.body;
	return 0;
}

int client_put(struct client *client, const char *path, const struct text *body, struct text *ret_error)
{
	return request(client, "PUT", path, body, ret_error);
}

long client_status(const struct client *client)
{
	return client->answer.status;
}

bool client_is_stopped(const struct client *client)
{
	return client->stopped;
}

void client_blame(const struct client *client, const char *wrong, struct text *ret_error)
{
	text_printf(ret_error, "GET %s: %s", client->url.data, wrong);
	http_append_proxy(client->http, ret_error);
}
