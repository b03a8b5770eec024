#include "collector/sampler.h"

#include <errno.h>
#include <fcntl.h>
#include <libproc2/pids.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/wire.h"

/* PF_KTHREAD of include/linux/sched.h. A parent of 2 would tell the same of all
 * but kthreadd itself, and something else in a PID namespace. */
#define FLAG_KERNEL_THREAD 0x00200000UL

enum column { PID, COMMAND, BEGAN, TICKS, RESIDENT, FLAGS, PARENT, STATE, THREADS, CHILDREN, COLUMN_COUNT };

static enum pids_item columns[COLUMN_COUNT] = {
	[PID] = PIDS_ID_PID,       [COMMAND] = PIDS_CMD,  [BEGAN] = PIDS_TICS_BEGAN,
	[TICKS] = PIDS_TICS_ALL,   [RESIDENT] = PIDS_RSS, [FLAGS] = PIDS_FLAGS,
	[PARENT] = PIDS_ID_PPID,   [STATE] = PIDS_STATE,  [THREADS] = PIDS_NLWP,
	[CHILDREN] = PIDS_TICS_ALL_C, /* and its own */
};

/* What PIDS_VAL() gives, which takes an argument less from libproc2 4.0.5 on. */
#define VALUE(column, type, stack) ((stack)->head[column].result.type)

struct sampler {
	struct pids_info *pids;
	bool kernel_threads;
	uint64_t page_kib;
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
	sampler->page_kib = (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
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
	free(sampler);
}

void sampler_set_kernel_threads(struct sampler *sampler, bool kernel_threads)
{
	sampler->kernel_threads = kernel_threads;
}

/* What holds for the whole reading. */
static void read_machine(const struct sampler *sampler, struct reading *reading)
{
	struct timespec boot;
	clock_gettime(CLOCK_BOOTTIME, &boot);
	reading->monotonic_ns = clock_monotonic_ns();
	reading->ticks_per_s = sampler->ticks_per_s;
	reading->boot_ticks = (uint64_t)(boot.tv_sec * sampler->ticks_per_s +
	                                 boot.tv_nsec / (1000000000 / sampler->ticks_per_s));
	/* Both may change while the machine runs. */
	reading->cores = sysconf(_SC_NPROCESSORS_ONLN);
	reading->memory_kib = (uint64_t)sysconf(_SC_PHYS_PAGES) * sampler->page_kib;
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
	process->start_ticks = VALUE(BEGAN, ull_int, stack);
	process->cpu_ticks = VALUE(TICKS, ull_int, stack);
	process->children_ticks = VALUE(CHILDREN, ull_int, stack) - process->cpu_ticks;
	process->gone = false;
	process->resident_kib = VALUE(RESIDENT, ul_int, stack) * sampler->page_kib;
	process->shared_kib = 0;

	const char *command = VALUE(COMMAND, str, stack);
	char name[WIRE_NAME_SIZE];
	wire_clean_name(command, strnlen(command, READING_NAME_SIZE - 1), name);
	memcpy(process->name, name, strlen(name) + 1);
	return 0;
}

/*
 * Reads resident and shared pages of one process; zeros when it has ended. Both
 * are taken from here, because the two of one moment belong together.
 */
static void read_statm(const struct sampler *sampler, struct process *process)
{
	char path[32], line[128];
	unsigned long resident = 0, shared = 0;

	snprintf(path, sizeof(path), "/proc/%d/statm", process->pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		ssize_t length = read(fd, line, sizeof(line) - 1);
		close(fd);
		line[length > 0 ? length : 0] = '\0';
		if (sscanf(line, "%*u %lu %lu", &resident, &shared) != 2)
			resident = shared = 0;
	}
	process->resident_kib = resident * sampler->page_kib;
	process->shared_kib = shared * sampler->page_kib;
}

static void find_gone(struct reading *reading)
{
	reading_find_early(reading);
	for (size_t i = 0; i < reading->count; i++) {
		struct process *process = &reading->processes[i];
		process->gone = process->gone && kill(process->pid, 0) != 0 && errno == ESRCH;
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

	find_gone(reading);
	reading_sort(reading);
	for (size_t start = 0, end; start < reading->count; start = end) {
		end = reading_group_end(reading, start);
		for (size_t i = start; end - start > 1 && i < end; i++)
			read_statm(sampler, &reading->processes[i]);
	}
	return 0;
}
