#include "forecast/climb.h"

#include <math.h>

#include "forecast/numbers.h"
#include "forecast/regression.h"

enum {
	LONG_FROM = 96,  /* steps of a line that may explain a little less */
	SHORT_TO = 5,    /* steps of a line that is believed after a calm alone */
	CALM_STEPS = 48, /* that tell how calm it was before */
	CALM_MIN = 12,
	SLOTS_MIN = 16,  /* of the part of a day that is compared */
};

/* Measured: on real machines a line of six steps or more explains so much in a few steps of a year. */
#define EXPLAINED 0.95
#define EXPLAINED_LONG 0.9
#define EXPLAINED_SHORT 0.99
#define EXPLAINED_DAY 0.9
#define DAY_PART (2.0 / 3)

#define NOISE_MIN 0.002
#define FALL_MIN 0.05
#define UNLIKELY 1e-4 /* that a step stays under the limit, at least: no product becomes 0 */

static double stays_under(double expected, double noise)
{
	return fmax(numbers_normal_below((1 - expected) / (noise + NOISE_MIN)), UNLIKELY);
}

/* Measured: what is only likely to pass comes true less often than that, and what is sure to does not always. */
static double probability_of(double passes)
{
	return 0.9 * passes * sqrt(passes);
}

static double line_passes(const struct regression *line, unsigned horizon)
{
	double stays = 1;
	for (unsigned i = 1; i <= horizon; i++)
		stays *= stays_under(line->level + line->slope * i, line->noise);
	return 1 - stays;
}

/* What goes up from `low` to `peak` until it falls clearly under that. */
struct rise {
	double low, peak;
};

/* True: the rise has ended with `value`, from which the next one starts. */
static bool rise_ends(struct rise *rise, double value, double fall)
{
	rise->low = fmin(rise->low, value);
	rise->peak = fmax(rise->peak, value);
	return value < rise->peak - fall;
}

/* Whether an earlier rise that came as high as the line is now, or as far up, has ended. */
static bool turned_back(const struct view *view, const struct regression *line)
{
	double fall = fmax(FALL_MIN, 4 * line->noise), oldest = view_max(view, view->count - 1);
	double highest = -INFINITY, farthest = -INFINITY;
	struct rise rise = { oldest, oldest };
	for (unsigned i = view->count; i-- > 0;) {
		double value = view_max(view, i);
		if (!rise_ends(&rise, value, fall))
			continue;
		highest = fmax(highest, rise.peak);
		farthest = fmax(farthest, rise.peak - rise.low);
		rise = (struct rise){ value, value };
	}
	double level = line->level - line->noise - NOISE_MIN;
	return highest >= level || farthest >= level - rise.low;
}

/* Whether the steps before the last `count` moved so little that even a few of this slope are news. */
static bool was_calm(const struct view *view, unsigned count, double slope)
{
	unsigned end = view_length(view, count + CALM_STEPS), pairs = 0;
	double moved = 0;
	for (unsigned i = count; i + 1 < end; i++, pairs++)
		moved += fabs(view_max(view, i) - view_max(view, i + 1));
	return pairs >= CALM_MIN && slope > 3 * moved / pairs;
}

/* Whether a line through the last `count` steps is believed. */
static bool is_steady(const struct view *view, const struct regression *line, unsigned count)
{
	if (!(line->slope > 0))
		return false;
	if (count <= SHORT_TO && count < view->count)
		return line->explained >= EXPLAINED_SHORT && was_calm(view, count, line->slope);
	return line->explained >= (count >= LONG_FROM ? EXPLAINED_LONG : EXPLAINED);
}

/* Of the lines through some of the last steps, or all that are known, the one that says most. */
static void follow_line(const struct view *view, unsigned horizon, struct climb *ret_climb)
{
	static const unsigned lengths[] = { 3, 4, 6, 9, 12, 18, 24, 36, 48, 72, 96, 144, 192, 288, 400, TIMELINE_STEPS };
	double now = view_max(view, 0), most = 0;
	struct sums sums = { 0 };
	struct regression line, best = { 0 };
	for (unsigned count = 1, at = 0; count <= view->count; count++) {
		sums_add(&sums, 1.0 - count, view_max(view, count - 1) - now);
		bool wanted = count == lengths[at];
		at += wanted;
		wanted = wanted || (count == view->count && count > lengths[0]);
		if (!wanted || !regression_compute(&sums, &line) || !is_steady(view, &line, count))
			continue;
		line.level += now;
		double passes = line_passes(&line, horizon);
		if (passes > most) {
			most = passes;
			best = line;
		}
	}
	if (!(most > 0) || turned_back(view, &best))
		return;
	*ret_climb = (struct climb){
		.probability = probability_of(most),
		.highest = best.level + best.slope * horizon,
		.lead = numbers_clip((1 - best.level) / best.slope, 0, horizon),
	};
}

/* The last part of a day by the same part of the day before. False: it does not repeat that. */
static bool repeats_day(const struct view *slots, unsigned day, struct regression *ret_regression)
{
	unsigned part = (unsigned)lround(slots->day * DAY_PART);
	double now = view_max(slots, 0);
	struct sums by_day = { 0 }, by_time = { 0 };
	struct regression line;
	if (part < SLOTS_MIN || slots->count < day + part)
		return false;
	for (unsigned i = 0; i < part; i++) {
		double value = view_max(slots, i) - now;
		sums_add(&by_day, view_max(slots, i + day) - now, value);
		sums_add(&by_time, i, value);
	}
	if (!regression_compute(&by_day, ret_regression) || !(ret_regression->slope > 0) || ret_regression->explained < EXPLAINED_DAY)
		return false;
	return !regression_compute(&by_time, &line) || line.explained <= ret_regression->explained;
}

/* False: the day does not repeat the one before. `pool`: steps of a slot. */
static bool follow_day(const struct view *slots, unsigned horizon, unsigned pool, struct climb *ret_climb)
{
	unsigned day = (unsigned)lround(slots->day), ahead = (horizon + pool - 1) / pool;
	struct regression repeated;
	if (!repeats_day(slots, day, &repeated))
		return false;
	ahead = ahead < day ? ahead : day;
	/* How far it is off by the last slots, not by the last one alone. */
	double now = view_max(slots, 0), off = 0, stays = 1, highest = 0, lead = horizon;
	for (unsigned i = 0; i < ahead; i++)
		off += (view_max(slots, i) - now - repeated.level - repeated.slope * (view_max_or_oldest(slots, i + day) - now)) / ahead;
	for (unsigned i = ahead; i > 0; i--) {
		double expected = now + off + repeated.level + repeated.slope * (view_max(slots, day - i) - now);
		stays *= stays_under(expected, repeated.noise);
		highest = fmax(highest, expected);
		lead = expected > 1 ? fmin((i - 1.0) * pool, horizon) : lead;
	}
	*ret_climb = (struct climb){ .probability = probability_of(1 - stays), .highest = highest, .lead = lead };
	return true;
}

static bool was_over(const struct view *view)
{
	for (unsigned i = 0; i < view->count; i++) {
		if (view_max(view, i) > 1)
			return true;
	}
	return false;
}

void climb_compute(const struct timeline *timeline, const struct view *view, const struct view *slots, unsigned horizon,
                   struct climb *ret_climb)
{
	*ret_climb = (struct climb){ .probability = 0 };
	if (was_over(slots) || follow_day(slots, horizon, timeline->pool, ret_climb))
		return;
	follow_line(view, horizon, ret_climb);
}
