/*
 * fcgi/sqlite/read.h over rows, sealed hours, and both: what it answers is what a plain computation over all samples
 * gives.
 */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/fcgi/store_fixture.h"
#include "tests/unit/fcgi/sqlite/sealing.h"

#include <math.h>

#include "common/json.h"

static const struct engine sqlite = { .ops = &store_sqlite, .configure = config_in };

enum { HOSTS = 3, PROCESSES = 4, HOURS = 4, SAMPLES_MAX = 40000 };

static const char *const ips[HOSTS] = { "10.0.0.1", "10.0.0.10", "fe80::a" };
static const char *const processes[PROCESSES] = { "a", "b", "c", "d" };

/* All samples that count, in no order. */
static struct model {
	int64_t begin; /* of the first hour */
	bool moderate; /* no values whose sums are printed to the last bit, or may lie between two that are printed */
	struct known {
		int64_t time_ms;
		double value;
		uint8_t host, process, half;
	} samples[SAMPLES_MAX];
	size_t count;
} model;

static int below(int end)
{
	return (int)(random() % end);
}

static bool once_in(int times)
{
	return below(times) == 0;
}

/* ---- what is written ---- */

/* Each series is of one kind, so that all kinds of columns are met. */
static double draw_value(size_t host, size_t process, int half)
{
	switch ((host + 2 * process + 3 * (size_t)half) % 7) {
	case 0:
		return 0;
	case 1:
		return 12.5;
	case 2:
		return (double)below(100000) / 1000;
	case 3:
		return once_in(10) ? (double)below(1000) / 10 : 3;
	case 4: /* no thousandths, and some */
		return once_in(3) ? (double)below(9) : (double)random() / 7654321;
	case 5: /* no thousandths, and so large that each bit of a sum is printed */
		return model.moderate ? M_SQRT2 : ((double)random() * 0x1p15 + 1) / 1024;
	default: /* no thousandths now and then: few hours have them */
		return model.moderate || once_in(200) ? below(9) + M_SQRT2 : (double)below(50) / 1000;
	}
}

/* The later of two for one series and time counts. */
static void remember(const struct known *sample)
{
	for (size_t i = 0; i < model.count; i++) {
		struct known *known = &model.samples[i];
		if (known->time_ms == sample->time_ms && known->host == sample->host && known->process == sample->process &&
		    known->half == sample->half) {
			known->value = sample->value;
			return;
		}
	}
	assert_true(model.count < SAMPLES_MAX);
	model.samples[model.count++] = *sample;
}

/* What is not written yet. */
static struct sample waiting[4096];
static size_t waiting_count;

static void write_waiting(struct fixture *f)
{
	struct batch batch = { .samples = waiting, .count = waiting_count };
	const struct batch *const batches[] = { &batch };
	assert_int_equal(append_batches(f, batches, 1), 0);
	waiting_count = 0;
}

/* Puts a tick of a host, of which one sample in `missing` is not there. */
static void put_tick(struct fixture *f, size_t host, int64_t time_ms, int missing)
{
	for (size_t process = 0; process < PROCESSES; process++) {
		for (int half = 0; half < HALF_COUNT; half++) {
			const struct known known = {
				.time_ms = time_ms, .value = draw_value(host, process, half),
				.host = (uint8_t)host, .process = (uint8_t)process, .half = (uint8_t)half,
			};
			if (once_in(missing))
				continue;
			remember(&known);
			waiting[waiting_count++] = SAMPLE(ips[host], processes[process], (enum half)half, time_ms, known.value);
		}
	}
	if (waiting_count > COUNT_OF(waiting) / 8)
		write_waiting(f);
}

/* Times around which something may go wrong: of hours, steps, rows and samples. */
static int64_t draw_time(void)
{
	static const int64_t units[] = { BLOCK_MS, BLOCK_STEP_MS, BLOCK_STEP_MS, PLACEMENT_ROW_MS, 60000, 1 };
	int64_t unit = units[below(COUNT_OF(units))];
	int64_t time_ms = model.begin + random() % (HOURS * BLOCK_MS / unit + 1) * unit + below(3) - 1;
	return once_in(6) && model.count ? model.samples[random() % (long)model.count].time_ms + below(3) - 1 : time_ms;
}

