#include "fcgi/budget.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>

#include "fcgi/counters.h"

static atomic_size_t limits[BUDGET_PARTS] = { SIZE_MAX, SIZE_MAX };
static atomic_size_t held[BUDGET_PARTS];

void budget_set_limit(size_t bytes)
{
	atomic_store(&limits[BUDGET_BODIES], bytes / 4);
	atomic_store(&limits[BUDGET_ANSWERS], bytes - bytes / 4);
}

int budget_hold(struct budget_share *share, size_t bytes)
{
	size_t counted = bytes > BUDGET_FREE ? bytes : 0;
	atomic_size_t *all = &held[share->part];
	if (counted > share->counted) {
		size_t more = counted - share->counted, limit = atomic_load(&limits[share->part]);
		size_t now = atomic_load(all);
		do {
			/* A limit that was lowered may be below what is held. */
			if (now > limit || more > limit - now) {
				counters_add(COUNTER_OVER_BUDGET, 1);
				return -ENOBUFS;
			}
		} while (!atomic_compare_exchange_weak(all, &now, now + more));
	} else {
		atomic_fetch_sub(all, share->counted - counted);
	}
	share->counted = counted;
	return 0;
}

void budget_give_back(struct budget_share *share)
{
	atomic_fetch_sub(&held[share->part], share->counted);
	share->counted = 0;
}

size_t budget_held(enum budget_part part)
{
	return atomic_load(&held[part]);
}
