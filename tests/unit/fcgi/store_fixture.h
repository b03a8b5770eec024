/*
 * What the tests of the stores share: a store of its own for each case, writing, and
 * reading as texts that can be compared.
 *
 * Times are told in milliseconds after a base that is a multiple of 10 s and of 7 s, an
 * hour before now; values are short decimals, so that their sums are exact enough.
 */
#ifndef VIGIE_TESTS_FCGI_STORE_FIXTURE_H
#define VIGIE_TESTS_FCGI_STORE_FIXTURE_H

#include "tests/unit/fcgi/helpers.h"

#include <errno.h>

#include "common/clock.h"
#include "fcgi/store.h"

#define HOUR 3600000LL
#define DAY (24 * HOUR)

struct fixture {
	char folder[TEMPORARY_FOLDER_SIZE];
	struct config *config;
	const struct store_ops *ops;
	struct store *store;
	int64_t base;
	int64_t now; /* given to append() */
	struct moment start; /* of the case: from it the other clock goes on as `now` does … */
	int64_t wrong; /* … by so much is the wall clock ahead of both */
	bool unsettled; /* something was written since the last read */
};

/* How a test gets at an engine. */
struct engine {
	const struct store_ops *ops;
	const char *name;       /* of its cases; NULL: that of its ops */
	bool (*start)(void); /* before the cases; NULL: nothing to start. False: it is not there */
	void (*stop)(void);
	/* A configuration for an empty store of its own, and one more option (NULL: none). */
	struct config *(*configure)(const char *folder, const char *option);
	void (*settle)(void);   /* waits until what was written can be read; NULL: it can */
	void (*seal)(const struct config *config); /* keeps what was written in another way; NULL: there is none */
	bool approximate;       /* it keeps 12 digits of a value, and of samples of one series and time any one */
};

static const struct engine *engine; /* the one under test */

/* ---- opening ---- */

static inline void open_store(struct fixture *f)
{
	assert_int_equal(f->ops->open(f->config, &f->store), 0);
}

static inline void reopen(struct fixture *f)
{
	f->ops->close(f->store);
	f->store = NULL;
	open_store(f);
}

static inline void set_up_with(struct fixture *f, const char *option)
{
	*f = (struct fixture){ .ops = engine->ops };
	temporary_folder_make_in_memory(f->folder);
	f->config = engine->configure(f->folder, option);
	f->start = clock_moment();
	f->now = f->start.wall_ms;
	f->base = f->now / 70000 * 70000 - 3570000;
	open_store(f);
}

static inline void tear_down(struct fixture *f)
{
	f->ops->close(f->store);
	config_free(f->config);
	temporary_folder_remove(f->folder);
}

static inline int set_up_case(void **state)
{
	struct fixture *f = malloc(sizeof(*f));
	assert_non_null(f);
	set_up_with(f, NULL);
	*state = f;
	return 0;
}

static inline int tear_down_case(void **state)
{
	tear_down(*state);
	free(*state);
	return 0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up_case, tear_down_case)

/* ---- writing ---- */

#define MEM HALF_FIRST
#define CPU HALF_SECOND

#define SAMPLE(ip_, process_, resource_, time_, value_) \
	((struct sample){ .time_ms = (time_), .value = (value_), .ip = (ip_), .process = (process_), \
	                  .metric = METRIC_USAGE, .half = (resource_) })

static inline int append_batches(struct fixture *f, const struct batch *const batches[], size_t count)
{
	char refusal[STORE_REFUSAL_SIZE] = "";
	const struct moment now = {
		.wall_ms = f->now + f->wrong,
		.boot_ms = f->start.boot_ms + f->now - f->start.wall_ms,
	};
	int result = f->ops->append(f->store, batches, count, now, refusal);
	if (result == -EINVAL)
		print_message("refused: %s\n", refusal);
	f->unsettled = true;
	return result;
}

static inline int append(struct fixture *f, struct sample samples[], size_t count)
{
	struct batch batch = { .samples = samples, .count = count };
	const struct batch *const batches[] = { &batch };
	for (size_t i = 0; i < count; i++)
		samples[i].time_ms += f->base;
	return append_batches(f, batches, 1);
}

#define PUT(f, ...) \
	assert_int_equal(append(f, (struct sample[]){ __VA_ARGS__ }, COUNT_OF(((struct sample[]){ __VA_ARGS__ }))), 0)

/* ---- reading: answers as sorted texts ---- */

/* Waits until what was written can be read, and has it kept as the engine's cases want it. */
static inline void settle(struct fixture *f)
{
	if (f->unsettled && engine->settle)
		engine->settle();
	if (f->unsettled && engine->seal)
		engine->seal(f->config);
	f->unsettled = false;
}

