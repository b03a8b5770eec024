/*
 * fcgi/pool.h and fcgi/request.h: the real libfcgi on a Unix socket as descriptor 0.
 *
 * libfcgi cannot be used again once it has been shut down, so every case runs in a
 * child process; a check that fails ends the child.
 */
#include "tests/unit/support/cmocka.h"
#include "tests/unit/support/failing_malloc.h"
#include "tests/unit/fcgi/fastcgi_client.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "common/clock.h"
#include "common/gzip.h"
#include "fcgi/pool.h"

enum { THREADS = 4, MAX_BODY = 100000, CASE_SECONDS = 20 };

static struct pool *pool;
static sem_t held, go_on;  /* a request for /hold or /wait is under way, and may end */
static sem_t being_stopped; /* pool_stop() has begun */

/* In the place of libfcgi's own, which it calls. */
void FCGX_ShutdownPending(void)
{
	void (*real)(void);
	void *found = dlsym(RTLD_NEXT, "FCGX_ShutdownPending");
	memcpy(&real, &found, sizeof(real));
	real();
	sem_post(&being_stopped);
}

/* ---- what the pool calls ---- */

/* "/closed" is answered before its body is read. */
static bool admit(void *user, struct request *request, struct response *response)
{
	CHECK(user == &address);
	CHECK(response->status == 200 && response->body.length == 0 && !response->authenticate);
	CHECK(!request->body && request->body_length == 0);
	if (strcmp(request->path, "/closed") != 0)
		return true;
	response_error(response, 401, NULL, "closed to '%s'", request->authorization);
	return false;
}

/* Requests for /later, which are answered by answer_put_off(). */
enum { PUT_OFF_MAX = 100 };
static struct later *put_off[PUT_OFF_MAX];
static atomic_uint put_off_count;
static bool aside; /* they are set aside, too */

static void handle(void *user, struct request *request, struct response *response)
{
	CHECK(user == &address);
	if (strcmp(request->path, "/later") == 0) {
		struct later *later = request->later;
		if (aside)
			later->set_aside(later);
		response->is_later = true;
		put_off[atomic_load(&put_off_count)] = later; /* they come one after the other */
		atomic_fetch_add(&put_off_count, 1);
		return;
	}
	if (strcmp(request->path, "/wait") == 0)
		request->later->wait(request->later);
	if (strcmp(request->path, "/hold") == 0 || strcmp(request->path, "/wait") == 0) {
		sem_post(&held);
		/* No signal of the pool's cuts what a handler waits for. */
		CHECK(sem_wait(&go_on) == 0);
	} else if (strcmp(request->path, "/large") == 0) {
		for (int i = 0; i < 300000; i++)
			text_append_string(&response->body, "0123456789");
		return;
	} else if (strcmp(request->path, "/waited") == 0) {
		text_printf(&response->body, "%s", request->waited_ms == 0 ? "unknown" : request->waited_ms >= sent_ago_ms ? "long" : "less");
		return;
	} else if (strcmp(request->path, "/no-memory") == 0) {
		text_append_string(&response->body, "a part");
		response->body.failed = true;
		return;
	} else if (strcmp(request->path, "/busy") == 0) {
		response->retry_after_s = 5;
		response->allow = "PUT";
		response_error(response, 503, "data[3].\"x\"", "it is %s", "busy\n");
		return;
	}
	CHECK(request->body[request->body_length] == '\0');
	static const char *const states[] = {
		[REQUEST_BODY_WHOLE] = "",      [REQUEST_BODY_TOO_LARGE] = " too large", [REQUEST_BODY_CUT] = " cut",
		[REQUEST_BODY_BROKEN] = " broken", [REQUEST_BODY_ENCODED] = " encoded",
	};
	text_printf(&response->body, "%s %s ?%s %zu%s ", request->method, request->path, request->query,
	            request->body_length, states[request->body_state]);
	text_append(&response->body, request->body, request->body_length < 100 ? request->body_length : 100);
}

/* After each answer, whatever it is. */
static atomic_uint answers_sent;

static void sent(void *user, struct request *request)
{
	(void)request;
	CHECK(user == &address);
	atomic_fetch_add(&answers_sent, 1);
}

static atomic_uint late_answers;

