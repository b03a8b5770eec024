/*
 * A reading: what one look at every process of the machine gave, and what the
 * rates are made of. The sampler fills it; the code here is pure. The resources that values
 * are made of are enum resource, in common/wire.h.
 *
 * The owner keeps one struct reading from tick to tick, so that its memory is
 * used again, and frees it with reading_free().
 */
#ifndef VIGIE_COLLECTOR_READING_H
#define VIGIE_COLLECTOR_READING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/resource.h"

/* libproc2 cuts a comm off at 63 bytes; cleaning it makes none longer. A unit's name may be longer than this:
 * identity_apply(). */
enum { READING_NAME_SIZE = 128 };

enum { READING_UNKNOWN = -1 }; /* of a further resource: it was not read */

struct process {
	int pid;
	int parent;  /* its PID */
	int threads; /* those that have not ended, and the first */
	char state;  /* of the first thread, as in /proc/PID/stat */
	bool forked; /* it has executed no program since it began */
	bool early;  /* it was read before one of its ancestors, or may have been */
	uint64_t start_ticks; /* after boot; with the PID it names a process for ever */
	uint64_t cpu_ticks;   /* used since it began */
	uint64_t children_ticks; /* likewise, by children that it has waited for, and theirs */
	uint64_t virtual_kib; /* 0: no memory of its own */
	uint64_t resident_kib;
	uint64_t shared_kib; /* part of resident_kib; 0 where a name has one PID */
	uint64_t limit_kib;  /* that its control group may have; 0: no limit, or none that counts */
	char name[READING_NAME_SIZE]; /* clean: see wire_clean_name() */
	int64_t further[RESOURCE_FURTHER]; /* of the further resources: what they count, or have; READING_UNKNOWN */
	bool gone;   /* it had ended when that was to be read */
};

/* All of it as at the start of the reading. */
struct reading {
	struct process *processes; /* by name, then PID, once sorted */
	size_t count;
	size_t capacity;
	int64_t monotonic_ns;
	uint64_t boot_ticks; /* since boot, of the clock that start_ticks is of */
	int64_t ticks_per_s;
	int64_t cores;
	uint64_t memory_kib; /* of the machine: MemTotal of /proc/meminfo */
	bool partial;        /* some processes are hidden from us */
	bool further;        /* further resources were read */
	size_t unreadable;   /* processes of which they may not be read */
};

/* Adds a process and returns it to be filled in; NULL: out of memory. */
struct process *reading_add(struct reading *reading);

/* Sets `early`: of such a process what has been waited for since may be in what its ancestor's children have used. The
 * reading is in the order of PIDs, as /proc gives them, where there are such when the numbers have begun anew. */
void reading_find_early(struct reading *reading);

/* Sorts by name, then PID. */
void reading_sort(struct reading *reading);

/* Where the processes that share the name of the one at `start` end. The reading is sorted. */
size_t reading_group_end(const struct reading *reading, size_t start);

/* Releases the memory; the reading is empty and usable afterwards. */
void reading_free(struct reading *reading);

#endif
