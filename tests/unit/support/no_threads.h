/*
 * That no thread can be made: none has room for a stack of 64 TiB.
 */
#ifndef VIGIE_TESTS_NO_THREADS_H
#define VIGIE_TESTS_NO_THREADS_H

#include "tests/unit/support/cmocka.h"

#include <pthread.h>
#include <stdbool.h>

/* From now on, or no more. Threads that are there stay. */
static inline void no_threads(bool none)
{
	static pthread_attr_t usual;
	if (!none) {
		assert_int_equal(pthread_setattr_default_np(&usual), 0);
		pthread_attr_destroy(&usual);
		return;
	}
	pthread_attr_t huge;
	assert_int_equal(pthread_getattr_default_np(&usual), 0);
	assert_int_equal(pthread_getattr_default_np(&huge), 0);
	assert_int_equal(pthread_attr_setstacksize(&huge, (size_t)1 << 46), 0);
	assert_int_equal(pthread_setattr_default_np(&huge), 0);
	pthread_attr_destroy(&huge);
}

#endif
