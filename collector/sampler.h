/*
 * Reads every process of the machine. The only file that includes libproc2. What is
 * sampled: enum resource, in common/wire.h.
 *
 * Facts, of libproc2 4.0.2 (Debian 12) and Linux:
 * - All columns come out of /proc/PID/stat, one read a process; what else there
 *   is of memory: collector/memory.h.
 * - PIDS_RSS is in pages, and may be off. Since Linux 6.2 (commit f1a7941243c1)
 *   the pages of files, anonymous ones and those of shared memory have a counter
 *   each, of which every CPU holds back fewer than percpu_counter_batch pages,
 *   max(32, 2 * CPUs online) (lib/percpu_counter.c); stat does not ask them. Each
 *   counter is off, either way, by less than that times the CPUs: 64 pages
 *   (256 KiB) with 2 CPUs, 2 MiB with 16, 8 MiB with 32, 32 MiB with 64. It
 *   takes a process that has run on all of them. Before 6.2 it was 64 pages a
 *   thread. statm and status are exact since 6.16 (commit 82241a83cd15), and in
 *   the 6.12 and 6.15 that took that over.
 * - procps_pids_select() by PID reads /proc/PID/status for each, takes at most
 *   255 PIDs and adds a stat(2): /proc/PID/statm is read without it.
 * - A comm is raw in stat. libproc2 makes '?' of control characters and, unless
 *   LC_CTYPE is UTF-8 when a thread first reads, of every byte over 0x7f. From
 *   the first byte on that is no UTF-8 it takes the rest for ASCII: control
 *   characters become '.', bytes over 0x7f '?'. 4.0.4 (Debian 13) makes '?' of
 *   that byte and reads on (esc_ctl() of library/escape.c).
 * - procps_uptime(), which each reading calls, ends with
 *   uselocale(LC_GLOBAL_LOCALE): a locale of the thread alone does not last.
 *
 * What processes are called, and limited to, beyond that: collector/identity.h.
 *
 * One thread uses a sampler, the one that opened it.
 */
#ifndef VIGIE_COLLECTOR_SAMPLER_H
#define VIGIE_COLLECTOR_SAMPLER_H

#include <stdbool.h>

#include "collector/reading.h"
#include "common/config.h"

struct sampler;

/*
 * Sets LC_CTYPE, and nothing else of the locale, to UTF-8. Without
 * `kernel_threads` they are left out of the readings. 0; -ENOENT or -EACCES when
 * /proc is not there or not to be read; -ENOMEM or what libproc2 says.
 */
int sampler_open(bool kernel_threads, struct sampler **ret_sampler) __attribute__((warn_unused_result));
void sampler_close(struct sampler *sampler);

/* From the next reading on. */
void sampler_set_kernel_threads(struct sampler *sampler, bool kernel_threads);

/* Whether what processes read and write is part of the next readings. 0; or why it is not: the kernel does not count it
 * (-ENOENT), …: collector/io.h. */
int sampler_set_io(struct sampler *sampler, bool io) __attribute__((warn_unused_result));

/* Likewise; until then processes are called by their comm, and have no limit. 0, or a negative errno: it is as it was. */
int sampler_identify(struct sampler *sampler, enum config_name name, enum config_mem_scale scale)
	__attribute__((warn_unused_result));

/*
 * Replaces the content of `reading`, sorted, its memory as memory_complete() leaves
 * it. A process that ends meanwhile is left out, or, where a name has several PIDs,
 * counts without its memory. 0 or a negative errno; `reading` is then empty.
 */
int sampler_read(struct sampler *sampler, struct reading *reading) __attribute__((warn_unused_result));

/* Whether there is no such process any more, nor a zombie. Any thread. */
bool sampler_is_gone(int pid);

#endif
