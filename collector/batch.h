/*
 * A tick's values, packed to wait in memory or in the spool: 8 bytes and its name
 * for each process, in whatever form of JSON they are sent then.
 *
 * Pure. The caller frees a batch with free().
 */
#ifndef VIGIE_COLLECTOR_BATCH_H
#define VIGIE_COLLECTOR_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/rates.h"
#include "collector/server_clock.h"
#include "common/text.h"

struct batch {
	struct stamp stamp; /* of its samples */
	size_t count;       /* of names */
	size_t done;        /* of names, from the first on, that need not be sent any more */
	size_t size;        /* bytes of `packed` */
	char packed[];      /* each: struct packed_values, the name, a NUL */
};

/* NULL: out of memory. */
struct batch *batch_pack(const struct stamp *stamp, const struct rate *values, size_t count);

/* Whether `packed` holds `count` names, whole, and nothing behind them: what was read from
 * a disk. */
bool batch_is_sound(const struct batch *batch);

/* Takes out what is done. */
void batch_forget_done(struct batch *batch);

/* How many samples the `count` names from the `first` on have. */
size_t batch_samples(const struct batch *batch, size_t first, size_t count);

/* Appends their samples as the members of save-all's body that hold samples, without a comma behind: "data", or, by
 * process, "timestamp" and "processes". */
void batch_append_json(const struct batch *batch, size_t first, size_t count, bool by_process, struct text *text);

#endif
