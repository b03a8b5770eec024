/* fcgi/remote/pieces.h */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/fcgi/helpers.h"

#include <cjson/cJSON.h>
#include <errno.h>

#include "fcgi/remote/pieces.h"

/* What came of a document: "P{…}" for each piece, "F{…}" for each frame, a line each. */
struct outcome {
	struct text told;
	int pieces, frames;
	int fail_piece, fail_frame; /* the number of the one that is refused, from 1; 0: none */
};

static void tell(struct outcome *outcome, char kind, const cJSON *object)
{
	char *printed = cJSON_PrintUnformatted(object);
	text_append_char(&outcome->told, kind);
	text_append_string(&outcome->told, printed ? printed : "");
	text_append_char(&outcome->told, '\n');
	cJSON_free(printed);
}

static int take_piece(void *user, const cJSON *object)
{
	struct outcome *outcome = user;
	assert_non_null(object);
	tell(outcome, 'P', object);
	return ++outcome->pieces == outcome->fail_piece ? -E2BIG : 0;
}

static int take_frame(void *user, const cJSON *object)
{
	struct outcome *outcome = user;
	assert_non_null(object);
	tell(outcome, 'F', object);
	return ++outcome->frames == outcome->fail_frame ? -EREMOTEIO : 0;
}

/* Feeds the bytes in parts that end at the cuts, each from memory of its own size, so that
 * ASan sees a read behind it. */
static int feed(const char *json, size_t length, const size_t cuts[], size_t cut_count, unsigned depth,
                struct outcome *outcome)
{
	struct pieces pieces = { .depth = depth, .take_piece = take_piece, .take_frame = take_frame, .user = outcome };
	int result = 0;
	for (size_t i = 0, start = 0; i <= cut_count && result == 0; i++) {
		size_t end = i < cut_count ? cuts[i] : length;
		char *part = malloc(end - start + 1);
		assert_non_null(part);
		memcpy(part, json + start, end - start);
		char *exact = realloc(part, end - start ? end - start : 1);
		result = pieces_feed(&pieces, exact, end - start);
		free(exact);
		start = end;
	}
	if (result == 0)
		result = pieces_end(&pieces);
	pieces_free(&pieces);
	return result;
}

/* Checks the outcome of the whole, of each cut in two, and byte by byte. */
static void check(const char *json, unsigned depth, int wanted_result, const char *wanted)
{
	size_t length = strlen(json), each[512];
	assert_true(length <= COUNT_OF(each));
	for (size_t i = 0; i < length; i++)
		each[i] = i;
	for (size_t cut = 0; cut <= length + 1; cut++) {
		struct outcome outcome = { 0 };
		int result = cut <= length ? feed(json, length, &cut, 1, depth, &outcome)
		                           : feed(json, length, each, length, depth, &outcome);
		if (result != wanted_result)
			fail_msg("%s cut at %zu: %d", json, cut, result);
		if (wanted)
			assert_string_equal(outcome.told.data ? outcome.told.data : "", wanted);
		text_free(&outcome.told);
	}
}