/* A host's ticks of all hours, with gaps. */
static void put_day(struct fixture *f, size_t host)
{
	int64_t end = model.begin + HOURS * (int64_t)BLOCK_MS;
	for (int64_t time_ms = model.begin + below(20000); time_ms < end; time_ms += 45000 + below(30000)) {
		if (once_in(40))
			time_ms += below(1200000);
		int64_t edge = store_step_start(time_ms, once_in(2) ? BLOCK_STEP_MS : BLOCK_MS);
		put_tick(f, host, once_in(8) ? edge - below(2) : time_ms, 5);
	}
	write_waiting(f);
}

/* The newest sample of a host. */
static int64_t find_last(size_t host)
{
	int64_t last_ms = 0;
	for (size_t i = 0; i < model.count; i++) {
		if (model.samples[i].host == host && model.samples[i].time_ms > last_ms)
			last_ms = model.samples[i].time_ms;
	}
	return last_ms;
}

static void put_late(struct fixture *f)
{
	for (size_t host = 0; host < HOSTS; host++)
		put_tick(f, host, find_last(host), 2);
	for (int i = 0; i < 60; i++) {
		const struct known *known = &model.samples[random() % (long)model.count];
		if (once_in(2))
			put_tick(f, known->host, known->time_ms, 2);
		else
			put_tick(f, (size_t)below(HOSTS), draw_time(), 2);
	}
	write_waiting(f);
}

/* ---- what is to be read ---- */

static bool is_wanted(const struct query *query, const struct known *sample)
{
	const char *ip = ips[sample->host], *process = processes[sample->process];
	bool listed = !query->only;
	for (size_t i = 0; i < query->only_count; i++)
		listed = listed || (strcmp(query->only[i].process, process) == 0 && (!query->by_host || strcmp(query->only[i].ip, ip) == 0));
	return listed && sample->time_ms > query->from_ms && sample->time_ms <= query->to_ms &&
	       (!query->ip || strcmp(query->ip, ip) == 0) && (!query->process || strcmp(query->process, process) == 0);
}

/* A sum as it does not depend on any order. */
struct sum {
	uint64_t thousandths;
	double rest, fractions; /* of what is no thousandths: whole, and the rest of it */
	uint32_t count;
	double maximum;
};

static void add(struct sum *sum, double value)
{
	uint64_t thousandths = (uint64_t)llrint(value * 1000);
	if ((double)thousandths / 1000 == value) {
		sum->thousandths += thousandths;
	} else {
		sum->rest += floor(value);
		sum->fractions += value - floor(value);
	}
	sum->maximum = sum->count && sum->maximum > value ? sum->maximum : value;
	sum->count++;
}

/* As answers print it. */
static void tell_mean(struct text *text, double mean)
{
	json_append_number(text, round(mean * 1e6) / 1e6);
}

static double mean_of(const struct sum *sum)
{
	return ((double)sum->thousandths / 1000 + (sum->rest + sum->fractions)) / sum->count;
}

static void tell_name(struct text *text, const struct query *query, size_t host, size_t process)
{
	text_printf(text, "%s/%s", query->by_host ? ips[host] : "", processes[process]);
}

static const char *want_means(const struct query *query)
{
	struct sum sums[HOSTS][PROCESSES][HALF_COUNT] = { 0 };
	struct text text = TEXT_EMPTY;
	for (size_t i = 0; i < model.count; i++) {
		const struct known *sample = &model.samples[i];
		if (is_wanted(query, sample))
			add(&sums[query->by_host ? sample->host : 0][sample->process][sample->half], sample->value);
	}
	for (size_t i = 0; i < HOSTS * PROCESSES; i++) {
		const struct sum *both = sums[i / PROCESSES][i % PROCESSES];
		if (both[MEM].count + both[CPU].count == 0)
			continue;
		tell_name(&text, query, i / PROCESSES, i % PROCESSES);
		for (int j = 0; j < HALF_COUNT; j++) {
			text_append_char(&text, ' ');
			if (both[j].count == 0)
				continue;
			tell_mean(&text, mean_of(&both[j]));
			text_append_char(&text, '^');
			json_append_number(&text, both[j].maximum);
		}
		text_append_char(&text, '\n');
	}
	return tell(&text);
}

