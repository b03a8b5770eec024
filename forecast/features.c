#include "forecast/features.h"

#include <assert.h>
#include <math.h>

#include "forecast/habits.h"
#include "forecast/levels.h"
#include "forecast/numbers.h"
#include "forecast/recurrence.h"
#include "forecast/trends.h"
#include "forecast/view.h"

/* A row a feature: its constant, its name, its value as features_compute() has it, and what it means. */
#define FEATURES(ROW) \
	ROW(FEATURE_NOW, "now", now, "maximum of the present step") \
	ROW(FEATURE_NOW_MEAN, "now_mean", (double)view.mean[view.means - 1], "mean of the present step") \
	ROW(FEATURE_CHANGE_1, "change_1", now - view_max(&view, 1), "change of the maximum over the last step") \
	ROW(FEATURE_CHANGE_1_BEFORE, "change_1_before", view_max(&view, 1) - view_max(&view, 2), \
	    "change of the maximum over the step before the last") \
	ROW(FEATURE_CHANGE_3, "change_3", now - view_max_or_oldest(&view, 3), "change of the maximum over 3 steps") \
	ROW(FEATURE_MEAN_24, "mean_24", levels.mean[LEVELS_24], "mean of the maxima of 24 steps") \
	ROW(FEATURE_MEAN_72, "mean_72", levels.mean[LEVELS_72], "mean of the maxima of 72 steps") \
	ROW(FEATURE_MEAN_DAY, "mean_day", levels.mean[LEVELS_DAY], "mean of the maxima of a day") \
	ROW(FEATURE_MAX_24, "max_24", levels.max[LEVELS_24], "highest of 24 steps") \
	ROW(FEATURE_MAX_DAY, "max_day", levels.max[LEVELS_DAY], "highest of a day") \
	ROW(FEATURE_DEVIATION_6, "deviation_6", levels.deviation[LEVELS_6], \
	    "standard deviation of the maxima of 6 steps") \
	ROW(FEATURE_DEVIATION_24, "deviation_24", levels.deviation[LEVELS_24], \
	    "standard deviation of the maxima of 24 steps") \
	ROW(FEATURE_DEVIATION_DAY, "deviation_day", levels.deviation[LEVELS_DAY], \
	    "standard deviation of the maxima of a day") \
	ROW(FEATURE_LOW_DAY, "low_day", levels.low_day, "10th percentile of a day") \
	ROW(FEATURE_HIGH_24, "high_24", levels.high_24, "90th percentile of 24 steps") \
	ROW(FEATURE_HIGH_DAY, "high_day", levels.high_day, "90th percentile of a day") \
	ROW(FEATURE_SPREAD_24, "spread_24", levels.spread, \
	    "how far the maxima are over the means, on average over 24 steps") \
	ROW(FEATURE_RISE_6, "rise_6", trends.rise_6, \
	    "slope of the least-squares line through 6 steps, times the horizon") \
	ROW(FEATURE_RISE_12, "rise_12", trends.last_12.rise, "slope of the line through 12 steps, times the horizon") \
	ROW(FEATURE_RISE_24, "rise_24", trends.last_24.rise, "slope of the line through 24 steps, times the horizon") \
	ROW(FEATURE_RISE_48, "rise_48", trends.last_48.rise, "slope of the line through 48 steps, times the horizon") \
	ROW(FEATURE_RISE_MEANS, "rise_means", trends.rise_means, \
	    "slope of the line through the means of 24 steps, times the horizon") \
	ROW(FEATURE_REACH_12, "reach_12", trends.last_12.reach, \
	    "where the line through 12 steps leads within the horizon: over the limit, in deviations from the line") \
	ROW(FEATURE_REACH_24, "reach_24", trends.last_24.reach, "where the line through 24 steps leads") \
	ROW(FEATURE_REACH_48, "reach_48", trends.last_48.reach, "where the line through 48 steps leads") \
	ROW(FEATURE_REACH_CLIMB, "reach_climb", trends.climb.reach, \
	    "where the line through the steps since the last fall leads") \
	ROW(FEATURE_PASS_12, "pass_12", trends.last_12.pass, \
	    "log-odds that the line through 12 steps, with noise as it has, passes the limit within the horizon") \
	ROW(FEATURE_PASS_24, "pass_24", trends.last_24.pass, \
	    "log-odds that the line through 24 steps passes the limit") \
	ROW(FEATURE_PASS_48, "pass_48", trends.last_48.pass, \
	    "log-odds that the line through 48 steps passes the limit") \
	ROW(FEATURE_PASS_CLIMB, "pass_climb", trends.climb.pass, \
	    "log-odds that the line through the steps since the last fall passes the limit") \
	ROW(FEATURE_DISTANCE_24, "distance_24", distance(now, levels.deviation[LEVELS_24]), \
	    "distance to the limit in deviations of 24 steps") \
	ROW(FEATURE_DISTANCE_DAY, "distance_day", distance(now, levels.deviation[LEVELS_DAY]), \
	    "distance to the limit in deviations of a day") \
	ROW(FEATURE_RANK, "rank", levels.rank, "share of the last day's steps that were lower than the present one") \
	ROW(FEATURE_OVER_24, "over_24", levels.over_24, "share of 24 steps over the limit") \
	ROW(FEATURE_OVER_DAY, "over_day", sqrt(levels.over_day), \
	    "square root of the share of a day's steps over the limit") \
	ROW(FEATURE_CROSSING_AGE, "crossing_age", log1p(recurrence.crossing.age), \
	    "log of the time since the limit was last passed") \
	ROW(FEATURE_CROSSING_RATIO, "crossing_ratio", recurrence.crossing.ratio, \
	    "time since the limit was last passed, in usual gaps between crossings") \
	ROW(FEATURE_CROSSING_DUE, "crossing_due", recurrence.crossing.due, \
	    "log-odds that the next crossing falls within the horizon, by the gaps so far") \
	ROW(FEATURE_ONSET_AGE, "onset_age", log1p(recurrence.onset.age), \
	    "log of the time since the last onset: a rise half the way from the quiet level to the limit") \
	ROW(FEATURE_ONSET_DUE, "onset_due", recurrence.onset.due, \
	    "log-odds that the next onset falls within the horizon, by the gaps so far") \
	ROW(FEATURE_CYCLE_CROSSED, "cycle_crossed", recurrence.cycle.crossed, \
	    "log-odds that at this time of earlier cycles an onset passed the limit") \
	ROW(FEATURE_CYCLE_ONSET, "cycle_onset", recurrence.cycle.onset, \
	    "log-odds that at this time of earlier cycles there was an onset") \
	ROW(FEATURE_CYCLE_OVER, "cycle_over", recurrence.cycle.over, \
	    "log-odds that at this time of earlier cycles the limit was passed") \
	ROW(FEATURE_CYCLE_MAX, "cycle_max", recurrence.cycle.max, \
	    "highest within the horizon at this time of earlier cycles, on average") \
	ROW(FEATURE_CYCLE_STRENGTH, "cycle_strength", recurrence.cycle.strength, "how clearly onsets come in a cycle") \
	ROW(FEATURE_CYCLE_CROSSED_CLEAR, "cycle_crossed_clear", recurrence.cycle.crossed_clear, \
	    "cycle_crossed above -2, the more the clearer the cycle is") \
	ROW(FEATURE_CYCLE_OVER_CLEAR, "cycle_over_clear", recurrence.cycle.over_clear, \
	    "cycle_over above -2, the more the clearer the cycle is") \
	ROW(FEATURE_YESTERDAY, "yesterday", recurrence.yesterday.max, \
	    "highest within the horizon at this time yesterday") \
	ROW(FEATURE_YESTERDAY_MOVED, "yesterday_moved", recurrence.yesterday.moved, \
	    "yesterday, moved by how the present step differs from then") \
	ROW(FEATURE_YESTERDAY_KNOWN, "yesterday_known", recurrence.yesterday.known, "1 when yesterday is known") \
	ROW(FEATURE_DAY_BEFORE, "day_before", recurrence.day_before.max, \
	    "highest within the horizon at this time the day before yesterday") \
	ROW(FEATURE_DAY_BEFORE_MOVED, "day_before_moved", recurrence.day_before.moved, \
	    "day_before, moved by how the present step differs from then") \
	ROW(FEATURE_DAY_BEFORE_KNOWN, "day_before_known", recurrence.day_before.known, "1 when that day is known") \
	ROW(FEATURE_DAY_SINE, "day_sine", sin(day_angle(&view)), "sine of the time of day") \
	ROW(FEATURE_DAY_COSINE, "day_cosine", cos(day_angle(&view)), "cosine of the time of day") \
	ROW(FEATURE_NEAR_70, "near_70", fmax(0, now - 0.70), "present maximum over 0.70 of the limit") \
	ROW(FEATURE_NEAR_85, "near_85", fmax(0, now - 0.85), "present maximum over 0.85 of the limit") \
	ROW(FEATURE_NEAR_93, "near_93", fmax(0, now - 0.93), "present maximum over 0.93 of the limit") \
	ROW(FEATURE_HOLT, "holt", trends.holt, \
	    "damped Holt forecast (0.5, 0.1, damped by 0.9): the higher of the next step and the horizon's end") \
	ROW(FEATURE_HOLT_SLOW, "holt_slow", trends.holt_slow, \
	    "damped Holt forecast for slow climbs (0.3, 0.05, damped by 0.98)") \
	ROW(FEATURE_HOLT_NEAR_95, "holt_near_95", fmax(0, trends.holt - 0.95), "holt over 0.95 of the limit") \
	ROW(FEATURE_HOLT_OVER, "holt_over", fmax(0, trends.holt - 1), "holt over the limit") \
	ROW(FEATURE_HIGH_NEAR_90, "high_near_90", fmax(0, levels.max[LEVELS_6] - 0.90), \
	    "highest of 6 steps over 0.90 of the limit") \
	ROW(FEATURE_HIGH_OVER, "high_over", fmax(0, levels.max[LEVELS_24] - 1), "highest of 24 steps over the limit") \
	ROW(FEATURE_JUMP, "jump", recurrence.jump, \
	    "log-odds of a rise within the horizon as large as the distance to the limit, by those of two days") \
	ROW(FEATURE_DAYS_MEAN, "days_mean", habits.days.mean, \
	    "highest within the horizon at this time of the last 7 days, on average") \
	ROW(FEATURE_DAYS_HIGH, "days_high", habits.days.high, "highest within the horizon at this time of the last 7 days") \
	ROW(FEATURE_DAYS_MOVED, "days_moved", habits.days.moved, \
	    "days_mean, moved by how the present step differs from then") \
	ROW(FEATURE_DAYS_OVER, "days_over", habits.days.over, \
	    "log-odds that at this time of the last 7 days the limit was passed") \
	ROW(FEATURE_DAYS_OVER_WIDE, "days_over_wide", habits.days.over_wide, \
	    "log-odds that it was passed at this time of the last 7 days, an hour earlier to an hour later") \
	ROW(FEATURE_DAYS_KNOWN, "days_known", habits.days.known, "share of the last 7 days that are known at this time") \
	ROW(FEATURE_PROFILE_LEVEL, "profile_level", habits.profile.level, \
	    "how far the last 2 hours were over the mean of these quarters of an hour on the last 7 days") \
	ROW(FEATURE_PROFILE_DEVIATION, "profile_deviation", habits.profile.deviation, \
	    "deviation of the last 12 hours from that mean") \
	ROW(FEATURE_PROFILE_EXPECTED, "profile_expected", habits.profile.expected, \
	    "highest of that mean within the horizon, with profile_level") \
	ROW(FEATURE_PROFILE_PASS, "profile_pass", habits.profile.pass, \
	    "log-odds that profile_expected, with profile_deviation, passes the limit") \
	ROW(FEATURE_PROFILE_OVER, "profile_over", habits.profile.over, \
	    "log-odds that one of these quarters of an hour was over the limit on the last 7 days") \
	ROW(FEATURE_WEEK_AGO, "week_ago", habits.week_ago, "highest within the horizon at this time a week ago") \
	ROW(FEATURE_WEEK_AGO_MOVED, "week_ago_moved", habits.week_ago_moved, \
	    "week_ago, moved by how the present step differs from then") \
	ROW(FEATURE_WEEK_HIGH, "week_high", habits.extremes.high, "highest of 7 days") \
	ROW(FEATURE_WEEK_LOW, "week_low", habits.extremes.low, "lowest quarter of an hour of 7 days") \
	ROW(FEATURE_WEEK_RANK, "week_rank", habits.extremes.rank, \
	    "share of 7 days' quarters of an hour that were lower than the present step") \
	ROW(FEATURE_WEEK_OVER, "week_over", sqrt(habits.extremes.over), \
	    "square root of the share of 7 days' quarters of an hour over the limit")

