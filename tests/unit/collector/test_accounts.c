#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/seed.h"

#include <stdio.h>
#include <string.h>

#include "collector/accounts.h"

/*
 * A small kernel: processes that use CPU, fork, end, are orphaned and waited for while /proc is read, PID by PID, and
 * what it tells of those that end. PIDs come back. What is counted is held against what was used.
 */
enum {
	PIDS = 400, /* numbers that there are */
	ALIVE_MAX = 60,
	TICK_US = 10000,
	TICK_NS = TICK_US * 1000,
	QUEUE_MAX = 4096,
};

struct simulated {
	bool alive, zombie; /* neither: the PID is free */
	bool ignores;       /* its children's ends */
	bool reaper;
	int parent;
	uint64_t start_ticks, own_us, children_us;
};

static struct simulated processes[PIDS + 1];
static struct exit_record queue[QUEUE_MAX];
static size_t queued;
static int last_pid, population;
static uint64_t clock_ticks, truth_us, dice;
static bool may_ignore;

static struct accounts accounts;
static struct reading reading;
static uint64_t counted_us;

static unsigned throw_dice(unsigned sides)
{
	dice = dice * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(dice >> 33) % sides;
}

static int64_t now_ns(void)
{
	return (int64_t)clock_ticks * TICK_NS;
}

static int start_process(int parent)
{
	do
		last_pid = last_pid % PIDS + 1;
	while (processes[last_pid].alive || processes[last_pid].zombie);
	processes[last_pid] = (struct simulated){
		.alive = true,
		.parent = parent,
		.start_ticks = clock_ticks,
		.ignores = may_ignore && throw_dice(8) == 0,
		.reaper = throw_dice(10) == 0,
	};
	population++;
	return last_pid;
}

/* Gives what a zombie has used to its parent, unless that does not want to know. */
static void bury(int pid)
{
	struct simulated *process = &processes[pid], *parent = &processes[process->parent];
	if (!parent->ignores)
		parent->children_us += process->own_us + process->children_us;
	process->zombie = false;
	population--;
}

static int heir_of(int pid)
{
	int heir = processes[pid].parent;
	while (heir != 1 && !(processes[heir].alive && processes[heir].reaper))
		heir = processes[heir].parent;
	return heir;
}

static void end_process(int pid)
{
	struct simulated *process = &processes[pid];
	if (queued < QUEUE_MAX) {
		struct exit_record *record = &queue[queued++];
		*record = (struct exit_record){
			.pid = pid,
			.parent = process->parent,
			.lived_us = (clock_ticks - process->start_ticks) * TICK_US,
			.sampled_us = process->own_us,
			.run_us = process->own_us,
			.run_max_us = process->own_us,
		};
		snprintf(record->name, sizeof(record->name), "p%d", pid % 20);
	}
	int heir = heir_of(pid);
	process->alive = false;
	process->zombie = true;
	for (int i = 1; i <= PIDS; i++) {
		if ((processes[i].alive || processes[i].zombie) && processes[i].parent == pid)
			processes[i].parent = heir;
	}
	if (processes[process->parent].ignores)
		bury(pid);
}

static int choose(bool zombie)
{
	for (int tries = 0; tries < 4 * PIDS; tries++) {
		int pid = 1 + (int)throw_dice(PIDS);
		if (zombie ? processes[pid].zombie : processes[pid].alive)
			return pid;
	}
	return 1;
}

static void happen(void)
{
	int pid = choose(false);
	switch (throw_dice(8)) {
	case 0:
	case 1:
		if (population < ALIVE_MAX)
			start_process(pid);
		break;
	case 2:
		if (pid != 1)
			end_process(pid);
		break;
	case 3:
	case 4:
		pid = choose(true);
		if (processes[pid].zombie)
			bury(pid);
		break;
	default: {
		unsigned us = throw_dice(throw_dice(20) ? 3 * TICK_US : 200 * TICK_US);
		processes[pid].own_us += us;
		truth_us += us;
		break;
	}
	}
	clock_ticks += throw_dice(2);
}