static const char *read_means(struct fixture *f, const struct query *query)
{
	struct store_rows rows;
	struct text text = TEXT_EMPTY;
	assert_int_equal(f->ops->mean(f->store, query, &rows), 0);
	for (size_t i = 0; i < rows.count; i++) {
		const struct store_row *row = &rows.items[i];
		text_printf(&text, "%s/%s", row->key.ip ? row->key.ip : "", row->key.process);
		for (int j = 0; j < HALF_COUNT; j++) {
			text_append_char(&text, ' ');
			if (!row->present[j])
				continue;
			tell_mean(&text, row->value[j]);
			text_append_char(&text, '^');
			json_append_number(&text, row->maximum[j]);
		}
		text_append_char(&text, '\n');
	}
	store_rows_free(&rows);
	return tell(&text);
}

static const char *want_latest(const struct query *query)
{
	const struct known *newest[HOSTS][PROCESSES][HALF_COUNT] = { 0 };
	struct text text = TEXT_EMPTY;
	for (size_t i = 0; i < model.count; i++) {
		const struct known *sample = &model.samples[i], **place = &newest[sample->host][sample->process][sample->half];
		if (is_wanted(query, sample) && (!*place || (*place)->time_ms < sample->time_ms))
			*place = sample;
	}
	for (size_t i = 0; i < HOSTS * PROCESSES * HALF_COUNT; i++) {
		const struct known *sample = newest[i / HALF_COUNT / PROCESSES][i / HALF_COUNT % PROCESSES][i % HALF_COUNT];
		if (!sample)
			continue;
		text_printf(&text, "%s/%s %d %lld=", ips[sample->host], processes[sample->process], sample->half, (long long)sample->time_ms);
		json_append_number(&text, sample->value);
		text_append_char(&text, '\n');
	}
	return tell(&text);
}

static const char *read_latest_values(struct fixture *f, const struct query *query)
{
	struct store_rows rows;
	struct text text = TEXT_EMPTY;
	assert_int_equal(f->ops->latest(f->store, query, &rows), 0);
	for (size_t i = 0; i < rows.count * HALF_COUNT; i++) {
		const struct store_row *row = &rows.items[i / HALF_COUNT];
		int half = (int)(i % HALF_COUNT);
		if (!row->present[half])
			continue;
		text_printf(&text, "%s/%s %d %lld=", row->key.ip, row->key.process, half, (long long)row->time_ms[half]);
		json_append_number(&text, row->value[half]);
		text_append_char(&text, '\n');
	}
	store_rows_free(&rows);
	return tell(&text);
}

/* One point of a history. */
struct point {
	int64_t time_ms;
	size_t process, host;
	struct sum sum;
};

static int compare_points(const void *left, const void *right)
{
	const struct point *a = left, *b = right;
	if (a->process != b->process)
		return a->process < b->process ? -1 : 1;
	if (a->time_ms != b->time_ms)
		return a->time_ms < b->time_ms ? -1 : 1;
	return (a->host > b->host) - (a->host < b->host); /* as their addresses are */
}

/* What a history is: its points by host, process and time, a hash of which is enough. */
static uint64_t hash_point(uint64_t hash, const char *ip, const char *process, int64_t time_ms, double value, bool tidy)
{
	struct text text = TEXT_EMPTY;
	text_printf(&text, "%s/%s %lld=", ip ? ip : "", process, (long long)time_ms);
	if (tidy)
		tell_mean(&text, value);
	else
		json_append_number(&text, value);
	for (size_t i = 0; i < text.length; i++)
		hash = (hash ^ (unsigned char)text.data[i]) * UINT64_C(0x100000001b3);
	text_free(&text);
	return hash;
}

