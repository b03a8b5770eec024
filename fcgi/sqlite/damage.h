/*
 * Which sealed hours could not be read, by whoever met them first: answers are made without them. GET health names them
 * until they are too old.
 *
 * Any thread; with a lock of its own.
 */
#ifndef VIGIE_FCGI_SQLITE_DAMAGE_H
#define VIGIE_FCGI_SQLITE_DAMAGE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fcgi/store.h"

struct damage {
	pthread_mutex_t lock;
	int64_t keys[STORE_DAMAGED_MAX]; /* keys[count], of the hours: placement_hour_key() */
	size_t count;
};

void damage_init(struct damage *damage);
void damage_destroy(struct damage *damage);

/* An hour was found damaged. Whether that is new; false also where as many are as can be told. */
bool damage_note(struct damage *damage, int64_t key);

/* Those that are newer than `oldest_ms`; the others are forgotten. Returns how many. */
size_t damage_list(struct damage *damage, int64_t oldest_ms, int64_t ret_keys[static STORE_DAMAGED_MAX]);

#endif
