/*
 * How much memory the control group of a process may have: the least of what it and the groups above it are limited to,
 * as far as the mounts of this process's own namespace show them (collector/cgroup.h).
 *
 * A group is known while something holds it. Its limit, and that of each group above, is read once in a reading: it may be
 * changed at any time. memory.limit_in_bytes (version 1) is a number, 2⁶³ less a page where there is no limit;
 * memory.max (version 2) is a number or "max", and the group at the root of the hierarchy has none.
 *
 * One thread uses it. The owner closes it once nothing is held.
 */
#ifndef VIGIE_COLLECTOR_LIMITS_H
#define VIGIE_COLLECTOR_LIMITS_H

#include <stdint.h>

struct limits;
struct limits_group;

/* Reads where the groups are mounted, from `proc`/self/mountinfo. 0 or a negative errno. */
int limits_open(const char *proc, struct limits **ret_limits) __attribute__((warn_unused_result));
void limits_close(struct limits *limits);

/* Holds the group of a process, by the content of its /proc/PID/cgroup, until limits_release(). NULL: nothing shows it, or
 * there is no memory. */
struct limits_group *limits_hold(struct limits *limits, const char *content);

/* Accepts NULL. */
void limits_release(struct limits *limits, struct limits_group *group);

/* Begins another reading. */
void limits_renew(struct limits *limits);

/* What it may have in this reading, at least 1; 0: nothing limits it, or nothing that can be read. Accepts NULL. */
uint64_t limits_kib(const struct limits *limits, struct limits_group *group);

#endif
