/* fcgi/sqlite/block_internal.h: the sections of an hour's samples, as they are written and read; and damaged ones. */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/fcgi/sqlite/layouts.h"

struct hour {
	const char *name;
	struct column columns[COLUMNS_MAX];
	struct bytes sections[SECTION_COUNT];
};

static const struct hour hours[] = {
	{ "nothing", { { 0 } }, { [SECTION_TIMES] = BYTES(0, 0) } },
	{ "constant and zero",
	  { { 5, HALF_FIRST, 3, { 0, 10000, 20000 }, { 0.1, 0.1, 0.1 } },
	    { 5, HALF_SECOND, 3, { 0, 10000, 20000 }, { 0 } } },
	  { [SECTION_TIMES] = BYTES(3, 6, 0, 0x90, 0x4e, 0x90, 0x4e),
	    [SECTION_CODES] = BYTES(5, KIND_CONSTANT, KIND_ZERO | CODE_AS_BEFORE),
	    [SECTION_HEADS] = BYTES(100),
	    [SECTION_RUNS] = BYTES(1, 0, 3) } },
	{ "the last millisecond",
	  { { 4294967295, HALF_SECOND, 1, { BLOCK_MS - 1 }, { 0.001 } } },
	  { [SECTION_TIMES] = BYTES(1, 1, 0xff, 0xdc, 0xdb, 0x01),
	    [SECTION_CODES] = BYTES(0xff, 0xff, 0xff, 0xff, 0x0f, KIND_ABSENT, KIND_CONSTANT),
	    [SECTION_HEADS] = BYTES(1),
	    [SECTION_RUNS] = BYTES(1, 0, 1) } },
	{ "times of their own",
	  { { 1, HALF_FIRST, 3, { 1, 2, 4 }, { 0 } },
	    { 1, HALF_SECOND, 5, { 0 }, { 0 } },
	    { 300, HALF_SECOND, 5, { 0 }, { 0 } },
	    { 301, HALF_FIRST, 5, { 0, 2 }, { 0 } } },
	  { [SECTION_TIMES] = BYTES(6, 18, 0, 1, 1, 1, 1, 1),
	    [SECTION_CODES] = BYTES(1, KIND_ZERO, KIND_ZERO, 0xab, 2, KIND_ABSENT, KIND_ZERO | CODE_AS_BEFORE,
	                            1, KIND_ZERO, KIND_ABSENT),
	    [SECTION_RUNS] = BYTES(2, 1, 2, 1, 1, 1, 0, 5, 2, 0, 1, 1, 4) } },
	{ "values",
	  { { 1, HALF_FIRST, 16, { 0 },
	      { 0.2, 0.1, 0.25, 0.1, 0.15, 0.2, 0.15, 0.25, 0.1, 0.2, 0.2, 0.1, 0.25, 0.15, 0.1, 0.25 } } },
	  { [SECTION_TIMES] = BYTES(16, 16, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1),
	    [SECTION_CODES] = BYTES(1, KIND_VALUES | NUMBERS_2 << COLUMN_WIDTH_SHIFT, KIND_ABSENT),
	    [SECTION_UNITS] = BYTES(50),
	    [SECTION_HEADS] = BYTES(100),
	    [SECTION_RUNS] = BYTES(1, 0, 16),
	    /* 2 0 3 0, 1 2 1 3, 0 2 2 0, 3 1 0 3 */
	    [SECTION_DENSE + 1] = BYTES(0x32, 0xd9, 0x28, 0xc7) } },
	{ "differences",
	  { { 1, HALF_FIRST, 10, { 0 }, { 5, 5.006, 5.002, 5.008, 5.004, 5.01, 5.006, 5.012, 5.018, 5.024 } } },
	  { [SECTION_TIMES] = BYTES(10, 10, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1),
	    [SECTION_CODES] = BYTES(1, KIND_DIFFERENCES | NUMBERS_4 << COLUMN_WIDTH_SHIFT, KIND_ABSENT),
	    [SECTION_UNITS] = BYTES(2),
	    [SECTION_HEADS] = BYTES(0x88, 0x27),
	    [SECTION_RUNS] = BYTES(1, 0, 10),
	    /* 3 -2, 3 -2, 3 -2, 3 3, 3 */
	    [SECTION_DENSE + 2] = BYTES(0x36, 0x36, 0x36, 0x66, 0x06) } },
	{ "changes",
	  { { 1, HALF_FIRST, 20, { 0 },
	      { 3, 3, 3, 3, 3.01, 3.02, 3.02, 3.02, 3.02, 3.02, 3.02,
	        2.98, 2.98, 2.98, 2.98, 2.98, 2.98, 2.98, 2.98, 2.99 } } },
	  { [SECTION_TIMES] = BYTES(20, 20, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1),
	    [SECTION_CODES] = BYTES(1, KIND_CHANGES | NUMBERS_4 << COLUMN_WIDTH_SHIFT, KIND_ABSENT),
	    [SECTION_UNITS] = BYTES(10, 4, NUMBERS_4),
	    [SECTION_HEADS] = BYTES(0xb8, 0x17),
	    [SECTION_RUNS] = BYTES(1, 0, 20),
	    [SECTION_GAPS + 2] = BYTES(0x03, 0x75), /* 3 0, 5 7 */
	    [SECTION_CHANGES + 2] = BYTES(0x11, 0x16) } }, /* 1 1, -4 1 */
	/* What is told of two bytes lets values or differences be the shorter ones. */
	{ "two bytes, values",
	  { { 1, HALF_FIRST, 4, { 0 }, { 0.19, 65.583, 0.551, 65.583 } } },
	  { [SECTION_TIMES] = BYTES(4, 4, 0, 1, 1, 1),
	    [SECTION_CODES] = BYTES(1, KIND_VALUES | NUMBERS_16 << COLUMN_WIDTH_SHIFT, KIND_ABSENT),
	    [SECTION_UNITS] = BYTES(1),
	    [SECTION_HEADS] = BYTES(0xbe, 1),
	    [SECTION_RUNS] = BYTES(1, 0, 4),
	    [SECTION_DENSE + 4] = BYTES(0, 0x71, 0x69, 0x71, 0, 0xff, 1, 0xff) } }, /* 0 65393 361 65393 */
	{ "two bytes, the lowest of them",
	  { { 1, HALF_FIRST, 4, { 0 }, { 0, 0.256, 0.001, 0.256 } } },
	  { [SECTION_TIMES] = BYTES(4, 4, 0, 1, 1, 1),
	    [SECTION_CODES] = BYTES(1, KIND_VALUES | NUMBERS_16 << COLUMN_WIDTH_SHIFT, KIND_ABSENT),
	    [SECTION_UNITS] = BYTES(1),
	    [SECTION_HEADS] = BYTES(0),
	    [SECTION_RUNS] = BYTES(1, 0, 4),
	    [SECTION_DENSE + 4] = BYTES(0, 0, 1, 0, 0, 1, 0, 1) } },
	{ "two bytes, differences",
	  { { 1, HALF_FIRST, 4, { 0 }, { 0.505, 0.503, 0.26, 0 } } },
	  { [SECTION_TIMES] = BYTES(4, 4, 0, 1, 1, 1),
	    [SECTION_CODES] = BYTES(1, KIND_DIFFERENCES | NUMBERS_16 << COLUMN_WIDTH_SHIFT, KIND_ABSENT),
	    [SECTION_UNITS] = BYTES(1),
	    [SECTION_HEADS] = BYTES(0xf9, 3),
	    [SECTION_RUNS] = BYTES(1, 0, 4),
	    [SECTION_DENSE + 4] = BYTES(3, 0xe5, 7, 0, 1, 2) } }, /* -2 -243 -260 */
	{ "three bytes, differences",
	  { { 1, HALF_FIRST, 4, { 0 }, { 0.259, 0.092, 46.663, 0 } } },
	  { [SECTION_TIMES] = BYTES(4, 4, 0, 1, 1, 1),
	    [SECTION_CODES] = BYTES(1, KIND_DIFFERENCES | NUMBERS_32 << COLUMN_WIDTH_SHIFT, KIND_ABSENT),
	    [SECTION_UNITS] = BYTES(1),
	    [SECTION_HEADS] = BYTES(0x83, 2),
	    [SECTION_RUNS] = BYTES(1, 0, 4),
	    /* -167 46571 -46663 */
	    [SECTION_DENSE + 4] = BYTES(0x4d, 0xd6, 0x8d, 1, 0x6b, 0x6c, 0, 1, 1, 0, 0, 0) } },
	{ "two bytes, differences beside a zero",
	  { { 1, HALF_FIRST, 4, { 0 }, { 0, 0.015, 0.396, 0.202 } } },
	  { [SECTION_TIMES] = BYTES(4, 4, 0, 1, 1, 1),
	    [SECTION_CODES] = BYTES(1, KIND_DIFFERENCES | NUMBERS_16 << COLUMN_WIDTH_SHIFT, KIND_ABSENT),
	    [SECTION_UNITS] = BYTES(1),
	    [SECTION_HEADS] = BYTES(0),
	    [SECTION_RUNS] = BYTES(1, 0, 4),
	    [SECTION_DENSE + 4] = BYTES(30, 0xfa, 0x83, 0, 2, 1) } }, /* 15 381 -194 */
	{ "two bytes, values but for the last",
	  { { 1, HALF_FIRST, 6, { 0 }, { 0.152, 0.327, 0.002, 0.002, 0.019, 0.009 } } },
	  { [SECTION_TIMES] = BYTES(6, 6, 0, 1, 1, 1, 1, 1),
	    [SECTION_CODES] = BYTES(1, KIND_VALUES | NUMBERS_16 << COLUMN_WIDTH_SHIFT, KIND_ABSENT),
	    [SECTION_UNITS] = BYTES(1),
	    [SECTION_HEADS] = BYTES(2),
	    [SECTION_RUNS] = BYTES(1, 0, 6),
	    [SECTION_DENSE + 4] = BYTES(150, 325 - 256, 0, 0, 17, 7, 0, 1, 0, 0, 0, 0) } },
	{ "one byte, where a difference takes two",
	  { { 1, HALF_FIRST, 8, { 0 }, { 0.019, 0, 0.005, 0.124, 0.117, 0, 0.017, 0.145 } } },
	  { [SECTION_TIMES] = BYTES(8, 8, 0, 1, 1, 1, 1, 1, 1, 1),
	    [SECTION_CODES] = BYTES(1, KIND_VALUES | NUMBERS_8 << COLUMN_WIDTH_SHIFT, KIND_ABSENT),
	    [SECTION_UNITS] = BYTES(1),
	    [SECTION_HEADS] = BYTES(0),
	    [SECTION_RUNS] = BYTES(1, 0, 8),
	    [SECTION_DENSE + 3] = BYTES(19, 0, 5, 124, 117, 0, 17, 145) } },
	{ "as short either way",
	  { { 1, HALF_FIRST, 8, { 0 }, { 0, 0.201, 0, 0.201, 0.4, 0.26, 0.4, 0.26 } } },
	  { [SECTION_TIMES] = BYTES(8, 8, 0, 1, 1, 1, 1, 1, 1, 1),
	    [SECTION_CODES] = BYTES(1, KIND_DIFFERENCES | NUMBERS_16 << COLUMN_WIDTH_SHIFT, KIND_ABSENT),
	    [SECTION_UNITS] = BYTES(1),
	    [SECTION_HEADS] = BYTES(0),
	    [SECTION_RUNS] = BYTES(1, 0, 8),
	    /* 201 -201 201 199 -140 140 -140 */
	    [SECTION_DENSE + 4] = BYTES(0x92, 0x91, 0x92, 0x8e, 0x17, 0x18, 0x17, 1, 1, 1, 1, 1, 1, 1) } },
	{ "few enough changes",
	  { { 1, HALF_FIRST, 20, { 0 },
	      { 0, 0, 0.01, 0.01, 0.02, 0.02, 0.03, 0.03, 0.04, 0.04, 0.05, 0.05, 0.06, 0.06, 0.07,
	        0.07, 0.07, 0.07, 0.07, 0.07 } } },
	  { [SECTION_TIMES] = BYTES(20, 20, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1),
	    [SECTION_CODES] = BYTES(1, KIND_CHANGES | NUMBERS_1 << COLUMN_WIDTH_SHIFT, KIND_ABSENT),
	    [SECTION_UNITS] = BYTES(10, 7, NUMBERS_1),
	    [SECTION_HEADS] = BYTES(0),
	    [SECTION_RUNS] = BYTES(1, 0, 20),
	    [SECTION_GAPS] = BYTES(0x7f),
	    [SECTION_CHANGES] = BYTES(0x7f) } },
	{ "one too many",
	  { { 1, HALF_FIRST, 20, { 0 },
	      { 0, 0, 0.01, 0.01, 0.02, 0.02, 0.03, 0.03, 0.04, 0.04, 0.05, 0.05, 0.06, 0.06, 0.07,
	        0.07, 0.08, 0.08, 0.08, 0.08 } } },
	  { [SECTION_TIMES] = BYTES(20, 20, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1),
	    [SECTION_CODES] = BYTES(1, KIND_DIFFERENCES | NUMBERS_2 << COLUMN_WIDTH_SHIFT, KIND_ABSENT),
	    [SECTION_UNITS] = BYTES(10),
	    [SECTION_HEADS] = BYTES(0),
	    [SECTION_RUNS] = BYTES(1, 0, 20),
	    [SECTION_DENSE + 1] = BYTES(0x88, 0x88, 0x88, 0x88, 0) } },
	{ "doubles",
	  { { 1, HALF_FIRST, 2, { 0 }, { 1.0 / 3, 2 } } },
	  { [SECTION_TIMES] = BYTES(2, 2, 0, 1),
	    [SECTION_CODES] = BYTES(1, KIND_DOUBLES, KIND_ABSENT),
	    [SECTION_RUNS] = BYTES(1, 0, 2),
	    [SECTION_DOUBLES] = BYTES(0x55, 0, 0x55, 0, 0x55, 0, 0x55, 0, 0x55, 0, 0x55, 0, 0xd5, 0, 0x3f, 0x40) } },
};

