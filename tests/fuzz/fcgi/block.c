/*
 * The blocks of sealed hours, of which a disk may have left anything. The first byte says what follows: "s" and "m"
 * what the frames of samples and of summaries hold, in frames that fit it, of summaries behind the length of the
 * hour's part, two bytes; else samples and summaries as they are.
 */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <zstd.h>

#include "fcgi/sqlite/block.h"

enum { SAMPLES_MAX = 20000 };

static struct block_reader *reader, *again;
static struct block_builder *builder;

static void append_frame(struct text *text, const uint8_t *bytes, size_t size)
{
	char frame[32768];
	size_t length = ZSTD_compress(frame, sizeof(frame), bytes, size, 1);
	assert(!ZSTD_isError(length));
	text_append(text, frame, length);
}

/* Both readers have the same samples of a series. */
static void check_same_series(void)
{
	for (int i = 0; i < HALF_COUNT; i++) {
		struct block_samples one, other;
		int result = block_find_samples(reader, (enum half)i, 0, BLOCK_MS, &one);
		assert(result == 0);
		result = block_find_samples(again, (enum half)i, 0, BLOCK_MS, &other);
		assert(result == 0 && one.count == other.count);
		for (size_t j = 0; j < one.count; j++) {
			assert(one.offset_ms[j] == other.offset_ms[j]);
			bool same = memcmp(&one.value[j], &other.value[j], sizeof(double)) == 0;
			assert(same || one.value[j] == other.value[j]);
		}
	}
}

/* What is read of a block is in the block that is made of it. */
static void check_sealed_again(const void *samples, size_t length)
{
	struct text packed = TEXT_EMPTY, summaries = TEXT_EMPTY;
	uint32_t series, same;
	int result = block_builder_add_block(builder, samples, length);
	if (result == 0)
		result = block_builder_finish(builder, &packed, &summaries);
	if (result == 0)
		result = block_read(again, packed.data, packed.length);
	assert(result == 0);
	result = block_read(reader, samples, length);
	assert(result == 0);
	int more = block_next_series(again, &same);
	while (more == 1) {
		/* A series may have no samples of any half: then it is not there again. */
		do {
			more = block_next_series(reader, &series);
			assert(more == 1 && series <= same);
		} while (series < same);
		check_same_series();
		more = block_next_series(again, &same);
	}
	assert(more == 0);
	text_free(&packed);
	text_free(&summaries);
}

static void check_samples(const void *samples, size_t length)
{
	struct block_samples found;
	uint32_t series, before = 0;
	size_t count = 0, series_count = 0;
	int result = block_read(reader, samples, length), more = 1;
	while (result == 0 && more == 1 && count < SAMPLES_MAX) {
		more = block_next_series(reader, &series);
		assert(more != 1 || series_count == 0 || series > before);
		before = series;
		series_count++;
		for (int i = 0; i < HALF_COUNT && more == 1 && result == 0; i++) {
			result = block_find_samples(reader, (enum half)i, 0, BLOCK_MS, &found);
			count += result == 0 ? found.count : 0;
		}
	}
	assert(result == 0 || result == -EBADMSG);
	assert(more >= 0 || more == -EBADMSG);
	if (result == 0 && more == 0)
		check_sealed_again(samples, length);
}

static void check_summaries(const void *summaries, size_t length)
{
	struct block_summary hour[HALF_COUNT], steps[BLOCK_STEPS];
	uint32_t series;
	int result = block_read_summaries(reader, summaries, length), more = 1;
	while (result == 0 && more == 1) {
		more = block_next_summary(reader, &series, hour);
		for (int i = 0; i < HALF_COUNT && more == 1 && result == 0; i++) {
			uint64_t count = 0;
			result = block_find_steps(reader, (enum half)i, steps);
			for (int j = 0; j < BLOCK_STEPS && result == 0; j++)
				count += steps[j].count;
			assert(result != 0 || count == hour[i].count);
		}
	}
	assert(result == 0 || result == -EBADMSG);
	assert(more >= 0 || more == -EBADMSG);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct text text = TEXT_EMPTY;
	if (!reader) {
		reader = block_reader_open();
		again = block_reader_open();
		builder = block_builder_open();
		assert(reader && again && builder);
	}
	if (size && bytes[0] == 's') {
		text_append_char(&text, BLOCK_LAYOUT);
		append_frame(&text, bytes + 1, size - 1);
		check_samples(text.data, text.length);
	} else if (size > 2 && bytes[0] == 'm') {
		struct text hour = TEXT_EMPTY;
		size_t rest = size - 3, length = (size_t)(bytes[1] | bytes[2] << 8) % (rest + 1);
		append_frame(&hour, bytes + 3, length);
		text_append_char(&text, BLOCK_LAYOUT);
		varint_append(&text, hour.length);
		text_append(&text, hour.data, hour.length);
		append_frame(&text, bytes + 3 + length, rest - length);
		check_summaries(text.data, text.length);
		text_free(&hour);
	} else {
		check_samples(bytes, size);
		check_summaries(bytes, size);
	}
	text_free(&text);
	return 0;
}
