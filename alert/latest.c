#include "alert/latest.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "common/series_json.h"

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

/* Takes a pair [t, v]. */
static int take(void *user, const char *ip, const char *process, enum resource resource, const cJSON *pair)
{
	struct latest_sample sample = { .ip = ip, .process = process, .resource = resource };
	const cJSON *time = cJSON_IsArray(pair) ? pair->child : NULL;
	const cJSON *value = time ? time->next : NULL;
	if (!value || value->next || !cJSON_IsNumber(value) || !isfinite(value->valuedouble) ||
	    !series_json_read_time(time, &sample.time_ms))
		return -EBADMSG;
	sample.value = value->valuedouble;
	return latest_add(user, &sample);
}

/* Lists the hosts that are there with nothing. 0 or -ENOMEM. */
static int list_stopped(struct latest *latest)
{
	size_t count = 0;
	char ip[WIRE_IP_SIZE];
	for (const cJSON *host = latest->document->child; host; host = host->next)
		count += cJSON_IsObject(host) && !host->child;
	if (count == 0)
		return 0;
	latest->stopped = calloc(count, sizeof(*latest->stopped));
	if (!latest->stopped)
		return -ENOMEM;
	for (const cJSON *host = latest->document->child; host; host = host->next) {
		if (cJSON_IsObject(host) && !host->child && wire_ip_parse(host->string, ip))
			latest->stopped[latest->stopped_count++] = host->string;
	}
	return 0;
}

int latest_parse(const char *body, size_t length, struct latest *ret_latest, struct text *ret_error)
{
	struct latest latest = { 0 };
	int result = series_json_parse(body, length, take, &latest, &latest.document, &latest.skipped, ret_error);
	if (!result)
		result = list_stopped(&latest);
	if (result)
		latest_free(&latest);
	else
		*ret_latest = latest;
	return result; /* analyzer: the list is the caller's */
}

void latest_free(struct latest *latest)
{
	free(latest->samples);
	free(latest->stopped);
	series_json_free(latest->document);
	*latest = (struct latest){ 0 };
}
