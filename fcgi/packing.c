#include "fcgi/packing.h"

#include <math.h>

static void append_varint(struct text *row, uint64_t number)
{
	char bytes[10];
	size_t length = 0;
	for (; number >= 0x80; number >>= 7)
		bytes[length++] = (char)((number & 0x7f) | 0x80);
	bytes[length++] = (char)number;
	text_append(row, bytes, length);
}

/* The shortest code that gives exactly this value back. */
static enum packing_code code_of(const struct packing_entry *entry, enum resource resource)
{
	double value = entry->value[resource];
	if (!entry->present[resource])
		return PACKING_ABSENT;
	if (value == 0)
		return PACKING_ZERO;
	if (value < 1e12 && (double)(uint64_t)llrint(value * 1000) / 1000 == value)
		return PACKING_THOUSANDTHS;
	return PACKING_DOUBLE;
}

static void append_value(struct text *row, double value, enum packing_code code)
{
	if (code == PACKING_THOUSANDTHS) {
		append_varint(row, (uint64_t)llrint(value * 1000));
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
			append_varint(row, entry->offset_ms);
			append_varint(row, section_end - i);
			before = 0;
		}
		enum packing_code mem = code_of(entry, RESOURCE_MEM);
		enum packing_code cpu = code_of(entry, RESOURCE_CPU);
		append_varint(row, (uint64_t)(entry->series - before) << 4 | (unsigned)cpu << 2 | (unsigned)mem);
		append_value(row, entry->value[RESOURCE_MEM], mem);
		append_value(row, entry->value[RESOURCE_CPU], cpu);
		before = entry->series;
	}
}
