#include "collector/sampler.h"

#include <errno.h>
#include <libproc2/pids.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "collector/identity.h"
#include "collector/io.h"
#include "collector/memory.h"
#include "common/clock.h"
#include "common/wire.h"

/* PF_KTHREAD of include/linux/sched.h. A parent of 2 would tell the same of all
 * but kthreadd itself, and something else in a PID namespace. */
#define FLAG_KERNEL_THREAD 0x00200000UL
/* PF_FORKNOEXEC, likewise. */
#define FLAG_FORKED 0x00000040UL

enum column { PID, COMMAND, BEGAN, TICKS, RESIDENT, FLAGS, PARENT, STATE, THREADS, VIRTUAL, CHILDREN, COLUMN_COUNT };

static enum pids_item columns[COLUMN_COUNT] = {
	[PID] = PIDS_ID_PID,       [COMMAND] = PIDS_CMD,  [BEGAN] = PIDS_TICS_BEGAN,
	[TICKS] = PIDS_TICS_ALL,   [RESIDENT] = PIDS_RSS, [FLAGS] = PIDS_FLAGS,
	[PARENT] = PIDS_ID_PPID,   [STATE] = PIDS_STATE,  [THREADS] = PIDS_NLWP,
	[VIRTUAL] = PIDS_VSIZE_BYTES,
	[CHILDREN] = PIDS_TICS_ALL_C, /* and its own */
};

/* What PIDS_VAL() gives, which takes an argument less from libproc2 4.0.5 on. */
#define VALUE(column, type, stack) ((stack)->head[column].result.type)

struct sampler {
	struct pids_info *pids;
	bool kernel_threads;
	bool io;
	struct memory memory;
	struct machine_memory machine; /* as last told */
	struct identity *identity; /* NULL: nothing beyond what libproc2 tells */
	int64_t ticks_per_s;
};

int sampler_open(bool kernel_threads, struct sampler **ret_sampler)
{
	if (access("/proc/self/stat", R_OK) != 0)
		return -errno;
	struct sampler *sampler = calloc(1, sizeof(*sampler));
	if (!sampler)
		return -ENOMEM;
	sampler->kernel_threads = kernel_threads;
	sampler->memory = (struct memory){ "/proc", (uint64_t)sysconf(_SC_PAGESIZE) / 1024 };
	sampler->machine.total_kib = (uint64_t)sysconf(_SC_PHYS_PAGES) * sampler->memory.page_kib;
	sampler->ticks_per_s = sysconf(_SC_CLK_TCK);

	/* Where there is no such locale, names over ASCII lose their accents, no more. */
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	int result = procps_pids_new(&sampler->pids, columns, COLUMN_COUNT);
	if (result < 0) {
		free(sampler);
		return result;
	}
	*ret_sampler = sampler;
	return 0;
}

void sampler_close(struct sampler *sampler)
{
	if (!sampler)
		return;
	procps_pids_unref(&sampler->pids);
	identity_close(sampler->identity);
	free(sampler);
}

void sampler_set_kernel_threads(struct sampler *sampler, bool kernel_threads)
{
	sampler->kernel_threads = kernel_threads;
}

int sampler_set_io(struct sampler *sampler, bool io)
{
	int result = io ? io_check("/proc") : 0;
	sampler->io = io && result == 0;
	return result;
}

int sampler_identify(struct sampler *sampler, enum config_name name, enum config_mem_scale scale)
{
	struct identity *identity = NULL;
	int result = name == NAME_COMM && scale == MEM_SCALE_MACHINE ? 0 : identity_open("/proc", name, scale, &identity);
	if (result)
		return result;
	identity_close(sampler->identity);
	sampler->identity = identity;
	return 0;
}

