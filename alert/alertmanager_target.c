#include "alert/alertmanager_target.h"

#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "common/wire.h"

#define PATH "api/v2/alerts"

enum { RETRY_MS = 1000, RETRY_MAX_MS = 10000 };

bool alertmanager_target_open(struct alertmanager_target *target, const char *url, const struct config *config)
{
	size_t length = strlen(url);
	text_printf(&target->url, "%s%s" PATH, url, length && url[length - 1] == '/' ? "" : "/");
	text_printf(&target->operation, "telling the Alertmanager %s", url);
	text_append_string(&target->ca_file, config->alert.ca_file);
	text_append_string(&target->proxy, config->alert.proxy);
	target->trouble.operation = target->operation.data;
	target->http = http_open(config->alert.timeout_ms);
	return target->http && !text_failed(&target->url) && !text_failed(&target->operation) && !text_failed(&target->ca_file) &&
	       !text_failed(&target->proxy);
}

void alertmanager_target_close(struct alertmanager_target *target)
{
	http_close(target->http);
	text_free(&target->url);
	text_free(&target->operation);
	text_free(&target->ca_file);
	text_free(&target->proxy);
	text_free(&target->answer.body);
}

int64_t alertmanager_target_due_ns(const struct alertmanager_target *target, uint64_t version)
{
	return target->retry_ms ? target->retry_ns : target->taken != version ? 0 : target->renew_ns;
}

/* 0, or a negative errno with a sentence; -EREMOTEIO: a status. */
static int request(struct alertmanager_target *target, const char *body, const atomic_bool *closing, struct text *ret_error)
{
	bool last = *closing;
	const struct http_message message = {
		.method = "POST",
		.url = target->url.data,
		.body = body,
		.body_length = strlen(body),
		.ca_file = target->ca_file.data,
		.proxy = target->proxy.data,
		.timeout_ms = last ? ALERTMANAGER_TARGET_CLOSE_MS : 0,
		.cancel = last ? NULL : closing,
	};
	int result = http_send(target->http, &message, &target->answer);
	if (result) {
		text_append_string(ret_error, http_error(target->http));
	} else if (target->answer.status != 200) {
		char reason[WIRE_NAME_SIZE];
		wire_clean_name(text_or(&target->answer.body, ""), target->answer.body.length, reason);
		text_printf(ret_error, "the answer's status is %ld (%s)", target->answer.status, reason);
		http_append_redirect(target->http, PATH, ret_error);
		result = -EREMOTEIO;
	}
	if (result)
		http_append_proxy(target->http, ret_error);
	return result;
}

static void put_off(struct alertmanager_target *target)
{
	int64_t wait_ms = target->retry_ms ? 2 * target->retry_ms : RETRY_MS;
	target->retry_ms = wait_ms < RETRY_MAX_MS ? wait_ms : RETRY_MAX_MS;
	target->retry_ns = clock_monotonic_ns() + target->retry_ms * 1000000;
	target->renew_ns = 0;
}

bool alertmanager_target_post(struct alertmanager_target *target, const char *body, const atomic_bool *closing)
{
	struct text error = TEXT_EMPTY;
	int result = !body ? -ENOMEM : request(target, body, closing, &error);
	bool taken = result == 0 || (result == -EREMOTEIO && target->answer.status == 400);
	if (result != -ECANCELED)
		trouble_watch(&target->trouble, result, error.data);
	text_free(&error);
	if (taken)
		target->retry_ms = 0;
	else
		put_off(target);
	return taken;
}
