/* The bodies of PUT save-all, save-alarms, save-forecasts and silences: each input is read as all of them. */
#include "tests/fuzz/fuzz.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>

#include "fcgi/body.h"
#include "fcgi/silence_body.h"
#include "fcgi/silences.h"

static const struct body_times times = {
	.now_ms = 1795356880000, .oldest_ms = 1795356880000 - 172800000, .newest_ms = 1795356880000 + 60000,
};

typedef int parser(char *json, size_t length, const struct body_times *times, struct body *ret_body,
                   struct body_error *ret_error);

/* What fcgi/sample.h and the contract say of every sample. */
static void check_sample(const struct sample *sample)
{
	char ip[WIRE_IP_SIZE], name[WIRE_NAME_SIZE];
	assert(wire_ip_parse(sample->ip, ip) && strcmp(sample->ip, ip) == 0);
	size_t length = strlen(sample->process);
	assert(length >= 1 && length <= WIRE_NAME_MAX);
	wire_clean_name(sample->process, length, name);
	assert(strcmp(sample->process, name) == 0);
	assert(isfinite(sample->value) && sample->value >= 0 && !signbit(sample->value));
	assert(sample->time_ms >= times.oldest_ms && sample->time_ms <= times.newest_ms);
	assert(sample->metric < METRIC_COUNT && sample->half < HALF_COUNT);
}

/* What is told again later has to be JSON. */
static void check_reason(const struct body *body, const struct body_reason *reason)
{
	assert(reason->sample < body->batch.count && reason->limit >= 0 && reason->horizon_s >= 0);
	if (!reason->why)
		return;
	cJSON *why = cJSON_ParseWithOpts(body->words.data + reason->why, NULL, true);
	assert(cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(why, "parts")));
	cJSON_Delete(why);
}

static void check(parser *parse, const uint8_t *bytes, size_t size)
{
	struct body body;
	struct body_error error = { 0 };
	char *json = fuzz_string(bytes, size);
	int result = parse(json, size, &times, &body, &error);
	if (result == 0) {
		for (size_t i = 0; i < body.batch.count; i++)
			check_sample(&body.batch.samples[i]);
		for (size_t i = 0; i < body.reason_count; i++)
			check_reason(&body, &body.reasons[i]);
		body_free(&body);
	} else {
		assert(result == -EINVAL && (error.status == 400 || error.status == 409) && error.sentence[0]);
	}
	free(json);
}

/* A silence that is taken is kept, or is too long, and comes back. */
static void check_silence(const uint8_t *bytes, size_t size)
{
	struct silence silence, read;
	struct body_error error = { 0 };
	struct kept kept;
	char *json = fuzz_string(bytes, size), clean[WIRE_NAME_SIZE];
	int result = silence_body_parse(json, size, times.now_ms, &silence, &error);
	free(json);
	assert(result == 0 || (result == -EINVAL && error.status == 400 && error.sentence[0]));
	if (result)
		return;
	silences_identify(&silence);
	if (silences_keep(&silence, &kept) > 0)
		return;
	wire_clean_name(kept.name, strlen(kept.name), clean);
	assert(strcmp(clean, kept.name) == 0);
	assert(silences_read(&kept, &read) && read.until_ms == silence.until_ms);
	assert(strcmp(read.process, silence.process) == 0 && strcmp(read.comment, silence.comment) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static bool begun;
	if (!begun)
		body_init();
	begun = true;
	check(body_parse_samples, bytes, size);
	check(body_parse_alarms, bytes, size);
	check(body_parse_forecasts, bytes, size);
	check_silence(bytes, size);
	return 0;
}
