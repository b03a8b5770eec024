/* forecast/features.h with what it puts together (view, levels, trends, recurrence, habits): each feature
 * against a straightforward computation from the same past */
#include "tests/unit/support/cmocka.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/forecast/dice.h"
#include "forecast/features.h"

enum { START = 5937024, LENGTH = 2600 };

static const struct step none = { .mean = NAN, .max = NAN };

/* What a series looks like at some time: all of its steps, and as a timeline. */
struct past {
	struct timeline timeline;
	float max[LENGTH + 1], mean[LENGTH + 1];
	int count;
};

static void past_add(struct past *past, struct step step)
{
	past->max[past->count] = step.max;
	past->mean[past->count] = step.mean;
	timeline_add(&past->timeline, START + past->count++, step);
}

/* The last two days without gaps: of the newest back to the oldest that is known. */
struct view {
	double max[TIMELINE_STEPS], mean[TIMELINE_STEPS]; /* newest first; means of the last two hours */
	int count, means;
	int newest;
};

static void view_make(const struct past *past, struct step present, double phase, struct view *view)
{
	float max[LENGTH + 1], mean[LENGTH + 1];
	int count = past->count;
	/* What was before a gap, within two days of the newest complete step. */
	int first = count > TIMELINE_STEPS ? count - TIMELINE_STEPS : 0;
	while (first < count && isnan(past->max[first]))
		first++;
	for (int i = first; i < count; i++)
		max[i] = isnan(past->max[i]) ? max[i - 1] : past->max[i];
	int first_mean = count - first > TIMELINE_MEANS ? count - TIMELINE_MEANS : first;
	for (int i = first_mean; i < count; i++)
		mean[i] = !isnan(past->mean[i]) ? past->mean[i] : i > first_mean ? mean[i - 1] : max[i];
	if (!isnan(present.max)) {
		if (phase >= 0.5)
			count++;
		max[count - 1] = present.max;
		mean[count - 1] = isnan(present.mean) ? present.max : present.mean;
	}
	view->newest = START + count - 1;
	for (view->count = 0; view->count < count - first && view->count < TIMELINE_STEPS; view->count++)
		view->max[view->count] = (double)max[count - 1 - view->count];
	for (view->means = 0; view->means < count - first_mean && view->means < TIMELINE_MEANS; view->means++)
		view->mean[view->means] = (double)mean[count - 1 - view->means];
}

static double past_value(const struct view *view, int back)
{
	return view->max[back < view->count ? back : view->count - 1];
}

static double odds(double probability)
{
	probability = fmin(0.995, fmax(0.005, probability));
	return log(probability) - log1p(-probability);
}

static double normal(double z)
{
	return 0.5 * (1 + erf(z / sqrt(2)));
}

/* By name, each once. */
struct reference {
	double values[FEATURE_COUNT];
	bool set[FEATURE_COUNT];
};

static void set(struct reference *reference, const char *name, double value)
{
	for (unsigned i = 0; i < FEATURE_COUNT; i++) {
		if (strcmp(feature_name(i), name) == 0) {
			assert_false(reference->set[i]);
			reference->set[i] = true;
			reference->values[i] = value;
			return;
		}
	}
	fail_msg("no feature is called %s", name);
}

static int compare(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;
	return (a > b) - (a < b);
}

static double sorted_at(const double values[], int count, double fraction)
{
	double sorted[TIMELINE_STEPS];
	memcpy(sorted, values, (size_t)count * sizeof(sorted[0]));
	qsort(sorted, (size_t)count, sizeof(sorted[0]), compare);
	return sorted[(int)floor(fraction * (count - 1) + 0.5)];
}

static double mean_of(const double values[], int count)
{
	long double sum = 0;
	for (int i = 0; i < count; i++)
		sum += (long double)values[i];
	return (double)(sum / count);
}

static double deviation_of(const double values[], int count)
{
	long double sum = 0, mean = (long double)mean_of(values, count);
	for (int i = 0; i < count; i++)
		sum += ((long double)values[i] - mean) * ((long double)values[i] - mean);
	return (double)sqrtl(sum / count);
}

static double max_of(const double values[], int count)
{
	double max = values[0];
	for (int i = 1; i < count; i++)
		max = fmax(max, values[i]);
	return max;
}

struct line {
	double now, slope, residual;
};

/* The slope by all pairs, of values[count] with the newest first. */
static struct line line_of(const double values[], int count)
{
	long double over = 0, under = 0, squares = 0, middle = (long double)(count - 1) / 2;
	for (int i = 0; i < count; i++) {
		for (int j = i + 1; j < count; j++) {
			over += (long double)(values[i] - values[j]) * (j - i);
			under += (long double)(j - i) * (j - i);
		}
	}
	long double slope = count > 1 ? over / under : 0, now = (long double)mean_of(values, count) + slope * middle;
	for (int i = 0; i < count; i++) {
		long double residual = (long double)values[i] - (now - slope * i);
		squares += residual * residual;
	}
	return (struct line){ (double)now, (double)slope, (double)sqrtl(squares / count) };
}

