#include "forecast/week.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CODE_MAX = 255 };
#define NEWEST_MAX (INT64_MAX / WEEK_SLOT_S) /* no step is later */

void week_init(struct week *week, int64_t step_s)
{
	*week = (struct week){ .step_s = step_s, .newest = INT64_MIN, .begun = INT64_MIN };
}

int64_t week_slot(const struct week *week, int64_t index)
{
	return index * week->step_s / WEEK_SLOT_S;
}

unsigned week_code(float value)
{
	if (!(value > 1))
		return 1 + (value > 0 ? (unsigned)lrintf(value * WEEK_BELOW) : 0);
	float over = ceilf((value - 1) * WEEK_OVER);
	return over < CODE_MAX - WEEK_LIMIT ? WEEK_LIMIT + (unsigned)over : CODE_MAX;
}

static uint8_t *place(struct week *week, int64_t slot)
{
	return &week->highest[slot % WEEK_SLOTS];
}

/* The slots up to this one are unknown as far as they are new. */
static void go_on(struct week *week, int64_t slot)
{
	if (week->newest == INT64_MIN || slot <= week->newest - WEEK_SLOTS || slot >= week->newest + WEEK_SLOTS) {
		memset(week->highest, 0, sizeof(week->highest));
		week->newest = slot;
	}
	while (week->newest < slot)
		*place(week, ++week->newest) = 0;
}

void week_add(struct week *week, int64_t index, float max)
{
	if (isnan(max))
		return;
	int64_t slot = week_slot(week, index);
	go_on(week, slot);
	uint8_t *highest = place(week, slot), code = (uint8_t)week_code(max);
	/* The first slot of this life may have begun before it. */
	if (code > *highest || (slot > week->begun && week->begun != INT64_MIN))
		*highest = code;
	week->begun = slot;
}

void week_unroll(const struct week *week, int64_t last, uint8_t ret_codes[static WEEK_SLOTS])
{
	memset(ret_codes, 0, WEEK_SLOTS);
	if (week->newest == INT64_MIN)
		return; /* `last` may be that, too */
	int64_t first = last - WEEK_SLOTS + 1, from = first, to = last;
	from = from > week->newest - WEEK_SLOTS ? from : week->newest - WEEK_SLOTS + 1;
	from = from > 0 ? from : 0;
	to = to < week->newest ? to : week->newest;
	for (int64_t slot = from; slot <= to;) {
		int64_t at = slot % WEEK_SLOTS, count = WEEK_SLOTS - at < to - slot + 1 ? WEEK_SLOTS - at : to - slot + 1;
		memcpy(ret_codes + (slot - first), week->highest + at, (size_t)count);
		slot += count;
	}
}

void week_save(const struct week *week, struct text *text)
{
	static const char digits[] = "0123456789abcdef";
	char saved[2 * WEEK_SLOTS];
	uint8_t codes[WEEK_SLOTS];
	week_unroll(week, week->newest, codes);
	for (int i = 0; i < WEEK_SLOTS; i++) {
		saved[2 * i] = digits[codes[i] / 16];
		saved[2 * i + 1] = digits[codes[i] % 16];
	}
	text_printf(text, "%" PRId64 " ", week->newest == INT64_MIN ? 0 : week->newest);
	text_append(text, saved, sizeof(saved));
}

/* -1: it is none. */
static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool week_restore(struct week *week, const char **at, double scale)
{
	struct week read;
	char *end;
	week_init(&read, week->step_s);
	errno = 0;
	long long newest = strtoll(*at, &end, 10);
	if (errno || newest < 0 || newest > NEWEST_MAX || !isdigit((unsigned char)**at) || *end++ != ' ')
		return false;
	for (int i = 0; i < WEEK_SLOTS; i++) {
		int high = digit(end[2 * i]), low = high < 0 ? -1 : digit(end[2 * i + 1]);
		if (low < 0)
			return false;
		unsigned code = (unsigned)(16 * high + low);
		if (code && scale != 1)
			code = week_code((float)((double)week_value(code) * scale));
		read.highest[(newest + 1 + i) % WEEK_SLOTS] = (uint8_t)code;
	}
	read.newest = newest;
	*week = read;
	*at = end + 2 * WEEK_SLOTS;
	return true;
}
