/*
 * Arrays of numbers as bytes: each number of an array takes the same bits, a power of two of them, so that an array
 * can be passed over by its length alone. Several to a byte where they are small, which compresses them further than a
 * byte each; from two bytes on the lowest bytes of all come first, then the next ones: high bytes are alike. Pure.
 */
#ifndef VIGIE_FCGI_SQLITE_NUMBERS_H
#define VIGIE_FCGI_SQLITE_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/text.h"
#include "fcgi/sqlite/varint.h"

/* How wide the numbers of an array are. */
enum numbers_width {
	NUMBERS_NONE, /* all are 0 */
	NUMBERS_1, NUMBERS_2, NUMBERS_4, NUMBERS_8, NUMBERS_16, NUMBERS_32, NUMBERS_64 /* bits */
};

/* A difference of either sign as a number, the smaller the nearer to 0; and back. Differences wrap as unsigned do. */
static inline uint64_t numbers_zigzag(uint64_t difference)
{
	return difference << 1 ^ -(difference >> 63);
}

static inline uint64_t numbers_unzigzag(uint64_t number)
{
	return number >> 1 ^ -(number & 1);
}

/* The bits of the highest number. */
unsigned numbers_bits(uint64_t number);

/* The least width that holds all of numbers[count]. */
enum numbers_width numbers_find_width(const uint64_t numbers[], size_t count);

void numbers_append(struct text *text, const uint64_t numbers[], size_t count, enum numbers_width width);

/* Passes over an array at the front of `bytes`. False when they are fewer. */
static inline bool numbers_pass(struct varint_bytes *bytes, size_t count, enum numbers_width width)
{
	unsigned bits = width ? 1u << (width - 1) : 0;
	size_t size = bits < 8 ? (count * bits + 7) / 8 : count * (bits / 8);
	if (size > (size_t)(bytes->end - bytes->at))
		return false;
	bytes->at += size;
	return true;
}

/* Reads the numbers [first, end) of an array that was passed over and begins at `array`, to the same places of
 * ret_numbers[end]. */
void numbers_read(const unsigned char *array, size_t count, enum numbers_width width, size_t first, size_t end,
                  uint64_t ret_numbers[]);

/*
 * Noise: numbers of which the low bits tell nothing about each other. These are written as they are, one bit behind the
 * other over all arrays; what is above them is small, alike in all arrays, and compresses.
 */
struct numbers_bits_writer {
	struct text bits;
	unsigned pending, filled; /* the next byte has so many bits yet */
};

struct numbers_bits_reader {
	struct varint_bytes bytes;
	size_t at; /* bits */
};

/* How many low bits of numbers[count] are best written as they are: below 64. */
unsigned numbers_find_shift(const uint64_t numbers[], size_t count);

void numbers_append_noise(struct numbers_bits_writer *low, struct text *high, const uint64_t numbers[], size_t count,
                          unsigned shift);

/* Writes out the last byte. */
void numbers_finish_bits(struct numbers_bits_writer *low);

/* Takes an array of that count and shift. False when there are fewer. */
bool numbers_take_noise(struct numbers_bits_reader *low, struct varint_bytes *high, size_t count, unsigned shift,
                        uint64_t ret_numbers[]);

#endif
