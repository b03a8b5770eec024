#include "forecast/levels.h"

#include <math.h>
#include <string.h>

#include "forecast/quantile.h"

static const unsigned lengths[LEVELS_DAY] = { [LEVELS_6] = 6, [LEVELS_24] = 24, [LEVELS_72] = 72 };

/* The windows from `first` to `last`, shorter ones before longer ones. */
static void compute_windows(const struct view *view, int first, int last, struct levels *levels)
{
	double sum = 0, squares = 0, max = 0;
	unsigned back = 0;
	for (int i = first; i <= last; i++) {
		unsigned length = i == LEVELS_DAY ? view_day(view) : view_length(view, lengths[i]);
		for (; back < length; back++) {
			double value = view_max(view, back);
			sum += value;
			squares += value * value;
			max = value > max ? value : max;
		}
		levels->mean[i] = sum / length;
		levels->max[i] = max;
		levels->deviation[i] = sqrt(fmax(0, squares / length - levels->mean[i] * levels->mean[i]));
	}
}

static void compute_percentiles(const struct view *view, const struct view *slots, struct levels *levels)
{
	unsigned day = view_day(slots), recent = view_length(view, 24);
	float sorted[24], low, high;
	memcpy(sorted, view_last(view, recent), recent * sizeof(sorted[0]));
	levels->high_24 = (double)quantile(sorted, recent, 0.9);
	quantile_pair(view_last(slots, day), day, 0.1, 0.9, &low, &high);
	levels->low_day = (double)low;
	levels->high_day = (double)high;
}

static void compute_shares(const struct view *view, const struct view *slots, struct levels *levels)
{
	unsigned day = view_day(slots), recent = view_length(view, 24);
	unsigned lower = 0, over = 0, over_recent = 0;
	const float *max = view_last(slots, day), now = max[day - 1];
	for (unsigned i = 0; i < day; i++) {
		lower += max[i] < now;
		over += max[i] > 1;
	}
	max = view_last(view, recent);
	for (unsigned i = 0; i < recent; i++)
		over_recent += max[i] > 1;
	levels->rank = (double)lower / day;
	levels->over_24 = (double)over_recent / recent;
	levels->over_day = (double)over / day;
}

void levels_compute(const struct view *view, const struct view *slots, struct levels *ret_levels)
{
	compute_windows(view, LEVELS_6, LEVELS_72, ret_levels);
	compute_windows(slots, LEVELS_DAY, LEVELS_DAY, ret_levels);
	compute_percentiles(view, slots, ret_levels);
	compute_shares(view, slots, ret_levels);
	double means = 0;
	for (unsigned i = 0; i < view->means; i++)
		means += (double)view->mean[i];
	ret_levels->spread = ret_levels->mean[LEVELS_24] - means / view->means;
}
