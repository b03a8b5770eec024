/* fcgi/sqlite/store_sqlite.c: what only the embedded engine promises, beyond the contract of all (test_store.c) */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/captured_stderr.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/fcgi/store_fixture.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fcgi/sqlite/packing.h"

static const struct engine sqlite = { .ops = &store_sqlite, .configure = config_in };

/* Captures all that the log says meanwhile. */
static void listen_begin(void)
{
	log_set_level(LOG_LEVEL_INFO);
	captured_stderr_begin();
}

static void listen_end(void)
{
	captured_stderr_end();
	log_set_level(LOG_LEVEL_ERROR);
}

/* ---- readers while something is written ---- */

enum { READERS = 3, BATCHES = 150, BATCH_NAMES = 40 };

struct race {
	struct fixture *f;
	atomic_bool done;
	atomic_uint torn, reads;
};

/* Each batch is for a host, a time and names of its own: all of it or nothing. */
static void *read_batches(void *user)
{
	struct race *race = user;
	struct fixture *f = race->f;
	while (!atomic_load(&race->done)) {
		struct store_rows rows;
		struct store_history points;
		struct store_hosts seen;
		unsigned counts[BATCHES] = { 0 };
		if (f->ops->mean(f->store, QUERY(f, 0, HOUR, .by_host = true), &rows) != 0)
			abort();
		for (size_t i = 0; i < rows.count; i++)
			counts[atoi(rows.items[i].key.ip + strlen("10.0.0."))]++;
		for (size_t i = 0; i < BATCHES; i++)
			atomic_fetch_add(&race->torn, counts[i] != 0 && counts[i] != BATCH_NAMES);
		store_rows_free(&rows);
		if (f->ops->history(f->store, QUERY(f, 0, HOUR, .ip = "10.0.0.7"), &points) != 0)
			abort();
		atomic_fetch_add(&race->torn, points.count != 0 && points.count != BATCH_NAMES);
		store_history_free(&points);
		if (f->ops->hosts(f->store, f->base, f->now + STORE_AHEAD_MS, &seen) != 0)
			abort();
		for (size_t i = 0; i < seen.count; i++)
			atomic_fetch_add(&race->torn, seen.items[i].processes != BATCH_NAMES);
		store_hosts_free(&seen);
		atomic_fetch_add(&race->reads, 1);
	}
	return NULL;
}

static void test_sqlite_reads_during_appends_see_whole_batches(void **state)
{
	struct fixture *f = *state;
	struct race race = { .f = f };
	pthread_t readers[READERS];
	char ip[32], names[BATCH_NAMES][32];
	for (int i = 0; i < READERS; i++)
		pthread_create(&readers[i], NULL, read_batches, &race);
	for (int i = 0; i < BATCHES; i++) {
		struct sample samples[BATCH_NAMES];
		snprintf(ip, sizeof(ip), "10.0.0.%d", i);
		for (int j = 0; j < BATCH_NAMES; j++) {
			snprintf(names[j], sizeof(names[j]), j ? "p%d.%d" : "common", i, j);
			samples[j] = SAMPLE(ip, names[j], MEM, 10000 + i * 1000, 1);
		}
		assert_int_equal(append(f, samples, BATCH_NAMES), 0);
	}
	atomic_store(&race.done, true);
	for (int i = 0; i < READERS; i++)
		pthread_join(readers[i], NULL);
	assert_int_equal(atomic_load(&race.torn), 0);
	assert_true(atomic_load(&race.reads) > 0);
}

/* A batch that brings one host known and new names is not seen in part either. */
static void *read_new_names(void *user)
{
	struct race *race = user;
	struct fixture *f = race->f;
	while (!atomic_load(&race->done)) {
		struct store_rows rows;
		if (f->ops->mean(f->store, QUERY(f, 0, HOUR), &rows) != 0)
			abort();
		unsigned old_samples = 0, names = 0;
		for (size_t i = 0; i < rows.count; i++) {
			if (strcmp(rows.items[i].key.process, "old") == 0)
				old_samples = (unsigned)rows.items[i].maximum[MEM];
			else
				names++;
		}
		/* The batch with `old` = n brings the n-th name. */
		atomic_fetch_add(&race->torn, names != old_samples);
		store_rows_free(&rows);
		atomic_fetch_add(&race->reads, 1);
	}
	return NULL;
}

static void test_sqlite_reads_during_appends_see_new_names_with_old_ones(void **state)
{
	struct fixture *f = *state;
	struct race race = { .f = f };
	pthread_t readers[READERS];
	char name[32];
	for (int i = 0; i < READERS; i++)
		pthread_create(&readers[i], NULL, read_new_names, &race);
	for (int i = 1; i <= 4 * BATCHES; i++) {
		snprintf(name, sizeof(name), "new%d", i);
		PUT(f, SAMPLE("10.0.0.1", "old", MEM, 10000 + i * 1000, i), SAMPLE("10.0.0.1", name, MEM, 10000 + i * 1000, 1));
	}
	atomic_store(&race.done, true);
	for (int i = 0; i < READERS; i++)
		pthread_join(readers[i], NULL);
	assert_int_equal(atomic_load(&race.torn), 0);
	assert_true(atomic_load(&race.reads) > 0);
}

/* ---- the embedded engine: limits ---- */

static void test_sqlite_append_series_limit_of_a_host_folds_into_other(void **state)
{
	(void)state;
	struct fixture f;
	set_up_with(&f, "server.max_series_per_host=2");
	PUT(&f, SAMPLE("10.0.0.1", "a", MEM, 1000, 1), SAMPLE("10.0.0.1", "b", MEM, 1000, 2), SAMPLE("10.0.0.1", "c", MEM, 1000, 4),
	    SAMPLE("10.0.0.1", "c", CPU, 1000, 32), SAMPLE("10.0.0.1", "d", MEM, 1000, 8), SAMPLE("10.0.0.2", "c", MEM, 1000, 16));
	const char *wanted = "10.0.0.1/a mem=1^1 cpu=-; 10.0.0.1/b mem=2^2 cpu=-; 10.0.0.1/other mem=12^12 cpu=32^32; 10.0.0.2/c mem=16^16 cpu=-";
	assert_string_equal(means(&f, QUERY(&f, 0, 20000, .by_host = true)), wanted);
	/* A retry is harmless, alone and in one write with what it repeats. */
	for (int together = 1; together <= 2; together++) {
		struct sample again[] = { SAMPLE("10.0.0.1", "c", MEM, f.base + 1000, 4), SAMPLE("10.0.0.1", "d", MEM, f.base + 1000, 8) };
		struct batch batch = { .samples = again, .count = 2 };
		const struct batch *const batches[] = { &batch, &batch };
		assert_int_equal(append_batches(&f, batches, (size_t)together), 0);
		assert_string_equal(means(&f, QUERY(&f, 0, 20000, .by_host = true)), wanted);
	}
	/* The collector's own "other" is one more part of the sum, wherever it stands. */
	PUT(&f, SAMPLE("10.0.0.1", "c", MEM, 2000, 4), SAMPLE("10.0.0.1", "other", MEM, 2000, 100), SAMPLE("10.0.0.1", "d", MEM, 2000, 8));
	PUT(&f, SAMPLE("10.0.0.1", "other", MEM, 3000, 100), SAMPLE("10.0.0.1", "c", MEM, 3000, 4));
	assert_string_equal(history(&f, QUERY(&f, 0, 20000, .process = "other")), "other 1000=12 2000=112 3000=104");
	tear_down(&f);
}