static void take_records(void)
{
	for (size_t i = 0; i < queued; i++)
		accounts_take_exit(&accounts, &queue[i], now_ns());
	queued = 0;
}

static bool is_gone(int pid)
{
	return !processes[pid].alive && !processes[pid].zombie;
}

static void read_processes(unsigned busy)
{
	reading.count = 0;
	reading.monotonic_ns = now_ns();
	reading.boot_ticks = clock_ticks;
	reading.ticks_per_s = 1000000 / TICK_US;
	for (int pid = 1; pid <= PIDS; pid++) {
		if (busy && throw_dice(busy) == 0)
			happen();
		const struct simulated *simulated = &processes[pid];
		if (!simulated->alive && !simulated->zombie)
			continue;
		struct process *process = reading_add(&reading);
		*process = (struct process){
			.pid = pid,
			.parent = pid == 1 ? 0 : simulated->parent,
			.threads = 1,
			.state = simulated->zombie ? 'Z' : 'S',
			.start_ticks = simulated->start_ticks,
			.cpu_ticks = simulated->own_us / TICK_US,
			.children_ticks = simulated->children_us / TICK_US,
		};
		snprintf(process->name, sizeof(process->name), "p%d", pid % 20);
	}
	reading_find_early(&reading);
}

/* What a reading and its records count. */
static void count(bool complete)
{
	assert_int_equal(accounts_settle(&accounts, complete), complete);
	for (size_t i = 0; i < reading.count; i++) {
		if (accounts.used_us[i] != ACCOUNTS_UNKNOWN) {
			assert_true(accounts.used_us[i] >= 0);
			counted_us += (uint64_t)accounts.used_us[i];
		}
	}
	for (size_t i = 0; i < accounts.ended_count; i++)
		counted_us += accounts_ended_us(&accounts, &accounts.ended[i]);
}

enum way { RECORDS, PARENTS, BOTH };

static void take_tick(enum way way, unsigned busy)
{
	bool complete = way == RECORDS || (way == BOTH && throw_dice(4) != 0);
	int events = 200 + (int)throw_dice(200);
	for (int i = 0; i < events; i++) {
		happen();
		if (way != PARENTS && throw_dice(50) == 0)
			take_records();
	}
	if (!complete)
		queued /= 2; /* some are lost */
	read_processes(busy);
	assert_int_equal(accounts_take_reading(&accounts, &reading), 0);
	if (way == PARENTS)
		queued = 0;
	take_records();
	count(complete);
}

static void begin(uint64_t seed)
{
	memset(processes, 0, sizeof(processes));
	last_pid = population = 0;
	queued = 0;
	clock_ticks = 1000;
	truth_us = counted_us = 0;
	dice = seed;
	accounts.is_gone = is_gone;
	start_process(0);
	processes[1].reaper = true;
	processes[1].ignores = false;
	read_processes(0);
	assert_int_equal(accounts_take_reading(&accounts, &reading), 0);
	(void)accounts_settle(&accounts, false);
}

static void end(void)
{
	accounts_free(&accounts);
	reading_free(&reading);
}

/* One run of many ticks; the part of what was used that was counted. */
static double run(uint64_t seed, enum way way, unsigned busy)
{
	begin(seed);
	for (int tick = 0; tick < 60; tick++) {
		take_tick(way, busy);
		/* /proc rounds what children have used. */
		if (counted_us > truth_us + TICK_US)
			fail_msg("seed %llu, tick %d: %llu us counted of %llu", (unsigned long long)seed, tick,
			         (unsigned long long)counted_us, (unsigned long long)truth_us);
	}
	/* Quiet: what came while the last ones were read. */
	for (int i = 0; i < 2; i++) {
		read_processes(0);
		assert_int_equal(accounts_take_reading(&accounts, &reading), 0);
		take_records();
		count(way != PARENTS);
	}
	assert_true(counted_us <= truth_us + TICK_US);
	double part = (double)counted_us / (double)truth_us;
	end();
	return part;
}

