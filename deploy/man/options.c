/*
 * Writes the options of vigie.conf in mdoc(7), a subsection a section, from the one table
 * of them (common/config.c): the build puts it into vigie.conf.5.in, so that the manual
 * cannot differ from what the programs take.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/config.h"

enum { LINE_MAX_BYTES = 78 };

/* Prints a sentence in lines of text that mdoc takes as they are. */
static void print_sentence(const char *sentence)
{
	size_t column = 0;
	while (*sentence) {
		size_t length = strcspn(sentence, " ");
		if (column > 0 && column + 1 + length > LINE_MAX_BYTES) {
			putchar('\n');
			column = 0;
		}
		if (column > 0)
			column += (size_t)printf(" ");
		else if (*sentence == '.' || *sentence == '\'')
			column += (size_t)printf("\\&"); /* a request otherwise */
		for (size_t i = 0; i < length; i++)
			column += (size_t)printf(sentence[i] == '\\' ? "\\e" : "%c", sentence[i]);
		sentence += length + (sentence[length] == ' ');
	}
	putchar('\n');
}

/* Begins with a capital letter where a sentence may, and not where an option's own word stands
 * ("core: …"). */
static void append_capital(struct text *line, const char *help)
{
	size_t letters = 0;
	while (isalpha((unsigned char)help[letters]))
		letters++;
	text_append_char(line, help[letters] == ' ' ? (char)toupper((unsigned char)help[0]) : help[0]);
	text_append_string(line, help + 1);
}

static void print_option(const struct config_option *option, const struct text *values, struct text *line)
{
	bool has_values = values->length > 0, has_default = option->fallback && option->fallback[0];
	text_reset(line);
	append_capital(line, option->help);
	printf(".It Cm %s\n", option->key);
	text_append_char(line, '.');
	print_sentence(line->data);

	text_reset(line);
	if (has_values)
		append_capital(line, values->data);
	if (option->fallback)
		text_append_string(line, has_values ? "; the default is" : "The default is");
	if (option->fallback && !has_default)
		text_append_string(line, " empty");
	if (line->length && !has_default)
		text_append_char(line, '.');
	if (line->length)
		print_sentence(line->data);
	if (has_default)
		printf(".Ql %s .\n", option->fallback);
}

int main(void)
{
	struct text values = TEXT_EMPTY, line = TEXT_EMPTY;
	struct config_option option;
	const char *section = "";
	for (size_t i = 0; config_describe(i, &option, &values); i++) {
		if (strcmp(option.section, section) != 0) {
			printf("%s.Ss [%s]\\&\n.Bl -tag -width Ds\n", i ? ".El\n" : "", option.section);
			section = option.section;
		}
		print_option(&option, &values, &line);
		text_reset(&values);
	}
	puts(".El");
	bool failed = text_failed(&values) || text_failed(&line);
	text_free(&values);
	text_free(&line);
	return failed || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
