#include "fcgi/body_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void body_init(void)
{
	json_reader_init();
}

/* Turns "\u0000" into "\u003f" where its backslash is not itself escaped. */
static void replace_nul_escapes(char *json)
{
	for (char *at = strstr(json, "\\u0000"); at; at = strstr(at + 6, "\\u0000")) {
		size_t backslashes = 1;
		while (at - backslashes >= json && *(at - backslashes) == '\\')
			backslashes++;
		if (backslashes % 2 == 1)
			memcpy(at, "\\u003f", 6);
	}
}

int body_check_text(char *json, size_t length, struct body_error *error)
{
	size_t valid = wire_utf8_check(json, length);
	if (valid < length)
		return body_refuse(error, 400, "", "the body is not UTF-8 at byte %zu", valid);
	if (strlen(json) < length)
		return body_refuse(error, 400, "", "the body is not JSON at byte %zu of %zu", strlen(json), length);
	replace_nul_escapes(json);
	return 0;
}

static int parse_report(const cJSON *object, struct body *body, struct body_error *error)
{
	if (!cJSON_IsObject(object))
		return body_refuse(error, 400, "collector", "collector is not an object");
	int result = body_check_keys(object, "collector.", error);
	if (result == 0)
		result = body_check_keys(cJSON_GetObjectItemCaseSensitive(object, "counters"), "collector.counters.", error);
	if (result)
		return result;
	body->report = collector_report_read(object);
	body->has_report = true;
	return 0;
}

/* Reads the value of a member of the body that holds no samples. */
static int parse_other(struct parsing *parsing, const char *key)
{
	struct body *body = parsing->body;
	const cJSON *value;
	int result = json_reader_value(&parsing->reader, &value);
	if (result)
		return body_fail_reading(parsing, result);
	if (!parsing->kind->of_one_host)
		return 0;
	if (strcmp(key, "ipaddress") == 0 && (!cJSON_IsString(value) || !wire_ip_parse(value->valuestring, body->ip)))
		return body_refuse(parsing->error, 400, "ipaddress", "ipaddress is not an IPv4 or IPv6 address");
	if (strcmp(key, "timestamp") == 0)
		return body_read_tick_time(parsing, value);
	if (strcmp(key, "oom_kills") == 0)
		return body_read_kills(parsing, value);
	return strcmp(key, "collector") == 0 ? parse_report(value, body, parsing->error) : 0;
}

/* Reads the value of a member of the body. */
static int parse_member(struct parsing *parsing, const char *key)
{
	bool is_data = strcmp(key, "data") == 0;
	if (!is_data && !(parsing->kind->of_one_host && strcmp(key, "processes") == 0))
		return parse_other(parsing, key);
	if (is_data ? parsing->is_tick : parsing->has_data)
		return body_refuse(parsing->error, 400, key, "a body has either data or processes");
	if (is_data)
		parsing->has_data = true;
	else
		parsing->is_tick = true;
	return is_data ? body_parse_data(parsing) : body_parse_processes(parsing);
}

/* Reads the object that a body is. */
static int parse_members(struct parsing *parsing)
{
	struct json_reader *reader = &parsing->reader;
	struct body *body = parsing->body;
	struct body_keys keys = { .count = 0 };
	if (!json_reader_enter(reader, '{')) {
		if (reader->at == reader->end)
			return body_fail_reading(parsing, -EBADMSG);
		return body_refuse(parsing->error, 400, "", "the body is not a JSON object");
	}
	int more = json_reader_next(reader, '}');
	for (; more == 1; more = json_reader_next(reader, '}')) {
		char *read;
		int result = json_reader_key(reader, &read);
		if (result)
			return body_fail_reading(parsing, result);
		const char *key = body_keep_string(body, NULL, read); /* longer than until the next member */
		if (!key)
			return -ENOMEM;
		result = body_see_key(&keys, key);
		if (result)
			return body_refuse_key(parsing->error, result, "", key);
		result = parse_member(parsing, key);
		if (result)
			return result;
	}
	if (more || !json_reader_at_end(reader))
		return body_fail_reading(parsing, -EBADMSG);
	if (parsing->kind->of_one_host && !body->ip[0])
		return body_refuse(parsing->error, 400, "ipaddress", "ipaddress is not an IPv4 or IPv6 address");
	if (!parsing->is_tick && !parsing->has_data)
		return body_refuse(parsing->error, 400, "data", "data is not an array");
	int result = parsing->is_tick ? body_date_tick(parsing) : 0;
	return result ? result : body_append_kills(parsing);
}

static int parse(char *json, size_t length, const struct body_kind *kind, const struct body_times *times,
                 struct body *ret_body, struct body_error *error)
{
	/* On the caller's memory from the start: the samples point into it. */
	*ret_body = (struct body){ .share = { .part = BUDGET_BODIES } };
	int result = body_check_text(json, length, error);
	if (result)
		return result;
	struct parsing parsing = {
		.kind = kind, .times = times, .json = json, .body = ret_body, .error = error, .reader = json_reader_open(json, length),
	};
	result = parse_members(&parsing);
	json_reader_close(&parsing.reader);
	if (result)
		body_free(ret_body);
	else
		ret_body->batch.bytes = length + parsing.capacity * sizeof(struct sample) + ret_body->strings.size;
	return result;
}

int body_parse_samples(char *json, size_t length, const struct body_times *times, struct body *ret_body,
                       struct body_error *ret_error)
{
	return parse(json, length, &body_kind_samples, times, ret_body, ret_error);
}

int body_parse_alarms(char *json, size_t length, const struct body_times *times, struct body *ret_body,
                      struct body_error *ret_error)
{
	return parse(json, length, &body_kind_alarms, times, ret_body, ret_error);
}

int body_parse_forecasts(char *json, size_t length, const struct body_times *times, struct body *ret_body,
                         struct body_error *ret_error)
{
	return parse(json, length, &body_kind_forecasts, times, ret_body, ret_error);
}

static const char *moved(const struct arena_move *move, const char *string)
{
	size_t offset = (size_t)((const unsigned char *)string - move->from);
	return offset < move->size ? (const char *)move->to + offset : string;
}

void body_trim(struct body *body)
{
	struct batch *batch = &body->batch;
	struct arena_move move;
	struct sample *samples = realloc(batch->samples, (batch->count + 1) * sizeof(*samples));
	if (samples)
		batch->samples = samples;
	if (arena_trim(&body->strings, &move)) {
		for (size_t i = 0; i < batch->count; i++) {
			batch->samples[i].ip = moved(&move, batch->samples[i].ip);
			batch->samples[i].process = moved(&move, batch->samples[i].process);
		}
	}
	batch->bytes = sizeof(*samples) + body_size(body);
	if (batch->bytes < body->share.counted) {
		int result = budget_hold(&body->share, batch->bytes);
		assert(result == 0); /* it is less than it was */
		(void)result;
	}
}

void body_free(struct body *body)
{
	free(body->batch.samples);
	free(body->reasons);
	text_free(&body->words);
	arena_free(&body->strings);
	budget_give_back(&body->share);
	*body = (struct body){ 0 };
}
