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
	enum {
		WITHIN, /* a member */
		BEHIND, /* one, and another may begin */
		PADDED, /* behind the last, in the zeros that may follow it */
	} place;
	struct budget_share *share; /* of the text; NULL: it is not counted */
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

void inflation_count(struct inflation *inflation, struct budget_share *share)
{
	inflation->share = share;
}

/* Goes to the next member where one has ended. 1: the stream is within one; 0: nothing is
 * left to be read; or -EBADMSG. */
static int enter_member(struct inflation *inflation)
{
	z_stream *stream = &inflation->stream;
	if (inflation->place == WITHIN)
		return 1;
	if (stream->avail_in && *stream->next_in == 0)
		inflation->place = PADDED;
	for (; inflation->place == PADDED && stream->avail_in && *stream->next_in == 0; stream->avail_in--)
		stream->next_in++;
	if (stream->avail_in == 0)
		return 0;
	if (inflation->place == PADDED || inflateReset(stream) != Z_OK)
		return -EBADMSG;
	inflation->place = WITHIN;
	return 1;
}

/* Appends what the stream has given. */
static int take(const struct inflation *inflation, const unsigned char *piece, size_t length, size_t limit, struct text *text)
{
	if (length > limit - text->length)
		return -EFBIG;
	int result = inflation->share ? budget_grow(inflation->share, text->length + length) : 0;
	if (result)
		return result;
	text_append(text, (const char *)piece, length);
	return text_failed(text) ? -ENOMEM : 0;
}

int inflation_add(struct inflation *inflation, const char *bytes, size_t length, size_t limit, struct text *text)
{
	unsigned char piece[PIECE];
	z_stream *stream = &inflation->stream;
	assert(length <= UINT_MAX);
	stream->next_in = (const unsigned char *)bytes;
	stream->avail_in = (unsigned)length;
	do {
		int result = enter_member(inflation);
		if (result != 1)
			return result;
		stream->next_out = piece;
		stream->avail_out = PIECE;
		int code = inflate(stream, Z_NO_FLUSH);
		if (code == Z_MEM_ERROR)
			return -ENOMEM;
		/* Z_BUF_ERROR: it needs more than there is. */
		if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
			return -EBADMSG;
		if (code == Z_STREAM_END)
			inflation->place = BEHIND;
		result = take(inflation, piece, PIECE - stream->avail_out, limit, text);
		if (result)
			return result;
	} while (stream->avail_in || stream->avail_out == 0);
	return 0;
}

bool inflation_ended(const struct inflation *inflation)
{
	return inflation->place != WITHIN;
}
