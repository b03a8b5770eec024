/*
 * Hash tables: uthash, as every program uses it. Process names and addresses are anybody's to choose: they are hashed
 * with a secret of this process's own, so that nobody can find many that meet in one bucket. Without memory an item is
 * not added, which is ours to report.
 *
 * Included before any other header has included <uthash.h>.
 */
#ifndef VIGIE_COMMON_TABLE_H
#define VIGIE_COMMON_TABLE_H

#include <stddef.h>

/* Any thread. */
unsigned table_hash(const void *key, size_t length);

#define HASH_FUNCTION(key, length, hash) ((hash) = table_hash((key), (length)))
#define HASH_NONFATAL_OOM 1

#include <uthash.h>

#endif
