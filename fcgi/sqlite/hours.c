#include "fcgi/sqlite/hours.h"

void hours_init(struct hours *hours)
{
	*hours = (struct hours){ 0 };
	pthread_mutex_init(&hours->lock, NULL);
}

void hours_destroy(struct hours *hours)
{
	pthread_mutex_destroy(&hours->lock);
}

void hours_lock(struct hours *hours)
{
	pthread_mutex_lock(&hours->lock);
}

void hours_unlock(struct hours *hours)
{
	pthread_mutex_unlock(&hours->lock);
}

/* The index of an hour's note; -1: there is none. */
static int find(const struct hours *hours, int64_t hour_ms)
{
	for (int i = 0; i < HOURS_NOTED; i++) {
		if (hours->noted[i].hour_ms == hour_ms && hours->noted[i].last_boot_ms)
			return i;
	}
	return -1;
}

void hours_note(struct hours *hours, int64_t hour_ms, uint32_t host, int64_t boot_ms)
{
	const struct hours_piece *watched = &hours->watched;
	if (hour_ms == watched->hour_ms && host >= watched->first_host && host <= watched->last_host)
		hours->written = true;

	int i = find(hours, hour_ms);
	if (i >= 0) {
		hours->noted[i].last_boot_ms = boot_ms;
		return;
	}
	struct hours_noted *place = &hours->noted[0]; /* that was written to longest ago */
	for (i = 1; i < HOURS_NOTED; i++) {
		if (hours->noted[i].last_boot_ms < place->last_boot_ms)
			place = &hours->noted[i];
	}
	*place = (struct hours_noted){ .hour_ms = hour_ms, .first_boot_ms = boot_ms, .last_boot_ms = boot_ms };
}

bool hours_is_quiet(const struct hours *hours, int64_t hour_ms, int64_t boot_ms, int64_t quiet_ms)
{
	int i = find(hours, hour_ms);
	return i < 0 || boot_ms - hours->noted[i].last_boot_ms >= quiet_ms ||
	       boot_ms - hours->noted[i].first_boot_ms >= HOURS_LONGEST_MS;
}

void hours_begin_anew(struct hours *hours, int64_t hour_ms, int64_t boot_ms)
{
	int i = find(hours, hour_ms);
	if (i >= 0 && boot_ms - hours->noted[i].first_boot_ms >= HOURS_LONGEST_MS)
		hours->noted[i].first_boot_ms = boot_ms;
}

void hours_watch(struct hours *hours, const struct hours_piece *piece)
{
	hours->watched = *piece;
	hours->written = false;
}

bool hours_was_written(const struct hours *hours)
{
	return hours->written;
}
