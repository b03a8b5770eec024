/* fcgi/keeper.h over a store that forgets within a second */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/captured_stderr.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/support/no_threads.h"
#include "tests/unit/fcgi/helpers.h"

#include <errno.h>
#include <stdatomic.h>

#include "common/clock.h"
#include "fcgi/wishes.h"

enum { RETENTION_MS = 400, ROWS_MAX = 4 };

/* ---- the store ---- */

static struct {
	atomic_int ill;      /* times that it still says so */
	atomic_uint reads, writes; /* of one metric each */
	atomic_uint failing_read; /* from which of the reads on they fail, from 1; 0: none does */
	atomic_int append;   /* the result of writes */
	const char *refusal; /* with -EINVAL */
	enum metric metrics[8]; /* of the first reads */
	const struct store_row *rows; /* of METRIC_WISH */
	size_t row_count;
	pthread_mutex_t lock; /* of the rest: the last write */
	struct sample samples[ROWS_MAX];
	char names[ROWS_MAX][WIRE_NAME_SIZE];
	size_t count;
} store = { .lock = PTHREAD_MUTEX_INITIALIZER };

static int64_t retention(struct store *unused)
{
	(void)unused;
	return RETENTION_MS;
}

static int health(struct store *unused)
{
	(void)unused;
	return atomic_load(&store.ill) > 0 && atomic_fetch_sub(&store.ill, 1) ? -ETIMEDOUT : 0;
}

static int latest(struct store *unused, const struct query *query, struct store_rows *ret_rows)
{
	(void)unused;
	/* VictoriaMetrics 1.112, of Debian 13, answers nothing where the end is past 32 bits of seconds. */
	assert_in_range(query->to_ms / 1000, clock_wall_ms() / 1000 + 86400, UINT32_MAX);
	assert_string_equal(query->ip, KEEPER_IP);
	assert_int_equal(atomic_load(&store.ill), 0); /* it may hang */
	unsigned read = atomic_load(&store.reads), failing = atomic_load(&store.failing_read);
	if (read < COUNT_OF(store.metrics))
		store.metrics[read] = query->metric;
	atomic_store(&store.reads, read + 1);
	if (failing && read + 1 >= failing)
		return -ECONNREFUSED;
	size_t count = query->metric == METRIC_WISH ? store.row_count : 0;
	*ret_rows = (struct store_rows){ .items = malloc((count + 1) * sizeof(*ret_rows->items)), .count = count };
	for (size_t i = 0; i < count; i++)
		ret_rows->items[i] = store.rows[i];
	return 0;
}

static int append(struct store *unused, const struct batch *const batches[], size_t count, struct moment now,
                  char ret_refusal[static STORE_REFUSAL_SIZE])
{
	(void)unused, (void)now;
	int result = atomic_load(&store.append);
	assert_int_equal(count, 1);
	assert_in_range(batches[0]->count, 1, ROWS_MAX);
	if (result == -EINVAL)
		snprintf(ret_refusal, STORE_REFUSAL_SIZE, "%s", store.refusal);
	pthread_mutex_lock(&store.lock);
	for (size_t i = 0; i < batches[0]->count; i++) {
		store.samples[i] = batches[0]->samples[i];
		strcpy(store.names[i], batches[0]->samples[i].process);
	}
	store.count = batches[0]->count;
	pthread_mutex_unlock(&store.lock);
	atomic_fetch_add(&store.writes, 1);
	return result;
}

static const struct store_ops ops = {
	.name = "forgetful", .appends = 1, .append = append, .latest = latest, .retention = retention, .health = health,
};

/* ---- a table of the test's own ---- */

struct table {
	pthread_mutex_t lock;
	struct kept taken[16];
	int64_t times_ms[16];
	size_t count;
	int results[16]; /* of take(), one after the other; 0: the rest */
	int reserve;     /* the result of reserve() */
	atomic_int list; /* the result of list(): of what was taken last */
	atomic_uint lists;
};

static struct table tables[2] = { { .lock = PTHREAD_MUTEX_INITIALIZER }, { .lock = PTHREAD_MUTEX_INITIALIZER } };

static int take(void *user, const struct kept *kept, int64_t time_ms)
{
	struct table *table = user;
	pthread_mutex_lock(&table->lock);
	size_t n = table->count;
	assert_true(n < COUNT_OF(table->taken));
	table->taken[n] = *kept;
	table->times_ms[n] = time_ms;
	table->count++;
	int result = table->results[n];
	pthread_mutex_unlock(&table->lock);
	return result;
}

