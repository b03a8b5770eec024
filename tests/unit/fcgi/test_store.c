/*
 * fcgi/store.h: one contract, the same cases on every engine that is there (engines.h).
 */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/captured_stderr.h"
#include "tests/unit/fcgi/engines.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "fcgi/silences.h"
#include "fcgi/wishes.h"

/* ---- the contract ---- */

static void test_store_append_empty_store_and_empty_batches_are_empty_answers(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < 2; i++) {
		assert_string_equal(means(f, QUERY(f, -1, 100000)), "");
		assert_string_equal(latest(f, QUERY(f, -1, 100000)), "");
		assert_string_equal(history(f, QUERY(f, -1, 100000)), "");
		assert_string_equal(hosts(f, -1), "");
		struct batch batch = { 0 };
		const struct batch *const batches[] = { &batch, &batch };
		assert_int_equal(append_batches(f, batches, 2), 0);
		assert_int_equal(append_batches(f, batches, 0), 0);
	}
	assert_int_equal(f->ops->retention(f->store), 2 * DAY);
}

static void test_store_history_any_order_of_writing_comes_back_oldest_first(void **state)
{
	struct fixture *f = *state;
	PUT(f, SAMPLE("10.0.0.1", "a", CPU, 25000, 3), SAMPLE("10.0.0.1", "a", CPU, 5000, 1),
	    SAMPLE("10.0.0.1", "a", CPU, 5001, 2));
	PUT(f, SAMPLE("10.0.0.1", "a", CPU, 4999, 0));
	PUT(f, SAMPLE("10.0.0.1", "a", CPU, 15000, 2.5), SAMPLE("10.0.0.1", "a", CPU, 25001, 4));
	assert_string_equal(history(f, QUERY(f, -1, 100000, .half = CPU)), "a 4999=0 5000=1 5001=2 15000=2.5 25000=3 25001=4");
	assert_string_equal(history(f, QUERY(f, -1, 100000, .half = MEM)), "");
	/* Several hosts put together are one series, by time. */
	PUT(f, SAMPLE("10.0.0.2", "a", CPU, 5000, 9), SAMPLE("10.0.0.2", "a", CPU, 24000, 9));
	struct store_history answer;
	settle(f);
	assert_int_equal(f->ops->history(f->store, QUERY(f, -1, 100000, .half = CPU), &answer), 0);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.items[0].count, 8);
	for (size_t i = 1; i < 8; i++)
		assert_true(answer.items[0].points[i].time_ms >= answer.items[0].points[i - 1].time_ms);
	store_history_free(&answer);
}

/* Whatever comes first, and however the engine keeps it. */
static void test_store_history_of_several_hosts_is_by_time_and_address(void **state)
{
	struct fixture *f = *state;
	PUT(f, SAMPLE("fe80::a", "a", CPU, 5000, 4), SAMPLE("fe80::a", "a", CPU, 25000, 14));
	PUT(f, SAMPLE("10.0.0.9", "a", CPU, 5000, 3), SAMPLE("10.0.0.9", "a", CPU, 15000, 7), SAMPLE("10.0.0.9", "b", CPU, 5000, 22));
	PUT(f, SAMPLE("10.0.0.1", "a", CPU, 5000, 1), SAMPLE("10.0.0.1", "a", CPU, 15000, 5), SAMPLE("10.0.0.1", "a", CPU, 6000, 4.5));
	PUT(f, SAMPLE("10.0.0.10", "a", CPU, 15000, 6), SAMPLE("10.0.0.10", "a", CPU, 5000, 2), SAMPLE("10.0.0.10", "b", CPU, 5000, 21));
	const struct series_key only[] = { { NULL, "a" } };
	static const char a[] = "a 5000=1 5000=2 5000=3 5000=4 6000=4.5 15000=5 15000=6 15000=7 25000=14";
	assert_string_equal(history(f, QUERY(f, -1, 100000, .half = CPU, .process = "a")), a);
	assert_string_equal(history(f, QUERY(f, -1, 100000, .half = CPU, .only = only, .only_count = 1)), a);
	assert_string_equal(history(f, QUERY(f, 5999, 100000, .half = CPU)), "a 6000=4.5 15000=5 15000=6 15000=7 25000=14");
	assert_string_equal(history(f, QUERY(f, -1, 5999, .half = CPU)), "a 5000=1 5000=2 5000=3 5000=4; b 5000=21 5000=22");
	reopen(f);
	assert_string_equal(history(f, QUERY(f, -1, 100000, .half = CPU, .process = "a")), a);
}

static void test_store_append_written_again_the_later_value_counts(void **state)
{
	struct fixture *f = *state;
	if (engine->approximate)
		skip(); /* see test_store_append_written_again_counts_once */
	/* In one batch, */
	PUT(f, SAMPLE("10.0.0.1", "a", CPU, 5000, 1), SAMPLE("10.0.0.1", "b", CPU, 5000, 5),
	    SAMPLE("10.0.0.1", "a", CPU, 5000, 2));
	assert_string_equal(means(f, QUERY(f, 0, 10000)), "a mem=- cpu=2^2; b mem=- cpu=5^5");
	/* in another write, also with a smaller value, */
	PUT(f, SAMPLE("10.0.0.1", "a", CPU, 5000, 0));
	assert_string_equal(means(f, QUERY(f, 0, 10000)), "a mem=- cpu=0^0; b mem=- cpu=5^5");
	/* and in two batches of one write. */
	struct sample first[] = { SAMPLE("10.0.0.1", "a", CPU, f->base + 5000, 7), SAMPLE("10.0.0.1", "b", CPU, f->base + 5000, 8) };
	struct sample second[] = { SAMPLE("10.0.0.1", "b", CPU, f->base + 5000, 6) };
	struct batch batches[] = { { .samples = first, .count = 2 }, { .samples = second, .count = 1 } };
	const struct batch *const all[] = { &batches[0], &batches[1] };
	assert_int_equal(append_batches(f, all, 2), 0);
	assert_string_equal(means(f, QUERY(f, 0, 10000)), "a mem=- cpu=7^7; b mem=- cpu=6^6");
	assert_string_equal(history(f, QUERY(f, 0, 10000, .half = CPU)), "a 5000=7; b 5000=6");
}

/* A collector splits a tick over several PUTs. */
static void test_store_append_two_puts_for_one_tick_are_one(void **state)
{
	struct fixture *f = *state;
	PUT(f, SAMPLE("10.0.0.1", "b", MEM, 10000, 1), SAMPLE("10.0.0.1", "d", MEM, 10000, 2), SAMPLE("10.0.0.1", "b", MEM, 10500, 7));
	PUT(f, SAMPLE("10.0.0.1", "a", MEM, 10000, 3), SAMPLE("10.0.0.1", "b", CPU, 10000, 4), SAMPLE("10.0.0.1", "e", MEM, 10000, 5),
	    SAMPLE("10.0.0.1", "e", MEM, 10200, 6), SAMPLE("10.0.0.1", "b", MEM, 19999, 8));
	assert_string_equal(latest(f, QUERY(f, 0, 10000)), "10.0.0.1/a mem=3@10000 cpu=-; 10.0.0.1/b mem=1@10000 cpu=4@10000; "
	                                                   "10.0.0.1/d mem=2@10000 cpu=-; 10.0.0.1/e mem=5@10000 cpu=-");
	assert_string_equal(history(f, QUERY(f, 0, 30000)), "a 10000=3; b 10000=1 10500=7 19999=8; d 10000=2; e 10000=5 10200=6");
	assert_string_equal(history(f, QUERY(f, 0, 30000, .half = CPU)), "b 10000=4");
	assert_string_equal(hosts(f, 0), "10.0.0.1 19999 1");
}

