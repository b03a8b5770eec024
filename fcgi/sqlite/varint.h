/*
 * Numbers of a length of their own: LEB128, seven bits a byte, the lowest first. Inline, because a read goes over
 * millions of them. Pure.
 */
#ifndef VIGIE_FCGI_SQLITE_VARINT_H
#define VIGIE_FCGI_SQLITE_VARINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/text.h"

/* Bytes that are read from their front on. */
struct varint_bytes {
	const unsigned char *at, *end;
};

static inline void varint_append(struct text *text, uint64_t number)
{
	char bytes[10];
	size_t length = 0;
	for (; number >= 0x80; number >>= 7)
		bytes[length++] = (char)((number & 0x7f) | 0x80);
	bytes[length++] = (char)number;
	text_append(text, bytes, length);
}

/* As varint_take(), of any length. */
static inline bool varint_take_any(struct varint_bytes *bytes, uint64_t *ret_number)
{
	uint64_t number = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		if (bytes->at == bytes->end)
			return false;
		unsigned char byte = *bytes->at++;
		number |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret_number = number;
			return true;
		}
	}
	return false;
}

/* False when there is none, or one that is longer than 64 bits can be. */
static inline bool varint_take(struct varint_bytes *bytes, uint64_t *ret_number)
{
	/* As most are. */
	if (bytes->at != bytes->end && *bytes->at < 0x80) {
		*ret_number = *bytes->at++;
		return true;
	}
	return varint_take_any(bytes, ret_number);
}

#endif
