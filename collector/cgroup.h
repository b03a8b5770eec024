/*
 * What /proc/PID/cgroup and /proc/PID/mountinfo tell: the unit or container that a process belongs to, and where the
 * kernel shows the limits of its memory.
 *
 * Facts:
 * - /proc/PID/cgroup has a line a hierarchy, "ID:CONTROLLERS:PATH"; that of version 2 begins "0::". A path is relative
 *   to the root of the reader's cgroup namespace and begins with "/.." outside of it; that of a group which has been
 *   removed ends with " (deleted)": cgroups(7), cgroup_namespaces(7).
 * - mountinfo shows the root of each mount in the same way, with "\040" and the like for blanks: proc_pid_mountinfo(5).
 * - systemd has a folder a slice, scope or service, called by the unit's name, with "_" before one that the kernel
 *   could take for a file of its own (cg_escape() of src/basic/cgroup-util.c): https://systemd.io/CGROUP_DELEGATION.
 * - Containers have an ID of 64 hexadecimal digits: "docker-ID.scope", "libpod-ID.scope", "cri-containerd-ID.scope" or
 *   "crio-ID.scope" below a systemd, "/docker/ID" or "/kubepods/burstable/podUID/ID" without. Those of LXC have a name:
 *   "lxc.payload.NAME" (since 4.0), or "lxc/NAME".
 *
 * Pure and thread-safe.
 */
#ifndef VIGIE_COLLECTOR_CGROUP_H
#define VIGIE_COLLECTOR_CGROUP_H

#include <stdbool.h>
#include <stddef.h>

#include "common/text.h"

/* A unit within a container: each may have 255 bytes, and the container's kind before it. */
enum { CGROUP_NAME_SIZE = 600 };

/*
 * The unit or container of a process, from the content of its /proc/PID/cgroup: of the first hierarchy that has one, the
 * one named systemd first, then version 2, then the others in their order. False: it has none.
 *
 * The innermost counts. A unit is a service, mount, socket or swap, as systemctl(1) prints it, "\x2d" and all, since two
 * units may differ in that alone. A container is its kind and the first 12 digits of its ID, "docker-3f2a61d09c4e", or its
 * name, "lxc-web1", "machine-web1"; a unit in a container has that before it, "lxc-web1/nginx.service". A scope that is no
 * container is a login's or a desktop program's, another one each time, and none.
 */
bool cgroup_name(const char *content, char ret_name[static CGROUP_NAME_SIZE]);

/* Where the memory of processes is limited: which file of a group's folder has it. */
enum cgroup_version { CGROUP_V1, CGROUP_V2 };

/* The path of a process's memory group, within `content`: of the hierarchy that has the memory controller, or else of
 * version 2. NULL: none. Its length includes no " (deleted)". */
const char *cgroup_memory_path(const char *content, enum cgroup_version *ret_version, size_t *ret_length);

/* A mount of the hierarchy that limits memory. */
struct cgroup_mount {
	enum cgroup_version version;
	char *root;  /* of the hierarchy, what the mount shows; as a path of /proc/PID/cgroup */
	char *point; /* the folder that it is mounted on, no slash at its end */
};

/* Reads a line of mountinfo. True: it is such a mount, to be freed with cgroup_free_mount(), whose members are NULL
 * where there was no memory for them. */
bool cgroup_parse_mount(const char *line, struct cgroup_mount *ret_mount);
void cgroup_free_mount(struct cgroup_mount *mount);

/* Appends the folder of the group at a path of /proc/PID/cgroup. False: the mount does not show it. */
bool cgroup_find_folder(const struct cgroup_mount *mount, const char *path, size_t length, struct text *folder);

#endif
