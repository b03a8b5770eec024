/* fcgi/writer.h over a store that is slow and only counts */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/fcgi/helpers.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/support/no_threads.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>

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

static void let_go(struct store *store)
{
	pthread_mutex_lock(&store->lock);
	store->held = false;
	pthread_cond_broadcast(&store->released);
	pthread_mutex_unlock(&store->lock);
}

/* Clients that send at once; wishes may be NULL: all are good. Where the store is held, it is let go as soon as it has all
 * the writes that it may have, each of one client, and all others wait. */
static void run(struct store *store, struct client clients[], unsigned count, unsigned batches, const enum wish wishes[])
{
	pthread_t threads[THREADS * 4];
	pthread_barrier_t start;
	struct writer *writer;
	assert_int_equal(writer_open(store->limit > 1 ? &broad_fake : &fake, store, SIZE_MAX, &writer), 0);
	pthread_barrier_init(&start, NULL, count);
	for (unsigned i = 0; i < count; i++) {
		clients[i] = (struct client){ .writer = writer, .start = &start, .number = i, .batches = batches,
			                          .wish = wishes ? wishes[i] : WISH_OK, .result = 1 };
		pthread_create(&threads[i], NULL, send, &clients[i]);
	}
	if (store->held) {
		WAIT_FOR(writer_waiting(writer) == count - store->limit, 60000);
		let_go(store);
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
	store.held = true;
	run(&store, clients, THREADS, ROUNDS, NULL);
	for (unsigned i = 0; i < THREADS; i++) {
		assert_int_equal(clients[i].failures, 0);
		assert_int_equal(store.stored[i], ROUNDS);
	}
	assert_int_equal(store.batches, THREADS * ROUNDS);
	assert_int_equal(store.sizes[0], 1);
	assert_in_range(store.sizes[1], THREADS - 1, THREADS); /* the first may have sent its next one by then */
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
		store.held = true;
		run(&store, clients, THREADS * 4, cases[i].batches, NULL);
		for (unsigned j = 0; j < THREADS * 4; j++) {
			assert_int_equal(clients[j].failures, 0);
			assert_int_equal(store.stored[j], cases[i].batches);
		}
		assert_int_equal(store.batches, THREADS * 4 * cases[i].batches);
		assert_int_equal(store.largest, GROUP_MAX);
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
	assert_int_equal(writer_open(ops, &queue->store, max_bytes, &queue->writer), 0);
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
	let_go(&queue->store);
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
	enum { TAKES_MS = 480 };
	struct store store = make_store(TAKES_MS);
	struct client clients[THREADS];
	pthread_t threads[THREADS];
	store.limit = APPENDS;
	store.group = THREADS;
	struct writer *writer;
	assert_int_equal(writer_open(&slow_broad_fake, &store, SIZE_MAX, &writer), 0);
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
		assert_true(store.begun_ns[i] - store.begun_ns[i - 1] >= TAKES_MS * 1000000 / APPENDS * 3 / 4);
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
	struct writer *writer;
	assert_int_equal(writer_open(&slow_fake, &store, SIZE_MAX, &writer), 0);
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

/* ---- without a thread for each ---- */

enum { SENT_MAX = 600, SLOW_GROUP_MAX = 512, SLOW_SAMPLES = 100000 };

/* Batches that one thread sends to a store which can be held. */
struct burst {
	struct store store;
	struct writer *writer;
	unsigned count; /* of those sent */
	sem_t told;
	struct sent {
		struct writing writing; /* first: who is told casts back */
		struct sample sample;
		struct batch batch;
		struct burst *burst;
	} sent[SENT_MAX];
};

static void tell_burst(struct writing *writing)
{
	sem_post(&((struct sent *)writing)->burst->told);
}

static void burst_open(struct burst *burst, const struct store_ops *ops, long pause_ms)
{
	memset(burst, 0, sizeof(*burst));
	burst->store = make_store(pause_ms % 1000);
	burst->store.pause.tv_sec = pause_ms / 1000;
	burst->store.limit = ops->appends;
	burst->store.group = ops->slow ? SLOW_GROUP_MAX : GROUP_MAX;
	sem_init(&burst->told, 0, 0);
	assert_int_equal(writer_open(ops, &burst->store, SIZE_MAX, &burst->writer), 0);
}

/* Of so many samples, of which the store looks at the first alone. What is the writer's own may be anything before. */
static void burst_send(struct burst *burst, size_t samples, enum wish wish)
{
	struct sent *sent = &burst->sent[burst->count++];
	sent->sample = (struct sample){ .value = wish };
	sent->batch = (struct batch){ .samples = &sent->sample, .count = samples };
	sent->burst = burst;
	sent->writing = (struct writing){ .batch = &sent->batch, .done = tell_burst, .result = 1, .next = &sent->writing };
	assert_int_equal(writer_send(burst->writer, &sent->writing), 0);
}

static void burst_wait(struct burst *burst, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		while (sem_wait(&burst->told) != 0)
			;
	}
}

static void burst_hold(struct burst *burst, bool held)
{
	pthread_mutex_lock(&burst->store.lock);
	burst->store.held = held;
	pthread_cond_broadcast(&burst->store.released);
	pthread_mutex_unlock(&burst->store.lock);
}

static unsigned burst_inside(struct burst *burst)
{
	pthread_mutex_lock(&burst->store.lock);
	unsigned inside = burst->store.inside;
	pthread_mutex_unlock(&burst->store.lock);
	return inside;
}

/* A write of `pause_ms` has ended well, and another is held: the next is begun a part of that time after it. */
static void burst_open_held(struct burst *burst, const struct store_ops *ops, long pause_ms)
{
	burst_open(burst, ops, pause_ms);
	burst_send(burst, 1, WISH_OK);
	burst_wait(burst, 1);
	burst->store.pause = (struct timespec){ 0, 0 };
	burst_hold(burst, true);
	burst_send(burst, 1, WISH_OK);
	WAIT_FOR(burst_inside(burst) == 1, 5000);
}

static void burst_close(struct burst *burst)
{
	writer_close(burst->writer);
	sem_destroy(&burst->told);
}

static unsigned count_threads(void)
{
	unsigned count = 0;
	DIR *folder = opendir("/proc/self/task");
	assert_non_null(folder);
	for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder))
		count += entry->d_name[0] != '.';
	closedir(folder);
	return count;
}

