/*
 * Keeps threads free of the store: only so many requests call it at a time, and of these
 * only so many read. So readers never take all places from the writers, nor all threads.
 *
 * A writer waits for a place for the patience's time, a reader for a short while only,
 * since it holds a thread meanwhile. Once one has waited in vain none of its kind waits
 * any more, until one of those inside leaves. When none has left or come in for the
 * patience's time either, and the store has stored nothing, it hangs: the gate is stuck, and nobody waits. So a
 * store that hangs holds the other threads for the patience's time at most, and then
 * health, metrics and errors are answered at once.
 *
 * A PUT whose samples will be the writer's only passes, where there is a place. Who waits for the answer of one that is
 * inside is inside too, and so is a large answer until it is on its way. Nobody enters twice.
 *
 * Thread-safe.
 */
#ifndef VIGIE_FCGI_GATE_H
#define VIGIE_FCGI_GATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum gate_kind { GATE_READ, GATE_WRITE, GATE_KINDS };

struct gate {
	pthread_mutex_t lock;
	struct gate_places {
		pthread_cond_t left;
		unsigned limit;  /* requests at a time: the writers' is that of both together */
		unsigned inside;
		int64_t patience_ms; /* how long one waits for a place */
		bool given_up;   /* one has waited for that time, and none has left since */
	} places[GATE_KINDS];
	int64_t changed_ns; /* when the last came in or left, or the store was last heard of */
};

/* `limit` requests at a time are inside, `read_limit` of them readers; both are at least 1. A
 * reader waits for `read_patience_ms`, a writer for `patience_ms`. */
void gate_init(struct gate *gate, unsigned limit, unsigned read_limit, int64_t patience_ms, int64_t read_patience_ms);
void gate_destroy(struct gate *gate);

/* Waits for a place. 0: the caller is inside until gate_leave(); -EBUSY: there was none
 * within the patience's time, or nobody waits. */
int gate_enter(struct gate *gate, enum gate_kind kind) __attribute__((warn_unused_result));

/* The same, but does not wait. */
bool gate_try(struct gate *gate, enum gate_kind kind) __attribute__((warn_unused_result));

/* Whether there is a place. It is not taken: who only passes does not show that the store answers. */
bool gate_has_place(struct gate *gate, enum gate_kind kind);

/* The store has answered who is not inside: it does not hang, though no place is free for it. */
void gate_note_answer(struct gate *gate);

void gate_leave(struct gate *gate, enum gate_kind kind);

/* How many are inside. */
unsigned gate_inside(struct gate *gate);

/* Whether the store hangs, as far as can be seen from here. */
bool gate_is_stuck(struct gate *gate);

#endif
