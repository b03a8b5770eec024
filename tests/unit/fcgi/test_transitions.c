/* fcgi/transitions.h */
#include "tests/unit/support/cmocka.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fcgi/transitions.h"

/* A piece: series as "ip process time=colour …", one a string. The keys die with the call, as a store's do. */
static int add(struct transitions *transitions, enum resource resource, int64_t from_ms, const char *const piece[])
{
	struct store_point points[8][16];
	struct store_series series[8];
	char ips[8][16], processes[8][16];
	size_t count = 0;
	for (; piece[count]; count++) {
		int taken, at = 0;
		size_t found = 0;
		assert_int_equal(sscanf(piece[count], "%15s %15s%n", ips[count], processes[count], &at), 2);
		long long time;
		double color;
		for (; sscanf(piece[count] + at, " %lld=%lf%n", &time, &color, &taken) == 2; at += taken)
			points[count][found++] = (struct store_point){ time, color };
		series[count] = (struct store_series){ .key = { ips[count], processes[count] }, .points = points[count], .count = found };
	}
	struct store_history colors = { .items = series, .count = count };
	int result = transitions_add(transitions, &colors, resource, from_ms);
	memset(ips, 'x', sizeof(ips));
	memset(processes, 'x', sizeof(processes));
	return result;
}

#define ADD(transitions, resource, from_ms, ...) \
	assert_int_equal(add(transitions, resource, from_ms, (const char *const[]){ __VA_ARGS__, NULL }), 0)

static const char *tell(struct transitions *transitions)
{
	static char told[1024];
	told[0] = '\0';
	transitions_sort(transitions);
	for (size_t i = 0; i < transitions->count; i++) {
		const struct transition *item = &transitions->items[i];
		size_t used = strlen(told);
		snprintf(told + used, sizeof(told) - used, "%s%lld %s/%s %s %s", used ? "; " : "", (long long)item->time_ms,
		         item->key.ip, item->key.process, wire_resource_name(item->resource), wire_color_name(item->color));
	}
	return told;
}

static void test_transitions_add_a_colour_goes_on_over_pieces(void **state)
{
	(void)state;
	struct transitions transitions;
	transitions_init(&transitions, 100, false);
	ADD(&transitions, RESOURCE_MEM, 0, "10.0.0.2 a 1=2 2=2", "10.0.0.1 b 1=1 2=2");
	ADD(&transitions, RESOURCE_MEM, 0, "10.0.0.1 a 3=2", "10.0.0.1 b 3=2 4=0", "10.0.0.2 a 4=2");
	ADD(&transitions, RESOURCE_CPU, 0, "10.0.0.1 b 4=2", "10.0.0.2 a 2=3");
	ADD(&transitions, RESOURCE_MEM, 0, "10.0.0.2 a 5=2 6=0 7=9");
	assert_string_equal(tell(&transitions),
	                    "1 10.0.0.1/b mem orange; 1 10.0.0.2/a mem red; 2 10.0.0.1/b mem red; 2 10.0.0.2/a cpu unknown; "
	                    "3 10.0.0.1/a mem red; 4 10.0.0.1/b mem green; 4 10.0.0.1/b cpu red; 6 10.0.0.2/a mem green; "
	                    "7 10.0.0.2/a mem unknown");
	transitions_free(&transitions);
}

static void test_transitions_add_what_stands_at_the_start_is_none(void **state)
{
	(void)state;
	struct transitions transitions;
	transitions_init(&transitions, 100, false);
	ADD(&transitions, RESOURCE_MEM, 10, "10.0.0.1 a 9=2 10=2 11=2", "10.0.0.1 b 9=2 11=0", "10.0.0.1 c 11=2");
	ADD(&transitions, RESOURCE_MEM, 10, "10.0.0.1 a 12=2", "10.0.0.1 b 12=0", "10.0.0.1 c 12=2");
	assert_string_equal(tell(&transitions), "11 10.0.0.1/b mem green; 11 10.0.0.1/c mem red");
	transitions_free(&transitions);
}

static void test_transitions_add_standing_what_stands_at_the_start_has_its_time(void **state)
{
	(void)state;
	struct transitions transitions;
	transitions_init(&transitions, 100, false);
	ADD(&transitions, RESOURCE_MEM, 10, "10.0.0.1 a 9=2 10=1 11=2", "10.0.0.1 b 9=2 10=0", "10.0.0.1 c 11=2", "10.0.0.1 d 8=3");
	ADD(&transitions, RESOURCE_MEM, 10, "10.0.0.1 a 12=2", "10.0.0.1 d 12=0");
	ADD(&transitions, RESOURCE_CPU, 10, "10.0.0.1 a 10=2");
	assert_int_equal(transitions_add_standing(&transitions, 10), 0);
	assert_string_equal(tell(&transitions),
	                    "10 10.0.0.1/a mem orange; 10 10.0.0.1/a cpu red; 10 10.0.0.1/d mem unknown; 11 10.0.0.1/a mem red; "
	                    "11 10.0.0.1/c mem red; 12 10.0.0.1/d mem green");
	transitions_free(&transitions);

	transitions_init(&transitions, 1, false);
	ADD(&transitions, RESOURCE_MEM, 10, "10.0.0.1 a 9=2", "10.0.0.1 b 9=2");
	assert_int_equal(transitions_add_standing(&transitions, 10), -E2BIG);
	transitions_free(&transitions);
}

static void test_transitions_add_over_max_is_too_big_or_the_newest_stay(void **state)
{
	(void)state;
	struct transitions transitions;
	transitions_init(&transitions, 2, false);
	ADD(&transitions, RESOURCE_MEM, 0, "10.0.0.1 a 1=2 2=0 3=0");
	assert_int_equal(add(&transitions, RESOURCE_MEM, 0, (const char *const[]){ "10.0.0.1 a 4=2", NULL }), -E2BIG);
	transitions_free(&transitions);

	transitions_init(&transitions, 2, true);
	for (int i = 0; i < 200; i++) {
		char series[64];
		snprintf(series, sizeof(series), "10.0.0.1 a %d=%d", i, i % 2);
		ADD(&transitions, RESOURCE_MEM, -1, series);
		assert_true(transitions.count < 8);
	}
	/* Another resource's come behind them, from the start. */
	ADD(&transitions, RESOURCE_CPU, -1, "10.0.0.1 a 1=2 198=0 199=2");
	assert_string_equal(tell(&transitions), "199 10.0.0.1/a mem orange; 199 10.0.0.1/a cpu red");
	transitions_free(&transitions);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_transitions_add_a_colour_goes_on_over_pieces),
		cmocka_unit_test(test_transitions_add_what_stands_at_the_start_is_none),
		cmocka_unit_test(test_transitions_add_standing_what_stands_at_the_start_has_its_time),
		cmocka_unit_test(test_transitions_add_over_max_is_too_big_or_the_newest_stay),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