static void test_writer_open_has_one_thread_more_than_writes(void **state)
{
	(void)state;
	static struct burst burst;
	if (!FAILING_MALLOC) /* a sanitizer has a thread of its own */
		skip();
	unsigned before = count_threads();
	burst_open(&burst, &broad_fake, 0);
	assert_int_equal(count_threads(), before + APPENDS + 1);
	burst_close(&burst);
}

static void test_writer_open_without_memory_or_threads_is_none(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	struct store store = make_store(0);
	failing_start(1);
	struct writer *writer = NULL;
	int result = writer_open(&fake, &store, SIZE_MAX, &writer);
	assert_true(failing_stop());
	assert_int_equal(result, -ENOMEM);

	no_threads(true);
	result = writer_open(&fake, &store, SIZE_MAX, &writer);
	no_threads(false);
	assert_int_equal(result, -EAGAIN);
	assert_null(writer);
}

static void test_writer_send_is_counted(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		double expected;
	} metrics[] = { { "vigie_commits_total", 2 }, { "vigie_batches_total", 3 }, { "vigie_points_total", 5 + 7 + 11 },
		        { "vigie_append_failures_total", 1 }, { "vigie_store_append_seconds_count", 3 } };
	static const char sum[] = "vigie_store_append_seconds_sum";
	enum { PAUSE_MS = 20 };
	static struct burst burst;
	double before[COUNT_OF(metrics)], sum_before = metric_value(sum, NULL, 0);
	for (size_t i = 0; i < COUNT_OF(metrics); i++)
		before[i] = metric_value(metrics[i].name, NULL, 0);
	int64_t start_ns = clock_monotonic_ns();
	burst_open(&burst, &fake, PAUSE_MS);
	burst_hold(&burst, true);
	burst_send(&burst, 5, WISH_OK);
	WAIT_FOR(burst_inside(&burst) == 1, 5000);
	burst_send(&burst, 7, WISH_OK);
	burst_send(&burst, 11, WISH_OK);
	burst_hold(&burst, false);
	burst_wait(&burst, 3);
	burst_send(&burst, 1000, WISH_BROKEN);
	burst_wait(&burst, 1);
	burst_close(&burst);
	for (size_t i = 0; i < COUNT_OF(metrics); i++) {
		if (metric_value(metrics[i].name, NULL, 0) - before[i] != metrics[i].expected)
			fail_msg("%s", metrics[i].name);
	}
	double took_s = metric_value(sum, NULL, 0) - sum_before;
	assert_true(took_s >= 3 * PAUSE_MS / 1e3 - 1e-5);
	assert_true(took_s <= (double)(clock_monotonic_ns() - start_ns) / 1e9 + 1e-5);
}

/* One that refused a batch of many works: the next write is not of one batch alone. */
static void test_writer_send_after_a_guilty_batch_the_next_go_together(void **state)
{
	(void)state;
	static struct burst burst;
	burst_open(&burst, &fake, 0);
	burst_hold(&burst, true);
	burst_send(&burst, 1, WISH_OK);
	WAIT_FOR(burst_inside(&burst) == 1, 5000);
	for (unsigned i = 0; i < GROUP_MAX + 5; i++)
		burst_send(&burst, 1, i == 0 ? WISH_REFUSED : WISH_OK);
	burst_hold(&burst, false);
	burst_wait(&burst, burst.count);
	for (unsigned i = 0; i < burst.count; i++)
		assert_int_equal(burst.sent[i].writing.result, i == 1 ? -EINVAL : 0);
	assert_int_equal(burst.store.appends, 1 + (1 + 2 * 6) + 1);
	burst_close(&burst);
}

