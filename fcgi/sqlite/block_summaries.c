#include "fcgi/sqlite/block_internal.h"

#include <string.h>

/* Sums up to this are whole numbers of a double. */
static const uint64_t exact_end = UINT64_C(1) << 53;

void summarizer_reset(struct summarizer *summarizer)
{
	for (int i = 0; i < HOUR_COUNT; i++)
		text_reset(&summarizer->hour[i]);
	for (int i = 0; i < STEPS_COUNT; i++)
		text_reset(&summarizer->steps[i]);
	text_reset(&summarizer->noise.bits);
	summarizer->noise.pending = summarizer->noise.filled = 0;
	summarizer->series = 0;
	memset(summarizer->counts, 0, sizeof(summarizer->counts));
}

void summarizer_free(struct summarizer *summarizer)
{
	for (int i = 0; i < HOUR_COUNT; i++)
		text_free(&summarizer->hour[i]);
	for (int i = 0; i < STEPS_COUNT; i++)
		text_free(&summarizer->steps[i]);
	text_free(&summarizer->noise.bits);
}

/* What is told of a column: of each step, and of the hour as one more. */
enum { HOUR = BLOCK_STEPS, TOLD_COUNT };

struct told {
	uint32_t counts[TOLD_COUNT];
	/* one or the other: */
	uint64_t sums[TOLD_COUNT], maxima[TOLD_COUNT]; /* thousandths */
	double rough_sums[TOLD_COUNT], rough_maxima[TOLD_COUNT];
	uint64_t unit; /* that divides all thousandths */
};

static void tell_roughly(struct told *told, const struct block_column *column, const uint32_t times[])
{
	*told = (struct told){ .counts[HOUR] = (uint32_t)column->count };
	for (size_t i = 0; i < column->count; i++) {
		size_t step = times[column->at[i]] / BLOCK_STEP_MS;
		told->counts[step]++;
		told->rough_sums[step] += column->values[i] * 1000;
		if (column->values[i] > told->rough_maxima[step])
			told->rough_maxima[step] = column->values[i];
	}
	for (size_t i = 0; i < BLOCK_STEPS; i++) {
		told->rough_sums[HOUR] += told->rough_sums[i];
		if (told->rough_maxima[i] > told->rough_maxima[HOUR])
			told->rough_maxima[HOUR] = told->rough_maxima[i];
	}
}

/* False where the sum becomes too large for that. */
static bool tell_exactly(struct told *told, const struct block_column *column, const uint32_t times[])
{
	*told = (struct told){ .counts[HOUR] = (uint32_t)column->count };
	for (size_t i = 0; i < column->count; i++) {
		uint64_t thousandths = column->thousandths[i];
		size_t step = times[column->at[i]] / BLOCK_STEP_MS;
		told->counts[step]++;
		told->sums[step] += thousandths;
		told->sums[HOUR] += thousandths;
		if (told->sums[HOUR] >= exact_end)
			return false;
		if (thousandths > told->maxima[step])
			told->maxima[step] = thousandths;
		if (told->unit != 1)
			told->unit = block_divisor(thousandths, told->unit);
	}
	for (size_t i = 0; i < BLOCK_STEPS; i++) {
		if (told->maxima[i] > told->maxima[HOUR])
			told->maxima[HOUR] = told->maxima[i];
	}
	return true;
}

static void append_double(struct text *section, double value)
{
	uint64_t bits;
	memcpy(&bits, &value, sizeof(bits));
	numbers_append(section, &bits, 1, NUMBERS_64);
}

/* Appends numbers the way of two that takes less; the second is by what the hour has. */
static void append_shorter(struct summarizer *summarizer, int section, const uint64_t by_step[],
                           const uint64_t by_hour[], size_t count)
{
	unsigned bits = 0, hour_bits = 0;
	for (size_t i = 0; i < count; i++) {
		bits += numbers_bits(by_step[i]);
		hour_bits += numbers_bits(by_hour[i]);
	}
	const uint64_t *numbers = hour_bits < bits ? by_hour : by_step;
	unsigned shift = numbers_find_shift(numbers, count);
	text_append_char(&summarizer->steps[STEPS_CODES], (char)(shift | (numbers == by_hour ? STEPS_BY_HOUR : 0)));
	numbers_append_noise(&summarizer->noise, &summarizer->steps[section], numbers, count, shift);
}

