/*
 * A tick's values, packed to wait in memory or in the spool: 8 bytes and its name
 * for each process, and 4 for each further resource where any was measured, in whatever form of JSON they are sent then; and
 * behind them whom the kernel has killed in that tick.
 *
 * Pure. The caller frees a batch with free().
 */
#ifndef VIGIE_COLLECTOR_BATCH_H
#define VIGIE_COLLECTOR_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/oom_kills.h"
#include "collector/rates.h"
#include "collector/server_clock.h"
#include "common/text.h"

struct batch {
	struct stamp stamp; /* of its samples */
	size_t count;       /* of names */
	size_t done;        /* of names, from the first on, that need not be sent any more */
	size_t further;     /* how many further resources each has: all that there were when it was measured, or 0 */
	size_t size;        /* bytes of `packed` */
	char packed[];      /* each: struct packed_values, the name, a NUL; then likewise struct packed_kills */
};

/* NULL: out of memory. `killed` may be NULL: nobody. */
struct batch *batch_pack(const struct stamp *stamp, const struct rate *values, size_t count, const struct oom_list *killed);

/* Whether `packed` holds `count` names, whole, and nothing behind them but kills: what was read from
 * a disk. */
bool batch_is_sound(const struct batch *batch);

/* Takes out what is done. */
void batch_forget_done(struct batch *batch);

/* How many samples the `count` names from the `first` on have. */
size_t batch_samples(const struct batch *batch, size_t first, size_t count);

/* The form of a body's samples. */
struct batch_form {
	bool by_process;
	size_t further; /* how many of the further resources are sent, of those that the batch has */
};

/* Appends their samples as the members of save-all's body that hold samples, without a comma behind: "data", or, by
 * process, "timestamp" and "processes". Returns how many they are. */
size_t batch_append_json(const struct batch *batch, size_t first, size_t count, struct batch_form form, struct text *text);

/* Appends, with a comma before it, the member of save-all's body that says who was killed; nothing where nobody was. It is
 * the same with every part of a batch: the server takes what it is told again for the same. */
void batch_append_kills(const struct batch *batch, struct text *text);

#endif