static void late(void *user, const struct request *request, const struct response *response)
{
	CHECK(user == &address && strcmp(request->path, aside ? "" : "/later") == 0 && response->status == 409);
	atomic_fetch_add(&late_answers, 1);
}

static const struct pool_handler handler = { .admit = admit, .handle = handle, .late = late, .sent = sent };

/* ---- the cases, each in a child ---- */


/* Runs it in a child, with a pool of this handler; NULL: without one. */
static void run_case_with(const struct pool_handler *with, void (*body)(void))
{
	char folder[TEMPORARY_FOLDER_SIZE];
	int status = -1;
	temporary_folder_make(folder);
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		alarm(CASE_SECONDS);
		listen_on_0(folder);
		sem_init(&held, 0, 0);
		sem_init(&go_on, 0, 0);
		sem_init(&being_stopped, 0, 0);
		CHECK(request_init() == 0);
		CHECK(!with || pool_start(THREADS, MAX_BODY, with, &address, &pool) == 0);
		body();
		exit(0);
	}
	waitpid(child, &status, 0);
	temporary_folder_remove(folder);
	assert_int_equal(status, 0);
}

static void run_case(void (*body)(void))
{
	run_case_with(&handler, body);
}

/* What is said by another clock, as it seems, is not known. */
static void requests_that_have_waited(void)
{
	static const struct {
		int64_t ago_ms;
		const char *words;
	} cases[] = { { 3000, "long" }, { 0, "unknown" }, { -5000, "unknown" }, { 86400000, "unknown" } };
	struct text answer = TEXT_EMPTY;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		sent_ago_ms = cases[i].ago_ms;
		int fd = client_open();
		client_send(fd, "GET", "/waited", "", 0, 0, false);
		CHECK(client_receive(fd, &answer) && has(&answer, cases[i].words));
		close(fd);
	}
	text_free(&answer);
	pool_stop(pool);
}

static int64_t stop_ms(void)
{
	int64_t start_ns = clock_monotonic_ns();
	pool_stop(pool);
	return (clock_monotonic_ns() - start_ns) / 1000000;
}

static void requests_of_every_kind(void)
{
	struct text answer = TEXT_EMPTY;
	static char body[MAX_BODY + 1];
	memset(body, 'x', sizeof(body));
	static const struct {
		const char *method, *path;
		size_t length, declared;
		const char *words[3];
	} cases[] = {
		{ "GET", "/a", 0, 0, { "Status: 200 OK\r\n", "\r\n\r\nGET /a ?a=1&b=2 0 ", "Content-Type: application/json\r\n" } },
		{ "PUT", "/a", 5, 5, { "\r\n\r\nPUT /a ?a=1&b=2 5 xxxxx", "Cache-Control: no-store\r\n" } },
		{ "PUT", "/a", MAX_BODY, MAX_BODY, { " 100000 xxx" } },
		{ "PUT", "/a", MAX_BODY + 1, MAX_BODY + 1, { " 0 too large " } },
		{ "PUT", "/a", 5, 6, { " 5 cut xxxxx" } },
		{ "PUT", "/a", 0, 1000, { " 0 cut " } },
		{ "GET", "/busy", 0, 0, { "Status: 503 Service Unavailable\r\n", "Retry-After: 5\r\n", "Allow: PUT\r\n" } },
		{ "GET", "/busy", 0, 0, { "{\"Response\": \"NOk\", \"error\": \"it is busy\\u000a\", \"field\": \"data[3].\\\"x\\\"\"}\n" } },
		{ "GET", "/no-memory", 0, 0, { "Status: 503", "out of memory" } },
		{ "GET", "/a", 0, 0, { "Status: 200 OK\r\n" } },
		{ "GET", "/closed", 0, 0, { "Status: 401 Unauthorized\r\n", "WWW-Authenticate: Bearer\r\n", "closed to 'Bearer x'" } },
		{ "PUT", "/closed", MAX_BODY, MAX_BODY, { "Status: 401 Unauthorized\r\n" } },
		{ "PUT", "/closed", MAX_BODY + 1, MAX_BODY + 1, { "Status: 401 Unauthorized\r\n" } },
		{ "PUT", "/closed", 5, 1000, { "Status: 401 Unauthorized\r\n" } },
		{ "PUT", "/a", 5, 5, { "Status: 200 OK\r\n", " 5 xxxxx" } },
	};
	for (int keep = 0; keep < 2; keep++) {
		int fd = client_open();
		for (size_t i = 0; i < COUNT_OF(cases); i++) {
			if (!keep && i) {
				close(fd);
				fd = client_open();
			}
			client_send(fd, cases[i].method, cases[i].path, body, cases[i].length, cases[i].declared, keep);
			CHECK(client_receive(fd, &answer));
			for (size_t j = 0; j < 3 && cases[i].words[j]; j++) {
				const char *words = cases[i].words[j];
				if (!has(&answer, words))
					fprintf(stderr, "%s %s: %.300s\n", cases[i].method, cases[i].path, answer.data);
				CHECK(has(&answer, words));
			}
			if (strcmp(cases[i].path, "/a") == 0)
				CHECK(!has(&answer, "Retry-After") && !has(&answer, "Allow") && !has(&answer, "WWW-Authenticate"));
		}
		close(fd);
	}

	int fd = client_open();
	client_send(fd, "HEAD", "/large", "", 0, 0, true);
	CHECK(client_receive(fd, &answer));
	CHECK(has(&answer, "Content-Length: 3000000\r\n"));
	CHECK(strcmp(strstr(answer.data, "\r\n\r\n"), "\r\n\r\n") == 0);
	client_send(fd, "GET", "/large", "", 0, 0, true);
	CHECK(client_receive(fd, &answer));
	CHECK(strlen(strstr(answer.data, "\r\n\r\n") + 4) == 3000000);
	close(fd); /* it is not kept after a large answer */
	fd = client_open();
	pool_set_max_body(pool, 10);
	client_send(fd, "PUT", "/a", body, 11, 11, true);
	CHECK(client_receive(fd, &answer) && has(&answer, "too large"));
	client_send(fd, "PUT", "/a", body, 10, 10, true);
	CHECK(client_receive(fd, &answer) && has(&answer, " 10 xxxxxxxxxx"));
	close(fd);
	text_free(&answer);
	CHECK(stop_ms() < 2000);
	CHECK(atomic_load(&answers_sent) == 2 * COUNT_OF(cases) + 4);
}

