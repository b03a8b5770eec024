#include "forecast/features.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "forecast/quantile.h"

static const struct {
	const char *name, *meaning;
} about[FEATURE_COUNT] = {
	{ "now", "maximum of the present step" },
	{ "now_mean", "mean of the present step" },
	{ "change_1", "change of the maximum over the last step" },
	{ "change_1_before", "change of the maximum over the step before the last" },
	{ "change_3", "change of the maximum over 3 steps" },
	{ "mean_24", "mean of the maxima of 24 steps" },
	{ "mean_72", "mean of the maxima of 72 steps" },
	{ "mean_day", "mean of the maxima of a day" },
	{ "max_24", "highest of 24 steps" },
	{ "max_day", "highest of a day" },
	{ "deviation_6", "standard deviation of the maxima of 6 steps" },
	{ "deviation_24", "standard deviation of the maxima of 24 steps" },
	{ "deviation_day", "standard deviation of the maxima of a day" },
	{ "low_day", "10th percentile of a day" },
	{ "high_24", "90th percentile of 24 steps" },
	{ "high_day", "90th percentile of a day" },
	{ "spread_24", "how far the maxima are over the means, on average over 24 steps" },
	{ "rise_6", "slope of the least-squares line through 6 steps, times the horizon" },
	{ "rise_12", "slope of the line through 12 steps, times the horizon" },
	{ "rise_24", "slope of the line through 24 steps, times the horizon" },
	{ "rise_48", "slope of the line through 48 steps, times the horizon" },
	{ "rise_means", "slope of the line through the means of 24 steps, times the horizon" },
	{ "reach_12", "where the line through 12 steps leads within the horizon: over the limit, in deviations from the line" },
	{ "reach_24", "where the line through 24 steps leads" },
	{ "reach_48", "where the line through 48 steps leads" },
	{ "reach_climb", "where the line through the steps since the last fall leads" },
	{ "pass_12", "log-odds that the line through 12 steps, with noise as it has, passes the limit within the horizon" },
	{ "pass_24", "log-odds that the line through 24 steps passes the limit" },
	{ "pass_48", "log-odds that the line through 48 steps passes the limit" },
	{ "pass_climb", "log-odds that the line through the steps since the last fall passes the limit" },
	{ "distance_24", "distance to the limit in deviations of 24 steps" },
	{ "distance_day", "distance to the limit in deviations of a day" },
	{ "rank", "share of the last day's steps that were lower than the present one" },
	{ "over_24", "share of 24 steps over the limit" },
	{ "over_day", "square root of the share of a day's steps over the limit" },
	{ "crossing_age", "log of the time since the limit was last passed" },
	{ "crossing_ratio", "time since the limit was last passed, in usual gaps between crossings" },
	{ "crossing_due", "log-odds that the next crossing falls within the horizon, by the gaps so far" },
	{ "onset_age", "log of the time since the last onset: a rise half the way from the quiet level to the limit" },
	{ "onset_due", "log-odds that the next onset falls within the horizon, by the gaps so far" },
	{ "cycle_crossed", "log-odds that at this time of earlier cycles an onset passed the limit" },
	{ "cycle_onset", "log-odds that at this time of earlier cycles there was an onset" },
	{ "cycle_over", "log-odds that at this time of earlier cycles the limit was passed" },
	{ "cycle_max", "highest within the horizon at this time of earlier cycles, on average" },
	{ "cycle_strength", "how clearly onsets come in a cycle" },
	{ "cycle_crossed_clear", "cycle_crossed above -2, the more the clearer the cycle is" },
	{ "cycle_over_clear", "cycle_over above -2, the more the clearer the cycle is" },
	{ "yesterday", "highest within the horizon at this time yesterday" },
	{ "yesterday_moved", "yesterday, moved by how the present step differs from then" },
	{ "yesterday_known", "1 when yesterday is known" },
	{ "day_before", "highest within the horizon at this time the day before yesterday" },
	{ "day_before_moved", "day_before, moved by how the present step differs from then" },
	{ "day_before_known", "1 when that day is known" },
	{ "day_sine", "sine of the time of day" },
	{ "day_cosine", "cosine of the time of day" },
	{ "near_70", "present maximum over 0.70 of the limit" },
	{ "near_85", "present maximum over 0.85 of the limit" },
	{ "near_93", "present maximum over 0.93 of the limit" },
	{ "holt", "damped Holt forecast (0.5, 0.1, damped by 0.9): the higher of the next step and the horizon's end" },
	{ "holt_slow", "damped Holt forecast for slow climbs (0.3, 0.05, damped by 0.98)" },
	{ "holt_near_95", "holt over 0.95 of the limit" },
	{ "holt_over", "holt over the limit" },
	{ "high_near_90", "highest of 6 steps over 0.90 of the limit" },
	{ "high_over", "highest of 24 steps over the limit" },
	{ "jump", "log-odds of a rise within the horizon as large as the distance to the limit, by those of two days" },
};

