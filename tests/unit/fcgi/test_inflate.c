/* fcgi/inflate.h */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/fcgi/helpers.h"

#include <zlib.h>

#include "fcgi/inflate.h"

enum { LIMIT = 1 << 20 };

/* What deflates `length` bytes; `bits` as of deflateInit2(). The caller frees it. */
static char *deflate_bytes(const char *bytes, size_t length, int bits, size_t *ret_length)
{
	z_stream stream = { 0 };
	assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
	size_t capacity = deflateBound(&stream, length);
	unsigned char *compressed = malloc(capacity);
	assert_non_null(compressed);
	stream.next_in = (unsigned char *)(uintptr_t)bytes;
	stream.avail_in = (unsigned)length;
	stream.next_out = compressed;
	stream.avail_out = (unsigned)capacity;
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	*ret_length = stream.total_out;
	deflateEnd(&stream);
	return (char *)compressed;
}

static char *gzip(const char *bytes, size_t length, size_t *ret_length)
{
	return deflate_bytes(bytes, length, 15 + 16, ret_length);
}

/* Half random, half easy; the caller frees it. */
static char *make_bytes(size_t length)
{
	char *bytes = malloc(length + 1);
	assert_non_null(bytes);
	for (size_t i = 0; i < length; i++)
		bytes[i] = i / 1000 % 2 ? 'x' : (char)rand();
	return bytes;
}

/* Inflates `length` bytes in pieces of `step`. */
static int inflate_in_steps(const char *bytes, size_t length, size_t step, size_t limit, struct text *text, bool *ret_ended)
{
	struct inflation *inflation = inflation_open();
	assert_non_null(inflation);
	int result = 0;
	for (size_t at = 0; at < length && result == 0; at += step) {
		/* A copy of its own, so that ASan sees what is read behind it. */
		size_t size = length - at < step ? length - at : step;
		char *piece = malloc(size);
		memcpy(piece, bytes + at, size);
		result = inflation_add(inflation, piece, size, limit, text);
		free(piece);
	}
	*ret_ended = inflation_ended(inflation);
	inflation_close(inflation);
	return result;
}

static void test_inflation_add_pieces_of_every_size_give_the_same(void **state)
{
	(void)state;
	static const size_t lengths[] = { 0, 1, 100, 16383, 16384, 16385, 32768, 100000, LIMIT };
	static const size_t steps[] = { 1, 7, 1000, 16384, 10000000 };
	srand(seed_take());
	for (size_t i = 0; i < COUNT_OF(lengths); i++) {
		size_t length;
		char *bytes = make_bytes(lengths[i]), *compressed = gzip(bytes, lengths[i], &length);
		for (size_t j = 0; j < COUNT_OF(steps); j++) {
			struct text text = TEXT_EMPTY;
			bool ended;
			assert_int_equal(inflate_in_steps(compressed, length, steps[j], LIMIT, &text, &ended), 0);
			assert_true(ended);
			assert_int_equal(text.length, lengths[i]);
			if (text.length)
				assert_memory_equal(text.data, bytes, text.length);
			text_free(&text);
		}
		free(bytes);
		free(compressed);
	}
}

static void test_inflation_add_limit_is_kept_to_the_byte(void **state)
{
	(void)state;
	static const size_t limits[] = { 1, 100, 16384, 99999, 100000 };
	char *bytes = make_bytes(100001);
	for (size_t i = 0; i < COUNT_OF(limits); i++) {
		for (size_t more = 0; more < 2; more++) {
			size_t length;
			char *compressed = gzip(bytes, limits[i] + more, &length);
			struct text text = TEXT_EMPTY;
			bool ended;
			assert_int_equal(inflate_in_steps(compressed, length, 16384, limits[i], &text, &ended), more ? -EFBIG : 0);
			assert_true(text.length <= limits[i]);
			text_free(&text);
			free(compressed);
		}
	}
	free(bytes);
}

