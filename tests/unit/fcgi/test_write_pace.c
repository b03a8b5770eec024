/* fcgi/write_pace.h */
#include "tests/unit/support/cmocka.h"

#include "fcgi/write_pace.h"

static void test_write_pace_before_any_write_nothing_waits(void **state)
{
	(void)state;
	const struct write_pace pace = { 0 };
	assert_int_equal(write_pace_apart(&pace, 3), 0);
	assert_int_equal(write_pace_of(&pace, 1000, 3), 0);
}

/* The longest lasts, and is forgotten little by little; the mean follows. */
static void test_write_pace_note_table(void **state)
{
	(void)state;
	static const struct {
		int64_t took_ns, longest_ns, mean_ns;
	} writes[] = {
		{ 16000, 16000, 16000 }, { 0, 15000, 12000 }, { 7000, 14500, 10750 }, { 14500, 14500, 11687 },
		{ 14600, 14600, 12415 }, { 32000, 32000, 17311 },
	};
	struct write_pace pace = { 0 };
	for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
		write_pace_note(&pace, writes[i].took_ns);
		if (pace.longest_ns != writes[i].longest_ns || pace.mean_ns != writes[i].mean_ns)
			fail_msg("write %zu: %lld %lld", i, (long long)pace.longest_ns, (long long)pace.mean_ns);
	}
}

static void test_write_pace_several_at_a_time_are_spread_and_share_the_work(void **state)
{
	(void)state;
	const struct write_pace pace = { .longest_ns = 900, .mean_ns = 300 };
	assert_int_equal(write_pace_apart(&pace, 1), 900);
	assert_int_equal(write_pace_apart(&pace, 3), 300);
	assert_int_equal(write_pace_of(&pace, 0, 3), 0);
	assert_int_equal(write_pace_of(&pace, 5, 1), 1500);
	assert_int_equal(write_pace_of(&pace, 5, 3), 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write_pace_before_any_write_nothing_waits),
		cmocka_unit_test(test_write_pace_note_table),
		cmocka_unit_test(test_write_pace_several_at_a_time_are_spread_and_share_the_work),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