/* What waits while one write goes on, and how many batches of it the next ones have. */
static void test_writer_send_a_write_has_so_many_batches_or_samples(void **state)
{
	(void)state;
	static const struct {
		const struct store_ops *ops;
		unsigned batches; /* that wait, */
		size_t samples[6]; /* of these; 0: one */
		unsigned sizes[2];
	} cases[] = {
		{ &fake, GROUP_MAX + 3, { 0 }, { GROUP_MAX, 3 } },
		{ &slow_fake, SLOW_GROUP_MAX + 3, { 0 }, { SLOW_GROUP_MAX, 3 } },
		{ &slow_fake, 5, { SLOW_SAMPLES - 40000, 40000, SLOW_SAMPLES - 40000, 39999, 7 }, { 2, 3 } },
		{ &slow_fake, 2, { SLOW_SAMPLES * 3, 1 }, { 1, 1 } },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		static struct burst burst;
		burst_open_held(&burst, cases[i].ops, 0);
		for (unsigned j = 0; j < cases[i].batches; j++)
			burst_send(&burst, j < COUNT_OF(cases[i].samples) && cases[i].samples[j] ? cases[i].samples[j] : 1, WISH_OK);
		burst_hold(&burst, false);
		burst_wait(&burst, burst.count - 1);
		if (burst.store.appends != 4 || burst.store.sizes[2] != cases[i].sizes[0] || burst.store.sizes[3] != cases[i].sizes[1])
			fail_msg("case %zu: %u, %u", i, burst.store.sizes[2], burst.store.sizes[3]);
		burst_close(&burst);
	}
}

/* What was written, however much, is no reason to turn others away. */
static void test_writer_send_samples_that_are_written_wait_no_more(void **state)
{
	(void)state;
	static struct burst burst;
	burst_open(&burst, &slow_fake, 5);
	burst_send(&burst, 1000000000, WISH_OK);
	burst_wait(&burst, 1);
	burst_hold(&burst, true);
	burst_send(&burst, 1, WISH_OK);
	WAIT_FOR(burst_inside(&burst) == 1, 5000);
	burst_send(&burst, 1, WISH_OK);
	assert_false(writer_is_late(burst.writer));
	burst_hold(&burst, false);
	burst_close(&burst);
}

/* As much as a write has does not wait for its time. That is seen once in a few rounds, however busy the machine is. */
static void test_writer_send_a_whole_write_begins_at_once(void **state)
{
	(void)state;
	static const struct {
		unsigned batches;
		size_t samples; /* of each */
	} cases[] = { { SLOW_GROUP_MAX, 1 }, { 4, SLOW_SAMPLES / 4 } };
	enum { TAKES_MS = 900 };
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		bool at_once = false;
		for (int round = 0; round < 10 && !at_once; round++) {
			static struct burst burst;
			burst_open_held(&burst, &slow_broad_fake, TAKES_MS);
			for (unsigned j = 0; j < cases[i].batches; j++) {
				burst_send(&burst, cases[i].samples, WISH_OK);
				if (j < APPENDS) /* each of its threads has seen that it is not time yet */
					nanosleep(&(struct timespec){ 0, 20000000 }, NULL);
			}
			WAIT_FOR(burst_inside(&burst) == 2, 5000);
			at_once = burst.store.begun_ns[2] - burst.store.begun_ns[1] < TAKES_MS / APPENDS / 2 * INT64_C(1000000);
			burst_hold(&burst, false);
			burst_close(&burst);
		}
		assert_true(at_once);
	}
}

/* Nor does what comes while nothing is written, however slow the writes before were. */
static void test_writer_send_while_nothing_is_written_begins_at_once(void **state)
{
	(void)state;
	enum { TAKES_MS = 300 };
	static struct burst burst;
	bool at_once = false;
	burst_open_held(&burst, &slow_fake, TAKES_MS);
	burst_hold(&burst, false);
	burst_wait(&burst, 1);
	for (unsigned i = 0; i < 10 && !at_once; i++) {
		burst_send(&burst, 1, WISH_OK);
		burst_wait(&burst, 1);
		at_once = burst.store.begun_ns[i + 2] - burst.store.begun_ns[i + 1] < TAKES_MS / 3 * INT64_C(1000000);
	}
	assert_true(at_once);
	burst_close(&burst);
}

