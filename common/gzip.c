#define ZLIB_CONST
#include "common/gzip.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <zlib.h>

enum { PIECE = 16384, WINDOW_BITS = 15, AS_GZIP = 16, MEMORY_LEVEL = 8 };

int gzip_append(struct text *text, const char *bytes, size_t length)
{
	z_stream stream = { .next_in = (const unsigned char *)bytes };
	/* JSON of samples becomes a tenth at the lowest level and not much less at the highest. */
	if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, WINDOW_BITS + AS_GZIP, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	int status = Z_OK;
	while (status == Z_OK || status == Z_BUF_ERROR) {
		char piece[PIECE];
		if (stream.avail_in == 0) {
			stream.avail_in = length < UINT_MAX ? (unsigned)length : UINT_MAX;
			length -= stream.avail_in;
		}
		stream.next_out = (unsigned char *)piece;
		stream.avail_out = PIECE;
		status = deflate(&stream, length ? Z_NO_FLUSH : Z_FINISH);
		text_append(text, piece, PIECE - stream.avail_out);
	}
	deflateEnd(&stream);
	assert(status == Z_STREAM_END);
	return text_failed(text) ? -ENOMEM : 0;
}
