#include "fcgi/remote/assembly.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fcgi/remote/line_protocol.h"

/* A run of facts of one series; a series may have several. */
struct assembly_series {
	size_t ip, process; /* where they begin in the strings; ip is NO_STRING where hosts do not matter */
	size_t first;       /* of the facts: its own go on to those of the next series */
};

struct assembly_fact {
	int64_t time_ms;
	double value;
	uint32_t order; /* the series' place among all by key and host, once sorted */
	uint8_t half, column;
};

static const size_t NO_STRING = (size_t)-1;

int assembly_open(struct assembly *answer, const char *engine, const struct query *query, enum assembly_kind kind)
{
	*answer = (struct assembly){
		.engine = engine, .query = query, .kind = kind, .by_host = query->by_host || kind == ASSEMBLY_NEWEST,
		.ordered = kind == ASSEMBLY_HISTORY && !query->step_ms,
	};
	if (!query->only)
		return 0;
	answer->only = malloc((query->only_count + 1) * sizeof(*answer->only));
	if (!answer->only)
		return -ENOMEM;
	memcpy(answer->only, query->only, query->only_count * sizeof(*answer->only));
	qsort(answer->only, query->only_count, sizeof(*answer->only), store_compare_keys);
	return 0;
}

void assembly_close(struct assembly *answer)
{
	free(answer->only);
	free(answer->series);
	free(answer->facts);
	text_free(&answer->strings);
	budget_give_back(&answer->share);
}

bool assembly_is_of_nothing(const struct assembly *answer)
{
	const char *process = answer->query->process;
	char clean[WIRE_NAME_SIZE];
	if (answer->query->only && answer->query->only_count == 0)
		return true;
	if (!process)
		return false;
	wire_clean_name(process, strlen(process), clean);
	return strcmp(clean, process) != 0;
}

int assembly_refused(const struct assembly *answer, const char *words)
{
	if (answer->query->ret_refusal)
		snprintf(answer->query->ret_refusal, STORE_REFUSAL_SIZE, "%s", words);
	return -EINVAL;
}

bool assembly_find_half(const struct assembly *answer, const char *measurement, size_t length,
                            enum half *ret_half)
{
	for (int i = 0; i < HALF_COUNT; i++) {
		const char *name = sample_measurement(answer->query->metric, (enum half)i);
		if (name && strlen(name) == length && memcmp(name, measurement, length) == 0) {
			*ret_half = (enum half)i;
			return true;
		}
	}
	return false;
}

/* The items[count], moved where there is no room for one more; it doubles. NULL: out of
 * memory, and the items stay where they are. */
static void *grow(void *items, size_t *capacity, size_t count, size_t size)
{
	if (count < *capacity)
		return items;
	size_t wanted = *capacity ? 2 * *capacity : 256;
	void *larger = realloc(items, wanted * size);
	if (larger)
		*capacity = wanted;
	return larger;
}

/* A series that others have written may be called anything. */
static bool is_name(const char *process)
{
	size_t length = strlen(process);
	return length <= WIRE_NAME_MAX && wire_utf8_check(process, length) == length;
}

