/*
 * The layout of block.h's strings, for the files of blocks alone.
 *
 * Each string begins with a byte, BLOCK_LAYOUT.
 *
 * Samples, a frame of these sections:
 *   TIMES    varints: how many times and samples the hour has, the first offset, then the difference of each time to
 *            the one before
 *   CODES    for each series: varint, the difference to the number before; a byte each for memory and CPU:
 *            kind | 8 where it has the times of the column before (of either half) | numbers_width << 4
 *   UNITS    varints, as the kind of a column says, below
 *   HEADS
 *   RUNS     varints, of a column with times of its own: how many pairs; a pair is how many times it has not, then
 *            how many it has
 *   GAPS     arrays of numbers, as the kind says, each of the three five sections: of 1, 2, 4, 8 and more bits
 *   CHANGES
 *   DENSE
 *   DOUBLES  eight bytes a value, little endian, as an array of that width
 * Kinds, all but the last of thousandths:
 *   zero         nothing
 *   constant     head: the value
 *   values       head: the lowest value; UNITS: a unit; DENSE: how many units each is above it
 *   differences  head: the first value; UNITS: a unit; DENSE: the difference of each to the one before, in units, zigzag
 *   changes      head: the first value; UNITS: a unit, how many changes, the width of the gaps; GAPS: how many values
 *                are like the one before, before each change; CHANGES: the changes in units, zigzag, less 1
 *   doubles      DOUBLES
 *
 * Summaries: a varint, the length of the hour's frame; that frame; the frame of the steps. Of the hour:
 *   CODES    for each series: varint, the difference to the number before; a byte: the kind of memory's summary, | 8
 *            where the hour and its steps have as many samples as those of the column before; the same << 4 of CPU
 *   UNITS    varints: of a column without the 8 how many samples; of a varying one a unit
 *   HEADS    varints: of a constant one the value; of a varying one the sum in units; of a rough one doubles: sum
 *            and maximum
 *   HIGHEST  varints: of a varying one how far the maximum is above the mean, rounded up, in units
 * Of the steps, for the columns in the same order:
 *   CODES    of a varying column a byte for the sums and one for the maxima: how many low bits are in NOISE, | 64
 *            where sums are foretold by the hour's mean, else by the step before; where maxima are told as their
 *            distance from the hour's, else from their step's mean, rounded up
 *   COUNTS   of a column without the 8: a varint each step, how many samples
 *   NOISE    the low bits of sums and maxima, numbers_append_noise()
 *   SUMS     what is above them: of each step with samples but the last, the sum less what was foretold, zigzag
 *   MAXIMA   the same of the maxima of each step with samples
 *   ROUGH    of a rough column sum and maximum of each step with samples, as doubles
 *
 * The last step's sum is what the others leave of the hour's.
 */
#ifndef VIGIE_FCGI_SQLITE_BLOCK_INTERNAL_H
#define VIGIE_FCGI_SQLITE_BLOCK_INTERNAL_H

#include "fcgi/sqlite/block.h"
#include "fcgi/sqlite/frame.h"
#include "fcgi/sqlite/numbers.h"

enum block_section {
	SECTION_TIMES,
	SECTION_CODES,
	SECTION_UNITS,
	SECTION_HEADS,
	SECTION_RUNS,
	/* of each a section for arrays of 1, 2, 4, 8 and more bits: */
	SECTION_GAPS,
	SECTION_CHANGES = SECTION_GAPS + 5,
	SECTION_DENSE = SECTION_CHANGES + 5,
	SECTION_DOUBLES = SECTION_DENSE + 5,
	SECTION_COUNT
};

enum { HOUR_CODES, HOUR_UNITS, HOUR_HEADS, HOUR_HIGHEST, HOUR_COUNT };
enum { STEPS_CODES, STEPS_COUNTS, STEPS_NOISE, STEPS_SUMS, STEPS_MAXIMA, STEPS_ROUGH, STEPS_COUNT };

enum block_kind { KIND_ABSENT, KIND_ZERO, KIND_CONSTANT, KIND_VALUES, KIND_DIFFERENCES, KIND_CHANGES, KIND_DOUBLES };
enum summary_kind { SUMMARY_ABSENT, SUMMARY_ZERO, SUMMARY_CONSTANT, SUMMARY_VARYING, SUMMARY_ROUGH };

enum {
	CODE_KIND = 7,
	CODE_AS_BEFORE = 8,
	COLUMN_WIDTH_SHIFT = 4,
	STEPS_SHIFT = 63,
	STEPS_BY_HOUR = 64,
	SUMMARY_CODE_BITS = 4,
};

/* The sum of so many samples whose mean is that of others. */
static inline uint64_t block_foretell(uint64_t sum, uint64_t count, uint64_t samples)
{
	return count == samples ? sum : sum * samples / count;
}

/* Their mean, rounded up: their maximum is not lower. */
static inline uint64_t block_mean_up(uint64_t sum, uint64_t count)
{
	return sum / count + (sum % count != 0);
}

/* Of `first` and the four behind it. */
static inline enum block_section block_array_section(enum block_section first, enum numbers_width width)
{
	unsigned place = width <= NUMBERS_1 ? 0 : width >= NUMBERS_16 ? 4 : width - NUMBERS_1;
	return (enum block_section)(first + place);
}

