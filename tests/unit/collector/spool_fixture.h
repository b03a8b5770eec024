/* A folder for a test and what it holds, and batches to put there. */
#ifndef VIGIE_TESTS_SPOOL_FIXTURE_H
#define VIGIE_TESTS_SPOOL_FIXTURE_H

#include "tests/unit/support/temporary_folder.h"

#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/batch.h"

enum { NAMES = 3, SAMPLES = 5, PATH_SIZE = 512 };

static char parent[TEMPORARY_FOLDER_SIZE], folder[TEMPORARY_FOLDER_SIZE + 8]; /* the folder is not made */

static int make_folder(void **state)
{
	(void)state;
	temporary_folder_make(parent);
	snprintf(folder, sizeof(folder), "%s/spool", parent);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	temporary_folder_remove(parent);
	return 0;
}

/* Writes the path of `name` in the folder. */
static inline const char *path_of(const char *name)
{
	static char path[PATH_SIZE];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

/* How many names in a folder end so; the first of them, by order, in `ret_name` (NULL: not wanted). */
static inline size_t count_files(const char *inside, const char *end, char *ret_name)
{
	size_t count = 0;
	DIR *stream = opendir(inside);
	for (struct dirent *found = stream ? readdir(stream) : NULL; found; found = readdir(stream)) {
		size_t length = strlen(found->d_name);
		if (length < strlen(end) || strcmp(found->d_name + length - strlen(end), end) != 0)
			continue;
		if (ret_name && (count == 0 || strcmp(found->d_name, ret_name) < 0))
			strcpy(ret_name, found->d_name);
		count++;
	}
	if (stream)
		closedir(stream);
	return count;
}

/* A batch of SAMPLES samples; with `names` over 3 a larger one. */
static inline struct batch *make_batch(int64_t time_ms, size_t names)
{
	static const struct rate few[NAMES] = {
		{ .name = "bash", .thousandths = { 1250, 12500 } },
		{ .name = "a \"b\\", .thousandths = { 1, 0 } },
		{ .name = "caf\xc3\xa9", .thousandths = { 100000, RATE_MISSING } },
	};
	const struct stamp stamp = { .time_ms = time_ms, .boot_ms = time_ms / 2, .boot_id = 77, .settled = time_ms % 2 };
	struct rate *values = calloc(names, sizeof(*values));
	for (size_t i = 0; values && i < names; i++)
		values[i] = few[i % NAMES];
	struct batch *batch = values ? batch_pack(&stamp, values, names, NULL) : NULL;
	free(values);
	if (!batch)
		abort();
	return batch;
}

/* Mounts a small disk of its own on the folder, which is made; false where that is not allowed. */
static inline bool mount_small_disk(const char *options)
{
	static bool apart;
	if (!apart && unshare(geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) != 0)
		return false;
	apart = true;
	return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 && mkdir(folder, 0700) == 0 &&
	       mount("tmpfs", folder, "tmpfs", 0, options) == 0;
}

static inline void unmount_small_disk(void)
{
	if (umount(folder) != 0)
		abort();
}

#endif