int assembly_series(struct assembly *answer, const char *ip, const char *stored_process)
{
	struct assembly_series series = { .ip = NO_STRING };
	size_t length = answer->strings.length;
	if (answer->by_host || answer->ordered) {
		series.ip = length;
		text_append(&answer->strings, ip, strlen(ip) + 1);
	}
	series.process = answer->strings.length;
	line_protocol_append_decoded(&answer->strings, stored_process);
	text_append_char(&answer->strings, '\0');
	bool named = text_failed(&answer->strings) || (is_name(answer->strings.data + series.process) && is_name(ip));
	if (!named) {
		answer->strings.length = length;
		answer->skipping = true;
		answer->left_out++;
		return 0;
	}
	struct assembly_series *all = grow(answer->series, &answer->series_capacity, answer->series_count, sizeof(*all));
	if (all)
		answer->series = all;
	if (!all || text_failed(&answer->strings))
		return -ENOMEM;

	/* Engines that name the series of every fact name the same one many times. */
	const struct assembly_series *last = answer->series_count ? &answer->series[answer->series_count - 1] : NULL;
	size_t added = answer->strings.length - length;
	size_t last_start = !last ? 0 : last->ip != NO_STRING ? last->ip : last->process;
	if (last && length - last_start == added &&
	    memcmp(answer->strings.data + last_start, answer->strings.data + length, added) == 0) {
		answer->strings.length = length;
		answer->skipping = false;
		return 0;
	}

	struct series_key key = { answer->by_host ? answer->strings.data + series.ip : NULL,
		                      answer->strings.data + series.process };
	answer->skipping = answer->only && !bsearch(&key, answer->only, answer->query->only_count, sizeof(key), store_compare_keys);
	series.first = answer->count;
	if (answer->skipping)
		answer->strings.length = length;
	else
		answer->series[answer->series_count++] = series;
	return 0;
}

int assembly_fact(struct assembly *answer, enum half half, enum assembly_column column, double time_ms, double value)
{
	if (answer->skipping)
		return 0;
	const struct query *query = answer->query;
	/* A sum is of many: the mean is what has to be right. */
	bool part = column == ASSEMBLY_SUM || column == ASSEMBLY_COUNT;
	if (!(fabs(time_ms) <= (double)STORE_LATEST_MS) || (!part && !sample_is_usable(value))) {
		answer->left_out++;
		return 0;
	}
	/* A point is one fact, or a sum and a count; with steps more of them may become one. */
	if (answer->kind == ASSEMBLY_HISTORY && answer->count / 2 > query->max_points)
		return -E2BIG;
	int result = budget_grow(&answer->share, (answer->count + 1) * sizeof(struct assembly_fact));
	if (result)
		return result;
	struct assembly_fact *facts = grow(answer->facts, &answer->capacity, answer->count, sizeof(*facts));
	if (!facts)
		return -ENOMEM;
	answer->facts = facts;
	answer->facts[answer->count++] = (struct assembly_fact){
		.time_ms = query->step_ms ? store_step_start((int64_t)time_ms, query->step_ms) : (int64_t)time_ms,
		.value = value,
		.half = (uint8_t)half,
		.column = (uint8_t)column,
	};
	return 0;
}

const char *assembly_ip(const struct assembly *answer, size_t index)
{
	return answer->strings.data + answer->series[index].ip;
}

/* What a sort by key moves: compares without the answer's context. */
struct keyed {
	struct series_key key;
	const char *ip; /* in any case; "" where hosts do not matter */
	size_t index;
};

/* By key, then host, then as they came. */
static int compare_keyed(const void *left, const void *right)
{
	const struct keyed *a = left, *b = right;
	int order = store_compare_keys(&a->key, &b->key);
	if (order == 0)
		order = strcmp(a->ip, b->ip);
	return order ? order : (a->index > b->index) - (a->index < b->index);
}

static int compare_facts(const void *left, const void *right)
{
	const struct assembly_fact *a = left, *b = right;
	/* analyzer: sort_facts() has written all that are sorted */
	if (a->time_ms != b->time_ms)
		return a->time_ms < b->time_ms ? -1 : 1;
	return (a->order > b->order) - (a->order < b->order);
}

/* Most series come in the order of time. */
static void sort_group(struct assembly_fact facts[], size_t count)
{
	for (size_t i = 1; i < count; i++) {
		if (compare_facts(&facts[i - 1], &facts[i]) > 0) {
			qsort(facts, count, sizeof(*facts), compare_facts);
			return;
		}
	}
}

/* The facts of the series of one key, oldest first. */
struct group {
	struct series_key key;
	struct assembly_fact *facts;
	size_t count;
};

/* Sorts the facts in place, by key and time; ret_groups[*ret_count], sorted by key, is
 * the caller's to free. */
