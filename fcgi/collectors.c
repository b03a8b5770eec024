#include "fcgi/collectors.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/table.h"
#include "fcgi/exposition.h"

enum { SWEEP_MS = 60000 };

struct host_report {
	char ip[WIRE_IP_SIZE];
	int64_t received_ms;
	struct collector_report report;
	int64_t interval_ms; /* 0: not known */
	int64_t told_interval_ms, told_ms; /* what the store was told of it, and when */
	bool learned;        /* of the store, and it has not reported since the start */
	bool shared;         /* hosts are heard in turns: said */
	int64_t shared_ms;   /* when they were last */
	struct sharer *sharers; /* sharers[COLLECTORS_SHARERS]; NULL: there was one hostname only */
};

/* A hostname that was heard from an address; "": none. */
struct sharer {
	char hostname[COLLECTORS_HOSTNAME_SIZE];
	int64_t heard_ms;
};

struct item {
	struct host_report host;
	UT_hash_handle hh;
};

struct collectors {
	pthread_mutex_t lock;
	struct item *items; /* by host, in the order in which they became known */
	int64_t swept_ms;
};

struct collectors *collectors_open(void)
{
	struct collectors *collectors = calloc(1, sizeof(*collectors));
	if (collectors)
		pthread_mutex_init(&collectors->lock, NULL);
	return collectors;
}

/* Drops those from before `oldest_ms`. The lock is held. */
static void sweep(struct collectors *collectors, int64_t oldest_ms)
{
	struct item *item, *next;
	HASH_ITER(hh, collectors->items, item, next) {
		if (item->host.received_ms < oldest_ms) {
			HASH_DEL(collectors->items, item);
			free(item->host.sharers);
			free(item);
		}
	}
}

void collectors_close(struct collectors *collectors)
{
	if (!collectors)
		return;
	sweep(collectors, INT64_MAX);
	pthread_mutex_destroy(&collectors->lock);
	free(collectors);
}

/* NULL: there is no room. The lock is held. */
static struct item *add(struct collectors *collectors, const char *ip)
{
	struct item *item = HASH_COUNT(collectors->items) < COLLECTORS_MAX ? calloc(1, sizeof(*item)) : NULL;
	if (!item)
		return NULL;
	strcpy(item->host.ip, ip);
	HASH_ADD_STR(collectors->items, host.ip, item);
	if (!item->hh.tbl) {
		free(item);
		return NULL;
	}
	return item;
}

/* Whether what was heard of a host then is not long ago. */
static bool is_recent(const struct host_report *host, int64_t heard_ms, int64_t now_ms)
{
	int64_t kept_ms = 3 * host->interval_ms > COLLECTORS_SHARED_MS ? 3 * host->interval_ms : COLLECTORS_SHARED_MS;
	return now_ms - heard_ms <= kept_ms;
}

static bool is_shared(const struct host_report *host, int64_t now_ms)
{
	return host->shared && is_recent(host, host->shared_ms, now_ms);
}

/* The place of a hostname among those of an address; of one that is not there, the place of the one heard longest ago. */
static struct sharer *place_of(struct sharer sharers[], const char *hostname)
{
	struct sharer *oldest = sharers;
	for (size_t i = 0; i < COLLECTORS_SHARERS; i++) {
		if (strncmp(sharers[i].hostname, hostname, COLLECTORS_HOSTNAME_SIZE - 1) == 0)
			return &sharers[i];
		if (sharers[i].heard_ms < oldest->heard_ms)
			oldest = &sharers[i];
	}
	return oldest;
}

static void note_sharer(struct host_report *host, const char *hostname, int64_t heard_ms)
{
	struct sharer *sharer = place_of(host->sharers, hostname);
	memcpy(sharer->hostname, hostname, strnlen(hostname, COLLECTORS_HOSTNAME_SIZE - 1) + 1);
	sharer->hostname[COLLECTORS_HOSTNAME_SIZE - 1] = '\0';
	sharer->heard_ms = heard_ms;
}

