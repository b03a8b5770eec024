#include "collector/waited.h"

enum { ANCESTORS_MAX = 4096 }; /* PIDs that come back may make a circle of parents */

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

typedef struct account *choice(struct accounts *accounts, struct account *account);

/* Of the nearest ancestor of a process, by the accounts of one reading, what is chosen for it; NULL: there is none.
 * *ret_pid is then 0, or a parent that the reading has not seen. */
static struct account *find_ancestor(struct accounts *all, struct account *accounts, size_t count, int pid, choice *choose,
                                     int *ret_pid)
{
	for (int i = 0; i < ANCESTORS_MAX; i++) {
		struct account *parent = accounts_find(accounts, count, pid);
		struct account *chosen = parent ? choose(all, parent) : NULL;
		*ret_pid = pid;
		if (!parent || chosen)
			return chosen;
		pid = parent->parent;
	}
	return NULL;
}

/* The account in the present reading of one of the last reading; NULL: it has ended. */
static struct account *still_there(struct accounts *accounts, struct account *before)
{
	return before->later ? &accounts->now[before->later - 1] : NULL;
}

static struct account *not_gone(struct accounts *accounts, struct account *now)
{
	(void)accounts;
	return now->gone ? NULL : now;
}

/* What each has grown by, and what it owes since the last reading. */
static void begin_balances(struct accounts *accounts)
{
	for (size_t i = 0; i < accounts->count; i++) {
		struct account *now = &accounts->now[i];
		now->balance_us = accounts->used_us[now->place] != ACCOUNTS_UNKNOWN ? now->children_us : 0;
	}
	for (size_t i = 0; i < accounts->before_count; i++) {
		const struct account *before = &accounts->before[i];
		struct account *now = still_there(accounts, &accounts->before[i]);
		if (now) {
			now->balance_us -= smaller(now->balance_us, before->children_us);
			now->owed = before->debt;
		}
	}
}

/* Puts down what was counted of children of `pid` that vanished, with `heir` or, where there is none that is known, with
 * all. */
static void charge(struct accounts *accounts, struct account *heir, int pid, int parent, uint64_t counted_us)
{
	if (heir && pid == parent && !heir->dead)
		heir->debt.own_us += counted_us;
	else if (heir)
		heir->debt.family_us += counted_us;
	else if (pid && !accounts->partial)
		accounts->debt_us += counted_us;
}

static void charge_vanished(struct accounts *accounts, const struct account *before, bool by_records)
{
	int pid;
	struct account *heir =
		find_ancestor(accounts, accounts->before, accounts->before_count, before->parent, still_there, &pid);
	uint64_t counted_us = before->gone ? 0 : before->counted_us + before->children_us;
	if (by_records)
		counted_us += before->recorded_us + before->charged_us;
	/* What it owed arrives with it, wherever that is. */
	charge(accounts, heir, pid, before->parent, counted_us + before->debt.own_us);
	charge(accounts, heir, pid, 0, before->debt.family_us);
}

static void charge_gone(struct accounts *accounts, const struct account *now)
{
	int pid;
	struct account *heir = find_ancestor(accounts, accounts->now, accounts->count, now->parent, not_gone, &pid);
	charge(accounts, heir, pid, now->parent, now->counted_us + now->children_us);
}

/* The debts are then what was counted of those that vanished in this interval. */
static void take_counted(struct accounts *accounts, bool by_records)
{
	accounts->debt_us = by_records && !accounts->partial ? accounts->charged_us : 0;
	accounts->charged_us = 0;
	for (size_t i = 0; i < accounts->before_count; i++) {
		struct account *before = &accounts->before[i];
		struct account *now = still_there(accounts, before);
		if (!now)
			charge_vanished(accounts, before, by_records);
		else if (by_records)
			charge(accounts, now, now->pid, now->pid, before->charged_us);
	}
	for (size_t i = 0; i < accounts->count; i++) {
		struct account *now = &accounts->now[i];
		if (now->gone)
			charge_gone(accounts, now);
		if (by_records)
			charge(accounts, now, now->pid, now->pid, now->charged_us);
		now->charged_us = 0;
	}
}

