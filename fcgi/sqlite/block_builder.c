#include "fcgi/sqlite/block_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	OFFSET_BITS = 22, /* of an offset in an hour */
	DIGIT_BITS = 11,
	KEPT_ENTRIES = 1 << 18, /* whose memory a builder keeps: 8 MiB, and as much again to sort them */
};

_Static_assert(BLOCK_MS <= 1 << OFFSET_BITS, "an offset fits");

/* An entry's place in the order of the hour: by series, then time. */
struct place {
	uint64_t key;
	uint32_t index;
};

struct block_builder {
	struct packing_entry *entries; /* as they came */
	size_t count, capacity;
	struct frame_writer frames;
	struct column_writer writer;
	struct summarizer summarizer;
	struct block_reader *reader; /* of blocks that are added; made by the first */
	/* while an hour is made: */
	struct place *places; /* places[count] and as many again to sort them */
	uint32_t *times;      /* times[time_count]: the offsets that any entry has */
	size_t time_count;
	struct block_column columns[HALF_COUNT]; /* of one series */
};

struct block_builder *block_builder_open(void)
{
	return calloc(1, sizeof(struct block_builder));
}

static void free_hour(struct block_builder *builder)
{
	for (int i = 0; i < HALF_COUNT; i++) {
		struct block_column *column = &builder->columns[i];
		free(column->at);
		free(column->values);
		free(column->thousandths);
		*column = (struct block_column){ .at = NULL };
	}
	free(builder->times);
	free(builder->places);
	builder->times = NULL;
	builder->places = NULL;
}

void block_builder_reset(struct block_builder *builder)
{
	builder->count = 0;
	column_writer_reset(&builder->writer);
	summarizer_reset(&builder->summarizer);
	free_hour(builder);
	if (builder->capacity > KEPT_ENTRIES) {
		free(builder->entries);
		builder->entries = NULL;
		builder->capacity = 0;
	}
}

void block_builder_close(struct block_builder *builder)
{
	if (!builder)
		return;
	column_writer_free(&builder->writer);
	summarizer_free(&builder->summarizer);
	frame_writer_close(&builder->frames);
	block_reader_close(builder->reader);
	free(builder->entries);
	free(builder);
}

int block_builder_add(struct block_builder *builder, const struct packing_entry *entry)
{
	if (entry->offset_ms >= BLOCK_MS)
		return -ERANGE;
	if (!entry->present[HALF_FIRST] && !entry->present[HALF_SECOND])
		return 0;
	if (builder->count == BLOCK_ENTRIES_MAX)
		return -E2BIG;
	if (builder->count == builder->capacity) {
		size_t capacity = builder->capacity ? builder->capacity * 2 : 4096;
		struct packing_entry *entries = realloc(builder->entries, capacity * sizeof(*entries));
		if (!entries)
			return -ENOMEM;
		builder->entries = entries;
		builder->capacity = capacity;
	}
	builder->entries[builder->count++] = *entry;
	return 0;
}

/* Adds the entries of one series of a block. */
static int add_series(struct block_builder *builder, uint32_t series)
{
	struct block_samples samples[HALF_COUNT];
	size_t next[HALF_COUNT] = { 0 };
	int result = 0;
	for (int i = 0; i < HALF_COUNT && result == 0; i++)
		result = block_find_samples(builder->reader, (enum half)i, 0, BLOCK_MS, &samples[i]);
	while (result == 0) {
		struct packing_entry entry = { .offset_ms = BLOCK_MS, .series = series };
		for (int i = 0; i < HALF_COUNT; i++) {
			if (next[i] < samples[i].count && samples[i].offset_ms[next[i]] < entry.offset_ms)
				entry.offset_ms = samples[i].offset_ms[next[i]];
		}
		if (entry.offset_ms == BLOCK_MS)
			break;
		for (int i = 0; i < HALF_COUNT; i++) {
			entry.present[i] = next[i] < samples[i].count && samples[i].offset_ms[next[i]] == entry.offset_ms;
			if (entry.present[i])
				entry.value[i] = samples[i].value[next[i]++];
		}
		result = block_builder_add(builder, &entry);
	}
	return result;
}

int block_builder_add_block(struct block_builder *builder, const void *samples, size_t length)
{
	uint32_t series;
	if (!builder->reader)
		builder->reader = block_reader_open();
	if (!builder->reader)
		return -ENOMEM;
	int result = block_read(builder->reader, samples, length), more = 1;
	while (result == 0 && more == 1) {
		more = block_next_series(builder->reader, &series);
		result = more == 1 ? add_series(builder, series) : more;
	}
	return result;
}

/* Sorts the places by their keys; those of one key stay as they came. */
static void sort_places(struct place places[], struct place spare[], size_t count)
{
	uint64_t differing = 0;
	for (size_t i = 1; i < count; i++)
		differing |= places[i].key ^ places[0].key;
	struct place *from = places, *to = spare;
	for (unsigned shift = 0; differing >> shift; shift += DIGIT_BITS) {
		enum { DIGITS = 1 << DIGIT_BITS };
		size_t starts[DIGITS + 1] = { 0 };
		if (!(differing >> shift & (DIGITS - 1)))
			continue;
		for (size_t i = 0; i < count; i++)
			starts[(from[i].key >> shift & (DIGITS - 1)) + 1]++;
		for (size_t i = 1; i <= DIGITS; i++)
			starts[i] += starts[i - 1];
		for (size_t i = 0; i < count; i++)
			to[starts[from[i].key >> shift & (DIGITS - 1)]++] = from[i];
		struct place *swap = from;
		from = to;
		to = swap;
	}
	if (from != places)
		memcpy(places, from, count * sizeof(*places));
}