/* Looks at the hostname of a report, before it takes the place of the last one. True: hosts share the address now. */
static bool watch_hostname(struct host_report *host, const char *hostname, int64_t now_ms)
{
	const char *before = host->report.hostname;
	bool was_shared = is_shared(host, now_ms);
	if (!hostname[0] || !before[0] || strcmp(hostname, before) == 0)
		return false;
	if (!host->sharers)
		host->sharers = calloc(COLLECTORS_SHARERS, sizeof(*host->sharers));
	if (!host->sharers) /* analyzer: the host has them */
		return false;
	note_sharer(host, before, host->received_ms);
	const struct sharer *known = place_of(host->sharers, hostname);
	bool back = strncmp(known->hostname, hostname, COLLECTORS_HOSTNAME_SIZE - 1) == 0 &&
	            is_recent(host, known->heard_ms, now_ms);
	note_sharer(host, hostname, now_ms);
	if (!back)
		return false;
	host->shared = true;
	host->shared_ms = now_ms;
	return !was_shared;
}

/* The item of a host, made where there is none. NULL: there is no room. The lock is held. */
static struct item *find_or_add(struct collectors *collectors, const char *ip)
{
	struct item *item;
	HASH_FIND_STR(collectors->items, ip, item);
	return item ? item : add(collectors, ip);
}

bool collectors_keep(struct collectors *collectors, const char *ip, const struct collector_report *report, int64_t now_ms,
                     int64_t oldest_ms)
{
	bool shared = false;
	pthread_mutex_lock(&collectors->lock);
	if (now_ms - collectors->swept_ms >= SWEEP_MS || now_ms < collectors->swept_ms) {
		sweep(collectors, oldest_ms);
		collectors->swept_ms = now_ms;
	}
	struct item *item = find_or_add(collectors, ip);
	if (item) {
		shared = watch_hostname(&item->host, report->hostname, now_ms);
		item->host.received_ms = now_ms;
		item->host.report = *report;
		item->host.learned = false;
		item->host.interval_ms = llround(report->interval_s * 1000);
	}
	pthread_mutex_unlock(&collectors->lock);
	return shared;
}

bool collectors_know(struct collectors *collectors, const char *ip)
{
	struct item *item;
	pthread_mutex_lock(&collectors->lock);
	HASH_FIND_STR(collectors->items, ip, item);
	pthread_mutex_unlock(&collectors->lock);
	return item;
}

bool collectors_have_heard(struct collectors *collectors, const char *ip)
{
	struct item *item;
	pthread_mutex_lock(&collectors->lock);
	HASH_FIND_STR(collectors->items, ip, item);
	bool heard = item && !item->host.learned;
	pthread_mutex_unlock(&collectors->lock);
	return heard;
}

static int compare_sights(const void *left, const void *right)
{
	const struct collectors_sight *a = left, *b = right;
	return strcmp(a->ip, b->ip);
}

int collectors_list(struct collectors *collectors, int64_t oldest_ms, bool stopped, struct collectors_sight **ret_sights,
                    size_t *ret_count)
{
	size_t count = 0;
	pthread_mutex_lock(&collectors->lock);
	for (const struct item *item = collectors->items; item; item = item->hh.next)
		count += item->host.received_ms >= oldest_ms && (!stopped || item->host.report.stopped);
	struct collectors_sight *sights = calloc(count + 1, sizeof(*sights));
	count = 0;
	for (const struct item *item = collectors->items; item && sights; item = item->hh.next) {
		const struct host_report *host = &item->host;
		if (host->received_ms < oldest_ms || (stopped && !host->report.stopped))
			continue;
		struct collectors_sight *sight = &sights[count++];
		memcpy(sight->ip, host->ip, sizeof(sight->ip));
		memcpy(sight->hostname, host->report.hostname, strnlen(host->report.hostname, sizeof(sight->hostname) - 1));
		sight->received_ms = host->received_ms;
		sight->interval_ms = host->interval_ms;
		sight->obeys = host->report.obeys;
		sight->stopped = host->report.stopped;
	}
	pthread_mutex_unlock(&collectors->lock);
	if (!sights)
		return -ENOMEM;
	qsort(sights, count, sizeof(*sights), compare_sights);
	*ret_sights = sights;
	*ret_count = count;
	return 0;
}

size_t collectors_find_sharers(struct collectors *collectors, const char *ip, int64_t now_ms,
                               char ret_hostnames[static COLLECTORS_SHARERS][COLLECTORS_HOSTNAME_SIZE])
{
	size_t count = 0;
	struct item *item;
	pthread_mutex_lock(&collectors->lock);
	HASH_FIND_STR(collectors->items, ip, item);
	for (size_t i = 0; item && is_shared(&item->host, now_ms) && i < COLLECTORS_SHARERS; i++) {
		if (item->host.sharers[i].hostname[0])
			memcpy(ret_hostnames[count++], item->host.sharers[i].hostname, COLLECTORS_HOSTNAME_SIZE);
	}
	pthread_mutex_unlock(&collectors->lock);
	return count;
}

