#include "collector/rates.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool reserve(struct rates *rates, size_t count)
{
	if (count <= rates->capacity)
		return true;
	size_t capacity = count + count / 4;
	struct rate *values = realloc(rates->values, capacity * sizeof(*values));
	if (!values)
		return false;
	rates->values = values;
	rates->capacity = capacity;
	return true;
}

static int32_t in_thousandths(double percent, double maximum)
{
	return (int32_t)lrint(fmin(fmin(percent, maximum) * 1000, INT32_MAX));
}

/* Of the processes of a name, start == end: none, and of those that ended, NULL: none. */
static int32_t cpu_of(const struct rates *rates, const struct reading *reading, size_t start, size_t end,
                      const struct ended_name *ended, enum config_cpu_scale scale)
{
	int64_t used_us = ended ? (int64_t)accounts_ended_us(&rates->accounts, ended) : 0;
	bool known = ended != NULL;
	for (size_t i = start; i < end; i++) {
		if (rates->accounts.used_us[i] != ACCOUNTS_UNKNOWN) {
			used_us += rates->accounts.used_us[i];
			known = true;
		}
	}
	if (!known)
		return RATE_MISSING;
	double seconds = (double)(reading->monotonic_ns - rates->before_ns) / 1e9;
	double percent = 100.0 * (double)used_us / 1e6 / seconds;
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

/* Of a further resource; -1: of no process of the name is it known. */
static float further_of(const struct rates *rates, const struct reading *reading, int resource, size_t start, size_t end)
{
	double sum = 0;
	bool known = false;
	for (size_t i = start; i < end; i++) {
		int64_t value = rates->growth.values[i][resource];
		sum += value == READING_UNKNOWN ? 0 : (double)value;
		known = known || value != READING_UNKNOWN;
	}
	if (resource_rows[RESOURCE_LIMITED + resource].counter)
		sum /= (double)(reading->monotonic_ns - rates->before_ns) / 1e9;
	return known ? (float)fmin(rint(sum), WIRE_VALUE_MAX) : (float)RATE_MISSING;
}

int rates_begin(struct rates *rates, const struct reading *reading)
{
	/* What may fail comes before anything is taken. */
	if (!reserve(rates, reading->count + ACCOUNTS_NAMES) ||
	    growth_reserve(&rates->growth, reading->further ? reading->count : 0) != 0 ||
	    accounts_take_reading(&rates->accounts, reading) != 0)
		return -ENOMEM;
	growth_take(&rates->growth, reading);
	rates->begun = true;
	return 0;
}

void rates_take_exit(struct rates *rates, const struct exit_record *record, int64_t now_ns)
{
	accounts_take_exit(&rates->accounts, record, now_ns);
}

void rates_trust_exits(struct rates *rates)
{
	rates->trusted = true;
}

/* The names of the reading and of those that ended, both by name, as one list. */
static size_t list_values(struct rates *rates, const struct reading *reading, enum config_cpu_scale scale)
{
	const struct accounts *accounts = &rates->accounts;
	size_t count = 0, start = 0, e = 0;
	while (start < reading->count || e < accounts->ended_count) {
		const struct ended_name *ended = e < accounts->ended_count ? &accounts->ended[e] : NULL;
		const char *name = start < reading->count ? reading->processes[start].name : NULL;
		int order = !name ? 1 : !ended ? -1 : strcmp(name, ended->name);
		size_t end = order <= 0 ? reading_group_end(reading, start) : start;
		if (order >= 0)
			e++;
		else
			ended = NULL;
		/* What is less than a tick of /proc's clock shows as 0 of a process that lives; a name that only had such is not
		 * worth a series. */
		if (order > 0 && accounts_ended_us(accounts, ended) < accounts->tick_us)
			continue;

		struct rate *value = &rates->values[count++];
		_Static_assert(RESOURCE_LIMITED == 2, "each is measured");
		value->has_further = reading->further;
		for (int i = 0; i < RESOURCE_FURTHER && reading->further; i++)
			value->further[i] = further_of(rates, reading, i, start, end);
		value->name = order <= 0 ? name : ended->name;
		value->thousandths[RESOURCE_CPU] = cpu_of(rates, reading, start, end, ended, scale);
		value->thousandths[RESOURCE_MEM] = start < end ? mem_of(reading, start, end) : RATE_MISSING;
		start = end;
	}
	return count;
}

int rates_update(struct rates *rates, const struct reading *reading, enum config_cpu_scale scale,
                 struct rate **ret_values, size_t *ret_count)
{
	int result = rates->begun ? 0 : rates_begin(rates, reading);
	if (result)
		return result;
	/* What ended before the first reading counts for nothing. */
	rates->by_exits = accounts_settle(&rates->accounts, rates->trusted && rates->before_ns);
	rates->begun = rates->trusted = false;

	size_t names = 0;
	if (rates->before_ns && reading->monotonic_ns > rates->before_ns)
		names = list_values(rates, reading, scale);
	rates->before_ns = reading->monotonic_ns;
	*ret_values = rates->values;
	*ret_count = names;
	return 0;
}

void rates_free(struct rates *rates)
{
	accounts_free(&rates->accounts);
	growth_free(&rates->growth);
	free(rates->values);
	*rates = (struct rates){ 0 };
}
