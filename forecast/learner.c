#include "forecast/learner.h"

#include <math.h>
#include <string.h>

/* Of seven digits of base 64 an input four are how far the weight has moved, in 1/2^21 from -4 on, and three the logarithm
 * of its squares, in 1/2^13. */
#define MOVED_UNIT 0x1p21
#define MOVED_MIDDLE 0x1p23
#define SQUARES_UNIT 0x1p13
enum { MOVED_DIGITS = 4, SQUARES_DIGITS = 3, INPUT_DIGITS = MOVED_DIGITS + SQUARES_DIGITS };
static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";

/* In limits. */
#define SMOOTH 0.05

void learner_init(struct learner *learner, const float weights[static PRIOR_INPUTS])
{
	memcpy(learner->weights, weights, sizeof(learner->weights));
	for (unsigned i = 0; i < PRIOR_INPUTS; i++)
		learner->squares[i] = 1;
}

double learner_probability(double log_odds)
{
	return 1 / (1 + exp(-log_odds));
}

void learner_update(struct learner *learner, const float inputs[static PRIOR_INPUTS], double slope, double rate)
{
	for (unsigned i = 0; i < PRIOR_INPUTS; i++) {
		float gradient = (float)slope * inputs[i];
		learner->squares[i] += gradient * gradient;
		learner->weights[i] -= (float)rate * gradient / sqrtf(learner->squares[i]);
	}
}

double learner_absolute_slope(double error)
{
	double slope = error / SMOOTH;
	return slope < -1 ? -1 : slope > 1 ? 1 : slope;
}

/* `number` in so many digits, the nearest that they can tell. */
static void put_digits(char *to, unsigned count, double number)
{
	double highest = (double)((1u << 6 * count) - 1);
	unsigned rest = (unsigned)lrint(fmin(fmax(number, 0), highest));
	for (unsigned i = count; i > 0; i--, rest /= 64)
		to[i - 1] = digits[rest % 64];
}

/* False for what is no digit. */
static bool read_digits(const char *from, unsigned count, unsigned *ret_number)
{
	*ret_number = 0;
	for (unsigned i = 0; i < count; i++) {
		const char *digit = from[i] ? strchr(digits, from[i]) : NULL;
		if (!digit)
			return false;
		*ret_number = 64 * *ret_number + (unsigned)(digit - digits);
	}
	return true;
}

void learner_save(const struct learner *learner, const float from[static PRIOR_INPUTS], struct text *text)
{
	char saved[PRIOR_INPUTS * INPUT_DIGITS];
	for (unsigned i = 0; i < PRIOR_INPUTS; i++) {
		char *to = saved + (size_t)i * INPUT_DIGITS;
		put_digits(to, MOVED_DIGITS, (double)(learner->weights[i] - from[i]) * MOVED_UNIT + MOVED_MIDDLE);
		put_digits(to + MOVED_DIGITS, SQUARES_DIGITS, log2((double)learner->squares[i]) * SQUARES_UNIT);
	}
	text_append_char(text, ' ');
	text_append(text, saved, sizeof(saved));
}

bool learner_restore(struct learner *learner, const char **at)
{
	if (*(*at)++ != ' ')
		return false;
	for (unsigned i = 0; i < PRIOR_INPUTS; i++, *at += INPUT_DIGITS) {
		unsigned moved, squares;
		if (!read_digits(*at, MOVED_DIGITS, &moved) || !read_digits(*at + MOVED_DIGITS, SQUARES_DIGITS, &squares))
			return false;
		learner->weights[i] += (float)((moved - MOVED_MIDDLE) / MOVED_UNIT);
		learner->squares[i] = (float)exp2(squares / SQUARES_UNIT);
	}
	return true;
}
