#include "forecast/quantile.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { BINS = 64 };

static int rank_of(unsigned count, double fraction)
{
	return (int)(fraction * (count - 1) + 0.5);
}

static float select_rank(float values[], unsigned count, int wanted)
{
	int low = 0, high = (int)count - 1;
	while (low < high) {
		float pivot = values[low + (high - low) / 2];
		int i = low, j = high;
		while (i <= j) {
			while (values[i] < pivot)
				i++;
			while (values[j] > pivot)
				j--;
			if (i <= j) {
				float value = values[i];
				values[i++] = values[j];
				values[j--] = value;
			}
		}
		if (wanted <= j)
			high = j;
		else if (wanted >= i)
			low = i;
		else
			break;
	}
	return values[wanted];
}

float quantile(float values[], unsigned count, double fraction)
{
	return count ? select_rank(values, count, rank_of(count, fraction)) : NAN;
}

struct histogram {
	uint8_t bin[QUANTILE_MAX]; /* of each value */
	uint16_t counts[BINS];
};

/* False where the values are too close to each other, or too far apart, to be told apart so. */
static bool count_bins(const float values[], unsigned count, struct histogram *histogram)
{
	float low = values[0], high = values[0];
	for (unsigned i = 1; i < count; i++) {
		low = values[i] < low ? values[i] : low;
		high = values[i] > high ? values[i] : high;
	}
	float scale = (BINS - 1) / (high - low);
	if (!(scale > 0) || !isfinite(scale))
		return false;
	memset(histogram->counts, 0, sizeof(histogram->counts));
	for (unsigned i = 0; i < count; i++) {
		/* Rises with the value, as each of its roundings does. */
		unsigned bin = (unsigned)(int)((values[i] - low) * scale);
		histogram->bin[i] = (uint8_t)bin;
		histogram->counts[bin]++;
	}
	return true;
}

static float select_in_bin(const float values[], unsigned count, const struct histogram *histogram, int wanted)
{
	float same[QUANTILE_MAX + 1];
	unsigned bin = 0, same_count = 0;
	for (; wanted >= histogram->counts[bin]; bin++)
		wanted -= histogram->counts[bin];
	for (unsigned i = 0; i < count; i++) {
		same[same_count] = values[i];
		same_count += histogram->bin[i] == bin;
	}
	return select_rank(same, same_count, wanted);
}

void quantile_pair(const float values[], unsigned count, double low, double high, float *ret_low, float *ret_high)
{
	struct histogram histogram;
	assert(count <= QUANTILE_MAX);
	if (count && count_bins(values, count, &histogram)) {
		*ret_low = select_in_bin(values, count, &histogram, rank_of(count, low));
		*ret_high = select_in_bin(values, count, &histogram, rank_of(count, high));
		return;
	}
	float copy[QUANTILE_MAX];
	memcpy(copy, values, count * sizeof(copy[0]));
	*ret_low = quantile(copy, count, low);
	*ret_high = quantile(copy, count, high);
}
