#include "fcgi/exposition.h"

#include <string.h>

void exposition_append_help(struct text *text, const char *name, const char *type, const char *help)
{
	text_printf(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void exposition_append_value(struct text *text, const char *value)
{
	for (;;) {
		size_t plain = strcspn(value, "\\\"\n");
		text_append(text, value, plain);
		value += plain;
		if (!*value)
			return;
		text_append(text, (char[]){ '\\', *value == '\n' ? 'n' : *value }, 2);
		value++;
	}
}

void exposition_append_label(struct text *text, const char *name, const char *value)
{
	text_append_string(text, name);
	text_append_string(text, "=\"");
	exposition_append_value(text, value);
	text_append_char(text, '"');
}