static double reach(struct line line, unsigned horizon, double bound)
{
	double end = line.slope > 0 ? line.now + line.slope * horizon : line.now;
	return fmax(-bound, fmin(bound, (end - 1) / (line.residual + 0.005)));
}

static double pass(struct line line, int length, unsigned horizon)
{
	double deviation = line.residual * sqrt(length / (length - 2.0)) + 0.004, stays = 1;
	for (unsigned i = 1; i <= horizon; i++)
		stays *= fmax(1e-4, 1 - normal((line.now + line.slope * i - 1) / deviation));
	return odds(1 - stays);
}

/* The longest past in which no value was clearly over all that came after it. */
static int climb_of(const struct view *view)
{
	int most = view->count < TIMELINE_DAY ? view->count : TIMELINE_DAY, pairs = most - 1 < 48 ? most - 1 : 48;
	double noise = 0;
	for (int i = 0; i < pairs; i++)
		noise += fabs(view->max[i] - view->max[i + 1]);
	double fall = pairs ? fmax(0.08, 5 * noise / pairs) : 0.08;
	for (int length = 3; length < most; length++) {
		double lowest = INFINITY;
		for (int i = 0; i < length; i++)
			lowest = fmin(lowest, view->max[i]);
		if (view->max[length] > lowest + fall)
			return length;
	}
	return most;
}

/* What is of the last values, whatever their order. */
static void reference_windows(const struct view *view, struct reference *reference)
{
	static const struct {
		int length;
		const char *mean, *max, *deviation, *low, *high, *distance;
	} windows[] = {
		{ 6, NULL, NULL, "deviation_6", NULL, NULL, NULL },
		{ 24, "mean_24", "max_24", "deviation_24", NULL, "high_24", "distance_24" },
		{ 72, "mean_72", NULL, NULL, NULL, NULL, NULL },
		{ 288, "mean_day", "max_day", "deviation_day", "low_day", "high_day", "distance_day" },
	};
	for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
		int count = view->count < windows[i].length ? view->count : windows[i].length;
		double deviation = deviation_of(view->max, count);
		if (windows[i].mean)
			set(reference, windows[i].mean, mean_of(view->max, count));
		if (windows[i].max)
			set(reference, windows[i].max, max_of(view->max, count));
		if (windows[i].deviation)
			set(reference, windows[i].deviation, deviation);
		if (windows[i].low)
			set(reference, windows[i].low, sorted_at(view->max, count, 0.1));
		if (windows[i].high)
			set(reference, windows[i].high, sorted_at(view->max, count, 0.9));
		if (windows[i].distance)
			set(reference, windows[i].distance, fmax(-1, fmin(8, (1 - view->max[0]) / (deviation + 0.01))));
	}
	int day = view->count < 288 ? view->count : 288, two_hours = view->count < 24 ? view->count : 24;
	double lower = 0, over = 0, over_24 = 0;
	for (int i = 0; i < day; i++) {
		lower += view->max[i] < view->max[0];
		over += view->max[i] > 1;
		over_24 += i < two_hours && view->max[i] > 1;
	}
	set(reference, "rank", lower / day);
	set(reference, "over_24", over_24 / two_hours);
	set(reference, "over_day", sqrt(over / day));
	set(reference, "spread_24", mean_of(view->max, two_hours) - mean_of(view->mean, view->means));
	set(reference, "high_near_90", fmax(0, max_of(view->max, view->count < 6 ? view->count : 6) - 0.9));
	set(reference, "high_over", fmax(0, max_of(view->max, two_hours) - 1));
}

static void reference_lines(const struct view *view, unsigned horizon, struct reference *reference)
{
	static const struct {
		int length;
		const char *rise, *reach, *pass;
	} lines[] = {
		{ 6, "rise_6", NULL, NULL },
		{ 12, "rise_12", "reach_12", "pass_12" },
		{ 24, "rise_24", "reach_24", "pass_24" },
		{ 48, "rise_48", "reach_48", "pass_48" },
	};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct line line = line_of(view->max, view->count < lines[i].length ? view->count : lines[i].length);
		set(reference, lines[i].rise, line.slope * horizon);
		if (lines[i].reach)
			set(reference, lines[i].reach, reach(line, horizon, 8));
		if (lines[i].pass)
			set(reference, lines[i].pass, pass(line, lines[i].length, horizon));
	}
	set(reference, "rise_means", line_of(view->mean, view->means).slope * horizon);
	int length = climb_of(view), few = view->count < 6 ? view->count : 6;
	/* A climb too short for a line is level. */
	struct line climb = { mean_of(view->max, few), 0, deviation_of(view->max, few) };
	if (length >= 6)
		climb = line_of(view->max, length);
	set(reference, "reach_climb", reach(climb, horizon, 12));
	set(reference, "pass_climb", pass(climb, length < 6 ? 6 : length, horizon));
}