static void test_store_window_is_open_at_its_start_and_closed_at_its_end(void **state)
{
	struct fixture *f = *state;
	PUT(f, SAMPLE("10.0.0.1", "a", MEM, 9999, 1), SAMPLE("10.0.0.1", "a", MEM, 10000, 2), SAMPLE("10.0.0.1", "a", MEM, 10001, 4),
	    SAMPLE("10.0.0.1", "a", MEM, 19999, 8), SAMPLE("10.0.0.1", "a", MEM, 20000, 16), SAMPLE("10.0.0.1", "a", MEM, 20001, 32));
	static const struct {
		int64_t from, to;
		const char *wanted;
	} cases[] = {
		{ 10000, 20000, "a 10001=4 19999=8 20000=16" },
		{ 9999, 19999, "a 10000=2 10001=4 19999=8" },
		{ 10001, 20001, "a 19999=8 20000=16 20001=32" },
		{ 9998, 9999, "a 9999=1" },
		{ 9999, 10000, "a 10000=2" },
		{ 19999, 20000, "a 20000=16" },
		{ 10000, 10000, "" },
		{ 20001, 90000, "" },
		{ 20000, 10000, "" },
		{ -90000, 9998, "" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		for (int one = 0; one < 2; one++) {
			const char *ip = one ? "10.0.0.1" : NULL;
			assert_string_equal(history(f, QUERY(f, cases[i].from, cases[i].to, .ip = ip)), cases[i].wanted);
		}
	}
	assert_string_equal(means(f, QUERY(f, 10000, 20000)), "a mem=9.333333333^16 cpu=-");
	assert_string_equal(means(f, QUERY(f, 9999, 10000)), "a mem=2^2 cpu=-");
	assert_string_equal(means(f, QUERY(f, 20001, 20002)), "");
	assert_string_equal(latest(f, QUERY(f, 9998, 19999)), "10.0.0.1/a mem=8@19999 cpu=-");
	assert_string_equal(latest(f, QUERY(f, 20000, 20000)), "");
	assert_string_equal(hosts(f, 20000), "10.0.0.1 20001 1");
	assert_string_equal(hosts(f, 20001), "");
	/* From before 1970. */
	assert_string_equal(history(f, QUERY(f, -f->base - 5, 9999)), "a 9999=1");
}

/* Of a collector that took its time from a clock that was wrong. */
static void test_store_hosts_samples_far_ahead_do_not_count(void **state)
{
	struct fixture *f = *state;
	int64_t now = f->now - f->base;
	char wanted[64];
	PUT(f, SAMPLE("10.0.0.1", "a", MEM, now - 1000, 1), SAMPLE("10.0.0.1", "a", MEM, now + HOUR, 2),
	    SAMPLE("10.0.0.1", "b", MEM, now + HOUR, 2));
	snprintf(wanted, sizeof(wanted), "10.0.0.1 %lld 1", (long long)(now - 1000));
	assert_string_equal(hosts(f, 0), wanted);
	PUT(f, SAMPLE("10.0.0.1", "b", MEM, now, 2));
	snprintf(wanted, sizeof(wanted), "10.0.0.1 %lld 1", (long long)now);
	assert_string_equal(hosts(f, 0), wanted);
}

static void test_store_history_steps_are_stamped_at_their_start(void **state)
{
	struct fixture *f = *state;
	PUT(f, SAMPLE("10.0.0.1", "a", MEM, 0, 1), SAMPLE("10.0.0.1", "a", MEM, 6999, 3), SAMPLE("10.0.0.1", "a", MEM, 7000, 5),
	    SAMPLE("10.0.0.1", "a", MEM, 13999, 11), SAMPLE("10.0.0.1", "a", MEM, 21000, 2), SAMPLE("10.0.0.1", "a", MEM, 29999, 4),
	    SAMPLE("10.0.0.2", "a", MEM, 21500, 9));
	static const struct {
		int64_t step;
		enum aggregate aggregate;
		const char *wanted;
	} cases[] = {
		{ 7000, AGGREGATE_MEAN, "a 0=2 7000=8 21000=5.5 28000=4" },
		{ 7000, AGGREGATE_MAX, "a 0=3 7000=11 21000=9 28000=4" },
		{ 10000, AGGREGATE_MEAN, "a 0=3 10000=11 20000=5" },
		{ 10000, AGGREGATE_MAX, "a 0=5 10000=11 20000=9" },
		{ 1000, AGGREGATE_MEAN, "a 0=1 6000=3 7000=5 13000=11 21000=5.5 29000=4" },
		{ 1000, AGGREGATE_MAX, "a 0=1 6000=3 7000=5 13000=11 21000=9 29000=4" },
		{ 70000, AGGREGATE_MEAN, "a 0=5" },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_string_equal(history(f, QUERY(f, -1, 30000, .step_ms = cases[i].step, .aggregate = cases[i].aggregate)),
		                    cases[i].wanted);
	assert_string_equal(history(f, QUERY(f, -1, 30000, .step_ms = 7000, .by_host = true)),
	                    "10.0.0.1/a 0=2 7000=8 21000=2 28000=4; 10.0.0.2/a 21000=9");
	/* What a window cuts off does not count; the bucket is still stamped at its start. */
	assert_string_equal(history(f, QUERY(f, 0, 13998, .step_ms = 7000)), "a 0=3 7000=5");
}

static void test_store_mean_samples_of_all_hosts_weigh_the_same(void **state)
{
	struct fixture *f = *state;
	put_three_hosts(f);
	/* Not the mean of the hosts' means, which would be 11. */
	assert_string_equal(means(f, QUERY(f, 0, 20000)), "a mem=8^20 cpu=-; b mem=2^2 cpu=40^40; c mem=- cpu=30^30");
	assert_string_equal(means(f, QUERY(f, 0, 20000, .by_host = true)),
	                    "10.0.0.1/a mem=2^3 cpu=-; 10.0.0.1/b mem=2^2 cpu=-; 10.0.0.10/b mem=- cpu=40^40; "
	                    "2001:db8::1/a mem=20^20 cpu=-; 2001:db8::1/c mem=- cpu=30^30");
}

static void test_store_queries_narrow_by_ip_process_and_list(void **state)
{
	struct fixture *f = *state;
	static const struct series_key names[] = { { NULL, "a" }, { NULL, "zz" } };
	static const struct series_key series[] = { { "2001:db8::1", "a" }, { "10.0.0.1", "b" }, { "10.0.0.10", "a" }, { "9.9.9.9", "b" } };
	put_three_hosts(f);
	assert_string_equal(means(f, QUERY(f, 0, 20000, .ip = "10.0.0.1")), "a mem=2^3 cpu=-; b mem=2^2 cpu=-");
	assert_string_equal(means(f, QUERY(f, 0, 20000, .ip = "2001:db8::1", .process = "a")), "a mem=20^20 cpu=-");
	assert_string_equal(means(f, QUERY(f, 0, 20000, .process = "b")), "b mem=2^2 cpu=40^40");
	assert_string_equal(means(f, QUERY(f, 0, 20000, .ip = "10.0.0.100")), "");
	assert_string_equal(means(f, QUERY(f, 0, 20000, .process = "B")), "");
	assert_string_equal(latest(f, QUERY(f, 0, 20000, .ip = "10.0.0.1")), "10.0.0.1/a mem=3@11000 cpu=-; 10.0.0.1/b mem=2@1000 cpu=-");
	assert_string_equal(latest(f, QUERY(f, 0, 20000, .process = "a")), "10.0.0.1/a mem=3@11000 cpu=-; 2001:db8::1/a mem=20@1000 cpu=-");
	assert_string_equal(history(f, QUERY(f, 0, 20000, .ip = "10.0.0.1", .process = "a")), "a 1000=1 11000=3");
	assert_string_equal(history(f, QUERY(f, 0, 20000, .ip = "10.0.0.1", .by_host = true)), "10.0.0.1/a 1000=1 11000=3; 10.0.0.1/b 1000=2");
	assert_string_equal(history(f, QUERY(f, 0, 20000, .only = names, .only_count = 2, .ip = "10.0.0.1")), "a 1000=1 11000=3");
	assert_string_equal(history(f, QUERY(f, 0, 20000, .only = series, .only_count = 4, .by_host = true)), "10.0.0.1/b 1000=2; 2001:db8::1/a 1000=20");
	assert_string_equal(history(f, QUERY(f, 0, 20000, .only = series, .only_count = 0)), "");
}

/* A key without an address is of every host, in all reads. */
static void test_store_queries_narrow_by_several_processes(void **state)
{
	struct fixture *f = *state;
	static const struct series_key two[] = { { NULL, "c" }, { NULL, "zz" }, { NULL, "a" } };
	put_three_hosts(f);
	assert_string_equal(means(f, QUERY(f, 0, 20000, .only = two, .only_count = 3)), "a mem=8^20 cpu=-; c mem=- cpu=30^30");
	assert_string_equal(means(f, QUERY(f, 0, 20000, .only = two, .only_count = 3, .by_host = true)),
	                    "10.0.0.1/a mem=2^3 cpu=-; 2001:db8::1/a mem=20^20 cpu=-; 2001:db8::1/c mem=- cpu=30^30");
	assert_string_equal(means(f, QUERY(f, 0, 20000, .only = two, .only_count = 3, .ip = "10.0.0.1")), "a mem=2^3 cpu=-");
	assert_string_equal(means(f, QUERY(f, 0, 20000, .only = two, .only_count = 2)), "c mem=- cpu=30^30");
	assert_string_equal(means(f, QUERY(f, 0, 20000, .only = two, .only_count = 0)), "");
	assert_string_equal(latest(f, QUERY(f, 0, 20000, .only = two, .only_count = 3)),
	                    "10.0.0.1/a mem=3@11000 cpu=-; 2001:db8::1/a mem=20@1000 cpu=-; 2001:db8::1/c mem=- cpu=30@1000");
	assert_string_equal(latest(f, QUERY(f, 0, 20000, .only = two, .only_count = 0)), "");
	assert_string_equal(history(f, QUERY(f, 0, 20000, .only = two, .only_count = 3)), "a 1000=1 1000=20 11000=3");
	assert_string_equal(history(f, QUERY(f, 0, 20000, .only = two, .only_count = 3, .by_host = true)),
	                    "10.0.0.1/a 1000=1 11000=3; 2001:db8::1/a 1000=20");
	assert_string_equal(history(f, QUERY(f, 0, 20000, .only = two, .only_count = 3, .by_host = true, .step_ms = 10000)),
	                    "10.0.0.1/a 0=1 10000=3; 2001:db8::1/a 0=20");
}

/* As many names as a request may have, and more. */
static void test_store_mean_and_latest_of_many_listed_names(void **state)
{
	struct fixture *f = *state;
	enum { NAMES = 120 };
	char names[NAMES][16];
	struct sample samples[NAMES];
	struct series_key keys[NAMES];
	for (int i = 0; i < NAMES; i++) {
		snprintf(names[i], sizeof(names[i]), "p%d", i);
		samples[i] = SAMPLE("10.0.0.1", names[i], MEM, 1000, i);
		keys[i] = (struct series_key){ NULL, names[i] };
	}
	assert_int_equal(append(f, samples, NAMES), 0);
	settle(f);
	static const size_t counts[] = { 2, 50, NAMES - 1 };
	for (size_t i = 0; i < COUNT_OF(counts); i++) {
		struct store_rows rows;
		assert_int_equal(f->ops->mean(f->store, QUERY(f, 0, 20000, .only = keys, .only_count = counts[i]), &rows), 0);
		assert_int_equal(rows.count, counts[i]);
		store_rows_free(&rows);
		assert_int_equal(f->ops->latest(f->store, QUERY(f, 0, 20000, .only = keys, .only_count = counts[i]), &rows), 0);
		assert_int_equal(rows.count, counts[i]);
		store_rows_free(&rows);
	}
}

/* Spans that end long before now, at an edge of what stores cut what they keep into; after the base. */
static void check_past_spans(struct fixture *f, int64_t edge)
{
	PUT(f, SAMPLE("10.0.0.1", "a", MEM, edge - 1, 1), SAMPLE("10.0.0.1", "a", MEM, edge, 2), SAMPLE("10.0.0.1", "a", MEM, edge + 1, 4),
	    SAMPLE("10.0.0.2", "a", MEM, edge, 6), SAMPLE("10.0.0.1", "b", MEM, edge + 1, 8), SAMPLE("10.0.0.1", "a", MEM, edge + HOUR, 16),
	    SAMPLE("10.0.0.1", "a", MEM, edge + HOUR + 1, 32), SAMPLE("10.0.0.1", "a", CPU, edge + 1800000, 64));
	static const struct series_key both[] = { { NULL, "a" }, { NULL, "b" } };
	static const struct {
		int64_t from, to; /* after the edge */
		const char *means, *by_host, *latest;
	} cases[] = {
		{ -1, 0, "a mem=4^6 cpu=-", "10.0.0.1/a mem=2^2 cpu=-; 10.0.0.2/a mem=6^6 cpu=-", "10.0.0.1/a mem=2@0 cpu=-; 10.0.0.2/a mem=6@0 cpu=-" },
		{ -2, -1, "a mem=1^1 cpu=-", "10.0.0.1/a mem=1^1 cpu=-", "10.0.0.1/a mem=1@-1 cpu=-" },
		{ 0, HOUR, "a mem=10^16 cpu=64^64; b mem=8^8 cpu=-", "10.0.0.1/a mem=10^16 cpu=64^64; 10.0.0.1/b mem=8^8 cpu=-",
		  "10.0.0.1/a mem=16@3600000 cpu=64@1800000; 10.0.0.1/b mem=8@1 cpu=-" },
		{ -2, 1, "a mem=3.25^6 cpu=-; b mem=8^8 cpu=-", "10.0.0.1/a mem=2.333333333^4 cpu=-; 10.0.0.1/b mem=8^8 cpu=-; 10.0.0.2/a mem=6^6 cpu=-",
		  "10.0.0.1/a mem=4@1 cpu=-; 10.0.0.1/b mem=8@1 cpu=-; 10.0.0.2/a mem=6@0 cpu=-" },
		{ HOUR, HOUR + 1, "a mem=32^32 cpu=-", "10.0.0.1/a mem=32^32 cpu=-", "10.0.0.1/a mem=32@3600001 cpu=-" },
		{ 1, 1800000, "a mem=- cpu=64^64", "10.0.0.1/a mem=- cpu=64^64", "10.0.0.1/a mem=- cpu=64@1800000" },
		{ 1, 1799999, "", "", "" },
	};
	const int64_t base = f->base;
	for (int i = 0; i < 2; i++) { /* also what the store read from its disk */
		for (size_t j = 0; j < COUNT_OF(cases); j++) {
			f->base = base + edge;
			int64_t from = cases[j].from, to = cases[j].to;
			assert_string_equal(means(f, QUERY(f, from, to)), cases[j].means);
			assert_string_equal(means(f, QUERY(f, from, to, .by_host = true)), cases[j].by_host);
			assert_string_equal(means(f, QUERY(f, from, to, .only = both, .only_count = 2, .by_host = true)), cases[j].by_host);
			assert_string_equal(latest(f, QUERY(f, from, to, .only = both, .only_count = 2)), cases[j].latest);
		}
		assert_string_equal(history(f, QUERY(f, -1, 0)), "a 0=2 0=6");
		assert_string_equal(history(f, QUERY(f, -1, 0, .step_ms = HOUR)), "a 0=4");
		assert_string_equal(history(f, QUERY(f, -1, HOUR, .process = "a")), "a 0=2 0=6 1=4 3600000=16");
		assert_string_equal(history(f, QUERY(f, -1, HOUR, .step_ms = HOUR)), "a 0=4 3600000=16; b 0=8");
		assert_string_equal(history(f, QUERY(f, 0, HOUR, .step_ms = 2 * HOUR, .aggregate = AGGREGATE_MAX, .process = "b",
		                                     .by_host = true)),
		                    (base + edge) / HOUR % 2 ? "10.0.0.1/b -3600000=8" : "10.0.0.1/b 0=8");
		f->base = base;
		reopen(f);
	}
}

static void test_store_past_spans_are_open_at_their_start_and_closed_at_their_end(void **state)
{
	struct fixture *f = *state;
	check_past_spans(f, -(f->base % HOUR) - 2 * HOUR);
}

/* VictoriaMetrics 1.79.5 (Debian 12), asked for what ends with a midnight of UTC, looks through the series of the days
 * before alone: what begins at that very time is not among them (findings/victoriametrics-midnight.sh). */
static void test_store_spans_that_end_with_a_day_have_what_begins_then(void **state)
{
	struct fixture *f = *state;
	check_past_spans(f, -((f->base - 3 * HOUR) % DAY) - 3 * HOUR);
}

/* No name has them, and not every query language can say them. */
static void test_store_queries_of_names_with_control_characters_are_empty(void **state)
{
	struct fixture *f = *state;
	static const char *const names[] = { "a\nb", "\n", "a\x7f", "a\x01", "\r", "\xc2\x85", "\xff" };
	put_three_hosts(f);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_string_equal(means(f, QUERY(f, 0, 20000, .process = names[i])), "");
		assert_string_equal(latest(f, QUERY(f, 0, 20000, .process = names[i])), "");
		assert_string_equal(history(f, QUERY(f, 0, 20000, .process = names[i])), "");
		assert_string_equal(history(f, QUERY(f, 0, 20000, .process = names[i], .step_ms = 10000)), "");
		assert_int_equal(f->ops->health(f->store), 0);
	}
}

/* CPU and memory of one process come and go apart from each other. */
static void test_store_latest_newest_of_each_resource(void **state)
{
	struct fixture *f = *state;
	PUT(f, SAMPLE("10.0.0.1", "a", MEM, 1000, 1), SAMPLE("10.0.0.1", "a", CPU, 1000, 2), SAMPLE("10.0.0.1", "b", CPU, 1000, 0));
	PUT(f, SAMPLE("10.0.0.1", "a", CPU, 12000, 3));
	PUT(f, SAMPLE("10.0.0.1", "a", CPU, 11000, 4));
	assert_string_equal(latest(f, QUERY(f, 0, 20000)), "10.0.0.1/a mem=1@1000 cpu=3@12000; 10.0.0.1/b mem=- cpu=0@1000");
	assert_string_equal(latest(f, QUERY(f, 1000, 20000)), "10.0.0.1/a mem=- cpu=3@12000");
	assert_string_equal(latest(f, QUERY(f, 0, 11999)), "10.0.0.1/a mem=1@1000 cpu=4@11000; 10.0.0.1/b mem=- cpu=0@1000");
	assert_string_equal(means(f, QUERY(f, 0, 20000)), "a mem=1^1 cpu=3^4; b mem=- cpu=0^0");
	assert_string_equal(hosts(f, 0), "10.0.0.1 12000 1");
}

static void test_store_metrics_are_apart(void **state)
{
	struct fixture *f = *state;
	for (int metric = 0; metric < METRIC_COUNT; metric++) {
		if (!sample_is_metric((enum metric)metric))
			continue;
		struct sample sample = SAMPLE("10.0.0.1", "a", MEM, 1000, metric + 0.5);
		sample.metric = (enum metric)metric;
		assert_int_equal(append(f, &sample, 1), 0);
	}
	for (int metric = 0; metric < METRIC_COUNT; metric++) {
		if (!sample_is_metric((enum metric)metric))
			continue;
		char wanted[64];
		snprintf(wanted, sizeof(wanted), "10.0.0.1/a mem=%g@1000 cpu=-", metric + 0.5);
		struct query *query = QUERY(f, 0, 20000);
		query->metric = (enum metric)metric;
		assert_string_equal(latest(f, query), wanted);
		snprintf(wanted, sizeof(wanted), "a 1000=%g", metric + 0.5);
		assert_string_equal(history(f, query), wanted);
	}
	/* A host that has only alarms has not been seen. */
	struct sample alarm = SAMPLE("10.0.0.2", "*", CPU, 1000, 3);
	alarm.metric = METRIC_ALARM;
	assert_int_equal(append(f, &alarm, 1), 0);
	assert_string_equal(hosts(f, 0), "10.0.0.1 1000 1");
	reopen(f);
	assert_string_equal(hosts(f, 0), "10.0.0.1 1000 1");
}

/* Two further resources are the halves of a metric of their own, and beside usage; a host that has them alone has not been
 * seen. */
static void test_store_further_resources_are_read_together(void **state)
{
	struct fixture *f = *state;
	struct sample samples[] = {
		SAMPLE("10.0.0.1", "a", MEM, 1000, 1), SAMPLE("10.0.0.1", "a", CPU, 1000, 2),
		SAMPLE("10.0.0.1", "a", MEM, 1000, 4096), SAMPLE("10.0.0.1", "a", CPU, 1000, 2500000000),
		SAMPLE("10.0.0.1", "a", MEM, 11000, 8192), SAMPLE("10.0.0.2", "a", CPU, 11000, 12),
	};
	for (size_t i = 2; i < COUNT_OF(samples); i++)
		samples[i].metric = sample_usage(RESOURCE_READ);
	assert_int_equal(append(f, samples, COUNT_OF(samples)), 0);
	struct query *query = QUERY(f, 0, 20000);
	query->metric = sample_usage(RESOURCE_WRITE);
	query->by_host = true;
	assert_string_equal(latest(f, query), "10.0.0.1/a mem=8192@11000 cpu=2500000000@1000; 10.0.0.2/a mem=- cpu=12@11000");
	query->by_host = false;
	assert_string_equal(means(f, query), "a mem=6144^8192 cpu=1250000006^2500000000");
	query->half = HALF_SECOND;
	assert_string_equal(history(f, query), "a 1000=2500000000 11000=12");
	query->unwanted[HALF_FIRST] = true;
	query->process = "b";
	assert_string_equal(latest(f, query), "");
	assert_string_equal(latest(f, QUERY(f, 0, 20000)), "10.0.0.1/a mem=1@1000 cpu=2@1000");
	assert_string_equal(hosts(f, 0), "10.0.0.1 1000 1");
}

static void test_store_append_hostile_names_come_back_the_same(void **state)
{
	struct fixture *f = *state;
	static const char *const names[] = {
		"a) R 1 (", "\"", "\\", "trailing\\", ",=", "a b", "%", "%5C", "${x}", "'; DROP TABLE sample; --", "\xc3\xa9\xe2\x82\xac",
		"\xf0\x9f\x98\x80", "\" or true or \"", "${1+1}", "' or 1=1 or '", "other", "*", "?", "A", "a", "null", "0", "|", "#", "/.+/",
	};
	char longest[WIRE_NAME_SIZE];
	memset(longest, 'x', WIRE_NAME_MAX);
	longest[WIRE_NAME_MAX] = '\0';
	static const struct series_key listed[] = { { NULL, "\" or true or \"" }, { NULL, "${1+1}" }, { NULL, "a|b" }, { NULL, "\\" } };
	for (size_t i = 0; i < COUNT_OF(names); i++)
		PUT(f, SAMPLE("10.0.0.1", names[i], MEM, 1000, (double)i));
	PUT(f, SAMPLE("10.0.0.1", longest, MEM, 1000, 255));
	for (int again = 0; again < 2; again++) {
		for (size_t i = 0; i <= COUNT_OF(names); i++) {
			const char *name = i < COUNT_OF(names) ? names[i] : longest;
			struct store_rows rows;
			settle(f);
			assert_int_equal(f->ops->mean(f->store, QUERY(f, 0, 20000, .process = name), &rows), 0);
			assert_int_equal(rows.count, 1);
			assert_string_equal(rows.items[0].key.process, name);
			assert_true(rows.items[0].value[MEM] == (i < COUNT_OF(names) ? (double)i : 255));
			store_rows_free(&rows);
		}
		assert_string_equal(history(f, QUERY(f, 0, 20000, .only = listed, .only_count = COUNT_OF(listed))),
		                    "\" or true or \" 1000=12; ${1+1} 1000=13; \\ 1000=2");
		reopen(f);
	}
}

/* 0, then 0.5, then 100 on one series: no type of the first value sticks. */
static void test_store_append_any_value_comes_back_bit_for_bit(void **state)
{
	struct fixture *f = *state;
	static const double values[] = { 0, 0.5, 100, 0.001, 12.345, 1.0 / 3, 99.99999999999999, 1e12, 5e-324 };
	/* VictoriaMetrics keeps the values of a block to the same number of decimals: the extremes would cost the others theirs. */
	size_t count = COUNT_OF(values) - (engine->approximate ? 2 : 0);
	for (size_t i = 0; i < count; i++)
		PUT(f, SAMPLE("10.0.0.1", "a", MEM, 1000 + (int64_t)i * 3000, values[i]));
	struct store_history answer;
	settle(f);
	assert_int_equal(f->ops->history(f->store, QUERY(f, 0, 100000), &answer), 0);
	assert_int_equal(answer.items[0].count, count);
	for (size_t i = 0; i < count; i++) {
		if (engine->approximate)
			assert_true(fabs(answer.points[i].value - values[i]) <= 1e-12 * values[i]);
		else
			assert_memory_equal(&answer.points[i].value, &values[i], sizeof(double));
	}
	store_history_free(&answer);
}

/* VictoriaMetrics 1.79.5 and 1.151.0 keep the values of a block as integers of 64 bits with one exponent
 * (AppendFloatToDecimal() of its lib/decimal): beside 1e18 these would be 12, 0 and 0 (findings/victoriametrics-neighbours.sh).
 * The most that a sample may be leaves the others six decimals. */
static void test_store_append_beside_the_largest_value_others_keep_six_decimals(void **state)
{
	struct fixture *f = *state;
	static const double values[] = { 12.1, 0.123, 1.0 / 3, WIRE_VALUE_MAX };
	for (size_t i = 0; i < COUNT_OF(values); i++)
		PUT(f, SAMPLE("10.0.0.1", "a", MEM, 1000 + (int64_t)i * 3000, values[i]));
	struct store_history answer;
	settle(f);
	assert_int_equal(f->ops->history(f->store, QUERY(f, 0, 100000), &answer), 0);
	assert_int_equal(answer.items[0].count, COUNT_OF(values));
	for (size_t i = 0; i < COUNT_OF(values); i++)
		assert_true(fabs(answer.points[i].value - values[i]) <= (engine->approximate ? 1e-6 : 0));
	store_history_free(&answer);
}

/* Of one series, as a forecast after the other has them, and of several at one time. */
static void test_store_latest_probabilities_come_back(void **state)
{
	struct fixture *f = *state;
	static const double values[] = { 0, 1.0 / 3, 1, 1e-6, 0.1 + 0.2, 0.9999999, 2.0 / 3, 1e-9, 0.83 };
	for (size_t i = 0; i < COUNT_OF(values); i++) {
		char process[8];
		snprintf(process, sizeof(process), "p%zu", i);
		struct sample samples[] = { SAMPLE("10.0.0.1", "a", MEM, f->base + 1000 + (int64_t)i * 60000, values[i]),
			                        SAMPLE("10.0.0.1", process, MEM, f->base + 1000, values[i]) };
		samples[0].metric = samples[1].metric = METRIC_FORECAST_PROBABILITY;
		struct batch batch = { .samples = samples, .count = 2 };
		const struct batch *const batches[] = { &batch };
		assert_int_equal(append_batches(f, batches, 1), 0);
	}
	for (size_t i = 0; i < COUNT_OF(values); i++) {
		char process[8];
		struct store_rows rows;
		snprintf(process, sizeof(process), "p%zu", i);
		settle(f);
		for (int one = 0; one < 2; one++) {
			int64_t time_ms = 1000 + (one ? 0 : (int64_t)i * 60000);
			struct query *query = QUERY(f, time_ms - 1000, time_ms, .process = one ? process : "a");
			query->metric = METRIC_FORECAST_PROBABILITY;
			assert_int_equal(f->ops->latest(f->store, query, &rows), 0);
			assert_int_equal(rows.count, 1);
			assert_true(fabs(rows.items[0].value[MEM] - values[i]) <= 1e-9);
			assert_int_equal(rows.items[0].time_ms[MEM], f->base + time_ms);
			store_rows_free(&rows);
		}
	}
}

static void test_store_history_over_max_points_is_too_big(void **state)
{
	struct fixture *f = *state;
	PUT(f, SAMPLE("10.0.0.1", "a", MEM, 1000, 1), SAMPLE("10.0.0.1", "a", MEM, 2000, 1), SAMPLE("10.0.0.1", "b", MEM, 1000, 1));
	struct store_history untouched, answer;
	memset(&untouched, 0x5a, sizeof(untouched));
	memcpy(&answer, &untouched, sizeof(answer));
	struct query *query = QUERY(f, 0, 20000);
	query->max_points = 2;
	settle(f);
	assert_int_equal(f->ops->history(f->store, query, &answer), -E2BIG);
	assert_memory_equal(&answer, &untouched, sizeof(answer));
	query->max_points = 3;
	assert_string_equal(history(f, query), "a 1000=1 2000=1; b 1000=1");
	query->max_points = 2;
	query->step_ms = 5000;
	assert_string_equal(history(f, query), "a 0=1; b 0=1");
	query->step_ms = 0;
	query->process = "a";
	assert_string_equal(history(f, query), "a 1000=1 2000=1");
}

static void test_store_close_and_open_all_is_there(void **state)
{
	struct fixture *f = *state;
	put_three_hosts(f);
	PUT(f, SAMPLE("10.0.0.1", "a", MEM, 3456789, 5)); /* much later than what the tables first knew */
	PUT(f, SAMPLE("10.0.0.1", "d", MEM, 3456780, 5), SAMPLE("10.0.0.1", "a", CPU, 3456789, 6));
	PUT(f, SAMPLE("10.0.0.10", "a", MEM, 400000, 5));
	const char *seen = "10.0.0.1 3456789 1; 10.0.0.10 400000 1; 2001:db8::1 1000 2";
	assert_string_equal(hosts(f, 0), seen);
	for (int i = 0; i < 3; i++) {
		reopen(f);
		assert_string_equal(hosts(f, 0), seen);
		assert_string_equal(means(f, QUERY(f, 0, 20000)), "a mem=8^20 cpu=-; b mem=2^2 cpu=40^40; c mem=- cpu=30^30");
		assert_string_equal(latest(f, QUERY(f, 3000000, 4000000)), "10.0.0.1/a mem=5@3456789 cpu=6@3456789; 10.0.0.1/d mem=5@3456780 cpu=-");
	}
	PUT(f, SAMPLE("10.0.0.1", "new", MEM, 1000, 7), SAMPLE("10.0.0.11", "a", MEM, 1000, 8));
	assert_string_equal(means(f, QUERY(f, 0, 20000, .process = "new")), "new mem=7^7 cpu=-");
	assert_string_equal(means(f, QUERY(f, 0, 20000, .ip = "10.0.0.11")), "a mem=8^8 cpu=-");
}

/* On every engine, also where one of the written values is as good as another. */
static void test_store_append_written_again_counts_once(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < 3; i++) {
		PUT(f, SAMPLE("10.0.0.1", "a", CPU, 5000, 1), SAMPLE("10.0.0.1", "a", CPU, 6000, 5));
		assert_string_equal(means(f, QUERY(f, 0, 10000)), "a mem=- cpu=3^5");
		assert_string_equal(history(f, QUERY(f, 0, 10000, .half = CPU)), "a 5000=1 6000=5");
		assert_string_equal(history(f, QUERY(f, 0, 10000, .half = CPU, .step_ms = 10000)), "a 0=3");
	}
}

