#include "fcgi/sqlite/packing.h"

#include <errno.h>
#include <stdlib.h>

enum packing_code packing_code_of(double value, uint64_t *ret_thousandths)
{
	*ret_thousandths = 0;
	if (value == 0)
		return PACKING_ZERO;
	if (packing_find_thousandths(value, ret_thousandths))
		return PACKING_THOUSANDTHS;
	*ret_thousandths = 0;
	return PACKING_DOUBLE;
}

static void append_value(struct text *row, double value, enum packing_code code, uint64_t thousandths)
{
	if (code == PACKING_THOUSANDTHS) {
		varint_append(row, thousandths);
	} else if (code == PACKING_DOUBLE) {
		uint64_t bits;
		memcpy(&bits, &value, 8);
		bits = htole64(bits);
		text_append(row, (const char *)&bits, 8);
	}
}

void packing_encode(const struct packing_entry entries[], size_t count, struct text *row)
{
	uint32_t before = 0;
	size_t section_end = 0;
	for (size_t i = 0; i < count; i++) {
		const struct packing_entry *entry = &entries[i];
		if (i == section_end) {
			while (section_end < count && entries[section_end].offset_ms == entry->offset_ms)
				section_end++;
			varint_append(row, entry->offset_ms);
			varint_append(row, section_end - i);
			before = 0;
		}
		enum packing_code codes[HALF_COUNT];
		uint64_t thousandths[HALF_COUNT] = { 0 };
		for (int j = 0; j < HALF_COUNT; j++)
			codes[j] = entry->present[j] ? packing_code_of(entry->value[j], &thousandths[j]) : PACKING_ABSENT;
		varint_append(row, (uint64_t)(entry->series - before) << 4 | (unsigned)codes[HALF_SECOND] << 2 |
		                   (unsigned)codes[HALF_FIRST]);
		for (int j = 0; j < HALF_COUNT; j++)
			append_value(row, entry->value[j], codes[j], thousandths[j]);
		before = entry->series;
	}
}

static int compare_entries(const struct packing_entry *a, const struct packing_entry *b)
{
	if (a->offset_ms != b->offset_ms)
		return a->offset_ms < b->offset_ms ? -1 : 1;
	return a->series < b->series ? -1 : a->series > b->series;
}

static void overlay(struct packing_entry *entry, const struct packing_entry *over)
{
	for (int i = 0; i < HALF_COUNT; i++) {
		if (!over->present[i])
			continue;
		entry->present[i] = true;
		entry->value[i] = over->value[i];
	}
}

int packing_merge(const void *row, size_t length, const struct packing_entry entries[], size_t count,
                  struct text *merged)
{
	/* An entry takes at least one byte. */
	struct packing_entry *both = malloc((length + count) * sizeof(*both));
	if (!both)
		return -ENOMEM;

	struct packing_reader reader = packing_read(row, length);
	size_t used = 0, next = 0;
	int more = packing_next(&reader);
	while (more == 1 || (more == 0 && next < count)) {
		int order = more == 0 ? 1 : next == count ? -1 : compare_entries(&reader.entry, &entries[next]);
		both[used] = order <= 0 ? reader.entry : entries[next];
		if (order == 0)
			overlay(&both[used], &entries[next]);
		used++;
		if (order >= 0)
			next++;
		if (order <= 0)
			more = packing_next(&reader);
	}
	if (more == 0)
		packing_encode(both, used, merged);
	free(both);
	return more == 0 ? 0 : -EBADMSG;
}

int packing_newest(const void *row, size_t length, uint32_t *ret_offset_ms, size_t *ret_entries)
{
	struct packing_reader reader = packing_read(row, length);
	uint32_t newest = 0;
	size_t entries = 0;
	int more;
	for (more = packing_next(&reader); more == 1; more = packing_next(&reader)) {
		if (reader.entry.offset_ms >= PACKING_SPAN_MS)
			continue;
		if (reader.entry.offset_ms > newest) {
			newest = reader.entry.offset_ms;
			entries = 0;
		}
		entries++;
	}
	if (more < 0)
		return -EBADMSG;
	*ret_offset_ms = newest;
	*ret_entries = entries;
	return 0;
}

static bool take_number(struct varint_bytes *bytes, unsigned code, struct packing_number *ret_number)
{
	*ret_number = (struct packing_number){ .code = (enum packing_code)code };
	if (code == PACKING_THOUSANDTHS)
		return varint_take(bytes, &ret_number->bits);
	if (code == PACKING_DOUBLE) {
		if (bytes->end - bytes->at < 8)
			return false;
		memcpy(&ret_number->bits, bytes->at, 8);
		ret_number->bits = le64toh(ret_number->bits);
		bytes->at += 8;
	}
	return true;
}

struct packing_reader packing_pass_entry(struct packing_reader reader)
{
	uint64_t number;
	bool taken = varint_take(&reader.bytes, &number);
	if (taken) {
		reader.left--;
		reader.entry.series += (uint32_t)(number >> 4);
		taken = take_number(&reader.bytes, number & 3, &reader.numbers[HALF_FIRST]) &&
		        take_number(&reader.bytes, number >> 2 & 3, &reader.numbers[HALF_SECOND]);
	}
	if (!taken)
		reader.bytes.at = NULL;
	return reader;
}
