/* fcgi/sqlite/packing.h */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/fcgi/helpers.h"

#include <errno.h>
#include <math.h>

#include "fcgi/sqlite/packing.h"

enum { ENTRIES_MAX = 300 };

static const double values[] = { 0, 0.001, 0.1, 12.345, 1.0 / 3, 80, 99.999, 100, 1e12, 999999999999.999, 1e12 - 1,
	                         5e-324, 2.2250738585072014e-308, 0.0001, 0.00049999999999999999, 123456.789,
	                         1.0000000000000002, 6400, 0.3 - 0.1,
	                         /* the last and the first of so many bytes */
	                         0.127, 0.128, 16.383, 16.384, 2097.151, 2097.152, 268435.455, 268435.456 };

/* Reads a row that is right; returns how many entries it has. */
static size_t decode(const struct text *row, struct packing_entry entries[], size_t most)
{
	struct packing_reader reader = packing_read(row->data, row->length);
	size_t count = 0;
	int more;
	for (more = packing_next(&reader); more == 1; more = packing_next(&reader)) {
		assert_true(count < most);
		entries[count++] = reader.entry;
	}
	assert_int_equal(more, 0);
	return count;
}

static void assert_same(const struct packing_entry *a, const struct packing_entry *b)
{
	assert_int_equal(a->offset_ms, b->offset_ms);
	assert_int_equal(a->series, b->series);
	for (int i = 0; i < HALF_COUNT; i++) {
		assert_int_equal(a->present[i], b->present[i]);
		if (a->present[i])
			assert_memory_equal(&a->value[i], &b->value[i], sizeof(double));
	}
}

static void test_packing_encode_each_value_comes_back_bit_for_bit(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(values); i++) {
		for (size_t j = 0; j < COUNT_OF(values); j++) {
			/* one that more follows, by little and by much, and the last one */
			struct packing_entry entries[] = {
				{ 9999, 1, { true, true }, { values[i], values[j] } },
				{ 9999, 2, { false, true }, { 0, values[j] } },
				{ 9999, 3, { true, false }, { values[i], 0 } },
				{ 9999, 4294967295, { true, true }, { values[i], values[j] } },
			};
			struct packing_entry back[COUNT_OF(entries)];
			struct text row = TEXT_EMPTY;
			packing_encode(entries, COUNT_OF(entries), &row);
			assert_int_equal(decode(&row, back, COUNT_OF(entries)), COUNT_OF(entries));
			for (size_t k = 0; k < COUNT_OF(entries); k++)
				assert_same(&entries[k], &back[k]);
			text_free(&row);
		}
	}
}

static void test_packing_code_of_is_the_shortest_that_gives_the_value_back(void **state)
{
	(void)state;
	static const struct {
		double value;
		enum packing_code code;
		uint64_t thousandths;
	} cases[] = {
		{ 0, PACKING_ZERO, 0 },
		{ 0.001, PACKING_THOUSANDTHS, 1 },
		{ 12.345, PACKING_THOUSANDTHS, 12345 },
		{ 999999999999.999, PACKING_THOUSANDTHS, 999999999999999 },
		{ 0.0004, PACKING_DOUBLE, 0 },
		{ 1.0 / 3, PACKING_DOUBLE, 0 },
		{ 1e12, PACKING_DOUBLE, 0 },
		{ 2e12, PACKING_DOUBLE, 0 },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		uint64_t thousandths = 77;
		assert_int_equal(packing_code_of(cases[i].value, &thousandths), cases[i].code);
		assert_int_equal(thousandths, cases[i].thousandths);
	}
}

/* Its two codes fill no bit, and the number before it goes on in a byte of its own. */
static void test_packing_next_an_entry_of_neither_half_is_one(void **state)
{
	(void)state;
	const struct packing_entry entries[] = {
		{ 0, 8, { false, false }, { 0, 0 } },
		{ 0, 9, { true, true }, { 1.0 / 3, 1.0 / 3 } },
	};
	struct packing_entry back[COUNT_OF(entries)];
	struct text row = TEXT_EMPTY;
	packing_encode(entries, COUNT_OF(entries), &row);
	assert_int_equal(decode(&row, back, COUNT_OF(back)), COUNT_OF(entries));
	for (size_t i = 0; i < COUNT_OF(entries); i++)
		assert_same(&entries[i], &back[i]);
	text_free(&row);
}

/* The figures of the header: a byte a sample where most are zero. */
static void test_packing_encode_usual_values_take_few_bytes(void **state)
{
	(void)state;
	struct packing_entry entries[100];
	struct text row = TEXT_EMPTY;
	for (uint32_t i = 0; i < 100; i++)
		entries[i] = (struct packing_entry){ 0, i + 1, { true, true }, { 0.1, 0 } };
	packing_encode(entries, 100, &row);
	assert_int_equal(row.length, 2 + 100 * 2);
	text_reset(&row);
	packing_encode(entries, 0, &row);
	assert_int_equal(row.length, 0);
	text_free(&row);
}

