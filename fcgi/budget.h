/*
 * What all requests together hold in memory, in two parts that do not touch each other:
 * bodies, with the samples that they become, and answers, with the points that they are
 * made of. Who cannot have its share answers 503 and holds nothing.
 *
 * A share counts bytes in use, not those that are reserved: glibc takes large blocks
 * from the kernel page by page. One thread uses a share; the budget is the process's,
 * without a lock. It has no limits until budget_set_limit().
 */
#ifndef VIGIE_FCGI_BUDGET_H
#define VIGIE_FCGI_BUDGET_H

#include <stddef.h>

enum budget_part {
	BUDGET_ANSWERS, /* three quarters */
	BUDGET_BODIES,  /* a quarter: no reader takes it from a writer */
	BUDGET_PARTS
};

enum { BUDGET_FREE = 64 << 10 }; /* a share up to this size counts nothing, and is never refused */

/* What one thing holds; zero: nothing, of BUDGET_ANSWERS. Its owner has it beside the
 * thing, and gives it back with it. */
struct budget_share {
	enum budget_part part;
	size_t counted; /* bytes */
};

/* For all that is taken from now on. */
void budget_set_limit(size_t bytes);

/* Makes the share one of `bytes` in all. 0, or -ENOBUFS when others hold too much for it
 * to grow so (the share stays as it was; counted in metrics). */
int budget_hold(struct budget_share *share, size_t bytes) __attribute__((warn_unused_result));

/* The same for what grows piece by piece: takes up to a MiB more than is needed now, so
 * that it is cheap to call for each piece. */
static inline int budget_grow(struct budget_share *share, size_t bytes)
{
	if (bytes <= share->counted || bytes <= BUDGET_FREE)
		return 0;
	return budget_hold(share, bytes + (bytes / 4 < 1 << 20 ? bytes / 4 : 1 << 20));
}

/* The share is of nothing then; its part stays. */
void budget_give_back(struct budget_share *share);

/* Bytes that are counted now. */
size_t budget_held(enum budget_part part);

#endif
