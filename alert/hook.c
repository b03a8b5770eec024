#include "alert/hook.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "alert/alert_log.h"
#include "alert/fields.h"
#include "alert/hook_run.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"

struct hook {
	pthread_t thread;
	bool started;
	int wake_fd; /* an eventfd: the deadline of what runs has changed */

	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t changed;
	char *path;
	int64_t timeout_ms;
	int64_t wait_ns;
	int64_t first_ns; /* when the first of those that wait came, on the monotonic clock */
	bool closing;
	int64_t close_ns; /* the end of it, on the monotonic clock */
	uint64_t dropped; /* since the queue was last empty */
	size_t first, count;
	struct transition queue[HOOK_QUEUE_MAX]; /* a ring */

	/* The thread's own. */
	int64_t run_end_ns;
	bool failing[HOOK_FAILURES];
};

/* What the program is run with once. */
struct call {
	char *path; /* NULL: out of memory */
	int64_t timeout_ms;
	struct text arguments;
	struct text input; /* empty: none */
};

struct hook *hook_open(void)
{
	struct hook *hook = calloc(1, sizeof(*hook));
	if (!hook)
		return NULL;
	pthread_mutex_init(&hook->mutex, NULL);
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&hook->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	hook->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return hook;
}

/* When what runs is to be killed: at its time limit, or earlier when the service ends. */
static int64_t deadline(void *user)
{
	struct hook *hook = user;
	pthread_mutex_lock(&hook->mutex);
	int64_t end_ns = hook->closing && hook->close_ns < hook->run_end_ns ? hook->close_ns : hook->run_end_ns;
	pthread_mutex_unlock(&hook->mutex);
	return end_ns;
}

static void note(struct hook *hook, const char *path, int result, enum hook_failure failure, const char *reason)
{
	if (result) {
		if (!hook->failing[failure])
			log_error("the hook %s fails: %s", path, reason ? reason : strerror(-result));
		hook->failing[failure] = true;
		return;
	}
	bool failed = false;
	for (int i = 0; i < HOOK_FAILURES; i++) {
		failed |= hook->failing[i];
		hook->failing[i] = false;
	}
	if (failed)
		log_info("the hook %s works again", path);
}

static void run_once(struct hook *hook, const struct call *call)
{
	struct text error = TEXT_EMPTY;
	enum hook_failure failure = HOOK_CANNOT_RUN;
	hook->run_end_ns = clock_monotonic_ns() + call->timeout_ms * 1000000;
	int result = !call->path || text_failed(&call->arguments) || text_failed(&call->input) ? -ENOMEM :
	             hook_run(call->path, &call->arguments, call->input.length ? &call->input : NULL, hook->wake_fd, deadline,
	                      hook, &failure, &error);
	note(hook, call->path ? call->path : "", result, failure, error.data);
	text_free(&error);
}

static void append_object(const struct transition *transition, struct text *text)
{
	char time[CLOCK_RFC3339_SIZE];
	struct text line = TEXT_EMPTY;
	clock_format_rfc3339(transition->alarm.said_ms, time);
	alert_log_format(transition, transition->alarm.said_ms, &line);
	text_printf(text, "{\"time\": \"%s\", ", time);
	fields_append(transition, FIELDS_JSON, text);
	text_append_string(text, ", \"line\": ");
	if (text_failed(&line)) {
		text->failed = true;
	} else {
		line.data[line.length - 1] = '\0'; /* its newline */
		json_append_string(text, line.data);
	}
	text_append_char(text, '}');
	text_free(&line);
}

static struct transition next(struct hook *hook)
{
	struct transition transition = hook->queue[hook->first];
	hook->first = (hook->first + 1) % HOOK_QUEUE_MAX;
	hook->count--;
	return transition;
}

/* Takes what the next call is about: one transition, or all. */
static void fill_call(struct hook *hook, struct call *call)
{
	bool all = hook->wait_ns > 0, one = !all || hook->count == 1;
	const char *separator = "[\n";
	do {
		struct transition transition = next(hook);
		if (one)
			fields_append(&transition, FIELDS_ARGUMENTS, &call->arguments);
		if (!all)
			return;
		text_append_string(&call->input, separator);
		append_object(&transition, &call->input);
		separator = ",\n";
	} while (hook->count > 0);
	text_append_string(&call->input, "\n]\n");
}

