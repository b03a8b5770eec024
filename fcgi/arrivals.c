#include "fcgi/arrivals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

#include "common/log.h"

struct arrivals {
	int epoll; /* has each guest, and NULL for the listening socket, for one event at a time; and itself for: */
	int ending; /* readable once it ends */
	pthread_mutex_t lock;
	struct guest *guests;
};

static void on_signal(int signal)
{
	(void)signal;
}

static void set_signal(int how)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, ARRIVALS_SIGNAL);
	pthread_sigmask(how, &set, NULL);
}

/* Waits for the next event of a descriptor. */
static int await(struct arrivals *arrivals, int operation, int fd, struct guest *guest)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, .data.ptr = guest };
	return epoll_ctl(arrivals->epoll, operation, fd, &event) == 0 ? 0 : -errno;
}

int arrivals_open(struct arrivals **ret_arrivals)
{
	struct arrivals *arrivals = calloc(1, sizeof(*arrivals));
	if (!arrivals)
		return -ENOMEM;
	pthread_mutex_init(&arrivals->lock, NULL);
	arrivals->epoll = epoll_create1(EPOLL_CLOEXEC);
	arrivals->ending = eventfd(0, EFD_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = arrivals };
	int result = 0;
	if (arrivals->epoll < 0 || arrivals->ending < 0 || epoll_ctl(arrivals->epoll, EPOLL_CTL_ADD, arrivals->ending, &event) != 0)
		result = -errno;
	if (result == 0)
		result = await(arrivals, EPOLL_CTL_ADD, STDIN_FILENO, NULL);
	if (result) {
		arrivals_close(arrivals);
		return result;
	}
	/* Without SA_RESTART: the interrupted call returns. */
	struct sigaction action = { .sa_handler = on_signal };
	sigaction(ARRIVALS_SIGNAL, &action, NULL);
	set_signal(SIG_BLOCK);
	*ret_arrivals = arrivals;
	return 0;
}

void arrivals_end(struct arrivals *arrivals)
{
	(void)!write(arrivals->ending, &(uint64_t){ 1 }, sizeof(uint64_t));
	request_shutdown();
}

void arrivals_close(struct arrivals *arrivals)
{
	if (!arrivals)
		return;
	for (struct guest *guest = arrivals->guests, *next; guest; guest = next) {
		next = guest->next;
		arrivals_drop(guest);
	}
	if (arrivals->epoll >= 0)
		close(arrivals->epoll);
	if (arrivals->ending >= 0)
		close(arrivals->ending);
	pthread_mutex_destroy(&arrivals->lock);
	free(arrivals);
}

void arrivals_drop(struct guest *guest)
{
	struct arrivals *arrivals = guest->arrivals;
	pthread_mutex_lock(&arrivals->lock);
	DL_DELETE(arrivals->guests, guest);
	pthread_mutex_unlock(&arrivals->lock);
	connection_close(guest->connection);
	pthread_mutex_destroy(&guest->handing);
	free(guest);
}

/* Has it wait for a request; from then on it is another thread's. Where it cannot, it is closed. 0 or a negative errno. */
static int hand_over(struct guest *guest, int operation)
{
	pthread_mutex_lock(&guest->handing);
	int result = await(guest->arrivals, operation, connection_fd(guest->connection), guest);
	pthread_mutex_unlock(&guest->handing);
	if (result)
		arrivals_drop(guest);
	return result;
}

/* Takes one of which epoll has told. */
static void take_over(struct guest *guest)
{
	pthread_mutex_lock(&guest->handing);
	pthread_mutex_unlock(&guest->handing);
}

void arrivals_return(struct guest *guest)
{
	(void)hand_over(guest, EPOLL_CTL_MOD);
}

/* Takes one connection. 0 or a negative errno. */
static int accept_guest(struct arrivals *arrivals)
{
	struct guest *guest = calloc(1, sizeof(*guest));
	if (!guest)
		return -ENOMEM;
	guest->arrivals = arrivals;
	set_signal(SIG_UNBLOCK);
	int result = connection_accept(&guest->connection);
	set_signal(SIG_BLOCK);
	if (result) {
		free(guest);
		return result;
	}
	pthread_mutex_init(&guest->handing, NULL);
	pthread_mutex_lock(&arrivals->lock);
	DL_APPEND(arrivals->guests, guest);
	pthread_mutex_unlock(&arrivals->lock);
	return hand_over(guest, EPOLL_CTL_ADD);
}

static void accept_next(struct arrivals *arrivals)
{
	int result = accept_guest(arrivals);
	/* EMFILE and the like: not a reason to spin. */
	if (result && result != -EINTR && result != -ECONNABORTED)
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	result = await(arrivals, EPOLL_CTL_MOD, STDIN_FILENO, NULL);
	if (result)
		log_error("no connection is accepted any more: %s", strerror(-result));
}

struct guest *arrivals_next(struct arrivals *arrivals)
{
	struct epoll_event event;
	if (epoll_wait(arrivals->epoll, &event, 1, -1) != 1 || event.data.ptr == arrivals)
		return NULL;
	struct guest *guest = event.data.ptr;
	if (!guest) {
		accept_next(arrivals);
		return NULL;
	}
	take_over(guest);
	set_signal(SIG_UNBLOCK);
	int result = connection_read_head(guest->connection, &guest->request);
	set_signal(SIG_BLOCK);
	if (result == 0)
		return guest;
	arrivals_drop(guest);
	return NULL;
}
