/*
 * A service over an engine that answers every request with the same status and bytes, which may be the fuzzer's.
 * Nothing waits, nothing is kept from one input to the next, and the wall clock stands still, so that an input does
 * the same whenever it is run.
 *
 * What stands here in the place of the product's: HTTP, the thread that keeps an engine set up, and the clock.
 */
#ifndef VIGIE_TESTS_FUZZ_FCGI_SERVED_H
#define VIGIE_TESTS_FUZZ_FCGI_SERVED_H

#include "tests/fuzz/fuzz.h"

#include <cjson/cJSON.h>
#include <math.h>

#include "common/clock.h"
#include "fcgi/body.h"
#include "fcgi/remote/remote.h"
#include "fcgi/routes.h"

enum { SERVED_THREADS = 8 };

/* What the engine answers, in pieces of how many bytes. */
static struct {
	long status;
	const void *bytes;
	size_t size, piece;
	remote_set_up *set_up;
	struct store *store;
} served;

int64_t clock_wall_ms(void)
{
	return 1795356880000; /* 2026-11-22T14:14:40Z: that of the corpus */
}

int remote_start(struct remote *remote, remote_set_up *set_up, const struct http_message *probe, struct store *store)
{
	(void)remote;
	(void)probe;
	served.set_up = set_up;
	served.store = store;
	return 0;
}

struct http {
	char none;
};

struct http *http_open(int64_t timeout_ms)
{
	static struct http http;
	(void)timeout_ms;
	return &http;
}

void http_close(struct http *http)
{
	(void)http;
}

const char *http_error(const struct http *http)
{
	(void)http;
	return "the sink did not take it";
}

void http_append_redirect(const struct http *http, const char *path, struct text *text)
{
	(void)http, (void)path, (void)text;
}

void http_append_proxy(const struct http *http, struct text *text)
{
	(void)http, (void)text;
}

/* Whatever a name holds, a sample is a line: a measurement, and a time at its end. */
static inline void served_check_lines(const char *bytes, size_t length)
{
	assert(length > 0 && bytes[length - 1] == '\n');
	for (const char *line = bytes; line < bytes + length;) {
		const char *end = strchr(line, '\n'), *digits = end;
		while (digits > line && digits[-1] >= '0' && digits[-1] <= '9')
			digits--;
		assert((strncmp(line, "cpu_", 4) == 0 || strncmp(line, "mem_", 4) == 0) && digits < end && digits[-1] == ' ');
		line = end + 1;
	}
}

int http_send(struct http *http, const struct http_message *message, struct http_answer *ret_answer)
{
	(void)http;
	if (message->content_type && strncmp(message->content_type, "text/plain", 10) == 0)
		served_check_lines(message->body, message->body_length);
	ret_answer->status = served.status;
	text_reset(&ret_answer->body);
	if (!message->sink || served.status >= 300) {
		text_append(&ret_answer->body, served.bytes, served.size);
		return 0;
	}
	int result = 0;
	for (size_t at = 0; at < served.size && result == 0; at += served.piece) {
		size_t left = served.size - at;
		result = message->sink(message->sink_user, (const char *)served.bytes + at,
		                       left < served.piece ? left : served.piece);
	}
	return result;
}

/* A service over `engine`, set up with its answer. */
static inline struct service *served_open(const char *engine)
{
	static struct config *config;
	struct service *service;
	if (!config) {
		struct text error = TEXT_EMPTY;
		char store[32];
		snprintf(store, sizeof(store), "server.store=%s", engine);
		char *overrides[] = { store, (char[]){ "server.cache=0" } };
		if (config_load(NULL, overrides, 2, &config, &error) != 0)
			abort();
		body_init();
	}
	if (service_open(config, SERVED_THREADS, &service) != 0)
		abort();
	(void)served.set_up(served.store);
	return service;
}

