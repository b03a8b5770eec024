#include "alert/fields.h"

#include <string.h>

#include "common/clock.h"
#include "common/json.h"

static const char *const words[] = {
	[TRANSITION_RED] = "RED",
	[TRANSITION_AMBER] = "AMBER",
	[TRANSITION_CLEAR] = "CLEAR",
	[TRANSITION_GONE] = "GONE",
	[TRANSITION_UNKNOWN] = "UNKNOWN",
	[TRANSITION_REMINDER] = "REMINDER",
};

static void append_key(struct text *text, enum fields_style style, const char *key)
{
	text_append_char(text, style == FIELDS_LINE ? ' ' : '\0');
	text_append_string(text, key);
	text_append_char(text, '=');
}

static void append_name(struct text *text, enum fields_style style, const char *name)
{
	char clean[WIRE_NAME_SIZE];
	wire_clean_name(name, strlen(name), clean);
	if (style == FIELDS_ARGUMENTS) {
		text_append_string(text, clean);
		return;
	}
	text_append_char(text, '"');
	for (const char *at = clean; *at; at++) {
		if (*at == '"' || *at == '\\')
			text_append_char(text, '\\');
		text_append_char(text, *at);
	}
	text_append_char(text, '"');
}

static void append_time(struct text *text, int64_t time_ms)
{
	char time[CLOCK_RFC3339_SIZE];
	clock_format_rfc3339(time_ms, time);
	if (time_ms % 1000 == 0)
		memcpy(strchr(time, '.'), "Z", 2);
	text_append_string(text, time);
}

void fields_append(const struct transition *transition, enum fields_style style, struct text *text)
{
	const struct alarm *alarm = &transition->alarm;
	bool ended = alarm->color == COLOR_GREEN;
	bool amber = (ended ? transition->before : alarm->color) == COLOR_ORANGE;

	text_append_string(text, words[transition->word]);
	append_key(text, style, "ip");
	text_append_string(text, alarm->ip);
	append_key(text, style, "process");
	append_name(text, style, alarm->process);
	if (alarm->resource != RESOURCE_COUNT) {
		append_key(text, style, "resource");
		text_append_string(text, wire_resource_name(alarm->resource));
		append_key(text, style, "value");
		text_printf(text, "%.2f", alarm->value);
		if (amber) {
			append_key(text, style, "forecast");
			text_printf(text, "%.2f", alarm->forecast);
			append_key(text, style, "probability");
			text_printf(text, "%.2f", alarm->probability);
		}
		append_key(text, style, "threshold");
		json_append_number(text, alarm->threshold);
		if (amber && !ended && alarm->expected_ms) {
			append_key(text, style, "expected_at");
			append_time(text, alarm->expected_ms);
		}
	}
	append_key(text, style, "since");
	append_time(text, alarm->since_ms);
}
