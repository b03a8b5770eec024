#include "fcgi/sqlite/late.h"

#include <errno.h>
#include <stdlib.h>

int late_add(struct late *late, const struct late_sample *sample)
{
	if (late->count == late->capacity) {
		size_t capacity = late->capacity ? late->capacity * 2 : 256;
		struct late_sample *samples = realloc(late->samples, capacity * sizeof(*samples));
		if (!samples)
			return -ENOMEM;
		late->samples = samples;
		late->capacity = capacity;
	}
	late->samples[late->count++] = *sample;
	return 0;
}

static int compare(const void *left, const void *right)
{
	const struct late_sample *a = left, *b = right;
	if (a->series != b->series)
		return a->series < b->series ? -1 : 1;
	return (a->offset_ms > b->offset_ms) - (a->offset_ms < b->offset_ms);
}

void late_sort(struct late *late)
{
	if (late->count)
		qsort(late->samples, late->count, sizeof(*late->samples), compare);
}

size_t late_find(const struct late *late, uint32_t series, const struct late_sample **ret_samples)
{
	size_t first = 0, end = late->count;
	while (first < end) {
		size_t middle = first + (end - first) / 2;
		if (late->samples[middle].series < series)
			first = middle + 1;
		else
			end = middle;
	}
	for (end = first; end < late->count && late->samples[end].series == series;)
		end++;
	*ret_samples = late->samples + first;
	return end - first;
}

void late_reset(struct late *late)
{
	late->count = 0;
}

void late_free(struct late *late)
{
	free(late->samples);
	*late = (struct late){ 0 };
}
