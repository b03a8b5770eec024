/* forecast/week.h */
#include "tests/unit/support/cmocka.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/forecast/dice.h"
#include "forecast/week.h"

enum { STEP_S = 300, DAY = 288, START = 5937024, SLOT = 3 };

/* The highest of slots first to last; 0: none is known. Those of any length are looked at a week at a time. */
static unsigned week_highest(const struct week *week, int64_t first, int64_t last)
{
	unsigned highest = 0;
	for (int64_t end = last; end >= first; end -= WEEK_SLOTS) {
		uint8_t codes[WEEK_SLOTS];
		week_unroll(week, end, codes);
		for (int i = 0; i < WEEK_SLOTS; i++) {
			if (end - WEEK_SLOTS + 1 + i >= first && codes[i] > highest)
				highest = codes[i];
		}
	}
	return highest;
}

static void test_week_code_keeps_order_and_what_is_over_the_limit(void **state)
{
	(void)state;
	assert_int_equal(week_code(0), 1);
	assert_int_equal(week_code(-1), 1);
	assert_int_equal(week_code(1), WEEK_LIMIT);
	assert_int_equal(week_code(nextafterf(1, 2)), WEEK_LIMIT + 1);
	assert_int_equal(week_code(1e6f), 255);
	unsigned before = 1;
	for (float value = 0; value < 8; value += 0.001f) {
		unsigned code = week_code(value);
		assert_true(code >= before && code <= 255);
		assert_true((code > WEEK_LIMIT) == (value > 1) && (week_value(code) > 1) == (value > 1));
		if (value < 4.9f)
			assert_true(fabsf(week_value(code) - value) < (value > 1 ? 0.0158f : 0.0041f));
		before = code;
	}
	for (unsigned code = 1; code <= 255; code++)
		assert_int_equal(week_code(week_value(code)), code);
}

static void test_week_add_remembers_the_highest_of_each_quarter_for_a_week(void **state)
{
	(void)state;
	uint64_t dice = dice_take(1);
	enum { COUNT = 3 * WEEK_SLOTS * SLOT };
	static float values[COUNT];
	struct week week;
	week_init(&week, STEP_S);
	assert_int_equal(week_highest(&week, 0, 3 * WEEK_SLOTS), 0);
	for (int i = 0; i < COUNT; i++) {
		values[i] = dice_below(&dice, 3) ? (float)dice_uniform(&dice) : NAN;
		week_add(&week, START + i, values[i]);
		if (i % 97)
			continue;
		for (int slot = START / SLOT; slot <= (START + i) / SLOT; slot++) {
			unsigned highest = 0;
			for (int at = slot * SLOT - START; at < slot * SLOT - START + SLOT && at <= i; at++)
				highest = at >= 0 && !isnan(values[at]) && week_code(values[at]) > highest ? week_code(values[at]) : highest;
			bool kept = slot > week.newest - WEEK_SLOTS;
			assert_int_equal(week_highest(&week, slot, slot), kept ? highest : 0);
		}
	}
}

/* A gap is unknown, not zero, and what was a week before it is forgotten with it. */
static void test_week_add_after_a_gap_knows_nothing_of_it(void **state)
{
	(void)state;
	static const int gaps[] = { 1, 5, 95, WEEK_SLOTS - 1, WEEK_SLOTS, WEEK_SLOTS + 1, 10 * WEEK_SLOTS };
	for (size_t i = 0; i < sizeof(gaps) / sizeof(gaps[0]); i++) {
		struct week week;
		int64_t first = START / SLOT, last = first + 2 * WEEK_SLOTS, after = last + gaps[i];
		week_init(&week, STEP_S);
		for (int64_t slot = first; slot <= last; slot++)
			week_add(&week, slot * SLOT, 0.5f);
		week_add(&week, after * SLOT, 0.75f);
		assert_int_equal(week_highest(&week, last + 1, after - 1), 0);
		assert_int_equal(week_highest(&week, first, after - WEEK_SLOTS), 0);
		assert_int_equal(week_highest(&week, after - WEEK_SLOTS + 1, last), gaps[i] < WEEK_SLOTS ? week_code(0.5f) : 0);
		assert_int_equal(week_highest(&week, first, after + WEEK_SLOTS), week_code(0.75f));
	}
}

static void test_week_slot_a_day_is_a_day_for_any_step(void **state)
{
	(void)state;
	static const int64_t steps[] = { 1, 60, 300, 900, 3600 };
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct week week;
		int64_t steps_a_day = 86400 / steps[i];
		week_init(&week, steps[i]);
		for (int64_t day = 0; day < 20000; day += 999) {
			assert_int_equal(week_slot(&week, day * steps_a_day), day * WEEK_DAY);
			assert_int_equal(week_slot(&week, day * steps_a_day + steps_a_day / 2), day * WEEK_DAY + WEEK_DAY / 2);
		}
	}
}