#define QUERY(f, from, to, ...) \
	(&(struct query){ .metric = METRIC_USAGE, .from_ms = (f)->base + (from), .to_ms = (f)->base + (to), \
	                  .max_points = 1000000, ##__VA_ARGS__ })

static char told[65536];

static inline int compare_lines(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

/* Sorts the lines and joins them with "; ". */
static inline const char *tell(struct text *text)
{
	char *lines[1024];
	size_t count = 0;
	told[0] = '\0';
	for (char *line = text->data ? strtok(text->data, "\n") : NULL; line; line = strtok(NULL, "\n")) {
		assert_true(count < COUNT_OF(lines));
		lines[count++] = line;
	}
	qsort(lines, count, sizeof(lines[0]), compare_lines);
	for (size_t i = 0, used = 0; i < count; i++)
		used += (size_t)snprintf(told + used, sizeof(told) - used, "%s%s", i ? "; " : "", lines[i]);
	text_free(text);
	return told;
}

static inline void tell_key(struct text *text, const struct series_key *key)
{
	text_printf(text, "%s%s%s", key->ip ? key->ip : "", key->ip ? "/" : "", key->process);
}

/* "bash mem=1^2 cpu=-": the mean and the maximum. */
static inline const char *means(struct fixture *f, const struct query *query)
{
	settle(f);
	struct store_rows rows;
	struct text text = TEXT_EMPTY;
	assert_int_equal(f->ops->mean(f->store, query, &rows), 0);
	for (size_t i = 0; i < rows.count; i++) {
		const struct store_row *row = &rows.items[i];
		tell_key(&text, &row->key);
		for (int j = 0; j < HALF_COUNT; j++) {
			text_printf(&text, " %s=", wire_resource_name((enum resource)j));
			if (row->present[j])
				text_printf(&text, "%.10g^%.10g", row->value[j], row->maximum[j]);
			else
				text_append_string(&text, "-");
		}
		text_append_char(&text, '\n');
	}
	store_rows_free(&rows);
	return tell(&text);
}

/* "10.0.0.1/bash mem=12@1000 cpu=-": the newest value and its time. */
static inline const char *latest(struct fixture *f, const struct query *query)
{
	settle(f);
	struct store_rows rows;
	struct text text = TEXT_EMPTY;
	assert_int_equal(f->ops->latest(f->store, query, &rows), 0);
	for (size_t i = 0; i < rows.count; i++) {
		const struct store_row *row = &rows.items[i];
		tell_key(&text, &row->key);
		for (int j = 0; j < HALF_COUNT; j++) {
			text_printf(&text, " %s=", wire_resource_name((enum resource)j));
			if (row->present[j])
				text_printf(&text, "%.10g@%lld", row->value[j], (long long)(row->time_ms[j] - f->base));
			else
				text_append_string(&text, "-");
		}
		text_append_char(&text, '\n');
	}
	store_rows_free(&rows);
	return tell(&text);
}

/* "bash 0=1 1000=2": times and values, as they come. */
static inline const char *history(struct fixture *f, const struct query *query)
{
	settle(f);
	struct store_history answer;
	struct text text = TEXT_EMPTY;
	int result = f->ops->history(f->store, query, &answer);
	if (result)
		fail_msg("history: %s", strerror(-result));
	for (size_t i = 0; i < answer.count; i++) {
		assert_true(answer.items[i].count > 0);
		tell_key(&text, &answer.items[i].key);
		for (size_t j = 0; j < answer.items[i].count; j++)
			text_printf(&text, " %lld=%.10g", (long long)(answer.items[i].points[j].time_ms - f->base),
			            answer.items[i].points[j].value);
		text_append_char(&text, '\n');
	}
	store_history_free(&answer);
	return tell(&text);
}

/* "10.0.0.1 1000 2": when it was last seen and its processes then. */
static inline const char *hosts(struct fixture *f, int64_t from)
{
	settle(f);
	struct store_hosts answer;
	struct text text = TEXT_EMPTY;
	assert_int_equal(f->ops->hosts(f->store, f->base + from, f->now + STORE_AHEAD_MS, &answer), 0);
	for (size_t i = 0; i < answer.count; i++)
		text_printf(&text, "%s %lld %zu\n", answer.items[i].ip, (long long)(answer.items[i].last_seen_ms - f->base),
		            answer.items[i].processes);
	store_hosts_free(&answer);
	return tell(&text);
}
static inline void put_three_hosts(struct fixture *f)
{
	PUT(f, SAMPLE("10.0.0.1", "a", MEM, 1000, 1), SAMPLE("10.0.0.1", "b", MEM, 1000, 2), SAMPLE("10.0.0.1", "a", MEM, 11000, 3),
	    SAMPLE("2001:db8::1", "a", MEM, 1000, 20), SAMPLE("2001:db8::1", "c", CPU, 1000, 30), SAMPLE("10.0.0.10", "b", CPU, 2000, 40));
}

#endif
