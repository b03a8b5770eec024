/* fcgi/sqlite/block.h */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/fcgi/helpers.h"

#include <errno.h>
#include <math.h>

#include "fcgi/sqlite/block.h"
#include "fcgi/sqlite/frame.h"

enum { ENTRIES_MAX = 6000 };

/* What an hour is to hold: entries as they were added, and the samples that count of them, sorted. */
struct expected_sample {
	uint32_t series, offset_ms;
	enum half half;
	size_t order;
	double value;
};

struct hour {
	struct packing_entry entries[ENTRIES_MAX];
	size_t count;
	struct expected_sample samples[HALF_COUNT * ENTRIES_MAX];
	size_t sample_count;
	struct text packed, summaries;
};

static struct block_builder *builder;
static struct block_reader *reader;

static int set_up(void **state)
{
	unsigned seed = seed_take();
	(void)state;
	srand(seed);
	srand48((long)seed);
	builder = block_builder_open();
	reader = block_reader_open();
	return builder && reader ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	block_builder_close(builder);
	block_reader_close(reader);
	return 0;
}

static int compare_samples(const void *left, const void *right)
{
	const struct expected_sample *a = left, *b = right;
	if (a->series != b->series)
		return a->series < b->series ? -1 : 1;
	if (a->half != b->half)
		return a->half < b->half ? -1 : 1;
	if (a->offset_ms != b->offset_ms)
		return a->offset_ms < b->offset_ms ? -1 : 1;
	return a->order < b->order ? -1 : 1;
}

/* Finds the samples that count: the last one added of each series, half and time. */
static void expect_entries(struct hour *hour)
{
	struct expected_sample *samples = hour->samples;
	size_t all = 0, count = 0;
	for (size_t i = 0; i < hour->count; i++) {
		const struct packing_entry *entry = &hour->entries[i];
		for (int j = 0; j < HALF_COUNT; j++)
			if (entry->present[j])
				samples[all++] = (struct expected_sample){ entry->series, entry->offset_ms, (enum half)j, i,
					                                   entry->value[j] };
	}
	qsort(samples, all, sizeof(*samples), compare_samples);
	for (size_t i = 0; i < all; i++) {
		const struct expected_sample *next = &samples[i + 1 < all ? i + 1 : i];
		bool again = next != &samples[i] && samples[i].series == next->series &&
		             samples[i].half == next->half && samples[i].offset_ms == next->offset_ms;
		if (!again)
			samples[count++] = samples[i];
	}
	hour->sample_count = count;
}

static void seal(struct hour *hour)
{
	hour->packed = hour->summaries = TEXT_EMPTY;
	for (size_t i = 0; i < hour->count; i++)
		assert_int_equal(block_builder_add(builder, &hour->entries[i]), 0);
	assert_int_equal(block_builder_finish(builder, &hour->packed, &hour->summaries), 0);
	expect_entries(hour);
}

static void hour_free(struct hour *hour)
{
	text_free(&hour->packed);
	text_free(&hour->summaries);
	free(hour);
}

/* How the values of a series go on. */
enum course { ZERO, CONSTANT, FLIPS, NOISE, WALK, STEPS, HUGE, DOUBLES, MIXED, COURSE_COUNT };

static double any_value(enum course course, double before)
{
	switch (course) {
	case ZERO:
		return 0;
	case CONSTANT:
		return before;
	case FLIPS:
		return rand() % 5 ? 0 : 0.1;
	case NOISE:
		return (rand() % 40) / 10.0;
	case WALK:
		return (double)llrint(before * 1000 + rand() % 7) / 1000;
	case STEPS:
		return rand() % 20 ? before : (rand() % 100000) / 1000.0;
	case HUGE:
		return rand() % 3 ? 999999999999.0 : (double)(rand() % 1000000);
	case DOUBLES:
		return drand48() * pow(10, rand() % 13);
	default:
		return rand() % 50 ? (rand() % 1000) / 1000.0 : 1.0 / 3;
	}
}

/* An hour with gaps, times between the ticks, times that come twice and late ones, each series with a course of its
 * own. */
