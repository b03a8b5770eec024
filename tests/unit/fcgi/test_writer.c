/* fcgi/writer.h over a store that is slow and only counts */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/fcgi/helpers.h"

#include <errno.h>
#include <pthread.h>

#include "common/clock.h"
#include "fcgi/writer.h"

enum { THREADS = 24, ROUNDS = 10, GROUP_MAX = 64 };

/* The fake store. A batch's first sample tells what it wants: */
enum wish {
	WISH_OK,
	WISH_GUILTY,  /* -EDQUOT for any write with it */
	WISH_BROKEN,  /* -EIO likewise */
	WISH_REFUSED, /* -EINVAL likewise, with "<its thread's number> is bad" */
};

struct store {
	pthread_mutex_t lock;
	unsigned inside, most, limit; /* calls under way, the most there were, and the most there may be */
	unsigned appends, batches, largest;
	unsigned stored[THREADS * 4]; /* by the number of the batch's thread */
	unsigned sizes[16]; /* of the first groups */
	int64_t begun_ns[16]; /* when these began */
	unsigned begun;
	unsigned group; /* batches that a write has at most; 0: GROUP_MAX */
	struct timespec pause;
	bool held; /* writes wait until it is false */
	pthread_cond_t released;
};

static int fake_append(struct store *store, const struct batch *const batches[], size_t count, struct moment now,
                       char ret_refusal[static STORE_REFUSAL_SIZE])
{
	int result = 0;
	ret_refusal[0] = '\0';
	pthread_mutex_lock(&store->lock);
	if (store->inside >= store->limit || now.wall_ms < 1700000000000 || count == 0 || count > (store->group ? store->group : GROUP_MAX))
		abort();
	if (store->begun < COUNT_OF(store->begun_ns))
		store->begun_ns[store->begun++] = clock_monotonic_ns();
	store->inside++;
	store->most = store->inside > store->most ? store->inside : store->most;
	while (store->held)
		pthread_cond_wait(&store->released, &store->lock);
	pthread_mutex_unlock(&store->lock);
	nanosleep(&store->pause, NULL);
	for (size_t i = 0; i < count; i++) {
		if (batches[i]->samples[0].value == WISH_BROKEN) {
			result = -EIO;
		} else if (batches[i]->samples[0].value == WISH_GUILTY && result == 0) {
			result = -EDQUOT;
		} else if (batches[i]->samples[0].value == WISH_REFUSED && result == 0) {
			result = -EINVAL;
			snprintf(ret_refusal, STORE_REFUSAL_SIZE, "%lld is bad", (long long)batches[i]->samples[0].time_ms);
		}
	}
	pthread_mutex_lock(&store->lock);
	if (store->appends < COUNT_OF(store->sizes))
		store->sizes[store->appends] = (unsigned)count;
	store->appends++;
	store->batches += (unsigned)count;
	store->largest = count > store->largest ? (unsigned)count : store->largest;
	for (size_t i = 0; i < count && result == 0; i++)
		store->stored[batches[i]->samples[0].time_ms]++;
	store->inside--;
	pthread_mutex_unlock(&store->lock);
	return result;
}

enum { APPENDS = 3 };

static const struct store_ops fake = { .name = "fake", .appends = 1, .append = fake_append };
static const struct store_ops broad_fake = { .name = "broad", .appends = APPENDS, .append = fake_append };
static const struct store_ops slow_fake = { .name = "slow", .appends = 1, .slow = true, .append = fake_append };
static const struct store_ops slow_broad_fake = { .name = "slow and broad", .appends = APPENDS, .slow = true, .append = fake_append };

struct client {
	struct writer *writer;
	pthread_barrier_t *start;
	unsigned number, batches, failures;
	enum wish wish;
	int result; /* of the last */
	size_t bytes; /* of each batch */
	char refusal[STORE_REFUSAL_SIZE]; /* of the last */
};

static void *send(void *user)
{
	struct client *client = user;
	struct sample sample = { .time_ms = client->number, .value = client->wish };
	struct batch batch = { .samples = &sample, .count = 1, .bytes = client->bytes };
	if (client->start)
		pthread_barrier_wait(client->start);
	for (unsigned i = 0; i < client->batches; i++) {
		client->refusal[0] = '\0';
		client->result = writer_append(client->writer, &batch, client->refusal);
		client->failures += client->result != 0;
	}
	return NULL;
}

