#include "fcgi/transitions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct transitions_known {
	struct series_key key;
	double color;    /* as it is stored; -1: none */
	double at_start; /* the same at transitions_add()'s from_ms */
	char strings[];
};

enum color transitions_color(double value)
{
	return value >= 0 && value < COLOR_COUNT ? (enum color)value : COLOR_UNKNOWN;
}

void transitions_init(struct transitions *transitions, size_t max, bool newest)
{
	*transitions = (struct transitions){ .max = max, .newest = newest };
}

void transitions_free(struct transitions *transitions)
{
	for (int i = 0; i < RESOURCE_LIMITED; i++) {
		for (size_t j = 0; j < transitions->known[i].count; j++)
			free(transitions->known[i].items[j]);
		free(transitions->known[i].items);
	}
	free(transitions->items);
	*transitions = (struct transitions){ 0 };
}

/* The items[count], moved where there is no room for one more. NULL: out of memory. */
static void *grow(void *items, size_t *capacity, size_t count, size_t size)
{
	if (count < *capacity)
		return items;
	size_t wanted = *capacity ? 2 * *capacity : 64;
	void *larger = realloc(items, wanted * size);
	if (larger)
		*capacity = wanted;
	return larger;
}

static int compare_known(const void *left, const void *right)
{
	const struct transitions_known *const *a = left, *const *b = right;
	return store_compare_keys(&(*a)->key, &(*b)->key);
}

/* What is known of a series among the first `sorted`; NULL: nothing. */
static struct transitions_known *find_known(const struct transitions *transitions, enum resource resource,
                                            size_t sorted, const struct series_key *key)
{
	const struct transitions_known wanted = { .key = *key }, *place = &wanted;
	struct transitions_known **found = sorted ? bsearch(&place, transitions->known[resource].items, sorted,
	                                                    sizeof(place), compare_known) : NULL;
	return found ? *found : NULL;
}

/* A series that is not known yet, behind all others. NULL: out of memory. */
static struct transitions_known *add_known(struct transitions *transitions, enum resource resource,
                                           const struct series_key *key)
{
	size_t ip_size = strlen(key->ip) + 1, process_size = strlen(key->process) + 1;
	void *items = grow(transitions->known[resource].items, &transitions->known[resource].capacity,
	                   transitions->known[resource].count, sizeof(*transitions->known[resource].items));
	struct transitions_known *known = items ? malloc(sizeof(*known) + ip_size + process_size) : NULL;
	if (items)
		transitions->known[resource].items = items;
	if (!known)
		return NULL;
	known->key.ip = memcpy(known->strings, key->ip, ip_size);
	known->key.process = memcpy(known->strings + ip_size, key->process, process_size);
	known->color = known->at_start = -1;
	transitions->known[resource].items[transitions->known[resource].count++] = known;
	return known;
}

static int compare_keyed(const struct transition *a, const struct transition *b)
{
	int order = store_compare_keys(&a->key, &b->key);
	return order ? order : (int)a->resource - (int)b->resource;
}

static int compare_oldest_first(const void *left, const void *right)
{
	const struct transition *a = left, *b = right;
	return a->time_ms != b->time_ms ? (a->time_ms < b->time_ms ? -1 : 1) : compare_keyed(a, b);
}

static int compare_newest_first(const void *left, const void *right)
{
	const struct transition *a = left, *b = right;
	return a->time_ms != b->time_ms ? (a->time_ms > b->time_ms ? -1 : 1) : compare_keyed(a, b);
}

void transitions_sort(struct transitions *transitions)
{
	if (transitions->count)
		qsort(transitions->items, transitions->count, sizeof(*transitions->items),
		      transitions->newest ? compare_newest_first : compare_oldest_first);
	if (transitions->count > transitions->max)
		transitions->count = transitions->max;
}

static int add_transition(struct transitions *transitions, const struct transition *transition)
{
	if (!transitions->newest && transitions->count == transitions->max)
		return -E2BIG;
	if (transitions->count / 2 > transitions->max)
		transitions_sort(transitions);
	struct transition *items = grow(transitions->items, &transitions->capacity, transitions->count, sizeof(*items));
	if (!items)
		return -ENOMEM;
	transitions->items = items;
	transitions->items[transitions->count++] = *transition;
	return 0;
}

static int add_series(struct transitions *transitions, struct transitions_known *known,
                      const struct store_series *series, enum resource resource, int64_t from_ms)
{
	int result = 0;
	for (size_t i = 0; i < series->count && result == 0; i++) {
		const struct store_point *point = &series->points[i];
		if (point->time_ms > from_ms && point->value != known->color)
			result = add_transition(transitions, &(struct transition){
				.time_ms = point->time_ms, .key = known->key, .resource = resource,
				.color = transitions_color(point->value),
			});
		known->color = point->value;
		if (point->time_ms <= from_ms)
			known->at_start = point->value;
	}
	return result;
}

static int add_kills(struct transitions *transitions, struct transitions_known *known, const struct store_series *series,
                     enum resource resource, int64_t from_ms)
{
	int result = 0;
	for (size_t i = 0; i < series->count && result == 0; i++) {
		const struct store_point *point = &series->points[i];
		if (point->time_ms > from_ms && point->value > 0)
			result = add_transition(transitions, &(struct transition){
				.time_ms = point->time_ms, .key = known->key, .resource = resource, .kills = point->value,
			});
	}
	return result;
}

typedef int series_adder(struct transitions *transitions, struct transitions_known *known, const struct store_series *series,
                         enum resource resource, int64_t from_ms);

static int add(struct transitions *transitions, const struct store_history *history, enum resource resource, int64_t from_ms,
               series_adder *add_one)
{
	size_t sorted = transitions->known[resource].count;
	int result = 0;
	for (size_t i = 0; i < history->count && result == 0; i++) {
		const struct store_series *series = &history->items[i];
		struct transitions_known *known = find_known(transitions, resource, sorted, &series->key);
		if (!known)
			known = add_known(transitions, resource, &series->key);
		result = known ? add_one(transitions, known, series, resource, from_ms) : -ENOMEM;
	}
	if (transitions->known[resource].count > sorted)
		qsort(transitions->known[resource].items, transitions->known[resource].count,
		      sizeof(*transitions->known[resource].items), compare_known);
	return result;
}

int transitions_add_standing(struct transitions *transitions, int64_t from_ms)
{
	int result = 0;
	for (int i = 0; i < RESOURCE_LIMITED; i++) {
		for (size_t j = 0; j < transitions->known[i].count && result == 0; j++) {
			const struct transitions_known *known = transitions->known[i].items[j];
			enum color color = transitions_color(known->at_start);
			if (known->at_start >= 0 && color != COLOR_GREEN)
				result = add_transition(transitions, &(struct transition){
					.time_ms = from_ms, .key = known->key, .resource = (enum resource)i, .color = color,
				});
		}
	}
	return result;
}

int transitions_add(struct transitions *transitions, const struct store_history *colors, enum resource resource,
                    int64_t from_ms)
{
	return add(transitions, colors, resource, from_ms, add_series);
}

int transitions_add_kills(struct transitions *transitions, const struct store_history *kills, int64_t from_ms)
{
	return add(transitions, kills, RESOURCE_MEM, from_ms, add_kills);
}