/* What one write leaves is begun by another thread in its time, though nothing more comes. */
static void test_writer_send_what_a_write_leaves_is_not_left(void **state)
{
	(void)state;
	for (int round = 0; round < 5; round++) {
		static struct burst burst;
		burst_open_held(&burst, &slow_broad_fake, 150);
		burst_send(&burst, 1, WISH_OK);
		nanosleep(&(struct timespec){ 0, 10000000 }, NULL); /* a thread waits for its time */
		burst_send(&burst, SLOW_SAMPLES, WISH_OK);
		burst_send(&burst, SLOW_SAMPLES, WISH_OK);
		WAIT_FOR(burst_inside(&burst) == 3, 5000);
		burst_hold(&burst, false);
		burst_close(&burst);
	}
}

static int64_t used_ns(void)
{
	struct timespec used;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return used.tv_sec * INT64_C(1000000000) + used.tv_nsec;
}

/* It is waited for as long as the last write took, and longer; each that waited learns it, and nobody spins meanwhile. */
static void test_writer_send_store_that_hangs_is_waited_for_in_peace(void **state)
{
	(void)state;
	enum { TAKES_MS = 500, PATIENCE_MS = 2000 };
	static struct burst burst;
	burst_open_held(&burst, &slow_fake, TAKES_MS);
	int64_t start_ns = clock_monotonic_ns(), used_before_ns = used_ns();
	for (int i = 0; i < 3; i++)
		burst_send(&burst, 1, WISH_OK);
	burst_wait(&burst, 3);
	assert_true(clock_monotonic_ns() - start_ns >= (TAKES_MS + PATIENCE_MS) * INT64_C(1000000));
	for (int i = 2; i < 5; i++)
		assert_int_equal(burst.sent[i].writing.result, -ENOTCONN);
	assert_true(writer_is_stuck(burst.writer));
	nanosleep(&(struct timespec){ 0, 500000000 }, NULL);
	assert_true(used_ns() - used_before_ns < 10000000);
	burst_hold(&burst, false);
	burst_wait(&burst, 1);
	assert_int_equal(burst.sent[1].writing.result, 0);
	burst_close(&burst);
}

/* Whatever its threads are about. */
static void test_writer_close_writes_what_waits(void **state)
{
	(void)state;
	for (int round = 0; round < 30; round++) {
		static struct burst burst;
		burst_open(&burst, &slow_broad_fake, 30);
		burst_send(&burst, 1, WISH_OK);
		burst_wait(&burst, 1);
		for (int i = 0; i < 3; i++) {
			burst_send(&burst, 1, WISH_OK);
			nanosleep(&(struct timespec){ 0, round * 500000 }, NULL);
		}
		burst_close(&burst);
		for (unsigned i = 0; i < burst.count; i++)
			assert_int_equal(burst.sent[i].writing.result, 0);
		assert_int_equal(burst.store.batches, burst.count);
	}
}

static void *close_burst(void *user)
{
	struct burst *burst = user;
	writer_close(burst->writer);
	return NULL;
}

static void test_writer_close_begins_what_waits_at_once(void **state)
{
	(void)state;
	enum { TAKES_MS = 600 };
	bool at_once = false;
	for (int round = 0; round < 10 && !at_once; round++) {
		static struct burst burst;
		pthread_t closer;
		burst_open_held(&burst, &slow_broad_fake, TAKES_MS);
		burst_send(&burst, 1, WISH_OK);
		nanosleep(&(struct timespec){ 0, 20000000 }, NULL); /* a thread waits for its time */
		pthread_create(&closer, NULL, close_burst, &burst);
		WAIT_FOR(burst_inside(&burst) == 2, 5000);
		at_once = burst.store.begun_ns[2] - burst.store.begun_ns[1] < TAKES_MS / APPENDS / 2 * INT64_C(1000000);
		burst_hold(&burst, false);
		pthread_join(closer, NULL);
		sem_destroy(&burst.told);
	}
	assert_true(at_once);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_writer_open_has_one_thread_more_than_writes),
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
		cmocka_unit_test(test_writer_open_without_memory_or_threads_is_none),
		cmocka_unit_test(test_writer_send_is_counted),
		cmocka_unit_test(test_writer_send_after_a_guilty_batch_the_next_go_together),
		cmocka_unit_test(test_writer_send_a_write_has_so_many_batches_or_samples),
		cmocka_unit_test(test_writer_send_samples_that_are_written_wait_no_more),
		cmocka_unit_test(test_writer_send_a_whole_write_begins_at_once),
		cmocka_unit_test(test_writer_send_while_nothing_is_written_begins_at_once),
		cmocka_unit_test(test_writer_send_what_a_write_leaves_is_not_left),
		cmocka_unit_test(test_writer_send_store_that_hangs_is_waited_for_in_peace),
		cmocka_unit_test(test_writer_close_writes_what_waits),
		cmocka_unit_test(test_writer_close_begins_what_waits_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
