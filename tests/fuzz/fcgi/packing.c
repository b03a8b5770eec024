/* Rows as they are packed in the database, of which a disk may have left anything. */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <math.h>

#include "fcgi/sqlite/packing.h"

static bool same_entries(const struct packing_entry *one, const struct packing_entry *other)
{
	bool same = one->offset_ms == other->offset_ms && one->series == other->series;
	for (int i = 0; i < HALF_COUNT; i++) {
		same = same && one->present[i] == other->present[i];
		same = same && (one->value[i] == other->value[i] || (isnan(one->value[i]) && isnan(other->value[i])));
	}
	return same;
}

/* What a row holds is what the row that is made of it holds. */
static void check_merge_of_nothing(const uint8_t *row, size_t size, size_t entries)
{
	struct text merged = TEXT_EMPTY;
	int result = packing_merge(row, size, NULL, 0, &merged);
	assert(result == 0 && !text_failed(&merged));
	struct packing_reader before = packing_read(row, size), after = packing_read(merged.data, merged.length);
	for (size_t i = 0; i < entries; i++) {
		assert(packing_next(&before) == 1 && packing_next(&after) == 1);
		assert(same_entries(&before.entry, &after.entry));
	}
	assert(packing_next(&after) == 0);
	text_free(&merged);
}

/* What is merged over a row is in it. */
static void check_merge_of_one(const uint8_t *row, size_t size)
{
	static const struct packing_entry one = {
		.offset_ms = 3, .series = 2, .present = { true, true }, .value = { 12.5, 1.0 / 3 },
	};
	struct text merged = TEXT_EMPTY;
	int result = packing_merge(row, size, &one, 1, &merged);
	assert(result == 0 && !text_failed(&merged));
	struct packing_reader reader = packing_read(merged.data, merged.length);
	bool found = false;
	int more;
	for (more = packing_next(&reader); more == 1; more = packing_next(&reader))
		found = found || same_entries(&reader.entry, &one);
	assert(more == 0 && found);
	text_free(&merged);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct packing_reader reader = packing_read(bytes, size);
	size_t entries = 0, newest_entries;
	uint32_t newest_ms, latest_ms = 0;
	int more;
	for (more = packing_next(&reader); more == 1; more = packing_next(&reader), entries++)
		if (reader.entry.offset_ms < PACKING_SPAN_MS && reader.entry.offset_ms > latest_ms)
			latest_ms = reader.entry.offset_ms;
	assert(entries <= size);

	int result = packing_newest(bytes, size, &newest_ms, &newest_entries);
	assert(result == (more == 0 ? 0 : -EBADMSG));
	if (more != 0) {
		struct text merged = TEXT_EMPTY;
		result = packing_merge(bytes, size, NULL, 0, &merged);
		assert(result == -EBADMSG && merged.length == 0);
		return 0;
	}
	assert(newest_ms == latest_ms && newest_entries <= entries);
	check_merge_of_nothing(bytes, size, entries);
	check_merge_of_one(bytes, size);
	return 0;
}