static struct hour *any_hour(void)
{
	struct hour *hour = calloc(1, sizeof(*hour));
	assert_non_null(hour);
	uint32_t series = 0, tick_ms = rand() % 2 ? 10000 : 60000;
	for (int i = 1 + rand() % 12; i > 0; i--) {
		series += 1 + (rand() % 4 ? 0 : (uint32_t)rand() % 1000000000);
		enum course courses[] = { (enum course)(rand() % COURSE_COUNT), (enum course)(rand() % COURSE_COUNT) };
		double before[HALF_COUNT] = { (rand() % 100000) / 1000.0, 1 };
		int gaps = rand() % 3 ? 0 : 1 + rand() % 90, present = rand() % 4 ? 3 : 1 + rand() % 3;
		uint32_t at = rand() % 2 ? 0 : (uint32_t)rand() % BLOCK_MS;
		for (; at < BLOCK_MS && hour->count < ENTRIES_MAX; at += tick_ms) {
			struct packing_entry *entry = &hour->entries[hour->count];
			if (rand() % 100 < gaps)
				continue;
			*entry = (struct packing_entry){ .offset_ms = at, .series = series };
			if (rand() % 30 == 0)
				entry->offset_ms = (uint32_t)rand() % BLOCK_MS;
			if (rand() % 30 == 0 && hour->count)
				entry->offset_ms = entry[-1 - rand() % (int)hour->count].offset_ms; /* once more */
			for (int j = 0; j < HALF_COUNT; j++) {
				entry->present[j] = present >> j & 1 && (gaps == 0 || rand() % 30);
				entry->value[j] = before[j] = any_value(courses[j], before[j]);
			}
			hour->count++;
		}
	}
	/* By time, as rows come, or not. */
	for (size_t i = hour->count; i > 1 && rand() % 2; i--) {
		size_t other = (size_t)rand() % i;
		struct packing_entry entry = hour->entries[i - 1];
		hour->entries[i - 1] = hour->entries[other];
		hour->entries[other] = entry;
	}
	return hour;
}

/* One that has a series, sealed: the steps of others are never read. */
static struct hour *any_sealed_hour(void)
{
	for (;;) {
		struct hour *hour = any_hour();
		seal(hour);
		if (hour->sample_count)
			return hour;
		hour_free(hour);
	}
}

/* The expected samples of a series and half in [first_ms, end_ms). */
static size_t find_expected(const struct hour *hour, uint32_t series, int half, uint32_t first_ms, uint32_t end_ms,
                            const struct expected_sample **ret_first)
{
	size_t count = 0;
	for (size_t i = 0; i < hour->sample_count; i++) {
		const struct expected_sample *sample = &hour->samples[i];
		if (sample->series != series || sample->half != (enum half)half ||
		    sample->offset_ms < first_ms || sample->offset_ms >= end_ms)
			continue;
		if (count++ == 0)
			*ret_first = sample;
	}
	return count;
}

static void assert_samples(const struct hour *hour, uint32_t series, uint32_t first_ms, uint32_t end_ms)
{
	for (int i = 0; i < HALF_COUNT; i++) {
		const struct expected_sample *expected = NULL;
		size_t count = find_expected(hour, series, i, first_ms, end_ms, &expected);
		struct block_samples samples;
		assert_int_equal(block_find_samples(reader, (enum half)i, first_ms, end_ms, &samples), 0);
		assert_int_equal(samples.count, count);
		for (size_t j = 0; j < count; j++) {
			assert_int_equal(samples.offset_ms[j], expected[j].offset_ms);
			assert_memory_equal(&samples.value[j], &expected[j].value, sizeof(double));
		}
	}
}

/* The series of the expected samples from `index` on; moves it behind them. */
static uint32_t take_series(const struct hour *hour, size_t *index)
{
	uint32_t series = hour->samples[*index].series;
	while (*index < hour->sample_count && hour->samples[*index].series == series)
		++*index;
	return series;
}

static void assert_hour(const struct hour *hour)
{
	size_t index = 0;
	uint32_t series;
	int more;
	assert_int_equal(block_read(reader, hour->packed.data, hour->packed.length), 0);
	for (more = block_next_series(reader, &series); more == 1; more = block_next_series(reader, &series)) {
		assert_true(index < hour->sample_count);
		assert_int_equal(series, take_series(hour, &index));
		if (rand() % 3 == 0)
			continue; /* passed over */
		uint32_t first_ms = (uint32_t)rand() % BLOCK_MS, end_ms = (uint32_t)rand() % (BLOCK_MS + 1);
		assert_samples(hour, series, first_ms, end_ms);
		assert_samples(hour, series, 0, BLOCK_MS);
		assert_samples(hour, series, first_ms, first_ms + 1);
	}
	assert_int_equal(more, 0);
	assert_int_equal(index, hour->sample_count);
}

