#include "collector/memory.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/kernel_file.h"

/* meminfo and status have some 1,500 bytes; status has more where a process is in many groups. */
enum { FOLDER_SIZE = 128, FILE_SIZE = 16384 };

struct statm {
	unsigned long size, resident, shared; /* pages */
};

static int read_file(const char *folder, const char *name, char *text, size_t size)
{
	char path[FOLDER_SIZE + 16];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return kernel_file_read(path, text, size);
}

/* 0 when there is none. */
static uint64_t number_of(const char *text, const char *key)
{
	uint64_t number = 0;
	(void)kernel_file_number(text, key, &number);
	return number;
}

int memory_parse_machine(const char *meminfo, struct machine_memory *ret_machine)
{
	uint64_t total_kib = number_of(meminfo, "MemTotal");
	if (!total_kib)
		return -EINVAL;
	uint64_t size_kib = number_of(meminfo, "Hugepagesize");
	uint64_t free_kib = number_of(meminfo, "HugePages_Free") * size_kib;
	uint64_t all_kib = number_of(meminfo, "Hugetlb");
	if (!all_kib)
		all_kib = number_of(meminfo, "HugePages_Total") * size_kib;
	*ret_machine = (struct machine_memory){ total_kib, all_kib > free_kib ? all_kib - free_kib : 0 };
	return 0;
}

int memory_read_machine(const struct memory *memory, struct machine_memory *ret_machine)
{
	char meminfo[FILE_SIZE];
	int result = read_file(memory->proc, "meminfo", meminfo, sizeof(meminfo));
	return result ? result : memory_parse_machine(meminfo, ret_machine);
}

/* False, and zeros, for a task that has ended. */
static bool read_statm(const char *folder, struct statm *ret_statm)
{
	char line[128];
	if (read_file(folder, "statm", line, sizeof(line)) != 0 ||
	    sscanf(line, "%lu %lu %lu", &ret_statm->size, &ret_statm->resident, &ret_statm->shared) != 3)
		*ret_statm = (struct statm){ 0 };
	return ret_statm->size > 0;
}

static bool has_memory(const char *folder)
{
	struct statm statm;
	return read_statm(folder, &statm);
}

static bool waits(const char *folder)
{
	char line[512];
	(void)read_file(folder, "stat", line, sizeof(line));
	const char *name_end = strrchr(line, ')'); /* a name may hold any */
	return name_end && strncmp(name_end, ") D", 3) == 0;
}

/* Replaces a process's folder by that of the first of its threads that is as wanted; false when none is. */
static bool find_thread(char folder[FOLDER_SIZE], bool (*is_wanted)(const char *folder))
{
	char tasks[FOLDER_SIZE + 8], thread[FOLDER_SIZE];
	snprintf(tasks, sizeof(tasks), "%s/task", folder);
	DIR *directory = opendir(tasks);
	bool found = false;
	for (struct dirent *entry; directory && !found && (entry = readdir(directory), entry);) {
		int length = snprintf(thread, sizeof(thread), "%s/%s", tasks, entry->d_name);
		found = entry->d_name[0] != '.' && (size_t)length < sizeof(thread) && is_wanted(thread);
	}
	if (directory)
		closedir(directory);
	if (found)
		memcpy(folder, thread, sizeof(thread));
	return found;
}

static void name_folder(const struct memory *memory, const struct process *process, char folder[FOLDER_SIZE])
{
	snprintf(folder, FOLDER_SIZE, "%s/%d", memory->proc, process->pid);
}

static void complete_process(const struct memory *memory, bool several, bool huge, struct process *process)
{
	bool lost = process->state == 'Z' && process->threads > 1; /* its first thread */
	/* Kernel threads and those that wait to be waited for have no memory at all. */
	huge = huge && (lost || process->virtual_kib > 0);
	if (!several && !lost && !huge)
		return;
	char folder[FOLDER_SIZE];
	name_folder(memory, process, folder);
	if (lost && !find_thread(folder, has_memory))
		return;
	if (several || lost) {
		struct statm statm;
		read_statm(folder, &statm);
		process->resident_kib = statm.resident * memory->page_kib;
		process->shared_kib = several ? statm.shared * memory->page_kib : 0;
	}
	char status[FILE_SIZE];
	if (huge && read_file(folder, "status", status, sizeof(status)) == 0) {
		uint64_t kib = number_of(status, "HugetlbPages");
		process->resident_kib += kib;
		process->shared_kib += several ? kib : 0;
	}
}

static const struct process *find_parent(const struct reading *reading, size_t start, size_t end,
                                         const struct process *process)
{
	while (start < end) {
		size_t middle = start + (end - start) / 2;
		const struct process *candidate = &reading->processes[middle];
		if (candidate->pid == process->parent)
			return candidate;
		if (candidate->pid < process->parent)
			start = middle + 1;
		else
			end = middle;
	}
	return NULL;
}

/*
 * Whether a process has its parent's memory, by vfork: all of what stat tells says
 * so, then what their sizes are at one moment, then a thread of the parent that
 * waits. A child by fork would have to have as many pages to the last one.
 */
static bool borrows_memory(const struct memory *memory, const struct process *process, const struct process *parent)
{
	if (!process->forked || process->virtual_kib == 0 || process->virtual_kib != parent->virtual_kib ||
	    (parent->state != 'D' && parent->threads < 2))
		return false;
	char folder[FOLDER_SIZE], parent_folder[FOLDER_SIZE];
	struct statm own, parents;
	name_folder(memory, process, folder);
	name_folder(memory, parent, parent_folder);
	return read_statm(folder, &own) && read_statm(parent_folder, &parents) &&
	       memcmp(&own, &parents, sizeof(own)) == 0 &&
	       (parent->state == 'D' || find_thread(parent_folder, waits));
}

void memory_complete(const struct memory *memory, bool huge, struct reading *reading)
{
	for (size_t start = 0, end; start < reading->count; start = end) {
		end = reading_group_end(reading, start);
		bool several = end - start > 1;
		for (size_t i = start; i < end; i++)
			complete_process(memory, several, huge, &reading->processes[i]);
		for (size_t i = start; several && i < end; i++) {
			struct process *process = &reading->processes[i];
			const struct process *parent = find_parent(reading, start, end, process);
			if (parent && borrows_memory(memory, process, parent))
				process->resident_kib = process->shared_kib = 0;
		}
	}
}
