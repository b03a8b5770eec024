#include "fcgi/remote/flux_csv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { NOWHERE = FLUX_CSV_COLUMNS };

void flux_csv_open(struct flux_csv *csv, const char *const wanted[], flux_csv_row *take_row, void *user)
{
	*csv = (struct flux_csv){ .wanted = wanted, .take_row = take_row, .user = user, .header_next = true };
}

void flux_csv_close(struct flux_csv *csv)
{
	text_free(&csv->record);
	text_free(&csv->defaults);
}

static const char *field(const struct flux_csv *csv, size_t place)
{
	const char *value = place < csv->fields ? csv->record.data + csv->starts[place] : "";
	if (!value[0] && csv->annotated && place < csv->default_fields)
		value = csv->defaults.data + csv->default_starts[place];
	return value;
}

static size_t find_column(const struct flux_csv *csv, const char *name)
{
	for (size_t i = 0; i < csv->fields; i++) {
		if (strcmp(csv->record.data + csv->starts[i], name) == 0)
			return i;
	}
	return NOWHERE;
}

static void take_header(struct flux_csv *csv)
{
	for (size_t i = 0; i < FLUX_CSV_WANTED && csv->wanted[i]; i++)
		csv->places[i] = find_column(csv, csv->wanted[i]);
	csv->error_place = find_column(csv, "error");
}

static void take_defaults(struct flux_csv *csv)
{
	text_reset(&csv->defaults);
	text_append(&csv->defaults, csv->record.data, csv->record.length);
	memcpy(csv->default_starts, csv->starts, sizeof(csv->starts));
	csv->default_fields = csv->fields;
	csv->default_starts[0] = csv->record.length - 1; /* "#default" itself is none */
}

static int take_record(struct flux_csv *csv)
{
	if (text_failed(&csv->record))
		return -ENOMEM;
	const char *first = csv->record.data + csv->starts[0];
	if (csv->fields == 1 && !first[0]) {
		csv->header_next = true; /* an empty line: what comes is another table */
		csv->annotated = false;
		return 0;
	}
	if (first[0] == '#') {
		csv->header_next = true;
		if (strcmp(first, "#default") == 0) {
			take_defaults(csv);
			csv->annotated = true;
		}
		return text_failed(&csv->defaults) ? -ENOMEM : 0;
	}
	if (csv->header_next) {
		csv->header_next = false;
		take_header(csv);
		/* The first column is that of the annotations, but in errors of older engines. */
		return first[0] && csv->error_place != 0 ? -EBADMSG : 0;
	}
	if (csv->error_place != NOWHERE && field(csv, csv->error_place)[0]) {
		snprintf(csv->error, sizeof(csv->error), "%s", field(csv, csv->error_place));
		return -EREMOTEIO;
	}
	const char *values[FLUX_CSV_WANTED];
	for (size_t i = 0; i < FLUX_CSV_WANTED && csv->wanted[i]; i++)
		values[i] = field(csv, csv->places[i]);
	return csv->take_row(csv->user, values);
}

static int begin_field(struct flux_csv *csv)
{
	if (csv->fields == FLUX_CSV_COLUMNS)
		return -EBADMSG;
	csv->starts[csv->fields++] = csv->record.length;
	return 0;
}

/* The field's end, and the record's where `byte` is a line feed. */
static int end_field(struct flux_csv *csv, char byte)
{
	text_append_char(&csv->record, '\0');
	if (byte == ',')
		return begin_field(csv);
	int result = take_record(csv);
	text_reset(&csv->record);
	csv->fields = 0;
	csv->any = false;
	return result;
}

static int take_byte(struct flux_csv *csv, char byte)
{
	if (!csv->any) {
		csv->any = true;
		int result = begin_field(csv);
		if (result)
			return result;
	}
	if (csv->in_quotes && !csv->quote_seen) {
		if (byte == '"')
			csv->quote_seen = true; /* the end, or the first of two */
		else
			text_append_char(&csv->record, byte);
		return 0;
	}
	if (csv->quote_seen) {
		csv->quote_seen = false;
		if (byte == '"') {
			text_append_char(&csv->record, '"');
			return 0;
		}
		csv->in_quotes = false;
	}
	if (byte == '"' && csv->record.length == csv->starts[csv->fields - 1]) {
		csv->in_quotes = true;
		return 0;
	}
	if (byte == ',' || byte == '\n')
		return end_field(csv, byte);
	if (byte != '\r')
		text_append_char(&csv->record, byte);
	return 0;
}

int flux_csv_feed(void *user, const char *bytes, size_t length)
{
	struct flux_csv *csv = user;
	for (size_t i = 0; i < length; i++) {
		/* A plain run at once: nearly all bytes are in one. */
		if (csv->any && !csv->in_quotes) {
			size_t start = i;
			while (i < length && bytes[i] != ',' && bytes[i] != '\n' && bytes[i] != '"' && bytes[i] != '\r')
				i++;
			text_append(&csv->record, bytes + start, i - start);
			if (i == length)
				return 0;
		}
		int result = take_byte(csv, bytes[i]);
		if (result)
			return result;
	}
	return 0;
}

int flux_csv_end(const void *user)
{
	const struct flux_csv *csv = user;
	return csv->any ? -EBADMSG : 0;
}