static void test_sqlite_append_series_limit_in_all_folds_new_hosts_too(void **state)
{
	(void)state;
	struct fixture f;
	set_up_with(&f, "server.max_series=3");
	listen_begin();
	PUT(&f, SAMPLE("10.0.0.1", "a", MEM, 1000, 1), SAMPLE("10.0.0.1", "b", MEM, 1000, 2), SAMPLE("10.0.0.2", "a", MEM, 1000, 4));
	PUT(&f, SAMPLE("10.0.0.2", "c", MEM, 1000, 8), SAMPLE("10.0.0.2", "d", MEM, 1000, 16));
	PUT(&f, SAMPLE("10.0.0.3", "e", MEM, 1000, 32), SAMPLE("10.0.0.3", "f", MEM, 1000, 64), SAMPLE("10.0.0.3", "e", CPU, 1000, 5));
	listen_end();
	assert_int_equal(captured_stderr_count("as many series as server.max_series (3) allows"), 1);
	const char *wanted = "10.0.0.1/a mem=1^1 cpu=-; 10.0.0.1/b mem=2^2 cpu=-; 10.0.0.2/a mem=4^4 cpu=-; "
	                     "10.0.0.2/other mem=24^24 cpu=-; 10.0.0.3/other mem=96^96 cpu=5^5";
	assert_string_equal(means(&f, QUERY(&f, 0, 20000, .by_host = true)), wanted);
	/* There are no more hosts than series, however many send. */
	struct sample flood[] = { SAMPLE("10.0.0.1", "a", MEM, 1000, 99), SAMPLE("10.0.0.4", "a", MEM, 1000, 99) };
	assert_int_equal(append(&f, flood, 2), -EDQUOT);
	/* Nothing of it, and the others go on. */
	assert_string_equal(means(&f, QUERY(&f, 0, 20000, .by_host = true)), wanted);
	PUT(&f, SAMPLE("10.0.0.1", "b", MEM, 2000, 5));
	reopen(&f);
	assert_string_equal(hosts(&f, 0), "10.0.0.1 2000 1; 10.0.0.2 1000 2; 10.0.0.3 1000 1");
	assert_string_equal(history(&f, QUERY(&f, 0, 20000, .process = "b")), "b 1000=2 2000=5");
	tear_down(&f);
}

/* ---- the embedded engine: retention ---- */

