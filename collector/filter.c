#include "collector/filter.h"

#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(RESOURCE_LIMITED == 2, "minima and ranks are of cpu and mem, and so is what has a bound under \"other\"");

struct filter_name {
	char name[READING_NAME_SIZE];
	int out;      /* ticks in a row for which the filters did not want it */
	int32_t rank; /* the larger of its values, sinking by a quarter a tick */
};

struct filter_choice {
	bool wanted; /* by the filters */
	bool kept;
	int out;
	int32_t rank;
};

static bool reserve(struct filter *filter, size_t count)
{
	if (count <= filter->capacity)
		return true;
	size_t capacity = count + count / 4;
	struct filter_name *sent = realloc(filter->sent, capacity * sizeof(*sent));
	if (sent)
		filter->sent = sent;
	struct filter_name *next = realloc(filter->next, capacity * sizeof(*next));
	if (next)
		filter->next = next;
	struct filter_choice *choices = realloc(filter->choices, capacity * sizeof(*choices));
	if (choices)
		filter->choices = choices;
	size_t *order = realloc(filter->order, capacity * sizeof(*order));
	if (order)
		filter->order = order;
	if (!sent || !next || !choices || !order)
		return false;
	filter->capacity = capacity;
	return true;
}

static bool matches(const struct config_list *globs, const char *name)
{
	for (size_t i = 0; i < globs->count; i++) {
		if (fnmatch(globs->values[i], name, 0) == 0)
			return true;
	}
	return false;
}

bool filter_names(const struct config *config, const char *name)
{
	return (config->collector.include.count == 0 || matches(&config->collector.include, name)) &&
	       !matches(&config->collector.exclude, name);
}

static bool over_minimum(const struct config *config, const struct rate *value)
{
	double min_cpu = config->collector.min_cpu, min_mem = config->collector.min_mem;
	if (min_cpu <= 0 && min_mem <= 0)
		return true;
	return (min_cpu > 0 && value->thousandths[RESOURCE_CPU] >= min_cpu * 1000) ||
	       (min_mem > 0 && value->thousandths[RESOURCE_MEM] >= min_mem * 1000);
}

struct ranking {
	const struct rate *values;
	const struct filter_choice *choices;
	int resource; /* RESOURCE_LIMITED: the choices' rank */
};

static int32_t rank_of(const struct ranking *ranking, size_t place)
{
	return ranking->resource == RESOURCE_LIMITED ? ranking->choices[place].rank
	                                           : ranking->values[place].thousandths[ranking->resource];
}

/* The highest first; equals in the order of their names. */
static int compare_ranks(const void *left, const void *right, void *user)
{
	size_t a = *(const size_t *)left, b = *(const size_t *)right;
	int32_t rank_a = rank_of(user, a), rank_b = rank_of(user, b);
	return rank_a != rank_b ? (rank_a < rank_b) - (rank_a > rank_b) : (a > b) - (a < b);
}

static void sort_order(struct filter *filter, const struct rate *values, size_t count, int resource)
{
	struct ranking ranking = { values, filter->choices, resource };
	qsort_r(filter->order, count, sizeof(*filter->order), compare_ranks, &ranking);
}

/* What globs, minima and top say of each name, apart from what was sent before. */
static void choose_wanted(struct filter *filter, const struct config *config, const struct rate *values, size_t count)
{
	size_t top = (size_t)config->collector.top;
	size_t candidates = 0;
	for (size_t i = 0; i < count; i++) {
		filter->choices[i] = (struct filter_choice){ .wanted = over_minimum(config, &values[i]) };
		if (filter->choices[i].wanted)
			filter->order[candidates++] = i;
	}
	if (top == 0 || candidates <= top)
		return;
	for (size_t i = 0; i < count; i++)
		filter->choices[i].wanted = false;
	for (int resource = 0; resource < RESOURCE_LIMITED; resource++) {
		sort_order(filter, values, candidates, resource);
		for (size_t i = 0; i < top; i++)
			filter->choices[filter->order[i]].wanted = true;
	}
}

/* Brings in what was sent before: both lists are by name. */
static void choose_kept(struct filter *filter, const struct rate *values, size_t count)
{
	size_t s = 0;
	for (size_t i = 0; i < count; i++) {
		struct filter_choice *choice = &filter->choices[i];
		while (s < filter->sent_count && strcmp(filter->sent[s].name, values[i].name) < 0)
			s++;
		bool found = s < filter->sent_count && strcmp(filter->sent[s].name, values[i].name) == 0;
		const struct filter_name *sent = found ? &filter->sent[s] : NULL;

		const int32_t *thousandths = values[i].thousandths;
		choice->rank = thousandths[RESOURCE_CPU] > thousandths[RESOURCE_MEM] ? thousandths[RESOURCE_CPU]
		                                                                     : thousandths[RESOURCE_MEM];
		if (sent && sent->rank - sent->rank / 4 > choice->rank)
			choice->rank = sent->rank - sent->rank / 4;
		choice->out = choice->wanted || !sent ? 0 : sent->out + 1;
		choice->kept = choice->wanted || (sent && choice->out <= FILTER_HOLD_TICKS);
	}
}

