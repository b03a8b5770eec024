#include "fcgi/body_internal.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define NOT_A_NUMBER "not a number of 0 or more"
#define NOT_A_REASON "not an object with climb and parts, each with name, log_odds, value and meaning"

static int refuse_item(struct body_error *error, int status, size_t index, const char *key, const char *sentence)
{
	char field[sizeof(error->field)];
	snprintf(field, sizeof(field), "data[%zu]%s%s", index, key[0] ? "." : "", key);
	return body_refuse(error, status, field, "%s", sentence);
}

/* What one item of `data` may hold; NULL where it does not. */
struct item {
	const cJSON *timestamp, *value, *process_name, *type_data, *ipaddress, *color, *threshold, *since, *probability,
		*forecast, *expected_at, *full_at, *limit, *horizon_s, *why, *missing;
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
		{ "full_at", offsetof(struct item, full_at) },
		{ "limit", offsetof(struct item, limit) },
		{ "horizon_s", offsetof(struct item, horizon_s) },
		{ "why", offsetof(struct item, why) },
		{ "missing", offsetof(struct item, missing) },
	};
	enum { KEYS = sizeof(keys) / sizeof(keys[0]) };
	struct item item = { 0 };
	struct body_keys others;
	others.count = 0; /* the rest is not cleared, for each item */
	size_t key = 0; /* keys mostly come in the order above: the search goes on where it was */
	for (const cJSON *child = object->child; child; child = child->next) {
		const cJSON **place = NULL;
		for (size_t i = 0; i < KEYS && !place; i++, key = (key + 1) % KEYS) {
			if (child->string[0] == keys[key].key[0] && strcmp(child->string, keys[key].key) == 0)
				place = (const cJSON **)((char *)&item + keys[key].offset);
		}
		int result = !place ? body_see_key(&others, child->string) : *place ? -EEXIST : 0;
		if (result) {
			char prefix[32];
			snprintf(prefix, sizeof(prefix), "data[%zu].", index);
			return body_refuse_key(error, result, prefix, child->string);
		}
		if (place)
			*place = child;
	}
	*ret_item = item;
	return 0;
}

static bool read_probability(const cJSON *item, double *ret_number)
{
	return body_read_number(item, ret_number) && *ret_number <= 1;
}

static bool read_boolean(const cJSON *item, double *ret_number)
{
	*ret_number = cJSON_IsTrue(item);
	return cJSON_IsBool(item);
}

static bool read_seconds(const cJSON *item, double *ret_seconds)
{
	return body_read_number(item, ret_seconds) && *ret_seconds < BODY_TIME_MAX_S;
}

/* What items of all bodies have: the process, the resource, of usage any, and the time. */
static int parse_item(const struct parsing *parsing, const struct item *item, bool usage, struct sample *sample)
{
	struct body_error *error = parsing->error;
	size_t index = parsing->index;
	sample->process = cJSON_IsString(item->process_name) ? body_clean_process(item->process_name->valuestring) : NULL;
	if (!sample->process)
		return refuse_item(error, 400, index, "process_name", "process_name is not a string of at most 255 bytes");
	enum resource resource;
	const char *word = cJSON_IsString(item->type_data) ? item->type_data->valuestring : "";
	if (!(usage ? wire_resource_parse(word, &resource) : wire_limited_parse(word, &resource))) {
		char sentence[sizeof(error->sentence)];
		snprintf(sentence, sizeof(sentence), "type_data is not %s", usage ? RESOURCE_NAMES : RESOURCE_LIMITED_NAMES);
		return refuse_item(error, 400, index, "type_data", sentence);
	}
	sample->half = sample_half(resource);
	if (usage)
		sample->metric = sample_usage(resource);
	sample->time_ms = parsing->times->now_ms;
	if (item->timestamp && !body_read_time(item->timestamp, &sample->time_ms))
		return refuse_item(error, 400, index, "timestamp", BODY_TIME_BAD);
	const char *sentence = body_time_fault(parsing->times, sample->time_ms);
	return sentence ? refuse_item(error, 409, index, "timestamp", sentence) : 0;
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
		return refuse_item(error, 400, parsing->index, "timestamp", BODY_TIME_MISSING);
	if (!body_read_number(item.value, &value))
		return refuse_item(error, 400, parsing->index, "value", "value is not a number of 0 or more");
	result = parse_item(parsing, &item, true, &sample);
	return result ? result : body_add_sample(parsing, &sample, sample.metric, value);
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
	return parse_item(parsing, item, false, sample);
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
	{ "since", offsetof(struct item, since), METRIC_ALARM_SINCE, false, body_read_number, NOT_A_NUMBER },
	{ "threshold", offsetof(struct item, threshold), METRIC_ALARM_THRESHOLD, false, body_read_number, NOT_A_NUMBER },
	{ "forecast", offsetof(struct item, forecast), METRIC_ALARM_FORECAST, false, body_read_number, NOT_A_NUMBER },
	{ "expected_at", offsetof(struct item, expected_at), METRIC_ALARM_LEAD, false, body_read_number, NOT_A_NUMBER },
	{ "missing", offsetof(struct item, missing), METRIC_ALARM_MISSING, false, read_boolean, "neither true nor false" },
};

