#include "collector/limits.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/cgroup.h"
#include "collector/kernel_file.h"
#include "common/table.h"

/* Where the same is mounted more often, the others show no more. */
enum { MOUNTS_MAX = 16 };

static const char *const files[] = { [CGROUP_V1] = "memory.limit_in_bytes", [CGROUP_V2] = "memory.max" };

struct limits_group {
	UT_hash_handle hh;
	struct limits_group *above; /* held; NULL: it is the mount */
	enum cgroup_version version;
	size_t holders;
	uint64_t reading; /* that kib is of */
	uint64_t kib;
	char folder[];
};

struct limits {
	struct cgroup_mount mounts[MOUNTS_MAX];
	size_t mount_count;
	struct limits_group *groups; /* by folder */
	struct text folder; /* used again and again */
	uint64_t reading;
};

int limits_open(const char *proc, struct limits **ret_limits)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/self/mountinfo", proc);
	FILE *file = fopen(path, "re");
	if (!file)
		return -errno;
	struct limits *limits = calloc(1, sizeof(*limits));
	int result = limits ? 0 : -ENOMEM;
	char *line = NULL;
	size_t size = 0;
	while (!result && limits->mount_count < MOUNTS_MAX && getline(&line, &size, file) > 0) {
		struct cgroup_mount *mount = &limits->mounts[limits->mount_count];
		if (!cgroup_parse_mount(line, mount))
			continue;
		limits->mount_count++;
		if (!mount->root || !mount->point)
			result = -ENOMEM;
	}
	free(line);
	fclose(file);
	if (result)
		limits_close(limits);
	else
		*ret_limits = limits;
	return result;
}

void limits_close(struct limits *limits)
{
	if (!limits)
		return;
	for (size_t i = 0; i < limits->mount_count; i++)
		cgroup_free_mount(&limits->mounts[i]);
	text_free(&limits->folder);
	free(limits);
}

/* The group of a folder, held; `mount_length` is that of the folder which has none above it. */
static struct limits_group *hold_folder(struct limits *limits, enum cgroup_version version, const char *folder,
                                        size_t length, size_t mount_length)
{
	struct limits_group *group;
	HASH_FIND(hh, limits->groups, folder, length, group);
	if (group) {
		group->holders++;
		return group;
	}
	group = calloc(1, sizeof(*group) + length + 1);
	if (!group)
		return NULL;
	group->version = version;
	group->holders = 1;
	memcpy(group->folder, folder, length);
	if (length > mount_length) {
		size_t above = length - 1;
		while (above > mount_length && folder[above] != '/')
			above--;
		group->above = hold_folder(limits, version, folder, above, mount_length);
	}
	HASH_ADD_KEYPTR(hh, limits->groups, group->folder, length, group);
	if (!group->hh.tbl || (length > mount_length && !group->above)) {
		if (group->hh.tbl)
			HASH_DEL(limits->groups, group);
		limits_release(limits, group->above);
		free(group);
		return NULL;
	}
	return group;
}

struct limits_group *limits_hold(struct limits *limits, const char *content)
{
	enum cgroup_version version;
	size_t length;
	const char *path = cgroup_memory_path(content, &version, &length);
	const struct cgroup_mount *best = NULL;
	/* The shortest root shows the most of the groups above. */
	for (size_t i = 0; path && i < limits->mount_count; i++) {
		const struct cgroup_mount *mount = &limits->mounts[i];
		text_reset(&limits->folder);
		if (mount->version == version && cgroup_find_folder(mount, path, length, &limits->folder) &&
		    (!best || strlen(mount->root) < strlen(best->root)))
			best = mount;
	}
	if (!best)
		return NULL;
	text_reset(&limits->folder);
	if (!cgroup_find_folder(best, path, length, &limits->folder) || text_failed(&limits->folder))
		return NULL;
	return hold_folder(limits, version, limits->folder.data, limits->folder.length, strlen(best->point));
}

void limits_release(struct limits *limits, struct limits_group *group)
{
	while (group && --group->holders == 0) {
		struct limits_group *above = group->above;
		HASH_DEL(limits->groups, group);
		free(group);
		group = above;
	}
}

void limits_renew(struct limits *limits)
{
	limits->reading++;
}

/* What its own folder says. */
static uint64_t read_limit(const struct limits_group *group)
{
	char path[4096], line[32];
	int length = snprintf(path, sizeof(path), "%s/%s", group->folder, files[group->version]);
	if (length >= (int)sizeof(path) || kernel_file_read(path, line, sizeof(line)) != 0)
		return 0;
	unsigned long long bytes;
	if (sscanf(line, "%llu", &bytes) != 1)
		return 0;
	return bytes < 1024 ? 1 : bytes / 1024;
}

uint64_t limits_kib(const struct limits *limits, struct limits_group *group)
{
	if (!group)
		return 0;
	if (group->reading != limits->reading) {
		uint64_t own = read_limit(group), above = limits_kib(limits, group->above);
		group->kib = own == 0 || (above && above < own) ? above : own;
		group->reading = limits->reading;
	}
	return group->kib;
}