/* Every step of the last two days once more, as after a restart: nothing is another. */
static void test_week_restore_then_the_same_history_changes_nothing(void **state)
{
	(void)state;
	uint64_t dice = dice_take(2);
	for (int round = 0; round < 20; round++) {
		enum { COUNT = 9 * DAY };
		static float values[COUNT];
		int count = 1 + (int)dice_below(&dice, COUNT), again = (int)dice_below(&dice, 2 * DAY);
		struct week week, restored;
		struct text text = TEXT_EMPTY;
		week_init(&week, STEP_S);
		week_init(&restored, STEP_S);
		for (int i = 0; i < count; i++) {
			values[i] = dice_below(&dice, 20) ? (float)(2 * dice_uniform(&dice)) : NAN;
			week_add(&week, START + i, values[i]);
		}
		week_save(&week, &text);
		const char *at = text.data;
		assert_true(week_restore(&restored, &at, 1));
		assert_int_equal(*at, '\0');
		for (int i = count > again ? count - again : 0; i < count; i++)
			week_add(&restored, START + i, values[i]);
		assert_int_equal(restored.newest, week.newest);
		assert_memory_equal(restored.highest, week.highest, sizeof(week.highest));
		text_free(&text);
	}
}

/* Of a series that has no step yet, as one whose history is still to be read. */
static void test_week_save_of_nothing_is_nothing(void **state)
{
	(void)state;
	struct week week, restored;
	struct text text = TEXT_EMPTY;
	week_init(&week, STEP_S);
	week_init(&restored, STEP_S);
	week_save(&week, &text);
	const char *at = text.data;
	assert_true(week_restore(&restored, &at, 1));
	assert_int_equal(*at, '\0');
	assert_int_equal(week_highest(&restored, 0, WEEK_SLOTS), 0);
	text_free(&text);
}

/* What the clock was set back over counts no more once the time comes again; a week back is another life. */
static void test_week_add_after_the_clock_was_set_back(void **state)
{
	(void)state;
	struct week week, restored;
	struct text text = TEXT_EMPTY;
	week_init(&week, STEP_S);
	for (int i = 0; i < 8 * DAY; i++)
		week_add(&week, START + i, 2);
	week_save(&week, &text);
	for (int back = DAY; back <= 30 * DAY; back += 29 * DAY) {
		const char *at = text.data;
		week_init(&restored, STEP_S);
		assert_true(week_restore(&restored, &at, 1));
		int64_t first = START + 8 * DAY - back;
		for (int64_t index = first; index < first + DAY; index++)
			week_add(&restored, index, 0.5f);
		/* The first slot may have begun before. */
		assert_int_equal(week_highest(&restored, first / SLOT + 1, (first + DAY) / SLOT - 1), week_code(0.5f));
		assert_int_equal(week_highest(&restored, 0, first / SLOT - 1), back == DAY ? week_code(2) : 0);
	}
	text_free(&text);
}

static void test_week_restore_in_units_of_another_limit(void **state)
{
	(void)state;
	struct week week, restored;
	struct text text = TEXT_EMPTY;
	week_init(&week, STEP_S);
	week_init(&restored, STEP_S);
	week_add(&week, START, 0.4f);
	week_add(&week, START + SLOT, 0.8f);
	week_add(&week, START + 3 * SLOT, 3);
	week_save(&week, &text);
	const char *at = text.data;
	assert_true(week_restore(&restored, &at, 2));
	int64_t slot = START / SLOT;
	assert_true(fabsf(week_value(week_highest(&restored, slot, slot)) - 0.8f) < 0.01f);
	assert_true(fabsf(week_value(week_highest(&restored, slot + 1, slot + 1)) - 1.6f) < 0.04f);
	assert_int_equal(week_highest(&restored, slot + 2, slot + 2), 0);
	assert_int_equal(week_highest(&restored, slot + 3, slot + 3), 255);
	text_free(&text);
}

static void test_week_restore_what_is_none_is_refused(void **state)
{
	(void)state;
	struct week week, restored, before;
	struct text text = TEXT_EMPTY;
	week_init(&week, STEP_S);
	week_init(&restored, STEP_S);
	before = restored;
	week_add(&week, START, 0.4f);
	week_save(&week, &text);
	for (size_t length = 0; length < text.length; length++) {
		char *cut = strndup(text.data, length);
		const char *at = cut;
		assert_false(week_restore(&restored, &at, 1));
		assert_ptr_equal(at, cut);
		free(cut);
	}
	for (const char *instead = "gF -x\n"; *instead; instead++) {
		size_t places[] = { 0, text.length - 1, text.length - 2, text.length / 2 };
		for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
			char *other = strdup(text.data);
			const char *at = other;
			other[places[i]] = *instead;
			assert_false(week_restore(&restored, &at, 1));
			free(other);
		}
	}
	assert_memory_equal(&restored, &before, sizeof(before));
	text_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_week_code_keeps_order_and_what_is_over_the_limit),
		cmocka_unit_test(test_week_add_remembers_the_highest_of_each_quarter_for_a_week),
		cmocka_unit_test(test_week_add_after_a_gap_knows_nothing_of_it),
		cmocka_unit_test(test_week_slot_a_day_is_a_day_for_any_step),
		cmocka_unit_test(test_week_restore_then_the_same_history_changes_nothing),
		cmocka_unit_test(test_week_save_of_nothing_is_nothing),
		cmocka_unit_test(test_week_add_after_the_clock_was_set_back),
		cmocka_unit_test(test_week_restore_in_units_of_another_limit),
		cmocka_unit_test(test_week_restore_what_is_none_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