/* Leaves the `limit` highest of those kept, returns how many were left out. */
static size_t limit_kept(struct filter *filter, const struct rate *values, size_t count, size_t limit)
{
	size_t kept = 0;
	for (size_t i = 0; i < count; i++) {
		if (filter->choices[i].kept)
			filter->order[kept++] = i;
	}
	if (kept <= limit)
		return 0;
	sort_order(filter, values, kept, RESOURCE_LIMITED);
	return kept - limit; /* they stand at order[limit] and after */
}

static void add_value(int32_t *sum, int32_t value, int64_t maximum)
{
	if (value == RATE_MISSING)
		return;
	int64_t total = (*sum == RATE_MISSING ? 0 : *sum) + (int64_t)value;
	*sum = (int32_t)(total < maximum ? total : maximum);
}

static void add_further(struct rate *other, const struct rate *value)
{
	for (int i = 0; i < RESOURCE_FURTHER && value->has_further; i++) {
		float before = other->has_further ? other->further[i] : (float)RATE_MISSING;
		bool known = before >= 0 || value->further[i] >= 0;
		float sum = fminf(fmaxf(before, 0) + fmaxf(value->further[i], 0), (float)WIRE_VALUE_MAX);
		other->further[i] = known ? sum : (float)RATE_MISSING;
	}
	other->has_further = other->has_further || value->has_further;
}

static void add_to_other(struct rate *other, const struct rate *value)
{
	add_further(other, value);
	add_value(&other->thousandths[RESOURCE_CPU], value->thousandths[RESOURCE_CPU], INT32_MAX);
	add_value(&other->thousandths[RESOURCE_MEM], value->thousandths[RESOURCE_MEM], 100 * 1000);
}

/* Moves those kept to the front and remembers them as sent; returns how many. */
static size_t take_kept(struct filter *filter, struct rate *values, size_t count, struct rate *other)
{
	size_t kept = 0;
	for (size_t i = 0; i < count; i++) {
		if (!filter->choices[i].kept)
			continue;
		struct filter_name *next = &filter->next[kept];
		memcpy(next->name, values[i].name, strlen(values[i].name) + 1);
		next->out = filter->choices[i].out;
		next->rank = filter->choices[i].rank;
		values[kept++] = values[i];
	}
	struct filter_name *oldest = filter->sent;
	filter->sent = filter->next;
	filter->next = oldest;
	filter->sent_count = kept;

	for (size_t i = 0; other && i < kept; i++) {
		if (strcmp(values[i].name, FILTER_OTHER) == 0) {
			add_to_other(&values[i], other);
			return kept;
		}
	}
	if (other)
		values[kept++] = *other;
	return kept;
}

int filter_apply(struct filter *filter, const struct config *config, struct rate *values, size_t *count,
                 size_t *ret_folded)
{
	size_t limit = (size_t)config->collector.max_processes;
	bool globs = config->collector.include.count || config->collector.exclude.count;
	bool narrows = config->collector.top || config->collector.min_cpu > 0 || config->collector.min_mem > 0;
	if ((narrows || *count > limit) && !reserve(filter, *count))
		return -ENOMEM;

	size_t left = globs ? 0 : *count;
	for (size_t i = 0; globs && i < *count; i++) {
		if (filter_names(config, values[i].name))
			values[left++] = values[i];
	}
	*count = left;
	*ret_folded = 0;
	if (!narrows && left <= limit) {
		filter->sent_count = 0;
		return 0;
	}

	choose_wanted(filter, config, values, left);
	choose_kept(filter, values, left);
	size_t folded = limit_kept(filter, values, left, limit);
	struct rate other = { .name = FILTER_OTHER, .thousandths = { RATE_MISSING, RATE_MISSING } };
	for (size_t i = 0; i < folded; i++) {
		size_t place = filter->order[limit + i];
		filter->choices[place].kept = false;
		add_to_other(&other, &values[place]);
	}
	*count = take_kept(filter, values, left, folded ? &other : NULL);
	*ret_folded = folded;
	return 0;
}

void filter_free(struct filter *filter)
{
	free(filter->sent);
	free(filter->next);
	free(filter->choices);
	free(filter->order);
	*filter = (struct filter){ 0 };
}
