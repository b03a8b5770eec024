#include "fcgi/sqlite/placement.h"

#include <assert.h>
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
	if (a->half != b->half)
		return a->half < b->half ? -1 : 1;
	/* A client's own "other" before what is added to it. */
	if (a->batch == b->batch && a->folded != b->folded)
		return a->folded ? 1 : -1;
	return a->order < b->order ? -1 : a->order > b->order;
}

/* Merges [0, middle) and [middle, end) of `from` into `to`. */
static void merge(const struct placed from[], size_t middle, size_t end, struct placed to[])
{
	size_t left = 0, right = middle, used = 0;
	while (left < middle && right < end)
		to[used++] = compare_placed(&from[left], &from[right]) < 0 ? from[left++] : from[right++];
	memcpy(to + used, from + left, (middle - left) * sizeof(*to));
	memcpy(to + used + middle - left, from + right, (end - right) * sizeof(*to));
}

/* Sorts by merging what is in order, two and two: names come by the alphabet, and numbers as names were met, so that a
 * row is some runs. `spare` and `ends`, where they end, have room for as many. */
static void merge_runs(struct placed placed[], size_t count, struct placed spare[], size_t ends[])
{
	size_t runs = 0;
	for (size_t i = 1; i <= count; i++) {
		if (i == count || compare_placed(&placed[i - 1], &placed[i]) > 0)
			ends[runs++] = i;
	}
	struct placed *from = placed, *to = spare;
	while (runs > 1) {
		size_t merged = 0;
		for (size_t i = 0, begin = 0; i < runs; i += 2) {
			size_t middle = ends[i], end = i + 1 < runs ? ends[i + 1] : middle;
			merge(from + begin, middle - begin, end - begin, to + begin);
			ends[merged++] = begin = end;
		}
		runs = merged;
		struct placed *sorted = to;
		to = from;
		from = sorted;
	}
	if (from != placed)
		memcpy(placed, from, count * sizeof(*placed));
}

static void sort(struct placed placed[], size_t count)
{
	struct placed *spare = malloc(count * sizeof(*spare));
	size_t *ends = malloc(count * sizeof(*ends));
	if (spare && ends)
		merge_runs(placed, count, spare, ends);
	else
		qsort(placed, count, sizeof(*placed), compare_placed);
	free(ends);
	free(spare);
}

void placement_sort(struct placed placed[], size_t count)
{
	size_t row = 0; /* where the row begins */
	bool sorted = true; /* as far as it has been seen */
	for (size_t i = 1; i <= count; i++) {
		if (i < count && placed[i].key == placed[row].key) {
			sorted = sorted && compare_placed(&placed[i - 1], &placed[i]) < 0;
			continue;
		}
		if (i < count && placed[i].key < placed[row].key) {
			sort(placed, count);
			return;
		}
		if (!sorted)
			sort(placed + row, i - row);
		row = i;
		sorted = true;
	}
}

/* The series of a sample; over the limits that of "other", but for what administrators have set. *series is the
 * host's series before it, or NULL. */
