/*
 * Writes rows of CSV (RFC 4180, in UTF-8, with a line of headers): for spreadsheets and for what reads tables.
 *
 * Times are RFC 3339 in UTC, always with milliseconds, so that a column has one form. What is not known is empty, and so
 * is a time after the year 9999. A name that a spreadsheet would take for a formula, since it begins with = + - or @, or
 * with a tab or the end of a line, has an apostrophe before it, and so has one that begins with an apostrophe: without
 * the first one it is what it was. A name with a semicolon or a tab is in quotes, too: a spreadsheet that is to split at
 * commas may do so at these as well.
 *
 * The cells of a row are appended one after the other. Pure; the caller owns the struct, and the text that it writes into.
 */
#ifndef VIGIE_FCGI_CSV_H
#define VIGIE_FCGI_CSV_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/text.h"

struct csv {
	struct text *text;
	int64_t day_ms; /* the start of the day that `date` is; dates are made once a day */
	char date[CLOCK_RFC3339_SIZE];
};

/* Writes the line of headers, `columns` as they are to stand there. */
void csv_begin(struct csv *csv, struct text *text, const char *columns);

/* Cells. A name may be anything in valid UTF-8, or NULL: not known; words are our own, without quotes and commas. */
void csv_append_name(struct csv *csv, const char *name);
void csv_append_words(struct csv *csv, const char *words);
void csv_append_number(struct csv *csv, bool known, double number);
void csv_append_time(struct csv *csv, bool known, int64_t time_ms);

/* Ends a row, which has a cell at least. */
void csv_end_row(struct csv *csv);

#endif
