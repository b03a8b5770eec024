#include "alert/alertmanager.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "alert/alertmanager_target.h"
#include "alert/alerts.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/trouble.h"
#include "common/url.h"
#include "common/whole_file.h"

enum { RENEW_INTERVALS = 6, RENEW_MAX_MS = 60000, END_RENEWS = 4 };

struct alertmanager {
	pthread_t thread;
	bool started;
	atomic_bool closing;
	struct alertmanager_target *targets; /* the thread's, while there is one */
	size_t target_count;
	int64_t renew_ms;
	struct text path, page;
	struct trouble saving;

	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t changed;
	struct alerts *alerts;
	uint64_t saved; /* the version that is in the file */
};

int alertmanager_check(const struct config *config, struct text *ret_error)
{
	int result = 0;
	for (size_t i = 0; i < config->alert.alertmanager.count && !result; i++)
		result = url_check("[alert] alertmanager", config->alert.alertmanager.values[i], ret_error);
	return result;
}

/* ---- the thread ---- */

static void save(struct alertmanager *am)
{
	struct text content = TEXT_EMPTY;
	pthread_mutex_lock(&am->mutex);
	uint64_t version = alerts_version(am->alerts);
	bool changed = am->saved != version;
	if (changed)
		alerts_save(am->alerts, &content);
	am->saved = version;
	pthread_mutex_unlock(&am->mutex);
	if (changed)
		trouble_watch(&am->saving, whole_file_replace(am->path.data, &content), NULL);
	text_free(&content);
}

/* Whether all of them were taken. */
static bool post(struct alertmanager *am, struct alertmanager_target *target, const struct text *bodies)
{
	if (text_failed(bodies))
		return alertmanager_target_post(target, NULL, &am->closing);
	bool taken = true;
	for (size_t at = 0; at < bodies->length && taken; at += strlen(bodies->data + at) + 1)
		taken = alertmanager_target_post(target, bodies->data + at, &am->closing);
	return taken;
}

static void tell(struct alertmanager *am, struct alertmanager_target *target)
{
	struct text bodies = TEXT_EMPTY;
	int64_t now_ms = clock_wall_ms();
	bool all = clock_monotonic_ns() >= target->renew_ns;
	pthread_mutex_lock(&am->mutex);
	uint64_t version = alerts_version(am->alerts);
	bool saved = am->saved == version; /* otherwise it has just changed, and is to be saved before */
	if (saved)
		alerts_format(am->alerts, all ? 0 : target->taken, now_ms, now_ms + END_RENEWS * am->renew_ms, am->page.data, &bodies);
	pthread_mutex_unlock(&am->mutex);
	if (saved && post(am, target, &bodies)) {
		target->taken = version;
		if (all)
			target->renew_ns = clock_monotonic_ns() + am->renew_ms * 1000000;
	}
	text_free(&bodies);
}

/* Waits until one of them is to be told something, which is given; NULL: the service ends. */
static struct alertmanager_target *await(struct alertmanager *am)
{
	struct alertmanager_target *next = NULL;
	pthread_mutex_lock(&am->mutex);
	while (!next && !am->closing) {
		uint64_t version = alerts_version(am->alerts);
		int64_t end_ns = INT64_MAX;
		for (size_t i = 0; i < am->target_count; i++) {
			int64_t at_ns = alertmanager_target_due_ns(&am->targets[i], version);
			if (at_ns < end_ns) {
				end_ns = at_ns;
				next = &am->targets[i];
			}
		}
		if (clock_monotonic_ns() >= end_ns)
			break;
		next = NULL;
		const struct timespec end = clock_timespec(end_ns);
		pthread_cond_timedwait(&am->changed, &am->mutex, &end);
	}
	if (am->closing)
		next = NULL;
	pthread_mutex_unlock(&am->mutex);
	return next;
}

static void forget(struct alertmanager *am)
{
	uint64_t taken = UINT64_MAX;
	for (size_t i = 0; i < am->target_count; i++)
		taken = am->targets[i].taken < taken ? am->targets[i].taken : taken;
	pthread_mutex_lock(&am->mutex);
	alerts_forget(am->alerts, taken, clock_wall_ms());
	pthread_mutex_unlock(&am->mutex);
}

static void *run(void *user)
{
	struct alertmanager *am = user;
	struct alertmanager_target *target;
	while ((target = await(am)) != NULL) {
		save(am);
		tell(am, target);
		forget(am);
	}
	save(am);
	/* Whoever has failed will hear of it after the next start. */
	for (size_t i = 0; i < am->target_count; i++) {
		if (!am->targets[i].retry_ms && am->targets[i].taken != alerts_version(am->alerts))
			tell(am, &am->targets[i]);
	}
	return NULL;
}