static double any_value(void)
{
	uint64_t bits = (uint64_t)mrand48() << 32 ^ (uint64_t)mrand48();
	double value;
	switch (rand() % 4) {
	case 0:
		return values[(size_t)rand() % COUNT_OF(values)];
	case 1:
		return (rand() % 200000) / 1000.0;
	case 2:
		return drand48() * pow(10, rand() % 13);
	default:
		memcpy(&value, &bits, sizeof(value));
		return isfinite(value) ? fabs(value) : 1.5;
	}
}

/* Random entries, sorted, no pair twice. */
static size_t any_entries(struct packing_entry entries[ENTRIES_MAX])
{
	size_t count = (size_t)rand() % ENTRIES_MAX;
	uint32_t offset_ms = (uint32_t)rand() % 3 ? 0 : (uint32_t)rand() % 9000;
	uint32_t series = 0;
	for (size_t i = 0; i < count; i++) {
		if (rand() % 50 == 0) {
			offset_ms += 1 + (uint32_t)rand() % 3;
			series = 0;
		}
		series += 1 + (rand() % 3 ? 0 : (uint32_t)rand() % 100000);
		int present = 1 + rand() % 3;
		entries[i] = (struct packing_entry){ offset_ms, series, { present & 1, present & 2 }, { 0, 0 } };
		for (int j = 0; j < HALF_COUNT; j++) {
			if (entries[i].present[j])
				entries[i].value[j] = any_value();
		}
	}
	return count;
}

static void test_packing_next_random_entries_come_back(void **state)
{
	(void)state;
	struct packing_entry entries[ENTRIES_MAX], back[ENTRIES_MAX];
	unsigned seed = seed_take();
	srand(seed);
	srand48((long)seed);
	for (int round = 0; round < 300; round++) {
		struct text row = TEXT_EMPTY;
		size_t count = any_entries(entries);
		packing_encode(entries, count, &row);
		assert_false(text_failed(&row));
		assert_int_equal(decode(&row, back, ENTRIES_MAX), count);
		for (size_t i = 0; i < count; i++)
			assert_same(&entries[i], &back[i]);
		text_free(&row);
	}
}

/* Reads bytes that may be anything: must end, and within their copy on the heap. Every
 * entry takes a byte, so there are no more entries than bytes. */
static int read_anything(const char *bytes, size_t length, size_t *ret_entries)
{
	char *copy = malloc(length + !length);
	assert_non_null(copy);
	if (length)
		memcpy(copy, bytes, length);
	struct packing_reader reader = packing_read(copy, length);
	size_t entries = 0;
	int more;
	for (more = packing_next(&reader); more == 1; more = packing_next(&reader))
		entries++;
	assert_true(entries <= length);
	free(copy);
	*ret_entries = entries;
	return more;
}

/* A section says how many entries it has: a cut row is damaged, unless the cut is
 * between two sections. */
static void test_packing_next_every_truncation_ends(void **state)
{
	(void)state;
	struct packing_entry entries[] = {
		{ 0, 1, { true, true }, { 1.0 / 3, 12.345 } },
		{ 0, 70000, { true, false }, { 0, 0 } },
		{ 5, 1, { false, true }, { 0, 5e-324 } },
	};
	struct text row = TEXT_EMPTY;
	packing_encode(entries, 2, &row);
	size_t first_section = row.length;
	packing_encode(entries + 2, 1, &row);
	for (size_t length = 0; length <= row.length; length++) {
		size_t count;
		bool whole = length == 0 || length == first_section || length == row.length;
		assert_int_equal(read_anything(row.data, length, &count), whole ? 0 : -1);
	}
	text_free(&row);
}

/* It is not looked at, though it is there. */
static void test_packing_next_last_byte_behind_the_end_is_damaged(void **state)
{
	(void)state;
	static const double longest = 268435.455; /* of those that are read at one go */
	const struct packing_entry entry = { 0, 1, { true, true }, { longest, longest } };
	struct text row = TEXT_EMPTY;
	packing_encode(&entry, 1, &row);
	assert_int_equal(row.length, 2 + 1 + 4 + 4);
	struct packing_reader reader = packing_read(row.data, row.length - 1);
	assert_int_equal(packing_next(&reader), -1);
	text_free(&row);
}

static void test_packing_next_random_damage_ends(void **state)
{
	(void)state;
	struct packing_entry entries[ENTRIES_MAX];
	unsigned seed = seed_take();
	srand(seed);
	srand48((long)seed);
	for (int round = 0; round < 3000; round++) {
		struct text row = TEXT_EMPTY;
		size_t count;
		packing_encode(entries, any_entries(entries), &row);
		for (int i = rand() % 8; i >= 0 && row.length; i--)
			row.data[(size_t)rand() % row.length] = (char)(rand() % 3 ? rand() : 0xff);
		int more = read_anything(row.data, row.length, &count);
		assert_true(more == 0 || more == -1);
		text_free(&row);
	}
}

static void test_packing_varint_longer_than_ten_bytes_is_damaged(void **state)
{
	(void)state;
	size_t count;
	char bytes[64];
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(read_anything(bytes, sizeof(bytes), &count), -1);
	/* Sections without entries are no endless loop. */
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(read_anything(bytes, sizeof(bytes), &count), 0);
	assert_int_equal(count, 0);
}