static void reference_gaps(const struct view *view, const int events[], int count, unsigned horizon, const char *age_name,
                           const char *ratio_name, const char *due_name, struct reference *reference)
{
	double gaps[16], ends = 0, open = 0, age = count ? view->newest - events[count - 1] : 1000;
	int gap_count = 0;
	for (int i = count - 1; i > 0 && gap_count < 16; i--)
		gaps[gap_count++] = events[i] - events[i - 1];
	for (int i = 0; i < gap_count; i++) {
		double blur = 1 + gaps[i] / 10;
		open += 1 - normal((age - gaps[i]) / blur);
		ends += normal((age + horizon - gaps[i]) / blur) - normal((age - gaps[i]) / blur);
	}
	set(reference, age_name, log(1 + age));
	if (ratio_name)
		set(reference, ratio_name, gap_count ? fmin(3, age / sorted_at(gaps, gap_count, 0.5)) : 0);
	set(reference, due_name, odds((ends + 0.15) / (open + 1.5)));
}

/* The highest of the horizon's steps after step `then`; NAN when none is known. */
static double highest_after(const struct view *view, int then, unsigned horizon)
{
	double highest = NAN;
	for (int back = 0; back < view->count; back++) {
		int index = view->newest - back;
		if (index > then && index <= then + (int)horizon)
			highest = isnan(highest) ? view->max[back] : fmax(highest, view->max[back]);
	}
	return highest;
}

static void reference_cycles(const struct past *past, const struct view *view, unsigned horizon, struct reference *reference)
{
	double period = (double)past->timeline.period, seen = 0, max = 0, over = 0, crossed = 0, onsets = 0;
	for (int cycle = 1; cycle <= 16 && period > 0; cycle++) {
		double weight = pow(0.9, cycle - 1);
		int then = view->newest - (int)lround(cycle * period), blur = cycle * period > 200 ? 2 : 1;
		double highest = highest_after(view, then, horizon);
		if (isnan(highest))
			break;
		int any = 0, any_crossed = 0;
		for (unsigned i = 0; i < past->timeline.onset_count; i++) {
			int at = (int)past->timeline.onsets[i].index;
			if (at > then - blur && at < then + (int)horizon + blur) {
				any = 1;
				any_crossed |= past->timeline.onsets[i].crossed;
			}
		}
		seen += weight;
		max += weight * highest;
		over += highest > 1 ? weight : 0;
		onsets += any ? weight : 0;
		crossed += any_crossed ? weight : 0;
	}
	double clear = fmax(0, fmin(1.5, (double)past->timeline.period_strength / 4));
	set(reference, "cycle_crossed_clear", clear * (odds((crossed + 0.15) / (seen + 1.5)) + 2));
	set(reference, "cycle_over_clear", clear * (odds((over + 0.15) / (seen + 1.5)) + 2));
	set(reference, "cycle_crossed", odds((crossed + 0.15) / (seen + 1.5)));
	set(reference, "cycle_onset", odds((onsets + 0.3) / (seen + 1.5)));
	set(reference, "cycle_over", odds((over + 0.15) / (seen + 1.5)));
	set(reference, "cycle_max", seen > 0 ? max / seen : mean_of(view->max, view->count < 288 ? view->count : 288));
	set(reference, "cycle_strength", fmax(0, fmin(10, (double)past->timeline.period_strength)));
}

static void reference_days(const struct view *view, unsigned horizon, struct reference *reference)
{
	static const char *const names[2][3] = {
		{ "yesterday", "yesterday_moved", "yesterday_known" },
		{ "day_before", "day_before_moved", "day_before_known" },
	};
	for (int day = 0; day < 2; day++) {
		int back = 288 * (day + 1);
		bool known = view->count > back;
		double highest = known ? highest_after(view, view->newest - back, horizon) : 0;
		set(reference, names[day][0], known ? highest : mean_of(view->max, view->count < 288 ? view->count : 288));
		set(reference, names[day][1], known ? highest + view->max[0] - view->max[back] : view->max[0]);
		set(reference, names[day][2], known);
	}
	double hours = (view->newest % 288) / 12.0;
	set(reference, "day_sine", sin(hours / 24 * 2 * M_PI));
	set(reference, "day_cosine", cos(hours / 24 * 2 * M_PI));
}

