/*
 * Which series of the SQLite store a query wants, and which series of the answer
 * each belongs to: itself, or its process over all hosts.
 */
#ifndef VIGIE_FCGI_SQLITE_GROUPING_H
#define VIGIE_FCGI_SQLITE_GROUPING_H

#include "fcgi/sqlite/dictionary.h"
#include "fcgi/store.h"

enum { GROUPING_NONE = -1 };

struct grouping {
	int32_t *group_of; /* by series number, below series_end; GROUPING_NONE: not wanted */
	uint32_t series_end;
	struct series_key *keys; /* keys[count], of the groups; they point into strings */
	size_t count;
	char *strings;
	uint32_t host; /* the one host that is wanted; 0: all */
	int64_t *born_of; /* by series number: older entries are of another series; NULL: there are none */
	uint32_t *order_of; /* by series number: its host's place among the addresses; NULL: it does not matter */
};

/* The caller holds the dictionary's lock for reading. 0 or -ENOMEM; an unknown host
 * or process makes a grouping without groups. Freed with grouping_free(). */
int grouping_build(const struct dictionary *dictionary, const struct query *query, struct grouping *ret_grouping)
	__attribute__((warn_unused_result));

/* Makes order_of, where samples of several hosts meet in one group. The same lock is held still. 0 or -ENOMEM. */
int grouping_order(const struct dictionary *dictionary, const struct query *query, struct grouping *grouping)
	__attribute__((warn_unused_result));

void grouping_free(struct grouping *grouping);

/* Moves what the keys point into to the caller, who frees it. */
char *grouping_take_strings(struct grouping *grouping);

/* Samples of one time and group come in this order. */
static inline uint32_t grouping_find_order(const struct grouping *grouping, uint32_t series)
{
	return grouping->order_of ? grouping->order_of[series] : 0;
}

/* What is older, of a series' number, is of another series. */
static inline int64_t grouping_find_birth(const struct grouping *grouping, uint32_t series)
{
	return grouping->born_of ? grouping->born_of[series] : 0;
}

/* The group of an entry, whose series may be younger than the grouping. */
static inline int32_t grouping_find(const struct grouping *grouping, uint32_t series, int64_t time_ms)
{
	if (series >= grouping->series_end || (grouping->born_of && time_ms < grouping->born_of[series]))
		return GROUPING_NONE;
	return grouping->group_of[series];
}

#endif
