#include "fcgi/sqlite/damage.h"

#include <string.h>

#include "fcgi/sqlite/placement.h"

void damage_init(struct damage *damage)
{
	*damage = (struct damage){ 0 };
	pthread_mutex_init(&damage->lock, NULL);
}

void damage_destroy(struct damage *damage)
{
	pthread_mutex_destroy(&damage->lock);
}

/* Its place in the list, at the end where it is not there. */
static size_t find(const struct damage *damage, int64_t key)
{
	size_t i = 0;
	while (i < damage->count && damage->keys[i] != key)
		i++;
	return i;
}

static void forget(struct damage *damage, size_t place)
{
	damage->count--;
	memmove(&damage->keys[place], &damage->keys[place + 1], (damage->count - place) * sizeof(damage->keys[0]));
}

bool damage_note(struct damage *damage, int64_t key)
{
	pthread_mutex_lock(&damage->lock);
	bool new = find(damage, key) == damage->count && damage->count < STORE_DAMAGED_MAX;
	if (new)
		damage->keys[damage->count++] = key;
	pthread_mutex_unlock(&damage->lock);
	return new;
}

size_t damage_list(struct damage *damage, int64_t oldest_ms, int64_t ret_keys[static STORE_DAMAGED_MAX])
{
	pthread_mutex_lock(&damage->lock);
	for (size_t i = damage->count; i > 0; i--) {
		if (placement_hour_ms(damage->keys[i - 1]) + BLOCK_MS <= oldest_ms)
			forget(damage, i - 1);
	}
	size_t count = damage->count;
	memcpy(ret_keys, damage->keys, count * sizeof(ret_keys[0]));
	pthread_mutex_unlock(&damage->lock);
	return count;
}
