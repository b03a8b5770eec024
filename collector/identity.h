/*
 * What a process is called by, where that is not its comm, and what its memory is measured by, where that is not the
 * machine's: what `[collector] name` and `mem_scale` ask for.
 *
 * A process is looked up when it is first seen and when its comm has changed, as a program that it executes changes it; one
 * that had just begun then, once more in the next reading, since it may have executed its program, or have been moved into
 * its group, after that. It costs an open, a read and a close of /proc/PID/cgroup, and a readlink of /proc/PID/exe for
 * NAME_EXE. One that is moved into another group later is known by the first one. What is known of a process, about 120
 * bytes, is forgotten with the first reading that it is not in.
 *
 * /proc/PID/cgroup is everybody's to read; /proc/PID/exe of another user's process takes CAP_SYS_PTRACE: proc(5).
 *
 * One thread uses it.
 */
#ifndef VIGIE_COLLECTOR_IDENTITY_H
#define VIGIE_COLLECTOR_IDENTITY_H

#include "collector/reading.h"
#include "common/config.h"

struct identity;

/* `proc` is the folder of the processes, and borrowed. 0 or a negative errno. */
int identity_open(const char *proc, enum config_name name, enum config_mem_scale scale, struct identity **ret_identity)
	__attribute__((warn_unused_result));
void identity_close(struct identity *identity);

/*
 * Gives each process of a reading, which is called by its comm, its name and its limit. One that has no unit, or no file
 * that may be read, keeps its comm. A name that READING_NAME_SIZE is too short for ends with "~" and eight digits that tell
 * it from others which begin alike. 0 or -ENOMEM: some have got theirs.
 */
int identity_apply(struct identity *identity, struct reading *reading) __attribute__((warn_unused_result));

/* The name of a program, from what /proc/PID/exe links to: its file's, also where that has been removed. */
const char *identity_program(char *link);

#endif
