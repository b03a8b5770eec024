#include "top/feed.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"

struct feed {
	struct client *client;
	int64_t interval_ms;
	int fd;
	pthread_t thread;
	pthread_mutex_t lock; /* of all that follows */
	pthread_cond_t changed;
	bool closing;
	struct fleet *fleet; /* that nobody has taken */
	struct text error;   /* likewise */
};

int feed_ask(struct client *client, struct fleet **ret_fleet, struct text *ret_error)
{
	static const struct {
		const char *path;
		int (*take)(struct fleet *fleet, const struct text *body, struct text *ret_error);
	} answers[] = {
		{ "latest", fleet_take_latest },
		{ "forecasts", fleet_take_forecasts },
		{ "query-alarm", fleet_take_alarms },
		{ "hosts", fleet_take_hosts },
	};
	struct text wrong = TEXT_EMPTY;
	struct fleet *fleet = fleet_open();
	int result = fleet ? 0 : -ENOMEM;
	if (result)
		text_append_string(ret_error, strerror(-result));
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]) && result == 0; i++) {
		const struct text *body;
		result = client_get(client, answers[i].path, &body, ret_error);
		if (result)
			break;
		result = answers[i].take(fleet, body, &wrong);
		if (result)
			client_blame(client, text_or(&wrong, strerror(-result)), ret_error);
	}
	text_free(&wrong);
	if (result)
		fleet_close(fleet);
	else
		*ret_fleet = fleet;
	return result;
}

static void hand_over(struct feed *feed, struct fleet *fleet, const struct text *error)
{
	fleet_close(feed->fleet);
	feed->fleet = fleet;
	text_reset(&feed->error);
	text_append_string(&feed->error, text_or(error, ""));
	(void)eventfd_write(feed->fd, 1); /* it fails when it is readable anyway */
}

/* Until the feed is closing, at most as long as its interval. The lock is held. */
static void rest(struct feed *feed)
{
	struct timespec end;
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += feed->interval_ms / 1000;
	end.tv_nsec += feed->interval_ms % 1000 * 1000000;
	if (end.tv_nsec >= 1000000000) {
		end.tv_nsec -= 1000000000;
		end.tv_sec++;
	}
	while (!feed->closing && pthread_cond_clockwait(&feed->changed, &feed->lock, CLOCK_MONOTONIC, &end) == 0)
		;
}

static void *run(void *user)
{
	struct feed *feed = user;
	pthread_mutex_lock(&feed->lock);
	while (!feed->closing) {
		struct text error = TEXT_EMPTY;
		struct fleet *fleet = NULL;
		pthread_mutex_unlock(&feed->lock);
		if (feed_ask(feed->client, &fleet, &error) != 0)
			fleet = NULL;
		pthread_mutex_lock(&feed->lock);
		hand_over(feed, fleet, &error);
		text_free(&error);
		rest(feed);
	}
	pthread_mutex_unlock(&feed->lock);
	return NULL;
}

int feed_open(struct client *client, int64_t interval_ms, struct feed **ret_feed)
{
	struct feed *feed = calloc(1, sizeof(*feed));
	if (!feed)
		return -ENOMEM;
	*feed = (struct feed){
		.client = client, .interval_ms = interval_ms, .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER,
	};
	feed->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int result = feed->fd < 0 ? -errno : 0;
	if (result == 0) {
		/* The terminal's signals are the other thread's; SIGTERM ends a request of this one (common/http.h). */
		sigset_t all, before;
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &before);
		result = -pthread_create(&feed->thread, NULL, run, feed);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	}
	if (result) {
		if (feed->fd >= 0)
			close(feed->fd);
		free(feed);
		return result;
	}
	*ret_feed = feed;
	return 0;
}

void feed_close(struct feed *feed)
{
	if (!feed)
		return;
	pthread_mutex_lock(&feed->lock);
	feed->closing = true;
	pthread_cond_signal(&feed->changed);
	pthread_mutex_unlock(&feed->lock);
	pthread_kill(feed->thread, SIGTERM);
	pthread_join(feed->thread, NULL);
	close(feed->fd);
	fleet_close(feed->fleet);
	text_free(&feed->error);
	free(feed);
}

int feed_fd(const struct feed *feed)
{
	return feed->fd;
}

struct fleet *feed_take(struct feed *feed, struct text *ret_error)
{
	eventfd_t count;
	text_reset(ret_error);
	(void)eventfd_read(feed->fd, &count);
	pthread_mutex_lock(&feed->lock);
	struct fleet *fleet = feed->fleet;
	feed->fleet = NULL;
	text_append_string(ret_error, text_or(&feed->error, ""));
	pthread_mutex_unlock(&feed->lock);
	return fleet;
}