/* What holds for the whole reading. */
static void read_machine(struct sampler *sampler, struct reading *reading)
{
	struct timespec boot;
	clock_gettime(CLOCK_BOOTTIME, &boot);
	reading->monotonic_ns = clock_monotonic_ns();
	reading->ticks_per_s = sampler->ticks_per_s;
	reading->boot_ticks = (uint64_t)(boot.tv_sec * sampler->ticks_per_s +
	                                 boot.tv_nsec / (1000000000 / sampler->ticks_per_s));
	/* Both may change while the machine runs. Where the memory is not told, it is what it was. */
	reading->cores = sysconf(_SC_NPROCESSORS_ONLN);
	(void)!memory_read_machine(&sampler->memory, &sampler->machine);
	reading->memory_kib = sampler->machine.total_kib;
}

static int add_process(const struct sampler *sampler, struct pids_stack *stack, struct reading *reading)
{
	if (!sampler->kernel_threads && VALUE(FLAGS, ul_int, stack) & FLAG_KERNEL_THREAD)
		return 0;
	struct process *process = reading_add(reading);
	if (!process)
		return -ENOMEM;
	process->pid = VALUE(PID, s_int, stack);
	process->parent = VALUE(PARENT, s_int, stack);
	process->threads = VALUE(THREADS, s_int, stack);
	process->state = VALUE(STATE, s_ch, stack);
	process->forked = VALUE(FLAGS, ul_int, stack) & FLAG_FORKED;
	process->start_ticks = VALUE(BEGAN, ull_int, stack);
	process->cpu_ticks = VALUE(TICKS, ull_int, stack);
	process->children_ticks = VALUE(CHILDREN, ull_int, stack) - process->cpu_ticks;
	process->virtual_kib = VALUE(VIRTUAL, ul_int, stack) / 1024;
	process->resident_kib = VALUE(RESIDENT, ul_int, stack) * sampler->memory.page_kib;
	process->shared_kib = 0;
	process->limit_kib = 0;
	process->gone = false;
	for (int i = 0; i < RESOURCE_FURTHER; i++)
		process->further[i] = READING_UNKNOWN;

	const char *command = VALUE(COMMAND, str, stack);
	char name[WIRE_NAME_SIZE];
	wire_clean_name(command, strnlen(command, READING_NAME_SIZE - 1), name);
	memcpy(process->name, name, strlen(name) + 1);
	return 0;
}

static int64_t at_most_signed(uint64_t count)
{
	return count < INT64_MAX ? (int64_t)count : INT64_MAX;
}

/* What each process uses of the further resources. */
static void read_further(const struct sampler *sampler, struct reading *reading)
{
	reading->further = sampler->io;
	reading->unreadable = 0;
	for (size_t i = 0; i < reading->count && sampler->io; i++) {
		struct process *process = &reading->processes[i];
		struct io io;
		int result = io_read("/proc", process->pid, &io);
		process->gone = result == -ESRCH;
		reading->unreadable += result != 0 && !process->gone;
		if (result == 0) {
			process->further[RESOURCE_READ - RESOURCE_LIMITED] = at_most_signed(io.read_bytes);
			process->further[RESOURCE_WRITE - RESOURCE_LIMITED] = at_most_signed(io.write_bytes);
		}
	}
}

int sampler_read(struct sampler *sampler, struct reading *reading)
{
	reading->count = 0;
	read_machine(sampler, reading);

	errno = 0;
	struct pids_fetch *fetch = procps_pids_reap(sampler->pids, PIDS_FETCH_TASKS_ONLY);
	if (!fetch)
		return errno ? -errno : -EIO;

	/* Every PID namespace has its PID 1: when it cannot be seen, others cannot either. */
	reading->partial = true;
	for (int i = 0; i < fetch->counts->total; i++) {
		if (VALUE(PID, s_int, fetch->stacks[i]) == 1)
			reading->partial = false;
		int result = add_process(sampler, fetch->stacks[i], reading);
		if (result) {
			reading->count = 0;
			return result;
		}
	}
	read_further(sampler, reading);
	int result = sampler->identity ? identity_apply(sampler->identity, reading) : 0;
	if (result) {
		reading->count = 0;
		return result;
	}

	reading_find_early(reading);
	reading_sort(reading);
	memory_complete(&sampler->memory, sampler->machine.huge_kib > 0, reading);
	return 0;
}

bool sampler_is_gone(int pid)
{
	return kill(pid, 0) != 0 && errno == ESRCH;
}
