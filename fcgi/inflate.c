#include "fcgi/inflate.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#define ZLIB_CONST /* it does not change its input */
#include <zlib.h>

enum {
	GZIP = 15 + 16, /* of inflateInit2(): the largest window, a gzip header */
	PIECE = 16384,
};

struct inflation {
	z_stream stream;
	bool ended;
};

struct inflation *inflation_open(void)
{
	struct inflation *inflation = calloc(1, sizeof(*inflation));
	if (inflation && inflateInit2(&inflation->stream, GZIP) != Z_OK) {
		free(inflation);
		return NULL;
	}
	return inflation;
}

void inflation_close(struct inflation *inflation)
{
	if (!inflation)
		return;
	inflateEnd(&inflation->stream);
	free(inflation);
}

int inflation_add(struct inflation *inflation, const char *bytes, size_t length, size_t limit, struct text *text)
{
	unsigned char piece[PIECE];
	z_stream *stream = &inflation->stream;
	assert(length <= UINT_MAX);
	stream->next_in = (const unsigned char *)bytes;
	stream->avail_in = (unsigned)length;
	do {
		stream->next_out = piece;
		stream->avail_out = PIECE;
		int result = inflation->ended ? Z_STREAM_END : inflate(stream, Z_NO_FLUSH);
		if (result == Z_MEM_ERROR)
			return -ENOMEM;
		/* Z_BUF_ERROR: it needs more than there is. */
		if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
			return -EBADMSG;
		inflation->ended = result == Z_STREAM_END;
		size_t got = PIECE - stream->avail_out;
		if (got > limit - text->length)
			return -EFBIG;
		text_append(text, (const char *)piece, got);
		if (text_failed(text))
			return -ENOMEM;
	} while (!inflation->ended && stream->avail_out == 0);
	return stream->avail_in ? -EBADMSG : 0;
}

bool inflation_ended(const struct inflation *inflation)
{
	return inflation->ended;
}
