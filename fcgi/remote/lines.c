#include "fcgi/remote/lines.h"

#include <errno.h>
#include <string.h>

#include "fcgi/remote/line_protocol.h"

enum {
	PIECE_SAMPLES = 512,   /* half a mebibyte of the longest names */
	WHOLE_BYTES = 1 << 20, /* so much of a request is kept from when its length was counted */
};

void lines_open(struct lines *lines, const struct batch *const batches[], size_t count)
{
	*lines = (struct lines){ .batches = batches, .count = count };
}

void lines_close(struct lines *lines)
{
	text_free(&lines->made);
}

static bool is_at(const struct lines *lines, const struct lines_place *place)
{
	return lines->at.batch == place->batch && lines->at.sample == place->sample;
}

/* Appends the next piece; nothing behind the last one. 0 or -ENOMEM. */
static int append_piece(struct lines *lines)
{
	struct lines_place *at = &lines->at;
	while (at->batch < lines->count && at->sample == lines->batches[at->batch]->count)
		*at = (struct lines_place){ at->batch + 1, 0 };
	if (at->batch == lines->count)
		return 0;
	const struct batch *batch = lines->batches[at->batch];
	size_t left = batch->count - at->sample, count = left < PIECE_SAMPLES ? left : PIECE_SAMPLES;
	line_protocol_append(&lines->made, &(struct batch){ .samples = batch->samples + at->sample, .count = count });
	at->sample += count;
	return text_failed(&lines->made) ? -ENOMEM : 0;
}

int lines_next(struct lines *lines, size_t *ret_length, const char **ret_whole)
{
	size_t length = 0;
	bool whole = true;
	lines->start = lines->end;
	lines_rewind(lines);
	for (;;) {
		size_t before = lines->made.length;
		int result = append_piece(lines);
		size_t more = lines->made.length - before;
		if (result)
			return result;
		if (!more || (length && length + more > LINES_BYTES_MAX))
			break;
		length += more;
		lines->end = lines->at;
		whole = whole && length <= WHOLE_BYTES;
		if (!whole)
			text_reset(&lines->made);
	}
	if (whole)
		lines->at = lines->end;
	else
		lines_rewind(lines);
	*ret_whole = whole ? lines->made.data : NULL;
	*ret_length = length;
	return 0;
}

long lines_read(void *user, char *buffer, size_t size)
{
	struct lines *lines = user;
	size_t given = 0;
	while (given < size) {
		if (lines->taken == lines->made.length) {
			if (is_at(lines, &lines->end))
				break;
			lines->taken = 0;
			text_reset(&lines->made);
			int result = append_piece(lines);
			if (result)
				return result;
		}
		size_t left = lines->made.length - lines->taken, now = left < size - given ? left : size - given;
		memcpy(buffer + given, lines->made.data + lines->taken, now);
		lines->taken += now;
		given += now;
	}
	return (long)given;
}

void lines_rewind(void *user)
{
	struct lines *lines = user;
	lines->at = lines->start;
	text_reset(&lines->made);
	lines->taken = 0;
}
