/*
 * A batch as a file: a header with a checksum, then the packed values, in this
 * machine's byte order. Its name tells its place and its samples:
 * NUMBER-SAMPLES.batch, both decimal, the first of 16 digits.
 *
 * Files of other users and of other names, links and folders are none of ours and
 * not touched. Nothing is synced but by batch_file_sync().
 */
#ifndef VIGIE_COLLECTOR_BATCH_FILE_H
#define VIGIE_COLLECTOR_BATCH_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "collector/batch.h"

/* What is being written has this name, and its own when it is whole. */
#define BATCH_FILE_NEW "new.tmp"

enum { BATCH_FILE_BLOCK = 4096 }; /* bytes: files are counted in whole ones, as disks store them */

struct batch_file {
	uint64_t number; /* the larger, the later */
	uint32_t samples;
	uint32_t blocks;
};

/* What the file of a batch would be. */
struct batch_file batch_file_of(const struct batch *batch, uint64_t number);

/* Writes a batch, of which nothing is done, as that file of a folder: all of it or
 * nothing. 0, -ENOSPC or whatever else the disk says. */
int batch_file_write(int folder_fd, const struct batch_file *file, const struct batch *batch)
	__attribute__((warn_unused_result));

/* Waits until its content is on the disk; its name is, once its folder is synced. 0, also when it is not there any more, or
 * what the disk says. */
int batch_file_sync(int folder_fd, const struct batch_file *file) __attribute__((warn_unused_result));

/* The batch, to be freed by the caller. -EBADMSG: the file is damaged; -ENOMEM, or why it
 * cannot be read. */
int batch_file_read(int folder_fd, const struct batch_file *file, struct batch **ret_batch)
	__attribute__((warn_unused_result));

/* 0 or why not. */
int batch_file_unlink(int folder_fd, const struct batch_file *file);
int batch_file_move(int from_fd, int to_fd, const struct batch_file *file) __attribute__((warn_unused_result));

/* All of a folder, by number; the array is freed by the caller. 0 or a negative errno. */
int batch_file_list(int folder_fd, struct batch_file **ret_files, size_t *ret_count)
	__attribute__((warn_unused_result));

#endif
