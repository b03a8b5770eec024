/* fcgi/remote/assembly.h */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/fcgi/store_fixture.h"

#include <math.h>

#include "fcgi/counters.h"
#include "fcgi/remote/assembly.h"

enum { ROUNDS = 200, FACTS_MAX = 64 };

#define VALUE ASSEMBLY_VALUE
#define SUM ASSEMBLY_SUM
#define COUNT ASSEMBLY_COUNT
#define MAXIMUM ASSEMBLY_MAXIMUM

/* A fact with its series, as an engine would tell it. */
struct told_fact {
	const char *ip, *process;
	enum half half;
	enum assembly_column column;
	int64_t time_ms;
	double value;
};

static int feed(struct assembly *answer, const struct told_fact facts[], size_t count)
{
	int result = 0;
	for (size_t i = 0; i < count && result == 0; i++) {
		/* Strings of their own, gone after the call: the answer may not point into them. */
		char ip[WIRE_IP_SIZE], process[WIRE_NAME_SIZE];
		snprintf(ip, sizeof(ip), "%s", facts[i].ip);
		snprintf(process, sizeof(process), "%s", facts[i].process);
		result = assembly_series(answer, ip, process);
		memset(ip, 'x', sizeof(ip));
		memset(process, 'x', sizeof(process));
		if (result == 0)
			result = assembly_fact(answer, facts[i].half, facts[i].column, (double)facts[i].time_ms, facts[i].value);
	}
	return result;
}

static void fill(struct assembly *answer, const struct query *query, enum assembly_kind kind,
                 const struct told_fact facts[], size_t count)
{
	assert_int_equal(assembly_open(answer, "test", query, kind), 0);
	assert_int_equal(feed(answer, facts, count), 0);
}

/* "10.0.0.1/a mem=1^2@0 cpu=-": value, maximum and time. */
static const char *rows_of(const struct query *query, enum assembly_kind kind, const struct told_fact facts[], size_t count)
{
	struct assembly answer;
	struct store_rows rows;
	struct text text = TEXT_EMPTY;
	fill(&answer, query, kind, facts, count);
	assert_int_equal(assembly_rows(&answer, &rows), 0);
	assembly_close(&answer); /* the rows outlive it */
	for (size_t i = 0; i < rows.count; i++) {
		const struct store_row *row = &rows.items[i];
		tell_key(&text, &row->key);
		for (int j = 0; j < HALF_COUNT; j++) {
			text_printf(&text, " %s=", wire_resource_name((enum resource)j));
			if (row->present[j])
				text_printf(&text, "%.10g^%.10g@%lld", row->value[j], row->maximum[j], (long long)row->time_ms[j]);
			else
				text_append_char(&text, '-');
		}
		text_append_char(&text, '\n');
	}
	store_rows_free(&rows);
	return tell(&text);
}

/* "a 0=1 1000=2", points as they come. */
static const char *history_of(const struct query *query, const struct told_fact facts[], size_t count)
{
	struct assembly answer;
	struct store_history history;
	struct text text = TEXT_EMPTY;
	fill(&answer, query, ASSEMBLY_HISTORY, facts, count);
	assert_int_equal(assembly_history(&answer, &history), 0);
	assembly_close(&answer);
	for (size_t i = 0; i < history.count; i++) {
		assert_true(history.items[i].count > 0);
		tell_key(&text, &history.items[i].key);
		for (size_t j = 0; j < history.items[i].count; j++)
			text_printf(&text, " %lld=%.10g", (long long)history.items[i].points[j].time_ms,
			            history.items[i].points[j].value);
		text_append_char(&text, '\n');
	}
	store_history_free(&history);
	return tell(&text);
}

/* "10.0.0.1 1000 2" */
static const char *hosts_of(const struct told_fact facts[], size_t count)
{
	static const struct query query = { .metric = METRIC_USAGE };
	struct assembly answer;
	struct store_hosts hosts_told;
	struct text text = TEXT_EMPTY;
	fill(&answer, &query, ASSEMBLY_NEWEST, facts, count);
	assert_int_equal(assembly_hosts(&answer, &hosts_told), 0);
	assembly_close(&answer);
	for (size_t i = 0; i < hosts_told.count; i++)
		text_printf(&text, "%s %lld %zu\n", hosts_told.items[i].ip, (long long)hosts_told.items[i].last_seen_ms,
		            hosts_told.items[i].processes);
	store_hosts_free(&hosts_told);
	return tell(&text);
}

static void shuffle(struct told_fact facts[], size_t count)
{
	for (size_t i = count; i > 1; i--) {
		size_t j = (size_t)rand() % i;
		struct told_fact kept = facts[i - 1];
		facts[i - 1] = facts[j];
		facts[j] = kept;
	}
}

