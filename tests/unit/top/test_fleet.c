/* top/fleet.h, top/view.h and top/label.h */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "top/fleet.h"
#include "top/label.h"
#include "top/view.h"

static int utf8(void **state)
{
	(void)state;
	return setlocale(LC_CTYPE, "C.UTF-8") ? 0 : -1;
}

typedef int taker(struct fleet *fleet, const struct text *body, struct text *ret_error);

static int take(taker *take_one, struct fleet *fleet, const char *json)
{
	struct text body = TEXT_EMPTY, error = TEXT_EMPTY;
	text_append_string(&body, json);
	int result = take_one(fleet, &body, &error);
	assert_true((result == 0) == (error.length == 0));
	text_free(&body);
	text_free(&error);
	return result;
}

static struct fleet *open_fleet(void)
{
	struct fleet *fleet = fleet_open();
	assert_non_null(fleet);
	assert_int_equal(take(fleet_take_latest, fleet,
		"{\"10.0.0.5\": {\"java\": {\"mem\": [1, 83.1], \"cpu\": [1, 12.5]}, \"post gres\": {\"cpu\": [1, 150.25]}, \"bad\": {\"cpu\": [1, \"x\"]}},"
		" \"10.0.0.6\": {\"nginx\": {\"mem\": [1, 0.5], \"cpu\": [1, 3]}}, \"10.0.0.8\": {}}"), 0);
	assert_int_equal(take(fleet_take_forecasts, fleet,
		"{\"10.0.0.5\": {\"java\": {\"mem\": {\"probability\": 0.91}, \"cpu\": {\"probability\": 0.1}}},"
		" \"10.0.0.6\": {\"nginx\": {\"cpu\": {\"probability\": 0}}}}"), 0);
	assert_int_equal(take(fleet_take_alarms, fleet,
		"{\"color\": \"red\", \"alarms\": [{\"process\": \"java\", \"ip\": \"10.0.0.5\", \"resource\": \"cpu\", \"color\": \"orange\"},"
		" {\"process\": \"java\", \"ip\": \"10.0.0.5\", \"resource\": \"mem\", \"color\": \"red\"}, 7, {},"
		" {\"process\": \"*\", \"ip\": \"10.0.0.7\", \"resource\": \"mem\", \"color\": \"unknown\"}]}"), 0);
	assert_int_equal(take(fleet_take_hosts, fleet, "{\"10.0.0.5\": {\"hostname\": \"db 1\"}, \"10.0.0.6\": {\"hostname\": \"web\\u00071\"}, \"10.0.0.7\": {}}"), 0);
	return fleet;
}

/* The processes that are chosen, in their order. */
static const char *listed(struct fleet *fleet, enum fleet_order order, const char *process, const char *host)
{
	static char names[4096];
	const struct fleet_choice choice = { order, process, host };
	const struct fleet_row *const *rows;
	size_t count;
	names[0] = '\0';
	assert_int_equal(fleet_list(fleet, &choice, &rows, &count), 0);
	assert_true(count < 8);
	for (size_t i = 0; i < count; i++) {
		strcat(names, i ? ", " : "");
		strcat(names, rows[i]->process);
	}
	return names;
}

static void test_fleet_list_rows_are_chosen_and_ordered(void **state)
{
	(void)state;
	struct fleet *fleet = open_fleet();
	assert_string_equal(listed(fleet, FLEET_BY_CPU, "", ""), "post gres, java, nginx, *");
	assert_string_equal(listed(fleet, FLEET_BY_MEM, "", ""), "java, nginx, *, post gres");
	assert_string_equal(listed(fleet, FLEET_BY_PROBABILITY, "", ""), "java, nginx, *, post gres");
	assert_string_equal(listed(fleet, FLEET_BY_ALARM, "", ""), "java, *, nginx, post gres");
	assert_string_equal(listed(fleet, FLEET_BY_CPU, "GRES", ""), "post gres");
	assert_string_equal(listed(fleet, FLEET_BY_CPU, "", "DB"), "post gres, java");
	assert_string_equal(listed(fleet, FLEET_BY_CPU, "", "0.0.6"), "nginx");
	assert_string_equal(listed(fleet, FLEET_BY_CPU, "x", "DB"), "");
	struct fleet_counts counts = fleet_count(fleet);
	assert_int_equal(counts.hosts, 3);
	assert_int_equal(counts.processes, 3);
	assert_int_equal(counts.colors[COLOR_RED], 1);
	assert_int_equal(counts.colors[COLOR_ORANGE], 0);
	assert_int_equal(counts.colors[COLOR_UNKNOWN], 1);
	fleet_close(fleet);
}

