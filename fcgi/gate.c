#include "fcgi/gate.h"

#include <errno.h>
#include <time.h>

#include "common/clock.h"

void gate_init(struct gate *gate, unsigned limit, unsigned read_limit, int64_t patience_ms, int64_t read_patience_ms)
{
	*gate = (struct gate){
		.places = {
			[GATE_READ] = { .limit = read_limit, .patience_ms = read_patience_ms },
			[GATE_WRITE] = { .limit = limit, .patience_ms = patience_ms },
		},
		.changed_ns = clock_monotonic_ns(),
	};
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_mutex_init(&gate->lock, NULL);
	for (int i = 0; i < GATE_KINDS; i++)
		pthread_cond_init(&gate->places[i].left, &attributes);
	pthread_condattr_destroy(&attributes);
}

void gate_destroy(struct gate *gate)
{
	for (int i = 0; i < GATE_KINDS; i++)
		pthread_cond_destroy(&gate->places[i].left);
	pthread_mutex_destroy(&gate->lock);
}

/* Of both kinds. The lock is held. */
static unsigned count_inside(const struct gate *gate)
{
	return gate->places[GATE_READ].inside + gate->places[GATE_WRITE].inside;
}

/* The lock is held. */
static bool has_place(const struct gate *gate, enum gate_kind kind)
{
	return count_inside(gate) < gate->places[GATE_WRITE].limit && gate->places[kind].inside < gate->places[kind].limit;
}

/* The lock is held. */
static bool is_stuck(const struct gate *gate, int64_t now_ns)
{
	const struct gate_places *writers = &gate->places[GATE_WRITE];
	bool given_up = writers->given_up || gate->places[GATE_READ].given_up;
	return given_up && now_ns - gate->changed_ns >= writers->patience_ms * 1000000;
}

/* The lock is held. */
static void take_place(struct gate *gate, enum gate_kind kind, int64_t now_ns)
{
	gate->places[kind].inside++;
	gate->changed_ns = now_ns;
}

int gate_enter(struct gate *gate, enum gate_kind kind)
{
	struct gate_places *places = &gate->places[kind];
	pthread_mutex_lock(&gate->lock);
	int64_t now_ns = clock_monotonic_ns(), until_ns = now_ns + places->patience_ms * 1000000;
	struct timespec until = clock_timespec(until_ns);
	while (!has_place(gate, kind) && !places->given_up && !is_stuck(gate, now_ns)) {
		if (pthread_cond_timedwait(&places->left, &gate->lock, &until) == ETIMEDOUT && !has_place(gate, kind)) {
			places->given_up = true;
			pthread_cond_broadcast(&places->left);
		}
		now_ns = clock_monotonic_ns();
	}
	int result = has_place(gate, kind) ? 0 : -EBUSY;
	if (result == 0)
		take_place(gate, kind, now_ns);
	pthread_mutex_unlock(&gate->lock);
	return result;
}

bool gate_try(struct gate *gate, enum gate_kind kind)
{
	pthread_mutex_lock(&gate->lock);
	bool place = has_place(gate, kind);
	if (place)
		take_place(gate, kind, clock_monotonic_ns());
	pthread_mutex_unlock(&gate->lock);
	return place;
}

bool gate_has_place(struct gate *gate, enum gate_kind kind)
{
	pthread_mutex_lock(&gate->lock);
	bool place = has_place(gate, kind);
	pthread_mutex_unlock(&gate->lock);
	return place;
}

void gate_note_answer(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	gate->changed_ns = clock_monotonic_ns();
	pthread_mutex_unlock(&gate->lock);
}

void gate_leave(struct gate *gate, enum gate_kind kind)
{
	pthread_mutex_lock(&gate->lock);
	gate->places[kind].inside--;
	gate->changed_ns = clock_monotonic_ns();
	/* One of each kind looks whether the place is for it. */
	for (int i = 0; i < GATE_KINDS; i++) {
		gate->places[i].given_up = false;
		pthread_cond_signal(&gate->places[i].left);
	}
	pthread_mutex_unlock(&gate->lock);
}

unsigned gate_inside(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	unsigned inside = count_inside(gate);
	pthread_mutex_unlock(&gate->lock);
	return inside;
}

bool gate_is_stuck(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	bool stuck = is_stuck(gate, clock_monotonic_ns());
	pthread_mutex_unlock(&gate->lock);
	return stuck;
}
