/* fcgi/sqlite/seal.c, seal_piece.c, hours.c, and what write.c, expire.c and loading.c make of sealed hours */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/captured_stderr.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/fcgi/helpers.h"
#include "tests/unit/fcgi/sqlite/failing_statement.h"
#include "tests/unit/fcgi/sqlite/sealing.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "fcgi/sqlite/backup.h"
#include "fcgi/sqlite/block.h"
#include "fcgi/sqlite/database.h"
#include "fcgi/sqlite/seal_internal.h"
#include "fcgi/sqlite/write.h"

enum {
	MINUTE = 60000,
	HOUR = 60 * MINUTE,
	HOSTS = 6,
	USUAL_HOSTS = 5, /* that put_minutes() writes */
	PROCESSES = 4,
	HOURS = 8, /* that the model knows */
	GRID_MS = 5000,
	TICKS = HOURS * HOUR / GRID_MS,
};

/* ---- kill -9 at a sync: SQLite's calls come here, and need not reach the disk, since the machine goes on ---- */

static int kill_at; /* at the so-manieth sync from now; 0: never */

int fdatasync(int descriptor)
{
	(void)descriptor;
	if (kill_at && --kill_at == 0)
		raise(SIGKILL);
	return 0;
}

/* ---- a database without threads, and a model of what is in it ---- */

struct world {
	char folder[TEMPORARY_FOLDER_SIZE];
	struct config *config;
	struct database *database;
	struct timekeeper *timekeeper;
	struct names *names;
	struct hours hours;
	struct appender *appender;
	struct sealer *sealer;
	struct moment start;
	int64_t base; /* the first hour of the model */
	int64_t now;
	float model[HOSTS][PROCESSES][HALF_COUNT][TICKS]; /* NAN: nothing */
};

static struct moment moment_of(const struct world *w)
{
	return (struct moment){ .wall_ms = w->now, .boot_ms = w->start.boot_ms + w->now - w->start.wall_ms };
}

static int open_parts(struct world *w)
{
	const struct seal_settings settings = { w->config->server.retention_ms, w->config->sqlite.detail_ms };
	hours_init(&w->hours);
	int result = database_open(w->config->sqlite.path, &w->database);
	if (result == 0)
		result = timekeeper_open(w->database, moment_of(w), &w->timekeeper);
	if (result == 0)
		result = names_open(w->database, w->config, timekeeper_read(w->timekeeper, moment_of(w)).latest_ms, &w->names);
	if (result == 0)
		result = write_open(w->database, w->names, w->timekeeper, &w->hours, settings.retention_ms, &w->appender);
	if (result == 0)
		result = seal_open(w->database, w->names, w->timekeeper, &w->hours, &settings, &w->sealer);
	return result;
}

/* As a kill leaves it unless `well`. */
static void close_parts(struct world *w, bool well)
{
	seal_close(w->sealer);
	if (well && w->appender)
		names_keep(w->names);
	write_close(w->appender);
	names_close(w->names);
	timekeeper_close(w->timekeeper);
	database_close(w->database);
	hours_destroy(&w->hours);
	w->sealer = NULL;
	w->appender = NULL;
	w->names = NULL;
	w->timekeeper = NULL;
	w->database = NULL;
}

static void reopen(struct world *w, bool well)
{
	close_parts(w, well);
	assert_int_equal(open_parts(w), 0);
}

/* The model begins at an hour so that `now` is `hours` after it. */
static struct world *set_up(const char *option, int hours)
{
	struct world *w = calloc(1, sizeof(*w));
	assert_non_null(w);
	temporary_folder_make_in_memory(w->folder);
	w->config = config_in(w->folder, option);
	w->start = clock_moment();
	w->start.wall_ms = (w->start.wall_ms / HOUR - 24) * HOUR;
	w->now = w->start.wall_ms;
	w->base = w->now - hours * (int64_t)HOUR;
	for (size_t i = 0; i < sizeof(w->model) / sizeof(float); i++)
		((float *)w->model)[i] = NAN;
	assert_int_equal(open_parts(w), 0);
	return w;
}

static void tear_down(struct world *w)
{
	close_parts(w, true);
	config_free(w->config);
	temporary_folder_remove(w->folder);
	free(w);
}

/* Writes values of some processes of a host at a tick of the grid, and to the model. */
static int put(struct world *w, int host, int tick, unsigned processes, double value)
{
	char ip[16];
	static const char *const names[PROCESSES] = { "p0", "p1", "p2", "p3" };
	struct sample samples[2 * PROCESSES];
	size_t count = 0;
	snprintf(ip, sizeof(ip), "10.0.0.%d", host);
	for (int i = 0; i < PROCESSES; i++) {
		for (int j = 0; j < HALF_COUNT; j++) {
			if (!(processes & 1U << (2 * i + j)))
				continue;
			samples[count++] = (struct sample){
				.time_ms = w->base + tick * (int64_t)GRID_MS + host, .ip = ip, .process = names[i],
				.metric = METRIC_USAGE, .half = (enum half)j, .value = value + i + j,
			};
		}
	}
	const struct batch batch = { .samples = samples, .count = count };
	const struct batch *const batches[] = { &batch };
	int result = write_append(w->appender, batches, 1, moment_of(w));
	for (size_t i = 0; i < count && result == 0; i++)
		w->model[host][samples[i].process[1] - '0'][samples[i].half][tick] = (float)samples[i].value;
	return result;
}

/* Steps until there is nothing to do: what is under way, and all from the beginning. Tells how many did something. */
static unsigned seal_all(struct world *w)
{
	unsigned steps = 0;
	for (int ends = 0; ends < 2;) {
		int result = seal_step(w->sealer, moment_of(w));
		assert_true(result >= 0 && steps < 10000);
		ends += result == 0;
		steps += result == 1;
	}
	return steps;
}

/* ---- what is in the database, against the model ---- */