const char *feature_name(unsigned feature)
{
	assert(feature < FEATURE_COUNT);
	return about[feature].name;
}

const char *feature_meaning(unsigned feature)
{
	assert(feature < FEATURE_COUNT);
	return about[feature].meaning;
}

/* Two points are no past to speak of. */
enum { KNOWN_STEPS = 3 };

/* The past without gaps, as of now. */
struct view {
	const float *max;  /* oldest first */
	const float *mean; /* the last `means` of them */
	unsigned count, means;
	int64_t index; /* of the newest */
};

static double clip(double value, double low, double high)
{
	return value < low ? low : value > high ? high : value;
}

static double log_odds(double probability)
{
	probability = clip(probability, 0.005, 0.995);
	return log(probability / (1 - probability));
}

static double normal_below(double z)
{
	return 0.5 * erfc(-z * M_SQRT1_2);
}

/* `back` steps before the newest; the oldest for what is before it. */
static double at(const struct view *view, unsigned back)
{
	return (double)view->max[back < view->count ? view->count - 1 - back : 0];
}

struct writer {
	float *next;
};

static void put(struct writer *writer, double value)
{
	*writer->next++ = isfinite(value) ? (float)clip(value, -1e6, 1e6) : 0;
}

enum { WINDOW_6, WINDOW_24, WINDOW_72, WINDOW_DAY, WINDOW_COUNT };

struct statistics {
	double mean[WINDOW_COUNT], max[WINDOW_COUNT], deviation[WINDOW_COUNT];
	double high_24, low_day, high_day; /* 90th and 10th percentiles */
};

static void compute_statistics(const struct view *view, struct statistics *statistics)
{
	static const unsigned lengths[WINDOW_COUNT] = { 6, 24, 72, TIMELINE_DAY };
	double sum = 0, squares = 0, max = 0;
	unsigned back = 0;
	for (int i = 0; i < WINDOW_COUNT; i++) {
		unsigned length = lengths[i] < view->count ? lengths[i] : view->count;
		for (; back < length; back++) {
			double value = at(view, back);
			sum += value;
			squares += value * value;
			max = value > max ? value : max;
		}
		statistics->mean[i] = sum / length;
		statistics->max[i] = max;
		statistics->deviation[i] = sqrt(fmax(0, squares / length - statistics->mean[i] * statistics->mean[i]));
	}
	float sorted[24];
	unsigned day = view->count < TIMELINE_DAY ? view->count : TIMELINE_DAY, recent = day < 24 ? day : 24;
	memcpy(sorted, view->max + view->count - recent, recent * sizeof(sorted[0]));
	statistics->high_24 = (double)quantile(sorted, recent, 0.9);
	float low, high;
	quantile_pair(view->max + view->count - day, day, 0.1, 0.9, &low, &high);
	statistics->low_day = (double)low;
	statistics->high_day = (double)high;
}

