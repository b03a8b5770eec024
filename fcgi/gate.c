#include "fcgi/gate.h"

#include <errno.h>
#include <time.h>

#include "common/clock.h"

void gate_init(struct gate *gate, unsigned limit, int64_t patience_ms)
{
	*gate = (struct gate){ .limit = limit, .patience_ms = patience_ms };
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_mutex_init(&gate->lock, NULL);
	pthread_cond_init(&gate->left, &attributes);
	pthread_condattr_destroy(&attributes);
}

void gate_destroy(struct gate *gate)
{
	pthread_cond_destroy(&gate->left);
	pthread_mutex_destroy(&gate->lock);
}

int gate_enter(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	int64_t until_ns = clock_monotonic_ns() + gate->patience_ms * 1000000;
	struct timespec until = { .tv_sec = until_ns / 1000000000, .tv_nsec = until_ns % 1000000000 };
	while (gate->inside >= gate->limit && !gate->stuck) {
		if (pthread_cond_timedwait(&gate->left, &gate->lock, &until) == ETIMEDOUT && gate->inside >= gate->limit) {
			gate->stuck = true;
			pthread_cond_broadcast(&gate->left);
		}
	}
	int result = gate->inside < gate->limit ? 0 : -EBUSY;
	if (result == 0)
		gate->inside++;
	pthread_mutex_unlock(&gate->lock);
	return result;
}

void gate_leave(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	gate->inside--;
	gate->stuck = false;
	pthread_cond_signal(&gate->left);
	pthread_mutex_unlock(&gate->lock);
}

unsigned gate_inside(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	unsigned inside = gate->inside;
	pthread_mutex_unlock(&gate->lock);
	return inside;
}

bool gate_is_stuck(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	bool stuck = gate->stuck;
	pthread_mutex_unlock(&gate->lock);
	return stuck;
}
