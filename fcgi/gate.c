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

/* When those that wait give up. */
static int64_t patience_end_ns(const struct gate *gate)
{
	return gate->progress_ns + gate->patience_ms * 1000000;
}

int gate_enter(struct gate *gate)
{
	int result = 0;
	pthread_mutex_lock(&gate->lock);
	while (gate->inside >= gate->limit) {
		int64_t until_ns = patience_end_ns(gate);
		if (clock_monotonic_ns() >= until_ns) {
			result = -EBUSY;
			break;
		}
		struct timespec until = { .tv_sec = until_ns / 1000000000, .tv_nsec = until_ns % 1000000000 };
		pthread_cond_timedwait(&gate->left, &gate->lock, &until);
	}
	if (result == 0) {
		gate->inside++;
		gate->progress_ns = clock_monotonic_ns();
	}
	pthread_mutex_unlock(&gate->lock);
	return result;
}

void gate_leave(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	gate->inside--;
	gate->progress_ns = clock_monotonic_ns();
	pthread_cond_signal(&gate->left);
	pthread_mutex_unlock(&gate->lock);
}

bool gate_is_stuck(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	bool stuck = gate->inside >= gate->limit && clock_monotonic_ns() >= patience_end_ns(gate);
	pthread_mutex_unlock(&gate->lock);
	return stuck;
}