/* ---- the caller ---- */

/* The server's URL as everybody may read it: without "user:password@". */
static void append_page(struct text *page, const char *url)
{
	const char *host = strstr(url, "//");
	host = host ? host + 2 : url;
	size_t authority = strcspn(host, "/");
	const char *at = memrchr(host, '@', authority);
	text_append(page, url, (size_t)(host - url));
	text_append_string(page, at ? at + 1 : host);
	if (page->length && page->data[page->length - 1] != '/')
		text_append_char(page, '/');
}

static int restore(struct alertmanager *am)
{
	struct text content = TEXT_EMPTY, wrong = TEXT_EMPTY;
	const char *path = am->path.data;
	int result = whole_file_read(path, &content);
	if (result == 0)
		result = alerts_restore(am->alerts, text_or(&content, ""), content.length, &wrong);
	else if (result == -ENOENT)
		result = 0;
	if (result == -EBADMSG) {
		log_error("%s is no file of vigie-alert: %s; moved to %s.broken, starting without", path,
		          text_or(&wrong, strerror(ENOMEM)), path);
		alerts_close(am->alerts);
		am->alerts = alerts_open();
		result = am->alerts ? whole_file_move_aside(path) : -ENOMEM;
	}
	am->saved = am->alerts ? alerts_version(am->alerts) : 0;
	text_free(&content);
	text_free(&wrong);
	return result;
}

static int open_all(struct alertmanager *am, const struct config *config, const char *path)
{
	const struct config_list *urls = &config->alert.alertmanager;
	int64_t renew_ms = RENEW_INTERVALS * config->alert.interval_ms;
	am->renew_ms = renew_ms < RENEW_MAX_MS ? renew_ms : RENEW_MAX_MS;
	am->saving.operation = "writing what the Alertmanagers know";
	am->alerts = alerts_open();
	am->targets = calloc(urls->count, sizeof(*am->targets));
	text_append_string(&am->path, path);
	append_page(&am->page, config->alert.url);
	if (!am->alerts || !am->targets || text_failed(&am->path) || text_failed(&am->page))
		return -ENOMEM;
	for (size_t i = 0; i < urls->count; i++) {
		am->target_count++;
		if (!alertmanager_target_open(&am->targets[i], urls->values[i], config))
			return -ENOMEM;
	}
	int result = restore(am);
	if (result)
		return result;
	am->started = pthread_create(&am->thread, NULL, run, am) == 0;
	return am->started ? 0 : -EAGAIN;
}

int alertmanager_open(const struct config *config, const char *path, struct alertmanager **ret_alertmanager)
{
	if (config->alert.alertmanager.count == 0) {
		*ret_alertmanager = NULL;
		return 0;
	}
	struct alertmanager *am = calloc(1, sizeof(*am));
	if (!am)
		return -ENOMEM;
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&am->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	pthread_mutex_init(&am->mutex, NULL);
	int result = open_all(am, config, path);
	if (result)
		alertmanager_close(am);
	else
		*ret_alertmanager = am;
	return result;
}

bool alertmanager_lacks(struct alertmanager *am, const struct states *states)
{
	pthread_mutex_lock(&am->mutex);
	bool lacks = alerts_lack(am->alerts, states);
	pthread_mutex_unlock(&am->mutex);
	return lacks;
}

void alertmanager_update(struct alertmanager *am, const struct states *states, const struct hostnames *names, int64_t now_ms)
{
	pthread_mutex_lock(&am->mutex);
	if (alerts_update(am->alerts, states, names, now_ms) != 0)
		log_error("not all alarms are told the Alertmanagers now: %s", strerror(ENOMEM));
	pthread_cond_signal(&am->changed);
	pthread_mutex_unlock(&am->mutex);
}

static void end_thread(struct alertmanager *am)
{
	pthread_mutex_lock(&am->mutex);
	am->closing = true;
	pthread_cond_signal(&am->changed);
	pthread_mutex_unlock(&am->mutex);
	pthread_join(am->thread, NULL);
}

void alertmanager_close(struct alertmanager *am)
{
	if (!am)
		return;
	if (am->started)
		end_thread(am);
	for (size_t i = 0; i < am->target_count; i++)
		alertmanager_target_close(&am->targets[i]);
	free(am->targets);
	text_free(&am->path);
	text_free(&am->page);
	alerts_close(am->alerts);
	pthread_cond_destroy(&am->changed);
	pthread_mutex_destroy(&am->mutex);
	free(am);
}
