#include "fcgi/remote/line_protocol.h"

#include <string.h>

#include "common/json.h"

void line_protocol_encode(const char *name, char ret_stored[static LINE_PROTOCOL_NAME_SIZE])
{
	char *to = ret_stored;
	for (const char *at = name; *at; at++) {
		if (*at == '%' || *at == '\\') {
			memcpy(to, *at == '%' ? "%25" : "%5C", 3);
			to += 3;
		} else {
			*to++ = *at;
		}
	}
	*to = '\0';
}

void line_protocol_append_decoded(struct text *text, const char *stored)
{
	const char *at = stored;
	for (const char *percent = strchr(at, '%'); percent; percent = strchr(percent + 1, '%')) {
		bool is_percent = strncmp(percent, "%25", 3) == 0;
		if (!is_percent && strncmp(percent, "%5C", 3) != 0)
			continue;
		text_append(text, at, (size_t)(percent - at));
		text_append_char(text, is_percent ? '%' : '\\');
		at = percent + 3;
		percent += 2;
	}
	text_append_string(text, at);
}

static void append_tag(struct text *text, const char *value)
{
	char stored[LINE_PROTOCOL_NAME_SIZE];
	if (strpbrk(value, "%\\")) {
		line_protocol_encode(value, stored);
		value = stored;
	}
	for (size_t plain = strcspn(value, ",= "); ; plain = strcspn(value, ",= ")) {
		text_append(text, value, plain);
		if (!value[plain])
			return;
		text_append(text, (char[]){ '\\', value[plain] }, 2);
		value += plain + 1;
	}
}

/* Digits straight into the text: a line is written for every sample that comes in. */
static void append_integer(struct text *text, int64_t number)
{
	char digits[24];
	char *end = digits + sizeof(digits), *at = end;
	uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
	do {
		*--at = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest);
	if (number < 0)
		*--at = '-';
	text_append(text, at, (size_t)(end - at));
}

void line_protocol_append(struct text *text, const struct batch *batch)
{
	for (size_t i = 0; i < batch->count; i++) {
		const struct sample *sample = &batch->samples[i];
		text_append_string(text, sample_measurement(sample->metric, sample->half));
		text_append_string(text, ",ip=");
		text_append_string(text, sample->ip);
		text_append_string(text, ",process=");
		append_tag(text, sample->process);
		text_append_string(text, " value=");
		json_append_number(text, sample->value);
		text_append_char(text, ' ');
		append_integer(text, sample->time_ms);
		text_append_char(text, '\n');
	}
}
