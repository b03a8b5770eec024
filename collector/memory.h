/*
 * What /proc tells of memory beside /proc/PID/stat. No other file is opened for a
 * process of a name of its own, as long as no huge pages are in use.
 *
 * Facts, of Linux 6.18 unless said:
 * - MemTotal of /proc/meminfo may be another than sysinfo(2) tells: lxcfs lays a
 *   meminfo of a container's own over it. It changes with memory hotplug.
 * - HugePages_* are of the default size alone; Hugetlb (4.19 on) is all that pages
 *   of all sizes take, in use or not.
 * - Explicit huge pages are in no resident set, only in HugetlbPages of
 *   /proc/PID/status, which does not say what of them is shared.
 * - When the first thread of a process has ended and others live, its stat has
 *   state Z, their number and no memory; each thread's statm and status have the
 *   memory of the whole process, but for threads that have ended.
 * - Whoever called vfork(2) is in state D, that thread alone, until the child
 *   executes a program or ends. Both then show the same address space. Other tasks
 *   that share one (clone(2) with CLONE_VM) are told apart by kcmp(2) alone, which
 *   takes the right to ptrace(2) them.
 * - fork(2) copies no pages of files that nobody has written to: the sizes of a
 *   child and its parent differ then, at first by that.
 *
 * Nothing is kept between calls; any thread may use it.
 */
#ifndef VIGIE_COLLECTOR_MEMORY_H
#define VIGIE_COLLECTOR_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/reading.h"

struct memory {
	const char *proc; /* "/proc" */
	uint64_t page_kib;
};

struct machine_memory {
	uint64_t total_kib;
	uint64_t huge_kib; /* explicit huge pages that are in use; those of other sizes than the default count whole */
};

/* From the text of a /proc/meminfo. 0, or -EINVAL without a MemTotal. */
int memory_parse_machine(const char *meminfo, struct machine_memory *ret_machine) __attribute__((warn_unused_result));

/* 0; -EINVAL as above, or another negative errno. */
int memory_read_machine(const struct memory *memory, struct machine_memory *ret_machine)
	__attribute__((warn_unused_result));

/*
 * Completes the memory of a reading, sorted, in which it is as in stat:
 * - where a name has several PIDs, what each has resident and shared is that of
 *   one moment, and a child that has its parent's memory by vfork has none;
 * - a process whose first thread has ended has the memory of the others;
 * - with `huge` the explicit huge pages belong to it, as a shared part.
 * A process that has ended meanwhile counts without what would be read here.
 */
void memory_complete(const struct memory *memory, bool huge, struct reading *reading);

#endif