/* A gigabyte in a megabyte: it costs what the limit says. */
static void test_inflation_add_bomb_costs_no_more_than_the_limit(void **state)
{
	(void)state;
	enum { PIECES = 1024 };
	static const char zeros[1 << 20];
	unsigned char compressed[1 << 16];
	z_stream stream = { 0 };
	struct text text = TEXT_EMPTY;
	struct inflation *inflation = inflation_open();
	assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	int result = 0;
	for (int i = 0; i < PIECES && result == 0; i++) {
		stream.next_in = (unsigned char *)(uintptr_t)zeros;
		stream.avail_in = sizeof(zeros);
		stream.next_out = compressed;
		stream.avail_out = sizeof(compressed);
		assert_int_equal(deflate(&stream, i == PIECES - 1 ? Z_FINISH : Z_NO_FLUSH), i == PIECES - 1 ? Z_STREAM_END : Z_OK);
		result = inflation_add(inflation, (const char *)compressed, sizeof(compressed) - stream.avail_out, LIMIT, &text);
	}
	assert_int_equal(result, -EFBIG);
	assert_true(text.length <= LIMIT && text.capacity <= 2 * LIMIT);
	deflateEnd(&stream);
	inflation_close(inflation);
	text_free(&text);
}

static void test_inflation_add_every_truncation_has_not_ended(void **state)
{
	(void)state;
	size_t length;
	char *bytes = make_bytes(3000), *compressed = gzip(bytes, 3000, &length);
	for (size_t cut = 0; cut < length; cut++) {
		struct text text = TEXT_EMPTY;
		bool ended;
		assert_int_equal(inflate_in_steps(compressed, cut, 100, LIMIT, &text, &ended), 0);
		assert_false(ended);
		text_free(&text);
	}
	free(bytes);
	free(compressed);
}

static void test_inflation_add_what_is_no_gzip_is_refused(void **state)
{
	(void)state;
	static const char text_of_json[] = "{\"ipaddress\": \"10.0.0.5\", \"data\": []}";
	struct text text = TEXT_EMPTY;
	size_t length;
	bool ended;
	assert_int_equal(inflate_in_steps(text_of_json, strlen(text_of_json), 100, LIMIT, &text, &ended), -EBADMSG);
	/* zlib's own format and the bare stream. */
	char *compressed = deflate_bytes(text_of_json, strlen(text_of_json), 15, &length);
	assert_int_equal(inflate_in_steps(compressed, length, 100, LIMIT, &text, &ended), -EBADMSG);
	free(compressed);
	compressed = deflate_bytes(text_of_json, strlen(text_of_json), -15, &length);
	assert_int_equal(inflate_in_steps(compressed, length, 100, LIMIT, &text, &ended), -EBADMSG);
	free(compressed);
	text_free(&text);
}

/* Members and what is behind them, in pieces of every size: what it becomes, or NULL where it is refused. */
static void test_inflation_add_members_are_put_together(void **state)
{
	(void)state;
	static const char *const members[] = { "abc", "", "defg" };
	static const struct {
		const char *parts; /* a to c: that member; 0: a NUL; x: itself */
		const char *text;
	} cases[] = {
		{ "a", "abc" }, { "aa", "abcabc" }, { "abc", "abcdefg" }, { "b", "" }, { "bbb", "" }, { "cab", "defgabc" },
		{ "a0", "abc" }, { "a00000", "abc" }, { "ac000", "abcdefg" }, { "b0", "" }, { "ax", NULL }, { "a0x", NULL },
		{ "aax", NULL }, { "a0a", NULL }, { "a000b", NULL }, { "0a", NULL }, { "xa", NULL },
	};
	char *compressed[3];
	size_t lengths[3];
	for (size_t i = 0; i < 3; i++)
		compressed[i] = gzip(members[i], strlen(members[i]), &lengths[i]);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct text whole = TEXT_EMPTY;
		for (const char *part = cases[i].parts; *part; part++) {
			if (*part >= 'a' && *part <= 'c')
				text_append(&whole, compressed[*part - 'a'], lengths[*part - 'a']);
			else
				text_append_char(&whole, *part == '0' ? '\0' : *part);
		}
		for (size_t step = 1; step <= whole.length; step++) {
			struct text text = TEXT_EMPTY;
			bool ended;
			text_append_string(&text, "");
			int result = inflate_in_steps(whole.data, whole.length, step, LIMIT, &text, &ended);
			/* Of a byte that begins a member the next one tells. */
			assert_true(result == 0 || result == -EBADMSG);
			assert_int_equal(result == 0 && ended, cases[i].text != NULL);
			if (cases[i].text)
				assert_string_equal(text.data, cases[i].text);
			text_free(&text);
		}
		text_free(&whole);
	}
	for (size_t i = 0; i < 3; i++)
		free(compressed[i]);
}