/* The least-squares line through the last values. */
struct line {
	double end;      /* its value now */
	double slope;    /* per step */
	double residual; /* standard deviation of the values from it */
};

static struct line fit_line(const float values[], unsigned count)
{
	double middle = (count - 1) / 2.0, mean = 0, xy = 0, xx = 0, squares = 0;
	for (unsigned i = 0; i < count; i++)
		mean += (double)values[i];
	mean /= count;
	for (unsigned i = 0; i < count; i++) {
		double x = i - middle, y = (double)values[i] - mean;
		xy += x * y;
		xx += x * x;
		squares += y * y;
	}
	double slope = xx > 0 ? xy / xx : 0;
	return (struct line){
		.end = mean + slope * (count - 1 - middle),
		.slope = slope,
		.residual = sqrt(fmax(0, (squares - slope * xy) / count)),
	};
}

static struct line fit_last(const struct view *view, unsigned length)
{
	unsigned count = length < view->count ? length : view->count;
	return fit_line(view->max + view->count - count, count);
}

static double reach(const struct line *line, unsigned horizon, double bound)
{
	return clip((line->end + fmax(line->slope, 0) * horizon - 1) / (line->residual + 0.005), -bound, bound);
}

/* Log-odds that the line and independent Gaussian noise of its residuals' size pass the limit. */
static double pass(const struct line *line, unsigned length, unsigned horizon)
{
	double deviation = line->residual * sqrt(length / (length - 2.0)) + 0.004, stays = 1;
	for (unsigned i = 1; i <= horizon; i++)
		stays *= fmax(normal_below((1 - line->end - line->slope * i) / deviation), 1e-4);
	return log_odds(1 - stays);
}

/* Steps since the value was clearly higher: the present climb, and what was under it before. */
static unsigned climb_length(const struct view *view)
{
	unsigned most = view->count < TIMELINE_DAY ? view->count : TIMELINE_DAY, pairs = 0;
	double noise = 0;
	for (; pairs + 1 < most && pairs < 48; pairs++)
		noise += fabs(at(view, pairs) - at(view, pairs + 1));
	double fall = fmax(0.08, pairs ? 5 * noise / pairs : 0), lowest = fmin(at(view, 0), fmin(at(view, 1), at(view, 2)));
	unsigned length = most < 3 ? most : 3;
	for (; length < most; length++) {
		double value = at(view, length);
		if (value > lowest + fall)
			break;
		lowest = value < lowest ? value : lowest;
	}
	return length;
}

static void put_trends(struct writer *writer, const struct view *view, const struct statistics *statistics,
                       unsigned horizon)
{
	static const unsigned lengths[] = { 6, 12, 24, 48 };
	struct line lines[4];
	for (int i = 0; i < 4; i++) {
		lines[i] = fit_last(view, lengths[i]);
		put(writer, lines[i].slope * horizon);
	}
	put(writer, fit_line(view->mean, view->means).slope * horizon);
	for (int i = 1; i < 4; i++)
		put(writer, reach(&lines[i], horizon, 8));
	unsigned length = climb_length(view);
	struct line climb = length < 6 ? (struct line){ .end = statistics->mean[WINDOW_6],
	                                                .residual = statistics->deviation[WINDOW_6] } :
	                                 fit_last(view, length);
	put(writer, reach(&climb, horizon, 12));
	for (int i = 1; i < 4; i++)
		put(writer, pass(&lines[i], lengths[i], horizon));
	put(writer, pass(&climb, length < 6 ? 6 : length, horizon));
}

struct recurrence {
	double age;   /* steps since the last one */
	double ratio; /* of the age to the usual gap, 0 to 3; 0 where none is known */
	double due;   /* log-odds that the next one falls within the horizon */
};

/* By the gaps so far: of those that are longer than the age, which share ends within the
 * horizon, each gap blurred by a tenth of itself. */