/* Waits until there is something to run for, or the service ends. */
static void wait_for_more(struct hook *hook)
{
	while (!hook->closing) {
		int64_t end_ns = hook->first_ns + hook->wait_ns;
		if (hook->count == HOOK_QUEUE_MAX || (hook->count > 0 && clock_monotonic_ns() >= end_ns))
			return;
		const struct timespec end = clock_timespec(end_ns);
		if (hook->count > 0)
			pthread_cond_timedwait(&hook->changed, &hook->mutex, &end);
		else
			pthread_cond_wait(&hook->changed, &hook->mutex);
	}
}

/* Waits for the next call; false: the service ends. */
static bool take(struct hook *hook, struct call *ret_call)
{
	pthread_mutex_lock(&hook->mutex);
	if (hook->count == 0 && hook->dropped) {
		log_error("%llu transitions were not given to the hook: too many waited", (unsigned long long)hook->dropped);
		hook->dropped = 0;
	}
	wait_for_more(hook);
	bool taken = hook->count > 0 && !(hook->closing && clock_monotonic_ns() >= hook->close_ns);
	if (taken) {
		*ret_call = (struct call){ .path = strdup(hook->path), .timeout_ms = hook->timeout_ms };
		fill_call(hook, ret_call);
	}
	pthread_mutex_unlock(&hook->mutex);
	return taken;
}

static void *run(void *user)
{
	struct hook *hook = user;
	struct call call;
	while (take(hook, &call)) {
		run_once(hook, &call);
		free(call.path);
		text_free(&call.arguments);
		text_free(&call.input);
	}
	return NULL;
}

/* A program may come to be, and a thread that could not be made may be possible later. */
static int start(struct hook *hook)
{
	if (hook->started)
		return 0;
	if (hook->wake_fd < 0)
		return -EAGAIN;
	int error = pthread_create(&hook->thread, NULL, run, hook);
	hook->started = error == 0;
	return error ? -EAGAIN : 0;
}

int hook_configure(struct hook *hook, const char *path, int64_t timeout_ms)
{
	char *copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	pthread_mutex_lock(&hook->mutex);
	free(hook->path);
	hook->path = copy;
	hook->timeout_ms = timeout_ms;
	if (!path[0])
		hook->count = 0;
	pthread_mutex_unlock(&hook->mutex);
	if (!path[0])
		return 0;
	int result = start(hook);
	return result ? result : access(path, X_OK) != 0 ? -errno : 0;
}

void hook_set_wait(struct hook *hook, int64_t wait_ms)
{
	pthread_mutex_lock(&hook->mutex);
	hook->wait_ns = wait_ms * 1000000;
	pthread_cond_signal(&hook->changed);
	pthread_mutex_unlock(&hook->mutex);
}

void hook_add(struct hook *hook, const struct transition *transition)
{
	pthread_mutex_lock(&hook->mutex);
	if (hook->started && hook->path[0]) {
		if (hook->count == HOOK_QUEUE_MAX) {
			(void)next(hook);
			hook->dropped++;
		}
		if (hook->count == 0)
			hook->first_ns = clock_monotonic_ns();
		hook->queue[(hook->first + hook->count) % HOOK_QUEUE_MAX] = *transition;
		hook->count++;
		pthread_cond_signal(&hook->changed);
	}
	pthread_mutex_unlock(&hook->mutex);
}

static void end_thread(struct hook *hook)
{
	pthread_mutex_lock(&hook->mutex);
	hook->closing = true;
	hook->close_ns = clock_monotonic_ns() + HOOK_CLOSE_MS * INT64_C(1000000);
	pthread_cond_signal(&hook->changed);
	pthread_mutex_unlock(&hook->mutex);
	uint64_t one = 1;
	if (write(hook->wake_fd, &one, sizeof(one)) < 0)
		log_error("cannot wake the hook's thread: %s", strerror(errno));
	pthread_join(hook->thread, NULL);
	if (hook->count + hook->dropped)
		log_error("%llu transitions were not given to the hook: the program ends",
		          (unsigned long long)(hook->count + hook->dropped));
}

void hook_close(struct hook *hook)
{
	if (!hook)
		return;
	if (hook->started)
		end_thread(hook);
	if (hook->wake_fd >= 0)
		close(hook->wake_fd);
	pthread_cond_destroy(&hook->changed);
	pthread_mutex_destroy(&hook->mutex);
	free(hook->path);
	free(hook);
}
