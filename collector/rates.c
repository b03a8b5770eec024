#include "collector/rates.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum { USED_UNKNOWN = -1 };

struct usage {
	int pid;
	uint32_t place; /* in the reading */
	uint64_t start_ticks;
	uint64_t cpu_ticks;
};

static bool reserve(struct rates *rates, size_t count)
{
	if (count <= rates->capacity)
		return true;
	size_t capacity = count + count / 4;
	struct usage *before = realloc(rates->before, capacity * sizeof(*before));
	if (before)
		rates->before = before;
	struct usage *now = realloc(rates->now, capacity * sizeof(*now));
	if (now)
		rates->now = now;
	int64_t *used = realloc(rates->used, capacity * sizeof(*used));
	if (used)
		rates->used = used;
	struct rate *values = realloc(rates->values, capacity * sizeof(*values));
	if (values)
		rates->values = values;
	if (!before || !now || !used || !values)
		return false;
	rates->capacity = capacity;
	return true;
}

static int compare_pids(const void *left, const void *right)
{
	const struct usage *a = left, *b = right;
	return (a->pid > b->pid) - (a->pid < b->pid);
}

static void list_by_pid(struct rates *rates, const struct reading *reading)
{
	for (size_t i = 0; i < reading->count; i++) {
		const struct process *process = &reading->processes[i];
		rates->now[i] = (struct usage){ process->pid, (uint32_t)i, process->start_ticks, process->cpu_ticks };
	}
	if (reading->count > 1)
		qsort(rates->now, reading->count, sizeof(*rates->now), compare_pids);
}

/* The ticks each process used since the last reading, by merging the two. */
static void count_used(struct rates *rates, size_t count)
{
	size_t b = 0;
	for (size_t i = 0; i < count; i++) {
		const struct usage *now = &rates->now[i];
		while (b < rates->before_count && rates->before[b].pid < now->pid)
			b++;
		const struct usage *before = b < rates->before_count && rates->before[b].pid == now->pid ? &rates->before[b] : NULL;

		int64_t used = USED_UNKNOWN;
		if (before && before->start_ticks == now->start_ticks)
			used = now->cpu_ticks > before->cpu_ticks ? (int64_t)(now->cpu_ticks - before->cpu_ticks) : 0;
		else if (now->start_ticks >= rates->before_boot_ticks)
			used = (int64_t)now->cpu_ticks; /* born since */
		rates->used[now->place] = used;
	}
}

static int32_t in_thousandths(double percent, double maximum)
{
	return (int32_t)lrint(fmin(fmin(percent, maximum) * 1000, INT32_MAX));
}

static int32_t cpu_of(const struct rates *rates, const struct reading *reading, size_t start, size_t end,
                      enum config_cpu_scale scale)
{
	int64_t used = 0;
	bool known = false;
	for (size_t i = start; i < end; i++) {
		if (rates->used[i] != USED_UNKNOWN) {
			used += rates->used[i];
			known = true;
		}
	}
	if (!known)
		return RATE_MISSING;
	double seconds = (double)(reading->monotonic_ns - rates->before_ns) / 1e9;
	double percent = 100.0 * (double)used / (double)reading->ticks_per_s / seconds;
	/* A reading takes its time, and a process may be looked at later in it than in
	 * the last one: more than all cores is that, not use. */
	double maximum = 100.0 * (double)reading->cores;
	if (scale == CPU_SCALE_MACHINE)
		return in_thousandths(percent / (double)reading->cores, 100);
	return in_thousandths(percent, maximum);
}

/* What 100 % of a process's memory is. */
static double memory_of(const struct reading *reading, const struct process *process)
{
	bool limited = process->limit_kib && process->limit_kib < reading->memory_kib;
	return (double)(limited ? process->limit_kib : reading->memory_kib);
}

static int32_t mem_of(const struct reading *reading, size_t start, size_t end)
{
	/* Each is a part of its own process's 100 %. */
	double used = 0, largest_shared = 0;
	for (size_t i = start; i < end; i++) {
		const struct process *process = &reading->processes[i];
		uint64_t shared = end - start > 1 ? process->shared_kib : 0;
		if (shared > process->resident_kib)
			shared = process->resident_kib;
		double memory_kib = memory_of(reading, process);
		used += (double)(process->resident_kib - shared) / memory_kib;
		largest_shared = fmax(largest_shared, (double)shared / memory_kib);
	}
	return in_thousandths(100.0 * (used + largest_shared), 100);
}

int rates_update(struct rates *rates, const struct reading *reading, enum config_cpu_scale scale,
                 struct rate **ret_values, size_t *ret_count)
{
	if (!reserve(rates, reading->count))
		return -ENOMEM;
	list_by_pid(rates, reading);

	size_t names = 0;
	if (rates->before_ns && reading->monotonic_ns > rates->before_ns) {
		count_used(rates, reading->count);
		for (size_t start = 0, end; start < reading->count; start = end) {
			end = reading_group_end(reading, start);
			struct rate *value = &rates->values[names++];
			value->name = reading->processes[start].name;
			_Static_assert(RESOURCE_COUNT == 2, "each is measured");
			value->thousandths[RESOURCE_CPU] = cpu_of(rates, reading, start, end, scale);
			value->thousandths[RESOURCE_MEM] = mem_of(reading, start, end);
		}
	}

	struct usage *oldest = rates->before;
	rates->before = rates->now;
	rates->now = oldest;
	rates->before_count = reading->count;
	rates->before_ns = reading->monotonic_ns;
	rates->before_boot_ticks = reading->boot_ticks;
	*ret_values = rates->values;
	*ret_count = names;
	return 0;
}

void rates_free(struct rates *rates)
{
	free(rates->before);
	free(rates->now);
	free(rates->used);
	free(rates->values);
	*rates = (struct rates){ 0 };
}