static double holt(const struct view *view, unsigned horizon, double alpha, double beta, double phi)
{
	int length = view->count < 96 ? view->count : 96;
	double level = view->max[length - 1], trend = 0, highest;
	for (int i = length - 1; i >= 0; i--) {
		/* By the error of the forecast of one step. */
		double error = view->max[i] - (level + phi * trend);
		level += phi * trend + alpha * error;
		trend = phi * trend + alpha * beta * error;
	}
	highest = level + trend * phi * (1 - pow(phi, horizon)) / (1 - phi);
	return fmax(level + phi * trend, highest);
}

static void reference_jumps(const struct view *view, unsigned horizon, struct reference *reference)
{
	double jumps = 0, starts = 0;
	float distance = 1 - (float)view->max[0];
	for (int back = (int)horizon; back < view->count; back++) {
		float rise = -INFINITY;
		for (int i = back - (int)horizon; i < back; i++)
			rise = fmaxf(rise, (float)view->max[i] - (float)view->max[back]);
		starts++;
		jumps += rise > distance;
	}
	set(reference, "jump", odds((jumps + 0.1) / (starts + 1)));
}

/* As well as a byte can tell: a 127th of the limit up to it, a 32nd, its middle, over it. */
static double byte_of(double value)
{
	double over = ceil((value - 1) * 32);
	return value > 1 ? 1 + (fmin(over, 127) - 0.5) / 32 : rint(value * 127) / 127;
}

/* The highest from quarter of an hour `from` to `to`, but the present one; NAN. */
static double quarters(const struct past *past, const struct view *view, int from, int to)
{
	double highest = NAN;
	for (int i = 0; i < past->count; i++) {
		int quarter = (START + i) / 3;
		if (quarter >= from && quarter <= to && quarter != view->newest / 3 && view->newest / 3 - quarter < 680)
			highest = fmax(highest, (double)past->max[i]);
	}
	return byte_of(highest);
}

/* Of a quarter of an hour the mean over the seven days before it; how many of them are known and over the limit. */
static double profile(const struct past *past, const struct view *view, int quarter, double *known, double *over)
{
	double sum = 0, count = 0;
	for (int day = 1; day <= 7; day++) {
		double value = quarters(past, view, quarter - 96 * day, quarter - 96 * day);
		sum += isnan(value) ? 0 : value;
		count += !isnan(value);
		*over += value > 1;
	}
	*known += count;
	return sum / count;
}

static void reference_profile(const struct past *past, const struct view *view, unsigned horizon, struct reference *reference)
{
	double level = 0, levels = 0, squares = 0, count = 0, known = 0, over = 0, unused = 0, highest = NAN;
	int present = view->newest / 3;
	for (int back = 1; back <= 48; back++) {
		double mean = profile(past, view, present - back, &unused, &unused);
		double difference = quarters(past, view, present - back, present - back) - mean;
		if (isnan(difference))
			continue;
		squares += difference * difference;
		count++;
		level += back <= 8 ? difference : 0;
		levels += back <= 8;
	}
	for (int quarter = (view->newest + 1) / 3; quarter <= (view->newest + (int)horizon) / 3; quarter++)
		highest = fmax(highest, profile(past, view, quarter, &known, &over));
	level = levels > 0 ? level / levels : 0;
	double deviation = count > 0 ? sqrt(squares / count) : 0, expected = known > 0 ? highest + level : view->max[0];
	set(reference, "profile_level", level);
	set(reference, "profile_deviation", deviation);
	set(reference, "profile_expected", expected);
	set(reference, "profile_pass", odds(0.5 * erfc((1 - expected) / (deviation + 0.02) / sqrt(2))));
	set(reference, "profile_over", odds((over + 0.15) / (known + 1.5)));
}

static void reference_week(const struct past *past, const struct view *view, unsigned horizon, struct reference *reference)
{
	double usual = mean_of(view->max, view->count < 288 ? view->count : 288), now = view->max[0];
	double known = 0, sum = 0, high = 0, moved = 0, over = 0, wide = 0, wide_known = 0, ago = usual, ago_moved = now;
	for (int day = 1; day <= 7; day++) {
		int from = (view->newest + 1) / 3 - 96 * day, to = (view->newest + (int)horizon) / 3 - 96 * day;
		double then = quarters(past, view, view->newest / 3 - 96 * day, view->newest / 3 - 96 * day);
		double highest = quarters(past, view, from, to), around = quarters(past, view, from - 4, to + 4);
		wide_known += !isnan(around);
		wide += around > 1;
		if (isnan(highest))
			continue;
		known++;
		sum += highest;
		high = fmax(high, highest);
		over += highest > 1;
		moved += isnan(then) ? highest : highest + now - then;
		ago = day == 7 ? highest : ago;
		ago_moved = day == 7 ? isnan(then) ? highest : highest + now - then : ago_moved;
	}
	set(reference, "days_mean", known > 0 ? sum / known : usual);
	set(reference, "days_high", known > 0 ? high : usual);
	set(reference, "days_moved", known > 0 ? moved / known : now);
	set(reference, "days_over", odds((over + 0.15) / (known + 1.5)));
	set(reference, "days_over_wide", odds((wide + 0.15) / (wide_known + 1.5)));
	set(reference, "days_known", known / 7);
	set(reference, "week_ago", ago);
	set(reference, "week_ago_moved", ago_moved);
	double highest = -INFINITY, lowest = INFINITY, lower = 0, times = 0;
	known = 0;
	for (int quarter = view->newest / 3 - 679; quarter < view->newest / 3; quarter++) {
		double value = quarters(past, view, quarter, quarter);
		if (isnan(value))
			continue;
		known++;
		highest = fmax(highest, value);
		lowest = fmin(lowest, value);
		lower += value < byte_of(now);
		times += value > 1;
	}
	set(reference, "week_high", known > 0 ? highest : usual);
	set(reference, "week_low", known > 0 ? lowest : usual);
	set(reference, "week_rank", known > 0 ? lower / known : 0);
	set(reference, "week_over", known > 0 ? sqrt(times / known) : 0);
}

