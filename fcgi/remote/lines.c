#include "fcgi/remote/lines.h"

#include <errno.h>
#include <string.h>

#include "fcgi/remote/line_protocol.h"

enum { PIECE_SAMPLES = 512 }; /* half a mebibyte of the longest names */

void lines_open(struct lines *lines, const struct batch *const batches[], size_t count)
{
	*lines = (struct lines){ .batches = batches, .count = count };
}

void lines_close(struct lines *lines)
{
	text_free(&lines->piece);
}

static bool is_at(const struct lines *lines, const struct lines_place *place)
{
	return lines->at.batch == place->batch && lines->at.sample == place->sample;
}

/* Makes the next piece; it is empty behind the last one. 0 or -ENOMEM. */
static int make_piece(struct lines *lines)
{
	struct lines_place *at = &lines->at;
	text_reset(&lines->piece);
	lines->taken = 0;
	while (at->batch < lines->count && at->sample == lines->batches[at->batch]->count)
		*at = (struct lines_place){ at->batch + 1, 0 };
	if (at->batch == lines->count)
		return 0;
	const struct batch *batch = lines->batches[at->batch];
	size_t left = batch->count - at->sample, count = left < PIECE_SAMPLES ? left : PIECE_SAMPLES;
	line_protocol_append(&lines->piece, &(struct batch){ .samples = batch->samples + at->sample, .count = count });
	at->sample += count;
	return text_failed(&lines->piece) ? -ENOMEM : 0;
}

int lines_next(struct lines *lines, size_t *ret_length, const char **ret_whole)
{
	size_t length = 0, pieces = 0;
	lines->at = lines->start = lines->end;
	for (;; pieces++) {
		int result = make_piece(lines);
		if (result)
			return result;
		if (!lines->piece.length || (pieces && length + lines->piece.length > LINES_BYTES_MAX))
			break;
		length += lines->piece.length;
		lines->end = lines->at;
	}
	lines_rewind(lines);
	int result = pieces == 1 ? make_piece(lines) : 0;
	if (result)
		return result;
	*ret_whole = pieces == 1 ? lines->piece.data : NULL;
	*ret_length = length;
	return 0;
}

long lines_read(void *user, char *buffer, size_t size)
{
	struct lines *lines = user;
	size_t given = 0;
	while (given < size) {
		if (lines->taken == lines->piece.length) {
			if (is_at(lines, &lines->end))
				break;
			int result = make_piece(lines);
			if (result)
				return result;
		}
		size_t left = lines->piece.length - lines->taken, now = left < size - given ? left : size - given;
		memcpy(buffer + given, lines->piece.data + lines->taken, now);
		lines->taken += now;
		given += now;
	}
	return (long)given;
}

void lines_rewind(void *user)
{
	struct lines *lines = user;
	lines->at = lines->start;
	text_reset(&lines->piece);
	lines->taken = 0;
}
