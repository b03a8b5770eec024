#include "forecast/trends.h"

#include <math.h>

#include "forecast/numbers.h"

enum {
	NOISE_STEPS = 48, /* what a fall is, is told by the noise of so many */
	CLIMB_MIN = 6,    /* steps: fewer are no line */
	HOLT_STEPS = 96,  /* what is before them is forgotten */
};

/* The least-squares line through the last values. */
struct line {
	double end;      /* its value now */
	double slope;    /* per step */
	double residual; /* standard deviation of the values from it */
};

static struct line fit(const float values[], unsigned count)
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
	unsigned count = view_length(view, length);
	return fit(view_last(view, count), count);
}

static double reach(const struct line *line, unsigned horizon, double bound)
{
	return numbers_clip((line->end + fmax(line->slope, 0) * horizon - 1) / (line->residual + 0.005), -bound, bound);
}

/* Log-odds that the line and independent Gaussian noise of its residuals' size pass the limit. */
static double pass(const struct line *line, unsigned length, unsigned horizon)
{
	double deviation = line->residual * sqrt(length / (length - 2.0)) + 0.004, stays = 1;
	for (unsigned i = 1; i <= horizon; i++)
		stays *= fmax(numbers_normal_below((1 - line->end - line->slope * i) / deviation), 1e-4);
	return numbers_log_odds(1 - stays);
}

/* `bound` is that of the reach. */
static struct trend follow(const struct line *line, unsigned length, unsigned horizon, double bound)
{
	return (struct trend){
		.rise = line->slope * horizon,
		.reach = reach(line, horizon, bound),
		.pass = pass(line, length, horizon),
	};
}

static struct trend follow_last(const struct view *view, unsigned length, unsigned horizon)
{
	struct line line = fit_last(view, length);
	return follow(&line, length, horizon, 8);
}

/* Steps since the value was clearly higher: the present climb, and what was under it before. */
static unsigned climb_length(const struct view *view)
{
	unsigned most = view_length(view, TIMELINE_DAY), pairs = 0;
	double noise = 0;
	for (; pairs + 1 < most && pairs < NOISE_STEPS; pairs++)
		noise += fabs(view_max(view, pairs) - view_max(view, pairs + 1));
	double fall = fmax(0.08, pairs ? 5 * noise / pairs : 0);
	double lowest = fmin(view_max(view, 0), fmin(view_max(view, 1), view_max(view, 2)));
	unsigned length = most < 3 ? most : 3;
	for (; length < most; length++) {
		double value = view_max(view, length);
		if (value > lowest + fall)
			break;
		lowest = value < lowest ? value : lowest;
	}
	return length;
}

static struct trend follow_climb(const struct view *view, const struct levels *levels, unsigned horizon)
{
	unsigned length = climb_length(view);
	struct line line = { .end = levels->mean[LEVELS_6], .residual = levels->deviation[LEVELS_6] };
	if (length < CLIMB_MIN)
		length = CLIMB_MIN;
	else
		line = fit_last(view, length);
	return follow(&line, length, horizon, 12);
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

/* Both side by side: neither has to wait for its own last step alone. */
static void compute_holt(const struct view *view, unsigned horizon, struct trends *trends)
{
	unsigned length = view_length(view, HOLT_STEPS);
	double oldest = view_max(view, length - 1);
	struct holt quick = { .alpha = 0.5, .beta = 0.1, .phi = 0.9, .level = oldest };
	struct holt slow = { .alpha = 0.3, .beta = 0.05, .phi = 0.98, .level = oldest };
	for (unsigned i = length; i > 0; i--) {
		holt_add(&quick, view_max(view, i - 1));
		holt_add(&slow, view_max(view, i - 1));
	}
	trends->holt = holt_highest(&quick, horizon);
	trends->holt_slow = holt_highest(&slow, horizon);
}

void trends_compute(const struct view *view, const struct levels *levels, unsigned horizon, struct trends *ret_trends)
{
	ret_trends->rise_6 = fit_last(view, 6).slope * horizon;
	ret_trends->rise_means = fit(view->mean, view->means).slope * horizon;
	ret_trends->last_12 = follow_last(view, 12, horizon);
	ret_trends->last_24 = follow_last(view, 24, horizon);
	ret_trends->last_48 = follow_last(view, 48, horizon);
	ret_trends->climb = follow_climb(view, levels, horizon);
	compute_holt(view, horizon, ret_trends);
}
