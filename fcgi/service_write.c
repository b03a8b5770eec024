/* PUT save-all, PUT save-alarms and PUT save-forecasts. */
#include "fcgi/service_internal.h"

#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "fcgi/body.h"
#include "fcgi/counters.h"

/* What cannot be read at all. False: the response says why. */
static bool check_body(const struct request *request, struct response *response)
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

static void answer_refusal(int result, const struct body_error *error, struct response *response)
{
	if (result == -ENOMEM || result == -ENOBUFS) {
		response_no_memory(response, result);
		return;
	}
	counters_add(COUNTER_REJECTED, 1);
	response_error(response, error->status, error->field, "%s", error->sentence);
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

static void store_batch(struct service *service, const struct batch *batch, struct response *response)
{
	if (!service_enter_store(service, GATE_WRITE, response))
		return;
	char refusal[STORE_REFUSAL_SIZE] = "";
	int result = batch->count ? writer_append(service->writer, batch, refusal) : 0;
	gate_leave(&service->gate, GATE_WRITE);
	counters_add(COUNTER_REJECTED, result == -EINVAL);
	counters_add(COUNTER_BUSY, result == -EBUSY);
	if (result == -EINVAL)
		response_error(response, 400, NULL, "the store refuses it: %s", refusal);
	else if (result == -EBUSY)
		response_error(response, 503, NULL, "too many samples wait for the store");
	else if (result == -EDQUOT)
		response_error(response, 503, NULL, "the server has as many series as server.max_series allows");
	else if (result)
		service_answer_failure(result, response);
	else
		text_append_string(&response->body, "{\"Response\": \"Ok\"}\n");
}

typedef int body_parser(char *json, size_t length, const struct body_times *times, struct body *ret_body,
                        struct body_error *ret_error);

/* Parses and stores a body. True: it is stored, and *ret_body is the caller's to free;
 * false: the response says why not. */
static bool save(struct service *service, struct request *request, body_parser *parse, struct body *ret_body,
                 struct response *response)
{
	if (!check_body(request, response))
		return false;
	struct body_times times = times_now(service);
	struct body_error error = { 0 };
	int result = parse(request->body, request->body_length, &times, ret_body, &error);
	if (result) {
		answer_refusal(result, &error, response);
		return false;
	}
	store_batch(service, &ret_body->batch, response);
	if (response->status == 200)
		return true;
	body_free(ret_body);
	return false;
}

/* Has the store know a host's interval, so that after the next start its silence is told from its patience. What fails is
 * told again with a later report. */
static void tell_interval(struct service *service, const struct body *body, int64_t now_ms)
{
	if (!collectors_tell_interval(service->collectors, body->ip, atomic_load(&service->interval_ms), now_ms))
		return;
	struct sample sample = {
		.time_ms = now_ms,
		.value = body->report.interval_s,
		.ip = body->ip,
		.process = WIRE_HOST_ITSELF,
		.metric = METRIC_INTERVAL,
		.resource = RESOURCE_CPU,
	};
	const struct batch batch = { .samples = &sample, .count = 1, .bytes = sizeof(sample) };
	char refusal[STORE_REFUSAL_SIZE] = "";
	if (gate_enter(&service->gate, GATE_WRITE) != 0)
		return;
	int result = writer_append(service->writer, &batch, refusal);
	gate_leave(&service->gate, GATE_WRITE);
	if (result)
		log_debug("the interval of %s is not kept: %s", body->ip, refusal[0] ? refusal : strerror(-result));
}

static void keep_report(struct service *service, const struct body *body)
{
	int64_t now_ms = clock_wall_ms();
	if (collectors_keep(service->collectors, body->ip, &body->report, now_ms, now_ms - service_max_window_ms(service)))
		log_warning("several hosts are heard from the address %s, lately %s: their samples are mixed; hosts behind one "
		            "address each need an address of their own in [collector] ip", body->ip, body->report.hostname);
	tell_interval(service, body, now_ms);
}

void service_save_all(struct service *service, const struct parameters *parameters, struct request *request,
                      struct response *response)
{
	(void)parameters;
	struct body body;
	response->accept = WIRE_ACCEPT_PROCESSES; /* of a refusal, too: it is not for the form */
	if (!save(service, request, body_parse_samples, &body, response))
		return;
	if (body.has_report)
		keep_report(service, &body);
	body_free(&body);
}

void service_save_alarms(struct service *service, const struct parameters *parameters, struct request *request,
                         struct response *response)
{
	(void)parameters;
	struct body body;
	if (!save(service, request, body_parse_alarms, &body, response))
		return;
	service_note_life(&service->alert);
	body_free(&body);
}

void service_save_forecasts(struct service *service, const struct parameters *parameters, struct request *request,
                            struct response *response)
{
	(void)parameters;
	struct body body;
	if (!save(service, request, body_parse_forecasts, &body, response))
		return;
	service_note_life(&service->forecast);
	body_free(&body);
}
