/* fcgi/sqlite/read.h and what it goes by, where memory, a statement or a part of the file fails */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/captured_stderr.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/fcgi/store_fixture.h"
#include "tests/unit/fcgi/sqlite/failing_statement.h"
#include "tests/unit/fcgi/sqlite/sealing.h"

#include <math.h>

static const struct engine sqlite = { .ops = &store_sqlite, .configure = config_in };

static void change(struct fixture *f, const char *sql)
{
	sqlite3 *connection = sealing_open(f->config->sqlite.path);
	sealing_run(connection, sql);
	sqlite3_close(connection);
}

/* The base is an hour, the third before now. */
static int set_up_hours(void **state)
{
	set_up_case(state);
	struct fixture *f = *state;
	f->base = store_step_start(f->now, BLOCK_MS) - 3 * BLOCK_MS;
	return 0;
}

static int tear_down_hours(void **state)
{
	captured_stderr_abandon();
	return tear_down_case(state);
}

#define HOURS_CASE(name) cmocka_unit_test_setup_teardown(name, set_up_hours, tear_down_hours)

/* An hour without its samples; one with rows that came late; one that has none; and rows. Some values are no thousandths. */
static void put_hours(struct fixture *f)
{
	static const double values[] = { 3, 4.5, 1.0 / 3, 7 };
	for (int hour = 0; hour < 4; hour++) {
		for (int i = 0; i < 4; i++) {
			int64_t time_ms = hour * HOUR + i * 301000 + 1000;
			PUT(f, SAMPLE("10.0.0.1", "a", MEM, time_ms, i), SAMPLE("10.0.0.1", "b", MEM, time_ms, values[i]),
			    SAMPLE("10.0.0.1", "b", CPU, time_ms, i), SAMPLE("10.0.0.2", "a", CPU, time_ms, values[i]),
			    SAMPLE("10.0.0.3", "c", CPU, time_ms, hour));
		}
		if (hour == 2)
			sealing_seal_chosen(f->config->sqlite.path, sealing_all);
	}
	PUT(f, SAMPLE("10.0.0.1", "a", MEM, HOUR + 1000, 9), SAMPLE("10.0.0.1", "b", MEM, HOUR + 5000, 8),
	    SAMPLE("10.0.0.2", "a", CPU, HOUR + 302000, 7), SAMPLE("10.0.0.2", "a", MEM, HOUR + 302000, 6));
	PUT(f, SAMPLE("10.0.0.9", "silent", MEM, HOUR / 2, 1));
	sealing_seal_chosen(f->config->sqlite.path, sealing_none);
	char sql[128];
	snprintf(sql, sizeof(sql), "UPDATE hour SET data = NULL WHERE key < %lld",
	         (long long)placement_hour_key(METRIC_USAGE, f->base + HOUR, 0));
	change(f, sql);
}

/* What an answer is told by. */
struct sum {
	size_t count;
	double values;
};

static int sum_rows(struct sum *sum, int result, struct store_rows *rows)
{
	if (result)
		return result;
	for (size_t i = 0; i < rows->count; i++) {
		for (int j = 0; j < HALF_COUNT; j++)
			sum->values += rows->items[i].present[j] ? rows->items[i].value[j] + rows->items[i].maximum[j] + (double)rows->items[i].time_ms[j] : 0;
	}
	sum->count = rows->count;
	store_rows_free(rows);
	return 0;
}

static int sum_points(struct sum *sum, int result, struct store_history *points)
{
	if (result)
		return result;
	for (size_t i = 0; i < points->count; i++) {
		for (size_t j = 0; j < points->items[i].count; j++, sum->count++)
			sum->values += points->items[i].points[j].value * (double)points->items[i].points[j].time_ms;
	}
	store_history_free(points);
	return 0;
}

