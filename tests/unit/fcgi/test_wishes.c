/* fcgi/wishes.h */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fcgi/wishes.h"

static struct wish wish_of(enum wire_service service, const char *ip, bool stop, int64_t time_ms)
{
	struct wish wish = { .service = service, .stop = stop, .time_ms = time_ms };
	strcpy(wish.ip, ip);
	return wish;
}

static void take(struct wishes *wishes, enum wire_service service, const char *ip, bool stop, int64_t time_ms)
{
	const struct wish wish = wish_of(service, ip, stop, time_ms);
	assert_int_equal(wishes_take(wishes, &wish), 0);
}

static void test_wishes_name_comes_back_and_others_are_none(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		enum wire_service service;
		const char *ip;
	} cases[] = {
		{ "collector", WIRE_COLLECTOR, "" }, { "collector 10.0.0.5", WIRE_COLLECTOR, "10.0.0.5" },
		{ "collector 2001:db8::1", WIRE_COLLECTOR, "2001:db8::1" }, { "alert", WIRE_ALERT, "" }, { "forecast", WIRE_FORECAST, "" },
	};
	static const char *const bad[] = { "", " ", "other", "collector ", "collector here", "collector 10.0.0.5 ", "alert 10.0.0.5",
		                           "a name that is longer than any of them" };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct wish wish;
		assert_true(wishes_read_name(cases[i].name, &wish));
		assert_int_equal(wish.service, cases[i].service);
		assert_string_equal(wish.ip, cases[i].ip);
		assert_string_equal(wishes_kept(&wish).name, cases[i].name);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct wish wish;
		if (wishes_read_name(bad[i], &wish))
			fail_msg("%s", bad[i]);
	}
}

static void test_wishes_take_the_newest_that_is_about_a_host_counts(void **state)
{
	(void)state;
	struct wishes *wishes = wishes_open();
	assert_non_null(wishes);
	assert_false(wishes_stop(wishes, WIRE_COLLECTOR, "10.0.0.1"));
	assert_false(wishes_stop_any(wishes, WIRE_COLLECTOR));
	take(wishes, WIRE_COLLECTOR, "10.0.0.1", true, 1000);
	assert_true(wishes_stop(wishes, WIRE_COLLECTOR, "10.0.0.1"));
	assert_false(wishes_stop(wishes, WIRE_COLLECTOR, "10.0.0.2"));
	assert_true(wishes_stop_any(wishes, WIRE_COLLECTOR));
	assert_false(wishes_stop_any(wishes, WIRE_ALERT));
	assert_true(wishes_have(wishes, "10.0.0.1"));
	take(wishes, WIRE_COLLECTOR, "10.0.0.1", false, 999);
	assert_true(wishes_stop(wishes, WIRE_COLLECTOR, "10.0.0.1"));

	/* One for all takes the place of those before it, and one before it comes too late. */
	take(wishes, WIRE_COLLECTOR, "", false, 2000);
	assert_false(wishes_stop(wishes, WIRE_COLLECTOR, "10.0.0.1"));
	assert_false(wishes_have(wishes, "10.0.0.1"));
	take(wishes, WIRE_COLLECTOR, "10.0.0.1", true, 1999);
	assert_false(wishes_stop(wishes, WIRE_COLLECTOR, "10.0.0.1"));
	/* Of those of one time that of the host counts, in either order. */
	take(wishes, WIRE_COLLECTOR, "10.0.0.1", true, 2000);
	assert_true(wishes_stop(wishes, WIRE_COLLECTOR, "10.0.0.1"));
	take(wishes, WIRE_COLLECTOR, "", false, 2000);
	assert_true(wishes_stop(wishes, WIRE_COLLECTOR, "10.0.0.1"));

	take(wishes, WIRE_ALERT, "", true, 10);
	assert_true(wishes_stop(wishes, WIRE_ALERT, "10.0.0.1"));
	assert_false(wishes_stop(wishes, WIRE_FORECAST, ""));
	struct wish *list;
	size_t count;
	assert_int_equal(wishes_list(wishes, &list, &count), 0);
	assert_int_equal(count, 3);
	free(list);
	wishes_close(wishes);
}

static int reserve(struct wishes *wishes, const char *ip)
{
	const struct wish wish = wish_of(WIRE_COLLECTOR, ip, true, 0);
	const struct kept kept = wishes_kept(&wish);
	const struct keeper_table table = wishes_table(wishes);
	return table.reserve(table.user, &kept);
}

static size_t count_of(struct wishes *wishes)
{
	struct wish *list;
	size_t count;
	assert_int_equal(wishes_list(wishes, &list, &count), 0);
	free(list);
	return count;
}

/* What has a place is no wish yet, and needs no memory to become one. */
static void test_wishes_place_is_one_for_the_wish_that_follows(void **state)
{
	(void)state;
	struct wishes *wishes = wishes_open();
	if (FAILING_MALLOC) {
		failing_start(1);
		assert_int_equal(reserve(wishes, "10.0.0.1"), -ENOMEM);
		assert_true(failing_stop());
	}
	assert_int_equal(reserve(wishes, "10.0.0.1"), 0);
	assert_int_equal(reserve(wishes, ""), 0); /* has its place */
	assert_false(wishes_have(wishes, "10.0.0.1"));
	assert_false(wishes_stop(wishes, WIRE_COLLECTOR, "10.0.0.1"));
	assert_int_equal(count_of(wishes), 0);
	take(wishes, WIRE_COLLECTOR, "", true, 5);
	assert_true(wishes_stop(wishes, WIRE_COLLECTOR, "10.0.0.1")); /* as that for all says, which empties the places */

	assert_int_equal(reserve(wishes, "10.0.0.1"), 0);
	failing_start(1);
	take(wishes, WIRE_COLLECTOR, "10.0.0.1", false, 6);
	failing_stop();
	assert_true(wishes_have(wishes, "10.0.0.1"));
	assert_int_equal(count_of(wishes), 2);
	wishes_close(wishes);
}

static void test_wishes_one_too_many_has_no_place(void **state)
{
	(void)state;
	struct wishes *wishes = wishes_open();
	for (int i = 0; i < WISHES_MAX - 1; i++) {
		char ip[WIRE_IP_SIZE];
		snprintf(ip, sizeof(ip), "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
		take(wishes, WIRE_COLLECTOR, ip, true, 1);
	}
	/* A place for what was not stored then is no wish. */
	assert_int_equal(reserve(wishes, "11.0.0.1"), 0);
	take(wishes, WIRE_COLLECTOR, "11.0.0.2", true, 1);
	assert_false(wishes_have(wishes, "11.0.0.1"));
	assert_int_equal(reserve(wishes, "11.0.0.1"), -EDQUOT);
	assert_int_equal(reserve(wishes, "10.0.0.1"), 0);
	wishes_close(wishes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wishes_name_comes_back_and_others_are_none),
		cmocka_unit_test(test_wishes_take_the_newest_that_is_about_a_host_counts),
		cmocka_unit_test(test_wishes_place_is_one_for_the_wish_that_follows),
		cmocka_unit_test(test_wishes_one_too_many_has_no_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