/* Takes up to `wanted_us` from what an account has; returns what is still lacking. */
static uint64_t take_from(struct account *account, uint64_t wanted_us)
{
	uint64_t taken_us = smaller(account->balance_us, wanted_us);
	account->balance_us -= taken_us;
	return wanted_us - taken_us;
}

static struct account *now_there(struct accounts *accounts, struct account *account)
{
	(void)accounts;
	return account;
}

/* The same from those above an account, by the accounts of one reading. */
static uint64_t take_from_above(struct accounts *all, struct account *accounts, size_t count, const struct account *account,
                                choice *find_now, uint64_t wanted_us)
{
	const struct account *below = account;
	for (int i = 0; i < ANCESTORS_MAX && below && wanted_us > 0; i++) {
		struct account *above = accounts_find(accounts, count, below->parent);
		struct account *now = above ? find_now(all, above) : NULL;
		if (now)
			wanted_us = take_from(now, wanted_us);
		below = above;
	}
	return wanted_us;
}

/* The same from an account and, what it lacks, from those that are above it or were: they may have inherited whom it had. */
static uint64_t take_from_family(struct accounts *accounts, struct account *account, uint64_t wanted_us)
{
	wanted_us = take_from(account, wanted_us);
	if (wanted_us == 0)
		return 0;
	wanted_us = take_from_above(accounts, accounts->now, accounts->count, account, now_there, wanted_us);
	const struct account *before = accounts_find(accounts->before, accounts->before_count, account->pid);
	return take_from_above(accounts, accounts->before, accounts->before_count, before, still_there, wanted_us);
}

static uint64_t take_from_anybody(struct accounts *accounts, uint64_t wanted_us)
{
	for (size_t i = 0; i < accounts->count && wanted_us > 0; i++)
		wanted_us = take_from(&accounts->now[i], wanted_us);
	return wanted_us;
}

/* What was owed has arrived by now, but for what /proc's rounding hides, until something else does. */
static void pay_owed(struct accounts *accounts)
{
	for (size_t i = 0; i < accounts->count; i++) {
		struct account *now = &accounts->now[i];
		uint64_t lacking_us = take_from(now, now->owed.own_us);
		now->owed.own_us = now->dead ? 0 : smaller(lacking_us, accounts->tick_us);
	}
	for (size_t i = 0; i < accounts->count; i++) {
		struct account *now = &accounts->now[i];
		uint64_t lacking_us = take_from_family(accounts, now, now->owed.family_us);
		now->owed.family_us = smaller(lacking_us, accounts->tick_us);
	}
}

/* What lacks stays a debt. */
static void pay_debts(struct accounts *accounts)
{
	for (size_t i = 0; i < accounts->count; i++) {
		struct account *now = &accounts->now[i];
		now->debt.own_us = take_from(now, now->debt.own_us);
	}
	for (size_t i = 0; i < accounts->count; i++) {
		struct account *now = &accounts->now[i];
		now->debt.family_us = take_from_family(accounts, now, now->debt.family_us) + now->owed.family_us;
	}
	for (size_t i = 0; i < accounts->count; i++) {
		struct account *now = &accounts->now[i];
		now->debt.own_us = take_from_family(accounts, now, now->debt.own_us) + now->owed.own_us;
	}
}

void waited_count(struct accounts *accounts, bool by_records)
{
	uint64_t owed_us = accounts->debt_us;
	begin_balances(accounts);
	pay_owed(accounts);
	take_counted(accounts, by_records);
	pay_debts(accounts);
	owed_us = smaller(take_from_anybody(accounts, owed_us), accounts->tick_us);
	accounts->debt_us = take_from_anybody(accounts, accounts->debt_us) + owed_us;

	for (size_t i = 0; i < accounts->count && !by_records; i++) {
		const struct account *now = &accounts->now[i];
		if (accounts->used_us[now->place] != ACCOUNTS_UNKNOWN)
			accounts->used_us[now->place] += (int64_t)now->balance_us;
	}
}