static void test_block_builder_finish_each_column_is_written_the_shortest_way(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(hours); i++) {
		struct text samples = TEXT_EMPTY, summaries = TEXT_EMPTY;
		columns_seal(hours[i].columns, &samples, &summaries);
		assert_int_equal(samples.data[0], BLOCK_LAYOUT);
		sections_assert(hours[i].name, samples.data + 1, samples.length - 1, hours[i].sections, SECTION_COUNT);
		text_free(&samples);
		text_free(&summaries);
	}
}

/* The samples of an hour's sections; of those of `other` where something is said of one there. */
static struct text join(const struct hour *hour, const struct bytes *other)
{
	struct text samples = TEXT_EMPTY;
	text_append_char(&samples, BLOCK_LAYOUT);
	sections_write(hour->sections, other, SECTION_COUNT, &samples);
	return samples;
}

/* Each stretch of what the reader has found of a half is that of the column; NULL: there is none. */
static void assert_column(struct block_reader *reader, enum half half, const struct column *column)
{
	static const struct column none = { 0 };
	struct block_samples found;
	if (!column)
		column = &none;
	for (size_t first = 0; first <= column->count; first++) {
		for (size_t end = first; end <= column->count; end++) {
			uint32_t first_ms = first < column->count ? column_time(column, first) : BLOCK_MS;
			uint32_t end_ms = end < column->count ? column_time(column, end) : BLOCK_MS;
			assert_int_equal(block_find_samples(reader, half, first_ms, end_ms, &found), 0);
			assert_int_equal(found.count, end - first);
			for (size_t i = 0; i < found.count; i++) {
				assert_int_equal(found.offset_ms[i], column_time(column, first + i));
				assert_memory_equal(&found.value[i], &column->values[first + i], sizeof(double));
			}
		}
	}
}