static int reserve(void *user, const struct kept *kept)
{
	(void)kept;
	return ((struct table *)user)->reserve;
}

static size_t taken(struct table *table)
{
	pthread_mutex_lock(&table->lock);
	size_t count = table->count;
	pthread_mutex_unlock(&table->lock);
	return count;
}

static int list(void *user, struct kept **ret_kept, size_t *ret_count)
{
	struct table *table = user;
	atomic_fetch_add(&table->lists, 1);
	int result = atomic_load(&table->list);
	if (result)
		return result;
	pthread_mutex_lock(&table->lock);
	*ret_count = table->count > 0;
	*ret_kept = malloc(sizeof(**ret_kept));
	if (table->count)
		**ret_kept = table->taken[table->count - 1];
	pthread_mutex_unlock(&table->lock);
	return 0;
}

static int open_tables(struct writer *writer, struct keeper **ret_keeper)
{
	const struct keeper_table both[] = {
		{ .metric = METRIC_WISH, .user = &tables[0], .take = take, .reserve = reserve, .list = list },
		{ .metric = METRIC_SILENCE, .user = &tables[1], .take = take, .reserve = reserve, .list = list },
	};
	return keeper_open(&ops, NULL, writer, both, COUNT_OF(both), ret_keeper);
}

/* ---- each case ---- */

static struct writer *writer;
static struct keeper *keeper;

static int set_up(void **state)
{
	(void)state;
	atomic_store(&store.ill, 0);
	atomic_store(&store.reads, 0);
	atomic_store(&store.writes, 0);
	atomic_store(&store.failing_read, 0);
	atomic_store(&store.append, 0);
	store.row_count = store.count = 0;
	for (size_t i = 0; i < COUNT_OF(tables); i++) {
		memset(tables[i].results, 0, sizeof(tables[i].results));
		tables[i].count = 0;
		tables[i].reserve = 0;
		atomic_store(&tables[i].list, 0);
		atomic_store(&tables[i].lists, 0);
	}
	keeper = NULL;
	return writer_open(&ops, NULL, 1 << 20, &writer);
}

static int tear_down(void **state)
{
	(void)state;
	keeper_close(keeper);
	writer_close(writer);
	return 0;
}

static void give(const struct store_row *rows, size_t count)
{
	store.rows = rows;
	store.row_count = count;
}

#define ROW(name, number, time) { { KEEPER_IP, (name) }, { false, true }, { 0, (number) }, { 0 }, { 0, (time) } }

static void test_keeper_time_goes_on_whatever_the_clock_says(void **state)
{
	(void)state;
	int64_t newest_ms = 0;
	assert_int_equal(keeper_time(&newest_ms, 1000), 1000);
	assert_int_equal(keeper_time(&newest_ms, 1000), 1001);
	newest_ms = 5000;
	assert_int_equal(keeper_time(&newest_ms, 2000), 5001);
	assert_int_equal(keeper_time(&newest_ms, 9000), 9000);
}

static void test_keeper_reads_until_the_store_answers_and_writes_again(void **state)
{
	(void)state;
	static const struct store_row rows[] = { ROW("alert", 0, 7000), ROW("collector 10.0.0.5", 0, 8000), ROW("collector", 1, 7000),
		                                     ROW("no wish", 0, 7000) };
	struct wishes *wishes = wishes_open();
	give(rows, COUNT_OF(rows));
	atomic_store(&store.ill, 1);
	atomic_store(&store.failing_read, 1);
	int64_t begun_ms = clock_wall_ms();
	const struct keeper_table table = wishes_table(wishes);
	assert_int_equal(keeper_open(&ops, NULL, writer, &table, 1, &keeper), 0);
	WAIT_FOR(atomic_load(&store.reads) >= 1, 10000);
	assert_false(keeper_knows(keeper));
	atomic_store(&store.failing_read, 0);
	WAIT_FOR(atomic_load(&store.writes) >= 3, 10000);
	assert_true(keeper_knows(keeper));
	assert_true(wishes_stop(wishes, WIRE_ALERT, ""));
	assert_true(wishes_stop(wishes, WIRE_COLLECTOR, "10.0.0.5"));
	assert_false(wishes_stop(wishes, WIRE_COLLECTOR, "10.0.0.6"));
	keeper_close(keeper);
	keeper = NULL;
	wishes_close(wishes);

	/* All that count, as of one time that the retention still has. */
	assert_int_equal(store.count, 3);
	for (size_t i = 0; i < store.count; i++) {
		assert_string_equal(store.samples[i].ip, KEEPER_IP);
		assert_true(store.samples[i].time_ms >= begun_ms);
		assert_int_equal(store.samples[i].time_ms, store.samples[0].time_ms);
		assert_int_equal(store.samples[i].value, strcmp(store.names[i], "collector") == 0);
	}
}

