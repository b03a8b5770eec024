/*
 * What ended processes have used, by the growth of what the living have waited for (cutime, cstime). Pure.
 *
 * When a process is waited for, its CPU, and what it had waited for itself, is added to its parent's. So of the growth
 * of each process is taken what was already counted: of each process that vanished, its own CPU and its children's, from
 * its nearest ancestor that lives, which is either who waited or an heir of who did. What that one has not grown by is
 * taken from those above it (an orphan is waited for by init or a subreaper, which always are), and what they lack too is
 * a debt for one more reading, by which the growth must be there: the parent was read before it waited. Who ignores SIGCHLD
 * never gets it.
 *
 * So no CPU is counted twice in the sum, to within a tick of /proc's clock, and none is negative; an ancestor may have too
 * little for an interval or two.
 *
 * Where ended processes are counted by their records, the same is done with all that was counted so, and only the debts
 * are left: the next interval may lose records.
 */
#ifndef VIGIE_COLLECTOR_WAITED_H
#define VIGIE_COLLECTOR_WAITED_H

#include "collector/accounts.h"

/* Adds to used_us what each process of the present reading has waited for that was not counted before, unless it is
 * `by_records`, and leaves the debts. */
void waited_count(struct accounts *accounts, bool by_records);

#endif
