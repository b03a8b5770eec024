#include "collector/service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collector/exit_records.h"
#include "collector/filter.h"
#include "collector/oom_kills.h"
#include "collector/rates.h"
#include "collector/sampler.h"
#include "collector/sender.h"
#include "collector/uplink.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/tick.h"
#include "common/trouble.h"

enum {
	FIRST_TICK_MS = 2000, /* from the first reading to the first values, at least */
	FLUSH_MS = 3000,      /* for what is on no disk when the program is told to end */
	LISTEN_MS = 500,      /* between two looks at what has ended: 6,000 threads a second fit into the kernel's buffer */
};

#define COUNTERS_NS (3600 * INT64_C(1000000000)) /* how often they are logged */

struct service {
	const struct config *config; /* borrowed */
	struct exit_records *exits; /* NULL: the kernel has none for us */
	int64_t lost_exits;
	int64_t listened_ns;
	struct sampler *sampler;
	struct reading reading;
	struct rates rates;
	struct filter filter;
	struct oom_kills kills; /* since the last tick that was measured */
	struct sender *sender;
	struct tick tick;
	int64_t missed_before; /* ticks, before the present timer was opened */
	int64_t read_ns;       /* when the last reading began, monotonic */
	bool sending;          /* its values are still to be sent */
	int64_t logged_ns;     /* when the counters were logged */
	struct trouble measuring, filtering, timing;
	bool folding;          /* the last tick had names over max_processes, and that was logged */
	bool partial;          /* likewise, processes that are hidden */
	bool losing;           /* likewise, what has ended */
	bool unreadable;       /* likewise, processes of which further resources may not be read */
	bool stopped;          /* by the server, and that was logged */
};

int service_check(const struct config *config, struct text *ret_error)
{
	return uplink_check(config, ret_error);
}

/* Takes the records of what has ended; whether none was lost since it was last asked. */
static bool take_exits(struct service *service)
{
	struct exit_record record;
	int64_t now_ns = clock_monotonic_ns();
	while (exit_records_next(service->exits, &record)) {
		if (!service->stopped)
			rates_take_exit(&service->rates, &record, now_ns);
	}
	service->listened_ns = now_ns;
	return exit_records_lost(service->exits) == service->lost_exits;
}

static void note_lost(struct service *service)
{
	int64_t lost = service->exits ? exit_records_lost(service->exits) : 0;
	bool losing = lost > service->lost_exits;
	if (losing && !service->losing)
		log_warning("%lld threads have ended too fast to be told of each; the CPU of ended processes comes from their "
		            "parents meanwhile", (long long)(lost - service->lost_exits));
	service->losing = losing;
	service->lost_exits = lost;
}

static void note_unreadable(struct service *service)
{
	size_t count = service->reading.unreadable;
	if (count && !service->unreadable)
		log_warning("/proc/PID/io of %zu processes of %zu may not be read: these have no read and write rates", count,
		            service->reading.count);
	service->unreadable = count > 0;
}

/* The order is that of collector/accounts.h. */
static int take_reading(struct service *service, struct rate **ret_values, size_t *ret_count)
{
	oom_kills_take(&service->kills, &service->reading, service->config);
	int result = sampler_read(service->sampler, &service->reading);
	if (result == 0)
		result = rates_begin(&service->rates, &service->reading);
	if (result)
		return result;
	if (service->exits && take_exits(service))
		rates_trust_exits(&service->rates);
	note_lost(service);
	result = rates_update(&service->rates, &service->reading,
	                      (enum config_cpu_scale)service->config->collector.cpu_scale, ret_values, ret_count);
	if (result)
		return result;
	if (service->reading.partial && !service->partial)
		log_warning("some processes are hidden from this user (hidepid): the view is partial");
	service->partial = service->reading.partial;
	note_unreadable(service);
	return 0;
}

/* That there are none is no failure: in a container, or without the right, it is as it should be. */
static void open_exits(struct service *service)
{
	int result = exit_records_open(&service->exits);
	if (result)
		log_info("the CPU of processes that end between two ticks comes from their parents: the kernel's exit records: %s",
		         strerror(-result));
}

/* In the place of the one there is; it is as it was on failure. */
static int open_tick(struct service *service)
{
	struct moment now = sender_judge(service->sender, clock_moment());
	struct tick opened;
	int result = tick_open(&opened, service->config->collector.interval_ms, 0, FIRST_TICK_MS, now);
	if (result)
		return result;
	service->missed_before += service->tick.missed;
	tick_close(&service->tick);
	service->tick = opened;
	return 0;
}

/* Where the interval is another one by now. Until that can be had the old timer goes on. */
static void renew_tick(struct service *service)
{
	if (service->tick.interval_ms != service->config->collector.interval_ms)
		trouble_watch(&service->timing, open_tick(service), NULL);
}

static int identify(struct service *service)
{
	return sampler_identify(service->sampler, (enum config_name)service->config->collector.name,
	                        (enum config_mem_scale)service->config->collector.mem_scale);
}

/* That the kernel does not count it is no failure either. */
static void open_io(struct service *service)
{
	int result = sampler_set_io(service->sampler, service->config->collector.io);
	if (result)
		log_warning("what processes read and write is not measured: reading /proc/self/io: %s", strerror(-result));
}

static int open_members(struct service *service, struct text *ret_error)
{
	struct rate *values;
	size_t count;
	open_exits(service);
	oom_kills_open(&service->kills);
	service->rates.accounts.is_gone = sampler_is_gone;
	int result = sampler_open(service->config->collector.kernel_threads, &service->sampler);
	if (result == 0)
		result = identify(service);
	if (result == 0)
		open_io(service);
	if (result == 0)
		result = take_reading(service, &values, &count);
	if (result) {
		text_printf(ret_error, "reading /proc: %s", strerror(-result));
		return result;
	}
	result = sender_open(service->config, &service->sender);
	if (result) {
		text_printf(ret_error, "preparing the connection to %s: %s", service->config->collector.url,
		            strerror(-result));
		return result;
	}
	result = open_tick(service);
	if (result)
		text_printf(ret_error, "opening the timer: %s", strerror(-result));
	return result;
}