static struct recurrence compute_recurrence(const uint32_t indexes[], unsigned count, uint32_t now, unsigned horizon)
{
	enum { GAPS_MAX = 16 };
	float gaps[GAPS_MAX];
	double ends = 0.15, open = 1.5;
	double age = count ? (double)(now - indexes[count - 1]) : 1000;
	unsigned gap_count = 0;
	for (unsigned i = count; i > 1 && gap_count < GAPS_MAX; i--) {
		double gap = (double)(indexes[i - 1] - indexes[i - 2]), blur = 1 + 0.1 * gap;
		double ended = normal_below((age - gap) / blur);
		ends += normal_below((age + horizon - gap) / blur) - ended;
		open += 1 - ended;
		gaps[gap_count++] = (float)gap;
	}
	double usual = (double)quantile(gaps, gap_count, 0.5);
	return (struct recurrence){
		.age = age,
		.ratio = usual > 0 ? clip(age / usual, 0, 3) : 0, /* NAN of no gaps is not over 0 */
		.due = log_odds(ends / open),
	};
}

/* The highest of the steps (index, index + horizon], as far as they are known; NAN. */
static double highest_after(const struct view *view, int64_t index, unsigned horizon)
{
	double highest = NAN;
	for (int64_t i = index + 1; i <= index + horizon && i <= view->index; i++) {
		int64_t back = view->index - i;
		if (back < view->count)
			highest = fmax(highest, at(view, (unsigned)back));
	}
	return highest;
}

/* What happened at this time of earlier cycles, newer ones counting more. */
static void put_cycle(struct writer *writer, const struct timeline *timeline, const struct view *view,
                      const struct statistics *statistics, unsigned horizon)
{
	double cycles = 1.5, crossed = 0.15, onset_cycles = 1.5, onsets = 0.3;
	double seen = 0, over = 0, max = 0, weight = 1;
	for (int cycle = 1; cycle <= 16 && timeline->period > 0; cycle++, weight *= 0.9) {
		double shift = cycle * (double)timeline->period;
		int64_t then = view->index - (int64_t)lround(shift);
		double highest = highest_after(view, then, horizon);
		if (isnan(highest))
			break;
		int64_t tolerance = 1 + (shift > 200);
		bool any = false, any_crossed = false;
		for (unsigned i = timeline->onset_count; i > 0; i--) {
			int64_t index = timeline->onsets[i - 1].index;
			if (index <= then - tolerance)
				break;
			if (index < then + horizon + tolerance) {
				any = true;
				any_crossed = any_crossed || timeline->onsets[i - 1].crossed;
			}
		}
		cycles += weight;
		onset_cycles += weight;
		crossed += any_crossed ? weight : 0;
		onsets += any ? weight : 0;
		seen += weight;
		max += weight * highest;
		over += highest > 1 ? weight : 0;
	}
	double crossed_odds = log_odds(crossed / cycles), over_odds = log_odds((over + 0.15) / (seen + 1.5));
	double strength = (double)timeline->period_strength, clear = clip(strength / 4, 0, 1.5);
	put(writer, crossed_odds);
	put(writer, log_odds(onsets / onset_cycles));
	put(writer, over_odds);
	put(writer, seen > 0 ? max / seen : statistics->mean[WINDOW_DAY]);
	put(writer, clip(strength, 0, 10));
	put(writer, clear * (crossed_odds + 2));
	put(writer, clear * (over_odds + 2));
}

static void put_days(struct writer *writer, const struct view *view, const struct statistics *statistics,
                     unsigned horizon)
{
	for (unsigned days = 1; days <= 2; days++) {
		unsigned back = days * TIMELINE_DAY;
		bool known = back < view->count;
		double highest = known ? highest_after(view, view->index - back, horizon) : 0;
		put(writer, known ? highest : statistics->mean[WINDOW_DAY]);
		put(writer, known ? at(view, 0) + highest - at(view, back) : at(view, 0));
		put(writer, known);
	}
	double angle = 2 * M_PI * (double)(view->index % TIMELINE_DAY) / TIMELINE_DAY;
	put(writer, sin(angle));
	put(writer, cos(angle));
}

