/* GET silences, PUT silences and DELETE silences/<id>. */
#include "fcgi/service_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "fcgi/silence_body.h"

static bool is_known(struct service *service, struct response *response)
{
	bool known = keeper_knows(service->keeper);
	if (!known)
		response_error(response, 503, NULL, "the store does not answer");
	return known;
}

/* Has one stored. False: the response says why not. */
static bool put(struct service *service, const struct kept *kept, struct request *request, struct response *response)
{
	char refusal[STORE_REFUSAL_SIZE] = "";
	if (request->later)
		request->later->wait(request->later);
	if (!service_enter_store(service, GATE_WRITE, response))
		return false;
	int result = keeper_put(service->keeper, METRIC_SILENCE, kept, refusal);
	gate_leave(&service->gate, GATE_WRITE);
	if (result == -EINVAL)
		response_error(response, 503, NULL, "the store refuses it: %s", refusal);
	else if (result)
		service_answer_failure(result, response);
	return result == 0;
}

/* ---- PUT and DELETE ---- */

/* Whether there is room for one, or it is there. False: the response says so. */
static bool has_room(struct service *service, const char *id, struct response *response)
{
	struct kept kept;
	int64_t now_ms = clock_wall_ms();
	bool room = silences_find(service->silences, id, now_ms, &kept) || silences_count(service->silences, now_ms) < SILENCES_MAX;
	if (!room)
		response_error(response, 503, NULL, "there are %d silences: end some, or let some end", SILENCES_MAX);
	return room;
}

static void log_silence(const struct silence *silence, const char *what)
{
	char until[CLOCK_RFC3339_SIZE];
	clock_format_rfc3339(silence->until_ms, until);
	log_info("the silence %s of process \"%s\", ip \"%s\", resource \"%s\" until %s %s; by \"%s\": \"%s\"", silence->id,
	         silence->process, silence->ip, silence->resource, until, what, silence->by, silence->comment);
}

void service_silence(struct service *service, const struct parameters *parameters, struct request *request,
                     struct response *response)
{
	(void)parameters;
	struct silence silence;
	struct body_error error = { 0 };
	struct kept kept;
	if (!service_check_body(request, response))
		return;
	int result = silence_body_parse(request->body, request->body_length, clock_wall_ms(), &silence, &error);
	if (result) {
		service_answer_refusal(result, &error, response);
		return;
	}
	silences_identify(&silence);
	if (!is_known(service, response) || !has_room(service, silence.id, response))
		return;
	size_t over = silences_keep(&silence, &kept);
	if (over) {
		response_error(response, 400, "comment", "its texts are %zu bytes too long: all of them, percent-encoded, have %d", over,
		               WIRE_NAME_MAX - SILENCE_ID_SIZE - 4);
		return;
	}
	if (!put(service, &kept, request, response))
		return;
	log_silence(&silence, "is set");
	text_printf(&response->body, "{\"Response\": \"Ok\", \"id\": \"%s\"}\n", silence.id);
}

void service_unsilence(struct service *service, const struct parameters *parameters, struct request *request,
                       struct response *response)
{
	(void)parameters;
	char id[SILENCE_ID_SIZE];
	struct silence silence;
	struct kept kept;
	size_t length = strcspn(request->route_rest, "/");
	if (!is_known(service, response))
		return;
	snprintf(id, sizeof(id), "%.*s", (int)length, request->route_rest);
	if (length + 1 != sizeof(id) || request->route_rest[length + (request->route_rest[length] == '/')] ||
	    !silences_find(service->silences, id, clock_wall_ms(), &kept) || !silences_read(&kept, &silence)) {
		response_error(response, 404, NULL, "no silence that has not ended has this id");
		return;
	}
	kept.value = 0;
	if (!put(service, &kept, request, response))
		return;
	log_silence(&silence, "is ended");
	text_append_string(&response->body, "{\"Response\": \"Ok\"}\n");
}

/* ---- GET ---- */

static void append_member(struct text *body, const char *key, const char *value)
{
	text_printf(body, ", \"%s\": ", key);
	json_append_string(body, value);
}

static void append_object(struct text *body, const struct silence *silence)
{
	text_append_string(body, "{\"id\": ");
	json_append_string(body, silence->id);
	append_member(body, "process", silence->process);
	append_member(body, "ip", silence->ip);
	append_member(body, "resource", silence->resource);
	text_append_string(body, ", \"until\": ");
	json_append_seconds(body, silence->until_ms);
	append_member(body, "by", silence->by);
	append_member(body, "comment", silence->comment);
	text_append_char(body, '}');
}

static void append_row(struct csv *csv, const struct silence *silence)
{
	csv_append_time(csv, true, silence->until_ms);
	csv_append_words(csv, silence->id);
	csv_append_name(csv, silence->process);
	csv_append_name(csv, silence->ip);
	csv_append_name(csv, silence->resource);
	csv_append_name(csv, silence->by);
	csv_append_name(csv, silence->comment);
	csv_end_row(csv);
}

void service_silences(struct service *service, const struct parameters *parameters, struct request *request,
                      struct response *response)
{
	(void)request;
	struct csv csv;
	struct silence *silences;
	size_t count;
	if (!is_known(service, response))
		return;
	int result = silences_list(service->silences, clock_wall_ms(), &silences, &count);
	if (result) {
		response_no_memory(response, result);
		return;
	}
	bool in_rows = service_begin_answer(parameters, '[', "until,id,process,ip,resource,by,comment", &csv, response);
	for (size_t i = 0; i < count; i++) {
		if (in_rows) {
			append_row(&csv, &silences[i]);
			continue;
		}
		text_append_string(&response->body, i ? ", " : "");
		append_object(&response->body, &silences[i]);
	}
	if (in_rows)
		response->content_type = media_type(MEDIA_CSV);
	else
		text_append_string(&response->body, "]\n");
	free(silences);
}
