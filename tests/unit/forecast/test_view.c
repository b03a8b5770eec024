/* forecast/view.h */
#include "tests/unit/support/cmocka.h"

#include <math.h>

#include "forecast/view.h"

static struct timeline timeline;
static struct view view, room;

/* Steps of a minute, five of which are a slot: step k has the value k. */
static int set_up(void **state)
{
	(void)state;
	timeline_init(&timeline);
	assert_int_equal(timeline_set_step(&timeline, 60), 0);
	assert_int_equal(timeline.pool, 5);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	timeline_free(&timeline);
	return 0;
}

static void add_steps(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		timeline_add(&timeline, i, (struct step){ (float)i, (float)i });
}

static void assert_slots(struct step present, double phase, const float expected[], unsigned count)
{
	assert_true(view_make(&timeline, present, phase, &view));
	const struct view *slots = view_slots(&timeline, &view, &room);
	assert_ptr_equal(slots, &room);
	assert_int_equal(slots->count, count);
	for (unsigned i = 0; i < count; i++)
		assert_true(slots->max[i] == expected[i]);
}

static void test_view_slots_present_in_the_slot_that_goes_on(void **state)
{
	(void)state;
	add_steps(13); /* up to the third of the third slot */
	assert_slots((struct step){ NAN, NAN }, 0, (const float[]){ 4, 9, 12 }, 3);
	assert_slots((struct step){ 50, 50 }, 0.2, (const float[]){ 4, 9, 50 }, 3);
	assert_slots((struct step){ 50, 50 }, 0.7, (const float[]){ 4, 9, 50 }, 3);
	assert_slots((struct step){ 3, 3 }, 0.7, (const float[]){ 4, 9, 12 }, 3);
}

static void test_view_slots_present_that_begins_a_slot(void **state)
{
	(void)state;
	add_steps(15); /* the third slot is full, and has not come to its end */
	assert_slots((struct step){ 50, 50 }, 0.2, (const float[]){ 4, 9, 50 }, 3);
	assert_slots((struct step){ 50, 50 }, 0.7, (const float[]){ 4, 9, 14, 50 }, 4);
	assert_slots((struct step){ 3, 3 }, 0.7, (const float[]){ 4, 9, 14, 3 }, 4);
}

static void test_view_slots_of_steps_that_are_slots_is_the_view(void **state)
{
	(void)state;
	timeline_free(&timeline);
	timeline_init(&timeline);
	assert_int_equal(timeline_set_step(&timeline, 300), 0);
	add_steps(5);
	assert_true(view_make(&timeline, (struct step){ 50, 50 }, 0.7, &view));
	assert_ptr_equal(view_slots(&timeline, &view, &room), &view);
	assert_int_equal(view.count, 6);
}

static void test_view_max_goes_back_from_the_newest(void **state)
{
	(void)state;
	add_steps(5);
	assert_true(view_make(&timeline, (struct step){ 50, 50 }, 0.7, &view));
	for (unsigned back = 0; back < 8; back++) {
		double expected = back == 0 ? 50 : back < 6 ? 5 - back : 0;
		assert_true(view_max_or_oldest(&view, back) == expected);
		assert_true(back > 5 || view_max(&view, back) == expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_view_slots_present_in_the_slot_that_goes_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_view_slots_present_that_begins_a_slot, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_view_slots_of_steps_that_are_slots_is_the_view, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_view_max_goes_back_from_the_newest, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
