/* The arithmetic that the features share. Pure. */
#ifndef VIGIE_FORECAST_NUMBERS_H
#define VIGIE_FORECAST_NUMBERS_H

#include <math.h>

static inline double numbers_clip(double value, double low, double high)
{
	return value < low ? low : value > high ? high : value;
}

/* The logarithm of the odds; certainty, which has none, is left out. */
static inline double numbers_log_odds(double probability)
{
	probability = numbers_clip(probability, 0.005, 0.995);
	return log(probability / (1 - probability));
}

/* The share of a normal distribution that is under `z` deviations. */
static inline double numbers_normal_below(double z)
{
	return 0.5 * erfc(-z * M_SQRT1_2);
}

#endif
