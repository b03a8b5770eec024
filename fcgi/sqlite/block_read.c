#include "fcgi/sqlite/block_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct block_reader *block_reader_open(void)
{
	return calloc(1, sizeof(struct block_reader));
}

static void free_rooms(struct samples_reader *samples)
{
	for (int i = 0; i < HALF_COUNT; i++) {
		free(samples->at[i]);
		free(samples->numbers[i]);
		free(samples->columns[i].values);
	}
	free(samples->times);
}

void block_reader_close(struct block_reader *reader)
{
	if (!reader)
		return;
	free_rooms(&reader->samples);
	frame_reader_close(&reader->frame);
	frame_reader_close(&reader->steps_frame);
	free(reader);
}

/* Makes room for columns of that many times. */
static int reserve(struct samples_reader *samples, size_t times)
{
	if (times <= samples->capacity)
		return 0;
	free_rooms(samples);
	samples->capacity = 0; /* until all are made */
	bool made = true;
	samples->times = malloc(times * sizeof(*samples->times));
	for (int i = 0; i < HALF_COUNT; i++) {
		samples->at[i] = malloc(times * sizeof(*samples->at[i]));
		samples->numbers[i] = malloc(times * sizeof(*samples->numbers[i]));
		samples->columns[i].values = malloc(times * sizeof(*samples->columns[i].values));
		made = made && samples->at[i] && samples->numbers[i] && samples->columns[i].values;
	}
	if (!made || !samples->times)
		return -ENOMEM;
	samples->capacity = times;
	return 0;
}

static int read_times(struct samples_reader *samples)
{
	struct varint_bytes *section = &samples->sections[SECTION_TIMES];
	uint64_t count, difference, time = 0;
	if (!varint_take(section, &count) || !varint_take(section, &samples->samples_left) ||
	    count > (size_t)(section->end - section->at) || samples->samples_left > HALF_COUNT * BLOCK_ENTRIES_MAX)
		return -EBADMSG;
	int result = reserve(samples, count);
	if (result)
		return result;
	for (size_t i = 0; i < count; i++) {
		if (!varint_take(section, &difference) || difference >= BLOCK_MS - time || (i && !difference))
			return -EBADMSG;
		time += difference;
		samples->times[i] = (uint32_t)time;
	}
	samples->time_count = count;
	return 0;
}

int block_read(struct block_reader *reader, const void *bytes, size_t length)
{
	struct samples_reader *samples = &reader->samples;
	struct varint_bytes frame = { bytes, length ? (const unsigned char *)bytes + length : bytes };
	struct varint_bytes sections[SECTION_COUNT];
	samples->series = (struct block_numbering){ 0 };
	samples->samples_left = samples->time_count = samples->before_count = 0;
	for (int i = 0; i < HALF_COUNT; i++)
		samples->columns[i].count = 0;
	if (!block_take_layout(&frame))
		return -EBADMSG;
	int result = frame_read(&reader->frame, frame.at, (size_t)(frame.end - frame.at), sections, SECTION_COUNT);
	if (result)
		return result;
	memcpy(samples->sections, sections, sizeof(sections));
	return read_times(samples);
}

/* Reads the times of a column that has its own. */
static bool read_runs(struct samples_reader *samples)
{
	struct varint_bytes *section = &samples->sections[SECTION_RUNS];
	samples->before = !samples->before; /* the other room may have the times of the series' other column */
	uint32_t *at = samples->at[samples->before];
	uint64_t runs, gap, run;
	size_t index = 0, count = 0;
	if (!varint_take(section, &runs))
		return false;
	for (; runs; runs--) {
		if (!varint_take(section, &gap) || !varint_take(section, &run) || gap > samples->time_count - index)
			return false;
		index += gap;
		if (run == 0 || run > samples->time_count - index)
			return false;
		for (size_t end = index + run; index < end; index++)
			at[count++] = samples->times[index];
	}
	samples->before_count = count;
	return true;
}

static bool read_varying_heads(struct samples_reader *samples, struct samples_column *column)
{
	struct varint_bytes *units = &samples->sections[SECTION_UNITS], *gaps, *section;
	uint64_t changes, gap_width;
	if (!varint_take(&samples->sections[SECTION_HEADS], &column->first) || !varint_take(units, &column->unit))
		return false;
	if (column->kind != KIND_CHANGES) {
		section = &samples->sections[block_array_section(SECTION_DENSE, column->width)];
		column->numbers = section->at;
		return numbers_pass(section, column->count - (column->kind == KIND_DIFFERENCES), column->width);
	}
	if (!varint_take(units, &changes) || !varint_take(units, &gap_width) || changes >= column->count ||
	    gap_width > NUMBERS_64)
		return false;
	column->changes = changes;
	column->gap_width = (enum numbers_width)gap_width;
	gaps = &samples->sections[block_array_section(SECTION_GAPS, column->gap_width)];
	section = &samples->sections[block_array_section(SECTION_CHANGES, column->width)];
	column->gaps = gaps->at;
	column->numbers = section->at;
	return numbers_pass(gaps, changes, column->gap_width) && numbers_pass(section, changes, column->width);
}

