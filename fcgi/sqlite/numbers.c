#include "fcgi/sqlite/numbers.h"

unsigned numbers_bits(uint64_t number)
{
	return number ? 64 - (unsigned)__builtin_clzll(number) : 0;
}

enum numbers_width numbers_find_width(const uint64_t numbers[], size_t count)
{
	uint64_t all = 0;
	for (size_t i = 0; i < count; i++)
		all |= numbers[i];
	enum numbers_width width = NUMBERS_NONE;
	while (numbers_bits(all) > (width ? 1u << (width - 1) : 0))
		width++;
	return width;
}

void numbers_append(struct text *text, const uint64_t numbers[], size_t count, enum numbers_width width)
{
	if (width == NUMBERS_NONE)
		return;
	unsigned bits = 1u << (width - 1), in_byte = bits < 8 ? 8 / bits : 1;
	for (unsigned shift = 0; shift < bits; shift += 8) {
		for (size_t i = 0; i < count; i += in_byte) {
			unsigned byte = 0;
			for (unsigned j = 0; j < in_byte && i + j < count; j++)
				byte |= (unsigned)(numbers[i + j] >> shift & 0xff) << (j * bits);
			text_append_char(text, (char)byte);
		}
	}
}

void numbers_read(const unsigned char *array, size_t count, enum numbers_width width, size_t first, size_t end,
                  uint64_t ret_numbers[])
{
	unsigned bits = width ? 1u << (width - 1) : 0, mask = (1u << (bits & 7)) - 1;
	for (size_t i = first; i < end && bits < 8; i++)
		ret_numbers[i] = bits ? (unsigned)array[i * bits / 8] >> (i * bits % 8) & mask : 0;
	for (size_t i = first; i < end && bits >= 8; i++)
		ret_numbers[i] = array[i];
	for (unsigned shift = 8; shift < bits; shift += 8) {
		array += count;
		for (size_t i = first; i < end; i++)
			ret_numbers[i] |= (uint64_t)array[i] << shift;
	}
}

unsigned numbers_find_shift(const uint64_t numbers[], size_t count)
{
	double sum = 0;
	for (size_t i = 0; i < count; i++)
		sum += (double)numbers[i];
	/* Of numbers that are rarer the higher they are, the mean is the bound of about two thirds. */
	unsigned bits = count ? numbers_bits((uint64_t)(sum / (double)count)) : 0;
	return bits ? bits - 1 : 0;
}

void numbers_finish_bits(struct numbers_bits_writer *low)
{
	if (low->filled)
		text_append_char(&low->bits, (char)low->pending);
	low->pending = low->filled = 0;
}

static void append_bits(struct numbers_bits_writer *low, uint64_t number, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		low->pending |= (unsigned)(number >> i & 1) << low->filled;
		if (++low->filled == 8)
			numbers_finish_bits(low);
	}
}

void numbers_append_noise(struct numbers_bits_writer *low, struct text *high, const uint64_t numbers[], size_t count,
                          unsigned shift)
{
	for (size_t i = 0; i < count; i++) {
		append_bits(low, numbers[i], shift);
		varint_append(high, numbers[i] >> shift);
	}
}

/* There are that many. */
static uint64_t take_bits(struct numbers_bits_reader *low, unsigned count)
{
	uint64_t number = 0;
	for (unsigned taken = 0, some; taken < count; taken += some) {
		unsigned at = low->at % 8;
		some = count - taken < 8 - at ? count - taken : 8 - at;
		number |= (uint64_t)((unsigned)low->bytes.at[low->at / 8] >> at & ((1u << some) - 1)) << taken;
		low->at += some;
	}
	return number;
}

bool numbers_take_noise(struct numbers_bits_reader *low, struct varint_bytes *high, size_t count, unsigned shift,
                        uint64_t ret_numbers[])
{
	if (count * shift > (size_t)(low->bytes.end - low->bytes.at) * 8 - low->at)
		return false;
	for (size_t i = 0; i < count; i++) {
		uint64_t number;
		if (!varint_take(high, &number))
			return false;
		ret_numbers[i] = number << shift | take_bits(low, shift);
	}
	return true;
}