static void test_block_find_samples_random_hours_come_back_bit_for_bit(void **state)
{
	(void)state;
	for (int round = 0; round < 150; round++) {
		struct hour *hour = any_hour();
		seal(hour);
		assert_hour(hour);
		hour_free(hour);
	}
}

/* Counts, sums and maxima of the expected samples in [first_ms, end_ms). Whether they are exact is that of the hour. */
static struct block_summary summarize(const struct hour *hour, uint32_t series, int half, uint32_t first_ms,
                                      uint32_t end_ms)
{
	const struct expected_sample *samples = NULL;
	struct block_summary summary = { 0 };
	summary.count = (uint32_t)find_expected(hour, series, half, first_ms, end_ms, &samples);
	for (uint32_t i = 0; i < summary.count; i++) {
		summary.sum += samples[i].value * 1000;
		summary.maximum = samples[i].value > summary.maximum ? samples[i].value : summary.maximum;
	}
	return summary;
}

static bool is_exact(const struct hour *hour, uint32_t series, int half)
{
	const struct expected_sample *samples = NULL;
	size_t count = find_expected(hour, series, half, 0, BLOCK_MS, &samples);
	double sum = 0;
	bool whole = true;
	for (size_t i = 0; i < count; i++) {
		sum += samples[i].value * 1000;
		whole = whole && samples[i].value < 1e12 &&
		        (double)llrint(samples[i].value * 1000) / 1000 == samples[i].value;
	}
	return whole && sum < 0x1p53;
}

static void assert_summary(const struct block_summary *summary, const struct block_summary *expected, bool exact)
{
	assert_int_equal(summary->count, expected->count);
	assert_true(block_summary_maximum(summary) == expected->maximum);
	if (expected->count == 0) {
		assert_true(summary->sum == 0);
		return;
	}
	assert_int_equal(summary->exact, exact);
	if (exact)
		assert_true(summary->sum == (double)llrint(expected->sum));
	else
		assert_true(fabs(summary->sum - expected->sum) <= expected->sum * 1e-12);
}

static void assert_summaries(const struct hour *hour)
{
	struct block_summary summaries[HALF_COUNT], steps[BLOCK_STEPS];
	size_t index = 0;
	uint32_t series;
	assert_int_equal(block_read_summaries(reader, hour->summaries.data, hour->summaries.length), 0);
	while (index < hour->sample_count) {
		assert_int_equal(block_next_summary(reader, &series, summaries), 1);
		assert_int_equal(series, take_series(hour, &index));
		bool steps_wanted = rand() % 3;
		for (int i = HALF_COUNT - 1; i >= 0; i--) {
			bool exact = is_exact(hour, series, i);
			struct block_summary expected = summarize(hour, series, i, 0, BLOCK_MS);
			assert_summary(&summaries[i], &expected, exact);
			if (!steps_wanted)
				continue;
			assert_int_equal(block_find_steps(reader, (enum half)i, steps), 0);
			for (uint32_t j = 0; j < BLOCK_STEPS; j++) {
				expected = summarize(hour, series, i, j * BLOCK_STEP_MS, (j + 1) * BLOCK_STEP_MS);
				assert_summary(&steps[j], &expected, exact);
			}
		}
	}
	assert_int_equal(block_next_summary(reader, &series, summaries), 0);
}

static void test_block_find_steps_random_hours_are_as_their_samples(void **state)
{
	(void)state;
	for (int round = 0; round < 150; round++) {
		struct hour *hour = any_hour();
		seal(hour);
		assert_summaries(hour);
		hour_free(hour);
	}
}

/* What comes late for an hour counts over its block, and both are what all of it at once would have been. */
static void test_block_builder_add_block_with_late_entries_is_as_all_at_once(void **state)
{
	(void)state;
	for (int round = 0; round < 40; round++) {
		struct hour *hour = any_hour();
		size_t all = hour->count;
		hour->count = (size_t)rand() % (all + 1);
		seal(hour);
		struct text first = hour->packed, merged = TEXT_EMPTY, merged_summaries = TEXT_EMPTY;
		text_free(&hour->summaries);
		assert_int_equal(block_builder_add_block(builder, first.data, first.length), 0);
		for (size_t i = hour->count; i < all; i++)
			assert_int_equal(block_builder_add(builder, &hour->entries[i]), 0);
		assert_int_equal(block_builder_finish(builder, &merged, &merged_summaries), 0);

		hour->count = all;
		seal(hour);
		assert_int_equal(merged.length, hour->packed.length);
		assert_memory_equal(merged.data, hour->packed.data, merged.length);
		assert_int_equal(merged_summaries.length, hour->summaries.length);
		assert_memory_equal(merged_summaries.data, hour->summaries.data, merged_summaries.length);
		text_free(&first);
		text_free(&merged);
		text_free(&merged_summaries);
		hour_free(hour);
	}
}

