#include "fcgi/silence_body.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "common/glob.h"
#include "fcgi/body_internal.h"
#include "fcgi/parameters.h"

static const struct member {
	const char *key;
	size_t offset;
	bool glob;
} texts[] = {
	{ "process", offsetof(struct silence, process), true },
	{ "ip", offsetof(struct silence, ip), true },
	{ "resource", offsetof(struct silence, resource), true },
	{ "by", offsetof(struct silence, by), false },
	{ "comment", offsetof(struct silence, comment), false },
};

enum { TEXTS = sizeof(texts) / sizeof(texts[0]) };

static int read_text(const cJSON *item, const struct member *member, struct silence *silence, struct body_error *error)
{
	const char *value = cJSON_GetStringValue(item);
	if (!value || strlen(value) > WIRE_NAME_MAX || (member->glob && !value[0]))
		return body_refuse(error, 400, member->key, "%s is not a string of %d to %d bytes", member->key, member->glob,
		                   WIRE_NAME_MAX);
	if (value[0])
		wire_clean_name(value, strlen(value), (char *)silence + member->offset);
	return 0;
}

static int read_until(const cJSON *item, int64_t now_ms, struct silence *silence, struct body_error *error)
{
	char number[32];
	const char *value = cJSON_GetStringValue(item);
	if (cJSON_IsNumber(item) && item->valuedouble >= 0 && item->valuedouble < 1e15) {
		snprintf(number, sizeof(number), "%.3f", item->valuedouble);
		value = number;
	}
	if (!value || !parameters_read_time(value, &silence->until_ms))
		return body_refuse(error, 400, "until", "until is not " PARAMETERS_A_TIME);
	if (silence->until_ms <= now_ms)
		return body_refuse(error, 400, "until", "until is past");
	if (silence->until_ms - now_ms > SILENCE_BODY_LONGEST_MS)
		return body_refuse(error, 400, "until", "until is more than 366 days ahead");
	return 0;
}

static int read_member(const cJSON *item, int64_t now_ms, struct silence *silence, struct body_error *error)
{
	if (strcmp(item->string, "until") == 0)
		return read_until(item, now_ms, silence, error);
	for (size_t i = 0; i < TEXTS; i++) {
		if (strcmp(item->string, texts[i].key) == 0)
			return read_text(item, &texts[i], silence, error);
	}
	return body_refuse(error, 400, item->string, "this is none of process, ip, resource, until, by and comment");
}

static bool fits_some_resource(const char *glob)
{
	bool fits = fnmatch(glob, "", 0) == 0;
	for (int i = 0; i < RESOURCE_LIMITED; i++)
		fits |= fnmatch(glob, wire_resource_name((enum resource)i), 0) == 0;
	return fits;
}

static int check(struct silence *silence, struct body_error *error)
{
	if (!silence->process[0] && !silence->ip[0] && !silence->resource[0])
		return body_refuse(error, 400, "process", "one of process, ip and resource is needed: \"*\" is for all");
	if (!silence->until_ms)
		return body_refuse(error, 400, "until", "until is missing");
	for (size_t i = 0; i < TEXTS; i++) {
		char *text = (char *)silence + texts[i].offset;
		if (texts[i].glob && !text[0])
			strcpy(text, "*");
	}
	if (!glob_read_address(silence->ip))
		return body_refuse(error, 400, "ip", "ip is neither an address nor a glob of addresses");
	if (!fits_some_resource(silence->resource))
		return body_refuse(error, 400, "resource", "resource fits neither \"cpu\" nor \"mem\"");
	return 0;
}

int silence_body_parse(char *json, size_t length, int64_t now_ms, struct silence *ret_silence, struct body_error *ret_error)
{
	struct silence silence = { .until_ms = 0 };
	const cJSON *object;
	int result = body_check_text(json, length, ret_error);
	if (result)
		return result;
	struct parsing parsing = { .json = json, .error = ret_error, .reader = json_reader_open(json, length) };
	result = json_reader_value(&parsing.reader, &object);
	if (result || !json_reader_at_end(&parsing.reader))
		result = body_fail_reading(&parsing, result ? result : -EBADMSG);
	else if (!cJSON_IsObject(object))
		result = body_refuse(ret_error, 400, "", "the body is not a JSON object");
	else
		result = body_check_keys(object, "", ret_error);
	for (const cJSON *item = result ? NULL : object->child; item && !result; item = item->next)
		result = read_member(item, now_ms, &silence, ret_error);
	json_reader_close(&parsing.reader);
	if (!result)
		result = check(&silence, ret_error);
	if (!result)
		*ret_silence = silence;
	return result;
}