/* ---- several threads ---- */

enum { READERS = 3, BATCHES = 60, BATCH_NAMES = 40 };

struct race {
	struct fixture *f;
	atomic_bool done;
	atomic_uint reads;
};

static void *read_all(void *user)
{
	struct race *race = user;
	struct fixture *f = race->f;
	while (!atomic_load(&race->done)) {
		struct store_rows rows;
		struct store_history points;
		struct store_hosts seen;
		if (f->ops->mean(f->store, QUERY(f, 0, HOUR, .by_host = true), &rows) != 0)
			abort();
		store_rows_free(&rows);
		if (f->ops->history(f->store, QUERY(f, 0, HOUR, .ip = "10.0.0.7"), &points) != 0)
			abort();
		store_history_free(&points);
		if (f->ops->latest(f->store, QUERY(f, 0, HOUR), &rows) != 0)
			abort();
		store_rows_free(&rows);
		if (f->ops->hosts(f->store, f->base, f->now + STORE_AHEAD_MS, &seen) != 0)
			abort();
		store_hosts_free(&seen);
		atomic_fetch_add(&race->reads, 1);
	}
	return NULL;
}

static void test_store_reads_during_appends_all_is_there_in_the_end(void **state)
{
	struct fixture *f = *state;
	struct race race = { .f = f };
	pthread_t readers[READERS];
	char ip[32], names[BATCH_NAMES][32];
	for (int i = 0; i < READERS; i++)
		pthread_create(&readers[i], NULL, read_all, &race);
	for (int i = 0; i < BATCHES; i++) {
		struct sample samples[BATCH_NAMES];
		snprintf(ip, sizeof(ip), "10.0.0.%d", i);
		for (int j = 0; j < BATCH_NAMES; j++) {
			snprintf(names[j], sizeof(names[j]), "p%d.%d", i, j);
			samples[j] = SAMPLE(ip, names[j], MEM, 10000 + i * 1000, j);
		}
		assert_int_equal(append(f, samples, BATCH_NAMES), 0);
		if (i % 8 == 7 && engine->seal)
			engine->seal(f->config);
	}
	atomic_store(&race.done, true);
	for (int i = 0; i < READERS; i++)
		pthread_join(readers[i], NULL);
	assert_true(atomic_load(&race.reads) > 0);
	settle(f);
	/* VictoriaMetrics 1.151 keeps for up to ten seconds that a series was not there when it was asked for. */
	size_t count = 0;
	for (int i = 0; i < 300 && count < BATCHES * BATCH_NAMES; i++) {
		struct store_rows rows;
		assert_int_equal(f->ops->latest(f->store, QUERY(f, 0, HOUR), &rows), 0);
		count = rows.count;
		store_rows_free(&rows);
		if (count < BATCHES * BATCH_NAMES)
			usleep(100000);
	}
	assert_int_equal(count, BATCHES * BATCH_NAMES);
}

