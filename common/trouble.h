/*
 * Something that may fail at every tick: said when it begins and when it ends, not in
 * between.
 *
 * The caller owns the struct; one thread uses it.
 */
#ifndef VIGIE_COMMON_TROUBLE_H
#define VIGIE_COMMON_TROUBLE_H

#include <stdbool.h>

struct trouble {
	const char *operation; /* what fails, as the subject of a sentence */
	bool present;
};

/* Logs that the operation fails or works again, where that is news. `result` is the
 * operation's: 0 or a negative errno; `reason` may be NULL: the errno says it. */
void trouble_watch(struct trouble *trouble, int result, const char *reason);

#endif
