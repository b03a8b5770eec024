/* vigie-fcgi: the REST application. spawn-fcgi or a socket unit starts it with the
 * listening socket as descriptor 0. */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/log.h"
#include "common/program.h"
#include "fcgi/body.h"
#include "fcgi/budget.h"
#include "fcgi/pool.h"
#include "fcgi/routes.h"
#include "fcgi/store.h"

/* Many more than cores, since so many requests but two read the store at a time (service.c); a PUT that waits for its
 * commit holds none. A thread that is not needed is never woken, but each that was has its stack. */
enum { THREADS_DEFAULT = 40 };

/* Of glibc's allocator. A block of at least the one is taken from the kernel for itself, and
 * given back at once when it is freed (by itself the limit rises with each such block). The
 * other is what each of its heaps keeps of smaller ones: more than one request needs. */
enum { OWN_BLOCK = 128 << 10, KEPT_FREE = 1 << 20 };

/* How often the heaps give back what lies free between blocks in use: by themselves they only do at their ends. */
enum { TRIM_MS = 60000 };

/* Each connection is one, and so are files of the store; the usual soft limit is for
 * programs that call select(). */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* Copies what the store holds, and ends. */
static int back_up(const struct config *config, const char *target)
{
	/* Nothing is lost when it is broken off. */
	sigset_t none;
	sigemptyset(&none);
	pthread_sigmask(SIG_SETMASK, &none, NULL);

	const struct store_ops *engine = store_find(config->server.store);
	struct text error = TEXT_EMPTY;
	int result = -ENOTSUP;
	if (engine->backup)
		result = engine->backup(config, target, &error);
	else
		text_printf(&error, "%s has means of its own", engine->name);
	if (result)
		log_error("no backup: %s", text_or(&error, strerror(-result)));
	else
		log_info("%s is a copy of %s", target, config->sqlite.path);
	text_free(&error);
	return result ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Prints which addresses there are. */
static int print_routes(void)
{
	struct text table = TEXT_EMPTY;
	routes_append_table(&table);
	int exit_status = program_print(&table);
	text_free(&table);
	return exit_status;
}

static const struct pool_handler handler = {
	.admit = routes_admit, .handle = routes_handle, .late = routes_late, .sent = routes_sent,
};

/* Until it is told to end. */
static void run(struct program *program, struct service *service, struct pool *pool)
{
	for (;;) {
		switch (program_wait_for(program, -1, TRIM_MS)) {
		case PROGRAM_STOP:
			return;
		case PROGRAM_RELOAD:
			if (!program_reload(program))
				break;
			service_reload(service, program->config);
			budget_set_limit((size_t)program->config->server.memory);
			pool_set_max_body(pool, (size_t)program->config->server.max_body);
			break;
		case PROGRAM_TIMEOUT:
			malloc_trim(0);
			break;
		default: /* it asked for no timer and no dump */
			break;
		}
	}
}

int main(int argc, char *argv[])
{
	const char *backup = NULL, *routes = NULL;
	const struct program_option options[] = {
		{ "backup", "FILE", "write a copy of the database to FILE, whether it is in use or not, then end", &backup },
		{ "print-routes", NULL, "print every address with its method and its parameters, then end", &routes },
		{ 0 },
	};
	struct program program = {
		.name = "vigie-fcgi",
		.summary = "the REST application behind nginx; accepts FastCGI connections on descriptor 0",
		.check = service_check,
		.options = options,
	};
	struct service *service = NULL;
	struct pool *pool = NULL;
	int exit_status;
	if (!program_start(&program, argc, argv, &exit_status))
		goto out;

	if (routes) {
		exit_status = print_routes();
		goto out;
	}
	if (backup) {
		exit_status = back_up(program.config, backup);
		goto out;
	}
	exit_status = EXIT_FAILURE;
	raise_descriptor_limit();
	unsigned threads = program.config->server.threads ? (unsigned)program.config->server.threads : THREADS_DEFAULT;
	if (request_init() != 0) {
		log_error("descriptor 0 is no listening socket: start it with spawn-fcgi");
		goto out;
	}
	body_init();
	/* As many heaps as threads can run, not eight times as many: each is as large as the largest answer was that was ever
	 * made in it, and what lives long in one keeps what is around it. */
	mallopt(M_ARENA_MAX, (int)sysconf(_SC_NPROCESSORS_ONLN));
	mallopt(M_MMAP_THRESHOLD, OWN_BLOCK);
	mallopt(M_TRIM_THRESHOLD, KEPT_FREE);
	budget_set_limit((size_t)program.config->server.memory);
	int result = service_open(program.config, threads, &service);
	if (result == 0)
		result = pool_start(threads, (size_t)program.config->server.max_body, &handler, service, &pool);
	if (result) {
		log_error("cannot start: %s", strerror(-result));
		goto out;
	}
	log_info("answering with %u threads from %s", threads, program.config->server.store);

	run(&program, service, pool);
	log_info("ending");
	exit_status = EXIT_SUCCESS;
out:
	pool_stop(pool);
	service_close(service);
	return program_end(&program, exit_status);
}