static long count_rows(struct fixture *f, const char *sql)
{
	sqlite3 *db;
	sqlite3_stmt *statement;
	assert_int_equal(sqlite3_open(f->config->sqlite.path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	long count = (long)sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return count;
}

static void change_row(struct fixture *f, const char *sql)
{
	sqlite3 *db;
	assert_int_equal(sqlite3_open(f->config->sqlite.path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

/* Puts other bytes into the one row. */
static void change_data(struct fixture *f, const struct text *row)
{
	sqlite3 *db;
	sqlite3_stmt *update;
	assert_int_equal(sqlite3_open(f->config->sqlite.path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "UPDATE sample SET data = ?1", -1, &update, NULL), SQLITE_OK);
	sqlite3_bind_blob(update, 1, row->data, (int)row->length, SQLITE_STATIC);
	assert_int_equal(sqlite3_step(update), SQLITE_DONE);
	sqlite3_finalize(update);
	sqlite3_close(db);
}

static void test_sqlite_append_what_is_too_old_is_deleted_in_pieces(void **state)
{
	struct fixture *f = *state;
	enum { OLD = 200, PIECE = 20 /* four for the row written, and 16 */ };
	for (int i = 0; i < OLD; i++)
		PUT(f, SAMPLE("10.0.0.1", "a", MEM, i * 10000 + 1, 1));
	PUT(f, SAMPLE("10.0.0.1", "a", MEM, HOUR, 7), SAMPLE("10.0.0.1", "a", MEM, OLD * 10000, 5));
	long before = count_rows(f, "SELECT count(*) FROM sample");
	assert_int_equal(before, OLD + 2);

	/* All but the two last are over the limit now; the row of the limit itself stays. */
	f->now = f->base + 2 * DAY + OLD * 10000;
	for (int i = 0; before > 0; i++) {
		PUT(f, SAMPLE("10.0.0.1", "a", MEM, HOUR + 1, 8));
		long after = count_rows(f, "SELECT count(*) FROM sample");
		assert_true(before - after <= PIECE);
		assert_true(i < OLD / PIECE + 3);
		if (after == before)
			break;
		before = after;
	}
	assert_int_equal(before, 2);
	assert_string_equal(history(f, QUERY(f, -1, DAY)), "a 2000000=5 3600000=7 3600001=8");
}

/* Other metrics are deleted as well. */
static void test_sqlite_append_old_alarms_are_deleted(void **state)
{
	struct fixture *f = *state;
	struct sample alarm = SAMPLE("10.0.0.1", "a", CPU, 1000, 2);
	alarm.metric = METRIC_ALARM_LEAD;
	assert_int_equal(append(f, &alarm, 1), 0);
	f->now += 2 * DAY;
	/* The metrics take turns. */
	for (int i = 0; i < METRIC_NAMED_COUNT; i++)
		PUT(f, SAMPLE("10.0.0.1", "a", MEM, 2 * DAY, 1));
	assert_int_equal(count_rows(f, "SELECT count(*) FROM sample"), 1);
}

static void test_sqlite_append_forecasts_are_deleted_after_hours(void **state)
{
	struct fixture *f = *state;
	static const enum metric forecasts[] = { METRIC_FORECAST, METRIC_FORECAST_PROBABILITY, METRIC_FORECAST_LEAD,
	                                        METRIC_FORECAST_FULL };
	for (int metric = 0; metric < METRIC_NAMED_COUNT; metric++) {
		struct sample sample = SAMPLE("10.0.0.1", "a", CPU, f->base + 1000, 0.5);
		sample.metric = (enum metric)metric;
		struct batch batch = { .samples = &sample, .count = 1 };
		const struct batch *const batches[] = { &batch };
		assert_int_equal(append_batches(f, batches, 1), 0);
	}
	f->now = f->base + 4 * HOUR;
	for (int i = 0; i < METRIC_NAMED_COUNT; i++)
		PUT(f, SAMPLE("10.0.0.1", "a", MEM, 1000, 1));
	assert_int_equal(count_rows(f, "SELECT count(*) FROM sample"), METRIC_NAMED_COUNT);
	f->now += 11000;
	for (int i = 0; i < METRIC_NAMED_COUNT; i++)
		PUT(f, SAMPLE("10.0.0.1", "a", MEM, 1000, 1));
	assert_int_equal(count_rows(f, "SELECT count(*) FROM sample"), METRIC_NAMED_COUNT - COUNT_OF(forecasts));
	for (size_t i = 0; i < COUNT_OF(forecasts); i++) {
		struct query *query = QUERY(f, -1, DAY);
		query->metric = forecasts[i];
		assert_string_equal(latest(f, query), "");
	}
}

/* Appends often enough for every number to be looked at. */
static void let_numbers_expire(struct fixture *f, int64_t time)
{
	f->now = f->base + time;
	for (int i = 0; i < 10; i++)
		PUT(f, SAMPLE("10.0.0.9", "alive", MEM, time + i, 1));
}

static void test_sqlite_append_numbers_are_used_again_without_old_values(void **state)
{
	struct fixture *f = *state;
	char name[32];
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "old%d", i);
		PUT(f, SAMPLE("10.0.0.1", name, MEM, i * 10000, 77));
	}
	assert_int_equal(count_rows(f, "SELECT count(*) FROM series"), 100);
	/* Within the retention every name is there, */
	let_numbers_expire(f, 2 * DAY - HOUR);
	assert_int_equal(count_rows(f, "SELECT count(*) FROM series"), 101);
	assert_string_equal(means(f, QUERY(f, -1, DAY, .process = "old99")), "old99 mem=77^77 cpu=-");
	/* and long after it none, nor their host. */
	let_numbers_expire(f, 2 * DAY + 8 * HOUR);
	assert_int_equal(count_rows(f, "SELECT count(*) FROM series"), 1);
	assert_int_equal(count_rows(f, "SELECT count(*) FROM host"), 1);
	assert_int_equal(count_rows(f, "SELECT count(*) FROM sample WHERE data IS NULL"), 0);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "new%d", i);
		PUT(f, SAMPLE("10.0.0.2", name, MEM, 2 * DAY + 8 * HOUR + 1, 1));
	}
	assert_int_equal(count_rows(f, "SELECT max(id) FROM series"), 101);
	for (int i = 0; i < 2; i++) {
		assert_string_equal(means(f, QUERY(f, 8 * HOUR, 3 * DAY, .process = "new50")), "new50 mem=1^1 cpu=-");
		assert_string_equal(means(f, QUERY(f, 8 * HOUR, 3 * DAY, .ip = "10.0.0.1")), "");
		struct store_rows rows;
		assert_int_equal(f->ops->mean(f->store, QUERY(f, 8 * HOUR, 3 * DAY), &rows), 0);
		assert_int_equal(rows.count, 101);
		for (size_t j = 0; j < rows.count; j++)
			assert_true(rows.items[j].maximum[MEM] == 1);
		store_rows_free(&rows);
		reopen(f);
	}
}

/* The clock was set ahead, or a batch waited: what it names may expire in its own write. */
static void test_sqlite_append_samples_already_expired_are_harmless(void **state)
{
	struct fixture *f = *state;
	char names[80][16];
	struct sample samples[COUNT_OF(names)];
	for (size_t i = 0; i < COUNT_OF(names); i++)
		snprintf(names[i], sizeof(names[i]), "p%zu", i);
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < COUNT_OF(names); i++)
			samples[i] = SAMPLE("10.0.0.1", names[i], MEM, (int64_t)i * 10000, 1);
		f->now = f->base + 30 * DAY;
		assert_int_equal(append(f, samples, COUNT_OF(names)), 0);
	}
	f->ops->close(f->store);
	f->store = NULL;
	change_row(f, "DELETE FROM state WHERE name LIKE 'clock%'");
	open_store(f);
	f->now = f->base;
	PUT(f, SAMPLE("10.0.0.1", "p1", MEM, 1, 5));
	assert_string_equal(means(f, QUERY(f, 0, 1)), "p1 mem=5^5 cpu=-");
}

/* ---- the embedded engine: a clock that is wrong ---- */

static void test_sqlite_append_clock_jumps_ahead_and_back_nothing_is_deleted(void **state)
{
	struct fixture *f = *state;
	PUT(f, SAMPLE("10.0.0.1", "a", MEM, 1000, 1), SAMPLE("10.0.0.2", "b", MEM, 1000, 2));
	f->now += 11 * 60000; /* since the start: its first readings count at once, but for what is deleted */
	PUT(f, SAMPLE("10.0.0.1", "a", MEM, 1000, 1));
	listen_begin();
	f->wrong = 30 * DAY;
	for (int i = 0; i < METRIC_NAMED_COUNT; i++) {
		f->now += 10000;
		PUT(f, SAMPLE("10.0.0.1", "a", MEM, f->now - f->base + f->wrong, 7));
	}
	/* What is behind it counts as before, also of a host that is new. */
	PUT(f, SAMPLE("10.0.0.2", "b", MEM, 2000, 2), SAMPLE("10.0.0.3", "c", MEM, 30 * DAY, 2));
	char meanwhile[64];
	snprintf(meanwhile, sizeof(meanwhile), "%s", hosts(f, 0));
	f->wrong = 0;
	f->now += 10000;
	PUT(f, SAMPLE("10.0.0.1", "a", MEM, 3000, 1), SAMPLE("10.0.0.3", "c", MEM, 3000, 2));
	listen_end();
	assert_string_equal(meanwhile, "10.0.0.1 1000 1; 10.0.0.2 2000 1");
	assert_int_equal(captured_stderr_count("the clock has jumped by +2592000 s"), 1);
	assert_int_equal(captured_stderr_count("the clock has jumped back"), 1);
	for (int i = 0; i < 2; i++) {
		assert_string_equal(hosts(f, 0), "10.0.0.1 3000 1; 10.0.0.2 2000 1; 10.0.0.3 3000 1");
		assert_string_equal(history(f, QUERY(f, 0, DAY)), "a 1000=1 3000=1; b 1000=2 2000=2; c 3000=2");
		reopen(f);
	}
}