/* Of a body that finds no room nothing is kept, sent as it is or in gzip; one that does is given back. */
static void bodies_beyond_the_budget(void)
{
	struct text answer = TEXT_EMPTY, compressed = TEXT_EMPTY;
	static char body[MAX_BODY];
	CHECK(gzip_append(&compressed, body, sizeof(body)) == 0);
	int fd = client_open();
	for (int i = 0; i < 4; i++) {
		bool refused = i < 2, gzip = i % 2;
		encoding = gzip ? "gzip" : "";
		budget_set_limit(4 * (size_t)(refused ? MAX_BODY - 1 : 2 * MAX_BODY));
		size_t length = gzip ? compressed.length : sizeof(body);
		client_send(fd, "PUT", "/a", gzip ? compressed.data : body, length, length, true);
		CHECK(client_receive(fd, &answer));
		CHECK(has(&answer, refused ? "Status: 503" : "Status: 200") && has(&answer, "Retry-After: 5") == refused);
		client_send(fd, "GET", "/a", "", 0, 0, true); /* what the body held is given back by now */
		CHECK(client_receive(fd, &answer) && budget_held(BUDGET_BODIES) == 0);
	}
	close(fd);
	text_free(&answer);
	text_free(&compressed);
	CHECK(stop_ms() < 2000);
}

