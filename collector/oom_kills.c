#include "collector/oom_kills.h"

#include <string.h>

#include "collector/filter.h"
#include "common/log.h"

void oom_list_add(struct oom_list *list, const char *name, int64_t count)
{
	if (count <= 0)
		return;
	size_t i = 0;
	while (i < list->count && strcmp(list->items[i].name, name) != 0)
		i++;
	if (i == list->count && i >= OOM_KILLS_NAMES && strcmp(name, OOM_KILLS_UNNAMED) != 0) {
		oom_list_add(list, OOM_KILLS_UNNAMED, count);
		return;
	}
	struct oom_kill *kill = &list->items[i];
	if (i == list->count) {
		*kill = (struct oom_kill){ .count = 0 };
		strncpy(kill->name, name, sizeof(kill->name) - 1);
		list->count++;
	}
	kill->count = count < INT32_MAX - kill->count ? kill->count + (int32_t)count : INT32_MAX;
}

void oom_kills_open(struct oom_kills *kills)
{
	int result = oom_records_open(&kills->records);
	kills->counting = oom_records_count(&kills->counted) == 0;
	if (result)
		log_info("whom the kernel kills for want of memory is %s: its records: %s",
		         kills->counting ? "known by number alone" : "not known", strerror(-result));
}

void oom_kills_close(struct oom_kills *kills)
{
	oom_records_close(kills->records);
}

/* What the values of a process that was killed are called. */
static void name_of(const struct oom_record *record, const struct reading *reading, char ret_name[static WIRE_NAME_SIZE])
{
	for (size_t i = 0; i < reading->count; i++) {
		if (reading->processes[i].pid == record->pid) {
			memcpy(ret_name, reading->processes[i].name, sizeof(reading->processes[i].name));
			return;
		}
	}
	wire_clean_name(record->name, record->name_length, ret_name);
}

void oom_kills_take(struct oom_kills *kills, const struct reading *reading, const struct config *config)
{
	struct oom_record record;
	char name[WIRE_NAME_SIZE];
	uint64_t counted = 0;
	int64_t named = 0;
	/* Counted first: a kill in between is then in the records alone, and not also one without a name. */
	bool counting = oom_records_count(&counted) == 0;
	while (kills->records && oom_records_next(kills->records, &record)) {
		name_of(&record, reading, name);
		if (filter_names(config, name))
			oom_list_add(&kills->list, name, 1);
		named++;
	}
	bool whole = kills->records && !oom_records_lost(kills->records);
	if (!whole && counting && kills->counting && counted > kills->counted)
		oom_list_add(&kills->list, OOM_KILLS_UNNAMED, (int64_t)(counted - kills->counted) - named);
	kills->counting = counting;
	kills->counted = counted;
}