static void test_accounts_settle_random_families_never_twice(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		enum way way;
		unsigned busy; /* how seldom something happens while /proc is read */
		bool ignoring;
		double least;
	} cases[] = {
		{ "records", RECORDS, 0, false, 0.95 },
		{ "records while much happens", RECORDS, 2, false, 0.95 },
		{ "records, ends ignored", RECORDS, 20, true, 0.95 },
		{ "parents", PARENTS, 0, false, 0.95 },
		{ "parents while something happens", PARENTS, 100, false, 0.95 },
		{ "parents while much happens", PARENTS, 5, false, 0.8 },
		{ "parents, ends ignored", PARENTS, 20, true, 0 },
		{ "records, some lost", BOTH, 0, false, 0.9 },
		{ "records, some lost while something happens", BOTH, 100, false, 0.9 },
		{ "records, some lost while much happens", BOTH, 5, false, 0.8 },
		{ "records, some lost, ends ignored", BOTH, 20, true, 0 },
	};
	uint64_t first = seed_choose(20261122);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		double least = 2, sum = 0;
		enum { RUNS = 12 };
		may_ignore = cases[i].ignoring;
		print_message("%s\n", cases[i].what);
		for (uint64_t seed = first; seed < first + RUNS; seed++) {
			double part = run(seed, cases[i].way, cases[i].busy);
			least = part < least ? part : least;
			sum += part;
		}
		print_message("%s: at least %.3f, %.3f on average\n", cases[i].what, least, sum / RUNS);
		if (least < cases[i].least)
			fail_msg("%s: only %.3f of it is counted", cases[i].what, least);
	}
}

/* ---- Families, by hand. Times are in ticks; two readings, at 1,000 and 2,000. */

struct seen {
	int pid, parent;
	uint64_t start, cpu, children;
	bool zombie;
};

struct ended {
	int pid;
	const char *name;
	uint64_t sampled, run, most, lived;
	bool late; /* it came while the second reading was taken */
};

enum { SEEN_MAX = 6, ENDED_MAX = 6 };

