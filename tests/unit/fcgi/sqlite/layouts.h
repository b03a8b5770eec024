/*
 * Hours that are given column by column, and the sections of their frames, byte by byte.
 */
#ifndef VIGIE_TESTS_FCGI_SQLITE_LAYOUTS_H
#define VIGIE_TESTS_FCGI_SQLITE_LAYOUTS_H

#include "tests/unit/fcgi/helpers.h"

#include <errno.h>

#include "fcgi/sqlite/block_internal.h"

enum { COLUMNS_MAX = 6, COLUMN_MAX = 20 };

/* What a series has of a half. */
struct column {
	uint32_t series;
	enum half half;
	size_t count;
	uint32_t times[COLUMN_MAX]; /* those that are not said follow the one before by 1 */
	double values[COLUMN_MAX];
};

/* A part of a table, which stands outside of functions: there the bytes last. */
struct bytes {
	const unsigned char *at; /* NULL: nothing is said of them */
	size_t length;
};
#define BYTES(...) { (const unsigned char[]){ __VA_ARGS__ }, sizeof((const unsigned char[]){ __VA_ARGS__ }) }
#define NO_BYTES { (const unsigned char *)"", 0 }

static inline uint32_t column_time(const struct column *column, size_t index)
{
	return index == 0 || column->times[index] ? column->times[index] : column_time(column, index - 1) + 1;
}

/* Adds these columns, whose series rise; one without values is behind the last. */
static inline void columns_add(const struct column columns[], struct block_builder *builder)
{
	for (const struct column *column = columns; column->count; column++) {
		for (size_t i = 0; i < column->count; i++) {
			struct packing_entry entry = { .offset_ms = column_time(column, i), .series = column->series };
			entry.present[column->half] = true;
			entry.value[column->half] = column->values[i];
			assert_int_equal(block_builder_add(builder, &entry), 0);
		}
	}
}

static inline void columns_seal(const struct column columns[], struct text *samples, struct text *summaries)
{
	struct block_builder *builder = block_builder_open();
	assert_non_null(builder);
	columns_add(columns, builder);
	assert_int_equal(block_builder_finish(builder, samples, summaries), 0);
	block_builder_close(builder);
}

/* Those of the series that the first column has, NULL: none of that half. Returns what is behind them. */
static inline const struct column *columns_take_series(const struct column *column,
                                                       const struct column *ret_halves[static HALF_COUNT])
{
	uint32_t series = column->series;
	ret_halves[HALF_FIRST] = ret_halves[HALF_SECOND] = NULL;
	for (; column->count && column->series == series; column++)
		ret_halves[column->half] = column;
	return column;
}

/* Appends the frame of sections[count]: of `other` where something is said of one there. */
static inline void sections_write(const struct bytes sections[], const struct bytes other[], size_t count,
                                  struct text *frame)
{
	struct frame_writer writer = { 0 };
	struct text texts[FRAME_SECTIONS_MAX] = { 0 };
	for (size_t i = 0; i < count; i++) {
		const struct bytes *bytes = other && other[i].at ? &other[i] : &sections[i];
		text_append(&texts[i], (const char *)bytes->at, bytes->length);
	}
	assert_int_equal(frame_write(&writer, texts, count, frame), 0);
	frame_writer_close(&writer);
	for (size_t i = 0; i < count; i++)
		text_free(&texts[i]);
}

/* A frame has these sections. */
static inline void sections_assert(const char *name, const void *frame, size_t length, const struct bytes expected[],
                                   size_t count)
{
	struct frame_reader reader = { 0 };
	struct varint_bytes sections[FRAME_SECTIONS_MAX];
	bool same = true;
	assert_int_equal(frame_read(&reader, frame, length, sections, count), 0);
	for (size_t i = 0; i < count; i++) {
		size_t size = (size_t)(sections[i].end - sections[i].at);
		if (size == expected[i].length && (size == 0 || memcmp(sections[i].at, expected[i].at, size) == 0))
			continue;
		same = false;
		print_error("%s: section %zu is", name, i);
		for (const unsigned char *at = sections[i].at; at != sections[i].end; at++)
			print_error(" 0x%02x", *at);
		print_error("\n");
	}
	frame_reader_close(&reader);
	assert_true(same);
}

#endif
