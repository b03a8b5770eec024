#include "alert/latest.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS_MAX 253402300799.0 /* 9999-12-31T23:59:59Z, the last that RFC 3339 can write */

int latest_add(struct latest *latest, const struct latest_sample *sample)
{
	if (latest->count == latest->capacity) {
		size_t capacity = latest->capacity ? 2 * latest->capacity : 1024;
		struct latest_sample *samples = realloc(latest->samples, capacity * sizeof(*samples));
		if (!samples)
			return -ENOMEM;
		latest->samples = samples;
		latest->capacity = capacity;
	}
	latest->samples[latest->count++] = *sample;
	return 0;
}

/* Reads [t, v]; false when it is something else. */
static bool read_pair(const cJSON *pair, struct latest_sample *sample)
{
	const cJSON *time = cJSON_IsArray(pair) ? pair->child : NULL;
	const cJSON *value = time ? time->next : NULL;
	if (!cJSON_IsNumber(time) || !cJSON_IsNumber(value) || value->next)
		return false;
	/* The negation also refuses a NaN. */
	if (!(time->valuedouble >= 0 && time->valuedouble <= SECONDS_MAX) || !isfinite(value->valuedouble))
		return false;
	sample->time_ms = llrint(time->valuedouble * 1000);
	sample->value = value->valuedouble;
	return true;
}

static int read_process(struct latest *latest, const char *ip, const cJSON *process)
{
	size_t length = strlen(process->string);
	if (!cJSON_IsObject(process) || length == 0 || length > WIRE_NAME_MAX ||
	    wire_utf8_check(process->string, length) != length) {
		latest->skipped++;
		return 0;
	}
	for (const cJSON *pair = process->child; pair; pair = pair->next) {
		struct latest_sample sample = { .ip = ip, .process = process->string };
		if (!wire_resource_parse(pair->string, &sample.resource) || !read_pair(pair, &sample)) {
			latest->skipped++;
			continue;
		}
		int result = latest_add(latest, &sample);
		if (result)
			return result;
	}
	return 0;
}

int latest_parse(const char *body, size_t length, struct latest *ret_latest, struct text *ret_error)
{
	struct latest latest = { .document = cJSON_ParseWithLength(body, length) };
	if (!cJSON_IsObject(latest.document)) {
		text_append_string(ret_error, "the answer is no JSON object");
		latest_free(&latest);
		return -EBADMSG;
	}
	for (const cJSON *host = latest.document->child; host; host = host->next) {
		char ip[WIRE_IP_SIZE];
		if (!cJSON_IsObject(host) || !wire_ip_parse(host->string, ip)) {
			latest.skipped++;
			continue;
		}
		for (const cJSON *process = host->child; process; process = process->next) {
			int result = read_process(&latest, host->string, process);
			if (result) {
				latest_free(&latest);
				return result;
			}
		}
	}
	*ret_latest = latest;
	return 0;
}

void latest_free(struct latest *latest)
{
	free(latest->samples);
	cJSON_Delete(latest->document);
	*latest = (struct latest){ 0 };
}
