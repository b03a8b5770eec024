#include "tests/unit/support/cmocka.h"

#include <stdlib.h>
#include <string.h>

#include "common/text.h"

/* ASan would end the program for a size that malloc() only refuses. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void test_text_empty_holds_nothing(void **state)
{
	(void)state;
	struct text text = TEXT_EMPTY;
	assert_null(text.data);
	assert_int_equal(text.length, 0);
	assert_int_equal(text.capacity, 0);
	assert_false(text_failed(&text));
	text_free(&text);
}

static void test_text_append_pieces_are_joined(void **state)
{
	(void)state;
	struct text text = TEXT_EMPTY;
	text_append(&text, "abcdef", 3);
	text_append_string(&text, "");
	text_append_char(&text, '-');
	text_append_string(&text, "ghi");
	text_printf(&text, "%s=%d", "j", 42);
	assert_string_equal(text.data, "abc-ghij=42");
	assert_int_equal(text.length, strlen("abc-ghij=42"));
	text_free(&text);
}

static void test_text_append_nothing_is_harmless(void **state)
{
	(void)state;
	struct text empty = TEXT_EMPTY, text = TEXT_EMPTY;
	/* A copy of an empty text: its data is NULL. */
	text_append(&text, empty.data, empty.length);
	assert_int_equal(text.length, 0);
	assert_false(text_failed(&text));
	text_append_string(&text, "a");
	text_append(&text, empty.data, empty.length);
	assert_string_equal(text.data, "a");
	text_free(&text);
}

static void test_text_append_bytes_of_any_value_are_kept(void **state)
{
	(void)state;
	struct text text = TEXT_EMPTY;
	text_append(&text, "a\0b\xff", 4);
	text_append_char(&text, '\0');
	assert_int_equal(text.length, 5);
	assert_memory_equal(text.data, "a\0b\xff\0", 6);
	text_free(&text);
}

/* Every length around the sizes at which the buffer grows, in one piece and in two;
 * ASan sees a byte too far. */
static void test_text_append_every_length_ends_with_nul(void **state)
{
	(void)state;
	enum { LONGEST = 1100 };
	static char bytes[LONGEST];
	memset(bytes, 'x', sizeof(bytes));
	for (size_t length = 0; length <= LONGEST; length++) {
		struct text whole = TEXT_EMPTY, halves = TEXT_EMPTY, printed = TEXT_EMPTY;
		text_append(&whole, bytes, length);
		text_append(&halves, bytes, length / 2);
		text_append(&halves, bytes, length - length / 2);
		text_printf(&printed, "%.*s", (int)length, bytes);
		const struct text *texts[] = { &whole, &halves, &printed };
		for (size_t i = 0; i < 3; i++) {
			if (length == 0 && !texts[i]->data)
				continue;
			assert_int_equal(texts[i]->length, length);
			assert_true(texts[i]->capacity > length);
			assert_memory_equal(texts[i]->data, bytes, length);
			assert_int_equal(texts[i]->data[length], '\0');
		}
		text_free(&whole);
		text_free(&halves);
		text_free(&printed);
	}
}

/* Growth is geometric: a million bytes one by one move the buffer a few times only. */
static void test_text_append_char_million_times_grows_seldom(void **state)
{
	(void)state;
	enum { COUNT = 1000000 };
	struct text text = TEXT_EMPTY;
	unsigned growths = 0;
	size_t capacity = 0;
	for (int i = 0; i < COUNT; i++) {
		text_append_char(&text, (char)('a' + i % 26));
		growths += text.capacity != capacity;
		capacity = text.capacity;
	}
	assert_int_equal(text.length, COUNT);
	for (int i = 0; i < COUNT; i++) {
		if (text.data[i] != 'a' + i % 26)
			fail_msg("byte %d is wrong", i);
	}
	assert_true(growths < 32);
	text_free(&text);
}

static void test_text_printf_longer_than_the_room_is_whole(void **state)
{
	(void)state;
	struct text text = TEXT_EMPTY;
	text_append_string(&text, "start ");
	text_printf(&text, "%0600d", 7);
	assert_int_equal(text.length, 606);
	assert_int_equal(text.data[605], '7');
	assert_int_equal(text.data[606], '\0');
	text_free(&text);
}

static void test_text_failed_stays_until_reset(void **state)
{
	(void)state;
	struct text text = TEXT_EMPTY;
	text_append_string(&text, "kept");
	text.failed = true; /* as realloc() would leave it */
	text_append_string(&text, "lost");
	text_append_char(&text, 'x');
	text_printf(&text, "%d", 1);
	assert_true(text_failed(&text));
	assert_string_equal(text.data, "kept");
	assert_int_equal(text.length, 4);

	text_reset(&text);
	assert_false(text_failed(&text));
	text_append_string(&text, "new");
	assert_string_equal(text.data, "new");
	text_free(&text);
}

/* No size brings the doubling to an end below SIZE_MAX: it must fail, not turn for ever. */
static void test_text_append_more_than_can_be_had_fails(void **state)
{
	(void)state;
	static const size_t lengths[] = { SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 2 + 1, SIZE_MAX / 2, PTRDIFF_MAX };
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct text text = TEXT_EMPTY;
		text_append_string(&text, "kept");
		text_append(&text, "x", lengths[i]);
		assert_true(text_failed(&text));
		assert_string_equal(text.data, "kept");
		assert_int_equal(text.length, 4);
		text_free(&text);
	}
}

static void test_text_reset_keeps_the_memory(void **state)
{
	(void)state;
	struct text text = TEXT_EMPTY;
	text_reset(&text);
	assert_null(text.data);
	assert_string_equal(text_or(&text, "out of memory"), "out of memory");
	text_printf(&text, "%01000d", 1);
	size_t capacity = text.capacity;
	const char *data = text.data;
	text_reset(&text);
	assert_int_equal(text.length, 0);
	assert_string_equal(text_or(&text, "out of memory"), "");
	assert_int_equal(text.capacity, capacity);
	text_append_string(&text, "again");
	assert_ptr_equal(text.data, data);
	text_free(&text);
}

static void test_text_free_leaves_an_empty_text(void **state)
{
	(void)state;
	struct text text = TEXT_EMPTY;
	text_append_string(&text, "a");
	text.failed = true;
	text_free(&text);
	assert_null(text.data);
	assert_int_equal(text.length, 0);
	assert_int_equal(text.capacity, 0);
	assert_false(text_failed(&text));
	text_free(&text);
	text_append_string(&text, "b");
	assert_string_equal(text.data, "b");
	text_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_empty_holds_nothing),
		cmocka_unit_test(test_text_append_pieces_are_joined),
		cmocka_unit_test(test_text_append_nothing_is_harmless),
		cmocka_unit_test(test_text_append_bytes_of_any_value_are_kept),
		cmocka_unit_test(test_text_append_every_length_ends_with_nul),
		cmocka_unit_test(test_text_append_char_million_times_grows_seldom),
		cmocka_unit_test(test_text_printf_longer_than_the_room_is_whole),
		cmocka_unit_test(test_text_failed_stays_until_reset),
		cmocka_unit_test(test_text_append_more_than_can_be_had_fails),
		cmocka_unit_test(test_text_reset_keeps_the_memory),
		cmocka_unit_test(test_text_free_leaves_an_empty_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