/* ---- rows ---- */

static void test_answer_rows_facts_in_any_order_are_the_same_rows(void **state)
{
	(void)state;
	static const struct told_fact told_facts[] = {
		{ "10.0.0.1", "a", MEM, VALUE, 0, 1.5 }, { "10.0.0.1", "a", MEM, MAXIMUM, 0, 3 },
		{ "10.0.0.1", "a", CPU, VALUE, 0, 0 },   { "10.0.0.1", "a", CPU, MAXIMUM, 0, 0 },
		{ "10.0.0.1", "b", CPU, VALUE, 0, 40 },  { "10.0.0.1", "b", CPU, MAXIMUM, 0, 50 },
		{ "10.0.0.2", "a", MEM, SUM, 0, 90 },    { "10.0.0.2", "a", MEM, COUNT, 0, 4 },
		{ "10.0.0.2", "a", MEM, MAXIMUM, 0, 60 }, { "10.0.0.10", "b", MEM, VALUE, 0, 7 },
	};
	static const struct query query = { .by_host = true };
	struct told_fact facts[COUNT_OF(told_facts)];
	srand(seed_take());
	memcpy(facts, told_facts, sizeof(facts));
	for (int i = 0; i < ROUNDS; i++) {
		assert_string_equal(rows_of(&query, ASSEMBLY_ROWS, facts, COUNT_OF(facts)),
		                    "10.0.0.1/a mem=1.5^3@0 cpu=0^0@0; 10.0.0.1/b mem=- cpu=40^50@0; "
		                    "10.0.0.10/b mem=7^0@0 cpu=-; 10.0.0.2/a mem=22.5^60@0 cpu=-");
		shuffle(facts, COUNT_OF(facts));
	}
}

static void test_answer_rows_hosts_are_put_together_where_the_query_does(void **state)
{
	(void)state;
	static const struct told_fact facts[] = {
		{ "", "b", CPU, VALUE, 0, 4 }, { "", "a", MEM, VALUE, 0, 1 }, { "", "b", MEM, VALUE, 0, 2 }, { "", "a", CPU, VALUE, 0, 3 },
	};
	static const struct query query = { 0 };
	assert_string_equal(rows_of(&query, ASSEMBLY_ROWS, facts, COUNT_OF(facts)), "a mem=1^0@0 cpu=3^0@0; b mem=2^0@0 cpu=4^0@0");
	/* The newest are by host whatever the query says. */
	assert_string_equal(rows_of(&query, ASSEMBLY_NEWEST, facts, 1), "/b mem=- cpu=4^0@0");
}

static void test_answer_rows_means_need_a_sum_and_a_count(void **state)
{
	(void)state;
	static const struct {
		struct told_fact facts[3];
		const char *wanted;
	} cases[] = {
		{ { { "", "a", MEM, SUM, 0, 7 }, { "", "a", MEM, COUNT, 0, 2 } }, "a mem=3.5^0@0 cpu=-" },
		{ { { "", "a", MEM, COUNT, 0, 2 }, { "", "a", MEM, SUM, 0, 7 } }, "a mem=3.5^0@0 cpu=-" },
		{ { { "", "a", MEM, SUM, 0, 0 }, { "", "a", MEM, COUNT, 0, 9 } }, "a mem=0^0@0 cpu=-" },
		/* Of another half. */
		{ { { "", "a", MEM, SUM, 0, 7 }, { "", "a", CPU, COUNT, 0, 2 } }, "a mem=- cpu=0^0@0" },
		/* Nothing to divide by. */
		{ { { "", "a", MEM, SUM, 0, 7 }, { "", "a", MEM, COUNT, 0, 0 } }, "" },
		{ { { "", "a", MEM, SUM, 0, 7 }, { "", "a", MEM, SUM, 0, 7 } }, "" },
		/* A maximum alone is no row. */
		{ { { "", "a", MEM, MAXIMUM, 0, 7 }, { "", "b", MEM, VALUE, 0, 2 } }, "b mem=2^0@0 cpu=-" },
	};
	static const struct query query = { 0 };
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_string_equal(rows_of(&query, ASSEMBLY_ROWS, cases[i].facts, 2), cases[i].wanted);
}

