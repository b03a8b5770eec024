#include "fcgi/sqlite/block_internal.h"

#include <errno.h>
#include <string.h>

int block_read_summaries(struct block_reader *reader, const void *bytes, size_t length)
{
	struct summaries_reader *summaries = &reader->summaries;
	struct varint_bytes rest = { bytes, length ? (const unsigned char *)bytes + length : bytes };
	struct varint_bytes sections[HOUR_COUNT];
	uint64_t hour_length;
	*summaries = (struct summaries_reader){ .steps_read = false };
	if (!block_take_layout(&rest) || !varint_take(&rest, &hour_length) || hour_length > (size_t)(rest.end - rest.at))
		return -EBADMSG;
	int result = frame_read(&reader->frame, rest.at, hour_length, sections, HOUR_COUNT);
	if (result)
		return result;
	rest.at += hour_length;
	summaries->hour.codes = sections[HOUR_CODES];
	summaries->hour.units = sections[HOUR_UNITS];
	summaries->hour.heads = sections[HOUR_HEADS];
	summaries->hour.highest = sections[HOUR_HIGHEST];
	summaries->passed = summaries->hour;
	summaries->steps = rest;
	return 0;
}

static bool read_varying(struct hour_walk *walk, struct summary_column *column)
{
	uint64_t above;
	if (!varint_take(&walk->units, &column->unit) || !varint_take(&walk->heads, &column->sum) ||
	    !varint_take(&walk->highest, &above))
		return false;
	column->maximum = block_mean_up(column->sum, column->count) + above;
	return true;
}

/* Takes the bits of a double. */
static bool take_double(struct varint_bytes *bytes, uint64_t *ret_bits)
{
	const unsigned char *at = bytes->at;
	if (!numbers_pass(bytes, 1, NUMBERS_64))
		return false;
	numbers_read(at, 1, NUMBERS_64, 0, 1, ret_bits);
	return true;
}

static bool read_column(struct hour_walk *walk, unsigned code, struct summary_column *column)
{
	*column = (struct summary_column){ .kind = code & CODE_KIND, .as_before = code & CODE_AS_BEFORE, .unit = 1 };
	if (column->kind == SUMMARY_ABSENT)
		return true;
	uint64_t count = walk->count;
	if (!column->as_before && !varint_take(&walk->units, &count))
		return false;
	if (count == 0 || count > BLOCK_ENTRIES_MAX)
		return false;
	walk->count = column->count = (uint32_t)count;
	switch (column->kind) {
	case SUMMARY_ZERO:
		return true;
	case SUMMARY_CONSTANT:
		if (!varint_take(&walk->heads, &column->maximum))
			return false;
		column->sum = column->maximum * count;
		return true;
	case SUMMARY_VARYING:
		return read_varying(walk, column);
	case SUMMARY_ROUGH:
		return take_double(&walk->heads, &column->sum) && take_double(&walk->heads, &column->maximum);
	default:
		return false;
	}
}

/* Goes on to the next series: 1, 0 or -EBADMSG. */
static int walk_on(struct hour_walk *walk, struct summary_column columns[static HALF_COUNT])
{
	if (walk->codes.at == walk->codes.end)
		return 0;
	if (!block_next_number(&walk->series, &walk->codes) || walk->codes.at == walk->codes.end)
		return -EBADMSG;
	unsigned codes = *walk->codes.at++;
	for (int i = 0; i < HALF_COUNT; i++) {
		if (!read_column(walk, codes >> (SUMMARY_CODE_BITS * i), &columns[i]))
			return -EBADMSG;
	}
	return 1;
}

static struct block_summary summary_of(const struct summary_column *column, uint32_t count, uint64_t sum,
                                       uint64_t maximum)
{
	struct block_summary summary = { .count = count, .exact = column->kind != SUMMARY_ROUGH };
	if (summary.exact) {
		summary.sum = (double)(int64_t)(sum * column->unit);
		summary.maximum = (double)(int64_t)(maximum * column->unit);
	} else {
		memcpy(&summary.sum, &sum, sizeof(double));
		memcpy(&summary.maximum, &maximum, sizeof(double));
	}
	return summary;
}

int block_next_summary(struct block_reader *reader, uint32_t *ret_series,
                       struct block_summary ret_hour[static HALF_COUNT])
{
	struct summary_column columns[HALF_COUNT];
	int more = walk_on(&reader->summaries.hour, columns);
	if (more != 1)
		return more;
	*ret_series = reader->summaries.hour.series.number;
	for (int i = 0; i < HALF_COUNT; i++) {
		const struct summary_column *column = &columns[i];
		ret_hour[i] = (struct block_summary){ 0 };
		if (column->kind != SUMMARY_ABSENT)
			ret_hour[i] = summary_of(column, column->count, column->sum, column->maximum);
	}
	return 1;
}

/* Takes how many samples the steps of a column have. */
static bool read_counts(struct summaries_reader *summaries, const struct summary_column *column)
{
	uint64_t count, left = column->count;
	for (int i = 0; i < BLOCK_STEPS; i++) {
		if (!varint_take(&summaries->sections[STEPS_COUNTS], &count) || count > left)
			return false;
		summaries->counts[i] = (uint32_t)count;
		left -= count;
	}
	return left == 0;
}