/* Each line of the metrics is a comment, or has a number behind its last blank. */
static inline void served_check_metrics(char *text)
{
	char *rest = text;
	for (char *line = strsep(&rest, "\n"); line && rest; line = strsep(&rest, "\n")) {
		char *blank = strrchr(line, ' '), *end;
		if (line[0] == '#')
			continue;
		assert(blank && isfinite(strtod(blank + 1, &end)) && end != blank + 1 && *end == '\0');
	}
}

/* Asks, as the pool does, and checks that the answer is one. */
static inline void served_ask(struct service *service, struct request *request)
{
	struct response response = { .status = 200, .content_type = "application/json" };
	if (routes_admit(service, request, &response))
		routes_handle(service, request, &response);
	const struct text *body = response_body(&response);
	assert(body->data && !text_failed(body) && strlen(body->data) == body->length);
	if (wire_utf8_check(body->data, body->length) < body->length)
		fuzz_fail("%s?%s: the answer is not UTF-8: %s", request->path, request->query, body->data);
	if (strcmp(response.content_type, "application/json") == 0) {
		cJSON *tree = cJSON_ParseWithOpts(body->data, NULL, true);
		if (!tree)
			fuzz_fail("%s?%s: the answer is no JSON: %s", request->path, request->query, body->data);
		cJSON_Delete(tree);
	} else if (strncmp(response.content_type, "text/csv", strlen("text/csv")) == 0) {
		/* Each row has its end, and a line of columns comes before all. */
		if (body->length < 2 || strcmp(body->data + body->length - 2, "\r\n") != 0)
			fuzz_fail("%s?%s: the rows have no end: %s", request->path, request->query, body->data);
	} else {
		served_check_metrics(response.body.data);
	}
	routes_sent(service, request);
	response_free(&response);
}

static inline void served_get(struct service *service, const char *path, const char *query)
{
	struct request request = { .method = "GET", .path = path, .query = query, .authorization = "", .host = "", .accept = "" };
	served_ask(service, &request);
}

/* A write, whose refusal is told in the engine's words. */
static inline void served_put(struct service *service)
{
	char body[] = "{\"ipaddress\": \"10.0.0.5\", \"data\": [{\"timestamp\": 1795356870.1, \"value\": 12.5, "
	              "\"process_name\": \"a b,c=d\\n\", \"type_data\": \"cpu\"}]}";
	struct request request = { .method = "PUT", .path = WIRE_PREFIX "save-all", .query = "", .authorization = "", .host = "",
		                       .body = body, .body_length = strlen(body) };
	served_ask(service, &request);
}

/* The target of an engine: it answers each request with the input, whose first byte says in what pieces and with
 * which status: 0 to 9 are 200. */
static inline int served_answer(const char *engine, const uint8_t *bytes, size_t size)
{
	static const struct {
		const char *path, *query;
	} reads[] = {
		{ WIRE_PREFIX "get-all", "above=1&limit=3&by=host" },
		{ WIRE_PREFIX "get-all", "" },
		{ WIRE_PREFIX "get-all-detailed", "timestamps=1&by=host" },
		{ WIRE_PREFIX "get-all-detailed", "timestamps=1&step=30s" },
		{ WIRE_PREFIX "get-all-detailed", "step=1m&fn=max&resource=cpu&by=host" },
		{ WIRE_PREFIX "get-all-detailed", "above=1&limit=2" },
		{ WIRE_PREFIX "latest", "" },
		{ WIRE_PREFIX "hosts", "" },
		{ WIRE_PREFIX "query-alarm", "" },
		{ WIRE_PREFIX "alarms", "" },
		{ WIRE_PREFIX "forecasts", "" },
		{ WIRE_PREFIX "health", "" },
	};
	static const long statuses[16] = { [4] = 400, [5] = 404, [6] = 503, [7] = 422 };
	long status = size ? statuses[bytes[0] >> 4] : 0;
	served.status = status ? status : 200;
	served.piece = fuzz_piece(&bytes, &size);
	served.bytes = bytes;
	served.size = size;
	struct service *service = served_open(engine);
	for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++)
		served_get(service, reads[i].path, reads[i].query);
	served_put(service);
	service_close(service);
	return 0;
}

#endif
