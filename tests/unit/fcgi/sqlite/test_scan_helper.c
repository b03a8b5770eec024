/* fcgi/sqlite/scan_helper.h: reads of so many rows that a second thread takes part. */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/fcgi/store_fixture.h"
#include "tests/unit/fcgi/sqlite/sealing.h"

#include <math.h>

/* Two hours; of each over 300 KiB of rows. */
enum { HOSTS = 12, PROCESSES = 40, TICKS = 400, TICK_MS = 18000 };

static const struct engine sqlite = { .ops = &store_sqlite, .configure = config_in };

static char ips[HOSTS][24], processes[PROCESSES][16];
static int64_t begin_ms;

/* Thousandths; of the last process what is none. */
static double value_at(int host, int process, int tick)
{
	double value = (host * 7 + process * 3 + tick * tick) % 1009 / 10.0;
	return process == PROCESSES - 1 ? value + M_SQRT2 : value;
}

static void put_all(struct fixture *f)
{
	static struct sample samples[HOSTS * PROCESSES * 2];
	for (int tick = 0; tick < TICKS; tick++) {
		struct batch batch = { .samples = samples };
		const struct batch *const batches[] = { &batch };
		for (int i = 0; i < HOSTS * PROCESSES; i++) {
			int host = i / PROCESSES, process = i % PROCESSES;
			int64_t time_ms = begin_ms + tick * (int64_t)TICK_MS;
			samples[batch.count++] = SAMPLE(ips[host], processes[process], MEM, time_ms, value_at(host, process, tick));
			if (process % 2)
				samples[batch.count++] = SAMPLE(ips[host], processes[process], CPU, time_ms, process);
		}
		assert_int_equal(append_batches(f, batches, 1), 0);
	}
}

static void assert_means(struct fixture *f, int first_tick, int end_tick)
{
	const struct query query = {
		.metric = METRIC_USAGE, .from_ms = begin_ms + first_tick * (int64_t)TICK_MS - 1,
		.to_ms = begin_ms + end_tick * (int64_t)TICK_MS - 1,
	};
	struct store_rows rows;
	assert_int_equal(f->ops->mean(f->store, &query, &rows), 0);
	assert_int_equal(rows.count, PROCESSES);
	for (size_t i = 0; i < rows.count; i++) {
		const struct store_row *row = &rows.items[i];
		int process = atoi(row->key.process);
		double sum = 0, maximum = 0;
		for (int tick = first_tick; tick < end_tick; tick++) {
			for (int host = 0; host < HOSTS; host++) {
				sum += value_at(host, process, tick);
				maximum = fmax(maximum, value_at(host, process, tick));
			}
		}
		assert_true(fabs(row->value[MEM] - sum / (HOSTS * (end_tick - first_tick))) < 1e-9);
		assert_true(row->maximum[MEM] == maximum);
		assert_int_equal(row->present[CPU], process % 2);
		if (process % 2)
			assert_true(row->value[CPU] == process && row->maximum[CPU] == process);
	}
	store_rows_free(&rows);
}

static bool of_the_first_hour(int64_t key)
{
	return placement_hour_ms(key) == begin_ms;
}

static void test_mean_very_many_rows_each_sample_counts_once(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < HOSTS; i++)
		snprintf(ips[i], sizeof(ips[i]), "10.0.0.%d", i);
	for (int i = 0; i < PROCESSES; i++)
		snprintf(processes[i], sizeof(processes[i]), "%d", i);
	begin_ms = store_step_start(f->now, BLOCK_MS) - 3 * BLOCK_MS;
	put_all(f);
	assert_means(f, 0, TICKS);
	assert_means(f, 7, TICKS - 3);
	sealing_seal_chosen(f->config->sqlite.path, of_the_first_hour);
	assert_means(f, 0, TICKS);
	assert_means(f, 7, TICKS - 3);
	assert_means(f, TICKS / 2, TICKS);
}

/* Flips what the newest row begins with: a second thread comes to it. */
static void test_mean_damaged_row_among_very_many_fails(void **state)
{
	struct fixture *f = *state;
	struct store_rows rows;
	begin_ms = store_step_start(f->now, BLOCK_MS) - 3 * BLOCK_MS;
	const struct query query = { .metric = METRIC_USAGE, .from_ms = begin_ms - 1, .to_ms = begin_ms + 2 * BLOCK_MS };
	put_all(f);
	sqlite3 *connection = sealing_open(f->config->sqlite.path);
	sealing_run(connection, "UPDATE sample SET data = x'ffffffffffffffffffffff' WHERE key = (SELECT max(key) FROM sample)");
	sqlite3_close(connection);
	assert_int_equal(f->ops->mean(f->store, &query, &rows), -EIO);
}

int main(void)
{
	engine = &sqlite;
	const struct CMUnitTest tests[] = {
		CASE(test_mean_very_many_rows_each_sample_counts_once),
		CASE(test_mean_damaged_row_among_very_many_fails),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
