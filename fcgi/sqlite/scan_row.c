#include "fcgi/sqlite/scan.h"

#include <errno.h>

#include "fcgi/sqlite/placement.h"
#include "fcgi/sqlite/scan_helper.h"

enum { HELPED_BYTES = 256 << 10 }; /* of rows, a millisecond: from here on there is a second thread for them */

struct packing_number scan_check_number(struct packing_number number, bool possible)
{
	bool usable = number.code == PACKING_DOUBLE ? sample_is_usable(packing_number_value(&number)) : packing_is_plain(&number);
	return usable && possible ? number : (struct packing_number){ .code = PACKING_ABSENT };
}

/* Notes the samples of a row. */
static int note_late(struct late *late, struct scan_row row)
{
	int32_t group;
	int more = scan_next_entry(&row, &group), result = 0;
	for (; more == 1 && result == 0; more = scan_next_entry(&row, &group)) {
		struct late_sample sample = { .series = row.reader.entry.series, .offset_ms = (uint32_t)(row.time_ms % BLOCK_MS) };
		for (int i = 0; i < HALF_COUNT; i++)
			sample.present[i] = row.reader.numbers[i].code != PACKING_ABSENT;
		result = late_add(late, &sample);
	}
	return result ? result : more;
}

static struct scan_row row_of(const struct scan *scan, int64_t key, const void *data, size_t length)
{
	return (struct scan_row){
		.grouping = &scan->snapshot->grouping,
		.start_ms = placement_start_ms(key),
		.first_ms = scan->first_ms,
		.last_ms = scan->last_ms,
		.reader = packing_read(data, length),
	};
}

static int check_row(const struct scan *scan, int64_t key, int result)
{
	if (result != -EBADMSG)
		return result;
	return database_damaged(scan->snapshot->readers->database, DATABASE_READING, "row %lld of its samples is damaged",
	                        (long long)key);
}

int scan_read_row(const struct scan *scan, int64_t key, const void *data, size_t length)
{
	struct scan_row row = row_of(scan, key, data, length);
	int result = scan->sink->row(scan->sink->state, &row);
	store_leave_out("sqlite", row.unusable);
	return check_row(scan, key, result);
}

int scan_visit_row(struct scan *scan, int64_t key, const void *data, size_t length, struct late *late)
{
	int result = late ? check_row(scan, key, note_late(late, row_of(scan, key, data, length))) : 0;
	return result ? result : scan_read_row(scan, key, data, length);
}

int scan_visit_row_of_all(struct scan *scan, int64_t key, const void *data, size_t length)
{
	bool many = scan->row_bytes >= HELPED_BYTES;
	scan->row_bytes += length;
	/* A core for one is looked for once. */
	if (!many && scan->row_bytes >= HELPED_BYTES && scan->sink->hold_second)
		scan->helper = scan_helper_open(scan);
	return scan->helper ? scan_helper_add(scan->helper, SCAN_ROW, key, data, length) : scan_read_row(scan, key, data, length);
}
