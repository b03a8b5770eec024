#include "common/sure_clock.h"

static bool agree(int64_t left_ms, int64_t right_ms)
{
	return left_ms - right_ms <= SURE_CLOCK_TOLERANCE_MS && right_ms - left_ms <= SURE_CLOCK_TOLERANCE_MS;
}

void sure_clock_open(struct sure_clock *clock, const struct sure_clock_mark *kept, uint64_t boot, struct moment now)
{
	*clock = (struct sure_clock){
		.boot = boot,
		.ahead_ms = now.wall_ms - now.boot_ms,
		.floor_ms = INT64_MIN,
		.firm_ms = now.boot_ms + SURE_CLOCK_WAIT_MS,
	};
	if (!kept)
		return;
	if (boot && kept->boot == boot && kept->moment.boot_ms <= now.boot_ms) {
		clock->ahead_ms = kept->moment.wall_ms - kept->moment.boot_ms;
		clock->firm_ms = now.boot_ms;
		return;
	}
	/* The machine was off, for no less than nothing. */
	clock->floor_ms = kept->moment.wall_ms - now.boot_ms;
	if (clock->ahead_ms < clock->floor_ms - SURE_CLOCK_TOLERANCE_MS)
		clock->ahead_ms = clock->floor_ms;
}

/* Whether a reading that disagrees has not to be borne out first. */
static bool is_believed_at_once(const struct sure_clock *clock, int64_t ahead_ms, struct moment now)
{
	return now.boot_ms < clock->firm_ms &&
	       (clock->floor_ms == INT64_MIN || ahead_ms >= clock->floor_ms - SURE_CLOCK_TOLERANCE_MS);
}

int64_t sure_clock_read(struct sure_clock *clock, struct moment now, enum sure_clock_news *ret_news)
{
	int64_t ahead_ms = now.wall_ms - now.boot_ms;
	enum sure_clock_news news = SURE_CLOCK_SAME;
	if (agree(ahead_ms, clock->ahead_ms)) {
		if (clock->doubting)
			news = SURE_CLOCK_BACK;
		clock->doubting = false;
		clock->ahead_ms = ahead_ms;
	} else if (is_believed_at_once(clock, ahead_ms, now)) {
		news = SURE_CLOCK_ADOPTED;
		clock->doubting = false;
		clock->ahead_ms = ahead_ms;
		clock->firm_ms = now.boot_ms + SURE_CLOCK_WAIT_MS;
	} else if (!clock->doubting || !agree(ahead_ms, clock->doubtful_ms)) {
		if (!clock->doubting)
			news = SURE_CLOCK_JUMPED;
		clock->doubting = true;
		clock->doubtful_ms = ahead_ms;
		clock->since_ms = now.boot_ms;
	} else if (now.boot_ms - clock->since_ms >= SURE_CLOCK_WAIT_MS) {
		news = SURE_CLOCK_ADOPTED;
		clock->doubting = false;
		clock->ahead_ms = ahead_ms;
		clock->firm_ms = now.boot_ms;
	}
	if (ret_news)
		*ret_news = news;
	return now.boot_ms + clock->ahead_ms;
}

int64_t sure_clock_reached(const struct sure_clock *clock, struct moment now)
{
	int64_t ahead_ms = clock->ahead_ms;
	if (now.boot_ms < clock->firm_ms && clock->floor_ms != INT64_MIN && clock->floor_ms < ahead_ms)
		ahead_ms = clock->floor_ms;
	return now.boot_ms + ahead_ms;
}

struct sure_clock_mark sure_clock_mark(const struct sure_clock *clock, struct moment now)
{
	/* What is believed at once is not borne out by being kept. */
	return (struct sure_clock_mark){
		.boot = now.boot_ms < clock->firm_ms && clock->floor_ms != INT64_MIN ? 0 : clock->boot,
		.moment = { .wall_ms = sure_clock_reached(clock, now), .boot_ms = now.boot_ms },
	};
}