/* The hash of each series, added up: they come in no order. */
static uint64_t want_history(const struct query *query)
{
	static struct point points[SAMPLES_MAX];
	bool mean = query->step_ms && query->aggregate == AGGREGATE_MEAN;
	uint64_t told_hash = 0;
	for (size_t host = 0; host < (query->by_host ? HOSTS : 1); host++) {
		size_t count = 0, used = 0;
		for (size_t i = 0; i < model.count; i++) {
			const struct known *sample = &model.samples[i];
			if (!is_wanted(query, sample) || sample->half != query->half || (query->by_host && sample->host != host))
				continue;
			points[count] = (struct point){ .time_ms = sample->time_ms, .process = sample->process, .host = sample->host };
			if (query->step_ms) {
				points[count].time_ms = store_step_start(sample->time_ms, query->step_ms);
				points[count].host = 0;
			}
			add(&points[count++].sum, sample->value);
		}
		qsort(points, count, sizeof(points[0]), compare_points);
		for (size_t i = 0; i < count; i++) {
			struct point *last = used ? &points[used - 1] : NULL;
			if (last && query->step_ms && compare_points(last, &points[i]) == 0) {
				last->sum.thousandths += points[i].sum.thousandths;
				last->sum.rest += points[i].sum.rest;
				last->sum.fractions += points[i].sum.fractions;
				last->sum.count++;
				last->sum.maximum = fmax(last->sum.maximum, points[i].sum.maximum);
			} else {
				points[used++] = points[i];
			}
		}
		uint64_t hash = 0;
		for (size_t i = 0; i < used; i++) {
			if (i && points[i].process != points[i - 1].process) {
				told_hash += hash;
				hash = 0;
			}
			hash = hash_point(hash, query->by_host ? ips[host] : NULL, processes[points[i].process], points[i].time_ms,
			                  mean ? mean_of(&points[i].sum) : points[i].sum.maximum, mean);
		}
		told_hash += hash;
	}
	return told_hash;
}

static uint64_t read_history_hash(struct fixture *f, const struct query *query)
{
	struct store_history answer;
	bool mean = query->step_ms && query->aggregate == AGGREGATE_MEAN;
	uint64_t told_hash = 0;
	assert_int_equal(f->ops->history(f->store, query, &answer), 0);
	for (size_t i = 0; i < answer.count; i++) {
		const struct store_series *series = &answer.items[i];
		uint64_t hash = 0;
		for (size_t j = 0; j < series->count; j++)
			hash = hash_point(hash, series->key.ip, series->key.process, series->points[j].time_ms, series->points[j].value, mean);
		told_hash += hash;
	}
	store_history_free(&answer);
	return told_hash;
}

/* ---- the comparison ---- */

/* Both are told in the same place. */
#define EXPECT(asked, wanted, read)                                  \
	do {                                                             \
		char *wanted_ = strdup(wanted);                              \
		const char *read_ = read;                                    \
		if (strcmp(read_, wanted_) != 0)                             \
			fail_msg("%s: %s\n  in the place of %s", asked, read_, wanted_); \
		free(wanted_);                                               \
	} while (0)

static void compare_one(struct fixture *f, struct query *query)
{
	char asked[256];
	snprintf(asked, sizeof(asked), "(%lld, %lld] ip %s process %s by_host %d half %d step %lld aggregate %d only %zu",
	         (long long)query->from_ms, (long long)query->to_ms, query->ip ? query->ip : "-",
	         query->process ? query->process : "-", query->by_host, query->half, (long long)query->step_ms,
	         query->aggregate, query->only_count);
	if (want_history(query) != read_history_hash(f, query))
		fail_msg("%s: the history is another", asked);
	query->only = NULL;
	query->only_count = 0;
	EXPECT(asked, want_means(query), read_means(f, query));
	query->by_host = true;
	if (!query->step_ms)
		EXPECT(asked, want_latest(query), read_latest_values(f, query));
}

