/*
 * Something that may fail at every tick: said when it begins and when it ends, once each.
 *
 * One thread uses a trouble.
 */
#ifndef VIGIE_ALERT_TROUBLE_H
#define VIGIE_ALERT_TROUBLE_H

#include <stdbool.h>

struct trouble {
	const char *operation; /* "writing the state" */
	bool present;
};

/* `result` is the operation's; `reason` may be NULL: the errno says it. */
void trouble_watch(struct trouble *trouble, int result, const char *reason);

#endif