/* The same just after the first start. */
static void test_sqlite_append_clock_jumps_at_first_nothing_is_deleted(void **state)
{
	struct fixture *f = *state;
	listen_begin();
	PUT(f, SAMPLE("10.0.0.1", "a", MEM, 1000, 1), SAMPLE("10.0.0.2", "b", MEM, 1000, 2));
	f->wrong = 30 * DAY;
	for (int i = 0; i < METRIC_NAMED_COUNT; i++)
		PUT(f, SAMPLE("10.0.0.1", "a", MEM, 30 * DAY + i, 7));
	f->wrong = 0;
	PUT(f, SAMPLE("10.0.0.1", "a", MEM, 3000, 1));
	listen_end();
	assert_string_equal(hosts(f, 0), "10.0.0.1 3000 1; 10.0.0.2 1000 1");
	assert_string_equal(history(f, QUERY(f, 0, DAY)), "a 1000=1 3000=1; b 1000=2");
}

/* Ten minutes, and what is deleted then is what the clock says. */
static void test_sqlite_append_clock_that_stays_is_believed(void **state)
{
	struct fixture *f = *state;
	static const char a_day_old[] = "SELECT count(*) FROM sample WHERE key < (SELECT max(key) FROM sample) - (8640 << 24)";
	PUT(f, SAMPLE("10.0.0.1", "a", MEM, 1000, 1));
	f->now += 11 * 60000;
	PUT(f, SAMPLE("10.0.0.2", "b", MEM, 1000, 1));
	listen_begin();
	f->wrong = 3 * DAY;
	for (int minute = 0; minute <= 9; minute++, f->now += 60000)
		PUT(f, SAMPLE("10.0.0.2", "b", MEM, f->now + f->wrong - f->base, 7));
	long before = count_rows(f, a_day_old);
	f->now += 2 * 60000;
	PUT(f, SAMPLE("10.0.0.2", "b", MEM, f->now + f->wrong - f->base, 7));
	listen_end();
	assert_int_equal(before, 2);
	assert_int_equal(captured_stderr_count("is believed from now on"), 1);
	assert_int_equal(count_rows(f, a_day_old), 0);
}

/* What an earlier version noted of a clock that was ahead: a host's newest sample is found among those that are not. */
static void test_sqlite_open_hosts_that_are_ahead_are_put_right(void **state)
{
	struct fixture *f = *state;
	char sql[256];
	PUT(f, SAMPLE("10.0.0.1", "a", MEM, 1000, 1), SAMPLE("10.0.0.2", "b", MEM, HOUR - 60000, 2));
	f->wrong = 30 * DAY;
	PUT(f, SAMPLE("10.0.0.1", "a", MEM, 30 * DAY, 1));
	f->ops->close(f->store);
	f->store = NULL;
	snprintf(sql, sizeof(sql), "UPDATE host SET seen_ms = seen_ms + %lld", (long long)(30 * DAY));
	change_row(f, sql);
	open_store(f);
	assert_string_equal(hosts(f, 0), "10.0.0.1 1000 1; 10.0.0.2 3540000 1");
}

/* The server was killed, and its table of hosts is up to ten minutes behind: hosts that are alive, that have been
 * silent for a while, and for long. */
static void test_sqlite_open_after_a_kill_finds_when_hosts_were_last_seen(void **state)
{
	struct fixture *f = *state;
	for (int second = 0; second <= 500; second += 10) {
		PUT(f, SAMPLE("10.0.0.1", "a", MEM, second * 1000 + 3, 1), SAMPLE("10.0.0.1", "b", MEM, second * 1000 + 3, 1));
		if (second <= 250)
			PUT(f, SAMPLE("10.0.0.2", "a", MEM, second * 1000 + 2, 1));
		if (second % 60 == 0)
			PUT(f, SAMPLE("10.0.0.3", "a", MEM, second * 1000 + 1, 1));
		if (second == 0)
			PUT(f, SAMPLE("10.0.0.4", "a", MEM, 7, 1));
	}
	static const char *const ends[] = {
		"DELETE FROM state WHERE name = 'closed'; UPDATE host SET seen_ms = (SELECT min(seen_ms) FROM host)",
		"UPDATE state SET value = value - 1 WHERE name = 'closed'; UPDATE host SET seen_ms = seen_ms - 1",
		"DROP TABLE state", /* an earlier version was the last */
		"",
	};
	for (size_t i = 0; i < COUNT_OF(ends); i++) {
		f->ops->close(f->store);
		f->store = NULL;
		change_row(f, ends[i]);
		open_store(f);
		assert_string_equal(hosts(f, 0), "10.0.0.1 500003 2; 10.0.0.2 250002 1; 10.0.0.3 480001 1; 10.0.0.4 7 1");
	}
}

/* What earlier versions called a host that had its IPv4 address in IPv6. */
static void test_sqlite_open_mapped_address_is_that_of_the_ipv4_host(void **state)
{
	struct fixture *f = *state;
	PUT(f, SAMPLE("10.0.0.1", "a", MEM, 1000, 1), SAMPLE("10.0.0.2", "a", MEM, 1000, 2), SAMPLE("10.0.0.3", "a", MEM, 1000, 4));
	f->ops->close(f->store);
	f->store = NULL;
	change_row(f, "UPDATE host SET ip = '::ffff:10.0.0.1' WHERE ip = '10.0.0.1';"
	              "UPDATE host SET ip = '::ffff:10.0.0.3' WHERE ip = '10.0.0.2'");
	for (int starts = 0; starts < 3; starts++) {
		open_store(f);
		/* Where both have samples they stay two. */
		assert_string_equal(means(f, QUERY(f, 0, 2000, .by_host = true)),
		                    "10.0.0.1/a mem=1^1 cpu=-; 10.0.0.3/a mem=4^4 cpu=-; ::ffff:10.0.0.3/a mem=2^2 cpu=-");
		assert_string_equal(means(f, QUERY(f, 0, 2000, .ip = "10.0.0.1")), "a mem=1^1 cpu=-");
		if (starts == 1)
			PUT(f, SAMPLE("10.0.0.1", "a", MEM, 1500000, 1));
		f->ops->close(f->store);
		f->store = NULL;
	}
	assert_int_equal(count_rows(f, "SELECT count(*) FROM host WHERE ip = '10.0.0.1'"), 1);
	open_store(f);
	assert_string_equal(hosts(f, 0), "10.0.0.1 1500000 1; 10.0.0.3 1000 1; ::ffff:10.0.0.3 1000 1");
}