/* With steps alone, or also by the single samples. */
static void compare_answers(struct fixture *f, int times, bool samples)
{
	static const int64_t steps[] = { 0, 1000, 10000, 300000, 600000, 3600000, 420000, 7200000 };
	static const struct series_key of_hosts[] = { { "10.0.0.1", "b" }, { "fe80::a", "c" }, { "10.0.0.10", "zz" } };
	for (int i = 0; i < times; i++) {
		struct query query = {
			.metric = METRIC_USAGE, .from_ms = draw_time(), .to_ms = draw_time(),
			.ip = once_in(3) ? ips[below(HOSTS)] : NULL, .process = once_in(3) ? processes[below(PROCESSES)] : NULL,
			.by_host = once_in(2), .half = (enum half)below(HALF_COUNT), .max_points = 1000000,
			.step_ms = steps[samples ? below(COUNT_OF(steps)) : 1 + below(COUNT_OF(steps) - 1)], .aggregate = once_in(2) ? AGGREGATE_MAX : AGGREGATE_MEAN,
		};
		if (query.from_ms > query.to_ms && !once_in(20)) {
			int64_t swap = query.from_ms;
			query.from_ms = query.to_ms;
			query.to_ms = swap;
		}
		if (once_in(6)) {
			query.only = of_hosts;
			query.only_count = COUNT_OF(of_hosts);
		}
		compare_one(f, &query);
	}
}

static void compare_hosts_now(struct fixture *f)
{
	struct text text = TEXT_EMPTY;
	for (size_t host = 0; host < HOSTS; host++) {
		bool seen[PROCESSES] = { 0 };
		int64_t last_ms = find_last(host);
		size_t count = 0;
		for (size_t i = 0; i < model.count; i++) {
			if (model.samples[i].host == host && model.samples[i].time_ms == last_ms)
				seen[model.samples[i].process] = true;
		}
		for (size_t i = 0; i < PROCESSES; i++)
			count += seen[i];
		text_printf(&text, "%s %lld %zu\n", ips[host], (long long)(last_ms - f->base), count);
	}
	EXPECT("hosts", tell(&text), hosts(f, -DAY));
}

/* ---- the cases ---- */

static bool some(int64_t key)
{
	(void)key;
	return once_in(2);
}

/* The numbers of some series are used anew: what they had before is of others, that are gone. */
static void bear_anew(struct fixture *f)
{
	sqlite3 *connection = sealing_open(f->config->sqlite.path);
	for (int i = 0; i < 3; i++) {
		char sql[512];
		size_t host = (size_t)below(HOSTS), process = (size_t)below(PROCESSES), kept = 0;
		int64_t born_ms = draw_time();
		snprintf(sql, sizeof(sql), "INSERT INTO state (name, value) SELECT 'born ' || series.id, %lld FROM series, host "
		         "WHERE series.host = host.id AND ip = '%s' AND process = '%s' "
		         "ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)", (long long)born_ms, ips[host], processes[process]);
		sealing_run(connection, sql);
		for (size_t j = 0; j < model.count; j++) {
			const struct known *known = &model.samples[j];
			if (known->host != host || known->process != process || known->time_ms >= born_ms)
				model.samples[kept++] = *known;
		}
		model.count = kept;
	}
	sqlite3_close(connection);
	reopen(f);
}

static void begin(struct fixture *f)
{
	static unsigned seed;
	if (!seed)
		seed = seed_take();
	srandom(seed);
	engine = &sqlite;
	set_up_with(f, NULL);
	model.count = 0;
	model.moderate = false;
	model.begin = store_step_start(f->now, BLOCK_MS) - (HOURS + 2) * (int64_t)BLOCK_MS;
}

