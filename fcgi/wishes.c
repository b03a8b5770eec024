#include "fcgi/wishes.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/table.h"

struct item {
	struct wish wish;
	UT_hash_handle hh;
};

struct wishes {
	pthread_mutex_t lock;
	struct wish all[WIRE_SERVICES]; /* time_ms is 0: there is none */
	struct item *hosts;             /* of collectors, by address; none is older than the one for all, or its time is 0: a place */
};

struct wishes *wishes_open(void)
{
	struct wishes *wishes = calloc(1, sizeof(*wishes));
	if (wishes)
		pthread_mutex_init(&wishes->lock, NULL);
	return wishes;
}

/* Drops the wishes for hosts from before `time_ms`. The lock is held. */
static void drop_before(struct wishes *wishes, int64_t time_ms)
{
	struct item *item, *next;
	HASH_ITER(hh, wishes->hosts, item, next) {
		if (item->wish.time_ms < time_ms) {
			HASH_DEL(wishes->hosts, item);
			free(item);
		}
	}
}

void wishes_close(struct wishes *wishes)
{
	if (!wishes)
		return;
	drop_before(wishes, INT64_MAX);
	pthread_mutex_destroy(&wishes->lock);
	free(wishes);
}

struct kept wishes_kept(const struct wish *wish)
{
	struct kept kept = { .value = wish->stop ? 0 : 1 };
	snprintf(kept.name, sizeof(kept.name), "%s%s%s", wire_service_name(wish->service), wish->ip[0] ? " " : "", wish->ip);
	return kept;
}

bool wishes_read_name(const char *name, struct wish *ret_wish)
{
	char service[16];
	size_t length = strcspn(name, " ");
	struct wish wish = { .ip = "" };
	if (length >= sizeof(service))
		return false;
	memcpy(service, name, length);
	service[length] = '\0';
	wish.service = wire_service_parse(service);
	if (!wish.service || (name[length] && (wish.service != WIRE_COLLECTOR || !wire_ip_parse(name + length + 1, wish.ip))))
		return false;
	*ret_wish = wish;
	return true;
}

/* A host's wish or, without `wished`, its place. NULL: there is none. The lock is held. */
static struct item *find(struct wishes *wishes, const char *ip, bool wished)
{
	struct item *item;
	HASH_FIND_STR(wishes->hosts, ip, item);
	return item && wished && !item->wish.time_ms ? NULL : item;
}

/* The place of a host's wish, made where there is none. The lock is held. 0, -ENOMEM or -EDQUOT. */
static int find_place(struct wishes *wishes, const char *ip, struct item **ret_item)
{
	struct item *item = find(wishes, ip, false);
	if (!item) {
		if (HASH_COUNT(wishes->hosts) >= WISHES_MAX)
			drop_before(wishes, 1); /* places for what was not stored then */
		if (HASH_COUNT(wishes->hosts) >= WISHES_MAX)
			return -EDQUOT;
		item = calloc(1, sizeof(*item));
		if (!item)
			return -ENOMEM;
		strcpy(item->wish.ip, ip);
		HASH_ADD_STR(wishes->hosts, wish.ip, item);
		if (!item->hh.tbl) {
			free(item);
			return -ENOMEM;
		}
	}
	*ret_item = item;
	return 0;
}

/* A wish for one host's collector. The lock is held. */
static int take_own(struct wishes *wishes, const struct wish *wish)
{
	struct item *item = find(wishes, wish->ip, true);
	if (wish->time_ms < wishes->all[wish->service].time_ms || (item && wish->time_ms < item->wish.time_ms))
		return 0;
	int result = find_place(wishes, wish->ip, &item);
	if (result == 0)
		item->wish = *wish;
	return result;
}

int wishes_take(struct wishes *wishes, const struct wish *wish)
{
	int result = 0;
	pthread_mutex_lock(&wishes->lock);
	if (wish->ip[0]) {
		result = take_own(wishes, wish);
	} else if (wish->time_ms >= wishes->all[wish->service].time_ms) {
		wishes->all[wish->service] = *wish;
		if (wish->service == WIRE_COLLECTOR)
			drop_before(wishes, wish->time_ms);
	}
	pthread_mutex_unlock(&wishes->lock);
	return result;
}

bool wishes_stop(struct wishes *wishes, enum wire_service service, const char *ip)
{
	pthread_mutex_lock(&wishes->lock);
	const struct item *item = service == WIRE_COLLECTOR ? find(wishes, ip, true) : NULL;
	bool stop = item ? item->wish.stop : wishes->all[service].stop;
	pthread_mutex_unlock(&wishes->lock);
	return stop;
}

bool wishes_stop_any(struct wishes *wishes, enum wire_service service)
{
	pthread_mutex_lock(&wishes->lock);
	bool stop = wishes->all[service].stop;
	for (const struct item *item = service == WIRE_COLLECTOR ? wishes->hosts : NULL; item && !stop; item = item->hh.next)
		stop = item->wish.stop;
	pthread_mutex_unlock(&wishes->lock);
	return stop;
}

bool wishes_have(struct wishes *wishes, const char *ip)
{
	pthread_mutex_lock(&wishes->lock);
	bool have = find(wishes, ip, true);
	pthread_mutex_unlock(&wishes->lock);
	return have;
}

int wishes_list(struct wishes *wishes, struct wish **ret_wishes, size_t *ret_count)
{
	size_t count = 0;
	pthread_mutex_lock(&wishes->lock);
	struct wish *list = malloc((HASH_COUNT(wishes->hosts) + WIRE_SERVICES) * sizeof(*list));
	for (int i = WIRE_NOBODY + 1; i < WIRE_SERVICES && list; i++) {
		if (wishes->all[i].time_ms)
			list[count++] = wishes->all[i];
	}
	for (const struct item *item = wishes->hosts; item && list; item = item->hh.next) {
		if (item->wish.time_ms)
			list[count++] = item->wish;
	}
	pthread_mutex_unlock(&wishes->lock);
	if (!list)
		return -ENOMEM;
	*ret_wishes = list;
	*ret_count = count;
	return 0;
}

static int take_kept(void *user, const struct kept *kept, int64_t time_ms)
{
	struct wish wish;
	if (!wishes_read_name(kept->name, &wish))
		return 0;
	wish.stop = kept->value < 0.5;
	wish.time_ms = time_ms;
	return wishes_take(user, &wish);
}

static int reserve_kept(void *user, const struct kept *kept)
{
	struct wishes *wishes = user;
	struct wish wish;
	struct item *item;
	if (!wishes_read_name(kept->name, &wish) || !wish.ip[0])
		return 0;
	pthread_mutex_lock(&wishes->lock);
	int result = find_place(wishes, wish.ip, &item);
	pthread_mutex_unlock(&wishes->lock);
	return result;
}

static int list_kept(void *user, struct kept **ret_kept, size_t *ret_count)
{
	struct wish *wishes;
	size_t count;
	int result = wishes_list(user, &wishes, &count);
	if (result)
		return result;
	struct kept *kept = malloc((count + 1) * sizeof(*kept));
	for (size_t i = 0; i < count && kept; i++)
		kept[i] = wishes_kept(&wishes[i]);
	free(wishes);
	if (!kept)
		return -ENOMEM;
	*ret_kept = kept;
	*ret_count = count;
	return 0;
}

struct keeper_table wishes_table(struct wishes *wishes)
{
	return (struct keeper_table){ .metric = METRIC_WISH, .user = wishes, .take = take_kept, .reserve = reserve_kept,
	                              .list = list_kept };
}