static const struct {
	const char *what;
	struct seen before[SEEN_MAX], now[SEEN_MAX];
	struct ended ended[ENDED_MAX];
	bool lost;
	const char *expected; /* what the PIDs have used, and the names of those that ended */
} families[] = {
	{ "who was never seen", { { 1, 0, 0, 5, 0, false } }, { { 1, 0, 0, 5, 9, false } },
	  { { 7, "cc", 10, 9, 10, 50, false }, { 8, "cc", 10, 10, 10, 50, false }, { 9, "ld", 3, 3, 3, 5, false } }, false,
	  "1:0 cc:20 ld:3 " },
	{ "what ticks have sampled, within what is known", { { 1, 0, 0, 5, 0, false } }, { { 1, 0, 0, 5, 9, false } },
	  { { 7, "cc", 10, 2, 12, 50, false }, { 8, "ld", 10, 2, 6, 50, false }, { 9, "as", 0, 2, 6, 50, false } }, false,
	  "1:0 as:2 cc:10 ld:6 " },
	{ "ticks that are wrong of what is known are not asked", { { 1, 0, 0, 5, 0, false } }, { { 1, 0, 0, 5, 9, false } },
	  { { 7, "cc", 10, 2, 12, 50, false }, { 8, "ld", 3, 40, 40, 50, false } }, false, "1:0 cc:2 ld:40 " },
	{ "samples of several are right together", { { 1, 0, 0, 5, 0, false } }, { { 1, 0, 0, 5, 9, false } },
	  { { 7, "cc", 8, 2, 6, 50, false }, { 8, "cc", 0, 2, 6, 50, false } }, false, "1:0 cc:8 " },
	{ "who was seen counts for the rest, by its running time", { { 1, 0, 0, 0, 0, false }, { 7, 1, 10, 30, 0, false } },
	  { { 1, 0, 0, 0, 50, false } }, { { 7, "other", 90, 50, 90, 1500, false } }, false, "1:0 p7:20 " },
	{ "a zombie is its record's", { { 1, 0, 0, 0, 0, false }, { 7, 1, 10, 30, 0, false } },
	  { { 1, 0, 0, 0, 0, false }, { 7, 1, 10, 50, 0, true } }, { { 7, "x", 50, 50, 50, 1500, false } }, false, "1:0 7:0 p7:20 " },
	{ "a zombie that was never seen alive", { { 1, 0, 0, 0, 0, false } },
	  { { 1, 0, 0, 0, 0, false }, { 7, 1, 1100, 50, 0, true } }, { { 7, "x", 50, 50, 50, 100, false } }, false, "1:0 7:0 x:50 " },
	{ "a record that came after its process was read", { { 1, 0, 0, 0, 0, false }, { 7, 1, 10, 30, 0, false } },
	  { { 1, 0, 0, 0, 0, false }, { 7, 1, 10, 50, 0, false } }, { { 7, "x", 55, 55, 55, 1500, true } }, false,
	  "1:0 7:20 p7:5 " },
	{ "a PID that came back", { { 1, 0, 0, 0, 0, false }, { 7, 1, 10, 30, 0, false } },
	  { { 1, 0, 0, 0, 0, false }, { 7, 1, 1900, 4, 0, false } },
	  { { 7, "a", 40, 40, 40, 1500, false }, { 7, "b", 5, 5, 5, 10, false }, { 7, "c", 6, 6, 6, 100, true } }, false,
	  "1:0 7:4 b:5 p7:12 " },
	{ "who is older than a reading that has not seen it", { { 1, 0, 0, 0, 0, false } }, { { 1, 0, 0, 0, 0, false } },
	  { { 7, "hidden", 900, 900, 900, 1800, false } }, false, "1:0 " },
	{ "records that are not all there count for nothing", { { 1, 0, 0, 0, 0, false }, { 7, 1, 10, 30, 0, false } },
	  { { 1, 0, 0, 0, 50, false } }, { { 7, "x", 50, 50, 50, 1500, false }, { 8, "y", 9, 9, 9, 10, false } }, true, "1:20 " },

	{ "the parent of who was never seen", { { 1, 0, 0, 5, 0, false } }, { { 1, 0, 0, 5, 9, false } }, { { 0 } }, true, "1:9 " },
	{ "the parent of who was seen", { { 1, 0, 0, 5, 0, false }, { 7, 1, 10, 300, 40, false } },
	  { { 1, 0, 0, 5, 350, false } }, { { 0 } }, true, "1:10 " },
	{ "a grandchild reaches its grandparent with its parent",
	  { { 1, 0, 0, 5, 0, false }, { 7, 1, 10, 300, 0, false }, { 8, 7, 10, 100, 0, false } },
	  { { 1, 0, 0, 5, 420, false } }, { { 0 } }, true, "1:20 " },
	{ "a grandchild that its parent has waited for", { { 1, 0, 0, 0, 0, false }, { 7, 1, 10, 0, 0, false }, { 8, 7, 10, 100, 0, false } },
	  { { 1, 0, 0, 0, 0, false }, { 7, 1, 10, 0, 130, false } }, { { 0 } }, true, "1:0 7:30 " },
	{ "an orphan that its parent's parent has inherited", { { 1, 0, 0, 0, 0, false }, { 6, 1, 10, 0, 0, false }, { 7, 6, 10, 0, 0, false }, { 8, 7, 10, 900, 0, false } },
	  { { 1, 0, 0, 0, 910, false }, { 6, 1, 10, 0, 0, false } }, { { 0 } }, true, "1:10 6:0 " },
	{ "a zombie is seen itself", { { 1, 0, 0, 0, 0, false }, { 7, 1, 10, 10, 0, false } },
	  { { 1, 0, 0, 0, 0, false }, { 7, 1, 10, 15, 0, true } }, { { 0 } }, true, "1:0 7:5 " },
	{ "who ignores its children", { { 1, 0, 0, 0, 0, false }, { 7, 1, 10, 100, 0, false } },
	  { { 1, 0, 0, 0, 0, false } }, { { 0 } }, true, "1:0 " },
	{ "a parent that was born since", { { 1, 0, 0, 0, 0, false } },
	  { { 1, 0, 0, 0, 0, false }, { 9, 1, 1500, 3, 80, false } }, { { 0 } }, true, "1:0 9:83 " },
	{ "a parent that is older, but was not seen", { { 1, 0, 0, 0, 0, false } },
	  { { 1, 0, 0, 0, 0, false }, { 9, 1, 500, 3, 80, false } }, { { 0 } }, true, "1:0 9:? " },
};