size_t collectors_list_shared(struct collectors *collectors, int64_t now_ms, char ret_ips[][WIRE_IP_SIZE], size_t max)
{
	size_t count = 0;
	pthread_mutex_lock(&collectors->lock);
	for (const struct item *item = collectors->items; item; item = item->hh.next) {
		if (!is_shared(&item->host, now_ms))
			continue;
		if (count < max)
			memcpy(ret_ips[count], item->host.ip, WIRE_IP_SIZE);
		count++;
	}
	pthread_mutex_unlock(&collectors->lock);
	return count;
}

void collectors_learn_interval(struct collectors *collectors, const char *ip, int64_t interval_ms, int64_t heard_ms)
{
	pthread_mutex_lock(&collectors->lock);
	struct item *item = find_or_add(collectors, ip);
	if (item && item->host.received_ms == 0) {
		item->host.report = collector_report_empty();
		item->host.learned = true;
		item->host.received_ms = item->host.told_ms = heard_ms;
		item->host.interval_ms = item->host.told_interval_ms = interval_ms;
	}
	pthread_mutex_unlock(&collectors->lock);
}

int64_t collectors_find_interval(struct collectors *collectors, const char *ip)
{
	struct item *item;
	pthread_mutex_lock(&collectors->lock);
	HASH_FIND_STR(collectors->items, ip, item);
	int64_t interval_ms = item ? item->host.interval_ms : 0;
	pthread_mutex_unlock(&collectors->lock);
	return interval_ms;
}

size_t collectors_list_slower(struct collectors *collectors, int64_t interval_ms, char ret_ips[][WIRE_IP_SIZE], size_t max,
                              int64_t *ret_longest_ms)
{
	size_t count = 0;
	*ret_longest_ms = interval_ms;
	pthread_mutex_lock(&collectors->lock);
	for (const struct item *item = collectors->items; item; item = item->hh.next) {
		if (item->host.interval_ms <= interval_ms)
			continue;
		if (count < max)
			memcpy(ret_ips[count], item->host.ip, WIRE_IP_SIZE);
		count++;
		if (item->host.interval_ms > *ret_longest_ms)
			*ret_longest_ms = item->host.interval_ms;
	}
	pthread_mutex_unlock(&collectors->lock);
	return count;
}

bool collectors_tell_interval(struct collectors *collectors, const char *ip, int64_t usual_ms, int64_t now_ms)
{
	struct item *item;
	bool due = false;
	pthread_mutex_lock(&collectors->lock);
	HASH_FIND_STR(collectors->items, ip, item);
	if (item && item->host.interval_ms) {
		struct host_report *host = &item->host;
		int64_t in_force_ms = host->told_interval_ms ? host->told_interval_ms : usual_ms;
		due = host->interval_ms != in_force_ms ||
		      (host->interval_ms != usual_ms && now_ms - host->told_ms >= COLLECTORS_TELL_MS);
		if (due) {
			host->told_interval_ms = host->interval_ms;
			host->told_ms = now_ms;
		}
	}
	pthread_mutex_unlock(&collectors->lock);
	return due;
}

struct collector_report collectors_find(struct collectors *collectors, const char *ip, int64_t oldest_ms)
{
	struct collector_report report = collector_report_empty();
	struct item *item;
	pthread_mutex_lock(&collectors->lock);
	HASH_FIND_STR(collectors->items, ip, item);
	if (item && item->host.received_ms >= oldest_ms)
		report = item->host.report;
	pthread_mutex_unlock(&collectors->lock);
	return report;
}

/* Copies up to COLLECTORS_SHOWN_MAX hosts, so that nobody's PUT waits until all of them are
 * written, and counts them all. NULL: out of memory. */
