#include "collector/accounts.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "collector/waited.h"
#include "common/wire.h"

/* Four times what the samples of one process are off by, at the usual 250 ticks a second: half a tick at most. */
enum { SAMPLING_US = 8000 };

static bool reserve(struct accounts *accounts, size_t count)
{
	if (count <= accounts->capacity)
		return true;
	size_t capacity = count + count / 4;
	struct account *before = realloc(accounts->before, capacity * sizeof(*before));
	if (before)
		accounts->before = before;
	struct account *now = realloc(accounts->now, capacity * sizeof(*now));
	if (now)
		accounts->now = now;
	int64_t *used_us = realloc(accounts->used_us, capacity * sizeof(*used_us));
	if (used_us)
		accounts->used_us = used_us;
	if (!before || !now || !used_us)
		return false;
	accounts->capacity = capacity;
	return true;
}

static int compare_pids(const void *left, const void *right)
{
	const struct account *a = left, *b = right;
	return (a->pid > b->pid) - (a->pid < b->pid);
}

struct account *accounts_find(struct account *accounts, size_t count, int pid)
{
	const struct account wanted = { .pid = pid };
	return count ? bsearch(&wanted, accounts, count, sizeof(wanted), compare_pids) : NULL;
}

static uint64_t more_than(uint64_t value, uint64_t other)
{
	return value > other ? value - other : 0;
}

/* 0 or -ENOMEM. */
static int keep_names(struct text *names, const struct reading *reading)
{
	text_reset(names);
	for (size_t i = 0; i < reading->count; i++) {
		text_append_string(names, reading->processes[i].name);
		text_append_char(names, '\0');
	}
	return text_failed(names) ? -ENOMEM : 0;
}

static void list_by_pid(struct accounts *accounts, const struct reading *reading)
{
	uint32_t name = 0;
	uint64_t tick_us = 1000000 / (uint64_t)reading->ticks_per_s;
	for (size_t i = 0; i < reading->count; i++) {
		const struct process *process = &reading->processes[i];
		accounts->now[i] = (struct account){
			.pid = process->pid,
			.parent = process->parent,
			.place = (uint32_t)i,
			.name = name,
			.dead = (process->state == 'Z' || process->state == 'X') && process->threads <= 1,
			.gone = process->gone,
			.start_ticks = process->start_ticks,
			.cpu_us = process->cpu_ticks * tick_us,
			.children_us = process->children_ticks * tick_us,
		};
		name += (uint32_t)strlen(process->name) + 1;
	}
	accounts->count = reading->count;
	if (reading->count > 1)
		qsort(accounts->now, reading->count, sizeof(*accounts->now), compare_pids);
}

/* What each process used since the last reading, by merging the two. */
static void count_used(struct accounts *accounts, uint64_t boot_before_ticks)
{
	size_t b = 0;
	for (size_t i = 0; i < accounts->count; i++) {
		struct account *now = &accounts->now[i];
		while (b < accounts->before_count && accounts->before[b].pid < now->pid)
			b++;
		const struct account *before = b < accounts->before_count ? &accounts->before[b] : NULL;

		bool same = before && before->pid == now->pid && before->start_ticks == now->start_ticks;
		bool known = same || now->start_ticks >= boot_before_ticks; /* or born since */
		uint64_t counted_us = same ? before->counted_us : 0;
		accounts->used_us[now->place] = known ? (int64_t)more_than(now->cpu_us, counted_us) : ACCOUNTS_UNKNOWN;
		/* A zombie's record counts for it, unless there is none. */
		now->counted_us = now->dead && known ? counted_us : now->cpu_us;
		now->recorded = now->dead && same && before->recorded;
	}
}

static void forget_ended(struct accounts *accounts)
{
	accounts->ended_count = 0;
	accounts->lost = accounts->given = false;
}

int accounts_take_reading(struct accounts *accounts, const struct reading *reading)
{
	/* In the place of the oldest ones, which nobody asks for any more. */
	if (!reserve(accounts, reading->count) || keep_names(&accounts->names_before, reading) != 0)
		return -ENOMEM;
	if (accounts->given)
		forget_ended(accounts);
	struct account *oldest = accounts->before;
	accounts->before = accounts->now;
	accounts->before_count = accounts->count;
	accounts->now = oldest;
	struct text names = accounts->names_before;
	accounts->names_before = accounts->names;
	accounts->names = names;

	list_by_pid(accounts, reading);
	count_used(accounts, accounts->boot_ticks);
	accounts->boot_ticks = reading->boot_ticks;
	accounts->monotonic_before_ns = accounts->monotonic_ns;
	accounts->monotonic_ns = reading->monotonic_ns;
	accounts->partial = reading->partial;
	accounts->open = true;
	return 0;
}

/* ---- Records */