static void test_fleet_take_what_is_no_answer_is_refused(void **state)
{
	(void)state;
	static taker *const takers[] = { fleet_take_latest, fleet_take_forecasts, fleet_take_alarms, fleet_take_hosts };
	static const char *const bodies[] = { "", "[]", "<html>", "{", "\"x\"" };
	struct fleet *fleet = fleet_open();
	assert_non_null(fleet);
	for (size_t i = 0; i < sizeof(takers) / sizeof(takers[0]); i++) {
		for (size_t j = 0; j < sizeof(bodies) / sizeof(bodies[0]); j++)
			assert_int_equal(take(takers[i], fleet, bodies[j]), -EBADMSG);
	}
	assert_int_equal(take(fleet_take_alarms, fleet, "{}"), -EBADMSG);
	assert_string_equal(listed(fleet, FLEET_BY_CPU, "", ""), "");
	fleet_close(fleet);
}

/* What is not of its shape is left out; what is beside it counts. */
static void test_fleet_take_members_that_are_wrong_are_left_out(void **state)
{
	(void)state;
	static const struct {
		taker *take_one;
		const char *wrong, *right;
	} cases[] = {
		{ fleet_take_latest, "7", "[1, 2]" }, { fleet_take_latest, "[]", "[1, 2]" }, { fleet_take_latest, "[1]", "[1, 2]" },
		{ fleet_take_latest, "[1, null]", "[1, 2]" }, { fleet_take_latest, "[1, 1e999]", "[1, 2]" },
		{ fleet_take_latest, "{\"t\": 1, \"v\": 2}", "[1, 2]" },
		{ fleet_take_forecasts, "{}", "{\"probability\": 1}" }, { fleet_take_forecasts, "[1, 2]", "{\"probability\": 0}" },
		{ fleet_take_forecasts, "{\"probability\": \"0.5\"}", "{\"probability\": 0.5}" },
		{ fleet_take_forecasts, "{\"probability\": -0.1}", "{\"probability\": 0.5}" },
		{ fleet_take_forecasts, "{\"probability\": 1.1}", "{\"probability\": 0.5}" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char json[256];
		struct fleet *fleet = fleet_open();
		assert_non_null(fleet);
		snprintf(json, sizeof(json), "{\"10.0.0.5\": {\"bad\": {\"mem\": %s}, \"good\": {\"mem\": %s}}}", cases[i].wrong, cases[i].right);
		assert_int_equal(take(cases[i].take_one, fleet, json), 0);
		if (strcmp(listed(fleet, FLEET_BY_CPU, "", ""), "good") != 0)
			fail_msg("%s", json);
		fleet_close(fleet);
	}
}

static void test_fleet_take_alarms_that_are_wrong_are_left_out(void **state)
{
	(void)state;
	static const struct {
		const char *ip, *process, *resource, *color;
	} cases[] = {
		{ "10.0.0", "\"a\"", "mem", "red" }, { "10.0.0.5", "\"\"", "mem", "red" }, { "10.0.0.5", "5", "mem", "red" },
		{ "10.0.0.5", NULL, "mem", "red" }, /* a name that is longer than one may be */
		{ "10.0.0.5", "\"a\"", "mem", "pink" }, { "10.0.0.5", "\"a\"", "read_bytes_per_second", "red" },
	};
	char name[WIRE_NAME_MAX + 4];
	snprintf(name, sizeof(name), "\"%0*d\"", WIRE_NAME_MAX + 1, 7);
	struct fleet *fleet = fleet_open();
	assert_non_null(fleet);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct text json = TEXT_EMPTY;
		text_printf(&json, "{\"alarms\": [{\"ip\": \"%s\", \"process\": %s, \"resource\": \"%s\", \"color\": \"%s\"}]}", cases[i].ip,
		            cases[i].process ? cases[i].process : name, cases[i].resource, cases[i].color);
		assert_int_equal(take(fleet_take_alarms, fleet, json.data), 0);
		if (fleet_count(fleet).colors[COLOR_RED] + fleet_count(fleet).colors[COLOR_GREEN] > 0)
			fail_msg("%s", json.data);
		text_free(&json);
	}
	fleet_close(fleet);
}

