/* /proc/PID/cgroup, whose paths anybody names who may make a group, behind a line of mountinfo. */
#include "tests/fuzz/fuzz.h"

#include "collector/cgroup.h"

static void check_folder(const struct cgroup_mount *mount, const char *path, size_t length)
{
	struct text folder = TEXT_EMPTY;
	if (cgroup_find_folder(mount, path, length, &folder)) {
		size_t point = strlen(mount->point);
		assert(folder.length >= point && memcmp(folder.data, mount->point, point) == 0);
		/* It is never one above. */
		const char *below = folder.data + point;
		for (const char *at = strstr(below, "/.."); at; at = strstr(at + 1, "/.."))
			assert(at[3] != '\0' && at[3] != '/');
	}
	text_free(&folder);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char *line = fuzz_line(&bytes, &size), *content = fuzz_string(bytes, size);
	char name[CGROUP_NAME_SIZE];
	if (cgroup_name(content, name))
		assert(name[0] && strlen(name) < CGROUP_NAME_SIZE && !strchr(name, '\n'));

	enum cgroup_version version;
	size_t length;
	const char *path = cgroup_memory_path(content, &version, &length);
	struct cgroup_mount mount;
	assert(!path || (path >= content && path + length <= content + strlen(content)));
	if (cgroup_parse_mount(line, &mount)) {
		assert(mount.root && mount.point);
		if (path)
			check_folder(&mount, path, length);
		cgroup_free_mount(&mount);
	}
	free(content);
	free(line);
	return 0;
}
