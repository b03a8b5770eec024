#include "fcgi/service_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/comm.h"
#include "common/log.h"
#include "common/proxy.h"
#include "common/wire.h"
#include "fcgi/counters.h"

enum {
	THREADS_MIN = 4,          /* of server.threads */
	FREE_THREADS = 2,         /* never held by the store */
	READS_MAX = 32,           /* at a time: each may hold four MiB of what the store keeps for it */
	STORE_PATIENCE_MS = 2000, /* how long requests wait for a store that does not answer */
	READ_PATIENCE_MS = 1000,  /* how long a read waits for other reads, and holds a thread of the writers meanwhile */
	LARGE_ANSWER = 1 << 20,   /* bytes; it may wait for room to be sent */
	INTERVAL_CACHES = 10,     /* an interval is at least this many times as long as an answer is kept */
};

/* server.memory in bodies of server.max_body: a quarter is for bodies, and one becomes samples of up to three times its size. */
enum { BODIES_IN_MEMORY = 16 };

int service_check(const struct config *config, struct text *ret_error)
{
	const struct store_ops *engine = store_find(config->server.store);
	if (!engine) {
		text_printf(ret_error, "%s: server.store: '%s' is no engine: there are ", config->server.store_place,
		            config->server.store);
		store_append_names(ret_error);
		return -EINVAL;
	}
	int result = engine->check_config(config, ret_error);
	if (!result)
		result = proxy_check("server.store_proxy", config->server.store_proxy, ret_error);
	if (result)
		return result;
	if (config->server.threads > 0 && config->server.threads < THREADS_MIN) {
		text_printf(ret_error, "server.threads: at least %d are needed", THREADS_MIN);
		return -EINVAL;
	}
	if (config->server.memory / BODIES_IN_MEMORY < config->server.max_body) {
		text_printf(ret_error, "server.memory: at least %d times server.max_body is needed", BODIES_IN_MEMORY);
		return -EINVAL;
	}
	struct tokens *tokens;
	result = tokens_open(config, &tokens, ret_error);
	if (result == 0)
		tokens_close(tokens);
	return result;
}

static void take_limits(struct service *service, const struct config *config)
{
	atomic_store(&service->interval_ms, config->server.interval_ms);
	atomic_store(&service->refresh_ms, config->forecast.refresh_ms);
	atomic_store(&service->max_points, config->server.max_points);
	atomic_store(&service->comms, comm_holds(config));
	/* Who reads once an interval, like vigie-alert, gets an answer of that interval. */
	int64_t longest_ms = config->server.interval_ms / INTERVAL_CACHES;
	shared_reads_set_max_age(service->reads,
	                         config->server.cache_ms < longest_ms ? config->server.cache_ms : longest_ms);
}

static int open_tokens(const struct config *config, struct tokens **ret_tokens)
{
	struct text error = TEXT_EMPTY;
	int result = tokens_open(config, ret_tokens, &error);
	if (error.data)
		log_error("%s", error.data);
	text_free(&error);
	return result;
}

int service_open(const struct config *config, unsigned threads, struct service **ret_service)
{
	const struct store_ops *ops = store_find(config->server.store);
	assert(ops); /* the configuration is checked before it is taken */
	struct service *service = calloc(1, sizeof(*service));
	if (!service)
		return -ENOMEM;
	service->ops = ops;
	service->started_ns = clock_monotonic_ns();
	pthread_mutex_init(&service->clock_lock, NULL);
	sure_clock_open(&service->clock, NULL, clock_boot(), clock_moment());
	unsigned places = threads > FREE_THREADS ? threads - FREE_THREADS : 1;
	/* A quarter is left for writers. */
	unsigned read_places = places > 1 ? places - (places + 3) / 4 : 1;
	if (read_places > READS_MAX)
		read_places = READS_MAX;
	gate_init(&service->gate, places, read_places, STORE_PATIENCE_MS, READ_PATIENCE_MS);
	service->reads = shared_reads_open();
	service->collectors = collectors_open();
	service->hosts = hosts_open(&config->server.hosts);
	service->reasons = reasons_open(REASONS_WORDS_MAX);
	service->wishes = wishes_open();
	service->silences = silences_open();

	bool made = service->reads && service->collectors && service->hosts && service->reasons && service->wishes &&
	            service->silences;
	int result = made ? open_tokens(config, &service->tokens) : -ENOMEM;
	if (result == 0)
		result = ops->open(config, &service->store);
	if (result == 0)
		result = writer_open(ops, service->store, (size_t)config->server.store_queue, &service->writer);
	if (result == 0) {
		const struct keeper_table tables[] = { wishes_table(service->wishes), silences_table(service->silences) };
		result = keeper_open(ops, service->store, service->writer, tables, sizeof(tables) / sizeof(tables[0]), &service->keeper);
	}
	if (result) {
		service_close(service);
		return result;
	}
	take_limits(service, config);
	*ret_service = service;
	return 0;
}