/* Damped Holt (Gardner and McKenzie 1985). */
struct holt {
	double alpha, beta, phi;
	double level, trend;
};

static void holt_add(struct holt *holt, double value)
{
	double before = holt->level;
	holt->level = holt->alpha * value + (1 - holt->alpha) * (holt->level + holt->phi * holt->trend);
	holt->trend = holt->beta * (holt->level - before) + (1 - holt->beta) * holt->phi * holt->trend;
}

/* The higher of the next step's forecast and the one at the horizon's end. */
static double holt_highest(const struct holt *holt, unsigned horizon)
{
	double far = 0, power = 1;
	for (unsigned i = 0; i < horizon; i++) {
		power *= holt->phi;
		far += power;
	}
	return holt->level + fmax(holt->phi * holt->trend, far * holt->trend);
}

/* Both over the last 96 steps, side by side: neither has to wait for its own last step alone. */
static void put_holt(struct writer *writer, const struct view *view, unsigned horizon)
{
	unsigned length = view->count < 96 ? view->count : 96;
	struct holt quick = { .alpha = 0.5, .beta = 0.1, .phi = 0.9, .level = at(view, length - 1) };
	struct holt slow = { .alpha = 0.3, .beta = 0.05, .phi = 0.98, .level = at(view, length - 1) };
	for (unsigned i = length; i > 0; i--) {
		holt_add(&quick, at(view, i - 1));
		holt_add(&slow, at(view, i - 1));
	}
	double expected = holt_highest(&quick, horizon);
	put(writer, expected);
	put(writer, holt_highest(&slow, horizon));
	put(writer, fmax(0, expected - 0.95));
	put(writer, fmax(0, expected - 1));
}

enum { BLOCK = 16 }; /* a constant number of steps at a time, for the compiler to do several at once */

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

/* Log-odds of a rise within the horizon as large as the distance to the limit is now, by the
 * rises that were. */
static double jump(const struct view *view, unsigned horizon)
{
	unsigned starts = view->count > horizon ? view->count - horizon : 0;
	unsigned jumps = count_jumps(view->max, starts, horizon, 1 - view->max[view->count - 1]);
	return log_odds((jumps + 0.1) / (starts + 1.0));
}

