/* fcgi/wishes.h and fcgi/keeper.h */
#include "tests/unit/support/cmocka.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "fcgi/wishes.h"

static struct wish wish_of(enum wire_service service, const char *ip, bool stop, int64_t time_ms)
{
	struct wish wish = { .service = service, .stop = stop, .time_ms = time_ms };
	strcpy(wish.ip, ip);
	return wish;
}

static void take(struct wishes *wishes, enum wire_service service, const char *ip, bool stop, int64_t time_ms)
{
	const struct wish wish = wish_of(service, ip, stop, time_ms);
	assert_int_equal(wishes_take(wishes, &wish), 0);
}

static void test_wishes_name_comes_back_and_others_are_none(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		enum wire_service service;
		const char *ip;
	} cases[] = {
		{ "collector", WIRE_COLLECTOR, "" }, { "collector 10.0.0.5", WIRE_COLLECTOR, "10.0.0.5" },
		{ "collector 2001:db8::1", WIRE_COLLECTOR, "2001:db8::1" }, { "alert", WIRE_ALERT, "" }, { "forecast", WIRE_FORECAST, "" },
	};
	static const char *const bad[] = { "", " ", "other", "collector ", "collector here", "collector 10.0.0.5 ", "alert 10.0.0.5",
		                           "a name that is longer than any of them" };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct wish wish;
		assert_true(wishes_read_name(cases[i].name, &wish));
		assert_int_equal(wish.service, cases[i].service);
		assert_string_equal(wish.ip, cases[i].ip);
		assert_string_equal(wishes_kept(&wish).name, cases[i].name);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct wish wish;
		if (wishes_read_name(bad[i], &wish))
			fail_msg("%s", bad[i]);
	}
}

static void test_wishes_take_the_newest_that_is_about_a_host_counts(void **state)
{
	(void)state;
	struct wishes *wishes = wishes_open();
	assert_non_null(wishes);
	assert_false(wishes_stop(wishes, WIRE_COLLECTOR, "10.0.0.1"));
	assert_false(wishes_stop_any(wishes, WIRE_COLLECTOR));
	take(wishes, WIRE_COLLECTOR, "10.0.0.1", true, 1000);
	assert_true(wishes_stop(wishes, WIRE_COLLECTOR, "10.0.0.1"));
	assert_false(wishes_stop(wishes, WIRE_COLLECTOR, "10.0.0.2"));
	assert_true(wishes_stop_any(wishes, WIRE_COLLECTOR));
	assert_false(wishes_stop_any(wishes, WIRE_ALERT));
	assert_true(wishes_have(wishes, "10.0.0.1"));
	take(wishes, WIRE_COLLECTOR, "10.0.0.1", false, 999);
	assert_true(wishes_stop(wishes, WIRE_COLLECTOR, "10.0.0.1"));

	/* One for all takes the place of those before it, and one before it comes too late. */
	take(wishes, WIRE_COLLECTOR, "", false, 2000);
	assert_false(wishes_stop(wishes, WIRE_COLLECTOR, "10.0.0.1"));
	assert_false(wishes_have(wishes, "10.0.0.1"));
	take(wishes, WIRE_COLLECTOR, "10.0.0.1", true, 1999);
	assert_false(wishes_stop(wishes, WIRE_COLLECTOR, "10.0.0.1"));
	/* Of those of one time that of the host counts, in either order. */
	take(wishes, WIRE_COLLECTOR, "10.0.0.1", true, 2000);
	assert_true(wishes_stop(wishes, WIRE_COLLECTOR, "10.0.0.1"));
	take(wishes, WIRE_COLLECTOR, "", false, 2000);
	assert_true(wishes_stop(wishes, WIRE_COLLECTOR, "10.0.0.1"));

	take(wishes, WIRE_ALERT, "", true, 10);
	assert_true(wishes_stop(wishes, WIRE_ALERT, "10.0.0.1"));
	assert_false(wishes_stop(wishes, WIRE_FORECAST, ""));
	struct wish *list;
	size_t count;
	assert_int_equal(wishes_list(wishes, &list, &count), 0);
	assert_int_equal(count, 3);
	free(list);
	wishes_close(wishes);
}

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

/* ---- a store that forgets within a second ---- */

enum { RETENTION_MS = 400 };

