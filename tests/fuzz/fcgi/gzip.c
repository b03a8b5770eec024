/* Bodies that are gzip, all at once and in pieces; and what is compressed here becomes itself again. */
#include "tests/fuzz/fuzz.h"

#include <errno.h>

#include "common/gzip.h"
#include "fcgi/inflate.h"

enum { LIMIT = 200000 }; /* bytes */

/* Whether the bytes are whole gzip; then `text` is what they hold. */
static bool inflate_all(const void *bytes, size_t size, size_t piece, struct text *text)
{
	struct inflation *inflation = inflation_open();
	assert(inflation);
	int result = 0;
	for (size_t at = 0; at < size && result == 0; at += piece) {
		size_t length = size - at < piece ? size - at : piece;
		char *part = fuzz_string((const char *)bytes + at, length);
		result = inflation_add(inflation, part, length, LIMIT, text);
		free(part);
	}
	assert(result == 0 || result == -EBADMSG || result == -EFBIG);
	assert(text->length <= LIMIT);
	bool whole = result == 0 && inflation_ended(inflation);
	inflation_close(inflation);
	return whole;
}

static void check_pieces(const uint8_t *bytes, size_t size, size_t piece)
{
	struct text once = TEXT_EMPTY, cut = TEXT_EMPTY;
	bool whole = inflate_all(bytes, size, size + 1, &once);
	assert(inflate_all(bytes, size, piece, &cut) == whole);
	if (whole)
		fuzz_assert_same(&once, &cut);
	text_free(&once);
	text_free(&cut);
}

static void check_return(const uint8_t *bytes, size_t size, size_t piece)
{
	struct text plain = TEXT_EMPTY, packed = TEXT_EMPTY, again = TEXT_EMPTY;
	text_append(&plain, (const char *)bytes, size);
	int result = gzip_append(&packed, (const char *)bytes, size);
	assert(result == 0 && inflate_all(packed.data, packed.length, piece, &again));
	fuzz_assert_same(&plain, &again);
	text_free(&plain);
	text_free(&packed);
	text_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	size_t piece = fuzz_piece(&bytes, &size);
	check_pieces(bytes, size, piece);
	check_return(bytes, size, piece);
	return 0;
}
