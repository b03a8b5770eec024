#include "fcgi/keeper.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"

enum { FAILED_MS = 1000 }; /* until what failed is tried again */

/* A time after any of them, the year 2100: VictoriaMetrics 1.112 finds nothing up to one that is past 32 bits of seconds. */
#define AFTER_ALL_MS INT64_C(4102444800000)

struct keeper {
	const struct store_ops *ops;
	struct store *store;
	struct writer *writer;
	atomic_bool known;
	pthread_mutex_t writing; /* so that nothing is written again over what is new; the tables' own are taken within it */
	int64_t newest_ms;       /* guarded by it: of all that there was */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool ending;
	pthread_t thread;
	size_t count;
	struct keeper_table tables[];
};

int64_t keeper_time(int64_t *newest_ms, int64_t now_ms)
{
	*newest_ms = now_ms > *newest_ms ? now_ms : *newest_ms + 1;
	return *newest_ms;
}

/* Takes what the store has of a table. 0 or its negative errno. */
static int read_table(struct keeper *keeper, const struct keeper_table *table)
{
	const struct query query = {
		.metric = table->metric, .from_ms = -1, .to_ms = AFTER_ALL_MS, .ip = KEEPER_IP, .by_host = true,
		.unwanted = { [HALF_FIRST] = true }, .without_maximum = true,
	};
	struct store_rows rows;
	int result = keeper->ops->latest(keeper->store, &query, &rows);
	if (result)
		return result;
	pthread_mutex_lock(&keeper->writing);
	for (size_t i = 0; i < rows.count && !result; i++) {
		const struct store_row *row = &rows.items[i];
		struct kept kept = { .value = row->value[HALF_SECOND] };
		int64_t time_ms = row->time_ms[HALF_SECOND];
		if (!row->present[HALF_SECOND] || strlen(row->key.process) > WIRE_NAME_MAX)
			continue;
		strcpy(kept.name, row->key.process);
		if (time_ms > keeper->newest_ms)
			keeper->newest_ms = time_ms;
		result = table->take(table->user, &kept, time_ms);
		if (result == -EDQUOT)
			result = 0; /* what finds no place is left out, and hides no other */
	}
	pthread_mutex_unlock(&keeper->writing);
	store_rows_free(&rows);
	return result;
}

static int read_all(struct keeper *keeper)
{
	int result = 0;
	for (size_t i = 0; i < keeper->count && !result; i++)
		result = read_table(keeper, &keeper->tables[i]);
	return result;
}

/* Stores kept[count] as of one time. 0 or an error of writer_append(), or -ENOMEM. */
static int write_kept(struct keeper *keeper, enum metric metric, const struct kept kept[], size_t count, int64_t time_ms,
                      char ret_refusal[static STORE_REFUSAL_SIZE])
{
	struct sample *samples = calloc(count, sizeof(*samples));
	if (!samples)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		samples[i] = (struct sample){
			.time_ms = time_ms, .value = kept[i].value, .ip = KEEPER_IP, .process = kept[i].name,
			.metric = metric, .half = HALF_SECOND,
		};
	const struct batch batch = { .samples = samples, .count = count, .bytes = count * (sizeof(*samples) + sizeof(*kept)) };
	int result = writer_append(keeper->writer, &batch, ret_refusal);
	free(samples);
	return result;
}

int keeper_put(struct keeper *keeper, enum metric metric, const struct kept *kept,
               char ret_refusal[static STORE_REFUSAL_SIZE])
{
	const struct keeper_table *table = keeper->tables;
	while (table < keeper->tables + keeper->count && table->metric != metric)
		table++;
	assert(table < keeper->tables + keeper->count);
	pthread_mutex_lock(&keeper->writing);
	int64_t time_ms = keeper_time(&keeper->newest_ms, clock_wall_ms());
	int result = table->reserve(table->user, kept);
	if (result == 0)
		result = write_kept(keeper, metric, kept, 1, time_ms, ret_refusal);
	if (result == 0)
		result = table->take(table->user, kept, time_ms);
	pthread_mutex_unlock(&keeper->writing);
	return result;
}