static void test_block_find_samples_each_kind_of_column_is_read(void **state)
{
	(void)state;
	struct block_reader *reader = block_reader_open();
	assert_non_null(reader);
	for (size_t i = 0; i < COUNT_OF(hours); i++) {
		struct text samples = join(&hours[i], NULL);
		const struct column *column = hours[i].columns;
		uint32_t series;
		assert_int_equal(block_read(reader, samples.data, samples.length), 0);
		text_free(&samples);
		while (column->count) {
			const struct column *halves[HALF_COUNT];
			assert_int_equal(block_next_series(reader, &series), 1);
			assert_int_equal(series, column->series);
			column = columns_take_series(column, halves);
			/* The one does not disturb the other. */
			assert_column(reader, HALF_SECOND, halves[HALF_SECOND]);
			assert_column(reader, HALF_FIRST, halves[HALF_FIRST]);
			assert_column(reader, HALF_SECOND, halves[HALF_SECOND]);
		}
		assert_int_equal(block_next_series(reader, &series), 0);
	}
	block_reader_close(reader);
}

/* What reads all of an hour. */
enum step { READ, NEXT, FIND, NOTHING };

/* The step at which it turns out that samples are damaged. */
static enum step find_damage(struct block_reader *reader, const struct text *samples)
{
	struct block_samples found;
	uint32_t series;
	int more = block_read(reader, samples->data, samples->length);
	if (more != 0) {
		assert_int_equal(more, -EBADMSG);
		return READ;
	}
	for (more = block_next_series(reader, &series); more == 1; more = block_next_series(reader, &series)) {
		for (int i = 0; i < HALF_COUNT; i++) {
			int result = block_find_samples(reader, (enum half)i, 0, BLOCK_MS, &found);
			if (result != 0) {
				assert_int_equal(result, -EBADMSG);
				return FIND;
			}
		}
	}
	if (more != 0) {
		assert_int_equal(more, -EBADMSG);
		return NEXT;
	}
	return NOTHING;
}