static void bodies_that_are_encoded(void)
{
	struct text answer = TEXT_EMPTY;
	static char body[MAX_BODY + 1];
	memset(body, 'x', sizeof(body));
	static const struct {
		const char *encoding;
		size_t length; /* before it is compressed */
		int cut;       /* bytes left out at the end; below 0: so many more behind it */
		const char *words;
	} cases[] = {
		{ "gzip", 5, 0, "PUT /a ?a=1&b=2 5 xxxxx" },
		{ "GZip", 5, 0, " 5 xxxxx" },
		{ "x-gzip", 5, 0, " 5 xxxxx" },
		{ "gzip", 0, 0, " 0 " },
		{ "gzip", MAX_BODY, 0, " 100000 xxxxx" },
		{ "gzip", MAX_BODY + 1, 0, " too large " },
		{ "gzip", 5, 1, " broken " },
		{ "gzip", 5, 20, " broken " },
		{ "gzip", 5, -1, " broken " },
		{ "identity", 5, 0, " 2" }, /* as it came: 25 bytes */
		{ "", 5, 0, " 2" },
		{ "br", 5, 0, " 0 encoded " },
		{ "deflate", 5, 0, " 0 encoded " },
		{ "gzip, gzip", 5, 0, " 0 encoded " },
		{ "gzip", 5, 0, " 5 xxxxx" },
	};
	int fd = client_open();
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct text compressed = TEXT_EMPTY;
		CHECK(gzip_append(&compressed, body, cases[i].length) == 0);
		text_append_char(&compressed, 'x');
		size_t length = compressed.length - 1 - (size_t)cases[i].cut;
		encoding = cases[i].encoding;
		client_send(fd, "PUT", "/a", compressed.data, length, length, true);
		CHECK(client_receive(fd, &answer));
		if (!has(&answer, cases[i].words))
			fprintf(stderr, "case %zu: %.300s\n", i, answer.data);
		CHECK(has(&answer, cases[i].words));
		text_free(&compressed);
	}
	encoding = "gzip";
	client_send(fd, "PUT", "/a", "x", 1, 1, true);
	CHECK(client_receive(fd, &answer) && has(&answer, " broken "));
	client_send(fd, "PUT", "/a", "", 0, 0, true);
	CHECK(client_receive(fd, &answer) && has(&answer, " 0 broken "));
	struct text compressed = TEXT_EMPTY;
	CHECK(gzip_append(&compressed, body, 1000) == 0);
	client_send(fd, "PUT", "/a", compressed.data, compressed.length, compressed.length + 1, true);
	CHECK(client_receive(fd, &answer) && has(&answer, " 1000 cut "));
	client_send(fd, "PUT", "/a", compressed.data, compressed.length - 9, compressed.length, true);
	CHECK(client_receive(fd, &answer) && has(&answer, " cut "));
	text_free(&compressed);
	client_send(fd, "GET", "/a", "", 0, 0, true);
	CHECK(client_receive(fd, &answer) && has(&answer, "GET"));
	close(fd);
	text_free(&answer);
	CHECK(stop_ms() < 2000);
}

/* Whatever of a request libfcgi has in its buffer when the answer is sent, the next one
 * on the connection is read from its beginning. */
static void kept_connection_with_bodies_of_every_length(void)
{
	struct text answer = TEXT_EMPTY;
	static char body[MAX_BODY * 2];
	char words[32];
	int fd = client_open();
	for (size_t length = 7900; length < 8300; length++) {
		client_send(fd, "PUT", "/a", body, length, length, true);
		CHECK(client_receive(fd, &answer));
		snprintf(words, sizeof(words), " %zu ", length);
		CHECK(has(&answer, words));
	}
	for (size_t length = MAX_BODY + 1; length < MAX_BODY + 20; length++) {
		client_send(fd, "PUT", "/a", body, length, length, true);
		CHECK(client_receive(fd, &answer) && has(&answer, "too large"));
	}
	client_send(fd, "PUT", "/a", body, 20000, 10, true);
	CHECK(client_receive(fd, &answer) && has(&answer, " 10 "));
	client_send(fd, "GET", "/a", "", 0, 0, true);
	CHECK(client_receive(fd, &answer) && has(&answer, "GET"));
	close(fd);
	text_free(&answer);
	CHECK(stop_ms() < 2000);
}

static void *send_many(void *user)
{
	struct text answer = TEXT_EMPTY;
	char path[32], words[64];
	for (int i = 0; i < 30; i++) {
		int fd = client_open();
		snprintf(path, sizeof(path), "/%d/%d", *(int *)user, i);
		snprintf(words, sizeof(words), "\r\n\r\nGET %s ?", path);
		client_send(fd, "GET", path, "", 0, 0, false);
		CHECK(client_receive(fd, &answer) && has(&answer, words));
		close(fd);
	}
	text_free(&answer);
	return NULL;
}