static void reference_make(const struct past *past, const struct view *view, unsigned horizon, struct reference *reference)
{
	double now = view->max[0];
	memset(reference, 0, sizeof(*reference));
	set(reference, "now", now);
	set(reference, "now_mean", view->mean[0]);
	set(reference, "change_1", now - past_value(view, 1));
	set(reference, "change_1_before", past_value(view, 1) - past_value(view, 2));
	set(reference, "change_3", now - past_value(view, 3));
	reference_windows(view, reference);
	reference_lines(view, horizon, reference);
	int events[TIMELINE_ONSETS];
	for (unsigned i = 0; i < past->timeline.crossing_count; i++)
		events[i] = (int)past->timeline.crossings[i];
	reference_gaps(view, events, (int)past->timeline.crossing_count, horizon, "crossing_age", "crossing_ratio", "crossing_due",
	               reference);
	for (unsigned i = 0; i < past->timeline.onset_count; i++)
		events[i] = (int)past->timeline.onsets[i].index;
	reference_gaps(view, events, (int)past->timeline.onset_count, horizon, "onset_age", NULL, "onset_due", reference);
	reference_cycles(past, view, horizon, reference);
	reference_days(view, horizon, reference);
	set(reference, "near_70", now > 0.7 ? now - 0.7 : 0);
	set(reference, "near_85", now > 0.85 ? now - 0.85 : 0);
	set(reference, "near_93", now > 0.93 ? now - 0.93 : 0);
	double expected = holt(view, horizon, 0.5, 0.1, 0.9);
	set(reference, "holt", expected);
	set(reference, "holt_slow", holt(view, horizon, 0.3, 0.05, 0.98));
	set(reference, "holt_near_95", expected > 0.95 ? expected - 0.95 : 0);
	set(reference, "holt_over", expected > 1 ? expected - 1 : 0);
	reference_jumps(view, horizon, reference);
	reference_week(past, view, horizon, reference);
	reference_profile(past, view, horizon, reference);
	for (unsigned i = 0; i < FEATURE_COUNT; i++) {
		if (!reference->set[i])
			fail_msg("%s has no reference", feature_name(i));
	}
}

static void assert_features(const struct past *past, struct step present, double phase, unsigned horizon, const char *what)
{
	struct features features;
	static struct view view;
	struct reference reference;
	const struct timeline before = past->timeline;
	if (!features_compute(&past->timeline, present, phase, horizon, &features))
		fail_msg("%s: nothing of %d steps", what, past->count);
	assert_memory_equal(&past->timeline, &before, sizeof(before));
	view_make(past, present, phase, &view);
	reference_make(past, &view, horizon, &reference);
	for (unsigned i = 0; i < FEATURE_COUNT; i++) {
		double seen = (double)features.values[i], expected = reference.values[i];
		if (!(fabs(seen - expected) <= 2e-5 * (1 + fabs(expected))))
			fail_msg("%s: %s of %d steps, horizon %u, phase %g: %.9g, not %.9g", what, feature_name(i), past->count, horizon,
			         phase, seen, expected);
	}
	assert_true(features.now == (float)view.max[0]);
	bool constant = true;
	for (int i = 0; i < view.count; i++)
		constant = constant && view.max[i] == view.max[0];
	assert_int_equal(features.constant, constant);
}

enum kind { NOISE, JOBS, LEAK, STAIRS, WALK, DAYS, KINDS };

static const char *const kind_names[KINDS] = { "noise", "jobs", "leak", "stairs", "walk", "days" };

