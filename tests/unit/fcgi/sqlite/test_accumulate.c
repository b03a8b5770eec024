/* fcgi/sqlite/accumulate.h and fcgi/sqlite/grouping.h */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/fcgi/helpers.h"

#include <errno.h>
#include <math.h>

#include "fcgi/sqlite/accumulate.h"

/* Series 1 a@1, 2 b@1, 3 a@2, 4 c@2. */
static struct dictionary make_dictionary(void)
{
	struct dictionary dictionary = { 0 };
	struct dictionary_host *one = dictionary_add_host(&dictionary, "10.0.0.1", 0);
	struct dictionary_host *two = dictionary_add_host(&dictionary, "10.0.0.2", 0);
	assert_true(one && two);
	assert_non_null(dictionary_add_series(&dictionary, one, "a", 0));
	assert_non_null(dictionary_add_series(&dictionary, one, "b", 0));
	assert_non_null(dictionary_add_series(&dictionary, two, "a", 0));
	assert_non_null(dictionary_add_series(&dictionary, two, "c", 0));
	return dictionary;
}

/* "1:10.0.0.1/a 2:…": each series with its group's key. */
static const char *groups(const struct query *query)
{
	static char told[512];
	struct dictionary dictionary = make_dictionary();
	struct grouping grouping;
	assert_int_equal(grouping_build(&dictionary, query, &grouping), 0);
	told[0] = '\0';
	for (uint32_t i = 0; i < 6; i++) {
		int32_t group = grouping_find(&grouping, i, 0);
		if (group == GROUPING_NONE)
			continue;
		assert_true((size_t)group < grouping.count);
		const struct series_key *key = &grouping.keys[group];
		size_t length = strlen(told);
		snprintf(told + length, sizeof(told) - length, "%s%u:%s%s%s", length ? " " : "", i, key->ip ? key->ip : "",
		         key->ip ? "/" : "", key->process);
	}
	grouping_free(&grouping);
	dictionary_free(&dictionary);
	return told;
}

