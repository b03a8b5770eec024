/* The part of alert/state_file.h that is the format. */
#include "alert/state_file.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "common/json.h"

#define FORMAT "vigie-alert"

enum { VERSION = 3 };

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

static void append_silence(struct text *text, const struct alarm *alarm)
{
	if (alarm->silenced_ms)
		append_time(text, "silenced", alarm->silenced_ms);
}

static void append_host(struct text *text, const struct host_state *host)
{
	text_printf(text, "{\"ip\": \"%s\", \"color\": \"%s\"", host->alarm.ip, wire_color_name(host->alarm.color));
	append_time(text, "last_seen", host->last_seen_ms);
	append_time(text, "since", host->alarm.since_ms);
	append_time(text, "said", host->alarm.said_ms);
	append_silence(text, &host->alarm);
	if (host->absent)
		append_number(text, "absent", (double)host->absent);
	text_append_char(text, '}');
}

static void append_series(struct text *text, const struct series_state *series)
{
	const struct alarm *alarm = &series->alarm;
	text_printf(text, "{\"ip\": \"%s\", \"process\": ", alarm->ip);
	json_append_string(text, alarm->process);
	if (alarm->resource != RESOURCE_COUNT)
		text_printf(text, ", \"resource\": \"%s\"", wire_resource_name(alarm->resource));
	text_printf(text, ", \"color\": \"%s\"", wire_color_name(alarm->color));
	append_number(text, "value", alarm->value);
	append_number(text, "threshold", alarm->threshold);
	append_time(text, "since", alarm->since_ms);
	append_time(text, "sample", series->sample_ms);
	append_number(text, "samples", (double)series->samples);
	append_time(text, "over", series->over_ms);
	append_number(text, "forecasts", (double)series->forecasts);
	if (series->fulls)
		append_number(text, "fulls", (double)series->fulls);
	append_time(text, "likely", series->likely_ms);
	append_time(text, "said", alarm->said_ms);
	append_silence(text, alarm);
	if (alarm->color == COLOR_ORANGE) {
		append_number(text, "forecast", alarm->forecast);
		append_number(text, "probability", alarm->probability);
		append_time(text, "expected", alarm->expected_ms);
		if (alarm->horizon_ms)
			append_time(text, "horizon", alarm->horizon_ms);
	}
	text_append_char(text, '}');
}

/* Nothing where nobody was. */
static void append_killed(struct text *text, const struct states *states)
{
	const char *separator = ",\n\"killed\": [\n";
	const struct killed_state *first = states_next_killed(states, NULL);
	for (const struct killed_state *killed = first; killed; killed = states_next_killed(states, killed)) {
		text_printf(text, "%s{\"ip\": \"%s\", \"process\": ", separator, killed->ip);
		json_append_string(text, killed->process);
		append_time(text, "time", killed->time_ms);
		text_append_char(text, '}');
		separator = ",\n";
	}
	text_append_string(text, first ? "]" : "");
}

/* A string a line, without its newline. */
static void append_lines(struct text *text, const struct text *lines)
{
	struct text line = TEXT_EMPTY;
	const char *separator = "\n";
	for (size_t at = 0; at < lines->length; at += line.length + 1) {
		const char *start = lines->data + at;
		text_reset(&line);
		text_append(&line, start, (size_t)((const char *)memchr(start, '\n', lines->length - at) - start));
		text_append_string(text, separator);
		json_append_string(text, text_or(&line, ""));
		separator = ",\n";
		if (text_failed(&line)) {
			text->failed = true;
			break;
		}
	}
	text_free(&line);
}

/* What is missing, or everything else: with `opening` before the first of them. False: there is none. */
static bool append_all_series(struct text *text, const struct states *states, bool missing, const char *opening)
{
	const char *separator = opening;
	for (const struct series_state *series = states_next_series(states, NULL); series;
	     series = states_next_series(states, series)) {
		if (missing != (series->alarm.resource == RESOURCE_COUNT))
			continue;
		/* Only kept to report its end, perhaps without its host. */
		if (series->alarm.color == COLOR_GREEN && series->samples == 0 && series->forecasts == 0 && series->fulls == 0)
			continue;
		text_append_string(text, separator);
		append_series(text, series);
		separator = ",\n";
	}
	return separator != opening;
}

