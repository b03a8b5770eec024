/*
 * Whom the kernel has killed for want of memory in an interval, by the names that their values have.
 *
 * Where its records may be read the killed are known by name; otherwise, and where records were lost, by how many they
 * are, under OOM_KILLS_UNNAMED. Logged is once which of the two it is. One thread uses them.
 */
#ifndef VIGIE_COLLECTOR_OOM_KILLS_H
#define VIGIE_COLLECTOR_OOM_KILLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/oom_records.h"
#include "collector/reading.h"
#include "common/config.h"
#include "common/wire.h"

#define OOM_KILLS_UNNAMED WIRE_HOST_ITSELF

enum { OOM_KILLS_NAMES = 32 }; /* of an interval; those of further ones are unnamed */

struct oom_kill {
	char name[WIRE_NAME_SIZE];
	int32_t count; /* at least 1 */
};

/* What batch_pack() is given; all zeros: none. */
struct oom_list {
	struct oom_kill items[OOM_KILLS_NAMES + 1];
	size_t count;
};

/* Counts `count` kills (0 or more) under a name. Pure. */
void oom_list_add(struct oom_list *list, const char *name, int64_t count);

/* Its owner sets all to zero, calls oom_kills_open(), and at the end oom_kills_close(). */
struct oom_kills {
	struct oom_records *records; /* NULL: not for us */
	bool counting;               /* the kernel's counter could be read */
	uint64_t counted;            /* by it, until the last look */
	struct oom_list list;        /* since the owner last emptied it */
};

void oom_kills_open(struct oom_kills *kills);
void oom_kills_close(struct oom_kills *kills);

/* Adds what was killed since the last call. `reading` is the last one, for the names of the PIDs; who is not in it is called
 * by the comm of its record. Names that `config` excludes are left out. */
void oom_kills_take(struct oom_kills *kills, const struct reading *reading, const struct config *config);

#endif