static void test_grouping_build_series_join_the_groups_that_the_query_wants(void **state)
{
	(void)state;
	static const struct series_key a_of_two[] = { { "10.0.0.2", "a" }, { "10.0.0.9", "a" }, { "10.0.0.1", "zz" } };
	static const struct series_key c[] = { { NULL, "c" }, { NULL, "zz" } };
	static const struct {
		struct query query;
		const char *wanted;
	} cases[] = {
		{ { 0 }, "1:a 2:b 3:a 4:c" },
		{ { .by_host = true }, "1:10.0.0.1/a 2:10.0.0.1/b 3:10.0.0.2/a 4:10.0.0.2/c" },
		{ { .ip = "10.0.0.2" }, "3:a 4:c" },
		{ { .ip = "10.0.0.2", .by_host = true }, "3:10.0.0.2/a 4:10.0.0.2/c" },
		{ { .process = "a" }, "1:a 3:a" },
		{ { .process = "a", .ip = "10.0.0.1" }, "1:a" },
		{ { .process = "c", .ip = "10.0.0.1" }, "" },
		{ { .ip = "10.0.0.9" }, "" },
		{ { .process = "zz" }, "" },
		{ { .only = c, .only_count = 2 }, "4:c" },
		{ { .only = c, .only_count = 0 }, "" },
		{ { .only = a_of_two, .only_count = 3, .by_host = true }, "3:10.0.0.2/a" },
		{ { .only = a_of_two, .only_count = 1 }, "1:a 3:a" },
		{ { .only = c, .only_count = 1, .ip = "10.0.0.1" }, "" },
		{ { .only = c, .only_count = 2, .by_host = true }, "4:10.0.0.2/c" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_string_equal(groups(&cases[i].query), cases[i].wanted);
}

/* The keys do not point into the dictionary, which may change. */
static void test_grouping_build_keys_outlive_the_dictionary(void **state)
{
	(void)state;
	struct dictionary dictionary = make_dictionary();
	struct grouping grouping;
	assert_int_equal(grouping_build(&dictionary, &(struct query){ .by_host = true }, &grouping), 0);
	dictionary_free(&dictionary);
	assert_string_equal(grouping.keys[3].ip, "10.0.0.2");
	assert_string_equal(grouping.keys[3].process, "c");
	grouping_free(&grouping);
}

static struct grouping two_groups(void)
{
	struct grouping grouping = { .count = 2 };
	grouping.keys = calloc(2, sizeof(*grouping.keys));
	grouping.strings = strdup("a");
	assert_true(grouping.keys && grouping.strings);
	grouping.keys[0].process = grouping.keys[1].process = grouping.strings;
	return grouping;
}

static void test_accumulate_mean_every_sample_weighs_the_same(void **state)
{
	(void)state;
	struct grouping grouping = two_groups();
	struct accumulate_cell cells[2] = { 0 };
	struct store_rows rows;
	static const double mem[] = { 1, 2, 6 };
	for (size_t i = 0; i < COUNT_OF(mem); i++)
		accumulate_mean(&cells[1], HALF_FIRST, &mem[i], 1);
	accumulate_mean(&cells[1], HALF_SECOND, &(const double){ 40 }, 1);
	assert_int_equal(accumulate_rows(cells, &grouping, &rows), 0);
	assert_int_equal(rows.count, 1);
	assert_true(rows.items[0].value[HALF_FIRST] == 3 && rows.items[0].maximum[HALF_FIRST] == 6);
	assert_true(rows.items[0].value[HALF_SECOND] == 40 && rows.items[0].maximum[HALF_SECOND] == 40);
	store_rows_free(&rows);
	grouping_free(&grouping);
}

/* As in rows, summed up, and of two threads: thousandths whose sum is over 2^64, and a rest that is none. */
static void test_accumulate_cell_add_is_as_if_all_came_to_one(void **state)
{
	(void)state;
	static const struct packing_number number = { .bits = UINT64_C(1) << 63, .code = PACKING_THOUSANDTHS },
	                                   higher = { .bits = UINT64_C(3) << 62, .code = PACKING_THOUSANDTHS };
	const double rest = M_SQRT2;
	for (int split = 0; split < 2; split++) {
		struct grouping grouping = two_groups();
		struct accumulate_cell cells[2] = { 0 }, other = { 0 }, *second = split ? &other : &cells[0];
		struct store_rows rows;
		accumulate_number(&cells[0], HALF_FIRST, &number);
		accumulate_number(second, HALF_FIRST, &higher);
		accumulate_mean(&cells[0], HALF_SECOND, &(const double){ 1 }, 1);
		accumulate_mean(second, HALF_SECOND, &rest, 1);
		accumulate_cell_add(&cells[0], &other);
		assert_int_equal(accumulate_rows(cells, &grouping, &rows), 0);
		assert_true(rows.items[0].value[HALF_FIRST] == 0x1.4p63 / 1000 && rows.items[0].maximum[HALF_FIRST] == 0x1.8p63 / 1000);
		assert_true(fabs(rows.items[0].value[HALF_SECOND] - (1 + M_SQRT2) / 2) < 1e-12 && rows.items[0].maximum[HALF_SECOND] == M_SQRT2);
		store_rows_free(&rows);
		grouping_free(&grouping);
	}
}

/* The sum goes over 2^64 with a value and with a summary, too. */
static void test_accumulate_sum_over_64_bits_is_carried(void **state)
{
	(void)state;
	struct accumulate_sum sum = { .thousandths = UINT64_MAX - 999, .samples = 1 };
	accumulate_value(&sum, 1);
	assert_true(sum.thousandths == 0 && sum.carries == 1 && sum.samples == 2);
	sum.thousandths = UINT64_MAX - 1;
	const struct block_summary summary = { .count = 3, .exact = true, .sum = 7, .maximum = 4 };
	accumulate_summary(&sum, &summary);
	assert_true(sum.thousandths == 5 && sum.carries == 2 && sum.samples == 5);
	assert_true(accumulate_find_mean(&sum) == (0x1p65 + 5) / 1000 / 5);
}

/* Neither the rows nor the strings are lost, which stay the grouping's. */
static void test_accumulate_rows_without_room_is_an_error(void **state)
{
	(void)state;
	enum { GROUPS = 10000 };
	struct grouping grouping = { .count = GROUPS, .keys = calloc(GROUPS, sizeof(struct series_key)), .strings = strdup("a") };
	struct accumulate_cell *cells = calloc(GROUPS, sizeof(*cells));
	struct store_rows rows;
	assert_true(grouping.keys && grouping.strings && cells);
	budget_set_limit(BUDGET_FREE);
	assert_int_equal(accumulate_rows(cells, &grouping, &rows), -ENOBUFS);
	budget_set_limit(SIZE_MAX);
	assert_int_equal(budget_held(BUDGET_ANSWERS), 0);
	assert_string_equal(grouping.strings, "a");
	free(cells);
	grouping_free(&grouping);
}

static void test_accumulate_latest_order_of_arrival_does_not_matter(void **state)
{
	(void)state;
	struct grouping grouping = two_groups();
	struct accumulate_newest newest[2] = { 0 };
	struct store_rows rows;
	static const int64_t times[] = { 30, 10, 40, 20 };
	for (size_t i = 0; i < COUNT_OF(times); i++)
		accumulate_latest(&newest[0], HALF_FIRST, times[i], (double)times[i]);
	accumulate_latest(&newest[0], HALF_SECOND, 10, 5);
	assert_int_equal(accumulate_latest_rows(newest, &grouping, &rows), 0);
	assert_int_equal(rows.count, 1);
	assert_true(rows.items[0].value[HALF_FIRST] == 40 && rows.items[0].time_ms[HALF_FIRST] == 40);
	assert_true(rows.items[0].value[HALF_SECOND] == 5 && rows.items[0].time_ms[HALF_SECOND] == 10);
	store_rows_free(&rows);
	grouping_free(&grouping);
}

/* Points of one group in this order, told back as "t=v …". */
static const char *history(const struct query *query, const struct store_point points[], size_t count)
{
	static char told[1024];
	struct grouping grouping = two_groups();
	struct accumulate_history history;
	struct store_history answer;
	assert_int_equal(accumulate_history_open(&history, query, 2), 0);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(accumulate_history_add(&history, 1, points[i].time_ms, points[i].value, 0), 0);
	assert_int_equal(accumulate_history_finish(&history, &grouping, &answer), 0);
	told[0] = '\0';
	assert_int_equal(answer.count, 1);
	for (size_t i = 0; i < answer.items[0].count; i++) {
		size_t length = strlen(told);
		snprintf(told + length, sizeof(told) - length, "%s%lld=%g", length ? " " : "",
		         (long long)answer.items[0].points[i].time_ms, answer.items[0].points[i].value);
	}
	store_history_free(&answer);
	accumulate_history_close(&history);
	grouping_free(&grouping);
	return told;
}

static void test_accumulate_history_points_come_out_by_time_and_by_step(void **state)
{
	(void)state;
	static const struct store_point points[] = { { 1000, 1 }, { 1500, 3 }, { 1200, 8 }, { 3999, 2 }, { 4000, 5 }, { 999, 9 } };
	static const struct {
		struct query query;
		const char *wanted;
	} cases[] = {
		{ { .max_points = 10 }, "999=9 1000=1 1200=8 1500=3 3999=2 4000=5" },
		{ { .max_points = 10, .step_ms = 1000 }, "0=9 1000=4 3000=2 4000=5" },
		{ { .max_points = 10, .step_ms = 1000, .aggregate = AGGREGATE_MAX }, "0=9 1000=8 3000=2 4000=5" },
		{ { .max_points = 2, .step_ms = 4000, .aggregate = AGGREGATE_MAX }, "0=9 4000=5" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_string_equal(history(&cases[i].query, points, COUNT_OF(points)), cases[i].wanted);
}

/* An older point goes before one that it makes the array of points move away from. */
static void test_accumulate_history_add_array_grows_under_an_older_point(void **state)
{
	(void)state;
	struct query query = { .max_points = 10000 };
	struct grouping grouping = two_groups();
	struct accumulate_history history;
	struct store_history answer;
	assert_int_equal(accumulate_history_open(&history, &query, 2), 0);
	/* One in the other group first: the array is then full in the middle of a pair. */
	assert_int_equal(accumulate_history_add(&history, 1, 0, 0, 0), 0);
	for (int64_t i = 0; i < 5000; i++)
		assert_int_equal(accumulate_history_add(&history, 0, i ^ 1, (double)(i ^ 1), 0), 0);
	assert_int_equal(accumulate_history_finish(&history, &grouping, &answer), 0);
	assert_int_equal(answer.items[0].count, 5000);
	for (int64_t i = 0; i < 5000; i++)
		assert_true(answer.points[i].time_ms == i && answer.points[i].value == (double)i);
	store_history_free(&answer);
	accumulate_history_close(&history);
	grouping_free(&grouping);
}

/* What is gathered is counted as it comes, what is made of it with it; and the answer's share is the answer's. */
static void test_accumulate_history_budget_is_kept_and_given_back(void **state)
{
	(void)state;
	enum { POINTS = 30000, BYTES = POINTS * 24 };
	static const struct {
		size_t answers; /* bytes there are for answers */
		int add, finish;
	} cases[] = {
		{ BYTES / 2, -ENOBUFS, 0 },
		{ BYTES + BYTES / 2, 0, -ENOBUFS },
		{ 2 * BYTES, 0, 0 },
	};
	struct dictionary dictionary = make_dictionary();
	struct query query = { .process = "a", .max_points = POINTS };
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct grouping grouping;
		struct accumulate_history history;
		struct store_history answer = { 0 };
		int result = 0;
		budget_set_limit(cases[i].answers / 3 * 4);
		assert_int_equal(grouping_build(&dictionary, &query, &grouping), 0);
		assert_int_equal(accumulate_history_open(&history, &query, grouping.count), 0);
		for (int j = 0; j < POINTS && result == 0; j++)
			result = accumulate_history_add(&history, 0, j, 1, 0);
		assert_int_equal(result, cases[i].add);
		if (result == 0)
			assert_int_equal(accumulate_history_finish(&history, &grouping, &answer), cases[i].finish);
		accumulate_history_close(&history);
		grouping_free(&grouping);
		assert_int_equal(budget_held(BUDGET_ANSWERS), answer.count ? POINTS * sizeof(struct store_point) : 0);
		store_history_free(&answer);
		assert_int_equal(budget_held(BUDGET_ANSWERS), 0);
	}
	budget_set_limit(SIZE_MAX);
	dictionary_free(&dictionary);
}

static void test_accumulate_history_add_over_max_points_is_refused(void **state)
{
	(void)state;
	struct query query = { .max_points = 3 };
	struct accumulate_history history;
	assert_int_equal(accumulate_history_open(&history, &query, 2), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(accumulate_history_add(&history, i % 2, i, 1, 0), 0);
	assert_int_equal(accumulate_history_add(&history, 0, 9, 1, 0), -E2BIG);
	accumulate_history_close(&history);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grouping_build_series_join_the_groups_that_the_query_wants),
		cmocka_unit_test(test_grouping_build_keys_outlive_the_dictionary),
		cmocka_unit_test(test_accumulate_mean_every_sample_weighs_the_same),
		cmocka_unit_test(test_accumulate_cell_add_is_as_if_all_came_to_one),
		cmocka_unit_test(test_accumulate_sum_over_64_bits_is_carried),
		cmocka_unit_test(test_accumulate_rows_without_room_is_an_error),
		cmocka_unit_test(test_accumulate_latest_order_of_arrival_does_not_matter),
		cmocka_unit_test(test_accumulate_history_points_come_out_by_time_and_by_step),
		cmocka_unit_test(test_accumulate_history_add_array_grows_under_an_older_point),
		cmocka_unit_test(test_accumulate_history_budget_is_kept_and_given_back),
		cmocka_unit_test(test_accumulate_history_add_over_max_points_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
