/*
 * The kernel's records of processes that end (taskstats, over generic netlink): who it was and what it used, also where
 * it lived between two readings. The only file that includes libmnl.
 *
 * Facts, of Linux 5.19 to 6.18 (kernel/taskstats.c, kernel/tsacct.c, kernel/delayacct.c):
 * - One message a thread that ends, sent before its parent can wait for it. The one of the last thread of its process
 *   has AGROUP in ac_flag (struct version 12, Linux 5.19: older kernels are refused here), and, where the process ever
 *   had several threads, AGGR_TGID with the sum of them all, without PID and name. A thread that ends before is nobody's
 *   end: what it used is in its process's /proc/PID/stat.
 * - cpu_run_virtual_total counts as /proc/PID/stat does, but lacks what came after the thread was last brought up to date,
 *   by a tick of the kernel's clock or by leaving its core: of 300 processes that burnt 3 ms each it has 46 %.
 *   ac_etime - cpu_delay_total, its life less its time in the queue, is exact for a thread that never waited (nvcsw is 0).
 * - ac_utime + ac_stime, and the same in ns as cpu_run_real_total, is what ticks have sampled (unless the kernel does
 *   precise accounting): of many right on average while cores are idle, on busy ones often 0.
 * - None has what it takes to give the memory back, which comes later.
 * - Registering takes CAP_NET_ADMIN (EPERM), and the first PID namespace (EINVAL) and user namespace (EPERM). In another
 *   network namespace no record may arrive: that they do is tried with a child.
 * - A message takes 1.3 KiB of the socket's buffer. What does not fit is counted by the socket (SO_MEMINFO). With
 *   NETLINK_NO_ENOBUFS those that follow are taken again as soon as there is room.
 *
 * One thread uses them.
 */
#ifndef VIGIE_COLLECTOR_EXIT_RECORDS_H
#define VIGIE_COLLECTOR_EXIT_RECORDS_H

#include <stdbool.h>
#include <stdint.h>

/* The kernel's buffer: about 3,200 records. */
enum { EXIT_RECORDS_BUFFER = 4 << 20, EXIT_NAME_SIZE = 32 };

/* A process that has ended. */
struct exit_record {
	int pid;
	int parent;          /* its PID */
	bool kernel_thread;
	uint64_t lived_us;
	uint64_t sampled_us; /* CPU as ticks have sampled it */
	uint64_t run_us, run_max_us; /* CPU as /proc/PID/stat counts it, at least and at most */
	char name[EXIT_NAME_SIZE]; /* the first thread's comm, raw */
};

struct exit_records;

/*
 * Begins to listen, on all CPUs, and gives CAP_NET_ADMIN up for good whatever comes of it. It forks a child that ends at
 * once. -EPERM, -EINVAL, -ENOENT (no such family): the kernel has none for us; -ENOMSG: they do not arrive, or it is too old
 * for what is needed of them; or what the machine does not give: -ENOMEM, -EMFILE, -EAGAIN.
 */
int exit_records_open(struct exit_records **ret_records) __attribute__((warn_unused_result));

/* Accepts NULL. */
void exit_records_close(struct exit_records *records);

/* The next process that has ended, in their order; false: there is none now. Never waits. */
bool exit_records_next(struct exit_records *records, struct exit_record *ret_record);

/* How many records, of threads, did not fit into the buffer since it was opened. */
int64_t exit_records_lost(const struct exit_records *records);

#endif