static sqlite3 *connect(const struct world *w)
{
	sqlite3 *connection;
	assert_int_equal(sqlite3_open_v2(w->config->sqlite.path, &connection, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	return connection;
}

static int64_t ask(const struct world *w, const char *sql)
{
	sqlite3 *connection = connect(w);
	sqlite3_stmt *statement;
	assert_int_equal(sqlite3_prepare_v2(connection, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	int64_t number = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(connection);
	return number;
}

struct found {
	const struct world *w;
	int host_of[64], process_of[64]; /* by number */
	float values[HOSTS][PROCESSES][HALF_COUNT][TICKS];
	struct block_reader *reader;
};

static void find_numbers(struct found *found, sqlite3 *connection)
{
	sqlite3_stmt *statement;
	assert_int_equal(sqlite3_prepare_v2(connection, "SELECT series.id, host.id, ip, process FROM series "
	                                    "JOIN host ON host.id = series.host", -1, &statement, NULL), SQLITE_OK);
	while (sqlite3_step(statement) == SQLITE_ROW) {
		assert_true(sqlite3_column_int(statement, 0) < 64 && sqlite3_column_int(statement, 1) < 64);
		found->host_of[sqlite3_column_int(statement, 1)] = sqlite3_column_text(statement, 2)[7] - '0';
		found->process_of[sqlite3_column_int(statement, 0)] = sqlite3_column_text(statement, 3)[1] - '0';
	}
	sqlite3_finalize(statement);
}

static void found_value(struct found *found, uint32_t host_number, uint32_t series, int64_t time_ms, int half, double value)
{
	int host = found->host_of[host_number];
	int64_t offset_ms = time_ms - found->w->base - host;
	assert_int_equal(offset_ms % GRID_MS, 0);
	assert_true(offset_ms >= 0 && offset_ms / GRID_MS < TICKS);
	found->values[host][found->process_of[series]][half][offset_ms / GRID_MS] = (float)value;
}

static void read_block(struct found *found, int64_t key, sqlite3_stmt *statement, int column)
{
	uint32_t series, host = (uint32_t)(key & PLACEMENT_HOST_MAX);
	assert_int_equal(block_read(found->reader, sqlite3_column_blob(statement, column),
	                            (size_t)sqlite3_column_bytes(statement, column)), 0);
	while (block_next_series(found->reader, &series) == 1) {
		for (int j = 0; j < HALF_COUNT; j++) {
			struct block_samples samples;
			assert_int_equal(block_find_samples(found->reader, (enum half)j, 0, BLOCK_MS, &samples), 0);
			for (size_t i = 0; i < samples.count; i++)
				found_value(found, host, series, placement_hour_ms(key) + samples.offset_ms[i], j, samples.value[i]);
		}
	}
}

static void check_summaries(struct found *found, int64_t key, sqlite3_stmt *statement, int column)
{
	struct block_summary hour[HALF_COUNT];
	uint32_t series;
	int host = found->host_of[key & PLACEMENT_HOST_MAX];
	int64_t first = (placement_hour_ms(key) - found->w->base) / GRID_MS;
	assert_int_equal(block_read_summaries(found->reader, sqlite3_column_blob(statement, column),
	                                      (size_t)sqlite3_column_bytes(statement, column)), 0);
	while (block_next_summary(found->reader, &series, hour) == 1) {
		for (int j = 0; j < HALF_COUNT; j++) {
			const float *values = found->values[host][found->process_of[series]][j];
			int count = 0;
			for (int i = 0; i < HOUR / GRID_MS; i++)
				count += !isnan(values[first + i]);
			assert_int_equal(hour[j].count, count);
		}
	}
}

/* Of an hour that has its summaries alone, what the model has is taken to be there, and then told by them. */
static void take_from_model(struct found *found, int64_t key)
{
	int host = found->host_of[key & PLACEMENT_HOST_MAX];
	int64_t first = (placement_hour_ms(key) - found->w->base) / GRID_MS;
	for (int i = 0; i < PROCESSES; i++) {
		for (int j = 0; j < HALF_COUNT; j++)
			memcpy(&found->values[host][i][j][first], &found->w->model[host][i][j][first], HOUR / GRID_MS * sizeof(float));
	}
}

/* What always holds; and that what is there is what the model has. */
/* Rows that lie over sealed hours. */
#define LATE_ROWS "SELECT count(*) FROM sample WHERE key < 1 << 56 AND ((key >> 24) / 360 << 24 | (key & 0xffffff)) IN (SELECT key FROM hour)"

static void check(const struct world *w)
{
	sqlite3 *connection = connect(w);
	sqlite3_stmt *statement;
	struct found *found = calloc(1, sizeof(*found));
	assert_non_null(found);
	found->w = w;
	found->reader = block_reader_open();
	for (size_t i = 0; i < sizeof(found->values) / sizeof(float); i++)
		((float *)found->values)[i] = NAN;
	assert_int_equal(sqlite3_exec(connection, "BEGIN", NULL, NULL, NULL), SQLITE_OK);
	find_numbers(found, connection);
	assert_int_equal(sqlite3_prepare_v2(connection, "SELECT key, data, summary FROM hour", -1, &statement, NULL), SQLITE_OK);
	while (sqlite3_step(statement) == SQLITE_ROW) {
		if (sqlite3_column_type(statement, 1) == SQLITE_NULL)
			take_from_model(found, sqlite3_column_int64(statement, 0));
		else
			read_block(found, sqlite3_column_int64(statement, 0), statement, 1);
		check_summaries(found, sqlite3_column_int64(statement, 0), statement, 2);
	}
	sqlite3_finalize(statement);
	assert_int_equal(sqlite3_prepare_v2(connection, "SELECT key, data FROM sample WHERE key < 1 << 56", -1, &statement, NULL), SQLITE_OK);
	while (sqlite3_step(statement) == SQLITE_ROW) {
		int64_t key = sqlite3_column_int64(statement, 0);
		struct packing_reader reader = packing_read(sqlite3_column_blob(statement, 1), (size_t)sqlite3_column_bytes(statement, 1));
		while (packing_next(&reader) == 1) {
			for (int j = 0; j < HALF_COUNT; j++) {
				if (reader.entry.present[j])
					found_value(found, (uint32_t)(key & PLACEMENT_HOST_MAX), reader.entry.series,
					            placement_start_ms(key) + reader.entry.offset_ms, j, reader.entry.value[j]);
			}
		}
	}
	sqlite3_finalize(statement);
	sqlite3_close(connection);
	block_reader_close(found->reader);
	size_t wrong = 0;
	for (size_t i = 0; i < sizeof(found->values) / sizeof(float); i++) {
		float is = ((const float *)found->values)[i], wanted = ((const float *)w->model)[i];
		wrong += !(is == wanted || (isnan(is) && isnan(wanted)));
	}
	free(found);
	assert_int_equal(wrong, 0);
	/* Each hour knows whether rows lie over it. */
	assert_int_equal(ask(w, "SELECT count(*) FROM hour h WHERE late <> EXISTS (SELECT 1 FROM sample WHERE key < 1 << 56 AND "
	                        "(key & 0xffffff) = (h.key & 0xffffff) AND (key >> 24) / 360 = h.key >> 24)"), 0);
}

/* The usual hosts, every ten seconds from one minute of the model to another. */
static void put_minutes(struct world *w, int first, int end)
{
	for (int tick = first * MINUTE / GRID_MS; tick < end * MINUTE / GRID_MS; tick += 2) {
		for (int host = 0; host < USUAL_HOSTS; host++)
			assert_int_equal(put(w, host, tick, 0xff, tick % 7 + host / 8.0), 0);
	}
}

/* ---- sealing ---- */

static void test_seal_hour_that_is_past_is_a_block(void **state)
{
	(void)state;
	struct world *w = set_up(NULL, 0);
	w->now += 40 * MINUTE;
	put_minutes(w, 0, 40);
	put_minutes(w, 60, 61); /* ahead, but not of a wrong clock once it has come */
	w->now = w->base + HOUR + SEAL_MARGIN_MS - 1;
	assert_int_equal(seal_all(w), 0);
	w->now++;
	assert_true(seal_all(w) > 0);
	assert_int_equal(ask(w, "SELECT count(*) FROM hour WHERE late = 0"), USUAL_HOSTS);
	assert_int_equal(ask(w, "SELECT count(data) FROM hour"), USUAL_HOSTS);
	assert_int_equal(ask(w, "SELECT count(*) FROM sample"), 6 * USUAL_HOSTS);
	check(w);
	assert_int_equal(seal_all(w), 0);
	tear_down(w);
}

static void test_seal_late_rows_count_over_the_block_and_are_merged(void **state)
{
	(void)state;
	struct world *w = set_up(NULL, 2);
	put_minutes(w, 0, 60);
	w->now += 11 * MINUTE;
	seal_all(w);
	assert_int_equal(ask(w, "SELECT count(*) FROM sample"), 0);
	/* One half of one process alone: the rest keeps what the block has; and a time that it has not. */
	assert_int_equal(put(w, 1, 100, 1, 77.5), 0);
	assert_int_equal(put(w, 1, 101, 0xff, 78.5), 0); /* in the same row */
	assert_int_equal(put(w, 1, 100, 1, 79.5), 0);
	assert_int_equal(put(w, 3, 301, 4, 1.0 / 3), 0);
	assert_int_equal(ask(w, LATE_ROWS), 2);
	check(w);
	reopen(w, false); /* what was written lately is forgotten with it */
	assert_int_equal(put(w, 3, 303, 4, 5), 0);
	check(w);
	w->now += 9 * MINUTE;
	seal_all(w);
	assert_int_equal(ask(w, LATE_ROWS), 3);
	w->now += MINUTE; /* little is merged in the end */
	seal_all(w);
	assert_int_equal(ask(w, LATE_ROWS), 0);
	check(w);
	/* Much is, after a minute. */
	for (int tick = 400; tick < 480; tick++)
		assert_int_equal(put(w, 2, tick, 3, tick), 0);
	assert_int_equal(put(w, 0, 400, 3, 3), 0);
	seal_all(w);
	assert_int_equal(ask(w, LATE_ROWS), 41);
	w->now += MINUTE;
	seal_all(w);
	assert_int_equal(ask(w, LATE_ROWS), 1);
	check(w);
	/* Who writes to it all the time is not waited for for ever. */
	for (int i = 0; i < 35; i++) {
		w->now += MINUTE - 1;
		assert_int_equal(put(w, 0, 500 + i, 3, 3), 0);
		seal_all(w);
	}
	assert_true(ask(w, LATE_ROWS) < 7);
	check(w);
	tear_down(w);
}

static void test_seal_any_allocation_fails_is_made_good_by_the_next(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	struct world *w = set_up(NULL, 2);
	put_minutes(w, 0, 3);
	w->now += 11 * MINUTE;
	for (long number = 1;; number++) {
		failing_start(number);
		int result = seal_step(w->sealer, moment_of(w));
		bool failed = failing_stop();
		assert_true(result >= 0 || result == -ENOMEM);
		if (!failed)
			break;
		if (number % 20 == 0)
			check(w);
	}
	seal_all(w);
	assert_int_equal(ask(w, "SELECT count(*) FROM sample"), 0);
	check(w);
	tear_down(w);
}

static uint64_t random_next(uint64_t *random)
{
	*random = *random * 6364136223846793005 + 1442695040888963407;
	return *random >> 33;
}

struct race {
	struct world *w;
	uint64_t random;
	atomic_bool done;
};

static void *append_late(void *user)
{
	struct race *race = user;
	for (int i = 0; i < 1500; i++) {
		int tick = (int)(random_next(&race->random) % (HOUR / GRID_MS));
		if (put(race->w, (int)(random_next(&race->random) % HOSTS), tick, 1 + (unsigned)random_next(&race->random) % 255, i) != 0)
			abort();
	}
	atomic_store(&race->done, true);
	return NULL;
}

static void test_seal_while_others_append_loses_nothing(void **state)
{
	(void)state;
	struct race race = { .random = seed_take() };
	struct world *w = race.w = set_up(NULL, 2);
	pthread_t thread;
	struct moment later = moment_of(w);
	later.wall_ms += 11 * MINUTE; /* for the sealer every hour is quiet */
	later.boot_ms += 11 * MINUTE;
	unsigned steps = 0, blocks = 0;
	pthread_create(&thread, NULL, append_late, &race);
	while (!atomic_load(&race.done)) {
		assert_true(seal_step(w->sealer, later) >= 0);
		blocks += w->sealer->host_count > 0;
		steps++;
	}
	pthread_join(thread, NULL);
	print_message("%u steps, %u with blocks\n", steps, blocks);
	check(w);
	w->now += 11 * MINUTE;
	seal_all(w);
	assert_int_equal(ask(w, "SELECT count(*) FROM sample"), 0);
	check(w);
	tear_down(w);
}

static void test_hours_watch_tells_of_that_piece_alone(void **state)
{
	(void)state;
	struct world *w = set_up(NULL, 2);
	const struct hours_piece piece = { .hour_ms = w->base, .first_host = 2, .last_host = 3 };
	hours_watch(&w->hours, &piece);
	assert_int_equal(put(w, 0, 5, 3, 1), 0);
	assert_int_equal(put(w, 3, 5, 3, 1), 0); /* which is host 2 */
	assert_true(hours_was_written(&w->hours));
	hours_watch(&w->hours, &piece);
	assert_false(hours_was_written(&w->hours));
	assert_int_equal(put(w, 0, 5, 3, 1), 0);
	assert_int_equal(put(w, 3, 5 + HOUR / GRID_MS, 3, 1), 0);
	assert_false(hours_was_written(&w->hours));
	tear_down(w);
}

static void test_seal_random_appends_steps_and_kills_what_holds_always_holds(void **state)
{
	(void)state;
	uint64_t random = seed_take();
	struct world *w = set_up(NULL, 0);
	for (int i = 0; i < 3000; i++) {
		int now_tick = (int)((w->now - w->base) / GRID_MS);
		unsigned dice = (unsigned)random_next(&random) % 100;
		int host = (int)(random_next(&random) % HOSTS);
		int back = (int)(random_next(&random) % (dice < 20 ? 2400 : 8));
		int tick = now_tick - back;
		if (dice < 90 && tick >= 0)
			assert_int_equal(put(w, host, tick, 1 + (unsigned)random_next(&random) % 255, (double)(random_next(&random) % 5000) / 16), 0);
		else if (dice < 97)
			assert_true(seal_step(w->sealer, moment_of(w)) >= 0);
		else if (dice == 97)
			reopen(w, random_next(&random) % 2);
		else if (dice == 98)
			seal_all(w);
		if (w->now < w->base + (HOURS - 1) * (int64_t)HOUR)
			w->now += (int64_t)(random_next(&random) % 30) * 1000;
		if (i % 100 == 0)
			check(w);
	}
	check(w);
	w->now += HOUR;
	put(w, 0, TICKS - 1, 1, 1);
	seal_all(w);
	check(w);
	w->now += 20 * MINUTE;
	seal_all(w);
	assert_int_equal(ask(w, "SELECT count(*) FROM sample"), 0);
	check(w);
	tear_down(w);
}

/* ---- what is too old ---- */

static void test_seal_beyond_the_retention_is_deleted_whole(void **state)
{
	(void)state;
	struct world *w = set_up("server.retention=4h", 5);
	for (int tick = 0; tick < 6 * HOUR / GRID_MS; tick += 60)
		assert_int_equal(put(w, 1, tick, 0xff, 1), 0);
	reopen(w, false);
	w->now += HOUR + 11 * MINUTE;
	seal_all(w);
	/* What is too old already is not sealed: it is deleted as it is. */
	assert_int_equal(ask(w, "SELECT count(*) FROM hour"), 4);
	w->now += 3 * (int64_t)HOUR;
	for (int i = 0; i < 40; i++)
		assert_int_equal(put(w, 1, TICKS - 1, 1, 1), 0);
	assert_int_equal(ask(w, "SELECT count(*) FROM hour"), 1);
	assert_int_equal(ask(w, "SELECT count(data) FROM hour"), 1);
	assert_int_equal(ask(w, "SELECT count(*) FROM sample"), 1);
	tear_down(w);
}

static void test_seal_older_than_detail_keeps_its_summaries_alone(void **state)
{
	(void)state;
	struct world *w = set_up("sqlite.detail=2h", 4);
	log_set_level(LOG_LEVEL_INFO);
	put_minutes(w, 0, 240);
	w->now += 11 * MINUTE;
	assert_int_equal(put(w, 1, 100, 3, 9), 0);
	w->now += MINUTE;
	seal_all(w); /* the hour that was written to stays as it is */
	assert_int_equal(ask(w, "SELECT count(*) FROM hour"), 4 * USUAL_HOSTS);
	assert_int_equal(ask(w, "SELECT count(data) FROM hour"), 3 * USUAL_HOSTS);
	w->now += 10 * MINUTE;
	seal_all(w);
	assert_int_equal(ask(w, "SELECT count(data) FROM hour"), 2 * USUAL_HOSTS);
	assert_int_equal(ask(w, "SELECT count(*) FROM sample"), 0);
	/* What comes for it now cannot be added; what comes for a host that had nothing there is summed up. */
	captured_stderr_begin();
	assert_int_equal(put(w, 1, 100, 3, 9), 0);
	assert_int_equal(put(w, 1, 102, 3, 9), 0);
	captured_stderr_end();
	assert_int_equal(captured_stderr_count("of which the summaries alone are kept"), 1);
	assert_int_equal(ask(w, "SELECT count(*) FROM sample"), 0);
	assert_int_equal(put(w, 5, 100, 3, 9), 0);
	assert_int_equal(ask(w, "SELECT count(*) FROM sample"), 1);
	w->now += 10 * MINUTE;
	seal_all(w);
	assert_int_equal(ask(w, "SELECT count(*) FROM sample"), 0);
	assert_int_equal(ask(w, "SELECT count(*) FROM hour"), 4 * USUAL_HOSTS + 1);
	assert_int_equal(ask(w, "SELECT count(data) FROM hour"), 2 * USUAL_HOSTS);
	log_set_level(LOG_LEVEL_ERROR);
	tear_down(w);
}

static void test_seal_free_pages_are_given_back(void **state)
{
	(void)state;
	struct world *w = set_up(NULL, 3);
	put_minutes(w, 0, 170);
	reopen(w, true);
	int64_t before = ask(w, "SELECT page_count FROM pragma_page_count");
	assert_true(before > 50);
	w->now += 11 * MINUTE;
	seal_all(w);
	assert_true(ask(w, "SELECT page_count FROM pragma_page_count") < before / 2);
	assert_true(ask(w, "SELECT freelist_count FROM pragma_freelist_count") < 16);
	check(w);
	tear_down(w);
}

static off_t log_size(const struct world *w)
{
	char path[TEMPORARY_FOLDER_SIZE + 16];
	struct stat log;
	snprintf(path, sizeof(path), "%s-wal", w->config->sqlite.path);
	assert_int_equal(stat(path, &log), 0);
	return log.st_size;
}

static void test_seal_log_is_cut_when_all_is_sealed_and_nobody_reads_it(void **state)
{
	(void)state;
	struct world *w = set_up(NULL, 3);
	put_minutes(w, 0, 120);
	assert_true(log_size(w) > 0);
	w->now += 11 * MINUTE;
	seal_all(w);
	assert_int_equal(log_size(w), 0);
	/* What is written without anything to seal is not cut off at each pass. */
	put_minutes(w, 120, 130);
	seal_all(w);
	off_t size = log_size(w);
	assert_true(size > 0);
	/* A reader keeps the log, and is not waited for. */
	put_minutes(w, 130, 180);
	sqlite3 *reader = connect(w);
	assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM sample", NULL, NULL, NULL), SQLITE_OK);
	w->now += 51 * MINUTE;
	seal_all(w);
	assert_true(log_size(w) >= size);
	assert_int_equal(sqlite3_exec(reader, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(reader);
	seal_all(w);
	assert_int_equal(log_size(w), 0);
	check(w);
	tear_down(w);
}

static void test_seal_killed_with_an_empty_log_has_lost_nothing_and_says_nothing(void **state)
{
	(void)state;
	struct world *w = set_up(NULL, 3);
	put_minutes(w, 0, 60);
	close_parts(w, false);
	w->now += 11 * MINUTE;
	int status;
	pid_t child = fork();
	if (child == 0) {
		if (open_parts(w))
			_exit(1);
		seal_all(w);
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(log_size(w), 0);
	captured_stderr_begin();
	log_set_level(LOG_LEVEL_WARNING);
	assert_int_equal(open_parts(w), 0);
	log_set_level(LOG_LEVEL_ERROR);
	captured_stderr_end();
	assert_int_equal(captured_stderr_count("are lost"), 0);
	check(w);
	tear_down(w);
}

/* ---- damage ---- */

static void change(const struct world *w, const char *sql)
{
	sqlite3 *connection;
	assert_int_equal(sqlite3_open(w->config->sqlite.path, &connection), SQLITE_OK);
	assert_int_equal(sqlite3_exec(connection, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(connection);
}

static void test_seal_damage_is_said_and_costs_that_hour_of_that_host(void **state)
{
	(void)state;
	struct world *w = set_up(NULL, 3);
	put_minutes(w, 0, 120);
	/* A row of host 2, whose number is 3. */
	change(w, "UPDATE sample SET data = x'ff' WHERE key = (SELECT min(key) FROM sample WHERE (key & 0xffffff) = 3)");
	w->now += 11 * MINUTE;
	captured_stderr_begin();
	seal_all(w);
	seal_all(w);
	captured_stderr_end();
	assert_int_equal(captured_stderr_count("cannot be sealed"), 1);
	assert_int_equal(ask(w, "SELECT count(*) FROM hour"), 2 * USUAL_HOSTS - 1);
	assert_int_equal(ask(w, "SELECT count(*) FROM sample"), 360);
	/* A block: what comes late lies over it for good. */
	change(w, "UPDATE hour SET data = x'00' WHERE key = (SELECT max(key) FROM hour)");
	assert_int_equal(put(w, 4, HOUR / GRID_MS + 5, 3, 1), 0);
	w->now += 11 * MINUTE;
	captured_stderr_begin();
	seal_all(w);
	captured_stderr_end();
	assert_int_equal(captured_stderr_count("cannot be sealed"), 1);
	int64_t damaged[STORE_DAMAGED_MAX];
	assert_int_equal(damage_list(&w->database->damage, 0, damaged), 1);
	assert_int_equal(damaged[0], ask(w, "SELECT max(key) FROM hour"));
	assert_int_equal(ask(w, "SELECT late FROM hour ORDER BY key DESC LIMIT 1"), 1);
	assert_int_equal(ask(w, "SELECT count(*) FROM sample"), 361);
	tear_down(w);
}

/* Bits of the file have flipped, and it is whole all the same. */
static void test_seal_values_that_cannot_be_right_are_left_out(void **state)
{
	(void)state;
	struct world *w = set_up(NULL, 2);
	const struct packing_entry entries[] = {
		{ .offset_ms = 1, .series = 1, .present = { true, true }, .value = { 2, -1 } },
		{ .offset_ms = 5001, .series = 1, .present = { true, true }, .value = { INFINITY, NAN } },
		{ .offset_ms = PLACEMENT_ROW_MS, .series = 1, .present = { true, false }, .value = { 3, 0 } },
		{ .offset_ms = PLACEMENT_ROW_MS, .series = 2, .present = { false, true }, .value = { 0, 3 } },
	};
	struct text row = TEXT_EMPTY;
	assert_int_equal(put(w, 1, 0, 1, 2), 0); /* what stays */
	assert_int_equal(put(w, 1, 12, 2, 5), 0);
	packing_encode(entries, COUNT_OF(entries), &row);
	sqlite3 *connection = sealing_open(w->config->sqlite.path);
	int64_t key = ask(w, "SELECT min(key) FROM sample");
	sealing_put(connection, "UPDATE sample SET data = ?2 WHERE key = ?1", key, &row);
	sqlite3_close(connection);
	w->now += 11 * MINUTE;
	captured_stderr_begin();
	seal_all(w);
	captured_stderr_end();
	assert_int_equal(ask(w, "SELECT count(*) FROM sample"), 0);
	assert_int_equal(ask(w, "SELECT count(*) FROM hour"), 1);
	check(w);
	text_free(&row);
	tear_down(w);
}

/* What is written to a file that is gone is gone with it. */
static void test_seal_file_that_was_moved_is_left_alone_until_it_is_back(void **state)
{
	(void)state;
	struct world *w = set_up("sqlite.detail=2h", 3);
	char away[TEMPORARY_FOLDER_SIZE + 16];
	snprintf(away, sizeof(away), "%s/away", w->folder);
	put_minutes(w, 0, 60);
	put_minutes(w, 120, 170);
	w->now += 11 * MINUTE;
	/* Before it is sealed, before it loses its samples, and before pages are given back. */
	unsigned steps = 0, refused = 0;
	for (int ends = 0; ends < 2; steps++) {
		assert_int_equal(rename(w->config->sqlite.path, away), 0);
		captured_stderr_begin();
		int result = seal_step(w->sealer, moment_of(w));
		captured_stderr_end();
		assert_int_equal(rename(away, w->config->sqlite.path), 0);
		refused += result < 0;
		assert_true(result >= 0 || result == -EIO);
		check(w);
		result = seal_step(w->sealer, moment_of(w));
		assert_true(result >= 0 && steps < 1000);
		ends += result == 0;
	}
	assert_true(refused > 2);
	assert_int_equal(ask(w, "SELECT count(*) FROM sample"), 0);
	check(w);
	/* Nor is it told that it was closed well. */
	assert_int_equal(rename(w->config->sqlite.path, away), 0);
	captured_stderr_begin();
	names_keep(w->names);
	captured_stderr_end();
	assert_int_equal(rename(away, w->config->sqlite.path), 0);
	assert_int_equal(ask(w, "SELECT count(*) FROM state WHERE name = 'closed'"), 0);
	names_keep(w->names);
	assert_int_equal(ask(w, "SELECT count(*) FROM state WHERE name = 'closed'"), 1);
	tear_down(w);
}

/* ---- starts ---- */

static int64_t last_seen(struct world *w, const char *ip)
{
	struct store_hosts hosts;
	uint32_t *numbers;
	int64_t last_ms = -1;
	assert_int_equal(names_hosts(w->names, 0, &hosts, &numbers), 0);
	for (size_t i = 0; i < hosts.count; i++) {
		if (strcmp(hosts.items[i].ip, ip) == 0)
			last_ms = hosts.items[i].last_seen_ms;
	}
	store_hosts_free(&hosts);
	free(numbers);
	return last_ms;
}

static void test_seal_host_whose_newest_sample_is_sealed_keeps_its_last_seen(void **state)
{
	(void)state;
	struct world *w = set_up(NULL, 4);
	/* The table lags by up to ten minutes behind what a host has sent. */
	put_minutes(w, 0, 9);
	int64_t newest = w->base + 9 * MINUTE - 10000;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(last_seen(w, "10.0.0.0"), newest);
		assert_int_equal(last_seen(w, "10.0.0.3"), newest + 3);
		reopen(w, i == 2); /* killed with rows; killed with blocks; ended well */
		w->now += 11 * MINUTE;
		seal_all(w);
		assert_int_equal(ask(w, "SELECT count(*) FROM sample"), 0);
	}
	/* Nor does a late sample change it. */
	assert_int_equal(put(w, 3, 7, 1, 1), 0);
	reopen(w, false);
	assert_int_equal(last_seen(w, "10.0.0.3"), newest + 3);
	tear_down(w);
}

/* ---- kill -9 at each sync ---- */

static void copy_database(const struct world *w, const char *folder)
{
	char command[3 * TEMPORARY_FOLDER_SIZE];
	snprintf(command, sizeof(command), "cp %s/vigie.db* %s/", folder, w->folder);
	assert_int_equal(system(command), 0);
}

/* Does `work` in a child that is killed at one sync after the other, until one survives. Each time what is left is what
 * was there, and can be used. */
static void kill_at_each_sync(struct world *w, void (*work)(struct world *w))
{
	char kept[TEMPORARY_FOLDER_SIZE], command[3 * TEMPORARY_FOLDER_SIZE];
	temporary_folder_make(kept);
	close_parts(w, false);
	snprintf(command, sizeof(command), "cp %s/vigie.db* %s/", w->folder, kept);
	assert_int_equal(system(command), 0);
	int number = 0, status = 1;
	while (status != 0) {
		number++;
		copy_database(w, kept);
		pid_t child = fork();
		if (child == 0) {
			kill_at = number;
			if (open_parts(w))
				_exit(1);
			work(w);
			_exit(0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
		assert_int_equal(open_parts(w), 0);
		check(w);
		seal_all(w);
		check(w);
		close_parts(w, true);
	}
	print_message("%d syncs\n", number - 1);
	assert_true(number > 5);
	temporary_folder_remove(kept);
	assert_int_equal(open_parts(w), 0);
}

static void seal_what_is_past(struct world *w)
{
	w->now += 11 * MINUTE;
	seal_all(w);
}

static void test_seal_killed_at_each_sync_loses_nothing_and_doubles_nothing(void **state)
{
	(void)state;
	struct world *w = set_up(NULL, 3);
	put_minutes(w, 0, 60);
	w->now += 11 * MINUTE;
	seal_all(w);
	/* An hour to be sealed, and another to be merged. */
	put_minutes(w, 60, 120);
	for (int tick = 1; tick < 200; tick += 2)
		assert_int_equal(put(w, tick % USUAL_HOSTS, tick, 0x0f, tick), 0);
	check(w);
	kill_at_each_sync(w, seal_what_is_past);
	tear_down(w);
}

/* ---- statements that fail ---- */

/* Does `work`, each time with another statement that fails, on a disk that fails or is full. Each time what was told to be
 * there is, and sealing goes on. */
static void fail_each_statement(struct world *w, void (*work)(struct world *w))
{
	static const int codes[] = { SQLITE_IOERR, SQLITE_FULL };
	char kept[TEMPORARY_FOLDER_SIZE], command[3 * TEMPORARY_FOLDER_SIZE];
	struct world *before = malloc(sizeof(*before));
	assert_non_null(before);
	temporary_folder_make_in_memory(kept);
	close_parts(w, false);
	*before = *w;
	snprintf(command, sizeof(command), "cp %s/vigie.db* %s/", w->folder, kept);
	assert_int_equal(system(command), 0);
	for (size_t i = 0; i < COUNT_OF(codes); i++) {
		bool failed = true;
		int number;
		for (number = 1; failed; number++) {
			*w = *before;
			copy_database(w, kept);
			assert_int_equal(open_parts(w), 0);
			captured_stderr_begin();
			failing_statement_start(number, codes[i]);
			work(w);
			failed = failing_statement_stop();
			captured_stderr_end();
			check(w);
			seal_all(w);
			check(w);
			close_parts(w, true);
		}
		print_message("%d statements\n", number - 2);
		assert_true(number > 5);
	}
	temporary_folder_remove(kept);
	free(before);
	assert_int_equal(open_parts(w), 0);
}

static int end_capture(void **state)
{
	(void)state;
	captured_stderr_abandon();
	return 0;
}

/* Goes on where a step has failed. */
static void seal_in_spite(struct world *w)
{
	w->now += 11 * MINUTE;
	int failures = 0;
	for (int ends = 0; ends < 2;) {
		int result = seal_step(w->sealer, moment_of(w));
		assert_true(result >= 0 || result == -EIO || result == -ENOSPC);
		failures += result < 0;
		ends += result == 0;
	}
	assert_true(failures <= 1);
}

static void test_seal_any_statement_fails_is_made_good_by_the_next(void **state)
{
	(void)state;
	struct world *w = set_up("sqlite.detail=2h", 3);
	put_minutes(w, 0, 60);
	put_minutes(w, 120, 121);
	w->now += 11 * MINUTE;
	seal_all(w);
	/* An hour to be sealed, another to be merged; and pages that are free then. */
	put_minutes(w, 60, 120);
	assert_int_equal(put(w, 1, 3 * HOUR / GRID_MS - 5, 0x0f, 7), 0);
	check(w);
	fail_each_statement(w, seal_in_spite);
	tear_down(w);
}

/* To hours that are sealed and to one that is not, for hosts and names that are new, and over what is there; then again. */
static void put_some(struct world *w)
{
	for (int i = 0; i < 2; i++) {
		for (int host = 0; host < HOSTS; host++) {
			for (int tick = 0; tick < 2 * HOUR / GRID_MS; tick += 15 * MINUTE / GRID_MS) {
				int result = put(w, host, tick, 0xff, tick + host);
				assert_true(result == 0 || (i == 0 && (result == -EIO || result == -ENOSPC)));
			}
		}
	}
}

static void test_append_any_statement_fails_is_whole_or_nothing(void **state)
{
	(void)state;
	struct world *w = set_up(NULL, 1);
	for (int tick = 0; tick < 2 * HOUR / GRID_MS; tick += 5 * MINUTE / GRID_MS)
		assert_int_equal(put(w, 1, tick, 0x0f, tick), 0);
	w->now += 11 * MINUTE;
	seal_all(w);
	fail_each_statement(w, put_some);
	tear_down(w);
}

static void end_and_begin(struct world *w)
{
	close_parts(w, true);
	int result = open_parts(w);
	if (result) {
		assert_true(result == -EIO || result == -ENOSPC);
		close_parts(w, false);
		assert_int_equal(open_parts(w), 0);
	}
	/* The newest of each host; 10.0.0.2 has been silent for long, and one of 10.0.0.3's came late. */
	assert_int_equal(last_seen(w, "10.0.0.1"), w->base + 70 * MINUTE - 10000 + 1);
	assert_int_equal(last_seen(w, "10.0.0.2"), w->base + 7 * MINUTE + 2);
	assert_int_equal(last_seen(w, "10.0.0.3"), w->base + 58 * MINUTE + 3);
}

static void test_open_any_statement_fails_is_refused_or_whole(void **state)
{
	(void)state;
	struct world *w = set_up(NULL, 1);
	assert_int_equal(put(w, 2, 7 * MINUTE / GRID_MS, 0x0f, 1), 0);
	for (int tick = 0; tick < 59 * MINUTE / GRID_MS; tick += MINUTE / GRID_MS)
		assert_int_equal(put(w, 3, tick, 0x0f, tick), 0);
	w->now += 11 * MINUTE;
	seal_all(w);
	assert_int_equal(put(w, 3, 1, 0x0f, 1), 0);
	for (int tick = HOUR / GRID_MS; tick < 70 * MINUTE / GRID_MS; tick += 2)
		assert_int_equal(put(w, 1, tick, 0x03, tick), 0);
	fail_each_statement(w, end_and_begin);
	tear_down(w);
}

/* ---- a database of an older version ---- */

/* A copy of the one that tests/data/sqlite-1/README.md tells of, not opened yet, which `w->model` has. */
static struct world *set_up_version_1(void)
{
	struct world *w = set_up("server.retention=3650d", 0);
	close_parts(w, true);
	copy_database(w, "tests/data/sqlite-1");
	w->base = INT64_C(1793491200000);
	w->now = w->start.wall_ms = w->base + 60 * (int64_t)24 * HOUR;
	for (int host = 0; host < 3; host++) {
		for (int tick = 0; tick < 150 * MINUTE / GRID_MS; tick += MINUTE / GRID_MS) {
			for (int i = 0; i < PROCESSES; i++) {
				for (int j = 0; j < HALF_COUNT; j++)
					w->model[host][i][j][tick] = (float)(tick % 7 + host / 8.0 + i + j);
			}
		}
	}
	return w;
}

static void test_seal_database_of_version_1_is_taken_over(void **state)
{
	(void)state;
	struct world *w = set_up_version_1();
	char copy[TEMPORARY_FOLDER_SIZE + 16];
	struct text error = TEXT_EMPTY;
	/* The copy that is to be made first is one that version 1 can use. */
	snprintf(copy, sizeof(copy), "%s/copy", w->folder);
	assert_int_equal(backup_write(w->config->sqlite.path, copy, &error), 0);
	captured_stderr_begin();
	log_set_level(LOG_LEVEL_INFO);
	assert_int_equal(open_parts(w), 0);
	log_set_level(LOG_LEVEL_ERROR);
	captured_stderr_end();
	assert_int_equal(captured_stderr_count("was made by an older version of vigie, and is taken over"), 1);
	assert_int_equal(ask(w, "SELECT user_version FROM pragma_user_version"), 2);
	assert_int_equal(ask(w, "SELECT count(*) FROM sample"), 450);
	check(w);
	assert_int_equal(put(w, 3, 100, 0xff, 1), 0); /* while its rows are sealed */
	assert_int_equal(last_seen(w, "10.0.0.2"), w->base + 149 * MINUTE + 2);
	w->now += 11 * MINUTE;
	assert_true(seal_all(w) > 0);
	assert_int_equal(ask(w, "SELECT count(*) FROM sample"), 0);
	check(w);
	reopen(w, false);
	assert_int_equal(last_seen(w, "10.0.0.2"), w->base + 149 * MINUTE + 2);
	char *kept = w->config->sqlite.path;
	w->config->sqlite.path = copy;
	assert_int_equal(ask(w, "SELECT user_version FROM pragma_user_version"), 1);
	assert_int_equal(ask(w, "SELECT count(*) FROM sqlite_schema WHERE name = 'hour'"), 0);
	w->config->sqlite.path = kept;
	tear_down(w);
}

static void test_seal_taking_over_killed_at_each_sync_loses_nothing_and_doubles_nothing(void **state)
{
	(void)state;
	struct world *w = set_up_version_1();
	kill_at_each_sync(w, seal_what_is_past);
	tear_down(w);
}

static void test_seal_database_of_a_newer_version_is_refused(void **state)
{
	(void)state;
	struct world *w = set_up(NULL, 0);
	assert_int_equal(put(w, 0, 0, 1, 1), 0);
	close_parts(w, true);
	change(w, "PRAGMA user_version = 3");
	captured_stderr_begin();
	assert_int_equal(open_parts(w), -EINVAL);
	captured_stderr_end();
	assert_int_equal(captured_stderr_count("is a database that a newer version of vigie has made"), 1);
	close_parts(w, false);
	change(w, "PRAGMA user_version = 2");
	assert_int_equal(open_parts(w), 0);
	tear_down(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seal_hour_that_is_past_is_a_block),
		cmocka_unit_test(test_seal_late_rows_count_over_the_block_and_are_merged),
		cmocka_unit_test(test_seal_any_allocation_fails_is_made_good_by_the_next),
		cmocka_unit_test(test_seal_while_others_append_loses_nothing),
		cmocka_unit_test(test_hours_watch_tells_of_that_piece_alone),
		cmocka_unit_test(test_seal_random_appends_steps_and_kills_what_holds_always_holds),
		cmocka_unit_test(test_seal_beyond_the_retention_is_deleted_whole),
		cmocka_unit_test(test_seal_older_than_detail_keeps_its_summaries_alone),
		cmocka_unit_test(test_seal_free_pages_are_given_back),
		cmocka_unit_test(test_seal_log_is_cut_when_all_is_sealed_and_nobody_reads_it),
		cmocka_unit_test(test_seal_killed_with_an_empty_log_has_lost_nothing_and_says_nothing),
		cmocka_unit_test(test_seal_damage_is_said_and_costs_that_hour_of_that_host),
		cmocka_unit_test(test_seal_values_that_cannot_be_right_are_left_out),
		cmocka_unit_test(test_seal_file_that_was_moved_is_left_alone_until_it_is_back),
		cmocka_unit_test(test_seal_host_whose_newest_sample_is_sealed_keeps_its_last_seen),
		cmocka_unit_test(test_seal_killed_at_each_sync_loses_nothing_and_doubles_nothing),
		cmocka_unit_test_teardown(test_seal_any_statement_fails_is_made_good_by_the_next, end_capture),
		cmocka_unit_test_teardown(test_append_any_statement_fails_is_whole_or_nothing, end_capture),
		cmocka_unit_test_teardown(test_open_any_statement_fails_is_refused_or_whole, end_capture),
		cmocka_unit_test(test_seal_database_of_version_1_is_taken_over),
		cmocka_unit_test(test_seal_taking_over_killed_at_each_sync_loses_nothing_and_doubles_nothing),
		cmocka_unit_test(test_seal_database_of_a_newer_version_is_refused),
	};
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