#define ONE(...) +1
_Static_assert(0 FEATURES(ONE) == FEATURE_COUNT, "each feature has one row");

#define ABOUT(feature, name, value, meaning) [feature] = { name, meaning },
static const struct {
	const char *name, *meaning;
} about[FEATURE_COUNT] = { FEATURES(ABOUT) };

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

/* To the limit, in deviations. */
static double distance(double now, double deviation)
{
	return numbers_clip((1 - now) / (deviation + 0.01), -1, 8);
}

/* The time of day. */
static double day_angle(const struct view *view)
{
	return 2 * M_PI * fmod((double)view->index, view->day) / view->day;
}

static bool is_constant(const struct view *view)
{
	for (unsigned i = 1; i < view->count; i++) {
		if (view->max[i] != view->max[0])
			return false;
	}
	return true;
}

static float finite_value(double value)
{
	return isfinite(value) ? (float)numbers_clip(value, -1e6, 1e6) : 0;
}

#define VALUE(feature, name, value, meaning) [feature] = finite_value(value),

bool features_compute(const struct timeline *timeline, struct step present, double phase, unsigned horizon,
                      struct features *ret_features)
{
	struct view view, room;
	struct levels levels;
	struct trends trends;
	struct recurrence recurrence;
	struct habits habits;
	if (!view_make(timeline, present, phase, &view))
		return false;
	const struct view *slots = view_slots(timeline, &view, &room);
	levels_compute(&view, slots, &levels);
	trends_compute(&view, &levels, horizon, &trends);
	recurrence_compute(timeline, &view, slots, &levels, horizon, &recurrence);
	habits_compute(timeline, &view, &levels, horizon, &habits);
	double now = view_max(&view, 0);
	*ret_features = (struct features){
		.values = { FEATURES(VALUE) },
		.now = (float)now,
		.constant = is_constant(&view),
	};
	return true;
}