static void more_clients_than_threads(void)
{
	pthread_t threads[THREADS * 5];
	int numbers[THREADS * 5];
	for (int i = 0; i < THREADS * 5; i++) {
		numbers[i] = i;
		pthread_create(&threads[i], NULL, send_many, &numbers[i]);
	}
	for (int i = 0; i < THREADS * 5; i++)
		pthread_join(threads[i], NULL);
	CHECK(stop_ms() < 2000);
}

static void wait_for_put_off(unsigned count)
{
	while (atomic_load(&put_off_count) < count)
		usleep(1000);
}

static void answer_put_off(unsigned i)
{
	struct response response = RESPONSE_NEW;
	response_error(&response, 409, NULL, "this is number %u", i);
	put_off[i]->answer(put_off[i], &response);
	response_free(&response);
}

/* Many more than there are threads. */
static void answers_that_are_put_off(void)
{
	struct text answer = TEXT_EMPTY;
	int clients[PUT_OFF_MAX];
	char words[32];
	for (unsigned i = 0; i < PUT_OFF_MAX; i++) {
		clients[i] = client_open();
		client_send(clients[i], "PUT", "/later", "hello", 5, 5, true);
		wait_for_put_off(i + 1);
	}
	int fd = client_open();
	client_send(fd, "GET", "/a", "", 0, 0, true);
	CHECK(client_receive(fd, &answer) && has(&answer, "GET /a"));
	for (unsigned i = 0; i < PUT_OFF_MAX; i++) {
		CHECK(poll(&(struct pollfd){ .fd = clients[i], .events = POLLIN }, 1, 0) == 0);
		answer_put_off(i);
		snprintf(words, sizeof(words), "number %u", i);
		CHECK(client_receive(clients[i], &answer) && has(&answer, "Status: 409") && has(&answer, words));
	}
	CHECK(atomic_load(&late_answers) == PUT_OFF_MAX);
	while (atomic_load(&answers_sent) == 0) /* it is told once its client has it */
		usleep(1000);
	CHECK(atomic_load(&answers_sent) == 1);
	/* The connections go on. */
	for (unsigned i = 0; i < PUT_OFF_MAX; i++) {
		client_send(clients[i], "GET", "/a", "", 0, 0, true);
		CHECK(client_receive(clients[i], &answer) && has(&answer, "GET /a"));
		close(clients[i]);
	}
	close(fd);
	text_free(&answer);
	CHECK(stop_ms() < 2000);
}

static void answers_that_are_set_aside(void)
{
	aside = true;
	answers_that_are_put_off();
}

/* Who has asked and gone, too, is answered: it costs nobody else anything. */
static void clients_that_do_not_wait_for_what_is_put_off(void)
{
	struct text answer = TEXT_EMPTY;
	for (unsigned i = 0; i < PUT_OFF_MAX; i++) {
		int fd = client_open();
		client_send(fd, "PUT", "/later", "hello", 5, 5, true);
		wait_for_put_off(i + 1);
		close(fd);
	}
	for (unsigned i = 0; i < PUT_OFF_MAX; i++)
		answer_put_off(i);
	int fd = client_open();
	client_send(fd, "GET", "/a", "", 0, 0, true);
	CHECK(client_receive(fd, &answer) && has(&answer, "GET /a"));
	close(fd);
	text_free(&answer);
	CHECK(stop_ms() < 2000);
}

/* PUTs that wait, as many as leave one thread. */
static void requests_that_wait(void)
{
	struct text answer = TEXT_EMPTY;
	int waiting[THREADS - 1], fd = client_open();
	for (int i = 0; i < THREADS - 1; i++) {
		waiting[i] = client_open();
		client_send(waiting[i], "PUT", "/wait", "hello", 5, 5, true);
		while (sem_wait(&held) != 0)
			;
	}
	client_send(fd, "PUT", "/a", "hello", 5, 5, true);
	CHECK(client_receive(fd, &answer) && has(&answer, "PUT /a"));
	for (int i = 0; i < THREADS - 1; i++)
		sem_post(&go_on);
	for (int i = 0; i < THREADS - 1; i++) {
		CHECK(client_receive(waiting[i], &answer) && has(&answer, "PUT /wait"));
		close(waiting[i]);
	}
	close(fd);
	text_free(&answer);
	CHECK(stop_ms() < 2000);
}