static void test_inflation_add_limit_is_that_of_all_members(void **state)
{
	(void)state;
	size_t length;
	char *bytes = make_bytes(10000), *compressed = gzip(bytes, 10000, &length);
	struct text whole = TEXT_EMPTY;
	for (int i = 0; i < 3; i++)
		text_append(&whole, compressed, length);
	for (size_t limit = 29999; limit <= 30000; limit++) {
		struct text text = TEXT_EMPTY;
		bool ended;
		assert_int_equal(inflate_in_steps(whole.data, whole.length, 16384, limit, &text, &ended), limit < 30000 ? -EFBIG : 0);
		assert_true(text.length <= limit);
		text_free(&text);
	}
	/* One that is cut is not whole, whatever came before it. */
	for (size_t cut = 1; cut < length; cut++) {
		struct text text = TEXT_EMPTY;
		bool ended;
		assert_int_equal(inflate_in_steps(whole.data, length + cut, 16384, LIMIT, &text, &ended), 0);
		assert_false(ended);
		text_free(&text);
	}
	text_free(&whole);
	free(bytes);
	free(compressed);
}

static void test_inflation_count_what_it_makes_is_counted(void **state)
{
	(void)state;
	enum { SIZE = 300000 };
	size_t length;
	char *bytes = make_bytes(SIZE), *compressed = gzip(bytes, SIZE, &length);
	for (size_t limit = 4 * (SIZE - 1); limit <= 4 * (2 * SIZE); limit += 4 * (SIZE + 1)) {
		struct budget_share share = { .part = BUDGET_BODIES };
		struct text text = TEXT_EMPTY;
		struct inflation *inflation = inflation_open();
		budget_set_limit(limit);
		inflation_count(inflation, &share);
		assert_int_equal(inflation_add(inflation, compressed, length, LIMIT, &text), limit < 4 * SIZE ? -ENOBUFS : 0);
		assert_in_range(text.length, 100000, budget_held(BUDGET_BODIES));
		inflation_close(inflation);
		budget_give_back(&share);
		assert_int_equal(budget_held(BUDGET_BODIES), 0);
		text_free(&text);
	}
	budget_set_limit(SIZE_MAX);
	free(bytes);
	free(compressed);
}

/* One bit anywhere: it is refused, or (where nothing is said) what comes out is the same. */
static void test_inflation_add_any_damage_is_seen(void **state)
{
	(void)state;
	size_t length;
	char *bytes = make_bytes(300), *compressed = gzip(bytes, 300, &length);
	for (size_t i = 0; i < length * 8; i++) {
		struct text text = TEXT_EMPTY;
		bool ended;
		compressed[i / 8] = (char)(compressed[i / 8] ^ 1 << i % 8);
		int result = inflate_in_steps(compressed, length, 1000, LIMIT, &text, &ended);
		if (result == 0 && ended) {
			assert_int_equal(text.length, 300);
			assert_memory_equal(text.data, bytes, 300);
		}
		compressed[i / 8] = (char)(compressed[i / 8] ^ 1 << i % 8);
		text_free(&text);
	}
	free(bytes);
	free(compressed);
}

static void test_inflation_add_any_allocation_fails_is_out_of_memory(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	size_t length;
	char *bytes = make_bytes(100000), *compressed = gzip(bytes, 100000, &length);
	bool failed = true;
	for (long n = 1; failed; n++) {
		struct text text = TEXT_EMPTY;
		failing_start(n);
		struct inflation *inflation = inflation_open();
		int result = inflation ? inflation_add(inflation, compressed, length, LIMIT, &text) : -ENOMEM;
		failed = failing_stop();
		assert_int_equal(result, failed ? -ENOMEM : 0);
		inflation_close(inflation);
		text_free(&text);
	}
	free(bytes);
	free(compressed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inflation_add_pieces_of_every_size_give_the_same),
		cmocka_unit_test(test_inflation_add_limit_is_kept_to_the_byte),
		cmocka_unit_test(test_inflation_add_bomb_costs_no_more_than_the_limit),
		cmocka_unit_test(test_inflation_add_every_truncation_has_not_ended),
		cmocka_unit_test(test_inflation_add_what_is_no_gzip_is_refused),
		cmocka_unit_test(test_inflation_add_members_are_put_together),
		cmocka_unit_test(test_inflation_add_limit_is_that_of_all_members),
		cmocka_unit_test(test_inflation_count_what_it_makes_is_counted),
		cmocka_unit_test(test_inflation_add_any_damage_is_seen),
		cmocka_unit_test(test_inflation_add_any_allocation_fails_is_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
