#include "fcgi/csv.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"

enum { DAY_MS = 86400000, SECOND_MS = 1000, DATE_LENGTH = 11 /* "2026-11-22T" */ };

void csv_begin(struct csv *csv, struct text *text, const char *columns)
{
	*csv = (struct csv){ .text = text, .day_ms = INT64_MIN };
	text_append_string(text, columns);
	text_append_string(text, "\r\n");
}

/* Whether a spreadsheet takes what begins so for a formula; those of East Asia take the wide forms of the four, too, and some
 * take blanks away before they look. */
static bool looks_like_formula(const char *name)
{
	static const char *const starts[] = {
		"=", "+", "-", "@", "'", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20",
	};
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		if (strncmp(name, starts[i], strlen(starts[i])) == 0)
			return true;
	}
	return false;
}

void csv_append_name(struct csv *csv, const char *name)
{
	struct text *text = csv->text;
	if (name && name[strcspn(name, "\",;\t\r\n")] == '\0') {
		if (looks_like_formula(name))
			text_append_char(text, '\'');
		text_append_string(text, name);
	} else if (name) {
		text_append_string(text, looks_like_formula(name) ? "\"'" : "\"");
		for (size_t plain = strcspn(name, "\""); name[plain]; plain = strcspn(name, "\"")) {
			text_append(text, name, plain);
			text_append_string(text, "\"\"");
			name += plain + 1;
		}
		text_append_string(text, name);
		text_append_char(text, '"');
	}
	text_append_char(text, ',');
}

void csv_append_words(struct csv *csv, const char *words)
{
	text_append_string(csv->text, words);
	text_append_char(csv->text, ',');
}

void csv_append_number(struct csv *csv, bool known, double number)
{
	if (known)
		json_append_number(csv->text, number);
	text_append_char(csv->text, ',');
}

/* Writes `count` digits of a number. */
static char *put_digits(char *at, int64_t number, int count)
{
	for (int i = count - 1; i >= 0; i--, number /= 10)
		at[i] = (char)('0' + number % 10);
	return at + count;
}

void csv_append_time(struct csv *csv, bool known, int64_t time_ms)
{
	if (known && (double)time_ms <= CLOCK_RFC3339_MAX_S * 1000) {
		int64_t past_ms = time_ms % DAY_MS;
		past_ms += past_ms < 0 ? DAY_MS : 0;
		if (time_ms - past_ms != csv->day_ms) {
			csv->day_ms = time_ms - past_ms;
			clock_format_rfc3339(csv->day_ms, csv->date);
		}
		/* Millions of them: strftime(3) would take ten times as long. */
		char time[sizeof("00:00:00.000Z")], *at = time;
		at = put_digits(at, past_ms / 3600000, 2);
		*at++ = ':';
		at = put_digits(at, past_ms / 60000 % 60, 2);
		*at++ = ':';
		at = put_digits(at, past_ms / SECOND_MS % 60, 2);
		*at++ = '.';
		at = put_digits(at, past_ms % SECOND_MS, 3);
		*at++ = 'Z';
		text_append(csv->text, csv->date, DATE_LENGTH);
		text_append(csv->text, time, (size_t)(at - time));
	}
	text_append_char(csv->text, ',');
}

void csv_end_row(struct csv *csv)
{
	struct text *text = csv->text;
	if (text_failed(text))
		return;
	assert(text->length > 0 && text->data[text->length - 1] == ',');
	text->length--;
	text_append(text, "\r\n", 2);
}
