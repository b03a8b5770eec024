/*
 * What a process has read from storage and written to it, as /proc/PID/io tells.
 *
 * Facts, of Linux 6.18 (Documentation/filesystems/proc.rst, fs/proc/base.c, kernel/exit.c):
 * - read_bytes is what the process really had fetched from storage. write_bytes is what it has caused to be sent there,
 *   counted when it makes a page dirty, not when that is written. cancelled_write_bytes is what it has caused not to be
 *   written by cutting off dirty pages, its own or another's: to subtract it would make counters go back, as the document
 *   says, and is not done here: what is deleted before it was written counts as written.
 * - They are of all threads, those that have ended too, and of the children that have been waited for:
 *   collector/growth.h.
 * - The file is its owner's to open, and takes PTRACE_MODE_READ: of others' processes CAP_DAC_READ_SEARCH and
 *   CAP_SYS_PTRACE, of which either alone does not do.
 * - A kernel without CONFIG_TASK_IO_ACCOUNTING has no such file.
 *
 * Nothing is kept between calls; any thread may use it.
 */
#ifndef VIGIE_COLLECTOR_IO_H
#define VIGIE_COLLECTOR_IO_H

#include <stdbool.h>
#include <stdint.h>

struct io {
	uint64_t read_bytes, write_bytes; /* since it began */
};

/* From the text of a /proc/PID/io; false: it has not both. */
bool io_parse(const char *text, struct io *ret_io);

/* Of the process `pid`. 0; -ESRCH: there is no such process any more; -EACCES: it may not be read; or another negative
 * errno. */
int io_read(const char *proc, int pid, struct io *ret_io) __attribute__((warn_unused_result));

/* Whether the kernel counts it at all: 0, -ENOENT, or why it cannot be read. */
int io_check(const char *proc) __attribute__((warn_unused_result));

#endif