/* The clock of a start is not believed for ten minutes, where deletions are concerned; time goes on all the same. */
static void test_sqlite_append_after_a_start_with_a_wrong_clock_nothing_is_deleted(void **state)
{
	struct fixture *f = *state;
	static const char *const marks[] = {
		"DELETE FROM state WHERE name LIKE 'clock%'", /* of an earlier version */
		"UPDATE state SET value = value + 1 WHERE name = 'clock_boot'", /* the machine was started anew */
	};
	PUT(f, SAMPLE("10.0.0.1", "a", MEM, 1000, 1));
	for (size_t i = 0; i < COUNT_OF(marks); i++) {
		f->ops->close(f->store);
		f->store = NULL;
		change_row(f, marks[i]);
		listen_begin();
		open_store(f);
		f->wrong = 30 * DAY;
		PUT(f, SAMPLE("10.0.0.1", "a", MEM, 1001, 1));
		f->wrong = 0;
		PUT(f, SAMPLE("10.0.0.1", "a", MEM, 1001, 1));
		listen_end();
		assert_string_equal(history(f, QUERY(f, 0, DAY)), "a 1000=1 1001=1");
	}
}

/* The days that a machine was off or asleep count. */
static void test_sqlite_append_after_days_off_what_is_too_old_is_deleted(void **state)
{
	struct fixture *f = *state;
	PUT(f, SAMPLE("10.0.0.1", "a", MEM, 1000, 1));
	f->now += 3 * DAY; /* asleep: both clocks go on */
	PUT(f, SAMPLE("10.0.0.2", "b", MEM, 3 * DAY, 1));
	assert_int_equal(count_rows(f, "SELECT count(*) FROM sample"), 1);
	f->now -= 3 * DAY;
	f->ops->close(f->store);
	f->store = NULL;
	/* Off: another start of the machine, and the last time that was kept is three days ago. */
	char sql[512];
	snprintf(sql, sizeof(sql), "DELETE FROM sample; INSERT OR REPLACE INTO state VALUES ('clock_boot', 1), ('clock_boot_ms', 5),"
	         " ('clock_wall_ms', %lld)", (long long)(f->start.wall_ms - 3 * DAY));
	change_row(f, sql);
	listen_begin();
	open_store(f);
	PUT(f, SAMPLE("10.0.0.1", "a", MEM, 1000 - 4 * DAY, 1));
	PUT(f, SAMPLE("10.0.0.1", "a", MEM, 1000, 1));
	assert_int_equal(count_rows(f, "SELECT count(*) FROM sample"), 2);
	f->now += 11 * 60000;
	PUT(f, SAMPLE("10.0.0.1", "a", MEM, 1000, 1));
	listen_end();
	assert_int_equal(count_rows(f, "SELECT count(*) FROM sample"), 1);
}

/* ---- the embedded engine: files ---- */

static void test_sqlite_open_not_ours_is_refused(void **state)
{
	(void)state;
	struct fixture f;
	struct store *store = NULL;
	set_up_with(&f, NULL);
	f.ops->close(f.store);
	f.store = NULL;
	char path[TEMPORARY_FOLDER_SIZE + 32];
	snprintf(path, sizeof(path), "%s/vigie.db", f.folder);
	unlink(path);
	sqlite3 *db;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "CREATE TABLE precious (x); INSERT INTO precious VALUES (1)", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(f.ops->open(f.config, &store), -EINVAL);
	assert_int_equal(count_rows(&f, "SELECT count(*) FROM precious"), 1);
	assert_int_equal(count_rows(&f, "SELECT count(*) FROM sqlite_schema"), 1);

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "DROP TABLE precious; PRAGMA user_version = 2", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(f.ops->open(f.config, &store), -EINVAL);

	unlink(path);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	for (int i = 0; i < 1000; i++)
		fputs("this is no database\n", file);
	fclose(file);
	assert_int_equal(f.ops->open(f.config, &store), -EIO);
	file = fopen(path, "r");
	char line[64];
	assert_non_null(fgets(line, sizeof(line), file));
	assert_string_equal(line, "this is no database\n");
	fclose(file);

	/* A folder that is not there. */
	struct config *nowhere = config_in("/nonexistent", NULL);
	assert_int_equal(f.ops->open(nowhere, &store), -ENOENT);
	config_free(nowhere);
	assert_null(store);
	unlink(path);
	open_store(&f);
	tear_down(&f);
}

/* A child holds the lock: a new version waits for the old one's end. */
static void test_sqlite_open_in_use_waits_and_takes_over(void **state)
{
	struct fixture *f = *state;
	char path[TEMPORARY_FOLDER_SIZE + 32], byte = 0;
	int up[2];
	snprintf(path, sizeof(path), "%s.lock", f->config->sqlite.path);
	PUT(f, SAMPLE("10.0.0.1", "a", MEM, 1000, 1));
	FILE *lock = fopen(path, "r");
	assert_non_null(lock);
	assert_int_not_equal(flock(fileno(lock), LOCK_EX | LOCK_NB), 0); /* ours */
	fclose(lock);
	f->ops->close(f->store);
	f->store = NULL;

	assert_int_equal(pipe(up), 0);
	pid_t child = fork();
	if (child == 0) {
		lock = fopen(path, "r+");
		if (!lock || flock(fileno(lock), LOCK_EX) != 0 || write(up[1], "x", 1) != 1)
			_exit(1);
		/* The time that the old version takes to end. */
		nanosleep(&(struct timespec){ .tv_nsec = 300000000 }, NULL);
		_exit(0);
	}
	assert_int_equal(read(up[0], &byte, 1), 1);
	int64_t start_ns = clock_monotonic_ns();
	open_store(f);
	assert_true(clock_monotonic_ns() - start_ns > 100000000);
	int status;
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
	assert_string_equal(means(f, QUERY(f, 0, 20000)), "a mem=1^1 cpu=-");
	close(up[0]);
	close(up[1]);
}