static void test_answer_rows_of_several_values_the_newest_counts(void **state)
{
	(void)state;
	static const struct query query = { .metric = METRIC_USAGE };
	struct told_fact facts[] = {
		{ "10.0.0.1", "a", MEM, VALUE, 30, 3 }, { "10.0.0.1", "a", MEM, VALUE, 10, 1 }, { "10.0.0.1", "a", MEM, VALUE, 40, 4 },
		{ "10.0.0.1", "a", MEM, VALUE, 20, 2 }, { "10.0.0.1", "a", CPU, VALUE, 15, 9 }, { "10.0.0.2", "a", MEM, VALUE, 50, 5 },
	};
	srand(seed_take());
	for (int i = 0; i < ROUNDS; i++) {
		assert_string_equal(rows_of(&query, ASSEMBLY_NEWEST, facts, COUNT_OF(facts)),
		                    "10.0.0.1/a mem=4^0@40 cpu=9^0@15; 10.0.0.2/a mem=5^0@50 cpu=-");
		shuffle(facts, COUNT_OF(facts));
	}
}

/* Address and process end where they end: "1"+"0" is not "10"+"". */
static void test_answer_series_names_that_run_together_are_apart(void **state)
{
	(void)state;
	static const struct told_fact facts[] = {
		{ "10.0.0.1", "1x", MEM, VALUE, 0, 1 }, { "10.0.0.11", "x", MEM, VALUE, 0, 2 }, { "10.0.0.1", "1", MEM, VALUE, 0, 3 },
		{ "10.0.0.11", "", MEM, VALUE, 0, 4 },  { "10.0.0.1", "11", MEM, VALUE, 0, 5 },
	};
	static const struct query query = { .by_host = true };
	assert_string_equal(rows_of(&query, ASSEMBLY_ROWS, facts, COUNT_OF(facts)),
	                    "10.0.0.1/1 mem=3^0@0 cpu=-; 10.0.0.1/11 mem=5^0@0 cpu=-; 10.0.0.1/1x mem=1^0@0 cpu=-; "
	                    "10.0.0.11/ mem=4^0@0 cpu=-; 10.0.0.11/x mem=2^0@0 cpu=-");
}

static void test_answer_series_stored_name_is_decoded(void **state)
{
	(void)state;
	static const struct told_fact facts[] = { { "", "a%5C", MEM, VALUE, 0, 1 }, { "", "100%25", MEM, VALUE, 0, 2 },
		                                      { "", "100%", MEM, VALUE, 0, 3 } };
	static const struct query query = { 0 };
	/* The last two are one name. */
	assert_string_equal(rows_of(&query, ASSEMBLY_ROWS, facts, 2), "100% mem=2^0@0 cpu=-; a\\ mem=1^0@0 cpu=-");
	assert_string_equal(rows_of(&query, ASSEMBLY_ROWS, facts + 1, 2), "100% mem=3^0@0 cpu=-");
}