static void roll_past(uint64_t *dice, enum kind kind, int length, double gaps, struct past *past)
{
	timeline_init(&past->timeline);
	past->count = 0;
	double quiet = 0.1 + 0.7 * dice_uniform(dice), noise = 0.08 * dice_uniform(dice), value = quiet;
	int period = 8 + (int)dice_below(dice, 60), missing = 0;
	for (int i = 0; i < length; i++) {
		switch (kind) {
		case NOISE:
			value = quiet + (dice_below(dice, 30) == 0 ? dice_uniform(dice) : 0);
			break;
		case JOBS:
			value = i % period < 3 && dice_below(dice, 8) ? 0.7 + 0.6 * dice_uniform(dice) : quiet;
			break;
		case LEAK:
			value = value > 1.2 ? quiet / 2 : value + 1.0 / period;
			break;
		case STAIRS:
			value = dice_below(dice, 20) == 0 ? 1.2 * dice_uniform(dice) : value;
			break;
		case WALK:
			value += 0.05 * dice_normal(dice);
			break;
		default:
			value = quiet + 0.4 * sin((START + i) * 2 * M_PI / 288);
			break;
		}
		double max = fabs(value + noise * dice_normal(dice));
		if (missing-- <= 0 && dice_uniform(dice) < gaps)
			missing = 1 + (int)dice_below(dice, dice_below(dice, 4) ? 3 : 50);
		/* The last two are known. */
		bool known = missing <= 0 || i >= length - 2 || i == 0;
		past_add(past, known ? (struct step){ dice_below(dice, 20) ? (float)(max * (0.7 + 0.3 * dice_uniform(dice))) : NAN, (float)max } :
		                       none);
	}
}

static struct step roll_present(uint64_t *dice)
{
	float max = (float)(1.3 * dice_uniform(dice));
	return (struct step){ .mean = dice_below(dice, 3) ? max / 2 : NAN, .max = dice_below(dice, 2) ? max : NAN };
}

static void test_features_compute_each_is_as_straightforwardly_computed(void **state)
{
	(void)state;
	uint64_t dice = dice_take(1);
	static struct past past;
	for (int round = 0; round < 600; round++) {
		enum kind kind = (enum kind)(round % KINDS);
		int length = 3 + (int)dice_below(&dice, round % 5 ? LENGTH - 3 : 40);
		roll_past(&dice, kind, length, round % 2 ? 0.02 : 0, &past);
		unsigned horizon = round % 4 ? 1 + dice_below(&dice, 48) : 6;
		assert_features(&past, none, 0, horizon, kind_names[kind]);
		assert_features(&past, roll_present(&dice), dice_uniform(&dice), horizon, kind_names[kind]);
	}
}

/* From the shortest to a day, two days, and the ring's end. */
static void test_features_compute_every_length_and_horizon(void **state)
{
	(void)state;
	uint64_t dice = dice_take(2);
	static struct past past;
	static const int lengths[] = { 3, 4, 5, 6, 7, 12, 13, 24, 25, 30, 48, 49, 72, 73, 96, 97, 288, 289, 576, 577, 578, 700 };
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		for (unsigned horizon = 1; horizon <= 48; horizon += horizon < 8 ? 1 : 10) {
			roll_past(&dice, (enum kind)dice_below(&dice, KINDS), lengths[i], 0, &past);
			assert_features(&past, none, 0.9, horizon, "length");
			assert_features(&past, (struct step){ 0.4f, 0.5f }, 0, horizon, "length");
			assert_features(&past, (struct step){ 0.4f, 0.5f }, 0.499, horizon, "length");
			assert_features(&past, (struct step){ NAN, 0.5f }, 0.5, horizon, "length");
			assert_features(&past, (struct step){ 0.8f, 1.1f }, 1, horizon, "length");
		}
	}
}

static double value_of(const struct features *features, const char *name)
{
	for (unsigned i = 0; i < FEATURE_COUNT; i++) {
		if (strcmp(feature_name(i), name) == 0)
			return (double)features->values[i];
	}
	fail_msg("no feature is called %s", name);
	return 0;
}

/* Between 12:00 and 13:00 each day it is higher, each day by another height; once, 25 hours before the end, very high. */
static double at_noon(int64_t time_s, int64_t end_s)
{
	int64_t day = time_s / 86400, second = time_s % 86400;
	if (time_s < end_s - 25 * 3600 + 1800 && time_s >= end_s - 25 * 3600)
		return 3;
	return second >= 43200 && second < 46800 ? 0.6 + 0.05 * (double)(day % 4) : 0.2 + 1e-6 * (double)(time_s % 997);
}

