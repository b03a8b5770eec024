/* What those are told who ask for a name that the kernel does not keep. */
#include "fcgi/service_internal.h"

#include <string.h>

#include "common/comm.h"
#include "common/log.h"
#include "common/table.h"
#include "common/wire.h"

/* Whether an answer has no sample, alarm or forecast. */
static bool is_empty(const struct response *response)
{
	const struct text *body = response_body(response);
	if (response->content_type == media_type(MEDIA_CSV)) /* the line of headers alone */
		return body->data && strchr(body->data, '\n') == body->data + body->length - 1;
	static const char *const ends[] = { "{}\n", "[]\n", "\"alarms\": []}\n" };
	for (size_t i = 0; body->data && i < sizeof(ends) / sizeof(ends[0]); i++) {
		size_t length = strlen(ends[i]);
		if (body->length >= length && (i == 2 || body->length == length) &&
		    memcmp(body->data + body->length - length, ends[i], length) == 0)
			return true;
	}
	return false;
}

/* Whether the log has not told of a name yet, and may. */
static bool is_new_name(struct service *service, const char *name)
{
	unsigned hash = table_hash(name, strlen(name)) | 1;
	for (size_t i = 0; i < SERVICE_LONG_NAMES; i++) {
		unsigned there = 0;
		if (atomic_compare_exchange_strong(&service->long_names[i], &there, hash))
			return true;
		if (there == hash)
			return false;
	}
	return false;
}

void service_hint(struct service *service, const struct parameters *parameters, struct response *response)
{
	if (response->status != 200 || parameters->process_count != 1 || !atomic_load(&service->comms) ||
	    !is_empty(response) || !comm_cut(parameters->process, response->hint))
		return;
	char name[WIRE_NAME_SIZE];
	wire_clean_name(parameters->process, strlen(parameters->process), name);
	if (is_new_name(service, name))
		log_warning("nothing is found for process=%s: the kernel keeps %d bytes of a name: %s", name, COMM_MAX,
		            response->hint);
}
