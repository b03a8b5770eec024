/*
 * Which series of a host has a name, by numbers: an open table of 8 bytes a place, one a host. What a batch looks for lies
 * together then, in the caches of the processor; in one table of all hosts' series each look-up would be a wait for memory.
 *
 * Numbers are from 1. Whose series it is, and the lock, are the dictionary's (dictionary.h).
 */
#ifndef VIGIE_FCGI_SQLITE_SERIES_INDEX_H
#define VIGIE_FCGI_SQLITE_SERIES_INDEX_H

#include <stdbool.h>
#include <stdint.h>

/* All zero: empty. */
struct series_index {
	struct series_place {
		uint32_t name, series; /* 0: nothing is there */
	} *places;
	uint32_t capacity; /* 0, or a power of two: more than are used */
	uint32_t used;
};

void series_index_free(struct series_index *index);

/* The series of a name; 0: there is none. */
uint32_t series_index_find(const struct series_index *index, uint32_t name);

/* The pair must not be there yet. False: out of memory. */
bool series_index_add(struct series_index *index, uint32_t name, uint32_t series) __attribute__((warn_unused_result));

/* The pair must be there. */
void series_index_remove(struct series_index *index, uint32_t name, uint32_t series);

#endif
