#include "fcgi/outbox.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "fcgi/counters.h"
#include "fcgi/records.h"

enum {
	WAIT_MS = 1000,          /* for room: most readers are fast */
	END_MS = 2000,           /* for what is on its way, when it is closed */
	END_TURN_MS = 100,
	NO_FD = -1,
};

/* An answer: reserved while it has no descriptor. */
struct outbox_item {
	struct outbox_item *next;
	const struct text *body; /* what is counted: of `response` then, or lent to it */
	size_t length;
	int fd;
	int id; /* of FastCGI's request */
	struct response response;
	size_t sent;  /* bytes of its records */
	int64_t since_ns;
	size_t slot; /* its place in what was polled last; 0: none */
};

struct outbox {
	pthread_mutex_t lock;
	pthread_cond_t left;
	struct outbox_item *items;
	size_t count, bytes;
	size_t waiting;  /* who wait for room */
	bool ending;
	int wake;        /* tells the thread that there is something new */
	pthread_t thread;
};

/* ---- Room, under the lock ---- */

static bool is_shared(const struct outbox *outbox, const struct outbox_item *item)
{
	for (const struct outbox_item *other = outbox->items; other; other = other->next) {
		if (other != item && other->body == item->body)
			return true;
	}
	return false;
}

static void link_item(struct outbox *outbox, struct outbox_item *item)
{
	if (!is_shared(outbox, item))
		outbox->bytes += item->length;
	outbox->count++;
	item->next = outbox->items;
	outbox->items = item;
}

static void unlink_item(struct outbox *outbox, struct outbox_item *item)
{
	struct outbox_item **at = &outbox->items;
	while (*at != item)
		at = &(*at)->next;
	*at = item->next;
	outbox->count--;
	if (!is_shared(outbox, item))
		outbox->bytes -= item->length;
	if (outbox->waiting)
		pthread_cond_broadcast(&outbox->left);
}

static bool has_room(const struct outbox *outbox, const struct outbox_item *item)
{
	size_t limit = budget_limit(BUDGET_ANSWERS) / 3;
	size_t more = is_shared(outbox, item) ? 0 : item->length;
	if (outbox->count >= OUTBOX_ANSWERS)
		return false;
	return outbox->bytes == 0 || more == 0 || (outbox->bytes < limit && more <= limit - outbox->bytes);
}

/* The slowest of those that had their time; NULL: there is none. */
static struct outbox_item *slowest(const struct outbox *outbox)
{
	struct outbox_item *found = NULL;
	double found_pace = 0;
	int64_t now_ns = clock_monotonic_ns();
	for (struct outbox_item *item = outbox->items; item; item = item->next) {
		int64_t age_ns = now_ns - item->since_ns;
		double pace = (double)item->sent / (double)(age_ns + 1);
		if (item->fd == NO_FD || age_ns < OUTBOX_TIME_MS * INT64_C(1000000) || (found && pace >= found_pace))
			continue;
		found = item;
		found_pace = pace;
	}
	return found;
}

/* ---- Outside of the lock ---- */

static void free_item(struct outbox_item *item)
{
	if (item->fd != NO_FD)
		close(item->fd);
	response_free(&item->response);
	free(item);
}

static void free_items(struct outbox_item *items)
{
	while (items) {
		struct outbox_item *next = items->next;
		free_item(items);
		items = next;
	}
}

static void wake(struct outbox *outbox)
{
	(void)!write(outbox->wake, &(uint64_t){ 1 }, sizeof(uint64_t));
}

int outbox_reserve(struct outbox *outbox, const struct response *response, struct outbox_item **ret_item)
{
	struct outbox_item *item = malloc(sizeof(*item)), *cut = NULL, *next;
	if (!item)
		return -ENOMEM;
	*item = (struct outbox_item){ .body = response->lent ? response->lent : &item->response.body, .fd = NO_FD,
		                          .length = response_body(response)->length };
	int64_t until_ns = clock_monotonic_ns() + WAIT_MS * INT64_C(1000000);
	struct timespec until = clock_timespec(until_ns);
	int waited = 0;

	pthread_mutex_lock(&outbox->lock);
	for (;;) {
		while (!has_room(outbox, item) && (next = slowest(outbox), next)) {
			unlink_item(outbox, next);
			next->next = cut;
			cut = next;
		}
		if (waited || has_room(outbox, item))
			break;
		outbox->waiting++;
		waited = pthread_cond_timedwait(&outbox->left, &outbox->lock, &until);
		outbox->waiting--;
	}
	bool room = has_room(outbox, item);
	if (room)
		link_item(outbox, item);
	pthread_mutex_unlock(&outbox->lock);

	free_items(cut);
	if (!room) {
		free(item);
		counters_add(COUNTER_OVER_BUDGET, 1);
		return -ENOBUFS;
	}
	*ret_item = item;
	return 0;
}

void outbox_cancel(struct outbox *outbox, struct outbox_item *item)
{
	pthread_mutex_lock(&outbox->lock);
	unlink_item(outbox, item);
	pthread_mutex_unlock(&outbox->lock);
	free_item(item);
}