static int write_again(struct keeper *keeper)
{
	char refusal[STORE_REFUSAL_SIZE] = "";
	int result = 0;
	pthread_mutex_lock(&keeper->writing);
	int64_t time_ms = keeper_time(&keeper->newest_ms, clock_wall_ms());
	for (size_t i = 0; i < keeper->count && !result; i++) {
		const struct keeper_table *table = &keeper->tables[i];
		struct kept *kept = NULL;
		size_t count = 0;
		result = table->list(table->user, &kept, &count);
		if (!result && count)
			result = write_kept(keeper, table->metric, kept, count, time_ms, refusal);
		free(kept);
	}
	pthread_mutex_unlock(&keeper->writing);
	if (result)
		log_debug("what administrators have set is not written again: %s", refusal[0] ? refusal : strerror(-result));
	return result;
}

/* False: it is to end. */
static bool wait_ms(struct keeper *keeper, int64_t ms)
{
	int64_t until_ns = clock_monotonic_ns() + ms * 1000000;
	const struct timespec until = clock_timespec(until_ns);
	int waited = 0;
	pthread_mutex_lock(&keeper->lock);
	while (!keeper->ending && waited == 0)
		waited = pthread_cond_timedwait(&keeper->wake, &keeper->lock, &until);
	bool ending = keeper->ending;
	pthread_mutex_unlock(&keeper->lock);
	return !ending;
}

static int64_t repeat_ms(const struct keeper *keeper)
{
	int64_t quarter_ms = keeper->ops->retention(keeper->store) / 4;
	return quarter_ms < KEEPER_REPEAT_MS ? quarter_ms : KEEPER_REPEAT_MS;
}

static void *keep(void *user)
{
	struct keeper *keeper = user;
	/* One that is known not to work is not asked: where it hangs, that would hold up the end. */
	while (keeper->ops->health(keeper->store) != 0 || read_all(keeper) != 0) {
		if (!wait_ms(keeper, FAILED_MS))
			return NULL;
	}
	atomic_store(&keeper->known, true);
	int64_t again_ms = repeat_ms(keeper);
	if (!wait_ms(keeper, again_ms < KEEPER_AGAIN_MS ? again_ms : KEEPER_AGAIN_MS))
		return NULL;
	while (read_all(keeper) != 0) {
		if (!wait_ms(keeper, FAILED_MS))
			return NULL;
	}
	while (wait_ms(keeper, write_again(keeper) == 0 ? repeat_ms(keeper) : FAILED_MS))
		;
	return NULL;
}

static void destroy(struct keeper *keeper)
{
	pthread_cond_destroy(&keeper->wake);
	pthread_mutex_destroy(&keeper->lock);
	pthread_mutex_destroy(&keeper->writing);
	free(keeper);
}

int keeper_open(const struct store_ops *ops, struct store *store, struct writer *writer, const struct keeper_table tables[],
                size_t count, struct keeper **ret_keeper)
{
	struct keeper *keeper = calloc(1, sizeof(*keeper) + count * sizeof(tables[0]));
	if (!keeper)
		return -ENOMEM;
	keeper->ops = ops;
	keeper->store = store;
	keeper->writer = writer;
	keeper->count = count;
	memcpy(keeper->tables, tables, count * sizeof(tables[0]));
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_mutex_init(&keeper->writing, NULL);
	pthread_mutex_init(&keeper->lock, NULL);
	pthread_cond_init(&keeper->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	int result = -pthread_create(&keeper->thread, NULL, keep, keeper);
	if (result)
		destroy(keeper);
	else
		*ret_keeper = keeper;
	return result;
}

void keeper_close(struct keeper *keeper)
{
	if (!keeper)
		return;
	pthread_mutex_lock(&keeper->lock);
	keeper->ending = true;
	pthread_cond_signal(&keeper->wake);
	pthread_mutex_unlock(&keeper->lock);
	pthread_join(keeper->thread, NULL);
	destroy(keeper);
}

bool keeper_knows(const struct keeper *keeper)
{
	return atomic_load(&keeper->known);
}