/* The values of one series and half, by rising time. */
struct block_column {
	size_t count;
	uint32_t *at;          /* at[count]: indices of their times */
	double *values;        /* values[count] */
	uint64_t *thousandths; /* thousandths[count], where they give all values exactly; else useless */
	bool whole;            /* they do */
};

/* The greatest common divisor; of 0 and a number that number. */
uint64_t block_divisor(uint64_t one, uint64_t other);

/* Makes the samples of one hour. */
struct column_writer {
	struct text sections[SECTION_COUNT];
	uint32_t series;  /* the last one */
	uint32_t *before; /* at[before_count] of the last column */
	size_t before_count;
	size_t samples;                 /* of all columns */
	uint64_t *values, *differences; /* what a column may be written as */
};

/* Begins an hour with that many times. 0 or -ENOMEM; ended with column_writer_reset() in any case. */
int column_writer_open(struct column_writer *writer, size_t times) __attribute__((warn_unused_result));

/* Adds the next series, columns[HALF_COUNT]. */
void column_writer_add(struct column_writer *writer, uint32_t series, const struct block_column *columns);

/* Appends the samples; times[count] are all offsets, which at[] of the columns tell. 0, -ENOMEM or -E2BIG. */
int column_writer_finish(struct column_writer *writer, const uint32_t times[], size_t count,
                         struct frame_writer *frames, struct text *samples) __attribute__((warn_unused_result));

void column_writer_reset(struct column_writer *writer);
/* Of one that is reset. */
void column_writer_free(struct column_writer *writer);

/* Makes the summaries of one hour. */
struct summarizer {
	struct text hour[HOUR_COUNT], steps[STEPS_COUNT];
	struct numbers_bits_writer noise;
	uint32_t series;              /* the last one */
	uint32_t counts[BLOCK_STEPS]; /* of the steps of the last column */
};

/* Adds the next series, columns[HALF_COUNT]; times[] are the offsets that at[] of them tell. */
void summarizer_add(struct summarizer *summarizer, uint32_t series, const struct block_column *columns,
                    const uint32_t times[]);

/* Appends the summaries. 0, -ENOMEM or -E2BIG. */
int summarizer_finish(struct summarizer *summarizer, struct frame_writer *frames, struct text *summaries)
	__attribute__((warn_unused_result));

void summarizer_reset(struct summarizer *summarizer);
void summarizer_free(struct summarizer *summarizer);

/* Passes over the first byte of a string. False where it is empty, or its layout another. */
static inline bool block_take_layout(struct varint_bytes *bytes)
{
	return bytes->at != bytes->end && *bytes->at++ == BLOCK_LAYOUT;
}

/* The numbers of series, which rise. */
struct block_numbering {
	uint32_t number;
	bool begun;
};

/* Takes the difference to the next one from the codes. False where it is damaged. */
bool block_next_number(struct block_numbering *numbering, struct varint_bytes *codes);

/* Where a column of the samples is, and its values once they are asked for. */
struct samples_column {
	enum block_kind kind;
	enum numbers_width width, gap_width;
	size_t count;
	const uint32_t *at;                /* at[count]: the offsets of its times */
	uint64_t first, unit;              /* its heads */
	size_t changes;
	const unsigned char *gaps, *numbers; /* its arrays */
	double *values;                      /* values[count]: those that were asked for */
};

/* All arrays of it have room for `capacity` times. */
struct samples_reader {
	struct varint_bytes sections[SECTION_COUNT];
	struct block_numbering series;
	uint64_t samples_left; /* of the columns that are still to come */
	uint32_t *times;       /* times[time_count] */
	size_t time_count, capacity;
	uint32_t *at[2];       /* the offsets of columns; at[before][before_count] those of the last one */
	int before;
	size_t before_count;
	uint64_t *numbers[2];
	struct samples_column columns[HALF_COUNT];
};

/* What an hour's summaries say of a column; in units, of a rough one as the bits of doubles. */
struct summary_column {
	enum summary_kind kind;
	bool as_before;
	uint32_t count;
	uint64_t unit, sum, maximum;
};

/* Goes over the summaries of an hour series by series. */
struct hour_walk {
	struct varint_bytes codes, units, heads, highest;
	struct block_numbering series;
	uint32_t count; /* of the last column's samples */
};

/* What is said of the steps of a column. */
struct steps_column {
	struct summary_column hour;
	uint32_t counts[BLOCK_STEPS];
	unsigned sums_code, maxima_code;
	size_t used; /* steps with samples */
	uint64_t sums[BLOCK_STEPS], maxima[BLOCK_STEPS]; /* of these, as they are written */
};

struct summaries_reader {
	struct hour_walk hour, passed;  /* the second is where the steps have been passed over */
	struct varint_bytes steps;      /* their frame */
	bool steps_read;                /* and its sections are found */
	struct varint_bytes sections[STEPS_COUNT];
	struct numbers_bits_reader noise;
	uint32_t counts[BLOCK_STEPS];   /* of the last column that was passed over */
	struct steps_column columns[HALF_COUNT]; /* of the last series */
};

struct block_reader {
	struct frame_reader frame, steps_frame;
	struct samples_reader samples;
	struct summaries_reader summaries;
};

#endif
