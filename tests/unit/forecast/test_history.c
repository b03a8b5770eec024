/* forecast/history.h */
#include "tests/unit/support/cmocka.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "forecast/history.h"

#define NOW 1795356187000 /* 7 s after a boundary of 60 s: 29922603 */
#define BUCKET 29922603

static void test_history_path_table(void **state)
{
	(void)state;
	static const struct {
		struct history_query query;
		const char *expected;
	} cases[] = {
		/* Two whole buckets before the present one. */
		{ { .resource = RESOURCE_MEM, .step_ms = 60000, .first = BUCKET - 2, .above = -1 },
		  "get-all-detailed?resource=mem&by=host&timestamps=1&step=60s&fn=max&window=136s" },
		{ { .resource = RESOURCE_CPU, .step_ms = 60000, .first = BUCKET - 2, .above = 12.5, .ip = "::1" },
		  "get-all-detailed?resource=cpu&by=host&timestamps=1&step=60s&fn=max&window=136s&above=12.5&ip=%3A%3A1" },
		{ { .resource = RESOURCE_CPU, .step_ms = 60000, .first = BUCKET, .above = 0, .ip = "10.0.0.5", .process = "a b&c%\xc3\xa9" },
		  "get-all-detailed?resource=cpu&by=host&timestamps=1&step=60s&fn=max&window=16s&above=0&ip=10.0.0.5"
		  "&process=a%20b%26c%25%C3%A9" },
		/* The server answers no window under 10 s. */
		{ { .resource = RESOURCE_CPU, .step_ms = 1000, .first = NOW / 1000, .above = -1 },
		  "get-all-detailed?resource=cpu&by=host&timestamps=1&step=1s&fn=max&window=10s" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct text path = TEXT_EMPTY;
		history_path(&cases[i].query, "max", NOW, &path);
		assert_string_equal(path.data, cases[i].expected);
		text_free(&path);
	}
}

static void test_history_first_window_is_not_over_what_is_allowed(void **state)
{
	(void)state;
	for (int64_t now_ms = NOW - 400000; now_ms < NOW; now_ms += 777) {
		int64_t window_ms = 2 * 86400000, first = history_first(now_ms, window_ms, 300000);
		assert_true(first * 300000 > now_ms - window_ms);
		assert_true((first - 1) * 300000 <= now_ms - window_ms + HISTORY_MARGIN_MS + 1000);
		struct history_query query = { .step_ms = 300000, .first = first, .above = -1 };
		struct text path = TEXT_EMPTY;
		history_path(&query, "max", now_ms, &path);
		assert_true(atoll(strstr(path.data, "window=") + 7) <= 2 * 86400);
		text_free(&path);
	}
}

/* What a reader was given: "ip/process first: mean/max ...; ". */
struct reading {
	struct text given, asked;
	double floor;
	const char *unwanted;
	int result;
};

static double wanted(void *user, const char *ip, const char *process, enum resource resource)
{
	struct reading *reading = user;
	assert_int_equal(resource, RESOURCE_CPU);
	text_printf(&reading->asked, "%s/%s ", ip, process);
	return reading->unwanted && strcmp(reading->unwanted, process) == 0 ? INFINITY : reading->floor;
}

static int read_series(void *user, const struct history_series *series)
{
	struct reading *reading = user;
	assert_int_equal(series->resource, RESOURCE_CPU);
	text_printf(&reading->given, "%s/%s %lld:", series->ip, series->process, (long long)series->first);
	for (size_t i = 0; i < series->count; i++)
		text_printf(&reading->given, " %g/%g", (double)series->steps[i].mean, (double)series->steps[i].max);
	text_append_string(&reading->given, "; ");
	return reading->result;
}

static int merge(const char *max_body, const char *mean_body, struct reading *reading, struct text *error)
{
	static struct step room[5];
	const struct step canary = { 123, 456 };
	room[0] = room[4] = canary;
	struct history_query query = { .resource = RESOURCE_CPU, .step_ms = 60000, .first = 10, .count = 3 };
	struct history_reader reader = { .user = reading, .above = wanted, .read = read_series };
	text_append_string(&reading->given, "");
	int result = history_merge(&query, max_body, mean_body, room + 1, &reader, error);
	assert_memory_equal(&room[0], &canary, sizeof(canary));
	assert_memory_equal(&room[4], &canary, sizeof(canary));
	return result;
}

static void free_reading(struct reading *reading)
{
	text_free(&reading->given);
	text_free(&reading->asked);
}

static void test_history_merge_table(void **state)
{
	(void)state;
	static const struct {
		const char *max_body, *mean_body, *expected;
		double floor;
		const char *unwanted;
	} cases[] = {
		{ "{}", "{}", "", -INFINITY, NULL },
		{ "{\"10.0.0.5\": {\"a\": [[600, 5], [660, 6], [720, 7]]}}", "{\"10.0.0.5\": {\"a\": [[600, 1], [660, 2], [720, 3]]}}",
		  "10.0.0.5/a 10: 1/5 2/6 3/7; ", -INFINITY, NULL },
		/* Gaps, and buckets that are cut or not wanted. */
		{ "{\"10.0.0.5\": {\"a\": [[540, 99], [660, 6], [780, 99]]}}", "{\"10.0.0.5\": {\"a\": [[540, 98], [660, 2], [780, 98]]}}",
		  "10.0.0.5/a 10: nan/nan 2/6 nan/nan; ", -INFINITY, NULL },
		{ "{\"10.0.0.5\": {\"a\": [[-60, 9], [0, 9]]}}", "{}", "", -INFINITY, NULL },
		/* Series of one answer alone. */
		{ "{\"10.0.0.5\": {\"b\": [[600, 5]], \"d\": [[600, 6]]}}",
		  "{\"10.0.0.5\": {\"a\": [[600, 1]], \"c\": [[600, 2]], \"d\": [[600, 3]], \"e\": [[600, 4]]}}",
		  "10.0.0.5/b 10: nan/5 nan/nan nan/nan; 10.0.0.5/d 10: 3/6 nan/nan nan/nan; ", -INFINITY, NULL },
		{ "{\"10.0.0.6\": {\"a\": [[600, 5]]}}", "{\"10.0.0.5\": {\"a\": [[600, 1]], \"z\": [[600, 1]]}, \"10.0.0.6\": {\"a\": [[600, 2]]}}",
		  "10.0.0.6/a 10: 2/5 nan/nan nan/nan; ", -INFINITY, NULL },
		{ "{\"10.0.0.5\": {\"z\": [[600, 5]]}, \"10.0.0.6\": {\"a\": [[600, 6]]}}", "{\"10.0.0.6\": {\"a\": [[600, 2]]}}",
		  "10.0.0.5/z 10: nan/5 nan/nan nan/nan; 10.0.0.6/a 10: 2/6 nan/nan nan/nan; ", -INFINITY, NULL },
		/* Only what is over the floor, by a bucket that counts. */
		{ "{\"10.0.0.5\": {\"a\": [[600, 20]], \"b\": [[600, 1], [660, 20.5]], \"c\": [[540, 99], [600, 1]]}}",
		  "{\"10.0.0.5\": {\"a\": [[600, 1]], \"b\": [[600, 0.5], [660, 10]], \"c\": [[600, 1]]}}",
		  "10.0.0.5/b 10: 0.5/1 10/20.5 nan/nan; ", 20, NULL },
		{ "{\"10.0.0.5\": {\"a\": [[600, 20]], \"b\": [[600, 1]]}}", "{}", "10.0.0.5/b 10: nan/1 nan/nan nan/nan; ", -INFINITY, "a" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct reading reading = { .floor = cases[i].floor, .unwanted = cases[i].unwanted };
		struct text error = TEXT_EMPTY;
		assert_int_equal(merge(cases[i].max_body, cases[i].mean_body, &reading, &error), 0);
		if (strcmp(reading.given.data, cases[i].expected) != 0)
			fail_msg("case %zu: '%s' is not '%s'", i, reading.given.data, cases[i].expected);
		assert_null(error.data);
		free_reading(&reading);
	}
}

static void test_history_merge_broken_answers_say_why(void **state)
{
	(void)state;
	static const char right[] = "{\"10.0.0.5\": {\"a\": [[600, 5]]}}";
	static const struct {
		const char *max_body, *mean_body, *sentence;
	} cases[] = {
		{ "<html>", right, "it is no JSON object" },
		{ right, "<html>", "it is no JSON object" },
		{ "{\"10.0.0.5\": {\"a\": [[600]]}}", right, "a point is no pair of numbers" },
		{ right, "{\"10.0.0.5\": {\"a\": [[600]]}}", "a point is no pair of numbers" },
		{ right, "{\"10.0.0.4\": {\"a\": []}, \"10.0.0.4\"", "a colon is missing" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct reading reading = { .floor = -INFINITY };
		struct text error = TEXT_EMPTY;
		assert_int_equal(merge(cases[i].max_body, cases[i].mean_body, &reading, &error), -EBADMSG);
		assert_string_equal(error.data, cases[i].sentence);
		text_free(&error);
		free_reading(&reading);
	}
}

static void test_history_merge_reader_ends_it(void **state)
{
	(void)state;
	static const char body[] = "{\"10.0.0.5\": {\"a\": [[600, 5]], \"b\": [[600, 5]]}}";
	struct reading reading = { .floor = -INFINITY, .result = -ENOMEM };
	struct text error = TEXT_EMPTY;
	assert_int_equal(merge(body, body, &reading, &error), -ENOMEM);
	assert_string_equal(reading.asked.data, "10.0.0.5/a ");
	free_reading(&reading);
	text_free(&error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_history_path_table),
		cmocka_unit_test(test_history_first_window_is_not_over_what_is_allowed),
		cmocka_unit_test(test_history_merge_table),
		cmocka_unit_test(test_history_merge_broken_answers_say_why),
		cmocka_unit_test(test_history_merge_reader_ends_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