static void test_block_builder_finish_nothing_is_an_hour_without_series(void **state)
{
	(void)state;
	struct packing_entry empty = { .offset_ms = 5, .series = 7 };
	struct block_summary summaries[HALF_COUNT];
	uint32_t series;
	for (int entries = 0; entries < 2; entries++) {
		struct text packed = TEXT_EMPTY, text = TEXT_EMPTY;
		if (entries)
			assert_int_equal(block_builder_add(builder, &empty), 0);
		assert_int_equal(block_builder_finish(builder, &packed, &text), 0);
		assert_int_equal(block_read(reader, packed.data, packed.length), 0);
		assert_int_equal(block_next_series(reader, &series), 0);
		assert_int_equal(block_read_summaries(reader, text.data, text.length), 0);
		assert_int_equal(block_next_summary(reader, &series, summaries), 0);
		text_free(&packed);
		text_free(&text);
	}
}

static void test_block_builder_add_beyond_its_bounds_is_refused(void **state)
{
	(void)state;
	struct packing_entry entry = { .offset_ms = BLOCK_MS, .series = 1, .present = { true, true } };
	assert_int_equal(block_builder_add(builder, &entry), -ERANGE);
	entry.offset_ms = BLOCK_MS - 1;
	for (int i = 0; i < BLOCK_ENTRIES_MAX; i++)
		assert_int_equal(block_builder_add(builder, &entry), 0);
	assert_int_equal(block_builder_add(builder, &entry), -E2BIG);
	block_builder_reset(builder);
	assert_int_equal(block_builder_add(builder, &entry), 0);
	block_builder_reset(builder);
}

static void test_block_builder_add_the_last_time_is_late_comes_back_in_its_place(void **state)
{
	(void)state;
	static const struct {
		uint32_t times[3];
		size_t count;
	} cases[] = { { { 20000, 10000 }, 2 }, { { 10000, 30000, 20000 }, 3 } };
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct hour *hour = calloc(1, sizeof(*hour));
		assert_non_null(hour);
		for (size_t j = 0; j < cases[i].count; j++) {
			uint32_t time = cases[i].times[j];
			hour->entries[hour->count++] = (struct packing_entry){ time, 3, { true, true }, { time, time + 1 } };
		}
		seal(hour);
		assert_hour(hour);
		assert_summaries(hour);
		hour_free(hour);
	}
}

/* How many allocations a builder has after that many entries and a reset. */
static long count_kept(struct block_builder *own, size_t entries)
{
	long before = failing_unfreed();
	for (size_t i = 0; i < entries; i++) {
		struct packing_entry entry = { (uint32_t)(i % BLOCK_MS), 1, { true }, { 1 } };
		assert_int_equal(block_builder_add(own, &entry), 0);
	}
	block_builder_reset(own);
	return failing_unfreed() - before;
}

static void test_block_builder_reset_memory_of_large_hours_is_not_kept(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	long unfreed = failing_unfreed();
	struct block_builder *own = block_builder_open();
	assert_non_null(own);
	assert_int_equal(count_kept(own, 1 << 18), 1);
	assert_int_equal(count_kept(own, (1 << 18) + 1), -1);
	block_builder_close(own);
	assert_int_equal(failing_unfreed(), unfreed);
}

static void test_block_builder_finish_hours_leave_nothing_behind(void **state)
{
	(void)state;
	struct packing_entry entry = { 5, 7, { true, true }, { 1, 2 } };
	struct text packed = TEXT_EMPTY, summaries = TEXT_EMPTY;
	long unfreed = failing_unfreed();
	struct block_builder *own = block_builder_open();
	assert_non_null(own);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(block_builder_add(own, &entry), 0);
		assert_int_equal(block_builder_finish(own, &packed, &summaries), 0);
	}
	block_builder_close(own);
	text_free(&packed);
	text_free(&summaries);
	assert_int_equal(failing_unfreed(), unfreed);
}

