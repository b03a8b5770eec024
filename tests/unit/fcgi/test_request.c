/* fcgi/request.h: the answers that are errors; the connections are tested through the pool */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/fcgi/helpers.h"

#include "common/clock.h"
#include "fcgi/request.h"

static void test_response_error_status_tells_what_is_beside_the_sentence(void **state)
{
	(void)state;
	static const struct {
		int status;
		const char *field;
		bool authenticate;
		int retry_after_s;
		const char *body;
	} cases[] = {
		{ 400, NULL, false, 0, "{\"Response\": \"NOk\", \"error\": \"7 \\\"words\\\"\"}\n" },
		{ 400, "", false, 0, "{\"Response\": \"NOk\", \"error\": \"7 \\\"words\\\"\"}\n" },
		{ 400, "data[3].\"x\"", false, 0,
		  "{\"Response\": \"NOk\", \"error\": \"7 \\\"words\\\"\", \"field\": \"data[3].\\\"x\\\"\"}\n" },
		{ 401, NULL, true, 0, "{\"Response\": \"NOk\", \"error\": \"7 \\\"words\\\"\"}\n" },
		{ 503, NULL, false, 5, "{\"Response\": \"NOk\", \"error\": \"7 \\\"words\\\"\"}\n" },
	};
	struct response response = { 0 };
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		response_error(&response, cases[i].status, cases[i].field, "%d \"%s\"", 7, "words");
		assert_int_equal(response.status, cases[i].status);
		assert_int_equal(response.authenticate, cases[i].authenticate);
		assert_int_equal(response.retry_after_s, cases[i].retry_after_s);
		assert_string_equal(response.body.data, cases[i].body);
	}
	text_free(&response.body);
}

static void test_response_error_conflict_tells_the_time(void **state)
{
	(void)state;
	static const char *const fields[] = { NULL, "data[0].timestamp" };
	static const char *const starts[] = {
		"{\"Response\": \"NOk\", \"error\": \"late\", \"server_time\": ",
		"{\"Response\": \"NOk\", \"error\": \"late\", \"field\": \"data[0].timestamp\", \"server_time\": ",
	};
	struct response response = { 0 };
	for (size_t i = 0; i < COUNT_OF(fields); i++) {
		char *end;
		int64_t before_ms = clock_wall_ms();
		response_error(&response, 409, fields[i], "late");
		assert_int_equal(response.status, 409);
		assert_memory_equal(response.body.data, starts[i], strlen(starts[i]));
		double time_ms = strtod(response.body.data + strlen(starts[i]), &end) * 1000;
		assert_true(time_ms > (double)before_ms - 1 && time_ms < (double)clock_wall_ms() + 1);
		assert_string_equal(end, "}\n");
	}
	text_free(&response.body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_response_error_status_tells_what_is_beside_the_sentence),
		cmocka_unit_test(test_response_error_conflict_tells_the_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
