#include "forecast/regression.h"

#include <math.h>

bool regression_compute(const struct sums *sums, struct regression *ret_regression)
{
	double xx = sums->xx - sums->x * sums->x / sums->count, xy = sums->xy - sums->x * sums->y / sums->count;
	double yy = sums->yy - sums->y * sums->y / sums->count;
	if (!(xx > 0) || !(yy > 0))
		return false;
	double slope = xy / xx, rest = fmax(0, yy - slope * xy), freedom = sums->count - 2;
	*ret_regression = (struct regression){
		.slope = slope,
		.level = (sums->y - slope * sums->x) / sums->count,
		.noise = sqrt(rest / freedom),
		.explained = 1 - rest / yy * (sums->count - 1) / freedom,
	};
	return true;
}
