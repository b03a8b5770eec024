#include "forecast/recent.h"

#include <math.h>

#define UNKNOWN ((struct step){ NAN, NAN })

size_t recent_size(unsigned per_step)
{
	return sizeof(struct recent) + (2 * (size_t)per_step + 1) * sizeof(struct step);
}

void recent_init(struct recent *recent, unsigned per_step)
{
	recent->newest = INT64_MIN;
	recent->capacity = 2 * per_step + 1;
	for (uint32_t i = 0; i < recent->capacity; i++)
		recent->buckets[i] = UNKNOWN;
}

/* Where one of the newest buckets stands. */
static struct step *place_of(const struct recent *recent, int64_t bucket)
{
	int64_t place = bucket % recent->capacity;
	return (struct step *)&recent->buckets[place < 0 ? place + recent->capacity : place];
}

/* Where a bucket stands; NULL: it is none of the newest. */
static struct step *find(const struct recent *recent, int64_t bucket)
{
	bool known = recent->newest != INT64_MIN && bucket <= recent->newest && bucket > recent->newest - recent->capacity;
	return known ? place_of(recent, bucket) : NULL;
}

void recent_set(struct recent *recent, int64_t bucket, struct step values)
{
	int64_t capacity = recent->capacity;
	if (recent->newest == INT64_MIN)
		recent->newest = bucket - 1;
	if (bucket > recent->newest) {
		int64_t unknown = bucket - recent->newest < capacity ? recent->newest + 1 : bucket - capacity + 1;
		recent->newest = bucket;
		for (; unknown < bucket; unknown++)
			*place_of(recent, unknown) = UNKNOWN;
		*place_of(recent, bucket) = values;
		return;
	}
	struct step *place = find(recent, bucket);
	if (place)
		*place = values;
}

void recent_set_default(struct recent *recent, int64_t bucket, struct step values)
{
	const struct step *place = find(recent, bucket);
	if (bucket > recent->newest || (place && isnan(place->max)))
		recent_set(recent, bucket, values);
}

struct step recent_combine(const struct recent *recent, int64_t first, unsigned count)
{
	struct step combined = UNKNOWN;
	double sum = 0;
	unsigned means = 0;
	for (unsigned i = 0; i < count; i++) {
		const struct step *bucket = find(recent, first + i);
		if (!bucket)
			continue;
		if (!isnan(bucket->mean)) {
			sum += (double)bucket->mean;
			means++;
		}
		combined.max = fmaxf(combined.max, bucket->max);
	}
	if (means)
		combined.mean = (float)(sum / means);
	return combined;
}