int service_open(const struct config *config, struct service **ret_service, struct text *ret_error)
{
	struct service *service = calloc(1, sizeof(*service));
	if (!service) {
		text_append_string(ret_error, strerror(ENOMEM));
		return -ENOMEM;
	}
	service->config = config;
	service->tick.timer_fd = -1;
	service->measuring.operation = "reading /proc";
	service->filtering.operation = "choosing what is sent";
	service->timing.operation = "opening the timer";
	service->logged_ns = clock_monotonic_ns();
	int result = open_members(service, ret_error);
	if (result)
		service_close(service);
	else
		*ret_service = service;
	return result;
}

void service_close(struct service *service)
{
	if (!service)
		return;
	tick_close(&service->tick);
	sender_close(service->sender);
	filter_free(&service->filter);
	rates_free(&service->rates);
	reading_free(&service->reading);
	sampler_close(service->sampler);
	oom_kills_close(&service->kills);
	exit_records_close(service->exits);
	free(service);
}

void service_reload(struct service *service, const struct config *config)
{
	service->config = config;
	sampler_set_kernel_threads(service->sampler, config->collector.kernel_threads);
	open_io(service);
	int result = identify(service);
	if (result)
		log_error("reading /proc: %s; names and limits stay as they were", strerror(-result));
	result = sender_configure(service->sender, config);
	if (result)
		log_error("preparing the connection to %s: %s; the old one stays", config->collector.url, strerror(-result));
	renew_tick(service);
}

int service_timer_fd(const struct service *service)
{
	return service->tick.timer_fd;
}

/* Measures a tick and makes its values wait for the server. */
static void measure(struct service *service, int64_t boundary_ms, struct moment now)
{
	struct rate *values;
	size_t count, folded;
	int result = take_reading(service, &values, &count);
	trouble_watch(&service->measuring, result, NULL);
	if (result)
		return;
	result = filter_apply(&service->filter, service->config, values, &count, &folded);
	trouble_watch(&service->filtering, result, NULL);
	if (result)
		return;
	if (folded && !service->folding)
		log_warning("over max_processes: %zu names are summed under \"%s\"", folded, FILTER_OTHER);
	service->folding = folded > 0;
	sender_add(service->sender, boundary_ms, now, values, count, &service->kills.list);
	service->kills.list.count = 0;
}

void service_take_tick(struct service *service)
{
	int64_t boundary_ms;
	struct moment now = sender_judge(service->sender, clock_moment());
	if (!tick_take(&service->tick, now, &boundary_ms))
		return;
	service->read_ns = clock_monotonic_ns();
	if (service->stopped)
		sender_add(service->sender, boundary_ms, now, NULL, 0, NULL);
	else
		measure(service, boundary_ms, now);
	renew_tick(service);
	service->sending = true;
}

int64_t service_wait_ms(const struct service *service)
{
	if (!service->sending)
		return -1;
	int64_t due_ns = service->read_ns + sender_delay_ms(service->sender) * 1000000;
	int64_t now_ns = clock_monotonic_ns();
	return due_ns > now_ns ? (due_ns - now_ns) / 1000000 + 1 : 0;
}

int64_t service_listen_ms(const struct service *service)
{
	if (!service->exits)
		return -1;
	int64_t due_ns = service->listened_ns + LISTEN_MS * INT64_C(1000000), now_ns = clock_monotonic_ns();
	return due_ns > now_ns ? (due_ns - now_ns) / 1000000 + 1 : 0;
}

void service_listen(struct service *service)
{
	if (service_listen_ms(service) == 0)
		(void)take_exits(service); /* what was lost is asked at the tick */
}

static struct sender_state state_of(const struct service *service)
{
	return (struct sender_state){
		.partial = service->partial,
		.by_exits = service->rates.by_exits,
		.lost_exits = service->lost_exits,
		.missed_ticks = service->missed_before + service->tick.missed,
	};
}

/* Does as the server has told. */
static void obey(struct service *service)
{
	struct rate *values;
	size_t count;
	bool stopped = sender_is_stopped(service->sender);
	if (stopped == service->stopped)
		return;
	service->stopped = stopped;
	log_info(stopped ? "stopped by the server: nothing is measured until it says otherwise" : "started by the server");
	/* The next tick's values are those since now, and not since it was stopped. */
	if (!stopped)
		trouble_watch(&service->measuring, take_reading(service, &values, &count), NULL);
	service->kills.list.count = 0;
}

void service_send(struct service *service)
{
	struct sender_state state = state_of(service);
	sender_send(service->sender, &state, service->read_ns);
	service->sending = false;
	obey(service);
	if (clock_monotonic_ns() - service->logged_ns >= COUNTERS_NS)
		service_log_counters(service);
}

void service_flush(struct service *service)
{
	struct sender_state state = state_of(service);
	sender_flush(service->sender, &state, FLUSH_MS);
	size_t lost = sender_in_memory(service->sender);
	if (lost)
		log_warning("ending; %zu intervals that the server did not take are lost", lost);
	service_log_counters(service);
}

void service_log_counters(struct service *service)
{
	struct text text = TEXT_EMPTY;
	sender_describe(service->sender, &text);
	log_info("%s", text_or(&text, "out of memory"));
	text_free(&text);
	service->logged_ns = clock_monotonic_ns();
}
