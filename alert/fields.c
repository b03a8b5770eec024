#include "alert/fields.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/config.h"
#include "common/json.h"

#define REASON_OOM "oom"

static const char *const words[] = {
	[TRANSITION_RED] = "RED",
	[TRANSITION_AMBER] = "AMBER",
	[TRANSITION_CLEAR] = "CLEAR",
	[TRANSITION_GONE] = "GONE",
	[TRANSITION_UNKNOWN] = "UNKNOWN",
	[TRANSITION_REMINDER] = "REMINDER",
	[TRANSITION_OOM] = "OOM",
	[TRANSITION_KILLED] = "GONE",
	[TRANSITION_MISSING] = "MISSING",
};

static void append_key(struct text *text, enum fields_style style, const char *key)
{
	if (style == FIELDS_JSON) {
		text_printf(text, ", \"%s\": ", key);
		return;
	}
	text_append_char(text, style == FIELDS_LINE ? ' ' : '\0');
	text_append_string(text, key);
	text_append_char(text, '=');
}

/* On both sides of what is no number and needs no escapes. */
static void append_quote(struct text *text, enum fields_style style)
{
	if (style == FIELDS_JSON)
		text_append_char(text, '"');
}

static void append_word(struct text *text, enum fields_style style, const char *word)
{
	append_quote(text, style);
	text_append_string(text, word);
	append_quote(text, style);
}

static void append_name(struct text *text, enum fields_style style, const char *name)
{
	char clean[WIRE_NAME_SIZE];
	wire_clean_name(name, strlen(name), clean);
	if (style == FIELDS_ARGUMENTS)
		text_append_string(text, clean);
	else
		json_append_string(text, clean); /* a line's escapes are those that JSON has for what is no control character */
}

static void append_time(struct text *text, enum fields_style style, int64_t time_ms)
{
	char time[CLOCK_RFC3339_SIZE];
	clock_format_rfc3339(time_ms, time);
	if (time_ms % 1000 == 0)
		memcpy(strchr(time, '.'), "Z", 2);
	append_word(text, style, time);
}

/* Whether the forecast, as it is written, is one that the time of a crossing may stand beside. */
static bool expects_crossing(const struct alarm *alarm)
{
	return alarm->horizon_ms || round(alarm->forecast * 100) / 100 >= alarm->threshold;
}

void fields_append(const struct transition *transition, enum fields_style style, struct text *text)
{
	const struct alarm *alarm = &transition->alarm;
	bool ended = alarm->color == COLOR_GREEN;
	bool amber = (ended ? transition->before : alarm->color) == COLOR_ORANGE;

	text_append_string(text, style == FIELDS_JSON ? "\"word\": " : "");
	append_word(text, style, words[transition->word]);
	append_key(text, style, "ip");
	append_word(text, style, alarm->ip);
	append_key(text, style, "process");
	append_name(text, style, alarm->process);
	if (transition->word == TRANSITION_OOM) {
		append_key(text, style, "kills");
		json_append_number(text, alarm->value);
	}
	if (alarm->resource != RESOURCE_COUNT) {
		append_key(text, style, "resource");
		append_word(text, style, wire_resource_name(alarm->resource));
		append_key(text, style, "value");
		text_printf(text, "%.2f", alarm->value);
		if (amber && !alarm->horizon_ms) {
			append_key(text, style, "forecast");
			text_printf(text, "%.2f", alarm->forecast);
			append_key(text, style, "probability");
			text_printf(text, "%.2f", alarm->probability);
		}
		append_key(text, style, "threshold");
		json_append_number(text, alarm->threshold);
		if (amber && alarm->horizon_ms) {
			append_key(text, style, "horizon");
			append_quote(text, style);
			config_print_duration(text, alarm->horizon_ms);
			append_quote(text, style);
		}
		if (amber && !ended && alarm->expected_ms && expects_crossing(alarm)) {
			append_key(text, style, "expected_at");
			append_time(text, style, alarm->expected_ms);
		}
	}
	if (transition->word == TRANSITION_KILLED) {
		append_key(text, style, "reason");
		append_word(text, style, REASON_OOM);
	}
	append_key(text, style, "since");
	append_time(text, style, alarm->since_ms);
	if (alarm->silenced_ms) {
		append_key(text, style, "silenced");
		append_time(text, style, alarm->silenced_ms);
	}
}

bool fields_parse_time(const char *text, size_t length, int64_t *ret_time_ms)
{
	char copy[32];
	struct tm utc = { 0 };
	if (length >= sizeof(copy))
		return false;
	memcpy(copy, text, length);
	copy[length] = '\0';
	const char *rest = strptime(copy, "%Y-%m-%dT%H:%M:%S", &utc);
	int64_t milliseconds = 0;
	if (rest && *rest == '.') {
		char *end;
		milliseconds = strtol(rest + 1, &end, 10);
		if (end != rest + 4 || milliseconds < 0)
			return false;
		rest = end;
	}
	if (!rest || strcmp(rest, "Z") != 0)
		return false;
	*ret_time_ms = (int64_t)timegm(&utc) * 1000 + milliseconds;
	return true;
}

/* One field as it stands: the value without its quotes. */
struct field {
	char key[16];
	char value[WIRE_NAME_SIZE];
};