static int sum_hosts(struct sum *sum, int result, struct store_hosts *hosts)
{
	if (result)
		return result;
	for (size_t i = 0; i < hosts->count; i++)
		sum->values += (double)hosts->items[i].processes * (double)(i + 1);
	sum->count = hosts->count;
	store_hosts_free(hosts);
	return 0;
}

enum { READS = 8 };

static int read_summed(struct fixture *f, int which, struct sum *sum)
{
	struct store_rows rows = { 0 };
	struct store_history points;
	struct store_hosts seen;
	*sum = (struct sum){ 0 };
	switch (which) {
	case 0:
		return sum_rows(sum, f->ops->mean(f->store, QUERY(f, -1, 4 * HOUR), &rows), &rows);
	case 1:
		return sum_rows(sum, f->ops->mean(f->store, QUERY(f, 400000, 3 * HOUR + 2000, .ip = "10.0.0.1"), &rows), &rows);
	case 2:
		return sum_rows(sum, f->ops->latest(f->store, QUERY(f, 0, 2 * HOUR), &rows), &rows);
	case 3:
		return sum_rows(sum, f->ops->latest(f->store, QUERY(f, HOUR - 2, 2 * HOUR, .ip = "10.0.0.2"), &rows), &rows);
	case 4:
		return sum_points(sum, f->ops->history(f->store, QUERY(f, -1, 4 * HOUR), &points), &points);
	case 5:
		return sum_points(sum, f->ops->history(f->store, QUERY(f, 2000, 4 * HOUR, .step_ms = 600000, .by_host = true), &points), &points);
	case 6:
		return sum_points(sum, f->ops->history(f->store, QUERY(f, -1, 2 * HOUR, .ip = "10.0.0.1", .step_ms = HOUR), &points), &points);
	default:
		return sum_hosts(sum, f->ops->hosts(f->store, f->base, f->now + STORE_AHEAD_MS, &seen), &seen);
	}
}

/* Reads where something fails: what is answered is right, or it is told; and the next time all is right. */
static void assert_right_or(struct fixture *f, int which, int result, const struct sum *got, const struct sum *right, int expected)
{
	struct sum again;
	if (result)
		assert_int_equal(result, expected);
	else
		assert_true(got->count == right->count && got->values == right->values);
	assert_int_equal(read_summed(f, which, &again), 0);
	assert_true(again.count == right->count && again.values == right->values);
}

static void test_reads_of_sealed_hours_any_allocation_fails_is_out_of_memory(void **state)
{
	struct fixture *f = *state;
	if (!FAILING_MALLOC)
		skip();
	put_hours(f);
	for (int which = 0; which < READS; which++) {
		struct sum right, got;
		assert_int_equal(read_summed(f, which, &right), 0);
		assert_true(right.count > 0);
		bool failed = true;
		for (long n = 1; failed; n++) {
			reopen(f); /* so that nothing is kept of the read before, … */
			assert_string_equal(means(f, QUERY(f, -DAY, -DAY + 1)), ""); /* … but there is a connection */
			captured_stderr_begin();
			failing_start(n);
			int result = read_summed(f, which, &got);
			failed = failing_stop();
			captured_stderr_end();
			assert_right_or(f, which, result, &got, &right, failed ? -ENOMEM : 0);
		}
	}
	struct store_damaged damaged[STORE_DAMAGED_MAX];
	assert_int_equal(f->ops->damaged(f->store, f->now, damaged), 0);
}

static void test_reads_of_sealed_hours_any_statement_fails_is_an_error(void **state)
{
	struct fixture *f = *state;
	put_hours(f);
	for (int which = 0; which < READS; which++) {
		struct sum right, got;
		assert_int_equal(read_summed(f, which, &right), 0);
		bool failed = true;
		int number, failures = 0;
		for (number = 1; failed; number++) {
			captured_stderr_begin();
			failing_statement_start(number, SQLITE_IOERR);
			int result = read_summed(f, which, &got);
			failed = failing_statement_stop();
			captured_stderr_end();
			failures += result != 0;
			assert_right_or(f, which, result, &got, &right, failed ? -EIO : 0);
		}
		assert_int_equal(failures, number - 2);
		assert_true(failures > 1);
	}
}