static const struct member forecast_members[] = {
	{ "probability", offsetof(struct item, probability), METRIC_FORECAST_PROBABILITY, true, read_probability,
	  "probability is not a number from 0 to 1" },
	{ "forecast", offsetof(struct item, forecast), METRIC_FORECAST, true, body_read_number,
	  "forecast is not a number of 0 or more" },
	{ "expected_at", offsetof(struct item, expected_at), METRIC_FORECAST_LEAD, false, read_seconds,
	  "expected_at is not a number of seconds since 1970" },
	{ "full_at", offsetof(struct item, full_at), METRIC_FORECAST_FULL, false, read_seconds,
	  "full_at is not a number of seconds since 1970" },
};

enum {
	ALARM_MEMBERS = sizeof(alarm_members) / sizeof(alarm_members[0]),
	FORECAST_MEMBERS = sizeof(forecast_members) / sizeof(forecast_members[0]),
};

_Static_assert(5 + 1 + ALARM_MEMBERS + FORECAST_MEMBERS == METRIC_NAMED_COUNT,
               "each metric but usage, the interval, the wish, what was killed and the silence is of alarms, which have a colour beside their members, or of forecasts");

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
		bool is_time = member->metric == METRIC_ALARM_LEAD || member->metric == METRIC_FORECAST_LEAD ||
		               member->metric == METRIC_FORECAST_FULL;
		/* analyzer: read() has written it, as all of the tables do that say so */
		result = body_add_sample(parsing, base, member->metric, is_time ? lead_s(number, base->time_ms) : number);
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
	result = body_add_sample(parsing, &base, METRIC_ALARM, (double)color);
	if (result == 0)
		result = add_members(parsing, &item, alarm_members, ALARM_MEMBERS, &base);
	double value;
	if (result == 0 && is_given(item.value) && !body_read_number(item.value, &value))
		result = refuse_item(parsing->error, 400, parsing->index, "value", NOT_A_NUMBER);
	return result;
}

/* Appends the samples that one forecast is stored as, and keeps what it says beside. */
static int parse_forecast(struct parsing *parsing, const cJSON *object)
{
	char ip[WIRE_IP_SIZE];
	struct item item;
	struct sample base;
	size_t first = parsing->body->batch.count;
	const char *wrong;
	int result = parse_item_of_host(parsing, object, ip, &item, &base);
	if (result == 0)
		result = add_members(parsing, &item, forecast_members, FORECAST_MEMBERS, &base);
	if (result)
		return result;
	const struct body_reason_items items = { item.limit, item.horizon_s, item.why };
	result = body_parse_reason(parsing->body, first, &items, &wrong);
	return result != -EINVAL ? result : refuse_item(parsing->error, 400, parsing->index, wrong,
	                                                strcmp(wrong, "why") == 0 ? NOT_A_REASON : NOT_A_NUMBER);
}

const struct body_kind body_kind_samples = { parse_sample, true };
const struct body_kind body_kind_alarms = { parse_alarm, false };
const struct body_kind body_kind_forecasts = { parse_forecast, false };

int body_parse_data(struct parsing *parsing)
{
	struct json_reader *reader = &parsing->reader;
	const cJSON *value;
	if (!json_reader_enter(reader, '[')) {
		int result = json_reader_value(reader, &value);
		return result ? body_fail_reading(parsing, result)
		              : body_refuse(parsing->error, 400, "data", "data is not an array");
	}
	int more = json_reader_next(reader, ']');
	for (; more == 1; more = json_reader_next(reader, ']'), parsing->index++) {
		int result = json_reader_value(reader, &value);
		if (result)
			return body_fail_reading(parsing, result);
		if (!cJSON_IsObject(value))
			return refuse_item(parsing->error, 400, parsing->index, "", "an item of data is not an object");
		result = parsing->kind->parse_item(parsing, value);
		if (result == 0)
			result = body_count_samples(parsing);
		if (result)
			return result;
	}
	return more ? body_fail_reading(parsing, more) : 0;
}
