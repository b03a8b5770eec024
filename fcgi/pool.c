#include "fcgi/pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fcgi/arrivals.h"
#include "fcgi/outbox.h"

enum {
	SEATS_MIN = 2,
	SMALL_BODY = 64 << 10, /* what a socket holds: it is there when the head is */
	SIGNAL_TRIES = 20,     /* to join a thread, until it is signalled again */
};

struct pool {
	const struct pool_handler *handler;
	void *user;
	atomic_size_t max_body;
	atomic_bool stopping;
	struct outbox *outbox; /* of what is large */
	struct arrivals *arrivals;

	pthread_mutex_t lock;
	pthread_cond_t left; /* a seat is free, or nothing is put off any more */
	unsigned free_seats;
	unsigned put_off; /* answers, or they may be */

	unsigned count;
	pthread_t threads[];
};

/* One thread. */
struct worker {
	struct pool *pool;
	bool seated;
	struct body_room room;
	struct response response;
};

/* ---- Seats ---- */

static void take_seat(struct worker *worker)
{
	struct pool *pool = worker->pool;
	pthread_mutex_lock(&pool->lock);
	while (pool->free_seats == 0 && !atomic_load(&pool->stopping))
		pthread_cond_wait(&pool->left, &pool->lock);
	worker->seated = pool->free_seats > 0;
	pool->free_seats -= worker->seated;
	pthread_mutex_unlock(&pool->lock);
}

static void leave_seat(struct pool *pool, bool *seated)
{
	if (!*seated)
		return;
	*seated = false;
	pthread_mutex_lock(&pool->lock);
	pool->free_seats++;
	pthread_cond_signal(&pool->left);
	pthread_mutex_unlock(&pool->lock);
}

/* ---- Requests ---- */

static void part(struct guest *guest, bool open)
{
	if (open)
		arrivals_return(guest);
	else
		arrivals_drop(guest);
}

static void wait_later(struct later *later)
{
	struct guest *guest = (struct guest *)later;
	leave_seat(guest->pool, guest->seated);
}

static void set_aside_later(struct later *later)
{
	struct guest *guest = (struct guest *)later;
	struct request *request = &guest->request;
	connection_set_aside(guest->connection);
	request->method = request->path = request->query = request->authorization = request->token = request->host = "";
}

static void answer_later(struct later *later, const struct response *response)
{
	struct guest *guest = (struct guest *)later;
	struct pool *pool = guest->pool;
	if (pool->handler->late)
		pool->handler->late(pool->user, &guest->request, response);
	bool open = connection_answer(guest->connection, true, response);
	part(guest, open);
	pthread_mutex_lock(&pool->lock);
	pool->put_off--;
	if (pool->put_off == 0 && atomic_load(&pool->stopping))
		pthread_cond_broadcast(&pool->left);
	pthread_mutex_unlock(&pool->lock);
}

/* Sends the answer, or has it sent. */
static bool send_answer(struct pool *pool, struct guest *guest, struct response *response)
{
	struct outbox_item *item = NULL;
	bool with_body = strcmp(guest->request.method, "HEAD") != 0;
	if (response_body(response)->length > OUTBOX_LARGE && with_body) {
		leave_seat(pool, guest->seated);
		int result = outbox_reserve(pool->outbox, response, &item);
		if (result)
			response_no_memory(response, result);
	}
	if (!item)
		return connection_answer(guest->connection, with_body, response);
	connection_answer_large(guest->connection, pool->outbox, item, response);
	return false;
}

/* Has the request handled. False: it is answered later, and is not to be touched. */
static bool handle(struct worker *worker, struct guest *guest)
{
	struct pool *pool = worker->pool;
	struct request *request = &guest->request;
	struct response *response = &worker->response;
	if (!pool->handler->admit(pool->user, request, response))
		return true;
	int result = connection_read_body(guest->connection, &worker->room, atomic_load(&pool->max_body), request);
	if (result) {
		response_no_memory(response, result);
		return true;
	}
	/* It may be answered before this returns. */
	pthread_mutex_lock(&pool->lock);
	pool->put_off++;
	pthread_mutex_unlock(&pool->lock);
	pool->handler->handle(pool->user, request, response);
	if (response->is_later)
		return false;
	pthread_mutex_lock(&pool->lock);
	pool->put_off--;
	pthread_mutex_unlock(&pool->lock);
	return true;
}

