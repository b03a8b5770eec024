/*
 * Whom the kernel has killed for want of memory, by its own records (/dev/kmsg), or at least how many.
 *
 * Facts, of Linux 3.10 to 6.18 (mm/oom_kill.c, kernel/printk/printk.c):
 * - A record is one read(): "PRIORITY,SEQUENCE,MICROSECONDS,FLAGS;TEXT\nKEY=VALUE…". PRIORITY is 8 times the facility and
 *   the level. Facility 0 is the kernel's alone: what anybody writes to /dev/kmsg under it gets facility 1.
 * - One kill is one record, of "Killed process PID (COMM) total-vm:…" (until 4.20, and ", UID n, " behind the name in some
 *   distributions) or of "Out of memory: " or "Memory cgroup out of memory: " before that. Before 4.20 another record said
 *   first who was chosen ("Kill process … or sacrifice child"); the oom_reaper's comes later. Neither is a kill. Who only
 *   shares the memory of who was chosen dies without a record.
 * - In TEXT what is not printable ASCII, and the backslash, is \xNN. A comm may hold any byte, and what looks like the
 *   rest of the record: what is behind the last such place is the kernel's.
 * - A read that is shorter than the record is EINVAL, and the record is gone. What is overwritten before it was read is
 *   EPIPE, once.
 * - Opening takes CAP_SYSLOG where kernel.dmesg_restrict is set; reading does not. PIDs are those of the first PID
 *   namespace: whoever is in another one would know somebody else by them.
 * - `oom_kill` of /proc/vmstat (4.13) counts the kills of all groups of the machine since its start.
 *
 * One thread uses them.
 */
#ifndef VIGIE_COLLECTOR_OOM_RECORDS_H
#define VIGIE_COLLECTOR_OOM_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OOM_NAME_SIZE = 64 }; /* libproc2 cuts a comm off there, too */

/* A process that was killed. */
struct oom_record {
	int pid;
	char name[OOM_NAME_SIZE]; /* its comm, raw */
	size_t name_length;
};

/* Whether a record of /dev/kmsg, of `length` bytes, is that of a kill. Pure. */
bool oom_record_parse(const char *record, size_t length, struct oom_record *ret_record);

struct oom_records;

/* Begins with what is killed from now on, and gives CAP_SYSLOG up for good whatever comes of it. -EPERM, -EACCES, -ENOENT:
 * there is nothing for us to read; -EINVAL: this is not the first PID namespace. */
int oom_records_open(struct oom_records **ret_records) __attribute__((warn_unused_result));

/* Accepts NULL. */
void oom_records_close(struct oom_records *records);

/* The next kill, in their order; false: there is none now. Never waits. */
bool oom_records_next(struct oom_records *records, struct oom_record *ret_record);

/* Whether records were overwritten before they could be read, since it was last asked. */
bool oom_records_lost(struct oom_records *records);

/* How many were killed since the machine was started, whoever may read the records. 0; -ENOENT: the kernel does not count
 * them; or another negative errno. */
int oom_records_count(uint64_t *ret_kills) __attribute__((warn_unused_result));

#endif
