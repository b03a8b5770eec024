#include "collector/growth.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A process of a reading. */
struct counted {
	int pid, parent;
	size_t place;
	uint64_t start_ticks;
	int64_t counters[RESOURCE_FURTHER]; /* when they were last read; READING_UNKNOWN: never */
	bool fresh[RESOURCE_FURTHER];       /* that was in this reading */
	int64_t owed[RESOURCE_FURTHER];     /* what of children was counted, and may be in its growth, in this reading … */
	int64_t carried[RESOURCE_FURTHER];  /* … or was in the last, and may be in this one */
	bool lives;                         /* of the last reading: it is in the present one */
};

int growth_reserve(struct growth *growth, size_t count)
{
	if (count <= growth->capacity)
		return 0;
	size_t capacity = count + count / 4;
	struct counted *before = realloc(growth->before, capacity * sizeof(*before));
	if (before)
		growth->before = before;
	struct counted *now = realloc(growth->now, capacity * sizeof(*now));
	if (now)
		growth->now = now;
	int64_t(*values)[RESOURCE_FURTHER] = realloc(growth->values, capacity * sizeof(*values));
	if (values)
		growth->values = values;
	if (!before || !now || !values)
		return -ENOMEM;
	growth->capacity = capacity;
	return 0;
}

static int compare_pids(const void *left, const void *right)
{
	const struct counted *a = left, *b = right;
	return (a->pid > b->pid) - (a->pid < b->pid);
}

static struct counted *find(struct counted *all, size_t count, int pid)
{
	const struct counted wanted = { .pid = pid };
	return count ? bsearch(&wanted, all, count, sizeof(wanted), compare_pids) : NULL;
}

/* Those that were still there when they were read; who was not has ended, and has been waited for. */
static void list_by_pid(struct growth *growth, const struct reading *reading)
{
	growth->count = 0;
	for (size_t i = 0; i < reading->count; i++) {
		const struct process *process = &reading->processes[i];
		for (int r = 0; r < RESOURCE_FURTHER; r++)
			growth->values[i][r] = READING_UNKNOWN;
		if (process->gone)
			continue;
		struct counted *now = &growth->now[growth->count++];
		*now = (struct counted){
			.pid = process->pid, .parent = process->parent, .place = i, .start_ticks = process->start_ticks,
		};
		memcpy(now->counters, process->further, sizeof(now->counters));
	}
	if (growth->count > 1)
		qsort(growth->now, growth->count, sizeof(*growth->now), compare_pids);
}

static bool is_counter(int resource)
{
	return resource_rows[RESOURCE_LIMITED + resource].counter;
}

/* What a process has used, and what of it is to be known for the next reading. */
static void count_one(struct growth *growth, struct counted *now, uint64_t boot_before_ticks)
{
	struct counted *before = find(growth->before, growth->before_count, now->pid);
	bool same = before && before->start_ticks == now->start_ticks;
	bool born = growth->begun && now->start_ticks >= boot_before_ticks;
	if (same) {
		before->lives = true;
		memcpy(now->carried, before->owed, sizeof(now->carried));
	}
	for (int r = 0; r < RESOURCE_FURTHER; r++) {
		int64_t *value = &growth->values[now->place][r];
		now->fresh[r] = now->counters[r] != READING_UNKNOWN;
		if (!now->fresh[r])
			now->counters[r] = same ? before->counters[r] : READING_UNKNOWN;
		else if (!is_counter(r))
			*value = now->counters[r];
		else if (same && before->fresh[r])
			*value = now->counters[r] > before->counters[r] ? now->counters[r] - before->counters[r] : 0;
		else if (!same && born)
			*value = now->counters[r];
	}
}

/* The nearest ancestor of one of the last reading that is in this one; NULL: none is. */
static struct counted *find_heir(struct growth *growth, const struct counted *ended)
{
	const struct counted *parent = find(growth->before, growth->before_count, ended->parent);
	for (size_t i = 0; parent && !parent->lives && i < growth->before_count; i++)
		parent = find(growth->before, growth->before_count, parent->parent);
	return parent ? find(growth->now, growth->count, parent->pid) : NULL;
}

/* Takes what of `owed` there is in the growth of a process and those above it, and leaves the rest. */
static void take_back(struct growth *growth, struct counted *heir, int resource, int64_t *owed)
{
	for (size_t i = 0; heir && *owed > 0 && i < growth->count; i++) {
		int64_t *value = &growth->values[heir->place][resource];
		int64_t taken = *value == READING_UNKNOWN ? 0 : *value < *owed ? *value : *owed;
		if (taken > 0)
			*value -= taken;
		*owed -= taken;
		heir = find(growth->now, growth->count, heir->parent);
	}
}

static void settle_ended(struct growth *growth)
{
	for (size_t i = 0; i < growth->before_count; i++) {
		const struct counted *ended = &growth->before[i];
		struct counted *heir = ended->lives ? NULL : find_heir(growth, ended);
		for (int r = 0; heir && r < RESOURCE_FURTHER; r++) {
			if (is_counter(r))
				heir->owed[r] += (ended->counters[r] == READING_UNKNOWN ? 0 : ended->counters[r]) + ended->owed[r];
		}
	}
	for (size_t i = 0; i < growth->count; i++) {
		struct counted *heir = &growth->now[i];
		for (int r = 0; r < RESOURCE_FURTHER; r++) {
			take_back(growth, heir, r, &heir->carried[r]);
			take_back(growth, heir, r, &heir->owed[r]);
		}
	}
}

void growth_take(struct growth *growth, const struct reading *reading)
{
	if (!reading->further) {
		growth->count = growth->before_count = 0;
		growth->begun = false;
		return;
	}
	assert(reading->count <= growth->capacity);
	struct counted *oldest = growth->before;
	growth->before = growth->now;
	growth->before_count = growth->count;
	growth->now = oldest;
	list_by_pid(growth, reading);
	for (size_t i = 0; i < growth->count; i++)
		count_one(growth, &growth->now[i], growth->boot_ticks);
	settle_ended(growth);
	growth->boot_ticks = reading->boot_ticks;
	growth->begun = true;
}

void growth_free(struct growth *growth)
{
	free(growth->before);
	free(growth->now);
	free(growth->values);
	*growth = (struct growth){ 0 };
}