/* The entry of a name, a new one where there is none; NULL: there is no room for it. */
static struct ended_name *find_ended(struct accounts *accounts, const char *name)
{
	size_t low = 0, high = accounts->ended_count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(accounts->ended[middle].name, name);
		if (order == 0)
			return &accounts->ended[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (accounts->ended_count == ACCOUNTS_NAMES)
		return NULL;
	if (accounts->ended_count == accounts->ended_capacity) {
		size_t capacity = accounts->ended_capacity ? accounts->ended_capacity * 2 : 16;
		struct ended_name *ended = realloc(accounts->ended, capacity * sizeof(*ended));
		if (!ended)
			return NULL;
		accounts->ended = ended;
		accounts->ended_capacity = capacity;
	}
	struct ended_name *place = &accounts->ended[low];
	memmove(place + 1, place, (accounts->ended_count - low) * sizeof(*place));
	accounts->ended_count++;
	*place = (struct ended_name){ 0 };
	memcpy(place->name, name, strlen(name) + 1);
	return place;
}

static void add_ended(struct accounts *accounts, const char *name, uint64_t sampled_us, uint64_t run_us, bool unseen)
{
	struct ended_name *ended = find_ended(accounts, name);
	if (!ended) {
		accounts->lost = true;
		return;
	}
	ended->sampled_us += sampled_us;
	ended->run_us += run_us;
	ended->unseen += unseen;
}

/* The name of an ended process: that of the last reading that has seen it; NULL: none has. */
static void add_under_its_name(struct accounts *accounts, const char *seen, const struct exit_record *record,
                               uint64_t sampled_us, uint64_t run_us)
{
	_Static_assert((int)EXIT_NAME_SIZE <= (int)READING_NAME_SIZE, "cleaning makes none longer");
	char clean[WIRE_NAME_SIZE];
	if (!seen)
		wire_clean_name(record->name, strlen(record->name), clean);
	add_ended(accounts, seen ? seen : clean, sampled_us, run_us, !seen);
}

/* Of a process that a reading has seen: as /proc counts, less what was counted. */
static void end_account(struct accounts *accounts, struct account *account, const char *seen,
                        const struct exit_record *record)
{
	uint64_t rest_us = more_than(record->run_us, account->counted_us);
	account->recorded = true;
	add_under_its_name(accounts, seen, record, rest_us, rest_us);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* What came while a reading was taken may have been waited for after the parent was read. */
static void note_late(struct accounts *accounts, const struct exit_record *record, uint64_t children_us)
{
	struct account *parent = accounts->open ? accounts_find(accounts->now, accounts->count, record->parent) : NULL;
	if (parent)
		parent->late_us += larger(record->sampled_us, record->run_us) + children_us;
}

void accounts_take_exit(struct accounts *accounts, const struct exit_record *record, int64_t now_ns)
{
	if (accounts->given)
		forget_ended(accounts);
	struct account *now = accounts_find(accounts->now, accounts->count, record->pid);
	struct account *before =
		accounts->open ? accounts_find(accounts->before, accounts->before_count, record->pid) : NULL;
	if (before && now && before->start_ticks == now->start_ticks)
		before = NULL;
	if (before && !before->recorded) {
		end_account(accounts, before, accounts->names_before.data + before->name, record);
		note_late(accounts, record, before->children_us);
	} else if (now && !now->recorded) {
		end_account(accounts, now, accounts->names.data + now->name, record);
		now->recorded_us = record->run_us;
	} else {
		/* Who began before a reading that has not seen it (it is hidden, or a kernel thread) has used an unknown part
		 * since. */
		int64_t since_ns = now_ns - (accounts->open ? accounts->monotonic_before_ns : accounts->monotonic_ns);
		if (record->kernel_thread || (int64_t)(record->lived_us * 1000) > since_ns)
			return;
		add_under_its_name(accounts, NULL, record, record->sampled_us, record->run_us);
		note_late(accounts, record, 0);
	}
}

uint64_t accounts_ended_us(const struct ended_name *ended)
{
	double more_us = (double)more_than(ended->sampled_us, ended->run_us);
	return more_us > SAMPLING_US * sqrt((double)ended->unseen) ? ended->sampled_us : ended->run_us;
}

/* Where the interval's records count, they have all that ended processes used, the zombies among them. */
static void settle_account(struct accounts *accounts, struct account *account, bool complete)
{
	if (account->dead) {
		if (complete && accounts->used_us[account->place] != ACCOUNTS_UNKNOWN)
			accounts->used_us[account->place] = 0;
		account->recorded = true;
		account->counted_us = larger(account->counted_us, account->cpu_us);
	} else if (complete) {
		account->counted_us = larger(account->counted_us, account->recorded_us);
	}
	if (complete) {
		account->debt_us = account->late_us;
		account->gone = false;
	}
}

bool accounts_settle(struct accounts *accounts, bool complete)
{
	complete = complete && !accounts->lost;
	for (size_t i = 0; i < accounts->count; i++)
		settle_account(accounts, &accounts->now[i], complete);
	if (!complete) {
		forget_ended(accounts);
		waited_count(accounts);
	}
	accounts->open = false;
	accounts->given = true;
	return complete;
}

void accounts_free(struct accounts *accounts)
{
	free(accounts->before);
	free(accounts->now);
	free(accounts->used_us);
	text_free(&accounts->names);
	text_free(&accounts->names_before);
	free(accounts->ended);
	*accounts = (struct accounts){ 0 };
}
