#include "collector/reading.h"

#include <stdlib.h>
#include <string.h>

struct process *reading_add(struct reading *reading)
{
	if (reading->count == reading->capacity) {
		size_t capacity = reading->capacity ? reading->capacity + reading->capacity / 2 : 256;
		struct process *processes = realloc(reading->processes, capacity * sizeof(*processes));
		if (!processes)
			return NULL;
		reading->processes = processes;
		reading->capacity = capacity;
	}
	return &reading->processes[reading->count++];
}

static int compare_pids(const void *left, const void *right)
{
	const struct process *a = left, *b = right;
	return (a->pid > b->pid) - (a->pid < b->pid);
}

void reading_find_early(struct reading *reading)
{
	int parent = 0; /* of the last one */
	bool early = false;
	for (size_t i = 0; i < reading->count; i++) {
		struct process *process = &reading->processes[i];
		if (process->parent != parent) {
			const struct process wanted = { .pid = process->parent };
			const struct process *found =
				i > 0 ? bsearch(&wanted, reading->processes, i, sizeof(wanted), compare_pids) : NULL;
			parent = process->parent;
			early = parent != 0 && (!found || found->early);
		}
		process->early = early;
	}
}

static int compare_processes(const void *left, const void *right)
{
	const struct process *a = left, *b = right;
	int order = strcmp(a->name, b->name);
	return order ? order : (a->pid > b->pid) - (a->pid < b->pid);
}

void reading_sort(struct reading *reading)
{
	if (reading->count > 1)
		qsort(reading->processes, reading->count, sizeof(*reading->processes), compare_processes);
}

size_t reading_group_end(const struct reading *reading, size_t start)
{
	size_t end = start + 1;
	while (end < reading->count && strcmp(reading->processes[end].name, reading->processes[start].name) == 0)
		end++;
	return end;
}

void reading_free(struct reading *reading)
{
	free(reading->processes);
	*reading = (struct reading){ 0 };
}
