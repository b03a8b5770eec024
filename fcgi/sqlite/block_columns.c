#include "fcgi/sqlite/block_internal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int column_writer_open(struct column_writer *writer, size_t times)
{
	writer->before = malloc(times * sizeof(*writer->before));
	writer->values = malloc(times * sizeof(*writer->values));
	writer->differences = malloc(times * sizeof(*writer->differences));
	return writer->before && writer->values && writer->differences ? 0 : -ENOMEM;
}

void column_writer_reset(struct column_writer *writer)
{
	for (int i = 0; i < SECTION_COUNT; i++)
		text_reset(&writer->sections[i]);
	free(writer->before);
	free(writer->values);
	free(writer->differences);
	writer->before = NULL;
	writer->values = writer->differences = NULL;
	writer->before_count = writer->samples = 0;
	writer->series = 0;
}

void column_writer_free(struct column_writer *writer)
{
	for (int i = 0; i < SECTION_COUNT; i++)
		text_free(&writer->sections[i]);
}

uint64_t block_divisor(uint64_t one, uint64_t other)
{
	while (other) {
		uint64_t rest = one % other;
		one = other;
		other = rest;
	}
	return one;
}

/* About how many bits an array will take: what its numbers tell, and the table of how often each is there. */
static double weigh(const uint64_t numbers[], size_t count)
{
	enum { KINDS = 256 };
	uint32_t seen[KINDS] = { 0 };
	double bits = 0;
	for (size_t i = 0; i < count; i++) {
		uint64_t kind = numbers[i];
		for (; kind >= KINDS; kind >>= 8)
			bits += 8;
		seen[kind]++;
	}
	for (size_t i = 0; i < KINDS; i++) {
		if (seen[i])
			bits += seen[i] * log2((double)count / seen[i]) + 6;
	}
	return bits;
}

static void append_runs(struct column_writer *writer, const struct block_column *column)
{
	struct text *runs = &writer->sections[SECTION_RUNS];
	size_t pairs = 0;
	for (size_t i = 0; i < column->count; i++)
		pairs += i == 0 || column->at[i] != column->at[i - 1] + 1;
	varint_append(runs, pairs);
	for (size_t i = 0, first; i < column->count; i++) {
		varint_append(runs, column->at[i] - (i ? column->at[i - 1] + 1 : 0));
		first = i;
		while (i + 1 < column->count && column->at[i + 1] == column->at[i] + 1)
			i++;
		varint_append(runs, i + 1 - first);
	}
}

/* Writes those of the differences[count] that are not 0, and how many are before each. Returns the width of the first. */
static enum numbers_width append_changes(struct column_writer *writer, size_t count)
{
	/* In the place of what is not needed any more. */
	uint64_t *gaps = writer->values, *changes = writer->differences;
	size_t used = 0, next = 0;
	for (size_t i = 0; i < count; i++) {
		if (writer->differences[i] == 0)
			continue;
		gaps[used] = i - next;
		next = i + 1;
		changes[used++] = writer->differences[i] - 1;
	}
	enum numbers_width gap_width = numbers_find_width(gaps, used), width = numbers_find_width(changes, used);
	varint_append(&writer->sections[SECTION_UNITS], used);
	varint_append(&writer->sections[SECTION_UNITS], gap_width);
	numbers_append(&writer->sections[block_array_section(SECTION_GAPS, gap_width)], gaps, used, gap_width);
	numbers_append(&writer->sections[block_array_section(SECTION_CHANGES, width)], changes, used, width);
	return width;
}

/* Writes the values of a column that is whole and not constant, the shortest way. Returns its code. */
static unsigned append_varying(struct column_writer *writer, const struct block_column *column)
{
	const uint64_t *thousandths = column->thousandths;
	size_t count = column->count, changes = 0;
	uint64_t lowest = thousandths[0], unit = 0;
	for (size_t i = 1; i < count; i++) {
		uint64_t difference = thousandths[i] - thousandths[i - 1];
		lowest = thousandths[i] < lowest ? thousandths[i] : lowest;
		unit = block_divisor(difference >> 63 ? -difference : difference, unit);
		changes += difference != 0;
	}
	for (size_t i = 0; i < count; i++)
		writer->values[i] = (thousandths[i] - lowest) / unit;
	for (size_t i = 1; i < count; i++)
		writer->differences[i - 1] =
			numbers_zigzag((uint64_t)((int64_t)(thousandths[i] - thousandths[i - 1]) / (int64_t)unit));

	bool by_values = weigh(writer->values, count) < weigh(writer->differences, count - 1);
	varint_append(&writer->sections[SECTION_HEADS], by_values ? lowest : thousandths[0]);
	varint_append(&writer->sections[SECTION_UNITS], unit);
	/* A change takes its gap, too: if there are more, zeros are shorter. */
	if (!by_values && changes * 5 < 2 * count)
		return KIND_CHANGES | append_changes(writer, count - 1) << COLUMN_WIDTH_SHIFT;
	const uint64_t *numbers = by_values ? writer->values : writer->differences;
	count -= !by_values;
	enum numbers_width width = numbers_find_width(numbers, count);
	numbers_append(&writer->sections[block_array_section(SECTION_DENSE, width)], numbers, count, width);
	return (by_values ? KIND_VALUES : KIND_DIFFERENCES) | width << COLUMN_WIDTH_SHIFT;
}

static unsigned append_values(struct column_writer *writer, const struct block_column *column)
{
	if (!column->whole) {
		for (size_t i = 0; i < column->count; i++)
			memcpy(&writer->values[i], &column->values[i], sizeof(double));
		numbers_append(&writer->sections[SECTION_DOUBLES], writer->values, column->count, NUMBERS_64);
		return KIND_DOUBLES;
	}
	size_t i = 1;
	while (i < column->count && column->thousandths[i] == column->thousandths[0])
		i++;
	if (i < column->count)
		return append_varying(writer, column);
	if (column->thousandths[0] == 0)
		return KIND_ZERO;
	varint_append(&writer->sections[SECTION_HEADS], column->thousandths[0]);
	return KIND_CONSTANT;
}

static void append_column(struct column_writer *writer, const struct block_column *column)
{
	unsigned code = KIND_ABSENT;
	if (column->count) {
		size_t size = column->count * sizeof(*column->at);
		code = append_values(writer, column);
		if (writer->before_count == column->count && memcmp(writer->before, column->at, size) == 0)
			code |= CODE_AS_BEFORE;
		else
			append_runs(writer, column);
		writer->before_count = column->count;
		memcpy(writer->before, column->at, size);
		writer->samples += column->count;
	}
	text_append_char(&writer->sections[SECTION_CODES], (char)code);
}

void column_writer_add(struct column_writer *writer, uint32_t series,
                       const struct block_column *columns)
{
	varint_append(&writer->sections[SECTION_CODES], series - writer->series);
	writer->series = series;
	for (int i = 0; i < HALF_COUNT; i++)
		append_column(writer, &columns[i]);
}

int column_writer_finish(struct column_writer *writer, const uint32_t times[], size_t count,
                         struct frame_writer *frames, struct text *samples)
{
	struct text *section = &writer->sections[SECTION_TIMES];
	varint_append(section, count);
	varint_append(section, writer->samples);
	for (size_t i = 0; i < count; i++)
		varint_append(section, times[i] - (i ? times[i - 1] : 0));
	text_append_char(samples, BLOCK_LAYOUT);
	return frame_write(frames, writer->sections, SECTION_COUNT, samples);
}
