#include "collector/uplink.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/token.h"
#include "common/clock.h"
#include "common/http.h"
#include "common/json.h"
#include "common/log.h"
#include "common/proxy.h"
#include "common/url.h"
#include "common/wire.h"

enum { BODIES_MAX = 3 }; /* of one PUT, whose connections each have another own address */

struct uplink {
	struct http *http;
	char *base; /* the URL that paths are appended to: it ends with a slash */
	char ip[WIRE_IP_SIZE]; /* "": not known yet */
	bool ip_configured;
	int64_t interval_ms; /* of the samples, said in each body */
	char *ca_file, *proxy;
	struct token token;
	struct server_clock *clock;
	enum config_gzip gzip;
	bool plain_only; /* the server has refused what was compressed, and not the same plain */
	bool stopped;    /* by the server */
	bool told;       /* of this host: its answer to a PUT has said whether it is to be stopped */
	bool takes_processes; /* its last answer to a body has offered the form by process … */
	size_t takes_further; /* … and so many of the further resources */
	bool said_further;    /* that it takes fewer than there are was logged */
	size_t samples;       /* of the last body */
	bool greeted;    /* it has answered */
	bool local;      /* it is on this machine */

	const char *method; /* of the last request */
	struct text url;    /* likewise */
	struct http_answer answer;
	bool memory_failed; /* it could not even be built */
	bool foreign;       /* its answer was not vigie's */
	bool moved;         /* it was not sent, its connection has another own address: `ip` by now */
	struct text description;
};

int uplink_check(const struct config *config, struct text *ret_error)
{
	int result = url_check("[collector] url", config->collector.url, ret_error);
	if (!result)
		result = proxy_check("[collector] proxy", config->collector.proxy, ret_error);
	if (result)
		return result;
	char ip[WIRE_IP_SIZE];
	if (config->collector.ip[0] && !wire_ip_parse(config->collector.ip, ip)) {
		text_printf(ret_error, "[collector] ip: '%s' is no address", config->collector.ip);
		return -EINVAL;
	}
	return 0;
}

