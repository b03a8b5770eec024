#include "collector/identity.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/cgroup.h"
#include "collector/kernel_file.h"
#include "collector/limits.h"
#include "common/table.h"
#include "common/wire.h"

enum {
	YOUNG_S = 2,          /* it may not have executed its program yet */
	CONTENT_SIZE = 16384, /* of /proc/PID/cgroup: a dozen hierarchies */
	DIGITS = 8,           /* of what tells long names apart */
};

/* What is known of a process. */
struct known {
	UT_hash_handle hh;
	int pid;
	unsigned comm; /* its hash */
	uint64_t start_ticks;
	uint64_t reading; /* the last that it was in */
	bool young;
	struct limits_group *group; /* held; NULL: none */
	char name[]; /* "": its comm */
};

struct identity {
	const char *proc;
	enum config_name name;
	struct limits *limits; /* NULL: the machine's memory is what counts */
	struct known *known;   /* by PID */
	uint64_t reading;
	char content[CONTENT_SIZE];
};

int identity_open(const char *proc, enum config_name name, enum config_mem_scale scale, struct identity **ret_identity)
{
	struct identity *identity = calloc(1, sizeof(*identity));
	if (!identity)
		return -ENOMEM;
	identity->proc = proc;
	identity->name = name;
	int result = scale == MEM_SCALE_LIMIT ? limits_open(proc, &identity->limits) : 0;
	if (result)
		identity_close(identity);
	else
		*ret_identity = identity;
	return result;
}

static void forget(struct identity *identity, struct known *known)
{
	HASH_DEL(identity->known, known);
	if (identity->limits)
		limits_release(identity->limits, known->group);
	free(known);
}

/* Those that were not in the last reading but one. */
static void forget_before(struct identity *identity, uint64_t reading)
{
	struct known *known, *next;
	HASH_ITER(hh, identity->known, known, next) {
		if (known->reading < reading)
			forget(identity, known);
	}
}

void identity_close(struct identity *identity)
{
	if (!identity)
		return;
	forget_before(identity, UINT64_MAX);
	limits_close(identity->limits);
	free(identity);
}

const char *identity_program(char *link)
{
	static const char removed[] = " (deleted)", in_memory[] = "/memfd:";
	size_t length = strlen(link), end = strlen(removed);
	if (length > end && strcmp(link + length - end, removed) == 0)
		link[length - end] = '\0';
	/* The name of a file that has no folder may have slashes. */
	const char *slash = strncmp(link, in_memory, strlen(in_memory)) == 0 ? link : strrchr(link, '/');
	return slash ? slash + 1 : link;
}

/* Cleans a name and makes it fit. */
static void take_name(const char *name, char ret_name[static READING_NAME_SIZE])
{
	char clean[WIRE_NAME_SIZE];
	wire_clean_name(name, strlen(name), clean);
	size_t length = strlen(clean);
	if (length < READING_NAME_SIZE) {
		memcpy(ret_name, clean, length + 1);
		return;
	}
	/* FNV-1a, the same at any time and on any host. */
	uint32_t hash = 2166136261;
	for (const char *at = name; *at; at++)
		hash = (hash ^ (unsigned char)*at) * 16777619;
	size_t kept = READING_NAME_SIZE - 1 - 1 - DIGITS;
	while (kept > 0 && ((unsigned char)clean[kept] & 0xc0) == 0x80)
		kept--;
	memcpy(ret_name, clean, kept);
	snprintf(ret_name + kept, READING_NAME_SIZE - kept, "~%0*x", DIGITS, hash);
}

/* Reads what is known of a process's groups into identity->content; "" where nothing is. */
static void read_content(struct identity *identity, int pid)
{
	char path[64];
	snprintf(path, sizeof(path), "%s/%d/cgroup", identity->proc, pid);
	(void)kernel_file_read(path, identity->content, CONTENT_SIZE);
}

/* The name that is asked for; "" where the process has none. */
static void look_up_name(const struct identity *identity, int pid, char ret_name[static READING_NAME_SIZE])
{
	char unit[CGROUP_NAME_SIZE], path[64], link[PATH_MAX];
	ret_name[0] = '\0';
	if (identity->name == NAME_UNIT && cgroup_name(identity->content, unit))
		take_name(unit, ret_name);
	if (identity->name != NAME_EXE)
		return;
	snprintf(path, sizeof(path), "%s/%d/exe", identity->proc, pid);
	ssize_t length = readlink(path, link, sizeof(link) - 1);
	if (length <= 0)
		return;
	link[length] = '\0';
	take_name(identity_program(link), ret_name);
}

/* NULL: out of memory. */
static struct known *look_up(struct identity *identity, const struct process *process, bool young)
{
	char name[READING_NAME_SIZE];
	if (identity->name == NAME_UNIT || identity->limits)
		read_content(identity, process->pid);
	look_up_name(identity, process->pid, name);
	size_t size = strlen(name) + 1;
	struct known *known = calloc(1, sizeof(*known) + size);
	if (!known)
		return NULL;
	known->pid = process->pid;
	known->comm = table_hash(process->name, strlen(process->name));
	known->start_ticks = process->start_ticks;
	known->young = young;
	memcpy(known->name, name, size);
	HASH_ADD_INT(identity->known, pid, known);
	if (!known->hh.tbl) {
		free(known);
		return NULL;
	}
	if (identity->limits)
		known->group = limits_hold(identity->limits, identity->content);
	return known;
}

int identity_apply(struct identity *identity, struct reading *reading)
{
	uint64_t young_ticks = YOUNG_S * (uint64_t)reading->ticks_per_s;
	identity->reading++;
	if (identity->limits)
		limits_renew(identity->limits);
	for (size_t i = 0; i < reading->count; i++) {
		struct process *process = &reading->processes[i];
		struct known *known;
		HASH_FIND_INT(identity->known, &process->pid, known);
		if (known && (known->young || known->start_ticks != process->start_ticks ||
		              known->comm != table_hash(process->name, strlen(process->name)))) {
			forget(identity, known);
			known = NULL;
		}
		if (!known)
			known = look_up(identity, process, process->start_ticks + young_ticks > reading->boot_ticks);
		if (!known)
			return -ENOMEM;
		known->reading = identity->reading;
		if (known->name[0])
			memcpy(process->name, known->name, strlen(known->name) + 1);
		if (identity->limits)
			process->limit_kib = limits_kib(identity->limits, known->group);
	}
	forget_before(identity, identity->reading);
	return 0;
}
