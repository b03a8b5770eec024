#include "fcgi/body_internal.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES_FIRST = 512 };

int body_refuse(struct body_error *error, int status, const char *field, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(error->sentence, sizeof(error->sentence), format, arguments);
	va_end(arguments);
	snprintf(error->field, sizeof(error->field), "%s", field);
	/* A key of the client's may be longer: it is cut at a character. */
	error->field[wire_utf8_check(error->field, strlen(error->field))] = '\0';
	error->status = status;
	return -EINVAL;
}

int body_fail_reading(const struct parsing *parsing, int result)
{
	size_t place = (size_t)(parsing->reader.at - parsing->json), length = (size_t)(parsing->reader.end - parsing->json);
	if (result != -EBADMSG)
		return result;
	if (parsing->reader.too_long)
		return body_refuse(parsing->error, 400, "",
		                   "the body is not JSON at byte %zu of %zu, or a value there is longer than %d bytes", place,
		                   length, JSON_READER_VALUE_MAX);
	return body_refuse(parsing->error, 400, "", "the body is not JSON at byte %zu of %zu", place, length);
}

int body_see_key(struct body_keys *keys, const char *key)
{
	for (size_t i = 0; i < keys->count; i++) {
		if (strcmp(keys->seen[i], key) == 0)
			return -EEXIST;
	}
	if (keys->count == BODY_KEYS_MAX)
		return -E2BIG;
	keys->seen[keys->count++] = key;
	return 0;
}

int body_refuse_key(struct body_error *error, int result, const char *prefix, const char *key)
{
	char field[sizeof(error->field)];
	snprintf(field, sizeof(field), "%s%s", prefix, key);
	if (result == -EEXIST)
		return body_refuse(error, 400, field, BODY_KEY_TWICE);
	return body_refuse(error, 400, field, "this object has too many keys");
}

int body_check_keys(const cJSON *object, const char *prefix, struct body_error *error)
{
	struct body_keys keys = { .count = 0 };
	for (const cJSON *child = cJSON_IsObject(object) ? object->child : NULL; child; child = child->next) {
		int result = body_see_key(&keys, child->string);
		if (result)
			return body_refuse_key(error, result, prefix, child->string);
	}
	return 0;
}

/* The length of what is printable ASCII at the start of a string. */
static size_t plain_length(const char *string)
{
	size_t length = 0;
	while (string[length] >= 0x20 && string[length] < 0x7f)
		length++;
	return length;
}

const char *body_clean_process(char *string)
{
	size_t length = plain_length(string);
	bool plain = string[length] == '\0'; /* as nearly all are: it is clean as it stands */
	if (!plain)
		length += strlen(string + length);
	if (length > WIRE_NAME_MAX)
		return NULL;
	if (length == 0)
		return "?";
	if (!plain) {
		char name[WIRE_NAME_SIZE];
		wire_clean_name(string, length, name);
		memcpy(string, name, strlen(name) + 1); /* never longer than it was */
	}
	return string;
}

bool body_read_number(const cJSON *item, double *ret_number)
{
	if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble <= WIRE_VALUE_MAX))
		return false;
	*ret_number = item->valuedouble == 0 ? 0 : item->valuedouble; /* not -0 */
	return true;
}

bool body_read_time(const cJSON *item, int64_t *ret_time_ms)
{
	if (!cJSON_IsNumber(item) || !(item->valuedouble > 0 && item->valuedouble < BODY_TIME_MAX_S))
		return false;
	*ret_time_ms = llround(item->valuedouble * 1000);
	return true;
}

const char *body_time_fault(const struct body_times *times, int64_t time_ms)
{
	if (time_ms > times->newest_ms)
		return "timestamp is ahead of the server's clock";
	return time_ms < times->oldest_ms ? "timestamp is older than what the server keeps" : NULL;
}

const char *body_keep_string(struct body *body, const char *before, const char *string)
{
	if (before && strcmp(before, string) == 0)
		return before;
	size_t size = strlen(string) + 1;
	char *copy = arena_allocate(&body->strings, size);
	if (copy)
		memcpy(copy, string, size);
	return copy;
}

/* Makes room for one more sample. 0 or -ENOMEM. */
static int reserve_sample(struct parsing *parsing)
{
	struct batch *batch = &parsing->body->batch;
	if (batch->count < parsing->capacity)
		return 0;
	size_t capacity = parsing->capacity ? 2 * parsing->capacity : SAMPLES_FIRST;
	struct sample *samples = realloc(batch->samples, capacity * sizeof(*samples));
	if (!samples)
		return -ENOMEM;
	batch->samples = samples;
	parsing->capacity = capacity;
	return 0;
}

int body_append_sample(struct parsing *parsing, const struct sample *sample)
{
	int result = reserve_sample(parsing);
	if (result == 0) /* analyzer: the body has them */
		parsing->body->batch.samples[parsing->body->batch.count++] = *sample;
	return result;
}

int body_add_sample(struct parsing *parsing, const struct sample *base, enum metric metric, double value)
{
	const struct batch *batch = &parsing->body->batch;
	const struct sample *before = batch->count ? &batch->samples[batch->count - 1] : NULL;
	struct sample sample = *base;
	sample.metric = metric;
	sample.value = value;
	sample.process = body_keep_string(parsing->body, before ? before->process : NULL, base->process);
	sample.ip = base->ip == parsing->body->ip ? base->ip : body_keep_string(parsing->body, before ? before->ip : NULL, base->ip);
	return sample.process && sample.ip ? body_append_sample(parsing, &sample) : -ENOMEM;
}

size_t body_size(const struct body *body)
{
	return body->batch.count * sizeof(*body->batch.samples) + body->strings.size +
	       body->reason_count * sizeof(*body->reasons) + body->words.length;
}

int body_count_samples(struct parsing *parsing)
{
	return budget_grow(&parsing->body->share, body_size(parsing->body));
}