/* A series that is named again before each of its facts is kept once. */
static void test_answer_series_named_again_is_one(void **state)
{
	(void)state;
	static const struct query query = { .by_host = true };
	struct assembly answer;
	assert_int_equal(assembly_open(&answer, "test", &query, ASSEMBLY_ROWS), 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(assembly_series(&answer, "10.0.0.1", "a"), 0);
	assert_int_equal(assembly_series(&answer, "10.0.0.2", "a"), 0);
	assert_int_equal(answer.series_count, 2);
	assert_string_equal(assembly_ip(&answer, 0), "10.0.0.1");
	assert_string_equal(assembly_ip(&answer, 1), "10.0.0.2");
	assembly_close(&answer);
}

static void test_answer_series_only_the_wanted_are_kept(void **state)
{
	(void)state;
	static const struct series_key by_host[] = { { "10.0.0.2", "a" }, { "9.9.9.9", "b" }, { "10.0.0.1", "b" }, { "10.0.0.1", "\\" } };
	static const struct series_key by_name[] = { { NULL, "zz" }, { NULL, "b" }, { NULL, "\\" } };
	static const struct told_fact facts[] = {
		/* One that is wanted between those that are not, and again, */
		{ "10.0.0.1", "b", MEM, VALUE, 0, 1 }, { "10.0.0.1", "a", MEM, VALUE, 0, 2 }, { "10.0.0.1", "b", CPU, VALUE, 0, 3 },
		{ "10.0.0.1", "a", CPU, VALUE, 0, 4 }, { "10.0.0.2", "a", MEM, VALUE, 0, 5 }, { "10.0.0.2", "b", MEM, VALUE, 0, 6 },
		/* and by its name as it is said, not as it is stored. */
		{ "10.0.0.1", "%5C", MEM, VALUE, 0, 7 }, { "10.0.0.1", "\\\\", MEM, VALUE, 0, 8 },
	};
	static const struct {
		struct query query;
		const char *wanted;
	} cases[] = {
		{ { .by_host = true, .only = by_host, .only_count = 4 },
		  "10.0.0.1/\\ mem=7^0@0 cpu=-; 10.0.0.1/b mem=1^0@0 cpu=3^0@0; 10.0.0.2/a mem=5^0@0 cpu=-" },
		{ { .by_host = true, .only = by_host, .only_count = 1 }, "10.0.0.2/a mem=5^0@0 cpu=-" },
		{ { .by_host = true, .only = by_host, .only_count = 0 }, "" },
		{ { .only = by_name, .only_count = 3 }, "\\ mem=7^0@0 cpu=-; b mem=6^0@0 cpu=3^0@0" },
		{ { .only = by_name, .only_count = 1 }, "" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_string_equal(rows_of(&cases[i].query, ASSEMBLY_ROWS, facts, COUNT_OF(facts)), cases[i].wanted);
}

static void test_answer_rows_max_points_are_of_histories(void **state)
{
	(void)state;
	static const struct query query = { .max_points = 1 };
	struct assembly answer;
	struct store_rows rows;
	assert_int_equal(assembly_open(&answer, "test", &query, ASSEMBLY_ROWS), 0);
	for (int i = 0; i < 1000; i++) {
		char name[16];
		snprintf(name, sizeof(name), "p%d", i);
		assert_int_equal(assembly_series(&answer, "", name), 0);
		assert_int_equal(assembly_fact(&answer, MEM, VALUE, 0, 1), 0);
	}
	assert_int_equal(assembly_rows(&answer, &rows), 0);
	assert_int_equal(rows.count, 1000);
	store_rows_free(&rows);
	assembly_close(&answer);
}

/* ---- histories ---- */

static void test_answer_history_pieces_of_a_series_come_out_by_time(void **state)
{
	(void)state;
	static const struct query query = { .max_points = 100 };
	struct told_fact facts[] = {
		{ "", "a", CPU, VALUE, 5000, 5 }, { "", "a", CPU, VALUE, 1000, 1 }, { "", "b", CPU, VALUE, 2000, 2 },
		{ "", "a", CPU, VALUE, 4000, 4 }, { "", "b", CPU, VALUE, 1000, 9 }, { "", "a", CPU, VALUE, 1001, 8 },
		{ "", "c", CPU, VALUE, -1, 7 },
	};
	srand(seed_take());
	for (int i = 0; i < ROUNDS; i++) {
		assert_string_equal(history_of(&query, facts, COUNT_OF(facts)),
		                    "a 1000=1 1001=8 4000=4 5000=5; b 1000=9 2000=2; c -1=7");
		shuffle(facts, COUNT_OF(facts));
	}
}

/* Without steps nothing is put together: two hosts may have a sample of one time. */
static void test_answer_history_without_steps_all_points_are_kept(void **state)
{
	(void)state;
	static const struct query query = { .max_points = 100 };
	static const struct told_fact facts[] = { { "", "a", MEM, VALUE, 1000, 1 }, { "", "a", MEM, VALUE, 1000, 2 },
		                                      { "", "a", MEM, VALUE, 999, 3 }, { "", "a", MEM, VALUE, 1000, 1 } };
	assert_string_equal(history_of(&query, facts, COUNT_OF(facts)), "a 999=3 1000=1 1000=2 1000=1");
}

static void test_answer_history_steps_are_stamped_at_their_start(void **state)
{
	(void)state;
	static const struct told_fact facts[] = {
		{ "", "a", MEM, VALUE, 0, 1 },      { "", "a", MEM, VALUE, 7999, 2 },   { "", "a", MEM, VALUE, 14000, 3 },
		{ "", "a", MEM, VALUE, -1, 4 },     { "", "a", MEM, VALUE, -7000, 4 },  { "", "a", MEM, VALUE, -7001, 5 },
		{ "", "a", MEM, VALUE, 27999, 6 },  { "", "a", MEM, VALUE, 1795356878100, 7 },
	};
	static const struct query query = { .max_points = 100, .step_ms = 7000 };
	assert_string_equal(history_of(&query, facts, COUNT_OF(facts)),
	                    "a -14000=5 -7000=4 0=1 7000=2 14000=3 21000=6 1795356878000=7");
}

static void test_answer_history_sums_and_counts_of_a_step_are_a_mean(void **state)
{
	(void)state;
	struct told_fact facts[] = {
		/* The same step, said at different times, of several hosts. */
		{ "", "a", MEM, SUM, 1000, 10 }, { "", "a", MEM, COUNT, 1000, 2 }, { "", "a", MEM, SUM, 1999, 2 },
		{ "", "a", MEM, COUNT, 1500, 4 }, { "", "a", MEM, SUM, 2000, 9 }, { "", "a", MEM, COUNT, 2000, 3 },
		{ "", "b", MEM, COUNT, 1000, 5 }, { "", "b", MEM, SUM, 1000, 0 },
	};
	static const struct query query = { .max_points = 100, .step_ms = 1000 };
	srand(seed_take());
	for (int i = 0; i < ROUNDS; i++) {
		assert_string_equal(history_of(&query, facts, COUNT_OF(facts)), "a 1000=2 2000=3; b 1000=0");
		shuffle(facts, COUNT_OF(facts));
	}
}

static void test_answer_history_only_and_hosts_are_as_for_rows(void **state)
{
	(void)state;
	static const struct series_key only[] = { { "10.0.0.2", "a" } };
	static const struct told_fact facts[] = {
		{ "10.0.0.1", "a", MEM, VALUE, 1, 1 }, { "10.0.0.2", "a", MEM, VALUE, 2, 2 }, { "10.0.0.2", "b", MEM, VALUE, 3, 3 },
	};
	struct query query = { .max_points = 3, .by_host = true };
	assert_string_equal(history_of(&query, facts, COUNT_OF(facts)), "10.0.0.1/a 1=1; 10.0.0.2/a 2=2; 10.0.0.2/b 3=3");
	query.only = only;
	query.only_count = 1;
	query.max_points = 1; /* what is dropped does not count */
	assert_string_equal(history_of(&query, facts, COUNT_OF(facts)), "10.0.0.2/a 2=2");
	query.by_host = false;
	query.only = NULL;
	query.max_points = 3;
	assert_string_equal(history_of(&query, facts, COUNT_OF(facts)), "a 1=1 2=2; b 3=3");
}

/* `count` facts over two series; the first failure, of the facts or of the history. */
static int history_result(const struct query *query, bool sums, int count)
{
	struct assembly answer;
	struct store_history history, untouched;
	memset(&untouched, 0x5a, sizeof(untouched));
	memcpy(&history, &untouched, sizeof(history));
	int result = assembly_open(&answer, "test", query, ASSEMBLY_HISTORY);
	for (int i = 0; i < count && result == 0; i++) {
		result = assembly_series(&answer, "", i % 2 ? "a" : "b");
		if (result == 0)
			result = assembly_fact(&answer, MEM, sums ? SUM : VALUE, i * 1000, 1);
		if (result == 0 && sums)
			result = assembly_fact(&answer, MEM, COUNT, i * 1000, 1);
	}
	if (result == 0)
		result = assembly_history(&answer, &history);
	if (result == 0)
		store_history_free(&history);
	else
		assert_memory_equal(&history, &untouched, sizeof(history));
	assembly_close(&answer);
	return result;
}

static void test_answer_history_max_points_are_the_most_there_may_be(void **state)
{
	(void)state;
	static const int maxima[] = { 0, 1, 2, 7, 1000 };
	for (size_t i = 0; i < COUNT_OF(maxima); i++) {
		struct query query = { .max_points = (size_t)maxima[i] };
		for (int steps = 0; steps < 2; steps++) {
			query.step_ms = steps ? 1000 : 0;
			assert_int_equal(history_result(&query, steps, maxima[i]), 0);
			assert_int_equal(history_result(&query, steps, maxima[i] + 1), -E2BIG);
			assert_int_equal(history_result(&query, steps, 10 * maxima[i] + 10), -E2BIG);
		}
	}
	/* The sums and counts of one step are one point. */
	const struct query query = { .max_points = 3, .step_ms = 100000 };
	assert_int_equal(history_result(&query, true, 3), 0);
}

/* A history that is far too big is given up while it comes, not when it is all here. */
static void test_answer_fact_far_over_max_points_ends_early(void **state)
{
	(void)state;
	const struct query query = { .max_points = 100 };
	struct assembly answer;
	int facts = 0;
	assert_int_equal(assembly_open(&answer, "test", &query, ASSEMBLY_HISTORY), 0);
	assert_int_equal(assembly_series(&answer, "", "a"), 0);
	while (assembly_fact(&answer, MEM, VALUE, facts, 1) == 0)
		facts++;
	assert_in_range(facts, 101, 202);
	assert_int_equal(assembly_fact(&answer, MEM, VALUE, facts, 1), -E2BIG);
	assembly_close(&answer);
}

/* What comes in is counted as it comes, what is made of it with it; and the answer's share is the answer's. */
static void test_answer_history_budget_is_kept_and_given_back(void **state)
{
	(void)state;
	enum { FACTS = 30000, BYTES = FACTS * 24 };
	static const struct {
		size_t answers; /* bytes there are for answers */
		int fact, history;
	} cases[] = {
		{ BYTES / 2, -ENOBUFS, 0 },
		{ BYTES + BYTES / 2, 0, -ENOBUFS },
		{ 3 * BYTES, 0, 0 },
	};
	const struct query query = { .max_points = FACTS };
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct assembly answer;
		struct store_history history;
		int result = 0;
		budget_set_limit(cases[i].answers / 3 * 4);
		assert_int_equal(assembly_open(&answer, "test", &query, ASSEMBLY_HISTORY), 0);
		assert_int_equal(assembly_series(&answer, "", "a"), 0);
		for (int j = 0; j < FACTS && result == 0; j++)
			result = assembly_fact(&answer, MEM, VALUE, j, 1);
		assert_int_equal(result, cases[i].fact);
		if (result == 0) {
			result = assembly_history(&answer, &history);
			assert_int_equal(result, cases[i].history);
			assembly_close(&answer);
			assert_int_equal(budget_held(BUDGET_ANSWERS), result ? 0 : FACTS * sizeof(struct store_point));
			if (result == 0)
				store_history_free(&history);
		} else {
			assembly_close(&answer);
		}
		assert_int_equal(budget_held(BUDGET_ANSWERS), 0);
	}
	budget_set_limit(SIZE_MAX);
}

/* ---- hosts ---- */

static void test_answer_hosts_processes_of_the_newest_time_are_counted(void **state)
{
	(void)state;
	struct told_fact facts[] = {
		{ "10.0.0.1", "a", MEM, VALUE, 2000, 1 }, { "10.0.0.1", "a", CPU, VALUE, 2000, 1 },
		{ "10.0.0.1", "b", CPU, VALUE, 2000, 1 }, { "10.0.0.1", "c", MEM, VALUE, 1000, 1 },
		/* Of one process the halves may end apart. */
		{ "10.0.0.1", "d", MEM, VALUE, 1999, 1 }, { "10.0.0.1", "d", CPU, VALUE, 2000, 1 },
		{ "10.0.0.2", "a", MEM, VALUE, 3000, 1 }, { "10.0.0.2", "b", MEM, VALUE, 2999, 1 },
		{ "10.0.0.3", "a", MEM, VALUE, 1000, 1 }, { "10.0.0.3", "b", MEM, VALUE, 2000, 1 },
		{ "fe80::1", "x", MEM, VALUE, 0, 1 },     { "fe80::1", "y", MEM, VALUE, 0, 1 },
	};
	srand(seed_take());
	for (int i = 0; i < ROUNDS; i++) {
		assert_string_equal(hosts_of(facts, COUNT_OF(facts)), "10.0.0.1 2000 3; 10.0.0.2 3000 1; 10.0.0.3 2000 1; fe80::1 0 2");
		shuffle(facts, COUNT_OF(facts));
	}
}

/* ---- no facts ---- */

static void test_answer_nothing_told_is_empty_answers(void **state)
{
	(void)state;
	static const struct query query = { .max_points = 0 };
	assert_string_equal(rows_of(&query, ASSEMBLY_ROWS, NULL, 0), "");
	assert_string_equal(history_of(&query, NULL, 0), "");
	assert_string_equal(hosts_of(NULL, 0), "");
}

static void test_answer_series_without_facts_are_none(void **state)
{
	(void)state;
	static const struct query query = { .max_points = 0 };
	struct assembly answers[3];
	struct store_rows rows;
	struct store_history points;
	struct store_hosts seen;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(assembly_open(&answers[i], "test", &query, i == 2 ? ASSEMBLY_HISTORY : ASSEMBLY_NEWEST), 0);
		assert_int_equal(assembly_series(&answers[i], "10.0.0.1", "a"), 0);
		assert_int_equal(assembly_series(&answers[i], "10.0.0.2", "b"), 0);
	}
	assert_int_equal(assembly_rows(&answers[0], &rows), 0);
	assert_int_equal(assembly_hosts(&answers[1], &seen), 0);
	assert_int_equal(assembly_history(&answers[2], &points), 0);
	assert_int_equal(rows.count + seen.count + points.count, 0);
	store_rows_free(&rows);
	store_hosts_free(&seen);
	store_history_free(&points);
	for (int i = 0; i < 3; i++)
		assembly_close(&answers[i]);
}

/* ---- no memory ---- */

enum finish { ROWS, HISTORY, HOSTS, FINISHES };

/* A whole answer, with arrays that grow and times that must be sorted. */
static int make_answer(enum finish finish)
{
	static const struct series_key only[] = { { "10.0.0.1", "p1" }, { "10.0.0.2", "p2" }, { "10.0.0.1", "p300" } };
	struct query query = { .max_points = 100000, .by_host = true };
	struct assembly answer;
	struct store_rows rows;
	struct store_history points;
	struct store_hosts seen;
	if (finish == ROWS) {
		query.only = only;
		query.only_count = COUNT_OF(only);
	}
	int result = assembly_open(&answer, "test", &query, finish == HISTORY ? ASSEMBLY_HISTORY : ASSEMBLY_NEWEST);
	for (int i = 0; i < 400 && result == 0; i++) {
		char name[16];
		snprintf(name, sizeof(name), "p%d", i);
		result = assembly_series(&answer, i % 2 ? "10.0.0.1" : "10.0.0.2", name);
		for (int j = 0; j < 3 && result == 0; j++)
			result = assembly_fact(&answer, MEM, VALUE, 10 - j, 1);
	}
	if (result == 0) {
		result = finish == ROWS      ? assembly_rows(&answer, &rows)
		         : finish == HISTORY ? assembly_history(&answer, &points)
		                             : assembly_hosts(&answer, &seen);
		if (result == 0 && finish == ROWS) {
			assert_int_equal(rows.count, 2); /* the third of `only` is of another host */
			store_rows_free(&rows);
		} else if (result == 0 && finish == HISTORY) {
			assert_int_equal(points.count, 400);
			store_history_free(&points);
		} else if (result == 0) {
			assert_int_equal(seen.count, 2);
			store_hosts_free(&seen);
		}
	}
	assembly_close(&answer);
	return result;
}

static void test_answer_any_allocation_fails_is_out_of_memory(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	for (int finish = 0; finish < FINISHES; finish++) {
		bool failed = true;
		long n = 0, survived = 0;
		while (failed) {
			long live = failing_live;
			failing_start(++n);
			int result = make_answer((enum finish)finish);
			failed = failing_stop();
			assert_true(result == (failed ? -ENOMEM : 0) || result == 0);
			assert_int_equal(failing_live, live);
			survived += failed && result == 0;
		}
		/* One big qsort() can do without the memory that it asks for. */
		assert_in_range(survived, 0, 1);
		assert_true(n > 6);
	}
}

static unsigned long left_out(void)
{
	struct text text = TEXT_EMPTY;
	counters_append(&text, NULL, 0);
	const char *line = strstr(text.data, "\nvigie_unusable_values_total ");
	unsigned long count = line ? strtoul(line + strlen("\nvigie_unusable_values_total "), NULL, 10) : 0;
	text_free(&text);
	return count;
}

/* Whoever writes to an engine may have put anything there, which it adds up with ours. */
static void test_assembly_fact_what_cannot_be_right_is_left_out(void **state)
{
	(void)state;
	static const double wrong[] = { INFINITY, -INFINITY, NAN, -1e-9, 1.000001e12, 1.7e308 };
	static const struct query rows_query = { .metric = METRIC_USAGE };
	static const struct query points_query = { .metric = METRIC_USAGE, .max_points = 100 };
	static const struct query steps_query = { .metric = METRIC_USAGE, .max_points = 100, .step_ms = 10000 };
	unsigned long before = left_out();
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		const struct told_fact means_told[] = {
			{ "", "a", MEM, VALUE, 1000, wrong[i] }, { "", "b", MEM, VALUE, 1000, 2 },
			{ "", "c", CPU, SUM, 1000, wrong[i] },   { "", "c", CPU, COUNT, 1000, 1 },
			{ "", "d", CPU, SUM, 1000, 1e12 },       { "", "d", CPU, COUNT, 1000, 4 },
		};
		assert_string_equal(rows_of(&rows_query, ASSEMBLY_ROWS, means_told, 6), "b mem=2^0@1000 cpu=-; d mem=- cpu=2.5e+11^0@0");
		const struct told_fact points_told[] = {
			{ "", "a", MEM, VALUE, 1000, 1 }, { "", "a", MEM, VALUE, 2000, wrong[i] }, { "", "a", MEM, VALUE, 3000, 1e12 },
			{ "", "b", MEM, VALUE, 2000, wrong[i] },
		};
		assert_string_equal(history_of(&points_query, points_told, 4), "a 1000=1 3000=1e+12");
		const struct told_fact steps_told[] = {
			{ "", "a", MEM, SUM, 1000, wrong[i] }, { "", "a", MEM, COUNT, 1000, 1 },
			{ "", "a", MEM, SUM, 11000, 6 },       { "", "a", MEM, COUNT, 11000, 2 },
		};
		assert_string_equal(history_of(&steps_query, steps_told, 4), "a 10000=3");
	}
	assert_int_equal(left_out() - before, 5 * sizeof(wrong) / sizeof(wrong[0]));
}