static struct packing_entry entry_of(uint32_t offset_ms, uint32_t series, double value)
{
	return (struct packing_entry){ offset_ms, series, { true, true }, { value, 1.0 / 3 } };
}

static void test_packing_newest_counts_those_of_the_last_time_in_its_span(void **state)
{
	(void)state;
	static const struct {
		uint32_t offsets[4]; /* of its entries, in their order */
		size_t count, entries;
		uint32_t newest;
	} cases[] = {
		{ { 0 }, 0, 0, 0 },
		{ { 0 }, 1, 1, 0 },
		{ { 1 }, 1, 1, 1 },
		{ { 0, 0, 9000 }, 3, 1, 9000 },
		{ { 0, 9000, 9000, 9000 }, 4, 3, 9000 },
		{ { 5, 9999, 9999, 10000 }, 4, 2, 9999 },
		{ { 5, 5, 10000, 10001 }, 4, 2, 5 },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct packing_entry entries[4];
		struct text row = TEXT_EMPTY;
		uint32_t newest = 77;
		size_t count = 78;
		for (size_t j = 0; j < cases[i].count; j++)
			entries[j] = entry_of(cases[i].offsets[j], (uint32_t)j + 1, 80);
		packing_encode(entries, cases[i].count, &row);
		assert_int_equal(packing_newest(row.data, row.length, &newest, &count), 0);
		if (newest != cases[i].newest || count != cases[i].entries)
			fail_msg("case %zu: %u, %zu", i, newest, count);
		if (row.length > 0) {
			assert_int_equal(packing_newest(row.data, row.length - 1, &newest, &count), -EBADMSG);
			assert_int_equal(newest, cases[i].newest);
			assert_int_equal(count, cases[i].entries);
		}
		text_free(&row);
	}
}

/* By time, then by series; of the same one what comes counts, and what does not come stays. */
static void test_packing_merge_is_in_order_and_the_new_one_counts(void **state)
{
	(void)state;
	const struct packing_entry there[] = { entry_of(10, 2, 1), entry_of(10, 4, 2), entry_of(20, 1, 3) };
	const struct packing_entry coming[] = { entry_of(5, 9, 4), entry_of(10, 1, 5), { 10, 4, { false, true }, { 0, 6 } },
		                                entry_of(20, 3, 7), entry_of(30, 1, 8) };
	const struct packing_entry joined = { 10, 4, { true, true }, { there[1].value[0], 6 } };
	const struct packing_entry expected[] = { coming[0], coming[1], there[0], joined, there[2], coming[3], coming[4] };
	struct packing_entry merged[COUNT_OF(expected)];
	struct text row = TEXT_EMPTY, both = TEXT_EMPTY;
	packing_encode(there, COUNT_OF(there), &row);
	assert_int_equal(packing_merge(row.data, row.length, coming, COUNT_OF(coming), &both), 0);
	assert_int_equal(decode(&both, merged, COUNT_OF(merged)), COUNT_OF(expected));
	for (size_t i = 0; i < COUNT_OF(expected); i++)
		assert_same(&merged[i], &expected[i]);
	text_reset(&both);
	assert_int_equal(packing_merge(row.data, row.length - 1, coming, COUNT_OF(coming), &both), -EBADMSG);
	text_reset(&both);
	assert_int_equal(packing_merge(row.data, 0, coming, COUNT_OF(coming), &both), 0);
	assert_int_equal(decode(&both, merged, COUNT_OF(merged)), COUNT_OF(coming));
	text_free(&row);
	text_free(&both);
}

static void test_packing_merge_allocation_fails_is_out_of_memory(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	const struct packing_entry entry = entry_of(10, 2, 1);
	struct text merged = TEXT_EMPTY;
	failing_start(1);
	assert_int_equal(packing_merge(NULL, 0, &entry, 1, &merged), -ENOMEM);
	assert_true(failing_stop());
	assert_int_equal(merged.length, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packing_encode_each_value_comes_back_bit_for_bit),
		cmocka_unit_test(test_packing_code_of_is_the_shortest_that_gives_the_value_back),
		cmocka_unit_test(test_packing_next_an_entry_of_neither_half_is_one),
		cmocka_unit_test(test_packing_encode_usual_values_take_few_bytes),
		cmocka_unit_test(test_packing_next_random_entries_come_back),
		cmocka_unit_test(test_packing_next_every_truncation_ends),
		cmocka_unit_test(test_packing_next_last_byte_behind_the_end_is_damaged),
		cmocka_unit_test(test_packing_next_random_damage_ends),
		cmocka_unit_test(test_packing_varint_longer_than_ten_bytes_is_damaged),
		cmocka_unit_test(test_packing_newest_counts_those_of_the_last_time_in_its_span),
		cmocka_unit_test(test_packing_merge_is_in_order_and_the_new_one_counts),
		cmocka_unit_test(test_packing_merge_allocation_fails_is_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