/* Takes what is said of the steps of a column. */
static bool read_steps(struct summaries_reader *summaries, const struct summary_column *column,
                       struct steps_column *steps)
{
	struct varint_bytes *sections = summaries->sections, *codes = &sections[STEPS_CODES];
	steps->hour = *column;
	steps->used = 0;
	if (column->kind == SUMMARY_ABSENT)
		return true;
	if (!column->as_before && !read_counts(summaries, column))
		return false;
	memcpy(steps->counts, summaries->counts, sizeof(steps->counts));
	for (int i = 0; i < BLOCK_STEPS; i++)
		steps->used += steps->counts[i] != 0;
	for (size_t i = 0; i < steps->used && column->kind == SUMMARY_ROUGH; i++) {
		if (!take_double(&sections[STEPS_ROUGH], &steps->sums[i]) ||
		    !take_double(&sections[STEPS_ROUGH], &steps->maxima[i]))
			return false;
	}
	if (column->kind != SUMMARY_VARYING)
		return true;
	if (codes->end - codes->at < 2)
		return false;
	steps->sums_code = *codes->at++;
	steps->maxima_code = *codes->at++;
	return numbers_take_noise(&summaries->noise, &sections[STEPS_SUMS], steps->used - 1,
	                          steps->sums_code & STEPS_SHIFT, steps->sums) &&
	       numbers_take_noise(&summaries->noise, &sections[STEPS_MAXIMA], steps->used,
	                          steps->maxima_code & STEPS_SHIFT, steps->maxima);
}

/* Reads the steps of all series up to the one that the hour is at, of which those of the last stay. */
static int pass_steps(struct block_reader *reader)
{
	struct summaries_reader *summaries = &reader->summaries;
	if (!summaries->steps_read) {
		size_t length = (size_t)(summaries->steps.end - summaries->steps.at);
		int result = frame_read(&reader->steps_frame, summaries->steps.at, length, summaries->sections,
		                        STEPS_COUNT);
		if (result)
			return result;
		summaries->steps_read = true;
		summaries->noise.bytes = summaries->sections[STEPS_NOISE];
	}
	while (summaries->passed.codes.at != summaries->hour.codes.at) {
		struct summary_column columns[HALF_COUNT];
		if (walk_on(&summaries->passed, columns) != 1)
			return -EBADMSG;
		for (int i = 0; i < HALF_COUNT; i++) {
			if (!read_steps(summaries, &columns[i], &summaries->columns[i]))
				return -EBADMSG;
		}
	}
	return 0;
}

/* Makes sums and maxima of the steps of a varying column of what is written. */
static void unfold_steps(const struct steps_column *steps, uint64_t ret_sums[], uint64_t ret_maxima[])
{
	const struct summary_column *hour = &steps->hour;
	uint64_t left = hour->sum, before_sum = hour->sum, before_count = hour->count;
	bool by_mean = steps->sums_code & STEPS_BY_HOUR, by_highest = steps->maxima_code & STEPS_BY_HOUR;
	size_t used = 0;
	for (int i = 0; i < BLOCK_STEPS; i++) {
		uint64_t samples = steps->counts[i], sum = left;
		if (samples == 0)
			continue;
		if (used + 1 < steps->used) {
			uint64_t foretold = by_mean ? block_foretell(hour->sum, hour->count, samples)
			                            : block_foretell(before_sum, before_count, samples);
			sum = foretold + numbers_unzigzag(steps->sums[used]);
		}
		ret_maxima[used] = by_highest ? hour->maximum - steps->maxima[used]
		                              : steps->maxima[used] + block_mean_up(sum, samples);
		ret_sums[used++] = before_sum = sum;
		before_count = samples;
		left -= sum;
	}
}

int block_find_steps(struct block_reader *reader, enum half half,
                     struct block_summary ret_steps[static BLOCK_STEPS])
{
	int result = pass_steps(reader);
	if (result)
		return result;
	const struct steps_column *steps = &reader->summaries.columns[half];
	const struct summary_column *hour = &steps->hour;
	uint64_t sums[BLOCK_STEPS] = { 0 }, maxima[BLOCK_STEPS] = { 0 };
	if (hour->kind == SUMMARY_VARYING) {
		unfold_steps(steps, sums, maxima);
	} else if (hour->kind == SUMMARY_ROUGH) {
		memcpy(sums, steps->sums, sizeof(sums));
		memcpy(maxima, steps->maxima, sizeof(maxima));
	}
	for (size_t i = 0, used = 0; i < BLOCK_STEPS; i++) {
		uint32_t count = steps->used ? steps->counts[i] : 0;
		ret_steps[i] = (struct block_summary){ 0 };
		if (count == 0)
			continue;
		if (hour->kind == SUMMARY_CONSTANT)
			ret_steps[i] = summary_of(hour, count, hour->maximum * count, hour->maximum);
		else
			ret_steps[i] = summary_of(hour, count, sums[used], maxima[used]);
		used++;
	}
	return 0;
}
