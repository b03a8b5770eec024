#define ZLIB_CONST
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/gzip.h"

/* Inflates a whole gzip file of zlib's, which must hold exactly `expected`. */
static void assert_holds(const char *gzip, size_t gzip_length, const char *expected, size_t length)
{
	z_stream stream = { .next_in = (const unsigned char *)gzip, .avail_in = (unsigned)gzip_length };
	char *bytes = malloc(length + 1);
	assert_non_null(bytes);
	assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
	stream.next_out = (unsigned char *)bytes;
	stream.avail_out = (unsigned)length + 1;
	assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
	assert_int_equal(stream.avail_in, 0);
	assert_int_equal(stream.total_out, length);
	assert_int_equal(memcmp(bytes, expected, length), 0);
	inflateEnd(&stream);
	free(bytes);
}

static void test_gzip_append_any_length_inflates_to_the_same(void **state)
{
	(void)state;
	static const size_t lengths[] = { 0, 1, 2, 100, 16383, 16384, 16385, 65536, 1000000 };
	unsigned seed = 1952;
	print_message("seed %u\n", seed);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		/* What cannot be compressed, and what can. */
		for (int range = 256; range >= 4; range /= 64) {
			char *bytes = malloc(lengths[i] + 1);
			assert_non_null(bytes);
			for (size_t j = 0; j < lengths[i]; j++)
				bytes[j] = (char)(rand_r(&seed) % range);
			struct text text = TEXT_EMPTY;
			assert_int_equal(gzip_append(&text, bytes, lengths[i]), 0);
			assert_holds(text.data, text.length, bytes, lengths[i]);
			text_free(&text);
			free(bytes);
		}
	}
}

static void test_gzip_append_goes_behind_what_is_there(void **state)
{
	(void)state;
	struct text text = TEXT_EMPTY;
	text_append_string(&text, "before");
	assert_int_equal(gzip_append(&text, "after", 5), 0);
	assert_memory_equal(text.data, "before", 6);
	assert_holds(text.data + 6, text.length - 6, "after", 5);
	text_free(&text);
}

static void test_gzip_append_samples_become_a_tenth(void **state)
{
	(void)state;
	struct text json = TEXT_EMPTY, text = TEXT_EMPTY;
	for (int i = 0; i < 300; i++)
		text_printf(&json, "{\"timestamp\":1795356878,\"value\":%d.%d,\"process_name\":\"worker-%d\",\"type_data\":\"cpu\"},",
		            i * 7919 % 100, i * 104729 % 1000, i / 2);
	assert_int_equal(gzip_append(&text, json.data, json.length), 0);
	print_message("%zu of %zu bytes\n", text.length, json.length);
	assert_true(text.length * 7 < json.length);
	text_free(&json);
	text_free(&text);
}

static void test_gzip_append_any_allocation_fails_is_out_of_memory(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	bool failed = true;
	for (long n = 1; failed; n++) {
		struct text text = TEXT_EMPTY;
		long before = failing_unfreed();
		failing_start(n);
		int result = gzip_append(&text, "some bytes", 10);
		failed = failing_stop();
		assert_int_equal(result, failed ? -ENOMEM : 0);
		text_free(&text);
		assert_int_equal(failing_unfreed(), before);
		assert_true(failed || n > 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gzip_append_any_length_inflates_to_the_same),
		cmocka_unit_test(test_gzip_append_goes_behind_what_is_there),
		cmocka_unit_test(test_gzip_append_samples_become_a_tenth),
		cmocka_unit_test(test_gzip_append_any_allocation_fails_is_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
