#include "collector/waited.h"

enum { ANCESTORS_MAX = 4096 }; /* PIDs that come back may make a circle of parents */

/* The nearest ancestor, by the accounts of one reading, that `is_there` is true of, or NULL. */
static struct account *find_ancestor(struct account *accounts, size_t count, int pid,
                                     struct account *(*is_there)(struct accounts *, struct account *), struct accounts *all)
{
	for (int i = 0; i < ANCESTORS_MAX; i++) {
		struct account *parent = accounts_find(accounts, count, pid);
		struct account *there = parent ? is_there(all, parent) : NULL;
		if (!parent || there)
			return there;
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

/* Takes off what was counted of those that vanished; `debt_us` is how much that is. */
static void take_counted(struct accounts *accounts)
{
	for (size_t i = 0; i < accounts->before_count; i++) {
		const struct account *before = &accounts->before[i];
		if (before->gone || still_there(accounts, &accounts->before[i]))
			continue;
		struct account *heir =
			find_ancestor(accounts->before, accounts->before_count, before->parent, still_there, accounts);
		if (heir) {
			heir->debt_us += before->counted_us + before->children_us;
			heir->balance_us -= (int64_t)before->debt_us;
		}
	}
	for (size_t i = 0; i < accounts->count; i++) {
		const struct account *now = &accounts->now[i];
		if (!now->gone)
			continue;
		struct account *heir = find_ancestor(accounts->now, accounts->count, now->parent, not_gone, accounts);
		if (heir)
			heir->debt_us += now->counted_us + now->children_us;
	}
	for (size_t i = 0; i < accounts->count; i++)
		accounts->now[i].balance_us -= (int64_t)accounts->now[i].debt_us;
}

static int64_t smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* What an account lacks is taken from those above it; what they lack too, of what vanished now, stays a debt. */
static void share_shortage(struct accounts *accounts, struct account *account)
{
	int64_t shortage_us = -account->balance_us;
	int pid = account->parent;
	for (int i = 0; i < ANCESTORS_MAX && shortage_us > 0; i++) {
		struct account *above = accounts_find(accounts->now, accounts->count, pid);
		if (!above)
			break;
		int64_t taken_us = above->balance_us > 0 ? smaller(above->balance_us, shortage_us) : 0;
		above->balance_us -= taken_us;
		shortage_us -= taken_us;
		pid = above->parent;
	}
	account->balance_us = 0;
	account->debt_us = (uint64_t)smaller((int64_t)account->debt_us, shortage_us);
}

void waited_count(struct accounts *accounts)
{
	begin_balances(accounts);
	take_counted(accounts);
	for (size_t i = 0; i < accounts->count; i++) {
		if (accounts->now[i].balance_us < 0)
			share_shortage(accounts, &accounts->now[i]);
		else
			accounts->now[i].debt_us = 0;
	}
	for (size_t i = 0; i < accounts->count; i++) {
		const struct account *now = &accounts->now[i];
		if (accounts->used_us[now->place] != ACCOUNTS_UNKNOWN)
			accounts->used_us[now->place] += now->balance_us;
	}
}