/* An hour of which some sections are others. */
static const struct {
	const char *name, *hour;
	enum step step;
	struct bytes sections[SECTION_COUNT];
} damages[] = {
	{ "no number of times", "nothing", READ, { [SECTION_TIMES] = NO_BYTES } },
	{ "no number of samples", "nothing", READ, { [SECTION_TIMES] = BYTES(0) } },
	{ "fewer times than said", "nothing", READ, { [SECTION_TIMES] = BYTES(2, 0, 1) } },
	{ "a time cut off", "nothing", READ, { [SECTION_TIMES] = BYTES(2, 0, 0, 0x80) } },
	{ "times for no memory", "nothing", READ,
	  { [SECTION_TIMES] = BYTES(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f, 0) } },
	{ "all samples there may be", "nothing", NEXT, { [SECTION_TIMES] = BYTES(0, 0x80, 0x80, 0x80, 0x04) } },
	{ "a sample more", "nothing", READ, { [SECTION_TIMES] = BYTES(0, 0x81, 0x80, 0x80, 0x04) } },
	{ "times alone", "nothing", NOTHING, { [SECTION_TIMES] = BYTES(2, 0, 1, 1) } },
	{ "a time twice", "nothing", READ, { [SECTION_TIMES] = BYTES(2, 0, 1, 0) } },
	{ "a time behind the hour", "nothing", READ, { [SECTION_TIMES] = BYTES(1, 0, 0x80, 0xdd, 0xdb, 0x01) } },
	{ "the last time of the hour", "nothing", NOTHING, { [SECTION_TIMES] = BYTES(2, 0, 1, 0xfe, 0xdc, 0xdb, 0x01) } },
	{ "one behind it", "nothing", READ, { [SECTION_TIMES] = BYTES(2, 0, 1, 0xff, 0xdc, 0xdb, 0x01) } },
	{ "a time before the last one", "nothing", READ,
	  { [SECTION_TIMES] = BYTES(2, 0, 10, 0xfb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01) } },

	{ "no series", "constant and zero", NEXT, { [SECTION_CODES] = NO_BYTES } },
	{ "a number cut off", "constant and zero", NEXT, { [SECTION_CODES] = BYTES(0x85) } },
	{ "no codes", "constant and zero", NEXT, { [SECTION_CODES] = BYTES(5) } },
	{ "no code of the second half", "constant and zero", NEXT, { [SECTION_CODES] = BYTES(5, KIND_CONSTANT) } },
	{ "series 0", "constant and zero", NOTHING,
	  { [SECTION_CODES] = BYTES(0, KIND_CONSTANT, KIND_ZERO | CODE_AS_BEFORE) } },
	{ "the same series again", "constant and zero", NEXT,
	  { [SECTION_CODES] = BYTES(5, KIND_CONSTANT, KIND_ABSENT, 0, KIND_ZERO | CODE_AS_BEFORE, KIND_ABSENT) } },
	{ "the next one", "constant and zero", NOTHING,
	  { [SECTION_CODES] = BYTES(5, KIND_CONSTANT, KIND_ABSENT, 1, KIND_ZERO | CODE_AS_BEFORE, KIND_ABSENT) } },
	{ "the last series there may be", "constant and zero", NOTHING,
	  { [SECTION_CODES] = BYTES(5, KIND_CONSTANT, KIND_ABSENT, 0xfa, 0xff, 0xff, 0xff, 0x0f,
	                            KIND_ZERO | CODE_AS_BEFORE, KIND_ABSENT) } },
	{ "one behind it", "constant and zero", NEXT,
	  { [SECTION_CODES] = BYTES(5, KIND_CONSTANT, KIND_ABSENT, 0xfb, 0xff, 0xff, 0xff, 0x0f,
	                            KIND_ZERO | CODE_AS_BEFORE, KIND_ABSENT) } },
	{ "no such kind", "constant and zero", NEXT, { [SECTION_CODES] = BYTES(5, KIND_CONSTANT, 7 | CODE_AS_BEFORE) } },
	{ "as none before", "constant and zero", NEXT,
	  { [SECTION_CODES] = BYTES(5, KIND_CONSTANT | CODE_AS_BEFORE, KIND_ZERO) } },
	{ "as none before, of one sample", "constant and zero", NEXT,
	  { [SECTION_TIMES] = BYTES(3, 1, 0, 1, 1), [SECTION_CODES] = BYTES(5, KIND_ZERO | CODE_AS_BEFORE, KIND_ABSENT) } },
	{ "fewer samples than said", "constant and zero", NEXT, { [SECTION_TIMES] = BYTES(3, 7, 0, 1, 1) } },
	{ "more samples than said", "constant and zero", NEXT, { [SECTION_TIMES] = BYTES(3, 5, 0, 1, 1) } },
	{ "more times than are used", "constant and zero", NOTHING, { [SECTION_TIMES] = BYTES(4, 6, 0, 1, 1, 1) } },
	{ "no constant", "constant and zero", NEXT, { [SECTION_HEADS] = NO_BYTES } },

	{ "no runs", "constant and zero", NEXT, { [SECTION_RUNS] = NO_BYTES } },
	{ "none", "constant and zero", NEXT, { [SECTION_RUNS] = BYTES(0) } },
	{ "no runs of no samples", "constant and zero", NEXT,
	  { [SECTION_TIMES] = BYTES(3, 0, 0, 1, 1), [SECTION_CODES] = BYTES(5, KIND_ZERO, KIND_ABSENT),
	    [SECTION_RUNS] = NO_BYTES } },
	{ "none of no samples", "constant and zero", NEXT,
	  { [SECTION_TIMES] = BYTES(3, 0, 0, 1, 1), [SECTION_CODES] = BYTES(5, KIND_ZERO, KIND_ABSENT),
	    [SECTION_RUNS] = BYTES(0) } },
	/* As many samples as if the second had the times of the first. */
	{ "no runs behind the first", "times of their own", NEXT,
	  { [SECTION_TIMES] = BYTES(6, 6, 0, 1, 1, 1, 1, 1), [SECTION_CODES] = BYTES(1, KIND_ZERO, KIND_ZERO),
	    [SECTION_RUNS] = BYTES(2, 1, 2, 1, 1) } },
	{ "no gap behind the first", "times of their own", NEXT,
	  { [SECTION_TIMES] = BYTES(6, 6, 0, 1, 1, 1, 1, 1), [SECTION_CODES] = BYTES(1, KIND_ZERO, KIND_ZERO),
	    [SECTION_RUNS] = BYTES(2, 1, 2, 1, 1, 1) } },
	{ "a run of nothing behind the first", "times of their own", NEXT,
	  { [SECTION_TIMES] = BYTES(6, 6, 0, 1, 1, 1, 1, 1), [SECTION_CODES] = BYTES(1, KIND_ZERO, KIND_ZERO),
	    [SECTION_RUNS] = BYTES(2, 1, 2, 1, 1, 1, 0, 0) } },
	{ "no gap", "constant and zero", NEXT, { [SECTION_RUNS] = BYTES(1) } },
	{ "no length", "constant and zero", NEXT, { [SECTION_RUNS] = BYTES(1, 0) } },
	{ "one too few", "constant and zero", NEXT, { [SECTION_RUNS] = BYTES(2, 0, 3) } },
	{ "a run of nothing", "constant and zero", NEXT, { [SECTION_RUNS] = BYTES(2, 0, 0, 0, 3) } },
	{ "a run too long", "constant and zero", NEXT, { [SECTION_RUNS] = BYTES(1, 0, 4) } },
	{ "a run too long behind a gap", "constant and zero", NEXT, { [SECTION_RUNS] = BYTES(1, 1, 3) } },
	{ "a gap too long", "constant and zero", NEXT, { [SECTION_RUNS] = BYTES(1, 4, 3) } },
	{ "a gap too long behind a run", "constant and zero", NEXT, { [SECTION_RUNS] = BYTES(2, 0, 1, 3, 2) } },

	{ "no head", "values", NEXT, { [SECTION_HEADS] = NO_BYTES } },
	{ "no unit", "values", NEXT, { [SECTION_UNITS] = NO_BYTES } },
	{ "a value too few", "values", NEXT, { [SECTION_DENSE + 1] = BYTES(0x32, 0xd9, 0x28) } },
	{ "a difference too few", "differences", NEXT, { [SECTION_DENSE + 2] = BYTES(0x36, 0x36, 0x36, 0x66) } },
	{ "a double too few", "doubles", NEXT, { [SECTION_DOUBLES] = BYTES(1, 2, 3, 4, 5, 6, 7, 8) } },
	{ "no number of changes", "changes", NEXT, { [SECTION_UNITS] = BYTES(10) } },
	{ "no width of gaps", "changes", NEXT, { [SECTION_UNITS] = BYTES(10, 4) } },
	{ "no such width", "changes", NEXT, { [SECTION_UNITS] = BYTES(10, 0, NUMBERS_64 + 1) } },
	{ "the highest width", "changes", NOTHING, { [SECTION_UNITS] = BYTES(10, 0, NUMBERS_64) } },
	{ "as many changes as there may be", "changes", NOTHING,
	  { [SECTION_CODES] = BYTES(1, KIND_CHANGES, KIND_ABSENT), [SECTION_UNITS] = BYTES(10, 19, NUMBERS_NONE) } },
	{ "a change more than there may be", "changes", NEXT,
	  { [SECTION_CODES] = BYTES(1, KIND_CHANGES, KIND_ABSENT), [SECTION_UNITS] = BYTES(10, 20, NUMBERS_NONE) } },
	{ "a gap too few", "changes", NEXT, { [SECTION_GAPS + 2] = BYTES(0x03) } },
	{ "a change too few", "changes", NEXT, { [SECTION_CHANGES + 2] = BYTES(0x11) } },
	{ "a change behind the last value", "changes", FIND, { [SECTION_GAPS + 2] = BYTES(0x03, 0x85) } },
};

