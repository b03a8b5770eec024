/* fcgi/writer.h over a store that is slow and only counts */
#include "helpers.h"

#include <errno.h>
#include <pthread.h>

#include "fcgi/writer.h"

enum { THREADS = 24, ROUNDS = 10, GROUP_MAX = 64 };

/* The fake store. A batch's first sample tells what it wants: */
enum wish { WISH_OK, WISH_GUILTY /* -EDQUOT for any write with it */, WISH_BROKEN /* -EIO likewise */ };

struct store {
	pthread_mutex_t lock;
	bool inside;          /* a call is under way: append() is called by one thread at a time */
	unsigned appends, batches, largest;
	unsigned stored[THREADS * 4]; /* by the number of the batch's thread */
	struct timespec pause;
};

static int fake_append(struct store *store, const struct batch *const batches[], size_t count, int64_t now_ms,
                       char ret_refusal[static STORE_REFUSAL_SIZE])
{
	int result = 0;
	ret_refusal[0] = '\0';
	pthread_mutex_lock(&store->lock);
	if (store->inside || now_ms < 1700000000000 || count == 0 || count > GROUP_MAX)
		abort();
	store->inside = true;
	pthread_mutex_unlock(&store->lock);
	nanosleep(&store->pause, NULL);
	for (size_t i = 0; i < count; i++) {
		if (batches[i]->samples[0].value == WISH_BROKEN)
			result = -EIO;
		else if (batches[i]->samples[0].value == WISH_GUILTY && result == 0)
			result = -EDQUOT;
	}
	pthread_mutex_lock(&store->lock);
	store->appends++;
	store->batches += (unsigned)count;
	store->largest = count > store->largest ? (unsigned)count : store->largest;
	for (size_t i = 0; i < count && result == 0; i++)
		store->stored[batches[i]->samples[0].time_ms]++;
	store->inside = false;
	pthread_mutex_unlock(&store->lock);
	return result;
}

static const struct store_ops fake = { .name = "fake", .appends = 1, .append = fake_append };

struct client {
	struct writer *writer;
	pthread_barrier_t *start;
	unsigned number, batches, failures;
	enum wish wish;
	int result; /* of the last */
};

static void *send(void *user)
{
	struct client *client = user;
	struct sample sample = { .time_ms = client->number, .value = client->wish };
	struct batch batch = { .samples = &sample, .count = 1 };
	char refusal[STORE_REFUSAL_SIZE];
	pthread_barrier_wait(client->start);
	for (unsigned i = 0; i < client->batches; i++) {
		client->result = writer_append(client->writer, &batch, refusal);
		client->failures += client->result != 0;
	}
	return NULL;
}

/* Clients that send at once; wishes may be NULL: all are good. */
static void run(struct store *store, struct client clients[], unsigned count, unsigned batches, const enum wish wishes[])
{
	pthread_t threads[THREADS * 4];
	pthread_barrier_t start;
	struct writer *writer = writer_open(&fake, store, SIZE_MAX);
	assert_non_null(writer);
	pthread_barrier_init(&start, NULL, count);
	for (unsigned i = 0; i < count; i++) {
		clients[i] = (struct client){ writer, &start, i, batches, 0, wishes ? wishes[i] : WISH_OK, 1 };
		pthread_create(&threads[i], NULL, send, &clients[i]);
	}
	for (unsigned i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&start);
	writer_close(writer);
}

static struct store make_store(long pause_ms)
{
	return (struct store){ .lock = PTHREAD_MUTEX_INITIALIZER, .pause = { 0, pause_ms * 1000000 } };
}

static void test_writer_append_alone_is_one_write(void **state)
{
	(void)state;
	struct store store = make_store(0);
	struct client client;
	run(&store, &client, 1, ROUNDS, NULL);
	assert_int_equal(client.failures, 0);
	assert_int_equal(store.appends, ROUNDS);
	assert_int_equal(store.stored[0], ROUNDS);
}

static void test_writer_append_while_a_write_goes_on_batches_go_together(void **state)
{
	(void)state;
	struct store store = make_store(3);
	struct client clients[THREADS];
	run(&store, clients, THREADS, ROUNDS, NULL);
	for (unsigned i = 0; i < THREADS; i++) {
		assert_int_equal(clients[i].failures, 0);
		assert_int_equal(store.stored[i], ROUNDS);
	}
	assert_int_equal(store.batches, THREADS * ROUNDS);
	assert_true(store.appends < THREADS * ROUNDS / 2);
	assert_true(store.largest > 2);
}

/* More than one write holds: nobody is forgotten. */
static void test_writer_append_more_than_a_group_all_are_written(void **state)
{
	(void)state;
	struct store store = make_store(5);
	struct client clients[THREADS * 4];
	run(&store, clients, THREADS * 4, 5, NULL);
	for (unsigned i = 0; i < THREADS * 4; i++)
		assert_int_equal(store.stored[i], 5);
	assert_int_equal(store.batches, THREADS * 4 * 5);
}

/* As often as it takes for guilty and innocent to meet in a group. */
static void test_writer_append_no_room_for_one_the_others_are_stored(void **state)
{
	(void)state;
	static const enum wish wishes[THREADS] = { [3] = WISH_GUILTY, [11] = WISH_GUILTY };
	unsigned met = 0;
	for (int round = 0; round < 50 && met < 3; round++) {
		struct store store = make_store(3);
		struct client clients[THREADS];
		run(&store, clients, THREADS, 3, wishes);
		for (unsigned i = 0; i < THREADS; i++) {
			assert_int_equal(clients[i].result, wishes[i] == WISH_GUILTY ? -EDQUOT : 0);
			assert_int_equal(clients[i].failures, wishes[i] == WISH_GUILTY ? 3 : 0);
			/* Each is stored once for each time it was sent. */
			assert_int_equal(store.stored[i], wishes[i] == WISH_GUILTY ? 0 : 3);
		}
		met += store.largest > 1;
	}
	assert_true(met > 0);
}

static void test_writer_append_the_store_fails_the_whole_group_learns_it(void **state)
{
	(void)state;
	enum wish wishes[THREADS] = { WISH_OK };
	wishes[0] = WISH_BROKEN;
	unsigned shared = 0;
	for (int round = 0; round < 50 && shared == 0; round++) {
		struct store store = make_store(5);
		struct client clients[THREADS];
		run(&store, clients, THREADS, 2, wishes);
		assert_int_equal(clients[0].failures, 2);
		assert_int_equal(clients[0].result, -EIO);
		for (unsigned i = 1; i < THREADS; i++) {
			/* Told right: what failed is not stored, what is stored did not fail. */
			assert_int_equal(clients[i].failures + store.stored[i], 2);
			assert_true(clients[i].result == 0 || clients[i].result == -EIO);
			shared += clients[i].failures;
		}
		/* No write was repeated. */
		assert_int_equal(store.batches, THREADS * 2);
	}
	assert_true(shared > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_writer_append_alone_is_one_write),
		cmocka_unit_test(test_writer_append_while_a_write_goes_on_batches_go_together),
		cmocka_unit_test(test_writer_append_more_than_a_group_all_are_written),
		cmocka_unit_test(test_writer_append_no_room_for_one_the_others_are_stored),
		cmocka_unit_test(test_writer_append_the_store_fails_the_whole_group_learns_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
