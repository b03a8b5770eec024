/*
 * Names that are longer than the kernel's. It keeps 15 bytes of a process's (TASK_COMM_LEN of include/linux/sched.h, with
 * its NUL), but for its own threads, whose names may have 63: who writes a longer one means what it was cut from, and
 * nothing is called so.
 *
 * Pure and thread-safe.
 */
#ifndef VIGIE_COMMON_COMM_H
#define VIGIE_COMMON_COMM_H

#include <stdbool.h>

#include "common/config.h"

enum { COMM_MAX = 15, COMM_SIZE = COMM_MAX + 1 };

/* Whether collectors with this configuration send no other names. */
bool comm_holds(const struct config *config);

/* What the kernel makes of a name, clean. False: it keeps all of it; the output is then untouched. */
bool comm_cut(const char *name, char ret_comm[static COMM_SIZE]);

/* Where comm_holds(): adds a warning for each glob of names in the configuration that can match none. `source` is the
 * file's name for them, NULL where there is no file. 0 or -ENOMEM. */
int comm_warn(struct config *config, const char *source) __attribute__((warn_unused_result));

#endif