static void test_features_compute_a_day_is_a_day_whatever_the_step(void **state)
{
	(void)state;
	static const int64_t steps_s[] = { 10, 60, 90, 300, 420, 600, 1200 };
	const int64_t midnight_s = INT64_C(1781136000), end_s = midnight_s + 42000; /* 11:40 */
	for (size_t i = 0; i < sizeof(steps_s) / sizeof(steps_s[0]); i++) {
		int64_t step_s = steps_s[i], last = end_s / step_s - 1;
		unsigned horizon = (unsigned)((1800 + step_s - 1) / step_s);
		struct timeline timeline;
		struct features features;
		horizon = horizon < 48 ? horizon : 48;
		timeline_init(&timeline);
		assert_int_equal(timeline_set_step(&timeline, step_s), 0);
		/* Three days, with a gap in the night. */
		for (int64_t index = last - 3 * 86400 / step_s; index <= last; index++) {
			float max = (float)at_noon(index * step_s, end_s);
			if (index * step_s < midnight_s + 7200 || index * step_s >= midnight_s + 10800)
				timeline_add(&timeline, index, (struct step){ max, max });
		}
		assert_true(features_compute(&timeline, none, 0, horizon, &features));
		double day = (double)(midnight_s / 86400 % 4);
		bool reaches = horizon * step_s >= 1800; /* the noon of the days before is within the horizon, as today's is */
		double yesterday = reaches ? 0.6 + 0.05 * fmod(day + 3, 4) : 0.2, before = reaches ? 0.6 + 0.05 * fmod(day + 2, 4) : 0.2;
		if (!(fabs(value_of(&features, "yesterday") - yesterday) < 0.002) ||
		    !(fabs(value_of(&features, "day_before") - before) < 0.002) || value_of(&features, "yesterday_known") != 1 ||
		    value_of(&features, "day_before_known") != 1 || !(value_of(&features, "max_day") < 1) || value_of(&features, "over_day") != 0 ||
		    !(fabs(value_of(&features, "day_sine") - sin(2 * M_PI * (double)(last * step_s % 86400) / 86400)) < 1e-3))
			fail_msg("steps of %d s: yesterday %g, not %g; the day before %g, not %g; highest of a day %g, over %g; sine %g", (int)step_s,
			         value_of(&features, "yesterday"), yesterday, value_of(&features, "day_before"), before,
			         value_of(&features, "max_day"), value_of(&features, "over_day"), value_of(&features, "day_sine"));
		timeline_free(&timeline);
	}
}

static void test_features_compute_flat_and_zero_series(void **state)
{
	(void)state;
	static struct past past;
	static const float levels[] = { 0, 0.25f, 0.7f, 1, 1.5f };
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		timeline_init(&past.timeline);
		past.count = 0;
		for (int at = 0; at < 650; at++) {
			past_add(&past, at % 11 == 5 ? none : (struct step){ levels[i], levels[i] });
			if (at < 2 || (at > 30 && at % 50))
				continue;
			assert_features(&past, none, 0, 6, "flat");
			assert_features(&past, (struct step){ levels[i], levels[i] }, 0.7, 6, "flat");
			assert_features(&past, (struct step){ 0.6f, 0.6f }, 0.7, 6, "flat with an end");
		}
	}
}

/* A present step that replaces the newest, or follows it, is as if it had been added, where no event is one. */
static void test_features_compute_present_is_as_if_added(void **state)
{
	(void)state;
	uint64_t dice = dice_take(3);
	for (int round = 0; round < 200; round++) {
		struct past before = { .count = 0 };
		timeline_init(&before.timeline);
		int length = 3 + (int)dice_below(&dice, LENGTH - 4);
		for (int i = 0; i < length; i++)
			past_add(&before, (struct step){ (float)(0.4 * dice_uniform(&dice)), (float)(0.45 * dice_uniform(&dice)) });
		struct past replaced = before, followed = before;
		struct step last = { 0.2f, 0.3f };
		struct features present, added;
		timeline_init(&replaced.timeline);
		replaced.count = 0;
		for (int i = 0; i < length; i++)
			past_add(&replaced, i < length - 1 ? (struct step){ before.mean[i], before.max[i] } : last);
		past_add(&followed, last);
		unsigned horizon = 1 + dice_below(&dice, 48);
		assert_true(features_compute(&before.timeline, last, 0.5 * dice_uniform(&dice), horizon, &present));
		assert_true(features_compute(&replaced.timeline, none, 0, horizon, &added));
		assert_memory_equal(present.values, added.values, sizeof(present.values));
		assert_true(features_compute(&before.timeline, last, 0.5 + 0.5 * dice_uniform(&dice), horizon, &present));
		assert_true(features_compute(&followed.timeline, none, 0, horizon, &added));
		assert_memory_equal(present.values, added.values, sizeof(present.values));
	}
}