static void test_read_random_data_answers_are_those_of_the_samples(void **state)
{
	struct fixture fixture, *f = &fixture;
	(void)state;
	begin(f);
	const char *path = f->config->sqlite.path;
	for (size_t host = 0; host < HOSTS; host++)
		put_day(f, host);
	compare_answers(f, 20, true);
	sealing_seal_chosen(path, some);
	compare_answers(f, 40, true);
	put_late(f);
	sealing_seal_chosen(path, sealing_none);
	compare_answers(f, 60, true);
	compare_hosts_now(f);
	sealing_seal_chosen(path, some); /* some are merged */
	compare_answers(f, 40, true);
	compare_hosts_now(f);
	sealing_seal_chosen(path, sealing_all);
	compare_answers(f, 60, true);
	compare_hosts_now(f);
	reopen(f);
	compare_answers(f, 10, true);
	compare_hosts_now(f);
	tear_down(f);
}

static void test_read_numbers_used_anew_are_not_taken_for_those_before(void **state)
{
	struct fixture fixture, *f = &fixture;
	(void)state;
	begin(f);
	for (size_t host = 0; host < HOSTS; host++)
		put_day(f, host);
	bear_anew(f);
	sealing_seal_chosen(f->config->sqlite.path, some);
	compare_answers(f, 40, true);
	sealing_seal_chosen(f->config->sqlite.path, sealing_all);
	compare_answers(f, 60, true);
	tear_down(f);
}

/* Where the samples are dropped, each 5 minutes count as if they were all of their start. */
static void test_read_hours_without_samples_are_told_by_their_steps(void **state)
{
	struct fixture fixture, *f = &fixture;
	char sql[128];
	(void)state;
	begin(f);
	model.moderate = true;
	int64_t detail_ms = model.begin + HOURS / 2 * (int64_t)BLOCK_MS;
	for (size_t host = 0; host < HOSTS; host++)
		put_day(f, host);
	sealing_seal_chosen(f->config->sqlite.path, sealing_all);
	sqlite3 *connection = sealing_open(f->config->sqlite.path);
	snprintf(sql, sizeof(sql), "UPDATE hour SET data = NULL WHERE key < %lld", (long long)placement_hour_key(METRIC_USAGE, detail_ms, 0));
	sealing_run(connection, sql);
	sqlite3_close(connection);
	for (size_t i = 0; i < model.count; i++) {
		if (model.samples[i].time_ms < detail_ms)
			model.samples[i].time_ms = store_step_start(model.samples[i].time_ms, BLOCK_STEP_MS);
	}
	compare_answers(f, 100, false);
	tear_down(f);
}

static void test_read_hours_without_samples_have_a_point_a_step(void **state)
{
	struct fixture fixture, *f = &fixture;
	(void)state;
	begin(f);
	f->base = model.begin;
	PUT(f, SAMPLE("10.0.0.1", "a", MEM, 1000, 1), SAMPLE("10.0.0.1", "a", MEM, 299999, 2), SAMPLE("10.0.0.1", "b", CPU, 299999, 4),
	    SAMPLE("10.0.0.1", "a", MEM, 600000, 7), SAMPLE("10.0.0.2", "a", MEM, 700000, 1.0 / 3), SAMPLE("10.0.0.1", "c", CPU, 899999, 4));
	sealing_seal_chosen(f->config->sqlite.path, sealing_all);
	sqlite3 *connection = sealing_open(f->config->sqlite.path);
	sealing_run(connection, "UPDATE hour SET data = NULL");
	sqlite3_close(connection);
	assert_string_equal(history(f, QUERY(f, -1, HOUR)), "a 0=1.5 600000=7 600000=0.3333333333");
	assert_string_equal(history(f, QUERY(f, 0, HOUR)), "a 600000=7 600000=0.3333333333");
	assert_string_equal(history(f, QUERY(f, -1, 599999)), "a 0=1.5");
	assert_string_equal(history(f, QUERY(f, -1, 600000, .ip = "10.0.0.1")), "a 0=1.5 600000=7");
	assert_string_equal(latest(f, QUERY(f, -1, 650000)), "10.0.0.1/a mem=7@600000 cpu=-; 10.0.0.1/b mem=- cpu=4@0; "
	                                                     "10.0.0.1/c mem=- cpu=4@600000; 10.0.0.2/a mem=0.3333333333@600000 cpu=-");
	assert_string_equal(means(f, QUERY(f, -1, HOUR - 1)), "a mem=2.583333333^7 cpu=-; b mem=- cpu=4^4; c mem=- cpu=4^4");
	assert_string_equal(hosts(f, -1), "10.0.0.1 899999 2; 10.0.0.2 700000 1");
	/* What comes late counts beside them. */
	PUT(f, SAMPLE("10.0.0.1", "a", MEM, 600500, 9));
	sealing_seal_chosen(f->config->sqlite.path, sealing_none);
	assert_string_equal(history(f, QUERY(f, -1, HOUR, .ip = "10.0.0.1")), "a 0=1.5 600000=7 600500=9");
	tear_down(f);
}

