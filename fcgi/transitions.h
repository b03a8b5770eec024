/*
 * When alarms were raised and cleared: found in the histories of their colours, which come in
 * pieces, oldest first.
 *
 * Standing alarms are reported at every tick: a transition is a colour that differs from the one before, or has none
 * before it. What the kernel has killed for want of memory stands among them. Pure; one thread uses a struct
 * transitions.
 */
#ifndef VIGIE_FCGI_TRANSITIONS_H
#define VIGIE_FCGI_TRANSITIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fcgi/store.h"

struct transition {
	int64_t time_ms;
	struct series_key key; /* points into the struct transitions */
	enum resource resource;
	enum color color;
	double kills; /* how many, of `color` nothing then; 0: it is a transition */
};

struct transitions_known; /* the newest colour of a series */

struct transitions {
	struct transition *items;
	size_t count, capacity;
	size_t max;
	bool newest; /* of more than max the newest are kept; otherwise more are too many */
	struct {
		struct transitions_known **items; /* sorted by key */
		size_t count, capacity;
	} known[RESOURCE_LIMITED];
};

/* At most `max` are found: the newest, or else more are -E2BIG. */
void transitions_init(struct transitions *transitions, size_t max, bool newest);
void transitions_free(struct transitions *transitions);

/* Takes the next piece of a resource's colours, by host. What is at or before `from_ms` is no transition, but tells
 * what the colours were. 0, -ENOMEM or -E2BIG. */
int transitions_add(struct transitions *transitions, const struct store_history *colors, enum resource resource,
                    int64_t from_ms) __attribute__((warn_unused_result));

/* Adds the alarms that stand at the start, with its time: once all pieces are there. 0, -ENOMEM or -E2BIG. */
int transitions_add_standing(struct transitions *transitions, int64_t from_ms) __attribute__((warn_unused_result));

/* Takes the next piece of what was killed, by host, of RESOURCE_MEM: each point behind `from_ms` is one. The same errors. */
int transitions_add_kills(struct transitions *transitions, const struct store_history *kills, int64_t from_ms)
	__attribute__((warn_unused_result));

/* Sorts them: the oldest first, or with `newest` the newest, and leaves at most `max`. */
void transitions_sort(struct transitions *transitions);

/* The colour that a stored number stands for. */
enum color transitions_color(double value);

#endif