/* What is none of ours, or finds no place, hides no other. */
static void test_keeper_reads_all_that_it_can_take(void **state)
{
	(void)state;
	static char long_name[WIRE_NAME_SIZE + 1], longest_name[WIRE_NAME_SIZE];
	memset(long_name, 'x', WIRE_NAME_SIZE);
	memset(longest_name, 'y', WIRE_NAME_MAX);
	const struct store_row rows[] = {
		{ { KEEPER_IP, "of the other half" }, { true, false }, { 1, 0 }, { 0 }, { 9000, 0 } }, ROW(long_name, 1, 9000),
		ROW("one too many", 2, 7000), ROW(longest_name, 3, 8000),
	};
	give(rows, COUNT_OF(rows));
	tables[0].results[0] = -EDQUOT;
	assert_int_equal(open_tables(writer, &keeper), 0);
	WAIT_FOR(keeper_knows(keeper), 10000);
	assert_true(taken(&tables[0]) >= 2);
	assert_string_equal(tables[0].taken[0].name, "one too many");
	assert_string_equal(tables[0].taken[1].name, longest_name);
	assert_true(tables[0].taken[1].value == 3);
	assert_int_equal(tables[0].times_ms[1], 8000);
	assert_int_equal(taken(&tables[1]), 0);
}

static void test_keeper_reads_again_what_could_not_be_taken(void **state)
{
	(void)state;
	static const struct store_row rows[] = { ROW("a", 1, 7000), ROW("b", 2, 7000) };
	give(rows, COUNT_OF(rows));
	tables[0].results[0] = -ENOMEM;
	assert_int_equal(open_tables(writer, &keeper), 0);
	WAIT_FOR(keeper_knows(keeper), 10000);
	assert_string_equal(tables[0].taken[0].name, "a");
	assert_string_equal(tables[0].taken[1].name, "a");
	assert_string_equal(tables[0].taken[2].name, "b");
	/* And nothing of the other table before. */
	assert_int_equal(store.metrics[0], METRIC_WISH);
	assert_int_equal(store.metrics[1], METRIC_WISH);
	assert_int_equal(store.metrics[2], METRIC_SILENCE);
}

/* What was written just before the start may show with the second read alone: until it works nothing is written over that. */
static void test_keeper_second_read_is_tried_until_it_works(void **state)
{
	(void)state;
	static const struct store_row rows[] = { ROW("a", 1, 7000) };
	give(rows, COUNT_OF(rows));
	atomic_store(&store.failing_read, 3); /* two tables are read each time */
	assert_int_equal(open_tables(writer, &keeper), 0);
	WAIT_FOR(atomic_load(&store.reads) >= 4, 10000);
	assert_true(keeper_knows(keeper));
	assert_int_equal(atomic_load(&tables[0].lists), 0);
	atomic_store(&store.failing_read, 0);
	WAIT_FOR(atomic_load(&store.writes) >= 1, 10000);
	keeper_close(keeper);

	/* Its end waits for none that works. */
	atomic_store(&store.reads, 0);
	atomic_store(&store.failing_read, 3);
	assert_int_equal(open_tables(writer, &keeper), 0);
	WAIT_FOR(atomic_load(&store.reads) >= 3, 10000);
	keeper_close(keeper);
	keeper = NULL;
}

static void test_keeper_write_that_fails_is_said_and_done_again(void **state)
{
	(void)state;
	static const struct store_row rows[] = { ROW("a", 1, 7000) };
	static const struct {
		int append, list;
		const char *words;
	} cases[] = {
		{ -EINVAL, 0, "what administrators have set is not written again: it is odd\n" },
		{ -EIO, 0, "what administrators have set is not written again: Input/output error\n" },
		{ 0, -ENOMEM, "what administrators have set is not written again: Cannot allocate memory\n" },
	};
	store.refusal = "it is odd";
	give(rows, COUNT_OF(rows));
	log_set_level(LOG_LEVEL_DEBUG);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		unsigned writes = atomic_load(&store.writes);
		atomic_store(&store.append, cases[i].append);
		atomic_store(&tables[0].list, cases[i].list);
		captured_stderr_begin();
		if (!keeper)
			assert_int_equal(open_tables(writer, &keeper), 0);
		WAIT_FOR(captured_stderr_count(cases[i].words) >= 1, 10000);
		atomic_store(&store.append, 0);
		atomic_store(&tables[0].list, 0);
		/* That of the other table, of which there is nothing, is none. */
		WAIT_FOR(atomic_load(&store.writes) > writes + (cases[i].append != 0), 10000);
		captured_stderr_end();
		pthread_mutex_lock(&store.lock);
		assert_int_equal(store.count, 1);
		assert_int_equal(store.samples[0].metric, METRIC_WISH);
		assert_string_equal(store.names[0], "a");
		pthread_mutex_unlock(&store.lock);
	}
	log_set_level(LOG_LEVEL_ERROR);
}

