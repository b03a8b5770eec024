#include "forecast/recurrence.h"

#include <math.h>
#include <string.h>

#include "forecast/numbers.h"
#include "forecast/quantile.h"

enum {
	GAPS_MAX = 16,
	CYCLES_MAX = 16,
	NEVER = 1000, /* steps: the age of what has not happened */
	BLOCK = 16,   /* a constant number of steps at a time, for the compiler to do several at once */
};

/* By the gaps so far: of those that are longer than the age, which share ends within the
 * horizon, each gap blurred by a tenth of itself. */
static struct recurrence_gaps compute_gaps(const uint32_t indexes[], unsigned count, uint32_t now, unsigned horizon)
{
	float gaps[GAPS_MAX];
	double ends = 0.15, open = 1.5;
	double age = count ? (double)(now - indexes[count - 1]) : NEVER;
	unsigned gap_count = 0;
	for (unsigned i = count; i > 1 && gap_count < GAPS_MAX; i--) {
		double gap = (double)(indexes[i - 1] - indexes[i - 2]), blur = 1 + 0.1 * gap;
		double ended = numbers_normal_below((age - gap) / blur);
		ends += numbers_normal_below((age + horizon - gap) / blur) - ended;
		open += 1 - ended;
		gaps[gap_count++] = (float)gap;
	}
	double usual = (double)quantile(gaps, gap_count, 0.5);
	return (struct recurrence_gaps){
		.age = age,
		.ratio = usual > 0 ? numbers_clip(age / usual, 0, 3) : 0, /* NAN of no gaps is not over 0 */
		.due = numbers_log_odds(ends / open),
	};
}

/* The highest of the steps (index, index + horizon], as far as they are known; NAN. */
static double highest_after(const struct view *view, int64_t index, unsigned horizon)
{
	double highest = NAN;
	for (int64_t i = index + 1; i <= index + horizon && i <= view->index; i++) {
		int64_t back = view->index - i;
		if (back < view->count)
			highest = fmax(highest, view_max(view, (unsigned)back));
	}
	return highest;
}

/* Whether there was an onset in the horizon after step `then`, give or take `tolerance`, and
 * whether one of them passed the limit. */
static bool had_onset(const struct timeline *timeline, int64_t then, unsigned horizon, int64_t tolerance,
                      bool *ret_crossed)
{
	bool any = false;
	*ret_crossed = false;
	for (unsigned i = timeline->onset_count; i > 0; i--) {
		int64_t index = timeline->onsets[i - 1].index;
		if (index <= then - tolerance)
			break;
		if (index < then + horizon + tolerance) {
			any = true;
			*ret_crossed = *ret_crossed || timeline->onsets[i - 1].crossed;
		}
	}
	return any;
}

/* Newer cycles count more. */
static struct recurrence_cycle compute_cycle(const struct timeline *timeline, const struct view *view, double usual,
                                             unsigned horizon)
{
	double cycles = 1.5, crossed = 0.15, onsets = 0.3;
	double seen = 0, over = 0, max = 0, weight = 1;
	for (int cycle = 1; cycle <= CYCLES_MAX && timeline->period > 0; cycle++, weight *= 0.9) {
		double shift = cycle * (double)timeline->period;
		int64_t then = view->index - (int64_t)lround(shift);
		double highest = highest_after(view, then, horizon);
		if (isnan(highest))
			break;
		bool any_crossed, any = had_onset(timeline, then, horizon, 1 + (shift > 200), &any_crossed);
		cycles += weight;
		crossed += any_crossed ? weight : 0;
		onsets += any ? weight : 0;
		seen += weight;
		max += weight * highest;
		over += highest > 1 ? weight : 0;
	}
	double crossed_odds = numbers_log_odds(crossed / cycles), over_odds = numbers_log_odds((over + 0.15) / (seen + 1.5));
	double strength = (double)timeline->period_strength, clear = numbers_clip(strength / 4, 0, 1.5);
	return (struct recurrence_cycle){
		.onset = numbers_log_odds(onsets / cycles),
		.crossed = crossed_odds,
		.over = over_odds,
		.max = seen > 0 ? max / seen : usual,
		.strength = numbers_clip(strength, 0, 10),
		.crossed_clear = clear * (crossed_odds + 2),
		.over_clear = clear * (over_odds + 2),
	};
}

/* `view` is one of slots, and the horizon is in them. */
static struct recurrence_day compute_day(const struct view *view, unsigned days, double usual, unsigned horizon)
{
	unsigned back = (unsigned)lround(days * view->day);
	double now = view_max(view, 0);
	if (back >= view->count)
		return (struct recurrence_day){ .known = false, .max = usual, .moved = now };
	double highest = highest_after(view, view->index - back, horizon);
	return (struct recurrence_day){ .known = true, .max = highest, .moved = now + highest - view_max(view, back) };
}

/* Of the first `count` steps, each with a whole horizon after it: after how many the maximum
 * rose by more than `distance`. */
static unsigned count_jumps(const float max[], unsigned count, unsigned horizon, float distance)
{
	unsigned jumps = 0, begin = 0;
	for (; begin + BLOCK <= count; begin += BLOCK) {
		float highest[BLOCK];
		int jumped[BLOCK];
		memcpy(highest, max + begin + 1, sizeof(highest));
		for (unsigned ahead = 2; ahead <= horizon; ahead++) {
			const float *next = max + begin + ahead;
			for (unsigned i = 0; i < BLOCK; i++)
				highest[i] = highest[i] > next[i] ? highest[i] : next[i];
		}
		for (unsigned i = 0; i < BLOCK; i++)
			jumped[i] = highest[i] - max[begin + i] > distance;
		for (unsigned i = 0; i < BLOCK; i++)
			jumps += (unsigned)jumped[i];
	}
	for (; begin < count; begin++) {
		float highest = max[begin + 1];
		for (unsigned ahead = 2; ahead <= horizon; ahead++)
			highest = highest > max[begin + ahead] ? highest : max[begin + ahead];
		jumps += highest - max[begin] > distance;
	}
	return jumps;
}

/* As compute_day(). */
static double compute_jump(const struct view *view, unsigned horizon)
{
	unsigned count = view_length(view, (unsigned)lround(2 * view->day) + 1), starts = count > horizon ? count - horizon : 0;
	unsigned jumps = count_jumps(view_last(view, count), starts, horizon, 1 - view->max[view->count - 1]);
	return numbers_log_odds((jumps + 0.1) / (starts + 1.0));
}

void recurrence_compute(const struct timeline *timeline, const struct view *view, const struct view *slots,
                        const struct levels *levels, unsigned horizon, struct recurrence *ret_recurrence)
{
	unsigned horizon_slots = (horizon + timeline->pool - 1) / timeline->pool;
	uint32_t onsets[TIMELINE_ONSETS], now = (uint32_t)view->index;
	for (unsigned i = 0; i < timeline->onset_count; i++)
		onsets[i] = timeline->onsets[i].index;
	double usual = levels->mean[LEVELS_DAY];
	ret_recurrence->crossing = compute_gaps(timeline->crossings, timeline->crossing_count, now, horizon);
	ret_recurrence->onset = compute_gaps(onsets, timeline->onset_count, now, horizon);
	ret_recurrence->cycle = compute_cycle(timeline, view, usual, horizon);
	ret_recurrence->yesterday = compute_day(slots, 1, usual, horizon_slots);
	ret_recurrence->day_before = compute_day(slots, 2, usual, horizon_slots);
	ret_recurrence->jump = compute_jump(slots, horizon_slots);
}