static void more_idle_connections_than_threads(void)
{
	enum { IDLE = 200 };
	struct text answer = TEXT_EMPTY;
	int idle[IDLE];
	for (int turn = 0; turn < 2; turn++) {
		for (int i = 0; i < IDLE; i++) {
			if (turn == 0)
				idle[i] = client_open();
			client_send(idle[i], "GET", "/a", "", 0, 0, true);
			CHECK(client_receive(idle[i], &answer) && has(&answer, "GET /a"));
		}
	}
	CHECK(stop_ms() < 1000);
	for (int i = 0; i < IDLE; i++)
		close(idle[i]);
	text_free(&answer);
}

static void *stop(void *user)
{
	(void)user;
	pool_stop(pool);
	return NULL;
}

/* Whether the other side has closed the connection; waits for it. */
static bool is_closed(int fd)
{
	char byte;
	return recv(fd, &byte, 1, 0) == 0;
}

static void stop_while_a_request_is_under_way(void)
{
	struct text answer = TEXT_EMPTY;
	pthread_t stopper;
	struct timespec until;
	int idle = client_open(), busy = client_open();
	client_send(idle, "GET", "/a", "", 0, 0, true);
	CHECK(client_receive(idle, &answer));
	client_send(busy, "PUT", "/hold", "hello", 5, 5, true);
	while (sem_wait(&held) != 0)
		;
	pthread_create(&stopper, NULL, stop, NULL);
	while (sem_wait(&being_stopped) != 0)
		;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += 200000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	CHECK(pthread_clockjoin_np(stopper, NULL, CLOCK_MONOTONIC, &until) == ETIMEDOUT);
	CHECK(poll(&(struct pollfd){ .fd = busy, .events = POLLIN }, 1, 0) == 0);
	sem_post(&go_on);
	CHECK(client_receive(busy, &answer) && has(&answer, "PUT /hold ?a=1&b=2 5 hello"));
	pthread_join(stopper, NULL);
	CHECK(is_closed(busy) && is_closed(idle));
	close(idle);
	close(busy);
	text_free(&answer);
}

static void stop_while_an_answer_is_put_off(void)
{
	struct text answer = TEXT_EMPTY;
	pthread_t stopper;
	int fd = client_open();
	client_send(fd, "PUT", "/later", "hello", 5, 5, true);
	wait_for_put_off(1);
	pthread_create(&stopper, NULL, stop, NULL);
	while (sem_wait(&being_stopped) != 0)
		;
	CHECK(poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 100) == 0);
	answer_put_off(0);
	CHECK(client_receive(fd, &answer) && has(&answer, "number 0"));
	pthread_join(stopper, NULL);
	CHECK(is_closed(fd));
	close(fd);
	text_free(&answer);
}

static void stop_with_idle_connections(void)
{
	struct text answer = TEXT_EMPTY;
	int idle[THREADS];
	for (int i = 0; i < THREADS; i++) {
		idle[i] = client_open();
		client_send(idle[i], "GET", "/a", "", 0, 0, true);
		CHECK(client_receive(idle[i], &answer));
	}
	CHECK(stop_ms() < 1000);
	for (int i = 0; i < THREADS; i++) {
		CHECK(is_closed(idle[i]));
		close(idle[i]);
	}
	text_free(&answer);
}

/* A new version of the program takes over on the same socket. */
static void stop_leaves_the_listening_socket(void)
{
	CHECK(stop_ms() < 1000);
	int fd = client_open();
	int other_end = accept(0, NULL, NULL);
	CHECK(other_end >= 0);
	put_all(fd, "x", 1);
	char byte;
	CHECK(get_all(other_end, &byte, 1) && byte == 'x');
	close(fd);
	close(other_end);
}

