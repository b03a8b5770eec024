/* fcgi/remote/lines.h against all of it in one piece */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/fcgi/helpers.h"

#include "fcgi/remote/line_protocol.h"
#include "fcgi/remote/lines.h"

enum { BATCHES = 40, SAMPLES_MAX = 30000 };

static struct sample samples[SAMPLES_MAX];

static void fill(void)
{
	static char longest[WIRE_NAME_SIZE];
	memset(longest, '%', WIRE_NAME_MAX);
	for (int i = 0; i < SAMPLES_MAX; i++)
		samples[i] = (struct sample){ .time_ms = i, .value = i, .ip = "10.0.0.1", .process = i % 3 ? longest : "a" };
}

/* What the next request has, read in pieces of so many bytes. */
static struct text read_request(struct lines *lines, size_t length, size_t piece)
{
	struct text text = TEXT_EMPTY;
	char *buffer = malloc(piece);
	assert_non_null(buffer);
	for (long now = lines_read(lines, buffer, piece); now; now = lines_read(lines, buffer, piece)) {
		assert_in_range(now, 1, piece);
		text_append(&text, buffer, (size_t)now);
	}
	assert_int_equal(text.length, length);
	free(buffer);
	return text;
}

static void test_lines_next_requests_are_all_lines_in_their_order(void **state)
{
	(void)state;
	static const struct {
		size_t sizes[BATCHES];
		size_t requests, whole;
	} cases[] = {
		{ { 0 }, 0, 0 },           { { 1 }, 1, 1 },          { { 512 }, 1, 1 },           { { 513 }, 1, 1 },
		{ { 0, 300, 0 }, 1, 1 },   { { 1, 0, 0, 1 }, 1, 1 }, { { 300, 300, 4900 }, 1, 0 }, { { SAMPLES_MAX }, 3, 1 },
		{ { 511, 5000, 1, 0, 20000 }, 2, 0 },
	};
	fill();
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct batch batches[BATCHES] = { 0 };
		const struct batch *pointers[BATCHES];
		struct text wanted = TEXT_EMPTY, got = TEXT_EMPTY;
		size_t requests = 0, wholes = 0, length = 0, used = 0;
		for (size_t j = 0; j < BATCHES; j++) {
			batches[j] = (struct batch){ .samples = samples + used, .count = cases[i].sizes[j] };
			used += batches[j].count;
			pointers[j] = &batches[j];
			line_protocol_append(&wanted, &batches[j]);
		}
		struct lines lines;
		lines_open(&lines, pointers, BATCHES);
		for (;; requests++) {
			const char *whole;
			assert_int_equal(lines_next(&lines, &length, &whole), 0);
			if (!length)
				break;
			assert_in_range(length, 1, LINES_BYTES_MAX);
			wholes += whole != NULL;
			if (whole)
				text_append(&got, whole, length);
			/* Broken off, and begun again, as a connection that ends has it. */
			char some[100];
			(void)lines_read(&lines, some, sizeof(some));
			lines_rewind(&lines);
			struct text read = read_request(&lines, length, requests % 2 ? 999 : 65536);
			if (!whole)
				text_append(&got, read.data, read.length);
			text_free(&read);
		}
		lines_close(&lines);
		assert_int_equal(requests, cases[i].requests);
		assert_int_equal(wholes, cases[i].whole);
		assert_int_equal(got.length, wanted.length);
		if (wanted.length)
			assert_memory_equal(got.data, wanted.data, wanted.length);
		text_free(&wanted);
		text_free(&got);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_next_requests_are_all_lines_in_their_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
