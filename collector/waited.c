#include "collector/waited.h"

enum { ANCESTORS_MAX = 4096 }; /* PIDs that come back may make a circle of parents */

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
	struct account *now = accounts_find(accounts->now, accounts->count, before->pid);
	return now && now->start_ticks == before->start_ticks ? now : NULL;
}

static struct account *not_gone(struct accounts *accounts, struct account *now)
{
	(void)accounts;
	return now->gone ? NULL : now;
}

/* What each has grown by. */
static void begin_balances(struct accounts *accounts)
{
	for (size_t i = 0; i < accounts->count; i++) {
		struct account *now = &accounts->now[i];
		bool known = accounts->used_us[now->place] != ACCOUNTS_UNKNOWN;
		now->balance_us = known ? (int64_t)now->children_us : 0;
	}
	for (size_t i = 0; i < accounts->before_count; i++) {
		const struct account *before = &accounts->before[i];
		struct account *now = still_there(accounts, &accounts->before[i]);
		if (now) {
			now->balance_us -= (int64_t)before->children_us;
			if (now->balance_us < 0)
				now->balance_us = 0;
			now->balance_us -= (int64_t)before->debt_us;
		}
	}
}

/* Puts down what was counted of one that vanished where it may have been waited for. What has no known ancestor is taken
 * from anybody. */
static void charge(struct accounts *accounts, struct account *heir, int pid, uint64_t counted_us)
{
	if (heir)
		heir->debt_us += counted_us;
	else if (pid && !accounts->partial)
		accounts->debt_us += counted_us;
}

/* `debt_us` is then what was counted of those that vanished in this interval. */
static void take_counted(struct accounts *accounts)
{
	int pid;
	for (size_t i = 0; i < accounts->before_count; i++) {
		struct account *before = &accounts->before[i];
		if (still_there(accounts, before))
			continue;
		struct account *heir = find_ancestor(accounts, accounts->before, accounts->before_count, before->parent,
		                                     still_there, &pid);
		/* What it owed arrives with it, wherever that is. */
		uint64_t own_us = before->gone ? 0 : before->counted_us + before->children_us;
		charge(accounts, heir, pid, own_us + before->debt_us);
	}
	for (size_t i = 0; i < accounts->count; i++) {
		struct account *now = &accounts->now[i];
		if (!now->gone)
			continue;
		struct account *heir = find_ancestor(accounts, accounts->now, accounts->count, now->parent, not_gone, &pid);
		charge(accounts, heir, pid, now->counted_us + now->children_us);
	}
	for (size_t i = 0; i < accounts->count; i++)
		accounts->now[i].balance_us -= (int64_t)accounts->now[i].debt_us;
}

static int64_t smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Takes up to `wanted_us` from what an account has; returns what it still lacks. */
static int64_t take_from(struct account *account, int64_t wanted_us)
{
	int64_t taken_us = account->balance_us > 0 ? smaller(account->balance_us, wanted_us) : 0;
	account->balance_us -= taken_us;
	return wanted_us - taken_us;
}

/* What an account lacks is taken from those above it; what they lack too, of what vanished now, stays a debt. */
static void share_shortage(struct accounts *accounts, struct account *account)
{
	int64_t shortage_us = account->balance_us < 0 ? -account->balance_us : 0;
	const struct account *below = account;
	for (int i = 0; i < ANCESTORS_MAX && shortage_us > 0; i++) {
		struct account *above = accounts_find(accounts->now, accounts->count, below->parent);
		if (!above)
			break;
		shortage_us = take_from(above, shortage_us);
		below = above;
	}
	if (account->balance_us < 0)
		account->balance_us = 0;
	account->debt_us = (uint64_t)smaller((int64_t)account->debt_us, shortage_us);
}

void waited_count(struct accounts *accounts)
{
	int64_t owed_us = (int64_t)accounts->debt_us; /* for the second time */
	accounts->debt_us = 0;
	begin_balances(accounts);
	take_counted(accounts);
	for (size_t i = 0; i < accounts->count; i++)
		share_shortage(accounts, &accounts->now[i]);
	int64_t shortage_us = owed_us + (int64_t)accounts->debt_us;
	for (size_t i = 0; i < accounts->count && shortage_us > 0; i++)
		shortage_us = take_from(&accounts->now[i], shortage_us);
	accounts->debt_us = (uint64_t)smaller((int64_t)accounts->debt_us, shortage_us);

	for (size_t i = 0; i < accounts->count; i++) {
		const struct account *now = &accounts->now[i];
		if (accounts->used_us[now->place] != ACCOUNTS_UNKNOWN)
			accounts->used_us[now->place] += now->balance_us;
	}
}