/* ---- keeper_put() ---- */

static void test_keeper_put_is_stored_and_then_taken(void **state)
{
	(void)state;
	int64_t future_ms = clock_wall_ms() + 86400000;
	const struct store_row rows[] = { ROW("a", 1, future_ms) };
	const struct kept kept = { .name = "mine", .value = 5 };
	char refusal[STORE_REFUSAL_SIZE] = "";
	give(rows, COUNT_OF(rows));
	assert_int_equal(open_tables(writer, &keeper), 0);
	WAIT_FOR(keeper_knows(keeper), 10000);
	assert_int_equal(keeper_put(keeper, METRIC_SILENCE, &kept, refusal), 0);
	assert_int_equal(taken(&tables[1]), 1);
	assert_string_equal(tables[1].taken[0].name, "mine");
	assert_true(tables[1].taken[0].value == 5);
	/* After all that there was, whatever the clock was then. */
	assert_true(tables[1].times_ms[0] > future_ms);
}

static void test_keeper_put_what_is_not_stored_is_not_taken(void **state)
{
	(void)state;
	const struct kept kept = { .name = "mine", .value = 5 };
	char refusal[STORE_REFUSAL_SIZE] = "";
	assert_int_equal(open_tables(writer, &keeper), 0);
	WAIT_FOR(keeper_knows(keeper), 10000);
	store.refusal = "it is odd";
	atomic_store(&store.append, -EINVAL);
	assert_int_equal(keeper_put(keeper, METRIC_SILENCE, &kept, refusal), -EINVAL);
	assert_string_equal(refusal, "it is odd");
	atomic_store(&store.append, -EIO);
	assert_int_equal(keeper_put(keeper, METRIC_SILENCE, &kept, refusal), -EIO);
	atomic_store(&store.append, 0);
	if (FAILING_MALLOC) {
		unsigned writes = atomic_load(&store.writes);
		failing_start(1);
		assert_int_equal(keeper_put(keeper, METRIC_SILENCE, &kept, refusal), -ENOMEM);
		assert_true(failing_stop());
		assert_int_equal(atomic_load(&store.writes), writes);
	}
	assert_int_equal(taken(&tables[1]), 0);
}

/* It would be refused, and be in force with the next start. */
static void test_keeper_put_what_finds_no_place_is_not_stored(void **state)
{
	(void)state;
	const struct kept kept = { .name = "mine", .value = 5 };
	char refusal[STORE_REFUSAL_SIZE] = "";
	assert_int_equal(open_tables(writer, &keeper), 0);
	WAIT_FOR(keeper_knows(keeper), 10000);
	tables[1].reserve = -EDQUOT;
	assert_int_equal(keeper_put(keeper, METRIC_SILENCE, &kept, refusal), -EDQUOT);
	assert_int_equal(atomic_load(&store.writes), 0);
	assert_int_equal(taken(&tables[1]), 0);
}

static void test_keeper_open_without_memory_or_threads_is_none(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	long unfreed = failing_unfreed();
	failing_start(1);
	int result = open_tables(writer, &keeper);
	assert_true(failing_stop());
	assert_int_equal(result, -ENOMEM);

	no_threads(true);
	result = open_tables(writer, &keeper);
	no_threads(false);
	assert_int_equal(result, -EAGAIN);
	assert_null(keeper);
	assert_int_equal(failing_unfreed(), unfreed);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keeper_time_goes_on_whatever_the_clock_says),
		CASE(test_keeper_reads_until_the_store_answers_and_writes_again),
		CASE(test_keeper_reads_all_that_it_can_take),
		CASE(test_keeper_reads_again_what_could_not_be_taken),
		CASE(test_keeper_second_read_is_tried_until_it_works),
		CASE(test_keeper_write_that_fails_is_said_and_done_again),
		CASE(test_keeper_put_is_stored_and_then_taken),
		CASE(test_keeper_put_what_is_not_stored_is_not_taken),
		CASE(test_keeper_put_what_finds_no_place_is_not_stored),
		CASE(test_keeper_open_without_memory_or_threads_is_none),
	};
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
