#include "common/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Makes room for `extra` more bytes and a NUL; false once the text has failed. */
static bool text_reserve(struct text *text, size_t extra)
{
	if (text->failed)
		return false;
	if (extra < text->capacity - text->length)
		return true;

	size_t capacity = text->capacity ? text->capacity : 256;
	while (capacity && capacity - text->length <= extra)
		capacity *= 2; /* 0 once it is more than a size can say */
	char *data = capacity ? realloc(text->data, capacity) : NULL;
	if (!data) {
		text->failed = true;
		return false;
	}
	text->data = data;
	text->capacity = capacity;
	return true;
}

void text_append(struct text *text, const char *bytes, size_t length)
{
	if (!text_reserve(text, length))
		return;
	if (length) /* `bytes` may be NULL then: the data of an empty text */
		memcpy(text->data + text->length, bytes, length);
	text->length += length;
	text->data[text->length] = '\0';
}

void text_append_string(struct text *text, const char *string)
{
	text_append(text, string, strlen(string));
}

void text_append_char(struct text *text, char byte)
{
	text_append(text, &byte, 1);
}

void text_printf(struct text *text, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	va_list again;
	va_copy(again, arguments);

	int length = vsnprintf(NULL, 0, format, arguments);
	if (length < 0) {
		text->failed = true;
	} else if (text_reserve(text, (size_t)length)) {
		vsnprintf(text->data + text->length, (size_t)length + 1, format, again);
		text->length += (size_t)length;
	}
	va_end(again);
	va_end(arguments);
}

void text_reset(struct text *text)
{
	text->length = 0;
	text->failed = false;
	if (text->data)
		text->data[0] = '\0';
}

void text_free(struct text *text)
{
	free(text->data);
	*text = TEXT_EMPTY;
}

const char *text_or(const struct text *text, const char *otherwise)
{
	return text->data ? text->data : otherwise;
}
