/* PUT save-all, PUT save-alarms and PUT save-forecasts. */
#include "fcgi/service_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "fcgi/body.h"
#include "fcgi/counters.h"

#define TOO_MUCH_WAITS "too many samples wait for the store"

bool service_check_body(const struct request *request, struct response *response)
{
	switch (request->body_state) {
	case REQUEST_BODY_WHOLE:
		return true;
	case REQUEST_BODY_TOO_LARGE:
		response_error(response, 413, NULL, "the body is larger than the server takes");
		break;
	case REQUEST_BODY_CUT:
		response_error(response, 400, NULL, "the body ends before its Content-Length");
		break;
	case REQUEST_BODY_BROKEN:
		response_error(response, 400, NULL, "the body is not whole gzip, as its Content-Encoding says");
		break;
	case REQUEST_BODY_ENCODED:
		response_error(response, 415, NULL, "the Content-Encoding is neither gzip nor identity");
		break;
	}
	counters_add(COUNTER_REJECTED, 1);
	return false;
}

void service_answer_refusal(int result, const struct body_error *error, struct response *response)
{
	if (result == -ENOMEM || result == -ENOBUFS) {
		response_no_memory(response, result);
		return;
	}
	counters_add(COUNTER_REJECTED, 1);
	response_error(response, error->status, error->field, "%s", error->sentence);
}

bool service_takes_samples(struct service *service, const struct request *request, struct response *response)
{
	const char *reason = NULL;
	if (request->waited_ms >= WRITER_WAIT_MS)
		reason = "more is sent than the server can take";
	else if (writer_is_late(service->writer))
		reason = TOO_MUCH_WAITS;
	counters_add(COUNTER_BUSY, reason != NULL);
	if (reason)
		response_error(response, 503, NULL, "%s", reason);
	return !reason;
}

static struct body_times times_now(struct service *service)
{
	int64_t now_ms = clock_wall_ms();
	return (struct body_times){
		.now_ms = now_ms,
		.oldest_ms = now_ms - service_max_window_ms(service),
		.newest_ms = now_ms + SERVICE_AHEAD_MS,
	};
}

typedef int body_parser(char *json, size_t length, const struct body_times *times, struct body *ret_body,
                        struct body_error *ret_error);

struct saving;

/* What one of the three PUTs is. */
struct saving_kind {
	body_parser *parse;
	void (*stored)(struct saving *saving); /* what else is done with a body that is stored */
	const char *accept; /* as in struct response, also of a refusal: it is not for the form */
};

/* A body from when it is read until it is stored. */
struct saving {
	struct writing writing; /* first */
	struct service *service;
	const struct saving_kind *kind;
	struct later *later;
	enum wire_service asking; /* as in struct request, which may be gone */
	bool stopped;
	struct body body;
};

static void free_saving(struct saving *saving)
{
	body_free(&saving->body);
	free(saving);
}

/* Answers by what has become of it. */
static void conclude(struct saving *saving, int result, const char *refusal, struct response *response)
{
	struct service *service = saving->service;
	counters_add(COUNTER_REJECTED, result == -EINVAL);
	counters_add(COUNTER_BUSY, result == -EBUSY || result == -ENOTCONN);
	response->state = service_wish(service, saving->asking, saving->stopped, saving->body.ip);
	if (result == 0) {
		saving->kind->stored(saving);
		text_append_string(&response->body, "{\"Response\": \"Ok\"}\n");
	} else if (result == -EINVAL) {
		response_error(response, 400, NULL, "the store refuses it: %s", refusal);
	} else if (result == -EBUSY) {
		response_error(response, 503, NULL, TOO_MUCH_WAITS);
	} else if (result == -ENOTCONN) {
		response_error(response, 503, NULL, "the store does not answer");
	} else if (result == -EDQUOT) {
		response_error(response, 503, NULL, "the server has as many series as server.max_series allows");
	} else {
		service_answer_failure(result, response);
	}
}

/* In a thread of the writer. */
static void answer_late(struct writing *writing)
{
	struct saving *saving = (struct saving *)writing;
	struct response response = RESPONSE_NEW;
	response.accept = saving->kind->accept;
	if (writing->result == 0)
		gate_note_answer(&saving->service->gate);
	conclude(saving, writing->result, writing->refusal, &response);
	if (text_failed(&response.body))
		response_no_memory(&response, -ENOMEM);
	saving->later->answer(saving->later, &response);
	response_free(&response);
	free_saving(saving);
}

/* Stores a body that has been read. True: *saving is the writer's from then on, and so is the request's answer: it holds
 * neither a thread nor a place. */
static bool store(struct saving *saving, struct request *request, struct response *response)
{
	struct service *service = saving->service;
	char refusal[STORE_REFUSAL_SIZE] = "";
	int result = 0;
	saving->later = request->later;
	bool later = saving->body.batch.count && saving->later;
	bool inside = !later || !gate_has_place(&service->gate, GATE_WRITE);
	if (inside && !gate_try(&service->gate, GATE_WRITE)) {
		if (saving->later)
			saving->later->wait(saving->later);
		if (!service_enter_store(service, GATE_WRITE, response))
			return false;
	}
	if (later) {
		if (service->ops->slow) {
			body_trim(&saving->body);
			if (saving->later->set_aside)
				saving->later->set_aside(saving->later);
		}
		saving->writing.batch = &saving->body.batch;
		saving->writing.done = answer_late;
		result = writer_send(service->writer, &saving->writing);
	} else if (saving->body.batch.count) {
		result = writer_append(service->writer, &saving->body.batch, refusal);
	}
	if (inside)
		gate_leave(&service->gate, GATE_WRITE);
	if (later && result == 0)
		return true;
	conclude(saving, result, refusal, response);
	return false;
}

