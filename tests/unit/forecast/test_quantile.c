/* forecast/quantile.h */
#include "tests/unit/support/cmocka.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/forecast/dice.h"
#include "forecast/quantile.h"

enum { COUNT_MAX = 600, ARRAYS = 4000 };

static int compare(const void *left, const void *right)
{
	float a = *(const float *)left, b = *(const float *)right;
	return (a > b) - (a < b);
}

static void test_quantile_of_none_is_nan(void **state)
{
	(void)state;
	float none[1] = { 7 };
	for (double fraction = 0; fraction <= 1; fraction += 0.25)
		assert_true(isnan(quantile(none, 0, fraction)));
	assert_true(none[0] == 7);
}

static void test_quantile_table(void **state)
{
	(void)state;
	static const struct {
		float values[12];
		unsigned count;
		double fraction;
		float expected;
	} cases[] = {
		{ { 7 }, 1, 0, 7 },
		{ { 7 }, 1, 0.5, 7 },
		{ { 7 }, 1, 1, 7 },
		{ { 2, 1 }, 2, 0, 1 },
		{ { 2, 1 }, 2, 0.49, 1 },
		{ { 2, 1 }, 2, 0.5, 2 }, /* of two that are as near the higher one */
		{ { 2, 1 }, 2, 1, 2 },
		{ { 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1 }, 11, 0.1, 2 },
		{ { 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1 }, 11, 0.14, 2 },
		{ { 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1 }, 11, 0.16, 3 },
		{ { 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1 }, 11, 0.9, 10 },
		{ { 1, 1, 1, 1, 1, 1 }, 6, 0.9, 1 },
		{ { 1, 1, 1, 1, 1, 2 }, 6, 0.9, 2 }, /* 4.5 */
		{ { 1, 1, 1, 1, 1, 2 }, 6, 0.89, 1 },
		{ { -INFINITY, INFINITY, 0 }, 3, 0, -INFINITY },
		{ { -INFINITY, INFINITY, 0 }, 3, 0.5, 0 },
		{ { -INFINITY, INFINITY, 0 }, 3, 1, INFINITY },
		{ { -3, -1, -2 }, 3, 0.5, -2 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		float values[12];
		memcpy(values, cases[i].values, sizeof(values));
		float seen = quantile(values, cases[i].count, cases[i].fraction);
		if (!(seen == cases[i].expected))
			fail_msg("case %zu: %g", i, (double)seen);
	}
}

/* Ties, order and length are the dice's; what comes out is what sorting gives, of the same values. */
static void test_quantile_random_arrays_as_sorting_gives(void **state)
{
	(void)state;
	uint64_t dice = dice_take(1);
	for (int array = 0; array < ARRAYS; array++) {
		float values[COUNT_MAX], sorted[COUNT_MAX];
		unsigned count = 1 + dice_below(&dice, array % 2 ? COUNT_MAX : 12);
		unsigned distinct = 1 + dice_below(&dice, array % 3 ? 5 : 100000);
		for (unsigned i = 0; i < count; i++)
			values[i] = (float)dice_below(&dice, distinct) / 7;
		memcpy(sorted, values, sizeof(sorted));
		qsort(sorted, count, sizeof(sorted[0]), compare);
		if (array % 5 == 0)
			memcpy(values, sorted, sizeof(values));
		double fraction = array % 4 == 0 ? 0.1 : array % 4 == 1 ? 0.9 : dice_uniform(&dice);
		float expected = sorted[(unsigned)floor(fraction * (count - 1) + 0.5)];
		float seen = quantile(values, count, fraction);
		if (seen != expected)
			fail_msg("array %d: %g of %u: %g, not %g", array, fraction, count, (double)seen, (double)expected);
		qsort(values, count, sizeof(values[0]), compare);
		assert_memory_equal(values, sorted, count * sizeof(values[0]));
	}
}

/* Both at once, and the values as they were: spread evenly, unevenly, with ties, all the same. */
static void test_quantile_pair_random_arrays_as_sorting_gives(void **state)
{
	(void)state;
	uint64_t dice = dice_take(2);
	for (int array = 0; array < ARRAYS; array++) {
		float values[QUANTILE_MAX], sorted[QUANTILE_MAX], before[QUANTILE_MAX], seen[2];
		unsigned count = 1 + dice_below(&dice, array % 2 ? QUANTILE_MAX : 12);
		double fractions[2] = { array % 3 ? 0.1 : dice_uniform(&dice), array % 3 ? 0.9 : dice_uniform(&dice) };
		static const double sizes[] = { 1, 1e-42, 1e-20, 1e-3, 1e6, 1e30 };
		double size = sizes[dice_below(&dice, sizeof(sizes) / sizeof(sizes[0]))];
		for (unsigned i = 0; i < count; i++) {
			double even = dice_uniform(&dice);
			values[i] = (float)(size * (array % 5 == 0 ? floor(4 * even) : array % 5 == 1 ? pow(even, 30) : array % 5 == 2 ? 1 + 1e-6 * even :
			                            array % 5 == 3 ? even - 0.5 : (i % 100 == 7 ? 1e8 : even)));
		}
		if (array % 50 == 9) {
			values[0] = 3e38f;
			values[count - 1] = -3e38f;
		}
		memcpy(before, values, sizeof(before));
		memcpy(sorted, values, sizeof(sorted));
		qsort(sorted, count, sizeof(sorted[0]), compare);
		quantile_pair(values, count, fractions[0], fractions[1], &seen[0], &seen[1]);
		for (int i = 0; i < 2; i++) {
			float expected = sorted[(unsigned)floor(fractions[i] * (count - 1) + 0.5)];
			if (seen[i] != expected)
				fail_msg("array %d: %g of %u: %g, not %g", array, fractions[i], count, (double)seen[i], (double)expected);
		}
		assert_memory_equal(values, before, count * sizeof(values[0]));
	}
	float none[1] = { 7 }, low = 0, high = 0;
	quantile_pair(none, 0, 0.1, 0.9, &low, &high);
	assert_true(isnan(low) && isnan(high));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quantile_of_none_is_nan),
		cmocka_unit_test(test_quantile_table),
		cmocka_unit_test(test_quantile_random_arrays_as_sorting_gives),
		cmocka_unit_test(test_quantile_pair_random_arrays_as_sorting_gives),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