/* Whatever the steps are, infinite ones too. */
static void assert_finite(const struct past *past, struct step present, double phase, unsigned horizon)
{
	struct features features;
	memset(&features, 0xff, sizeof(features));
	if (!features_compute(&past->timeline, present, phase, horizon, &features))
		return;
	for (unsigned i = 0; i < FEATURE_COUNT; i++) {
		if (!(fabsf(features.values[i]) <= 1e6f))
			fail_msg("%s of %d steps, horizon %u: %g", feature_name(i), past->count, horizon, (double)features.values[i]);
	}
	assert_true(!isnan(features.now));
}

static void test_features_compute_anything_gives_finite_numbers(void **state)
{
	(void)state;
	uint64_t dice = dice_take(4);
	static struct past past;
	static const float extremes[] = { 0,    -0.0f, FLT_TRUE_MIN, 1e-20f,  1,  0.99999994f, 1.0000001f,
		                          1e6f, 1e20f, 3e38f,        FLT_MAX, -1, -3e38f,      INFINITY };
	for (int round = 0; round < 400; round++) {
		timeline_init(&past.timeline);
		past.count = 0;
		int length = 1 + (int)dice_below(&dice, round % 3 ? 60 : LENGTH);
		double gaps = round % 2 ? 0.4 : 0.02, rare = round % 5 ? 0.02 : 0.9;
		for (int i = 0; i < length; i++) {
			float max = dice_uniform(&dice) < rare ? extremes[dice_below(&dice, sizeof(extremes) / sizeof(extremes[0]))] :
			                                         (float)dice_uniform(&dice);
			past_add(&past, dice_uniform(&dice) < gaps ? none : (struct step){ dice_below(&dice, 9) ? max : NAN, max });
			if (i > 30 && dice_below(&dice, 40))
				continue;
			unsigned horizon = 1 + dice_below(&dice, 48);
			assert_finite(&past, none, 0, horizon);
			assert_finite(&past, roll_present(&dice), dice_uniform(&dice), horizon);
		}
	}
}

static void test_features_compute_needs_three_steps_one_of_the_last_two(void **state)
{
	(void)state;
	static const struct {
		const char *steps; /* . is a gap */
		bool present;
		double phase;
		bool expected;
	} cases[] = {
		{ "", false, 0, false },     { "", true, 1, false },       { "1", false, 0, false },    { "1", true, 0.5, false },
		{ "11", false, 0, false },   { "11", true, 0.49, false },  { "11", true, 0.5, true },   { "111", false, 0, true },
		{ "111", true, 0, true },    { "1.1", false, 0, false },   { "1.1", true, 0.7, true },  { "11.", false, 0, false },
		{ "11.", true, 0.7, true },  { "11.1", false, 0, true },   { "1.11", false, 0, true },  { "111.", false, 0, true },
		{ "111..", false, 0, false }, { "111..", true, 0.3, true }, { "111..1", false, 0, true }, { "...", true, 0.5, false },
		{ "..11", false, 0, false }, { "..111", false, 0, true },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct timeline timeline;
		struct features features;
		timeline_init(&timeline);
		for (int at = 0; cases[i].steps[at]; at++)
			timeline_add(&timeline, START + at, cases[i].steps[at] == '.' ? none : (struct step){ 0.5f, 0.5f });
		bool seen = features_compute(&timeline, cases[i].present ? (struct step){ 0.6f, 0.6f } : none, cases[i].phase, 6, &features);
		if (seen != cases[i].expected)
			fail_msg("case %zu: %d", i, seen);
	}
	/* What is two days ago is forgotten. */
	struct timeline timeline;
	struct features features;
	timeline_init(&timeline);
	for (int at = 0; at < 3; at++)
		timeline_add(&timeline, START + at, (struct step){ 0.5f, 0.5f });
	timeline_add(&timeline, START + TIMELINE_STEPS + 10, none);
	assert_false(features_compute(&timeline, (struct step){ 0.6f, 0.6f }, 0.7, 6, &features));
}

static void test_feature_name_and_meaning_are_each_its_own(void **state)
{
	(void)state;
	for (unsigned i = 0; i < FEATURE_COUNT; i++) {
		assert_true(strlen(feature_name(i)) > 2 && strlen(feature_name(i)) < 32);
		assert_int_equal(strspn(feature_name(i), "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(feature_name(i)));
		assert_true(strlen(feature_meaning(i)) > 5);
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(feature_name(i), feature_name(j));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_feature_name_and_meaning_are_each_its_own),
		cmocka_unit_test(test_features_compute_each_is_as_straightforwardly_computed),
		cmocka_unit_test(test_features_compute_every_length_and_horizon),
		cmocka_unit_test(test_features_compute_a_day_is_a_day_whatever_the_step),
		cmocka_unit_test(test_features_compute_flat_and_zero_series),
		cmocka_unit_test(test_features_compute_present_is_as_if_added),
		cmocka_unit_test(test_features_compute_anything_gives_finite_numbers),
		cmocka_unit_test(test_features_compute_needs_three_steps_one_of_the_last_two),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
