#include "common/tick.h"

#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "common/log.h"

/* The boundary at or before `time_ms`. */
static int64_t boundary_before(int64_t time_ms, int64_t interval_ms)
{
	int64_t past = time_ms % interval_ms;
	return time_ms - (past < 0 ? past + interval_ms : past);
}

int64_t tick_next_boundary(int64_t now_ms, int64_t interval_ms, int64_t phase_ms, int64_t at_least_ms)
{
	int64_t earliest = now_ms + at_least_ms - phase_ms;
	int64_t boundary = boundary_before(earliest, interval_ms);
	return boundary == earliest ? boundary : boundary + interval_ms;
}

/* Sets the timer for the planned boundary; a time that has passed fires at once. */
static void arm(struct tick *tick, struct moment now)
{
	int64_t wait_ms = tick->boundary_ms + tick->phase_ms - now.wall_ms;
	tick->due_boot_ms = now.boot_ms + wait_ms;
	if (wait_ms < 1)
		wait_ms = 1;
	struct itimerspec timer = {
		.it_value = { .tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000 },
	};
	timerfd_settime(tick->timer_fd, 0, &timer, NULL);
}

int tick_open(struct tick *tick, int64_t interval_ms, int64_t phase_ms, int64_t at_least_ms, struct moment now)
{
	*tick = (struct tick){
		.interval_ms = interval_ms,
		.phase_ms = phase_ms % interval_ms,
		.timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK),
	};
	if (tick->timer_fd < 0)
		return -errno;
	tick->boundary_ms = tick_next_boundary(now.wall_ms, interval_ms, tick->phase_ms, at_least_ms);
	arm(tick, now);
	return 0;
}

int tick_reopen(struct tick *tick, int64_t interval_ms, int64_t phase_ms, struct moment now)
{
	if (tick->timer_fd >= 0 && tick->interval_ms == interval_ms && tick->phase_ms == phase_ms % interval_ms)
		return 0;
	struct tick opened;
	int result = tick_open(&opened, interval_ms, phase_ms, 0, now);
	if (result)
		return result;
	tick_close(tick);
	*tick = opened;
	return 0;
}

bool tick_renew(struct tick *tick, int64_t interval_ms, int64_t phase_ms)
{
	int result = tick_reopen(tick, interval_ms, phase_ms, clock_moment());
	if (result)
		log_error("cannot make a timer: %s", strerror(-result));
	return result == 0;
}

bool tick_take(struct tick *tick, struct moment now, int64_t *ret_boundary_ms)
{
	int64_t early_ms = tick->boundary_ms + tick->phase_ms - now.wall_ms;
	int64_t late_ms = now.boot_ms - tick->due_boot_ms; /* whatever the wall clock was set to */
	tick->missed += late_ms > 0 ? late_ms / tick->interval_ms : 0;
	if (early_ms > 0) {
		/* Set back by more than an interval: the planned boundary is too far off. */
		if (early_ms > tick->interval_ms)
			tick->boundary_ms = tick_next_boundary(now.wall_ms, tick->interval_ms, tick->phase_ms, 0);
		arm(tick, now);
		return false;
	}
	int64_t newest = boundary_before(now.wall_ms - tick->phase_ms, tick->interval_ms);
	*ret_boundary_ms = newest;
	tick->boundary_ms = newest + tick->interval_ms;
	arm(tick, now);
	return true;
}

void tick_close(struct tick *tick)
{
	if (tick->timer_fd >= 0)
		close(tick->timer_fd);
	tick->timer_fd = -1;
}
