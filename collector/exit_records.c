#include "collector/exit_records.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/acct.h>
#include <linux/capability.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/taskstats.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "collector/capability.h"
#include "collector/kernel_file.h"

enum {
	VERSION_MIN = 12,   /* AGROUP, ac_tgid, ac_tgetime */
	UNFINISHED = 64,    /* processes of which threads have ended, that are remembered */
	KTHREADD = 2,       /* the parent of kernel threads */
	MESSAGE_SIZE = 16 << 10,
};

/* What the threads of a process had that ended before its last one. */
struct unfinished {
	int pid;
	uint64_t missing_us, missing_max_us; /* of their run times */
	char name[EXIT_NAME_SIZE];           /* empty while the first thread runs */
};

struct exit_records {
	struct mnl_socket *socket;
	uint32_t lost_before; /* the socket's count when it was opened */
	uint64_t clock_tick_us; /* of the kernel's clock, at which it brings run times up to date */
	struct unfinished unfinished[UNFINISHED];
	size_t next_unfinished;
	union {
		char bytes[MESSAGE_SIZE];
		struct nlmsghdr header;
	} message;
};

/* ---- Requests */

static struct nlmsghdr *begin_request(struct exit_records *records, uint16_t type, uint8_t command)
{
	struct nlmsghdr *header = mnl_nlmsg_put_header(records->message.bytes);
	header->nlmsg_type = type;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	struct genlmsghdr *generic = mnl_nlmsg_put_extra_header(header, sizeof(*generic));
	generic->cmd = command;
	generic->version = 1;
	return header;
}

/* Sends a request; `take` sees what comes before its end. The kernel has answered when sending returns. */
static int request(struct exit_records *records, const struct nlmsghdr *header, mnl_cb_t take, void *user)
{
	if (mnl_socket_sendto(records->socket, header, header->nlmsg_len) < 0)
		return -errno;
	int more = MNL_CB_OK;
	while (more > MNL_CB_STOP) {
		ssize_t length = mnl_socket_recvfrom(records->socket, records->message.bytes, MESSAGE_SIZE);
		if (length < 0)
			return -errno;
		more = mnl_cb_run(records->message.bytes, (size_t)length, 0, 0, take, user);
	}
	return more < 0 ? -errno : 0;
}

static int take_family_attribute(const struct nlattr *attribute, void *user)
{
	uint16_t *family = user;
	if (mnl_attr_get_type(attribute) == CTRL_ATTR_FAMILY_ID && mnl_attr_validate(attribute, MNL_TYPE_U16) >= 0)
		*family = mnl_attr_get_u16(attribute);
	return MNL_CB_OK;
}

static int take_family(const struct nlmsghdr *header, void *user)
{
	return mnl_attr_parse(header, sizeof(struct genlmsghdr), take_family_attribute, user);
}

/* "0-3": as the kernel has it, and as it takes it. */
static void list_processors(char *list, size_t size)
{
	if (kernel_file_read("/sys/devices/system/cpu/possible", list, size) == 0)
		list[strcspn(list, "\n")] = '\0';
	else
		snprintf(list, size, "0-%ld", sysconf(_SC_NPROCESSORS_CONF) - 1);
}

