/*
 * The collector's own memory over many ticks with churn: readings are made up, rates,
 * filter and batches are the collector's.
 *
 *   collector_ticks [ticks] [processes]
 *
 * In every tick a fiftieth of the processes ends and as many begin, under names of
 * which each is used for some hundred ticks only, and their number swells and falls by
 * half: there are more names than max_processes at times. A batch is packed, turned
 * into the JSON of a PUT and freed; for a hundred ticks of each thousand the batches
 * wait, as they do in memory while the server is away and the spool does not work.
 *
 * Prints RssAnon after each tenth of the ticks, and last a line: RESULT, RssAnon in KiB
 * after half of the ticks, at the end and at its highest, the most names that were summed
 * under "other", and the microseconds that a tick takes.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/batch.h"
#include "collector/filter.h"
#include "collector/rates.h"
#include "common/clock.h"
#include "common/config.h"

enum { TICKS = 10000, PROCESSES = 2000, INTERVAL_S = 10, TICKS_PER_S = 100, WAITING = 60 };

struct machine {
	int pid, name;
	uint64_t start_ticks, cpu_ticks, resident_kib;
};

static uint32_t seed = 4711; /* of a linear congruential generator, the same in every run */

static uint32_t any(uint32_t below)
{
	seed = seed * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)seed * below >> 32);
}

static void die(const char *what)
{
	fprintf(stderr, "collector_ticks: %s\n", what);
	exit(EXIT_FAILURE);
}

static long rss_anon_kib(void)
{
	char line[256];
	long kib = -1;
	FILE *file = fopen("/proc/self/status", "re");
	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "RssAnon: %ld", &kib);
	if (file)
		fclose(file);
	return kib;
}

static struct machine newborn(int tick, uint64_t now_ticks)
{
	static int pid = 300;
	pid = pid < 4000000 ? pid + 1 + (int)any(3) : 300;
	/* Twenty in a hundred are of some shared names; the others' drift with the ticks. */
	int name = any(100) < 20 ? (int)any(30) : 100 + tick / 100 * 200 + (int)any(20000);
	return (struct machine){ pid, name, now_ticks - any(900), 0, any(1 << 18) };
}

static void make_reading(struct reading *reading, const struct machine *machines, size_t count, uint64_t now_ticks)
{
	reading->count = 0;
	for (size_t i = 0; i < count; i++) {
		struct process *process = reading_add(reading);
		if (!process)
			die("out of memory");
		const struct machine *machine = &machines[i];
		*process = (struct process){ .pid = machine->pid, .start_ticks = machine->start_ticks,
			                     .cpu_ticks = machine->cpu_ticks, .resident_kib = machine->resident_kib,
			                     .shared_kib = machine->resident_kib / 4 };
		snprintf(process->name, sizeof(process->name), "%s-%d", machine->name % 3 ? "worker" : "kworker/u8:events",
		         machine->name);
	}
	reading_sort(reading);
	reading->monotonic_ns = (int64_t)now_ticks * (1000000000 / TICKS_PER_S);
	reading->boot_ticks = now_ticks;
	reading->ticks_per_s = TICKS_PER_S;
	reading->cores = 2;
	reading->memory_kib = 24 << 20;
}

static void send(const struct batch *batch, struct text *body)
{
	text_reset(body);
	batch_append_json(batch, 0, batch->count, (struct batch_form){ .by_process = true }, body);
	if (text_failed(body))
		die("out of memory");
	text_free(body); /* as the collector does after each PUT */
}

int main(int argc, char *argv[])
{
	int ticks = argc > 1 ? atoi(argv[1]) : TICKS;
	size_t processes = argc > 2 ? (size_t)atoi(argv[2]) : PROCESSES;
	struct config *config;
	struct text error = TEXT_EMPTY, body = TEXT_EMPTY;
	if (ticks < 10 || config_load(NULL, NULL, 0, &config, &error) != 0)
		die("usage: collector_ticks [ticks] [processes]");
	mallopt(M_ARENA_MAX, 1); /* as collector/main.c has it */
	mallopt(M_MMAP_THRESHOLD, 128 * 1024);

	struct machine *machines = calloc(processes * 3 / 2 + 1, sizeof(*machines));
	struct reading reading = { 0 };
	struct rates rates = { 0 };
	struct filter filter = { 0 };
	struct batch *waiting[WAITING] = { 0 };
	size_t count = 0, folded_most = 0, waits = 0;
	long half_kib = 0, highest_kib = 0;
	if (!machines)
		die("out of memory");

	int64_t begun_ns = clock_monotonic_ns();
	for (int tick = 0; tick < ticks; tick++) {
		uint64_t now_ticks = (uint64_t)(tick + 1) * INTERVAL_S * TICKS_PER_S + 100000;
		int phase = tick % 500;
		size_t wanted = processes + processes / 2 * (size_t)(phase < 250 ? phase : 500 - phase) / 250;
		for (size_t i = 0; i < count / 50; i++)
			machines[any((uint32_t)count)] = newborn(tick, now_ticks);
		while (count < wanted)
			machines[count++] = newborn(tick, now_ticks);
		count = wanted;
		for (size_t i = 0; i < count; i++)
			machines[i].cpu_ticks += any(5) ? 0 : any(500);
		make_reading(&reading, machines, count, now_ticks);

		struct rate *values;
		size_t names, folded;
		if (rates_update(&rates, &reading, CPU_SCALE_CORE, &values, &names) != 0 ||
		    filter_apply(&filter, config, values, &names, &folded) != 0)
			die("out of memory");
		folded_most = folded > folded_most ? folded : folded_most;
		struct batch *batch = batch_pack(&(struct stamp){ .time_ms = tick * 10000 }, values, names, NULL);
		if (!batch)
			die("out of memory");
		send(batch, &body);
		bool away = tick % 1000 >= 900;
		if (away) {
			free(waiting[waits % WAITING]);
			waiting[waits++ % WAITING] = batch;
		} else {
			free(batch);
			for (size_t i = 0; i < WAITING; i++) {
				free(waiting[i]);
				waiting[i] = NULL;
			}
		}

		long kib = rss_anon_kib();
		highest_kib = kib > highest_kib ? kib : highest_kib;
		if (tick == ticks / 2 - 1)
			half_kib = kib;
		if ((tick + 1) % (ticks / 10) == 0)
			printf("tick %d: RssAnon %ld KiB\n", tick + 1, kib);
	}
	double us = (double)(clock_monotonic_ns() - begun_ns) / 1e3 / ticks;
	printf("RESULT %ld %ld %ld %zu %.0f\n", half_kib, rss_anon_kib(), highest_kib, folded_most, us);

	free(machines);
	reading_free(&reading);
	rates_free(&rates);
	filter_free(&filter);
	for (size_t i = 0; i < WAITING; i++)
		free(waiting[i]);
	config_free(config);
	text_free(&error);
	return EXIT_SUCCESS;
}