/* Of a process's two forecasts the higher one, of hosts in any order each its name, of rows that are alike the lower address. */
static void test_fleet_take_answers_in_any_order_are_the_same(void **state)
{
	(void)state;
	struct fleet *fleet = fleet_open();
	const struct fleet_choice choice = { FLEET_BY_PROBABILITY, "", "" };
	const struct fleet_row *const *rows;
	size_t count;
	assert_non_null(fleet);
	assert_int_equal(take(fleet_take_latest, fleet,
		"{\"10.0.0.7\": {\"sh\": {\"cpu\": [1, 1]}}, \"10.0.0.5\": {\"sh\": {\"cpu\": [1, 1]}}, \"10.0.0.6\": {\"sh\": {\"cpu\": [1, 1]}}}"), 0);
	assert_int_equal(take(fleet_take_forecasts, fleet,
		"{\"10.0.0.7\": {\"sh\": {\"mem\": {\"probability\": 0.2}, \"cpu\": {\"probability\": 0.3}}},"
		" \"10.0.0.6\": {\"sh\": {\"mem\": {\"probability\": 0.3}, \"cpu\": {\"probability\": 0.2}}}}"), 0);
	assert_int_equal(take(fleet_take_hosts, fleet,
		"{\"10.0.0.7\": {\"hostname\": \"c\"}, \"10.0.0.5\": {\"hostname\": \"a\"}, \"10.0.0.6\": {\"hostname\": \"b\"}}"), 0);
	assert_int_equal(fleet_list(fleet, &choice, &rows, &count), 0);
	assert_int_equal(count, 3);
	static const char *const hosts[] = { "b", "c", "a" };
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(rows[i]->host, hosts[i]);
		assert_int_equal(rows[i]->foreseen, i < 2);
		assert_true(i == 2 || rows[i]->probability == 0.3);
	}
	fleet_close(fleet);
}

static void test_fleet_any_allocation_fails_is_told_and_nothing_stays(void **state)
{
	(void)state;
	static const struct {
		taker *take_one;
		const char *json;
	} cases[] = {
		{ fleet_take_latest, "{\"10.0.0.5\": {\"java\": {\"mem\": [1, 83.1]}, \"sh\": {\"mem\": [1, 2]}}}" },
		{ fleet_take_forecasts, "{\"10.0.0.5\": {\"java\": {\"mem\": {\"probability\": 0.91}}}}" },
		{ fleet_take_alarms, "{\"alarms\": [{\"process\": \"java\", \"ip\": \"10.0.0.5\", \"resource\": \"mem\", \"color\": \"red\"}]}" },
	};
	if (!FAILING_MALLOC)
		skip();
	long live = failing_unfreed();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool failed = true;
		int refused = 0;
		struct text body = TEXT_EMPTY;
		text_append_string(&body, cases[i].json);
		for (long number = 1; failed; number++) {
			struct text error = TEXT_EMPTY;
			struct fleet *fleet = fleet_open();
			assert_non_null(fleet);
			failing_start(number);
			int result = cases[i].take_one(fleet, &body, &error);
			failed = failing_stop();
			/* A document that does not fit is taken for none. */
			assert_true(result == 0 || (failed && (result == -ENOMEM || result == -EBADMSG)));
			refused += result == -ENOMEM;
			const struct fleet_choice choice = { FLEET_BY_CPU, "", "" };
			const struct fleet_row *const *rows = NULL;
			size_t count = 77;
			failing_start(1);
			assert_int_equal(fleet_list(fleet, &choice, &rows, &count), -ENOMEM);
			assert_true(failing_stop());
			assert_null(rows);
			assert_int_equal(fleet_list(fleet, &choice, &rows, &count), 0);
			assert_true(result != 0 || strcmp(rows[0]->process, "java") == 0);
			fleet_close(fleet);
			text_free(&error);
		}
		assert_true(refused >= 1);
		text_free(&body);
	}
	failing_start(1);
	assert_null(fleet_open());
	assert_true(failing_stop());
	assert_int_equal(failing_unfreed(), live);
}

static void test_view_append_all_columns_are_as_wide_as_they_need(void **state)
{
	(void)state;
	struct fleet *fleet = open_fleet();
	const struct fleet_choice choice = { FLEET_BY_CPU, "", "" };
	const struct fleet_row *const *rows;
	size_t count;
	struct text text = TEXT_EMPTY;
	assert_int_equal(fleet_list(fleet, &choice, &rows, &count), 0);
	view_append_all(rows, count, &text);
	assert_string_equal(text.data,
		"HOST      IP         CPU%   MEM%  PROB  STATE    PROCESS\n"
		"db_1      10.0.0.5  150.2      -     -  -        post gres\n"
		"db_1      10.0.0.5   12.5  83.10  0.91  RED:mem  java\n"
		"web?1     10.0.0.6    3.0   0.50  0.00  -        nginx\n"
		"10.0.0.7  10.0.0.7      -      -     -  UNKNOWN  *\n");
	text_free(&text);
	fleet_close(fleet);
}