/* Clients that send at once; wishes may be NULL: all are good. */
static void run(struct store *store, struct client clients[], unsigned count, unsigned batches, const enum wish wishes[])
{
	pthread_t threads[THREADS * 4];
	pthread_barrier_t start;
	struct writer *writer = writer_open(store->limit > 1 ? &broad_fake : &fake, store, SIZE_MAX);
	assert_non_null(writer);
	pthread_barrier_init(&start, NULL, count);
	for (unsigned i = 0; i < count; i++) {
		clients[i] = (struct client){ .writer = writer, .start = &start, .number = i, .batches = batches,
			                          .wish = wishes ? wishes[i] : WISH_OK, .result = 1 };
		pthread_create(&threads[i], NULL, send, &clients[i]);
	}
	for (unsigned i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&start);
	writer_close(writer);
}

static struct store make_store(long pause_ms)
{
	return (struct store){ .lock = PTHREAD_MUTEX_INITIALIZER, .limit = 1, .released = PTHREAD_COND_INITIALIZER,
		                   .pause = { 0, pause_ms * 1000000 } };
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

/* A store that takes several writes at a time has them, and no more. */
static void test_writer_append_several_writes_at_a_time_all_are_written(void **state)
{
	(void)state;
	/* Slow writes, for batches to gather; and quick ones, for threads to meet at the queue. */
	static const struct {
		long pause_ms;
		unsigned batches;
	} cases[] = { { 3, 5 }, { 0, 500 } };
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct store store = make_store(cases[i].pause_ms);
		struct client clients[THREADS * 4];
		store.limit = APPENDS;
		run(&store, clients, THREADS * 4, cases[i].batches, NULL);
		for (unsigned j = 0; j < THREADS * 4; j++) {
			assert_int_equal(clients[j].failures, 0);
			assert_int_equal(store.stored[j], cases[i].batches);
		}
		assert_int_equal(store.batches, THREADS * 4 * cases[i].batches);
		assert_true(store.largest > 1);
		if (cases[i].pause_ms)
			assert_int_equal(store.most, APPENDS);
	}
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

/* The others of the write do not hear of it. */
static void test_writer_append_refused_batch_its_sender_alone_learns_why(void **state)
{
	(void)state;
	static const enum wish wishes[THREADS] = { [0] = WISH_REFUSED, [7] = WISH_REFUSED, [15] = WISH_GUILTY };
	unsigned met = 0;
	for (int round = 0; round < 50 && met < 3; round++) {
		struct store store = make_store(3);
		struct client clients[THREADS];
		run(&store, clients, THREADS, 3, wishes);
		for (unsigned i = 0; i < THREADS; i++) {
			char wanted[32] = "";
			if (wishes[i] == WISH_REFUSED)
				snprintf(wanted, sizeof(wanted), "%u is bad", i);
			assert_int_equal(clients[i].result, wishes[i] == WISH_REFUSED ? -EINVAL : wishes[i] == WISH_GUILTY ? -EDQUOT : 0);
			assert_string_equal(clients[i].refusal, wanted);
			assert_int_equal(store.stored[i], wishes[i] ? 0 : 3);
		}
		met += store.largest > 1;
	}
	assert_true(met > 0);
}

/* ---- what may wait ---- */

/* A write that is held, and what comes meanwhile, in this order. */
struct queue {
	struct store store;
	struct writer *writer;
	struct client clients[THREADS * 4];
	pthread_t threads[THREADS * 4];
	unsigned count;
	enum wish wish; /* of what is added next */
};

static void queue_open_on(struct queue *queue, const struct store_ops *ops, size_t max_bytes)
{
	*queue = (struct queue){ .store = make_store(0) };
	queue->store.held = true;
	queue->store.limit = ops->appends;
	queue->writer = writer_open(ops, &queue->store, max_bytes);
	assert_non_null(queue->writer);
}

static void queue_open(struct queue *queue, size_t max_bytes)
{
	queue_open_on(queue, &fake, max_bytes);
}

static bool is_inside(struct queue *queue)
{
	pthread_mutex_lock(&queue->store.lock);
	bool inside = queue->store.inside > 0;
	pthread_mutex_unlock(&queue->store.lock);
	return inside;
}

/* Sends a batch, which waits: the first of all in its write, others in the queue. */
static void queue_add(struct queue *queue, size_t bytes)
{
	struct client *client = &queue->clients[queue->count];
	size_t waiting = writer_waiting(queue->writer) + (queue->count > 0);
	*client = (struct client){ .writer = queue->writer, .number = queue->count, .batches = 1, .result = 1, .bytes = bytes,
		                     .wish = queue->wish };
	pthread_create(&queue->threads[queue->count++], NULL, send, client);
	for (int i = 0; !is_inside(queue) || writer_waiting(queue->writer) != waiting; i++) {
		if (i > 50000)
			fail_msg("batch %u does not wait", queue->count - 1);
		nanosleep(&(struct timespec){ 0, 100000 }, NULL);
	}
}

/* The result of a batch that is sent from here: it must not wait. */
static int queue_try(struct queue *queue, size_t bytes)
{
	struct client client = { .writer = queue->writer, .number = THREADS * 4 - 1, .batches = 1, .bytes = bytes };
	send(&client);
	return client.result;
}

/* Lets the writes go on, and waits for all. */
static void queue_let_go(struct queue *queue)
{
	pthread_mutex_lock(&queue->store.lock);
	queue->store.held = false;
	pthread_cond_broadcast(&queue->store.released);
	pthread_mutex_unlock(&queue->store.lock);
	for (unsigned i = 0; i < queue->count; i++)
		pthread_join(queue->threads[i], NULL);
}

/* The same; each has succeeded. */
static void queue_release(struct queue *queue)
{
	queue_let_go(queue);
	for (unsigned i = 0; i < queue->count; i++) {
		assert_int_equal(queue->clients[i].result, 0);
		assert_int_equal(queue->store.stored[i], 1);
	}
	assert_int_equal(writer_waiting(queue->writer), 0);
}

static void test_writer_append_more_than_may_wait_is_turned_away(void **state)
{
	(void)state;
	static struct queue queue;
	queue_open(&queue, 100);
	queue_add(&queue, 60); /* it is being written: it does not wait */
	queue_add(&queue, 60);
	queue_add(&queue, 30);
	assert_int_equal(queue_try(&queue, 11), -EBUSY);
	assert_int_equal(queue_try(&queue, 1 << 30), -EBUSY);
	queue_add(&queue, 10); /* up to the bound */
	assert_int_equal(queue_try(&queue, 1), -EBUSY);
	queue_add(&queue, 0);
	assert_int_equal(writer_waiting(queue.writer), 4);
	queue_release(&queue);
	/* What waited went together, and what was turned away is not stored. */
	assert_int_equal(queue.store.appends, 2);
	assert_int_equal(queue.store.sizes[0], 1);
	assert_int_equal(queue.store.sizes[1], 4);
	assert_int_equal(queue.store.stored[THREADS * 4 - 1], 0);
	/* Then there is room again. */
	assert_int_equal(queue_try(&queue, 100), 0);
	writer_close(queue.writer);
}

/* However small the bound, or big the batch, a server with nothing to do takes it. */
static void test_writer_append_one_batch_may_always_wait(void **state)
{
	(void)state;
	static const size_t bounds[] = { 0, 1, 100 };
	for (size_t i = 0; i < COUNT_OF(bounds); i++) {
		static struct queue queue;
		queue_open(&queue, bounds[i]);
		queue_add(&queue, 1000);
		queue_add(&queue, 1000);
		assert_int_equal(queue_try(&queue, 1), -EBUSY);
		queue_release(&queue);
		assert_int_equal(queue_try(&queue, 1000), 0);
		writer_close(queue.writer);
	}
}

/* More wait than one write takes: each write gives back the room of its own. */
static void test_writer_append_more_than_a_group_waits_room_comes_back(void **state)
{
	(void)state;
	enum { WAITING = GROUP_MAX + 6 };
	static struct queue queue;
	queue_open(&queue, WAITING * 10);
	for (int i = 0; i < 1 + WAITING; i++)
		queue_add(&queue, 10);
	assert_int_equal(queue_try(&queue, 1), -EBUSY);
	queue_release(&queue);
	assert_int_equal(queue.store.appends, 3);
	assert_int_equal(queue.store.sizes[1], GROUP_MAX);
	assert_int_equal(queue.store.sizes[2], 6);

	/* All of it: a second time as much may wait. */
	queue.store.held = true;
	memset(queue.store.stored, 0, sizeof(queue.store.stored));
	queue.count = 0;
	for (int i = 0; i < 1 + WAITING; i++)
		queue_add(&queue, 10);
	assert_int_equal(queue_try(&queue, 1), -EBUSY);
	queue_release(&queue);
	writer_close(queue.writer);
}

/* A store that is slower than what comes: nothing more is taken once the first has waited for long enough. */
static void test_writer_append_while_one_has_waited_too_long_is_turned_away(void **state)
{
	(void)state;
	static struct queue queue;
	queue_open(&queue, SIZE_MAX);
	queue_add(&queue, 1);
	queue_add(&queue, 1);
	queue_add(&queue, 1);
	assert_false(writer_is_late(queue.writer));
	nanosleep(&(struct timespec){ WRITER_WAIT_MS / 1000, WRITER_WAIT_MS % 1000 * 1000000 }, NULL);
	assert_true(writer_is_late(queue.writer));
	assert_int_equal(queue_try(&queue, 1), -EBUSY);
	queue_release(&queue); /* those that waited are stored */
	assert_false(writer_is_late(queue.writer));
	assert_int_equal(queue_try(&queue, 1), 0);
	writer_close(queue.writer);
}

/* ---- a slow store ---- */

/* What waits goes in one write, far more than a store that is not slow has. */
static void test_writer_append_slow_store_writes_are_large(void **state)
{
	(void)state;
	static struct queue queue;
	queue_open_on(&queue, &slow_fake, SIZE_MAX);
	queue.store.group = THREADS * 4;
	for (int i = 0; i < THREADS * 4 - 1; i++)
		queue_add(&queue, 10);
	queue_release(&queue);
	assert_int_equal(queue.store.appends, 2);
	assert_int_equal(queue.store.sizes[1], THREADS * 4 - 2);
	writer_close(queue.writer);
}

/* Until it is known to work: one that hangs has few then. */
static void test_writer_append_store_that_fails_has_one_batch_at_a_time(void **state)
{
	(void)state;
	static const enum wish wishes[] = { WISH_BROKEN, WISH_BROKEN, WISH_OK, WISH_OK, WISH_OK, WISH_OK };
	static struct queue queue;
	queue_open_on(&queue, &slow_fake, SIZE_MAX);
	for (size_t i = 0; i < COUNT_OF(wishes); i++) {
		queue.wish = wishes[i];
		queue_add(&queue, 10);
	}
	queue_let_go(&queue);
	for (size_t i = 0; i < COUNT_OF(wishes); i++)
		assert_int_equal(queue.clients[i].result, wishes[i] == WISH_BROKEN ? -EIO : 0);
	assert_int_equal(queue.store.appends, 4);
	assert_int_equal(queue.store.sizes[2], 1);
	assert_int_equal(queue.store.sizes[3], 3);
	writer_close(queue.writer);
}

/* One of the many is to blame: it is found in a few writes, not in one for each. */
static void test_writer_append_guilty_batch_is_found_by_halves(void **state)
{
	(void)state;
	enum { BATCHES = 64, GUILTY = 41 };
	static struct queue queue;
	queue_open_on(&queue, &slow_fake, SIZE_MAX);
	for (int i = 0; i <= BATCHES; i++) {
		queue.wish = i == GUILTY ? WISH_REFUSED : WISH_OK;
		queue_add(&queue, 10);
	}
	queue_let_go(&queue);
	for (unsigned i = 0; i <= BATCHES; i++) {
		assert_int_equal(queue.clients[i].result, i == GUILTY ? -EINVAL : 0);
		assert_string_equal(queue.clients[i].refusal, i == GUILTY ? "41 is bad" : "");
		assert_int_equal(queue.store.stored[i], i != GUILTY);
	}
	assert_int_equal(queue.store.appends, 1 + 1 + 2 * 6);
	writer_close(queue.writer);
}

/* A batch waits for a part of a write's time alone, however many come; were all writes begun at once, the next would wait
 * for one of them. */
static void test_writer_append_writes_are_spread_over_the_time_of_one(void **state)
{
	(void)state;
	enum { TAKES_MS = 240 };
	struct store store = make_store(TAKES_MS);
	struct client clients[THREADS];
	pthread_t threads[THREADS];
	store.limit = APPENDS;
	store.group = THREADS;
	struct writer *writer = writer_open(&slow_broad_fake, &store, SIZE_MAX);
	assert_non_null(writer);
	clients[0] = (struct client){ .writer = writer, .batches = 1 };
	send(&clients[0]); /* how long one takes is known then */
	for (unsigned i = 0; i < THREADS; i++) {
		clients[i] = (struct client){ .writer = writer, .number = i, .batches = 1, .result = 1 };
		pthread_create(&threads[i], NULL, send, &clients[i]);
		nanosleep(&(struct timespec){ 0, 15000000 }, NULL);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	writer_close(writer);
	assert_int_equal(store.batches, 1 + THREADS);
	assert_true(store.begun > 3);
	for (unsigned i = 2; i < store.begun; i++)
		assert_true(store.begun_ns[i] - store.begun_ns[i - 1] >= TAKES_MS * 1000000 / APPENDS * 9 / 10);
}

/* What waits is given back, and what is sent is refused at once, until a write has ended. */
static void test_writer_append_store_that_hangs_is_given_nothing_more(void **state)
{
	(void)state;
	static struct queue queue;
	queue_open_on(&queue, &slow_fake, SIZE_MAX);
	queue_add(&queue, 10);
	queue_add(&queue, 10);
	queue_add(&queue, 10);
	assert_false(writer_is_stuck(queue.writer));
	int64_t start_ns = clock_monotonic_ns();
	for (unsigned i = 1; i < 3; i++) {
		pthread_join(queue.threads[i], NULL);
		assert_int_equal(queue.clients[i].result, -ENOTCONN);
		assert_int_equal(queue.store.stored[i], 0);
	}
	assert_true(clock_monotonic_ns() - start_ns > INT64_C(1000000000));
	assert_true(writer_is_stuck(queue.writer));
	assert_int_equal(queue_try(&queue, 1), -ENOTCONN);
	queue.count = 1;
	queue_release(&queue);
	WAIT_FOR(!writer_is_stuck(queue.writer), 5000);
	assert_int_equal(queue_try(&queue, 1), 0);
	writer_close(queue.writer);
}

/* Nor where its writes end now and then, but each as a failure. */
static void test_writer_append_store_whose_writes_time_out_is_given_nothing_more(void **state)
{
	(void)state;
	enum { SENT = 12, TAKES_MS = 900 };
	struct store store = make_store(TAKES_MS);
	struct client clients[SENT];
	pthread_t threads[SENT];
	unsigned given_back = 0;
	struct writer *writer = writer_open(&slow_fake, &store, SIZE_MAX);
	assert_non_null(writer);
	for (unsigned i = 0; i < SENT; i++) {
		clients[i] = (struct client){ .writer = writer, .number = i, .batches = 1, .wish = WISH_BROKEN };
		pthread_create(&threads[i], NULL, send, &clients[i]);
	}
	for (unsigned i = 0; i < SENT; i++) {
		pthread_join(threads[i], NULL);
		assert_true(clients[i].result == -EIO || clients[i].result == -ENOTCONN);
		given_back += clients[i].result == -ENOTCONN;
	}
	assert_true(given_back > SENT / 2);
	assert_int_equal(store.appends, SENT - given_back);
	writer_close(writer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_writer_append_alone_is_one_write),
		cmocka_unit_test(test_writer_append_while_a_write_goes_on_batches_go_together),
		cmocka_unit_test(test_writer_append_more_than_a_group_all_are_written),
		cmocka_unit_test(test_writer_append_several_writes_at_a_time_all_are_written),
		cmocka_unit_test(test_writer_append_no_room_for_one_the_others_are_stored),
		cmocka_unit_test(test_writer_append_the_store_fails_the_whole_group_learns_it),
		cmocka_unit_test(test_writer_append_refused_batch_its_sender_alone_learns_why),
		cmocka_unit_test(test_writer_append_more_than_may_wait_is_turned_away),
		cmocka_unit_test(test_writer_append_one_batch_may_always_wait),
		cmocka_unit_test(test_writer_append_more_than_a_group_waits_room_comes_back),
		cmocka_unit_test(test_writer_append_while_one_has_waited_too_long_is_turned_away),
		cmocka_unit_test(test_writer_append_slow_store_writes_are_large),
		cmocka_unit_test(test_writer_append_store_that_fails_has_one_batch_at_a_time),
		cmocka_unit_test(test_writer_append_guilty_batch_is_found_by_halves),
		cmocka_unit_test(test_writer_append_writes_are_spread_over_the_time_of_one),
		cmocka_unit_test(test_writer_append_store_that_hangs_is_given_nothing_more),
		cmocka_unit_test(test_writer_append_store_whose_writes_time_out_is_given_nothing_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
