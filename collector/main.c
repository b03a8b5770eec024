/*
 * vigie-collector: every interval, on the boundary, what each process name uses
 * of CPU and memory, to the server.
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "collector/filter.h"
#include "collector/rates.h"
#include "collector/sampler.h"
#include "collector/sender.h"
#include "collector/uplink.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/program.h"
#include "common/tick.h"

enum {
	FIRST_TICK_MS = 2000, /* from the first reading to the first values, at least */
	FLUSH_MS = 3000,      /* for what is on no disk when the program is told to end */
};

#define COUNTERS_NS (3600 * INT64_C(1000000000)) /* how often they are logged */

struct collector {
	struct sampler *sampler;
	struct reading reading;
	struct rates rates;
	struct filter filter;
	struct sender *sender;
	struct tick tick;
	int64_t missed_before; /* ticks, before the present tick was opened */
	int64_t read_ns;       /* when the last reading began, monotonic */
	bool sending;          /* its values are still to be sent */
	int64_t logged_ns;     /* when the counters were logged */
	bool failing;          /* the last tick could not be measured, and that was logged */
	bool folding;          /* likewise, of names over max_processes */
	bool partial;
};

static int take_reading(struct collector *collector, const struct config *config, struct rate **ret_values,
                        size_t *ret_count)
{
	int result = sampler_read(collector->sampler, &collector->reading);
	if (result == 0)
		result = rates_update(&collector->rates, &collector->reading,
		                      (enum config_cpu_scale)config->collector.cpu_scale, ret_values, ret_count);
	if (result == 0 && collector->reading.partial && !collector->partial)
		log_warning("some processes are hidden from this user (hidepid): the view is partial");
	if (result == 0)
		collector->partial = collector->reading.partial;
	return result;
}

/* Measures a tick and makes its values wait for the server. */
static void measure(struct collector *collector, const struct config *config, int64_t boundary_ms, struct moment now)
{
	struct rate *values;
	size_t count, folded;
	int result = take_reading(collector, config, &values, &count);
	if (result == 0)
		result = filter_apply(&collector->filter, config, values, &count, &folded);
	if (result) {
		if (!collector->failing)
			log_error("reading /proc: %s; trying again every interval", strerror(-result));
		collector->failing = true;
		return;
	}
	if (collector->failing)
		log_info("reading /proc: works again");
	collector->failing = false;

	if (folded && !collector->folding)
		log_warning("over max_processes: %zu names are summed under \"%s\"", folded, FILTER_OTHER);
	collector->folding = folded > 0;
	sender_add(collector->sender, boundary_ms, now, values, count);
}

static struct sender_state state_of(const struct collector *collector)
{
	return (struct sender_state){
		.partial = collector->partial,
		.missed_ticks = collector->missed_before + collector->tick.missed,
	};
}

static int open_tick(struct collector *collector, const struct config *config)
{
	struct moment now = sender_judge(collector->sender, clock_moment());
	collector->missed_before += collector->tick.missed;
	int result = tick_open(&collector->tick, config->collector.interval_ms, 0, FIRST_TICK_MS, now);
	if (result)
		log_error("opening the timer: %s", strerror(-result));
	return result;
}

static int collector_open(struct collector *collector, const struct config *config)
{
	struct rate *values;
	size_t count;
	*collector = (struct collector){ .tick.timer_fd = -1, .logged_ns = clock_monotonic_ns() };
	int result = sampler_open(config->collector.kernel_threads, &collector->sampler);
	if (result == 0)
		result = take_reading(collector, config, &values, &count);
	if (result) {
		log_error("reading /proc: %s", strerror(-result));
		return result;
	}
	result = sender_open(config, &collector->sender);
	if (result) {
		log_error("preparing the connection to %s: %s", config->collector.url, strerror(-result));
		return result;
	}
	return open_tick(collector, config);
}

