/* Reads what an item of save-forecasts says of why its forecast is what it is. */
#include "fcgi/body_internal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"

enum { PARTS_MAX = 16, WORDS_MAX = 200 }; /* that one forecast has, and bytes of their words */

/* Appends a member with what is a number, below 0 too. False: it is none. */
static bool append_number(struct text *text, const char *name, const cJSON *value)
{
	if (!cJSON_IsNumber(value) || !(fabs(value->valuedouble) <= WIRE_VALUE_MAX))
		return false;
	text_printf(text, ", \"%s\": ", name);
	json_append_number(text, value->valuedouble);
	return true;
}

/* Appends a string. False: it is none, or longer than words are. */
static bool append_words(struct text *text, const cJSON *value)
{
	if (!cJSON_IsString(value) || strlen(value->valuestring) > WORDS_MAX)
		return false;
	json_append_string(text, value->valuestring);
	return true;
}

static const cJSON *member(const cJSON *object, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(object, name);
}

static bool append_part(struct text *text, const cJSON *part)
{
	text_append_string(text, "{\"name\": ");
	if (!append_words(text, member(part, "name")) || !append_number(text, "log_odds", member(part, "log_odds")) ||
	    !append_number(text, "value", member(part, "value")))
		return false;
	text_append_string(text, ", \"meaning\": ");
	if (!append_words(text, member(part, "meaning")))
		return false;
	text_append_char(text, '}');
	return true;
}

/* Writes `why` as it is told again: what is known of it, and nothing else. False: it is not right. */
static bool append_why(struct text *text, const cJSON *why)
{
	const cJSON *climb = member(why, "climb"), *parts = member(why, "parts");
	double probability;
	if (!cJSON_IsObject(why) || !cJSON_IsArray(parts) || cJSON_GetArraySize(parts) > PARTS_MAX)
		return false;
	text_append_string(text, "{\"climb\": ");
	if (!climb || cJSON_IsNull(climb))
		text_append_string(text, "null");
	else if (body_read_number(climb, &probability) && probability <= 1)
		json_append_number(text, probability);
	else
		return false;
	text_append_string(text, ", \"parts\": [");
	for (const cJSON *part = parts->child; part; part = part->next) {
		if (!append_part(text, part))
			return false;
		text_append_string(text, part->next ? ", " : "");
	}
	text_append_string(text, "]}");
	text_append_char(text, '\0');
	return true;
}

/* Makes room for one more. 0 or -ENOMEM. */
static int reserve(struct body *body)
{
	if (body->reason_count < body->reason_capacity)
		return 0;
	size_t capacity = body->reason_capacity ? 2 * body->reason_capacity : 64;
	struct body_reason *reasons = realloc(body->reasons, capacity * sizeof(*reasons));
	if (!reasons)
		return -ENOMEM;
	body->reasons = reasons;
	body->reason_capacity = capacity;
	return 0;
}

int body_parse_reason(struct body *body, size_t sample, const struct body_reason_items *items, const char **ret_wrong)
{
	const cJSON *const numbers[] = { items->limit, items->horizon_s };
	static const char *const names[] = { "limit", "horizon_s" };
	double values[2] = { 0 };
	bool has_why = items->why && !cJSON_IsNull(items->why), some = has_why;
	for (int i = 0; i < 2; i++) {
		if (!numbers[i] || cJSON_IsNull(numbers[i]))
			continue;
		some = true;
		if (!body_read_number(numbers[i], &values[i])) {
			*ret_wrong = names[i];
			return -EINVAL;
		}
	}
	if (!some)
		return 0;
	/* A word in front: no `why` begins at 0. */
	if (!body->words.length)
		text_append_char(&body->words, '\0');
	size_t start = body->words.length;
	if (has_why && !append_why(&body->words, items->why)) {
		*ret_wrong = "why";
		return -EINVAL;
	}
	if (text_failed(&body->words) || reserve(body))
		return -ENOMEM;
	body->reasons[body->reason_count++] = (struct body_reason){
		.sample = sample, .limit = values[0], .horizon_s = values[1], .why = has_why ? start : 0,
	};
	return 0;
}
