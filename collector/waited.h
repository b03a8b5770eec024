/*
 * What ended processes have used, by the growth of what the living have waited for (cutime, cstime). Pure.
 *
 * When a process is waited for, its CPU, and what it had waited for itself, is added to its parent's. So of the growth
 * of each process is taken what was already counted: of each process that vanished, its own CPU and its children's, from
 * its nearest ancestor that lives, which is either who waited or an heir of who did. Where that is not enough, the
 * child may have been waited for by an ancestor further up (an orphan's are init and subreapers, which always are), or
 * only after its parent was read: the rest is taken from what those above have grown by, and what is then still left is
 * a debt of the parent for one more reading, by which the growth must be there. Who ignores SIGCHLD never gets it.
 *
 * So no CPU is counted twice in the sum, and none is negative; an ancestor may have too little for an interval or two.
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
