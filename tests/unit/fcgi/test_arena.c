/* fcgi/arena.h */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"

#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#include "fcgi/arena.h"

/* Bytes of its own, aligned for any type, which hold `filling`. */
static unsigned char *take(struct arena *arena, size_t size, int filling)
{
	unsigned char *bytes = arena_allocate(arena, size);
	assert_non_null(bytes);
	assert_int_equal((uintptr_t)bytes % alignof(max_align_t), 0);
	memset(bytes, filling, size);
	return bytes;
}

static void assert_filled(const unsigned char *bytes, size_t size, int filling)
{
	for (size_t i = 0; i < size; i++)
		assert_int_equal(bytes[i], filling);
}

static void test_arena_allocate_each_has_bytes_of_its_own(void **state)
{
	(void)state;
	static const size_t sizes[] = { 1, 7, 16, 1000, 59000, 100000, 3, 59999 };
	enum { COUNT = sizeof(sizes) / sizeof(sizes[0]) };
	unsigned char *all[COUNT];
	struct arena arena = { 0 };
	long before = failing_unfreed();
	for (int turn = 0; turn < 2; turn++) {
		for (int i = 0; i < COUNT; i++)
			all[i] = take(&arena, sizes[i], i + 1);
		for (int i = 0; i < COUNT; i++)
			assert_filled(all[i], sizes[i], i + 1);
		assert_true(arena.size >= 219000);
		if (turn == 0)
			arena_reset(&arena); /* there is more than one block */
	}
	arena_free(&arena);
	assert_int_equal(arena.size, 0);
	assert_int_equal(failing_unfreed(), before);
}

/* What a body says of its own length is no reason to take a few bytes for many. */
static void test_arena_allocate_absurd_size_is_out_of_memory(void **state)
{
	(void)state;
	struct arena arena = { 0 };
	assert_null(arena_allocate(&arena, SIZE_MAX));
	assert_null(arena_allocate(&arena, SIZE_MAX - 14));
	take(&arena, 10, 1);
	arena_free(&arena);
}

static void test_arena_allocate_no_memory_is_told_and_leaves_what_there_was(void **state)
{
	(void)state;
	struct arena arena = { 0 };
	if (!FAILING_MALLOC)
		skip();
	unsigned char *first = take(&arena, 50000, 1);
	failing_start(1);
	assert_null(arena_allocate(&arena, 20000));
	assert_true(failing_stop());
	assert_true(arena.failed);
	take(&arena, 20000, 2);
	assert_filled(first, 50000, 1);
	arena_free(&arena);
	assert_false(arena.failed);
}

static void test_arena_reset_one_block_is_kept_for_what_comes_next(void **state)
{
	(void)state;
	struct arena arena = { 0 };
	arena_reset(&arena); /* nothing was taken yet */
	unsigned char *first = take(&arena, 100, 1);
	arena.failed = true;
	arena_reset(&arena);
	assert_false(arena.failed);
	assert_ptr_equal(take(&arena, 100, 2), first);
	take(&arena, arena.left, 3);
	assert_int_equal(arena.left, 0);
	arena_free(&arena);
}

static void test_arena_trim_gives_back_what_is_free_and_says_what_moved(void **state)
{
	(void)state;
	struct arena arena = { 0 };
	struct arena_move move;
	unsigned char *first = take(&arena, 16, 1), *second = take(&arena, 32, 2);
	assert_true(arena_trim(&arena, &move));
	assert_int_equal(arena.size, 48);
	assert_int_equal(move.size, 48);
	assert_ptr_equal(move.from, first);
	assert_filled(move.to, 16, 1);
	assert_filled(move.to + (second - first), 32, 2);
	/* What comes next has a block of its own. */
	take(&arena, 16, 3);
	assert_filled(move.to, 16, 1);
	arena_free(&arena);
}

static void test_arena_trim_where_nothing_can_be_given_back_nothing_moves(void **state)
{
	(void)state;
	struct arena arena = { 0 };
	struct arena_move move;
	assert_false(arena_trim(&arena, &move)); /* it is empty */
	unsigned char *bytes = take(&arena, 16, 1);
	take(&arena, arena.left, 2);
	assert_false(arena_trim(&arena, &move)); /* it is full */
	take(&arena, 16, 3);
	assert_false(arena_trim(&arena, &move)); /* it has two blocks, both of which are pointed into */
	assert_filled(bytes, 16, 1);
	arena_free(&arena);
	if (!FAILING_MALLOC)
		return;
	bytes = take(&arena, 16, 1);
	size_t size = arena.size;
	failing_start(1);
	assert_false(arena_trim(&arena, &move));
	assert_true(failing_stop());
	assert_int_equal(arena.size, size);
	assert_filled(bytes, 16, 1);
	arena_free(&arena);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arena_allocate_each_has_bytes_of_its_own),
		cmocka_unit_test(test_arena_allocate_absurd_size_is_out_of_memory),
		cmocka_unit_test(test_arena_allocate_no_memory_is_told_and_leaves_what_there_was),
		cmocka_unit_test(test_arena_reset_one_block_is_kept_for_what_comes_next),
		cmocka_unit_test(test_arena_trim_gives_back_what_is_free_and_says_what_moved),
		cmocka_unit_test(test_arena_trim_where_nothing_can_be_given_back_nothing_moves),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