static void put_all(struct writer *writer, const struct timeline *timeline, const struct view *view, unsigned horizon)
{
	struct statistics statistics;
	compute_statistics(view, &statistics);
	double now = at(view, 0);

	put(writer, now);
	put(writer, (double)view->mean[view->means - 1]);
	put(writer, now - at(view, 1));
	put(writer, at(view, 1) - at(view, 2));
	put(writer, now - at(view, 3));

	put(writer, statistics.mean[WINDOW_24]);
	put(writer, statistics.mean[WINDOW_72]);
	put(writer, statistics.mean[WINDOW_DAY]);
	put(writer, statistics.max[WINDOW_24]);
	put(writer, statistics.max[WINDOW_DAY]);
	put(writer, statistics.deviation[WINDOW_6]);
	put(writer, statistics.deviation[WINDOW_24]);
	put(writer, statistics.deviation[WINDOW_DAY]);
	put(writer, statistics.low_day);
	put(writer, statistics.high_24);
	put(writer, statistics.high_day);
	double means = 0;
	for (unsigned i = 0; i < view->means; i++)
		means += (double)view->mean[i];
	put(writer, statistics.mean[WINDOW_24] - means / view->means);

	put_trends(writer, view, &statistics, horizon);

	put(writer, clip((1 - now) / (statistics.deviation[WINDOW_24] + 0.01), -1, 8));
	put(writer, clip((1 - now) / (statistics.deviation[WINDOW_DAY] + 0.01), -1, 8));
	unsigned day = view->count < TIMELINE_DAY ? view->count : TIMELINE_DAY, recent = day < 24 ? day : 24;
	unsigned lower = 0, over = 0, over_recent = 0;
	const float *last_day = view->max + view->count - day;
	for (unsigned i = 0; i < day; i++) {
		lower += last_day[i] < (float)now;
		over += last_day[i] > 1;
	}
	for (unsigned i = day - recent; i < day; i++)
		over_recent += last_day[i] > 1;
	put(writer, (double)lower / day);
	put(writer, (double)over_recent / recent);
	put(writer, sqrt((double)over / day));

	uint32_t onsets[TIMELINE_ONSETS];
	for (unsigned i = 0; i < timeline->onset_count; i++)
		onsets[i] = timeline->onsets[i].index;
	struct recurrence crossing =
		compute_recurrence(timeline->crossings, timeline->crossing_count, (uint32_t)view->index, horizon);
	struct recurrence onset = compute_recurrence(onsets, timeline->onset_count, (uint32_t)view->index, horizon);
	put(writer, log1p(crossing.age));
	put(writer, crossing.ratio);
	put(writer, crossing.due);
	put(writer, log1p(onset.age));
	put(writer, onset.due);
	put_cycle(writer, timeline, view, &statistics, horizon);
	put_days(writer, view, &statistics, horizon);

	put(writer, fmax(0, now - 0.70));
	put(writer, fmax(0, now - 0.85));
	put(writer, fmax(0, now - 0.93));
	put_holt(writer, view, horizon);
	put(writer, fmax(0, statistics.max[WINDOW_6] - 0.90));
	put(writer, fmax(0, statistics.max[WINDOW_24] - 1));
	put(writer, jump(view, horizon));
}

/* Whether so many steps are known. */
static bool knows(const struct timeline *timeline, unsigned wanted)
{
	unsigned known = 0;
	for (unsigned i = 0; i < timeline->count && known < wanted; i++)
		known += isnan(timeline_max(timeline, timeline->newest - i)) ? 0 : 1;
	return known >= wanted;
}

bool features_compute(const struct timeline *timeline, struct step present, double phase, unsigned horizon,
                      struct features *ret_features)
{
	float max[TIMELINE_STEPS + 1], mean[TIMELINE_MEANS + 1];
	struct view view = { .max = max, .mean = mean, .index = timeline->newest };
	view.count = timeline_unroll(timeline, max, mean);
	view.means = view.count < TIMELINE_MEANS ? view.count : TIMELINE_MEANS;
	bool present_known = !isnan(present.max);
	bool added = present_known && phase >= 0.5;
	bool recent = present_known || !isnan(timeline_max(timeline, timeline->newest)) ||
	              !isnan(timeline_max(timeline, timeline->newest - 1));
	if (!recent || !knows(timeline, added ? KNOWN_STEPS - 1 : KNOWN_STEPS))
		return false;
	if (present_known) {
		/* A step that overlaps the newest one by more than a half takes its place. */
		if (added) {
			view.count++;
			view.means++;
			view.index++;
		}
		max[view.count - 1] = present.max;
		mean[view.means - 1] = isnan(present.mean) ? present.max : present.mean;
		if (view.count > TIMELINE_STEPS) {
			view.max++;
			view.count--;
		}
		if (view.means > TIMELINE_MEANS) {
			view.mean++;
			view.means--;
		}
	}
	struct writer writer = { .next = ret_features->values };
	put_all(&writer, timeline, &view, horizon);
	assert(writer.next == ret_features->values + FEATURE_COUNT);
	ret_features->now = view.max[view.count - 1];
	ret_features->constant = true;
	for (unsigned i = 1; i < view.count && ret_features->constant; i++)
		ret_features->constant = view.max[i] == view.max[0];
	return true;
}