/* Clients that go away in the middle, or talk nonsense, cost nobody else anything. */
static void bad_clients(void)
{
	struct text answer = TEXT_EMPTY;
	static const char garbage[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
	for (int i = 0; i < THREADS * 3; i++) {
		int fd = client_open();
		if (i % 3 == 0) {
			put_all(fd, garbage, sizeof(garbage));
		} else if (i % 3 == 1) {
			client_send(fd, "GET", "/large", "", 0, 0, false);
		} else {
			FCGI_BeginRequestBody begin = { .roleB0 = FCGI_RESPONDER };
			put_record(fd, FCGI_BEGIN_REQUEST, &begin, sizeof(begin));
		}
		close(fd);
	}
	for (int i = 0; i < THREADS * 3; i++) {
		int fd = client_open();
		client_send(fd, "GET", "/a", "", 0, 0, false);
		CHECK(client_receive(fd, &answer) && has(&answer, "200 OK"));
		close(fd);
	}
	text_free(&answer);
	CHECK(stop_ms() < 2000);
}

/* An answer that finds no room among those on their way is none of them, and the connection goes on. */
static void large_answers_beyond_the_budget(void)
{
	struct text answer = TEXT_EMPTY;
	budget_set_limit(4 * 4000000); /* a third of three quarters of it has one */
	int slow = client_open(), fd = client_open();
	client_send(slow, "GET", "/large", "", 0, 0, true);
	CHECK(poll(&(struct pollfd){ .fd = slow, .events = POLLIN }, 1, CASE_SECONDS * 1000) == 1); /* its head, behind its place */
	client_send(fd, "GET", "/large", "", 0, 0, true);
	CHECK(client_receive(fd, &answer));
	CHECK(has(&answer, "Status: 503") && has(&answer, "hold as much memory as they may") && !has(&answer, "0123456789"));
	client_send(fd, "GET", "/a", "", 0, 0, true);
	CHECK(client_receive(fd, &answer) && has(&answer, "GET /a"));
	CHECK(client_receive(slow, &answer) && strlen(strstr(answer.data, "\r\n\r\n") + 4) == 3000000);
	close(slow);
	close(fd);
	text_free(&answer);
	CHECK(stop_ms() < 2000);
}

/* One that wants to be told of no answer. */
static void answers_that_nobody_is_told_of(void)
{
	struct text answer = TEXT_EMPTY;
	int fd = client_open();
	client_send(fd, "PUT", "/later", "hello", 5, 5, true);
	wait_for_put_off(1);
	answer_put_off(0);
	CHECK(client_receive(fd, &answer) && has(&answer, "number 0"));
	client_send(fd, "GET", "/a", "", 0, 0, true);
	CHECK(client_receive(fd, &answer) && has(&answer, "GET /a"));
	close(fd);
	text_free(&answer);
	pool_stop(pool);
	CHECK(atomic_load(&answers_sent) == 0 && atomic_load(&late_answers) == 0);
}

/* Threads take of this, too: that there is no room for one is told as pthread_create() tells it. */
static void start_without_memory(void)
{
	bool failed = true, without_threads = false;
	int free_descriptor = dup(0);
	close(free_descriptor);
	for (long n = 1; failed; n++) {
		pool = NULL;
		failing_start(n);
		int result = pool_start(THREADS, MAX_BODY, &handler, &address, &pool);
		failed = failing_stop();
		CHECK(failed ? result == -ENOMEM || result == -EAGAIN : result == 0);
		CHECK(!result == (pool != NULL));
		without_threads = without_threads || result == -EAGAIN;
		pool_stop(pool);
		int next = dup(0); /* no descriptor is left behind */
		CHECK(next == free_descriptor);
		close(next);
	}
	CHECK(without_threads);
}

static void start_without_a_socket(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	CHECK(dup2(null, 0) == 0);
	CHECK(pool_start(THREADS, MAX_BODY, &handler, &address, &pool) == -EPERM);
	CHECK(!pool);
}

static void test_pool_start_requests_of_every_kind_are_answered(void **state)
{
	(void)state;
	run_case(requests_of_every_kind);
}

static void test_pool_start_bodies_that_are_gzip_are_inflated(void **state)
{
	(void)state;
	run_case(bodies_that_are_encoded);
}

static void test_pool_start_bodies_beyond_the_budget_are_told_to_come_back(void **state)
{
	(void)state;
	run_case(bodies_beyond_the_budget);
}

static void test_pool_start_kept_connection_bodies_of_every_length_are_read(void **state)
{
	(void)state;
	run_case(kept_connection_with_bodies_of_every_length);
}

static void test_pool_start_request_that_has_waited_is_known(void **state)
{
	(void)state;
	run_case(requests_that_have_waited);
}

static void test_pool_start_more_clients_than_threads_all_are_answered(void **state)
{
	(void)state;
	run_case(more_clients_than_threads);
}

static void test_pool_start_bad_clients_cost_nobody_else_anything(void **state)
{
	(void)state;
	run_case(bad_clients);
}

static void test_pool_start_answers_that_are_put_off_hold_no_thread(void **state)
{
	(void)state;
	run_case(answers_that_are_put_off);
}

static void test_pool_start_answers_that_are_set_aside_hold_nothing(void **state)
{
	(void)state;
	run_case(answers_that_are_set_aside);
}

static void test_pool_start_clients_that_do_not_wait_for_an_answer_that_is_put_off(void **state)
{
	(void)state;
	run_case(clients_that_do_not_wait_for_what_is_put_off);
}

static void test_pool_start_requests_that_wait_leave_their_seats(void **state)
{
	(void)state;
	run_case(requests_that_wait);
}

static void test_pool_start_idle_connections_hold_no_thread(void **state)
{
	(void)state;
	run_case(more_idle_connections_than_threads);
}

static void test_pool_stop_answer_that_is_put_off_is_waited_for(void **state)
{
	(void)state;
	run_case(stop_while_an_answer_is_put_off);
}

static void test_pool_stop_request_under_way_is_finished(void **state)
{
	(void)state;
	run_case(stop_while_a_request_is_under_way);
}

static void test_pool_stop_idle_connections_do_not_delay_it(void **state)
{
	(void)state;
	/* Some threads may be just behind their answer then. */
	for (int i = 0; i < 12; i++)
		run_case(stop_with_idle_connections);
}

static void test_pool_stop_listening_socket_stays(void **state)
{
	(void)state;
	run_case(stop_leaves_the_listening_socket);
}

static void test_pool_start_large_answers_beyond_the_budget_are_told_to_come_back(void **state)
{
	(void)state;
	run_case(large_answers_beyond_the_budget);
}

static void test_pool_start_handler_that_wants_to_be_told_of_nothing(void **state)
{
	(void)state;
	static const struct pool_handler least = { .admit = admit, .handle = handle };
	run_case_with(&least, answers_that_nobody_is_told_of);
}

static void test_pool_start_any_allocation_fails_is_out_of_memory(void **state)
{
	(void)state;
	if (!FAILING_MALLOC)
		skip();
	run_case_with(NULL, start_without_memory);
}

static void test_pool_start_without_a_socket_says_so(void **state)
{
	(void)state;
	run_case_with(NULL, start_without_a_socket);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pool_start_requests_of_every_kind_are_answered),
		cmocka_unit_test(test_pool_start_bodies_that_are_gzip_are_inflated),
		cmocka_unit_test(test_pool_start_bodies_beyond_the_budget_are_told_to_come_back),
		cmocka_unit_test(test_pool_start_kept_connection_bodies_of_every_length_are_read),
		cmocka_unit_test(test_pool_start_request_that_has_waited_is_known),
		cmocka_unit_test(test_pool_start_more_clients_than_threads_all_are_answered),
		cmocka_unit_test(test_pool_start_bad_clients_cost_nobody_else_anything),
		cmocka_unit_test(test_pool_start_answers_that_are_put_off_hold_no_thread),
		cmocka_unit_test(test_pool_start_answers_that_are_set_aside_hold_nothing),
		cmocka_unit_test(test_pool_start_clients_that_do_not_wait_for_an_answer_that_is_put_off),
		cmocka_unit_test(test_pool_start_requests_that_wait_leave_their_seats),
		cmocka_unit_test(test_pool_start_idle_connections_hold_no_thread),
		cmocka_unit_test(test_pool_start_large_answers_beyond_the_budget_are_told_to_come_back),
		cmocka_unit_test(test_pool_start_handler_that_wants_to_be_told_of_nothing),
		cmocka_unit_test(test_pool_start_any_allocation_fails_is_out_of_memory),
		cmocka_unit_test(test_pool_start_without_a_socket_says_so),
		cmocka_unit_test(test_pool_stop_answer_that_is_put_off_is_waited_for),
		cmocka_unit_test(test_pool_stop_request_under_way_is_finished),
		cmocka_unit_test(test_pool_stop_idle_connections_do_not_delay_it),
		cmocka_unit_test(test_pool_stop_listening_socket_stays),
	};
	pool_stop(NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