static int find_series(struct dictionary *dictionary, const struct placement_limits *limits, struct dictionary_host *host,
                       const struct sample *sample, struct dictionary_series **series, bool *ret_folded)
{
	const char *process = sample->process;
	bool limited = !sample_is_kept(sample->metric);
	*ret_folded = false;
	*series = *series ? dictionary_find_next(dictionary, *series, process) : NULL;
	if (!*series)
		*series = dictionary_find_series(dictionary, host, process);
	if (*series)
		return 0;
	bool full = limited && host->series_count >= limits->series_per_host;
	if (full) {
		host->at_limit = true;
		dictionary->limited = host->number;
	}
	if (full || (limited && dictionary->series.used >= limits->series)) {
		struct dictionary_series *dead = dictionary_find_dead(host, sample->time_ms);
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

/* The host of a sample: new ones also while there is room for their "other" alone, and always that of what administrators have set. */
static int find_host(struct dictionary *dictionary, const struct placement_limits *limits, const struct sample *sample,
                     struct dictionary_host **ret_host)
{
	*ret_host = dictionary_find_host(dictionary, sample->ip);
	if (*ret_host)
		return 0;
	/* A flood of addresses: each has a series "other". */
	bool full = dictionary->series.used >= limits->series && !sample_is_kept(sample->metric);
	if ((full && dictionary->hosts.used >= limits->series) || dictionary->hosts.end > PLACEMENT_HOST_MAX)
		return -EDQUOT;
	*ret_host = dictionary_add_host(dictionary, sample->ip, 0);
	return *ret_host ? 0 : -ENOMEM;
}

/* A batch as it arrived. */
struct arrival {
	int64_t key; /* of its first sample */
	struct dictionary_host *host; /* likewise */
	uint32_t order; /* likewise */
	uint16_t batch;
};

static int compare_arrivals(const void *left, const void *right)
{
	const struct arrival *a = left, *b = right;
	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	return a->batch < b->batch ? -1 : a->batch > b->batch;
}

/* Finds the hosts of batches, and sorts them by where their rows are. Gives how many have samples, or a negative errno. */
static int sort_batches(struct dictionary *dictionary, const struct placement_limits *limits,
                        const struct batch *const batches[], size_t count, struct arrival arrivals[])
{
	int used = 0;
	size_t order = 0;
	for (size_t i = 0; i < count; order += batches[i]->count, i++) {
		if (batches[i]->count == 0)
			continue;
		const struct sample *first = &batches[i]->samples[0];
		struct arrival *arrival = &arrivals[used++];
		*arrival = (struct arrival){ .order = (uint32_t)order, .batch = (uint16_t)i };
		int result = find_host(dictionary, limits, first, &arrival->host);
		if (result)
			return result;
		arrival->key = placement_key(first->metric, first->time_ms, arrival->host->number);
	}
	qsort(arrivals, (size_t)used, sizeof(*arrivals), compare_arrivals);
	return used;
}

/* Places the samples of one batch. */
static int place_batch(struct dictionary *dictionary, const struct placement_limits *limits, const struct batch *batch,
                       const struct arrival *arrival, struct placed placed[])
{
	struct dictionary_host *host = arrival->host;
	const char *ip = batch->samples[0].ip, *process = NULL;
	struct dictionary_series *series = NULL;
	bool folded = false;
	size_t all_folded = 0;
	for (size_t i = 0; i < batch->count; i++) {
		const struct sample *sample = &batch->samples[i];
		/* Neighbours mostly share host and process, and then the strings. */
		if (sample->ip != ip) {
			ip = sample->ip;
			process = NULL;
			series = NULL;
			int result = find_host(dictionary, limits, sample, &host);
			if (result)
				return result;
		}
		if (sample->process != process) {
			process = sample->process;
			int result = find_series(dictionary, limits, host, sample, &series, &folded);
			if (result)
				return result;
		}
		assert(series);
		placed[i] = (struct placed){
			.key = placement_key(sample->metric, sample->time_ms, host->number),
			.series = series,
			.value = sample->value,
			.offset_ms = (uint32_t)(sample->time_ms % PLACEMENT_ROW_MS),
			.order = arrival->order + (uint32_t)i,
			.half = sample->half,
			.batch = arrival->batch,
			.folded = folded,
		};
		if (sample->time_ms > series->last_ms)
			series->last_ms = sample->time_ms;
		all_folded += folded;
	}
	if (all_folded)
		counters_add(COUNTER_SERIES_FOLDED, all_folded);
	return 0;
}

int placement_place(struct dictionary *dictionary, const struct placement_limits *limits,
                    const struct batch *const batches[], size_t count, struct placed placed[])
{
	struct arrival *arrivals = calloc(count, sizeof(*arrivals));
	if (!arrivals)
		return -ENOMEM;
	int result = sort_batches(dictionary, limits, batches, count, arrivals);
	int used = result < 0 ? 0 : result;
	if (result > 0)
		result = 0;
	for (int i = 0; i < used && result == 0; i++) {
		const struct batch *batch = batches[arrivals[i].batch];
		result = place_batch(dictionary, limits, batch, &arrivals[i], placed);
		placed += batch->count;
	}
	free(arrivals);
	return result;
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
		bool add = sample->folded && entry->present[sample->half] && sample[-1].batch == sample->batch;
		double sum = (add ? entry->value[sample->half] : 0) + sample->value;
		entry->value[sample->half] = sum < WIRE_VALUE_MAX ? sum : WIRE_VALUE_MAX;
		entry->present[sample->half] = true;
	}
	return used;
}
