#include "collector/uplink.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/http.h"
#include "common/json.h"
#include "common/wire.h"

struct uplink {
	struct http *http;
	char *url; /* ends with a slash */
	char ip[WIRE_IP_SIZE]; /* "": not known yet */
	bool ip_configured;
	char hostname[WIRE_NAME_SIZE];

	const char *method; /* of the last request */
	struct text path;   /* its URL */
	struct http_answer answer;
	bool memory_failed; /* it could not even be built */
	struct text description;
};

int uplink_check(const struct config *config, struct text *ret_error)
{
	const char *url = config->collector.url;
	const char *host = strncmp(url, "http://", 7) == 0    ? url + 7
	                   : strncmp(url, "https://", 8) == 0 ? url + 8
	                                                      : "";
	bool right = host[0] != '\0' && !strchr("/:?#@", host[0]) && !strpbrk(host, " ?#");
	for (const char *at = host; *at; at++)
		right = right && (unsigned char)*at > 0x20;
	if (!right) {
		text_printf(ret_error, "[collector] url: '%s' is no http:// or https:// address", url);
		return -EINVAL;
	}
	char ip[WIRE_IP_SIZE];
	if (config->collector.ip[0] && !wire_ip_parse(config->collector.ip, ip)) {
		text_printf(ret_error, "[collector] ip: '%s' is no address", config->collector.ip);
		return -EINVAL;
	}
	return 0;
}

int uplink_open(const struct config *config, struct uplink **ret_uplink)
{
	struct uplink *uplink = calloc(1, sizeof(*uplink));
	if (!uplink)
		return -ENOMEM;
	char hostname[WIRE_NAME_SIZE] = "";
	(void)gethostname(hostname, sizeof(hostname) - 1);
	wire_clean_name(hostname, strlen(hostname), uplink->hostname);
	uplink->ip_configured = config->collector.ip[0] && wire_ip_parse(config->collector.ip, uplink->ip);

	const char *url = config->collector.url;
	uplink->http = http_open(config->collector.timeout_ms);
	if (asprintf(&uplink->url, "%s%s", url, url[0] && url[strlen(url) - 1] == '/' ? "" : "/") < 0)
		uplink->url = NULL;
	if (!uplink->http || !uplink->url) {
		uplink_close(uplink);
		return -ENOMEM;
	}
	*ret_uplink = uplink;
	return 0;
}

void uplink_close(struct uplink *uplink)
{
	if (!uplink)
		return;
	http_close(uplink->http);
	free(uplink->url);
	text_free(&uplink->path);
	text_free(&uplink->answer.body);
	text_free(&uplink->description);
	free(uplink);
}

/* The HTTP status of the answer, 0 without one. */
static long request(struct uplink *uplink, const char *method, const char *name, const struct text *body)
{
	uplink->method = method;
	uplink->answer.status = 0;
	uplink->answer.retry_after_s = -1;
	text_reset(&uplink->path);
	text_append_string(&uplink->path, uplink->url);
	text_append_string(&uplink->path, name);
	uplink->memory_failed = text_failed(&uplink->path) || (body && text_failed(body));
	if (uplink->memory_failed)
		return 0;

	int result = http_request(uplink->http, method, uplink->path.data, body ? body->data : NULL,
	                          body ? body->length : 0, &uplink->answer);
	if (result)
		return 0;
	if (!uplink->ip_configured)
		(void)http_own_ip(uplink->http, uplink->ip);
	return uplink->answer.status;
}

bool uplink_learn_ip(struct uplink *uplink)
{
	return uplink->ip[0] || (request(uplink, "GET", "health", NULL) && uplink->ip[0]);
}

static void append_collector(const struct uplink *uplink, const struct uplink_report *report, struct text *body)
{
	text_append_string(body, "\"collector\":{\"hostname\":");
	json_append_string(body, uplink->hostname);
	text_append_string(body, ",\"version\":");
	json_append_string(body, VIGIE_VERSION);
	text_printf(body,
	            ",\"state\":\"run\",\"partial\":%s,\"counters\":{\"sent\":%lld,\"dropped\":%lld,"
	            "\"rejected\":%lld,\"missed_ticks\":%lld}}",
	            report->partial ? "true" : "false", (long long)report->sent, (long long)report->dropped,
	            (long long)report->rejected, (long long)report->missed_ticks);
}

long uplink_put(struct uplink *uplink, const struct batch *batch, size_t count, const struct uplink_report *report)
{
	struct text body = TEXT_EMPTY;
	text_append_string(&body, "{\"ipaddress\":");
	json_append_string(&body, uplink->ip);
	text_append_string(&body, ",\"data\":[");
	batch_append_json(batch, batch->done, count, &body);
	text_append_string(&body, "],");
	append_collector(uplink, report, &body);
	text_append_char(&body, '}');
	long status = request(uplink, "PUT", "save-all", &body);
	/* Of 2,000 processes it is 400 KiB, for a moment every ten seconds. */
	text_free(&body);
	return status;
}

int64_t uplink_retry_after_s(const struct uplink *uplink)
{
	return uplink->answer.retry_after_s;
}

/* The server's own sentence on why, or "" where its answer holds none. */
static void read_sentence(const struct text *answer, char ret_sentence[static WIRE_NAME_SIZE])
{
	cJSON *json = answer->data ? cJSON_ParseWithLength(answer->data, answer->length) : NULL;
	const char *sentence = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "error"));
	ret_sentence[0] = '\0';
	if (sentence)
		wire_clean_name(sentence, strlen(sentence), ret_sentence);
	cJSON_Delete(json);
}

const char *uplink_describe(struct uplink *uplink)
{
	struct text *text = &uplink->description;
	text_reset(text);
	text_printf(text, "%s %s: ", uplink->method, uplink->path.data ? uplink->path.data : uplink->url);
	if (uplink->memory_failed) {
		text_append_string(text, "out of memory");
	} else if (uplink->answer.status == 0) {
		text_append_string(text, http_error(uplink->http));
	} else {
		char sentence[WIRE_NAME_SIZE];
		read_sentence(&uplink->answer.body, sentence);
		text_printf(text, sentence[0] ? "HTTP %ld (%s)" : "HTTP %ld", uplink->answer.status, sentence);
	}
	return text_failed(text) ? "out of memory" : text->data;
}

const char *uplink_url(const struct uplink *uplink)
{
	return uplink->url;
}
