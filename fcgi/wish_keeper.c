#include "fcgi/wish_keeper.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"

enum { FAILED_MS = 1000 }; /* until what failed is tried again */

/* A time after any wish, the year 2100: VictoriaMetrics 1.112 finds nothing up to one that is past 32 bits of seconds. */
#define AFTER_ALL_MS INT64_C(4102444800000)

struct wish_keeper {
	const struct store_ops *ops;
	struct store *store;
	struct writer *writer;
	struct wishes *wishes;
	atomic_bool known;
	pthread_mutex_t writing; /* so that nothing is written again over what is new; the wishes' own is taken within it */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool ending;
	pthread_t thread;
};

/* Takes what the store has. 0 or its negative errno. */
static int read_wishes(struct wish_keeper *keeper)
{
	const struct query query = {
		.metric = METRIC_WISH, .from_ms = -1, .to_ms = AFTER_ALL_MS, .ip = WISHES_IP, .by_host = true,
		.unwanted = { [RESOURCE_MEM] = true }, .without_maximum = true,
	};
	struct store_rows rows;
	int result = keeper->ops->latest(keeper->store, &query, &rows);
	if (result)
		return result;
	for (size_t i = 0; i < rows.count && !result; i++) {
		struct wish wish;
		const struct store_row *row = &rows.items[i];
		if (!row->present[RESOURCE_CPU] || !wishes_read_name(row->key.process, &wish))
			continue;
		wish.stop = row->value[RESOURCE_CPU] < 0.5;
		wish.time_ms = row->time_ms[RESOURCE_CPU];
		result = wishes_take(keeper->wishes, &wish);
	}
	store_rows_free(&rows);
	return result;
}

/* Stores wishes as of one time. 0 or an error of writer_append(), or -ENOMEM. */
static int write_wishes(struct wish_keeper *keeper, const struct wish wishes[], size_t count, int64_t time_ms,
                        char ret_refusal[static STORE_REFUSAL_SIZE])
{
	struct sample *samples = calloc(count, sizeof(*samples));
	char (*names)[WIRE_NAME_SIZE] = calloc(count, sizeof(*names));
	int result = samples && names ? 0 : -ENOMEM;
	for (size_t i = 0; i < count && !result; i++) {
		wishes_name(&wishes[i], names[i]);
		samples[i] = (struct sample){
			.time_ms = time_ms, .value = wishes[i].stop ? 0 : 1, .ip = WISHES_IP, .process = names[i],
			.metric = METRIC_WISH, .resource = RESOURCE_CPU,
		};
	}
	const struct batch batch = { .samples = samples, .count = count, .bytes = count * (sizeof(*samples) + sizeof(*names)) };
	if (!result)
		result = writer_append(keeper->writer, &batch, ret_refusal);
	free(samples);
	free(names);
	return result;
}

int wish_keeper_express(struct wish_keeper *keeper, struct wish *wish, char ret_refusal[static STORE_REFUSAL_SIZE])
{
	pthread_mutex_lock(&keeper->writing);
	wish->time_ms = wishes_time(keeper->wishes, clock_wall_ms());
	int result = write_wishes(keeper, wish, 1, wish->time_ms, ret_refusal);
	if (result == 0)
		result = wishes_take(keeper->wishes, wish);
	pthread_mutex_unlock(&keeper->writing);
	return result;
}

static int write_again(struct wish_keeper *keeper)
{
	char refusal[STORE_REFUSAL_SIZE] = "";
	struct wish *wishes;
	size_t count;
	pthread_mutex_lock(&keeper->writing);
	int result = wishes_list(keeper->wishes, &wishes, &count);
	if (result == 0) {
		if (count)
			result = write_wishes(keeper, wishes, count, wishes_time(keeper->wishes, clock_wall_ms()), refusal);
		free(wishes);
	}
	pthread_mutex_unlock(&keeper->writing);
	if (result)
		log_debug("the wishes are not written again: %s", refusal[0] ? refusal : strerror(-result));
	return result;
}

/* False: it is to end. */
static bool wait_ms(struct wish_keeper *keeper, int64_t ms)
{
	int64_t until_ns = clock_monotonic_ns() + ms * 1000000;
	const struct timespec until = { .tv_sec = until_ns / 1000000000, .tv_nsec = until_ns % 1000000000 };
	int waited = 0;
	pthread_mutex_lock(&keeper->lock);
	while (!keeper->ending && waited == 0)
		waited = pthread_cond_timedwait(&keeper->wake, &keeper->lock, &until);
	bool ending = keeper->ending;
	pthread_mutex_unlock(&keeper->lock);
	return !ending;
}

static int64_t repeat_ms(const struct wish_keeper *keeper)
{
	int64_t quarter_ms = keeper->ops->retention(keeper->store) / 4;
	return quarter_ms < WISH_KEEPER_REPEAT_MS ? quarter_ms : WISH_KEEPER_REPEAT_MS;
}

static void *keep(void *user)
{
	struct wish_keeper *keeper = user;
	/* One that is known not to work is not asked: where it hangs, that would hold up the end. */
	while (keeper->ops->health(keeper->store) != 0 || read_wishes(keeper) != 0) {
		if (!wait_ms(keeper, FAILED_MS))
			return NULL;
	}
	atomic_store(&keeper->known, true);
	int64_t again_ms = repeat_ms(keeper);
	if (!wait_ms(keeper, again_ms < WISH_KEEPER_AGAIN_MS ? again_ms : WISH_KEEPER_AGAIN_MS))
		return NULL;
	while (read_wishes(keeper) != 0) {
		if (!wait_ms(keeper, FAILED_MS))
			return NULL;
	}
	while (wait_ms(keeper, write_again(keeper) == 0 ? repeat_ms(keeper) : FAILED_MS))
		;
	return NULL;
}

struct wish_keeper *wish_keeper_open(const struct store_ops *ops, struct store *store, struct writer *writer,
                                     struct wishes *wishes)
{
	struct wish_keeper *keeper = calloc(1, sizeof(*keeper));
	if (!keeper)
		return NULL;
	keeper->ops = ops;
	keeper->store = store;
	keeper->writer = writer;
	keeper->wishes = wishes;
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_mutex_init(&keeper->writing, NULL);
	pthread_mutex_init(&keeper->lock, NULL);
	pthread_cond_init(&keeper->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	if (pthread_create(&keeper->thread, NULL, keep, keeper) == 0)
		return keeper;
	free(keeper);
	return NULL;
}

void wish_keeper_close(struct wish_keeper *keeper)
{
	if (!keeper)
		return;
	pthread_mutex_lock(&keeper->lock);
	keeper->ending = true;
	pthread_cond_signal(&keeper->wake);
	pthread_mutex_unlock(&keeper->lock);
	pthread_join(keeper->thread, NULL);
	pthread_cond_destroy(&keeper->wake);
	pthread_mutex_destroy(&keeper->lock);
	pthread_mutex_destroy(&keeper->writing);
	free(keeper);
}

bool wish_keeper_knows(const struct wish_keeper *keeper)
{
	return atomic_load(&keeper->known);
}
