/*
 * Keeps threads free of the store: only so many requests call it at a time, and none
 * wait once one of those that wait has given up, until one of those inside leaves. So
 * a store that hangs holds the other threads for the patience's time at most, and then
 * health, metrics and errors are answered at once.
 *
 * Who waits for the answer of one that is inside is inside too. Nobody enters twice.
 *
 * Thread-safe.
 */
#ifndef VIGIE_FCGI_GATE_H
#define VIGIE_FCGI_GATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct gate {
	pthread_mutex_t lock;
	pthread_cond_t left;
	unsigned limit;        /* requests at a time */
	unsigned inside;
	int64_t patience_ms;   /* how long one waits for a place */
	bool stuck;            /* one has waited for that time, and none has left since */
};

/* `limit` is at least 1. */
void gate_init(struct gate *gate, unsigned limit, int64_t patience_ms);
void gate_destroy(struct gate *gate);

/* Waits for a place. 0: the caller is inside until gate_leave(); -EBUSY: there was none
 * within the patience's time, or the gate is stuck. */
int gate_enter(struct gate *gate) __attribute__((warn_unused_result));
void gate_leave(struct gate *gate);

/* How many are inside. */
unsigned gate_inside(struct gate *gate);

/* Whether gate_enter() would give up at once. */
bool gate_is_stuck(struct gate *gate);

#endif