/* Numbers that nobody can have given, and what stands twice. */
static void test_sqlite_open_damaged_table_is_refused_and_says_which_row(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *damage, *words; /* NULL: it is none */
	} cases[] = {
		{ "UPDATE host SET id = 0", "row 0 of its table host is damaged" },
		{ "UPDATE host SET id = -7", "row -7 of its table host is damaged" },
		{ "UPDATE host SET id = 16777216", "row 16777216 of its table host is damaged" },
		{ "INSERT INTO host SELECT 9, ip, seen_ms FROM host", "row 9 of its table host is damaged" },
		{ "UPDATE series SET id = 0", "row 0 of its table series is damaged" },
		{ "UPDATE series SET id = -7", "row -7 of its table series is damaged" },
		{ "UPDATE series SET id = 268435457", "row 268435457 of its table series is damaged" },
		{ "UPDATE series SET host = 2", "row 1 of its table series is damaged" },
		{ "UPDATE sample SET data = x'ff'; DELETE FROM state WHERE name = 'closed'; UPDATE host SET seen_ms = 1", "of its samples is damaged" },
		{ "INSERT INTO state VALUES ('born 99', 1), ('born 1', -5), ('born x', 1)", NULL },
		{ "UPDATE host SET seen_ms = 1 << 62; UPDATE series SET seen_ms = -1", NULL },
		{ "INSERT INTO sample SELECT key + 5, x'ff' FROM sample", NULL }, /* of a host that is not known */
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		PUT(f, SAMPLE("10.0.0.1", "a", MEM, 1000, 1));
		f->ops->close(f->store);
		f->store = NULL;
		change_row(f, cases[i].damage);
		captured_stderr_begin();
		int result = f->ops->open(f->config, &f->store);
		captured_stderr_end();
		assert_int_equal(result, cases[i].words ? -EIO : 0);
		assert_int_equal(captured_stderr_count(cases[i].words ? cases[i].words : "damaged"), cases[i].words ? 1 : 0);
		if (result == 0) {
			assert_string_equal(hosts(f, 0), "10.0.0.1 1000 1");
			f->ops->close(f->store);
			f->store = NULL;
		}
		assert_int_equal(unlink(f->config->sqlite.path), 0);
		open_store(f);
	}
}

static void test_sqlite_reads_damaged_row_is_an_error_and_others_go_on(void **state)
{
	struct fixture *f = *state;
	struct store_rows rows;
	struct store_history points;
	PUT(f, SAMPLE("10.0.0.1", "a", MEM, 1000, 1), SAMPLE("10.0.0.1", "a", MEM, 21000, 2));
	change_row(f, "UPDATE sample SET data = x'00ff' WHERE key = (SELECT min(key) FROM sample)");
	assert_int_equal(f->ops->mean(f->store, QUERY(f, 0, 30000), &rows), -EIO);
	assert_int_equal(f->ops->history(f->store, QUERY(f, 0, 30000, .ip = "10.0.0.1"), &points), -EIO);
	assert_string_equal(means(f, QUERY(f, 20000, 30000)), "a mem=2^2 cpu=-");
	struct sample sample = SAMPLE("10.0.0.1", "a", MEM, 1001, 1);
	assert_int_equal(append(f, &sample, 1), -EBADMSG);
	PUT(f, SAMPLE("10.0.0.1", "a", MEM, 31000, 3));
	assert_string_equal(means(f, QUERY(f, 30000, 40000)), "a mem=3^3 cpu=-");
}

/* Bits of the file have flipped, and it is whole all the same. */
static void test_sqlite_reads_values_that_cannot_be_right_are_left_out(void **state)
{
	struct fixture *f = *state;
	static const double values[] = { INFINITY, -INFINITY, NAN, -1, -1e300, 1.1e12, 1e305, 1.7e308 };
	for (size_t i = 0; i < COUNT_OF(values) + 1; i++) {
		struct packing_entry entries[] = {
			{ .offset_ms = 1000, .series = 1, .present = { true, true }, .value = { 2, 3 } },
			{ .offset_ms = 2000, .series = 1, .present = { true, true }, .value = { 4, 5 } },
		};
		if (i < COUNT_OF(values))
			entries[1].value[MEM] = entries[1].value[CPU] = values[i];
		else
			entries[1].offset_ms = 4000000000; /* 46 days */
		struct text row = TEXT_EMPTY;
		PUT(f, SAMPLE("10.0.0.1", "a", MEM, 1000, 1));
		packing_encode(entries, COUNT_OF(entries), &row);
		change_data(f, &row);
		listen_begin();
		assert_string_equal(means(f, QUERY(f, 0, 100 * DAY)), "a mem=2^2 cpu=3^3");
		assert_string_equal(latest(f, QUERY(f, 0, 100 * DAY)), "10.0.0.1/a mem=2@1000 cpu=3@1000");
		assert_string_equal(history(f, QUERY(f, 0, 100 * DAY)), "a 1000=2");
		assert_string_equal(history(f, QUERY(f, 0, 100 * DAY, .step_ms = 10000)), "a 0=2");
		listen_end();
		assert_int_equal(captured_stderr_count("values that cannot be right"), i == 0);
		f->ops->close(f->store);
		f->store = NULL;
		change_row(f, "DELETE FROM state WHERE name = 'closed'");
		open_store(f);
		const char *seen = i < COUNT_OF(values) ? "10.0.0.1 2000 1" : "10.0.0.1 1000 1";
		assert_string_equal(hosts(f, 0), seen);
		text_free(&row);
	}
}

/* A write fails, as on a full disk; afterwards an older sample is all that comes. */
static void test_sqlite_append_after_a_failure_times_do_not_go_back(void **state)
{
	struct fixture *f = *state;
	PUT(f, SAMPLE("10.0.0.1", "a", MEM, HOUR, 1));
	change_row(f, "CREATE TRIGGER full BEFORE INSERT ON sample BEGIN SELECT RAISE(ABORT, 'full'); END");
	struct sample sample = SAMPLE("10.0.0.1", "a", MEM, HOUR + 20000, 2);
	assert_int_equal(append(f, &sample, 1), -EIO);
	change_row(f, "DROP TRIGGER full");
	assert_string_equal(history(f, QUERY(f, 0, DAY)), "a 3600000=1");
	struct sample alarm = SAMPLE("10.0.0.1", "a", MEM, HOUR - 20000, 2);
	alarm.metric = METRIC_ALARM;
	assert_int_equal(append(f, &alarm, 1), 0);
	reopen(f);
	assert_string_equal(hosts(f, 0), "10.0.0.1 3600000 1");

	change_row(f, "CREATE TRIGGER full BEFORE INSERT ON sample BEGIN SELECT RAISE(ABORT, 'full'); END");
	sample = SAMPLE("10.0.0.1", "a", MEM, HOUR + 20000, 2);
	assert_int_equal(append(f, &sample, 1), -EIO);
	change_row(f, "DROP TRIGGER full");
	PUT(f, SAMPLE("10.0.0.1", "a", MEM, 0, 5));
	reopen(f);
	assert_string_equal(hosts(f, 0), "10.0.0.1 3600000 1");
	assert_int_equal(count_rows(f, "SELECT min(seen_ms) FROM series") - f->base, HOUR);
}

/* What is written to a file that is gone is gone with it: nobody may be told that it is kept. */
static void test_sqlite_append_file_moved_is_refused_until_it_is_back(void **state)
{
	struct fixture *f = *state;
	PUT(f, SAMPLE("10.0.0.1", "a", MEM, 1000, 1));
	char away[4096 + 8];
	snprintf(away, sizeof(away), "%s.away", f->config->sqlite.path);
	assert_int_equal(rename(f->config->sqlite.path, away), 0);
	struct sample sample = SAMPLE("10.0.0.1", "a", MEM, 2000, 2);
	assert_int_equal(append(f, &sample, 1), -EIO);
	assert_int_equal(rename(away, f->config->sqlite.path), 0);
	PUT(f, SAMPLE("10.0.0.1", "a", MEM, 2000, 2));
	assert_string_equal(history(f, QUERY(f, 0, DAY)), "a 1000=1 2000=2");
}