static void test_view_append_all_what_must_run_is_missing(void **state)
{
	(void)state;
	struct fleet *fleet = fleet_open();
	const struct fleet_choice choice = { FLEET_BY_CPU, "", "" };
	const struct fleet_row *const *rows;
	size_t count;
	struct text text = TEXT_EMPTY;
	assert_non_null(fleet);
	assert_int_equal(take(fleet_take_alarms, fleet,
		"{\"color\": \"red\", \"alarms\": [{\"process\": \"nginx\", \"ip\": \"10.0.0.5\", \"resource\": \"mem\", \"color\": \"red\", "
		"\"missing\": true}]}"), 0);
	assert_int_equal(fleet_list(fleet, &choice, &rows, &count), 0);
	view_append_all(rows, count, &text);
	assert_string_equal(text.data,
		"HOST      IP        CPU%  MEM%  PROB  STATE    PROCESS\n"
		"10.0.0.5  10.0.0.5     -     -     -  MISSING  nginx\n");
	assert_string_equal(view_state(rows[0]), "MISSING");
	text_free(&text);
	fleet_close(fleet);
}

#define SILENCED "\"silenced_until\": 1795356878"

static void test_fleet_take_alarms_silenced_ones_are_marked(void **state)
{
	(void)state;
	static const struct {
		const char *alarms, *script, *terminal;
		size_t silenced;
	} cases[] = {
		{ "{\"resource\": \"mem\", \"color\": \"orange\", " SILENCED "}", " (AMBER:mem) ", " (AMBER mem) ", 1 },
		{ "{\"resource\": \"mem\", \"color\": \"red\", \"missing\": true, " SILENCED "}", " (MISSING) ", " (MISSING) ", 1 },
		{ "{\"resource\": \"mem\", \"color\": \"red\", \"silenced_until\": null}", " RED:mem ", " RED mem ", 0 },
		/* Of two as bad the one that calls somebody, in whatever order they come; of others the worse one. */
		{ "{\"resource\": \"mem\", \"color\": \"red\", " SILENCED "}, {\"resource\": \"cpu\", \"color\": \"red\"}", " RED:cpu ", " RED cpu ", 0 },
		{ "{\"resource\": \"mem\", \"color\": \"red\"}, {\"resource\": \"cpu\", \"color\": \"red\", " SILENCED "}", " RED:mem ", " RED mem ", 0 },
		{ "{\"resource\": \"mem\", \"color\": \"orange\"}, {\"resource\": \"cpu\", \"color\": \"red\", " SILENCED "}", " (RED:cpu) ", " (RED cpu) ", 1 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fleet *fleet = fleet_open();
		struct text alarms = TEXT_EMPTY, text = TEXT_EMPTY;
		const struct fleet_choice choice = { FLEET_BY_CPU, "", "" };
		const struct fleet_row *const *rows;
		size_t count;
		assert_non_null(fleet);
		text_append_string(&alarms, "{\"alarms\": [");
		for (const char *at = cases[i].alarms; *at; at++) {
			text_append_char(&alarms, *at);
			if (*at == '{')
				text_append_string(&alarms, "\"process\": \"java\", \"ip\": \"10.0.0.5\", ");
		}
		text_append_string(&alarms, "]}");
		assert_int_equal(take(fleet_take_alarms, fleet, alarms.data), 0);
		assert_int_equal(fleet_list(fleet, &choice, &rows, &count), 0);
		view_append_all(rows, count, &text);
		assert_non_null(strstr(text.data, cases[i].script));
		text_reset(&text);
		view_append_row(80, rows[0], &text);
		assert_non_null(strstr(text.data, cases[i].terminal));
		assert_int_equal(fleet_count(fleet).silenced, cases[i].silenced);
		text_free(&alarms);
		text_free(&text);
		fleet_close(fleet);
	}
}

static void test_fleet_list_alarms_those_that_call_come_first(void **state)
{
	(void)state;
	struct fleet *fleet = fleet_open();
	assert_non_null(fleet);
	assert_int_equal(take(fleet_take_latest, fleet, "{\"10.0.0.5\": {\"calm\": {\"cpu\": [1, 99]}}}"), 0);
#define ALARM(process, color) "{\"process\": \"" process "\", \"ip\": \"10.0.0.5\", \"resource\": \"mem\", \"color\": \"" color "\""
	assert_int_equal(take(fleet_take_alarms, fleet,
		"{\"alarms\": [" ALARM("*", "unknown") "}, " ALARM("quiet", "red") ", " SILENCED "}, " ALARM("amber", "orange") "}, "
		ALARM("lost", "red") ", \"missing\": true}, " ALARM("hushed", "orange") ", " SILENCED "}]}"), 0);
	assert_string_equal(listed(fleet, FLEET_BY_ALARM, "", ""), "lost, amber, *, quiet, hushed, calm");
	fleet_close(fleet);
}

static void test_view_append_row_never_exceeds_the_terminal(void **state)
{
	(void)state;
	struct fleet *fleet = open_fleet();
	const struct fleet_choice choice = { FLEET_BY_CPU, "", "" };
	const struct fleet_row *const *rows;
	size_t count;
	struct text text = TEXT_EMPTY;
	assert_int_equal(fleet_list(fleet, &choice, &rows, &count), 0);
	for (size_t columns = 0; columns < 200; columns++) {
		for (size_t i = 0; i <= count; i++) {
			text_reset(&text);
			text_append_string(&text, "");
			if (i < count)
				view_append_row(columns, rows[i], &text);
			else
				view_append_heading(columns, FLEET_BY_MEM, &text);
			assert_int_equal(label_width(text.data), columns);
		}
	}
	assert_non_null(strstr(text.data, "*MEM%"));
	text_free(&text);
	fleet_close(fleet);
}

static void test_label_append_what_could_harm_is_made_visible(void **state)
{
	(void)state;
	static const struct {
		const char *label;
		size_t columns;
		const char *expected;
	} cases[] = {
		{ "java", 10, "java" }, { "java", 4, "java" }, { "java", 3, "ja~" }, { "java", 1, "~" }, { "java", 0, "" }, { "", 5, "" },
		{ "a\x1b[2Jb", 20, "a?[2Jb" }, { "a\x07\r\n\tb", 20, "a????b" }, { "a\xc2\x9b" "b", 20, "a?b" }, { "\x7f", 5, "?" },
		{ "a\xe2\x80\xae" "cba", 20, "a?cba" }, { "a\xe2\x80\x8b" "b", 20, "a?b" }, { "\xef\xbb\xbf" "a", 20, "?a" },
		{ "\xe3\x85\xa4", 20, "?" }, { "a\xe1\x85\x9f" "b", 20, "a?b" }, { "a\xcd\x8f" "b", 20, "a?b" }, /* wide, and seen as nothing */
		{ "\xcc\x81" "a", 20, "?a" }, { "e\xcc\x81", 20, "e\xcc\x81" }, /* a mark alone, and on a letter */
		{ "a\xff\xfe" "b", 20, "a??b" }, { "caf\xc3", 20, "caf?" },
		{ "\xe4\xb8\xad\xe6\x96\x87", 4, "\xe4\xb8\xad\xe6\x96\x87" }, { "\xe4\xb8\xad\xe6\x96\x87", 3, "\xe4\xb8\xad~" },
		{ "\xe4\xb8\xad\xe6\x96\x87", 2, "~" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct text text = TEXT_EMPTY;
		text_append_string(&text, "");
		size_t used = label_append(cases[i].label, cases[i].columns, &text);
		if (strcmp(text.data, cases[i].expected) != 0 || used > cases[i].columns || used != label_width(text.data))
			fail_msg("%zu: '%s' in %zu", i, text.data, used);
		text_free(&text);
	}
	/* Where the locale has no such characters there are none. */
	assert_non_null(setlocale(LC_CTYPE, "C"));
	struct text text = TEXT_EMPTY;
	(void)label_append("caf\xc3\xa9", 20, &text);
	assert_string_equal(text.data, "caf??");
	text_free(&text);
	assert_int_equal(utf8(NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fleet_list_rows_are_chosen_and_ordered),
		cmocka_unit_test(test_fleet_take_what_is_no_answer_is_refused),
		cmocka_unit_test(test_fleet_take_members_that_are_wrong_are_left_out),
		cmocka_unit_test(test_fleet_take_alarms_that_are_wrong_are_left_out),
		cmocka_unit_test(test_fleet_take_answers_in_any_order_are_the_same),
		cmocka_unit_test(test_fleet_any_allocation_fails_is_told_and_nothing_stays),
		cmocka_unit_test(test_view_append_all_columns_are_as_wide_as_they_need),
		cmocka_unit_test(test_view_append_all_what_must_run_is_missing),
		cmocka_unit_test(test_fleet_take_alarms_silenced_ones_are_marked),
		cmocka_unit_test(test_fleet_list_alarms_those_that_call_come_first),
		cmocka_unit_test(test_view_append_row_never_exceeds_the_terminal),
		cmocka_unit_test(test_label_append_what_could_harm_is_made_visible),
	};
	return cmocka_run_group_tests(tests, utf8, NULL);
}
