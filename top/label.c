#include "top/label.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <wchar.h>

/* Characters that are shown as nothing, some of them wide (Default_Ignorable_Code_Point of Unicode 15): joiners, fillers,
 * marks that direct text, the byte order mark, tags; and those that end a line or annotate one. */
static bool is_invisible(wchar_t character)
{
	static const struct {
		wchar_t first, last;
	} ranges[] = {
		{ 0xad, 0xad }, { 0x34f, 0x34f }, { 0x61c, 0x61c }, { 0x115f, 0x1160 }, { 0x17b4, 0x17b5 }, { 0x180b, 0x180f },
		{ 0x200b, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f }, { 0x3164, 0x3164 }, { 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff },
		{ 0xffa0, 0xffa0 }, { 0xfff0, 0xfffb }, { 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a }, { 0xe0000, 0xe0fff },
	};
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		if (character >= ranges[i].first && character <= ranges[i].last)
			return true;
	}
	return false;
}

/* The next character of a label: its bytes and columns; a '?' in the place of one that is not to be shown. */
static const char *next_character(const char *at, bool first, char ret_bytes[static 8], int *ret_columns)
{
	mbstate_t state = { 0 };
	wchar_t character;
	size_t length = mbrtowc(&character, at, strlen(at), &state);
	bool broken = length == (size_t)-1 || length == (size_t)-2 || length == 0 || length >= 8;
	int columns = broken ? -1 : wcwidth(character);
	if (broken)
		length = 1;
	if (columns < 0 || (columns == 0 && first) || is_invisible(character)) {
		strcpy(ret_bytes, "?");
		*ret_columns = 1;
		return at + length;
	}
	memcpy(ret_bytes, at, length);
	ret_bytes[length] = '\0';
	*ret_columns = columns;
	return at + length;
}

size_t label_width(const char *label)
{
	size_t width = 0;
	char bytes[8];
	int columns;
	for (const char *at = label; *at; width += (size_t)columns)
		at = next_character(at, at == label, bytes, &columns);
	return width;
}

size_t label_append(const char *label, size_t columns, struct text *text)
{
	bool cut = label_width(label) > columns;
	size_t used = 0;
	for (const char *at = label; *at && columns;) {
		char bytes[8];
		int width;
		at = next_character(at, at == label, bytes, &width);
		if (used + (size_t)width > columns - cut)
			break;
		text_append_string(text, bytes);
		used += (size_t)width;
	}
	if (cut && columns) {
		text_append_char(text, '~');
		used++;
	}
	return used;
}