static void take_family(const struct seen *seen, uint64_t at_ticks)
{
	reading.count = 0;
	for (; seen->pid; seen++) {
		struct process *process = reading_add(&reading);
		*process = (struct process){
			.pid = seen->pid,
			.parent = seen->parent,
			.threads = 1,
			.state = seen->zombie ? 'Z' : 'S',
			.start_ticks = seen->start,
			.cpu_ticks = seen->cpu,
			.children_ticks = seen->children,
		};
		snprintf(process->name, sizeof(process->name), "p%d", seen->pid);
	}
	reading.monotonic_ns = (int64_t)at_ticks * TICK_NS;
	reading.boot_ticks = at_ticks;
	reading.ticks_per_s = 1000000 / TICK_US;
	assert_int_equal(accounts_take_reading(&accounts, &reading), 0);
}

static void take_ended(const struct ended *ended, bool late)
{
	for (; ended->pid; ended++) {
		struct exit_record record = {
			.pid = ended->pid,
			.lived_us = ended->lived * TICK_US,
			.sampled_us = ended->sampled * TICK_US,
			.run_us = ended->run * TICK_US,
			.run_max_us = ended->most * TICK_US,
		};
		snprintf(record.name, sizeof(record.name), "%s", ended->name);
		if (ended->late == late)
			accounts_take_exit(&accounts, &record, INT64_C(2000) * TICK_NS);
	}
}

static void test_accounts_settle_families_by_hand(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		char text[256] = "";
		size_t used = 0;
		take_family(families[i].before, 1000);
		(void)accounts_settle(&accounts, true);
		take_ended(families[i].ended, false);
		take_family(families[i].now, 2000);
		take_ended(families[i].ended, true);
		assert_int_equal(accounts_settle(&accounts, !families[i].lost), !families[i].lost);
		for (size_t j = 0; j < reading.count; j++) {
			int64_t used_us = accounts.used_us[j];
			used += (size_t)snprintf(text + used, sizeof(text) - used, used_us < 0 ? "%d:? " : "%d:%d ",
			                         reading.processes[j].pid, (int)(used_us / TICK_US));
		}
		for (size_t j = 0; j < accounts.ended_count; j++)
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s:%d ", accounts.ended[j].name,
			                         (int)(accounts_ended_us(&accounts, &accounts.ended[j]) / TICK_US));
		if (strcmp(text, families[i].expected) != 0)
			fail_msg("%s: '%s' instead of '%s'", families[i].what, text, families[i].expected);
		end();
	}
}

static void test_accounts_settle_too_many_names_counts_by_parents(void **state)
{
	(void)state;
	take_family((struct seen[]){ { 1, 0, 0, 0, 0, false }, { 0 } }, 1000);
	(void)accounts_settle(&accounts, true);
	for (int i = 0; i <= ACCOUNTS_NAMES; i++) {
		struct exit_record record = { .pid = 100 + i, .run_us = 10, .run_max_us = 10 };
		snprintf(record.name, sizeof(record.name), "n%d", i);
		accounts_take_exit(&accounts, &record, INT64_C(1500) * TICK_NS);
	}
	take_family((struct seen[]){ { 1, 0, 0, 0, 3, false }, { 0 } }, 2000);
	assert_false(accounts_settle(&accounts, true));
	assert_int_equal(accounts.ended_count, 0);
	assert_int_equal(accounts.used_us[0], 3 * TICK_US);
	take_family((struct seen[]){ { 1, 0, 0, 0, 3, false }, { 0 } }, 3000);
	assert_true(accounts_settle(&accounts, true));
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accounts_settle_families_by_hand),
		cmocka_unit_test(test_accounts_settle_too_many_names_counts_by_parents),
		cmocka_unit_test(test_accounts_settle_random_families_never_twice),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
