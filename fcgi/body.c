#include "fcgi/body.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fcgi/json_reader.h"

/* 2^31 rows of ten seconds: the year 2650. */
#define TIME_MAX_S 21474836470.0
#define NOT_A_NUMBER "not a number of 0 or more"

/* Keys of an object whose meaning is not known here: each is looked for among those before it. */
enum { KEYS_MAX = 64, SAMPLES_FIRST = 512 };

void body_init(void)
{
	json_reader_init();
}

static int refuse(struct body_error *error, int status, const char *field, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static int refuse(struct body_error *error, int status, const char *field, const char *format, ...)
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

static int refuse_item(struct body_error *error, int status, size_t index, const char *key, const char *sentence)
{
	char field[sizeof(error->field)];
	snprintf(field, sizeof(field), "data[%zu]%s%s", index, key[0] ? "." : "", key);
	return refuse(error, status, field, "%s", sentence);
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

/* Whether what is no JSON at all can be told from afar: then the rest need not be looked at. */
static int check_text(char *json, size_t length, struct body_error *error)
{
	size_t valid = wire_utf8_check(json, length);
	if (valid < length)
		return refuse(error, 400, "", "the body is not UTF-8 at byte %zu", valid);
	if (strlen(json) < length)
		return refuse(error, 400, "", "the body is not JSON at byte %zu of %zu", strlen(json), length);
	replace_nul_escapes(json);
	return 0;
}

/* One body that is being parsed. */
struct parsing {
	const struct kind *kind;
	const struct body_times *times;
	struct json_reader reader;
	const char *json;
	struct body *body;
	struct body_error *error;
	size_t capacity; /* of the samples */
	size_t index;    /* of the item of `data` */
};

/* Tells what the reader has failed with. */
static int fail_reading(const struct parsing *parsing, int result)
{
	size_t place = (size_t)(parsing->reader.at - parsing->json), length = (size_t)(parsing->reader.end - parsing->json);
	if (result != -EBADMSG)
		return result;
	if (parsing->reader.too_long)
		return refuse(parsing->error, 400, "",
		              "the body is not JSON at byte %zu of %zu, or a value there is longer than %d bytes", place, length,
		              JSON_READER_VALUE_MAX);
	return refuse(parsing->error, 400, "", "the body is not JSON at byte %zu of %zu", place, length);
}

/* The keys of one object; borrowed. */
struct keys {
	const char *seen[KEYS_MAX];
	size_t count;
};

/* 0 for a key that is new, -EEXIST, or -E2BIG for one too many. */
static int see_key(struct keys *keys, const char *key)
{
	for (size_t i = 0; i < keys->count; i++) {
		if (strcmp(keys->seen[i], key) == 0)
			return -EEXIST;
	}
	if (keys->count == KEYS_MAX)
		return -E2BIG;
	keys->seen[keys->count++] = key;
	return 0;
}

/* What see_key() has found wrong; `prefix` is before the key: "collector.". */
static int refuse_key(struct body_error *error, int result, const char *prefix, const char *key)
{
	char field[sizeof(error->field)];
	snprintf(field, sizeof(field), "%s%s", prefix, key);
	if (result == -EEXIST)
		return refuse(error, 400, field, "this key is there twice");
	return refuse(error, 400, field, "this object has too many keys");
}

/* Checks the keys of a whole value, where it is an object. */
static int check_keys(const cJSON *object, const char *prefix, struct body_error *error)
{
	struct keys keys = { .count = 0 };
	for (const cJSON *child = cJSON_IsObject(object) ? object->child : NULL; child; child = child->next) {
		int result = see_key(&keys, child->string);
		if (result)
			return refuse_key(error, result, prefix, child->string);
	}
	return 0;
}

/* What one item of `data` may hold; NULL where it does not. */
struct item {
	const cJSON *timestamp, *value, *process_name, *type_data, *ipaddress, *color, *threshold, *since, *probability,
		*forecast, *expected_at;
};

static int read_item(const cJSON *object, size_t index, struct item *ret_item, struct body_error *error)
{
	static const struct {
		const char *key;
		size_t offset;
	} keys[] = {
		{ "timestamp", offsetof(struct item, timestamp) },
		{ "value", offsetof(struct item, value) },
		{ "process_name", offsetof(struct item, process_name) },
		{ "type_data", offsetof(struct item, type_data) },
		{ "ipaddress", offsetof(struct item, ipaddress) },
		{ "color", offsetof(struct item, color) },
		{ "threshold", offsetof(struct item, threshold) },
		{ "since", offsetof(struct item, since) },
		{ "probability", offsetof(struct item, probability) },
		{ "forecast", offsetof(struct item, forecast) },
		{ "expected_at", offsetof(struct item, expected_at) },
	};
	enum { KEYS = sizeof(keys) / sizeof(keys[0]) };
	struct item item = { 0 };
	struct keys others;
	others.count = 0; /* the rest is not cleared, for each item */
	size_t key = 0; /* keys mostly come in the order above: the search goes on where it was */
	for (const cJSON *child = object->child; child; child = child->next) {
		const cJSON **place = NULL;
		for (size_t i = 0; i < KEYS && !place; i++, key = (key + 1) % KEYS) {
			if (child->string[0] == keys[key].key[0] && strcmp(child->string, keys[key].key) == 0)
				place = (const cJSON **)((char *)&item + keys[key].offset);
		}
		int result = !place ? see_key(&others, child->string) : *place ? -EEXIST : 0;
		if (result) {
			char prefix[32];
			snprintf(prefix, sizeof(prefix), "data[%zu].", index);
			return refuse_key(error, result, prefix, child->string);
		}
		if (place)
			*place = child;
	}
	*ret_item = item;
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

/* Makes the string of a process name clean where it stands; NULL when it is no name. */
static const char *clean_process(const cJSON *item)
{
	if (!cJSON_IsString(item))
		return NULL;
	char *string = item->valuestring;
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

/* A number from 0 to WIRE_VALUE_MAX. */
static bool read_number(const cJSON *item, double *ret_number)
{
	if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble <= WIRE_VALUE_MAX))
		return false;
	*ret_number = item->valuedouble == 0 ? 0 : item->valuedouble; /* not -0 */
	return true;
}

static bool read_probability(const cJSON *item, double *ret_number)
{
	return read_number(item, ret_number) && *ret_number <= 1;
}

static bool read_seconds(const cJSON *item, double *ret_seconds)
{
	return read_number(item, ret_seconds) && *ret_seconds < TIME_MAX_S;
}

static bool read_time(const cJSON *item, int64_t *ret_time_ms)
{
	if (!cJSON_IsNumber(item) || !(item->valuedouble > 0 && item->valuedouble < TIME_MAX_S))
		return false;
	*ret_time_ms = llround(item->valuedouble * 1000);
	return true;
}

/* What items of all bodies have: the process, the resource and the time. */
static int parse_item(const struct item *item, size_t index, const struct body_times *times, struct sample *sample,
                      struct body_error *error)
{
	sample->process = clean_process(item->process_name);
	if (!sample->process)
		return refuse_item(error, 400, index, "process_name", "process_name is not a string of at most 255 bytes");
	if (!cJSON_IsString(item->type_data) || !wire_resource_parse(item->type_data->valuestring, &sample->resource))
		return refuse_item(error, 400, index, "type_data", "type_data is neither \"cpu\" nor \"mem\"");
	sample->time_ms = times->now_ms;
	if (item->timestamp && !read_time(item->timestamp, &sample->time_ms))
		return refuse_item(error, 400, index, "timestamp", "timestamp is not a number of seconds since 1970");
	if (sample->time_ms > times->newest_ms)
		return refuse_item(error, 409, index, "timestamp", "timestamp is ahead of the server's clock");
	if (sample->time_ms < times->oldest_ms)
		return refuse_item(error, 409, index, "timestamp", "timestamp is older than what the server keeps");
	return 0;
}

/* A string of the batch: that of the sample before where it is the same, otherwise a copy. NULL: out of memory. */
static const char *keep_string(struct body *body, const char *before, const char *string)
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

/* Appends a sample, whose strings are those of the item that it is of. 0 or -ENOMEM. */
static int add_sample(struct parsing *parsing, const struct sample *base, enum metric metric, double value)
{
	struct batch *batch = &parsing->body->batch;
	int result = reserve_sample(parsing);
	if (result)
		return result;
	const struct sample *before = batch->count ? &batch->samples[batch->count - 1] : NULL;
	struct sample sample = *base;
	sample.metric = metric;
	sample.value = value;
	sample.process = keep_string(parsing->body, before ? before->process : NULL, base->process);
	sample.ip = base->ip == parsing->body->ip ? base->ip : keep_string(parsing->body, before ? before->ip : NULL, base->ip);
	if (!sample.process || !sample.ip)
		return -ENOMEM;
	batch->samples[batch->count++] = sample;
	return 0;
}

/* Appends the sample that one item of save-all is. */
static int parse_sample(struct parsing *parsing, const cJSON *object)
{
	struct body_error *error = parsing->error;
	struct item item;
	struct sample sample = { .ip = parsing->body->ip };
	double value;
	int result = read_item(object, parsing->index, &item, error);
	if (result)
		return result;
	if (!item.timestamp)
		return refuse_item(error, 400, parsing->index, "timestamp", "timestamp is missing");
	if (!read_number(item.value, &value))
		return refuse_item(error, 400, parsing->index, "value", "value is not a number of 0 or more");
	result = parse_item(&item, parsing->index, parsing->times, &sample, error);
	return result ? result : add_sample(parsing, &sample, METRIC_USAGE, value);
}

/* What items of bodies about several hosts have: parse_item() and the address, for which the caller has room. */
static int parse_item_of_host(const struct parsing *parsing, const cJSON *object, char ip[static WIRE_IP_SIZE],
                              struct item *item, struct sample *sample)
{
	struct body_error *error = parsing->error;
	int result = read_item(object, parsing->index, item, error);
	if (result)
		return result;
	if (!cJSON_IsString(item->ipaddress) || !wire_ip_parse(item->ipaddress->valuestring, ip))
		return refuse_item(error, 400, parsing->index, "ipaddress", "ipaddress is not an IPv4 or IPv6 address");
	*sample = (struct sample){ .ip = ip };
	return parse_item(item, parsing->index, parsing->times, sample, error);
}

/* A number that items of a body about several hosts may have, and what it is stored as. */
struct member {
	const char *key;
	size_t offset; /* in struct item */
	enum metric metric;
	bool required;
	bool (*read)(const cJSON *item, double *ret_number);
	const char *wrong; /* the sentence on one that cannot be read */
};

/* What an alarm has beside its colour; its value is checked alone, since it is stored already, as usage. */
static const struct member alarm_members[] = {
	{ "since", offsetof(struct item, since), METRIC_ALARM_SINCE, false, read_number, NOT_A_NUMBER },
	{ "threshold", offsetof(struct item, threshold), METRIC_ALARM_THRESHOLD, false, read_number, NOT_A_NUMBER },
	{ "forecast", offsetof(struct item, forecast), METRIC_ALARM_FORECAST, false, read_number, NOT_A_NUMBER },
	{ "expected_at", offsetof(struct item, expected_at), METRIC_ALARM_LEAD, false, read_number, NOT_A_NUMBER },
};

static const struct member forecast_members[] = {
	{ "probability", offsetof(struct item, probability), METRIC_FORECAST_PROBABILITY, true, read_probability,
	  "probability is not a number from 0 to 1" },
	{ "forecast", offsetof(struct item, forecast), METRIC_FORECAST, true, read_number,
	  "forecast is not a number of 0 or more" },
	{ "expected_at", offsetof(struct item, expected_at), METRIC_FORECAST_LEAD, false, read_seconds,
	  "expected_at is not a number of seconds since 1970" },
};

enum {
	ALARM_MEMBERS = sizeof(alarm_members) / sizeof(alarm_members[0]),
	FORECAST_MEMBERS = sizeof(forecast_members) / sizeof(forecast_members[0]),
};

_Static_assert(2 + 1 + ALARM_MEMBERS + FORECAST_MEMBERS == METRIC_COUNT,
               "each metric but usage and the interval is of alarms, which have a colour beside their members, or of forecasts");

static bool is_given(const cJSON *item)
{
	return item && !cJSON_IsNull(item);
}

/* A time to come is kept as its distance, to the millisecond as all times. */
static double lead_s(double expected_at_s, int64_t time_ms)
{
	return fmax(0, round(expected_at_s * 1000) - (double)time_ms) / 1000;
}

/* Appends a sample for each of the members that the item has. */
static int add_members(struct parsing *parsing, const struct item *item, const struct member members[], size_t count,
                       const struct sample *base)
{
	int result = 0;
	for (size_t i = 0; i < count && result == 0; i++) {
		const struct member *member = &members[i];
		const cJSON *found;
		double number;
		memcpy(&found, (const char *)item + member->offset, sizeof(found));
		if (!member->required && !is_given(found))
			continue;
		if (!member->read(found, &number))
			return refuse_item(parsing->error, 400, parsing->index, member->key, member->wrong);
		bool is_time = member->metric == METRIC_ALARM_LEAD || member->metric == METRIC_FORECAST_LEAD;
		result = add_sample(parsing, base, member->metric, is_time ? lead_s(number, base->time_ms) : number);
	}
	return result;
}

/* Appends the samples that one alarm is stored as: its colour, and what it says of itself. */
static int parse_alarm(struct parsing *parsing, const cJSON *object)
{
	char ip[WIRE_IP_SIZE];
	struct item item;
	struct sample base;
	int result = parse_item_of_host(parsing, object, ip, &item, &base);
	if (result)
		return result;
	enum color color;
	if (!cJSON_IsString(item.color) || !wire_color_parse(item.color->valuestring, &color))
		return refuse_item(parsing->error, 400, parsing->index, "color", "color is none of green, orange, red, unknown");
	result = add_sample(parsing, &base, METRIC_ALARM, (double)color);
	if (result == 0)
		result = add_members(parsing, &item, alarm_members, ALARM_MEMBERS, &base);
	double value;
	if (result == 0 && is_given(item.value) && !read_number(item.value, &value))
		result = refuse_item(parsing->error, 400, parsing->index, "value", NOT_A_NUMBER);
	return result;
}

/* Appends the samples that one forecast is stored as. */
static int parse_forecast(struct parsing *parsing, const cJSON *object)
{
	char ip[WIRE_IP_SIZE];
	struct item item;
	struct sample base;
	int result = parse_item_of_host(parsing, object, ip, &item, &base);
	return result ? result : add_members(parsing, &item, forecast_members, FORECAST_MEMBERS, &base);
}

/* What the three bodies differ in. */
struct kind {
	int (*parse_item)(struct parsing *parsing, const cJSON *object); /* appends the samples of an item of `data` */
	bool of_one_host; /* it has the members `ipaddress` and `collector` */
};

/* Reads the array `data`, item by item. */
static int parse_data(struct parsing *parsing)
{
	struct json_reader *reader = &parsing->reader;
	struct body *body = parsing->body;
	const cJSON *value;
	if (!json_reader_enter(reader, '[')) {
		int result = json_reader_value(reader, &value);
		return result ? fail_reading(parsing, result) : refuse(parsing->error, 400, "data", "data is not an array");
	}
	int more = json_reader_next(reader, ']');
	for (; more == 1; more = json_reader_next(reader, ']'), parsing->index++) {
		int result = json_reader_value(reader, &value);
		if (result)
			return fail_reading(parsing, result);
		if (!cJSON_IsObject(value))
			return refuse_item(parsing->error, 400, parsing->index, "", "an item of data is not an object");
		result = parsing->kind->parse_item(parsing, value);
		if (result == 0)
			result = budget_grow(&body->share, body->batch.count * sizeof(*body->batch.samples) + body->strings.size);
		if (result)
			return result;
	}
	return more ? fail_reading(parsing, more) : 0;
}

static int parse_report(const cJSON *object, struct body *body, struct body_error *error)
{
	if (!cJSON_IsObject(object))
		return refuse(error, 400, "collector", "collector is not an object");
	int result = check_keys(object, "collector.", error);
	if (result == 0)
		result = check_keys(cJSON_GetObjectItemCaseSensitive(object, "counters"), "collector.counters.", error);
	if (result)
		return result;
	body->report = collector_report_read(object);
	body->has_report = true;
	return 0;
}

/* Reads the value of a member of the body, but for `data`. */
static int parse_member(struct parsing *parsing, const char *key)
{
	struct body *body = parsing->body;
	const cJSON *value;
	int result = json_reader_value(&parsing->reader, &value);
	if (result)
		return fail_reading(parsing, result);
	if (!parsing->kind->of_one_host)
		return 0;
	if (strcmp(key, "ipaddress") == 0 && (!cJSON_IsString(value) || !wire_ip_parse(value->valuestring, body->ip)))
		return refuse(parsing->error, 400, "ipaddress", "ipaddress is not an IPv4 or IPv6 address");
	return strcmp(key, "collector") == 0 ? parse_report(value, body, parsing->error) : 0;
}

/* Reads the object that a body is. */
static int parse_members(struct parsing *parsing)
{
	struct json_reader *reader = &parsing->reader;
	struct body *body = parsing->body;
	struct keys keys = { .count = 0 };
	bool has_data = false;
	if (!json_reader_enter(reader, '{')) {
		if (reader->at == reader->end)
			return fail_reading(parsing, -EBADMSG);
		return refuse(parsing->error, 400, "", "the body is not a JSON object");
	}
	int more = json_reader_next(reader, '}');
	for (; more == 1; more = json_reader_next(reader, '}')) {
		const char *key;
		int result = json_reader_key(reader, &key);
		if (result)
			return fail_reading(parsing, result);
		key = keep_string(body, NULL, key); /* longer than until the next member */
		if (!key)
			return -ENOMEM;
		result = see_key(&keys, key);
		if (result)
			return refuse_key(parsing->error, result, "", key);
		bool is_data = strcmp(key, "data") == 0;
		result = is_data ? parse_data(parsing) : parse_member(parsing, key);
		if (result)
			return result;
		has_data = has_data || is_data;
	}
	if (more || !json_reader_at_end(reader))
		return fail_reading(parsing, -EBADMSG);
	if (parsing->kind->of_one_host && !body->ip[0])
		return refuse(parsing->error, 400, "ipaddress", "ipaddress is not an IPv4 or IPv6 address");
	return has_data ? 0 : refuse(parsing->error, 400, "data", "data is not an array");
}

static int parse(char *json, size_t length, const struct kind *kind, const struct body_times *times,
                 struct body *ret_body, struct body_error *error)
{
	/* On the caller's memory from the start: the samples point into it. */
	*ret_body = (struct body){ .share = { .part = BUDGET_BODIES } };
	int result = check_text(json, length, error);
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
	static const struct kind samples = { parse_sample, true };
	return parse(json, length, &samples, times, ret_body, ret_error);
}

int body_parse_alarms(char *json, size_t length, const struct body_times *times, struct body *ret_body,
                      struct body_error *ret_error)
{
	static const struct kind alarms = { parse_alarm, false };
	return parse(json, length, &alarms, times, ret_body, ret_error);
}

int body_parse_forecasts(char *json, size_t length, const struct body_times *times, struct body *ret_body,
                         struct body_error *ret_error)
{
	static const struct kind forecasts = { parse_forecast, false };
	return parse(json, length, &forecasts, times, ret_body, ret_error);
}

void body_free(struct body *body)
{
	free(body->batch.samples);
	arena_free(&body->strings);
	budget_give_back(&body->share);
	*body = (struct body){ 0 };
}