/* Above what a query names one by one, the answer is the same. */
static void test_store_history_of_many_listed_series(void **state)
{
	struct fixture *f = *state;
	enum { NAMES = 1200 };
	char (*names)[32] = calloc(NAMES, sizeof(*names));
	struct sample *samples = calloc(NAMES, sizeof(*samples));
	struct series_key *keys = calloc(NAMES, sizeof(*keys));
	assert_true(names && samples && keys);
	for (int i = 0; i < NAMES; i++) {
		snprintf(names[i], sizeof(names[i]), "p%d", i);
		samples[i] = SAMPLE("10.0.0.1", names[i], MEM, 1000, i);
		keys[i] = (struct series_key){ "10.0.0.1", names[i] };
	}
	assert_int_equal(append(f, samples, NAMES), 0);
	settle(f);
	static const size_t counts[] = { 1, 49, 50, 51, 400, NAMES - 1 };
	for (size_t i = 0; i < COUNT_OF(counts); i++) {
		struct store_history answer;
		assert_int_equal(f->ops->history(f->store, QUERY(f, 0, 20000, .only = keys, .only_count = counts[i],
		                                                 .by_host = true), &answer), 0);
		assert_int_equal(answer.count, counts[i]);
		store_history_free(&answer);
	}
	free(names);
	free(samples);
	free(keys);
}