/* Spoils a byte of what a table has of the first host's second hour. */
static void damage(struct fixture *f, const char *column)
{
	char sql[256];
	sqlite3 *connection = sealing_open(f->config->sqlite.path);
	int64_t key = placement_hour_key(METRIC_USAGE, model.begin + BLOCK_MS, 1);
	snprintf(sql, sizeof(sql), "UPDATE hour SET %s = CAST(substr(%s, 1, 20) || x'a5a5' || substr(%s, 23) AS BLOB) WHERE key = %lld",
	         column, column, column, (long long)key);
	sealing_run(connection, sql);
	assert_int_equal(sqlite3_changes(connection), 1);
	sqlite3_close(connection);
}

static void test_read_damaged_hour_costs_that_hour_of_that_host(void **state)
{
	(void)state;
	static const char *const columns[] = { "data", "summary" };
	for (size_t i = 0; i < COUNT_OF(columns); i++) {
		struct fixture fixture, *f = &fixture;
		struct store_damaged damaged[STORE_DAMAGED_MAX];
		begin(f);
		for (size_t host = 0; host < HOSTS; host++)
			put_day(f, host);
		sealing_seal_chosen(f->config->sqlite.path, sealing_all);
		damage(f, columns[i]);
		int64_t hour_ms = model.begin + BLOCK_MS;
		assert_int_equal(f->ops->damaged(f->store, f->now, damaged), 0);
		for (size_t j = 0; j < model.count; j++) {
			struct known *known = &model.samples[j];
			if (known->host == 0 && store_step_start(known->time_ms, BLOCK_MS) == hour_ms)
				known->time_ms = 0;
		}
		/* With edges in it, and whole; by samples, and by steps. */
		for (int j = 0; j < 40; j++) {
			struct query query = {
				.metric = METRIC_USAGE, .from_ms = hour_ms + (i == 0 ? 1 : -1) * below(BLOCK_MS), .to_ms = hour_ms + HOUR + below(2 * BLOCK_MS),
				.step_ms = i == 0 ? 10000 : 600000, .max_points = 1000000, .by_host = once_in(2),
			};
			compare_one(f, &query);
		}
		assert_int_equal(f->ops->damaged(f->store, f->now, damaged), 1);
		assert_string_equal(damaged[0].ip, "10.0.0.1");
		assert_true(damaged[0].hour_ms == hour_ms);
		assert_int_equal(f->ops->health(f->store), 0);
		assert_int_equal(f->ops->damaged(f->store, f->now + 3 * DAY, damaged), 0);
		tear_down(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_random_data_answers_are_those_of_the_samples),
		cmocka_unit_test(test_read_numbers_used_anew_are_not_taken_for_those_before),
		cmocka_unit_test(test_read_hours_without_samples_are_told_by_their_steps),
		cmocka_unit_test(test_read_hours_without_samples_have_a_point_a_step),
		cmocka_unit_test(test_read_damaged_hour_costs_that_hour_of_that_host),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