/* A host and a name that a failed write was the first to bring are written by the next. */
static void test_sqlite_append_after_a_failure_new_names_are_written_again(void **state)
{
	struct fixture *f = *state;
	change_row(f, "CREATE TRIGGER full BEFORE INSERT ON sample BEGIN SELECT RAISE(ABORT, 'full'); END");
	struct sample sample = SAMPLE("10.0.0.1", "a", MEM, 1000, 2);
	assert_int_equal(append(f, &sample, 1), -EIO);
	assert_string_equal(hosts(f, 0), "");
	change_row(f, "DROP TRIGGER full");
	PUT(f, SAMPLE("10.0.0.1", "a", MEM, 1000, 5));
	reopen(f);
	assert_string_equal(hosts(f, 0), "10.0.0.1 1000 1");
	assert_string_equal(means(f, QUERY(f, 0, 1000)), "a mem=5^5 cpu=-");
}

/* The write in which names expire fails: nothing of that may stay behind. */
static void test_sqlite_append_expiry_is_undone_by_a_failure(void **state)
{
	struct fixture *f = *state;
	PUT(f, SAMPLE("10.0.0.1", "gone", MEM, 1000, 1));
	PUT(f, SAMPLE("10.0.0.2", "a", MEM, 1000, 1), SAMPLE("10.0.0.3", "b", MEM, 1000, 1));
	f->now = f->base + 3 * DAY;
	/* The last thing that append() does before it commits is to delete names. */
	change_row(f, "CREATE TRIGGER full BEFORE DELETE ON series WHEN old.process = 'b' BEGIN SELECT RAISE(ABORT, 'full'); END");
	struct sample sample = SAMPLE("10.0.0.9", "new", MEM, 3 * DAY, 2);
	assert_int_equal(append(f, &sample, 1), -EIO);
	change_row(f, "DROP TRIGGER full");
	f->now = f->base;
	PUT(f, SAMPLE("10.0.0.7", "x", MEM, 2000, 1), SAMPLE("10.0.0.8", "y", MEM, 2000, 1));
	PUT(f, SAMPLE("10.0.0.3", "c", MEM, 2000, 3), SAMPLE("10.0.0.1", "c", MEM, 2000, 1), SAMPLE("10.0.0.2", "c", MEM, 2000, 2));
	for (int i = 0; i < 2; i++) {
		assert_string_equal(means(f, QUERY(f, 1000, 10000, .process = "c", .by_host = true)),
		                    "10.0.0.1/c mem=1^1 cpu=-; 10.0.0.2/c mem=2^2 cpu=-; 10.0.0.3/c mem=3^3 cpu=-");
		assert_string_equal(means(f, QUERY(f, 0, 1000)), "a mem=1^1 cpu=-; b mem=1^1 cpu=-; gone mem=1^1 cpu=-");
		reopen(f);
	}
}

/* ---- no space ---- */

/* A small file system of this process alone, in the place of the fixture's folder. False: it may not mount. */
static bool mount_small(struct fixture *f, const char *size)
{
	char options[32];
	snprintf(options, sizeof(options), "size=%s", size);
	f->ops->close(f->store);
	f->store = NULL;
	bool mounted = unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	               mount("vigie-test", f->folder, "tmpfs", 0, options) == 0;
	open_store(f);
	return mounted;
}

static int tear_down_small(void **state)
{
	struct fixture *f = *state;
	umount2(f->folder, MNT_DETACH);
	return tear_down_case(state);
}

/* Everything is too old, and there is no space left for the first sample that is not: what is deleted for it must
 * stay deleted when it fails, or it would fail for ever. */
static void test_sqlite_append_full_of_what_is_too_old_recovers(void **state)
{
	static const char *const sizes[] = { "300k", "1m", "6m" };
	struct fixture *f = *state;
	for (size_t size = 0; size < COUNT_OF(sizes); size++) {
		if (!mount_small(f, sizes[size])) {
			print_message("no file system may be mounted here\n");
			skip();
		}
		enum { NAMES = 200 };
		struct sample samples[NAMES];
		char names[NAMES][16];
		int result = 0, ticks = 0;
		captured_stderr_begin();
		for (; result == 0; ticks++) {
			for (int i = 0; i < NAMES; i++) {
				snprintf(names[i], sizeof(names[i]), "p%d", i);
				samples[i] = SAMPLE("10.0.0.1", names[i], MEM, ticks * 10000, i + 1.0 / 3);
			}
			f->now = f->base + ticks * 10000;
			result = append(f, samples, NAMES);
		}
		assert_int_equal(result, -ENOSPC);
		f->now += 3 * DAY;
		for (int tries = 0; result && tries < 100; tries++) {
			for (int i = 0; i < NAMES; i++)
				samples[i] = SAMPLE("10.0.0.1", names[i], MEM, f->now - f->base, 7);
			result = append(f, samples, NAMES);
		}
		captured_stderr_end();
		if (result)
			fail_msg("%s, after %d ticks: %s", sizes[size], ticks, captured_stderr_text());
		/* And goes on. */
		for (int i = 0; i < ticks / 2; i++) {
			f->now += 10000;
			PUT(f, SAMPLE("10.0.0.1", "p7", MEM, f->now - f->base, i));
		}
		reopen(f);
		char wanted[64];
		snprintf(wanted, sizeof(wanted), "10.0.0.1 %lld 1", (long long)(f->now - f->base));
		assert_string_equal(hosts(f, 3 * DAY - HOUR), wanted);
		f->ops->close(f->store);
		umount2(f->folder, MNT_DETACH);
		open_store(f);
		f->now = clock_wall_ms();
	}
}

/* ---- no memory ---- */

/* Thousands of failures are wanted here: the log has nothing to tell. */
static void sweep_start(long number)
{
	captured_stderr_begin();
	failing_start(number);
}

static bool sweep_stop(void)
{
	bool failed = failing_stop();
	captured_stderr_end();
	return failed;
}

enum { SWEEP_NAMES = 70 };

/* How many of a host's names are there. */
static size_t count_names(struct fixture *f, const char *ip)
{
	struct store_rows rows;
	assert_int_equal(f->ops->latest(f->store, QUERY(f, 0, DAY, .ip = ip), &rows), 0);
	size_t count = rows.count;
	store_rows_free(&rows);
	return count;
}

