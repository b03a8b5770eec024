/*
 * Threads that do the same at once, for what any thread may call: under TSan they show what is not locked.
 */
#ifndef VIGIE_TESTS_CROWD_H
#define VIGIE_TESTS_CROWD_H

#include <pthread.h>

#include "tests/unit/support/cmocka.h"

enum { CROWD_THREADS = 4 };

/* One of them; cmocka's checks are for when all have ended. */
struct crowd_member {
	unsigned number; /* from 0 */
	void (*work)(unsigned number);
};

static inline void *crowd_work(void *user)
{
	const struct crowd_member *member = user;
	member->work(member->number);
	return NULL;
}

/* Has `work` done by CROWD_THREADS threads, and waits for all. */
static inline void crowd_run(void (*work)(unsigned number))
{
	struct crowd_member members[CROWD_THREADS];
	pthread_t threads[CROWD_THREADS];
	for (unsigned i = 0; i < CROWD_THREADS; i++) {
		members[i] = (struct crowd_member){ i, work };
		assert_int_equal(pthread_create(&threads[i], NULL, crowd_work, &members[i]), 0);
	}
	for (unsigned i = 0; i < CROWD_THREADS; i++)
		pthread_join(threads[i], NULL);
}

#endif
