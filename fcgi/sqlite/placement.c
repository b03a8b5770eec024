#include "fcgi/sqlite/placement.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fcgi/counters.h"

static int compare_placed(const void *left, const void *right)
{
	const struct placed *a = left, *b = right;
	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	if (a->offset_ms != b->offset_ms)
		return a->offset_ms < b->offset_ms ? -1 : 1;
	if (a->series->number != b->series->number)
		return a->series->number < b->series->number ? -1 : 1;
	if (a->resource != b->resource)
		return a->resource < b->resource ? -1 : 1;
	/* A client's own "other" before what is added to it. */
	if (a->batch == b->batch && a->folded != b->folded)
		return a->folded ? 1 : -1;
	return a->order < b->order ? -1 : a->order > b->order;
}

/* What one host sends for one tick is in order already. */
void placement_sort(struct placed placed[], size_t count)
{
	for (size_t i = 1; i < count; i++) {
		if (compare_placed(&placed[i - 1], &placed[i]) > 0) {
			qsort(placed, count, sizeof(*placed), compare_placed);
			return;
		}
	}
}

/* The series of a sample; over the limits that of "other". *series is the host's
 * series before it, or NULL. */
static int find_series(struct dictionary *dictionary, const struct placement_limits *limits, struct dictionary_host *host,
                       const char *process, int64_t time_ms, struct dictionary_series **series, bool *ret_folded)
{
	*ret_folded = false;
	*series = *series ? dictionary_find_next(dictionary, *series, process) : NULL;
	if (!*series)
		*series = dictionary_find_series(dictionary, host, process);
	if (*series)
		return 0;
	bool full = host->series_count >= limits->series_per_host;
	if (full) {
		host->at_limit = true;
		dictionary->limited = host->number;
	}
	if (full || dictionary->series.used >= limits->series) {
		struct dictionary_series *dead = dictionary_find_dead(host, time_ms);
		if (dead) {
			*series = dictionary_replace_series(dictionary, host, dead, process);
			return *series ? 0 : -ENOMEM;
		}
		*ret_folded = true;
		process = "other";
		*series = dictionary_find_series(dictionary, host, process);
	}
	if (!*series)
		*series = dictionary_add_series(dictionary, host, process, 0);
	return *series ? 0 : -ENOMEM;
}

/* The host of an address: new ones also while there is room for their "other" alone. */
static int find_host(struct dictionary *dictionary, const struct placement_limits *limits, const char *ip,
                     struct dictionary_host **ret_host)
{
	*ret_host = dictionary_find_host(dictionary, ip);
	if (*ret_host)
		return 0;
	/* A flood of addresses: each has a series "other". */
	bool full = dictionary->series.used >= limits->series;
	if ((full && dictionary->hosts.used >= limits->series) || dictionary->hosts.end > PLACEMENT_HOST_MAX)
		return -EDQUOT;
	*ret_host = dictionary_add_host(dictionary, ip, 0);
	return *ret_host ? 0 : -ENOMEM;
}

int placement_place(struct dictionary *dictionary, const struct placement_limits *limits,
                    const struct batch *const batches[], size_t count, struct placed placed[])
{
	size_t used = 0;
	for (size_t i = 0; i < count; i++) {
		struct dictionary_host *host = NULL;
		const char *ip = NULL, *process = NULL;
		struct dictionary_series *series = NULL;
		bool folded = false;
		for (size_t j = 0; j < batches[i]->count; j++) {
			const struct sample *sample = &batches[i]->samples[j];
			/* Neighbours mostly share host and process. */
			if (sample->ip != ip) {
				ip = sample->ip;
				process = NULL;
				series = NULL;
				int result = find_host(dictionary, limits, ip, &host);
				if (result)
					return result;
			}
			if (!process || strcmp(sample->process, process) != 0) {
				process = sample->process;
				int result = find_series(dictionary, limits, host, process, sample->time_ms, &series, &folded);
				if (result)
					return result;
			}
			placed[used] = (struct placed){
				.key = placement_key(sample->metric, sample->time_ms, host->number),
				.series = series,
				.value = sample->value,
				.offset_ms = (uint32_t)(sample->time_ms % PLACEMENT_ROW_MS),
				.order = (uint32_t)used,
				.resource = sample->resource,
				.batch = (uint16_t)i,
				.folded = folded,
			};
			if (sample->time_ms > series->last_ms)
				series->last_ms = sample->time_ms;
			used++;
			counters_add(COUNTER_SERIES_FOLDED, folded);
		}
	}
	return 0;
}

size_t placement_entries(const struct placed placed[], size_t count, struct packing_entry entries[])
{
	size_t used = 0;
	for (size_t i = 0; i < count; i++) {
		const struct placed *sample = &placed[i];
		struct packing_entry *entry = used ? &entries[used - 1] : NULL;
		if (!entry || entry->offset_ms != sample->offset_ms || entry->series != sample->series->number) {
			entry = &entries[used++];
			*entry = (struct packing_entry){ .offset_ms = sample->offset_ms, .series = sample->series->number };
		}
		/* Of an earlier batch, it is what a retry repeats. */
		bool add = sample->folded && entry->present[sample->resource] && sample[-1].batch == sample->batch;
		double sum = (add ? entry->value[sample->resource] : 0) + sample->value;
		entry->value[sample->resource] = sum < WIRE_VALUE_MAX ? sum : WIRE_VALUE_MAX;
		entry->present[sample->resource] = true;
	}
	return used;
}
