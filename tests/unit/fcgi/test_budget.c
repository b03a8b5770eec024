/* fcgi/budget.h */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/fcgi/helpers.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>

#include "fcgi/budget.h"

enum { MIB = 1 << 20 };

static void test_budget_hold_parts_are_a_quarter_and_the_rest(void **state)
{
	(void)state;
	struct budget_share answers[2] = { { 0 } }, bodies[2] = { { .part = BUDGET_BODIES }, { .part = BUDGET_BODIES } };
	budget_set_limit(8 * MIB);
	assert_int_equal(budget_hold(&answers[0], 6 * MIB), 0);
	assert_int_equal(budget_hold(&answers[1], MIB), -ENOBUFS);
	assert_int_equal(budget_hold(&bodies[0], 2 * MIB), 0);
	assert_int_equal(budget_hold(&bodies[1], MIB), -ENOBUFS);
	/* A small one is always to be had. */
	assert_int_equal(budget_hold(&bodies[1], BUDGET_FREE), 0);
	assert_int_equal(budget_held(BUDGET_BODIES), 2 * MIB);
	assert_int_equal(budget_hold(&bodies[1], BUDGET_FREE + 1), -ENOBUFS);
	budget_give_back(&bodies[0]);
	assert_int_equal(budget_hold(&bodies[1], MIB), 0);
	budget_give_back(&bodies[1]);
	budget_give_back(&bodies[1]);
	budget_give_back(&answers[0]);
	budget_give_back(&answers[1]);
	assert_int_equal(budget_held(BUDGET_BODIES) + budget_held(BUDGET_ANSWERS), 0);
}

static void test_budget_hold_the_share_is_what_it_was_told_last(void **state)
{
	(void)state;
	static const size_t sizes[] = { MIB, 3 * MIB, 2 * MIB, 2 * MIB, 10, 6 * MIB, 0 };
	struct budget_share share = { 0 };
	budget_set_limit(8 * MIB);
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		assert_int_equal(budget_hold(&share, sizes[i]), 0);
		assert_int_equal(budget_held(BUDGET_ANSWERS), sizes[i] > BUDGET_FREE ? sizes[i] : 0);
	}
	/* One that is refused stays as it was. */
	assert_int_equal(budget_hold(&share, 5 * MIB), 0);
	assert_int_equal(budget_hold(&share, 7 * MIB), -ENOBUFS);
	assert_int_equal(budget_hold(&share, SIZE_MAX), -ENOBUFS);
	assert_int_equal(budget_held(BUDGET_ANSWERS), 5 * MIB);
	/* A limit that is lowered takes nothing away. */
	budget_set_limit(MIB);
	assert_int_equal(budget_hold(&share, 5 * MIB + 1), -ENOBUFS);
	assert_int_equal(budget_hold(&share, 4 * MIB), 0);
	budget_give_back(&share);
	assert_int_equal(budget_held(BUDGET_ANSWERS), 0);
}

static void test_budget_grow_covers_each_piece_and_asks_seldom(void **state)
{
	(void)state;
	struct budget_share share = { 0 };
	size_t before = 0, times = 0, bytes = 0;
	budget_set_limit(400 * MIB);
	for (; bytes < 100 * MIB; bytes += 1000) {
		assert_int_equal(budget_grow(&share, bytes), 0);
		assert_true(share.counted >= bytes || bytes <= BUDGET_FREE);
		assert_true(share.counted <= bytes + MIB);
		times += share.counted != before;
		before = share.counted;
	}
	assert_in_range(times, 1, 150);
	while (budget_grow(&share, bytes) == 0)
		bytes += 1000;
	assert_in_range(bytes, 298 * MIB, 300 * MIB);
	budget_give_back(&share);
}

static void *churn(void *user)
{
	unsigned seed = (unsigned)(uintptr_t)user;
	struct budget_share share = { 0 };
	for (int i = 0; i < 100000; i++) {
		if (budget_hold(&share, (size_t)rand_r(&seed) % (4 * MIB)) && budget_held(BUDGET_ANSWERS) > 6 * MIB)
			abort();
	}
	budget_give_back(&share);
	return NULL;
}

static void test_budget_hold_a_crowd_never_more_than_the_limit(void **state)
{
	(void)state;
	pthread_t threads[4];
	budget_set_limit(8 * MIB);
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		pthread_create(&threads[i], NULL, churn, (void *)(uintptr_t)i);
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(budget_held(BUDGET_ANSWERS), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_budget_hold_parts_are_a_quarter_and_the_rest),
		cmocka_unit_test(test_budget_hold_the_share_is_what_it_was_told_last),
		cmocka_unit_test(test_budget_grow_covers_each_piece_and_asks_seldom),
		cmocka_unit_test(test_budget_hold_a_crowd_never_more_than_the_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