/* Finds where a column's values are, and passes over them. */
static bool find_column(struct samples_reader *samples, struct samples_column *column, unsigned code)
{
	column->kind = code & CODE_KIND;
	column->width = code >> COLUMN_WIDTH_SHIFT & 7;
	column->count = 0;
	if (column->kind == KIND_ABSENT)
		return true;
	if (!(code & CODE_AS_BEFORE) && !read_runs(samples))
		return false;
	column->at = samples->at[samples->before];
	column->count = samples->before_count;
	if (column->count == 0 || column->count > samples->samples_left)
		return false;
	samples->samples_left -= column->count;

	switch (column->kind) {
	case KIND_ZERO:
		return true;
	case KIND_CONSTANT:
		return varint_take(&samples->sections[SECTION_HEADS], &column->first);
	case KIND_DOUBLES:
		column->numbers = samples->sections[SECTION_DOUBLES].at;
		return numbers_pass(&samples->sections[SECTION_DOUBLES], column->count, NUMBERS_64);
	case KIND_VALUES:
	case KIND_DIFFERENCES:
	case KIND_CHANGES:
		return read_varying_heads(samples, column);
	default:
		return false;
	}
}

bool block_next_number(struct block_numbering *numbering, struct varint_bytes *codes)
{
	uint64_t difference;
	if (!varint_take(codes, &difference) || difference > UINT32_MAX - numbering->number ||
	    (numbering->begun && !difference))
		return false;
	numbering->number += (uint32_t)difference;
	numbering->begun = true;
	return true;
}

int block_next_series(struct block_reader *reader, uint32_t *ret_series)
{
	struct samples_reader *samples = &reader->samples;
	struct varint_bytes *codes = &samples->sections[SECTION_CODES];
	if (codes->at == codes->end)
		return samples->samples_left ? -EBADMSG : 0;
	if (!block_next_number(&samples->series, codes) || codes->end - codes->at < HALF_COUNT)
		return -EBADMSG;
	for (int i = 0; i < HALF_COUNT; i++) {
		if (!find_column(samples, &samples->columns[i], *codes->at++))
			return -EBADMSG;
	}
	*ret_series = samples->series.number;
	return 1;
}

static void fill(double values[], size_t first, size_t end, uint64_t thousandths)
{
	for (size_t i = first; i < end; i++)
		values[i] = (double)thousandths / 1000;
}

/* The values [first, end), to their places. */
static bool read_changes(struct samples_reader *samples, struct samples_column *column, size_t first, size_t end)
{
	uint64_t *gaps = samples->numbers[0], *changes = samples->numbers[1], value = column->first;
	numbers_read(column->gaps, column->changes, column->gap_width, 0, column->changes, gaps);
	numbers_read(column->numbers, column->changes, column->width, 0, column->changes, changes);
	size_t at = first, next = 0; /* what is not there yet; where the next value begins */
	for (size_t i = 0; i < column->changes; i++) {
		if (gaps[i] >= column->count - next - 1)
			return false;
		next += gaps[i] + 1;
		for (; at < next && at < end; at++)
			column->values[at] = (double)value / 1000;
		value += numbers_unzigzag(changes[i] + 1) * column->unit;
	}
	fill(column->values, at, end, value);
	return true;
}

static bool read_values(struct samples_reader *samples, struct samples_column *column, size_t first, size_t end)
{
	uint64_t *numbers = samples->numbers[0], value = column->first;
	switch (column->kind) {
	case KIND_ZERO:
		fill(column->values, first, end, 0);
		return true;
	case KIND_CONSTANT:
		fill(column->values, first, end, value);
		return true;
	case KIND_VALUES:
		numbers_read(column->numbers, column->count, column->width, first, end, numbers);
		for (size_t i = first; i < end; i++)
			column->values[i] = (double)(value + numbers[i] * column->unit) / 1000;
		return true;
	case KIND_DIFFERENCES:
		numbers_read(column->numbers, column->count - 1, column->width, 0, end - 1, numbers);
		for (size_t i = 0; i < end; i++) {
			value += i ? numbers_unzigzag(numbers[i - 1]) * column->unit : 0;
			if (i >= first)
				column->values[i] = (double)value / 1000;
		}
		return true;
	case KIND_CHANGES:
		return read_changes(samples, column, first, end);
	default:
		numbers_read(column->numbers, column->count, NUMBERS_64, first, end, numbers);
		memcpy(column->values + first, numbers + first, (end - first) * sizeof(double));
		return true;
	}
}

/* How many of a column's samples are before that offset. */
static size_t count_before(const struct samples_column *column, uint32_t offset_ms)
{
	size_t first = 0, end = column->count;
	while (first < end) {
		size_t middle = first + (end - first) / 2;
		if (column->at[middle] < offset_ms)
			first = middle + 1;
		else
			end = middle;
	}
	return first;
}

int block_find_samples(struct block_reader *reader, enum half half, uint32_t first_ms, uint32_t end_ms,
                       struct block_samples *ret_samples)
{
	struct samples_reader *samples = &reader->samples;
	struct samples_column *column = &samples->columns[half];
	size_t first = count_before(column, first_ms), end = count_before(column, end_ms);
	if (first >= end) {
		*ret_samples = (struct block_samples){ .count = 0 };
		return 0;
	}
	if (!read_values(samples, column, first, end))
		return -EBADMSG;
	*ret_samples = (struct block_samples){ column->at + first, column->values + first, end - first };
	return 0;
}
