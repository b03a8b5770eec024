/* fcgi/counters.h: the text is read line by line as Prometheus does (exposition format 0.0.4) */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/fcgi/helpers.h"

#include <ctype.h>
#include <math.h>

#include "fcgi/counters.h"

static const char *const names[] = { "save-all", "none" };

static size_t name_length(const char *text)
{
	size_t length = 0;
	while (isalpha((unsigned char)text[length]) || text[length] == '_' || text[length] == ':' ||
	       (length && isdigit((unsigned char)text[length])))
		length++;
	return length;
}

/* Whether a line is right; its value in *ret_value, its name as far as the length given back. */
static size_t parse_sample(const char *line, double *ret_value)
{
	size_t length = name_length(line);
	const char *at = line + length;
	if (*at == '{') {
		do {
			at++;
			size_t label = name_length(at);
			assert_true(label > 0 && strncmp(at + label, "=\"", 2) == 0);
			at += label + 2;
			at += strcspn(at, "\"\\\n");
			assert_int_equal(*at++, '"');
		} while (*at == ',');
		assert_int_equal(*at++, '}');
	}
	assert_int_equal(*at++, ' ');
	char *end;
	*ret_value = strtod(at, &end);
	assert_true(end != at && *end == '\0' && isfinite(*ret_value) && *ret_value >= 0);
	return length;
}

static double value_of(const char *name)
{
	return metric_value(name, names, COUNT_OF(names));
}

static void test_counters_append_every_line_parses(void **state)
{
	(void)state;
	struct text text = TEXT_EMPTY;
	char type[64] = "", help[64] = "";
	unsigned samples = 0;
	counters_request(0, 200);
	counters_append(&text, names, COUNT_OF(names));
	assert_int_equal(text.data[text.length - 1], '\n');
	assert_null(strstr(text.data, "\n\n"));
	for (char *line = strtok(text.data, "\n"); line; line = strtok(NULL, "\n")) {
		char word[64], kind[64];
		double value;
		if (sscanf(line, "# HELP %63s %63s", word, kind) == 2) {
			strcpy(help, word);
		} else if (sscanf(line, "# TYPE %63s %63s", word, kind) == 2) {
			assert_true(strcmp(kind, "counter") == 0 || strcmp(kind, "histogram") == 0);
			assert_string_equal(word, help);
			strcpy(type, word);
		} else {
			size_t length = parse_sample(line, &value);
			assert_true(length >= strlen(type) && strncmp(line, type, strlen(type)) == 0);
			samples++;
		}
	}
	assert_true(samples > COUNTER_COUNT + 2 * 20);
	text_free(&text);
}

static void test_counters_add_numbers_add_up(void **state)
{
	(void)state;
	double before = value_of("vigie_points_total");
	counters_add(COUNTER_POINTS, 300);
	counters_add(COUNTER_POINTS, 1);
	assert_true(value_of("vigie_points_total") == before + 301);
}

static void test_counters_request_each_route_and_status_apart(void **state)
{
	(void)state;
	counters_request(1, 404);
	counters_request(1, 404);
	counters_request(1, 418); /* not one of ours: nothing is counted, nothing breaks */
	assert_true(value_of("vigie_requests_total{route=\"none\",status=\"404\"}") == 2);
	assert_true(value_of("vigie_requests_total{route=\"save-all\",status=\"404\"}") == -1);
}

static void test_counters_time_buckets_are_cumulative(void **state)
{
	(void)state;
	counters_time(TIMER_READ, 0);
	counters_time(TIMER_READ, 100000); /* le: at most */
	counters_time(TIMER_READ, 100001);
	counters_time(TIMER_READ, 3600 * 1000000000LL);
	assert_true(value_of("vigie_store_read_seconds_bucket{le=\"0.0001\"}") == 2);
	assert_true(value_of("vigie_store_read_seconds_bucket{le=\"0.0002\"}") == 3);
	assert_true(value_of("vigie_store_read_seconds_bucket{le=\"13.1072\"}") == 3);
	assert_true(value_of("vigie_store_read_seconds_bucket{le=\"+Inf\"}") == 4);
	assert_true(value_of("vigie_store_read_seconds_count") == 4);
	assert_true(fabs(value_of("vigie_store_read_seconds_sum") - 3600.0002) < 1e-5);
	assert_true(value_of("vigie_store_append_seconds_count") == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counters_append_every_line_parses),
		cmocka_unit_test(test_counters_add_numbers_add_up),
		cmocka_unit_test(test_counters_request_each_route_and_status_apart),
		cmocka_unit_test(test_counters_time_buckets_are_cumulative),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