static void test_reads_row_that_is_damaged_over_a_sealed_hour_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct sum sum;
	put_hours(f);
	change(f, "UPDATE sample SET data = x'ff' WHERE key IN (SELECT key FROM sample ORDER BY key LIMIT 3)");
	for (int which = 0; which < READS - 1; which++) {
		captured_stderr_begin();
		int result = read_summed(f, which, &sum);
		captured_stderr_end();
		assert_int_equal(result, -EIO);
	}
	/* A row with nothing in it is one all the same. */
	change(f, "UPDATE sample SET data = x'' WHERE data = x'ff'");
	for (int which = 0; which < READS - 1; which++)
		assert_int_equal(read_summed(f, which, &sum), 0);
	assert_string_equal(means(f, QUERY(f, HOUR - 1, HOUR + 4000, .ip = "10.0.0.1")), "a mem=0^0 cpu=-; b mem=3^3 cpu=0^0");
}

/* Their processes are counted where each host was seen last: in a sealed hour, in what came late for it, in its steps. */
static void test_hosts_damage_is_an_error_of_rows_and_nobody_of_hours(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *damage, *expected; /* NULL: an error */
	} cases[] = {
		{ "UPDATE sample SET data = x'ff'", NULL },
		{ "UPDATE sample SET data = x''", "10.0.0.1 5000 1; 10.0.0.2 1000 2" },
		{ "DELETE FROM sample", "10.0.0.1 5000 1; 10.0.0.2 1000 2" },
		{ "UPDATE hour SET data = x'00'", "10.0.0.1 5000 1; 10.0.0.2 1000 0" },
		{ "UPDATE hour SET summary = x'00'", "10.0.0.1 5000 2; 10.0.0.2 1000 2" }, /* they are not asked */
		{ "UPDATE hour SET data = NULL", "10.0.0.1 5000 3; 10.0.0.2 1000 2" }, /* in the 5 minutes */
		{ "UPDATE hour SET data = NULL, summary = x'00'", "10.0.0.1 5000 1; 10.0.0.2 1000 0" },
		{ "DELETE FROM hour", "10.0.0.1 5000 1; 10.0.0.2 1000 0" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		PUT(f, SAMPLE("10.0.0.1", "a", MEM, 5000, 1), SAMPLE("10.0.0.2", "a", MEM, 1000, 1), SAMPLE("10.0.0.2", "b", CPU, 1000, 1));
		PUT(f, SAMPLE("10.0.0.1", "c", CPU, 4000, 1));
		sealing_seal_chosen(f->config->sqlite.path, sealing_all);
		PUT(f, SAMPLE("10.0.0.1", "b", CPU, 5000, 1));
		sealing_seal_chosen(f->config->sqlite.path, sealing_none);
		change(f, cases[i].damage);
		struct store_hosts seen;
		captured_stderr_begin();
		int result = f->ops->hosts(f->store, f->base, f->now + STORE_AHEAD_MS, &seen);
		captured_stderr_end();
		if (cases[i].expected) {
			struct text text = TEXT_EMPTY;
			assert_int_equal(result, 0);
			for (size_t j = 0; j < seen.count; j++)
				text_printf(&text, "%s %lld %zu\n", seen.items[j].ip, (long long)(seen.items[j].last_seen_ms - f->base),
				            seen.items[j].processes);
			store_hosts_free(&seen);
			assert_string_equal(tell(&text), cases[i].expected);
		} else {
			assert_int_equal(result, -EIO);
		}
		change(f, "DELETE FROM sample; DELETE FROM hour");
	}
}