static void test_assembly_fact_absurd_times_are_left_out(void **state)
{
	(void)state;
	static const double wrong[] = { NAN, INFINITY, -INFINITY, 1e300, -1e300, -(double)STORE_LATEST_MS - 1, (double)STORE_LATEST_MS + 1 };
	static const struct query query = { .metric = METRIC_USAGE, .max_points = 100 };
	struct assembly answer;
	struct store_hosts seen;
	assert_int_equal(assembly_open(&answer, "test", &query, ASSEMBLY_NEWEST), 0);
	assert_int_equal(assembly_series(&answer, "10.0.0.1", "a"), 0);
	assert_int_equal(assembly_fact(&answer, MEM, VALUE, 5000, 1), 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(assembly_fact(&answer, MEM, VALUE, wrong[i], 1), 0);
	assert_int_equal(answer.left_out, sizeof(wrong) / sizeof(wrong[0]));
	assert_int_equal(assembly_hosts(&answer, &seen), 0);
	assembly_close(&answer);
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.items[0].last_seen_ms, 5000);
	store_hosts_free(&seen);
}

static void test_assembly_series_what_is_no_name_is_left_out(void **state)
{
	(void)state;
	char longest[WIRE_NAME_MAX + 1], longer[WIRE_NAME_MAX + 2];
	memset(longest, 'x', sizeof(longest));
	memset(longer, 'x', sizeof(longer));
	longest[WIRE_NAME_MAX] = longer[WIRE_NAME_MAX + 1] = '\0';
	const char *const names[] = { "ok", "\xff\xfe", "caf\xe9", longer, longest };
	static const struct query query = { .metric = METRIC_USAGE };
	struct assembly answer;
	struct store_rows rows;
	assert_int_equal(assembly_open(&answer, "test", &query, ASSEMBLY_ROWS), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(assembly_series(&answer, "", names[i]), 0);
		assert_int_equal(assembly_fact(&answer, MEM, VALUE, 1000, (double)i), 0);
	}
	assert_int_equal(assembly_rows(&answer, &rows), 0);
	assembly_close(&answer);
	assert_int_equal(rows.count, 2);
	for (size_t i = 0; i < rows.count; i++)
		assert_true(rows.items[i].value[MEM] == (rows.items[i].key.process[0] == 'o' ? 0 : 4));
	store_rows_free(&rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_assembly_fact_what_cannot_be_right_is_left_out),
		cmocka_unit_test(test_assembly_fact_absurd_times_are_left_out),
		cmocka_unit_test(test_assembly_series_what_is_no_name_is_left_out),
		cmocka_unit_test(test_answer_rows_facts_in_any_order_are_the_same_rows),
		cmocka_unit_test(test_answer_rows_hosts_are_put_together_where_the_query_does),
		cmocka_unit_test(test_answer_rows_means_need_a_sum_and_a_count),
		cmocka_unit_test(test_answer_rows_of_several_values_the_newest_counts),
		cmocka_unit_test(test_answer_series_names_that_run_together_are_apart),
		cmocka_unit_test(test_answer_series_stored_name_is_decoded),
		cmocka_unit_test(test_answer_series_named_again_is_one),
		cmocka_unit_test(test_answer_series_only_the_wanted_are_kept),
		cmocka_unit_test(test_answer_rows_max_points_are_of_histories),
		cmocka_unit_test(test_answer_history_pieces_of_a_series_come_out_by_time),
		cmocka_unit_test(test_answer_history_without_steps_all_points_are_kept),
		cmocka_unit_test(test_answer_history_steps_are_stamped_at_their_start),
		cmocka_unit_test(test_answer_history_sums_and_counts_of_a_step_are_a_mean),
		cmocka_unit_test(test_answer_history_only_and_hosts_are_as_for_rows),
		cmocka_unit_test(test_answer_history_max_points_are_the_most_there_may_be),
		cmocka_unit_test(test_answer_fact_far_over_max_points_ends_early),
		cmocka_unit_test(test_answer_history_budget_is_kept_and_given_back),
		cmocka_unit_test(test_answer_hosts_processes_of_the_newest_time_are_counted),
		cmocka_unit_test(test_answer_nothing_told_is_empty_answers),
		cmocka_unit_test(test_answer_series_without_facts_are_none),
		cmocka_unit_test(test_answer_any_allocation_fails_is_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
