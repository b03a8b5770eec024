/*
 * How the SQLite store packs the samples of one host and ten seconds into a row.
 *
 * A row is a run of sections, one a timestamp:
 *   varint  offset of the time from the row's start, milliseconds
 *   varint  number of entries
 *   entries, by rising series number:
 *     varint  (difference to the number before) << 4 | code of the second half << 2 | code of the first
 *     the value of the first half, then that of the second, each as its code says:
 *       0 absent   1 zero   2 varint, thousandths   3 a double, 8 bytes, little endian
 * A varint is one of varint.h.
 *
 * Most processes use no CPU in ten seconds (no byte), and a series follows its
 * neighbour (one byte for both codes): a sample takes 1 to 2 bytes.
 *
 * Pure; the host's byte order is little endian on every Debian architecture but
 * s390x, and le64toh() serves that one.
 */
#ifndef VIGIE_FCGI_SQLITE_PACKING_H
#define VIGIE_FCGI_SQLITE_PACKING_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/text.h"
#include "fcgi/sample.h"
#include "fcgi/sqlite/varint.h"

enum { PACKING_SPAN_MS = 10000 }; /* what a row spans: a time that is further from its start is a damaged one */

enum packing_code { PACKING_ABSENT, PACKING_ZERO, PACKING_THOUSANDTHS, PACKING_DOUBLE };

_Static_assert(HALF_COUNT == 2, "an entry has the codes of both halves, and their values");

struct packing_entry {
	uint32_t offset_ms;
	uint32_t series;
	bool present[HALF_COUNT];
	double value[HALF_COUNT];
};

/* The shortest code that gives exactly this value back, and its thousandths, 0 where they do not give it back. */
enum packing_code packing_code_of(double value, uint64_t *ret_thousandths);

/* Appends the row of entries[count], sorted by (offset_ms, series), no pair twice. */
void packing_encode(const struct packing_entry entries[], size_t count, struct text *row);

/* Appends the row that `row` becomes with entries[count] merged over it: what both
 * have counts as the entries say. 0, -ENOMEM, or -EBADMSG when the row is damaged. */
int packing_merge(const void *row, size_t length, const struct packing_entry entries[], size_t count,
                  struct text *merged) __attribute__((warn_unused_result));

/* The newest time in a row, from its start, and how many entries have it; of times within what a row spans. 0 or
 * -EBADMSG. */
int packing_newest(const void *row, size_t length, uint32_t *ret_offset_ms, size_t *ret_entries)
	__attribute__((warn_unused_result));

/* A value as a row has it: of PACKING_THOUSANDTHS these, of PACKING_DOUBLE its bits; otherwise 0. */
struct packing_number {
	enum packing_code code;
	uint64_t bits;
};

static inline double packing_number_value(const struct packing_number *number)
{
	double value = (double)number->bits / 1000;
	if (number->code == PACKING_DOUBLE)
		memcpy(&value, &number->bits, sizeof(value));
	return value;
}

/* Whether it is whole thousandths, and such as there may be. */
static inline bool packing_is_plain(const struct packing_number *number)
{
	return number->code != PACKING_DOUBLE && number->bits <= (uint64_t)(WIRE_VALUE_MAX * 1000);
}

/* Whether whole thousandths give exactly this value back: they are in ret_thousandths then. What has a packing_code below
 * PACKING_DOUBLE has some. */
static inline bool packing_find_thousandths(double value, uint64_t *ret_thousandths)
{
	if (!(value >= 0 && value < 1e12))
		return false;
	uint64_t thousandths = (uint64_t)(value * 1000 + 0.5);
	*ret_thousandths = thousandths;
	return (double)thousandths / 1000 == value;
}

/* Reads a row entry by entry; inline, because a read goes over millions of them. */
struct packing_reader {
	struct varint_bytes bytes;
	uint64_t left; /* entries of the section */
	struct packing_entry entry;
	struct packing_number numbers[HALF_COUNT]; /* of the entry */
};