static void append_varying(struct summarizer *summarizer, const struct told *told)
{
	uint64_t by_step[BLOCK_STEPS], by_mean[BLOCK_STEPS], above_mean[BLOCK_STEPS], below_highest[BLOCK_STEPS];
	uint64_t hour_sum = told->sums[HOUR] / told->unit, hour_maximum = told->maxima[HOUR] / told->unit;
	uint64_t before_sum = hour_sum, before_count = told->counts[HOUR];
	size_t count = 0;
	for (int i = 0; i < BLOCK_STEPS; i++) {
		uint64_t samples = told->counts[i], sum = told->sums[i] / told->unit;
		if (samples == 0)
			continue;
		by_step[count] = numbers_zigzag(sum - block_foretell(before_sum, before_count, samples));
		by_mean[count] = numbers_zigzag(sum - block_foretell(hour_sum, told->counts[HOUR], samples));
		above_mean[count] = told->maxima[i] / told->unit - block_mean_up(sum, samples);
		below_highest[count++] = hour_maximum - told->maxima[i] / told->unit;
		before_sum = sum;
		before_count = samples;
	}
	append_shorter(summarizer, STEPS_SUMS, by_step, by_mean, count - 1);
	append_shorter(summarizer, STEPS_MAXIMA, above_mean, below_highest, count);
	varint_append(&summarizer->hour[HOUR_UNITS], told->unit);
	varint_append(&summarizer->hour[HOUR_HEADS], hour_sum);
	varint_append(&summarizer->hour[HOUR_HIGHEST], hour_maximum - block_mean_up(hour_sum, told->counts[HOUR]));
}

static void append_rough(struct summarizer *summarizer, const struct told *told)
{
	append_double(&summarizer->hour[HOUR_HEADS], told->rough_sums[HOUR]);
	append_double(&summarizer->hour[HOUR_HEADS], told->rough_maxima[HOUR]);
	for (int i = 0; i < BLOCK_STEPS; i++) {
		if (told->counts[i] == 0)
			continue;
		append_double(&summarizer->steps[STEPS_ROUGH], told->rough_sums[i]);
		append_double(&summarizer->steps[STEPS_ROUGH], told->rough_maxima[i]);
	}
}

/* How many samples there are, where they are not as many as of the column before. Returns the bit that says so. */
static unsigned append_counts(struct summarizer *summarizer, const struct told *told)
{
	if (memcmp(told->counts, summarizer->counts, sizeof(summarizer->counts)) == 0)
		return CODE_AS_BEFORE;
	memcpy(summarizer->counts, told->counts, sizeof(summarizer->counts));
	varint_append(&summarizer->hour[HOUR_UNITS], told->counts[HOUR]);
	for (int i = 0; i < BLOCK_STEPS; i++)
		varint_append(&summarizer->steps[STEPS_COUNTS], told->counts[i]);
	return 0;
}

static unsigned append_column(struct summarizer *summarizer, const struct block_column *column, const uint32_t times[])
{
	struct told told;
	if (column->count == 0)
		return SUMMARY_ABSENT;
	bool exact = column->whole && tell_exactly(&told, column, times);
	if (!exact)
		tell_roughly(&told, column, times);
	unsigned code = append_counts(summarizer, &told);
	if (!exact) {
		append_rough(summarizer, &told);
		return code | SUMMARY_ROUGH;
	}
	if (told.maxima[HOUR] == 0)
		return code | SUMMARY_ZERO;
	/* None is below the highest. */
	if (told.sums[HOUR] % column->count == 0 && told.sums[HOUR] / column->count == told.maxima[HOUR]) {
		varint_append(&summarizer->hour[HOUR_HEADS], told.maxima[HOUR]);
		return code | SUMMARY_CONSTANT;
	}
	append_varying(summarizer, &told);
	return code | SUMMARY_VARYING;
}

void summarizer_add(struct summarizer *summarizer, uint32_t series,
                    const struct block_column *columns, const uint32_t times[])
{
	unsigned codes = 0;
	for (int i = 0; i < HALF_COUNT; i++)
		codes |= append_column(summarizer, &columns[i], times) << (SUMMARY_CODE_BITS * i);
	varint_append(&summarizer->hour[HOUR_CODES], series - summarizer->series);
	text_append_char(&summarizer->hour[HOUR_CODES], (char)codes);
	summarizer->series = series;
}

int summarizer_finish(struct summarizer *summarizer, struct frame_writer *frames, struct text *summaries)
{
	struct text hour = TEXT_EMPTY;
	numbers_finish_bits(&summarizer->noise);
	summarizer->steps[STEPS_NOISE] = summarizer->noise.bits; /* lent */
	int result = frame_write(frames, summarizer->hour, HOUR_COUNT, &hour);
	if (result == 0) {
		text_append_char(summaries, BLOCK_LAYOUT);
		varint_append(summaries, hour.length);
		text_append(summaries, hour.data, hour.length);
		result = frame_write(frames, summarizer->steps, STEPS_COUNT, summaries);
	}
	summarizer->steps[STEPS_NOISE] = TEXT_EMPTY;
	text_free(&hour);
	return result;
}
