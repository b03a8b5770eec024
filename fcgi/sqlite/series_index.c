#include "fcgi/sqlite/series_index.h"

#include <stdlib.h>

#include "common/table.h"

enum { FIRST_CAPACITY = 8 };

/* Where a name is looked for first; from there on to the first place that is empty. */
static uint32_t home_of(const struct series_index *index, uint32_t name)
{
	return table_hash(&name, sizeof(name)) & (index->capacity - 1);
}

static uint32_t after(const struct series_index *index, uint32_t place)
{
	return (place + 1) & (index->capacity - 1);
}

void series_index_free(struct series_index *index)
{
	free(index->places);
	*index = (struct series_index){ 0 };
}

uint32_t series_index_find(const struct series_index *index, uint32_t name)
{
	if (index->used == 0)
		return 0;
	uint32_t i = home_of(index, name);
	while (index->places[i].series && index->places[i].name != name)
		i = after(index, i);
	return index->places[i].series;
}

static void put(struct series_index *index, struct series_place place)
{
	uint32_t i = home_of(index, place.name);
	while (index->places[i].series)
		i = after(index, i);
	index->places[i] = place;
	index->used++;
}

static bool grow(struct series_index *index)
{
	uint32_t capacity = index->capacity ? index->capacity * 2 : FIRST_CAPACITY;
	struct series_index larger = { .places = calloc(capacity, sizeof(*larger.places)), .capacity = capacity };
	if (!larger.places)
		return false;
	for (uint32_t i = 0; i < index->capacity; i++) {
		if (index->places[i].series)
			put(&larger, index->places[i]);
	}
	series_index_free(index);
	*index = larger;
	return true;
}

bool series_index_add(struct series_index *index, uint32_t name, uint32_t series)
{
	/* A quarter stays empty, so that a look-up is short. */
	if (index->used >= index->capacity / 4 * 3 && !grow(index))
		return false;
	put(index, (struct series_place){ .name = name, .series = series });
	return true;
}

void series_index_remove(struct series_index *index, uint32_t name, uint32_t series)
{
	uint32_t hole = home_of(index, name), mask = index->capacity - 1;
	while (index->places[hole].name != name || index->places[hole].series != series)
		hole = after(index, hole);
	/* What would not be found behind an empty place moves into it (Knuth, The Art of Computer Programming, 6.4, algorithm R). */
	for (uint32_t i = after(index, hole); index->places[i].series; i = after(index, i)) {
		if (((i - home_of(index, index->places[i].name)) & mask) >= ((i - hole) & mask)) {
			index->places[hole] = index->places[i];
			hole = i;
		}
	}
	index->places[hole] = (struct series_place){ 0 };
	index->used--;
}