static inline struct packing_reader packing_read(const void *row, size_t length)
{
	const unsigned char *bytes = row; /* NULL: the blob is empty */
	return (struct packing_reader){ .bytes = { bytes, length ? bytes + length : bytes } };
}

/* Begins the next section: 1, or as packing_next(). Its reader->left entries are to be taken before the next one. */
static inline int packing_next_section(struct packing_reader *reader)
{
	uint64_t offset_ms;
	if (reader->bytes.at == reader->bytes.end)
		return 0;
	if (!varint_take(&reader->bytes, &offset_ms) || !varint_take(&reader->bytes, &reader->left))
		return -1;
	reader->entry.offset_ms = (uint32_t)offset_ms;
	reader->entry.series = 0;
	return 1;
}

/* The reader behind what packing_take_entry() takes, of any lengths; it has no bytes where that is damaged. */
struct packing_reader packing_pass_entry(struct packing_reader reader);

/* Of bytes that begin with a varint of four of them at most: its bits there; over 32: it is longer. */
static inline unsigned packing_find_bits(uint64_t bytes)
{
	return (unsigned)__builtin_ctzll((~bytes | 0x8000000000000000) & 0x8080808080808080) + 1;
}

/* The number of a varint of so many bits, at most 32; of none 0. */
static inline uint64_t packing_join_bits(uint64_t bytes, unsigned bits)
{
	bytes &= (UINT64_C(1) << bits) - 1;
	return (bytes & 0x7f) | (bytes >> 1 & 0x3f80) | (bytes >> 2 & 0x1fc000) | (bytes >> 3 & 0xfe00000);
}

/* Takes an entry of the section, its values to reader->numbers alone. False where it is damaged. How long the numbers
 * are nobody can foretell: nearly all are read without a branch on that, from eight bytes. */
__attribute__((always_inline)) static inline bool packing_take_entry(struct packing_reader *reader)
{
	const unsigned char *at = reader->bytes.at;
	if (reader->bytes.end - at < 9) {
		*reader = packing_pass_entry(*reader);
		return reader->bytes.at;
	}
	uint64_t bytes;
	unsigned head = at[0], first = head & 3, second = head >> 2 & 3;
	memcpy(&bytes, at + 1, sizeof(bytes));
	bytes = le64toh(bytes);
	unsigned first_bits = packing_find_bits(bytes) & -(first >> 1);
	uint64_t rest = bytes >> (first_bits & 63);
	unsigned second_bits = 0;
	if (second == PACKING_THOUSANDTHS)
		second_bits = packing_find_bits(rest);
	if (head >= 0x80 || first == PACKING_DOUBLE || second == PACKING_DOUBLE || first_bits > 32 || second_bits > 32) {
		*reader = packing_pass_entry(*reader);
		return reader->bytes.at;
	}
	reader->left--;
	reader->entry.series += head >> 4;
	reader->numbers[HALF_FIRST] = (struct packing_number){ (enum packing_code)first, packing_join_bits(bytes, first_bits) };
	reader->numbers[HALF_SECOND] = (struct packing_number){ (enum packing_code)second, packing_join_bits(rest, second_bits) };
	reader->bytes.at = at + 1 + (first_bits + second_bits) / 8;
	return true;
}

/* 1: reader->entry is the next entry; 0: the row is at its end; -1: the row is damaged. */
static inline int packing_next(struct packing_reader *reader)
{
	while (reader->left == 0) {
		int more = packing_next_section(reader);
		if (more != 1)
			return more;
	}
	if (!packing_take_entry(reader))
		return -1;
	for (int i = 0; i < HALF_COUNT; i++) {
		reader->entry.present[i] = reader->numbers[i].code != PACKING_ABSENT;
		reader->entry.value[i] = packing_number_value(&reader->numbers[i]);
	}
	return 1;
}

#endif