/* Reads a body and has it stored. */
static void save(struct service *service, const struct saving_kind *kind, struct request *request, struct response *response)
{
	response->accept = kind->accept;
	if (!service_check_body(request, response))
		return;
	struct saving *saving = malloc(sizeof(*saving));
	if (!saving) {
		response_no_memory(response, -ENOMEM);
		return;
	}
	*saving = (struct saving){
		.service = service, .kind = kind, .asking = request->service, .stopped = request->stopped,
	};
	struct body_times times = times_now(service);
	struct body_error error = { 0 };
	int result = kind->parse(request->body, request->body_length, &times, &saving->body, &error);
	if (result) {
		free(saving);
		service_answer_refusal(result, &error, response);
		return;
	}
	response->is_later = store(saving, request, response);
	if (!response->is_later)
		free_saving(saving);
}

/* A host's interval on its way to the store. */
struct telling {
	struct writing writing; /* first */
	struct sample sample;
	struct batch batch;
	char ip[WIRE_IP_SIZE];
};

static void tell_ended(struct writing *writing)
{
	struct telling *telling = (struct telling *)writing;
	if (writing->result)
		log_debug("the interval of %s is not kept: %s", telling->ip,
		          writing->refusal[0] ? writing->refusal : strerror(-writing->result));
	free(telling);
}

/* Has the store know a host's interval, so that after the next start its silence is told from its patience. What fails is
 * told again with a later report. */
static void tell_interval(struct service *service, const struct body *body, int64_t now_ms)
{
	if (!collectors_tell_interval(service->collectors, body->ip, atomic_load(&service->interval_ms), now_ms))
		return;
	struct telling *telling = malloc(sizeof(*telling));
	if (!telling)
		return;
	*telling = (struct telling){
		.writing = { .batch = &telling->batch, .done = tell_ended },
		.sample = {
			.time_ms = now_ms,
			.value = body->report.interval_s,
			.ip = telling->ip,
			.process = WIRE_HOST_ITSELF,
			.metric = METRIC_INTERVAL,
			.half = HALF_SECOND,
		},
		.batch = { .samples = &telling->sample, .count = 1, .bytes = sizeof(telling->sample) },
	};
	memcpy(telling->ip, body->ip, sizeof(telling->ip));
	if (writer_send(service->writer, &telling->writing) != 0)
		free(telling);
}

static void keep_report(struct saving *saving)
{
	struct service *service = saving->service;
	struct body *body = &saving->body;
	int64_t now_ms = clock_wall_ms();
	if (!body->has_report)
		return;
	body->report.obeys = saving->asking == WIRE_COLLECTOR;
	body->report.stopped = body->report.obeys && saving->stopped;
	if (collectors_keep(service->collectors, body->ip, &body->report, now_ms, now_ms - service_max_window_ms(service)))
		log_warning("several hosts are heard from the address %s, lately %s: their samples are mixed; hosts behind one "
		            "address each need an address of their own in [collector] ip", body->ip, body->report.hostname);
	tell_interval(service, body, now_ms);
}

/* What a report has said of the state that its sender, `service`, is in. */
static enum said_state said_by(const struct saving *saving, enum wire_service service)
{
	if (saving->asking != service)
		return SAID_NOTHING;
	return saving->stopped ? SAID_STOP : SAID_RUN;
}

static void note_alert(struct saving *saving)
{
	service_note_life(&saving->service->alert, said_by(saving, WIRE_ALERT));
}

static void note_forecast(struct saving *saving)
{
	struct service *service = saving->service;
	int64_t now_ms = clock_monotonic_ns() / 1000000, patience_ms = INTERVALS_FRESH * atomic_load(&service->refresh_ms);
	reasons_keep(service->reasons, &saving->body, now_ms, now_ms - patience_ms);
	service_note_life(&saving->service->forecast, said_by(saving, WIRE_FORECAST));
}

void service_save_all(struct service *service, const struct parameters *parameters, struct request *request,
                      struct response *response)
{
	static const struct saving_kind kind = { body_parse_samples, keep_report, WIRE_ACCEPT_PROCESSES };
	(void)parameters;
	save(service, &kind, request, response);
}

void service_save_alarms(struct service *service, const struct parameters *parameters, struct request *request,
                         struct response *response)
{
	static const struct saving_kind kind = { body_parse_alarms, note_alert, NULL };
	(void)parameters;
	save(service, &kind, request, response);
}

void service_save_forecasts(struct service *service, const struct parameters *parameters, struct request *request,
                            struct response *response)
{
	static const struct saving_kind kind = { body_parse_forecasts, note_forecast, NULL };
	(void)parameters;
	save(service, &kind, request, response);
}
