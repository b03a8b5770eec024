#include "collector/accounts.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "collector/waited.h"
#include "common/wire.h"

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
	uint64_t tick_us = accounts->tick_us = 1000000 / (uint64_t)reading->ticks_per_s;
	for (size_t i = 0; i < reading->count; i++) {
		const struct process *process = &reading->processes[i];
		accounts->now[i] = (struct account){
			.pid = process->pid,
			.parent = process->parent,
			.place = (uint32_t)i,
			.name = name,
			.dead = (process->state == 'Z' || process->state == 'X') && process->threads <= 1,
			.early = process->early,
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

/* Whether a process that no reading had seen has ended while the last one was taken, which its record counts for. */
static bool ended_late(const struct accounts *accounts, int pid)
{
	for (size_t i = 0; i < accounts->late_count; i++) {
		if (accounts->late[i] == pid)
			return true;
	}
	return false;
}

/* What each process used since the last reading, by merging the two. */
static void count_used(struct accounts *accounts, uint64_t boot_before_ticks)
{
	size_t b = 0;
	for (size_t i = 0; i < accounts->count; i++) {
		struct account *now = &accounts->now[i];
		while (b < accounts->before_count && accounts->before[b].pid < now->pid)
			b++;
		struct account *before = b < accounts->before_count ? &accounts->before[b] : NULL;

		bool same = before && before->pid == now->pid && before->start_ticks == now->start_ticks;
		bool known = same || now->start_ticks >= boot_before_ticks; /* or born since */
		if (same)
			before->later = (uint32_t)i + 1;
		uint64_t counted_us = same ? before->counted_us : 0;
		accounts->used_us[now->place] = known ? (int64_t)more_than(now->cpu_us, counted_us) : ACCOUNTS_UNKNOWN;
		now->recorded = same && before->recorded;
		now->recorded_us = same ? before->recorded_us : 0;
		/* Its record counts for who has ended, unless there is none. */
		now->counted_us = (now->dead || now->recorded) && known ? counted_us : now->cpu_us;
		if (now->dead && !same && ended_late(accounts, now->pid)) {
			now->recorded = true;
			now->counted_us = now->cpu_us + accounts->tick_us;
			accounts->used_us[now->place] = 0;
		}
	}
}

static void forget_ended(struct accounts *accounts)
{
	accounts->ended_count = 0;
	accounts->sure = (struct ended_name){ 0 };
	accounts->sure_count = 0;
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
	accounts->late_count = 0;
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

static void add_ended(struct accounts *accounts, const char *name, const struct exit_record *record, uint64_t counted_us)
{
	struct ended_name *ended = find_ended(accounts, name);
	if (!ended) {
		accounts->lost = true;
		return;
	}
	uint64_t rest_us = more_than(record->run_us, counted_us);
	/* Of who was seen, what ticks have sampled says nothing of its rest. */
	ended->sampled_us += counted_us ? rest_us : record->sampled_us;
	ended->run_us += rest_us;
	ended->run_max_us += counted_us ? rest_us : record->run_max_us;
}

static uint64_t choose_used(uint64_t sampled_us, uint64_t run_us, uint64_t run_max_us)
{
	uint64_t at_least_us = sampled_us > run_us ? sampled_us : run_us;
	return at_least_us < run_max_us ? at_least_us : run_max_us;
}

/* Of a process that a reading has seen: as /proc counts, less what was counted, under the name that was seen last. */
static void end_account(struct accounts *accounts, struct account *account, const char *name,
                        const struct exit_record *record)
{
	account->recorded = true;
	account->recorded_us = more_than(record->run_us, account->counted_us);
	add_ended(accounts, name, record, account->counted_us);
}

static void end_unseen(struct accounts *accounts, const struct exit_record *record)
{
	_Static_assert((int)EXIT_NAME_SIZE <= (int)READING_NAME_SIZE, "cleaning makes none longer");
	char clean[WIRE_NAME_SIZE];
	wire_clean_name(record->name, strlen(record->name), clean);
	add_ended(accounts, clean, record, 0);
	if (record->run_us == record->run_max_us) {
		accounts->sure.sampled_us += record->sampled_us;
		accounts->sure.run_us += record->run_us;
		accounts->sure_count++;
	}
	if (accounts->open && accounts->late_count < ACCOUNTS_LATE)
		accounts->late[accounts->late_count++] = record->pid;
	else if (accounts->open)
		accounts->lost = true;
	struct account *parent = accounts_find(accounts->now, accounts->count, record->parent);
	if (!parent && accounts->open)
		parent = accounts_find(accounts->before, accounts->before_count, record->parent);
	*(parent ? &parent->charged_us : &accounts->charged_us) +=
		choose_used(record->sampled_us, record->run_us, record->run_max_us);
}

void accounts_take_exit(struct accounts *accounts, const struct exit_record *record, int64_t now_ns)
{
	if (accounts->given)
		forget_ended(accounts);
	struct account *now = accounts_find(accounts->now, accounts->count, record->pid);
	struct account *before =
		accounts->open ? accounts_find(accounts->before, accounts->before_count, record->pid) : NULL;
	if (before && before->later)
		before = NULL;
	/* Who began before a reading that has not seen it (it is hidden, or a kernel thread) has used an unknown part since. */
	int64_t since_ns = now_ns - (accounts->open ? accounts->monotonic_before_ns : accounts->monotonic_ns);
	if (before && !before->recorded)
		end_account(accounts, before, accounts->names_before.data + before->name, record);
	else if (now && !now->recorded)
		end_account(accounts, now, accounts->names.data + now->name, record);
	else if (!record->kernel_thread && (int64_t)(record->lived_us * 1000) <= since_ns)
		end_unseen(accounts, record);
}

/* On busy cores ticks fall where they do for long, on the same of many short processes, or on none. How far they may be off
 * by chance: half a tick of 4 ms each, twice that with certainty; and a sixteenth. */
static bool ticks_are_right(const struct accounts *accounts)
{
	const struct ended_name *sure = &accounts->sure;
	double off_us = fabs((double)sure->sampled_us - (double)sure->run_us);
	return off_us <= (double)sure->run_us / 16 + 4000 * sqrt((double)accounts->sure_count);
}

uint64_t accounts_ended_us(const struct accounts *accounts, const struct ended_name *ended)
{
	return ticks_are_right(accounts) ? choose_used(ended->sampled_us, ended->run_us, ended->run_max_us) : ended->run_us;
}

/* Where the interval's records count, they have all that ended processes used, also of those that are there still. */
static void settle_account(struct accounts *accounts, struct account *account, bool complete)
{
	int64_t *used_us = &accounts->used_us[account->place];
	bool read_ended = account->dead || (account->recorded && account->counted_us < account->cpu_us);
	if (complete) {
		if (read_ended && *used_us != ACCOUNTS_UNKNOWN)
			*used_us = 0;
		/* A zombie that no reading saw alive was taken for one that none has seen: /proc rounds what it used. */
		if (account->dead && !account->recorded)
			account->counted_us = account->cpu_us + accounts->tick_us;
		account->counted_us += account->recorded_us;
	} else if (account->counted_us < account->cpu_us) {
		account->counted_us = account->cpu_us;
	}
	account->recorded = account->recorded || account->dead;
	/* Where there are records, nobody is that has none: asking costs a system call. */
	account->gone = account->early && (account->recorded || !complete) && accounts->is_gone && accounts->is_gone(account->pid);
	account->recorded_us = 0;
}

bool accounts_settle(struct accounts *accounts, bool complete)
{
	complete = complete && !accounts->lost;
	for (size_t i = 0; i < accounts->count; i++)
		settle_account(accounts, &accounts->now[i], complete);
	if (!complete) {
		forget_ended(accounts);
		accounts->late_count = 0;
	}
	waited_count(accounts, complete);
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