void outbox_send(struct outbox *outbox, struct outbox_item *item, int fd, int id, struct response *response)
{
	pthread_mutex_lock(&outbox->lock);
	item->response = *response;
	item->fd = fd;
	item->id = id;
	item->since_ns = clock_monotonic_ns();
	pthread_mutex_unlock(&outbox->lock);
	*response = (struct response){ .body = TEXT_EMPTY };
	wake(outbox);
}

/* ---- The thread ---- */

/* Sends what the socket takes. True: that was all, or nginx has gone. */
static bool send_some(struct outbox_item *item)
{
	const struct text *body = response_body(&item->response);
	size_t records = (item->length + RECORDS_CONTENT - 1) / RECORDS_CONTENT, content_end = records * RECORDS_HEADER + item->length;
	while (item->sent < content_end + RECORDS_TAIL) {
		unsigned char head[RECORDS_TAIL];
		struct iovec parts[2] = { { .iov_base = head }, { 0 } };
		size_t skip;
		if (item->sent < content_end) {
			size_t record = item->sent / (RECORDS_HEADER + RECORDS_CONTENT), start = record * RECORDS_CONTENT;
			size_t length = item->length - start < RECORDS_CONTENT ? item->length - start : RECORDS_CONTENT;
			skip = item->sent % (RECORDS_HEADER + RECORDS_CONTENT);
			parts[0].iov_len = records_put_header(item->id, length, head);
			parts[1] = (struct iovec){ .iov_base = body->data + start, .iov_len = length };
		} else {
			skip = item->sent - content_end;
			parts[0].iov_len = records_put_tail(item->id, head);
		}
		for (int i = 0; i < 2; i++) {
			size_t part = skip < parts[i].iov_len ? skip : parts[i].iov_len;
			parts[i].iov_base = (char *)parts[i].iov_base + part;
			parts[i].iov_len -= part;
			skip -= part;
		}
		ssize_t sent = sendmsg(item->fd, &(struct msghdr){ .msg_iov = parts, .msg_iovlen = 2 }, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno != EINTR)
			return errno != EAGAIN;
		item->sent += sent > 0 ? (size_t)sent : 0;
	}
	return true;
}

/* What can be sent now. Gives those that are done, out of the list. */
static struct outbox_item *send_all(struct outbox *outbox, const struct pollfd *polled)
{
	struct outbox_item *done = NULL, *next;
	for (struct outbox_item *item = outbox->items; item; item = next) {
		next = item->next;
		/* What was not polled is new. */
		if (item->fd == NO_FD || (item->slot && !polled[item->slot].revents) || !send_some(item))
			continue;
		unlink_item(outbox, item);
		item->next = done;
		done = item;
	}
	return done;
}

static size_t list_polled(struct outbox *outbox, struct pollfd *polled)
{
	size_t count = 1;
	for (struct outbox_item *item = outbox->items; item; item = item->next) {
		item->slot = item->fd == NO_FD ? 0 : count;
		if (item->slot)
			polled[count++] = (struct pollfd){ .fd = item->fd, .events = POLLOUT };
	}
	return count;
}

static void *run(void *user)
{
	struct outbox *outbox = user;
	struct pollfd polled[1 + OUTBOX_ANSWERS] = { { .fd = outbox->wake, .events = POLLIN } };
	int64_t end_ns = INT64_MAX;
	for (;;) {
		pthread_mutex_lock(&outbox->lock);
		struct outbox_item *done = send_all(outbox, polled);
		size_t count = list_polled(outbox, polled);
		bool ending = outbox->ending, empty = outbox->count == 0;
		pthread_mutex_unlock(&outbox->lock);

		free_items(done);
		if (ending && end_ns == INT64_MAX)
			end_ns = clock_monotonic_ns() + END_MS * INT64_C(1000000);
		if (ending && (empty || clock_monotonic_ns() >= end_ns))
			return NULL;
		(void)poll(polled, count, ending ? END_TURN_MS : -1);
		if (polled[0].revents)
			(void)!read(outbox->wake, &(uint64_t){ 0 }, sizeof(uint64_t));
	}
}

static void destroy(struct outbox *outbox)
{
	if (outbox->wake >= 0)
		close(outbox->wake);
	pthread_cond_destroy(&outbox->left);
	pthread_mutex_destroy(&outbox->lock);
	free(outbox);
}

int outbox_open(struct outbox **ret_outbox)
{
	struct outbox *outbox = calloc(1, sizeof(*outbox));
	if (!outbox)
		return -ENOMEM;
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_mutex_init(&outbox->lock, NULL);
	pthread_cond_init(&outbox->left, &attributes);
	pthread_condattr_destroy(&attributes);
	outbox->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int result = outbox->wake < 0 ? -errno : -pthread_create(&outbox->thread, NULL, run, outbox);
	if (result)
		destroy(outbox);
	else
		*ret_outbox = outbox;
	return result;
}

void outbox_close(struct outbox *outbox)
{
	if (!outbox)
		return;
	pthread_mutex_lock(&outbox->lock);
	outbox->ending = true;
	pthread_mutex_unlock(&outbox->lock);
	wake(outbox);
	pthread_join(outbox->thread, NULL);
	free_items(outbox->items);
	destroy(outbox);
}
