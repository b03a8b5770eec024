#include "collector/server_clock.h"

#include <stdlib.h>

/* Quartz is right to 50 parts in a million, and there are two of them. */
enum { DRIFT_DIVISOR = 10000 };

struct bounds {
	int64_t low_ms, high_ms;
};

static struct bounds bounds_at(const struct server_clock *clock, int64_t boot_ms)
{
	int64_t drift_ms = llabs(boot_ms - clock->measured.boot_ms) / DRIFT_DIVISOR;
	return (struct bounds){ clock->low_ms - drift_ms, clock->high_ms + drift_ms };
}

static int64_t between(int64_t low, int64_t value, int64_t high)
{
	return value < low ? low : value > high ? high : value;
}

void server_clock_learn(struct server_clock *clock, int64_t low_ms, int64_t high_ms, struct moment begun,
                        struct moment ended)
{
	struct bounds fresh = { low_ms - ended.boot_ms, high_ms - begun.boot_ms };
	struct bounds old = bounds_at(clock, ended.boot_ms);
	bool agree = clock->known && fresh.low_ms <= old.high_ms && old.low_ms <= fresh.high_ms;
	if (agree) {
		fresh.low_ms = fresh.low_ms > old.low_ms ? fresh.low_ms : old.low_ms;
		fresh.high_ms = fresh.high_ms < old.high_ms ? fresh.high_ms : old.high_ms;
	}
	int64_t middle_ms = fresh.low_ms + (fresh.high_ms - fresh.low_ms) / 2;
	clock->ahead_ms = agree ? between(fresh.low_ms, clock->ahead_ms, fresh.high_ms) : middle_ms;
	clock->low_ms = fresh.low_ms;
	clock->high_ms = fresh.high_ms;
	clock->measured = ended;
	clock->known = true;
}

bool server_clock_is_sure(const struct server_clock *clock, struct moment now)
{
	int64_t leapt_ms = (now.wall_ms - clock->measured.wall_ms) - (now.boot_ms - clock->measured.boot_ms);
	return clock->known && llabs(leapt_ms) <= SERVER_CLOCK_SURE_MS;
}

/* How far a time lies outside of what the server's clock may have been at `boot_ms`. */
static int64_t distance_ms(const struct server_clock *clock, int64_t time_ms, int64_t boot_ms, int64_t now_boot_ms)
{
	struct bounds bounds = bounds_at(clock, now_boot_ms);
	int64_t ahead_ms = time_ms - boot_ms;
	return llabs(ahead_ms - between(bounds.low_ms, ahead_ms, bounds.high_ms));
}

struct moment server_clock_judge(struct server_clock *clock, struct moment now)
{
	if (!clock->known)
		return now;
	int64_t distance = distance_ms(clock, now.wall_ms, now.boot_ms, now.boot_ms);
	/* Back to its own only where that is hardly a leap. */
	if (distance > SERVER_CLOCK_TRUST_MS)
		clock->correcting = true;
	else if (distance == 0)
		clock->correcting = false;
	if (clock->correcting)
		now.wall_ms = now.boot_ms + clock->ahead_ms;
	return now;
}

bool server_clock_offset_ms(const struct server_clock *clock, struct moment now, int64_t *ret_offset_ms)
{
	if (!clock->known)
		return false;
	bool differs = distance_ms(clock, now.wall_ms, now.boot_ms, now.boot_ms) > 0;
	*ret_offset_ms = differs ? now.wall_ms - now.boot_ms - clock->ahead_ms : 0;
	return true;
}

int64_t server_clock_settle(const struct server_clock *clock, const struct stamp *stamp, struct moment now,
                            uint64_t boot_id)
{
	if (!clock->known)
		return stamp->time_ms;
	if (boot_id && stamp->boot_id == boot_id) {
		bool right = distance_ms(clock, stamp->time_ms, stamp->boot_ms, now.boot_ms) <= SERVER_CLOCK_TRUST_MS;
		return right ? stamp->time_ms : stamp->boot_ms + clock->ahead_ms;
	}
	/* Of an earlier start all that is known is the wall clock: as wrong as it is now, one hopes. */
	if (distance_ms(clock, now.wall_ms, now.boot_ms, now.boot_ms) <= SERVER_CLOCK_TRUST_MS)
		return stamp->time_ms;
	return stamp->time_ms + now.boot_ms + clock->ahead_ms - now.wall_ms;
}
