#include "alert/state_file.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/whole_file.h"

#define FORMAT "vigie-alert"

enum { VERSION = 1 };

static void append_time(struct text *text, const char *key, int64_t time_ms)
{
	text_printf(text, ", \"%s\": ", key);
	json_append_seconds(text, time_ms);
}

static void append_number(struct text *text, const char *key, double number)
{
	text_printf(text, ", \"%s\": ", key);
	json_append_number(text, number);
}

static void append_host(struct text *text, const struct host_state *host)
{
	text_printf(text, "{\"ip\": \"%s\", \"color\": \"%s\"", host->alarm.ip, wire_color_name(host->alarm.color));
	append_time(text, "last_seen", host->last_seen_ms);
	append_time(text, "since", host->alarm.since_ms);
	append_time(text, "unknown", host->unknown_ms);
	text_append_char(text, '}');
}

static void append_series(struct text *text, const struct series_state *series)
{
	const struct alarm *alarm = &series->alarm;
	text_printf(text, "{\"ip\": \"%s\", \"process\": ", alarm->ip);
	json_append_string(text, alarm->process);
	text_printf(text, ", \"resource\": \"%s\", \"color\": \"%s\"", wire_resource_name(alarm->resource),
	            wire_color_name(alarm->color));
	append_number(text, "value", alarm->value);
	append_number(text, "threshold", alarm->threshold);
	append_time(text, "since", alarm->since_ms);
	append_time(text, "sample", series->sample_ms);
	append_number(text, "samples", (double)series->samples);
	text_append_char(text, '}');
}

void state_file_format(const struct states *states, struct text *text)
{
	text_printf(text, "{\"format\": \"" FORMAT "\", \"version\": %d,\n\"hosts\": [", VERSION);
	const char *separator = "\n";
	for (const struct host_state *host = states_next_host(states, NULL); host; host = states_next_host(states, host)) {
		if (host->forgotten)
			continue;
		text_append_string(text, separator);
		append_host(text, host);
		separator = ",\n";
	}
	text_append_string(text, "],\n\"series\": [");
	separator = "\n";
	for (const struct series_state *series = states_next_series(states, NULL); series;
	     series = states_next_series(states, series)) {
		/* Only kept to report its end, perhaps without its host. */
		if (series->alarm.color == COLOR_GREEN && series->samples == 0)
			continue;
		text_append_string(text, separator);
		append_series(text, series);
		separator = ",\n";
	}
	text_append_string(text, "]}\n");
}

static bool read_text(const cJSON *object, const char *key, char *ret_text, size_t size)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
	if (!cJSON_IsString(item) || item->valuestring[0] == '\0' || strlen(item->valuestring) >= size)
		return false;
	strcpy(ret_text, item->valuestring);
	return true;
}

static bool read_number(const cJSON *object, const char *key, double *ret_number)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
	if (!cJSON_IsNumber(item) || !isfinite(item->valuedouble))
		return false;
	*ret_number = item->valuedouble;
	return true;
}

static bool read_time(const cJSON *object, const char *key, int64_t *ret_time_ms)
{
	double seconds;
	if (!read_number(object, key, &seconds) || fabs(seconds) > 1e12)
		return false;
	*ret_time_ms = llrint(seconds * 1000);
	return true;
}

static bool read_color(const cJSON *object, enum color *ret_color)
{
	char word[16];
	return read_text(object, "color", word, sizeof(word)) && wire_color_parse(word, ret_color);
}

static bool read_ip(const cJSON *object, char ret_ip[static WIRE_IP_SIZE])
{
	char word[WIRE_IP_SIZE];
	return read_text(object, "ip", word, sizeof(word)) && wire_ip_parse(word, ret_ip);
}