void state_file_format(const struct states *states, struct text *text)
{
	const struct states_unwritten *unwritten = states_unwritten(states);
	text_printf(text, "{\"format\": \"" FORMAT "\", \"version\": %d", VERSION);
	append_time(text, "evaluated", states_time(states));
	text_append_string(text, ",\n\"hosts\": [");
	const char *separator = "\n";
	for (const struct host_state *host = states_next_host(states, NULL); host; host = states_next_host(states, host)) {
		if (host->forgotten)
			continue;
		text_append_string(text, separator);
		append_host(text, host);
		separator = ",\n";
	}
	text_append_string(text, "],\n\"series\": [");
	(void)append_all_series(text, states, false, "\n");
	text_append_string(text, "]");
	append_killed(text, states);
	if (append_all_series(text, states, true, ",\n\"missing\": [\n"))
		text_append_string(text, "]");
	if (unwritten->lines.length || unwritten->lost) {
		text_printf(text, ",\n\"lost\": %llu,\n\"unwritten\": [", (unsigned long long)unwritten->lost);
		append_lines(text, &unwritten->lines);
		text_append_string(text, "]");
	}
	text_append_string(text, "}\n");
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

static bool read_count(const cJSON *object, const char *key, int64_t *ret_count)
{
	double number;
	if (!read_number(object, key, &number) || number < 0 || number > 1e9)
		return false;
	*ret_count = (int64_t)number;
	return true;
}

static bool has(const cJSON *object, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(object, key) != NULL;
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

/* What earlier versions did not have is as it was then. (They had when a host became UNKNOWN.)
 * 0, -EBADMSG or an error of states_restore_host(). */
static int read_host(const cJSON *item, struct states *states)
{
	struct host_state host = { .alarm = { .process = WIRE_HOST_ITSELF, .resource = RESOURCE_COUNT } };
	if (!read_ip(item, host.alarm.ip) || !read_color(item, &host.alarm.color) ||
	    !read_time(item, "last_seen", &host.last_seen_ms) || !read_time(item, "since", &host.alarm.since_ms))
		return -EBADMSG;
	if ((has(item, "said") && !read_time(item, "said", &host.alarm.said_ms)) ||
	    (has(item, "silenced") && !read_time(item, "silenced", &host.alarm.silenced_ms)) ||
	    (has(item, "absent") && !read_count(item, "absent", &host.absent)))
		return -EBADMSG;
	if (host.alarm.color != COLOR_GREEN && host.alarm.color != COLOR_UNKNOWN)
		return -EBADMSG;
	return states_restore_host(states, &host);
}

/* What earlier versions did not have: what is missing is as it was then. */
static bool read_later_members(const cJSON *item, struct series_state *series)
{
	struct alarm *alarm = &series->alarm;
	series->over_ms = series->likely_ms = alarm->since_ms;
	return (!has(item, "over") || read_time(item, "over", &series->over_ms)) &&
	       (!has(item, "forecasts") || read_count(item, "forecasts", &series->forecasts)) &&
	       (!has(item, "fulls") || read_count(item, "fulls", &series->fulls)) &&
	       (!has(item, "likely") || read_time(item, "likely", &series->likely_ms)) &&
	       (!has(item, "said") || read_time(item, "said", &alarm->said_ms)) &&
	       (!has(item, "silenced") || read_time(item, "silenced", &alarm->silenced_ms)) &&
	       (alarm->color != COLOR_ORANGE ||
	        (read_number(item, "forecast", &alarm->forecast) &&
	         read_number(item, "probability", &alarm->probability) &&
	         read_time(item, "expected", &alarm->expected_ms) &&
	         (!has(item, "horizon") || read_time(item, "horizon", &alarm->horizon_ms))));
}

static bool read_resource(const cJSON *item, enum resource *ret_resource)
{
	char word[8];
	return read_text(item, "resource", word, sizeof(word)) && wire_limited_parse(word, ret_resource);
}

static int read_any_series(const cJSON *item, bool missing, struct states *states)
{
	struct series_state series = { .alarm = { .resource = RESOURCE_COUNT } };
	struct alarm *alarm = &series.alarm;
	if (!read_ip(item, alarm->ip) || !read_text(item, "process", alarm->process, sizeof(alarm->process)) ||
	    (!missing && !read_resource(item, &alarm->resource)) || !read_color(item, &alarm->color) ||
	    (missing && alarm->color == COLOR_ORANGE) ||
	    !read_number(item, "value", &alarm->value) || !read_number(item, "threshold", &alarm->threshold) ||
	    !read_time(item, "since", &alarm->since_ms) || !read_time(item, "sample", &series.sample_ms) ||
	    !read_count(item, "samples", &series.samples) || alarm->color == COLOR_UNKNOWN ||
	    !read_later_members(item, &series))
		return -EBADMSG;
	return states_restore_series(states, &series);
}

static int read_killed(const cJSON *item, struct states *states)
{
	struct killed_state killed;
	if (!read_ip(item, killed.ip) || !read_text(item, "process", killed.process, sizeof(killed.process)) ||
	    !read_time(item, "time", &killed.time_ms))
		return -EBADMSG;
	return states_restore_killed(states, killed.ip, killed.process, killed.time_ms);
}

static int read_series(const cJSON *item, struct states *states)
{
	return read_any_series(item, false, states);
}

static int read_missing(const cJSON *item, struct states *states)
{
	return read_any_series(item, true, states);
}

/* `twice`: an item may be there already. */
static int read_list(const cJSON *document, const char *key, bool twice, int (*read)(const cJSON *, struct states *),
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
		if (result && !(twice && result == -EEXIST)) {
			text_printf(ret_error, "%s[%zu] is not right", key, index);
			return -EBADMSG;
		}
	}
	return 0;
}

/* The lines that were not written: all of it may be missing. 0, -EBADMSG or -ENOMEM. */
static int read_unwritten(const cJSON *document, struct states *states)
{
	int64_t lost = 0;
	struct text text = TEXT_EMPTY;
	const cJSON *lines = cJSON_GetObjectItemCaseSensitive(document, "unwritten");
	if ((has(document, "lost") && !read_count(document, "lost", &lost)) || (lines && !cJSON_IsArray(lines)))
		return -EBADMSG;
	int result = 0;
	for (const cJSON *line = lines ? lines->child : NULL; line; line = line->next) {
		if (!cJSON_IsString(line) || strchr(line->valuestring, '\n'))
			result = -EBADMSG;
		else
			text_printf(&text, "%s\n", line->valuestring);
	}
	if (!result)
		result = text_failed(&text) ? -ENOMEM : states_set_unwritten(states, &text, (uint64_t)lost);
	text_free(&text);
	return result;
}

static int read_rest(const cJSON *document, struct states *states, struct text *ret_error)
{
	int64_t saved_ms = 0;
	int result = has(document, "evaluated") && !read_time(document, "evaluated", &saved_ms) ? -EBADMSG :
	             read_unwritten(document, states);
	if (result == -EBADMSG)
		text_append_string(ret_error, "its time or its lines are not right");
	states_restore_time(states, saved_ms);
	return result;
}

int state_file_parse(const char *content, size_t length, struct states *states, struct text *ret_error)
{
	char format[32];
	double version;
	int result = -EBADMSG;
	/* Earlier versions took two ways to write one address for two hosts: the first of them counts. */
	bool twice = memmem(content, length, WIRE_IP_MAPPED, strlen(WIRE_IP_MAPPED));
	cJSON *document = NULL;
	int parsed = json_parse(content, length, &document);
	if (parsed == -ENOMEM)
		result = parsed;
	else if (!cJSON_IsObject(document))
		text_append_string(ret_error, "it is no JSON object");
	else if (!read_text(document, "format", format, sizeof(format)) || strcmp(format, FORMAT) != 0)
		text_append_string(ret_error, "its format is not \"" FORMAT "\"");
	else if (!read_number(document, "version", &version) || version < 1 || version > VERSION)
		text_printf(ret_error, "its version is none from 1 to %d", VERSION);
	else
		result = read_list(document, "hosts", twice, read_host, states, ret_error);
	if (!result)
		result = read_list(document, "series", twice, read_series, states, ret_error);
	if (!result && has(document, "killed"))
		result = read_list(document, "killed", true, read_killed, states, ret_error);
	if (!result && has(document, "missing"))
		result = read_list(document, "missing", twice, read_missing, states, ret_error);
	if (!result)
		result = read_rest(document, states, ret_error);
	cJSON_Delete(document);
	return result;
}