static void test_block_next_series_a_section_that_cannot_be_is_damaged(void **state)
{
	(void)state;
	struct block_reader *reader = block_reader_open();
	assert_non_null(reader);
	for (size_t i = 0; i < COUNT_OF(damages); i++) {
		size_t hour = 0;
		while (strcmp(hours[hour].name, damages[i].hour) != 0)
			hour++;
		struct text samples = join(&hours[hour], damages[i].sections);
		enum step step = find_damage(reader, &samples);
		if (step != damages[i].step)
			fail_msg("%s: %s: %d", damages[i].hour, damages[i].name, step);
		text_free(&samples);
	}
	block_reader_close(reader);
}

static void test_block_find_samples_before_a_series_is_found_there_are_none(void **state)
{
	(void)state;
	struct block_reader *reader = block_reader_open();
	struct text samples = join(&hours[1], NULL);
	struct block_samples found;
	uint32_t series;
	assert_non_null(reader);
	for (int hour = 0; hour < 2; hour++) {
		assert_int_equal(block_read(reader, samples.data, samples.length), 0);
		for (int i = 0; i < HALF_COUNT; i++) {
			assert_int_equal(block_find_samples(reader, (enum half)i, 0, BLOCK_MS, &found), 0);
			assert_int_equal(found.count, 0);
		}
		assert_int_equal(block_next_series(reader, &series), 1);
	}
	text_free(&samples);
	block_reader_close(reader);
}