static int listen_to_family(struct exit_records *records)
{
	uint16_t family = 0;
	struct nlmsghdr *header = begin_request(records, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
	mnl_attr_put_strz(header, CTRL_ATTR_FAMILY_NAME, TASKSTATS_GENL_NAME);
	int result = request(records, header, take_family, &family);
	if (result)
		return result;
	char processors[256];
	list_processors(processors, sizeof(processors));
	header = begin_request(records, family, TASKSTATS_CMD_GET);
	mnl_attr_put_strz(header, TASKSTATS_CMD_ATTR_REGISTER_CPUMASK, processors);
	return request(records, header, NULL, NULL);
}

/* ---- Records */

struct found {
	struct taskstats thread, group;
	bool has_group;
};

/* Of a kernel that knows fewer members, or more. */
static int take_statistics(const struct nlattr *attribute, void *user)
{
	if (mnl_attr_get_type(attribute) == TASKSTATS_TYPE_STATS) {
		struct taskstats *statistics = user;
		size_t length = mnl_attr_get_payload_len(attribute);
		memcpy(statistics, mnl_attr_get_payload(attribute), length < sizeof(*statistics) ? length : sizeof(*statistics));
	}
	return MNL_CB_OK;
}

static int take_aggregate(const struct nlattr *attribute, void *user)
{
	struct found *found = user;
	switch (mnl_attr_get_type(attribute)) {
	case TASKSTATS_TYPE_AGGR_PID:
		return mnl_attr_parse_nested(attribute, take_statistics, &found->thread);
	case TASKSTATS_TYPE_AGGR_TGID:
		found->has_group = true;
		return mnl_attr_parse_nested(attribute, take_statistics, &found->group);
	default:
		return MNL_CB_OK;
	}
}

static int take_record(const struct nlmsghdr *header, void *user)
{
	return mnl_attr_parse(header, sizeof(struct genlmsghdr), take_aggregate, user);
}

static void copy_name(const char *comm, char name[static EXIT_NAME_SIZE])
{
	_Static_assert(TS_COMM_LEN <= EXIT_NAME_SIZE, "it fits");
	size_t length = strnlen(comm, TS_COMM_LEN - 1);
	memcpy(name, comm, length);
	name[length] = '\0';
}

/* NULL: no thread of it has ended, or others have since. */
static struct unfinished *find_unfinished(struct exit_records *records, int pid)
{
	for (size_t i = 1; i <= UNFINISHED; i++) {
		struct unfinished *unfinished = &records->unfinished[(records->next_unfinished + UNFINISHED - i) % UNFINISHED];
		if (unfinished->pid == pid)
			return unfinished;
	}
	return NULL;
}

static void remember_thread(struct exit_records *records, const struct taskstats *thread, struct exit_record *record)
{
	struct unfinished *unfinished = find_unfinished(records, record->pid);
	if (!unfinished) {
		unfinished = &records->unfinished[records->next_unfinished];
		records->next_unfinished = (records->next_unfinished + 1) % UNFINISHED;
		*unfinished = (struct unfinished){ .pid = record->pid };
	}
	unfinished->missing_us += record->run_us;
	unfinished->missing_max_us += record->run_max_us;
	if (thread->ac_pid == thread->ac_tgid)
		copy_name(thread->ac_comm, unfinished->name);
}

/*
 * What a thread's run time lacks: that since it was last brought up to date, by a tick or when the thread left its core. Who
 * never waited has had a core all its life but for the time that it stood in the queue; who did wait lacks no more than
 * that.
 */
static void find_missing(const struct exit_records *records, const struct taskstats *thread, uint64_t *ret_us,
                         uint64_t *ret_max_us)
{
	uint64_t known_us = (thread->cpu_run_virtual_total + thread->cpu_delay_total) / 1000;
	uint64_t left_us = thread->ac_etime > known_us ? thread->ac_etime - known_us : 0;
	*ret_max_us = left_us < records->clock_tick_us ? left_us : records->clock_tick_us;
	*ret_us = thread->nvcsw == 0 ? *ret_max_us : 0;
}

/* False: it is no process's end. */
static bool read_end(struct exit_records *records, const struct found *found, struct exit_record *ret_record)
{
	const struct taskstats *thread = &found->thread, *whole = found->has_group ? &found->group : thread;
	if (thread->version < VERSION_MIN) /* 0: it is of no thread */
		return false;
	struct exit_record record = { .pid = (int)thread->ac_tgid };
	find_missing(records, thread, &record.run_us, &record.run_max_us);
	if (!(thread->ac_flag & AGROUP)) {
		remember_thread(records, thread, &record);
		return false;
	}
	const struct unfinished *before = found->has_group ? find_unfinished(records, record.pid) : NULL;
	uint64_t run_us = whole->cpu_run_virtual_total / 1000;
	record.parent = (int)thread->ac_ppid;
	/* A program that a kernel thread has started has had memory. */
	record.kernel_thread = thread->ac_ppid == KTHREADD && thread->hiwater_vm == 0;
	record.lived_us = thread->ac_tgetime;
	record.sampled_us = whole->ac_utime + whole->ac_stime;
	record.run_us += run_us + (before ? before->missing_us : 0);
	record.run_max_us += run_us + (before ? before->missing_max_us : 0);
	copy_name(before && before->name[0] ? before->name : thread->ac_comm, record.name);
	*ret_record = record;
	return true;
}

bool exit_records_next(struct exit_records *records, struct exit_record *ret_record)
{
	for (;;) {
		ssize_t length = mnl_socket_recvfrom(records->socket, records->message.bytes, MESSAGE_SIZE);
		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0)
			return false;
		struct found found = { 0 };
		(void)mnl_cb_run(records->message.bytes, (size_t)length, 0, 0, take_record, &found);
		if (read_end(records, &found, ret_record))
			return true;
	}
}

int64_t exit_records_lost(const struct exit_records *records)
{
	uint32_t values[SK_MEMINFO_VARS] = { 0 };
	socklen_t size = sizeof(values);
	if (getsockopt(mnl_socket_get_fd(records->socket), SOL_SOCKET, SO_MEMINFO, values, &size) != 0)
		return 0;
	return values[SK_MEMINFO_DROPS] - records->lost_before;
}

/* ---- Opening */

/* Whether records arrive, and have what is needed: that of a child which has ended must be there. */
static int try_with_child(struct exit_records *records)
{
	pid_t child = fork();
	if (child < 0)
		return -errno;
	if (child == 0)
		_exit(EXIT_SUCCESS);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	struct exit_record record;
	while (exit_records_next(records, &record)) {
		if (record.pid == child)
			return 0;
	}
	return -ENOMSG;
}

static int open_members(struct exit_records *records)
{
	records->socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!records->socket)
		return -errno;
	struct timespec tick;
	if (clock_getres(CLOCK_MONOTONIC_COARSE, &tick) != 0)
		return -errno;
	records->clock_tick_us = (uint64_t)tick.tv_nsec / 1000;
	/* The kernel doubles what it is asked for. */
	int size = EXIT_RECORDS_BUFFER / 2, on = 1, fd = mnl_socket_get_fd(records->socket);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0 ||
	    mnl_socket_setsockopt(records->socket, NETLINK_NO_ENOBUFS, &on, sizeof(on)) != 0 ||
	    mnl_socket_bind(records->socket, 0, MNL_SOCKET_AUTOPID) != 0)
		return -errno;
	int result = listen_to_family(records);
	if (result)
		return result;
	records->lost_before = (uint32_t)exit_records_lost(records);
	return try_with_child(records);
}

int exit_records_open(struct exit_records **ret_records)
{
	struct exit_records *records = calloc(1, sizeof(*records));
	int result = records ? open_members(records) : -ENOMEM;
	capability_drop(CAP_NET_ADMIN);
	if (result)
		exit_records_close(records);
	else
		*ret_records = records;
	return result;
}

void exit_records_close(struct exit_records *records)
{
	if (!records)
		return;
	if (records->socket)
		mnl_socket_close(records->socket);
	free(records);
}
