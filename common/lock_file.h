/*
 * A file that one process at a time holds: who is to use something alone, as a state or a
 * database, takes the lock of a file beside it.
 *
 * The lock is flock(2)'s: it ends with its process, however that ends. The file stays. In it is the
 * number of the process that holds it, for the words of another that wants it.
 */
#ifndef VIGIE_COMMON_LOCK_FILE_H
#define VIGIE_COMMON_LOCK_FILE_H

#include <stdint.h>

#include "common/text.h"

enum { LOCK_FILE_HOLDER_SIZE = 32 };

/*
 * Takes the lock of the file at `path`, which is relative to the folder `folder_fd` (AT_FDCWD: the
 * working directory) and is made where it is missing; a symbolic link is not followed. Returns 0 with
 * a descriptor: closing it gives the lock up; -EBUSY when another process has it, which ret_holder names,
 * as in "process 123"; or why there can be none.
 */
int lock_file_take(int folder_fd, const char *path, int *ret_fd, char ret_holder[static LOCK_FILE_HOLDER_SIZE])
	__attribute__((warn_unused_result));

/*
 * Takes the lock of "<path>.lock". A process that has it is waited for, which the log says: it may be
 * about to end, since a new version takes over. `what` names what the file at `path` is, as in "the state in". The same
 * errors, with a sentence.
 */
int lock_file_wait(const char *path, const char *what, int64_t wait_ms, int *ret_fd, struct text *ret_error)
	__attribute__((warn_unused_result));

#endif
