/* fcgi/sqlite/block_internal.h: the sections of an hour's summaries, as they are written and read; and damaged ones. */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/fcgi/sqlite/layouts.h"

#include <math.h>

#define MOST 999999999999.999

enum { STEP = BLOCK_STEP_MS }; /* the first time of the second step */

struct hour {
	const char *name;
	struct column columns[COLUMNS_MAX];
	struct bytes hour[HOUR_COUNT], steps[STEPS_COUNT];
};

#define CODES(first, second) ((first) | (second) << SUMMARY_CODE_BITS)

static const struct hour hours[] = {
	{ "nothing", { { 0 } }, { { 0 } }, { { 0 } } },
	{ "constant and zero",
	  { { 5, HALF_FIRST, 3, { 0, STEP - 1 }, { 0.1, 0.1, 0.1 } },
	    { 5, HALF_SECOND, 3, { 0, STEP - 1 }, { 0 } },
	    { 305, HALF_SECOND, 1, { BLOCK_MS - 1 }, { 2 } } },
	  { [HOUR_CODES] = BYTES(5, CODES(SUMMARY_CONSTANT, SUMMARY_ZERO | CODE_AS_BEFORE),
	                         0xac, 2, CODES(SUMMARY_ABSENT, SUMMARY_CONSTANT)),
	    [HOUR_UNITS] = BYTES(3, 1),
	    [HOUR_HEADS] = BYTES(100, 0xd0, 0x0f) },
	  { [STEPS_COUNTS] = BYTES(2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1) } },
	/* As many samples as before are in other steps. */
	{ "other steps",
	  { { 1, HALF_FIRST, 3, { 0, STEP - 1 }, { 0 } }, { 1, HALF_SECOND, 3, { 0, 1, STEP * 2 }, { 0 } } },
	  { [HOUR_CODES] = BYTES(1, CODES(SUMMARY_ZERO, SUMMARY_ZERO)), [HOUR_UNITS] = BYTES(3, 3) },
	  { [STEPS_COUNTS] = BYTES(2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0) } },
	{ "varying",
	  { { 1, HALF_FIRST, 3, { STEP, STEP + 1, STEP * 2 }, { 0.2, 0.4, 0.3 } } },
	  { [HOUR_CODES] = BYTES(1, CODES(SUMMARY_VARYING, SUMMARY_ABSENT)),
	    [HOUR_UNITS] = BYTES(3, 100),
	    [HOUR_HEADS] = BYTES(9),
	    [HOUR_HIGHEST] = BYTES(1) },
	  { [STEPS_CODES] = BYTES(0, 0),
	    [STEPS_COUNTS] = BYTES(0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0),
	    [STEPS_SUMS] = BYTES(0),
	    [STEPS_MAXIMA] = BYTES(1, 0) } },
	{ "like the hour by a bit",
	  { { 1, HALF_FIRST, 2, { 0 }, { 0.1, 0.3 } } },
	  { [HOUR_CODES] = BYTES(1, CODES(SUMMARY_VARYING, SUMMARY_ABSENT)),
	    [HOUR_UNITS] = BYTES(2, 100),
	    [HOUR_HEADS] = BYTES(4),
	    [HOUR_HIGHEST] = BYTES(1) },
	  { [STEPS_CODES] = BYTES(0, STEPS_BY_HOUR),
	    [STEPS_COUNTS] = BYTES(2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
	    [STEPS_MAXIMA] = BYTES(0) } },
	{ "like the hour",
	  { { 1, HALF_FIRST, 8, { 0, 1, STEP, STEP + 1, STEP * 2, STEP * 2 + 1, STEP * 11, STEP * 11 + 1 },
	      { 0.9, 0.1, 0.9, 0.8, 0.9, 0.2, 0.9, 0.9 } } },
	  { [HOUR_CODES] = BYTES(1, CODES(SUMMARY_VARYING, SUMMARY_ABSENT)),
	    [HOUR_UNITS] = BYTES(8, 100),
	    [HOUR_HEADS] = BYTES(56),
	    [HOUR_HIGHEST] = BYTES(2) },
	  { [STEPS_CODES] = BYTES(STEPS_BY_HOUR | 2, STEPS_BY_HOUR),
	    [STEPS_COUNTS] = BYTES(2, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 2),
	    /* 10, 17 and 11 where 14 was foretold: 7, 6, 5 in zigzag */
	    [STEPS_NOISE] = BYTES(3 | 2 << 2 | 1 << 4),
	    [STEPS_SUMS] = BYTES(1, 1, 1),
	    [STEPS_MAXIMA] = BYTES(0, 0, 0, 0) } },
	{ "like the step before",
	  { { 1, HALF_FIRST, 9, { 0, 1, STEP, STEP + 1, STEP * 2, STEP * 2 + 1, STEP * 11 },
	      { 10, 10.05, 20.003, 20, 20, 20.1, 95, 95.3, 95.7 } } },
	  { [HOUR_CODES] = BYTES(1, CODES(SUMMARY_VARYING, SUMMARY_ABSENT)),
	    [HOUR_UNITS] = BYTES(9, 1),
	    [HOUR_HEADS] = BYTES(0xe9, 0xc8, 0x17),    /* 386153 */
	    [HOUR_HIGHEST] = BYTES(0xba, 0x9c, 0x03) }, /* 95700 - 42906 */
	  { [STEPS_CODES] = BYTES(15, 6),
	    [STEPS_COUNTS] = BYTES(2, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 3),
	    /* of 131521, 39906, 194 the low 15 bits, of 25, 1, 50, 366 the low 6 */
	    [STEPS_NOISE] = BYTES(0xc1, 0x01, 0xf1, 0x8d, 0x30, 0x20, 0x0b, 0x64, 0x17),
	    [STEPS_SUMS] = BYTES(4, 1, 0),
	    [STEPS_MAXIMA] = BYTES(0, 0, 0, 5) } },
	/* But for the last one, which is not written. */
	{ "like either",
	  { { 1, HALF_FIRST, 3, { 0, STEP, STEP * 2 }, { 0, 0.23, 0.016 } } },
	  { [HOUR_CODES] = BYTES(1, CODES(SUMMARY_VARYING, SUMMARY_ABSENT)),
	    [HOUR_UNITS] = BYTES(3, 2),
	    [HOUR_HEADS] = BYTES(123),
	    [HOUR_HIGHEST] = BYTES(74) },
	  { [STEPS_CODES] = BYTES(7, 0),
	    [STEPS_COUNTS] = BYTES(1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0),
	    /* -41 and 115: 81 and 230 in zigzag */
	    [STEPS_NOISE] = BYTES(0x51, 0x33),
	    [STEPS_SUMS] = BYTES(0, 1),
	    [STEPS_MAXIMA] = BYTES(0, 0, 0) } },
	{ "rough",
	  { { 1, HALF_FIRST, 3, { 0, 1, STEP * 3 }, { 1.0 / 3, 2, 4 } } },
	  { [HOUR_CODES] = BYTES(1, CODES(SUMMARY_ROUGH, SUMMARY_ABSENT)),
	    [HOUR_UNITS] = BYTES(3),
	    [HOUR_HEADS] = BYTES(0x56, 0x55, 0x55, 0x55, 0x55, 0xbd, 0xb8, 0x40, 0, 0, 0, 0, 0, 0, 0x10, 0x40) },
	  { [STEPS_COUNTS] = BYTES(2, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0),
	    [STEPS_ROUGH] = BYTES(0xab, 0xaa, 0xaa, 0xaa, 0xaa, 0x3a, 0xa2, 0x40, 0, 0, 0, 0, 0, 0, 0, 0x40,
	                          0, 0, 0, 0, 0, 0x40, 0xaf, 0x40, 0, 0, 0, 0, 0, 0, 0x10, 0x40) } },
	{ "the highest exact sum",
	  { { 1, HALF_FIRST, 10, { 0 }, { MOST, MOST, MOST, MOST, MOST, MOST, MOST, MOST, MOST, 7199254741.000 } } },
	  { [HOUR_CODES] = BYTES(1, CODES(SUMMARY_VARYING, SUMMARY_ABSENT)),
	    [HOUR_UNITS] = BYTES(10, 1),
	    [HOUR_HEADS] = BYTES(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f), /* 2^53 - 1 */
	    [HOUR_HIGHEST] = BYTES(0xcb, 0x99, 0xcd, 0x8c, 0xb7, 0xc9, 0x16) },
	  { [STEPS_CODES] = BYTES(0, STEPS_BY_HOUR),
	    [STEPS_COUNTS] = BYTES(10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
	    [STEPS_MAXIMA] = BYTES(0) } },
	{ "a thousandth more",
	  { { 1, HALF_FIRST, 10, { 0 }, { MOST, MOST, MOST, MOST, MOST, MOST, MOST, MOST, MOST, 7199254741.001 } } },
	  { [HOUR_CODES] = BYTES(1, CODES(SUMMARY_ROUGH, SUMMARY_ABSENT)),
	    [HOUR_UNITS] = BYTES(10),
	    [HOUR_HEADS] = BYTES(0, 0, 0, 0, 0, 0, 0x40, 0x43, 0xf8, 0xff, 0xff, 0xa1, 0x94, 0x1a, 0x6d, 0x42) },
	  { [STEPS_COUNTS] = BYTES(10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
	    [STEPS_ROUGH] = BYTES(0, 0, 0, 0, 0, 0, 0x40, 0x43, 0xf8, 0xff, 0xff, 0xa1, 0x94, 0x1a, 0x6d, 0x42) } },
};

static void test_block_builder_finish_each_summary_is_written_the_shortest_way(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(hours); i++) {
		struct text samples = TEXT_EMPTY, summaries = TEXT_EMPTY;
		uint64_t length = 0;
		columns_seal(hours[i].columns, &samples, &summaries);
		const unsigned char *bytes = (const unsigned char *)summaries.data;
		struct varint_bytes rest = { bytes, bytes + summaries.length };
		assert_true(block_take_layout(&rest));
		assert_true(varint_take(&rest, &length));
		assert_true(length <= (size_t)(rest.end - rest.at));
		sections_assert(hours[i].name, rest.at, length, hours[i].hour, HOUR_COUNT);
		rest.at += length;
		sections_assert(hours[i].name, rest.at, (size_t)(rest.end - rest.at), hours[i].steps, STEPS_COUNT);
		text_free(&samples);
		text_free(&summaries);
	}
}

/* The summaries of an hour's sections; of those of the others where something is said of one there. */
static struct text join(const struct hour *hour, const struct bytes *other_hour, const struct bytes *other_steps)
{
	struct text summaries = TEXT_EMPTY, frame = TEXT_EMPTY;
	text_append_char(&summaries, BLOCK_LAYOUT);
	sections_write(hour->hour, other_hour, HOUR_COUNT, &frame);
	varint_append(&summaries, frame.length);
	text_append(&summaries, frame.data, frame.length);
	sections_write(hour->steps, other_steps, STEPS_COUNT, &summaries);
	text_free(&frame);
	return summaries;
}

/* A summary is that of a column's values in [first_ms, end_ms), whose sums a double holds; NULL: there is none. */
static void assert_summary(const struct block_summary *summary, const struct column *column, bool exact,
                           uint32_t first_ms, uint32_t end_ms)
{
	double sum = 0, maximum = 0;
	uint32_t count = 0;
	for (size_t i = 0; column && i < column->count; i++) {
		if (column_time(column, i) < first_ms || column_time(column, i) >= end_ms)
			continue;
		count++;
		sum += column->values[i] * 1000;
		maximum = column->values[i] > maximum ? column->values[i] : maximum;
	}
	assert_int_equal(summary->count, count);
	assert_int_equal(summary->exact, count && exact);
	assert_true(summary->sum == (exact ? (double)llrint(sum) : sum));
	assert_true(block_summary_maximum(summary) == maximum);
}

static void test_block_find_steps_each_kind_of_summary_is_read(void **state)
{
	(void)state;
	struct block_reader *reader = block_reader_open();
	assert_non_null(reader);
	for (size_t i = 0; i < COUNT_OF(hours); i++) {
		struct text summaries = join(&hours[i], NULL, NULL);
		struct block_summary found[HALF_COUNT], steps[BLOCK_STEPS];
		const struct column *column = hours[i].columns, *halves[HALF_COUNT];
		uint32_t series;
		assert_int_equal(block_read_summaries(reader, summaries.data, summaries.length), 0);
		while (column->count) {
			assert_int_equal(block_next_summary(reader, &series, found), 1);
			assert_int_equal(series, column->series);
			column = columns_take_series(column, halves);
			for (int half = 0; half < HALF_COUNT; half++) {
				bool exact = (hours[i].hour[HOUR_CODES].at[1] & CODE_KIND) != SUMMARY_ROUGH;
				assert_summary(&found[half], halves[half], exact, 0, BLOCK_MS);
				assert_int_equal(block_find_steps(reader, (enum half)half, steps), 0);
				for (uint32_t j = 0; j < BLOCK_STEPS; j++)
					assert_summary(&steps[j], halves[half], exact, j * STEP, (j + 1) * STEP);
			}
		}
		assert_int_equal(block_next_summary(reader, &series, found), 0);
		text_free(&summaries);
	}
	block_reader_close(reader);
}

/* What reads all of an hour. */
enum step { READ, NEXT, FIND, NOTHING };

/* The step at which it turns out that summaries are damaged. */
static enum step find_damage(struct block_reader *reader, const struct text *summaries)
{
	struct block_summary found[HALF_COUNT], steps[BLOCK_STEPS];
	uint32_t series;
	int more = block_read_summaries(reader, summaries->data, summaries->length);
	if (more != 0) {
		assert_int_equal(more, -EBADMSG);
		return READ;
	}
	for (more = block_next_summary(reader, &series, found); more == 1; more = block_next_summary(reader, &series, found)) {
		int result = block_find_steps(reader, HALF_FIRST, steps);
		if (result != 0) {
			assert_int_equal(result, -EBADMSG);
			return FIND;
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
	const char *name, *of;
	enum step step;
	struct bytes hour[HOUR_COUNT], steps[STEPS_COUNT];
} damages[] = {
	{ "a number cut off", "rough", NEXT, { [HOUR_CODES] = BYTES(0x85) }, { { 0 } } },
	{ "no codes", "rough", NEXT, { [HOUR_CODES] = BYTES(1) }, { { 0 } } },
	{ "series 0", "rough", NOTHING, { [HOUR_CODES] = BYTES(0, SUMMARY_ROUGH) }, { { 0 } } },
	{ "the same series again", "rough", NEXT, { [HOUR_CODES] = BYTES(1, SUMMARY_ROUGH, 0, SUMMARY_ABSENT) }, { { 0 } } },
	{ "the next one", "rough", NOTHING, { [HOUR_CODES] = BYTES(1, SUMMARY_ROUGH, 1, SUMMARY_ABSENT) }, { { 0 } } },
	{ "no such kind", "rough", NEXT, { [HOUR_CODES] = BYTES(1, SUMMARY_ROUGH + 1) }, { { 0 } } },
	{ "none, as before", "rough", NOTHING, { [HOUR_CODES] = BYTES(1, CODES(SUMMARY_ROUGH, CODE_AS_BEFORE)) }, { { 0 } } },
	{ "as none before", "rough", NEXT, { [HOUR_CODES] = BYTES(1, SUMMARY_ROUGH | CODE_AS_BEFORE) }, { { 0 } } },
	{ "no count", "rough", NEXT, { [HOUR_UNITS] = NO_BYTES }, { { 0 } } },
	{ "no samples", "rough", NEXT, { [HOUR_UNITS] = BYTES(0) }, { { 0 } } },
	{ "all samples there may be", "rough", NOTHING, { [HOUR_UNITS] = BYTES(0x80, 0x80, 0x80, 0x02) },
	  { [STEPS_COUNTS] = BYTES(0x81, 0x80, 0x80, 0x01, 0, 0, 0xff, 0xff, 0xff, 0x00, 0, 0, 0, 0, 0, 0, 0, 0) } },
	{ "a sample more", "rough", NEXT, { [HOUR_UNITS] = BYTES(0x81, 0x80, 0x80, 0x02) }, { { 0 } } },
	{ "no sum", "rough", NEXT, { [HOUR_HEADS] = BYTES(1, 2, 3, 4, 5, 6, 7) }, { { 0 } } },
	{ "no maximum", "rough", NEXT,
	  { [HOUR_HEADS] = BYTES(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15) }, { { 0 } } },
	{ "no constant", "constant and zero", NEXT, { [HOUR_HEADS] = NO_BYTES }, { { 0 } } },
	{ "no unit", "varying", NEXT, { [HOUR_UNITS] = BYTES(3) }, { { 0 } } },
	{ "no head", "varying", NEXT, { [HOUR_HEADS] = NO_BYTES }, { { 0 } } },
	{ "no maximum", "varying", NEXT, { [HOUR_HIGHEST] = NO_BYTES }, { { 0 } } },

	{ "no counts", "rough", FIND, { { 0 } }, { [STEPS_COUNTS] = NO_BYTES } },
	{ "the last count is missing", "rough", FIND, { { 0 } }, { [STEPS_COUNTS] = BYTES(2, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0) } },
	{ "fewer samples than the hour", "rough", FIND, { { 0 } },
	  { [STEPS_COUNTS] = BYTES(2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) } },
	{ "more samples than the hour", "rough", FIND, { { 0 } },
	  { [STEPS_COUNTS] = BYTES(2, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0) } },
	/* The counts of all come to 2^64 + 3. */
	{ "more samples than there may be", "rough", FIND, { { 0 } },
	  { [STEPS_COUNTS] = BYTES(4, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,
	                           0, 0, 0, 0, 0, 0, 0, 0) } },
	{ "no sum of a step", "rough", FIND, { { 0 } },
	  { [STEPS_ROUGH] = BYTES(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) } },
	{ "no maximum of a step", "rough", FIND, { { 0 } },
	  { [STEPS_ROUGH] = BYTES(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	                          0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) } },
	{ "no codes of steps", "varying", FIND, { { 0 } }, { [STEPS_CODES] = NO_BYTES } },
	{ "no code of maxima", "varying", FIND, { { 0 } }, { [STEPS_CODES] = BYTES(0) } },
	{ "no sum of a step", "varying", FIND, { { 0 } }, { [STEPS_SUMS] = NO_BYTES } },
	{ "no maximum of a step", "varying", FIND, { { 0 } }, { [STEPS_MAXIMA] = BYTES(1) } },
	{ "low bits of sums are missing", "like the hour", FIND, { { 0 } }, { [STEPS_NOISE] = NO_BYTES } },
	{ "low bits of maxima are missing", "like the step before", FIND, { { 0 } },
	  { [STEPS_NOISE] = BYTES(0xc1, 0x01, 0xf1, 0x8d, 0x30, 0x20, 0x0b, 0x64) } },
};

static void test_block_next_summary_a_section_that_cannot_be_is_damaged(void **state)
{
	(void)state;
	struct block_reader *reader = block_reader_open();
	assert_non_null(reader);
	for (size_t i = 0; i < COUNT_OF(damages); i++) {
		size_t hour = 0;
		while (strcmp(hours[hour].name, damages[i].of) != 0)
			hour++;
		struct text summaries = join(&hours[hour], damages[i].hour, damages[i].steps);
		enum step step = find_damage(reader, &summaries);
		if (step != damages[i].step)
			fail_msg("%s: %s: %d", damages[i].of, damages[i].name, step);
		text_free(&summaries);
	}
	block_reader_close(reader);
}

/* Who asks for the hour alone is answered from its frame. */
static void test_block_next_summary_damaged_steps_do_not_disturb_it(void **state)
{
	(void)state;
	struct block_reader *reader = block_reader_open();
	struct text summaries = TEXT_EMPTY, frame = TEXT_EMPTY;
	struct block_summary found[HALF_COUNT], steps[BLOCK_STEPS];
	uint32_t series;
	assert_non_null(reader);
	text_append_char(&summaries, BLOCK_LAYOUT);
	sections_write(hours[1].hour, NULL, HOUR_COUNT, &frame);
	varint_append(&summaries, frame.length);
	text_append(&summaries, frame.data, frame.length);
	/* The last byte is not looked at where it is behind the end. */
	assert_int_equal(block_read_summaries(reader, summaries.data, summaries.length - 1), -EBADMSG);
	assert_int_equal(block_read_summaries(reader, summaries.data, summaries.length), 0);
	assert_int_equal(block_next_summary(reader, &series, found), 1);
	assert_int_equal(found[HALF_FIRST].count, 3);
	assert_int_equal(block_find_steps(reader, HALF_FIRST, steps), -EBADMSG);
	text_free(&summaries);
	text_free(&frame);
	block_reader_close(reader);
}

/* A builder that has not finished an hour begins the next one with nothing of it. */
static void test_block_builder_finish_after_a_failure_is_that_of_a_new_one(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	static const struct column columns[] = {
		{ 7, HALF_FIRST, 8, { 0, STEP }, { 0.9, 0.1, 0.9, 0.8, 0.9, 0.2, 0.9, 0.8 } }, { 0 },
	};
	struct text right[2] = { { 0 } };
	columns_seal(columns, &right[0], &right[1]);
	bool failed = true;
	for (long n = 1; failed; n++) {
		struct block_builder *builder = block_builder_open();
		struct text ignored[2] = { { 0 } }, again[2] = { { 0 } };
		assert_non_null(builder);
		columns_add(columns, builder);
		failing_start(n);
		int result = block_builder_finish(builder, &ignored[0], &ignored[1]);
		failed = failing_stop();
		assert_int_equal(result, failed ? -ENOMEM : 0);
		columns_add(columns, builder);
		assert_int_equal(block_builder_finish(builder, &again[0], &again[1]), 0);
		for (int i = 0; i < 2; i++) {
			assert_int_equal(again[i].length, right[i].length);
			assert_memory_equal(again[i].data, right[i].data, right[i].length);
			text_free(&ignored[i]);
			text_free(&again[i]);
		}
		block_builder_close(builder);
	}
	text_free(&right[0]);
	text_free(&right[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_block_builder_finish_each_summary_is_written_the_shortest_way),
		cmocka_unit_test(test_block_find_steps_each_kind_of_summary_is_read),
		cmocka_unit_test(test_block_next_summary_a_section_that_cannot_be_is_damaged),
		cmocka_unit_test(test_block_next_summary_damaged_steps_do_not_disturb_it),
		cmocka_unit_test(test_block_builder_finish_after_a_failure_is_that_of_a_new_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