static void test_store_find_names_of_engines(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(engines); i++)
		assert_ptr_equal(store_find(engines[i].ops->name), engines[i].ops);
	assert_null(store_find(""));
	assert_null(store_find("SQLite"));
	struct text names = TEXT_EMPTY;
	store_append_names(&names);
	assert_string_equal(names.data, "sqlite, influxdb3, influxdb2, influxql, victoriametrics");
	text_free(&names);
}

static void test_store_step_start_is_before_the_time_or_at_it(void **state)
{
	(void)state;
	static const int64_t cases[][3] = { /* a time, a step, its start */
		{ 0, 10, 0 }, { 9, 10, 0 }, { 10, 10, 10 }, { 25, 7, 21 }, { -1, 10, -10 }, { -10, 10, -10 }, { -11, 10, -20 }, { 5, 1, 5 },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_int_equal(store_step_start(cases[i][0], cases[i][1]), cases[i][2]);
}

static void test_store_wants_what_is_asked_for_and_there_is(void **state)
{
	(void)state;
	const struct query one = { .metric = METRIC_USAGE, .unwanted = { [HALF_SECOND] = true } },
	                   none = { .metric = METRIC_COUNT };
	assert_true(store_wants(&one, HALF_FIRST));
	assert_false(store_wants(&one, HALF_SECOND));
	assert_false(store_wants(&none, HALF_FIRST));
}

static void test_store_compare_keys_is_by_host_and_then_by_process(void **state)
{
	(void)state;
	/* In order; without a host it is of all of them. */
	static const struct series_key keys[] = { { "10.0.0.1", "b" }, { "10.0.0.2", "a" }, { "10.0.0.2", "b" } }, a = { NULL, "a" };
	for (int i = 0; i < 3; i++) {
		for (int j = 0; j < 3; j++) {
			int order = store_compare_keys(&keys[i], &keys[j]);
			assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
		}
	}
	assert_int_equal(store_compare_keys(&a, &keys[1]), 0);
	assert_true(store_compare_keys(&a, &keys[2]) < 0 && store_compare_keys(&keys[2], &a) > 0);
}

static void test_store_leave_out_is_counted_and_said_once(void **state)
{
	(void)state;
	static const char name[] = "vigie_unusable_values_total";
	double before = metric_value(name, NULL, 0);
	captured_stderr_begin();
	store_leave_out("first", 0);
	store_leave_out("second", 3);
	store_leave_out("third", 4);
	assert_int_equal(captured_stderr_end(), 1);
	assert_non_null(strstr(captured_stderr_text(), "store second: it holds values that cannot be right"));
	assert_true(metric_value(name, NULL, 0) == before + 7);
}

/* Of its own section alone, and by the option's name. */
static void test_store_check_config_table(void **state)
{
	(void)state;
	static const struct {
		const struct store_ops *ops;
		const char *option;
		const char *error; /* how the sentence begins; NULL: it is right */
	} cases[] = {
		{ &store_sqlite, NULL, NULL },
		{ &store_sqlite, "sqlite.path=a b/c:d.db", NULL },
		{ &store_sqlite, "sqlite.path=", "sqlite.path: '' is no path of a file" },
		{ &store_sqlite, "sqlite.path=:memory:", "sqlite.path: ':memory:' is no path of a file" },
		{ &store_sqlite, "sqlite.path=file:a.db", "sqlite.path: 'file:a.db' is no path of a file" },
		{ &store_sqlite, "influxql.url=localhost:8086", NULL },
		{ &store_influxdb3, NULL, NULL },
		{ &store_influxdb3, "influxdb3.database=9-a_Z", NULL },
		{ &store_influxdb3, "influxdb3.url=localhost:8181", "influxdb3.url: 'localhost:8181' is no " },
		{ &store_influxdb3, "influxdb3.database=", "influxdb3.database: '' is none: " },
		{ &store_influxdb3, "influxdb3.database=_a", "influxdb3.database: '_a' is none: " },
		{ &store_influxdb3, "influxdb3.database=a b", "influxdb3.database: 'a b' is none: " },
		{ &store_influxdb3, "influxdb3.database=a/b", "influxdb3.database: 'a/b' is none: " },
		{ &store_influxdb3, "influxdb3.database=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
		  "influxdb3.database: 'xxx" },
		{ &store_influxdb2, NULL, NULL },
		{ &store_influxdb2, "influxdb2.url=https://[::1]:8086/", NULL },
		{ &store_influxdb2, "influxdb2.url=localhost:8086", "influxdb2.url: 'localhost:8086' is no " },
		{ &store_influxdb2, "influxql.url=localhost:8086", NULL },
		{ &store_influxql, NULL, NULL },
		{ &store_influxql, "influxql.url=ftp://localhost/", "influxql.url: 'ftp://localhost/' is no " },
		{ &store_influxql, "influxdb2.url=localhost:8086", NULL },
		{ &store_victoriametrics, NULL, NULL },
		{ &store_victoriametrics, "victoriametrics.insert_url=", "victoriametrics.insert_url: '' is no " },
		{ &store_victoriametrics, "victoriametrics.select_url=/select", "victoriametrics.select_url: '/select' is no " },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct text error = TEXT_EMPTY;
		struct config *config = config_of((const char *const[]){ cases[i].option, NULL });
		int result = cases[i].ops->check_config(config, &error);
		if (result != (cases[i].error ? -EINVAL : 0))
			fail_msg("%s, %s: %d", cases[i].ops->name, cases[i].option, result);
		if (cases[i].error && strncmp(error.data, cases[i].error, strlen(cases[i].error)) != 0)
			fail_msg("%s", error.data);
		text_free(&error);
		config_free(config);
	}
}

/* A keeper that has read what there is, of wishes and silences of its own. */
struct keeping {
	struct silences *silences;
	struct wishes *wishes;
	struct writer *writer;
	struct keeper *keeper;
};

static struct keeping keep(struct fixture *f)
{
	struct keeping kept = { .silences = silences_open(), .wishes = wishes_open() };
	assert_int_equal(writer_open(f->ops, f->store, 1 << 20, &kept.writer), 0);
	assert_non_null(kept.wishes);
	assert_non_null(kept.silences);
	settle(f);
	const struct keeper_table tables[] = { wishes_table(kept.wishes), silences_table(kept.silences) };
	assert_int_equal(keeper_open(f->ops, f->store, kept.writer, tables, 2, &kept.keeper), 0);
	WAIT_FOR(keeper_knows(kept.keeper), 60000);
	return kept;
}

static void keep_no_longer(struct keeping *kept)
{
	keeper_close(kept->keeper);
	writer_close(kept->writer);
	wishes_close(kept->wishes);
	silences_close(kept->silences);
}

static void express(struct fixture *f, const struct keeping *keeping, enum wire_service service, const char *ip, bool stop)
{
	char refusal[STORE_REFUSAL_SIZE];
	struct wish wish = { .service = service, .stop = stop };
	strcpy(wish.ip, ip);
	const struct kept kept = wishes_kept(&wish);
	assert_int_equal(keeper_put(keeping->keeper, METRIC_WISH, &kept, refusal), 0);
	f->unsettled = true;
}

static void test_store_wishes_are_there_after_a_restart(void **state)
{
	struct fixture *f = *state;
	struct keeping kept = keep(f);
	express(f, &kept, WIRE_COLLECTOR, "10.0.0.1", true);
	express(f, &kept, WIRE_ALERT, "", true);
	express(f, &kept, WIRE_FORECAST, "", true);
	express(f, &kept, WIRE_COLLECTOR, "", true);
	express(f, &kept, WIRE_COLLECTOR, "fe80::a", false);
	express(f, &kept, WIRE_FORECAST, "", false);
	for (int i = 0; i < 2; i++) {
		assert_true(wishes_stop(kept.wishes, WIRE_COLLECTOR, "10.0.0.1"));
		assert_true(wishes_stop(kept.wishes, WIRE_COLLECTOR, "10.0.0.2"));
		assert_false(wishes_stop(kept.wishes, WIRE_COLLECTOR, "fe80::a"));
		assert_true(wishes_stop(kept.wishes, WIRE_ALERT, ""));
		assert_false(wishes_stop(kept.wishes, WIRE_FORECAST, ""));
		keep_no_longer(&kept);
		reopen(f);
		kept = keep(f);
	}
	keep_no_longer(&kept);
	/* They are no host, and no process of one. */
	assert_string_equal(hosts(f, -1), "");
	assert_string_equal(latest(f, QUERY(f, -1, 100000)), "");
}

static void silence(struct fixture *f, const struct keeping *keeping, const struct silence *silence, bool end)
{
	char refusal[STORE_REFUSAL_SIZE];
	struct kept kept;
	assert_int_equal(silences_keep(silence, &kept), 0);
	if (end)
		kept.value = 0;
	assert_int_equal(keeper_put(keeping->keeper, METRIC_SILENCE, &kept, refusal), 0);
	f->unsettled = true;
}

static void test_store_silences_are_there_after_a_restart(void **state)
{
	struct fixture *f = *state;
	struct keeping kept = keep(f);
	int64_t until_ms = clock_wall_ms() + 3600123;
	const struct silence stands = { .id = "1", .process = "a \\*[b]", .ip = "fe80::*", .resource = "?em", .by = "Anna Müller",
	                                .comment = "100 % of \"it\", that's all\\", .until_ms = until_ms },
	                     ended = { .id = "2", .process = "*", .ip = "*", .resource = "*", .until_ms = until_ms + 1 };
	silence(f, &kept, &stands, false);
	silence(f, &kept, &ended, false);
	silence(f, &kept, &ended, true);
	for (int i = 0; i < 2; i++) {
		struct silence *silences;
		size_t count;
		assert_int_equal(silences_list(kept.silences, clock_wall_ms(), &silences, &count), 0);
		assert_int_equal(count, 1);
		assert_string_equal(silences->id, stands.id);
		assert_string_equal(silences->process, stands.process);
		assert_string_equal(silences->ip, stands.ip);
		assert_string_equal(silences->resource, stands.resource);
		assert_string_equal(silences->by, stands.by);
		assert_string_equal(silences->comment, stands.comment);
		assert_int_equal(silences->until_ms, stands.until_ms);
		free(silences);
		keep_no_longer(&kept);
		reopen(f);
		kept = keep(f);
	}
	keep_no_longer(&kept);
	assert_string_equal(hosts(f, -1), "");
	assert_string_equal(latest(f, QUERY(f, -1, 100000)), "");
}

int main(void)
{
	static const struct CMUnitTest contract[] = {
		CASE(test_store_append_empty_store_and_empty_batches_are_empty_answers),
		CASE(test_store_history_any_order_of_writing_comes_back_oldest_first),
		CASE(test_store_history_of_several_hosts_is_by_time_and_address),
		CASE(test_store_append_written_again_the_later_value_counts),
		CASE(test_store_append_written_again_counts_once),
		CASE(test_store_append_two_puts_for_one_tick_are_one),
		CASE(test_store_window_is_open_at_its_start_and_closed_at_its_end),
		CASE(test_store_hosts_samples_far_ahead_do_not_count),
		CASE(test_store_history_steps_are_stamped_at_their_start),
		CASE(test_store_mean_samples_of_all_hosts_weigh_the_same),
		CASE(test_store_queries_narrow_by_ip_process_and_list),
		CASE(test_store_queries_narrow_by_several_processes),
		CASE(test_store_mean_and_latest_of_many_listed_names),
		CASE(test_store_past_spans_are_open_at_their_start_and_closed_at_their_end),
		CASE(test_store_spans_that_end_with_a_day_have_what_begins_then),
		CASE(test_store_queries_of_names_with_control_characters_are_empty),
		CASE(test_store_latest_newest_of_each_resource),
		CASE(test_store_metrics_are_apart),
		CASE(test_store_further_resources_are_read_together),
		CASE(test_store_append_hostile_names_come_back_the_same),
		CASE(test_store_append_any_value_comes_back_bit_for_bit),
		CASE(test_store_append_beside_the_largest_value_others_keep_six_decimals),
		CASE(test_store_latest_probabilities_come_back),
		CASE(test_store_history_over_max_points_is_too_big),
		CASE(test_store_history_of_many_listed_series),
		CASE(test_store_close_and_open_all_is_there),
		CASE(test_store_wishes_are_there_after_a_restart),
		CASE(test_store_silences_are_there_after_a_restart),
		CASE(test_store_reads_during_appends_all_is_there_in_the_end),
	};
	static const struct CMUnitTest tables[] = {
		cmocka_unit_test(test_store_find_names_of_engines),
		cmocka_unit_test(test_store_step_start_is_before_the_time_or_at_it),
		cmocka_unit_test(test_store_wants_what_is_asked_for_and_there_is),
		cmocka_unit_test(test_store_compare_keys_is_by_host_and_then_by_process),
		cmocka_unit_test(test_store_leave_out_is_counted_and_said_once),
		cmocka_unit_test(test_store_check_config_table),
	};
	const char *alone = getenv("ENGINE"); /* its index: that one alone */
	int failed = cmocka_run_group_tests(tables, NULL, NULL);
	log_set_level(LOG_LEVEL_ERROR);
	for (engine = engines; engine < engines + COUNT_OF(engines); engine++) {
		if (alone && atoi(alone) != engine - engines)
			continue;
		if (engine->start && !engine->start())
			continue;
		failed += cmocka_run_group_tests_name(engine->name ? engine->name : engine->ops->name, contract, NULL, NULL);
		if (engine->stop)
			engine->stop();
	}
	return failed;
}