static void collector_close(struct collector *collector)
{
	tick_close(&collector->tick);
	sender_close(collector->sender);
	filter_free(&collector->filter);
	rates_free(&collector->rates);
	reading_free(&collector->reading);
	sampler_close(collector->sampler);
}

/* What does not fit any more after a reload is made anew. */
static int collector_reload(struct collector *collector, const struct config *config)
{
	sampler_set_kernel_threads(collector->sampler, config->collector.kernel_threads);
	int result = sender_configure(collector->sender, config);
	if (result)
		log_error("preparing the connection to %s: %s; the old one stays", config->collector.url, strerror(-result));
	if (collector->tick.interval_ms == config->collector.interval_ms)
		return 0;
	tick_close(&collector->tick);
	return open_tick(collector, config);
}

static void log_counters(struct collector *collector)
{
	struct text text = TEXT_EMPTY;
	sender_describe(collector->sender, &text);
	log_info("%s", text.data ? text.data : "out of memory");
	text_free(&text);
	collector->logged_ns = clock_monotonic_ns();
}

static void take_tick(struct collector *collector, const struct config *config)
{
	int64_t boundary_ms;
	struct moment now = sender_judge(collector->sender, clock_moment());
	if (!tick_take(&collector->tick, now, &boundary_ms))
		return;
	collector->read_ns = clock_monotonic_ns();
	measure(collector, config, boundary_ms, now);
	collector->sending = true;
}

static void send_values(struct collector *collector)
{
	struct sender_state state = state_of(collector);
	sender_send(collector->sender, &state, collector->read_ns);
	collector->sending = false;
	if (clock_monotonic_ns() - collector->logged_ns >= COUNTERS_NS)
		log_counters(collector);
}

/* How long to wait for the moment to send; -1: nothing is to be sent. */
static int64_t wait_ms(const struct collector *collector)
{
	if (!collector->sending)
		return -1;
	int64_t due_ns = collector->read_ns + sender_delay_ms(collector->sender) * 1000000;
	int64_t now_ns = clock_monotonic_ns();
	return due_ns > now_ns ? (due_ns - now_ns) / 1000000 + 1 : 0;
}

static int run(struct collector *collector, struct program *program)
{
	for (;;) {
		switch (program_wait_for(program, collector->tick.timer_fd, wait_ms(collector))) {
		case PROGRAM_STOP:
			return 0;
		case PROGRAM_RELOAD:
			if (program_reload(program) && collector_reload(collector, program->config) != 0)
				return -1;
			break;
		case PROGRAM_DUMP:
			log_counters(collector);
			break;
		case PROGRAM_TIMER:
			take_tick(collector, program->config);
			break;
		case PROGRAM_TIMEOUT:
			send_values(collector);
			break;
		}
	}
}

/* Ends the program's part of the log with what became of its samples. */
static void flush(struct collector *collector)
{
	struct sender_state state = state_of(collector);
	sender_flush(collector->sender, &state, FLUSH_MS);
	size_t lost = sender_in_memory(collector->sender);
	if (lost)
		log_warning("ending; %zu intervals that the server did not take are lost", lost);
	log_counters(collector);
}

int main(int argc, char *argv[])
{
	struct program program = {
		.name = "vigie-collector",
		.summary = "sends what every process uses of CPU and memory to the server",
		.check = uplink_check,
		.dumps = true,
	};
	int exit_status;
	if (!program_start(&program, argc, argv, &exit_status)) {
		program_end(&program);
		return exit_status;
	}
	/* A second arena, for libcurl's resolver thread, and a threshold that follows
	 * what was freed would each keep memory that is used for a moment a tick. */
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, 128 * 1024);

	struct collector collector;
	exit_status = EXIT_FAILURE;
	if (collector_open(&collector, program.config) == 0) {
		log_info("started; every %lld ms to %s", (long long)program.config->collector.interval_ms,
		         program.config->collector.url);
		if (run(&collector, &program) == 0)
			exit_status = EXIT_SUCCESS;
		flush(&collector);
	}
	collector_close(&collector);
	program_end(&program);
	return exit_status;
}