int uplink_open(const struct config *config, struct server_clock *clock, struct uplink **ret_uplink)
{
	struct uplink *uplink = calloc(1, sizeof(*uplink));
	if (!uplink)
		return -ENOMEM;
	uplink->ip_configured = config->collector.ip[0] && wire_ip_parse(config->collector.ip, uplink->ip);

	const char *url = config->collector.url;
	uplink->http = http_open(config->collector.timeout_ms);
	if (asprintf(&uplink->base, "%s%s", url, url[0] && url[strlen(url) - 1] == '/' ? "" : "/") < 0)
		uplink->base = NULL;
	uplink->ca_file = strdup(config->collector.ca_file);
	uplink->proxy = strdup(config->collector.proxy);
	uplink->clock = clock;
	uplink->interval_ms = config->collector.interval_ms;
	uplink->gzip = (enum config_gzip)config->collector.gzip;
	uplink->local = url_is_loopback(url);
	if (!uplink->http || !uplink->base || !uplink->ca_file || !uplink->proxy ||
	    token_open(&uplink->token, config->collector.token_file) != 0) {
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
	free(uplink->base);
	free(uplink->ca_file);
	free(uplink->proxy);
	token_free(&uplink->token);
	text_free(&uplink->url);
	text_free(&uplink->answer.body);
	text_free(&uplink->description);
	free(uplink);
}

/* Vigie answers with a JSON object, and so does the nginx before it; a portal that wants a
 * sign-in does not. */
static bool is_vigies(const struct http_answer *answer)
{
	return answer->body.data && answer->body.data[0] == '{';
}

/* Takes the address of the connection for that of this host, unless there is one for it. */
static void take_ip(struct uplink *uplink)
{
	char ip[WIRE_IP_SIZE];
	if (uplink->ip_configured || !http_own_ip(uplink->http, ip) || strcmp(ip, uplink->ip) == 0)
		return;
	if (uplink->ip[0])
		log_info("this host's address is %s now, and was %s", ip, uplink->ip);
	if (http_is_proxied(uplink->http) && url_host_is_loopback(ip))
		log_warning("this host is known as %s, since the proxy is on it: [collector] ip names a better address", ip);
	memcpy(uplink->ip, ip, sizeof(ip));
}

/* Takes what an answer tells beside its status. */
static void learn(struct uplink *uplink, struct moment begun)
{
	const struct http_answer *answer = &uplink->answer;
	struct moment ended = clock_moment();
	take_ip(uplink);
	uplink->local = http_peer_is_local(uplink->http);
	uplink->greeted = true;
	if (answer->date_s > 0)
		server_clock_learn(uplink->clock, answer->date_s * 1000, answer->date_s * 1000 + 1000, begun, ended);
	if (answer->status != 409)
		return;
	cJSON *json = cJSON_ParseWithLength(answer->body.data, answer->body.length);
	const cJSON *time = cJSON_GetObjectItemCaseSensitive(json, "server_time");
	if (cJSON_IsNumber(time) && time->valuedouble > 0 && time->valuedouble < 1e11) {
		int64_t time_ms = (int64_t)(time->valuedouble * 1000);
		server_clock_learn(uplink->clock, time_ms, time_ms, begun, ended);
	}
	cJSON_Delete(json);
}

static void take_form(struct uplink *uplink, const struct http_answer *answer)
{
	uplink->takes_processes = answer->offers_processes;
	uplink->takes_further = answer->resources > RESOURCE_LIMITED ? (size_t)(answer->resources - RESOURCE_LIMITED) : 0;
}

/* The HTTP status of the answer; 0 without one, or where one that matters is not vigie's. A body, which has our own
 * address in it, goes over a connection that has this address, or not at all. */
static long request(struct uplink *uplink, const char *method, const char *name, const struct text *body, bool gzip,
                    int64_t timeout_ms)
{
	struct http_answer *answer = &uplink->answer;
	uplink->method = method;
	uplink->foreign = false;
	uplink->moved = false;
	answer->status = 0;
	answer->retry_after_s = -1;
	text_reset(&uplink->url);
	text_append_string(&uplink->url, uplink->base);
	text_append_string(&uplink->url, name);
	uplink->memory_failed = text_failed(&uplink->url) || (body && text_failed(body));
	if (uplink->memory_failed)
		return 0;

	const struct http_message message = {
		.method = method,
		.url = uplink->url.data,
		.body = body ? body->data : NULL,
		.body_length = body ? body->length : 0,
		.gzip = gzip,
		.authorization = uplink->token.header.data,
		.ca_file = uplink->ca_file,
		.proxy = uplink->proxy,
		.service = WIRE_COLLECTOR,
		.stopped = uplink->stopped,
		.own_ip = body && !uplink->ip_configured ? uplink->ip : NULL,
		.timeout_ms = timeout_ms,
	};
	struct moment begun = clock_moment();
	int result = http_send(uplink->http, &message, answer);
	uplink->moved = result == -EADDRNOTAVAIL;
	if (uplink->moved)
		take_ip(uplink);
	if (result)
		return 0;
	if (is_vigies(answer)) {
		learn(uplink, begun);
		if (body || !uplink->told)
			uplink->stopped = http_is_to_stop(answer, uplink->stopped);
		uplink->told = uplink->told || (body && answer->status == 200);
		if (body && (answer->status == 200 || answer->status == 400)) /* others may be nginx's, which knows of no form */
			take_form(uplink, answer);
		return answer->status;
	}
	/* Nothing is thrown away, and no clock set, on the word of a stranger. */
	uplink->foreign = answer->status == 200 || answer->status == 400 || answer->status == 409;
	return uplink->foreign ? 0 : answer->status;
}

bool uplink_greet(struct uplink *uplink, int64_t timeout_ms)
{
	bool known = uplink->greeted && uplink->ip[0];
	if (known && (!uplink->clock->known || server_clock_is_sure(uplink->clock, clock_moment())))
		return true;
	return request(uplink, "GET", "health", NULL, false, timeout_ms) && uplink->greeted && uplink->ip[0];
}

/* As it is now: a machine may be given its name, or another one, at any time. */
static void append_hostname(struct text *body)
{
	char hostname[WIRE_NAME_SIZE] = "", clean[WIRE_NAME_SIZE];
	(void)gethostname(hostname, sizeof(hostname) - 1);
	wire_clean_name(hostname, strlen(hostname), clean);
	json_append_string(body, clean);
}

static void append_collector(const struct uplink *uplink, const struct uplink_report *report, struct text *body)
{
	text_append_string(body, "\"collector\":{\"hostname\":");
	append_hostname(body);
	text_append_string(body, ",\"version\":");
	json_append_string(body, VIGIE_VERSION);
	text_append_string(body, ",\"interval_s\":");
	json_append_seconds(body, uplink->interval_ms);
	text_printf(body, ",\"state\":\"%s\",\"partial\":%s", uplink->stopped ? WIRE_STOP : WIRE_RUN,
	            report->partial ? "true" : "false");
	text_printf(body, ",\"ended_cpu\":\"%s\"", report->by_exits ? "exit_records" : "waited_children");
	int64_t offset_ms;
	if (server_clock_offset_ms(uplink->clock, clock_moment(), &offset_ms)) {
		text_append_string(body, ",\"clock_offset_s\":");
		json_append_number(body, (double)offset_ms / 1000);
	}
	const struct counters *counters = report->counters;
	text_printf(body,
	            ",\"counters\":{\"sent\":%lld,\"spooled\":%lld,\"replayed\":%lld,\"dropped\":%lld,"
	            "\"rejected\":%lld,\"missed_ticks\":%lld,\"lost_exits\":%lld}}",
	            (long long)counters->sent, (long long)counters->spooled, (long long)counters->replayed,
	            (long long)counters->dropped, (long long)counters->rejected, (long long)counters->missed_ticks,
	            (long long)counters->lost_exits);
}

/* One PUT, and another where the server may only have disliked how it was sent. */
static long put(struct uplink *uplink, const struct text *body, int64_t timeout_ms)
{
	bool gzip = !uplink->plain_only &&
	            (uplink->gzip == GZIP_YES || (uplink->gzip == GZIP_AUTO && uplink->greeted && !uplink->local));
	long status = request(uplink, "PUT", "save-all", body, gzip, timeout_ms);
	if (gzip && (status == 400 || status == 415)) {
		status = request(uplink, "PUT", "save-all", body, false, timeout_ms);
		uplink->plain_only = status == 200;
		if (uplink->plain_only)
			log_info("%s takes no compressed bodies", uplink->base);
	}
	if (status == 401 && token_refresh(&uplink->token))
		status = request(uplink, "PUT", "save-all", body, gzip, timeout_ms);
	return status;
}

/* Sends a batch in one of the forms of a body, made anew where the connection has another own address. */
static long put_batch(struct uplink *uplink, const struct batch *batch, size_t count, struct batch_form form,
                      const struct uplink_report *report, int64_t timeout_ms)
{
	struct text body = TEXT_EMPTY;
	long status = 0;
	uplink->moved = true;
	for (int i = 0; i < BODIES_MAX && uplink->moved; i++) {
		text_reset(&body);
		text_append_string(&body, "{\"ipaddress\":");
		json_append_string(&body, uplink->ip);
		text_append_char(&body, ',');
		uplink->samples = batch_append_json(batch, batch->done, count, form, &body);
		batch_append_kills(batch, &body);
		text_append_char(&body, ',');
		append_collector(uplink, report, &body);
		text_append_char(&body, '}');
		status = put(uplink, &body, timeout_ms);
	}
	/* Of 2,000 processes it is 400 KiB, or 40 KiB by process, for a moment every ten seconds. */
	text_free(&body);
	return status;
}

/* How many further resources a batch has that are known here: a later version may have left it in the spool. */
static size_t further_of(const struct batch *batch)
{
	return batch->further < RESOURCE_FURTHER ? batch->further : RESOURCE_FURTHER;
}

/* What the server takes of a batch, as far as is known. */
static struct batch_form form_of(const struct uplink *uplink, const struct batch *batch)
{
	return (struct batch_form){
		.by_process = uplink->takes_processes,
		.further = further_of(batch) < uplink->takes_further ? further_of(batch) : uplink->takes_further,
	};
}

static void note_further(struct uplink *uplink, const struct batch *batch)
{
	bool lacking = further_of(batch) > uplink->takes_further;
	if (lacking && !uplink->said_further)
		log_warning("%s is an older version, which takes no %s: what is measured of that is lost", uplink->base,
		            wire_resource_name((enum resource)(RESOURCE_LIMITED + uplink->takes_further)));
	if (batch->further)
		uplink->said_further = lacking;
}

long uplink_put(struct uplink *uplink, const struct batch *batch, size_t count, const struct uplink_report *report,
                int64_t timeout_ms)
{
	struct batch_form form = form_of(uplink, batch);
	long status = put_batch(uplink, batch, count, form, report, timeout_ms);
	struct batch_form other = form_of(uplink, batch);
	bool older = (form.by_process && !other.by_process) || form.further > other.further; /* is in its place by now */
	/* Samples that it has, with those that it did not know to be taken, are the same samples. */
	if ((status == 400 && older) || (status == 200 && form.further < other.further))
		status = put_batch(uplink, batch, count, other, report, timeout_ms);
	if (status == 200)
		note_further(uplink, batch);
	return status;
}

size_t uplink_samples(const struct uplink *uplink)
{
	return uplink->samples;
}

int64_t uplink_retry_after_s(const struct uplink *uplink)
{
	return uplink->answer.retry_after_s;
}

const char *uplink_describe(struct uplink *uplink)
{
	struct text *text = &uplink->description;
	text_reset(text);
	text_printf(text, "%s %s: ", uplink->method, text_or(&uplink->url, uplink->base));
	if (uplink->memory_failed) {
		text_append_string(text, "out of memory");
	} else if (uplink->answer.status == 0) {
		text_append_string(text, http_error(uplink->http));
	} else if (uplink->foreign) {
		text_printf(text, "HTTP %ld, and not from vigie", uplink->answer.status);
	} else {
		char sentence[WIRE_NAME_SIZE];
		wire_read_error(uplink->answer.body.data, uplink->answer.body.length, sentence);
		text_printf(text, sentence[0] ? "HTTP %ld (%s)" : "HTTP %ld", uplink->answer.status, sentence);
		http_append_redirect(uplink->http, uplink->url.data + strlen(uplink->base), text);
	}
	http_append_proxy(uplink->http, text);
	return text_failed(text) ? "out of memory" : text->data;
}

bool uplink_is_stopped(const struct uplink *uplink)
{
	return uplink->stopped;
}

void uplink_take_over(struct uplink *uplink, const struct uplink *before)
{
	uplink->stopped = before->stopped;
	uplink->told = before->told;
}

bool uplink_is_local(const struct uplink *uplink)
{
	return uplink->local;
}

const char *uplink_server(const struct uplink *uplink)
{
	return uplink->base;
}