static struct host_report *copy_hosts(struct collectors *collectors, int64_t oldest_ms, size_t *ret_shown, size_t *ret_known)
{
	pthread_mutex_lock(&collectors->lock);
	size_t count = HASH_COUNT(collectors->items), shown = 0, known = 0;
	if (count > COLLECTORS_SHOWN_MAX)
		count = COLLECTORS_SHOWN_MAX;
	struct host_report *hosts = malloc((count + 1) * sizeof(*hosts));
	for (const struct item *item = collectors->items; item && hosts; item = item->hh.next) {
		if (item->host.received_ms < oldest_ms)
			continue;
		if (shown < count)
			hosts[shown++] = item->host;
		known++;
	}
	pthread_mutex_unlock(&collectors->lock);
	*ret_shown = shown;
	*ret_known = known;
	return hosts;
}

/* One line; `what` may be NULL. */
static void append_line(struct text *text, const char *name, const struct host_report *host, const char *what,
                        double value)
{
	text_append_string(text, name);
	text_append_char(text, '{');
	exposition_append_label(text, "ip", host->ip);
	text_append_char(text, ',');
	exposition_append_label(text, "hostname", host->report.hostname);
	if (what) {
		text_append_char(text, ',');
		exposition_append_label(text, "what", what);
	}
	text_append_string(text, "} ");
	json_append_number(text, value);
	text_append_char(text, '\n');
}

static void append_counters(struct text *text, const struct host_report *hosts, size_t count)
{
	static const char samples[] = "vigie_collector_samples_total", ticks[] = "vigie_collector_missed_ticks_total",
			  exits[] = "vigie_collector_lost_exits_total";
	exposition_append_help(text, samples, "counter", "Samples by what became of them, as each host's collector says.");
	for (size_t i = 0; i < count; i++) {
		for (int j = 0; j < COLLECTOR_MISSED_TICKS; j++) {
			if (hosts[i].report.counters[j] >= 0)
				append_line(text, samples, &hosts[i], collector_report_counter_name((enum collector_report_counter)j),
				            hosts[i].report.counters[j]);
		}
	}
	exposition_append_help(text, ticks, "counter", "Intervals that each host's collector has missed.");
	for (size_t i = 0; i < count; i++) {
		if (hosts[i].report.counters[COLLECTOR_MISSED_TICKS] >= 0)
			append_line(text, ticks, &hosts[i], NULL, hosts[i].report.counters[COLLECTOR_MISSED_TICKS]);
	}
	exposition_append_help(text, exits, "counter", "Threads whose end each host's collector was not told of.");
	for (size_t i = 0; i < count; i++) {
		if (hosts[i].report.counters[COLLECTOR_LOST_EXITS] >= 0)
			append_line(text, exits, &hosts[i], NULL, hosts[i].report.counters[COLLECTOR_LOST_EXITS]);
	}
}

static void append_states(struct text *text, const struct host_report *hosts, size_t count)
{
	static const char offset[] = "vigie_collector_clock_offset_seconds", partial[] = "vigie_collector_partial",
			  last[] = "vigie_collector_last_report_seconds";
	exposition_append_help(text, offset, "gauge", "How far each host's clock is from the server's, as its collector says.");
	for (size_t i = 0; i < count; i++) {
		if (hosts[i].report.clock_offset_known)
			append_line(text, offset, &hosts[i], NULL, hosts[i].report.clock_offset_s);
	}
	exposition_append_help(text, partial, "gauge", "Whether some processes are hidden from each host's collector.");
	for (size_t i = 0; i < count; i++) {
		if (hosts[i].report.partial >= 0)
			append_line(text, partial, &hosts[i], NULL, hosts[i].report.partial);
	}
	exposition_append_help(text, last, "gauge", "When each host's collector last reported, in seconds since 1970.");
	for (size_t i = 0; i < count; i++)
		append_line(text, last, &hosts[i], NULL, (double)hosts[i].received_ms / 1000);
}

void collectors_append_metrics(struct collectors *collectors, int64_t oldest_ms, struct text *text)
{
	size_t shown, known;
	struct host_report *hosts = copy_hosts(collectors, oldest_ms, &shown, &known);
	if (!hosts) {
		text->failed = true;
		return;
	}
	text_printf(text,
	            "# HELP vigie_collectors Hosts whose collectors have reported within the retention; what follows "
	            "is of at most %d, those known longest.\n"
	            "# TYPE vigie_collectors gauge\nvigie_collectors %zu\n",
	            COLLECTORS_SHOWN_MAX, known);
	append_counters(text, hosts, shown);
	append_states(text, hosts, shown);
	free(hosts);
}
