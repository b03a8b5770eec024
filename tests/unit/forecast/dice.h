/* Random numbers for the tests of the model: splitmix64 (Steele, Lea, Flood 2014). */
#ifndef VIGIE_TESTS_FORECAST_DICE_H
#define VIGIE_TESTS_FORECAST_DICE_H

#include "tests/unit/support/seed.h"

#include <math.h>

static inline uint64_t dice_take(uint64_t usual)
{
	return seed_choose(usual);
}

static inline uint64_t dice_next(uint64_t *dice)
{
	uint64_t bits = *dice += UINT64_C(0x9e3779b97f4a7c15);
	bits = (bits ^ bits >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	bits = (bits ^ bits >> 27) * UINT64_C(0x94d049bb133111eb);
	return bits ^ bits >> 31;
}

/* From 0 to `count` - 1. */
static inline unsigned dice_below(uint64_t *dice, unsigned count)
{
	return (unsigned)(dice_next(dice) % count);
}

/* From 0 to under 1. */
static inline double dice_uniform(uint64_t *dice)
{
	return (double)(dice_next(dice) >> 11) * 0x1p-53;
}

static inline double dice_normal(uint64_t *dice)
{
	double radius = sqrt(-2 * log(1 - dice_uniform(dice)));
	return radius * cos(2 * M_PI * dice_uniform(dice));
}

#endif