/* Takes the field, or the word, that begins at *at. False: there is none that is right. */
static bool take_field(const char **at, const char *end, struct field *ret_field)
{
	size_t length = 0;
	const char *equals = memchr(*at, '=', (size_t)(end - *at));
	if (!equals || equals == *at || (size_t)(equals - *at) >= sizeof(ret_field->key))
		return false;
	memcpy(ret_field->key, *at, (size_t)(equals - *at));
	ret_field->key[equals - *at] = '\0';
	const char *from = equals + 1;
	bool quoted = from < end && *from == '"';
	for (from += quoted; from < end && *from != (quoted ? '"' : ' '); from++) {
		if (quoted && *from == '\\' && ++from == end)
			return false;
		if (length == sizeof(ret_field->value) - 1)
			return false;
		ret_field->value[length++] = *from;
	}
	ret_field->value[length] = '\0';
	if (quoted && from++ == end)
		return false;
	if (from < end && *from != ' ')
		return false;
	*at = from < end ? from + 1 : end;
	return true;
}

static bool read_number(const char *value, double *ret_number)
{
	char *end;
	double number = strtod(value, &end);
	if (end == value || *end || !isfinite(number))
		return false;
	*ret_number = number;
	return true;
}

/* What stands in a line. */
enum {
	IP = 1, PROCESS = 2, RESOURCE = 4, VALUE = 8, FORECAST = 16, PROBABILITY = 32, THRESHOLD = 64, EXPECTED = 128,
	SINCE = 256, HORIZON = 512, KILLS = 1024, REASON = 2048, SILENCED = 4096,
};

static bool read_duration(const char *value, int64_t *ret_ms)
{
	double ms;
	if (!config_parse_duration(value, &ms) || !(ms >= 1) || ms > 1e15)
		return false;
	*ret_ms = (int64_t)ms;
	return true;
}

static bool read_field(const struct field *field, struct alarm *alarm, unsigned *seen)
{
	size_t length = strlen(field->value);
	static const char *const keys[] = { "ip", "process", "resource", "value", "forecast", "probability", "threshold",
		                            "expected_at", "since", "horizon", "kills", "reason",
		                            "silenced" };
	unsigned bit = 0;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		bit |= strcmp(field->key, keys[i]) == 0 ? 1u << i : 0;
	if (!bit || (*seen & bit))
		return false;
	*seen |= bit;
	switch (bit) {
	case IP:
		return wire_ip_parse(field->value, alarm->ip);
	case PROCESS:
		memcpy(alarm->process, field->value, length + 1);
		return length > 0 && wire_utf8_check(field->value, length) == length;
	case RESOURCE:
		return wire_limited_parse(field->value, &alarm->resource);
	case VALUE:
		return read_number(field->value, &alarm->value);
	case FORECAST:
		return read_number(field->value, &alarm->forecast);
	case PROBABILITY:
		return read_number(field->value, &alarm->probability);
	case THRESHOLD:
		return read_number(field->value, &alarm->threshold);
	case KILLS:
		return read_number(field->value, &alarm->value) && alarm->value > 0;
	case REASON:
		return strcmp(field->value, REASON_OOM) == 0;
	case HORIZON:
		return read_duration(field->value, &alarm->horizon_ms);
	case SILENCED:
		return fields_parse_time(field->value, length, &alarm->silenced_ms);
	case EXPECTED:
		return fields_parse_time(field->value, length, &alarm->expected_ms);
	default:
		return fields_parse_time(field->value, length, &alarm->since_ms);
	}
}

bool fields_parse(const char *text, size_t length, struct transition *ret_transition)
{
	struct transition transition = { .alarm = { .resource = RESOURCE_COUNT } };
	struct alarm *alarm = &transition.alarm;
	const char *end = text + length, *space = memchr(text, ' ', length);
	enum { WORDS = sizeof(words) / sizeof(words[0]) };
	size_t word = 0, word_length = space ? (size_t)(space - text) : 0;
	while (word < WORDS && (strlen(words[word]) != word_length || memcmp(words[word], text, word_length) != 0))
		word++;
	if (word == WORDS)
		return false;
	unsigned seen = 0;
	for (const char *at = space + 1; at < end;) {
		struct field field;
		if (!take_field(&at, end, &field) || !read_field(&field, alarm, &seen))
			return false;
	}

	static const unsigned of_host = IP | PROCESS | SINCE, of_series = of_host | RESOURCE | VALUE | THRESHOLD,
	                      of_amber = of_series | FORECAST | PROBABILITY, of_far = of_series | HORIZON;
	transition.word = (enum transition_word)word;
	if (transition.word == TRANSITION_OOM) {
		bool right = (seen & ~(unsigned)SILENCED) == (of_host | KILLS);
		if (right)
			*ret_transition = transition;
		return right;
	}
	unsigned needed = seen & ~(unsigned)(EXPECTED | REASON | SILENCED);
	bool amber = needed == of_amber || needed == of_far;
	bool missing = needed == of_host && strcmp(alarm->process, WIRE_HOST_ITSELF) != 0;
	enum color color = amber ? COLOR_ORANGE : needed == of_host && !missing ? COLOR_UNKNOWN : COLOR_RED;
	if (needed != of_host && needed != of_series && !amber)
		return false;
	if (transition.word == TRANSITION_GONE && (seen & REASON))
		transition.word = TRANSITION_KILLED;
	bool fits = (transition.word == TRANSITION_KILLED || !(seen & REASON)) &&
	            (transition.word != TRANSITION_RED || needed == of_series) &&
	            (transition.word != TRANSITION_MISSING || missing) &&
	            (transition.word != TRANSITION_AMBER || color == COLOR_ORANGE) &&
	            (transition.word != TRANSITION_UNKNOWN || color == COLOR_UNKNOWN);
	bool ended = transition.word == TRANSITION_CLEAR || transition.word == TRANSITION_GONE ||
	             transition.word == TRANSITION_KILLED;
	alarm->color = ended ? COLOR_GREEN : color;
	transition.before = ended || transition.word == TRANSITION_REMINDER ? color : COLOR_GREEN;
	if (!fits)
		return false;
	*ret_transition = transition;
	return true;
}
