/*
 * Keeps threads free of the store: only so many calls of it at a time, and none
 * while it hangs, so that health, metrics and errors are always answered.
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
	unsigned limit;        /* calls at a time */
	unsigned inside;
	int64_t patience_ms;   /* how long the calls inside may all go on before others give up */
	int64_t progress_ns;   /* when a call last began or ended */
};

/* `limit` is at least 1. */
void gate_init(struct gate *gate, unsigned limit, int64_t patience_ms);
void gate_destroy(struct gate *gate);

/* Waits for a place. 0: the caller is inside until gate_leave(); -EBUSY: there is none,
 * and no call has begun or ended for the patience's time. */
int gate_enter(struct gate *gate) __attribute__((warn_unused_result));
void gate_leave(struct gate *gate);

/* Whether gate_enter() would give up now. */
bool gate_is_stuck(struct gate *gate);

#endif