/* What does not change costs next to nothing, and what changes seldom little. */
static void test_block_builder_finish_usual_values_take_few_bytes(void **state)
{
	(void)state;
	struct text packed = TEXT_EMPTY, summaries = TEXT_EMPTY;
	size_t samples = 0;
	for (uint32_t tick = 0; tick < 360; tick++) {
		for (uint32_t series = 1; series <= 150; series++, samples += HALF_COUNT) {
			double mem = series % 3 ? series * 0.013 : (series * 10 + tick / (series % 40 + 5)) / 1000.0;
			double cpu = series % 3 != 1 ? 0 : tick * series % 11 < 2 ? 0.1 : 0;
			struct packing_entry entry = { tick * 10000, series, { true, true }, { mem, cpu } };
			assert_int_equal(block_builder_add(builder, &entry), 0);
		}
	}
	assert_int_equal(block_builder_finish(builder, &packed, &summaries), 0);
	assert_true(packed.length + summaries.length < samples * 9 / 100);
	text_free(&packed);
	text_free(&summaries);
}

/* Reads bytes that may be anything, from a copy of their own length. 0, or the error. */
static int read_anything(const char *bytes, size_t length, bool are_summaries)
{
	struct block_summary summaries[HALF_COUNT], steps[BLOCK_STEPS];
	struct block_samples samples;
	uint32_t series;
	char *copy = malloc(length + !length);
	assert_non_null(copy);
	if (length)
		memcpy(copy, bytes, length);
	int more = 1, result = are_summaries ? block_read_summaries(reader, copy, length) : block_read(reader, copy, length);
	while (result == 0 && more == 1) {
		more = are_summaries ? block_next_summary(reader, &series, summaries) : block_next_series(reader, &series);
		for (int i = 0; i < HALF_COUNT && more == 1 && result == 0; i++)
			result = are_summaries ? block_find_steps(reader, (enum half)i, steps)
			                       : block_find_samples(reader, (enum half)i, 0, BLOCK_MS, &samples);
	}
	free(copy);
	return result ? result : more;
}

static void test_block_read_every_truncation_is_damaged(void **state)
{
	(void)state;
	struct hour *hour = any_sealed_hour();
	for (size_t length = 0; length < hour->packed.length; length++)
		assert_int_equal(read_anything(hour->packed.data, length, false), -EBADMSG);
	for (size_t length = 0; length < hour->summaries.length; length++)
		assert_int_equal(read_anything(hour->summaries.data, length, true), -EBADMSG);
	text_append_char(&hour->packed, 'x');
	text_append_char(&hour->summaries, 'x');
	assert_int_equal(read_anything(hour->packed.data, hour->packed.length, false), -EBADMSG);
	assert_int_equal(read_anything(hour->summaries.data, hour->summaries.length, true), -EBADMSG);
	hour_free(hour);
}

static void test_block_read_another_layout_is_damaged(void **state)
{
	(void)state;
	struct hour *hour = any_sealed_hour();
	hour->packed.data[0] = hour->summaries.data[0] = BLOCK_LAYOUT + 1;
	assert_int_equal(read_anything(hour->packed.data, hour->packed.length, false), -EBADMSG);
	assert_int_equal(read_anything(hour->summaries.data, hour->summaries.length, true), -EBADMSG);
	hour_free(hour);
}

/* Some bits of a frame say nothing, such as one of its header (RFC 8878, 3.1.1.1.1.3) and those that fill a byte up:
 * what it holds is right then. */
static void flip_bits(const struct hour *hour, struct text *text, bool are_summaries)
{
	size_t harmless = 0;
	for (size_t bit = 0; bit < text->length * 8; bit += text->length < 2000 ? 1 : 1 + (size_t)rand() % 16) {
		text->data[bit / 8] = (char)(text->data[bit / 8] ^ 1 << bit % 8);
		int result = read_anything(text->data, text->length, are_summaries);
		if (result == 0 && are_summaries)
			assert_summaries(hour);
		else if (result == 0)
			assert_hour(hour);
		else
			assert_int_equal(result, -EBADMSG);
		harmless += result == 0;
		text->data[bit / 8] = (char)(text->data[bit / 8] ^ 1 << bit % 8);
	}
	assert_true(harmless < 8 + text->length / 4);
}

static void test_block_read_every_flipped_bit_is_damaged_or_says_nothing(void **state)
{
	(void)state;
	struct hour *hour = any_sealed_hour();
	flip_bits(hour, &hour->packed, false);
	flip_bits(hour, &hour->summaries, true);
	hour_free(hour);
}

