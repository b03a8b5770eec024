/* fcgi/sqlite/placement.h */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/fcgi/helpers.h"

#include "fcgi/sqlite/placement.h"

enum { BATCHES = 9, SAMPLES = 40, ALL = BATCHES * SAMPLES, BASE_MS = 1700000000 };

static const struct placement_limits limits = { .series = 1000, .series_per_host = 1000 };

static const char *const ips[] = { "10.0.0.3", "10.0.0.1", "10.0.0.2" };
static const char *const processes[] = { "bash", "java", "cron", "sshd", "nginx" };

/* Whether a sample is in its place after another: an order that is told apart from the code's. */
static bool follows(const struct placed *a, const struct placed *b)
{
	const int64_t left[] = { a->key, a->offset_ms, a->series->number, a->half, a->order };
	const int64_t right[] = { b->key, b->offset_ms, b->series->number, b->half, b->order };
	for (size_t i = 0; i < COUNT_OF(left); i++) {
		if (left[i] != right[i])
			return left[i] < right[i];
	}
	return false;
}

/* Batches of hosts whose samples are in any order, or in that of the processes; some are of one host and time. */
static void make_batches(bool mixed, struct sample samples[BATCHES][SAMPLES], struct batch batches[BATCHES])
{
	for (size_t i = 0; i < BATCHES; i++) {
		const char *ip = ips[(size_t)rand() % COUNT_OF(ips)];
		int64_t time_ms = BASE_MS + rand() % 5 * 4000;
		size_t count = rand() % 8 == 0 ? 0 : SAMPLES;
		for (size_t j = 0; j < count; j++) {
			samples[i][j] = (struct sample){
				.time_ms = mixed ? BASE_MS + rand() % 5 * 4000 : time_ms,
				.value = (double)(i * SAMPLES + j),
				.ip = mixed ? ips[(size_t)rand() % COUNT_OF(ips)] : ip,
				.process = processes[mixed ? (size_t)rand() % COUNT_OF(processes) : j / 2 % COUNT_OF(processes)],
				.half = (enum half)(j % HALF_COUNT),
			};
		}
		batches[i] = (struct batch){ .samples = samples[i], .count = count };
	}
}

static void test_placement_sort_random_batches_are_in_order_and_whole(void **state)
{
	(void)state;
	srand(seed_take());
	for (int round = 0; round < 300; round++) {
		static struct sample samples[BATCHES][SAMPLES];
		struct batch batches[BATCHES];
		const struct batch *pointers[BATCHES];
		struct placed placed[ALL];
		struct dictionary dictionary = { 0 };
		bool seen[ALL] = { false };
		size_t count = 0;
		make_batches(round % 2, samples, batches);
		for (size_t i = 0; i < BATCHES; i++) {
			pointers[i] = &batches[i];
			count += batches[i].count;
		}
		assert_int_equal(placement_place(&dictionary, &limits, pointers, BATCHES, placed), 0);
		placement_sort(placed, count);
		for (size_t i = 0; i < count; i++) {
			const struct placed *one = &placed[i];
			size_t place = (size_t)one->value;
			const struct sample *sample = &samples[place / SAMPLES][place % SAMPLES];
			assert_true(i == 0 || follows(&placed[i - 1], one));
			assert_false(seen[place]);
			seen[place] = true;
			/* It is what was sent, and in the order of arrival. */
			assert_int_equal(placed_time_ms(one), sample->time_ms);
			assert_int_equal(one->batch, place / SAMPLES);
			assert_string_equal(dictionary_name_at(&dictionary, one->series->key.name)->text, sample->process);
			assert_string_equal(dictionary_host_at(&dictionary, one->series->key.host)->ip, sample->ip);
			size_t before = 0;
			for (size_t j = 0; j < place / SAMPLES; j++)
				before += batches[j].count;
			assert_int_equal(one->order, before + place % SAMPLES);
		}
		dictionary_free(&dictionary);
	}
}

/* Two batches of a host, of which the later begins with an older time: what both have counts as the later says. */
static void test_placement_entries_the_batch_that_came_last_counts(void **state)
{
	(void)state;
	struct sample first = { .time_ms = BASE_MS + 20000, .value = 1, .ip = ips[0], .process = "a" };
	struct sample later[] = {
		{ .time_ms = BASE_MS, .value = 2, .ip = ips[0], .process = "a" },
		{ .time_ms = BASE_MS + 20000, .value = 3, .ip = ips[0], .process = "a" },
	};
	const struct batch batches[] = { { .samples = &first, .count = 1 }, { .samples = later, .count = 2 } };
	const struct batch *const pointers[] = { &batches[0], &batches[1] };
	struct dictionary dictionary = { 0 };
	struct placed placed[3];
	struct packing_entry entries[3];
	assert_int_equal(placement_place(&dictionary, &limits, pointers, 2, placed), 0);
	placement_sort(placed, 3);
	assert_true(placed[0].key < placed[1].key);
	assert_true(placed[1].key == placed[2].key);
	assert_int_equal(placement_entries(placed + 1, 2, entries), 1);
	assert_true(entries[0].value[HALF_FIRST] == 3);
	dictionary_free(&dictionary);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_placement_sort_random_batches_are_in_order_and_whole),
		cmocka_unit_test(test_placement_entries_the_batch_that_came_last_counts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
