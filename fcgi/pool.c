#include "fcgi/pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "common/log.h"

/* Interrupts a thread that waits in accept() or in read(). Blocked at all other
 * times, so that it never cuts a request or a write of the store. */
#define WAKE_SIGNAL SIGUSR2

struct pool {
	const struct pool_handler *handler;
	void *user;
	atomic_size_t max_body;
	atomic_bool stopping;
	unsigned count;
	pthread_t threads[];
};

static void on_wake(int signal)
{
	(void)signal;
}

static void set_wake(int how)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, WAKE_SIGNAL);
	pthread_sigmask(how, &set, NULL);
}

static void answer(struct pool *pool, struct connection *connection, struct response *response)
{
	struct request request;
	text_reset(&response->body);
	*response = (struct response){ .status = 200, .content_type = "application/json", .body = response->body };

	connection_read_head(connection, &request);
	if (pool->handler->admit(pool->user, &request, response)) {
		int result = connection_read_body(connection, atomic_load(&pool->max_body), &request);
		if (result == 0)
			pool->handler->handle(pool->user, &request, response);
		else
			response_no_memory(response, result);
	}
	if (text_failed(response_body(response))) {
		response_free(response);
		response_no_memory(response, -ENOMEM);
	}
	connection_answer(connection, &request, response);
	if (pool->handler->sent)
		pool->handler->sent(pool->user, &request);
	response_give_back(response);
	/* A larger one is not kept for the next. */
	if (response->body.capacity > BUDGET_FREE)
		response_free(response);
	budget_give_back(&response->share);
}

static void *run(void *user)
{
	struct pool *pool = user;
	struct response response = { .body = TEXT_EMPTY };
	struct connection *connection = connection_open();
	if (!connection) {
		log_error("a thread of the pool ends: out of memory");
		return NULL;
	}
	while (!atomic_load(&pool->stopping)) {
		set_wake(SIG_UNBLOCK);
		int result = connection_accept(connection);
		set_wake(SIG_BLOCK);
		if (result == 0) {
			answer(pool, connection, &response);
		} else if (!atomic_load(&pool->stopping)) {
			/* EMFILE and the like: not a reason to spin. */
			nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
		}
	}
	/* libfcgi waits for the other side to close a kept connection, for up to two seconds. */
	set_wake(SIG_UNBLOCK);
	connection_close(connection);
	response_free(&response);
	return NULL;
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

	/* Without SA_RESTART: the interrupted call returns. */
	struct sigaction action = { .sa_handler = on_wake };
	sigaction(WAKE_SIGNAL, &action, NULL);
	set_wake(SIG_BLOCK);
	for (; pool->count < threads; pool->count++) {
		int error = pthread_create(&pool->threads[pool->count], NULL, run, pool);
		if (error) {
			pool_stop(pool);
			return -error;
		}
	}
	*ret_pool = pool;
	return 0;
}

void pool_set_max_body(struct pool *pool, size_t max_body)
{
	atomic_store(&pool->max_body, max_body);
}

void pool_stop(struct pool *pool)
{
	if (!pool)
		return;
	atomic_store(&pool->stopping, true);
	request_shutdown();
	for (unsigned i = 0; i < pool->count; i++) {
		/* A signal that comes just before the thread enters accept() is lost: again
		 * until it has ended. */
		for (;;) {
			struct timespec until;
			pthread_kill(pool->threads[i], WAKE_SIGNAL);
			clock_gettime(CLOCK_REALTIME, &until);
			until.tv_nsec += 20000000;
			if (until.tv_nsec >= 1000000000) {
				until.tv_nsec -= 1000000000;
				until.tv_sec++;
			}
			if (pthread_timedjoin_np(pool->threads[i], NULL, &until) == 0)
				break;
		}
	}
	free(pool);
}