void service_close(struct service *service)
{
	if (!service)
		return;
	keeper_close(service->keeper);
	writer_close(service->writer);
	service->ops->close(service->store);
	collectors_close(service->collectors);
	shared_reads_close(service->reads);
	tokens_close(service->tokens);
	hosts_close(service->hosts);
	reasons_close(service->reasons);
	wishes_close(service->wishes);
	silences_close(service->silences);
	gate_destroy(&service->gate);
	pthread_mutex_destroy(&service->clock_lock);
	free(service);
}

void service_reload(struct service *service, const struct config *config)
{
	struct text error = TEXT_EMPTY;
	int result = tokens_reload(service->tokens, config, &error);
	if (result)
		log_error("%s; the tokens stay as they were", text_or(&error, strerror(-result)));
	text_free(&error);
	take_limits(service, config);
}

bool service_knows_host(struct service *service, const struct request *request, struct response *response)
{
	if (hosts_know(service->hosts, request->host))
		return true;
	char host[WIRE_NAME_SIZE];
	wire_clean_name(request->host, strlen(request->host), host);
	if (!atomic_flag_test_and_set(&service->misdirected))
		log_warning("a request for the host '%s', which is not this server, is answered 421, and so are others: where "
		            "it is a name of this server, it belongs into [server] hosts", host);
	response_error(response, 421, NULL, "the host of the request is no name of this server: [server] hosts has them");
	return false;
}

bool service_authorize(struct service *service, enum tokens_right right, const struct request *request,
                       struct response *response)
{
	const char *article = right == TOKENS_ADMIN ? "an" : "a", *name = tokens_right_name(right);
	if (right == TOKENS_ADMIN && !tokens_are_given(service->tokens, right)) {
		response_error(response, 403, NULL,
		               "this needs an admin token, and there is none: [server] admin_tokens names a file of them, with mode "
		               "600 and one a line (head -c 32 /dev/urandom | base64)");
		return false;
	}
	switch (tokens_check(service->tokens, right, request->authorization, request->token)) {
	case TOKENS_GRANTED:
		return true;
	case TOKENS_MISSING:
		response_error(response, 401, NULL, "this needs %s %s token (Authorization: Bearer TOKEN)", article, name);
		return false;
	case TOKENS_UNKNOWN:
		response_error(response, 401, NULL, "the token is not known; this needs %s %s token", article, name);
		return false;
	case TOKENS_OTHER:
		break;
	}
	response_error(response, 403, NULL, "the token is known, but this needs %s %s token", article, name);
	return false;
}

int64_t service_max_window_ms(const struct service *service)
{
	return service->ops->retention(service->store);
}

bool service_enter_store(struct service *service, enum gate_kind kind, struct response *response)
{
	if (gate_enter(&service->gate, kind) == 0)
		return true;
	counters_add(COUNTER_BUSY, 1);
	response_error(response, 503, NULL,
	               kind == GATE_WRITE || gate_is_stuck(&service->gate) ? "the store does not answer" : "too many reads are under way");
	return false;
}

bool service_has_room(struct response *response)
{
	int result = budget_grow(&response->share, response->body.length);
	if (result == 0)
		return true;
	response_no_memory(response, result);
	return false;
}

/* An engine's words on a query that it refuses, until the request of this thread is answered. */
static _Thread_local char refusal[STORE_REFUSAL_SIZE];

