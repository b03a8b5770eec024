/* InfluxDB 2's annotated CSV, all at once and in pieces: the rows are the same. */
#include "tests/fuzz/fuzz.h"

#include <errno.h>

#include "fcgi/remote/flux_csv.h"

static const char *const wanted[] = { "result", "_measurement", "ip", "process", "_time", "_value", NULL };

static int take_row(void *user, const char *const values[])
{
	for (size_t i = 0; wanted[i]; i++)
		text_printf(user, "%s|", values[i]);
	text_append_char(user, '\n');
	return 0;
}

/* Appends the rows, and what became of it. */
static void read_all(const uint8_t *bytes, size_t size, size_t piece, struct text *rows)
{
	struct flux_csv csv;
	int result = 0;
	flux_csv_open(&csv, wanted, take_row, rows);
	for (size_t at = 0; at < size && result == 0; at += piece) {
		size_t length = size - at < piece ? size - at : piece;
		char *part = fuzz_string(bytes + at, length);
		result = flux_csv_feed(&csv, part, length);
		free(part);
	}
	if (result == 0)
		result = flux_csv_end(&csv);
	assert(result == 0 || result == -EBADMSG || (result == -EREMOTEIO && csv.error[0]));
	text_printf(rows, "%d %s", result, csv.error);
	flux_csv_close(&csv);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct text whole = TEXT_EMPTY, cut = TEXT_EMPTY;
	size_t piece = fuzz_piece(&bytes, &size);
	read_all(bytes, size, size + 1, &whole);
	read_all(bytes, size, piece, &cut);
	fuzz_assert_same(&whole, &cut);
	text_free(&whole);
	text_free(&cut);
	return 0;
}
