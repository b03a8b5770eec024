/*
 * The CPU accounts: what each process of a reading has used since the reading before, and what those have used that
 * ended meanwhile. Pure.
 *
 * Of those that ended, in one of two ways:
 *
 * By exit records, by name. What is read is /proc first and the records then, so that whoever was in the last reading
 * and is not in this one has its record here. A record, less what was counted of its process, is counted when it is taken,
 * under the name of the last reading that saw the process, or its own, and closes the account (`recorded`): the present
 * reading may still have the process, as a zombie or before it is one, and what that shows counts no more.
 *
 * By the children that processes have waited for, under their parent's name (collector/waited.h): where there are no
 * records, and in an interval that lost some. The records of that interval then count for nothing.
 *
 * The owner releases the memory, which is used again from reading to reading, with accounts_free().
 */
#ifndef VIGIE_COLLECTOR_ACCOUNTS_H
#define VIGIE_COLLECTOR_ACCOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/exit_records.h"
#include "collector/reading.h"
#include "common/text.h"

enum {
	ACCOUNTS_UNKNOWN = -1, /* used, of who began before the last reading and was not in it */
	/* Further ones make the records of an interval incomplete: */
	ACCOUNTS_NAMES = 2048, /* of ended processes */
	ACCOUNTS_LATE = 1024,  /* processes that no reading saw and that ended while one was taken */
};

/* What was counted of processes that ended, and may be in what others have waited for from the next reading on. */
struct account_debt {
	uint64_t own_us;    /* of its living children: nobody else can wait for them */
	uint64_t family_us; /* of those that it or one above it has inherited */
};

/* A process of a reading. */
struct account {
	int pid;
	int parent;
	uint32_t place; /* in the reading */
	uint32_t name;  /* where its name begins in the names of its reading */
	bool dead;      /* a zombie, all threads of it */
	bool early;     /* as in struct process */
	bool gone;      /* it is early, and has been waited for meanwhile: that is counted with this reading */
	bool recorded;  /* it has ended, and its record was taken */
	uint32_t later; /* its account in the present reading + 1; 0: it has ended. Of an account of the last reading */
	uint64_t start_ticks;
	uint64_t cpu_us;
	uint64_t children_us;
	uint64_t counted_us;  /* of its own, until this reading is settled */
	uint64_t recorded_us; /* what its record has more, which is counted where the interval's records are */
	uint64_t charged_us;  /* likewise, of children that no reading has seen */
	struct account_debt debt;
	/* For collector/waited.h: */
	struct account_debt owed;
	uint64_t balance_us;
};

/* What the ended processes of a name have used, as struct exit_record tells it. */
struct ended_name {
	char name[READING_NAME_SIZE];
	uint64_t sampled_us, run_us, run_max_us;
};

/* All zeros: before the first reading. */
struct accounts {
	bool (*is_gone)(int pid);     /* whether there is no such process any more; NULL: there always is */
	struct account *before, *now; /* by PID; of the last reading and of the present one */
	size_t before_count, count, capacity;
	int64_t *used_us;             /* by place in the present reading; ACCOUNTS_UNKNOWN */
	struct text names, names_before; /* of the two readings, a NUL behind each */
	struct ended_name *ended;     /* by name */
	size_t ended_count, ended_capacity;
	struct ended_name sure;       /* the sums of those of which the run time is known, under no name, and … */
	uint64_t sure_count;          /* … how many they are */
	uint64_t charged_us, debt_us; /* as an account's, of those without a known parent: anybody may have waited for them */
	int late[ACCOUNTS_LATE];      /* PIDs, until the next reading */
	size_t late_count;
	bool partial;                 /* some processes are hidden */
	bool open;                    /* the present reading is not settled yet */
	bool lost;                    /* a record of the interval could not be kept */
	bool given;                   /* `ended` is of the interval that is over */
	int64_t monotonic_ns, monotonic_before_ns;
	uint64_t boot_ticks, tick_us; /* the latter: of /proc's clock */
};

/* Takes the next reading, which is not kept: `used_us` is then what each of its processes has used. 0, or -ENOMEM: it
 * then counts as not taken. */
int accounts_take_reading(struct accounts *accounts, const struct reading *reading) __attribute__((warn_unused_result));

/* Takes the record of a process that has ended: between two readings, or after one, before it is settled. `now_ns` is
 * monotonic. */
void accounts_take_exit(struct accounts *accounts, const struct exit_record *record, int64_t now_ns);

/* The end of the interval: `complete` when there are records and none was lost. Then `ended` is what ended processes
 * have used, until the next record is taken; otherwise it is empty, and `used_us` has it, with the parents. Returns
 * whether it was by records. */
bool accounts_settle(struct accounts *accounts, bool complete);

/* What the processes of that name have used that have ended: the time that they are known to have run for, or, where ticks
 * have sampled right in that interval, what they say within what is known. */
uint64_t accounts_ended_us(const struct accounts *accounts, const struct ended_name *ended);

/* A process of a reading, by its PID; NULL: it has none. */
struct account *accounts_find(struct account *accounts, size_t count, int pid);

void accounts_free(struct accounts *accounts);

#endif
