#include "forecast/habits.h"

#include <math.h>

#include "forecast/numbers.h"

enum {
	WIDE = WEEK_DAY / 24, /* slots: an hour */
	LEVEL_SLOTS = 2 * WIDE,
	DEVIATION_SLOTS = 12 * WIDE,
	PRESENT = WEEK_SLOTS - 1,
};

static double odds(double happened, double known)
{
	return numbers_log_odds((happened + 0.15) / (known + 1.5));
}

/* The highest of slots first to last, as far as there are such; 0: none is known. */
static unsigned highest_code(const uint8_t codes[static WEEK_SLOTS], int first, int last)
{
	unsigned highest = 0;
	for (int i = first < 0 ? 0 : first; i <= last && i <= PRESENT; i++)
		highest = codes[i] > highest ? codes[i] : highest;
	return highest;
}

/* `first` and `last` are the slots that the horizon touches. */
static void compute_days(const uint8_t codes[static WEEK_SLOTS], double now, double usual, int first, int last,
                         struct habits *habits)
{
	double known = 0, sum = 0, moved = 0, high = 0, over = 0, wide = 0, wide_known = 0;
	habits->week_ago = usual;
	habits->week_ago_moved = now;
	for (int days = 1; days <= WEEK_DAYS; days++) {
		int back = days * WEEK_DAY;
		unsigned code = highest_code(codes, first - back, last - back);
		unsigned around = highest_code(codes, first - back - WIDE, last - back + WIDE);
		wide_known += around > 0;
		wide += around > WEEK_LIMIT;
		if (!code)
			continue;
		double highest = (double)week_value(code), change = highest;
		if (codes[PRESENT - back])
			change += now - (double)week_value(codes[PRESENT - back]);
		known++;
		sum += highest;
		moved += change;
		over += code > WEEK_LIMIT;
		high = fmax(high, highest);
		if (days == WEEK_DAYS) {
			habits->week_ago = highest;
			habits->week_ago_moved = change;
		}
	}
	habits->days = (struct habits_days){
		.mean = known > 0 ? sum / known : usual,
		.high = known > 0 ? high : usual,
		.moved = known > 0 ? moved / known : now,
		.over = odds(over, known),
		.over_wide = odds(wide, wide_known),
		.known = known / WEEK_DAYS,
	};
}

/* What slots first to first + count - 1 were on the days before. */
struct days_before {
	float sums[DEVIATION_SLOTS];
	int known[DEVIATION_SLOTS], over[DEVIATION_SLOTS];
};

static void look_back(const uint8_t codes[static WEEK_SLOTS], int first, int count, struct days_before *before)
{
	*before = (struct days_before){ 0 };
	for (int day = 1; day <= WEEK_DAYS; day++) {
		int at = first - day * WEEK_DAY;
		for (int i = at < 0 ? -at : 0; i < count && at + i <= PRESENT; i++) {
			unsigned code = codes[at + i];
			before->sums[i] += code ? week_value(code) : 0;
			before->known[i] += code > 0;
			before->over[i] += code > WEEK_LIMIT;
		}
	}
}

static void compute_profile(const uint8_t codes[static WEEK_SLOTS], double now, int first, int last,
                            struct habits *habits)
{
	double level = 0, levels = 0, squares = 0, deviations = 0, highest = -INFINITY;
	double known = 0, over = 0;
	struct days_before before;
	look_back(codes, PRESENT - DEVIATION_SLOTS, DEVIATION_SLOTS, &before);
	for (int i = 0; i < DEVIATION_SLOTS; i++) {
		int at = PRESENT - DEVIATION_SLOTS + i;
		if (!codes[at] || !before.known[i])
			continue;
		double difference = (double)(week_value(codes[at]) - before.sums[i] / (float)before.known[i]);
		squares += difference * difference;
		deviations++;
		level += at >= PRESENT - LEVEL_SLOTS ? difference : 0;
		levels += at >= PRESENT - LEVEL_SLOTS;
	}
	level = levels > 0 ? level / levels : 0;
	int count = last - first + 1 < DEVIATION_SLOTS ? last - first + 1 : DEVIATION_SLOTS;
	look_back(codes, first, count, &before);
	for (int i = 0; i < count; i++) {
		known += before.known[i];
		over += before.over[i];
		if (before.known[i])
			highest = fmax(highest, (double)(before.sums[i] / (float)before.known[i]));
	}
	double deviation = deviations > 0 ? sqrt(squares / deviations) : 0;
	double expected = known > 0 ? highest + level : now;
	habits->profile = (struct habits_profile){
		.level = level,
		.deviation = deviation,
		.expected = expected,
		.pass = numbers_log_odds(numbers_normal_below((expected - 1) / (deviation + 0.02))),
		.over = odds(over, known),
	};
}

/* Of bytes, whose order is that of the values. */
static void compute_extremes(const uint8_t codes[static WEEK_SLOTS], double now, double usual, struct habits *habits)
{
	unsigned counts[UINT8_MAX + 1] = { 0 };
	unsigned known = 0, lower = 0, over = 0, low = 0, high = 0, newest = week_code((float)now);
	for (unsigned i = 0; i < WEEK_SLOTS; i++)
		counts[codes[i]]++;
	for (unsigned code = 1; code <= UINT8_MAX; code++) {
		if (!counts[code])
			continue;
		low = low ? low : code;
		high = code;
		known += counts[code];
		lower += code < newest ? counts[code] : 0;
		over += code > WEEK_LIMIT ? counts[code] : 0;
	}
	habits->extremes = (struct habits_extremes){
		.high = known ? (double)week_value(high) : usual,
		.low = known ? (double)week_value(low) : usual,
		.rank = known ? (double)lower / known : 0,
		.over = known ? (double)over / known : 0,
	};
}

void habits_compute(const struct timeline *timeline, const struct view *view, const struct levels *levels,
                    unsigned horizon, struct habits *ret_habits)
{
	const struct week *week = &timeline->week;
	uint8_t codes[WEEK_SLOTS]; /* up to the present one, which goes on: it is left out */
	double usual = levels->mean[LEVELS_DAY], now = view_max(view, 0);
	int64_t present = week_slot(week, view->index);
	int first = (int)(week_slot(week, view->index + 1) - present) + PRESENT;
	int last = (int)(week_slot(week, view->index + horizon) - present) + PRESENT;
	week_unroll(week, present, codes);
	codes[PRESENT] = 0;
	compute_days(codes, now, usual, first, last, ret_habits);
	compute_profile(codes, now, first, last, ret_habits);
	compute_extremes(codes, now, usual, ret_habits);
}