static void test_pieces_feed_any_cut_gives_the_same_pieces_and_frame(void **state)
{
	(void)state;
	static const struct {
		unsigned depth;
		const char *json, *wanted;
	} cases[] = {
		{ 3, "{\"a\": [{\"b\": 1}, {\"b\": 2}], \"c\": \"x\"}", "P{\"b\":1}\nP{\"b\":2}\nF{\"a\":[null,null],\"c\":\"x\"}\n" },
		{ 3, "{\"a\":[]}", "F{\"a\":[]}\n" },
		{ 3, "{}", "F{}\n" },
		{ 3, "[]", "F[]\n" },
		{ 3, "", "" },
		{ 3, " \r\n\t", "" },
		/* Numbers and words at the depth of the pieces are of the frame. */
		{ 3, "{\"a\": [1, {\"b\": 2}, \"x\", null, true, -1.5e3]}", "P{\"b\":2}\nF{\"a\":[1,null,\"x\",null,true,-1500]}\n" },
		/* Brackets and quotes in strings, of pieces and of the frame. */
		{ 3, "{\"a\": [{\"b\": \"]}[{\"}], \"c\": \"}{][\"}", "P{\"b\":\"]}[{\"}\nF{\"a\":[null],\"c\":\"}{][\"}\n" },
		{ 3, "{\"a\": [{\"b\": \"\\\"}\"}]}", "P{\"b\":\"\\\"}\"}\nF{\"a\":[null]}\n" },
		{ 3, "{\"a\": [{\"b\\\\\": \"\\\\\"}], \"\\\\\": \"\\\\\\\"]\"}",
		  "P{\"b\\\\\":\"\\\\\"}\nF{\"a\":[null],\"\\\\\":\"\\\\\\\"]\"}\n" },
		{ 3, "{\"a\": [{\"\\\"{\": \"\\u007d\\u00e9\xc3\xa9\"}]}", "P{\"\\\"{\":\"}\xc3\xa9\xc3\xa9\"}\nF{\"a\":[null]}\n" },
		/* What is deeper than a piece belongs to it. */
		{ 3, "{\"a\": [{\"b\": [[1], {\"c\": [{}, []]}]}]}", "P{\"b\":[[1],{\"c\":[{},[]]}]}\nF{\"a\":[null]}\n" },
		/* Lists are pieces as well, and whatever stands at the depth, under any name. */
		{ 2, "[[1, 2], [3], {\"a\": 4}, 5]", "P[1,2]\nP[3]\nP{\"a\":4}\nF[null,null,null,5]\n" },
		{ 3, "{\"x\": {\"y\": {}}, \"a\": [{\"b\": 1}]}", "P{}\nP{\"b\":1}\nF{\"x\":{\"y\":null},\"a\":[null]}\n" },
		{ 5, "{\"r\": [{\"s\": [{\"v\": [[1, 2]]}], \"id\": 0}, {\"error\": \"e\"}]}",
		  "P{\"v\":[[1,2]]}\nF{\"r\":[{\"s\":[null],\"id\":0},{\"error\":\"e\"}]}\n" },
		/* Several documents, with and without something between them. */
		{ 3, "{\"a\": [{\"b\": 1}]}\n{\"a\": [{\"b\": 2}, {\"b\": 3}]}\n",
		  "P{\"b\":1}\nF{\"a\":[null]}\nP{\"b\":2}\nP{\"b\":3}\nF{\"a\":[null,null]}\n" },
		{ 3, "{\"a\":[{}]}{\"a\":[]}[]", "P{}\nF{\"a\":[null]}\nF{\"a\":[]}\nF[]\n" },
		/* Whole documents. */
		{ 1, "{\"a\": 1}\n{\"b\": [2, {\"c\": \"}\"}]}\r\n\n{}", "P{\"a\":1}\nP{\"b\":[2,{\"c\":\"}\"}]}\nP{}\n" },
		{ 1, "{}[]{}", "P{}\nP[]\nP{}\n" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		check(cases[i].json, cases[i].depth, 0, cases[i].wanted);
}

/* An answer that ends too soon is not taken for a short one. */
static void test_pieces_end_in_a_document_is_told(void **state)
{
	(void)state;
	static const char *const documents[] = {
		"{\"a\": [{\"b\": 1}, {\"b\": \"}]\\\"\"}], \"c\": {\"d\": []}}",
		"[[1], [2]]",
	};
	for (size_t i = 0; i < COUNT_OF(documents); i++) {
		for (size_t length = 1; length < strlen(documents[i]); length++) {
			char cut[128];
			snprintf(cut, sizeof(cut), "%.*s", (int)length, documents[i]);
			for (unsigned depth = 1; depth <= 4; depth++)
				check(cut, depth, -EBADMSG, NULL);
			/* Behind a whole one. */
			snprintf(cut, sizeof(cut), "{}\n%.*s", (int)length, documents[i]);
			check(cut, 3, -EBADMSG, NULL);
		}
	}
}

static void test_pieces_feed_no_json_is_told(void **state)
{
	(void)state;
	static const struct {
		unsigned depth;
		const char *json;
	} cases[] = {
		{ 3, "hello" },
		{ 3, "<html><body>502</body></html>\n" },
		{ 3, "\"a string\"" },
		{ 3, "12" },
		{ 3, "{} and more" },
		{ 3, "and before {}" },
		{ 3, "{\"a\": [{\"b\" 1}]}" },
		{ 3, "{\"a\": [{\"b\": 1]]}" },
		{ 3, "{\"a\": [{b}]}" },
		{ 3, "{\"a\": [{\"b\": 1}{\"b\": 1}]}" },
		{ 3, "{\"a\": [{\"b\": 1} x]}" },
		{ 3, "{\"a\" []}" },
		{ 3, "{\"a\": }" },
		{ 3, "{\"a\": 1]" },
		{ 3, "]" },
		{ 3, "}{}" },
		{ 3, "{}}" },
		{ 1, "hello" },
		{ 1, "{\"a\": nothing}" },
		{ 1, "{\"a\": 1} x {\"a\": 1}" },
		{ 1, "{\"a\": 1}}" },
		{ 1, "{\"a\": 1},{\"a\": 1}" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		check(cases[i].json, cases[i].depth, -EBADMSG, NULL);
}

/* An answer without a taker of its frame must still be one. */
static void test_pieces_feed_frame_that_nobody_takes_is_still_checked(void **state)
{
	(void)state;
	static const struct {
		const char *json;
		int wanted;
	} cases[] = {
		{ "{\"a\": [{\"b\": 1}]}", 0 },
		{ "{\"a\": [{\"b\": 1}]}\n{}\n", 0 },
		{ "{\"a\" [{\"b\": 1}]}", -EBADMSG },
		{ "body { color: red }\n", -EBADMSG },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct outcome outcome = { 0 };
		struct pieces pieces = { .depth = 3, .take_piece = take_piece, .user = &outcome };
		int result = pieces_feed(&pieces, cases[i].json, strlen(cases[i].json));
		if (result == 0)
			result = pieces_end(&pieces);
		assert_int_equal(result, cases[i].wanted);
		pieces_free(&pieces);
		text_free(&outcome.told);
	}
}

static void test_pieces_feed_what_a_callback_returns_ends_it(void **state)
{
	(void)state;
	static const char json[] = "{\"a\": [{\"b\": 1}, {\"b\": 2}, {\"b\": 3}]}\n{\"a\": [{\"b\": 4}]}\n";
	for (size_t cut = 0; cut < strlen(json); cut++) {
		struct outcome outcome = { .fail_piece = 2 };
		assert_int_equal(feed(json, strlen(json), &cut, 1, 3, &outcome), -E2BIG);
		assert_int_equal(outcome.pieces, 2);
		assert_int_equal(outcome.frames, 0);
		text_free(&outcome.told);

		outcome = (struct outcome){ .fail_frame = 1 };
		assert_int_equal(feed(json, strlen(json), &cut, 1, 3, &outcome), -EREMOTEIO);
		assert_int_equal(outcome.pieces, 3);
		text_free(&outcome.told);

		/* Where the piece is the document. */
		outcome = (struct outcome){ .fail_piece = 2 };
		assert_int_equal(feed(json, strlen(json), &cut, 1, 1, &outcome), -E2BIG);
		assert_int_equal(outcome.pieces, 2);
		text_free(&outcome.told);
	}
}

/* Numbers alone: what stands in a string is not touched. */
static void test_pieces_feed_what_is_no_number_is_minus_one(void **state)
{
	(void)state;
	static const struct {
		unsigned depth;
		const char *json, *wanted; /* NULL: it is none */
	} cases[] = {
		{ 1, "{\"v\":[+Inf,-Inf,NaN,1,-2.5]}", "P{\"v\":[-1,-1,-1,1,-2.5]}\n" },
		{ 1, "{\"NaN\":NaN,\"+Inf\":\"-Inf\"}", "P{\"NaN\":-1,\"+Inf\":\"-Inf\"}\n" },
		{ 1, "{\"\\\"NaN\":NaN,\"\\\\\":+Inf,\"b\":\"\\\\\\\"-Inf\"}", "P{\"\\\"NaN\":-1,\"\\\\\":-1,\"b\":\"\\\\\\\"-Inf\"}\n" },
		{ 2, "[[NaN],[1]]", "P[-1]\nP[1]\nF[null,null]\n" },
		{ 1, "{\"v\":1}{\"v\":NaN}", "P{\"v\":1}\nP{\"v\":-1}\n" },
		{ 1, "{\"v\":nan}", NULL },
		{ 1, "{\"v\":+Infinity}", NULL },
		{ 1, "{\"v\":\\NaN}", NULL },
		{ 1, "{\"v\":NaN,}", NULL },
		{ 2, "[NaN,[1]]", NULL }, /* of the frame */
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct outcome outcome = { 0 };
		struct pieces pieces = {
			.depth = cases[i].depth, .take_piece = take_piece, .take_frame = take_frame, .user = &outcome, .non_finite = true,
		};
		int result = pieces_feed(&pieces, cases[i].json, strlen(cases[i].json));
		assert_int_equal(result, cases[i].wanted ? 0 : -EBADMSG);
		if (cases[i].wanted)
			assert_string_equal(outcome.told.data, cases[i].wanted);
		text_free(&outcome.told);
		pieces_free(&pieces);
	}
	/* Behind a NUL, which is none of JSON either, nothing is looked at. */
	static const char with_nul[] = "{\"a\":\"\\\0NaN\",\"v\":NaN}";
	struct pieces pieces = { .depth = 1, .take_piece = take_piece, .non_finite = true };
	assert_int_equal(pieces_feed(&pieces, with_nul, sizeof(with_nul) - 1), -EBADMSG);
	pieces_free(&pieces);
	/* It is to be wanted. */
	check("{\"v\":NaN}", 1, -EBADMSG, "");
}

static int count_only(void *user, const cJSON *object)
{
	(void)object;
	++*(size_t *)user;
	return 0;
}

/* Memory is that of one piece, whatever the answer's length. */
static void test_pieces_feed_long_answer_takes_the_memory_of_a_piece(void **state)
{
	(void)state;
	enum { DOCUMENTS = 20000 };
	size_t count = 0;
	struct pieces pieces = { .depth = 1, .take_piece = count_only, .user = &count };
	struct text line = TEXT_EMPTY;
	text_append_string(&line, "{\"values\": [");
	for (int i = 0; i < 100; i++)
		text_printf(&line, "%s%d", i ? "," : "", i);
	text_append_string(&line, "]}\n");
	for (int i = 0; i < DOCUMENTS; i++)
		assert_int_equal(pieces_feed(&pieces, line.data, line.length), 0);
	assert_int_equal(pieces_end(&pieces), 0);
	assert_int_equal(count, DOCUMENTS);
	assert_true(pieces.piece.capacity + pieces.frame.capacity < 4 * line.length + 1024);
	pieces_free(&pieces);
	text_free(&line);
}

/* Every allocation in turn, fed in parts of this size. */
static void fail_allocations(const struct text *json, size_t part, size_t wanted)
{
	bool failed = true;
	long n = 0;
	while (failed) {
		size_t count = 0;
		struct pieces pieces = { .depth = 3, .take_piece = count_only, .take_frame = count_only, .user = &count };
		long live = failing_live;
		int result = 0;
		failing_start(++n);
		for (size_t at = 0; at < json->length && result == 0; at += part)
			result = pieces_feed(&pieces, json->data + at, json->length - at < part ? json->length - at : part);
		failed = failing_stop();
		assert_int_equal(result, failed ? -ENOMEM : 0);
		if (!failed) {
			assert_int_equal(pieces_end(&pieces), 0);
			assert_int_equal(count, wanted);
		}
		pieces_free(&pieces);
		assert_int_equal(failing_live, live);
	}
	assert_true(n > 20);
}

static void test_pieces_feed_any_allocation_fails_is_out_of_memory(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	/* Long enough for its texts to grow. */
	struct text json = TEXT_EMPTY;
	text_append_string(&json, "{\"name\": \"");
	for (int i = 0; i < 300; i++)
		text_append_char(&json, 'n');
	text_append_string(&json, "\", \"a\": [");
	for (int i = 0; i < 3; i++) {
		text_append_string(&json, i ? ", {\"b\": [1, 2, \"" : "{\"b\": [1, 2, \"");
		for (int j = 0; j < 400 * (i + 1); j++)
			text_append_char(&json, 'x');
		text_append_string(&json, "\"]}");
	}
	text_append_string(&json, "]}");
	fail_allocations(&json, 100, 4);
	fail_allocations(&json, json.length, 4);
	text_free(&json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces_feed_any_cut_gives_the_same_pieces_and_frame),
		cmocka_unit_test(test_pieces_end_in_a_document_is_told),
		cmocka_unit_test(test_pieces_feed_no_json_is_told),
		cmocka_unit_test(test_pieces_feed_frame_that_nobody_takes_is_still_checked),
		cmocka_unit_test(test_pieces_feed_what_a_callback_returns_ends_it),
		cmocka_unit_test(test_pieces_feed_what_is_no_number_is_minus_one),
		cmocka_unit_test(test_pieces_feed_long_answer_takes_the_memory_of_a_piece),
		cmocka_unit_test(test_pieces_feed_any_allocation_fails_is_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
