#include "fcgi/body.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 2^31 rows of ten seconds: the year 2650. */
#define TIME_MAX_S 21474836470.0
#define NOT_A_NUMBER "not a number of 0 or more"

/* Where cJSON allocates in this thread while it parses. */
static _Thread_local struct arena *parsing;

static void *allocate(size_t size)
{
	return parsing ? arena_allocate(parsing, size) : malloc(size);
}

/* A tree is freed with its arena. */
static void release(void *bytes)
{
	if (!parsing)
		free(bytes);
}

void body_init(void)
{
	cJSON_InitHooks(&(cJSON_Hooks){ .malloc_fn = allocate, .free_fn = release });
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

static int parse_json(char *json, size_t length, struct body *body, struct body_error *error)
{
	size_t valid = wire_utf8_check(json, length);
	if (valid < length)
		return refuse(error, 400, "", "the body is not UTF-8 at byte %zu", valid);
	if (strlen(json) < length)
		return refuse(error, 400, "", "the body is not JSON at byte %zu of %zu", strlen(json), length);
	replace_nul_escapes(json);

	const char *end = NULL;
	parsing = &body->arena;
	body->tree = cJSON_ParseWithLengthOpts(json, length + 1, &end, true);
	parsing = NULL;
	if (!body->tree && body->arena.failed)
		return -ENOMEM; /* not the client's fault: it is to send this again */
	if (!body->tree) {
		size_t place = end ? (size_t)(end - json) : 0;
		return refuse(error, 400, "", "the body is not JSON at byte %zu of %zu", place, length);
	}
	if (!cJSON_IsObject(body->tree))
		return refuse(error, 400, "", "the body is not a JSON object");
	return 0;
}

/* What one item of `data` may hold; NULL where it does not. */
struct item {
	const cJSON *timestamp, *value, *process_name, *type_data, *ipaddress, *color, *threshold, *since, *probability,
		*forecast, *expected_at;
};

static struct item read_item(const cJSON *object)
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
	size_t key = 0; /* keys mostly come in the order above: the search goes on where it was */
	for (const cJSON *child = object->child; child; child = child->next) {
		for (size_t i = 0; i < KEYS; i++, key = (key + 1) % KEYS) {
			if (child->string[0] == keys[key].key[0] && strcmp(child->string, keys[key].key) == 0) {
				memcpy((char *)&item + keys[key].offset, &child, sizeof(child));
				break;
			}
		}
	}
	return item;
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

static int parse_sample(const cJSON *object, size_t index, const struct body_times *times, struct sample *sample,
                        struct body_error *error)
{
	if (!cJSON_IsObject(object))
		return refuse_item(error, 400, index, "", "an item of data is not an object");
	struct item item = read_item(object);
	if (!item.timestamp)
		return refuse_item(error, 400, index, "timestamp", "timestamp is missing");
	if (!read_number(item.value, &sample->value))
		return refuse_item(error, 400, index, "value", "value is not a number of 0 or more");
	return parse_item(&item, index, times, sample, error);
}

static int parse_report(const cJSON *tree, struct body *body, struct body_error *error)
{
	const cJSON *object = cJSON_GetObjectItemCaseSensitive(tree, "collector");
	if (!object)
		return 0;
	if (!cJSON_IsObject(object))
		return refuse(error, 400, "collector", "collector is not an object");

	body->report = collector_report_read(object);
	body->has_report = true;
	return 0;
}

/* The array `data`, which must be there; counted in *ret_count. */
static int find_data(const cJSON *tree, const cJSON **ret_data, size_t *ret_count, struct body_error *error)
{
	const cJSON *data = cJSON_GetObjectItemCaseSensitive(tree, "data");
	if (!cJSON_IsArray(data))
		return refuse(error, 400, "data", "data is not an array");
	*ret_data = data;
	*ret_count = 0;
	for (const cJSON *item = data->child; item; item = item->next)
		++*ret_count;
	return 0;
}

static int parse_samples(struct body *body, const struct body_times *times, struct body_error *error)
{
	const cJSON *ip = cJSON_GetObjectItemCaseSensitive(body->tree, "ipaddress");
	if (!cJSON_IsString(ip) || !wire_ip_parse(ip->valuestring, body->ip))
		return refuse(error, 400, "ipaddress", "ipaddress is not an IPv4 or IPv6 address");

	const cJSON *data;
	size_t count;
	int result = find_data(body->tree, &data, &count, error);
	if (result == 0)
		result = parse_report(body->tree, body, error);
	if (result)
		return result;
	body->batch.samples = arena_allocate(&body->arena, count * sizeof(*body->batch.samples));
	if (!body->batch.samples)
		return -ENOMEM;
	for (const cJSON *item = data->child; item && result == 0; item = item->next) {
		struct sample *sample = &body->batch.samples[body->batch.count];
		sample->ip = body->ip;
		sample->metric = METRIC_USAGE;
		result = parse_sample(item, body->batch.count++, times, sample, error);
	}
	return result;
}

/* What items of bodies about several hosts have: parse_item() and the address. */
static int parse_item_of_host(const cJSON *object, size_t index, const struct body_times *times, char *ip,
                              struct item *item, struct sample *sample, struct body_error *error)
{
	if (!cJSON_IsObject(object))
		return refuse_item(error, 400, index, "", "an item of data is not an object");
	*item = read_item(object);
	if (!cJSON_IsString(item->ipaddress) || !wire_ip_parse(item->ipaddress->valuestring, ip))
		return refuse_item(error, 400, index, "ipaddress", "ipaddress is not an IPv4 or IPv6 address");
	*sample = (struct sample){ .ip = ip };
	return parse_item(item, index, times, sample, error);
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
	/* What one item is stored as, at the most. */
	SAMPLES_PER_ALARM = 1 + ALARM_MEMBERS, /* its colour, and the numbers */
	SAMPLES_PER_FORECAST = FORECAST_MEMBERS,
};

_Static_assert(1 + SAMPLES_PER_ALARM + SAMPLES_PER_FORECAST == METRIC_COUNT,
               "each metric but usage is of alarms or of forecasts");

static bool is_given(const cJSON *item)
{
	return item && !cJSON_IsNull(item);
}

static void add_sample(struct body *body, const struct sample *base, enum metric metric, double value)
{
	struct sample *sample = &body->batch.samples[body->batch.count++];
	*sample = *base;
	sample->metric = metric;
	sample->value = value;
}

/* A time to come is kept as its distance, to the millisecond as all times. */
static double lead_s(double expected_at_s, int64_t time_ms)
{
	return fmax(0, round(expected_at_s * 1000) - (double)time_ms) / 1000;
}

/* Appends a sample for each of the members that the item has. */
static int add_members(struct body *body, const struct item *item, const struct member members[], size_t count,
                       const struct sample *base, size_t index, struct body_error *error)
{
	for (size_t i = 0; i < count; i++) {
		const struct member *member = &members[i];
		const cJSON *found;
		double number;
		memcpy(&found, (const char *)item + member->offset, sizeof(found));
		if (!member->required && !is_given(found))
			continue;
		if (!member->read(found, &number))
			return refuse_item(error, 400, index, member->key, member->wrong);
		bool is_time = member->metric == METRIC_ALARM_LEAD || member->metric == METRIC_FORECAST_LEAD;
		add_sample(body, base, member->metric, is_time ? lead_s(number, base->time_ms) : number);
	}
	return 0;
}

/* Appends the samples that one alarm is stored as: its colour, and what it says of itself. */
static int parse_alarm(const cJSON *object, size_t index, const struct body_times *times, struct body *body, char *ip,
                       struct body_error *error)
{
	struct item item;
	struct sample base;
	int result = parse_item_of_host(object, index, times, ip, &item, &base, error);
	if (result)
		return result;
	enum color color;
	if (!cJSON_IsString(item.color) || !wire_color_parse(item.color->valuestring, &color))
		return refuse_item(error, 400, index, "color", "color is none of green, orange, red, unknown");
	add_sample(body, &base, METRIC_ALARM, (double)color);
	result = add_members(body, &item, alarm_members, ALARM_MEMBERS, &base, index, error);
	double value;
	if (result == 0 && is_given(item.value) && !read_number(item.value, &value))
		result = refuse_item(error, 400, index, "value", NOT_A_NUMBER);
	return result;
}

/* Appends the samples that one forecast is stored as. */
static int parse_forecast(const cJSON *object, size_t index, const struct body_times *times, struct body *body,
                          char *ip, struct body_error *error)
{
	struct item item;
	struct sample base;
	int result = parse_item_of_host(object, index, times, ip, &item, &base, error);
	return result ? result : add_members(body, &item, forecast_members, FORECAST_MEMBERS, &base, index, error);
}

typedef int item_parser(const cJSON *object, size_t index, const struct body_times *times, struct body *body, char *ip,
                        struct body_error *error);

/* Each item of `data` appends at most so many samples. */
static int parse_items(struct body *body, item_parser *parse_one, size_t samples_per_item,
                       const struct body_times *times, struct body_error *error)
{
	const cJSON *data;
	size_t count, index = 0;
	int result = find_data(body->tree, &data, &count, error);
	if (result)
		return result;
	body->batch.samples = arena_allocate(&body->arena, count * samples_per_item * sizeof(*body->batch.samples));
	char *ips = arena_allocate(&body->arena, count * WIRE_IP_SIZE);
	if (!body->batch.samples || !ips)
		return -ENOMEM;
	for (const cJSON *item = data->child; item && result == 0; item = item->next, index++)
		result = parse_one(item, index, times, body, ips + index * WIRE_IP_SIZE, error);
	return result;
}

static int parse_alarms(struct body *body, const struct body_times *times, struct body_error *error)
{
	return parse_items(body, parse_alarm, SAMPLES_PER_ALARM, times, error);
}

static int parse_forecasts(struct body *body, const struct body_times *times, struct body_error *error)
{
	return parse_items(body, parse_forecast, SAMPLES_PER_FORECAST, times, error);
}

typedef int parser(struct body *body, const struct body_times *times, struct body_error *error);

static int parse(char *json, size_t length, parser *parse_data, const struct body_times *times, struct body *ret_body,
                 struct body_error *error)
{
	/* On the caller's memory from the start: the samples point into it. */
	*ret_body = (struct body){ 0 };
	int result = parse_json(json, length, ret_body, error);
	if (result == 0)
		result = parse_data(ret_body, times, error);
	if (result)
		body_free(ret_body);
	else
		ret_body->batch.bytes = ret_body->arena.size;
	return result;
}

int body_parse_samples(char *json, size_t length, const struct body_times *times, struct body *ret_body,
                       struct body_error *ret_error)
{
	return parse(json, length, parse_samples, times, ret_body, ret_error);
}

int body_parse_alarms(char *json, size_t length, const struct body_times *times, struct body *ret_body,
                      struct body_error *ret_error)
{
	return parse(json, length, parse_alarms, times, ret_body, ret_error);
}

int body_parse_forecasts(char *json, size_t length, const struct body_times *times, struct body *ret_body,
                         struct body_error *ret_error)
{
	return parse(json, length, parse_forecasts, times, ret_body, ret_error);
}

void body_free(struct body *body)
{
	arena_free(&body->arena);
	*body = (struct body){ 0 };
}