static int sort_facts(struct assembly *answer, struct group **ret_groups, size_t *ret_count)
{
	int result = budget_hold(&answer->share, 2 * answer->count * sizeof(struct assembly_fact));
	if (result)
		return result;
	struct keyed *keyed = malloc((answer->series_count + 1) * sizeof(*keyed));
	struct group *groups = calloc(answer->series_count + 1, sizeof(*groups));
	struct assembly_fact *sorted = malloc((answer->count + 1) * sizeof(*sorted));
	if (!keyed || !groups || !sorted) {
		free(keyed);
		free(groups);
		free(sorted);
		return -ENOMEM;
	}

	const char *strings = answer->strings.data;
	for (size_t i = 0; i < answer->series_count; i++) {
		const struct assembly_series *series = &answer->series[i];
		keyed[i] = (struct keyed){
			.key = { answer->by_host ? strings + series->ip : NULL, strings + series->process },
			.ip = answer->ordered ? strings + series->ip : "",
			.index = i,
		};
	}
	qsort(keyed, answer->series_count, sizeof(*keyed), compare_keyed);
	size_t count = 0, used = 0;
	for (size_t i = 0; i < answer->series_count; i++) {
		size_t index = keyed[i].index, at = answer->series[index].first;
		size_t end = index + 1 < answer->series_count ? answer->series[index + 1].first : answer->count;
		if (i == 0 || store_compare_keys(&keyed[i - 1].key, &keyed[i].key) != 0)
			groups[count++] = (struct group){ .key = keyed[i].key, .facts = sorted + used };
		groups[count - 1].count += end - at;
		for (; at < end; at++) {
			sorted[used] = answer->facts[at];
			sorted[used++].order = (uint32_t)i;
		}
	}
	free(keyed);
	for (size_t i = 0; i < count; i++)
		sort_group(groups[i].facts, groups[i].count);

	free(answer->facts);
	answer->facts = sorted;
	result = budget_hold(&answer->share, answer->count * sizeof(*sorted));
	assert(result == 0); /* it is less than it was */
	*ret_groups = groups;
	*ret_count = count;
	return result;
}

/* Moves what the keys point into from here to the answer. */
static char *take_strings(struct assembly *answer)
{
	char *strings = answer->strings.data;
	answer->strings = TEXT_EMPTY;
	return strings;
}

/* The row of one group. */
static struct store_row make_row(struct assembly *answer, const struct group *group)
{
	struct store_row row = { .key = group->key };
	double sum[HALF_COUNT] = { 0 }, count[HALF_COUNT] = { 0 };
	for (size_t i = 0; i < group->count; i++) {
		const struct assembly_fact *fact = &group->facts[i];
		switch ((enum assembly_column)fact->column) {
		case ASSEMBLY_VALUE:
			row.present[fact->half] = true;
			row.value[fact->half] = fact->value;
			row.time_ms[fact->half] = fact->time_ms;
			break;
		case ASSEMBLY_SUM:
			sum[fact->half] = fact->value;
			break;
		case ASSEMBLY_COUNT:
			count[fact->half] = fact->value;
			break;
		case ASSEMBLY_MAXIMUM:
			row.maximum[fact->half] = fact->value;
			break;
		}
	}
	for (int j = 0; j < HALF_COUNT; j++) {
		double mean = sum[j] / count[j];
		if (count[j] > 0 && sample_is_usable(mean)) {
			row.present[j] = true;
			row.value[j] = mean;
		} else if (count[j] != 0) {
			answer->left_out++;
		}
	}
	return row;
}