/* A reader that has no memory for an hour reads the next one. */
static void test_block_read_after_a_failed_allocation_goes_on(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	long unfreed = failing_unfreed();
	struct block_reader *reader = block_reader_open();
	struct text hour = join(&hours[1], NULL), small = join(&hours[2], NULL), large = TEXT_EMPTY;
	uint32_t series;
	assert_non_null(reader);
	bool failed = true;
	for (long n = 1; failed; n++) {
		uint32_t times = 100 + (uint32_t)n; /* more each time */
		struct block_builder *builder = block_builder_open();
		struct text summaries = TEXT_EMPTY;
		for (uint32_t i = 0; i < times; i++) {
			struct packing_entry entry = { i, 1, { true }, { i } };
			assert_int_equal(block_builder_add(builder, &entry), 0);
		}
		text_reset(&large);
		assert_int_equal(block_builder_finish(builder, &large, &summaries), 0);
		block_builder_close(builder);
		text_free(&summaries);

		failing_start(n);
		int result = block_read(reader, large.data, large.length);
		failed = failing_stop();
		assert_int_equal(result, failed ? -ENOMEM : 0);
		const struct text *next = n % 2 ? &hour : &small;
		assert_int_equal(block_read(reader, next->data, next->length), 0);
		assert_int_equal(block_next_series(reader, &series), 1);
		assert_column(reader, n % 2 ? HALF_FIRST : HALF_SECOND, &hours[n % 2 ? 1 : 2].columns[0]);
	}
	text_free(&hour);
	text_free(&small);
	text_free(&large);
	block_reader_close(reader);
	assert_int_equal(failing_unfreed(), unfreed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_block_builder_finish_each_column_is_written_the_shortest_way),
		cmocka_unit_test(test_block_find_samples_each_kind_of_column_is_read),
		cmocka_unit_test(test_block_next_series_a_section_that_cannot_be_is_damaged),
		cmocka_unit_test(test_block_find_samples_before_a_series_is_found_there_are_none),
		cmocka_unit_test(test_block_read_after_a_failed_allocation_goes_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