/* 0, -EBADMSG or an error of states_restore_host(). */
static int read_host(const cJSON *item, struct states *states)
{
	struct host_state host = { .alarm = { .process = WIRE_HOST_ITSELF, .resource = RESOURCE_COUNT } };
	if (!read_ip(item, host.alarm.ip) || !read_color(item, &host.alarm.color) ||
	    !read_time(item, "last_seen", &host.last_seen_ms) || !read_time(item, "since", &host.alarm.since_ms) ||
	    !read_time(item, "unknown", &host.unknown_ms))
		return -EBADMSG;
	if (host.alarm.color != COLOR_GREEN && host.alarm.color != COLOR_UNKNOWN)
		return -EBADMSG;
	return states_restore_host(states, &host);
}

static int read_series(const cJSON *item, struct states *states)
{
	struct series_state series = { 0 };
	struct alarm *alarm = &series.alarm;
	char resource[8];
	double samples;
	if (!read_ip(item, alarm->ip) || !read_text(item, "process", alarm->process, sizeof(alarm->process)) ||
	    !read_text(item, "resource", resource, sizeof(resource)) ||
	    !wire_resource_parse(resource, &alarm->resource) || !read_color(item, &alarm->color) ||
	    !read_number(item, "value", &alarm->value) || !read_number(item, "threshold", &alarm->threshold) ||
	    !read_time(item, "since", &alarm->since_ms) || !read_time(item, "sample", &series.sample_ms) ||
	    !read_number(item, "samples", &samples))
		return -EBADMSG;
	if ((alarm->color != COLOR_GREEN && alarm->color != COLOR_RED) || samples < 0 || samples > 1e9)
		return -EBADMSG;
	series.samples = (int64_t)samples;
	return states_restore_series(states, &series);
}

static int read_list(const cJSON *document, const char *key, int (*read)(const cJSON *, struct states *),
                     struct states *states, struct text *ret_error)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(document, key);
	if (!cJSON_IsArray(list)) {
		text_printf(ret_error, "it has no list \"%s\"", key);
		return -EBADMSG;
	}
	size_t index = 0;
	for (const cJSON *item = list->child; item; item = item->next, index++) {
		int result = read(item, states);
		if (result == -ENOMEM)
			return result;
		if (result) {
			text_printf(ret_error, "%s[%zu] is not right", key, index);
			return -EBADMSG;
		}
	}
	return 0;
}

int state_file_parse(const char *content, size_t length, struct states *states, struct text *ret_error)
{
	char format[32];
	double version;
	int result = -EBADMSG;
	cJSON *document = cJSON_ParseWithLength(content, length);
	if (!cJSON_IsObject(document))
		text_append_string(ret_error, "it is no JSON object");
	else if (!read_text(document, "format", format, sizeof(format)) || strcmp(format, FORMAT) != 0)
		text_append_string(ret_error, "its format is not \"" FORMAT "\"");
	else if (!read_number(document, "version", &version) || version != VERSION)
		text_printf(ret_error, "its version is not %d", VERSION);
	else
		result = read_list(document, "hosts", read_host, states, ret_error);
	if (!result)
		result = read_list(document, "series", read_series, states, ret_error);
	cJSON_Delete(document);
	return result;
}

int state_file_read(const char *path, int64_t interval_ms, struct states **ret_states, struct text *ret_error)
{
	struct text content = TEXT_EMPTY;
	struct states *states = states_open(interval_ms);
	int result = states ? whole_file_read(path, &content) : -ENOMEM;
	int broken = 0;
	if (result == -ENOENT)
		result = 0;
	else if (!result)
		result = broken = state_file_parse(content.data ? content.data : "", content.length, states, ret_error);
	text_free(&content);

	if (broken == -EBADMSG) {
		states_close(states);
		states = states_open(interval_ms);
		result = states ? whole_file_move_aside(path) : -ENOMEM;
	}
	if (result) {
		states_close(states);
		return result;
	}
	*ret_states = states;
	return broken;
}

int state_file_write(const char *path, const struct states *states)
{
	struct text content = TEXT_EMPTY;
	state_file_format(states, &content);
	int result = whole_file_replace(path, &content);
	text_free(&content);
	return result;
}