/* Finds the offsets that the entries have. They mostly come by rising time, many of each. */
static void find_times(struct block_builder *builder)
{
	size_t count = 0, distinct = 0;
	bool sorted = true;
	for (size_t i = 0; i < builder->count; i++) {
		uint32_t time = builder->entries[i].offset_ms;
		if (count && builder->places[count - 1].key == time)
			continue;
		sorted = sorted && (!count || builder->places[count - 1].key < time);
		builder->places[count++].key = time;
	}
	if (!sorted)
		sort_places(builder->places, builder->places + builder->count, count);
	for (size_t i = 0; i < count; i++) {
		if (!distinct || builder->times[distinct - 1] != builder->places[i].key)
			builder->times[distinct++] = (uint32_t)builder->places[i].key;
	}
	builder->time_count = distinct;
}

static int prepare(struct block_builder *builder)
{
	builder->places = malloc((2 * builder->count + 1) * sizeof(*builder->places));
	builder->times = malloc((builder->count + 1) * sizeof(*builder->times));
	if (!builder->places || !builder->times)
		return -ENOMEM;
	find_times(builder);
	size_t size = builder->time_count + 1;
	for (int i = 0; i < HALF_COUNT; i++) {
		struct block_column *column = &builder->columns[i];
		column->at = malloc(size * sizeof(*column->at));
		column->values = malloc(size * sizeof(*column->values));
		column->thousandths = malloc(size * sizeof(*column->thousandths));
		if (!column->at || !column->values || !column->thousandths)
			return -ENOMEM;
	}
	int result = column_writer_open(&builder->writer, size);
	if (result)
		return result;
	for (size_t i = 0; i < builder->count; i++) {
		const struct packing_entry *entry = &builder->entries[i];
		uint64_t key = (uint64_t)entry->series << OFFSET_BITS | entry->offset_ms;
		builder->places[i] = (struct place){ key, (uint32_t)i };
	}
	sort_places(builder->places, builder->places + builder->count, builder->count);
	return 0;
}

/* The index of a time that is not before that of `index`, which is near. */
static size_t find_time(const struct block_builder *builder, size_t index, uint32_t time)
{
	size_t step = 1, end;
	while (index + step < builder->time_count && builder->times[index + step] <= time) {
		index += step;
		step *= 2;
	}
	end = index + step < builder->time_count ? index + step : builder->time_count;
	while (end - index > 1) {
		size_t middle = index + (end - index) / 2;
		if (builder->times[middle] <= time)
			index = middle;
		else
			end = middle;
	}
	return index;
}

/* Fills the columns of the series that places[first] has. Returns where the next one begins. */
static size_t gather_series(struct block_builder *builder, size_t first)
{
	const struct place *places = builder->places;
	uint64_t series = places[first].key >> OFFSET_BITS;
	size_t index = 0, i;
	for (int j = 0; j < HALF_COUNT; j++) {
		builder->columns[j].count = 0;
		builder->columns[j].whole = true;
	}
	for (i = first; i < builder->count && places[i].key >> OFFSET_BITS == series; i++) {
		const struct packing_entry *entry = &builder->entries[places[i].index];
		index = find_time(builder, index, entry->offset_ms);
		for (int j = 0; j < HALF_COUNT; j++) {
			struct block_column *column = &builder->columns[j];
			if (!entry->present[j])
				continue;
			if (column->count && column->at[column->count - 1] == index)
				column->count--; /* the later one counts */
			column->at[column->count] = (uint32_t)index;
			column->values[column->count++] = entry->value[j];
		}
	}
	for (int j = 0; j < HALF_COUNT; j++) {
		struct block_column *column = &builder->columns[j];
		for (size_t k = 0; k < column->count && column->whole; k++)
			column->whole = packing_code_of(column->values[k], &column->thousandths[k]) != PACKING_DOUBLE;
	}
	return i;
}

int block_builder_finish(struct block_builder *builder, struct text *samples, struct text *summaries)
{
	int result = prepare(builder);
	for (size_t i = 0, next; i < builder->count && result == 0; i = next) {
		uint32_t series = (uint32_t)(builder->places[i].key >> OFFSET_BITS);
		next = gather_series(builder, i);
		column_writer_add(&builder->writer, series, builder->columns);
		summarizer_add(&builder->summarizer, series, builder->columns, builder->times);
	}
	if (result == 0)
		result = column_writer_finish(&builder->writer, builder->times, builder->time_count, &builder->frames,
		                              samples);
	if (result == 0)
		result = summarizer_finish(&builder->summarizer, &builder->frames, summaries);
	block_builder_reset(builder);
	return result;
}