bool service_check_read(struct service *service, int result, int64_t start_ns, struct response *response)
{
	counters_time(TIMER_READ, clock_monotonic_ns() - start_ns);
	if (result == -E2BIG)
		response_error(response, 400, NULL,
		               "the answer would have over %lld points: ask for a shorter window, a longer step, "
		               "one ip or process, above= or limit=",
		               (long long)atomic_load(&service->max_points));
	else if (result == -EINVAL)
		response_error(response, 400, NULL, "the store refuses to answer this%s%s", refusal[0] ? ": " : "", refusal);
	else if (result)
		service_answer_failure(result, response);
	return result == 0;
}

void service_answer_failure(int result, struct response *response)
{
	if (result == -ENOBUFS)
		response_no_memory(response, result);
	else
		response_error(response, 503, NULL, result == -ENOSPC ? "the store is full" : "the store failed");
}

/* Has the answer made, or waits for another's. */
static void make_answer(struct service *service, service_handler *handler, const struct parameters *parameters,
                        struct request *request, struct response *response)
{
	struct shared_read *read;
	if (shared_reads_begin(service->reads, request, response, &read)) {
		counters_add(COUNTER_SHARED, 1);
		return;
	}
	refusal[0] = '\0';
	handler(service, parameters, request, response);
	if (text_failed(&response->body)) {
		response_free(response);
		response_no_memory(response, -ENOMEM);
	} else if (response->status == 200 && service_has_room(response) /* of those who did not look */ &&
	           parameters->media == MEDIA_CSV) {
		response->content_type = media_type(MEDIA_CSV);
	}
	shared_reads_end(service->reads, read, response);
}

void service_read(struct service *service, service_handler *handler, const struct parameters *parameters,
                  struct request *request, struct response *response)
{
	bool found = shared_reads_find(service->reads, request, response);
	counters_add(COUNTER_SHARED, found);
	if (found && response_body(response)->length < LARGE_ANSWER)
		return;
	if (request->later)
		request->later->wait(request->later);
	/* Before it begins: who leads or waits has its place, and nobody waits for one that
	 * waits for a place. */
	if (!service_enter_store(service, GATE_READ, response))
		return;
	request->has_place = true;
	if (!found)
		make_answer(service, handler, parameters, request, response);
	if (response_body(response)->length < LARGE_ANSWER)
		service_sent(service, request);
}

void service_sent(struct service *service, struct request *request)
{
	if (request->has_place)
		gate_leave(&service->gate, GATE_READ);
	request->has_place = false;
}

int64_t service_certain_ms(struct service *service)
{
	pthread_mutex_lock(&service->clock_lock);
	int64_t certain_ms = sure_clock_read(&service->clock, clock_moment(), NULL);
	pthread_mutex_unlock(&service->clock_lock);
	return certain_ms;
}

struct query service_query(const struct service *service, const struct parameters *parameters, enum metric metric,
                           int64_t from_ms, int64_t to_ms)
{
	struct query query = {
		.metric = metric,
		.from_ms = from_ms,
		.to_ms = to_ms,
		.ip = parameters->given & PARAMETER_IP ? parameters->ip : NULL,
		.process = parameters->process_count == 1 ? parameters->process : NULL,
		.only = parameters->process_count > 1 ? parameters->only : NULL,
		.only_count = parameters->only_count,
		.by_host = parameters->by_host,
		.half = sample_half(parameters->resource),
		.step_ms = parameters->step_ms,
		.aggregate = parameters->aggregate,
		.without_maximum = !(parameters->given & PARAMETER_ABOVE),
		.max_points = (size_t)atomic_load(&service->max_points),
		.ret_refusal = refusal,
	};
	for (int i = 0; i < HALF_COUNT; i++) {
		enum resource resource = sample_resource(metric, (enum half)i);
		query.unwanted[i] = resource == RESOURCE_COUNT ||
		                    (parameters->given & PARAMETER_RESOURCE && resource != parameters->resource);
	}
	return query;
}

bool service_wants(const struct parameters *parameters, enum resource resource)
{
	return parameters->given & PARAMETER_RESOURCE ? parameters->resource == resource : resource < RESOURCE_LIMITED;
}

enum metric service_usage(const struct parameters *parameters)
{
	return parameters->given & PARAMETER_RESOURCE ? sample_usage(parameters->resource) : METRIC_USAGE;
}