int assembly_rows(struct assembly *answer, struct store_rows *ret_rows)
{
	struct group *groups;
	size_t group_count, count = 0;
	int result = sort_facts(answer, &groups, &group_count);
	if (result)
		return result;
	struct budget_share share = { 0 };
	result = budget_hold(&share, group_count * sizeof(struct store_row));
	struct store_row *rows = result ? NULL : malloc((group_count + 1) * sizeof(*rows));
	if (!rows) {
		free(groups);
		budget_give_back(&share);
		return result ? result : -ENOMEM;
	}
	for (size_t i = 0; i < group_count; i++) {
		rows[count] = make_row(answer, &groups[i]);
		_Static_assert(HALF_COUNT == 2, "a row has one of them at least");
		count += rows[count].present[HALF_FIRST] || rows[count].present[HALF_SECOND];
	}
	free(groups);
	store_leave_out(answer->engine, answer->left_out);
	*ret_rows = (struct store_rows){ .items = rows, .count = count, .strings = take_strings(answer), .share = share };
	return 0;
}

/* Turns the sums and counts of each step of a group into means; the facts that are left. */
static size_t fold_steps(struct assembly *answer, struct group *group)
{
	size_t count = 0;
	for (size_t i = 0; i < group->count;) {
		double sum = 0, samples = 0;
		struct assembly_fact fact = group->facts[i];
		for (; i < group->count && group->facts[i].time_ms == fact.time_ms; i++) {
			if (group->facts[i].column == ASSEMBLY_SUM)
				sum += group->facts[i].value;
			else if (group->facts[i].column == ASSEMBLY_COUNT)
				samples += group->facts[i].value;
		}
		if (samples != 0)
			fact.value = sum / samples;
		if (sample_is_usable(fact.value))
			group->facts[count++] = fact;
		else
			answer->left_out++;
	}
	return count;
}

int assembly_history(struct assembly *answer, struct store_history *ret_history)
{
	struct group *groups;
	size_t group_count, used = 0, count = 0;
	int result = sort_facts(answer, &groups, &group_count);
	if (result)
		return result;
	struct budget_share share = { 0 };
	struct store_series *items = malloc((group_count + 1) * sizeof(*items));
	struct store_point *points = malloc((answer->count + 1) * sizeof(*points));
	result = items && points ? budget_hold(&share, answer->count * sizeof(*points)) : -ENOMEM;
	if (result)
		goto out;
	for (size_t i = 0; i < group_count; i++) {
		struct group *group = &groups[i];
		if (answer->query->step_ms)
			group->count = fold_steps(answer, group);
		if (group->count == 0)
			continue;
		items[count++] = (struct store_series){ .key = group->key, .points = points + used, .count = group->count };
		for (size_t j = 0; j < group->count; j++)
			points[used++] = (struct store_point){ group->facts[j].time_ms, group->facts[j].value };
	}
	if (used > answer->query->max_points) {
		result = -E2BIG;
		goto out;
	}
	store_leave_out(answer->engine, answer->left_out);
	*ret_history = (struct store_history){
		.items = items, .count = count, .points = points, .strings = take_strings(answer), .share = share,
	};
	free(groups);
	return 0;
out:
	budget_give_back(&share);
	free(items);
	free(points);
	free(groups);
	return result;
}

int assembly_hosts(struct assembly *answer, struct store_hosts *ret_hosts)
{
	struct group *groups;
	size_t group_count, count = 0;
	int result = sort_facts(answer, &groups, &group_count);
	if (result)
		return result;
	struct store_host *hosts = calloc(group_count + 1, sizeof(*hosts));
	if (!hosts) {
		free(groups);
		return -ENOMEM;
	}
	for (size_t i = 0; i < group_count; i++) {
		const struct group *group = &groups[i];
		if (group->count == 0)
			continue;
		struct store_host *host = count ? &hosts[count - 1] : NULL;
		if (!host || strcmp(host->ip, group->key.ip) != 0) {
			host = &hosts[count++];
			host->ip = group->key.ip;
		}
		int64_t newest_ms = group->facts[group->count - 1].time_ms;
		if (newest_ms > host->last_seen_ms) {
			host->last_seen_ms = newest_ms;
			host->processes = 0;
		}
		host->processes += newest_ms == host->last_seen_ms;
	}
	free(groups);
	store_leave_out(answer->engine, answer->left_out);
	*ret_hosts = (struct store_hosts){ .items = hosts, .count = count, .strings = take_strings(answer) };
	return 0;
}