/* As bits of the file that have flipped, where it is whole all the same. */
static void test_reads_sealed_values_that_cannot_be_right_are_left_out(void **state)
{
	struct fixture *f = *state;
	static const double values[] = { INFINITY, NAN, -5, 1.1e12 };
	for (size_t i = 0; i < COUNT_OF(values); i++) {
		const struct packing_entry entries[] = {
			{ .offset_ms = 1000, .series = 1, .present = { true, false }, .value = { 2 } },
			{ .offset_ms = 2000, .series = 1, .present = { true, false }, .value = { values[i] } },
			{ .offset_ms = 3000, .series = 1, .present = { true, false }, .value = { 4 } },
			{ .offset_ms = 4000, .series = 1, .present = { true, false }, .value = { values[i] } },
		};
		struct text row = TEXT_EMPTY;
		struct store_damaged damaged[STORE_DAMAGED_MAX];
		PUT(f, SAMPLE("10.0.0.1", "a", MEM, 1000, 1));
		packing_encode(entries, COUNT_OF(entries), &row);
		sqlite3 *connection = sealing_open(f->config->sqlite.path);
		sealing_put(connection, "UPDATE sample SET data = ?2 WHERE ?1 = ?1", 0, &row);
		sqlite3_close(connection);
		text_free(&row);
		sealing_seal_chosen(f->config->sqlite.path, sealing_all);
		/* By its samples. */
		captured_stderr_begin();
		assert_string_equal(history(f, QUERY(f, 0, 20000)), "a 1000=2 3000=4");
		assert_string_equal(latest(f, QUERY(f, 0, 20000)), "10.0.0.1/a mem=4@3000 cpu=-");
		assert_string_equal(means(f, QUERY(f, 0, 20000)), "a mem=3^4 cpu=-");
		assert_string_equal(means(f, QUERY(f, -1, 4 * HOUR)), "a mem=3^4 cpu=-");
		assert_int_equal(f->ops->damaged(f->store, f->now, damaged), 0);
		/* By its summaries, which cannot be right either: the hour is left out. */
		change(f, "UPDATE hour SET data = NULL");
		assert_string_equal(means(f, QUERY(f, -1, 4 * HOUR)), "");
		assert_string_equal(history(f, QUERY(f, -1, 20000)), "");
		assert_int_equal(f->ops->damaged(f->store, f->now, damaged), 1);
		assert_string_equal(damaged[0].ip, "10.0.0.1");
		captured_stderr_end();
		change(f, "DELETE FROM hour");
		reopen(f);
	}
}

/* What is told of a host that is not known is no use; the log has its key. */
static void test_reads_damaged_hour_of_an_unknown_host_is_left_out(void **state)
{
	struct fixture *f = *state;
	struct store_damaged damaged[STORE_DAMAGED_MAX];
	PUT(f, SAMPLE("10.0.0.1", "a", MEM, 1000, 3));
	sealing_seal_chosen(f->config->sqlite.path, sealing_all);
	change(f, "INSERT INTO hour SELECT key + 76, 0, x'00', x'00' FROM hour");
	captured_stderr_begin();
	assert_string_equal(means(f, QUERY(f, -1, 4 * HOUR)), "a mem=3^3 cpu=-");
	captured_stderr_end();
	assert_int_equal(captured_stderr_count(" of host ? (key "), 1);
	assert_int_equal(f->ops->damaged(f->store, f->now, damaged), 0);
}

int main(void)
{
	engine = &sqlite;
	const struct CMUnitTest tests[] = {
		HOURS_CASE(test_reads_of_sealed_hours_any_allocation_fails_is_out_of_memory),
		HOURS_CASE(test_reads_of_sealed_hours_any_statement_fails_is_an_error),
		HOURS_CASE(test_reads_row_that_is_damaged_over_a_sealed_hour_is_an_error),
		HOURS_CASE(test_hosts_damage_is_an_error_of_rows_and_nobody_of_hours),
		HOURS_CASE(test_reads_damaged_hour_of_an_unknown_host_is_left_out),
		HOURS_CASE(test_reads_sealed_values_that_cannot_be_right_are_left_out),
	};
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