struct store {
	atomic_int ill;      /* times that it still says so */
	atomic_int failures; /* reads that still fail */
	atomic_uint writes;
	struct sample samples[4]; /* of the last write */
	char names[4][WIRE_NAME_SIZE];
	size_t count;
};

static struct store store;

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
	static const struct store_row kept[] = {
		{ { KEEPER_IP, "alert" }, { [HALF_SECOND] = true }, { [RESOURCE_CPU] = 0 }, { 0 }, { [RESOURCE_CPU] = 7000 } },
		{ { KEEPER_IP, "collector 10.0.0.5" }, { [HALF_SECOND] = true }, { [RESOURCE_CPU] = 0 }, { 0 }, { [RESOURCE_CPU] = 8000 } },
		{ { KEEPER_IP, "collector" }, { [HALF_SECOND] = true }, { [RESOURCE_CPU] = 1 }, { 0 }, { [RESOURCE_CPU] = 7000 } },
		{ { KEEPER_IP, "no wish" }, { [HALF_SECOND] = true }, { [RESOURCE_CPU] = 0 }, { 0 }, { [RESOURCE_CPU] = 7000 } },
	};
	assert_int_equal(query->metric, METRIC_WISH);
	/* VictoriaMetrics 1.112, of Debian 13, answers nothing where the end is past 32 bits of seconds. */
	assert_in_range(query->to_ms / 1000, clock_wall_ms() / 1000 + 86400, UINT32_MAX);
	assert_int_equal(atomic_load(&store.ill), 0); /* it may hang */
	if (atomic_load(&store.failures) > 0) {
		atomic_fetch_sub(&store.failures, 1);
		return -ECONNREFUSED;
	}
	*ret_rows = (struct store_rows){ .items = malloc(sizeof(kept)), .count = sizeof(kept) / sizeof(kept[0]) };
	memcpy(ret_rows->items, kept, sizeof(kept));
	return 0;
}

static int append(struct store *unused, const struct batch *const batches[], size_t count, struct moment now,
                  char ret_refusal[static STORE_REFUSAL_SIZE])
{
	(void)unused, (void)now, (void)ret_refusal;
	assert_int_equal(count, 1);
	assert_true(batches[0]->count <= 4);
	for (size_t i = 0; i < batches[0]->count; i++) {
		store.samples[i] = batches[0]->samples[i];
		strcpy(store.names[i], batches[0]->samples[i].process);
	}
	store.count = batches[0]->count;
	atomic_fetch_add(&store.writes, 1);
	return 0;
}

static void wait_for_writes(unsigned writes)
{
	for (int i = 0; i < 500 && atomic_load(&store.writes) < writes; i++)
		usleep(10000);
	assert_true(atomic_load(&store.writes) >= writes);
}

static void test_keeper_reads_until_the_store_answers_and_writes_again(void **state)
{
	(void)state;
	static const struct store_ops ops = {
		.name = "forgetful", .appends = 1, .append = append, .latest = latest, .retention = retention,
		.health = health,
	};
	struct wishes *wishes = wishes_open();
	struct writer *writer;
	assert_int_equal(writer_open(&ops, &store, 1 << 20, &writer), 0);
	atomic_store(&store.ill, 1);
	atomic_store(&store.failures, 1);
	int64_t begun_ms = clock_wall_ms();
	const struct keeper_table table = wishes_table(wishes);
	struct keeper *keeper;
	assert_int_equal(keeper_open(&ops, &store, writer, &table, 1, &keeper), 0);
	assert_false(keeper_knows(keeper));
	wait_for_writes(3);
	assert_true(keeper_knows(keeper));
	assert_true(wishes_stop(wishes, WIRE_ALERT, ""));
	assert_true(wishes_stop(wishes, WIRE_COLLECTOR, "10.0.0.5"));
	assert_false(wishes_stop(wishes, WIRE_COLLECTOR, "10.0.0.6"));
	keeper_close(keeper);
	writer_close(writer);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wishes_name_comes_back_and_others_are_none),
		cmocka_unit_test(test_wishes_take_the_newest_that_is_about_a_host_counts),
		cmocka_unit_test(test_keeper_time_goes_on_whatever_the_clock_says),
		cmocka_unit_test(test_keeper_reads_until_the_store_answers_and_writes_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
