/* fcgi/sqlite/scan_helper.h: reads of so many rows that a second thread takes part. */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/captured_stderr.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/fcgi/store_fixture.h"
#include "tests/unit/fcgi/sqlite/sealing.h"

#include <dlfcn.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "fcgi/budget.h"

/* ---- a machine that has cores for helpers, whatever this one has; and what it does not give ---- */

static enum { GIVEN, NO_CORES, CORES_UNKNOWN, NO_THREADS } machine;
static atomic_int threads; /* that were begun */

int sched_getaffinity(pid_t process, size_t size, cpu_set_t *cores)
{
	(void)process, (void)size;
	CPU_ZERO(cores);
	for (size_t i = 0; i < (machine == NO_CORES ? 1 : 4); i++)
		CPU_SET(i, cores);
	errno = EINVAL;
	return machine == CORES_UNKNOWN ? -1 : 0;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *user)
{
	static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
	if (machine == NO_THREADS)
		return EAGAIN;
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
	atomic_fetch_add(&threads, 1);
	return real(thread, attributes, run, user);
}

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

static int set_up_rows(void **state)
{
	set_up_case(state);
	struct fixture *f = *state;
	for (int i = 0; i < HOSTS; i++)
		snprintf(ips[i], sizeof(ips[i]), "10.0.0.%d", i);
	for (int i = 0; i < PROCESSES; i++)
		snprintf(processes[i], sizeof(processes[i]), "%d", i);
	begin_ms = store_step_start(f->now, BLOCK_MS) - 3 * BLOCK_MS;
	put_all(f);
	machine = GIVEN;
	atomic_store(&threads, 0);
	return 0;
}

static int tear_down_rows(void **state)
{
	captured_stderr_abandon();
	machine = GIVEN;
	budget_set_limit(SIZE_MAX);
	return tear_down_case(state);
}

#define ROWS_CASE(name) cmocka_unit_test_setup_teardown(name, set_up_rows, tear_down_rows)

static void test_mean_very_many_rows_each_sample_counts_once(void **state)
{
	struct fixture *f = *state;
	assert_means(f, 0, TICKS);
	assert_int_equal(atomic_load(&threads), 1);
	assert_means(f, 7, TICKS - 3);
	sealing_seal_chosen(f->config->sqlite.path, of_the_first_hour);
	assert_means(f, 0, TICKS);
	assert_means(f, 7, TICKS - 3);
	assert_means(f, TICKS / 2, TICKS);
}

/* Who has no core, no thread or no room for a second one goes on alone. */
static void test_mean_very_many_rows_without_a_second_thread_is_the_same(void **state)
{
	struct fixture *f = *state;
	for (machine = NO_CORES; machine <= NO_THREADS; machine++)
		assert_means(f, 0, TICKS);
	machine = GIVEN;
	budget_set_limit(4 << 20); /* less than its copies may take */
	assert_means(f, 0, TICKS);
	assert_int_equal(budget_held(BUDGET_ANSWERS), 0);
	assert_int_equal(atomic_load(&threads), 0);
	budget_set_limit(SIZE_MAX);
	assert_means(f, 0, TICKS);
	assert_int_equal(atomic_load(&threads), 1);
}

static int read_mean_of_all(struct fixture *f)
{
	struct store_rows rows;
	const struct query query = { .metric = METRIC_USAGE, .from_ms = begin_ms - 1, .to_ms = begin_ms + 2 * BLOCK_MS };
	int result = f->ops->mean(f->store, &query, &rows);
	if (result == 0)
		store_rows_free(&rows);
	return result;
}

/* Flips what the newest row begins with, or one in the middle: a second thread comes to it. */
static void test_mean_damaged_row_among_very_many_fails(void **state)
{
	struct fixture *f = *state;
	static const char *const places[] = { "LIMIT 1", "LIMIT 1 OFFSET (SELECT count(*) / 2 FROM sample)", "LIMIT (SELECT count(*) / 2 FROM sample)" };
	for (size_t i = 0; i < COUNT_OF(places); i++) {
		char sql[256];
		snprintf(sql, sizeof(sql), "UPDATE sample SET data = x'ffffffffffffffffffffff' WHERE key IN "
		         "(SELECT key FROM sample ORDER BY key DESC %s)", places[i]);
		sqlite3 *connection = sealing_open(f->config->sqlite.path);
		sealing_run(connection, sql);
		sqlite3_close(connection);
		captured_stderr_begin();
		int result = read_mean_of_all(f);
		captured_stderr_end();
		assert_int_equal(result, -EIO);
	}
}

/* Sealed hours of which one is damaged: what is not summed up is left to the first thread, and it is left out. */
static void test_mean_damaged_hour_among_very_many_rows_is_left_out(void **state)
{
	struct fixture *f = *state;
	struct store_damaged damaged[STORE_DAMAGED_MAX];
	sealing_seal_chosen(f->config->sqlite.path, of_the_first_hour);
	sqlite3 *connection = sealing_open(f->config->sqlite.path);
	sealing_run(connection, "UPDATE hour SET data = x'00' WHERE key = (SELECT min(key) FROM hour)");
	sealing_run(connection, "UPDATE hour SET summary = x'00' WHERE key = (SELECT max(key) FROM hour)");
	sqlite3_close(connection);
	captured_stderr_begin();
	int result = read_mean_of_all(f);
	captured_stderr_end();
	assert_int_equal(result, 0);
	assert_int_equal(f->ops->damaged(f->store, f->now, damaged), 2);
}

static void test_mean_very_many_rows_any_allocation_fails_is_out_of_memory(void **state)
{
	struct fixture *f = *state;
	if (!FAILING_MALLOC)
		skip();
	sealing_seal_chosen(f->config->sqlite.path, of_the_first_hour);
	assert_means(f, 0, TICKS);
	bool failed = true;
	for (long n = 1; failed; n++) {
		captured_stderr_begin();
		failing_start(n);
		int result = read_mean_of_all(f);
		failed = failing_stop();
		captured_stderr_end();
		assert_true(result == 0 || (failed && result == -ENOMEM));
	}
	assert_means(f, 0, TICKS);
	assert_int_equal(budget_held(BUDGET_ANSWERS), 0);
}

int main(void)
{
	engine = &sqlite;
	log_set_level(LOG_LEVEL_ERROR);
	const struct CMUnitTest tests[] = {
		ROWS_CASE(test_mean_very_many_rows_each_sample_counts_once),
		ROWS_CASE(test_mean_very_many_rows_without_a_second_thread_is_the_same),
		ROWS_CASE(test_mean_damaged_row_among_very_many_fails),
		ROWS_CASE(test_mean_damaged_hour_among_very_many_rows_is_left_out),
		ROWS_CASE(test_mean_very_many_rows_any_allocation_fails_is_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