static void answer(struct worker *worker, struct guest *guest)
{
	struct pool *pool = worker->pool;
	struct response *response = &worker->response;
	guest->pool = pool;
	guest->later = (struct later){ .wait = wait_later, .set_aside = set_aside_later, .answer = answer_later };
	guest->request.later = &guest->later;
	guest->seated = &worker->seated;
	if (guest->request.content_length > SMALL_BODY)
		leave_seat(pool, &worker->seated);

	struct text body = response->body;
	text_reset(&body);
	*response = RESPONSE_NEW;
	response->body = body;
	bool now = handle(worker, guest);
	body_room_give_back(&worker->room);
	if (now && text_failed(response_body(response))) {
		response_free(response);
		response_no_memory(response, -ENOMEM);
	}
	if (now) {
		bool open = send_answer(pool, guest, response);
		if (pool->handler->sent)
			pool->handler->sent(pool->user, &guest->request);
		part(guest, open);
	}
	response_give_back(response);
	/* A larger one is not kept for the next. */
	if (response->body.capacity > BUDGET_FREE)
		response_free(response);
	budget_give_back(&response->share);
}

static void *run(void *user)
{
	struct worker worker = { .pool = user, .room = { .share = { .part = BUDGET_BODIES } } };
	struct pool *pool = worker.pool;
	while (!atomic_load(&pool->stopping)) {
		if (!worker.seated)
			take_seat(&worker);
		struct guest *guest = worker.seated ? arrivals_next(pool->arrivals) : NULL;
		if (guest)
			answer(&worker, guest);
	}
	leave_seat(pool, &worker.seated);
	response_free(&worker.response);
	body_room_free(&worker.room);
	return NULL;
}

/* ---- From start to end ---- */

static unsigned count_seats(void)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	return cores > SEATS_MIN ? (unsigned)cores : SEATS_MIN;
}

int pool_start(unsigned threads, size_t max_body, const struct pool_handler *handler, void *user,
               struct pool **ret_pool)
{
	struct pool *pool = calloc(1, sizeof(*pool) + threads * sizeof(pool->threads[0]));
	if (!pool)
		return -ENOMEM;
	pool->handler = handler;
	pool->user = user;
	pool->max_body = max_body;
	pool->free_seats = count_seats();
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->left, NULL);
	int result = arrivals_open(&pool->arrivals);
	if (result == 0)
		result = outbox_open(&pool->outbox);
	for (; result == 0 && pool->count < threads; pool->count += result == 0)
		result = -pthread_create(&pool->threads[pool->count], NULL, run, pool);
	if (result)
		pool_stop(pool);
	else
		*ret_pool = pool;
	return result;
}

void pool_set_max_body(struct pool *pool, size_t max_body)
{
	atomic_store(&pool->max_body, max_body);
}

static void join(pthread_t thread)
{
	/* A signal that comes just before the thread enters accept() is lost: again until it has ended. No clock that may be set
	 * takes part, as in pthread_timedjoin_np(). */
	const struct timespec pause = { .tv_nsec = 1000000 };
	for (unsigned tries = 0; pthread_tryjoin_np(thread, NULL) != 0; tries++) {
		if (tries % SIGNAL_TRIES == 0)
			pthread_kill(thread, ARRIVALS_SIGNAL);
		nanosleep(&pause, NULL);
	}
}

void pool_stop(struct pool *pool)
{
	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	atomic_store(&pool->stopping, true);
	pthread_cond_broadcast(&pool->left);
	pthread_mutex_unlock(&pool->lock);
	if (pool->arrivals)
		arrivals_end(pool->arrivals);
	for (unsigned i = 0; i < pool->count; i++)
		join(pool->threads[i]);

	pthread_mutex_lock(&pool->lock);
	while (pool->put_off)
		pthread_cond_wait(&pool->left, &pool->lock);
	pthread_mutex_unlock(&pool->lock);
	arrivals_close(pool->arrivals);
	outbox_close(pool->outbox);
	pthread_cond_destroy(&pool->left);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}