static void test_sqlite_append_any_allocation_fails_is_whole_or_nothing(void **state)
{
	struct fixture *f = *state;
	if (!FAILING_MALLOC)
		skip();
	bool failed = true;
	for (long n = 1; failed; n++) {
		char ip[32], names[SWEEP_NAMES][32];
		struct sample samples[SWEEP_NAMES];
		snprintf(ip, sizeof(ip), "10.0.%ld.%ld", n / 250, n % 250);
		for (int i = 0; i < SWEEP_NAMES; i++) {
			snprintf(names[i], sizeof(names[i]), "p%ld.%d", n, i);
			samples[i] = SAMPLE(ip, names[i], MEM, 1000, 1);
		}
		/* The second time merges rows. */
		for (int again = 0; again < 2; again++) {
			sweep_start(n);
			int result = append(f, samples, SWEEP_NAMES);
			failed = sweep_stop();
			if (result != 0 && !(failed && result == -ENOMEM))
				fail_msg("allocation %ld: %d", n, result);
			assert_int_equal(count_names(f, ip), result && !again ? 0 : SWEEP_NAMES);
			for (int i = 0; i < SWEEP_NAMES; i++)
				samples[i].time_ms -= f->base;
			if (result)
				assert_int_equal(append(f, samples, SWEEP_NAMES), 0);
			assert_int_equal(count_names(f, ip), SWEEP_NAMES);
			for (int i = 0; i < SWEEP_NAMES && result; i++)
				samples[i].time_ms -= f->base;
		}
	}
	reopen(f);
	assert_int_equal(count_names(f, "10.0.0.1"), SWEEP_NAMES);
}

static int read_all(struct fixture *f, int which)
{
	struct store_rows rows;
	struct store_history points;
	struct store_hosts seen;
	int result;
	switch (which) {
	case 0:
		result = f->ops->mean(f->store, QUERY(f, 0, DAY), &rows);
		if (result == 0)
			store_rows_free(&rows);
		return result;
	case 1:
		result = f->ops->latest(f->store, QUERY(f, 0, HOUR, .ip = "10.0.0.1"), &rows);
		if (result == 0)
			store_rows_free(&rows);
		return result;
	case 2:
		result = f->ops->history(f->store, QUERY(f, 0, DAY, .by_host = true), &points);
		if (result == 0)
			store_history_free(&points);
		return result;
	default:
		result = f->ops->hosts(f->store, f->base, f->now + STORE_AHEAD_MS, &seen);
		if (result == 0)
			store_hosts_free(&seen);
		return result;
	}
}

static void test_sqlite_reads_any_allocation_fails_is_out_of_memory(void **state)
{
	struct fixture *f = *state;
	if (!FAILING_MALLOC)
		skip();
	put_three_hosts(f);
	for (int i = 0; i < 1500; i++)
		PUT(f, SAMPLE("10.0.0.1", "a", MEM, 20000 + i % 100 * 10000 + i, i));
	for (int which = 0; which < 4; which++) {
		bool failed = true;
		for (long n = 1; failed; n++) {
			reopen(f); /* so that each read opens its connection */
			sweep_start(n);
			int result = read_all(f, which);
			failed = sweep_stop();
			if (result != 0 && !(failed && result == -ENOMEM))
				fail_msg("read %d, allocation %ld: %d", which, n, result);
			assert_int_equal(read_all(f, which), 0);
		}
	}
}

static void test_sqlite_open_any_allocation_fails_is_out_of_memory(void **state)
{
	struct fixture *f = *state;
	if (!FAILING_MALLOC)
		skip();
	put_three_hosts(f);
	bool failed = true;
	for (long n = 1; failed; n++) {
		f->ops->close(f->store);
		f->store = NULL;
		sweep_start(n);
		int result = f->ops->open(f->config, &f->store);
		failed = sweep_stop();
		if (result != 0 && !(failed && result == -ENOMEM))
			fail_msg("allocation %ld: %d", n, result);
		if (result)
			open_store(f);
		assert_string_equal(hosts(f, 0), "10.0.0.1 11000 1; 10.0.0.10 2000 1; 2001:db8::1 1000 2");
	}
}


int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sqlite_append_series_limit_of_a_host_folds_into_other),
		cmocka_unit_test(test_sqlite_append_series_limit_in_all_folds_new_hosts_too),
		CASE(test_sqlite_append_what_is_too_old_is_deleted_in_pieces),
		CASE(test_sqlite_append_old_alarms_are_deleted),
		CASE(test_sqlite_append_numbers_are_used_again_without_old_values),
		CASE(test_sqlite_append_forecasts_are_deleted_after_hours),
		CASE(test_sqlite_append_samples_already_expired_are_harmless),
		CASE(test_sqlite_append_clock_jumps_ahead_and_back_nothing_is_deleted),
		CASE(test_sqlite_append_clock_jumps_at_first_nothing_is_deleted),
		CASE(test_sqlite_append_clock_that_stays_is_believed),
		CASE(test_sqlite_append_after_a_start_with_a_wrong_clock_nothing_is_deleted),
		CASE(test_sqlite_append_after_days_off_what_is_too_old_is_deleted),
		CASE(test_sqlite_open_after_a_kill_finds_when_hosts_were_last_seen),
		CASE(test_sqlite_open_mapped_address_is_that_of_the_ipv4_host),
		CASE(test_sqlite_open_hosts_that_are_ahead_are_put_right),
		cmocka_unit_test(test_sqlite_open_not_ours_is_refused),
		CASE(test_sqlite_open_in_use_waits_and_takes_over),
		CASE(test_sqlite_open_damaged_table_is_refused_and_says_which_row),
		CASE(test_sqlite_reads_damaged_row_is_an_error_and_others_go_on),
		CASE(test_sqlite_reads_values_that_cannot_be_right_are_left_out),
		CASE(test_sqlite_append_after_a_failure_times_do_not_go_back),
		CASE(test_sqlite_append_after_a_failure_new_names_are_written_again),
		CASE(test_sqlite_append_file_moved_is_refused_until_it_is_back),
		CASE(test_sqlite_append_expiry_is_undone_by_a_failure),
		cmocka_unit_test_setup_teardown(test_sqlite_append_full_of_what_is_too_old_recovers, set_up_case, tear_down_small),
		CASE(test_sqlite_reads_during_appends_see_whole_batches),
		CASE(test_sqlite_reads_during_appends_see_new_names_with_old_ones),
		CASE(test_sqlite_append_any_allocation_fails_is_whole_or_nothing),
		CASE(test_sqlite_reads_any_allocation_fails_is_out_of_memory),
		CASE(test_sqlite_open_any_allocation_fails_is_out_of_memory),
	};
	log_set_level(LOG_LEVEL_ERROR);
	engine = &sqlite;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