static void test_block_any_allocation_fails_is_out_of_memory(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	struct hour *hour = any_hour();
	seal(hour);
	bool failed = true;
	for (long n = 1; failed; n++) {
		struct text packed = TEXT_EMPTY, summaries = TEXT_EMPTY;
		long before = failing_unfreed();
		failing_start(n);
		struct block_builder *own = block_builder_open();
		int result = own ? block_builder_add_block(own, hour->packed.data, hour->packed.length) : -ENOMEM;
		if (result == 0)
			result = block_builder_finish(own, &packed, &summaries);
		block_builder_close(own);
		failed = failing_stop();
		assert_int_equal(result, failed ? -ENOMEM : 0);
		text_free(&packed);
		text_free(&summaries);
		assert_int_equal(failing_unfreed(), before);
	}
	hour_free(hour);
}

/* Whole, and yet none of ours. */
static void test_frame_read_other_count_of_sections_is_damaged(void **state)
{
	(void)state;
	struct text sections[4] = { 0 }, frame = TEXT_EMPTY;
	struct frame_writer writer = { 0 };
	struct frame_reader frame_reader = { 0 };
	struct varint_bytes read[FRAME_SECTIONS_MAX];
	text_append(&sections[1], "\x80\x80", 2);
	assert_int_equal(frame_write(&writer, sections, 3, &frame), 0);
	for (size_t count = 0; count < 8; count++)
		assert_int_equal(frame_read(&frame_reader, frame.data, frame.length, read, count), count == 3 ? 0 : -EBADMSG);
	/* One that is said to be longer than what is left. */
	text_reset(&sections[0]);
	text_append(&sections[0], "\x09", 1);
	text_reset(&frame);
	assert_int_equal(frame_write(&writer, sections, 1, &frame), 0);
	assert_int_equal(frame_read(&frame_reader, frame.data, frame.length, read, 2), -EBADMSG);
	sections[3].failed = true;
	assert_int_equal(frame_write(&writer, sections, 4, &frame), -ENOMEM);
	text_free(&sections[0]);
	text_free(&sections[1]);
	text_free(&frame);
	frame_writer_close(&writer);
	frame_reader_close(&frame_reader);
}

static void test_block_whole_steps_windows_are_those_inside(void **state)
{
	(void)state;
	const int64_t hour_ms = INT64_C(1795356000000);
	static const struct {
		int64_t from_ms, to_ms; /* from the hour's start */
		int first, end;
	} cases[] = {
		{ -1, BLOCK_MS - 1, 0, 12 }, { -1, BLOCK_MS, 0, 12 },         { 0, BLOCK_MS, 1, 12 },   { -1, BLOCK_MS - 2, 0, 11 },
		{ 299999, 599999, 1, 2 },    { 300000, 599999, 2, 2 },        { 299999, 599998, 1, 1 }, { -5000000, 9000000, 0, 12 },
		{ -5000, -1, 0, 0 },         { BLOCK_MS, 2 * BLOCK_MS, 12, 12 }, { 100, 200, 1, 1 },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		int first, end;
		block_whole_steps(hour_ms, hour_ms + cases[i].from_ms, hour_ms + cases[i].to_ms, &first, &end);
		assert_int_equal(first, cases[i].first);
		assert_int_equal(end, cases[i].end);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_block_find_samples_random_hours_come_back_bit_for_bit),
		cmocka_unit_test(test_block_find_steps_random_hours_are_as_their_samples),
		cmocka_unit_test(test_block_builder_add_block_with_late_entries_is_as_all_at_once),
		cmocka_unit_test(test_block_builder_finish_nothing_is_an_hour_without_series),
		cmocka_unit_test(test_block_builder_add_beyond_its_bounds_is_refused),
		cmocka_unit_test(test_block_builder_add_the_last_time_is_late_comes_back_in_its_place),
		cmocka_unit_test(test_block_builder_reset_memory_of_large_hours_is_not_kept),
		cmocka_unit_test(test_block_builder_finish_hours_leave_nothing_behind),
		cmocka_unit_test(test_block_builder_finish_usual_values_take_few_bytes),
		cmocka_unit_test(test_block_read_every_truncation_is_damaged),
		cmocka_unit_test(test_block_read_another_layout_is_damaged),
		cmocka_unit_test(test_block_read_every_flipped_bit_is_damaged_or_says_nothing),
		cmocka_unit_test(test_block_any_allocation_fails_is_out_of_memory),
		cmocka_unit_test(test_frame_read_other_count_of_sections_is_damaged),
		cmocka_unit_test(test_block_whole_steps_windows_are_those_inside),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
